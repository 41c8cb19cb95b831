"""What a check costs from Python: beside an empty native call, the same rules by hand, and cedarpy. Answers are compared
before anything is timed. `python benches/python/bench.py`, with the workload's files in `target/bench/workload`."""

import json
import sys
import threading
import time
from pathlib import Path

import by_hand
import sublet
from measure import DIRECTORY, ROUNDS, Report, race, size

WORKLOAD = DIRECTORY / "workload"
MAIN_ACCOUNTS = size("SUBLET_BENCH_AGENCY", 100)
AGENCY = f"agency={MAIN_ACCOUNTS}"
HANDLES = hasattr(sublet, "Principal")


def opened():
    engine = sublet.Engine.open(Path(__file__).parents[2] / "policies")
    engine.import_lines(WORKLOAD / "agency.jsonl")
    return engine


class Questions:
    """The questions in each form: (principal, action, resource, host)."""

    def __init__(self, engine):
        rows = json.loads((WORKLOAD / "questions.json").read_text())
        self.answers = [row[-1] == "ok" for row in rows]
        self.codes = [row[-1] for row in rows]
        self.strings = [((kind, name), action, (of, it, account) if account else (of, it), host) for kind, name, action, of, it, account, host, _ in rows]
        self.kept = sorted({(action.split(".")[0], of) for _, action, (of, *_), _ in self.strings if of != "Account"})
        self.passed = self.strings if takes_triples(engine) else [self.inline(*one) for one in self.strings]
        self.handled = self.with_handles() if HANDLES else None

    @staticmethod
    def inline(principal, action, resource, host):
        """As versions without the short form of a resource take it."""
        return principal, action, dict(zip(("type", "id", "account"), resource)) if len(resource) == 3 else resource, host

    def with_handles(self):
        made = {}

        def handle(kind, *name):
            if (kind, *name) not in made:
                made[(kind, *name)] = kind(*name)
            return made[(kind, *name)]

        def one(principal, action, resource, host):
            if len(resource) == 3:
                resource = handle(sublet.ResourceType, resource[0]), resource[1], handle(sublet.Principal, "Account", resource[2])
            else:
                resource = handle(sublet.ResourceType, resource[0]), resource[1]
            return handle(sublet.Principal, *principal), handle(sublet.Action, action), resource, handle(sublet.Host, host)

        return [one(*question) for question in self.strings]


def takes_triples(engine):
    try:
        engine.check(("Account", "a"), "campaign.read", ("Campaign", "c", "a"))
    except sublet.InputError:
        return False
    return True


def features():
    """The feature, prefix and type of what an account keeps, as the policies' schema says."""
    found, feature = set(), None
    for line in (Path(__file__).parents[2] / "policies" / "app.cedarschema").read_text().splitlines():
        if line.startswith("@feature("):
            feature = line.split('"')[1]
        elif line.startswith("action "):
            found.update((feature, name.split(".")[0]) for name in line.split(" in ")[0].split('"')[1::2] if feature and name.endswith(".edit"))
            feature = None
    return found


def keyword(ask, questions):
    """A pass over the questions, asked as a host would."""

    def run():
        for principal, action, resource, host in questions:
            ask(principal, action, resource, host=host)

    return run


def positional(ask, questions):
    def run():
        for principal, action, resource, host in questions:
            ask(principal, action, resource, host)

    return run


def nothing(questions):
    def run():
        for _principal, _action, _resource, _host in questions:
            pass

    return run


def checks(engine, questions, allows, report):
    empty = getattr(engine, "_empty", None) or getattr(sublet._sublet, "_empty", None)
    passes = {
        "loop": nothing(questions.passed),
        "strings": keyword(engine.check, questions.passed),
        "by_hand": positional(allows, questions.strings),
    }
    if empty:
        passes["empty"] = keyword(empty, questions.passed)
    if HANDLES:
        passes["handles"] = keyword(engine.check, questions.handled)
    found = race(passes, len(questions.strings))
    if empty:
        report.row(f"python/check/strings/{AGENCY}/peer=empty", "ns", found["strings"], found["empty"])
    report.row(f"python/check/strings/{AGENCY}/peer=by-hand", "ns", found["strings"], found["by_hand"])
    if HANDLES and empty:
        report.row(f"python/check/handles/{AGENCY}/peer=empty", "ns", found["handles"], found["empty"])
    if HANDLES:
        report.row(f"python/check/handles/{AGENCY}/peer=by-hand", "ns", found["handles"], found["by_hand"])


def beside_cedarpy(engine, questions, report):
    """cedarpy at its best: policies and all entities parsed once, the context as text, ids that need no parsing, no schema."""
    import cedarpy

    given = json.loads((WORKLOAD / "cedar.json").read_text())
    policies, schema = cedarpy.PolicySet.from_str(given["policies"]), cedarpy.Schema.from_str(given["schema"])
    entities = cedarpy.Entities.from_json_str(json.dumps(given["entities"]), schema)
    names = "principal", "action", "resource"
    requests = [{**{name: one[name] for name in names}, "context": json.dumps(one["context"])} for one in given["requests"]]
    is_authorized = cedarpy.is_authorized
    for request, answer in zip(requests, questions.answers):
        assert is_authorized(request, policies, entities).allowed == answer, request

    def judge():
        for request in requests:
            is_authorized(request, policies, entities)

    form = "handles" if HANDLES else "strings"
    asked = (questions.handled or questions.passed)[: len(requests)]
    found = race({"sublet": keyword(engine.check, asked), "cedarpy": judge}, len(requests), 5)
    report.row(f"python/check/{form}/{AGENCY}/peer=cedarpy", "ns", found["sublet"], found["cedarpy"])


def record(principal, action, resource, host):
    return {"principal": principal, "action": action, "resource": resource, "host": host}


def forms(engine, questions):
    """Many questions as records, and (where the version takes them) as columns: the arguments of `check_many`."""
    yield "records", ([record(*one) for one in questions.passed],), {}
    columns = dict(zip(("principals", "actions", "resources", "hosts"), map(list, zip(*questions.passed))))
    try:
        engine.check_many(**{name: column[:1] for name, column in columns.items()})
    except TypeError:
        return
    yield "columns", (), columns


def many(engine, questions, report):
    items = len(questions.passed)
    for form, args, columns in forms(engine, questions):
        assert engine.check_many(*args, **columns) == questions.answers
        assert [decision.code for decision in engine.authorize_many(*args, **columns)] == questions.codes
        found = race(
            {
                "check": keyword(engine.check, questions.passed),
                "check_many": lambda args=args, columns=columns: engine.check_many(*args, **columns),
                "authorize": keyword(engine.authorize, questions.passed),
                "authorize_many": lambda args=args, columns=columns: engine.authorize_many(*args, **columns),
            },
            items,
        )
        for verb in "check", "authorize":
            report.row(f"python/{verb}_many/{form}/items={items}/{AGENCY}", "ns", found[f"{verb}_many"], found[verb])


def largest_gap(work):
    """The largest gap between the ticks of another thread, in milliseconds, while `work` runs."""
    stop, gaps = threading.Event(), []

    def tick():
        last, largest = time.perf_counter(), 0.0
        while not stop.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            largest, last = max(largest, now - last), now
        gaps.append(largest * 1e3)

    thread = threading.Thread(target=tick)
    thread.start()
    work()
    stop.set()
    thread.join()
    return gaps[0]


def stalls(engine, questions, report):
    items = len(questions.passed)
    window = size("SUBLET_BENCH_WINDOW_MS", 2_000) / 1e3 / 2

    def busy(ask, args, columns):
        until = time.perf_counter() + window
        while time.perf_counter() < until:
            ask(*args, **columns)

    for form, args, columns in forms(engine, questions):
        for verb in "check_many", "authorize_many":
            idle, stalled = [], []
            for _ in range(5):
                idle.append(largest_gap(lambda: time.sleep(window)))
                stalled.append(largest_gap(lambda: busy(getattr(engine, verb), args, columns)))
            # "Never" is the worst of the rounds, not the median; and so is "idle".
            report.row(f"python/stall/{verb}/{form}/items={items}", "ms", max(stalled), max(idle))


def threads(engine, questions, report):
    """Items answered in a second by two threads, beside one."""
    args, columns = list(forms(engine, questions))[-1][1:]
    items, window = len(questions.passed), size("SUBLET_BENCH_WINDOW_MS", 2_000) / 1e3 / 4

    def answered(count):
        done = [0] * count
        until = time.perf_counter() + window

        def work(at):
            while time.perf_counter() < until:
                engine.check_many(*args, **columns)
                done[at] += items

        begun = time.perf_counter()
        running = [threading.Thread(target=work, args=(at,)) for at in range(count)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return sum(done) / (time.perf_counter() - begun)

    rounds = [(answered(1), answered(2)) for _ in range(ROUNDS)]
    one, two = (sorted(each)[ROUNDS // 2] for each in zip(*rounds))
    report.row(f"python/check_many/threads=2/{AGENCY}", "per second", two, one)


def main():
    report = Report("python")
    engine = opened()
    questions = Questions(engine)
    kept = {prefix: kind for prefix, kind in questions.kept}
    kept = [(feature, prefix, kept[prefix]) for feature, prefix in features() if prefix in kept]
    allows = by_hand.rules((WORKLOAD / "agency.jsonl").open(), kept)
    for at, (question, answer) in enumerate(zip(questions.strings, questions.answers)):
        assert allows(*question) == answer, question
        principal, action, resource, host = questions.passed[at]
        assert engine.check(principal, action, resource, host=host) == answer, question
        if HANDLES:
            principal, action, resource, host = questions.handled[at]
            assert engine.check(principal, action, resource, host=host) == answer, question
    print(f"{len(questions.answers)} answers agree")
    parts = {"checks": lambda: checks(engine, questions, allows, report), "cedarpy": lambda: beside_cedarpy(engine, questions, report)}
    parts |= {part.__name__: lambda part=part: part(engine, questions, report) for part in (many, stalls, threads)}
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
