"""The file store. A failure of a file is an error with a code, and never gives a new budget."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import struct
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
RECORD = {"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": True}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sublet.db"


def open_engine(file: Path, limit: int | None = None) -> sublet.Engine:
    engine = sublet.Engine.open(store=f"sqlite:{file}")
    if limit is not None:
        engine.import_lines(AGENCY)
        engine.apply_changes([RECORD | {"limits": {"emails": limit}}])
    return engine


def send(engine: sublet.Engine, amount: int = 1, key: str | None = None) -> sublet.Decision:
    return engine.consume(ACME, "campaign.send", ("Campaign", "k", "acme"), amount, host=MAIN, idempotency_key=key)


def used(engine: sublet.Engine) -> int:
    return engine.usage("acme", meter="emails")[0]["used"]


def summed(file: Path) -> int:
    """Reads the tables without Sublet: each bucket, and the sum of its operations."""
    with contextlib.closing(sqlite3.connect(file)) as tables:
        buckets = tables.execute("SELECT id, used, pruned_used FROM buckets").fetchall()
        for bucket, count, pruned in buckets:
            first = tables.execute("SELECT coalesce(sum(used), 0) FROM operations WHERE bucket = ?", [bucket]).fetchone()[0]
            more = tables.execute("SELECT other_deltas FROM operations WHERE other_deltas IS NOT NULL").fetchall()
            rest = sum(part[1] for (text,) in more for part in json.loads(text) if part[0] == bucket)
            assert count == pruned + first + rest
        return sum(count for _, count, _ in buckets)


def assert_refused(code: str, work: Callable[[], object]) -> sublet.SubletError:
    with pytest.raises(sublet.SubletError) as found:
        work()
    assert found.value.code == code, str(found.value)
    assert found.value.help
    return found.value


def wait_for(child: int, seconds: float = 20) -> int:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, 9)
    os.waitpid(child, 0)
    pytest.fail("a forked child did not answer")


def fork_child(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def test_counts_and_directory_outlive_the_engine(file: Path) -> None:
    engine = open_engine(file, 10)
    assert send(engine, 7, "k").operation is not None
    again = open_engine(file)
    assert (again.revision, used(again)) == (engine.revision, 7)
    assert send(again, 7, "k").replayed
    assert send(again, 4).code == "quota_exceeded"
    assert again.export_lines() == engine.export_lines()


def test_other_engine_sees_change_at_next_check(file: Path) -> None:
    first, second = open_engine(file, 10), open_engine(file)
    asked = (ACME, "campaign.read", ("Campaign", "k", "acme"))
    assert second.check(*asked, host=MAIN)
    revision = first.apply_changes(merge=[{"type": "Account", "id": "acme", "confirmed": False}])
    assert not second.check(*asked, host=MAIN)
    assert second.authorize(*asked, host=MAIN).code == "email_unconfirmed"
    again = {**RECORD, "limits": {}}
    assert_refused("directory.revision", lambda: second.apply_changes([again], expected_revision=revision - 1))
    assert second.apply_changes([again], expected_revision=revision) == revision + 1
    assert first.check(*asked, host=MAIN)
    first.import_lines(AGENCY)
    assert second.revision == first.revision == revision + 2


def test_forked_children_share_counts(file: Path) -> None:
    engine = open_engine(file, 1_000)
    send(engine)
    children = [fork_child(lambda: [send(engine) for _ in range(25)]) for _ in range(4)]
    for _ in range(25):
        send(engine)
    assert [wait_for(child) for child in children] == [0] * 4
    assert (used(engine), summed(file), engine.verify()["faults"]) == (126, 126, [])


def test_fork_during_consume_is_safe(file: Path) -> None:
    """Neither process hangs, and no unit is lost."""
    engine = open_engine(file, 1_000_000)
    done = threading.Event()
    counts = [0, 0]

    def take(at: int) -> None:
        while not done.is_set():
            send(engine)
            counts[at] += 1

    threads = [threading.Thread(target=take, args=(at,)) for at in range(2)]
    for thread in threads:
        thread.start()
    forks = int(os.environ.get("SUBLET_FORKS", "100"))
    for _ in range(forks):
        assert wait_for(fork_child(lambda: [send(engine) for _ in range(3)])) == 0
    done.set()
    for thread in threads:
        thread.join()
    assert (used(engine), engine.verify()["faults"]) == (sum(counts) + 3 * forks, [])


TAKER = """
    import sys, sublet
    engine = sublet.Engine.open(store=sys.argv[1])
    granted = 0
    for _ in range(int(sys.argv[2])):
        granted += bool(engine.consume(("Account", "acme"), "campaign.send", ("Campaign", "k", "acme"), 1, host="dash.marketingmaster.example"))
    print(granted)
"""


def start(file: Path, script: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(script), f"sqlite:{file}", *more]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_second_sqlite_drops_no_lock(file: Path) -> None:
    """Another SQLite library in this process opens and closes the file. The store keeps its locks."""
    engine = open_engine(file, 1_000_000)
    others = [start(file, TAKER, "2000") for _ in range(2)]
    done = threading.Event()

    def disturb() -> None:
        while not done.is_set():
            # Closing the file drops all POSIX locks that this process has on it.
            with contextlib.closing(sqlite3.connect(file)) as other:
                other.execute("SELECT count(*) FROM operations").fetchone()

    threads = [threading.Thread(target=disturb) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(2_000):
        send(engine)
    done.set()
    for thread in threads:
        thread.join()
    granted = [int(other.communicate(timeout=60)[0]) for other in others]
    assert granted == [2_000, 2_000]
    assert (used(engine), summed(file), engine.verify()["faults"]) == (6_000, 6_000, [])


NODE_TAKER = """
    const { Engine } = require(process.argv[2]);
    const engine = Engine.open(undefined, { store: process.argv[3] });
    (async () => {
      let granted = 0;
      for (let at = 0; at < Number(process.argv[4]); at += 1) {
        const host = 'dash.marketingmaster.example';
        const answer = await engine.consumeAsync(['Account', 'acme'], 'campaign.send', ['Campaign', 'k', 'acme'], 1, { host });
        granted += Number(answer.allowed);
      }
      console.log(granted);
    })();
"""


def start_node(file: Path, *more: str) -> subprocess.Popen[str]:
    binding = str(AGENCY.parents[2] / "bindings-node/index.js")
    command = ["node", "-e", textwrap.dedent(NODE_TAKER), "-", binding, f"sqlite:{file}", *more]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_python_and_node_share_one_exact_limit(file: Path) -> None:
    engine = open_engine(file, 4_000)
    takers = [start(file, TAKER, "800") for _ in range(4)] + [start_node(file, "800") for _ in range(4)]
    # Halfway the limit is raised, another record changes, an amount is reserved and released, and
    # one unit is refunded.
    time.sleep(0.3)
    engine.apply_changes([RECORD | {"limits": {"emails": 5_000}}])
    engine.apply_changes([{"type": "Operator", "id": "x", "email": "x@mmio.example"}])
    held = engine.reserve(ACME, "campaign.send", ("Campaign", "k", "acme"), 10, host=MAIN)
    assert held.operation is not None
    engine.release(held.operation)
    own = send(engine)
    assert own.operation is not None
    engine.refund(own.operation)
    granted = [int(taker.communicate(timeout=120)[0]) for taker in takers]
    assert sum(granted) == 5_000
    assert send(engine).code == "quota_exceeded"
    assert (used(engine), summed(file), engine.verify()["faults"]) == (5_000, 5_000, [])


def test_wal_survives_a_second_sqlite_closing(file: Path) -> None:
    engine = open_engine(file, 100)
    for _ in range(10):
        send(engine)
        assert summed(file) == used(engine)
    again = open_engine(file)
    assert used(again) == 10


def test_full_disk_is_an_error_until_freed(file: Path) -> None:
    open_engine(file, 1_000)
    script = """
        import resource, signal, sys, sublet
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        engine = sublet.Engine.open(store=sys.argv[1])
        take = lambda: engine.consume(("Account", "acme"), "campaign.send", ("Campaign", "k", "acme"), 1, host="dash.marketingmaster.example")
        take()
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        for limit in [0, 4096, 100_000]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
            for work in [take, lambda: engine.apply_changes([], expected_revision=None), lambda: engine.top_up("acme", "emails", 1)]:
                try:
                    for _ in range(1_000):
                        work()
                    print("no error")
                except sublet.SubletError as error:
                    print(error.code)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            print(engine.usage("acme", meter="emails")[0]["used"], bool(take()))
    """
    other = start(file, script)
    said = other.communicate(timeout=60)[0].split("\n")
    codes = [line for line in said if line.startswith("store")]
    assert set(codes) <= {"store.full", "store.io"} and len(codes) == 9, said
    assert said[3].endswith("True") and said[7].endswith("True") and said[11].endswith("True")
    engine = open_engine(file)
    assert (summed(file), engine.verify()["faults"]) == (used(engine), [])


def test_removed_file_is_an_error_until_back(file: Path, tmp_path: Path) -> None:
    engine = open_engine(file, 10)
    send(engine, 4)
    away = tmp_path / "away"
    away.mkdir()
    for name in ("sublet.db", "sublet.db-wal", "sublet.db-shm", "sublet.db-lock"):
        (tmp_path / name).rename(away / name)
    for _ in range(2):
        assert_refused("store.replaced", lambda: send(engine))
        assert_refused("store.replaced", lambda: engine.usage("acme"))
        assert_refused("store.replaced", lambda: engine.apply_changes([RECORD]))
    for name in ("sublet.db", "sublet.db-wal", "sublet.db-shm", "sublet.db-lock"):
        (away / name).replace(tmp_path / name)
    assert send(engine, 6)
    assert used(engine) == 10


def test_replaced_store_gives_no_new_budget(file: Path, tmp_path: Path) -> None:
    engine = open_engine(file, 10)
    send(engine, 4)
    for _ in range(2):
        other = tmp_path / "other.db"
        open_engine(other, 10)
        for name in ("sublet.db-wal", "sublet.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        other.replace(file)
        assert_refused("store.replaced", lambda: send(engine))
        assert_refused("store.replaced", lambda: send(engine))
        file.write_bytes(b"")
        assert_refused("store.replaced", lambda: send(engine))
        file.write_bytes(b"no database at all" * 100)
        assert_refused("store.foreign", lambda: send(engine))


def test_restored_copy_continues_its_counts(file: Path, tmp_path: Path) -> None:
    engine = open_engine(file, 10)
    send(engine, 4)
    copy = tmp_path / "copy.db"
    with contextlib.closing(sqlite3.connect(file)) as live, contextlib.closing(sqlite3.connect(copy)) as backup:
        live.backup(backup)
    send(engine, 5)
    engine.apply_changes([RECORD | {"confirmed": False, "limits": {"emails": 10}}])
    for name in ("sublet.db-wal", "sublet.db-shm"):
        (tmp_path / name).unlink()
    copy.replace(file)
    assert_refused("store.replaced", lambda: send(engine))
    assert (used(engine), send(engine, 6).code, send(engine, 7).code) == (4, "ok", "quota_exceeded")


def test_foreign_file_is_left_alone(file: Path, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE mine (x)")
        other.commit()
    assert_refused("store.foreign", lambda: open_engine(file))
    text = tmp_path / "text.db"
    text.write_text("a letter\n" * 1_000)
    assert_refused("store.foreign", lambda: open_engine(text))
    assert text.read_text() == "a letter\n" * 1_000


@pytest.mark.parametrize("version", [1, 2, 4])
def test_other_version_is_refused(file: Path, version: int) -> None:
    open_engine(file)
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute(f"PRAGMA user_version = {version}")
    assert f"version {version} where" in str(assert_refused("store.version", lambda: open_engine(file)))


def test_unreachable_paths_are_errors(tmp_path: Path) -> None:
    assert_refused("store.unreachable", lambda: sublet.Engine.open(store=f"sqlite:{tmp_path}/no/sublet.db"))
    assert_refused("store.unreachable", lambda: sublet.Engine.open(store=f"sqlite:{tmp_path}"))
    for store in ("sqlite:", "sqlite:x\0y", f"sqlite:{tmp_path}/x.db?durability=much", "postgres:x", "memory", "memory:x"):
        assert_refused("store.unknown", lambda store=store: sublet.Engine.open(store=store))  # type: ignore[misc]


def test_read_only_folder_is_an_error(file: Path, tmp_path: Path) -> None:
    open_engine(file, 10)
    script = """
        import os, sys, sublet
        if os.geteuid() == 0:
            os.seteuid(65534)
        try:
            sublet.Engine.open(store=sys.argv[1])
        except sublet.SubletError as error:
            print(error.code)
    """
    paths = [tmp_path, *tmp_path.iterdir()]
    modes = [path.stat().st_mode for path in paths]
    for parent in tmp_path.parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o755)
    for path in paths:
        path.chmod(0o555)
    try:
        assert start(file, script).communicate(timeout=60)[0] == "store.read_only\n"
    finally:
        for path, mode in zip(paths, modes):
            path.chmod(mode)


def test_database_locked_by_another_program(file: Path) -> None:
    engine = open_engine(file, 10)
    script = """
        import sqlite3, sys
        other = sqlite3.connect(sys.argv[1].removeprefix("sqlite:"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        print("held", flush=True)
        sys.stdin.read()
    """
    with start(file, script) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        assert_refused("store.locked", lambda: send(engine))
        other.communicate()
    assert send(engine)


def test_limit_check_does_not_wait_if_unchanged(file: Path) -> None:
    engine, other = open_engine(file, 10), open_engine(file)
    asked = (ACME, "campaign.send", ("Campaign", "k", "acme"))
    send(engine, 4)
    assert engine.check(*asked, host=MAIN, amount=6)
    assert not engine.check(*asked, host=MAIN, amount=7)
    with open(file.with_name("sublet.db-lock"), "r+b") as lock:
        # The write lock (Linux, 64 bits: type, whence, start, length, process).
        turn = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, (1 << 20) + 1, 1, 0)
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, turn)
        assert engine.check(*asked, host=MAIN, amount=6)
        assert engine.authorize(*asked, host=MAIN, amount=7).code == "quota_exceeded"
        assert engine.usage("acme", meter="emails")[0]["used"] == 4
        waits = threading.Thread(target=send, args=(other, 1))
        waits.start()
        time.sleep(0.05)
        assert waits.is_alive()
    waits.join()
    assert not engine.check(*asked, host=MAIN, amount=6)
    assert engine.check(*asked, host=MAIN, amount=5)


def test_verify_finds_a_changed_count(file: Path) -> None:
    engine = open_engine(file, 10)
    send(engine, 3)
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("UPDATE buckets SET used = 2")
        other.commit()
    flipped, summed_up = engine.verify()["faults"]
    assert "`buckets`" in flipped and "checksum" in flipped
    assert "2 used" in summed_up and "sum to 3" in summed_up
    # The changed count is not used for an answer either.
    assert_refused("store.corrupt", lambda: send(engine))


def test_damaged_count_under_a_grant_is_an_error(file: Path) -> None:
    engine = open_engine(file, 10)
    # From the third on, a cached grant answers.
    for _ in range(4):
        send(engine)
    with contextlib.closing(sqlite3.connect(file)) as other:
        for count, code in ((3, "store.corrupt"), (4, None)):
            other.execute("UPDATE buckets SET used = ?", (count,))
            other.commit()
            if code:
                assert_refused(code, lambda: send(engine))
            else:
                assert send(engine).allowed
    assert (used(engine), summed(file)) == (5, 5)
    assert not engine.verify()["faults"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE operations SET answer = CAST(replace(CAST(answer AS TEXT), 'true', 'null') AS BLOB) WHERE idempotency_key IS NOT NULL",
        "UPDATE operations SET at = at + 1",
        "UPDATE idempotency_keys SET operation = operation - 1",
        "UPDATE idempotency_keys SET expires_at = expires_at + 1",
        "UPDATE reservations SET amount = 1",
        "UPDATE records SET record = replace(record, '10', '90')",
        "UPDATE changes SET changes = '[]'",
        "UPDATE meta SET value = value + 1 WHERE name = 'revision'",
        "DELETE FROM records WHERE id = 'cafe'",
        "DELETE FROM operations WHERE id = (SELECT max(id) FROM operations)",
        "DELETE FROM idempotency_keys",
        "DELETE FROM reservations",
        "DELETE FROM buckets",
        "DROP INDEX buckets_windows",
    ],
)
def test_verify_finds_each_changed_value(file: Path, change: str) -> None:
    engine = open_engine(file, 10)
    send(engine, 3, key="a")
    send(engine, 1)
    engine.reserve(ACME, "campaign.send", ("Campaign", "k", "acme"), 2, ttl=60_000, host=MAIN)
    engine.apply_changes([{"type": "Account", "id": "cafe", "email": "hello@cafe.example", "owner": "acme", "level": "basic", "confirmed": True}])
    assert engine.verify()["faults"] == []
    with contextlib.closing(sqlite3.connect(file)) as other:
        assert other.execute(change).rowcount != 0
        other.commit()
    assert engine.verify()["faults"] != []


@pytest.mark.parametrize("change", ["UPDATE operations SET at = at + 1", "UPDATE meta SET value = 'x 1' WHERE name = 'boot'"])
def test_damaged_counts_leave_checks_working(file: Path, change: str) -> None:
    send(open_engine(file, 10), 3)
    with contextlib.closing(sqlite3.connect(file)) as other:
        assert other.execute(change).rowcount == 1
        other.commit()
    engine = sublet.Engine.open(store=f"sqlite:{file}")
    assert engine.check(ACME, "campaign.read", ("Campaign", "k", "acme"), host=MAIN)
    # The recorded instant is written again, because the clock is not in doubt.
    assert bool(engine.verify()["faults"]) == ("operations" in change)


def test_damaged_file_is_an_error(file: Path, tmp_path: Path) -> None:
    open_engine(file, 10)
    whole = file.read_bytes()
    for name in ("sublet.db-wal", "sublet.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    for begin in range(4096, len(whole), 4096):
        file.write_bytes(whole[:begin] + b"\xa5" * 4096 + whole[begin + 4096 :])
        try:
            send(open_engine(file))
        except sublet.SubletError as error:
            # A damaged page of another table is not read, so the answer is valid.
            assert error.code in ("store.corrupt", "store.behind")
        for name in ("sublet.db-wal", "sublet.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
    file.write_bytes(whole[:5000])
    assert_refused("store.corrupt", lambda: open_engine(file))


def test_bad_amounts_write_nothing(file: Path) -> None:
    engine = open_engine(file, 10)
    send(engine)
    for amount in (-1, 2**63, 1.0, float("nan"), "1", True):
        assert_refused("input.amount", lambda amount=amount: send(engine, amount))  # type: ignore[misc]
    assert_refused("store.verb", engine.reset_counts)
    engine.apply_changes([RECORD | {"limits": {"emails": "unlimited"}}])
    assert send(engine, 2**63 - 1).code == "quota_exceeded"
    assert (used(engine), summed(file)) == (1, 1)


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Path]:
    """Copies the shipped bundle into a folder of its own."""
    folder = tmp_path / "policies"
    shutil.copytree(AGENCY.parents[1], folder)
    yield folder


def test_mismatched_directory_denies_with_code(file: Path, copied: Path) -> None:
    with_more = open_engine(file, 10)
    schema = copied / "app.cedarschema"
    schema.write_text(schema.read_text().replace("entity Feature enum [", 'entity Feature enum [\n  "novelty",', 1))
    catalog = json.loads((copied / "catalog.json").read_text())
    catalog["features"]["novelty"] = "a feature that others do not know"
    (copied / "catalog.json").write_text(json.dumps(catalog))
    newer = sublet.Engine.open(copied, store=f"sqlite:{file}")
    package = {"type": "Package", "id": "new", "features": ["novelty"]}
    newer.apply_changes([package])
    assert_refused("store.behind", lambda: with_more.check(ACME, "campaign.read", ("Campaign", "k", "acme"), host=MAIN))
    assert_refused("store.behind", lambda: send(with_more))
    assert_refused("store.behind", lambda: open_engine(file))
    newer.apply_changes(remove=[("Package", "new")])
    assert open_engine(file).revision == newer.revision
