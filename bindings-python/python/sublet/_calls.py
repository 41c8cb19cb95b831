"""The threads on which the calls of `AsyncEngine` run: Sublet's own, few, and made anew in a forked child."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ._sublet import StoreError, _Call

__all__ = ["call"]

# Verbs that never wait for the store's lock: calls that do must not keep these waiting.
READS = frozenset(
    {
        *("actions", "authorize", "authorize_many", "bundle", "cedar", "check", "check_many", "desk", "domain_proof"),
        *("escalate_ticket", "explain", "export_lines", "login", "login_hosts", "measure", "open_ticket", "record", "reply_ticket"),
        *("revision", "stats", "verify_draw"),
    }
)
MAX_WORKERS = min(32, (os.cpu_count() or 1) + 4)

_pools: dict[str, ThreadPoolExecutor] = {}
# By engine: when the call began that was last refused because the store is locked, and how.
_refused: dict[int, tuple[float, StoreError]] = {}
_running: set[tuple[asyncio.AbstractEventLoop, _Call, Future[Any]]] = set()


def _pool(lane: str) -> ThreadPoolExecutor:
    found = _pools.get(lane)
    return found or _pools.setdefault(lane, ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix=f"sublet-{lane}"))


def _work(one: _Call, verb: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any], asked: float) -> Any:
    """Runs on a thread. A call that waited here as long as another waited for the lock waits no longer: waits do not add up."""
    engine, began = id(getattr(verb, "__self__", None)), time.monotonic()
    refused = _refused.get(engine)
    hurries = refused is not None and refused[0] >= asked
    if hurries:
        one.hurry()
    try:
        return one.run(verb, arguments, named)
    except StoreError as error:
        if error.code == "store.locked":
            _refused[engine] = (began, error)
        elif error.code == "store.interrupted" and hurries and refused is not None:
            raise _again(refused[1]) from None
        raise


def _again(error: StoreError) -> StoreError:
    copy = StoreError(*error.args)
    copy.code, copy.help, copy.faults = error.code, error.help, error.faults
    return copy


async def call(name: str, verb: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Awaits a verb that runs on a thread. A task that is cancelled ends the wait of its call."""
    one = _Call()
    work = contextvars.copy_context().run
    future = _pool("read" if name in READS else "write").submit(work, _work, one, verb, arguments, named, time.monotonic())
    entry = (asyncio.get_running_loop(), one, future)
    _running.add(entry)
    future.add_done_callback(lambda _: _running.discard(entry))
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        one.cancel()
        raise


def _forget() -> None:
    """Forgets the parent's threads, which a forked child lacks."""
    _pools.clear()
    _refused.clear()
    _running.clear()


def _end() -> None:
    """Ends the waits of calls that nobody awaits any more, so that the interpreter does not wait for their threads."""
    for loop, one, future in list(_running):
        if not loop.is_running():
            one.cancel()
            future.cancel()


os.register_at_fork(after_in_child=_forget)
# Before the interpreter waits for threads; `concurrent.futures` does the same.
getattr(threading, "_register_atexit", lambda _: None)(_end)
