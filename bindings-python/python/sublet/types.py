"""The types of arguments and results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict, Union

from ._sublet import Action, Host, Principal, ResourceType
from .codes import ErrorCode

EntityRef: TypeAlias = tuple[str, str]
"""A type and an id, such as `("Account", "acme")`."""

PrincipalRef: TypeAlias = Union[EntityRef, Principal]
"""A login by type and id, or its handle."""

ActionRef: TypeAlias = Union[str, EntityRef, Action]
"""An action by name, by type and id, or its handle."""

HostRef: TypeAlias = Union[str, Host]
"""A host name, or its handle."""

Value: TypeAlias = Any
"""A value that a policy can read: `bool`, `int` of 64 bits, `str`, or a list, set or `dict`
of those.
"""

Validation: TypeAlias = Literal["strict", "errors", "off"]
"""The strictness of the validation of policies; `strict` refuses warnings too."""

Channel: TypeAlias = Literal["web", "job", "mail", "public"]
"""The channel of a request, as the kernel's schema declares it. The default is `web`."""

DeskName: TypeAlias = Literal["owner", "platform"]
"""The desk that resolves a support ticket: the owner's, or the platform's."""

HistoryKind: TypeAlias = Literal[
    "consume",
    "free",
    "set",
    "reserve",
    "commit",
    "release",
    "refund",
    "top_up",
    "carry_over",
    "command",
    "payment",
    "reversal",
    "revoke_top_up",
]
"""The kind of an operation."""


Limit: TypeAlias = Union[int, Literal["unlimited"]]
"""A limit: a number, or `unlimited`. 0 allows nothing (Q3)."""

Amount: TypeAlias = Union[int, Mapping[str, int]]
"""An amount of each meter of the action, or amounts by meter: integers from 0 to `2**63-1`
(Q2).
"""


class MemberQuota(TypedDict):
    """The part of a member in a meter (M7)."""

    id: str
    """The id of the member."""
    used: int
    """The usage of the member in the current window."""
    held: int
    """The part that open reservations of the member hold."""
    limit: Limit
    """The sub-limit of the member."""
    remaining: Limit
    """The part of the sub-limit that is left."""


class Quota(TypedDict):
    """A meter of an account after the call (Q11)."""

    meter: str
    """The name of the meter."""
    amount: int
    """The amount that was asked for, or that was granted if that was less."""
    used: int
    """The usage in the current window."""
    held: int
    """The part that open reservations hold."""
    limit: Limit
    """The limit in force, with top-ups."""
    source: Literal["package", "level", "override", "none"]
    """The source of the limit. With `none` the limit is 0."""
    base: Limit | None
    """The limit of the package or of the access level."""
    override: Limit | None
    """The limit that is set on the account itself."""
    top_up: int
    """The amount that top-ups add in this window."""
    remaining: Limit
    """The part of the limit that is left; 0 if more is used than allowed."""
    resets_at: str | None
    """The instant at which the next window begins, RFC 3339; `None` for a stock."""
    member: MemberQuota | None
    """The part of the member, if a member made the request (M7)."""


class HistoryPart(TypedDict):
    """The change of one count by an operation."""

    meter: str
    """The name of the meter."""
    member: str | None
    """The member whose own count it is; `None` for the count of the account."""
    used: int
    """The change of the usage; negative if it fell."""
    held: int
    """The change of the held part."""
    top_up: int
    """The change of the top-ups."""
    refunded: int
    """The amount that was given back since."""


class HistoryEntry(TypedDict):
    """An operation on the counts of an account."""

    operation: int
    """The id of the operation."""
    kind: HistoryKind
    """The kind of the operation."""
    at: str
    """The instant of the operation, RFC 3339."""
    account: str
    """The account of the operation; if an actor acted, the account that the actor acted as
    (A1).
    """
    member: str | None
    """The member who made the call, if a member did."""
    actor: str | None
    """The login that acted as the account, if one did."""
    idempotency_key: str | None
    """The idempotency key of the call."""
    parent: int | None
    """The operation that this one commits, releases, refunds, revokes or reverses."""
    reservation: Literal["open", "expired", "committed", "released"] | None
    """The state of a reservation."""
    parts: list[HistoryPart]
    """The change of each count."""


class Verification(TypedDict):
    """The result of `verify`."""

    buckets: int
    """The number of compared counts."""
    operations: int
    """The number of operations."""
    faults: list[str]
    """The differences; empty if all agree."""


EventKind: TypeAlias = Literal["decision", "debit", "change", "reload", "closing"]
"""The kinds of events that a log can select."""


class _Event(TypedDict):
    event: Literal["decision", "debit", "change", "reload", "closing", "dropped"]
    """The kind of event."""
    at: str
    """The instant of the event, RFC 3339 with milliseconds, by the engine's clock."""


class Event(_Event, total=False):
    """An event. A field that does not apply is absent. A field of `redact` has the text
    `[redacted]`.
    """

    verb: str
    """The method that was called, such as `check` or `consume`."""
    command: str
    """The name of a command that was performed."""
    principal: list[str]
    """Type and id of the principal. A login that names no login of the host has none."""
    actor: list[str]
    """Type and id of the login that acts as the principal (A1)."""
    action: str
    """The action of the request."""
    resource: list[str]
    """Type and id of the resource."""
    account: str
    """The account that an inline resource belongs to."""
    host: str
    """The host of the request, as it was passed."""
    channel: Channel
    """The channel, if the request named one."""
    desk: DeskName | None
    """The desk that a ticket goes to, or null if no desk takes it."""
    allowed: bool
    """The allow bit."""
    code: str
    """The decision code."""
    public_code: Literal["ok", "login_refused"]
    """The code of a login that strangers may see (D7)."""
    policies: list[str]
    """Ids of the determining policies."""
    advice: list[str]
    """Words of advice."""
    errors: list[str]
    """Ids of policies that could not be evaluated (E2)."""
    revision: int
    """The revision of the directory."""
    bundle: str
    """The fingerprint of the policies."""
    replaced: str
    """The fingerprint of the policies before a reload."""
    payer: str
    """The account whose counts changed, or the owner of a closed month."""
    operation: int
    """The id of the operation in the history."""
    parent: int
    """The operation that this one commits, releases, refunds, revokes or reverses."""
    period: str
    """The billing month."""
    cents: int
    """The cents of a payment, negative for a reversal, or the cents due for a closed month."""
    at_risk: int
    """The number of clients of a closed month that are disabled if nothing more is received."""
    settle_from: str
    """The first instant at which a closed month may be settled. RFC 3339."""
    replayed: bool
    """Present if the answer is that of an earlier call with the same key (Q7)."""
    expires_at: str
    """The instant at which a reservation expires."""
    meters: list[dict[str, Any]]
    """The meters after the event, each with the part of the member."""
    put: list[list[str]]
    """Types and ids of records that were created or replaced."""
    removed: list[list[str]]
    """Types and ids of records that were removed."""
    whole: bool
    """Present if an import replaced all records."""
    count: int
    """The number of events that were lost."""
    latency_us: int
    """The duration of the call in microseconds."""
    context: dict[str, Any]
    """The fields of the context that `context_fields` names."""


class DecisionSeries(TypedDict):
    """The decisions of one action with one code."""

    action: str
    """The action."""
    code: str
    """The decision code."""
    count: int
    """The number of decisions."""
    sum_us: int
    """The sum of their durations in microseconds."""
    buckets: list[int]
    """The number of decisions in each bucket of the histogram. The last is over all bounds."""


class ErrorCount(TypedDict):
    """The number of errors of one method with one code."""

    verb: str
    """The method that failed."""
    code: ErrorCode
    """The error code."""
    count: int
    """The number of errors."""


class EventCounts(TypedDict):
    """The events of all subscriptions, by their fate."""

    delivered: int
    """The events that a sink took."""
    dropped: int
    """The events that found a full queue."""
    failed: int
    """The events that a sink could not take."""


class Stats(TypedDict):
    """The statistics since `enable_metrics`."""

    measured: bool
    """Whether the engine counts."""
    bounds_us: list[int]
    """The upper bounds of the histogram in microseconds."""
    decisions: list[DecisionSeries]
    """The decisions by action and code."""
    errors: list[ErrorCount]
    """The errors by method and code."""
    reloads: int
    """The number of reloads."""
    changes: int
    """The number of changes of the directory."""
    events: EventCounts
    """The events of all subscriptions."""


class _InlineResource(TypedDict):
    type: str | ResourceType
    """The type of the resource, or its handle."""
    id: str
    """The id of the resource."""


class InlineResource(_InlineResource, total=False):
    """A resource of your own, with the account that it belongs to."""

    account: str | Principal | None
    """The account that the resource belongs to."""
    attributes: Mapping[str, Value]
    """The attributes of the resource, as the schema declares them."""
    parents: Iterable[PrincipalRef]
    """The parents of the resource in Cedar's hierarchy."""
    tags: Mapping[str, Value]
    """The tags of the resource."""


Resource: TypeAlias = Union[
    tuple[Union[str, ResourceType], str],
    tuple[Union[str, ResourceType], str, Union[str, Principal, None]],
    Principal,
    InlineResource,
    Mapping[str, Any],
]
"""A resource: a record of the directory by type and id, or one of your own, with its
account or with its attributes.
"""
