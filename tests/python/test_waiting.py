"""A call that reads does not wait. A call that writes waits for the write lock within a bound, and
blocks no other thread."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sublet

pytestmark = pytest.mark.alone

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
def open_transaction(file: Path) -> Iterator[None]:
    """Runs another process that keeps its transaction open for a while."""
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), f"{file}-lock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        yield


def ask(engine: sublet.Engine) -> sublet.Decision:
    return engine.authorize(ACME, "campaign.read", CAMPAIGN, host=MAIN)


READING: dict[str, Callable[[sublet.Engine], object]] = {
    "check": lambda engine: engine.check(ACME, "campaign.read", CAMPAIGN, host=MAIN),
    "authorize": ask,
    "explain": lambda engine: engine.explain(ACME, "campaign.read", CAMPAIGN, host=MAIN),
    "check_many": lambda engine: engine.check_many(principals=ACME, actions="campaign.read", resources=[CAMPAIGN], hosts=MAIN),
    "actions": lambda engine: engine.permitted_actions(ACME, ("Account", "acme"), host=MAIN),
    "desk": lambda engine: engine.route_ticket(ACME, ACME, host=MAIN),
    "login": lambda engine: engine.login(MAIN, "owner@acme.example"),
    "open_ticket": lambda engine: engine.open_ticket(ACME, ACME, host=MAIN),
    "record": lambda engine: engine.get_record(ACME),
    "revision": lambda engine: engine.revision,
    "repr": repr,
    "export_lines": lambda engine: engine.export_lines(),
    "usage": lambda engine: engine.usage("acme"),
    "amount": lambda engine: engine.check(ACME, "campaign.send", CAMPAIGN, host=MAIN, amount=1),
    "history": lambda engine: engine.history("acme"),
    "verify": lambda engine: engine.verify(),
    "preview": lambda engine: engine.preview_statement("acme"),
}

WAITING: dict[str, Callable[[sublet.Engine], object]] = {
    "change": lambda engine: engine.apply_changes([RECORD | {"limits": {}}]),
    "consume": lambda engine: engine.consume(ACME, "campaign.send", CAMPAIGN, 1, host=MAIN),
    "batch": lambda engine: engine.batch([{"principal": ACME, "action": "campaign.send", "resource": CAMPAIGN, "host": MAIN}]),
    "top_up": lambda engine: engine.top_up("acme", "emails", 1),
    "reserve": lambda engine: engine.reserve(ACME, "campaign.send", CAMPAIGN, 1, ttl=60_000, host=MAIN),
    "perform": lambda engine: engine.perform(ACME, {"do": "create_level", "id": "level", "features": ["campaigns"]}, host=MAIN),
}


def engine_behind(file: Path) -> sublet.Engine:
    """Opens an engine that has not loaded a change of another engine yet."""
    first, second = (sublet.Engine.open(store=f"sqlite:{file}") for _ in range(2))
    first.import_lines(AGENCY)
    assert ask(second)
    first.apply_changes([RECORD | {"limits": {"emails": 10}}])
    return second


@pytest.mark.parametrize("name", READING)
def test_reads_do_not_wait(tmp_path: Path, name: str) -> None:
    file = tmp_path / "sublet.db"
    second = engine_behind(file)
    with open_transaction(file):
        begun = time.monotonic()
        READING[name](second)
        took = time.monotonic() - begun
    assert took < HELD / 2, f"the call waited {took:.2f} seconds"


@pytest.mark.parametrize("name", WAITING)
def test_other_threads_run_during_a_file_wait(tmp_path: Path, name: str) -> None:
    file = tmp_path / "sublet.db"
    second = engine_behind(file)
    call = threading.Thread(target=WAITING[name], args=(second,))
    with open_transaction(file):
        begun = time.monotonic()
        call.start()
        ticks = 0
        while call.is_alive():
            ticks += 1
            time.sleep(0.005)
        took = time.monotonic() - begun
    assert took > HELD / 2, "the call did not wait"
    assert ticks > 15, f"in {took:.2f} seconds another thread had {ticks} turns"


@contextlib.contextmanager
def stopped_writer(file: Path) -> Iterator[int]:
    """Runs another process that is stopped while it holds the write lock."""
    command = [sys.executable, "-c", textwrap.dedent(HOLDER).replace(f"time.sleep({HELD})", "time.sleep(600)"), f"{file}-lock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        yield holder.pid
        holder.kill()


@pytest.mark.parametrize("name", WAITING)
def test_stopped_holder_is_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / "sublet.db"
    engine_behind(file)
    engine = sublet.Engine.open(store=f"sqlite:{file}?lock_timeout=300")
    with stopped_writer(file) as holder:
        begun = time.monotonic()
        with pytest.raises(sublet.StoreError) as found:
            WAITING[name](engine)
        took = time.monotonic() - begun
        assert ask(engine), "rights are answered meanwhile"
    assert found.value.code == "store.locked" and f"process {holder} " in str(found.value)
    assert 0.25 < took < 2
    WAITING[name](engine)


def test_waits_of_threads_run_in_parallel(tmp_path: Path) -> None:
    file = tmp_path / "sublet.db"
    engine_behind(file)
    engine = sublet.Engine.open(store=f"sqlite:{file}?lock_timeout=500")
    codes: list[str] = []

    def send() -> None:
        try:
            engine.consume(ACME, "campaign.send", CAMPAIGN, 1, host=MAIN)
        except sublet.StoreError as error:
            codes.append(error.code)

    with stopped_writer(file):
        threads = [threading.Thread(target=send) for _ in range(8)]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - begun
    assert codes == ["store.locked"] * 8
    assert took < 2.5, f"eight threads waited {took:.1f} seconds"


def test_opening_ends_in_time(tmp_path: Path) -> None:
    file = tmp_path / "sublet.db"
    engine_behind(file)
    with stopped_writer(file), pytest.raises(sublet.StoreError) as found:
        sublet.Engine.open(store=f"sqlite:{file}?lock_timeout=300")
    assert found.value.code == "store.locked"
