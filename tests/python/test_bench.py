"""Runs the scripts of the benchmark at tiny sizes. They compare their answers here too, and times
are ignored."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = {
    "python": ([sys.executable, "benches/python/bench.py", "checks", "many"], "python/check/strings/agency=1/peer=by-hand"),
    "node": (["node", "benches/node/bench.mjs", "checks", "many"], "node/check/strings/agency=1/peer=by-hand"),
}


@pytest.mark.parametrize("language", SCRIPTS)
def test_bench_script_prints_its_rows(language: str, tmp_path: Path) -> None:
    command, name = SCRIPTS[language]
    workload = ROOT / "target" / "release" / "workload"
    assert workload.exists(), "`make test` builds it: cargo build --release -p sublet-benches"
    subprocess.run([workload, tmp_path / "workload", "1", "300", "10"], check=True)
    sizes = {"SUBLET_BENCH_DIR": str(tmp_path), "SUBLET_BENCH_AGENCY": "1", "SUBLET_BENCH_ROUNDS": "5"}
    subprocess.run(command, cwd=ROOT, env={**os.environ, **sizes}, check=True, capture_output=True)
    rows = {row["name"]: row for row in json.loads((tmp_path / f"{language}.json").read_text())}
    assert rows[name]["checked"] and rows[name]["ours"] > 0
