"""The engine for asyncio: each method of `Engine`, awaited.

>>> import asyncio, sublet
>>> async def main() -> str:
...     engine = await sublet.AsyncEngine.open()
...     await engine.import_lines('{"type": "Platform", "id": "mmio"}')
...     nobody = ("Account", "nobody")
...     decision = await engine.authorize(nobody, "account.read", nobody)
...     return decision.code
>>> asyncio.run(main())
'principal_unknown'
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from ._calls import call
from ._sublet import Engine

__all__ = ["AsyncEngine"]

P = ParamSpec("P")
R = TypeVar("R")
Awaited: TypeAlias = Coroutine[Any, Any, R]


def _describe(awaited: Callable[..., Any], method: Callable[..., Any]) -> None:
    """Gives an awaited method the name, the signature and the documentation of its method."""
    awaited.__name__, awaited.__qualname__ = method.__name__, f"AsyncEngine.{method.__name__}"
    awaited.__doc__ = f"`Engine.{method.__name__}`, awaited.\n\n{method.__doc__}"
    vars(awaited)["__signature__"] = inspect.signature(method)


def _awaited(
    method: Callable[Concatenate[Engine, P], R],
) -> Callable[[object], Callable[Concatenate[AsyncEngine, P], Awaited[R]]]:
    """Replaces a placeholder by the awaited form of a method, with the method's signature."""
    name = method.__name__

    async def awaited(self: AsyncEngine, /, *args: P.args, **kwargs: P.kwargs) -> R:
        bound: Callable[..., R] = getattr(self.engine, name)
        return await call(name, bound, args, kwargs)

    _describe(awaited, method)
    return lambda _: awaited


def _awaited_static(method: Callable[P, R]) -> Callable[[object], Callable[P, Awaited[R]]]:
    """Replaces a placeholder by the awaited form of a static method."""

    async def awaited(*args: P.args, **kwargs: P.kwargs) -> R:
        return await call(method.__name__, method, args, kwargs)

    _describe(awaited, method)
    return lambda _: awaited


def _awaited_open(
    method: Callable[P, Engine],
) -> Callable[[object], Callable[P, Awaited[AsyncEngine]]]:
    """Replaces a placeholder by the awaited form of a static method that opens an engine."""

    async def awaited(*args: P.args, **kwargs: P.kwargs) -> AsyncEngine:
        return AsyncEngine(await call(method.__name__, method, args, kwargs))

    _describe(awaited, method)
    return lambda _: awaited


class AsyncEngine:
    """An engine whose methods are awaited. `engine` is the same engine for synchronous code.

    A call runs on a thread of Sublet, so that calls which wait for a file take no thread
    from the rest of the service. A cancelled task ends the wait of its call. A call that has
    started to write is completed all the same: retry it by its `idempotency_key`.
    """

    __slots__ = ("engine",)

    engine: Engine

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __repr__(self) -> str:
        return f"Async{self.engine!r}"

    async def __aenter__(self) -> AsyncEngine:
        return self

    async def __aexit__(self, *_error: object) -> bool:
        return False

    async def revision(self) -> int:
        """`Engine.revision`, awaited.

        The revision of the directory. It grows by one with each change.
        """
        revision: int = await call("revision", getattr, (self.engine, "revision"), {})
        return revision

    # The decorators replace these placeholders. A plain assignment would work at run time, but
    # pyright counts it as a symbol without a declared type.

    @staticmethod
    @_awaited_open(Engine.open)
    def open() -> None: ...

    @staticmethod
    @_awaited_open(Engine.cedar)
    def cedar() -> None: ...

    @staticmethod
    @_awaited_static(Engine.verify_draw)
    def verify_draw() -> None: ...

    @_awaited(Engine.reload)
    def reload(self) -> None: ...

    @_awaited(Engine.reload_cedar)
    def reload_cedar(self) -> None: ...

    @_awaited(Engine.bundle)
    def bundle(self) -> None: ...

    @_awaited(Engine.authorize)
    def authorize(self) -> None: ...

    @_awaited(Engine.check)
    def check(self) -> None: ...

    @_awaited(Engine.authorize_many)
    def authorize_many(self) -> None: ...

    @_awaited(Engine.check_many)
    def check_many(self) -> None: ...

    @_awaited(Engine.explain)
    def explain(self) -> None: ...

    @_awaited(Engine.permitted_actions)
    def permitted_actions(self) -> None: ...

    @_awaited(Engine.consume)
    def consume(self) -> None: ...

    @_awaited(Engine.reserve)
    def reserve(self) -> None: ...

    @_awaited(Engine.set_stock)
    def set_stock(self) -> None: ...

    @_awaited(Engine.increase_stock)
    def increase_stock(self) -> None: ...

    @_awaited(Engine.decrease_stock)
    def decrease_stock(self) -> None: ...

    @_awaited(Engine.perform)
    def perform(self) -> None: ...

    @_awaited(Engine.statement)
    def statement(self) -> None: ...

    @_awaited(Engine.preview_statement)
    def preview_statement(self) -> None: ...

    @_awaited(Engine.record_payment)
    def record_payment(self) -> None: ...

    @_awaited(Engine.reverse_payment)
    def reverse_payment(self) -> None: ...

    @_awaited(Engine.close_month)
    def close_month(self) -> None: ...

    @_awaited(Engine.close_due)
    def close_due(self) -> None: ...

    @_awaited(Engine.settle_overage)
    def settle_overage(self) -> None: ...

    @_awaited(Engine.commit)
    def commit(self) -> None: ...

    @_awaited(Engine.release)
    def release(self) -> None: ...

    @_awaited(Engine.refund)
    def refund(self) -> None: ...

    @_awaited(Engine.top_up)
    def top_up(self) -> None: ...

    @_awaited(Engine.revoke_top_up)
    def revoke_top_up(self) -> None: ...

    @_awaited(Engine.carry_over)
    def carry_over(self) -> None: ...

    @_awaited(Engine.batch)
    def batch(self) -> None: ...

    @_awaited(Engine.usage)
    def usage(self) -> None: ...

    @_awaited(Engine.history)
    def history(self) -> None: ...

    @_awaited(Engine.verify)
    def verify(self) -> None: ...

    @_awaited(Engine.reset_counts)
    def reset_counts(self) -> None: ...

    @_awaited(Engine.accept_clock)
    def accept_clock(self) -> None: ...

    @_awaited(Engine.subscribe)
    def subscribe(self) -> None: ...

    @_awaited(Engine.enable_metrics)
    def enable_metrics(self) -> None: ...

    @_awaited(Engine.metrics)
    def metrics(self) -> None: ...

    @_awaited(Engine.login)
    def login(self) -> None: ...

    @_awaited(Engine.login_by_key)
    def login_by_key(self) -> None: ...

    @_awaited(Engine.login_hosts)
    def login_hosts(self) -> None: ...

    @_awaited(Engine.hosts_of)
    def hosts_of(self) -> None: ...

    @_awaited(Engine.route_ticket)
    def route_ticket(self) -> None: ...

    @_awaited(Engine.open_ticket)
    def open_ticket(self) -> None: ...

    @_awaited(Engine.reply_ticket)
    def reply_ticket(self) -> None: ...

    @_awaited(Engine.escalate_ticket)
    def escalate_ticket(self) -> None: ...

    @_awaited(Engine.apply_changes)
    def apply_changes(self) -> None: ...

    @_awaited(Engine.import_lines)
    def import_lines(self) -> None: ...

    @_awaited(Engine.seed)
    def seed(self) -> None: ...

    @_awaited(Engine.export_lines)
    def export_lines(self) -> None: ...

    @_awaited(Engine.domain_proof)
    def domain_proof(self) -> None: ...

    @_awaited(Engine.get_record)
    def get_record(self) -> None: ...

    @_awaited(Engine.list_records)
    def list_records(self) -> None: ...

    @_awaited(Engine.export_account)
    def export_account(self) -> None: ...
