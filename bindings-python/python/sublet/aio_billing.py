"""The owner's bill, awaited: a part of `AsyncEngine`."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Sequence

from ._sublet import Engine
from .billing import Payment, Statement


class Billing:
    """The owner's bill, awaited."""

    __slots__ = ()

    engine: Engine

    async def statement(self, owner: str, period: str) -> Statement:
        """`Engine.statement`, awaited."""
        return await to_thread(self.engine.statement, owner, period)

    async def preview(self, owner: str) -> Statement:
        """`Engine.preview`, awaited."""
        return await to_thread(self.engine.preview, owner)

    async def record_payment(self, owner: str, period: str, cents: int, *, key: str | None = None) -> Payment:
        """`Engine.record_payment`, awaited."""
        return await to_thread(self.engine.record_payment, owner, period, cents, key=key)

    async def reverse_payment(self, payment: int, *, key: str | None = None) -> Payment:
        """`Engine.reverse_payment`, awaited."""
        return await to_thread(self.engine.reverse_payment, payment, key=key)

    async def settle(self, owner: str, period: str, *, choice: Sequence[str] | None = None) -> Statement:
        """`Engine.settle`, awaited."""
        return await to_thread(self.engine.settle, owner, period, choice=choice)
