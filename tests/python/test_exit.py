"""Every way to end a process or an interpreter with open logs takes at most three seconds. A sink
gets all events that it can take."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import sublet

pytestmark = pytest.mark.alone

LIMIT = 3.0
HEAD = """
import atexit, asyncio, gc, logging, multiprocessing, os, signal, sys, threading, time
import sublet
from sublet import Engine

path = sys.argv[1]
NOBODY = (("Account", "nobody"), "campaign.read", ("Account", "nobody"))

def ask(engine, times=100):
    for _ in range(times):
        engine.check(*NOBODY)

def ending():
    # One write, so that the lines of two processes do not mix.
    os.write(1, b"ending\\n")
"""
LOGS = """
engine = Engine.open()
file, called, logged = engine.subscribe(path), engine.subscribe(callback=lambda event: None), engine.subscribe(logger=True)
logging.getLogger("sublet").addHandler(logging.NullHandler())
ask(engine)
"""
HUNG = """
engine = Engine.open()
engine.subscribe(path)
for _ in range(3):
    engine.subscribe(callback=lambda event: time.sleep(60))
ask(engine)
time.sleep(0.1)
"""
LOOPING = """
def loop(event):
    while True:
        time.sleep(0.001)

engine = Engine.open()
engine.subscribe(path)
for _ in range(3):
    engine.subscribe(callback=loop)
ask(engine)
time.sleep(0.1)
"""
STORE = LOGS.replace("Engine.open()", 'Engine.open(store=f"sqlite:{path}.db")')


def daemons(work: str, before: str = LOGS) -> str:
    return f"""{before}
def work():
    while True:
        {work}

for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
ending()
"""


# Waits a minute in short sleeps. Beside a thread that wants the GIL, CPython 3.11 may run the handler
# of a signal only after the call that it should interrupt.
WAIT = "for _ in range(600): time.sleep(0.1)"
# The program, its exit code, and the least number of events in its file.
WAYS: dict[str, tuple[str, int, int]] = {
    "falls-off": (f"{LOGS}\nending()", 0, 100),
    "sys-exit": (f"{LOGS}\nending()\nsys.exit(3)", 3, 100),
    "exception": (f"{LOGS}\nending()\nraise RuntimeError", 1, 100),
    "os-exit": (f"{LOGS}\nending()\nos._exit(4)", 4, 0),
    "sigterm": (f"{LOGS}\nending()\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)", -signal.SIGTERM, 0),
    "sigkill": (f"{LOGS}\nending()\nos.kill(os.getpid(), signal.SIGKILL)\ntime.sleep(60)", -signal.SIGKILL, 0),
    "abort": (f"{LOGS}\nending()\nos.abort()", -signal.SIGABRT, 0),
    "ctrl-c": (f"{LOGS}\nending()\nos.kill(os.getpid(), signal.SIGINT)\n{WAIT}", -signal.SIGINT, 100),
    "sigterm-handled": (f"{LOGS}\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\nending()\nos.kill(os.getpid(), signal.SIGTERM)\n{WAIT}", 5, 100),
    "exit-in-a-thread": (f"{LOGS}\nthread = threading.Thread(target=sys.exit)\nthread.start()\nthread.join()\nending()", 0, 100),
    "thread-that-asks": (f"{LOGS}\nthreading.Thread(target=lambda: ask(engine, 1000)).start()\nending()", 0, 1100),
    "execv": (f'{LOGS}\nending()\nos.execv("/bin/sh", ["sh", "-c", "exit 6"])', 6, 0),
    "engine-gone": (f"{LOGS}\ndel engine\nending()", 0, 100),
    "handles-gone": (f"{LOGS}\ndel engine, file, called, logged\ngc.collect()\nending()", 0, 100),
    "engine-in-a-cycle": (f"{LOGS}\nclass Box: pass\nbox = Box()\nbox.box, box.engine = box, engine\ndel engine, box\nending()", 0, 100),
    "engine-in-its-callback": ("engine = Engine.open()\nengine.subscribe(callback=lambda event, engine=engine: ask(engine, 1))\nengine.subscribe(path)\nask(engine)\nending()", 0, 100),
    "closed-before": (f"{LOGS}\nfile.close()\ncalled.close()\nending()", 0, 100),
    "many-engines": ("engines = [Engine.open() for _ in range(5)]\nfor engine in engines:\n    engine.subscribe(path)\n    engine.subscribe(callback=lambda event: None)\n    ask(engine)\nending()", 0, 500),
    "store": (f"{STORE}\nending()", 0, 100),
    "atexit-that-asks": (f"{LOGS}\natexit.register(ask, engine)\nending()", 0, 200),
    "atexit-that-exits": (f"{LOGS}\natexit.register(sys.exit, 7)\nending()", 0, 100),
    "hung-callbacks": (f"{HUNG}\nending()", 0, 100),
    "hung-and-gone": (f"{HUNG}\ndel engine\nending()", 0, 100),
    "hung-exception": (f"{HUNG}\nending()\nraise RuntimeError", 1, 100),
    "looping-callbacks": (f"{LOOPING}\nending()", 0, 100),
    "looping-os-exit": (f"{LOOPING}\nending()\nos._exit(0)", 0, 0),
    "blocked-handler": ("class Blocked(logging.Handler):\n    def emit(self, record):\n        time.sleep(60)\n\nlogging.getLogger('sublet').addHandler(Blocked())\nengine = Engine.open()\nengine.subscribe(logger=True)\nengine.subscribe(path)\nask(engine)\ntime.sleep(0.1)\nending()", 0, 100),
    "callback-wants-a-lock": ("lock = threading.Lock()\nlock.acquire()\nengine = Engine.open()\nengine.subscribe(path)\nengine.subscribe(callback=lambda event: lock.acquire())\nask(engine)\ntime.sleep(0.1)\nending()", 0, 100),
    "callback-that-exits": ("engine = Engine.open()\nengine.subscribe(path)\nengine.subscribe(callback=lambda event: sys.exit(1))\nask(engine)\nending()", 0, 100),
    "callback-that-closes": ("engine = Engine.open()\nengine.subscribe(path)\nlogs = []\nlogs.append(engine.subscribe(callback=lambda event: logs[0].close()))\nask(engine)\nending()", 0, 100),
    "full-disk": ('engine = Engine.open()\nengine.subscribe("/dev/full")\nengine.subscribe(path)\nask(engine)\nending()', 0, 100),
    "pipe-that-nobody-reads": ('os.mkfifo(path + ".pipe")\nreader = os.open(path + ".pipe", os.O_RDWR)\nengine = Engine.open()\nengine.subscribe(path + ".pipe")\nengine.subscribe(path)\nask(engine, 3000)\ntime.sleep(0.2)\nending()', 0, 3000),
    "daemons-check": (daemons("engine.check(*NOBODY)"), 0, 100),
    "daemons-check-store": (daemons("engine.check(*NOBODY)", STORE), 0, 100),
    "daemons-explain": (daemons("engine.explain(*NOBODY)"), 0, 100),
    "daemons-many": (daemons('engine.check_many(principals=NOBODY[0], actions="campaign.read", resources=[NOBODY[2]] * 20_000)'), 0, 100),
    "daemons-change": (daemons('engine.import_lines(\'{"type": "Platform", "id": "mmio"}\')', STORE), 0, 100),
    "daemons-verify": (daemons("engine.verify()", STORE), 0, 100),
    "daemons-reload": (daemons("engine.reload()"), 0, 100),
    "daemons-flush": (daemons("file.flush(60); called.flush(60)"), 0, 100),
    "daemons-flush-hung": (daemons("log.flush(60)", HUNG + "\nlog = engine.subscribe(callback=lambda event: time.sleep(60))\nask(engine)"), 0, 100),
    "daemons-close-hung": (daemons("log.close(60)", HUNG + "\nlog = engine.subscribe(callback=lambda event: time.sleep(60))\nask(engine)"), 0, 100),
    "daemons-open": (daemons("Engine.open().subscribe(callback=lambda event: None)"), 0, 100),
    "daemons-and-exception": (daemons("engine.check(*NOBODY)") + "\nraise RuntimeError", 1, 100),
    "asyncio": (f"{LOGS}\nasync def main():\n    one = sublet.AsyncEngine(engine)\n    await asyncio.gather(*(one.check(*NOBODY) for _ in range(50)))\n\nasyncio.run(main())\nending()", 0, 150),
    "asyncio-left-alone": (f"{LOGS}\nloop = asyncio.new_event_loop()\none = sublet.AsyncEngine(engine)\ntasks = [loop.create_task(one.reload()) for _ in range(4)]\nloop.call_later(0.05, loop.stop)\nloop.run_forever()\nending()", 0, 100),
    "asyncio-closed": (f"{LOGS}\nloop = asyncio.new_event_loop()\none = sublet.AsyncEngine(engine)\ntask = loop.create_task(one.reload())\nloop.call_later(0.05, loop.stop)\nloop.run_forever()\nloop.close()\nending()", 0, 100),
    "fork-exit": (f"{LOGS}\nif os.fork() == 0:\n    ask(engine)\n    sys.exit(0)\nos.wait()\nending()", 0, 200),
    "fork-os-exit": (f"{LOGS}\nif os.fork() == 0:\n    ask(engine)\n    os._exit(0)\nos.wait()\nending()", 0, 100),
    "fork-of-hung": (f"{HUNG}\nif os.fork() == 0:\n    ending()\n    sys.exit(0)\nstatus = os.wait()[1]\nos._exit(status)", 0, 0),
    "fork-parent-first": (f"{LOGS}\nif os.fork() == 0:\n    time.sleep(0.3)\n    ask(engine)\n    sys.exit(0)\nending()", 0, 100),
    "fork-from-a-thread": (f"{LOGS}\ndef work():\n    time.sleep(0.2)  # until the main thread waits in `join`\n    if os.fork() == 0:\n        ask(engine)\n        sys.exit(0)\n    os.wait()\n\nthread = threading.Thread(target=work)\nthread.start()\nthread.join()\nending()", 0, 200),
}
MULTI = """
def work():
    {inside}

{outside}
if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    children = [context.Process(target=work) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    ending()
    sys.exit(max(abs(child.exitcode) for child in children))
"""
OWN = LOGS.replace("\n", "\n    ")
for method in ("spawn", "forkserver", "fork"):
    WAYS[f"multiprocessing-{method}"] = (MULTI.format(inside=OWN, outside="", method=method), 0, 200)
    WAYS[f"multiprocessing-{method}-exception"] = (MULTI.format(inside=OWN + "\n    raise RuntimeError", outside="", method=method), 1, 200)
    WAYS[f"multiprocessing-{method}-hung"] = (MULTI.format(inside=HUNG.replace("\n", "\n    ") + "\n    ending()", outside="", method=method), 0, 200)
WAYS["multiprocessing-fork-inherited"] = (MULTI.format(inside="ask(engine)", outside=LOGS, method="fork"), 0, 300)


@pytest.mark.parametrize("way", WAYS)
def test_process_ends_in_time(tmp_path: Path, way: str) -> None:
    program, code, events = WAYS[way]
    path, script = tmp_path / "events.jsonl", tmp_path / "program.py"
    script.write_text(f"{HEAD}\n{program}\n")
    with subprocess.Popen([sys.executable, script, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        late = threading.Timer(120, process.kill)
        late.start()
        told = process.stdout.readline()
        begun = time.monotonic()
        process.wait()
        took = time.monotonic() - begun
        late.cancel()
        said = process.stderr.read()
    assert told == "ending\n", said
    assert process.returncode == code, said
    assert "fatal" not in said.lower() and "panicked" not in said and "deadlock" not in said, said
    assert took < LIMIT, f"{took:.1f} s"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    # A process that is killed during a write may cut its last line.
    if code != 0 and events == 0 and lines and not lines[-1].endswith("\n"):
        lines.pop()
    found = [json.loads(line) for line in lines]
    assert len(found) >= events


def test_log_can_open_at_interpreter_exit(tmp_path: Path) -> None:
    # An exit handler that was registered before that of Sublet runs after it.
    program = """
import atexit, sys, time

def late():
    for engine in (old, sublet.Engine.open()):
        engine.subscribe(sys.argv[1])
        engine.subscribe(callback=lambda event: time.sleep(60))
        for _ in range(10):
            engine.check(("Account", "nobody"), "campaign.read", ("Account", "nobody"))

atexit.register(late)
import sublet
old = sublet.Engine.open()
"""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "x")], timeout=60, capture_output=True, text=True)
    assert done.returncode == 0 and "fatal" not in done.stderr.lower(), done.stderr
    assert time.monotonic() - begun < LIMIT + 3


def test_sub_interpreter_is_refused() -> None:
    program = """
import sublet
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
engine = sublet.Engine.open()
log = engine.subscribe(callback=lambda event: None)
made = interpreters.create()
said = interpreters.run_string(made, "try:\\n    import sublet\\nexcept ImportError as error:\\n    print('refused', error)\\nelse:\\n    print('works', sublet.Engine.open())")
engine.check(("Account", "nobody"), "campaign.read", ("Account", "nobody"))
interpreters.destroy(made)
print("ending")
"""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("refused", "works")) and done.stdout.endswith("ending\n"), done.stdout
    assert time.monotonic() - begun < LIMIT + 3


def interrupt_after(seconds: float, number: int = signal.SIGINT) -> threading.Timer:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), number))
    timer.start()
    return timer


@pytest.mark.parametrize("verb", ["flush", "close", "__exit__"])
def test_ctrl_c_ends_a_log_wait(engine: sublet.Engine, verb: str) -> None:
    gate = threading.Event()
    log = engine.subscribe(callback=lambda event: gate.wait())
    engine.check(("Account", "nobody"), "campaign.read", ("Account", "nobody"))
    begun = time.monotonic()
    timer = interrupt_after(0.2)
    with pytest.raises(KeyboardInterrupt):
        log.__exit__() if verb == "__exit__" else getattr(log, verb)(60)
    took = time.monotonic() - begun
    timer.join()
    gate.set()
    assert 0.1 < took < 1 and log.close()


def test_signal_handler_runs_in_a_log_wait(engine: sublet.Engine) -> None:
    gate, seen = threading.Event(), list[float]()
    log = engine.subscribe(callback=lambda event: gate.wait())
    engine.check(("Account", "nobody"), "campaign.read", ("Account", "nobody"))
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(time.monotonic()))
    try:
        begun = time.monotonic()
        timer = interrupt_after(0.1, signal.SIGTERM)
        assert not log.flush(0.6)
        timer.join()
        assert len(seen) == 1 and seen[0] - begun < 0.4 and time.monotonic() - begun > 0.5
    finally:
        signal.signal(signal.SIGTERM, before)
        gate.set()
    assert log.close()


def test_flush_waits_for_earlier_events_only(engine: sublet.Engine) -> None:
    stop = threading.Event()
    log = engine.subscribe(callback=lambda event: time.sleep(0.001), queue=300)

    def work() -> None:
        while not stop.is_set():
            engine.check(("Account", "nobody"), "campaign.read", ("Account", "nobody"))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        time.sleep(0.1)
        assert log.flush(30)
    finally:
        stop.set()
        thread.join()
    log.close()


def test_unread_pipe_is_refused_as_log(engine: sublet.Engine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(sublet.StoreError) as raised:
        engine.subscribe(tmp_path / "pipe")
    assert raised.value.code == "store.stream"


def test_ctrl_c_ends_a_long_import(engine: sublet.Engine) -> None:
    lines = ['{"type": "Platform", "id": "p"}']
    lines += [f'{{"type": "Operator", "id": "o{n}", "email": "o{n}@x.example"}}' for n in range(400_000)]
    whole = "\n".join(lines)
    timer = interrupt_after(0.1)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        engine.import_lines(whole)
    took = time.monotonic() - begun
    timer.join()
    assert took < 0.6, f"{took:.2f} s"
    assert engine.get_record(("Account", "acme")) is not None


COMMAND = textwrap.dedent("""
    import sys
    from sublet.__main__ import main
    sys.argv = ["sublet", *sys.argv[1:]]
    sys.exit(main())
""")


def test_ctrl_c_ends_the_command(tmp_path: Path) -> None:
    pipe = tmp_path / "never"
    os.mkfifo(pipe)
    with subprocess.Popen([sys.executable, "-c", COMMAND, "check", str(pipe)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        time.sleep(1)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        process.wait(30)
        assert time.monotonic() - begun < 1


