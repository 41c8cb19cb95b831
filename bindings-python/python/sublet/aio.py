"""The engine for asyncio: what may wait for a file is awaited, on the event loop's own threads.

>>> import asyncio, sublet
>>> async def main() -> str:
...     engine = await sublet.AsyncEngine.open()
...     await engine.import_lines('{"type": "Platform", "id": "mmio"}')
...     return (await engine.authorize(("Account", "nobody"), "account.read", ("Account", "nobody"))).code
>>> asyncio.run(main())
'principal_unknown'
"""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable, Iterable, Mapping
from logging import Logger
from os import PathLike
from types import TracebackType
from typing import Any

from ._sublet import Decision, Engine, Explanation, LogHandle, Login, LoginHosts, ManualClock, Performed
from .aio_billing import Billing
from .aio_counts import Counting
from .commands import Command
from .types import At, Does, Event, EventKind, Resource, Validation, Value, Who

__all__ = ["AsyncEngine"]


class AsyncEngine(Counting, Billing):
    """An engine whose verbs are awaited. `engine` is the same engine for code that waits, and for what counts nothing and so
    reads a file only after another process changed the directory: `actions`, `desk`, those of tickets, `revision`;
    `bundle`, `measure` and `stats` never do.

    A call runs on a thread of the running loop: there is none of Sublet's own that a fork would lose. A task that is
    cancelled stops waiting; the call that it had begun is finished all the same. Retry it by its `key`.
    """

    __slots__ = ()

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __repr__(self) -> str:
        return f"Async{self.engine!r}"

    async def __aenter__(self) -> AsyncEngine:
        return self

    async def __aexit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> bool:
        return False

    @staticmethod
    async def open(
        policies: str | PathLike[str] | Mapping[str, str] | None = None,
        *,
        store: str = "memory:",
        validation: Validation = "strict",
        caps: Mapping[str, int] | None = None,
        clock: ManualClock | None = None,
    ) -> AsyncEngine:
        """`Engine.open`, awaited: a store in a file may have a large directory."""
        return AsyncEngine(
            await to_thread(Engine.open, policies, store=store, validation=validation, caps=caps, clock=clock)
        )

    async def reload(self, policies: str | PathLike[str] | Mapping[str, str] | None = None) -> str:
        """`Engine.reload`, awaited."""
        return await to_thread(self.engine.reload, policies)

    async def login(self, host: At, email: str, action: Does | None = None) -> Login:
        """`Engine.login`, awaited."""
        return await to_thread(self.engine.login, host, email, action)

    async def login_hosts(
        self, principal: Who, *, host: At | None = None, action: Does | None = None, after: str | None = None
    ) -> LoginHosts:
        """`Engine.login_hosts`, awaited."""
        return await to_thread(self.engine.login_hosts, principal, host=host, action=action, after=after)

    async def authorize(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        *,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        amount: int | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Decision:
        """`Engine.authorize`, awaited."""
        return await to_thread(
            self.engine.authorize,
            principal,
            action,
            resource,
            actor=actor,
            host=host,
            channel=channel,
            realm=realm,
            amount=amount,
            context=context,
        )

    async def check(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        *,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        amount: int | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> bool:
        """`Engine.check`, awaited."""
        return await to_thread(
            self.engine.check,
            principal,
            action,
            resource,
            actor=actor,
            host=host,
            channel=channel,
            realm=realm,
            amount=amount,
            context=context,
        )

    async def explain(
        self,
        principal: Who,
        action: Does,
        resource: Resource,
        *,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        amount: int | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Explanation:
        """`Engine.explain`, awaited: with an amount it reads the counts."""
        return await to_thread(
            self.engine.explain,
            principal,
            action,
            resource,
            actor=actor,
            host=host,
            channel=channel,
            realm=realm,
            amount=amount,
            context=context,
        )

    async def authorize_many(
        self,
        requests: Iterable[Mapping[str, Any]] | None = None,
        *,
        principals: list[Any] | Who | None = None,
        actions: list[Any] | Does | None = None,
        resources: list[Any] | Resource | None = None,
        actors: list[Any] | Who | None = None,
        hosts: list[Any] | At | None = None,
        channels: list[Any] | str | None = None,
        realms: list[Any] | Who | None = None,
        amounts: list[Any] | int | None = None,
        contexts: list[Any] | Mapping[str, Value] | None = None,
    ) -> list[Decision]:
        """`Engine.authorize_many`, awaited."""
        return await to_thread(
            self.engine.authorize_many,
            requests,
            principals=principals,
            actions=actions,
            resources=resources,
            actors=actors,
            hosts=hosts,
            channels=channels,
            realms=realms,
            amounts=amounts,
            contexts=contexts,
        )

    async def check_many(
        self,
        requests: Iterable[Mapping[str, Any]] | None = None,
        *,
        principals: list[Any] | Who | None = None,
        actions: list[Any] | Does | None = None,
        resources: list[Any] | Resource | None = None,
        actors: list[Any] | Who | None = None,
        hosts: list[Any] | At | None = None,
        channels: list[Any] | str | None = None,
        realms: list[Any] | Who | None = None,
        amounts: list[Any] | int | None = None,
        contexts: list[Any] | Mapping[str, Value] | None = None,
    ) -> list[bool]:
        """`Engine.check_many`, awaited."""
        return await to_thread(
            self.engine.check_many,
            requests,
            principals=principals,
            actions=actions,
            resources=resources,
            actors=actors,
            hosts=hosts,
            channels=channels,
            realms=realms,
            amounts=amounts,
            contexts=contexts,
        )

    async def perform(
        self,
        principal: Who,
        command: Command,
        *,
        key: str | None = None,
        actor: Who | None = None,
        host: At | None = None,
        channel: str | None = None,
        realm: Who | None = None,
        context: Mapping[str, Value] | None = None,
    ) -> Performed:
        """`Engine.perform`, awaited."""
        return await to_thread(
            self.engine.perform,
            principal,
            command,
            key=key,
            actor=actor,
            host=host,
            channel=channel,
            realm=realm,
            context=context,
        )

    async def change(
        self,
        put: Iterable[Mapping[str, Any]] | None = None,
        *,
        remove: Iterable[Who] | None = None,
        expected_revision: int | None = None,
        resumed: bool = False,
    ) -> int:
        """`Engine.change`, awaited."""
        return await to_thread(self.engine.change, put, remove=remove, expected_revision=expected_revision, resumed=resumed)

    async def import_lines(
        self,
        lines: str | bytes | PathLike[str],
        progress: Callable[[int, int], bool | None] | None = None,
    ) -> int:
        """`Engine.import_lines`, awaited."""
        return await to_thread(self.engine.import_lines, lines, progress)

    async def export_lines(self) -> str:
        """`Engine.export_lines`, awaited."""
        return await to_thread(self.engine.export_lines)

    async def log(
        self,
        path: str | PathLike[str] | None = None,
        *,
        callback: Callable[[Event], object] | None = None,
        logger: Logger | str | bool | None = None,
        events: Iterable[EventKind] | None = None,
        sample_allowed: float | None = None,
        redact: Iterable[str] | None = None,
        context_fields: Iterable[str] | None = None,
        queue: int | None = None,
        rotate_bytes: int | None = None,
        keep: int | None = None,
    ) -> LogHandle:
        """`Engine.log`, awaited. Its callback is called on the log's own thread: `loop.call_soon_threadsafe` leads back."""
        return await to_thread(
            self.engine.log,
            path,
            callback=callback,
            logger=logger,
            events=events,
            sample_allowed=sample_allowed,
            redact=redact,
            context_fields=context_fields,
            queue=queue,
            rotate_bytes=rotate_bytes,
            keep=keep,
        )

    async def domain_proof(self, domain: str) -> str:
        """`Engine.domain_proof`, awaited."""
        return await to_thread(self.engine.domain_proof, domain)

    async def record(self, reference: Who) -> dict[str, Any] | None:
        """`Engine.record`, awaited."""
        return await to_thread(self.engine.record, reference)
