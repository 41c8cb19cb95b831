"""Closes the logs when an interpreter ends.

`atexit` does it in most processes. Children of `multiprocessing` skip `atexit`.
"""

from __future__ import annotations

import atexit
import os
import sys
from types import ModuleType

from ._sublet import _close_logs

_prepared: list[ModuleType] = []
_ended: list[int] = []


def _end() -> None:
    """Closes the logs, once in each process: a spawned child calls this twice.

    If a log hangs in a handler of `logging`, that handler is removed, because `logging` would wait
    for it.
    """
    if os.getpid() in _ended:
        return
    _ended.append(os.getpid())
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


def _watch() -> None:
    """Registers the end of this process if it is a child of `multiprocessing`."""
    from multiprocessing import process, util

    if process.parent_process() is not None:
        util.Finalize(None, _end, exitpriority=100)


def _before_fork() -> None:
    """Makes a child that `multiprocessing` forks register its end after the child clears its list."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and util not in _prepared:
        _prepared.append(util)
        util.register_after_fork(_end, lambda _: util.Finalize(None, _end, exitpriority=100))


atexit.register(_end)
os.register_at_fork(before=_before_fork)
# A child of a fork server and a spawned child import this module after they have started.
if "multiprocessing.util" in sys.modules:
    _watch()
