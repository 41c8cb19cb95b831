"""The shapes of records: who is who, as `change` takes them, and `import_lines` as JSON lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypedDict, Union

from .commands import Reason
from .types import Limit


class PendingEmail(TypedDict):
    """An e-mail that waits to be confirmed; a member's is its invitation. (I4, M8)"""

    email: str
    hash: str
    """Of the token that was sent."""
    until: str
    """The first instant at which the token is good no more. RFC 3339."""


class _Transfer(TypedDict):
    to: str
    until: str


class TransferOffer(_Transfer, total=False):
    """The offer of a client to another owner, until an instant (RFC 3339)."""

    consented: bool


class Platform(TypedDict):
    """The vendor. One directory has one."""

    type: Literal["Platform"]
    id: str


class Operator(TypedDict):
    """A login of the platform's staff."""

    type: Literal["Operator"]
    id: str
    email: str


class _Package(TypedDict):
    type: Literal["Package"]
    id: str


class Package(_Package, total=False):
    """What a main account buys, beside those of the bundle's catalog."""

    features: list[str]
    """The features that its accounts may use. Absent: none."""
    whitelabel: bool
    """The right to have client accounts and domains of one's own. Absent: false."""
    client_accounts: Limit | None
    """How many client accounts are included. (B2)"""
    limits: Mapping[str, Limit]
    """The account's limits, by meter."""
    client_limits: Mapping[str, Limit]
    """The limits of its clients, where neither they nor their levels have their own. (L6)"""
    client_level: str | None
    """The access level that a client is created with. (L7)"""


class _AccessLevel(TypedDict):
    type: Literal["AccessLevel"]
    id: str
    owner: str


class AccessLevel(_AccessLevel, total=False):
    """A named set of enabled features, of one owner. (L2)"""

    features: list[str]
    """The features that it enables. Absent: none."""
    limits: Mapping[str, Limit]
    """The limits of the clients that have it, by meter. (L6)"""


class _Account(TypedDict):
    type: Literal["Account"]
    id: str
    email: str


class Account(_Account, total=False):
    """A main account, which has a `package`, or a client account, which has an `owner` and a `level`."""

    package: str | None
    """What a main account bought."""
    owner: str | None
    """The account that a client account belongs to."""
    level: str | None
    """A client's access level. Absent in a new record: the one that its owner's package names; `None`: none. (L7)"""
    confirmed: bool
    """Whether its e-mail is confirmed. Absent: false. (C4)"""
    closed: bool
    """Whether it is closed. Absent: false."""
    disabled: list[Reason]
    """Why it is disabled. Absent: it is not. (C7)"""
    limits: Mapping[str, Limit]
    """Limits of its own, by meter, before those of package and level. (L6)"""
    zone: str | None
    """The IANA time zone in which its days and months begin. Absent: UTC. (Q9)"""
    anchor: str | None
    """The day from which its months are counted, `YYYY-MM-DD`. Absent: the first of the month. (Q9)"""
    pending: PendingEmail | None
    """An e-mail that waits to be confirmed. (I4)"""
    transfer: TransferOffer | None
    """The offer of a client to another owner."""
    created: str | None
    """When it was created, RFC 3339."""
    attributes: Mapping[str, Any]
    """The host's own, as the schema's `AccountAttributes` declares them."""


class _TeamMember(TypedDict):
    type: Literal["TeamMember"]
    id: str
    account: str
    email: str


class TeamMember(_TeamMember, total=False):
    """A login that works inside one account. (M1)"""

    confirmed: bool
    """Whether the invitation was accepted. Absent: false. (M8)"""
    grants: list[str]
    """The features that it may use. Absent: none. (M3)"""
    sub_limits: Mapping[str, Limit]
    """Its own part of the account's limits, by meter. (M7)"""
    pending: PendingEmail | None
    """Its invitation. (M8)"""
    attributes: Mapping[str, Any]
    """The host's own, as the schema's `MemberAttributes` declares them."""


class _Domain(TypedDict):
    type: Literal["Domain"]
    id: str
    kind: Literal["platform", "whitelabel"]


class Domain(_Domain, total=False):
    """A host name; its id is the name. (D4)"""

    owner: str | None
    """The account whose it is, of a `whitelabel` domain."""
    state: Literal["pending", "verified", "quarantined"]
    """How far it has come. Absent: pending."""


Record: TypeAlias = Union[Platform, Operator, Package, AccessLevel, Account, TeamMember, Domain]
"""One record of the directory."""


class _RecordPatch(TypedDict):
    type: Literal["Platform", "Operator", "Package", "AccessLevel", "Account", "TeamMember", "Domain"]
    id: str


class RecordPatch(_RecordPatch, total=False):
    """Fields of a record that change; the rest stays.

    `None` takes an optional field away. Of `limits`, `sub_limits`, `client_limits` and `attributes` what is named changes, entry by
    entry, and `None` takes an entry away. Lists are replaced.
    """

    email: str
    package: str | None
    owner: str | None
    level: str | None
    account: str
    kind: Literal["platform", "whitelabel"]
    state: Literal["pending", "verified", "quarantined"] | None
    confirmed: bool
    closed: bool
    whitelabel: bool
    disabled: list[Reason] | None
    features: list[str] | None
    grants: list[str] | None
    limits: Mapping[str, Limit | None] | None
    sub_limits: Mapping[str, Limit | None] | None
    client_limits: Mapping[str, Limit | None] | None
    client_accounts: Limit | None
    client_level: str | None
    zone: str | None
    anchor: str | None
    pending: PendingEmail | None
    transfer: TransferOffer | None
    created: str | None
    attributes: Mapping[str, Any] | None
