"""A call that waits for the file keeps no other thread of the process waiting."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sublet

AGENCY = Path(__file__).parents[2] / "policies/tests/agency.jsonl"
MAIN = "dash.marketingmaster.example"
ACME = ("Account", "acme")
CAMPAIGN = ("Campaign", "k", "acme")
RECORD = {"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": True}
HELD = 0.4

HOLDER = f"""
    import fcntl, struct, sys, time
    lock = open(sys.argv[1], "r+b")
    # The lock that every transaction takes (Linux, 64 bits: type, whence, start, length, process).
    fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, (1 << 20) + 1, 1, 0))
    print("held", flush=True)
    time.sleep({HELD})
"""


@contextlib.contextmanager
def held(file: Path) -> Iterator[None]:
    """Another process has its transaction for a while."""
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), f"{file}-lock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        yield


def ask(engine: sublet.Engine) -> sublet.Decision:
    return engine.authorize(ACME, "campaign.read", CAMPAIGN, host=MAIN)


WAITING: dict[str, Callable[[sublet.Engine], object]] = {
    "check": lambda engine: engine.check(ACME, "campaign.read", CAMPAIGN, host=MAIN),
    "authorize": ask,
    "explain": lambda engine: engine.explain(ACME, "campaign.read", CAMPAIGN, host=MAIN),
    "check_many": lambda engine: engine.check_many(principals=ACME, actions="campaign.read", resources=[CAMPAIGN], hosts=MAIN),
    "actions": lambda engine: engine.actions(ACME, ("Account", "acme"), host=MAIN),
    "desk": lambda engine: engine.desk(ACME, ACME, host=MAIN),
    "login": lambda engine: engine.login(MAIN, "owner@acme.example"),
    "open_ticket": lambda engine: engine.open_ticket(ACME, ACME, host=MAIN),
    "record": lambda engine: engine.record(ACME),
    "revision": lambda engine: engine.revision,
    "repr": repr,
    "export_lines": lambda engine: engine.export_lines(),
    "change": lambda engine: engine.change([{**RECORD, "limits": {}}]),
    "consume": lambda engine: engine.consume(ACME, "campaign.send", CAMPAIGN, 1, host=MAIN),
    "batch": lambda engine: engine.batch([{"principal": ACME, "action": "campaign.send", "resource": CAMPAIGN, "host": MAIN}]),
    "top_up": lambda engine: engine.top_up("acme", "emails", 1),
    "usage": lambda engine: engine.usage("acme"),
}


@pytest.mark.parametrize("name", WAITING)
def test_other_threads_go_on_while_a_call_waits_for_the_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / "sublet.db"
    first, second = (sublet.Engine.open(store=f"sqlite:{file}") for _ in range(2))
    first.import_lines(AGENCY)
    assert ask(second)
    # The second engine has yet to read this, so that what asks no count waits, too.
    first.change([{**RECORD, "limits": {"emails": 10}}])
    call = threading.Thread(target=WAITING[name], args=(second,))
    with held(file):
        begun = time.monotonic()
        call.start()
        ticks = 0
        while call.is_alive():
            ticks += 1
            time.sleep(0.005)
        took = time.monotonic() - begun
    assert took > HELD / 2, "the call did not wait"
    assert ticks > 15, f"in {took:.2f} seconds another thread had {ticks} turns"
