"""Shared by the Python suites: the project's folders and an engine with the sample agency."""

from pathlib import Path

import pytest
import sublet

ROOT = Path(__file__).resolve().parents[2]
AGENCY = ROOT / "policies" / "tests" / "agency.jsonl"


@pytest.fixture
def engine() -> sublet.Engine:
    engine = sublet.Engine.open(ROOT / "policies")
    engine.import_lines(AGENCY)
    return engine
