"""What the README shows runs as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_of_the_readme_runs(block: str) -> None:
    done = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "client-at-platform-domain" in done.stdout
    assert "denied: feature_not_in_level" in done.stdout


def test_the_blocks_about_embedding_run_one_after_the_other(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "EMBEDDING.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    said = ""
    for block in blocks:
        done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        said += done.stdout
    assert said == "principal_unknown []\n"


def test_all_blocks_pass_the_type_checkers(tmp_path: Path) -> None:
    for name in ("README.md", "EMBEDDING.md", "policies/README.md", "bindings-python/README.md"):
        blocks = re.findall(r"```(?:python|py)\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
        for number, block in enumerate(blocks):
            (tmp_path / f"{re.sub('[^a-z]', '_', name.lower())}_{number}.py").write_text(block)
    assert len(list(tmp_path.iterdir())) >= 3
    for checker in (["mypy", "--strict", "."], ["pyright", "--pythonpath", sys.executable, "."]):
        done = subprocess.run([sys.executable, "-m", *checker], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_has_its_block() -> None:
    assert len(BLOCKS) == 1
