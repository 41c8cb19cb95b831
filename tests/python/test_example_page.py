"""Checks the page of the worked example. Its commands run one after the other, in one shell, on
both services."""

import os
import re
import subprocess
from pathlib import Path

from agency import HERE, agency

PAGE = (HERE / "README.md").read_text()


def steps() -> list[tuple[str, str]]:
    """Returns each command with the output that the page shows. A line that begins with `> `
    continues a command."""
    found: list[tuple[str, str]] = []
    for line in "".join(re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)).splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif line.startswith("> "):
            found[-1] = (found[-1][0] + line[2:], "")
        else:
            found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def test_page_shows_actual_output(tmp_path: Path) -> None:
    asked = steps()
    script = tmp_path / "page.sh"
    script.write_text("set -u\n" + "".join(f"{command}printf '\\0'\n" for command, _ in asked))
    with agency(tmp_path, workers=2) as found:
        services = {"OFFICE": f"http://localhost:{found.office.port}", "MAILER": f"http://localhost:{found.mailer.port}"}
        environment = {**os.environ, **services, "AGENCY_STATE": str(tmp_path)}
        done = subprocess.run(["bash", str(script)], cwd=HERE.parents[1], env=environment, capture_output=True, text=True, timeout=120)
    said = done.stdout.split("\0")
    assert done.stderr == ""
    assert list(zip((command for command, _ in asked), said, strict=False)) == asked
    assert len(said) == len(asked) + 1


def test_page_starts_like_the_makefile() -> None:
    assert "make example\n" in PAGE
    assert "\texamples/agency/run.sh\n" in (HERE.parents[1] / "Makefile").read_text()
