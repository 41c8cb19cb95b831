"""One process of `test_exact.py`. It uses quotas in every way until it is killed or told to stop,
and writes a journal of its intents and answers. `exact.mjs` in tests/node is its twin in Node."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sublet

HOST = "dash.marketingmaster.example"
DAY = 86_400_000
#: Codes of a call with an unknown outcome, or with a store that another process uses.
UNKNOWN = ("store.locked", "store.unknown_outcome")


class Journal:
    """A file with one line for each intent and answer. Each line is written at once, so that a kill
    loses none."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.run = f"{os.getpid()}-{time.time_ns()}"

    def write(self, entry: dict[str, Any]) -> None:
        os.write(self.file, (json.dumps(entry) + "\n").encode())

    def did(self, thread: int, step: int, entry: dict[str, Any], work: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        name = f"{self.run}/{thread}/{step}"
        self.write({"intent": name, **entry})
        try:
            answer = work()
        except sublet.SubletError as error:
            if error.code not in UNKNOWN:
                self.write({"failed": name, "code": error.code, "message": str(error)})
                raise
            return None
        self.write({"answer": name, **answer})
        return answer


def quota_entry(answer: Any) -> dict[str, Any]:
    quota = [[each["used"], each["held"]] for each in answer.quota]
    return {"operation": answer.operation, "replayed": answer.replayed, "quota": quota, "allowed": getattr(answer, "allowed", True)}


def retries(path: Path) -> list[dict[str, Any]]:
    """Returns the keyed intents of this slot that have no answer."""
    open_ones: dict[str, dict[str, Any]] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if "intent" in entry and entry.get("key"):
                open_ones[entry["key"]] = entry
            elif "answer" in entry:
                open_ones = {key: known for key, known in open_ones.items() if known["intent"] != entry["answer"]}
    return list(open_ones.values())


def work(engine: sublet.Engine, journal: Journal, thread: int, stop: Path) -> None:
    rng = random.Random(f"{journal.run}/{thread}")
    step = 0
    held: list[int] = []

    def item(account: str, amount: int, key: str | None = None) -> dict[str, Any]:
        principal, resource = ("Account", account), ("Campaign", "k", account)
        keyed = {} if key is None else {"idempotency_key": key}
        return {"principal": principal, "action": "campaign.send", "resource": resource, "amount": amount, "host": HOST, **keyed}

    def consume(account: str, amount: int, key: str | None) -> dict[str, Any]:
        one = item(account, amount, key)
        args = [one.pop(name) for name in ("principal", "action", "resource", "amount")]
        return quota_entry(engine.consume(*args, **one))

    while not stop.exists():
        step += 1
        account = rng.choice(["acme", "acme", "nova"])
        key = f"{journal.run}/{thread}/{step}" if rng.random() < 0.5 else None
        verb = rng.randrange(10)
        if verb < 4:
            amount = rng.randint(1, 3)
            entry = {"do": "consume", "account": account, "amount": amount, "key": key}
            answer = journal.did(thread, step, entry, lambda: consume(account, amount, key))
            if answer and key and rng.random() < 0.3:
                journal.did(thread, -step, entry, lambda: consume(account, amount, key))
        elif verb == 4:
            entry = {"do": "reserve", "account": account, "amount": 2}
            args = (("Account", account), "campaign.send", ("Campaign", "k", account), 2)
            answer = journal.did(thread, step, entry, lambda: quota_entry(engine.reserve(*args, ttl=DAY, host=HOST)))
            if answer and answer["operation"]:
                held.append(answer["operation"])
        elif verb == 5 and held:
            operation = held.pop()
            if rng.randrange(3) == 0:
                journal.did(thread, step, {"do": "release", "of": operation}, lambda: quota_entry(engine.release(operation)))
            else:
                journal.did(thread, step, {"do": "commit", "of": operation}, lambda: quota_entry(engine.commit(operation, 1)))
        elif verb == 6:
            amounts = [1, rng.choice([1, 10**9])]
            items = [item(account, amount) for amount in amounts]
            entry = {"do": "batch", "account": account, "amounts": amounts}
            journal.did(thread, step, entry, lambda: {"items": [quota_entry(each) for each in engine.batch(items)]})
        elif verb == 7:
            record = {"type": "Account", "id": "cafe", "email": "hello@cafe.example", "owner": "acme", "level": "basic", "confirmed": bool(step % 2)}
            journal.did(thread, step, {"do": "change"}, lambda: {"revision": engine.apply_changes([record])})
        elif verb == 8 and rng.random() < 0.1:
            engine.reload()
        else:
            engine.check(("Account", "acme"), "campaign.send", ("Campaign", "k", "acme"), host=HOST)


def main() -> None:
    store, path, stop, threads = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    again = retries(path)
    engine = sublet.Engine.open(store=store)
    journal = Journal(path)
    for at, entry in enumerate(again):
        account, amount, key = entry["account"], entry["amount"], entry["key"]
        args = (("Account", account), "campaign.send", ("Campaign", "k", account), amount)
        journal.did(99, at, {name: entry[name] for name in ("do", "account", "amount", "key")}, lambda: quota_entry(engine.consume(*args, host=HOST, idempotency_key=key)))
    all_threads = [threading.Thread(target=work, args=(engine, journal, at, stop)) for at in range(threads)]
    for thread in all_threads:
        thread.start()
    for thread in all_threads:
        thread.join()


if __name__ == "__main__":
    main()
