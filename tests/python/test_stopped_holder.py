"""Every method of the engine, of its asyncio form and of the command, while the process that holds
the write lock stands still."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sublet
from conftest import stopped_holder

pytestmark = pytest.mark.alone

TRIES = int(os.environ.get("SUBLET_STOPS", "1"))
BOUND = 0.3
# Extra time for a busy machine.
MARGIN = 0.7
AGENCY = Path(__file__).parents[2] / "policies/tests/agency.jsonl"
HOST = "dash.marketingmaster.example"
ACME = ("Account", "acme")
TICKET: Any = {"type": "Ticket", "id": "t", "account": "bakery", "attributes": {"desk": "owner"}}
SEND: Any = {"principal": ACME, "action": "campaign.send", "resource": ("Campaign", "k", "acme"), "host": HOST}
READ: Any = {"principal": ACME, "action": "campaign.read", "resource": ("Campaign", "k", "acme"), "host": HOST}
KEEP: Any = {"principal": ACME, "action": "contact.create", "resource": ("Contact", "c", "acme"), "host": HOST}


class Opened:
    """Opens a store in which each method has an effect."""

    def __init__(self, file: Path) -> None:
        self.file, self.clock = file, sublet.ManualClock("2026-01-10T12:00:00Z")
        self.store = f"sqlite:{file}?lock_timeout={int(BOUND * 1000)}"
        begun = time.monotonic()
        self.engine = sublet.Engine.open(store=self.store, clock=self.clock)
        self.loading = 2 * (time.monotonic() - begun)
        self.engine.import_lines(AGENCY)
        self.engine.top_up("acme", "emails", 100, idempotency_key="bought")
        self.taken = self.engine.consume(**SEND, amount=5).operation or 0
        self.clock.set("2026-02-10T12:00:00Z")
        self.payment = self.engine.record_payment("acme", "2026-01", 1)["payment"]
        self.held = [self.engine.reserve(**SEND, amount=1, ttl=3_600_000).operation or 0 for _ in range(2)]


Verb = Callable[[Opened, Any], Any]

# The methods of the engine, or of its asyncio form, that use the store.
VERBS: dict[str, Verb] = {
    "accept_clock": lambda at, engine: engine.accept_clock(),
    "permitted_actions": lambda at, engine: engine.permitted_actions(ACME, ACME, host=HOST),
    "increase_stock": lambda at, engine: engine.increase_stock(**KEEP, amount=1),
    "authorize": lambda at, engine: engine.authorize(**SEND, amount=1),
    "authorize_many": lambda at, engine: engine.authorize_many([READ]),
    "batch": lambda at, engine: engine.batch([SEND]),
    "carry_over": lambda at, engine: engine.carry_over("acme", "emails", 1),
    "apply_changes": lambda at, engine: engine.apply_changes(merge=[{"type": "Account", "id": "acme", "anchor": "2026-01-05"}]),
    "check": lambda at, engine: engine.check(**SEND, amount=1),
    "check_many": lambda at, engine: engine.check_many([READ]),
    "commit": lambda at, engine: engine.commit(at.held[0]),
    "consume": lambda at, engine: engine.consume(**SEND),
    "route_ticket": lambda at, engine: engine.route_ticket(ACME, ACME, host=HOST),
    "hosts_of": lambda at, engine: engine.hosts_of("acme"),
    "domain_proof": lambda at, engine: engine.domain_proof("app.acme.example"),
    "escalate_ticket": lambda at, engine: engine.escalate_ticket(ACME, TICKET, host=HOST),
    "explain": lambda at, engine: engine.explain(**SEND, amount=1),
    "export_lines": lambda at, engine: engine.export_lines(),
    "reset_counts": lambda at, engine: engine.reset_counts(),
    "history": lambda at, engine: engine.history("acme"),
    "import_lines": lambda at, engine: engine.import_lines(AGENCY),
    "login": lambda at, engine: engine.login(HOST, "owner@acme.example"),
    "login_hosts": lambda at, engine: engine.login_hosts(ACME),
    "login_by_key": lambda at, engine: engine.login_by_key(HOST, "none"),
    "list_records": lambda at, engine: engine.list_records("clients", "acme"),
    "export_account": lambda at, engine: engine.export_account("acme"),
    "open_ticket": lambda at, engine: engine.open_ticket(ACME, ACME, host=HOST),
    "perform": lambda at, engine: engine.perform(ACME, {"do": "create_level", "id": "level", "features": ["campaigns"]}, host=HOST),
    "preview_statement": lambda at, engine: engine.preview_statement("acme"),
    "get_record": lambda at, engine: engine.get_record(ACME),
    "record_payment": lambda at, engine: engine.record_payment("acme", "2026-01", 1),
    "refund": lambda at, engine: engine.refund(at.taken, 1),
    "release": lambda at, engine: engine.release(at.held[1]),
    "reload": lambda at, engine: engine.reload(),
    "reply_ticket": lambda at, engine: engine.reply_ticket(ACME, TICKET, host=HOST),
    "reserve": lambda at, engine: engine.reserve(**SEND, amount=1),
    "reverse_payment": lambda at, engine: engine.reverse_payment(at.payment),
    "revoke_top_up": lambda at, engine: engine.revoke_top_up("acme", "bought"),
    "seed": lambda at, engine: engine.seed(AGENCY),
    "set_stock": lambda at, engine: engine.set_stock(**KEEP, amount=1),
    "close_month": lambda at, engine: engine.close_month("acme", "2026-01"),
    "close_due": lambda at, engine: engine.close_due(10),
    "settle_overage": lambda at, engine: engine.settle_overage("acme", "2026-01"),
    "statement": lambda at, engine: engine.statement("acme", "2026-01"),
    "decrease_stock": lambda at, engine: engine.decrease_stock(**KEEP, amount=1),
    "top_up": lambda at, engine: engine.top_up("acme", "emails", 1),
    "usage": lambda at, engine: engine.usage("acme"),
    "verify": lambda at, engine: engine.verify(),
}
# Methods that use no store: handles, settings, metrics, logs. Plain Cedar programs have no store.
OTHERS = {"account", "action", "bundle", "cedar", "enable_metrics", "host", "metrics", "open", "principal", "reload_cedar", "resource_type", "revision", "subscribe", "verify_draw"}
# This method is for stores in memory, and is refused at once.
REFUSED = {"reset_counts": "store.verb"}


def test_every_method_is_tried() -> None:
    for kind in (sublet.Engine, sublet.AsyncEngine):
        public = {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}
        assert public - OTHERS - set(VERBS) <= {"engine", "close"}, public - OTHERS - set(VERBS)


def time_call(call: Callable[[], object]) -> tuple[str, float]:
    begun = time.monotonic()
    try:
        call()
        code = "answered"
    except sublet.SubletError as error:
        code = error.code
    return code, time.monotonic() - begun


def check_outcome(verb: str, code: str, took: float, slack: float = 0.0) -> None:
    assert code in {"answered", "store.locked"} or code.startswith(REFUSED.get(verb, "none")), f"{verb}: {code}"
    assert took < BOUND + MARGIN + slack, f"{verb} took {took:.2f} s"


def test_each_method_answers_or_reports_the_lock(tmp_path: Path) -> None:
    """The error is `store.locked`."""
    at = Opened(tmp_path / "sublet.db")
    codes: dict[str, set[str]] = {verb: set() for verb in VERBS}
    with stopped_holder(at.file):
        for _ in range(TRIES):
            for verb, call in VERBS.items():
                code, took = time_call(lambda call=call: call(at, at.engine))  # type: ignore[misc]
                check_outcome(verb, code, took, at.loading if verb == "reload" else 0)
                codes[verb].add(code)
            code, took = time_call(lambda: sublet.Engine.open(store=at.store, clock=at.clock))
            check_outcome("open", code, took, at.loading)
    # The lock is free again, so each method works.
    for verb, call in VERBS.items():
        code, _ = time_call(lambda call=call: call(at, at.engine))  # type: ignore[misc]
        assert code == "answered" or code.startswith(REFUSED.get(verb, "none")), f"{verb}: {code}"
    assert {"store.locked"} == codes["consume"] and {"answered"} == codes["check"] == codes["usage"]
    assert at.engine.verify()["faults"] == []


def test_each_async_method_can_be_cancelled(tmp_path: Path) -> None:
    at = Opened(tmp_path / "sublet.db")

    async def main() -> None:
        one = sublet.AsyncEngine(at.engine)
        for _ in range(TRIES):
            for verb, call in VERBS.items():
                begun = time.monotonic()
                try:
                    await call(at, one)
                    code = "answered"
                except sublet.SubletError as error:
                    code = error.code
                check_outcome(verb, code, time.monotonic() - begun, at.loading if verb == "reload" else 0)
                task = asyncio.ensure_future(call(at, one))
                await asyncio.sleep(0.05)
                begun = time.monotonic()
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, sublet.SubletError):
                    await task
                assert time.monotonic() - begun < 0.3, verb

    with stopped_holder(at.file):
        asyncio.run(main())


def test_each_method_handles_a_signal(tmp_path: Path) -> None:
    number = signal.SIGTERM
    at = Opened(tmp_path / "sublet.db")
    seen: list[float] = []

    def handler(*_: object) -> None:
        seen.append(time.monotonic())
        raise InterruptedError

    before = signal.signal(number, handler)
    try:
        with stopped_holder(at.file):
            for verb, call in list(VERBS.items()) * TRIES:
                seen.clear()
                sent = time.monotonic() + 0.05
                # A timer of the system, because it needs no other thread of Python.
                with subprocess.Popen(["sh", "-c", f"sleep 0.05; kill -{number.value} {os.getpid()}"]) as killer:
                    with contextlib.suppress(InterruptedError, sublet.SubletError):
                        call(at, at.engine)
                        killer.wait()
                    with contextlib.suppress(InterruptedError):
                        killer.wait()
                        time.sleep(0.001)
                # Loading a bundle is work, not a wait. It is completed before the handler runs.
                assert len(seen) == 1 and seen[0] - sent < 0.3 + (at.loading if verb == "reload" else 0), verb
    finally:
        signal.signal(number, before)


COMMANDS: dict[str, list[str]] = {
    "usage": ["{store}", "acme"],
    "inspect": ["{store}", "acme"],
    "verify": ["{store}"],
    "accept-clock": ["{store}"],
    "import": ["{store}", str(AGENCY)],
    "seed": ["{store}", str(AGENCY)],
    "export": ["{store}"],
}


def test_each_cli_command_ends_in_time(tmp_path: Path) -> None:
    file = tmp_path / "sublet.db"
    sublet.Engine.open(store=f"sqlite:{file}").import_lines(AGENCY)
    store = f"sqlite:{file}?lock_timeout={int(BOUND * 1000)}"

    def run(verb: str) -> tuple[int, str, float]:
        begun = time.monotonic()
        arguments = [part.format(store=store) for part in COMMANDS[verb]]
        done = subprocess.run([sys.executable, "-m", "sublet", verb, *arguments], capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stderr, time.monotonic() - begun

    free = {}
    for verb in COMMANDS:
        status, told, free[verb] = run(verb)
        assert status == 0, (verb, told)
    with stopped_holder(file):
        for verb in list(COMMANDS) * TRIES:
            status, told, took = run(verb)
            assert status == 0 or "store.locked" in told, (verb, status, told)
            assert took < 2 * free[verb] + BOUND + MARGIN, f"{verb} took {took:.2f} s, and {free[verb]:.2f} s without a holder"
