"""Before the services start: the policies, the store, the platform, its domain, and the first of its staff. `python -m office.setup`

It may be run again: what is there stays.
"""

import json
import os
import shutil
from pathlib import Path

import sublet

from . import clock, passwords
from .database import SCHEMA, database
from .settings import PLATFORM, POLICIES, STATE

SHIPPED = Path(__file__).resolve().parents[3] / "policies"
GRACE_DAYS = 14

STAFF = (("Operator", "olga"), ("Operator", "bill"))
FIRST = [
    {"type": "Platform", "id": PLATFORM[1]},
    {"type": "Domain", "id": "dash.marketingmaster.example", "kind": "platform", "state": "verified"},
    {"type": "Operator", "id": "olga", "email": "olga@marketingmaster.example", "roles": ["admin"]},
    {"type": "Operator", "id": "bill", "email": "bill@marketingmaster.example", "roles": ["billing"]},
]


def write_policies() -> None:
    """Writes the bundle: the shipped one, with days of grace. Yours is a folder of your repository."""
    shutil.rmtree(POLICIES, ignore_errors=True)
    shutil.copytree(SHIPPED, POLICIES, ignore=shutil.ignore_patterns("tests"))
    catalog = json.loads((SHIPPED / "catalog.json").read_text())
    (POLICIES / "catalog.json").write_text(json.dumps({**catalog, "grace_days": GRACE_DAYS}))


def main() -> None:
    write_policies()
    database().executescript(SCHEMA)
    engine = sublet.Engine.open(POLICIES, store=f"sqlite:{STATE / 'sublet.db'}", clock=clock.manual)
    if engine.seed("\n".join(json.dumps(record) for record in FIRST)):
        for login in STAFF:
            passwords.put(login, os.environ["AGENCY_STAFF_PASSWORD"])


if __name__ == "__main__":
    STATE.mkdir(parents=True, exist_ok=True)
    main()
