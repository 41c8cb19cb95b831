"""The engine: one for the process and all its threads, on the store that both services share."""

import sublet

from . import clock
from .settings import STATE

# A worker must not begin with an empty directory: `python -m office.setup` makes the file.
_engine = sublet.Engine.open(store=f"sqlite:{STATE / 'sublet.db'}?create=no", clock=clock.manual)


def engine() -> sublet.Engine:
    """The engine, its clock set."""
    clock.follow()
    return _engine
