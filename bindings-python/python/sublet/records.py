"""The records of the directory, as `apply_changes` and `import_lines` take them.

Written by `bindings-python/shapes.py`.
"""

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


class _ServiceKey(TypedDict):
    hash: str
    """The hash of the key."""


class ServiceKey(_ServiceKey, total=False):
    """The key of a service account, with its expiry and its hosts."""

    name: str | None
    """The name of the program, for people."""
    expires_at: str | None
    """The first instant at which the key is no longer valid. RFC 3339. Absent: never."""
    hosts: list[str]
    """The hosts at which the key is valid. Absent: wherever the account's logins come in."""


class Platform(TypedDict):
    """The vendor. A directory has one."""

    type: Literal["Platform"]
    """The type of the record."""
    id: str
    """The id, unique among the records of its type."""


class _Operator(TypedDict):
    type: Literal["Operator"]
    """The type of the record."""
    id: str
    """The id, unique among the records of its type."""
    email: str
    """The e-mail of the login."""


class Operator(_Operator, total=False):
    """A login of the platform's staff."""

    roles: list[Literal["support", "billing", "trust", "admin"]]
    """The roles. An operator without a role may do nothing that needs one. Absent: none (O1)."""
    not_before: str | None
    """The instant before which the login's sessions do not count. RFC 3339 (I7)."""


class _Package(TypedDict):
    type: Literal["Package"]
    """The type of the record."""
    id: str
    """The id, unique among the records of its type."""


class Package(_Package, total=False):
    """A package that main accounts buy, beside those of the bundle's catalog."""

    features: list[str]
    """The features that its accounts may use. Absent: none."""
    whitelabel: bool
    """The right to have client accounts and own domains. Absent: false."""
    self_service: bool
    """Whether an account may choose the package itself. Absent: only the staff sets it (B13)."""
    client_accounts: Limit | None
    """The number of included client accounts (B2)."""
    limits: Mapping[str, Limit]
    """The limits of the account, by meter."""
    client_limits: Mapping[str, Limit]
    """The limits of its clients, if neither they nor their levels have limits (L6)."""
    client_limits_max: Mapping[str, Limit]
    """The most that the owner may set as a limit of a client or of an access level, by meter. A
    meter that is not listed has no maximum (L8).
    """
    client_level: str | None
    """The access level of new clients (L7)."""


class _AccessLevel(TypedDict):
    type: Literal["AccessLevel"]
    """The type of the record."""
    id: str
    """The id, unique among the records of its type."""
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
    """The id, unique among the records of its type."""
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
    erased: bool
    """Whether the personal data of the account was erased. Absent: false (C14)."""
    disabled: list[Reason]
    """The reasons for which the account is disabled. Absent: none (C7)."""
    limits: Mapping[str, Limit]
    """The limits of the account itself, by meter. They override those of package and level
    (L6).
    """
    zone: str | None
    """The IANA time zone in which the account's days and months begin. Absent: UTC (Q9)."""
    anchor: str | None
    """The day from which the account's months are counted, `YYYY-MM-DD`. Absent: the first of
    the month (Q9).
    """
    pending: PendingEmail | None
    """An e-mail that waits to be confirmed (I4)."""
    transfer: TransferOffer | None
    """The offer of a client to another owner."""
    created: str | None
    """The instant at which the account was created. RFC 3339."""
    closed_at: str | None
    """The instant at which the account was closed. RFC 3339 (C9)."""
    not_before: str | None
    """The instant before which the login's sessions do not count. RFC 3339 (I7)."""
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `AccountAttributes` declares them."""


class _TeamMember(TypedDict):
    type: Literal["TeamMember"]
    """The type of the record."""
    id: str
    """The id, unique among the records of its type."""
    account: str
    """The account in which the member works."""


class TeamMember(_TeamMember, total=False):
    """A login that works inside one account (M1)."""

    email: str | None
    """The e-mail of the login. A service account has none."""
    confirmed: bool
    """Whether the invitation was accepted. Absent: false (M8)."""
    grants: list[str]
    """The features that the member may use. Absent: none (M3)."""
    sub_limits: Mapping[str, Limit]
    """The member's part of the account's limits, by meter (M7)."""
    pending: PendingEmail | None
    """The invitation, or an e-mail that waits to be confirmed (M8, M9)."""
    service: ServiceKey | None
    """The key of a service account (I7)."""
    not_before: str | None
    """The instant before which the login's sessions do not count. RFC 3339 (I7)."""
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `MemberAttributes` declares them."""


class _Domain(TypedDict):
    type: Literal["Domain"]
    """The type of the record."""
    id: str
    """The normalised host name. Of a claim: the name, an `@`, and the owner."""
    kind: Literal["platform", "whitelabel"]
    """Whether the domain is the platform's or an owner's."""


class Domain(_Domain, total=False):
    """A host name. Its id is the name (D4)."""

    owner: str | None
    """The owner's account of a `whitelabel` domain or claim."""
    state: Literal["pending", "verified", "quarantined", "lapsed"]
    """The state of the domain. Absent: pending."""
    until: str | None
    """The first instant at which a claim has expired, or a lapsed domain is quarantined. RFC
    3339. A claim without it never expires.
    """


Record: TypeAlias = Union[
    Platform,
    Operator,
    Package,
    AccessLevel,
    Account,
    TeamMember,
    Domain,
]
"""A record of the directory."""


class _RecordPatch(TypedDict):
    type: Literal["Platform", "Operator", "Package", "AccessLevel", "Account", "TeamMember", "Domain"]
    """The type of the record."""
    id: str
    """The id, unique among the records of its type."""


class RecordPatch(_RecordPatch, total=False):
    """Fields of a record that change; the others stay.

    `None` removes an optional field. In `limits`, `client_limits`, `client_limits_max`,
    `attributes` and `sub_limits` the named entries change, and `None` removes an entry.
    Lists are replaced.
    """

    email: str | None
    """A field of `Operator`, `Account` and `TeamMember`."""
    roles: list[Literal["support", "billing", "trust", "admin"]] | None
    """A field of `Operator`."""
    not_before: str | None
    """A field of `Operator`, `Account` and `TeamMember`."""
    features: list[str] | None
    """A field of `Package` and `AccessLevel`."""
    whitelabel: bool
    """A field of `Package`."""
    self_service: bool
    """A field of `Package`."""
    client_accounts: Limit | None
    """A field of `Package`."""
    limits: Mapping[str, Limit | None] | None
    """A field of `Package`, `AccessLevel` and `Account`."""
    client_limits: Mapping[str, Limit | None] | None
    """A field of `Package`."""
    client_limits_max: Mapping[str, Limit | None] | None
    """A field of `Package`."""
    client_level: str | None
    """A field of `Package`."""
    owner: str | None
    """A field of `AccessLevel`, `Account` and `Domain`."""
    package: str | None
    """A field of `Account`."""
    level: str | None
    """A field of `Account`."""
    confirmed: bool
    """A field of `Account` and `TeamMember`."""
    closed: bool
    """A field of `Account`."""
    erased: bool
    """A field of `Account`."""
    disabled: list[Reason] | None
    """A field of `Account`."""
    zone: str | None
    """A field of `Account`."""
    anchor: str | None
    """A field of `Account`."""
    pending: PendingEmail | None
    """A field of `Account` and `TeamMember`."""
    transfer: TransferOffer | None
    """A field of `Account`."""
    created: str | None
    """A field of `Account`."""
    closed_at: str | None
    """A field of `Account`."""
    attributes: Mapping[str, Any] | None
    """A field of `Account` and `TeamMember`."""
    account: str
    """A field of `TeamMember`."""
    grants: list[str] | None
    """A field of `TeamMember`."""
    sub_limits: Mapping[str, Limit | None] | None
    """A field of `TeamMember`."""
    service: ServiceKey | None
    """A field of `TeamMember`."""
    kind: Literal["platform", "whitelabel"]
    """A field of `Domain`."""
    state: Literal["pending", "verified", "quarantined", "lapsed"] | None
    """A field of `Domain`."""
    until: str | None
    """A field of `Domain`."""
