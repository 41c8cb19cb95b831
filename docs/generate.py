"""Writes the pages of `docs/reference` from the code, or compares them with the code (`--check`).

Needs the `sublet` package of the same checkout. Uses `target/release/sublet` for the help texts if it is built, and else
the command of the package. Source files are found by their content, so that they may move.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sublet

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
POLICIES = ROOT / "policies"
STUBS = ROOT / "bindings-python" / "python" / "sublet"
NOTE = "<!-- Written by docs/generate.py. Change the source, then run it again. -->"
WIDTH = 100
RULE = re.compile(r"(?<![\w`\[#-])([ABCDEILMOQ][1-9]\d?|T[1-9])(?![\w`\]-])")


# ---- Text


def link_rules(text: str, to: str = "../rules.md") -> str:
    """Turns each rule id outside of code into a link to its text."""
    parts = re.split(r"(`[^`]*`)", text)
    linked = [part if part.startswith("`") else RULE.sub(lambda found: f"[{found[1]}]({to}#{found[1].lower()})", part) for part in parts]
    return "".join(linked)


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """Wraps a paragraph before its rule ids become links: a link's target does not count."""
    filled = textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return link_rules(filled)


def bullet(text: str) -> str:
    return wrapped(text, "- ", "  ")


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    text = " ".join(text.split())
    if not text:
        return ""
    text = text if text.startswith("`") else text[0].upper() + text[1:]
    return text if re.search(r"[.!?]( \([^()]*\))?$", text) else f"{text}."


def page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", NOTE, *(part.strip("\n") for part in parts if part)]) + "\n"


# ---- Rust


def rust_source(needle: str) -> str:
    """The one file of `core/src` that has this text."""
    found = [path for path in sorted((ROOT / "core" / "src").rglob("*.rs")) if needle in path.read_text()]
    if len(found) != 1:
        sys.exit(f"docs/generate.py: {len(found)} files of core/src have `{needle}`, not one")
    return found[0].read_text()


def rust_doc(lines: str) -> str:
    """The words of `///` lines, without the links that only rustdoc follows."""
    words = " ".join(line.strip().removeprefix("///").strip() for line in lines.strip().splitlines())
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
    rows = [ErrorRow(code, unescaped(message), unescaped(help), rust_doc(doc)) for doc, code, message, help in row.findall(text)]
    faults = re.findall(rf"\(\s*{TEXT},\s*{TEXT},?\s*\)", text[text.index("const FAULT_TABLE") :])
    rows += [ErrorRow(code, "", unescaped(help), "") for code, help in faults if code.startswith("bundle.")]
    known = {row.code: row.help for row in rows}
    if known != sublet.error_codes():
        differ = set(known.items()) ^ set(sublet.error_codes().items())
        sys.exit(f"docs/generate.py: the installed package has other error codes than core/src: {sorted(differ)}")
    return rows


def enum_words(name: str) -> dict[str, str]:
    """The variants of a Rust enum as they are written in JSON, with their documentation."""
    body = re.search(rf"enum {name} \{{(.*?)\n\}}", rust_source(f"enum {name} {{"), re.DOTALL)
    assert body is not None, name
    variants = re.findall(rf"{DOC}(?:\s*#\[[^\]]*\]\n)*\s*(\w+),", body[1])
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", variant).lower(): rust_doc(doc) for doc, variant in variants}


def struct_docs(name: str) -> dict[str, str]:
    """The documentation of the fields of the Rust struct that a command's stub stands for."""
    for path in sorted((ROOT / "core" / "src").rglob("*.rs")):
        body = re.search(rf"(?:struct |: ){name} \{{\n(.*?)\n\s*\}}", path.read_text(), re.DOTALL)
        if body is not None and "///" in body[1]:
            fields = re.findall(rf"{DOC}(?:[ \t]*#\[[^\n]*\n)*\s*(?:pub )?(\w+):", body[1])
            return {field: rust_doc(doc) for doc, field in fields}
    return {}


# ---- Python stubs


@dataclass
class Shape:
    """A typed record of the stubs: its fields in order, each with its type, whether it may be absent, and its documentation."""

    name: str
    doc: str = ""
    fields: dict[str, tuple[str, bool, str]] = field(default_factory=dict)


def shapes(file: str) -> dict[str, Shape]:
    """The typed dictionaries of a stub file, with those that they extend."""
    known: dict[str, Shape] = {}
    for node in ast.parse((STUBS / file).read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "TypedDict":
            name, given = node.value.args
            assert isinstance(given, ast.Dict)
            title, pairs = str(ast.literal_eval(name)), zip(given.keys, given.values, strict=True)
            known[title] = Shape(title, "", {ast.literal_eval(key): (ast.unparse(value), False, "") for key, value in pairs if key})
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and known:
            last = list(known.values())[-1]
            last.doc = last.doc or str(node.value.value)
        if not isinstance(node, ast.ClassDef):
            continue
        total = not any(keyword.arg == "total" for keyword in node.keywords)
        shape = Shape(node.name, ast.get_docstring(node) or "")
        for base in node.bases:
            shape.fields |= known[base.id].fields if isinstance(base, ast.Name) and base.id in known else {}
        for index, item in enumerate(node.body):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                after = node.body[index + 1] if index + 1 < len(node.body) else None
                doc = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
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
                is_property = isinstance(item, ast.FunctionDef) and any(ast.unparse(found) == "property" for found in item.decorator_list)
                if is_property and isinstance(item, ast.FunctionDef) and item.returns is not None:
                    shape.fields[item.name] = (ast.unparse(item.returns), False, ast.get_docstring(item) or "")
            known[shape.name] = shape
    return known


def union_of(file: str, name: str) -> list[str]:
    """The members of a `Union` of the stubs, in their order."""
    for node in ast.parse((STUBS / file).read_text()).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name and isinstance(node.value, ast.Subscript):
            assert isinstance(node.value.slice, ast.Tuple)
            return [ast.unparse(member) for member in node.value.slice.elts]
    sys.exit(f"docs/generate.py: {file} has no union `{name}`")


# Words for fields that the stubs leave without documentation.
FIELD_WORDS = {
    "Explanation.policies": "Each policy with its outcome, its clauses and the facts that it read.",
    "Desk.account": "The owner's account, if the desk is an owner's.",
    "id": "The id; unique among the records of its type.",
    "email": "The e-mail of the login.",
    "account": "The id of an account.",
    "owner": "The id of the owner's account.",
    "to": "The id of the owner to whom the client is offered.",
    "until": "The first instant after its time. RFC 3339.",
    "consented": "Whether the client has consented. Absent: false.",
    "kind": "`platform` or `whitelabel`.",
    "allowed": "The allow bit.",
    "code": "The decision code.",
    "policies": "Ids of the determining policies, in gate order.",
    "advice": "Words of advice.",
    "errors": "The policies that could not be evaluated.",
    "revision": "The revision of the directory.",
    "bundle": "The fingerprint of the policies.",
    "decision": "The decision behind the answer.",
    "quota": "Each meter of the action, after the answer.",
    "operation": "The id of the recorded operation, if one was recorded.",
    "replayed": "Whether it is the answer of an earlier call with the same key. (Q7)",
    "meter": "The meter.",
    "amount": "The amount that was asked for, or that was granted.",
    "used": "The count of the present window.",
    "held": "The part that open reservations hold.",
    "limit": "The limit in force.",
    "source": "The source of the limit.",
    "base": "The limit of the package or level.",
    "override": "The limit on the account itself.",
    "top_up": "The amount that top-ups added to the limit.",
    "remaining": "The amount that is left.",
    "resets_at": "The instant at which the next window begins.",
    "member": "The member's own part, if a member asked.",
    "period": "The billing month, `YYYY-MM`.",
    "status": "How far the month has come.",
    "clients": "The client accounts that were not closed at the last instant.",
    "included": "The number of clients that the package includes.",
    "excess": "The number of clients over the included ones.",
    "price_cents": "The price of one excess client in cents.",
    "due_cents": "The excess times the price.",
    "received_cents": "The payments less the reversals.",
    "paid": "The number of clients that the payments cover.",
    "unpaid": "The number of clients that are neither paid for nor gone.",
    "order": "The order in which clients are disabled.",
    "draw": "The clients in the order in which they are disabled.",
    "gone": "The clients that were closed or have left since.",
    "at_risk": "The clients that will be disabled, or may be.",
    "disabled": "The clients that are disabled for this month.",
    "choice": "The clients that the owner named, if the order allows it.",
    "created": "The creation instants, if the order needs them.",
    "from": "The first instant. RFC 3339.",
    "payment": "The id of the payment.",
    "cents": "The cents of the payment; negative for a reversal.",
    "statement": "The statement after it.",
    "action": "The action.",
    "verb": "The method that failed.",
    "count": "How often it happened.",
    "sum_us": "The sum of the durations in microseconds.",
    "buckets": "The histogram of durations.",
    "measured": "Whether the engine counts.",
    "bounds_us": "The upper bounds of the histogram in microseconds.",
    "decisions": "The answers by action and code.",
    "reloads": "The number of reloads.",
    "changes": "The number of changes of the directory.",
    "events": "What became of the events of all subscriptions.",
    "delivered": "The events that a sink took.",
    "dropped": "The events that found a full queue.",
    "failed": "The events that a sink could not take.",
}


def field_lines(shape: Shape, docs: dict[str, str] | None = None, skip: Iterable[str] = ()) -> str:
    lines = []
    for name, (kind, optional, doc) in shape.fields.items():
        if name not in set(skip):
            words = doc or (docs or {}).get(name, "") or FIELD_WORDS.get(f"{shape.name}.{name}") or FIELD_WORDS.get(name, "")
            lines.append(bullet(f"`{name}`: `{kind}`{', optional' if optional else ''}. {sentence(words)}"))
    return "\n".join(lines)


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
            words = [word.strip() for key in ("warns", "advice") for word in quoted.get(key, "").split(",") if word.strip()]
            effect = "permit" if re.search(r"^permit\b", text, re.MULTILINE) else "forbid"
            yield Policy(found[1], path.name, effect, [quoted["code"]] if "code" in quoted else [], words, " ".join(comment))


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
    aliases = {name: context_fields(body) for name, body in re.findall(r"^type (\w+) = \{(.*?)^\};", text, re.DOTALL | re.MULTILINE)}
    found = re.findall(
        r'((?:^@\w+\("[^"]*"\)\s*)*)^action ((?:"[^"]+",?\s*)+)in \[([^\]]*)\] appliesTo \{(.*?)^\};',
        text,
        re.DOTALL | re.MULTILINE,
    )
    listed = []
    for annotations, names, groups, body in found:
        resource = re.search(r"resource: \[([^\]]*)\]", body)
        context = re.search(r"context: (\w+|\{.*\})", body, re.DOTALL)
        assert resource is not None and context is not None, names
        fields = aliases.get(context[1]) if context[1] in aliases else context_fields(context[1])
        listed.append(Action(re.findall(r'"([^"]+)"', names), dict(re.findall(r'@(\w+)\("([^"]*)"\)', annotations)), groups, resource[1], fields or {}))
    return listed


def context_fields(body: str) -> dict[str, str]:
    return {name: kind.strip() for name, kind in re.findall(r"(\w+)\??: ([^,{}]+),", body) if name != "facts"}


# ---- Pages


def codes_page() -> str:
    shipped = sublet.Engine.open(POLICIES).bundle()
    listed = list(policies())
    engine_codes = {word: doc for word, doc in enum_words("AnswerCode").items()}
    words = {word for policy in listed for word in policy.words}
    lines = [
        wrapped(
            "A refusal is a value: a decision carries one decision code. An error means that there is no answer: it carries "
            "an error code of the form `family.name`. Both kinds are stable, and are equal in Rust, Python and Node."
        ),
        "## Decision codes",
        wrapped("Codes of the shipped bundle, in alphabetical order, each with the policies that give it. Policies that you add bring their own."),
    ]

    def with_policies(code: str, own: list[Policy]) -> list[str]:
        block = [f"### `{code}`"]
        if code in engine_codes:
            block.append(wrapped(f"Given by the engine. {sentence(engine_codes[code])}"))
        if own:
            entries = [wrapped(f"`{policy.id}` in `{policy.file}`. {sentence(policy.comment)}", "- ", "  ") for policy in own]
            block.append("\n".join(entries))
        return block

    for code in sorted(set(shipped["codes"]) - words):
        lines += with_policies(code, [policy for policy in listed if code in policy.codes])
    lines += ["## Advice", wrapped("Words in the advice of a decision that allows. They refuse nothing.")]
    for word in sorted(words):
        lines += with_policies(word, [policy for policy in listed if word in policy.words])
    lines += [
        "## Error codes",
        wrapped("Placeholders in braces are values of the call. Each error has this help text at run time, too."),
    ]
    families = ["input", "bundle", "directory", "quota", "billing", "store", "internal"]
    for row in sorted(error_rows(), key=lambda row: (families.index(row.code.split(".")[0]), row.code)):
        entries = [bullet(f"Message: {row.message}")] if row.message else []
        meaning = re.sub(r"^([A-Z]\d+(?:, [A-Z]\d+)*): (.*)$", r"\2 (\1)", row.doc.rstrip("."))
        entries += [bullet(f"Meaning: {sentence(meaning)}")] if meaning else []
        lines += [f"### `{row.code}`", "\n".join([*entries, bullet(f"Help: {sentence(row.help)}")])]
    return page("Codes", *lines)


EVENT_KINDS = {
    "decision": "The policies answered a request.",
    "debit": "Something was recorded in the counts.",
    "change": "This process changed the directory.",
    "reload": "The policies were replaced.",
    "dropped": "Events were lost because the queue was full. Every subscription receives this event.",
}

# Each field with the kinds of event that may carry it. The names and their order are those of the code.
EVENT_FIELDS = {
    "event": ("all", "The kind of event."),
    "at": ("all", "RFC 3339 with milliseconds, by the engine's clock."),
    "verb": ("all but `dropped`", "The method that was called, such as `check` or `consume`."),
    "command": ("decision, debit, change", "The name of a command that was performed."),
    "principal": ("decision, debit, change", "Type and id of the principal. A login that names no login of the host has none."),
    "actor": ("decision, debit, change", "Type and id of the login that acts as the principal. (A1)"),
    "action": ("decision, debit", "The action that was asked."),
    "resource": ("decision, debit, change", "Type and id of the resource."),
    "account": ("decision, debit", "The account that an inline resource belongs to."),
    "host": ("decision, debit, change", "The host of the request, as it was passed."),
    "channel": ("decision, debit, change", "The channel, if the request named one."),
    "desk": ("decision", "The desk that a ticket goes to, or null if no desk takes it."),
    "allowed": ("decision", "The allow bit."),
    "code": ("decision", "The decision code."),
    "public_code": ("decision", "The code of a login that strangers may see. (D7)"),
    "policies": ("decision", "Ids of the determining policies."),
    "advice": ("decision", "Words of advice."),
    "errors": ("decision", "Ids of policies that could not be evaluated. (E2)"),
    "revision": ("decision, change", "The revision of the directory."),
    "bundle": ("decision, reload", "The fingerprint of the policies."),
    "replaced": ("reload", "The fingerprint of the policies before."),
    "payer": ("debit", "The account whose counts changed."),
    "operation": ("debit, decision", "The id of the operation in the history."),
    "of": ("debit", "The operation that this one settles or gives back."),
    "period": ("debit", "The billing month of a payment."),
    "cents": ("debit", "The cents of a payment; negative for a reversal."),
    "replayed": ("decision", "Present if the answer is that of an earlier call with the same key. (Q7)"),
    "expires_at": ("debit, decision", "The instant at which a reservation expires."),
    "meters": ("debit, decision", "For each meter: `meter`, `amount`, `used`, `limit`, and the member's own part."),
    "put": ("change", "Types and ids of records that were created or replaced."),
    "removed": ("change", "Types and ids of records that were removed."),
    "whole": ("change", "Present if an import replaced all records."),
    "count": ("dropped", "The number of events that were lost."),
    "latency_us": ("decision", "The duration of the call in microseconds."),
    "context": ("decision", "The fields of the context that `context_fields` names."),
}


def events_page() -> str:
    names = re.findall(r'"(\w+)"', re.search(r"const FIELDS: [^=]*= \[(.*?)\];", rust_source("const FIELDS:"), re.DOTALL)[1])  # type: ignore[index]
    stub = shapes("types.py")["Event"]
    if names != list(EVENT_FIELDS) or set(names) != set(stub.fields):
        sys.exit(f"docs/generate.py: the fields of an event differ: {sorted(set(names) ^ set(EVENT_FIELDS) | set(names) ^ set(stub.fields))}")
    fields = [bullet(f"`{name}`: `{stub.fields[name][0]}`. {EVENT_FIELDS[name][1]} In: {EVENT_FIELDS[name][0]}.") for name in names]
    return page(
        "Events",
        wrapped(
            "An event is a JSON object with the same names in every language. Fields stand in the order of this page, and a field "
            "that does not apply is absent. [Events and metrics](../guides/events-and-metrics.md) says how to subscribe."
        ),
        "## Kinds",
        "\n".join(bullet(f"`{kind}`: {words}") for kind, words in EVENT_KINDS.items()),
        "## Fields",
        "\n".join(fields),
    )


def commands_page() -> str:
    known = shapes("commands.py")
    asked = actions()
    parts = [
        wrapped(
            "`Engine.perform` takes a command: an object whose `do` names it. The engine asks the policies the action that the "
            "schema marks with `@asks` of that name. Permission, count and change are one transaction. Types are those of Python; "
            "the names are equal in every language."
        )
    ]
    for name in union_of("commands.py", "Command"):
        shape = known[name]
        do = re.findall(r"'(\w+)'", shape.fields["do"][0])[0]
        docs = struct_docs(name) or struct_docs(f"{name}Account")
        if name == "EditClient":
            docs = struct_docs("EditAccount")
        entries = []
        for action in asked:
            if do in [word.strip() for word in action.annotations.get("asks", "").split(",")]:
                more = [f"{key} `{action.annotations[key]}`" for key in ("feature", "meter", "frees") if key in action.annotations]
                context = f" Context: {', '.join(f'`{field}`' for field in action.context)}." if action.context else ""
                details = f" Needs {' and '.join(more)}." if more else ""
                resources = ", ".join(f"`{found.strip()}`" for found in action.resources.split(","))
                for found in action.names:
                    entries.append(bullet(f"Asks `{found}` of kind `{action.groups.split(',')[0].strip()}`. Resource: {resources}.{details}{context}"))
        parts += [
            f"## `{do}`",
            wrapped(shape.doc),
            "\n".join(entries),
            "Fields:",
            field_lines(shape, docs, skip=["do"]),
        ]
    return page("Commands", *parts)


def records_page() -> str:
    known = shapes("records.py")
    parts = [
        wrapped(
            "Records are what the directory holds. `change` takes them as objects, `import_lines` as JSON lines, and "
            "`export_lines` writes them. Types are those of Python; the names are equal in every language."
        ),
        "## Directory",
    ]
    for name in union_of("records.py", "Record"):
        parts += [f"### `{name}`", wrapped(known[name].doc), field_lines(known[name], skip=["type"])]
    for name in ("PendingEmail", "TransferOffer", "RecordPatch"):
        parts += [f"### `{name}`", "\n\n".join(wrapped(part) for part in known[name].doc.split("\n\n")), field_lines(known[name])]
    parts += ["## Answers", wrapped("Node writes these names in camel case, except for the fields of a statement.")]
    answers = properties("_sublet.pyi")
    for name in ("Decision", "Performed", "Counted", "Login", "LoginHosts", "Desk", "Route", "Explanation"):
        parts += [f"### `{name}`", wrapped(answers[name].doc), field_lines(answers[name])]
    typed = {**shapes("types.py"), **shapes("billing.py")}
    for name in ("Quota", "MemberQuota", "Statement", "Payment", "Stats", "Series", "ErrorCount", "EventCounts"):
        parts += [f"### `{name}`", "\n\n".join(wrapped(part) for part in typed[name].doc.split("\n\n")), field_lines(typed[name])]
    return page("Records", *parts)


def help_of(command: list[str], *arguments: str) -> str:
    done = subprocess.run([*command, *arguments, "--help"], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.rstrip()


def cli_page() -> str:
    built = ROOT / "target" / "release" / "sublet"
    command = [str(built)] if built.exists() else [sys.executable, "-m", "sublet"]
    top = help_of(command)
    names = re.findall(r"^  ([a-z][a-z-]*)  ", top[top.index("Commands:") :], re.MULTILINE)
    parts = [
        wrapped(
            "The command is one program: `sublet` of the Rust workspace, `python -m sublet` of the wheel, and `npx sublet` of the npm "
            "package. Exit code 0 is success. Code 1 says that a case failed or a bundle is at fault, 2 that the command line or "
            "an input is wrong, 3 that the explained request is denied."
        ),
        f"```text\n{top}\n```",
    ]
    for name in names:
        if name != "help":
            parts += [f"## `sublet {name}`", f"```text\n{help_of(command, name)}\n```"]
    return page("Command line", *parts)


def catalog_page() -> str:
    catalog = json.loads((POLICIES / "catalog.json").read_text())

    def enum_lines(name: str) -> str:
        return "\n".join(bullet(f"`{word}`: {sentence(doc)}") for word, doc in enum_words(name).items())

    def limits(given: dict[str, object]) -> str:
        return ", ".join(f"{meter} {limit}" for meter, limit in given.items())

    rows = ["| meter | kind | unit |", "| --- | --- | --- |"]
    for name, meter in catalog["meters"].items():
        kind = f"{meter['kind']}, {meter['window'].replace('_', ' ')}" if meter.get("window") else meter["kind"]
        kind += f", counts {meter['counts']}" if meter.get("counts") else ""
        rows.append(f"| `{name}` | {kind} | {meter['unit']} |")
    features = ["| feature | in words |", "| --- | --- |"]
    features += [f"| `{name}` | {words} |" for name, words in catalog["features"].items()]
    parts = [
        wrapped(
            "`catalog.json` of a bundle says what the platform offers. Every feature and meter of the schema must be in it, and no "
            "other. Unknown names are errors when the bundle is loaded. (L4)"
        ),
        "## Fields",
        "\n".join(
            bullet(line)
            for line in (
                "`features`: an object from each feature's name to its words.",
                "`meters`: an object from each meter's name to its `words`, `kind`, `unit`, `window` and `counts`.",
                "`levels`: the built-in access levels, each an [`AccessLevel`](records.md#accesslevel) without `type` and `owner`.",
                "`packages`: the packages, each a [`Package`](records.md#package) without `type`.",
                "`excess_client_cents`: the monthly price of one client account over the package's number, in cents. (B2)",
                "`excess_order`: the order in which clients are disabled for an unpaid excess. (B6)",
            )
        ),
        "### `kind` of a meter",
        enum_lines("MeterKind"),
        "### `window` of a flow",
        enum_lines("WindowKind"),
        "### `counts` of a stock",
        enum_lines("Counts"),
        "### `excess_order`",
        enum_lines("ExcessOrder"),
        "## Shipped catalog",
        wrapped(f"An excess client costs {catalog['excess_client_cents']} cents a month. The order is `{catalog.get('excess_order', 'random')}`."),
        "### Features",
        "\n".join(features),
        "### Meters",
        "\n".join(rows),
        "### Access levels",
        "\n".join(bullet(f"`{level['id']}`: {', '.join(level['features']) or 'no features'}.") for level in catalog["levels"]),
        "### Packages",
    ]
    for package in catalog["packages"]:
        lines = [f"Features: {', '.join(package['features'])}.", f"Limits: {limits(package['limits'])}."]
        if package.get("whitelabel"):
            lines.append(f"Whitelabel right, with {package['client_accounts']} client accounts. Level of new clients: `{package['client_level']}`.")
            lines.append(f"Limits of each client: {limits(package['client_limits'])}.")
        parts += [f"#### `{package['id']}`", "\n".join(bullet(line) for line in lines)]
    return page("Catalog", *parts)


PAGES = {
    "codes.md": codes_page,
    "events.md": events_page,
    "commands.md": commands_page,
    "records.md": records_page,
    "cli.md": cli_page,
    "catalog.md": catalog_page,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="compare the pages instead of writing them")
    check = parser.parse_args().check
    differs = False
    for name, build in PAGES.items():
        path, text = DOCS / "reference" / name, build()
        present = path.read_text() if path.exists() else ""
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif present != text:
            differs = True
            before, after = present.splitlines(keepends=True), text.splitlines(keepends=True)
            sys.stdout.writelines(list(difflib.unified_diff(before, after, f"docs/reference/{name}", "generated"))[:60])
    if differs:
        print("the pages differ from the code: run docs/generate.py", file=sys.stderr)
    return int(differs)


if __name__ == "__main__":
    raise SystemExit(main())
