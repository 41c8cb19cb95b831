"""Writes the figures of a whole run into `docs/performance.md`: python benches/page.py [FILE]

FILE is what `table.py` wrote, `target/bench.json` if left out. Each row below names a row of it, the call, and the peer.
"""

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

from table import amount, ratio

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"

HAND = "rules by hand"
BARE = "bare statements"
FLEXIBLE = "`rate-limiter-flexible`"
CEDAR = "`cedar-policy`"
CHECK = "`check`"
SIZES = [(n, f"{n * 86:,} principals") for n in (1, 100, 1_000, 10_000)]
HOSTS = {
    "platform": "the platform's domain",
    "whitelabel": "the own owner's domain",
    "other": "another owner's domain",
    "none": "no host: a background job",
    "unknown": "an unknown host",
}
SECTIONS = {
    "Deciding, with 8,600 principals resident unless the row says otherwise:": [
        ("rust/check/strings/agency=100", "Rust `check`, strings", HAND),
        ("rust/check/handles/agency=100", "Rust `check`, handles", HAND),
        ("rust/authorize/agency=100", "Rust `authorize`", HAND),
        ("rust/authorize/agency=100/peer=check", "Rust `authorize`", CHECK),
        ("rust/check/strings/agency=1", "Rust `check`, 86 principals", HAND),
        ("rust/check/strings/agency=10000", "Rust `check`, 860,000 principals", HAND),
        ("rust/check/strings/agency=100/peer=cedar-policy", "Rust `check`, warm", CEDAR),
        ("rust/check/policies=10000/bundle", "Rust `check`, 10,000 policies", "few policies"),
        ("rust/check/amount/memory", "Rust `check`, an amount", "without the amount"),
        ("python/check/strings/agency=100/peer=by-hand", "Python `check`, strings", HAND),
        ("python/check/handles/agency=100/peer=by-hand", "Python `check`, handles", HAND),
        ("python/check/handles/agency=100/peer=empty", "Python `check`, handles", "empty native call"),
        ("python/check/handles/agency=100/peer=cedarpy", "Python `check`, handles", "`cedarpy`"),
        ("node/check/strings/agency=100/peer=by-hand", "Node `check`, strings", HAND),
        ("node/check/handles/agency=100/peer=by-hand", "Node `check`, handles", HAND),
        ("node/check/handles/agency=100/peer=empty", "Node `check`, handles", "empty native call"),
        ("node/check/strings/agency=100/peer=cedar-wasm", "Node `check`, strings", "`cedar-wasm`"),
    ],
    "Deciding in Rust with twelve rules of authors more:": [
        *(
            (f"rust/check/{form}/authors={n}", f"`check`, {form}, {principals}", HAND)
            for form in ("strings", "handles")
            for n, principals in SIZES
        ),
        ("rust/authorize/authors=100", "`authorize`", HAND),
        ("rust/authorize/authors=100/peer=check", "`authorize`", CHECK),
        ("rust/check/strings/authors=100/peer=cedar-policy", "`check`, warm", CEDAR),
    ],
    "Rust `check` from strings at each kind of host, with 8,600 principals:": [
        (f"rust/check/strings/host={kind}/{workload}=100", f"{host}{rules}", HAND)
        for workload, rules in (("agency", ""), ("authors", ", with the rules of authors"))
        for kind, host in HOSTS.items()
    ],
    "Other calls of Rust, with 8,600 principals:": [
        ("rust/login", "`login`", "`authorize` of its action"),
        ("rust/permitted_actions", "`permitted_actions` of an account", ""),
        ("rust/explain", "`explain`", "`authorize`"),
        ("rust/perform", "`perform`, a change of a member", "`apply_changes`"),
        ("rust/reload", "`reload` of changed policies", ""),
        ("rust/follow", "first `check` after a change by another engine", "the next one"),
    ],
    "Opening an engine, in CPU time, and its own memory:": [
        ("rust/open/shipped", "the shipped policies", ""),
        ("rust/open/changed", "the shipped policies with one rule more", ""),
        ("rust/open/again", "the same again in one process", ""),
        ("rust/memory/engine", "memory of one engine", ""),
    ],
    "Counting in memory:": [
        ("rust/consume/keyed/memory", "Rust, with an idempotency key", "without a key"),
        ("rust/consume/memory/keys=1/peer=limitador", "Rust, one account", "`limitador`"),
        ("rust/consume/memory/keys=100000/peer=limitador", "Rust, 100,000 accounts", "`limitador`"),
        ("python/consume/memory/handles/keys=1/peer=limits", "Python, one account", "`limits`"),
        ("python/consume/memory/handles/keys=100000/peer=limits", "Python, 100,000 accounts", "`limits`"),
        ("node/consume/memory/keys=1/peer=rate-limiter-flexible", "Node, one account", FLEXIBLE),
        ("node/consume/memory/keys=100000/peer=rate-limiter-flexible", "Node, 100,000 accounts", FLEXIBLE),
    ],
    "Counting in a file. The peer makes the same statements behind the same locks:": [
        (
            f"rust/consume/sqlite/{durability}/keys={keys}/processes={processes}",
            f"`{name}`, {accounts}, {processes} process{'es' if processes > 1 else ''}",
            BARE,
        )
        for durability, name in (("normal", "process"), ("full", "power"))
        for keys, accounts in ((1, "one account"), (100_000, "100,000 accounts"))
        for processes in (1, 2, 4, 8)
    ],
    "The directory, with 860,000 principals:": [
        ("rust/memory/resident/agency=10000", "memory", "`cedar_policy::Entities`"),
        ("rust/load/agency=10000", "time to import", ""),
    ],
}


def commit():
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def lines(rows):
    yield f"Measured on {date.today():%d %B %Y} at commit {commit()}, on {os.cpu_count()} cores. Medians. The\nlast figure of a row is the ratio of the first two."
    for title, said in SECTIONS.items():
        yield from ("", title, "", "| call | takes | beside |", "| --- | --- | --- |")
        for name, call, peer in said:
            row = rows[name]
            ours, theirs = (amount(row[side], row["unit"]) for side in ("ours", "peer"))
            beside = f"{peer}: {theirs} ({ratio(row['ratio'])})" if peer else ""
            yield f"| {call} | {ours} | {beside} |"


def main(file="target/bench.json"):
    rows = {row["name"]: row for row in json.loads(Path(file).read_text())}
    named = [name for said in SECTIONS.values() for name, *_ in said]
    missing = [name for name in named if rows.get(name, {}).get("ours") is None]
    unchecked = [name for name in named if name not in missing and not rows[name]["checked"]]
    if missing or unchecked:
        print(f"{PAGE.name} keeps its figures. Not measured: {missing}. Answers not compared: {unchecked}.")
        return
    text = PAGE.read_text()
    figures = f"{BEGIN}\n\n" + "\n".join(lines(rows)) + f"\n\n{END}"
    PAGE.write_text(re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: figures, text, flags=re.DOTALL))


if __name__ == "__main__":
    main(*sys.argv[1:])
