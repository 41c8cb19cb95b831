"""Writes the texts of `members.toml` wherever a reader of Python or JavaScript looks for them.

python bindings-python/stubs.py           writes the files
python bindings-python/stubs.py --check   fails if a file is not what the script would write

The files are the Rust doc comments of the Python classes, the stubs and typed dictionaries of
Python, the `.d.ts` files of Node, and the literal types of codes in both. The script needs the
`sublet` package of the same checkout, which has the codes. `shapes.py` writes the commands and
records.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sublet
from texts import (
    NODE,
    PYTHON,
    ROOT,
    docstring,
    jsdoc,
    literals,
    node_names,
    node_text,
    snake,
    wrapped,
    write,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RUST = ROOT / "bindings-python" / "src"
MODULES = ("_sublet.pyi", "aio.py", "billing.py", "opentelemetry.py", "prometheus.py", "types.py")
# Other scripts write these files of Node.
WRITTEN = {"codes.d.ts", "commands.d.ts", "records.d.ts"}
MEMBERS: dict[str, Any] = tomllib.loads((ROOT / "bindings-python" / "members.toml").read_text())
# The types of Node that stand for a class of Python.
AREAS = ("Decision", "Login", "Quota", "Billing", "Directory")
CLASSES = {"Engine": "Engine", **{f"{area}Methods": "Engine" for area in AREAS}}
RESERVED = {"doc", "text", "node_text", "errors", "python", "node"}


class Missing(Exception):
    """A member without a text."""


# ---- Texts


def entry(owner: str, member: str) -> dict[str, Any] | None:
    """The entry of a class (with `member` empty) or of a member."""
    table = MEMBERS.get(owner, {})
    if not member:
        texts = {"text": table.get("doc"), "node_text": table.get("node_text", table.get("doc"))}
        return texts if "doc" in table else None
    if member in RESERVED - {"text"} and "doc" not in table:
        return None
    found = table.get(member)
    return {"text": found} if isinstance(found, str) else found


def listed(codes: list[str]) -> str:
    names = [f"`{code}`" for code in codes]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def python_doc(owner: str, member: str = "") -> list[str]:
    """The lines of a docstring."""
    found = entry(owner, member)
    if found is None:
        raise Missing(f"{owner}.{member}")
    lines = wrapped(found["text"])
    if found.get("errors"):
        lines += ["", *wrapped(f"Raises a `SubletError` with the code {listed(found['errors'])}.")]
    if found.get("python"):
        lines += ["", "Example:", ""]
        lines += [f"    {line}".rstrip() for line in found["python"].strip().splitlines()]
    return lines


def node_doc(owner: str, member: str, names: set[str]) -> list[str]:
    """The lines of a JSDoc comment."""
    owner = CLASSES.get(owner, owner) if member else owner
    base = member.removesuffix("Async")
    found = entry(owner, member) or entry(owner, snake(member))
    awaited = found is None and base != member
    if awaited:
        found = entry(owner, base) or entry(owner, snake(base))
    if found is None:
        raise Missing(f"{owner}.{member} (Node)")
    text = node_text(found.get("node_text", found["text"]), names)
    if awaited and base != "refresh":
        text = f"`{base}` off the event loop.\n\n{text}"
    lines = wrapped(text)
    codes = found.get("errors")
    if codes or (found.get("node") and not awaited):
        lines.append("")
    if codes:
        rejects = "Rejects with" if awaited else "With"
        lines += wrapped(f"@throws {{SubletError}} {rejects} the code {listed(codes)}.")
    if found.get("node") and not awaited:
        lines += ["@example", *found["node"].strip().splitlines()]
    return lines


def error_codes() -> list[str]:
    return sorted(sublet.error_codes())


def decision_codes() -> list[str]:
    """The codes of the shipped bundle, without the words of advice."""
    bundle = sublet.Engine.open(ROOT / "policies").bundle()
    return sorted({"ok", *bundle["codes"]})


# ---- Python


def text_of(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def owner_of(name: str) -> str:
    """The public class of a private base: `_Account` has the required fields of `Account`."""
    return name.lstrip("_")


class Edits:
    """Replacements of whole lines of a file."""

    def __init__(self, source: str) -> None:
        self.lines = source.split("\n")
        self.found: list[tuple[int, int, str]] = []

    def replace(self, first: int, last: int, text: str) -> None:
        """Replaces the lines from `first` to `last`, counted from 1; none of them to insert."""
        self.found.append((first - 1, last, text))

    def written(self) -> str:
        for first, last, text in sorted(self.found, reverse=True):
            self.lines[first:last] = text.split("\n")
        return "\n".join(self.lines)


def document_body(edits: Edits, node: ast.ClassDef | ast.FunctionDef, lines: list[str]) -> None:
    """Sets the docstring of a class or of a function whose body is only that or `...`."""
    indent = " " * (node.col_offset + 4)
    first = node.body[0]
    empty = isinstance(first, ast.Expr) and ast.unparse(first) == "..."
    if text_of(first):
        edits.replace(first.lineno, first.end_lineno or first.lineno, docstring(lines, indent))
    elif empty:
        line = edits.lines[first.lineno - 1]
        head = line[: first.col_offset].rstrip()
        edits.replace(first.lineno, first.lineno, f"{head}\n{docstring(lines, indent)}\n")
    else:
        edits.replace(first.lineno, first.lineno - 1, docstring(lines, indent) + "\n")


def document_after(edits: Edits, body: list[ast.stmt], index: int, lines: list[str]) -> None:
    """Sets the text after an assignment."""
    node = body[index]
    indent = " " * node.col_offset
    after = body[index + 1] if index + 1 < len(body) else None
    if after is not None and text_of(after):
        edits.replace(after.lineno, after.end_lineno or after.lineno, docstring(lines, indent))
    else:
        end = (node.end_lineno or node.lineno) + 1
        edits.replace(end, end - 1, docstring(lines, indent))


def is_public(name: str) -> bool:
    return not name.startswith("_")


def python_file(name: str) -> str:
    """The text of a stub or a module of typed dictionaries."""
    source = (PYTHON / name).read_text()
    edits, module = Edits(source), ast.parse(source)
    stub = name == "_sublet.pyi"
    for index, node in enumerate(module.body):
        if isinstance(node, ast.FunctionDef) and is_public(node.name):
            document_body(edits, node, python_doc(node.name))
        elif isinstance(node, (ast.AnnAssign, ast.Assign)):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            is_alias = "TypeAlias" in ast.unparse(node).split("=")[0]
            if isinstance(target, ast.Name) and is_alias and name != "aio.py":
                document_after(edits, module.body, index, python_doc(target.id))
        elif isinstance(node, ast.ClassDef):
            if is_public(node.name):
                document_body(edits, node, python_doc(node.name))
            elif stub:
                continue
            for at, member in enumerate(node.body):
                if isinstance(member, ast.FunctionDef) and stub and is_public(member.name):
                    document_body(edits, member, python_doc(node.name, member.name))
                elif isinstance(member, ast.AsyncFunctionDef) and is_public(member.name):
                    lines = python_doc("Engine", member.name)
                    lines = [f"`Engine.{member.name}`, awaited.", "", *lines]
                    indent = " " * (member.col_offset + 4)
                    first = member.body[0]
                    edits.replace(first.lineno, first.end_lineno or 0, docstring(lines, indent))
                elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    if name != "aio.py" and is_public(member.target.id):
                        lines = python_doc(owner_of(node.name), member.target.id)
                        document_after(edits, node.body, at, lines)
    text = edits.written()
    if stub:
        text = re.sub(r'("""\n)(?=    (?:@|def ))', r"\1\n", text)
        text = re.sub(r"\n{3,}", "\n\n", text)
    return text


def codes_module() -> str:
    """The literal types of codes for Python."""
    parts = [
        '"""The codes of errors and decisions. Written by `bindings-python/stubs.py`."""\n',
        "from __future__ import annotations\n",
        "from typing import Literal, TypeAlias\n",
    ]
    for name, codes in (("ErrorCode", error_codes()), ("DecisionCode", decision_codes())):
        body = "".join(f"    {code},\n" for code in literals(codes, '"'))
        parts.append(f"{name}: TypeAlias = Literal[\n{body}]\n{docstring(python_doc(name), '')}\n")
    return "\n".join(parts)


# ---- Rust


def comment(lines: list[str], indent: str) -> list[str]:
    return [f"{indent}/// {line}".rstrip() for line in lines]


def rust_file(path: Path) -> str:
    """The text of a Rust file whose doc comments Python shows."""
    source = path.read_text()
    out: list[str] = []
    owner = ""
    methods = False
    for line in source.split("\n"):
        if line == "#[pymethods]":
            methods = True
        elif methods and (found := re.match(r"impl (\w+) \{", line)):
            owner = found[1]
        elif line == "}":
            owner, methods = "", False
        indent, member, lines = "", "", None
        if owner and (found := re.match(r"    fn (?:r#)?([a-z]\w*)", line)):
            indent, member = "    ", found[1]
            if member != "new" and owner in MEMBERS:
                lines = python_doc(owner, member)
        elif (found := re.match(r"(?:pub\(crate\) )?struct (\w+)", line)) and owner == "":
            if any(entry.startswith("#[pyclass") for entry in out[-3:]) and found[1] in MEMBERS:
                lines = python_doc(found[1])
        elif (found := re.match(r"(?:pub\(crate\) )?fn ([a-z]\w*)", line)) and found[1] in MEMBERS:
            if any(entry.startswith("#[pyfunction") for entry in out[-3:]):
                lines = python_doc(found[1])
        if lines is not None:
            at = len(out)
            while at > 0 and re.match(rf"{indent}(#\[|    |\)\]|///)", out[at - 1]):
                at -= 1
            kept = [entry for entry in out[at:] if not entry.startswith(f"{indent}///")]
            out[at:] = [*comment(lines, indent), *kept]
        out.append(line)
    return exceptions("\n".join(out))


def exceptions(text: str) -> str:
    """The texts of exceptions, which are string literals."""
    for name in MEMBERS:
        if not name.endswith("Error"):
            continue
        literal = '"' + "\\\\n".join(python_doc(name)) + '"'
        place = rf"create_exception!\(\s*sublet,\s*{name},\s*\w+,"
        place = r'"__doc__",' if name == "InputError" else place
        text = re.sub(rf'({place}\s*)"[^"]*"', rf"\g<1>{literal}", text)
    return text


# ---- Node


def declared(source: str) -> Iterator[tuple[int, str, str, str]]:
    """The declarations of a `.d.ts` file: line, indentation, owner, member (empty for a type)."""
    owner, depth = "", 0
    inside = False
    for number, line in enumerate(source.split("\n")):
        stripped = line.strip()
        if inside or stripped.startswith("/*"):
            inside = "*/" not in stripped
            continue
        if stripped.startswith("//"):
            continue
        top = re.match(
            r"(?:export )?(?:declare )?(?:class|interface|type|function|const) (\w+)", line
        )
        if depth == 0 and top:
            yield number, "", top[1], ""
            owner = top[1] if re.search(r"\b(?:class|interface)\b", line) else ""
        elif depth == 1 and owner and line.startswith("  ") and not line.startswith("   "):
            found = re.match(r"  (?:(?:readonly|static|private|get) )*'?([\w#-]+)'?", line)
            if found and not found[1].startswith("#"):
                yield number, "  ", owner, found[1]
        depth += sum(line.count(sign) for sign in "{(") - sum(line.count(sign) for sign in "})")


def node_file(path: Path, names: set[str]) -> str:
    """The text of a `.d.ts` file."""
    source = path.read_text()
    # All comments of declarations go first; those of the script take their place.
    source = re.sub(r"^[ \t]*/\*\*.*?\*/\n", "", source, flags=re.DOTALL | re.MULTILINE)
    lines = source.split("\n")
    places = list(declared(source))
    for number, indent, owner, member in reversed(places):
        if lines[number].startswith("export interface Engine extends"):
            text = node_doc("EngineMethods", "", names)
        else:
            text = node_doc(owner if member else snake_function(owner), member, names)
        lines[number:number] = jsdoc(text, indent).split("\n")
    return "\n".join(lines)


def snake_function(name: str) -> str:
    return snake(name) if name[0].islower() else name


def codes_types() -> str:
    """The literal types of codes for Node."""
    parts = [
        "// The codes of errors and decisions. Written by `bindings-python/stubs.py`.\n",
        "/** " + MEMBERS["ErrorCode"]["doc"] + " */\nexport type ErrorCode =\n  | "
        + "\n  | ".join(literals(error_codes(), "'"))
        + ";\n",
        "/** " + MEMBERS["DecisionCode"]["doc"] + " */\nexport type DecisionCode =\n  | "
        + "\n  | ".join([*literals(decision_codes(), "'"), "(string & {})"])
        + ";\n",
    ]
    return "\n".join(parts)


# ---- All files


def files() -> Iterator[tuple[Path, str]]:
    """Each file with the text that it must have."""
    yield PYTHON / "codes.py", codes_module()
    for name in MODULES:
        yield PYTHON / name, python_file(name)
    for path in sorted(RUST.glob("*.rs")):
        yield path, rust_file(path)
    yield NODE / "codes.d.ts", codes_types()
    names = node_names()
    for path in sorted(NODE.glob("*.d.ts")):
        if path.name not in WRITTEN:
            yield path, node_file(path, names)


if __name__ == "__main__":
    sys.exit(write(files(), "stubs.py"))
