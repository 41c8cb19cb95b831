"""The worked example under load: two services with four workers each. One of the eight workers is
killed every second."""

import http.client
import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sublet
from agency import DASH, Agency, Service, agency, good

SECONDS = float(os.environ.get("SUBLET_LOAD_SECONDS", "10"))
CALLERS, WORKERS = 8, 4
START = "2026-10-01T08:00:00Z"
HOST = "app.acme.example"
BROKEN = (OSError, http.client.HTTPException)
"""The errors that a caller gets from a killed worker."""

LIMITS = {"bakery": 1_000_000_000, "cafe": 1_000_000_000, "dentist": 400}


@dataclass
class Tally:
    """The answers that one caller received."""

    sent: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    """Account or member, amount and operation of each key."""
    refused: list[tuple[str, str, int]] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    wrong: list[Any] = field(default_factory=list)


class Caller:
    """Repeats a request until it is answered. After a broken connection it sends the request again
    with its key, to any service that can answer it."""

    def __init__(self, found: Agency, nth: int, tokens: dict[str, str]) -> None:
        self.found, self.nth, self.tokens = found, nth, tokens
        self.random, self.tally, self.step = random.Random(nth), Tally(), 0

    def ask(self, services: list[Service], host: str, verb: str, paths: list[str], bodies: list[Any], who: str | None, key: str | None = None) -> tuple[int, Any]:
        until = time.monotonic() + 60
        while True:
            at = self.random.randrange(len(services))
            try:
                return services[at].ask(host, verb, paths[at], bodies[at], token=who and self.tokens[who], key=key, timeout=5)
            except BROKEN:
                self.tally.broken += 1
                assert time.monotonic() < until, "no answer in a minute"
                time.sleep(0.02)

    def check(self, what: Any, right: bool) -> None:
        if not right:
            self.tally.wrong.append((self.nth, self.step, what))

    def send(self) -> None:
        """Sends a campaign at one of the two services. If its worker dies, the retry may reach the
        other service."""
        account = self.random.choice(list(LIMITS))
        who = "dan" if account == "bakery" and self.random.random() < 0.3 else account
        amount, key = self.random.randint(1, 5), f"{self.nth}-{self.step}"
        paths = [f"/accounts/{account}/campaigns/spring/send", f"/accounts/{account}/campaigns/spring/try"]
        asked = ([self.found.mailer, self.found.office], HOST, "POST", paths, [{"recipients": amount}, {"copies": amount}], who, key)
        status, said = self.ask(*asked)
        self.tally.codes[said.get("code", str(said))] += 1
        if status == 200:
            self.tally.sent[key] = (who, amount, said["operation"])
            if self.random.random() < 0.1:
                again = good(self.ask(*asked))
                self.check(("a retry", said, again), again["replayed"] and again["operation"] == said["operation"])
        else:
            self.check(said, status == 403 and said["code"] in ("quota_exceeded", "member_quota_exceeded"))
            self.tally.refused.append((said["code"], account, amount))

    def broadcast(self) -> None:
        """Reserves, delivers and commits a text message. One in three addresses bounces."""
        recipients, key = [self.random.choice(["ann", "ben", "bounce"]) for _ in range(self.random.randint(1, 6))], f"{self.nth}-{self.step}"
        status, said = self.ask([self.found.mailer], HOST, "POST", ["/accounts/cafe/broadcasts/news/send"], [{"recipients": recipients}], "cafe", key)
        wanted = sum(address != "bounce" for address in recipients)
        self.check(said, status == 200 and said["sent"] == wanted)
        self.tally.sent[key] = ("cafe", wanted, said["operation"])

    def create(self) -> None:
        """Creates a client. The other service knows the client at once."""
        name = f"new-{self.nth}-{self.step}"
        order = {"do": "create_client", "id": name, "email": f"{name}@new.example"}
        self.check(name, self.ask([self.found.office], DASH, "POST", ["/commands"], [order], "acme", name)[0] == 200)
        self.tally.created.append(name)
        status, said = self.ask([self.found.mailer], HOST, "GET", [f"/pages/{name}/home"], [None], None)
        self.check(said, (status, said) == (403, {"code": "email_unconfirmed"}))

    def forbidden(self) -> None:
        """Sends requests that must be denied at any time."""
        path, host, who, code = self.random.choice([
            ("/accounts/cafe/campaigns/spring/send", HOST, "bakery", "other_account"),
            ("/accounts/bakery/campaigns/spring/send", HOST, "acme", "other_account"),
            ("/accounts/bakery/campaigns/spring/send", DASH, "bakery", "domain_platform_forbidden"),
            ("/accounts/bakery/campaigns/spring/send", "app.nova.example", "dan", "domain_unknown"),
            ("/accounts/cafe/campaigns/spring/send", HOST, "eve", "feature_not_granted"),
        ])
        status, said = self.ask([self.found.mailer], host, "POST", [path], [{"recipients": 1}], who, f"{self.nth}-{self.step}")
        self.check((said, code), (status, said) == (403, {"code": code}))

    def run(self, until: float) -> None:
        try:
            while time.monotonic() < until:
                self.step += 1
                self.random.choices([self.send, self.broadcast, self.forbidden, self.create], [70, 15, 12, 3])[0]()
        except BaseException as error:
            self.tally.wrong.append((self.nth, self.step, repr(error)))


def people(found: Agency) -> dict[str, str]:
    """Returns the owner, three clients and two of their members, each with a session."""
    tokens = {"acme": found.sign_up("acme", "agency", HOST)}
    for name, limit in LIMITS.items():
        order = {"do": "create_client", "id": name, "email": f"hello@{name}.example", "limits": {"emails": limit}}
        found.do(tokens["acme"], DASH, order)
        tokens[name] = found.confirm(HOST, name, f"hello@{name}.example", name)
    for member, account, grants in (("dan", "bakery", ["campaigns"]), ("eve", "cafe", ["contacts"])):
        order = {"do": "invite_member", "id": member, "email": f"{member}@{account}.example", "grants": grants, "sub_limits": {"emails": 150}}
        found.do(tokens[account], HOST, order)
        tokens[member] = found.join(HOST, member, f"{member}@{account}.example", member)
    return tokens


def kill(found: Agency, until: float) -> list[int]:
    """Kills one worker every second, of each service in turn. The supervisor starts another."""
    killed: list[int] = []
    while time.monotonic() < until:
        began = time.monotonic()
        workers = found.workers()[len(killed) % 2]
        if len(workers) > WORKERS // 2:
            killed.append(random.choice(workers))
            os.kill(killed[-1], signal.SIGKILL)
        time.sleep(max(0.0, began + 1 - time.monotonic()))
    return killed


def counted(found: Agency) -> list[int]:
    """Returns the number of workers after the killed ones were replaced."""
    until = time.monotonic() + 60
    while (count := [len(workers) for workers in found.workers()]) != [WORKERS, WORKERS] and time.monotonic() < until:
        time.sleep(0.1)
    return count


def used(engine: sublet.Engine, account: str, member: str | None = None) -> int:
    meter = engine.usage(account, meter="emails", member=member)[0]
    assert meter["held"] == 0
    part = meter["member"]
    return meter["used"] if part is None else part["used"]


def test_counts_survive_killed_workers(tmp_path: Path) -> None:
    with agency(tmp_path, workers=WORKERS, start=START) as found:
        tokens = people(found)
        until = time.monotonic() + SECONDS
        callers = [Caller(found, nth, tokens) for nth in range(CALLERS)]
        threads = [threading.Thread(target=caller.run, args=(until,)) for caller in callers]
        for thread in threads:
            thread.start()
        killed = kill(found, until)
        for thread in threads:
            thread.join()
        assert counted(found) == [WORKERS, WORKERS]
        tallies = [caller.tally for caller in callers]
        said = f"{sum(caller.step for caller in callers)} asked, {sum(len(t.sent) for t in tallies)} sent, {sum(t.broken for t in tallies)} broken, {len(killed)} killed"
        print(said)
        assert [wrong for tally in tallies for wrong in tally.wrong] == [], said
        assert len(killed) == len(set(killed)) > SECONDS / 2, said
        check_totals(tmp_path, tallies)


def check_totals(state: Path, tallies: list[Tally]) -> None:
    """Reads the usage of the store in a separate process."""
    engine = sublet.Engine.open(state / "policies", store=f"sqlite:{state / 'sublet.db'}?create=no", clock=sublet.ManualClock(START))
    sent = [one for tally in tallies for one in tally.sent.values()]
    assert len({operation for _, _, operation in sent}) == len(sent), "an operation was acknowledged to two callers"
    by: Counter[str] = Counter()
    for who, amount, _ in sent:
        by[who] += amount
    assert (used(engine, "bakery"), used(engine, "cafe"), used(engine, "dentist")) == (by["bakery"] + by["dan"], by["cafe"], by["dentist"])
    assert used(engine, "bakery", "dan") == by["dan"] <= 150
    assert by["dentist"] <= LIMITS["dentist"]
    for code, account, amount in (one for tally in tallies for one in tally.refused):
        # Usage only grows, so an amount that exceeded the limit then exceeds it now.
        full = by["dan"] + amount > 150 if code == "member_quota_exceeded" else account == "dentist" and by["dentist"] + amount > LIMITS["dentist"]
        assert full, (code, account, amount)
    created = [name for tally in tallies for name in tally.created]
    assert engine.usage("acme", meter="client_accounts")[0]["used"] == len(LIMITS) + len(created)
    assert all(engine.get_record(("Account", name)) for name in created)
    assert engine.verify()["faults"] == []
