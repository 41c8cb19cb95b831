"""The engine for asyncio: each verb of `Engine`, awaited.

>>> import asyncio, sublet
>>> async def main() -> str:
...     engine = await sublet.AsyncEngine.open()
...     await engine.import_lines('{"type": "Platform", "id": "mmio"}')
...     return (await engine.authorize(("Account", "nobody"), "account.read", ("Account", "nobody"))).code
>>> asyncio.run(main())
'principal_unknown'
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ._calls import call
from ._sublet import Engine

__all__ = ["AsyncEngine"]


class AsyncEngine:
    """An engine whose verbs are awaited. `engine` is the same engine for code that waits.

    A call runs on a thread of Sublet's own, so that calls that wait for a file take no thread from the rest of the
    service. A task that is cancelled ends its call's wait; what the call had begun to write is finished all the same.
    Retry it by its `key`.
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


def _method(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    async def method(self: AsyncEngine, /, *arguments: Any, **named: Any) -> Any:
        return await call(name, getattr(self.engine, name), arguments, named)

    return method


def _static(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    async def method(*arguments: Any, **named: Any) -> Any:
        answer = await call(name, verb, arguments, named)
        return AsyncEngine(answer) if isinstance(answer, Engine) else answer

    return method


def _property(name: str) -> Callable[..., Any]:
    async def method(self: AsyncEngine) -> Any:
        return await call(name, getattr, (self.engine, name), {})

    return method


def _describe(method: Callable[..., Any], name: str, verb: Any) -> None:
    method.__name__, method.__qualname__ = name, f"AsyncEngine.{name}"
    method.__doc__ = f"`Engine.{name}`, awaited." + (f"\n\n{verb.__doc__}" if verb.__doc__ else "")
    if callable(verb):
        vars(method)["__signature__"] = inspect.signature(verb)


def _derive() -> None:
    """Gives `AsyncEngine` each public verb of `Engine`: a verb that is new there is here too. `aio.pyi` has their types."""
    for name, verb in vars(Engine).items():
        if name.startswith("_"):
            continue
        if isinstance(verb, staticmethod):
            made = _static(name, verb.__func__)
            _describe(made, name, verb.__func__)
            setattr(AsyncEngine, name, staticmethod(made))
        else:
            made = _method(name, verb) if callable(verb) else _property(name)
            _describe(made, name, verb)
            setattr(AsyncEngine, name, made)


_derive()
