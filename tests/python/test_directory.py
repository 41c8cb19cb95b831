"""Changes of the directory and their effects: merges, first starts, stocks that are counted from
the directory, limits of colleagues."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sublet
from conftest import AGENCY
from sublet.commands import CreateClient, InviteMember
from sublet.records import Account, RecordPatch

HOST = "dash.marketingmaster.example"
ACME, ANN = ("Account", "acme"), ("TeamMember", "ann")
SEND = ("Campaign", "k", "acme")


def code(error: pytest.ExceptionInfo[sublet.SubletError]) -> str:
    return error.value.code


def record(engine: sublet.Engine, kind: str, id: str) -> dict[str, Any]:
    found = engine.get_record((kind, id))
    assert found is not None
    return found


def test_put_names_what_it_resets(engine: sublet.Engine) -> None:
    whole: Account = {"type": "Account", "id": "cafe", "email": "hello@cafe.example", "owner": "acme", "level": "basic", "confirmed": True}
    engine.apply_changes([whole | {"disabled": ["abuse"], "limits": {"emails": 5}, "zone": "Europe/Vienna"}])
    with pytest.raises(sublet.DirectoryError) as refused:
        engine.apply_changes([whole])
    assert code(refused) == "directory.would_reset"
    assert all(name in str(refused.value) for name in ("`disabled`", "`limits`", "`zone`")) and "merge" in (refused.value.help or "")
    assert record(engine, "Account", "cafe")["disabled"] == ["abuse"]
    engine.apply_changes([whole | {"disabled": [], "limits": {}, "zone": None}])
    # A field at its default is not reset.
    engine.apply_changes([whole])
    assert "limits" not in record(engine, "Account", "cafe")
    # A record that was read can be put again unchanged.
    for kind, id in (("Account", "dentist"), ("TeamMember", "ann"), ("AccessLevel", "silver"), ("Domain", "app.acme.example")):
        engine.apply_changes([record(engine, kind, id)])
    with pytest.raises(sublet.DirectoryError) as refused:
        engine.apply_changes([{"type": "TeamMember", "id": "ann", "account": "acme", "email": "ann@acme.example"}])
    assert "`confirmed`, `grants`" in str(refused.value)
    with pytest.raises(sublet.DirectoryError) as refused:
        engine.apply_changes([{"type": "Domain", "id": "APP.acme.example", "kind": "whitelabel", "owner": "acme"}])
    assert "`state`" in str(refused.value)


def test_merge_keeps_other_fields(engine: sublet.Engine) -> None:
    full: dict[str, Any] = {"disabled": ["abuse"], "limits": {"emails": 5, "contacts": 3}, "attributes": {"country": "at", "trial": True}}
    engine.apply_changes(merge=[{"type": "Account", "id": "acme", "zone": "Europe/Vienna"} | full])
    patch: RecordPatch = {"type": "Account", "id": "acme", "email": "New@acme.example"}
    engine.apply_changes(merge=[patch])
    found = record(engine, "Account", "acme")
    assert {name: found[name] for name in full} == full and found["email"] == "new@acme.example" and found["zone"] == "Europe/Vienna"
    engine.apply_changes(merge=[{"type": "Account", "id": "acme", "zone": None, "limits": {"emails": None, "pages": "unlimited"}, "attributes": {"trial": False}}])
    found = record(engine, "Account", "acme")
    assert "zone" not in found and found["limits"] == {"contacts": 3, "pages": "unlimited"} and found["attributes"] == {"country": "at", "trial": False}
    engine.apply_changes(merge=[{"type": "Account", "id": "acme", "disabled": [], "limits": None}])
    found = record(engine, "Account", "acme")
    assert found["disabled"] == [] and "limits" not in found
    for wrong, wanted in (
        ({"type": "Account", "id": "nobody", "closed": True}, "directory.unknown_record"),
        ({"type": "Account", "id": "acme", "emial": "x@x.example"}, "directory.record"),
        ({"type": "Account", "id": "acme", "emial": None}, "directory.record"),
        ({"type": "Account", "id": "acme", "confirmed": None}, "directory.record"),
        ({"type": "Account", "id": "acme", "email": None}, "directory.record"),
        ({"type": "Account", "id": "acme", "owner": "nova"}, "directory.account_kind"),
        ({"type": "Account", "closed": True}, "directory.record"),
        ({"type": "Rocket", "id": "acme"}, "directory.record_type"),
        ({"type": "AccessLevel", "id": "basic", "features": []}, "directory.unknown_record"),
    ):
        before = engine.revision
        with pytest.raises(sublet.SubletError) as refused:
            engine.apply_changes(merge=[wrong])
        assert (code(refused), engine.revision) == (wanted, before), wrong


def test_merge_is_seen_by_other_processes(tmp_path: Path) -> None:
    one, two = (sublet.Engine.open(store=f"sqlite:{tmp_path}/s.db") for _ in range(2))
    assert one.seed(AGENCY)
    two.apply_changes(merge=[{"type": "Account", "id": "cafe", "disabled": ["abuse"], "limits": {"emails": 1}}])
    assert record(one, "Account", "cafe") == record(two, "Account", "cafe")
    two.apply_changes(merge=[{"type": "Account", "id": "cafe", "limits": {"emails": None}}])
    assert "limits" not in record(one, "Account", "cafe") and record(one, "Account", "cafe")["disabled"] == ["abuse"]


def test_one_worker_seeds_the_directory(tmp_path: Path) -> None:
    one, two = (sublet.Engine.open(store=f"sqlite:{tmp_path}/s.db") for _ in range(2))
    looked = two.revision
    assert one.seed(AGENCY)
    done = one.perform(ACME, {"do": "create_client", "id": "florist", "email": "hello@florist.example"}, host=HOST)
    assert done
    assert not two.seed(AGENCY)
    with pytest.raises(sublet.DirectoryError) as refused:
        two.import_lines(AGENCY, expected_revision=looked)
    assert code(refused) == "directory.revision"
    assert two.get_record(("Account", "florist")) is not None
    assert two.import_lines(two.export_lines(), expected_revision=two.revision) == one.revision
    with pytest.raises(sublet.SubletError):
        sublet.Engine.open().seed("nothing")


def test_import_keeps_unseen_changes(tmp_path: Path) -> None:
    """An import is refused if the engine has not seen the latest change of another process."""
    store = f"sqlite:{tmp_path}/s.db"
    one, two = sublet.Engine.open(store=store), sublet.Engine.open(store=store)
    assert one.revision == two.revision == 0
    one.import_lines(AGENCY)
    florist: CreateClient = {"do": "create_client", "id": "florist", "email": "hello@florist.example"}
    assert one.perform(ACME, florist, host=HOST)
    with pytest.raises(sublet.DirectoryError) as refused:
        two.import_lines(AGENCY)
    assert code(refused) == "directory.revision" and two.get_record(("Account", "florist")) is not None
    # Now this engine has seen the change.
    two.import_lines(AGENCY)
    assert one.get_record(("Account", "florist")) is None


def test_stocks_follow_imports_and_time(tmp_path: Path) -> None:
    for store in ("memory:", f"sqlite:{tmp_path}/s.db"):
        clock = sublet.ManualClock("2026-01-31T12:00:00Z")
        engine = sublet.Engine.open(store=store, clock=clock)
        engine.import_lines(AGENCY)

        def views(meter: str, action: str, engine: sublet.Engine = engine) -> set[int]:
            quota = engine.authorize(ACME, action, ACME, host=HOST, amount=1).quota
            assert quota is not None
            return {engine.usage("acme", meter=meter)[0]["used"], quota[0]["used"]}

        assert views("client_accounts", "client.create") == {3} and views("members", "member.invite") == {3}
        engine.apply_changes(merge=[{"type": "Account", "id": "cafe", "closed": True}, {"type": "Account", "id": "acme", "limits": {"members": 4}}])
        assert views("client_accounts", "client.create") == {2}
        invite: InviteMember = {"do": "invite_member", "id": "guest", "email": "guest@acme.example", "valid_for": 60_000}
        done = engine.perform(ACME, invite, host=HOST)
        assert done and done.decision.quota is not None and done.decision.quota[0]["used"] == 4
        assert not engine.check(ACME, "member.invite", ACME, host=HOST, amount=1)
        # The invitation has expired without any call, so the seat is free.
        clock.advance(60_000)
        assert views("members", "member.invite") == {3} and engine.check(ACME, "member.invite", ACME, host=HOST, amount=1)
        assert "member.invite" in engine.permitted_actions(ACME, ACME, host=HOST, amount=1)
        for count in (engine.consume, engine.set_stock, engine.increase_stock):
            with pytest.raises(sublet.QuotaError) as refused:
                count(ACME, "member.invite", ACME, 1, host=HOST)
            assert code(refused) == "quota.counted_by_directory"
        with pytest.raises(sublet.QuotaError) as refused:
            engine.carry_over("acme", "members", 1)
        assert code(refused) == "quota.counted_by_directory"
        operation = done.decision.operation
        assert operation is not None
        with pytest.raises(sublet.QuotaError) as refused:
            engine.refund(operation)
        assert code(refused) == "quota.counted_by_directory"
        assert engine.verify()["faults"] == []


def test_top_ups_are_reversed(engine: sublet.Engine) -> None:
    engine.top_up("acme", "emails", 1_000, idempotency_key="charge/1")
    back = engine.revoke_top_up("acme", "charge/1")
    assert back.quota[0]["top_up"] == 0 and not back.replayed
    assert engine.revoke_top_up("acme", "charge/1").replayed
    assert engine.history("acme", limit=1)[0]["kind"] == "revoke_top_up"
    with pytest.raises(sublet.QuotaError) as refused:
        engine.revoke_top_up("acme", "charge/2")
    assert code(refused) == "quota.unknown_top_up"
    paid = engine.top_up("acme", "contacts", 10)
    assert paid.operation is not None and engine.refund(paid.operation).quota[0]["top_up"] == 0
    assert engine.verify()["faults"] == []


def test_manual_clocks_may_jump(engine: sublet.Engine, tmp_path: Path) -> None:
    clock = sublet.ManualClock("2026-01-31T12:00:00Z")
    engine = sublet.Engine.open(clock=clock)
    engine.import_lines(AGENCY)
    clock.set("2031-01-31T12:00:00Z")
    assert engine.consume(ACME, "campaign.send", SEND, 1, host=HOST)
    clock.set("2026-01-31T12:00:00Z")
    engine.reset_counts()
    assert engine.consume(ACME, "campaign.send", SEND, 1, host=HOST)
    assert engine.usage("acme", meter="emails")[0]["resets_at"] == "2026-02-01T00:00:00Z"
    # A system clock is checked against the last recorded instant.
    store = f"sqlite:{tmp_path}/s.db"
    old = sublet.Engine.open(store=store, clock=clock)
    old.import_lines(AGENCY)
    assert old.consume(ACME, "campaign.send", SEND, 1, host=HOST)
    with pytest.raises(sublet.StoreError) as refused:
        sublet.Engine.open(store=store).consume(ACME, "campaign.send", SEND, 1, host=HOST)
    assert code(refused) == "store.clock_jump"


def test_sub_limits_are_not_exceeded(engine: sublet.Engine) -> None:
    grants = ["campaigns", "automations", "team"]
    engine.apply_changes(merge=[{"type": "TeamMember", "id": "ann", "sub_limits": {"emails": 4}}])

    def may(who: tuple[str, str], **command: Any) -> str:
        return engine.perform(who, command, host=HOST).decision.code  # type: ignore[arg-type]

    invite = {"do": "invite_member", "grants": grants}
    assert may(ANN, **invite, id="m1", email="m1@acme.example") == "grant_exceeds_own"
    assert may(ANN, **invite, id="m1", email="m1@acme.example", sub_limits={"emails": 5}) == "grant_exceeds_own"
    assert may(ANN, **invite, id="m1", email="m1@acme.example", sub_limits={"emails": "unlimited"}) == "grant_exceeds_own"
    assert may(ANN, **invite, id="m1", email="m1@acme.example", sub_limits={"emails": 4}) == "ok"
    assert may(ANN, do="edit_member", member="m1", remove_sub_limits=["emails"]) == "grant_exceeds_own"
    assert may(ANN, do="edit_member", member="m1", sub_limits={"emails": 5}) == "grant_exceeds_own"
    assert may(ANN, do="edit_member", member="m1", sub_limits={"emails": 3}) == "ok"
    engine.apply_changes(merge=[{"type": "TeamMember", "id": "m1", "confirmed": True, "pending": None}])
    # A colleague can lift no limit.
    colleague = ("TeamMember", "m1")
    assert may(colleague, do="edit_member", member="ann", remove_sub_limits=["emails"]) == "grant_exceeds_own"
    assert may(colleague, do="edit_member", member="ann", sub_limits={"emails": 100}) == "grant_exceeds_own"
    # Members with more rights cannot be changed.
    assert may(ANN, do="remove_member", member="ben") == "grant_exceeds_own"
    assert may(ANN, do="edit_member", member="ben", attributes={"department": "x"}) == "grant_exceeds_own"
    assert may(ANN, do="grant_member", member="ben", grants=["campaigns"]) == "grant_exceeds_own"
    more = ["client_accounts", "access_levels", "branding", "act_as_client", "campaigns"]
    assert may(ANN, do="grant_member", member="ben", grants=more) == "ok"
    assert may(ACME, do="edit_member", member="ann", remove_sub_limits=["emails"]) == "ok"


def test_cli_seeds_and_expects_a_revision(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path}/s.db"

    def run(*arguments: str) -> Any:
        command = [sys.executable, "-m", "sublet", "--format", "json", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return json.loads(done.stdout or done.stderr)

    assert run("seed", store, str(AGENCY)) == {"ok": True, "seeded": True, "revision": 1}
    assert run("seed", store, str(AGENCY)) == {"ok": True, "seeded": False, "revision": 1}
    refused = run("import", store, str(AGENCY), "--expected-revision", "0")
    assert refused["ok"] is False and "directory.revision" in json.dumps(refused)
    assert run("import", store, str(AGENCY), "--expected-revision", "1")["revision"] == 2
    assert [row["used"] for row in run("usage", store, "acme", "--meter", "client_accounts")["usage"]] == [3]
