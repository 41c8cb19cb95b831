"""Starts both services of `examples/agency` for a test, and calls them over HTTP."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[2] / "examples" / "agency"
DASH = "dash.marketingmaster.example"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass(frozen=True)
class Service:
    port: int

    def ask(
        self,
        host: str,
        verb: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        api_key: str | None = None,
        key: str | None = None,
        reason: str | None = None,
        timeout: float = 30,
    ) -> tuple[int, Any]:
        """Sends one request on its own connection. Returns the status and the JSON body."""
        said = {"Authorization": token and f"Bearer {token}", "X-Api-Key": api_key, "Idempotency-Key": key, "X-Reason": reason, "Content-Type": body and "application/json"}
        headers = {"Host": host, **{name: value for name, value in said.items() if value}}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(verb, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def wait(self) -> None:
        for _ in range(600):
            try:
                self.ask("localhost", "GET", "/health", timeout=5)
                return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError(f"nobody listens on port {self.port}")


@dataclass(frozen=True)
class Agency:
    state: Path
    office: Service
    mailer: Service
    running: int
    """The process of `run.sh`."""

    def workers(self) -> list[list[int]]:
        """Returns the serving processes of the office and of the mailer."""
        table = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True).stdout
        rows = [(int(row[0]), int(row[1]), row[2]) for row in (line.split(None, 2) for line in table.splitlines()) if len(row) == 3]
        found = [next((pid for pid, parent, command in rows if parent == self.running and name in command), -1) for name in ("office.main", "main.mjs")]
        # A process that was just forked does not serve yet.
        names = ("office.app:app", "main.mjs")
        return [[pid for pid, parent, command in rows if parent == of and name in command] for of, name in zip(found, names, strict=True)]

    def log_in(self, host: str, email: str, password: str) -> str:
        """Logs in and returns the session token."""
        return str(good(self.office.ask(host, "POST", "/login", {"email": email, "password": password}))["token"])

    def staff(self) -> str:
        return self.log_in(DASH, "olga@marketingmaster.example", "let-me-in")

    def do(self, token: str, host: str, command: dict[str, Any], **more: Any) -> Any:
        """Performs a command that must be allowed."""
        return good(self.office.ask(host, "POST", "/commands", command, token=token, **more))

    def mail(self, recipient: str) -> str:
        """Returns the token of the last mail to an address."""
        return str(good(self.office.ask(DASH, "GET", f"/trying/mail/{recipient}"))["token"])

    def confirm(self, host: str, account: str, email: str, password: str) -> str:
        """Confirms the e-mail with the token of the mail. Returns a session token."""
        said = {"account": account, "token": self.mail(email), "password": password}
        return str(good(self.office.ask(host, "POST", "/confirm", said))["token"])

    def join(self, host: str, member: str, email: str, password: str) -> str:
        """Accepts the invitation of a member. Returns a session token."""
        return str(good(self.office.ask(host, "POST", "/join", {"member": member, "token": self.mail(email), "password": password}))["token"])

    def sign_up(self, owner: str, package: str, domain: str) -> str:
        """Creates a main account with a verified domain. Returns its session token."""
        email = f"owner@{owner}.example"
        order = {"do": "create_account", "id": owner, "email": email, "package": package}
        self.do(self.staff(), DASH, order, reason="signed the contract")
        token = self.confirm(DASH, owner, email, f"{owner}'s")
        self.do(token, DASH, {"do": "add_domain", "domain": domain})
        proof = good(self.office.ask(DASH, "GET", f"/domains/{domain}/proof", token=token))["txt"]
        zone = self.state / "dns.json"
        zone.write_text(json.dumps({**(json.loads(zone.read_text()) if zone.exists() else {}), domain: ["v=spf1 -all", proof]}))
        self.do(token, DASH, {"do": "verify_domain", "domain": domain})
        return token


def good(answer: tuple[int, Any]) -> Any:
    """Returns the JSON body of an answer with status 200."""
    assert answer[0] == 200, answer
    return answer[1]


@contextmanager
def agency(state: Path, workers: int, start: str = "2026-10-01T08:00:00Z") -> Iterator[Agency]:
    """Runs both services on an empty state, as `make example` does."""
    office, mailer = Service(free_port()), Service(free_port())
    environment = {
        **os.environ,
        "PYTHON": sys.executable,
        "AGENCY_STATE": str(state),
        "AGENCY_START": start,
        "AGENCY_WORKERS": str(workers),
        "AGENCY_STAFF_PASSWORD": "let-me-in",
        "AGENCY_OFFICE_PORT": str(office.port),
        "AGENCY_MAILER_PORT": str(mailer.port),
    }
    log = state / "log"
    with log.open("w") as said, subprocess.Popen([str(HERE / "run.sh")], env=environment, stdout=said, stderr=said) as running:
        try:
            office.wait()
            mailer.wait()
            yield Agency(state, office, mailer, running.pid)
        except BaseException:
            print(log.read_text())
            raise
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(timeout=30)
