"""One table of what the parts measured, and `target/bench.json`: python benches/table.py [DIRECTORY] [FILE]

Each part writes rows (name, unit, ours, peer, checked) into DIRECTORY. `targets.json` names the rows that must be there, and
what they must reach. A row that is missing is "not measured", and one whose answers were not compared first is not met.
"""

import json
import operator
import re
import sys
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).parent
COMPARE = {"<=": operator.le, "<": operator.lt, ">=": operator.ge}
STEPS = {"ns": [("ns", 1), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)]}
COLUMNS = ("name", "ours", "peer", "ratio", "target", "met", "checked")


def reaches(row, target):
    """Whether the row meets `ratio <= 1/60`, or one of several such words joined by `or`."""
    for part in target.split(" or "):
        field, compare, bound = part.split()
        if row[field] is not None and COMPARE[compare](row[field], float(Fraction(bound))):
            return True
    return False


def completed(measured, target):
    ours, peer = measured.get("ours"), measured.get("peer")
    row = {
        "name": measured["name"],
        "unit": measured.get("unit"),
        "ours": ours,
        "peer": peer,
        "ratio": ours / peer if ours is not None and peer else None,
        "target": target,
        "met": None,
        "checked": measured.get("checked", False),
    }
    if target is not None:
        row["met"] = ours is not None and row["checked"] and reaches(row, target)
    return row


def rows(directory, targets):
    measured = {}
    for file in sorted(directory.glob("*.json")):
        for row in json.loads(file.read_text()):
            measured[row["name"]] = row
    for target in targets:
        yield completed(measured.pop(target["name"], {"name": target["name"]}), target["target"])
    for row in sorted(measured.values(), key=lambda row: row["name"]):
        yield completed(row, None)


def amount(value, unit):
    if value is None:
        return ""
    for name, size in reversed(STEPS.get(unit, [])):
        if value >= size:
            return f"{value / size:.3g} {name}"
    number = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return f"{number} {unit}"


def ratio(value):
    if value is None:
        return ""
    return f"{value:.2f}" if value > 0.2 else f"1/{1 / value:,.0f}"


def words(row):
    missing = row["ours"] is None
    met = {True: "yes", False: "NO", None: ""}[row["met"]]
    return (
        row["name"],
        "not measured" if missing else amount(row["ours"], row["unit"]),
        amount(row["peer"], row["unit"]),
        ratio(row["ratio"]),
        row["target"] or "",
        "" if missing else met,
        "" if missing else "yes" if row["checked"] else "NO",
    )


def table(found):
    lines = [COLUMNS, *map(words, found)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    group = None
    for line in lines:
        first = re.match(r"\w+", line[0]).group()
        if group not in (None, first):
            print("-" * (sum(widths) + 2 * len(widths)))
        group = first
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        print("  ".join(cells).rstrip())


def main(directory="target/bench", file="target/bench.json"):
    found = list(rows(Path(directory), json.loads((HERE / "targets.json").read_text())))
    Path(file).write_text(json.dumps(found, indent=1) + "\n")
    table(found)
    aimed = [row for row in found if row["target"]]
    missing = sum(row["ours"] is None for row in aimed)
    print(f"\n{sum(row['met'] for row in aimed)} of {len(aimed)} targets met, {missing} not measured; {file} has the figures")


if __name__ == "__main__":
    main(*sys.argv[1:])
