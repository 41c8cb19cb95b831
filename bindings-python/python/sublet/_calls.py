"""Runs the calls of `AsyncEngine` on a few threads of Sublet. A forked child starts them again."""

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
        *("domain_proof", "hosts_of", "permitted_actions", "route_ticket"),
        *("escalate_ticket", "explain", "export_lines", "login", "login_hosts", "enable_metrics"),
        *("open_ticket", "get_record", "list_records", "reply_ticket", "revision", "metrics", "verify_draw"),
    }
)
MAX_WORKERS = min(32, (os.cpu_count() or 1) + 4)

R = TypeVar("R")

_pools: dict[str, ThreadPoolExecutor] = {}
# The last call of each engine that failed with `store.locked`: when it started, and its error.
_lock_failures: dict[int, tuple[float, StoreError]] = {}
_running: set[tuple[asyncio.AbstractEventLoop, _Call, Future[Any]]] = set()


def _get_pool(name: str) -> ThreadPoolExecutor:
    """Returns the pool of reads or of writes, and starts it at its first use."""
    pool = _pools.get(name)
    return pool or _pools.setdefault(
        name, ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix=f"sublet-{name}")
    )


def _run(
    native: _Call,
    method: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    queued_at: float,
) -> Any:
    """Runs a call on a thread.

    A call does not wait for the lock if another call failed to get it while this one was queued. So
    the waits of calls do not add up.
    """
    engine, started_at = id(getattr(method, "__self__", None)), time.monotonic()
    failure = _lock_failures.get(engine)
    if failure is not None and failure[0] < queued_at:
        failure = None
    if failure is not None:
        native.skip_waits()
    try:
        return native.run(method, args, kwargs)
    except StoreError as error:
        if error.code == "store.locked":
            _lock_failures[engine] = (started_at, error)
        elif error.code == "store.interrupted" and failure is not None:
            raise _copy(failure[1]) from None
        raise


def _copy(error: StoreError) -> StoreError:
    copy = StoreError(*error.args)
    copy.code, copy.help, copy.faults = error.code, error.help, error.faults
    return copy


async def call(
    name: str, method: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> R:
    """Awaits a method that runs on a thread. A cancelled task ends the wait of its call."""
    native = _Call()
    context = contextvars.copy_context()
    pool = _get_pool("read" if name in READS else "write")
    future = pool.submit(context.run, _run, native, method, args, kwargs, time.monotonic())
    entry = (asyncio.get_running_loop(), native, future)
    _running.add(entry)
    future.add_done_callback(lambda _: _running.discard(entry))
    try:
        result: R = await asyncio.wrap_future(future)
        return result
    except asyncio.CancelledError:
        native.cancel()
        raise


def _reset_after_fork() -> None:
    """Forgets the threads of the parent, which a forked child does not have."""
    _pools.clear()
    _lock_failures.clear()
    _running.clear()


def _cancel_at_exit() -> None:
    """Cancels the calls whose event loop has ended: the interpreter must not wait for them."""
    for loop, native, future in list(_running):
        if not loop.is_running():
            native.cancel()
            future.cancel()


os.register_at_fork(after_in_child=_reset_after_fork)
# Runs before the interpreter waits for threads, as in `concurrent.futures`.
getattr(threading, "_register_atexit", lambda _: None)(_cancel_at_exit)
