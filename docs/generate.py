"""Writes the pages of `docs/reference` from the code, or compares them (`--check`).

Needs the `sublet` package of the same checkout. The help texts are those of
`target/release/sublet`, or of the package's command if that is not built.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import subprocess
import sys
from collections.abc import Iterable

import sublet
from markdown import bullet, page, sentence, wrapped
from sources import (
    POLICIES,
    ROOT,
    Policy,
    Shape,
    actions,
    enum_words,
    error_rows,
    event_fields,
    policies,
    properties,
    shapes,
    union_of,
)
from words import EVENT_FIELDS, EVENT_KINDS, FIELD_WORDS

DOCS = ROOT / "docs"


def field_lines(shape: Shape, skip: Iterable[str] = ()) -> str:
    lines = []
    for name, (kind, optional, doc) in shape.fields.items():
        if name not in set(skip):
            words = doc or FIELD_WORDS.get(f"{shape.name}.{name}") or FIELD_WORDS.get(name, "")
            lines.append(
                bullet(f"`{name}`: `{kind}`{', optional' if optional else ''}. {sentence(words)}")
            )
    return "\n".join(lines)


# ---- Pages


def codes_page() -> str:
    shipped = sublet.Engine.open(POLICIES).bundle()
    listed = list(policies())
    engine_codes = {word: doc for word, doc in enum_words("AnswerCode").items()}
    words = {word for policy in listed for word in policy.words}
    lines = [
        wrapped(
            "A refusal is a value: a decision carries one decision code. An error means that "
            "there is no answer: it carries an error code of the form `family.name`. Both "
            "kinds are stable, and are equal in Rust, Python and Node."
        ),
        "## Decision codes",
        wrapped(
            "Codes of the shipped bundle, in alphabetical order, each with the policies that "
            "give it and its words by language. Policies that you add bring their own."
        ),
    ]

    def with_policies(code: str, own: list[Policy]) -> list[str]:
        block = [f"### `{code}`"]
        found = sorted(shipped["codes"][code].items(), reverse=True)
        block.append("\n".join(bullet(f"`{language}`: {text}") for language, text in found))
        if code in engine_codes:
            block.append(wrapped(f"Given by the engine. {sentence(engine_codes[code])}"))
        if own:
            entries = [
                wrapped(f"`{policy.id}` in `{policy.file}`. {sentence(policy.comment)}", "- ", "  ")
                for policy in own
            ]
            block.append("\n".join(entries))
        return block

    for code in sorted(set(shipped["codes"]) - words):
        lines += with_policies(code, [policy for policy in listed if code in policy.codes])
    lines += [
        "## Advice",
        wrapped("Words in the advice of a decision, allowed or denied. They refuse nothing."),
    ]
    for word in sorted(words):
        lines += with_policies(word, [policy for policy in listed if word in policy.words])
    lines += [
        "## Error codes",
        wrapped(
            "Placeholders in braces are values of the call. Each error has this help text at "
            "run time, too."
        ),
    ]
    families = ["input", "bundle", "directory", "quota", "billing", "store", "internal"]
    for row in sorted(
        error_rows(), key=lambda row: (families.index(row.code.split(".")[0]), row.code)
    ):
        entries = [bullet(f"Message: {row.message}")] if row.message else []
        meaning = re.sub(r"^([A-Z]\d+(?:, [A-Z]\d+)*): (.*)$", r"\2 (\1)", row.doc.rstrip("."))
        entries += [bullet(f"Meaning: {sentence(meaning)}")] if meaning else []
        lines += [f"### `{row.code}`", "\n".join([*entries, bullet(f"Help: {sentence(row.help)}")])]
    return page("Codes", *lines)


def events_page() -> str:
    names, typed = event_fields(), shapes("types.py")["Event"].fields
    if names != list(EVENT_FIELDS) or set(names) != set(typed):
        differ = (set(names) ^ set(EVENT_FIELDS)) | (set(names) ^ set(typed))
        sys.exit(f"docs/generate.py: the fields of an event differ: {sorted(differ)}")
    fields = [
        bullet(f"`{name}`: `{typed[name][0]}`. {words} In: {kinds}.")
        for name, (kinds, words) in EVENT_FIELDS.items()
    ]
    return page(
        "Events",
        wrapped(
            "An event is a JSON object with the same names in every language. Fields stand in "
            "the order of this page, and a field that does not apply is absent. [Events and "
            "metrics](../guides/events-and-metrics.md) says how to subscribe."
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
            "`Engine.perform` takes a command: an object whose `do` names it. The engine asks "
            "the policies the action that the schema marks with `@asks` of that name. "
            "Permission, count and change are one transaction. Types are those of Python; the "
            "names are equal in every language."
        )
    ]
    for name in union_of("commands.py", "Command"):
        shape = known[name]
        do = re.findall(r"'(\w+)'", shape.fields["do"][0])[0]
        entries = []
        for action in asked:
            if do in [word.strip() for word in action.annotations.get("asks", "").split(",")]:
                more = [
                    f"{key} `{action.annotations[key]}`"
                    for key in ("feature", "meter", "frees")
                    if key in action.annotations
                ]
                context = (
                    f" Context: {', '.join(f'`{field}`' for field in action.context)}."
                    if action.context
                    else ""
                )
                details = f" Needs {' and '.join(more)}." if more else ""
                resources = ", ".join(f"`{found.strip()}`" for found in action.resources.split(","))
                kind = action.groups.split(",")[0].strip()
                entries += [
                    bullet(
                        f"Asks `{found}` of kind `{kind}`. Resource: {resources}.{details}{context}"
                    )
                    for found in action.names
                ]
        parts += [
            f"## `{do}`",
            wrapped(shape.doc),
            "\n".join(entries),
            "Fields:",
            field_lines(shape, skip=["do"]),
        ]
    return page("Commands", *parts)


def records_page() -> str:
    known = shapes("records.py")
    parts = [
        wrapped(
            "Records are what the directory holds. `apply_changes` takes them as objects, "
            "`import_lines` as JSON lines, and `export_lines` writes them. Types are those of "
            "Python; the names are equal in every language."
        ),
        "## Directory",
    ]
    for name in union_of("records.py", "Record"):
        parts += [
            f"### `{name}`",
            wrapped(known[name].doc),
            field_lines(known[name], skip=["type"]),
        ]
    for name in ("PendingEmail", "TransferOffer", "RecordPatch"):
        parts += [
            f"### `{name}`",
            "\n\n".join(wrapped(part) for part in known[name].doc.split("\n\n")),
            field_lines(known[name]),
        ]
    parts += [
        "## Answers",
        wrapped("Node writes these names in camel case, except for the fields of statements and months."),
    ]
    answers = properties("_sublet.pyi")
    for name in (
        "Decision",
        "Performed",
        "CountReceipt",
        "Login",
        "LoginHosts",
        "AccountHosts",
        "TicketRoute",
        "TicketOutcome",
        "Explanation",
    ):
        parts += [f"### `{name}`", wrapped(answers[name].doc), field_lines(answers[name])]
    typed = {**shapes("types.py"), **shapes("billing.py")}
    for name in (
        "Quota",
        "MemberQuota",
        "Statement",
        "Payment",
        "ClosingProgress",
        "MonthClosing",
        "Stats",
        "DecisionSeries",
        "ErrorCount",
        "EventCounts",
    ):
        parts += [
            f"### `{name}`",
            "\n\n".join(wrapped(part) for part in typed[name].doc.split("\n\n")),
            field_lines(typed[name]),
        ]
    return page("Records", *parts)


def help_of(command: list[str], *arguments: str) -> str:
    done = subprocess.run(
        [*command, *arguments, "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.rstrip()


def cli_page() -> str:
    built = ROOT / "target" / "release" / "sublet"
    command = [str(built)] if built.exists() else [sys.executable, "-m", "sublet"]
    top = help_of(command)
    names = re.findall(r"^  ([a-z][a-z-]*)  ", top[top.index("Commands:") :], re.MULTILINE)
    parts = [
        wrapped(
            "The command is one program: `sublet` of the Rust workspace, `python -m sublet` of "
            "the wheel, and `npx sublet` of the npm package. Exit code 0 is success. Code 1 "
            "says that a case failed or a bundle is at fault, 2 that the command line or an "
            "input is wrong, 3 that the explained request is denied."
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
        return "\n".join(
            bullet(f"`{word}`: {sentence(doc)}") for word, doc in enum_words(name).items()
        )

    def limits(given: dict[str, object]) -> str:
        return ", ".join(f"{meter} {limit}" for meter, limit in given.items())

    rows = ["| meter | kind | unit |", "| --- | --- | --- |"]
    for name, meter in catalog["meters"].items():
        kind = (
            f"{meter['kind']}, {meter['window'].replace('_', ' ')}"
            if meter.get("window")
            else meter["kind"]
        )
        kind += f", counts {meter['counts']}" if meter.get("counts") else ""
        rows.append(f"| `{name}` | {kind} | {meter['unit']} |")
    features = ["| feature | in words |", "| --- | --- |"]
    features += [f"| `{name}` | {words} |" for name, words in catalog["features"].items()]
    parts = [
        wrapped(
            "`catalog.json` of a bundle says what the platform offers. Every feature and meter "
            "of the schema must be in it, and no other. Unknown names are errors when the "
            "bundle is loaded. (L4)"
        ),
        "## Fields",
        "\n".join(
            bullet(line)
            for line in (
                "`codes`: an object from decision codes to their words in explanations. Without "
                "words, an explanation has the comment of the policy. (E8)",
                "`features`: an object from each feature's name to its words.",
                "`meters`: an object from each meter's name to its `words`, `kind`, `unit`, "
                "`window` and `counts`.",
                "`levels`: the built-in access levels, each an "
                "[`AccessLevel`](records.md#accesslevel) without `type` and `owner`. `leaves_out` "
                "says in words what it leaves out. (L10)",
                "`packages`: the packages, each a [`Package`](records.md#package) without `type`.",
                "`excess_client_cents`: the monthly price of one client account over the package's "
                "number, in cents. (B2)",
                "`excess_order`: the order in which clients are disabled for an unpaid excess. "
                "(B6)",
                "`grace_days`: the days after the end of a month before which it cannot be "
                "settled. (B8)",
                "`reopen_days`: the number of days in which the staff can reopen a closed account. "
                "Absent: none. (C9)",
                "`claim_days`: the days after which a claim of a domain expires. Absent: 30. (D4)",
                "`lapse_days`: the days for which a domain without its proof serves. Absent: 14. "
                "(D4)",
                "`claims_max`: the greatest number of open claims of one owner. Absent: 20. (D4)",
            )
        ),
        "### `kind` of a meter",
        enum_lines("MeterKind"),
        "### `window` of a flow",
        enum_lines("WindowKind"),
        "### `counts` of a stock",
        enum_lines("CountedKind"),
        "### `excess_order`",
        enum_lines("ExcessOrder"),
        "## Shipped catalog",
        wrapped(
            f"An excess client costs {catalog['excess_client_cents']} cents a month. "
            f"The order is `{catalog.get('excess_order', 'random')}`."
        ),
        "### Features",
        "\n".join(features),
        "### Meters",
        "\n".join(rows),
        "### Access levels",
        "\n".join(
            bullet(
                f"`{level['id']}`: {', '.join(level['features']) or 'no features'}. "
                f"Leaves out: {level['leaves_out']}."
            )
            for level in catalog["levels"]
        ),
        "### Packages",
    ]
    for package in catalog["packages"]:
        lines = [
            f"Features: {', '.join(package['features'])}.",
            f"Limits: {limits(package['limits'])}.",
        ]
        if package.get("whitelabel"):
            lines.append(
                f"Whitelabel right, with {package['client_accounts']} client accounts. "
                f"Level of new clients: `{package['client_level']}`."
            )
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
    parser.add_argument(
        "--check", action="store_true", help="compare the pages instead of writing them"
    )
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
            sys.stdout.writelines(
                list(difflib.unified_diff(before, after, f"docs/reference/{name}", "generated"))[
                    :60
                ]
            )
    if differs:
        print("the pages differ from the code: run docs/generate.py", file=sys.stderr)
    return int(differs)


if __name__ == "__main__":
    raise SystemExit(main())
