"""Helpers of the scripts that write texts and shapes for Python and Node."""

from __future__ import annotations

import difflib
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / "bindings-python" / "python" / "sublet"
NODE = ROOT / "bindings-node"
# The first line of a docstring begins after eight spaces and three quotes.
WIDTH = 89


def wrapped(text: str) -> list[str]:
    """The lines of a text, with an empty line between paragraphs."""
    lines: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        lines += [""] if lines else []
        lines += textwrap.wrap(
            " ".join(paragraph.split()), WIDTH, break_long_words=False, break_on_hyphens=False
        )
    return lines


def camel(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])_([a-z])", lambda found: found[1].upper(), name)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", name)


def literals(words: Iterable[str], quote: str) -> list[str]:
    return [f"{quote}{word}{quote}" for word in words]


def docstring(lines: list[str], indent: str) -> str:
    """The lines of a text as a docstring of Python."""
    if len(lines) == 1:
        return f'{indent}"""{lines[0]}"""'
    body = "\n".join(f"{indent}{line}".rstrip() for line in lines[1:])
    return f'{indent}"""{lines[0]}\n{body}\n{indent}"""'


def jsdoc(lines: list[str], indent: str) -> str:
    """The lines of a text as a comment of a `.d.ts` file."""
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */"
    body = "\n".join(f"{indent} * {line}".rstrip() for line in lines)
    return f"{indent}/**\n{body}\n{indent} */"


def node_names() -> set[str]:
    """The members and parameters that Node writes in camel case."""
    found: set[str] = set()
    for path in NODE.glob("*.d.ts"):
        source = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.DOTALL)
        found |= {name for name in re.findall(r"\b(\w+)\??[:(<]", source) if name != snake(name)}
    return found


def node_text(text: str, names: set[str]) -> str:
    """A text with the names of Node: those of `names` that Python writes with underscores."""
    words = {"None": "null", "True": "true", "False": "false", "dict": "object"}

    def named(found: re.Match[str]) -> str:
        name = found[1]
        return f"`{words.get(name) or (camel(name) if camel(name) in names else name)}`"

    return re.sub(r"`(\w+)`", named, text)


def write(files: Iterable[tuple[Path, str]], script: str) -> int:
    """Writes the files, or compares them if the script was called with `--check`."""
    check, differs = "--check" in sys.argv[1:], False
    for path, text in files:
        present = path.read_text() if path.exists() else ""
        if present == text:
            continue
        differs = True
        if check:
            name = str(path.relative_to(ROOT))
            old, new = present.splitlines(), text.splitlines()
            lines = difflib.unified_diff(old, new, name, "written", lineterm="", n=1)
            print("\n".join(list(lines)[:40]), file=sys.stderr)
        else:
            path.write_text(text)
    if check and differs:
        print(f"run `python bindings-python/{script}`", file=sys.stderr)
    return int(check and differs)
