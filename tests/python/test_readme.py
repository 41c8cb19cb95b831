"""The code blocks of the documents run. Those of one page share one namespace, in their order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from documents import PAGES, blocks, name_of, with_blocks

PYTHON = [*with_blocks("python"), ROOT / "bindings-python" / "README.md"]


def run_python(page: Path, folder: Path) -> None:
    """Runs the page's Python in a folder that has the policies, and keeps the page's files."""
    (folder / "policies").symlink_to(ROOT / "policies")
    code = "\n".join(blocks(page, "python"))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PYTHON, ids=name_of)
def test_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    run_python(page, tmp_path)


@pytest.mark.parametrize("page", with_blocks("console"), ids=name_of)
def test_commands_of_a_page_print_its_text(page: Path, tmp_path: Path) -> None:
    """Commands run after the page's Python. `...` is any text; on a line of its own, any lines."""
    run_python(page, tmp_path)
    shown: list[tuple[str, str]] = []
    for line in "".join(blocks(page, "console")).splitlines(keepends=True):
        if line.startswith("$ "):
            shown.append((line[2:], ""))
        else:
            shown[-1] = (shown[-1][0], shown[-1][1] + line)
    path = os.pathsep.join(
        [str(ROOT / "target" / "release"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    for command, output in shown:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
        )
        pattern = "".join(
            "(?s:.*)" if line == "...\n" else re.escape(line).replace(r"\.\.\.", ".*")
            for line in output.splitlines(keepends=True)
        )
        assert re.fullmatch(pattern, done.stdout + done.stderr), (
            f"{command}{done.stdout}{done.stderr}"
        )


@pytest.mark.parametrize("page", with_blocks("sh"), ids=name_of)
def test_make_targets_of_a_page_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in "".join(blocks(page, "sh")).splitlines():
        if line.startswith("make "):
            assert line.split()[1] in targets, line


def test_python_of_all_pages_is_typed(tmp_path: Path) -> None:
    for page in PYTHON:
        (tmp_path / f"{re.sub('[^a-z]', '_', name_of(page).lower())}.py").write_text(
            "\n".join(blocks(page, "python"))
        )
    for checker in (["mypy", "--strict", "."], ["pyright", "--pythonpath", sys.executable, "."]):
        done = subprocess.run(
            [sys.executable, "-m", *checker],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_block_names_its_language() -> None:
    known = {"python", "rust", "js", "console", "sh", "cedar", "cedarschema", "json", "text"}
    for page in PAGES:
        fences = re.findall(r"^```(.*)$", page.read_text(), re.MULTILINE)
        assert set(fences[::2]) <= known and not any(fences[1::2]), name_of(page)
    assert (
        len(with_blocks("python")) >= 8
        and len(with_blocks("js")) >= 2
        and len(with_blocks("rust")) >= 2
    )
