"""The nightly job of the worked example, when a night is missing, is killed, or runs twice."""

import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from agency import DASH, HERE, Agency, agency, good

OCTOBER = "/accounts/acme/statements/2026-10"


class Nights:
    """Two owners. One has two clients more than its package includes, the other has none."""

    def __init__(self, found: Agency) -> None:
        self.found = found
        self.acme = found.sign_up("acme", "agency", "app.acme.example")
        self.nova = found.sign_up("nova", "agency", "app.nova.example")
        for nth in range(12):
            self.create(nth)

    def create(self, nth: int) -> None:
        self.found.do(self.acme, DASH, {"do": "create_client", "id": f"c{nth}", "email": f"c{nth}@c.example"})

    def set_clock(self, at: str) -> None:
        good(self.found.office.ask(DASH, "POST", "/trying/clock", {"at": at}))

    def start_job(self) -> "subprocess.Popen[str]":
        """Starts the job as cron does, in a process of its own."""
        environment = {**os.environ, "AGENCY_STATE": str(self.found.state), "AGENCY_SECRET": "-", "AGENCY_TRYING": "1", "PYTHONPATH": str(HERE)}
        return subprocess.Popen([sys.executable, "-m", "office.nightly"], env=environment, stdout=subprocess.PIPE, text=True)

    def run(self) -> list[str]:
        job = self.start_job()
        said, _ = job.communicate(timeout=60)
        assert job.returncode == 0
        return said.splitlines()

    def mails(self) -> list[str]:
        """Returns the subjects of the mails to the owners about their bills, in order."""
        office = sqlite3.connect(self.found.state / "office.db")
        try:
            return [key for (key,) in office.execute("SELECT key FROM outbox WHERE key IS NOT NULL ORDER BY id")]
        finally:
            office.close()

    def statement(self, path: str = OCTOBER) -> Any:
        return good(self.found.office.ask(DASH, "GET", path, token=self.acme))


def test_owner_warned_after_implicit_close(tmp_path: Path) -> None:
    """A command of the owner closes the month before the job runs. The owner is still warned."""
    with agency(tmp_path, workers=2) as found:
        nights = Nights(found)
        nights.set_clock("2026-11-01T00:00:10Z")
        nights.create(12)
        assert nights.statement()["status"] == "closed" and nights.mails() == []
        assert nights.run() == ["nova 2026-10: closed, cents due: 0", "acme 2026-10: days of grace: 14, clients at risk: 2, owner warned"]
        assert nights.mails() == ["month_closed/acme/2026-10"]


def test_concurrent_nights_mail_once(tmp_path: Path) -> None:
    with agency(tmp_path, workers=2) as found:
        nights = Nights(found)
        for at in ("2026-11-01T02:00:00Z", "2026-11-15T02:00:00Z"):
            nights.set_clock(at)
            jobs = [nights.start_job() for _ in range(3)]
            assert [job.wait(timeout=60) for job in jobs] == [0, 0, 0]
        assert nights.mails() == ["month_closed/acme/2026-10", "month_settled/acme/2026-10"]
        assert len(nights.statement()["disabled"]) == 2


def test_killed_nights_lose_nothing(tmp_path: Path) -> None:
    """Jobs are killed at random instants. The next whole night makes up for all of them."""
    with agency(tmp_path, workers=2) as found:
        nights = Nights(found)
        for at in ("2026-11-01T02:00:00Z", "2026-11-15T02:00:00Z"):
            nights.set_clock(at)
            for _ in range(5):
                job = nights.start_job()
                time.sleep(random.uniform(0.1, 0.8))
                job.kill()
                job.communicate()
            nights.run()
        assert nights.mails() == ["month_closed/acme/2026-10", "month_settled/acme/2026-10"]
        assert len(nights.statement()["disabled"]) == 2
        assert good(found.office.ask(DASH, "GET", "/trying/verify"))["faults"] == []


def test_missed_nights_are_made_up(tmp_path: Path) -> None:
    """Nobody ran the job for two months. One run closes both and settles the first, and the second
    continues its draw. A closed owner does not stop the run."""
    with agency(tmp_path, workers=2) as found:
        nights = Nights(found)
        nights.set_clock("2026-12-05T02:00:00Z")
        found.do(nights.nova, DASH, {"do": "close", "account": "nova"})
        assert nights.run() == [
            "acme 2026-10: closed, cents due: 1000",
            "acme 2026-11: closed, cents due: 1000",
            "acme 2026-10: settled, clients disabled: 2",
            "acme 2026-11: days of grace: 10, clients at risk: 2, owner warned",
        ]
        assert nights.mails() == ["month_settled/acme/2026-10", "month_closed/acme/2026-11"]
        assert nights.statement("/accounts/acme/statements/2026-11")["at_risk"] == nights.statement()["disabled"]
        found.do(found.staff(), DASH, {"do": "erase_account", "account": "nova"}, reason="asked by letter")
        assert nights.run() == ["acme 2026-11: days of grace: 10, clients at risk: 2"]
