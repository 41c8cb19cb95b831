"""Closes the logs when an interpreter ends.

`atexit` does it in most processes. Children of `multiprocessing` skip `atexit`.
"""

from __future__ import annotations

import atexit
import os
import sys
from types import ModuleType

from ._sublet import _close_logs, _keep_thread_state

_prepared_modules: list[ModuleType] = []
_closed_in: list[int] = []


def _close_all() -> None:
    """Closes the logs, once in each process: a spawned child calls this twice.

    If a log hangs in a handler of `logging`, that handler is removed, because `logging` would wait
    for it.
    """
    if os.getpid() in _closed_in:
        return
    _closed_in.append(os.getpid())
    logging = sys.modules.get("logging")
    if _close_logs() or logging is None:
        return
    for reference in list(logging._handlerList):
        lock = getattr(reference(), "lock", None)
        if lock is None:
            continue
        if lock.acquire(timeout=0.05):
            lock.release()
        else:
            logging._handlerList.remove(reference)


def _register_child() -> None:
    """Closes the logs when this process ends, if it is a child of `multiprocessing`."""
    from multiprocessing import process, util

    if process.parent_process() is not None:
        util.Finalize(None, _close_all, exitpriority=100)


def _prepare_fork() -> None:
    """Makes a child that `multiprocessing` forks register after the child clears its list."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and util not in _prepared_modules:
        _prepared_modules.append(util)
        util.register_after_fork(
            _close_all, lambda _: util.Finalize(None, _close_all, exitpriority=100)
        )


atexit.register(_close_all)
os.register_at_fork(before=_prepare_fork)
if sys.version_info[:2] == (3, 11):
    os.register_at_fork(after_in_child=_keep_thread_state)
# A child of a fork server and a spawned child import this module after they have started.
if "multiprocessing.util" in sys.modules:
    _register_child()
