"""Runs the calls of `AsyncEngine` on a few threads of Sublet, which a forked child starts again."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ._sublet import StoreError, _Call

__all__ = ["call"]

# Methods that never wait for the store's lock. They have threads of their own, so that calls that
# wait for the lock do not delay them.
READS = frozenset(
    {
        *("authorize", "authorize_many", "bundle", "cedar", "check", "check_many"),
        *("domain_proof", "permitted_actions", "route_ticket"),
        *("escalate_ticket", "explain", "export_lines", "login", "login_hosts", "enable_metrics"),
        *("open_ticket", "get_record", "reply_ticket", "revision", "metrics", "verify_draw"),
    }
)
MAX_WORKERS = min(32, (os.cpu_count() or 1) + 4)

R = TypeVar("R")

_pools: dict[str, ThreadPoolExecutor] = {}
# The last call of each engine that failed with `store.locked`: when it started, and its error.
_refused: dict[int, tuple[float, StoreError]] = {}
_running: set[tuple[asyncio.AbstractEventLoop, _Call, Future[Any]]] = set()


def _pool(lane: str) -> ThreadPoolExecutor:
    found = _pools.get(lane)
    return found or _pools.setdefault(lane, ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix=f"sublet-{lane}"))


def _work(
    one: _Call, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], queued: float
) -> Any:
    """Runs a call on a thread.

    A call does not wait for the lock if another call failed to get it while this one was queued. So
    the waits of calls do not add up.
    """
    engine, began = id(getattr(method, "__self__", None)), time.monotonic()
    refused = _refused.get(engine)
    hurries = refused is not None and refused[0] >= queued
    if hurries:
        one.hurry()
    try:
        return one.run(method, args, kwargs)
    except StoreError as error:
        if error.code == "store.locked":
            _refused[engine] = (began, error)
        elif error.code == "store.interrupted" and hurries and refused is not None:
            raise _copy(refused[1]) from None
        raise


def _copy(error: StoreError) -> StoreError:
    copy = StoreError(*error.args)
    copy.code, copy.help, copy.faults = error.code, error.help, error.faults
    return copy


async def call(
    name: str, method: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> R:
    """Awaits a method that runs on a thread. A cancelled task ends the wait of its call."""
    one = _Call()
    run = contextvars.copy_context().run
    pool = _pool("read" if name in READS else "write")
    future = pool.submit(run, _work, one, method, args, kwargs, time.monotonic())
    entry = (asyncio.get_running_loop(), one, future)
    _running.add(entry)
    future.add_done_callback(lambda _: _running.discard(entry))
    try:
        result: R = await asyncio.wrap_future(future)
        return result
    except asyncio.CancelledError:
        one.cancel()
        raise


def _forget() -> None:
    """Forgets the threads of the parent, which a forked child does not have."""
    _pools.clear()
    _refused.clear()
    _running.clear()


def _end() -> None:
    """Ends the waits of calls without an event loop, so that the interpreter does not wait for them."""
    for loop, one, future in list(_running):
        if not loop.is_running():
            one.cancel()
            future.cancel()


os.register_at_fork(after_in_child=_forget)
# Runs before the interpreter waits for threads, as in `concurrent.futures`.
getattr(threading, "_register_atexit", lambda _: None)(_end)
