"""Behaviour that a backend relies on: errors, reloads, transactions, forks, threads, panics."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sublet

HOST = "dash.marketingmaster.example"
OWNER = ("Account", "acme")
CAMPAIGN = {"type": "Campaign", "id": "k", "account": "acme"}
FORKS = int(os.environ.get("SUBLET_FORKS", "100"))


def shipped(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in root.iterdir() if path.suffix in {".cedar", ".cedarschema", ".json"}}


@pytest.fixture
def files() -> dict[str, str]:
    return shipped(Path(__file__).resolve().parents[2] / "policies")


def test_diagnostic_has_position_and_help(files: dict[str, str]) -> None:
    files["80-permits.cedar"] += "\n@id(\"x\")\npermit (principal, action, resource) when { resource.nothing };\n"
    with pytest.raises(sublet.BundleError) as raised:
        sublet.Engine.open(files)
    assert raised.value.code == "bundle.validation"
    fault = raised.value.faults[0]
    assert fault["place"]["file"] == "80-permits.cedar"
    assert fault["place"]["line"] > 80 and "^" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("permit (principal, action, resource", "bundle.syntax"),
        ("permit (principal, action, resource);", "bundle.missing_id"),
        ('@id("account-closed") permit (principal, action, resource);', "bundle.duplicate_id"),
        ('@id("x") forbid (principal, action, resource);', "bundle.missing_code"),
        ('@id("x") @code("Not A Code") forbid (principal, action, resource);', "bundle.code_form"),
        ('@id("x") @code("x") forbid (principal, action, resource) when { principal == Feature::"nothing" };', "bundle.validation"),
        ('@id("x") @code("x") forbid (principal is Account, action, resource) when { principal is TeamMember };', "bundle.warning"),
        ('@id("x") permit (principal, action, resource) when { ' + "(" * 90 + "true" + ")" * 90 + " };", "bundle.too_deep"),
    ],
)
def test_invalid_bundle_keeps_the_old_one(files: dict[str, str], text: str, code: str) -> None:
    engine = sublet.Engine.open(files)
    before = engine.bundle()
    with pytest.raises(sublet.BundleError) as raised:
        engine.reload({**files, "95-more.cedar": text})
    assert raised.value.code == code, raised.value
    assert raised.value.faults[0]["place"]["file"] == "95-more.cedar"
    assert engine.bundle() == before


def test_all_syntax_errors_are_reported_at_once(files: dict[str, str]) -> None:
    with pytest.raises(sublet.BundleError) as raised:
        sublet.Engine.open({**files, "95-a.cedar": "permit (principal", "96-b.cedar": "forbid nonsense;", "catalog.json": '{"levels": [], "levels": []}'})
    found = {(fault["code"], (fault.get("place") or {}).get("file")) for fault in raised.value.faults}
    assert {("bundle.syntax", "95-a.cedar"), ("bundle.syntax", "96-b.cedar"), ("bundle.duplicate_key", "catalog.json")} <= found


def test_reload_applies_to_the_next_check(engine: sublet.Engine, files: dict[str, str]) -> None:
    assert engine.check(OWNER, "campaign.read", CAMPAIGN, host=HOST)
    name = engine.reload({**files, "71-more.cedar": '@id("x") @code("closed_today") forbid (principal, action == Action::"campaign.read", resource);'})
    decision = engine.authorize(OWNER, "campaign.read", CAMPAIGN, host=HOST)
    assert (decision.code, decision.policies, decision.bundle) == ("closed_today", ("x",), name)


def test_failing_policy_denies_and_is_named(engine: sublet.Engine, files: dict[str, str]) -> None:
    engine.reload({**files, "71-more.cedar": '@id("x") @code("x") forbid (principal, action == Action::"campaign.send", resource) when { context.facts has amount && context.facts.amount + 9223372036854775807 < 0 };'})
    assert engine.check(OWNER, "campaign.send", CAMPAIGN, host=HOST, amount=0)
    decision = engine.authorize(OWNER, "campaign.send", CAMPAIGN, host=HOST, amount=1)
    assert (decision.allowed, decision.code, [error["policy"] for error in decision.errors]) == (False, "policy_error", ["x"])


def test_transaction_is_all_or_nothing(engine: sublet.Engine) -> None:
    before, revision = engine.export_lines(), engine.revision
    client = {"type": "Account", "id": "new", "email": "n@new.example", "owner": "acme", "confirmed": True}
    with pytest.raises(sublet.DirectoryError) as raised:
        engine.apply_changes([client, {"type": "TeamMember", "id": "z", "account": "nowhere", "email": "z@z.example"}])
    assert raised.value.code == "directory.unknown_account"
    assert (engine.export_lines(), engine.revision) == (before, revision)
    assert engine.apply_changes([client], expected_revision=revision) == revision + 1
    assert engine.get_record(("Account", "new")) == {"type": "Account", **client, "level": "standard", "closed": False, "disabled": []}
    with pytest.raises(sublet.DirectoryError) as raised:
        engine.apply_changes([client], expected_revision=revision)
    assert raised.value.code == "directory.revision"


def test_export_and_import_are_inverse(engine: sublet.Engine) -> None:
    lines = engine.export_lines()
    engine.import_lines(lines)
    assert engine.export_lines() == lines


def test_import_reports_progress_and_can_stop(engine: sublet.Engine) -> None:
    lines = "\n".join(json.dumps({"type": "Operator", "id": f"o{n}", "email": f"o{n}@x.example"}) for n in range(25_000))
    seen: list[tuple[int, int]] = []
    engine.import_lines(lines, lambda records, size: seen.append((records, size)))
    assert [records for records, _ in seen] == [10_000, 20_000, 25_000]
    before = engine.revision
    with pytest.raises(sublet.DirectoryError) as raised:
        engine.import_lines(lines, lambda _records, _bytes: False)
    assert (raised.value.code, engine.revision) == ("directory.cancelled", before)
    with pytest.raises(ZeroDivisionError):
        engine.import_lines(lines, lambda _records, _bytes: bool(1 // 0))


def test_batch_is_answered_whole_or_not_at_all(engine: sublet.Engine) -> None:
    good = {"principal": OWNER, "action": "campaign.read", "resource": CAMPAIGN, "host": HOST}
    bad = {**good, "principal": ("Account", "bakery")}
    assert engine.check_many([good, bad, good]) == [True, False, True]
    assert [decision.code for decision in engine.authorize_many([good, bad])] == ["ok", "domain_platform_forbidden"]
    with pytest.raises(sublet.InputError) as raised:
        engine.check_many([good, {**good, "action": "fly"}])
    assert raised.value.code == "input.item" and "request 1" in str(raised.value)
    with pytest.raises(sublet.InputError) as raised:
        engine.check_many([good, {**good, "amount": True}])
    assert raised.value.code == "input.item" and "request 1" in str(raised.value)


def test_other_threads_run_during_a_batch(engine: sublet.Engine) -> None:
    good = {"principal": OWNER, "action": "campaign.read", "resource": CAMPAIGN, "host": HOST}
    ticks = 0
    stop = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not stop.is_set():
            ticks += 1
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    assert all(engine.check_many([good] * 200_000))
    stop.set()
    thread.join()
    assert ticks >= 5


def test_panic_in_core_is_an_exception() -> None:
    program = """
import sublet
engine = sublet.Engine.open()
try:
    engine._panic()
except Exception as error:
    print(type(error).__name__, error.code)
print(engine.revision)
"""
    environment = {**os.environ, "SUBLET_ALLOW_PANIC": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["InternalError", "internal.panic", "0"]), done.stderr
    sublet.Engine.open()._panic()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_forked_children_answer_amid_threads(engine: sublet.Engine) -> None:
    good = {"principal": OWNER, "action": "campaign.read", "resource": CAMPAIGN, "host": HOST}
    stop = threading.Event()

    def write(who: str) -> None:
        """Takes the locks of the bill, of the store's documents, and of the counts."""
        engine.apply_changes([{"type": "Account", "id": who, "email": f"{who}{time.monotonic_ns()}@x.example", "package": "agency", "confirmed": True, "zone": "UTC"}])
        engine.consume(OWNER, "campaign.send", CAMPAIGN, 1, host=HOST)
        engine.consume(OWNER, "campaign.send", CAMPAIGN, 1, host=HOST, idempotency_key=f"{who}{time.monotonic_ns()}")

    def load(kind: int) -> None:
        while not stop.is_set():
            if kind:
                write("parent")
            else:
                engine.check_many([good] * 20)

    threads = [threading.Thread(target=load, args=(kind,)) for kind in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(FORKS):
            child = os.fork()
            if child == 0:
                ok = engine.check(OWNER, "campaign.read", CAMPAIGN, host=HOST)
                write("child")
                os._exit(0 if ok and engine.get_record(("Account", "child")) else 1)
            deadline = time.monotonic() + 5
            while True:
                pid, status = os.waitpid(child, os.WNOHANG)
                if pid:
                    assert os.waitstatus_to_exitcode(status) == 0
                    break
                if time.monotonic() > deadline:
                    os.kill(child, 9)
                    os.waitpid(child, 0)
                    pytest.fail("a forked child did not answer within 5 seconds")
                time.sleep(0.001)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_the_command_is_in_the_wheel(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "sublet", "--format", "json", "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and json.loads(done.stdout)["ok"] is True
    (tmp_path / "x.cedar").write_text("permit (")
    done = subprocess.run([sys.executable, "-m", "sublet", "check", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "bundle.not_found" in done.stderr


def test_every_error_code_has_help() -> None:
    codes = sublet.error_codes()
    assert len(codes) > 40 and all(codes.values())
