"""Medians of rounds in which the contestants take turns, and the rows that the table at the end reads."""

import gc
import json
import os
import statistics
from pathlib import Path
from time import perf_counter_ns

ROUNDS = max(5, int(os.environ.get("SUBLET_BENCH_ROUNDS", "9")))
DIRECTORY = Path(os.environ.get("SUBLET_BENCH_DIR", "target/bench"))


def size(name, default):
    return int(os.environ.get(name, default))


class Report:
    """The rows of this part, written one by one in case a later one fails."""

    def __init__(self, part):
        self.file = DIRECTORY / f"{part}.json"
        self.rows = []

    def row(self, name, unit, ours, peer, checked=True):
        print(f"{name}: {ours:.1f} {unit}" + (f"  peer {peer:.1f}  ratio {ours / peer:.3f}" if peer else ""), flush=True)
        self.rows.append({"name": name, "unit": unit, "ours": ours, "peer": peer, "checked": checked})
        self.file.write_text(json.dumps(self.rows, indent=1))


def race(passes, items, rounds=ROUNDS):
    """Nanoseconds for each item. A pass asks all items, in the order in which they were drawn and lie in memory, as if each
    had just come in. One named `loop` asks nothing; what it takes is taken off the others."""
    names = list(passes)
    found = {name: [] for name in names}
    gc.collect()
    gc.disable()
    for turn in range(rounds + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            ask = passes[name]
            begun = perf_counter_ns()
            ask()
            each = (perf_counter_ns() - begun) / items
            # The first round warms up.
            if turn:
                found[name].append(each)
    gc.enable()
    medians = {name: statistics.median(each) for name, each in found.items()}
    loop = medians.pop("loop", 0)
    return {name: each - loop for name, each in medians.items()}
