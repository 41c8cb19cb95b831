"""The clock: the computer's; while trying out one that is set by hand, since a month must pass in seconds.

All processes of both services must agree on the time, so the instant stands in a file that each reads before it asks. The store never goes back before
the latest instant that any process has seen: whoever sets the clock lets the store accept it first, and only then tells the others.
"""

import os
from datetime import datetime, timezone

import sublet

from .settings import STATE, TRYING

FILE = STATE / "clock"

manual = sublet.ManualClock(FILE.read_text()) if TRYING else None


def follow() -> None:
    """Sets this process's clock by the file."""
    if manual is not None:
        manual.set(FILE.read_text())


def now() -> str:
    """The present instant, by the clock that Sublet goes by."""
    follow()
    return datetime.now(timezone.utc).isoformat() if manual is None else manual.now()


def put(at: str, engine: sublet.Engine) -> None:
    """Sets everybody's clock."""
    assert manual is not None
    manual.set(at)
    engine.accept_clock()
    write(at)


def write(at: str) -> None:
    """All or nothing: a reader finds the old instant or the new one."""
    new = FILE.with_suffix(f".{os.getpid()}")
    new.write_text(at)
    new.replace(FILE)
