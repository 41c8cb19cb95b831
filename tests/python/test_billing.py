"""The owner's bill: the steps of the vectors that concern it, and the parts that only Python has.
"""

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
import sublet
import sublet.billing

ROOT = Path(__file__).resolve().parents[2]
VERBS = ("statement", "preview", "close_month", "settle", "pay", "reverse")


class StepValues:
    """Values that earlier steps store for later ones."""

    def __init__(self) -> None:
        self.payments: dict[str, int] = {}
        self.names: dict[str, str] = {}
        self.last: sublet.billing.Statement | None = None

    def named(self, step: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(step)
        for name, value in self.names.items():
            text = text.replace(f"${name}", value)
        found: dict[str, Any] = json.loads(text)
        return found


def bundle(settings: dict[str, Any] | None) -> dict[str, str] | None:
    if settings is None:
        return None
    files = {path.name: path.read_text() for path in (ROOT / "policies").iterdir() if path.is_file()}
    return {**files, "catalog.json": json.dumps({**json.loads(files["catalog.json"]), **settings})}


def is_about_it(step: dict[str, Any]) -> bool:
    return any(verb in step for verb in VERBS)


def overage(engine: sublet.Engine, owner: str) -> int:
    records = [json.loads(line) for line in engine.export_lines().splitlines()]
    return sum(one.get("owner") == owner and not one.get("closed") and "overage" in one.get("disabled", []) for one in records)


def run_billing_step(engine: sublet.Engine, step: dict[str, Any], kept: StepValues) -> sublet.billing.Statement:
    if "statement" in step:
        return engine.statement(*step["statement"])
    if "preview" in step:
        return engine.preview_statement(step["preview"])
    if "close_month" in step:
        return engine.close_month(*step["close_month"])
    if "settle" in step:
        return engine.settle_overage(*step["settle"], choice=step.get("choice"))
    if "pay" in step:
        payment = engine.record_payment(*step["pay"], idempotency_key=step.get("idempotency_key"))
    else:
        named: Any = step["reverse"]
        payment = engine.reverse_payment(kept.payments[named] if named in kept.payments else named, idempotency_key=step.get("idempotency_key"))
    assert payment["replayed"] is step.get("replayed", False), step
    if "as" in step:
        kept.payments[step["as"]] = payment["payment"]
    return payment["statement"]


def is_drawn(statement: sublet.billing.Statement) -> bool:
    return statement["status"] == "settled" or (statement["status"] == "closed" and statement["order"] != "owners_choice")


def take(engine: sublet.Engine, step: dict[str, Any], kept: StepValues) -> None:
    if "error" in step:
        with pytest.raises(sublet.SubletError) as caught:
            run_billing_step(engine, step, kept)
        assert caught.value.code == step["error"], step
        return
    statement = run_billing_step(engine, step, kept)
    plain: dict[str, Any] = {**statement}
    assert {name: plain.get(name) for name in step.get("has", {})} == step.get("has", {}), (step, statement)
    assert len(statement["at_risk"]) == step.get("at_risk", len(statement["at_risk"])), step
    found = overage(engine, statement["owner"])
    assert found == step.get("overage", found), step
    assert not step.get("same") or statement == kept.last, step
    assert sublet.Engine.verify_draw(statement) is is_drawn(statement), (step, statement)
    if "first" in step:
        kept.names[step["first"]] = statement["disabled"][0]
    kept.last = statement


def settled_statement(clients: int) -> sublet.billing.Statement:
    clock = sublet.ManualClock("2026-01-31T12:00:00Z")
    engine = sublet.Engine.open(clock=clock)
    main = {"type": "Account", "id": "acme", "email": "o@acme.example", "package": "agency", "confirmed": True}
    more = [{"type": "Account", "id": f"c{nth}", "email": f"c{nth}@c.example", "owner": "acme"} for nth in range(clients)]
    engine.apply_changes([main, *more])
    clock.set("2026-02-01T00:00:00Z")
    return engine.settle_overage("acme", "2026-01")


def test_draw_can_be_repeated() -> None:
    statement = settled_statement(40)
    seed = bytes.fromhex(statement.get("seed", ""))
    drawn = sorted(statement["draw"], key=lambda client: hmac.new(seed, client.encode(), hashlib.sha256).digest())
    assert drawn == statement["draw"] and drawn[:30] == statement["disabled"]
    assert sublet.Engine.verify_draw(json.loads(json.dumps(statement)))


def test_altered_statement_is_detected() -> None:
    statement = settled_statement(13)
    changes: list[dict[str, Any]] = [
        {"disabled": statement["draw"][1:4]},
        {"seed": "0" * 64},
        {"seed": "0f"},
        {"draw": statement["draw"][::-1]},
        {"draw": statement["draw"][1:]},
        {"draw": [*statement["draw"][:-1], statement["draw"][0]]},
        {"unpaid": 2},
        {"included": 11},
        {"due_cents": 1000},
        {"received_cents": 500},
        {"departed": ["somebody"]},
        {"status": "open"},
        {"price_cents": -1},
    ]
    for change in changes:
        altered: Any = {**statement, **change}
        assert not sublet.Engine.verify_draw(altered), change


@pytest.mark.parametrize("bad", [None, [], "statement", {}, {"owner": "acme"}, 7])
def test_invalid_statement_is_a_typed_error(bad: Any) -> None:
    with pytest.raises(sublet.InputError) as caught:
        sublet.Engine.verify_draw(bad)
    assert caught.value.code in ("input.value", "input.json")


def test_billing_methods_are_awaitable(tmp_path: Path) -> None:
    async def main() -> None:
        clock = sublet.ManualClock("2026-01-31T12:00:00Z")
        async with await sublet.AsyncEngine.open(store=f"sqlite:{tmp_path / 'sublet.db'}", clock=clock) as engine:
            await engine.import_lines((ROOT / "policies" / "tests" / "agency.jsonl").read_text())
            assert (await engine.preview_statement("acme"))["clients"] == 3
            paid = await engine.record_payment("acme", "2026-01", 500, idempotency_key="k")
            assert (await engine.reverse_payment(paid["payment"]))["cents"] == -500
            assert (await engine.statement("acme", "2026-01"))["received_cents"] == 0
            clock.set("2026-02-01T00:00:00Z")
            assert (await engine.close_month("acme", "2026-01"))["status"] == "closed"
            assert [month["owner"] for month in (await engine.close_due(10))["closed"]] == ["nova", "solo"]
            assert (await engine.settle_overage("acme", "2026-01"))["status"] == "settled"
            kinds = [entry["kind"] for entry in engine.engine.history("acme")]
            assert kinds == ["reversal", "payment"]

    asyncio.run(main())


@pytest.mark.parametrize("cents", [True, 1.5, "5", -1, 2**63, None])
def test_cents_are_exact_or_refused(cents: Any) -> None:
    engine = sublet.Engine.open()
    engine.apply_changes([{"type": "Account", "id": "acme", "email": "o@acme.example", "package": "agency"}])
    with pytest.raises(sublet.InputError) as caught:
        engine.record_payment("acme", "2026-01", cents)
    assert caught.value.code == "input.amount"
