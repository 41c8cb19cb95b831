"""Markdown text: wrapped paragraphs, bullets and pages, with rule ids as links."""

from __future__ import annotations

import re
import textwrap

NOTE = "<!-- Written by docs/generate.py. Change the source, then run it again. -->"
WIDTH = 100
RULE = re.compile(r"(?<![\w`\[#-])([ABCDEILMOQ][1-9]\d?|T[1-9])(?![\w`\]-])")


def link_rules(text: str, to: str = "../rules.md") -> str:
    """Turns each rule id outside of code into a link to its text."""
    parts = re.split(r"(`[^`]*`)", text)
    linked = [
        part
        if part.startswith("`")
        else RULE.sub(lambda found: f"[{found[1]}]({to}#{found[1].lower()})", part)
        for part in parts
    ]
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
