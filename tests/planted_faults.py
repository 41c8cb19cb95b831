#!/usr/bin/env python3
"""Plants faults in a copy of the evaluator, and expects the differential tests to find each one.

The copy stands in `target/faults`. It is built once, with every fault in it, in a folder of its
own: Cargo would take its library for the shipped one if both stood in one folder. The environment
variable `SUBLET_FAULT` switches on the fault with that number. Nothing of this is in the shipped
code. Each fault is looked for from several seeds. Prints a table with the test that found it, and
how many bundles of an author `author_rules` had compared by then. Exits with 1 if a fault is not
found from one of the seeds.

    tests/planted_faults.py [--debug] [--seeds N] [--built] [number...]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
COPY = ROOT / "target" / "faults"
BUILD = ROOT / "target" / "faults-build"
# Tests that run until one fails, in this order.
TESTS = ("author_rules::", "facts::", "answer_cache::", "differential::")

SWITCH = """
/// Returns whether the fault with this number is switched on.
pub(crate) fn planted(number: u32) -> bool {
    static FAULT: std::sync::OnceLock<Option<u32>> = std::sync::OnceLock::new();
    let fault = || std::env::var("SUBLET_FAULT").ok()?.parse().ok();
    *FAULT.get_or_init(fault) == Some(number)
}
"""


class Fault(NamedTuple):
    """A fault: its words, the file below `core/src`, and the text that another one replaces."""

    words: str
    file: str
    search: str
    replace: str
    # The tests that look for it, in this order.
    tests: tuple[str, ...] = TESTS


FAULTS = (
    Fault(
        "`has` of a fact of a record is negated",
        "authorize/tenant/symbolic_attributes.rs",
        "        let has = self.fact(&record, fact)?;\n",
        "        let mut has = self.fact(&record, fact)?;\n"
        "        if crate::planted(1) {\n            has = self.diagrams.not(has)?;\n        }\n",
    ),
    Fault(
        "the bit of the package answers for the level",
        "authorize/tenant/bits.rs",
        "        RecordFact::Names(LEVEL_OF) => account_bit::HAS_LEVEL,\n",
        "        RecordFact::Names(LEVEL_OF) if crate::planted(2) => {\n"
        "            account_bit::HAS_PACKAGE\n        }\n"
        "        RecordFact::Names(LEVEL_OF) => account_bit::HAS_LEVEL,\n",
    ),
    Fault(
        "an atom that fails is false",
        "authorize/tenant/symbolic.rs",
        "        // A condition that fails is not satisfied.\n",
        "        if crate::planted(3) {\n"
        "            let fine = self.diagrams.not(errs)?;\n"
        "            let yes = self.diagrams.and(fine, yes)?;\n"
        "            return Ok(TriState { yes, errs: FALSE });\n        }\n"
        "        // A condition that fails is not satisfied.\n",
    ),
    Fault(
        "account and owner are exchanged on a path",
        "authorize/tenant/bits.rs",
        "            (PathStart::Account, [OWNER_OF]) => Self::Account(OWNER),\n",
        "            (PathStart::Account, [OWNER_OF]) if crate::planted(4) => {\n"
        "                Self::Account(ACCOUNT)\n            }\n"
        "            (PathStart::Account, [OWNER_OF]) => Self::Account(OWNER),\n",
    ),
    Fault(
        "`<` is `<=`",
        "vm/operators.rs",
        " Value::Decimal(right)) => Some(left < right),\n",
        " Value::Decimal(right)) => {\n"
        "            Some(left < right || (crate::planted(5) && left == right))\n        }\n",
    ),
    Fault(
        "a changed record keeps its old attributes for policies",
        "directory/write_rows.rs",
        "    fn keep(&mut self, key: RecordKey, cold: RowExtras) {\n",
        "    fn keep(&mut self, key: RecordKey, mut cold: RowExtras) {\n"
        "        if crate::planted(6)\n"
        "            && let Some(old) = self.cold.get(&key.0)\n        {\n"
        "            cold.own = old.own.clone();\n        }\n",
    ),
    Fault(
        "the key of cached answers lacks the domain of the host",
        "authorize/tenant/compile_requests.rs",
        "        cache: AnswerCache::new(depends),\n",
        "        cache: AnswerCache::new({\n"
        "            let mut depends = depends;\n"
        "            if crate::planted(7) {\n"
        "                depends.bits &= !super::bits::DOMAIN_MASK;\n"
        "            }\n            depends\n        }),\n",
    ),
    Fault(
        "forbids that name one record are left out",
        "authorize/tenant/evaluate.rs",
        "            if self.request.is_named {\n",
        "            if self.request.is_named && !crate::planted(8) {\n",
    ),
    Fault(
        "`||` loses the error of its left side",
        "authorize/tenant/symbolic.rs",
        "                let no = self.no(left)?;\n",
        "                let no = self.no(left)?;\n"
        "                let errs = if crate::planted(9) { FALSE } else { left.errs };\n"
        "                let left = TriState { errs, ..left };\n",
    ),
    Fault(
        "a request gets the plan of another type of principal",
        "authorize/tenant/resolve.rs",
        "            if key.0 == principal && is_resource() {\n",
        "            if (key.0 == principal || crate::planted(10)) && is_resource() {\n",
    ),
    Fault(
        "a proved range of counts goes one too far",
        "vm/range_analysis.rs",
        "            Compare::Less | Compare::Equal if gap > 0 => "
        "self.require_at_least(gap, slope, 1),\n",
        "            Compare::Less | Compare::Equal if gap > 0 => {\n"
        "                self.require_at_least(gap, slope, i128::from(!crate::planted(11)))\n"
        "            }\n",
        ("limit_policies::",),
    ),
    Fault(
        "the key of cached answers lacks a fact of a record",
        "authorize/tenant/answer_cache.rs",
        "        for (variable, at) in atoms.further.iter().zip(0_u32..) {\n",
        "        let first = usize::from(crate::planted(12));\n"
        "        for (variable, at) in atoms.further.iter().skip(first).zip(0_u32..) {\n",
    ),
    Fault(
        "`!` before `in` is lost",
        "authorize/tenant/symbolic.rs",
        "            IrExpr::Not(operand) => {\n",
        "            IrExpr::Not(operand)\n"
        "                if crate::planted(13)\n"
        "                    && matches!(**operand, IrExpr::Compare(crate::vm::Compare::In, ..)) =>\n"
        "            {\n                self.eval(operand)\n            }\n"
        "            IrExpr::Not(operand) => {\n",
    ),
    Fault(
        "the first tag answers for every tag",
        "vm/operators.rs",
        "        field(&guest.tags, tag)\n",
        "        if crate::planted(14) {\n"
        "            guest.tags.first().map_or(Value::Missing, |(_, value)| *value)\n"
        "        } else {\n            field(&guest.tags, tag)\n        }\n",
    ),
    Fault(
        "a changed account keeps the bit of its old sessions",
        "directory/write_rows.rs",
        "            | cold.row_bits();\n        let (number, old) = self.accounts.put(\n",
        "            | if crate::planted(15) {\n"
        "                let old = self.accounts.find(new.id).map(|(_, row)| row.bits);\n"
        "                cold.row_bits() & 1 << 15 | old.unwrap_or(cold.row_bits()) & 1 << 14\n"
        "            } else {\n                cold.row_bits()\n            };\n"
        "        let (number, old) = self.accounts.put(\n",
    ),
    Fault(
        "an optional attribute is present wherever others are",
        "authorize/tenant/specialize.rs",
        "                    Some(false) => None,\n",
        "                    Some(false) => crate::planted(16).then_some(true),\n",
    ),
    Fault(
        "`&&` loses the error of its right side",
        "authorize/tenant/symbolic.rs",
        "                let right = self.eval(right)?;\n",
        "                let mut right = self.eval(right)?;\n"
        "                if crate::planted(17) {\n"
        "                    right.errs = FALSE;\n                }\n",
    ),
    Fault(
        "a range of addresses is in every range with its first address",
        "vm/value.rs",
        "            && mine.1 <= others.1\n",
        "            && (mine.1 <= others.1 || (crate::planted(18) && mine.0 <= others.1))\n",
    ),
    Fault(
        "a changed record keeps its old word of stored facts",
        "directory/write_rows.rs",
        "        self.stored_facts.update(key, cold.own.as_ref());\n",
        "        if !(crate::planted(19) && self.cold.contains_key(&key.0)) {\n"
        "            self.stored_facts.update(key, cold.own.as_ref());\n        }\n",
    ),
    Fault(
        "the first stored fact of an attribute answers for its others",
        "directory/stored_facts.rs",
        "facts.iter().position(|known| known == fact)?",
        "facts.iter().position(|known| {\n"
        "            *known == *fact || (crate::planted(20) && known.name == fact.name)\n        })?",
    ),
    Fault(
        "`<` is `<=` for a stored fact",
        "directory/stored_facts.rs",
        "=> value < bound,",
        "=> {\n                value < bound || (crate::planted(21) && value == bound)\n            }",
    ),
    Fault(
        "values are not checked if no condition reads them",
        "authorize/tenant/evaluate.rs",
        "                self.with_registers(|_, _, _| allowed)\n",
        "                if crate::planted(22) {\n                    return Some(allowed);\n"
        "                }\n                self.with_registers(|_, _, _| allowed)\n",
    ),
    Fault(
        "the key of cached answers lacks a stored fact",
        "authorize/tenant/answer_cache.rs",
        "                *to = word & mask;\n",
        "                let place = 127_u32.wrapping_sub(mask.leading_zeros());\n"
        "                let highest = 1_u128.checked_shl(place).unwrap_or(0);\n"
        "                *to = word & mask & !if crate::planted(23) { highest } else { 0 };\n",
    ),
)

# Further changes that a fault needs besides its replacement: file and appended text.
APPENDED = (
    ("lib.rs", SWITCH),
    (
        "authorize/tenant/bits.rs",
        "\n/// The bits of the domain.\n"
        "pub(super) const DOMAIN_MASK: u64 = ((1 << domain_bit::COUNT) - 1) << DOMAIN;\n",
    ),
)


def copy_tree() -> None:
    """Copies all files of the repository, and plants the faults."""
    shutil.rmtree(COPY, ignore_errors=True)
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        (COPY / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink() or (ROOT / name).is_file():
            shutil.copyfile(ROOT / name, COPY / name, follow_symlinks=False)
    for fault in FAULTS:
        path = COPY / "core/src" / fault.file
        text = path.read_text()
        if text.count(fault.search) != 1:
            sys.exit(f"{fault.file} has not once the text of the fault: {fault.words}")
        path.write_text(text.replace(fault.search, fault.replace))
    for file, appended in APPENDED:
        path = COPY / "core/src" / file
        path.write_text(path.read_text() + appended)


def build(profile: list[str]) -> str:
    """Builds the suite of the copy, and returns its path."""
    command = ["cargo", "test", *profile, "--locked", "-p", "sublet-tests", "--test", "suite"]
    command.append("--no-run")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(BUILD)}
    built = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True)
    found = re.search(r"Executable .*\((.*)\)", built.stderr)
    if built.returncode or not found:
        sys.exit(built.stderr)
    # `--built` finds the program here.
    kept = COPY / "suite"
    shutil.copy(COPY / found.group(1), kept)
    return str(kept)


class Finding(NamedTuple):
    """The first test that fails, with the bundles that it had compared, and the seconds."""

    test: str
    bundles: str | None
    seconds: float


def find_fault(suite: str, number: int, seed: int, tests: tuple[str, ...]) -> Finding | None:
    """Returns the first of the tests that fails while this fault is switched on."""
    environment = {
        **os.environ,
        "SUBLET_FAULT": str(number),
        "SUBLET_SEED": str(seed),
        "RUST_BACKTRACE": "0",
    }
    begin = time.monotonic()
    for name in tests:
        run = subprocess.run(
            [suite, name], cwd=COPY / "tests", env=environment, capture_output=True, text=True
        )
        seconds = time.monotonic() - begin
        failed = re.search(r"^test (\S+) \.\.\. FAILED", run.stdout, re.MULTILINE)
        if failed:
            bundles = re.search(r"differs after (\d+) bundles", run.stdout)
            return Finding(failed.group(1), bundles and bundles.group(1), seconds)
        if run.returncode:
            return Finding(f"{name} (ended by {run.returncode})", None, seconds)
    return None


def main() -> int:
    """Runs the tests once without a fault, and once with each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--debug", action="store_true", help="a build without optimisation")
    parser.add_argument("--seeds", type=int, default=3, help="seeds for each fault; default: 3")
    parser.add_argument("--built", action="store_true", help="use the copy that was built last")
    parser.add_argument("numbers", nargs="*", type=int, help="numbers of faults; default: all")
    options = parser.parse_args()
    if options.built:
        suite = str(COPY / "suite")
    else:
        copy_tree()
        suite = build([] if options.debug else ["--release"])
        everything = (*TESTS, "limit_policies::")
        for seed in range(options.seeds):
            if failed := find_fault(suite, 0, seed, everything):
                sys.exit(f"without a fault `{failed.test}` fails from seed {seed}")
    missed = 0
    for number, fault in enumerate(FAULTS, 1):
        if options.numbers and number not in options.numbers:
            continue
        print(f"{number:2}  {fault.words}", flush=True)
        for seed in range(options.seeds):
            found = find_fault(suite, number, seed, fault.tests)
            missed += found is None
            if found is None:
                print(f"    seed {seed}: NOT FOUND", flush=True)
            else:
                bundles = f" after {found.bundles} bundles" if found.bundles else ""
                print(f"    seed {seed}: {found.test}{bundles}, {found.seconds:.1f} s", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
