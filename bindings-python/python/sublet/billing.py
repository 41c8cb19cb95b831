"""The shapes of the owner's bill: the same JSON in every language."""

from __future__ import annotations

from typing import Literal, TypedDict

from .types import Limit


class _Statement(TypedDict):
    owner: str
    period: str
    # RFC 3339, half open.
    until: str
    status: Literal["open", "ended", "closed", "settled"]
    clients: int
    included: Limit
    excess: int
    price_cents: int
    due_cents: int
    received_cents: int
    paid: int
    unpaid: int
    order: Literal["random", "newest_first", "owners_choice"]
    draw: list[str]
    gone: list[str]
    at_risk: list[str]
    disabled: list[str]


_From = TypedDict("_From", {"from": str})


class Statement(_Statement, _From, total=False):
    """What an owner owes for client accounts over his package's number, in one of his months. (B2 to B6)

    `unpaid` of `clients` are disabled once it is settled: the first of `draw` without those that are `gone`.
    """

    seed: str
    """The key of the draw, hexadecimal: from its closing on."""
    choice: list[str]
    created: dict[str, str]


class Payment(TypedDict):
    """A payment, or its reversal (`cents` below 0), and the month after it."""

    payment: int
    cents: int
    replayed: bool
    statement: Statement
