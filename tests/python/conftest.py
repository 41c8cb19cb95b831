"""Shared by the Python suites: the folders of the project, and an engine with the sample agency."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sublet

ROOT = Path(__file__).resolve().parents[2]
AGENCY = ROOT / "policies" / "tests" / "agency.jsonl"

# Takes the write lock (Linux, 64 bits: type, whence, start, length, process), and stops itself.
HOLDER = """
    import fcntl, os, signal, struct, sys
    lock = open(sys.argv[1], "r+b")
    fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, (1 << 20) + 1, 1, 0))
    print("held", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: measures durations, so no other file of tests runs beside it")


@contextmanager
def stopped_holder(file: Path) -> Iterator[None]:
    """Runs a stopped process that holds the write lock."""
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOLDER), f"{file}-lock"], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        try:
            yield
        finally:
            holder.kill()


@pytest.fixture
def engine() -> sublet.Engine:
    engine = sublet.Engine.open(ROOT / "policies")
    engine.import_lines(AGENCY)
    return engine
