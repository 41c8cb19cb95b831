"""The documents: generated pages agree with the code, links resolve, the prose is plain."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sublet
from conftest import ROOT
from documents import PAGES, name_of, without_blocks

# Pages beside the code, which have no code blocks to run.
BESIDE = [ROOT / "policies" / "README.md", ROOT / "benches" / "README.md"]
REFERENCE = ROOT / "docs" / "reference"
WRITTEN = [page for page in [*PAGES, *BESIDE] if page.parent != REFERENCE]
RULE = re.compile(r"(?<![\w-])([ABCDEILMOQ][1-9]\d?|T[1-9])(?![\w-])")
CITING = (
    "core/src",
    "policies",
    "cli/src",
    "bindings-python/src",
    "bindings-python/python",
    "bindings-node",
    "tests",
    "examples",
)
SUFFIXES = {".rs", ".cedar", ".cedarschema", ".json", ".py", ".pyi", ".js", ".mjs", ".ts", ".md"}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and mdBook make them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", without_blocks(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found.add(re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
    return found


def test_the_generated_pages_agree_with_the_code() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", [*PAGES, *BESIDE], ids=name_of)
def test_relative_links_and_anchors_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        to = (page.parent / file).resolve() if file else page
        assert to.exists(), target
        assert not anchor or anchor in anchors(to), target


def test_each_cited_rule_is_in_the_rules() -> None:
    known = anchors(ROOT / "docs" / "rules.md")
    cited: dict[str, str] = {}
    for folder in CITING:
        for path in (ROOT / folder).rglob("*"):
            if (
                path.suffix in SUFFIXES
                and not {"node_modules", "target"} & set(path.parts)
                and path.name != "package-lock.json"
            ):
                cited |= {
                    rule: str(path.relative_to(ROOT))
                    for rule in RULE.findall(path.read_text(errors="replace"))
                }
    cited |= {rule: name_of(page) for page in PAGES for rule in RULE.findall(without_blocks(page))}
    assert len(cited) > 50
    assert {rule: path for rule, path in cited.items() if rule.lower() not in known} == {}


def events_in(value: object) -> list[dict[str, object]]:
    """The events anywhere in a value of the vectors."""
    if isinstance(value, list):
        return [event for item in value for event in events_in(item)]
    if isinstance(value, dict):
        return (
            [value]
            if isinstance(value.get("event"), str)
            else [event for item in value.values() for event in events_in(item)]
        )
    return []


def test_events_have_only_documented_fields() -> None:
    text = " ".join((REFERENCE / "events.md").read_text().split())
    documented = {
        name: kinds
        for name, kinds in re.findall(r"- `(\w+)`: `[^`]*`\.(?:(?! - `).)*? In: ([^.]*)\.", text)
    }
    found = events_in(json.loads((ROOT / "tests" / "vectors" / "events.json").read_text()))
    assert len(found) > 20 and len(documented) > 30
    for event in found:
        for field in event:
            assert "all" in documented[field] or str(event["event"]) in documented[field], (
                field,
                event,
            )


def test_each_store_code_has_its_remedy() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    assert [
        code
        for code in sublet.error_codes()
        if code.startswith("store.") and f"| `{code}` |" not in text
    ] == []


def test_the_summary_lists_each_page() -> None:
    listed = set(re.findall(r"\]\(([^)]+)\)", (ROOT / "docs" / "SUMMARY.md").read_text()))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert listed == pages - {"SUMMARY.md"}


@pytest.mark.parametrize("page", [*PAGES, *BESIDE], ids=name_of)
def test_no_line_is_longer_than_100(page: Path) -> None:
    for line in without_blocks(page).splitlines():
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line)
        assert len(shown) <= 100 or line.startswith("|"), line


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_tables_have_three_short_columns(page: Path) -> None:
    for line in without_blocks(page).splitlines():
        if line.startswith("|"):
            cells = line.strip("|").split("|")
            assert len(cells) <= 3, line
            assert all(len(cell.split()) <= 12 for cell in cells), line


def paragraphs(page: Path) -> list[str]:
    """Paragraphs and list entries as one line each, without the targets of links."""
    text = re.sub(r"\]\([^)]*\)", "]", without_blocks(page))
    found: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        if not block.lstrip().startswith(("#", "|", "<!--")):
            found += [
                " ".join(entry.split())
                for entry in re.split(r"^\s*(?:[-*]|\d+\.) ", block, flags=re.MULTILINE)
                if entry.strip()
            ]
    return found


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_the_prose_is_plain(page: Path) -> None:
    for paragraph in paragraphs(page):
        assert not re.match(r"(What|PrincipalRef|Whose|That|The same|Of|As)\b", paragraph), paragraph
        assert not re.search(
            r"\b(he|his|him|himself)\b", re.sub(r"`[^`]*`", "", paragraph), re.IGNORECASE
        ), paragraph
        for sentence in re.split(
            r"(?<=[.?!:])\s+(?=[A-Z`\[*])", re.sub(r"`[^`]*`", "Code", paragraph)
        ):
            assert len(sentence.split()) <= 25, f"{len(sentence.split())} words: {sentence}"


def test_figures_stand_on_one_page() -> None:
    figure = re.compile(r"\d ?(?:ns|µs)\b|\d[\d,.]* (?:\w+ )?a second\b|\d bytes a principal")
    for page in WRITTEN:
        if page.name != "performance.md":
            assert not figure.search(without_blocks(page)), (
                name_of(page),
                figure.findall(without_blocks(page)),
            )
