"""A process forks while another thread makes its first calls. The child never waits for state that
those calls initialise."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys, threading, time
import sublet

moment, wait, store = sys.argv[1], float(sys.argv[2]), sys.argv[3]

def use(engine, name):
    owner, campaign, host = ("Account", name), ("Campaign", "k", name), "dash.x.example"
    engine.apply_changes([
        {"type": "Domain", "id": host, "kind": "platform", "state": "verified"},
        {"type": "Account", "id": name, "email": f"{name}@y.example", "package": "agency", "confirmed": True, "zone": "Europe/Vienna"},
    ])
    assert engine.check(owner, "campaign.read", campaign, host=host)
    assert engine.explain(owner, "campaign.read", campaign, host=host)
    assert engine.check_many([{"principal": owner, "action": "campaign.read", "resource": campaign, "host": host}]) == [True]
    assert engine.consume(owner, "campaign.send", campaign, 1, host=host)
    for wrong in ({"type": "Nothing"}, {"type": "Account", "id": "a", "zone": "Asia/Tokyo", "anchor": "x"}):
        try:
            engine.apply_changes([wrong])
        except sublet.SubletError:
            pass

def work():
    use(first or sublet.Engine.open(store=store), "parent")

first = sublet.Engine.open(store=store) if moment == "first calls" else None
thread = threading.Thread(target=work, daemon=True)
thread.start()
time.sleep(wait)
child = os.fork()
if child == 0:
    use(first or sublet.Engine.open(store=store), "child")
    os._exit(0)
deadline = time.monotonic() + 30
while True:
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        thread.join(30)
        print("ended", os.waitstatus_to_exitcode(status), not thread.is_alive())
        os._exit(0)
    if time.monotonic() > deadline:
        os.kill(child, 9)
        print("the child waits without end")
        os._exit(1)
    time.sleep(0.005)
"""


@pytest.mark.parametrize("store", ["memory:", "sqlite"])
@pytest.mark.parametrize("moment", ["opening", "first calls"])
def test_child_of_early_fork_answers(moment: str, store: str, tmp_path: Path) -> None:
    waits = (0.0003, 0.001, 0.01) if moment == "opening" else (0.0, 0.0003, 0.001)
    for at, wait in enumerate(waits):
        name = store if store == "memory:" else f"sqlite:{tmp_path / f'{at}.db'}"
        told = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM, moment, str(wait), name], capture_output=True, text=True, timeout=90, check=False)
        assert told.stdout.split() == ["ended", "0", "True"], (wait, told.stdout, told.stderr)
