"""Quotas from Python: the answers of Rust, and amounts that are exact or refused."""

from __future__ import annotations

import json
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sublet

AGENCY = Path(__file__).parents[2] / "policies/tests/agency.jsonl"
MAIN = "dash.marketingmaster.example"
ACME = ("Account", "acme")


def open_engine() -> tuple[sublet.Engine, sublet.ManualClock]:
    clock = sublet.ManualClock("2026-01-31T12:00:00Z")
    engine = sublet.Engine.open(clock=clock)
    engine.import_lines(AGENCY)
    return engine, clock


def set_limit(engine: sublet.Engine, limit: int | str) -> None:
    record = {"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": True}
    engine.apply_changes([record | {"limits": {"emails": limit}}])


def send(engine: sublet.Engine, amount: Any = 1, principal: tuple[str, str] = ACME, **more: Any) -> sublet.Decision:
    return engine.consume(principal, "campaign.send", ("Campaign", "k", "acme"), amount, host=MAIN, **more)


def test_limit_is_exact_and_answer_is_complete() -> None:
    engine, _ = open_engine()
    set_limit(engine, 10)
    decision = send(engine, 10)
    assert decision
    assert decision.advice == ("quota_100",)
    (quota,) = decision.quota
    assert (quota["meter"], quota["used"], quota["limit"], quota["remaining"]) == ("emails", 10, 10, 0)
    assert (quota["source"], quota["base"], quota["override"]) == ("override", 500000, 10)
    assert quota["resets_at"] == "2026-02-01T00:00:00Z"
    refused = send(engine)
    assert (refused.code, refused.operation, refused.quota[0]["used"]) == ("quota_exceeded", None, 10)
    assert engine.verify() == {"buckets": 1, "operations": 1, "faults": []}


def test_quota_is_that_of_the_json_form() -> None:
    engine, _ = open_engine()
    member = {"type": "TeamMember", "id": "ann", "account": "acme", "email": "ann@acme.example", "confirmed": True}
    engine.apply_changes([member | {"grants": ["campaigns"], "sub_limits": {"emails": 4}}])
    contact = ("Contact", "c", "acme")
    answers: list[sublet.Decision | sublet.CountReceipt] = []
    for limit in (10, "unlimited"):
        set_limit(engine, limit)
        answers += [send(engine, 1), send(engine, 1, ("TeamMember", "ann"))]
    answers += [
        engine.consume(ACME, "contact.create", contact, 2, host=MAIN),
        engine.authorize(ACME, "campaign.send", ("Campaign", "k", "acme"), amount=2**62, host=MAIN),
        engine.top_up("acme", "emails", 2**40),
    ]
    for answer in answers:
        plain: Any = answer.to_dict()
        assert len(answer.quota) == 1
        assert answer.quota == tuple(plain["quota"])
        for quota, other in zip(answer.quota, plain["quota"], strict=True):
            assert list(quota) == list(other)
            if quota["member"] is not None:
                assert list(quota["member"]) == list(other["member"])


def test_member_limit_and_account_pool() -> None:
    engine, _ = open_engine()
    set_limit(engine, 10)
    member = {"type": "TeamMember", "id": "ann", "account": "acme", "email": "ann@acme.example", "confirmed": True}
    engine.apply_changes([member | {"grants": ["campaigns"], "sub_limits": {"emails": 4}}])
    decision = send(engine, 4, ("TeamMember", "ann"))
    assert decision.quota[0]["member"] == {"id": "ann", "used": 4, "held": 0, "limit": 4, "remaining": 0}
    assert send(engine, 1, ("TeamMember", "ann")).code == "member_quota_exceeded"
    assert send(engine, 6).quota[0]["used"] == 10
    part = engine.usage("acme", member="ann", meter="emails")[0]["member"]
    assert part is not None
    assert part["used"] == 4


def test_idempotency_keys_debit_once() -> None:
    engine, _ = open_engine()
    set_limit(engine, 10)
    first, second = send(engine, 3, idempotency_key="k"), send(engine, 3, idempotency_key="k")
    assert (first.replayed, second.replayed) == (False, True)
    assert (first.operation, first.quota) == (second.operation, second.quota)
    with pytest.raises(sublet.QuotaError) as caught:
        send(engine, 4, idempotency_key="k")
    assert caught.value.code == "quota.idempotency_mismatch"
    for bad in ("", "x" * 256):
        with pytest.raises(sublet.InputError) as refused:
            send(engine, idempotency_key=bad)
        assert refused.value.code == "input.idempotency_key"


def test_reservations_and_refunds_balance() -> None:
    engine, clock = open_engine()
    set_limit(engine, 10)

    def reserve(amount: int) -> sublet.Decision:
        return engine.reserve(ACME, "campaign.send", ("Campaign", "k", "acme"), amount, ttl=60_000, host=MAIN)

    held = reserve(6)
    assert (held.expires_at, held.quota[0]["held"]) == ("2026-01-31T12:01:00Z", 6)
    assert reserve(5).code == "quota_exceeded"
    assert held.operation is not None
    done = engine.commit(held.operation, 4)
    assert (done.quota[0]["used"], done.quota[0]["held"]) == (4, 0)
    assert engine.commit(held.operation, 4).replayed
    assert done.operation is not None
    assert engine.refund(done.operation, 1).quota[0]["used"] == 3
    late = reserve(5)
    assert late.operation is not None
    clock.advance(60_000)
    with pytest.raises(sublet.QuotaError) as caught:
        engine.commit(late.operation)
    assert caught.value.code == "quota.reservation_expired"
    assert [entry["kind"] for entry in engine.history("acme")] == ["reserve", "refund", "commit", "reserve"]


def test_partial_grants_stocks_and_batches() -> None:
    engine, _ = open_engine()
    set_limit(engine, 10)
    send(engine, 7)
    assert send(engine, 5, allow_partial=True).quota[0]["amount"] == 3
    contact = ("Contact", "c", "acme")
    assert engine.consume(ACME, "contact.create", contact, 5, host=MAIN).quota[0]["used"] == 5
    assert engine.consume(ACME, "contact.delete", contact, {"contacts": 2}, host=MAIN).quota[0]["used"] == 3
    assert engine.set_stock(ACME, "contact.create", contact, 40, host=MAIN).quota[0]["used"] == 40
    assert engine.increase_stock(ACME, "contact.create", contact, 2, host=MAIN, idempotency_key="k").quota[0]["used"] == 42
    assert engine.decrease_stock(ACME, "contact.create", contact, {"contacts": 5}, host=MAIN).quota[0]["used"] == 37
    for verb, amount, error in ((engine.decrease_stock, 38, "quota.below_zero"), (engine.increase_stock, -1, "input.amount"), (engine.decrease_stock, 1.0, "input.amount")):
        with pytest.raises(sublet.SubletError) as caught:
            verb(ACME, "contact.create", contact, amount, host=MAIN)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        assert caught.value.code == error
    engine.top_up("acme", "emails", 5)
    item = {"principal": ACME, "action": "campaign.send", "resource": ("Campaign", "k", "acme"), "host": MAIN}
    refused = engine.batch([{**item, "amount": 3}, {**item, "amount": 3}])
    assert [bool(decision) for decision in refused] == [True, False]
    assert engine.usage("acme", meter="emails")[0]["used"] == 10
    assert all(engine.batch([{**item, "amount": 3}, {**item, "amount": 2}]))


def test_windows_follow_the_clock() -> None:
    engine, clock = open_engine()
    send(engine, 100)
    clock.advance(12 * 3_600_000)
    assert send(engine).quota[0]["used"] == 1
    clock.advance(-2 * 3_600_000)
    assert send(engine).quota[0]["used"] == 2
    clock.advance(40 * 86_400_000)
    assert send(engine).quota[0]["used"] == 1


@pytest.mark.parametrize("bad", [-1, 2**63, 1.0, float("nan"), "1", True, None, [1], {"emails": -1}, {"emails": 1.5}])
def test_bad_amounts_are_errors_and_write_nothing(bad: Any) -> None:
    engine, _ = open_engine()
    if bad is None:
        assert send(engine, bad).quota[0]["amount"] == 1  # None is the default: 1
        return
    with pytest.raises(sublet.InputError) as caught:
        send(engine, bad)
    assert caught.value.code == "input.amount"
    assert engine.history("acme") == []


def test_meter_of_another_action_is_an_error() -> None:
    engine, _ = open_engine()
    with pytest.raises(sublet.QuotaError) as caught:
        send(engine, {"texts": 1})
    assert caught.value.code == "quota.unknown_meter"
    with pytest.raises(sublet.QuotaError) as unmetered:
        engine.consume(ACME, "campaign.read", ("Campaign", "k", "acme"), host=MAIN)
    assert unmetered.value.code == "quota.not_metered"


def test_largest_amount_is_refused() -> None:
    engine, _ = open_engine()
    set_limit(engine, "unlimited")
    assert send(engine, 1).quota[0]["remaining"] == "unlimited"
    assert send(engine, 2**63 - 1).code == "quota_exceeded"


def test_threads_consume_exactly_the_limit() -> None:
    engine, _ = open_engine()
    set_limit(engine, 500)
    granted = []

    def work() -> None:
        granted.append(sum(bool(send(engine)) for _ in range(200)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 500


def test_check_debits_nothing() -> None:
    engine, _ = open_engine()
    set_limit(engine, 10)
    campaign = ("Campaign", "k", "acme")
    assert engine.check(ACME, "campaign.send", campaign, amount=10, host=MAIN)
    decision = engine.authorize(ACME, "campaign.send", campaign, amount=11, host=MAIN)
    assert (decision.code, decision.quota[0]["used"], decision.operation) == ("quota_exceeded", 0, None)
    assert engine.history("acme") == []


def test_window_vectors_are_exact() -> None:
    bundle = AGENCY.parents[1]
    files = {path.name: path.read_text() for path in bundle.iterdir() if path.is_file()}
    catalog = json.loads(files["catalog.json"])
    rows = json.loads((AGENCY.parents[2] / "tests/vectors/windows.json").read_text())

    def just(instant: str, milliseconds: int) -> str:
        clock = sublet.ManualClock(instant)
        clock.advance(milliseconds)
        return clock.now()

    for window in sorted({row["window"] for row in rows}):
        catalog["meters"]["emails"]["window"] = window
        asked: list[tuple[str, str | None, dict[str, Any]]] = []
        for row in (row for row in rows if row["window"] == window):
            asked.append((row["at"], row["end"], row))
            if row["start"] is not None:
                asked += [(just(row["start"], -1), row["start"], row), (row["start"], row["end"], row)]
        # In ascending order, because time never goes back.
        asked.sort(key=lambda each: datetime.fromisoformat(each[0]))
        clock = sublet.ManualClock(asked[0][0])
        engine = sublet.Engine.open({**files, "catalog.json": json.dumps(catalog)}, clock=clock)
        for at, end, row in asked:
            clock.set(at)
            engine.accept_clock()
            calendar = {name: row[name] for name in ("zone", "anchor")}
            account = {"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", **calendar}
            engine.apply_changes([{"type": "Platform", "id": "p"}, account])
            assert engine.usage("acme", meter="emails")[0]["resets_at"] == end, (row["description"], at)
