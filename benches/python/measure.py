"""Medians of rounds in which the contestants take turns, and the rows that the table at the end reads."""

import gc
import json
import os
import random
import statistics
from pathlib import Path
from time import perf_counter_ns

SEED = 17
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
    """Nanoseconds for each item. A pass is called with the order of the items, a new one in each round; a pass named
    `loop` does nothing, and what it takes is taken off the others."""
    draw = random.Random(SEED)
    names = list(passes)
    found = {name: [] for name in names}
    order = list(range(items))
    gc.collect()
    gc.disable()
    for turn in range(rounds + 1):
        draw.shuffle(order)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            ready = passes[name](order)
            begun = perf_counter_ns()
            ready()
            each = (perf_counter_ns() - begun) / items
            # The first round warms up.
            if turn:
                found[name].append(each)
    gc.enable()
    medians = {name: statistics.median(each) for name, each in found.items()}
    loop = medians.pop("loop", 0)
    return {name: each - loop for name, each in medians.items()}
