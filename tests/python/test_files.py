"""Files that are truncated, removed, linked, foreign or empty give an error with a code, or are
repaired. They never cause a signal or a second ledger."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import sublet

AGENCY = Path(__file__).parents[2] / "policies/tests/agency.jsonl"
MAIN = "dash.marketingmaster.example"
ACME = ("Account", "acme")
CAMPAIGN = ("Campaign", "k", "acme")
SIDES = ("-lock", "-wal", "-shm")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sublet.db"


def open_engine(file: Path, options: str = "") -> sublet.Engine:
    return sublet.Engine.open(store=f"sqlite:{file}{options}")


def agency(file: Path) -> sublet.Engine:
    engine = open_engine(file)
    engine.import_lines(AGENCY)
    return engine


def send(engine: sublet.Engine, amount: int = 1) -> bool:
    return bool(engine.consume(ACME, "campaign.send", CAMPAIGN, amount, host=MAIN))


def used(engine: sublet.Engine) -> int:
    return engine.usage("acme", meter="emails")[0]["used"]


def ask(engine: sublet.Engine) -> bool:
    return engine.check(ACME, "campaign.read", CAMPAIGN, host=MAIN)


def assert_refused(code: str, work: Callable[[], object]) -> None:
    with pytest.raises(sublet.StoreError) as found:
        work()
    assert found.value.code == code


CUT = """
    import os, sys, sublet
    path = sys.argv[1]
    engine = sublet.Engine.open(store="sqlite:" + path)
    send = lambda: bool(engine.consume(("Account", "acme"), "campaign.send", ("Campaign", "k", "acme"), 1, host="dash.marketingmaster.example"))
    ask = lambda: engine.check(("Account", "acme"), "campaign.read", ("Campaign", "k", "acme"), host="dash.marketingmaster.example")
    send(), ask()
    for _ in range(3):
        os.truncate(path + sys.argv[2], 0)
        for work in (ask, send, ask, lambda: engine.usage("acme")):
            try:
                work()
            except sublet.StoreError as error:
                print(error.code)
        assert ask() is True
        assert send() is True, "it goes on"
    print("faults", engine.verify()["faults"], engine.usage("acme", meter="emails")[0]["used"])
"""


@pytest.mark.parametrize("side", ["-lock", "-shm"])
def test_truncated_mapped_file_kills_no_process(file: Path, side: str) -> None:
    engine = agency(file)
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(CUT), str(file), side], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *codes, last = done.stdout.splitlines()
    assert set(codes) <= {"store.side_file", "store.unknown_outcome"}
    assert last.startswith("faults []")
    # The other process sees the usage and continues.
    assert used(engine) == int(last.split()[-1]) and send(engine)
    assert engine.verify()["faults"] == []


def test_truncated_lock_file_hides_no_change(file: Path) -> None:
    one, two = agency(file), open_engine(file)
    assert ask(one) and ask(two)
    os.truncate(f"{file}-lock", 0)
    one.apply_changes([{"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": False}])
    assert not ask(two) and not ask(one)


OTHER = """
    import sys, sublet
    engine = sublet.Engine.open(store="sqlite:" + sys.argv[1])
    for line in sys.stdin:
        verb, amount = line.split()
        try:
            if verb == "send":
                said = bool(engine.consume(("Account", "acme"), "campaign.send", ("Campaign", "k", "acme"), int(amount), host=sys.argv[2]))
            elif verb == "used":
                said = engine.usage("acme", meter="emails")[0]["used"]
            else:
                said = engine.check(("Account", "acme"), "campaign.read", ("Campaign", "k", "acme"), host=sys.argv[2])
        except sublet.StoreError as error:
            said = error.code
        print(said, flush=True)
"""


class Other:
    """Runs another process that has the store open."""

    def __init__(self, file: Path) -> None:
        command = [sys.executable, "-c", textwrap.dedent(OTHER), str(file), MAIN]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self("check") == "True"

    def __call__(self, verb: str, amount: int = 0) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{verb} {amount}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.communicate(timeout=30)


@pytest.mark.parametrize("removed", [("-lock",), ("-wal",), ("-shm",), ("-wal", "-shm"), SIDES])
@pytest.mark.parametrize("reads_first", [False, True])
def test_removed_side_files_are_repaired(file: Path, removed: tuple[str, ...], reads_first: bool) -> None:
    one = agency(file)
    two = Other(file)
    assert send(one) and two("send", 1) == "True" and send(one, 3)
    for side in removed:
        os.unlink(f"{file}{side}")
    time.sleep(0.005)
    if reads_first:
        assert two("used") == "5" and used(one) == 5
    assert two("send", 10) == "True" and send(one, 100)
    three = Other(file)
    assert three("send", 1000) == "True"
    assert [used(one), two("used"), three("used")] == [1115, "1115", "1115"]
    one.apply_changes([{"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": False}])
    deadline = time.monotonic() + 1
    while two("check") == "True" or three("check") == "True":
        assert time.monotonic() < deadline, "rights follow within a second"
    assert one.verify()["faults"] == []
    two.end()
    three.end()
    del one
    assert used(open_engine(file)) == 1115


def test_removed_wal_waits_for_its_holder(file: Path) -> None:
    one = agency(file)
    assert send(one, 5)
    os.unlink(f"{file}-wal")
    # Only the process that has the write-ahead log open can save it. A new process must not start
    # another log.
    assert_refused("store.side_file", lambda: open_engine(file, "?lock_timeout=200"))
    assert send(one, 5)
    assert used(open_engine(file)) == 10


def test_one_file_under_two_names_is_refused(file: Path, tmp_path: Path) -> None:
    engine = agency(file)
    other = tmp_path / "other.db"
    os.link(file, other)
    assert_refused("store.other_name", lambda: open_engine(other))
    assert send(engine) and ask(engine), "who has it open goes on"
    os.unlink(other)
    open_engine(file)


def test_moved_file_has_no_second_ledger(file: Path, tmp_path: Path) -> None:
    engine = agency(file)
    assert send(engine)
    other = tmp_path / "other.db"
    file.rename(other)
    assert_refused("store.other_name", lambda: open_engine(other))
    other.rename(file)
    assert send(engine) and used(open_engine(file)) == 2


def test_foreign_files_get_no_side_files(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database " * 100)
    table = tmp_path / "table.db"
    with sqlite3.connect(table) as foreign:
        foreign.execute("CREATE TABLE t (x)")
    foreign.close()
    for path in (text, table):
        assert_refused("store.foreign", partial(open_engine, path))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert_refused("store.unreachable", lambda: open_engine(fifo))
    assert_refused("store.unreachable", lambda: open_engine(tmp_path / "nothing.db", "?create=no"))
    lock = tmp_path / "mine.db-lock"
    lock.write_text("a lock file of somebody else's program, of more than 64 bytes, which is not to be written to")
    assert_refused("store.unreachable", lambda: open_engine(tmp_path / "mine.db"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "mine.db-lock", "notes.txt", "table.db"]
    assert lock.read_text().startswith("a lock file of somebody")


def test_empty_file_is_not_a_store(file: Path) -> None:
    file.touch()
    assert_refused("store.unreachable", lambda: open_engine(file, "?create=no"))
    Path(f"{file}-wal").write_bytes(b"x" * 100)
    assert_refused("store.unreachable", lambda: open_engine(file))


def modes(file: Path) -> set[int]:
    return {stat.S_IMODE(os.stat(f"{file}{side}").st_mode) for side in ("", *SIDES)}


def test_files_are_private_to_their_owner(file: Path, tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        engine = agency(file)
        assert modes(file) == {0o600}
        shared = tmp_path / "shared.db"
        other = sublet.Engine.open(store=f"sqlite:{shared}?mode=660")
        assert modes(shared) == {0o660}
        assert ask(engine) and other.revision == 0
    finally:
        os.umask(umask)
    for mode in ("777", "400", "888", ""):
        assert_refused("store.unknown", partial(open_engine, tmp_path / "new.db", f"?mode={mode}"))


def test_side_files_have_the_database_owner(file: Path) -> None:
    if os.geteuid() != 0:
        pytest.fail("this test gives files away, which root alone may do: run it as root")
    agency(file)
    os.chown(file, 12_345, 54_321)
    engine = open_engine(file)
    assert send(engine)
    assert {(found.st_uid, found.st_gid) for found in (os.stat(f"{file}{side}") for side in ("", *SIDES))} == {(12_345, 54_321)}


def fill_disk(folder: Path) -> None:
    """Fills a file system to its last byte."""
    with open(folder / "fill", "wb", buffering=0) as fill:
        for size in (65_536, 4_096, 512, 1):
            try:
                while fill.write(b"x" * size) == size:
                    pass
            except OSError:
                continue


OPEN = """
    import sys, sublet
    try:
        sublet.Engine.open(store="sqlite:" + sys.argv[1])
        print("opened")
    except sublet.StoreError as error:
        print(error.code)
"""


def test_full_disk_is_an_error_at_opening(file: Path, tmp_path: Path) -> None:
    del file
    source = tmp_path / "source.db"
    agency(source)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.fail(f"this test mounts a small disk, which root alone may do: {mounted.stderr.decode()}")
    try:
        shutil.copy(source, disk / "old.db")
        fill_disk(disk)
        for name in ("new.db", "old.db"):
            done = subprocess.run([sys.executable, "-c", textwrap.dedent(OPEN), str(disk / name)], capture_output=True, text=True, timeout=60)
            assert (done.returncode, done.stdout) == (0, "store.full\n"), (name, done)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_shared_memory_word_is_not_a_clock(file: Path) -> None:
    clock = sublet.ManualClock("2026-03-10T12:00:00Z")
    engine = sublet.Engine.open(store=f"sqlite:{file}", clock=clock)
    engine.import_lines(AGENCY)
    assert send(engine, 5)
    far = (2**62).to_bytes(8, "little")
    with open(f"{file}-lock", "r+b") as words:
        words.seek(24)
        words.write(far)
    assert send(engine, 5)
    usage = engine.usage("acme", meter="emails")[0]
    assert (usage["used"], usage["resets_at"]) == (10, "2026-04-01T00:00:00Z")
