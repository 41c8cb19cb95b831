"""While a call waits for the write lock, signals are seen, cancelled tasks end their wait, and
parallel waits take no longer than one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sublet
from conftest import stopped_holder
from sublet import _calls

pytestmark = pytest.mark.alone

AGENCY = Path(__file__).parents[2] / "policies/tests/agency.jsonl"
MAIN = "dash.marketingmaster.example"
ACME = ("Account", "acme")
CAMPAIGN = ("Campaign", "k", "acme")
SEND: Any = {"principal": ACME, "action": "campaign.send", "resource": CAMPAIGN, "host": MAIN}
RECORD = {"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": True, "limits": {}}
LIMIT = 0.3

@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sublet.db"


def open_at(file: Path, options: str = "") -> sublet.Engine:
    engine = sublet.Engine.open(store=f"sqlite:{file}{options}")
    engine.import_lines(AGENCY)
    engine.apply_changes([RECORD | {"limits": {"emails": 1_000}}])
    return engine


WRITES: dict[str, Callable[[sublet.Engine], object]] = {
    "consume": lambda engine: engine.consume(**SEND),
    "reserve": lambda engine: engine.reserve(**SEND, amount=1),
    "batch": lambda engine: engine.batch([SEND]),
    "top_up": lambda engine: engine.top_up("acme", "emails", 1),
    "carry_over": lambda engine: engine.carry_over("acme", "emails", 1),
    "change": lambda engine: engine.apply_changes([RECORD]),
    "import_lines": lambda engine: engine.import_lines(AGENCY),
    "perform": lambda engine: engine.perform(ACME, {"do": "create_client", "id": "new", "email": "hello@new.example"}, host=MAIN),
}


def kill_after(seconds: float, number: int) -> threading.Timer:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), number))
    timer.start()
    return timer


@pytest.mark.parametrize("verb", WRITES)
def test_ctrl_c_ends_the_wait(file: Path, verb: str) -> None:
    engine = open_at(file)
    with stopped_holder(file):
        timer, begun = kill_after(0.4, signal.SIGINT), time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            WRITES[verb](engine)
        assert 0.3 < time.monotonic() - begun < 0.4 + LIMIT
        timer.join()
    # Nothing was written, and the engine still works.
    assert engine.usage("acme", meter="emails")[0]["used"] == 0
    assert WRITES[verb](engine)


def test_handlers_run_while_a_call_waits(file: Path) -> None:
    engine = open_at(file, "?lock_timeout=1200")
    seen: list[float] = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(time.monotonic()))
    try:
        with stopped_holder(file):
            timer, begun = kill_after(0.4, signal.SIGTERM), time.monotonic()
            with pytest.raises(sublet.StoreError) as raised:
                WRITES["consume"](engine)
            took = time.monotonic() - begun
            timer.join()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert raised.value.code == "store.locked"
    assert len(seen) == 1 and seen[0] - begun < 0.4 + LIMIT and 1.1 < took < 1.2 + LIMIT


@pytest.mark.parametrize("verb", ["consume", "change", "top_up", "batch"])
def test_cancelled_task_ends_its_wait(file: Path, verb: str) -> None:
    async def main() -> None:
        engine = open_at(file)
        one = sublet.AsyncEngine(engine)
        arguments: dict[str, Any] = {
            **{"consume": one.consume(**SEND), "change": one.apply_changes([RECORD])},
            **{"top_up": one.top_up("acme", "emails", 1), "batch": one.batch([SEND])},
        }
        call = arguments.pop(verb)
        for other in arguments.values():
            other.close()
        with stopped_holder(file):
            task = asyncio.ensure_future(call)
            await asyncio.sleep(0.3)
            assert len(_calls._running) == 1
            begun = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while _calls._running and time.monotonic() - begun < 2:
                await asyncio.sleep(0.005)
            # The thread is free again.
            assert time.monotonic() - begun < LIMIT
        assert engine.usage("acme", meter="emails")[0]["used"] == 0

    asyncio.run(main())


def test_wait_for_ends_a_wait(file: Path) -> None:
    async def main() -> None:
        one = sublet.AsyncEngine(open_at(file))
        with stopped_holder(file):
            begun = time.monotonic()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(one.consume(**SEND), 0.3)
            assert time.monotonic() - begun < 0.3 + LIMIT

    asyncio.run(main())


def test_waits_share_time_and_leave_threads_free(file: Path) -> None:
    async def main() -> None:
        one = sublet.AsyncEngine(open_at(file, "?lock_timeout=1000"))
        with stopped_holder(file):
            begun = time.monotonic()
            waiting = [asyncio.ensure_future(one.consume(**SEND)) for _ in range(4 * _calls.MAX_WORKERS)]
            await asyncio.sleep(0.2)
            for work in (asyncio.to_thread(time.sleep, 0), one.check(ACME, "campaign.read", CAMPAIGN, host=MAIN), one.get_record(ACME)):
                asked = time.monotonic()
                await work
                assert time.monotonic() - asked < LIMIT
            found = await asyncio.gather(*waiting, return_exceptions=True)
            took = time.monotonic() - begun
        assert {getattr(error, "code", error) for error in found} == {"store.locked"}
        assert 0.9 < took < 2.5, f"{took:.1f} s"

    asyncio.run(main())


def test_process_ends_while_calls_wait(file: Path) -> None:
    program = f"""
import asyncio, sys, threading, time, sublet
engine = sublet.Engine.open(store="sqlite:{file}")
one = sublet.AsyncEngine(engine)
log = engine.subscribe(callback=lambda event: None)
send = {SEND!r}
print("open", flush=True)
sys.stdin.readline()
for _ in range(3):
    threading.Thread(target=lambda: engine.consume(**send), daemon=True).start()
loop = asyncio.new_event_loop()
tasks = [loop.create_task(one.consume(**send)) for _ in range(40)]
loop.call_later(0.3, loop.stop)
loop.run_forever()
print("ending", flush=True)
"""
    open_at(file)
    command = [sys.executable, "-W", "ignore", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None and process.stdout.readline() == "open\n"
        with stopped_holder(file):
            process.stdin.write("go\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ending\n"
            begun = time.monotonic()
            assert process.wait(60) == 0
            assert time.monotonic() - begun < 3
