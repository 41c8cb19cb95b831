"""What it costs to cross from Python into the engine: one JSON line for each scenario, `{"name", "ns"}`.

`empty` is the floor: a native method that takes the arguments of `check` and does nothing. `check` is measured on one
question, whose answer is looked at first; the many forms are measured for each item of 10,000.

The verbs that count stand after them, with an account that has no limit. A key is new in each call. What follows a
reservation is timed with it.
"""

import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import sublet

ROOT = Path(__file__).resolve().parents[2]
RUNS = 7
MANY = 10_000


def nanoseconds(ask: Callable[[], object], calls: int, items: int = 1) -> float:
    """The median of several runs, for each item."""
    found = []
    for _ in range(RUNS):
        begin = time.perf_counter_ns()
        for _ in range(calls):
            ask()
        found.append((time.perf_counter_ns() - begin) / calls / items)
    return statistics.median(found)


def main() -> None:
    engine = sublet.Engine.open(ROOT / "policies")
    engine.import_lines(ROOT / "policies" / "tests" / "agency.jsonl")
    check, authorize, empty = engine.check, engine.authorize, engine._empty
    name, action, host = ("Account", "acme"), "campaign.read", "dash.marketingmaster.example"
    inline, triple = {"type": "Campaign", "id": "k", "account": "acme"}, ("Campaign", "k", "acme")
    acme, read, dash = sublet.Principal(*name), sublet.Action(action), sublet.Host(host)
    handled = (sublet.ResourceType("Campaign"), "k", acme)
    assert check(name, action, inline, host=host) and check(name, action, triple, host=host) and check(acme, read, handled, host=dash)

    def says(scenario: str, ns: float) -> None:
        print(json.dumps({"name": f"python/{scenario}", "ns": round(ns, 1)}), flush=True)

    # An empty loop's own cost is in each line, the floor's too.
    says("empty", nanoseconds(lambda: empty(name, action, triple, host=host), 100_000))
    says("check/strings", nanoseconds(lambda: check(name, action, triple, host=host), 100_000))
    says("check/strings/dict", nanoseconds(lambda: check(name, action, inline, host=host), 100_000))
    says("check/handles", nanoseconds(lambda: check(acme, read, handled, host=dash), 100_000))
    says("authorize/strings", nanoseconds(lambda: authorize(name, action, triple, host=host), 50_000))
    says("authorize/handles", nanoseconds(lambda: authorize(acme, read, handled, host=dash), 50_000))
    records = [{"principal": name, "action": action, "resource": triple, "host": host} for _ in range(MANY)]
    handles = [{"principal": acme, "action": read, "resource": handled, "host": dash} for _ in range(MANY)]
    says("check_many/records", nanoseconds(lambda: engine.check_many(records), 10, MANY))
    says("check_many/records/handles", nanoseconds(lambda: engine.check_many(handles), 10, MANY))
    names, triples, accounts, resources = [name] * MANY, [triple] * MANY, [acme] * MANY, [handled] * MANY
    says("check_many/columns", nanoseconds(lambda: engine.check_many(principals=names, actions=action, resources=triples, hosts=host), 10, MANY))
    says("check_many/columns/handles", nanoseconds(lambda: engine.check_many(principals=accounts, actions=read, resources=resources, hosts=dash), 10, MANY))
    says("authorize_many/records", nanoseconds(lambda: engine.authorize_many(records), 5, MANY))
    says("authorize_many/columns", nanoseconds(lambda: engine.authorize_many(principals=names, actions=action, resources=triples, hosts=host), 5, MANY))

    engine.apply_changes(merge=[{"type": "Account", "id": "acme", "limits": {"emails": "unlimited"}}])
    consume, reserve, commit, send, key = engine.consume, engine.reserve, engine.commit, sublet.Action("campaign.send"), itertools.count()
    items = [{"principal": acme, "action": send, "resource": handled, "host": dash, "amount": 1} for _ in range(10)]
    verbs: dict[str, Callable[[], object]] = {
        "check/amount": lambda: check(name, "campaign.send", triple, amount=3, host=host),
        "check/amount/handles": lambda: check(acme, send, handled, amount=3, host=dash),
        "authorize/amount": lambda: authorize(name, "campaign.send", triple, amount=3, host=host),
        "authorize/amount/quota": lambda: authorize(name, "campaign.send", triple, amount=3, host=host).quota,
        "consume": lambda: consume(name, "campaign.send", triple, host=host),
        "consume/handles": lambda: consume(acme, send, handled, host=dash),
        "consume/keyed": lambda: consume(name, "campaign.send", triple, idempotency_key=f"order {next(key)}", host=host),
        "consume/keyed/replayed": lambda: consume(name, "campaign.send", triple, idempotency_key="same", host=host),
        "reserve": lambda: reserve(name, "campaign.send", triple, 1, ttl=60_000, host=host),
        "reserve and release": lambda: engine.release(reserve(name, "campaign.send", triple, 1, ttl=60_000, host=host).operation),
        "reserve and commit/keyed": lambda: commit(
            reserve(name, "campaign.send", triple, 1, ttl=60_000, host=host).operation, idempotency_key=f"order {next(key)}"
        ),
        "batch of 10": lambda: engine.batch(items),
    }
    for verb in ("check/amount", "check/amount/handles", "authorize/amount", "consume", "consume/handles", "consume/keyed", "reserve"):
        assert verbs[verb](), verb
    assert all(engine.batch(items))
    for scenario, ask in verbs.items():
        says(scenario, nanoseconds(ask, 500 if scenario.startswith("batch") else 5_000))


if __name__ == "__main__":
    main()
