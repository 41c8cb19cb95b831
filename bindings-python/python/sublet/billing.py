"""The types of the owner's bill, with the fields of every language."""

from __future__ import annotations

from typing import Literal, TypedDict

from .types import Limit


class _Statement(TypedDict):
    owner: str
    """The id of the owner's account."""
    period: str
    """The owner's month `YYYY-MM`, which begins in that month of the owner's calendar."""
    until: str
    """The first instant after the month. RFC 3339."""
    settle_from: str
    """The first instant at which the month may be settled, after the days of grace. RFC 3339."""
    status: Literal["open", "ended", "closed", "settled"]
    """`open`: the month runs. `ended`: nothing has fixed it. `closed`: numbers and seed are
    fixed. `settled`: the draw is enforced.
    """
    clients: int
    """The client accounts that were not closed at the last instant."""
    included: Limit
    """The number of clients that the package includes."""
    excess: int
    """The number of clients over the included ones."""
    price_cents: int
    """The price of one excess client in cents."""
    due_cents: int
    """The excess times the price."""
    received_cents: int
    """The payments less the reversals."""
    credit_cents: int
    """The cents that remain from the payments of earlier months."""
    paid: int
    """The number of clients that the payments and the credit cover."""
    unpaid: int
    """The number of clients that are neither paid for nor departed."""
    order: Literal["random", "newest_first", "owners_choice"]
    """The order in which clients are disabled."""
    draw: list[str]
    """The clients in the order in which they are disabled: working ones first, then by round,
    then by ascending HMAC-SHA-256 of the id under the seed.
    """
    departed: list[str]
    """The clients that were closed or have left since."""
    at_risk: list[str]
    """The clients that will be disabled, or may be."""
    disabled: list[str]
    """The clients that are disabled for this month."""


_From = TypedDict("_From", {"from": str})


class Statement(_Statement, _From, total=False):
    """A statement: what an owner owes for client accounts over the number of the package, in
    one month of the owner (B2 to B6). `unpaid` of `clients` are disabled once it is settled:
    the first of `draw` without those that are `departed`.
    """

    seed: str
    """The key of the draw, 32 bytes as hexadecimal digits, once the month is closed."""
    choice: list[str]
    """The clients that the owner named, if the order allows it."""
    created: dict[str, str]
    """The creation instants by client, if the order needs them."""
    disabled_before: list[str]
    """The clients that were disabled for another reason than overage when the month was closed.
    They come last.
    """
    rounds: dict[str, int]
    """The rounds of clients that came after the earlier unpaid month whose draw this one
    continues. All others are in round 0.
    """


class Payment(TypedDict):
    """A payment or its reversal, and the month after it."""

    payment: int
    """The id of the payment."""
    cents: int
    """The cents of the payment; negative for a reversal."""
    replayed: bool
    """Whether it is the answer of an earlier call with the same key (Q7)."""
    statement: Statement
    """The statement after it."""


class MonthClosing(TypedDict):
    """A closed month of an owner."""

    owner: str
    """The id of the owner's account."""
    period: str
    """The owner's month `YYYY-MM`."""
    due_cents: int
    """The sum due for the month. Payments are not subtracted."""
    at_risk: int
    """The number of clients that are disabled if nothing more is received."""
    settle_from: str
    """The first instant at which the month may be settled. RFC 3339."""


class ClosingProgress(TypedDict):
    """The months that a call of `close_due` closed."""

    closed: list[MonthClosing]
    """The months that the call closed, by owner and month."""
    unsettled: list[MonthClosing]
    """The closed months of the same owners that are neither paid nor settled, whatever closed
    them.
    """
    next: str | None
    """The owner after which the next call goes on, or null if no owner is left."""
