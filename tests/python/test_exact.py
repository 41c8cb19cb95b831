"""Eight processes on one store, four in Python and four in Node, are killed at random. Afterwards
some order of its operations explains the history of each account, and no acknowledged operation is
missing."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import sublet

ROOT = Path(__file__).parents[2]
AGENCY = ROOT / "policies/tests/agency.jsonl"
SECONDS = float(os.environ.get("SUBLET_EXACT_SECONDS", "60"))
KILLS = int(os.environ.get("SUBLET_EXACT_KILLS", str(int(SECONDS / 2))))
#: The e-mail limit of the second account. It is reached soon, and refunds and releases make room
#: again.
LIMIT = 400
KINDS = ("consume", "free", "set", "reserve", "commit", "release", "refund", "top_up", "carry_over", "command", "payment", "reversal", "revoke_top_up")


class Slot:
    """One of the eight processes. It is started again when it is killed."""

    def __init__(self, at: int, folder: Path, file: Path, stop: Path) -> None:
        durability = "power" if at % 2 else "process"
        args = [f"sqlite:{file}?durability={durability}&create=no", str(folder / f"{at}.jsonl"), str(stop), "3"]
        python = [sys.executable, str(Path(__file__).parent / "exact_worker.py")]
        self.command = [*(python if at < 4 else ["node", str(ROOT / "tests/node/exact.mjs")]), *args]
        self.said = folder / f"{at}.txt"
        self.start()

    def start(self) -> None:
        with self.said.open("a") as said:
            self.process = subprocess.Popen(self.command, stdout=said, stderr=said)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL, self.said.read_text()
        self.start()


def read_journal(folder: Path) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Returns the intents and the answers by their names."""
    intents: dict[str, dict[str, Any]] = {}
    answers: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            assert "failed" not in entry, entry
            if "intent" in entry:
                intents[entry["intent"]] = entry
            else:
                answers[entry["answer"]] = entry
    return intents, answers


def read_tables(file: Path) -> tuple[dict[int, dict[str, Any]], dict[str, int]]:
    """Reads the e-mail operations and the usage of each account with plain SQL."""
    with contextlib.closing(sqlite3.connect(file)) as found:
        found.row_factory = sqlite3.Row
        rows = found.execute(
            """SELECT o.id, o.kind, o.used, o.reserved, o.idempotency_key, o.parent, o.other_deltas, o.bucket, b.account FROM operations o JOIN buckets b ON b.id = o.bucket
            WHERE b.meter = 'emails' ORDER BY o.id"""
        ).fetchall()
        sums = found.execute("SELECT account, sum(used) FROM buckets WHERE meter = 'emails' AND member = '' GROUP BY account").fetchall()
    return {row["id"]: dict(row) for row in rows}, dict(sums)


def replay_operations(operations: dict[int, dict[str, Any]]) -> dict[int, tuple[int, int]]:
    """Returns used and reserved units after each operation. Checks that no operation exceeds a
    limit."""
    after: dict[int, tuple[int, int]] = {}
    stand: dict[int, tuple[int, int]] = {}
    settled: Counter[int] = Counter()
    for number, row in operations.items():
        assert row["other_deltas"] is None
        used, reserved = stand.get(row["bucket"], (0, 0))
        used, reserved = used + row["used"], reserved + row["reserved"]
        assert used >= 0 and reserved >= 0, row
        assert row["account"] != "nova" or used + reserved <= LIMIT, row
        if row["parent"] is not None:
            settled[row["parent"]] += 1
            assert settled[row["parent"]] == 1 and row["parent"] in operations, row
        stand[row["bucket"]] = after[number] = (used, reserved)
    return after


def answered_requests(answers: dict[str, dict[str, Any]], intents: dict[str, dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Returns each answer about usage with its request. A batch is several."""
    found = []
    for name, answer in answers.items():
        asked = intents[name]
        if asked["do"] == "batch":
            for amount, item in zip(asked["amounts"], answer["items"], strict=True):
                found.append(({**asked, "do": "consume", "amount": amount}, item))
        elif asked["do"] != "change":
            found.append((asked, answer))
    return found


def test_counts_are_exact_through_kills(tmp_path: Path) -> None:
    file, stop = tmp_path / "exact.db", tmp_path / "stop"
    engine = sublet.Engine.open(store=f"sqlite:{file}")
    engine.import_lines(AGENCY)
    records = [("acme", 10**8), ("nova", LIMIT)]
    engine.apply_changes(
        [{"type": "Account", "id": id, "email": f"owner@{id}.example", "package": "agency", "confirmed": True, "limits": {"emails": limit}} for id, limit in records]
    )
    first = engine.revision
    rng = random.Random(20)
    slots = [Slot(at, tmp_path, file, stop) for at in range(8)]
    begun = time.monotonic()
    try:
        # The time starts when all processes have started, which takes a while on a busy machine.
        while any(not path.exists() or path.stat().st_size == 0 for path in (tmp_path / f"{at}.jsonl" for at in range(8))):
            assert time.monotonic() < begun + 180, [slot.said.read_text() for slot in slots]
            time.sleep(0.1)
        begun = time.monotonic()
        for kill in range(KILLS):
            time.sleep(max(0.0, begun + SECONDS * (kill + 1) / (KILLS + 1) - time.monotonic()))
            rng.choice(slots).kill()
        time.sleep(max(0.0, begun + SECONDS - time.monotonic()))
        stop.touch()
        for slot in slots:
            assert slot.process.wait(timeout=180) == 0, slot.said.read_text()
    finally:
        for slot in slots:
            slot.process.kill()

    assert engine.verify()["faults"] == []
    intents, answers = read_journal(tmp_path)
    operations, sums = read_tables(file)
    after = replay_operations(operations)
    fresh: dict[int, dict[str, Any]] = {}
    by_key: dict[str, int] = {}
    for asked, answer in answered_requests(answers, intents):
        number = answer["operation"]
        if number is None:
            continue
        row = operations.get(number)
        assert row is not None, f"acknowledged, and in no table: {asked} {answer}"
        if asked.get("key"):
            assert by_key.setdefault(asked["key"], number) == number, f"a key with two operations: {asked}"
            assert row["idempotency_key"] == asked["key"]
        assert [list(after[number])] == answer["quota"], f"{asked}: {answer}, where {row} leaves {after[number]}"
        if answer["replayed"]:
            continue
        assert number not in fresh, f"operation {number} was given twice: {asked}, {fresh[number]}"
        fresh[number] = asked
        did = (KINDS[row["kind"]], row["used"], row["reserved"])
        expected = {
            "consume": ("consume", asked.get("amount"), 0),
            "reserve": ("reserve", 0, asked.get("amount")),
            "commit": ("commit", 1, -2),
            "release": ("release", 0, -2),
        }
        assert did == expected[asked["do"]], f"{asked}: {row}"

    # An operation without an answer belongs to a process that was killed before it could record the
    # answer.
    unanswered = [asked for name, asked in intents.items() if name not in answers]
    possible = sum(len(asked.get("amounts", [0])) for asked in unanswered)
    told = set(fresh) | set(by_key.values())
    assert len(set(operations) - told) <= possible
    # A refusal must also be true at some moment. Items of a batch are left out, because their
    # refusals include debits that were rolled back.
    states = {account: {after[number] for number, row in operations.items() if row["account"] == account} | {(0, 0)} for account in ("acme", "nova")}
    for asked, answer in answered_requests(answers, intents):
        if not answer["allowed"] and "amounts" not in asked:
            assert any(tuple(quota) in states[asked["account"]] for quota in answer["quota"]), (asked, answer)
    # Operations of one thread have ascending numbers.
    latest: dict[str, int] = {}
    for name, answer in answers.items():
        thread = name.rsplit("/", 1)[0]
        if answer.get("operation") and not answer["replayed"] and intents[name]["do"] != "batch":
            assert latest.get(thread, 0) < answer["operation"], (name, answer)
            latest[thread] = answer["operation"]
    # Each change of the directory has its own revision.
    revisions = [answer["revision"] for name, answer in answers.items() if intents[name]["do"] == "change"]
    assert len(revisions) == len(set(revisions)) and max(revisions, default=first) <= engine.revision
    for account, used in sums.items():
        assert used == engine.usage(account, meter="emails")[0]["used"] == sum(row["used"] for row in operations.values() if row["account"] == account)
    assert len(fresh) > SECONDS, f"{len(fresh)} operations were acknowledged"
    print(f"{KILLS} kills, {len(fresh)} acknowledged operations, {len(operations)} kept, {len(revisions)} changes")
