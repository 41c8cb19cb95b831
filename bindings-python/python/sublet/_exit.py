"""Closes the logs when an interpreter ends: by `atexit`, and in children of `multiprocessing`, which skip `atexit`."""

from __future__ import annotations

import atexit
import os
import sys
from types import ModuleType

from ._sublet import _close_logs

_told: list[ModuleType] = []
_ended: list[int] = []


def _end() -> None:
    """Closes the logs. A handler of `logging` that one of them hangs in is left out when `logging` waits for its handlers. A spawned child comes here twice."""
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
    """Registers the end of this process, if it is a child of `multiprocessing`; once."""
    from multiprocessing import process, util

    if process.parent_process() is not None:
        util.Finalize(None, _end, exitpriority=100)


def _before_fork() -> None:
    """Has a child that `multiprocessing` forks register its end. Its own list of ends is emptied when it begins."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and util not in _told:
        _told.append(util)
        util.register_after_fork(_end, lambda _: util.Finalize(None, _end, exitpriority=100))


atexit.register(_end)
os.register_at_fork(before=_before_fork)
# A child of a fork server, or a spawned one, imports this module after it has begun.
if "multiprocessing.util" in sys.modules:
    _watch()
