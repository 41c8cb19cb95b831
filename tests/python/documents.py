"""The project's documents, and the code blocks in them."""

import re
from pathlib import Path

from conftest import ROOT

# The pages for readers, each of which is checked and run.
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks of these languages, in the order of the page."""
    return [code for language, code in FENCE.findall(page.read_text()) if language in languages]


def with_blocks(*languages: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, *languages)]


def without_blocks(page: Path) -> str:
    """The text of a page, with as many empty lines in the place of each code block."""
    return FENCE.sub(lambda found: "\n" * found[0].count("\n"), page.read_text())
