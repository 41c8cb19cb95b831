"""Before the services start: the store, the platform, its domain, and the first of its staff. `python -m office.setup`

It may be run again: what is there stays.
"""

import json
import os

import sublet

from . import clock, passwords
from .database import SCHEMA, database
from .settings import PLATFORM, STATE

STAFF = ("Operator", "olga")
FIRST = [
    {"type": "Platform", "id": PLATFORM[1]},
    {"type": "Domain", "id": "dash.marketingmaster.example", "kind": "platform", "state": "verified"},
    {"type": "Operator", "id": STAFF[1], "email": "olga@marketingmaster.example", "roles": ["admin"]},
]


def main() -> None:
    database().executescript(SCHEMA)
    engine = sublet.Engine.open(store=f"sqlite:{STATE / 'sublet.db'}", clock=clock.manual)
    if engine.seed("\n".join(json.dumps(record) for record in FIRST)):
        passwords.put(STAFF, os.environ["AGENCY_STAFF_PASSWORD"])


if __name__ == "__main__":
    STATE.mkdir(parents=True, exist_ok=True)
    main()
