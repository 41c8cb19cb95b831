"""The shapes of what is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict, Union

from ._sublet import Action, Host, Principal, ResourceType

Ref: TypeAlias = tuple[str, str]
"""A type and an id: `("Account", "acme")`."""

Who: TypeAlias = Union[Ref, Principal]
"""A login by type and id, or its handle."""

Does: TypeAlias = Union[str, Ref, Action]
"""An action by name, by type and id, or its handle."""

At: TypeAlias = Union[str, Host]
"""A host name, or its handle."""

Value: TypeAlias = Any
"""bool, int (64 bits), str, list, tuple, set or dict of those."""

Validation: TypeAlias = Literal["strict", "errors", "off"]
"""How strictly policies are validated: `strict` refuses warnings too."""


Limit: TypeAlias = Union[int, Literal["unlimited"]]
"""A limit: a number, or unlimited."""

Amount: TypeAlias = Union[int, Mapping[str, int]]
"""How much of each meter of the action, or of each by its name: 0 to 2**63-1."""


class MemberQuota(TypedDict):
    """A member's own part of a meter."""

    id: str
    used: int
    held: int
    limit: Limit
    remaining: Limit


Quota = TypedDict(
    "Quota",
    {
        "meter": str,
        "amount": int,
        "used": int,
        "held": int,
        "limit": Limit,
        "source": Literal["package", "level", "override", "none"],
        "base": Union[Limit, None],
        "override": Union[Limit, None],
        "top_up": int,
        "remaining": Limit,
        "resets_at": Union[str, None],
        "member": Union[MemberQuota, None],
    },
)
"""One meter of an account: `limit` is in force, `base` what package or level say, `resets_at` RFC 3339. (Q11)"""


EventKind: TypeAlias = Literal["decision", "debit", "change", "reload"]
"""What a log can be told of."""


class _Happened(TypedDict):
    event: Literal["decision", "debit", "change", "reload", "dropped"]
    at: str


class Event(_Happened, total=False):
    """One thing that happened; what does not apply is not there. A field of `redact` is the text `[redacted]`."""

    verb: str
    command: str
    principal: list[str]
    actor: list[str]
    action: str
    resource: list[str]
    account: str
    host: str
    channel: str
    desk: str | None
    allowed: bool
    code: str
    public_code: str
    policies: list[str]
    advice: list[str]
    errors: list[str]
    revision: int
    bundle: str
    replaced: str
    payer: str
    operation: int
    of: int
    period: str
    cents: int
    replayed: bool
    expires_at: str
    meters: list[dict[str, Any]]
    put: list[list[str]]
    removed: list[list[str]]
    whole: bool
    count: int
    latency_us: int
    context: dict[str, Any]


class Series(TypedDict):
    """The answers of one action with one code; `buckets` has how many took at most each bound, and at last longer than all."""

    action: str
    code: str
    count: int
    sum_us: int
    buckets: list[int]


class ErrorCount(TypedDict):
    """How often a verb gave an error."""

    verb: str
    code: str
    count: int


class EventCounts(TypedDict):
    """What became of the events of all logs."""

    delivered: int
    dropped: int
    failed: int


class Stats(TypedDict):
    """What was counted since `measure`."""

    measured: bool
    bounds_us: list[int]
    decisions: list[Series]
    errors: list[ErrorCount]
    reloads: int
    changes: int
    events: EventCounts


class _Required(TypedDict):
    type: str | ResourceType
    id: str


class InlineResource(_Required, total=False):
    """A resource of the host's own, with the account that it belongs to."""

    account: str | Principal | None
    attributes: Mapping[str, Value]
    parents: Iterable[Who]
    tags: Mapping[str, Value]


Resource: TypeAlias = Union[
    tuple[Union[str, ResourceType], str],
    tuple[Union[str, ResourceType], str, Union[str, Principal, None]],
    Principal,
    InlineResource,
    Mapping[str, Any],
]
"""A record of the directory by type and id, or one of the host's own: with its account, or inline."""
