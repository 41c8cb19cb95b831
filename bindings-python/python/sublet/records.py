"""The records of the directory, as `apply_changes` takes them, and `import_lines` as JSON lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypedDict, Union

from .commands import Reason
from .types import Limit


class PendingEmail(TypedDict):
    """An e-mail that waits to be confirmed; for a member, the invitation (I4, M8)."""

    email: str
    """The e-mail."""
    hash: str
    """The hash of the token that was sent."""
    until: str
    """The first instant at which the token is no longer valid. RFC 3339."""


class _TransferOffer(TypedDict):
    to: str
    """The id of the owner to whom the client is offered."""
    until: str
    """The first instant at which the offer is no longer valid. RFC 3339."""


class TransferOffer(_TransferOffer, total=False):
    """The offer of a client to another owner."""

    consented: bool
    """Whether the client has consented. Absent: false."""


class Platform(TypedDict):
    """The vendor. A directory has one."""

    type: Literal["Platform"]
    """The type of the record."""
    id: str
    """The id."""


class Operator(TypedDict):
    """A login of the platform's staff."""

    type: Literal["Operator"]
    """The type of the record."""
    id: str
    """The id; unique among the records of its type."""
    email: str
    """The e-mail of the login."""


class _Package(TypedDict):
    type: Literal["Package"]
    """The type of the record."""
    id: str
    """The id; unique among the records of its type."""


class Package(_Package, total=False):
    """A package that main accounts buy, beside those of the bundle's catalog."""

    features: list[str]
    """The features that its accounts may use. Absent: none."""
    whitelabel: bool
    """The right to have client accounts and own domains. Absent: false."""
    client_accounts: Limit | None
    """The number of included client accounts (B2)."""
    limits: Mapping[str, Limit]
    """The limits of the account, by meter."""
    client_limits: Mapping[str, Limit]
    """The limits of its clients, if neither they nor their levels have limits (L6)."""
    client_level: str | None
    """The access level of new clients (L7)."""


class _AccessLevel(TypedDict):
    type: Literal["AccessLevel"]
    """The type of the record."""
    id: str
    """The id; unique among the records of its type."""
    owner: str
    """The id of the owner's account."""


class AccessLevel(_AccessLevel, total=False):
    """A named set of enabled features, of one owner (L2)."""

    features: list[str]
    """The features that it enables. Absent: none."""
    limits: Mapping[str, Limit]
    """The limits of the clients that have it, by meter (L6)."""


class _Account(TypedDict):
    type: Literal["Account"]
    """The type of the record."""
    id: str
    """The id; unique among the records of its type."""
    email: str
    """The e-mail of the login."""


class Account(_Account, total=False):
    """A main account, which has a `package`, or a client account, which has an `owner` and a
    `level`.
    """

    package: str | None
    """The package of a main account."""
    owner: str | None
    """The account that owns a client account."""
    level: str | None
    """The access level of a client. Absent in a new record: the level that the package of the
    owner names; `None`: none (L7).
    """
    confirmed: bool
    """Whether the e-mail is confirmed. Absent: false (C4)."""
    closed: bool
    """Whether the account is closed. Absent: false."""
    disabled: list[Reason]
    """The reasons why the account is disabled. Absent: none (C7)."""
    limits: Mapping[str, Limit]
    """The limits of the account itself, by meter. They override those of package and level
    (L6).
    """
    zone: str | None
    """The IANA time zone in which its days and months begin. Absent: UTC (Q9)."""
    anchor: str | None
    """The day from which its months are counted, `YYYY-MM-DD`. Absent: the first of the month
    (Q9).
    """
    pending: PendingEmail | None
    """An e-mail that waits to be confirmed (I4)."""
    transfer: TransferOffer | None
    """The offer of a client to another owner."""
    created: str | None
    """The instant of its creation, RFC 3339."""
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `AccountAttributes` declares them."""


class _TeamMember(TypedDict):
    type: Literal["TeamMember"]
    """The type of the record."""
    id: str
    """The id; unique among the records of its type."""
    account: str
    """The account in which the member works."""
    email: str
    """The e-mail of the login."""


class TeamMember(_TeamMember, total=False):
    """A login that works inside one account (M1)."""

    confirmed: bool
    """Whether the invitation was accepted. Absent: false (M8)."""
    grants: list[str]
    """The features that the member may use. Absent: none (M3)."""
    sub_limits: Mapping[str, Limit]
    """The member's part of the account's limits, by meter (M7)."""
    pending: PendingEmail | None
    """The invitation (M8)."""
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `MemberAttributes` declares them."""


class _Domain(TypedDict):
    type: Literal["Domain"]
    """The type of the record."""
    id: str
    """The id; unique among the records of its type."""
    kind: Literal["platform", "whitelabel"]
    """Whether the domain is the platform's or an owner's."""


class Domain(_Domain, total=False):
    """A host name; its id is the name (D4)."""

    owner: str | None
    """The owner's account of a `whitelabel` domain."""
    state: Literal["pending", "verified", "quarantined"]
    """The state of the domain. Absent: pending."""


Record: TypeAlias = Union[Platform, Operator, Package, AccessLevel, Account, TeamMember, Domain]
"""A record of the directory."""


class _RecordPatch(TypedDict):
    type: Literal["Platform", "Operator", "Package", "AccessLevel", "Account", "TeamMember", "Domain"]
    """The type of the record."""
    id: str
    """The id; unique among the records of its type."""


class RecordPatch(_RecordPatch, total=False):
    """Fields of a record that change; the others stay.

    `None` removes an optional field. In `limits`, `sub_limits`, `client_limits` and
    `attributes` the named entries change, and `None` removes an entry. Lists are replaced.
    """

    email: str
    """The e-mail of the login."""
    package: str | None
    """The package of a main account."""
    owner: str | None
    """The id of the owner's account."""
    level: str | None
    """The access level of a client."""
    account: str
    """The account in which a member works."""
    kind: Literal["platform", "whitelabel"]
    """Whether a domain is the platform's or an owner's."""
    state: Literal["pending", "verified", "quarantined"] | None
    """The state of a domain."""
    confirmed: bool
    """Whether the e-mail is confirmed."""
    closed: bool
    """Whether the account is closed."""
    whitelabel: bool
    """The right to have client accounts and own domains."""
    disabled: list[Reason] | None
    """The reasons why the account is disabled."""
    features: list[str] | None
    """The enabled features."""
    grants: list[str] | None
    """The features that a member may use."""
    limits: Mapping[str, Limit | None] | None
    """Limits by meter."""
    sub_limits: Mapping[str, Limit | None] | None
    """A member's part of the limits, by meter."""
    client_limits: Mapping[str, Limit | None] | None
    """The limits of a package's clients, by meter."""
    client_accounts: Limit | None
    """The number of included client accounts."""
    client_level: str | None
    """The access level of new clients."""
    zone: str | None
    """The IANA time zone of days and months."""
    anchor: str | None
    """The day from which months are counted, `YYYY-MM-DD`."""
    pending: PendingEmail | None
    """An e-mail that waits to be confirmed."""
    transfer: TransferOffer | None
    """The offer of a client to another owner."""
    created: str | None
    """The instant of the creation, RFC 3339."""
    attributes: Mapping[str, Any] | None
    """The host's attributes."""
