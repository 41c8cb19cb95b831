"""Handles and columns: names that are looked up once and requests in columns give the same answers
as single requests of strings."""

import copy
import pickle
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sublet

ROOT = Path(__file__).resolve().parents[2]
HOST = "dash.marketingmaster.example"
APP = "app.acme.example"
OWNER = ("Account", "acme")
CAMPAIGN = ("Campaign", "k", "acme")
AGENCY = ROOT / "policies" / "tests" / "agency.jsonl"
ACME, READ, VIEW, KIND, DASH = (
    sublet.Principal("Account", "acme"),
    sublet.Action("campaign.read"),
    sublet.Action("App::Action", "view"),
    sublet.ResourceType("Campaign"),
    sublet.Host(HOST),
)
HANDLES: list[Any] = [ACME, READ, VIEW, KIND, DASH]


@pytest.mark.parametrize("handle", HANDLES, ids=repr)
def test_handle_equals_its_name(handle: Any) -> None:
    for twin in (pickle.loads(pickle.dumps(handle)), copy.copy(handle), copy.deepcopy(handle), eval(repr(handle), vars(sublet).copy())):
        assert twin == handle and hash(twin) == hash(handle) and repr(twin) == repr(handle) and type(twin) is type(handle)
    assert all((handle == other) is (handle is other) for other in HANDLES)
    assert handle != repr(handle) and len({*HANDLES, handle}) == len(HANDLES)
    with pytest.raises(AttributeError):
        handle.id = "x"


def test_handle_prints_its_name() -> None:
    acme, read, view, campaign, dash = ACME, READ, VIEW, KIND, DASH
    assert (acme.type, acme.id) == OWNER
    assert (read.type, read.id, view.type, view.id) == ("Action", "campaign.read", "App::Action", "view")
    assert (campaign.name, dash.name) == ("Campaign", HOST)
    assert repr(sublet.Principal("a'b", 'c"')) == "Principal(\"a'b\", 'c\"')"


@pytest.mark.parametrize("bad", [1, None, b"x", "\ud800", ("a",), HANDLES[0]])
def test_handle_is_built_from_strings(bad: Any) -> None:
    for make in (lambda: sublet.Principal(bad, "x"), lambda: sublet.Principal("Account", bad), lambda: sublet.Action(bad), lambda: sublet.ResourceType(bad), lambda: sublet.Host(bad)):
        with pytest.raises(sublet.InputError) as raised:
            make()
        assert raised.value.code == "input.value"


def test_handles_replace_names_everywhere(engine: sublet.Engine) -> None:
    acme, read, campaign, dash = ACME, READ, KIND, DASH
    bakery = sublet.Principal("Account", "bakery")
    assert engine.check(acme, read, (campaign, "k", acme), host=dash)
    assert engine.check(acme, "campaign.read", {"type": campaign, "id": "k", "account": acme}, host=HOST)
    assert engine.check(acme, "account.read", acme, host=dash) is engine.check(OWNER, "account.read", OWNER, host=HOST)
    assert engine.authorize(acme, read, ("Campaign", "k", bakery), host=dash).code == engine.authorize(OWNER, "campaign.read", ("Campaign", "k", "bakery"), host=HOST).code
    acting: Any = {"host": sublet.Host(APP), "realm": acme}
    named: Any = {"host": APP, "realm": OWNER}
    assert engine.authorize(bakery, read, (campaign, "k", bakery), actor=acme, **acting) == engine.authorize(("Account", "bakery"), "campaign.read", ("Campaign", "k", "bakery"), actor=OWNER, **named)
    assert engine.permitted_actions(acme, (campaign, "k", acme), host=dash) == engine.permitted_actions(OWNER, CAMPAIGN, host=HOST)
    assert engine.route_ticket(bakery, ("Account", "bakery"), **acting).to_dict() == engine.route_ticket(("Account", "bakery"), ("Account", "bakery"), **named).to_dict()
    assert engine.explain(acme, read, (campaign, "k", acme), host=dash).decision.allowed
    ticket = ("Ticket", "t", bakery)
    assert engine.open_ticket(bakery, ticket, **acting).to_dict() == engine.open_ticket(("Account", "bakery"), ("Ticket", "t", "bakery"), **named).to_dict()
    assert engine.login(sublet.Host(APP), "hello@bakery.example").principal == ("Account", "bakery")
    assert engine.login(APP, "hello@bakery.example", sublet.Action("login.reset")).principal == ("Account", "bakery")
    assert engine.get_record(acme) == engine.get_record(OWNER)
    mutable: Any = ["Account", "acme"]
    triple: Any = [campaign, "k", acme]
    assert engine.check(mutable, read, triple, host=dash)


def test_handle_fits_only_its_own_type(engine: sublet.Engine) -> None:
    acme, read, campaign, dash = ACME, READ, KIND, DASH
    good: dict[str, Any] = {"principal": acme, "action": read, "resource": (campaign, "k", acme), "host": dash}
    assert engine.check(**good)
    for name in good:
        for wrong in [acme, read, campaign, dash, 1, object(), (acme,), (acme, "k"), ("Campaign", read), ("Campaign", "k", campaign), ("Campaign", "k", "acme", "x"), ("Campaign",)]:
            if wrong is good[name] or (name, wrong) == ("resource", acme):
                continue
            with pytest.raises(sublet.InputError) as raised:
                engine.check(**{**good, name: wrong})
            assert raised.value.code == "input.value", (name, wrong)


def test_only_an_account_owns_a_resource(engine: sublet.Engine) -> None:
    member = sublet.Principal("TeamMember", "acme")
    resources: list[Any] = [("Campaign", "k", member), {"type": "Campaign", "id": "k", "account": member}]
    for resource in resources:
        asks: list[Any] = [engine.check, engine.authorize, engine.explain]
        for ask in asks:
            with pytest.raises(sublet.InputError) as raised:
                ask(ACME, READ, resource, host=DASH)
            assert raised.value.code == "input.value" and "is no account" in str(raised.value)
        with pytest.raises(sublet.InputError):
            engine.permitted_actions(ACME, resource, host=DASH)
        with pytest.raises(sublet.InputError) as raised:
            engine.check_many(principals=ACME, actions=READ, resources=[resource])
        assert raised.value.code == "input.item"


def test_account_of_a_triple_may_be_missing(engine: sublet.Engine) -> None:
    triple = engine.authorize(OWNER, "account.read", ("Account", "acme", None), host=HOST)
    assert triple == engine.authorize(OWNER, "account.read", OWNER, host=HOST)
    with pytest.raises(sublet.InputError) as raised:
        engine.check(OWNER, "client.edit", ("Account", "bakery", "acme"), host=HOST)
    assert raised.value.code == "input.directory_resource"


def test_handles_outlive_changes_and_engines(engine: sublet.Engine) -> None:
    new, read, campaign, app = sublet.Principal("Account", "new"), sublet.Action("campaign.read"), sublet.ResourceType("Campaign"), sublet.Host(APP)

    def code(asked: sublet.Engine) -> str:
        found = asked.authorize(new, read, (campaign, "k", new), host=app)
        assert found == asked.authorize(("Account", "new"), "campaign.read", ("Campaign", "k", "new"), host=APP)
        assert asked.check(new, read, (campaign, "k", new), host=app) is found.allowed
        return found.code

    other = sublet.Engine.open()
    assert (code(engine), code(other)) == ("principal_unknown", "principal_unknown")
    record = {"type": "Account", "id": "new", "email": "n@new.example", "owner": "acme", "confirmed": True}
    engine.apply_changes([record])
    known = code(engine)
    assert known != "principal_unknown" and code(other) == "principal_unknown"
    engine.apply_changes([{"type": "Operator", "id": f"o{n}", "email": f"o{n}@x.example"} for n in range(50)])
    assert code(engine) == known
    engine.apply_changes(remove=[new])
    assert code(engine) == "principal_unknown"
    engine.apply_changes([record], resumed=True)
    assert code(engine) == known
    engine.import_lines(AGENCY)
    assert code(engine) == "principal_unknown"
    other.import_lines(AGENCY)
    other.apply_changes([record])
    files = {path.name: path.read_text() for path in (ROOT / "policies").iterdir() if path.suffix in {".cedar", ".cedarschema", ".json"}}
    other.reload({**files, "05-more.cedar": '@id("x") @code("closed_today") forbid (principal, action == Action::"campaign.read", resource);'})
    assert code(other) == "closed_today"
    other.reload(files)
    assert code(other) == known


def questions(count: int) -> list[dict[str, Any]]:
    draw = random.Random(17)
    lines = [line for line in AGENCY.read_text().splitlines() if '"Account"' in line or '"TeamMember"' in line]
    ids = [(kind, name) for line in lines for kind, name in [(line.split('"type"')[1].split('"')[1], line.split('"id"')[1].split('"')[1])]]
    accounts = [name for kind, name in ids if kind == "Account"]
    found = []
    for _ in range(count):
        principal = draw.choice([*ids, ("Account", "nobody")])
        account = draw.choice([*accounts, "nobody"])
        action = draw.choice(["campaign.read", "campaign.edit", "campaign.send", "campaign.create"])
        row: dict[str, Any] = {"principal": principal, "action": action, "resource": ("Campaign", "k", account), "host": draw.choice([HOST, APP, "nowhere.example", None])}
        if draw.random() < 0.1:
            row["actor"] = draw.choice(ids)
        if draw.random() < 0.1:
            row["channel"] = draw.choice(["job", "mail", "web"])
        found.append(row)
    return found


def with_handles(row: dict[str, Any]) -> dict[str, Any]:
    kind, name, account = row["resource"]
    made = dict(row, principal=sublet.Principal(*row["principal"]), action=sublet.Action(row["action"]))
    made["resource"] = (sublet.ResourceType(kind), name, sublet.Principal("Account", account))
    made["host"] = row["host"] and sublet.Host(row["host"])
    return made


def to_columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("principal", "action", "resource", "host", "actor", "channel", "realm", "amount", "context")
    return {f"{name}s": [row.get(name) for row in rows] for name in names}


def test_batch_equals_single_checks(engine: sublet.Engine) -> None:
    rows = questions(2_000)
    wanted = [engine.authorize(**row) for row in rows]
    assert len({found.code for found in wanted}) > 4
    bits = [found.allowed for found in wanted]
    made = [with_handles(row) for row in rows]
    assert [engine.authorize(**row) for row in made] == wanted
    assert [engine.check(**row) for row in made] == bits == [engine.check(**row) for row in rows]
    for lists in (rows, made):
        assert engine.check_many(lists) == bits == engine.check_many(tuple(lists)) == engine.check_many(row for row in lists)
        assert engine.check_many(**to_columns(lists)) == bits
        assert engine.authorize_many(lists) == wanted == engine.authorize_many(**to_columns(lists))


def test_one_value_applies_to_all_rows(engine: sublet.Engine) -> None:
    rows: Any = [("Campaign", str(n), "acme") for n in range(1_500)]
    assert engine.check_many(principals=OWNER, actions="campaign.read", resources=rows, hosts=HOST) == [True] * 1_500
    assert engine.check_many(principals=OWNER, actions="campaign.read", resources=CAMPAIGN, hosts=HOST) == [True]
    assert engine.check_many(principals=[], actions="campaign.read", resources=CAMPAIGN, hosts=HOST) == []
    assert engine.check_many([]) == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"hosts": [HOST] * 3}, "input.columns"),
        ({"actions": []}, "input.columns"),
        ({"actions": None}, "input.item"),
        ({"principals": [OWNER, 1]}, "input.item"),
        ({"principals": [OWNER, None]}, "input.item"),
        ({"actions": ["campaign.read", "fly"]}, "input.item"),
        ({"amounts": [1, True]}, "input.item"),
        ({"requests": []}, "input.value"),
    ],
)
def test_columns_must_have_equal_lengths(engine: sublet.Engine, more: dict[str, Any], code: str) -> None:
    good: dict[str, Any] = {"principals": [OWNER, OWNER], "actions": "campaign.read", "resources": CAMPAIGN, "hosts": HOST}
    assert engine.check_many(**good) == [True, True]
    for ask in (engine.check_many, engine.authorize_many):
        with pytest.raises(sublet.InputError) as raised:
            ask(**{**good, **more})
        assert raised.value.code == code, raised.value
        with pytest.raises(sublet.InputError):
            ask()


class Key(str):
    """A key that compares equal to another one."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("account")


def test_str_subclass_key_is_its_characters(engine: sublet.Engine) -> None:
    lying: dict[str, str] = {"type": "Campaign", "id": "k", Key("owner"): "acme"}
    with pytest.raises(sublet.InputError) as raised:
        engine.check(OWNER, "campaign.read", lying, host=HOST)
    assert "`owner`" in str(raised.value)


def test_host_code_during_a_call_has_no_effect(engine: sublet.Engine) -> None:
    resource: dict[str, Any] = {"type": "Campaign", "id": "k", "account": "acme"}

    class Parents:
        def __iter__(self) -> Any:
            resource.clear()
            resource.update({str(n): n for n in range(100)})
            return iter([])

    resource["parents"] = Parents()
    assert engine.check(OWNER, "campaign.read", resource, host=HOST)


def test_lists_are_read_at_the_call(engine: sublet.Engine) -> None:
    """Lists that change during the decision do not change its result."""
    rows: Any = [{"principal": list(OWNER), "action": "campaign.read", "resource": {"type": "Campaign", "id": "k", "account": "acme"}, "host": HOST} for _ in range(50_000)]
    stop = threading.Event()

    def change() -> None:
        turn = 0
        while not stop.is_set():
            row: Any = rows[turn % 50_000]
            row["principal"][1] = "bakery" if row["principal"][1] == "acme" else "acme"
            row["host"] = HOST if row["host"] == "x.example" else "x.example"
            row["resource"]["id"] = str(turn)
            turn += 7_919
            time.sleep(0)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(5):
            assert len(engine.check_many(rows)) == 50_000
            assert len(engine.check_many(principals=[row["principal"] for row in rows], actions="campaign.read", resources=[row["resource"] for row in rows])) == 50_000
    finally:
        stop.set()
        thread.join()


def test_other_threads_run_during_conversion(engine: sublet.Engine) -> None:
    """The last row is malformed, so nothing is decided. Python's own thread switching is off, so
    another thread runs only where the conversion yields. The benchmark measures the length of one
    wait (`python/stall`)."""
    rows: list[dict[str, Any]] = [{"principal": OWNER, "action": "campaign.read", "resource": CAMPAIGN, "host": HOST} for _ in range(100_000)]
    rows[-1] = {**rows[-1], "principal": 3}
    names: list[Any] = [row["principal"] for row in rows]
    calls: list[Callable[[], object]] = [
        lambda: engine.check_many(rows),
        lambda: engine.check_many(principals=names, actions="campaign.read", resources=CAMPAIGN, hosts=HOST),
    ]
    turns, stop = [0], threading.Event()

    def take_turns() -> None:
        while not stop.is_set():
            turns[0] += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=take_turns)
    sys.setswitchinterval(1_000)
    try:
        thread.start()
        for call in calls:
            before = turns[0]
            with pytest.raises(sublet.InputError, match="request 99999"):
                call()
            assert turns[0] > before
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        thread.join()


def test_handles_are_shared_between_threads(engine: sublet.Engine) -> None:
    other = sublet.Engine.open()
    acme, read, campaign, dash = sublet.Principal(*OWNER), sublet.Action("campaign.read"), sublet.ResourceType("Campaign"), sublet.Host(HOST)
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(2_000):
            if not engine.check(acme, read, (campaign, "k", acme), host=dash) or other.check(acme, read, (campaign, "k", acme), host=dash):
                wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for turn in range(20):
        engine.apply_changes([{"type": "Operator", "id": "x", "email": f"x{turn}@x.example"}])
        engine.import_lines(AGENCY)
    for thread in threads:
        thread.join()
    assert not wrong
