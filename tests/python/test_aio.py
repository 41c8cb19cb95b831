"""The engine for asyncio: every method of the engine, awaited."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from pathlib import Path
from typing import Any

import pytest
import sublet

AGENCY = Path(__file__).parents[2] / "policies/tests/agency.jsonl"
MAIN = "dash.marketingmaster.example"
ACME = ("Account", "acme")
SEND = (ACME, "campaign.send", ("Campaign", "k", "acme"))
RECORD = {"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": True}


async def open_engine(store: str, limit: int) -> sublet.AsyncEngine:
    engine = await sublet.AsyncEngine.open(store=store)
    await engine.import_lines(AGENCY)
    await engine.apply_changes([RECORD | {"limits": {"emails": limit}}])
    return engine


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:{tmp_path}/sublet.db"


def test_fifty_concurrent_calls_get_the_limit(store: str) -> None:
    async def main() -> None:
        engine = await open_engine(store, 30)
        answers = await asyncio.gather(*(engine.consume(*SEND, 1, host=MAIN) for _ in range(50)))
        assert sum(map(bool, answers)) == 30
        assert (await engine.usage("acme", meter="emails"))[0]["used"] == 30
        assert await engine.verify() == {"buckets": 1, "operations": 30, "faults": []}

    asyncio.run(main())


def test_every_method_is_awaitable(store: str) -> None:
    async def main() -> None:
        engine = await open_engine(store, 100)
        taken = await engine.consume(*SEND, 10, idempotency_key="k", host=MAIN)
        assert (await engine.consume(*SEND, 10, idempotency_key="k", host=MAIN)).replayed
        held = await engine.reserve(*SEND, 5, ttl=60_000, host=MAIN)
        other = await engine.reserve(*SEND, 5, host=MAIN)
        assert taken.operation and held.operation and other.operation
        assert (await engine.commit(held.operation, 3)).quota[0]["used"] == 13
        assert (await engine.release(other.operation)).quota[0]["held"] == 0
        assert (await engine.refund(taken.operation, 4)).quota[0]["used"] == 9
        assert (await engine.top_up("acme", "emails", 7)).quota[0]["limit"] == 107
        assert (await engine.carry_over("acme", "emails", 1)).quota[0]["used"] == 10
        contact = (ACME, "contact.create", ("Contact", "c", "acme"))
        assert (await engine.set_stock(*contact, 4, host=MAIN)).quota[0]["used"] == 4
        assert (await engine.increase_stock(*contact, 2, host=MAIN)).quota[0]["used"] == 6
        assert (await engine.decrease_stock(*contact, 1, host=MAIN)).quota[0]["used"] == 5
        item: dict[str, Any] = {"principal": ACME, "action": "campaign.send", "resource": SEND[2], "host": MAIN}
        assert all(await engine.batch([item, {**item, "amount": 2}]))
        assert len(await engine.history("acme", limit=3)) == 3
        await engine.accept_clock()
        assert await engine.check(*SEND, host=MAIN, amount=90)
        assert (await engine.authorize(*SEND, host=MAIN, amount=95)).code == "quota_exceeded"
        assert await engine.check_many([item]) == [True]
        assert (await engine.authorize_many([item]))[0].allowed
        assert engine.engine.usage("acme", meter="emails")[0]["used"] == 13
        explained = await engine.explain(*SEND, host=MAIN, amount=95)
        assert (explained.decision.code, explained.decision.quota[0]["used"]) == ("quota_exceeded", 13)
        assert explained.because is not None and explained.because["policy"] == "quota-exceeded"
        assert str(explained).startswith("denied: quota_exceeded\n") and explained.nearest == []
        assert await engine.export_lines() == engine.engine.export_lines()
        assert await engine.get_record(ACME) == engine.engine.get_record(ACME)
        assert await engine.reload() == explained.decision.bundle
        with pytest.raises(sublet.QuotaError):
            await engine.refund(taken.operation, 100)

    asyncio.run(main())


def test_cancelled_call_is_completed(tmp_path: Path) -> None:
    """The event loop runs meanwhile. A call that has started is completed although its task is
    cancelled."""
    async def main() -> None:
        engine = await open_engine(f"sqlite:{tmp_path}/sublet.db?durability=power", 1_000)
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.ensure_future(tick())
        for at in range(20):
            await engine.consume(*SEND, 1, idempotency_key=f"k{at}", host=MAIN)
        assert ticks > 20
        call = asyncio.ensure_future(engine.consume(*SEND, 5, idempotency_key="late", host=MAIN))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        # The call had started, so the retry returns its answer and debits nothing.
        retried = await engine.consume(*SEND, 5, idempotency_key="late", host=MAIN)
        assert retried.operation is not None
        assert (await engine.usage("acme", meter="emails"))[0]["used"] == 25
        ticking.cancel()

    asyncio.run(main())


def test_methods_equal_those_of_the_engine() -> None:
    twins = {name for name in dir(sublet.AsyncEngine) if inspect.iscoroutinefunction(getattr(sublet.AsyncEngine, name))}
    public = {name for name in dir(sublet.Engine) if not name.startswith("_")}
    assert public == {name for name in twins if not name.startswith("_")}
    for name in public - {"revision"}:
        mine, theirs = (inspect.signature(getattr(of, name)) for of in (sublet.AsyncEngine, sublet.Engine))
        assert mine == theirs and len(theirs.parameters) + (name in {"cedar", "open", "verify_draw"}) > 0, name
        assert str(getattr(sublet.AsyncEngine, name).__doc__).startswith(f"`Engine.{name}`, awaited."), name


def test_late_added_methods_answer(store: str) -> None:
    async def main() -> None:
        engine = await open_engine(store, 100)
        plain = engine.engine
        assert await engine.permitted_actions(ACME, ACME, host=MAIN) == plain.permitted_actions(ACME, ACME, host=MAIN) != []
        assert (await engine.login(MAIN, "owner@acme.example")).principal == ACME
        asked: Any = {"host": MAIN}
        assert (await engine.route_ticket(ACME, ACME, **asked)).to_dict() == plain.route_ticket(ACME, ACME, **asked).to_dict()
        assert (await engine.open_ticket(ACME, ACME, **asked)).to_dict() == plain.open_ticket(ACME, ACME, **asked).to_dict()
        assert await engine.revision() == plain.revision and await engine.bundle() == plain.bundle()
        await engine.enable_metrics()
        assert (await engine.metrics())["measured"]
        cedar = await sublet.AsyncEngine.cedar("permit (principal, action, resource);")
        assert isinstance(cedar, sublet.AsyncEngine) and await cedar.check(("U", "u"), "a", ("R", "r"))

    asyncio.run(main())


def test_context_variables_are_harmless() -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="none")

    async def main() -> str:
        tenant.set("acme")
        engine = await open_engine("memory:", 5)
        begun = time.monotonic()
        await engine.verify()
        assert time.monotonic() >= begun
        return tenant.get()

    assert asyncio.run(main()) == "acme"


def test_engine_is_an_async_context_manager() -> None:
    async def main() -> None:
        async with await sublet.AsyncEngine.open() as engine:
            await engine.import_lines(AGENCY)
            assert await engine.check(*SEND, host=MAIN, amount=1)
        with pytest.raises(ZeroDivisionError):
            async with engine:
                raise ZeroDivisionError

    asyncio.run(main())
