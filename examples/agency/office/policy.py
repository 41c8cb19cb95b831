"""The engine: one for the process and all its threads, on the store that both services share."""

import sublet

from . import clock
from .settings import POLICIES, STATE

# A worker must not begin with an empty directory: `python -m office.setup` makes the file.
_engine = sublet.Engine.open(POLICIES, store=f"sqlite:{STATE / 'sublet.db'}?create=no", clock=clock.manual)


def engine() -> sublet.Engine:
    """The engine, its clock set."""
    clock.follow()
    return _engine


def account_of(login: tuple[str, str]) -> str:
    """The account that a login works in: a member's, or its own."""
    record = engine().get_record(login) or {}
    return str(record.get("account", login[1]))
