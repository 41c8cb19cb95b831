"""The verbs that count, awaited: a part of `AsyncEngine`."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Iterable, Mapping
from typing import Any

from ._sublet import Counted, Decision, Engine
from .types import Amount, At, Does, Quota, Resource, Value, Who


class Counting:
    """The verbs that count, awaited."""

    __slots__ = ("engine",)

    engine: Engine

    async def consume(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        amount: Amount | None = None,
        *,
        key: str | None = None,
        up_to: bool = False,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """`Engine.consume`, awaited."""
        return await to_thread(
            self.engine.consume,
            principal,
            action,
            resource,
            amount,
            key=key,
            up_to=up_to,
            actor=actor,
            host=host,
            channel=channel,
            realm=realm,
            context=context,
        )

    async def reserve(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        amount: Amount,
        *,
        ttl: int | None = None,
        key: str | None = None,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """`Engine.reserve`, awaited."""
        return await to_thread(
            self.engine.reserve,
            principal,
            action,
            resource,
            amount,
            ttl=ttl,
            key=key,
            actor=actor,
            host=host,
            channel=channel,
            realm=realm,
            context=context,
        )

    async def set(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        amount: Amount,
        *,
        key: str | None = None,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """`Engine.set`, awaited."""
        return await to_thread(
            self.engine.set,
            principal,
            action,
            resource,
            amount,
            key=key,
            actor=actor,
            host=host,
            channel=channel,
            realm=realm,
            context=context,
        )

    async def add(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        amount: Amount,
        *,
        key: str | None = None,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """`Engine.add`, awaited."""
        return await to_thread(
            self.engine.add,
            principal,
            action,
            resource,
            amount,
            key=key,
            actor=actor,
            host=host,
            channel=channel,
            realm=realm,
            context=context,
        )

    async def sub(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        amount: Amount,
        *,
        key: str | None = None,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """`Engine.sub`, awaited."""
        return await to_thread(
            self.engine.sub,
            principal,
            action,
            resource,
            amount,
            key=key,
            actor=actor,
            host=host,
            channel=channel,
            realm=realm,
            context=context,
        )

    async def commit(self, operation: int, amount: int | None = None, *, key: str | None = None) -> Counted:
        """`Engine.commit`, awaited."""
        return await to_thread(self.engine.commit, operation, amount, key=key)

    async def release(self, operation: int, *, key: str | None = None) -> Counted:
        """`Engine.release`, awaited."""
        return await to_thread(self.engine.release, operation, key=key)

    async def refund(self, operation: int, amount: int | None = None, *, key: str | None = None) -> Counted:
        """`Engine.refund`, awaited."""
        return await to_thread(self.engine.refund, operation, amount, key=key)

    async def top_up(self, account: str, meter: str, amount: int, *, key: str | None = None) -> Counted:
        """`Engine.top_up`, awaited."""
        return await to_thread(self.engine.top_up, account, meter, amount, key=key)

    async def revoke_top_up(self, account: str, key: str) -> Counted:
        """`Engine.revoke_top_up`, awaited."""
        return await to_thread(self.engine.revoke_top_up, account, key)

    async def carry_over(
        self,
        account: str,
        meter: str,
        amount: int,
        *,
        member: str | None = None,
        key: str | None = None,
    ) -> Counted:
        """`Engine.carry_over`, awaited."""
        return await to_thread(self.engine.carry_over, account, meter, amount, member=member, key=key)

    async def batch(self, items: Iterable[Mapping[str, Any]]) -> list[Decision]:
        """`Engine.batch`, awaited."""
        return await to_thread(self.engine.batch, items)

    async def usage(self, account: str, *, member: str | None = None, meter: str | None = None) -> list[Quota]:
        """`Engine.usage`, awaited."""
        return await to_thread(self.engine.usage, account, member=member, meter=meter)

    async def history(self, account: str, *, before: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """`Engine.history`, awaited."""
        return await to_thread(self.engine.history, account, before=before, limit=limit)

    async def verify(self) -> dict[str, Any]:
        """`Engine.verify`, awaited."""
        return await to_thread(self.engine.verify)

    async def accept_clock(self) -> None:
        """`Engine.accept_clock`, awaited."""
        await to_thread(self.engine.accept_clock)
