"""Reads the sources of the generated pages: the core's tables and comments, stubs and policies.

Files of the core are found by their content, so that they may move.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sublet

ROOT = Path(__file__).resolve().parents[1]
POLICIES = ROOT / "policies"
STUBS = ROOT / "bindings-python" / "python" / "sublet"


# ---- Rust


def rust_source(needle: str) -> str:
    """The one file of `core/src` that has this text."""
    found = [
        path for path in sorted((ROOT / "core" / "src").rglob("*.rs")) if needle in path.read_text()
    ]
    if len(found) != 1:
        sys.exit(f"docs/generate.py: {len(found)} files of core/src have `{needle}`, not one")
    return found[0].read_text()


def rust_doc(lines: str) -> str:
    """The words of `///` lines, without the links that only rustdoc follows."""
    words = " ".join(
        line.strip().removeprefix("///").strip() for line in lines.strip().splitlines()
    )
    return re.sub(r"\[(`[^`]+`)\](\([^)]*\))?", r"\1", words)


DOC = r"((?:[ \t]*///[^\n]*\n)+)"
TEXT = r'"((?:[^"\\]|\\.)*)"'


def unescaped(text: str) -> str:
    return str(json.loads(f'"{text}"'))


@dataclass
class ErrorRow:
    code: str
    message: str
    help: str
    doc: str


def error_rows() -> list[ErrorRow]:
    """The rows of the error table, and the faults of bundles, in their order."""
    text = rust_source("macro_rules! errors")
    row = re.compile(rf"{DOC}\s*\w+\s*\{{[^{{}}]*\}}\s*{TEXT}\s*{TEXT}\s*{TEXT}\s*;")
    rows = [
        ErrorRow(code, unescaped(message), unescaped(help), rust_doc(doc))
        for doc, code, message, help in row.findall(text)
    ]
    text = rust_source("const FAULT_TABLE")
    faults = re.findall(rf"\(\s*{TEXT},\s*{TEXT},?\s*\)", text)
    rows += [
        ErrorRow(code, "", unescaped(help), "")
        for code, help in faults
        if code.startswith("bundle.")
    ]
    known = {row.code: row.help for row in rows}
    if known != sublet.error_codes():
        differ = set(known.items()) ^ set(sublet.error_codes().items())
        sys.exit(f"docs/generate.py: the package has other error codes: {sorted(differ)}")
    return rows


def event_fields() -> list[str]:
    """The names of an event's fields, in the core's order."""
    body = re.search(r"const FIELDS: [^=]*= \[(.*?)\];", rust_source("const FIELDS:"), re.DOTALL)
    assert body is not None
    return re.findall(r'"(\w+)"', body[1])


def enum_words(name: str) -> dict[str, str]:
    """The variants of a Rust enum as they are written in JSON, with their documentation."""
    body = re.search(rf"enum {name} \{{(.*?)\n\}}", rust_source(f"enum {name} {{"), re.DOTALL)
    assert body is not None, name
    variants = re.findall(rf"{DOC}(?:\s*#\[[^\]]*\]\n)*\s*(\w+),", body[1])
    return {
        re.sub(r"(?<!^)(?=[A-Z])", "_", variant).lower(): rust_doc(doc) for doc, variant in variants
    }


# ---- Python stubs


@dataclass
class Shape:
    """A typed record of the stubs. A field has a type, says if it may be absent, and has words."""

    name: str
    doc: str = ""
    fields: dict[str, tuple[str, bool, str]] = field(default_factory=dict)


def shapes(file: str) -> dict[str, Shape]:
    """The typed dictionaries of a stub file, with those that they extend."""
    known: dict[str, Shape] = {}
    for node in ast.parse((STUBS / file).read_text()).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and ast.unparse(node.value.func) == "TypedDict"
        ):
            name, given = node.value.args
            assert isinstance(given, ast.Dict)
            title, pairs = str(ast.literal_eval(name)), zip(given.keys, given.values, strict=True)
            known[title] = Shape(
                title,
                "",
                {
                    ast.literal_eval(key): (ast.unparse(value), False, "")
                    for key, value in pairs
                    if key
                },
            )
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and known:
            last = list(known.values())[-1]
            last.doc = last.doc or str(node.value.value)
        if not isinstance(node, ast.ClassDef):
            continue
        total = not any(keyword.arg == "total" for keyword in node.keywords)
        shape = Shape(node.name, ast.get_docstring(node) or "")
        for base in node.bases:
            shape.fields |= (
                known[base.id].fields if isinstance(base, ast.Name) and base.id in known else {}
            )
        for index, item in enumerate(node.body):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                after = node.body[index + 1] if index + 1 < len(node.body) else None
                doc = (
                    after.value.value
                    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                    else ""
                )
                shape.fields[item.target.id] = (ast.unparse(item.annotation), not total, str(doc))
        known[shape.name] = shape
    return known


def properties(file: str) -> dict[str, Shape]:
    """The classes of a stub file whose members are read: their properties in order."""
    known: dict[str, Shape] = {}
    for node in ast.parse((STUBS / file).read_text()).body:
        if isinstance(node, ast.ClassDef):
            shape = Shape(node.name, ast.get_docstring(node) or "")
            for item in node.body:
                is_property = isinstance(item, ast.FunctionDef) and any(
                    ast.unparse(found) == "property" for found in item.decorator_list
                )
                if is_property and isinstance(item, ast.FunctionDef) and item.returns is not None:
                    shape.fields[item.name] = (
                        ast.unparse(item.returns),
                        False,
                        ast.get_docstring(item) or "",
                    )
            known[shape.name] = shape
    return known


def union_of(file: str, name: str) -> list[str]:
    """The members of a `Union` of the stubs, in their order."""
    for node in ast.parse((STUBS / file).read_text()).body:
        if (
            isinstance(node, ast.AnnAssign)
            and ast.unparse(node.target) == name
            and isinstance(node.value, ast.Subscript)
        ):
            assert isinstance(node.value.slice, ast.Tuple)
            return [ast.unparse(member) for member in node.value.slice.elts]
    sys.exit(f"docs/generate.py: {file} has no union `{name}`")


# ---- Policies


@dataclass
class Policy:
    id: str
    file: str
    effect: str
    codes: list[str]
    words: list[str]
    comment: str


def policies() -> Iterator[Policy]:
    """The shipped policies in the order of the gates, each with the comment before it."""
    for path in sorted(POLICIES.glob("*.cedar")):
        for block in re.split(r"\n\s*\n", path.read_text()):
            lines = block.strip().splitlines()
            comment = [line.removeprefix("//").strip() for line in lines if line.startswith("//")]
            text = "\n".join(line for line in lines if not line.startswith("//"))
            found = re.search(r'@id\("([^"]+)"\)', text)
            if found is None:
                continue
            quoted = {name: value for name, value in re.findall(r'@(\w+)\("([^"]*)"\)', text)}
            words = [
                word.strip()
                for key in ("warns", "advice")
                for word in quoted.get(key, "").split(",")
                if word.strip()
            ]
            effect = "permit" if re.search(r"^permit\b", text, re.MULTILINE) else "forbid"
            yield Policy(
                found[1],
                path.name,
                effect,
                [quoted["code"]] if "code" in quoted else [],
                words,
                " ".join(comment),
            )


@dataclass
class Action:
    names: list[str]
    annotations: dict[str, str]
    groups: str
    resources: str
    context: dict[str, str]


def actions() -> list[Action]:
    """The actions of the application's schema that are asked for something by name."""
    text = (POLICIES / "app.cedarschema").read_text()
    aliases = {
        name: context_fields(body)
        for name, body in re.findall(r"^type (\w+) = \{(.*?)^\};", text, re.DOTALL | re.MULTILINE)
    }
    found = re.findall(
        r'((?:^@\w+\("[^"]*"\)\s*)*)^action ((?:"[^"]+",?\s*)+)'
        r"in \[([^\]]*)\] appliesTo \{(.*?)^\};",
        text,
        re.DOTALL | re.MULTILINE,
    )
    listed = []
    for annotated, names, groups, body in found:
        resource = re.search(r"resource: \[([^\]]*)\]", body)
        context = re.search(r"context: (\w+|\{.*\})", body, re.DOTALL)
        assert resource is not None and context is not None, names
        fields = aliases.get(context[1]) if context[1] in aliases else context_fields(context[1])
        listed.append(
            Action(
                re.findall(r'"([^"]+)"', names),
                dict(re.findall(r'@(\w+)\("([^"]*)"\)', annotated)),
                groups,
                resource[1],
                fields or {},
            )
        )
    return listed


def context_fields(body: str) -> dict[str, str]:
    return {
        name: kind.strip()
        for name, kind in re.findall(r"(\w+)\??: ([^,{}]+),", body)
        if name != "facts"
    }
