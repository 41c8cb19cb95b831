"""The commands of `Engine.perform`.

Written by `bindings-python/shapes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypedDict, Union

from .types import Limit

Reason: TypeAlias = Literal["overage", "by_owner", "unpaid", "abuse"]
"""A reason for which an account is disabled (C7). An account can have several."""


class _CreateAccount(TypedDict):
    do: Literal["create_account"]
    """The name of the command."""
    id: str
    """The id, unique among the records of its type."""
    email: str
    """The e-mail of the login. It is unconfirmed (C4)."""
    package: str
    """The package that the account buys."""


class CreateAccount(_CreateAccount, total=False):
    """Creates a main account, on behalf of the platform's staff. The e-mail is unconfirmed
    (C4).
    """

    limits: Mapping[str, Limit]
    """The limits of the account itself, by meter. They override those of package and level
    (L6).
    """
    zone: str
    """The IANA time zone in which the account's days and months begin. Absent: UTC (Q9)."""
    anchor: str
    """The day from which the account's months are counted, `YYYY-MM-DD`. Absent: the first of
    the month (Q9).
    """
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `AccountAttributes` declares them."""
    resumed: bool
    """Whether the account with this id has come back. The account then continues with its
    counts and history (I5).
    """


class _ChangePackage(TypedDict):
    do: Literal["change_package"]
    """The name of the command."""
    account: str
    """The id of the main account."""
    package: str
    """The new package."""


class ChangePackage(_ChangePackage, total=False):
    """Changes the package of a main account (B7, D8)."""

    confirmed: bool
    """Whether the caller knows of clients that cannot log in without the whitelabel right (D8)."""


class _EditAccount(TypedDict):
    do: Literal["edit_account"]
    """The name of the command."""
    account: str
    """The id of the account."""


class EditAccount(_EditAccount, total=False):
    """Edits the limits, time zone and attributes of a main account. Absent entries stay (Q10,
    Q11).
    """

    limits: Mapping[str, Limit]
    """The limits of the account itself, by meter. They override those of package and level (L6,
    Q11).
    """
    remove_limits: list[str]
    """Meters for which the limit of the package or level applies again."""
    zone: str
    """The IANA time zone in which the account's days and months begin, from the next window on."""
    anchor: str
    """The day from which the account's months are counted, `YYYY-MM-DD`, from the next window
    on.
    """
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `AccountAttributes` declares them."""
    remove_attributes: list[str]
    """The names of the attributes to remove."""


class _CreateClient(TypedDict):
    do: Literal["create_client"]
    """The name of the command."""
    id: str
    """The id, unique among the records of its type."""
    email: str
    """The e-mail of the login. It is unconfirmed (C4)."""


class CreateClient(_CreateClient, total=False):
    """Creates a client account of an owner (C3, L7)."""

    owner: str
    """The owner of the client. Default: the caller's account."""
    level: str
    """The access level. Default: the one of the owner's package (L7)."""
    limits: Mapping[str, Limit]
    """The limits of the account itself, by meter. They override those of package and level
    (L6).
    """
    zone: str
    """The IANA time zone in which the account's days and months begin. Absent: UTC (Q9)."""
    anchor: str
    """The day from which the account's months are counted, `YYYY-MM-DD`. Absent: the first of
    the month (Q9).
    """
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `AccountAttributes` declares them."""
    resumed: bool
    """Whether the account with this id has come back. The account then continues with its
    counts and history (I5).
    """


class _EditClient(TypedDict):
    do: Literal["edit_client"]
    """The name of the command."""
    account: str
    """The id of the account."""


class EditClient(_EditClient, total=False):
    """Edits the limits, time zone and attributes of a client, on behalf of its owner. Absent
    entries stay (L6).
    """

    limits: Mapping[str, Limit]
    """The limits of the account itself, by meter. They override those of package and level (L6,
    Q11).
    """
    remove_limits: list[str]
    """Meters for which the limit of the package or level applies again."""
    zone: str
    """The IANA time zone in which the account's days and months begin, from the next window on."""
    anchor: str
    """The day from which the account's months are counted, `YYYY-MM-DD`, from the next window
    on.
    """
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `AccountAttributes` declares them."""
    remove_attributes: list[str]
    """The names of the attributes to remove."""


class AttachLevel(TypedDict):
    """Gives a client another access level (L1, L3)."""

    do: Literal["attach_level"]
    """The name of the command."""
    account: str
    """The id of the client."""
    level: str
    """The new access level: built-in, or one of the owner's (L3)."""


class Disable(TypedDict):
    """Disables an account for one more reason (C7)."""

    do: Literal["disable"]
    """The name of the command."""
    account: str
    """The id of the account."""
    reason: Reason
    """The reason."""


class Restore(TypedDict):
    """Removes a reason for which an account is disabled (C7)."""

    do: Literal["restore"]
    """The name of the command."""
    account: str
    """The id of the account."""
    reason: Reason
    """The reason that no longer holds."""


class Close(TypedDict):
    """Closes an account. Its data stays."""

    do: Literal["close"]
    """The name of the command."""
    account: str
    """The id of the account."""


class EraseAccount(TypedDict):
    """Erases the personal data of a closed account and of its members, on behalf of the
    platform's staff. Counts, history and bills stay (C14).
    """

    do: Literal["erase_account"]
    """The name of the command."""
    account: str
    """The id of the account."""


class _OfferTransfer(TypedDict):
    do: Literal["offer_transfer"]
    """The name of the command."""
    account: str
    """The id of the client."""
    to: str
    """The id of the owner to whom the client is offered."""


class OfferTransfer(_OfferTransfer, total=False):
    """Offers a client to another owner, in place of an earlier offer."""

    valid_for: int
    """How long the offer is valid, in milliseconds. Default: seven days."""


class ConsentTransfer(TypedDict):
    """Records the client's consent to the present offer."""

    do: Literal["consent_transfer"]
    """The name of the command."""
    account: str
    """The id of the client."""
    to: str
    """The owner of the offer, so that the client consents to the offer that it was shown."""


class _AcceptTransfer(TypedDict):
    do: Literal["accept_transfer"]
    """The name of the command."""
    account: str
    """The id of the client."""
    level: str
    """The client's access level from now on: built-in, or the new owner's (L3)."""


class AcceptTransfer(_AcceptTransfer, total=False):
    """Moves an offered client to the other owner. Counts and history stay."""

    limits: Mapping[str, Limit]
    """The client's own limits from now on, by meter (L6). The limits of the old owner end."""


class CancelTransfer(TypedDict):
    """Ends an offer: on behalf of the owner, of the client, or of the other owner."""

    do: Literal["cancel_transfer"]
    """The name of the command."""
    account: str
    """The id of the client."""


class _InviteMember(TypedDict):
    do: Literal["invite_member"]
    """The name of the command."""
    id: str
    """The id, unique among the records of its type."""
    email: str
    """The e-mail of the login."""


class InviteMember(_InviteMember, total=False):
    """Invites a member, who holds a seat from now on (M8)."""

    account: str
    """The account of the member. Default: the caller's account."""
    grants: list[str]
    """The features that the member may use (M3)."""
    sub_limits: Mapping[str, Limit]
    """The member's part of the account's limits, by meter (M7)."""
    valid_for: int
    """How long the invitation is valid, in milliseconds. Default: seven days. After that the
    seat is free (M8).
    """
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `MemberAttributes` declares them."""
    resumed: bool
    """Whether the member with this id has come back. The member then continues with its counts
    and history (I5).
    """


class GrantMember(TypedDict):
    """Sets the features that a member may use (M3, M5)."""

    do: Literal["grant_member"]
    """The name of the command."""
    member: str
    """The id of the member."""
    grants: list[str]
    """All features that the member may use from now on."""


class _EditMember(TypedDict):
    do: Literal["edit_member"]
    """The name of the command."""
    member: str
    """The id of the member."""


class EditMember(_EditMember, total=False):
    """Edits the sub-limits and attributes of a member. Absent entries stay (M7)."""

    sub_limits: Mapping[str, Limit]
    """The member's part of the account's limits, by meter (M7)."""
    remove_sub_limits: list[str]
    """Meters of which the member no longer has a part of its own."""
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `MemberAttributes` declares them."""
    remove_attributes: list[str]
    """The names of the attributes to remove."""


class RemoveMember(TypedDict):
    """Removes a member."""

    do: Literal["remove_member"]
    """The name of the command."""
    member: str
    """The id of the member."""


class _CreateLevel(TypedDict):
    do: Literal["create_level"]
    """The name of the command."""
    id: str
    """The id, unique among the records of its type."""
    features: list[str]
    """The features that the level enables."""


class CreateLevel(_CreateLevel, total=False):
    """Creates an access level of an owner (L2)."""

    owner: str
    """The owner of the level. Default: the caller's account."""
    limits: Mapping[str, Limit]
    """The limits of the clients that have the level, by meter (L6)."""


class _EditLevel(TypedDict):
    do: Literal["edit_level"]
    """The name of the command."""
    level: str
    """The id of the access level."""


class EditLevel(_EditLevel, total=False):
    """Edits the features and limits of an access level. Absent entries stay (L2, L5)."""

    features: list[str]
    """All features that the level enables from now on."""
    limits: Mapping[str, Limit]
    """The limits of the clients that have the level, by meter (L6)."""
    remove_limits: list[str]
    """Meters whose limits the level no longer sets."""


class _DeleteLevel(TypedDict):
    do: Literal["delete_level"]
    """The name of the command."""
    level: str
    """The id of the access level."""


class DeleteLevel(_DeleteLevel, total=False):
    """Deletes an access level, and gives its clients a replacement (L3)."""

    replacement: str
    """The level that its clients get instead. Without one, a level in use cannot be deleted
    (L3).
    """


class _AddDomain(TypedDict):
    do: Literal["add_domain"]
    """The name of the command."""
    domain: str
    """The host name."""


class AddDomain(_AddDomain, total=False):
    """Adds a whitelabel domain, which is pending until it is verified (D4)."""

    owner: str
    """The owner of the domain. Default: the caller's account."""


class VerifyDomain(TypedDict):
    """Verifies a domain: its `domain_proof` must be among the TXT records (D4)."""

    do: Literal["verify_domain"]
    """The name of the command."""
    domain: str
    """The host name."""
    txt: list[str]
    """The TXT records that the host found in the DNS of the domain."""


class _RemoveDomain(TypedDict):
    do: Literal["remove_domain"]
    """The name of the command."""
    domain: str
    """The host name."""


class RemoveDomain(_RemoveDomain, total=False):
    """Removes a domain (D4, D8)."""

    confirmed: bool
    """Whether the caller knows of clients that have no other domain to log in at (D8)."""


class _QuarantineDomain(TypedDict):
    do: Literal["quarantine_domain"]
    """The name of the command."""
    domain: str
    """The host name."""


class QuarantineDomain(_QuarantineDomain, total=False):
    """Takes a domain out of use, on behalf of the platform's staff (D4, D8)."""

    confirmed: bool
    """Whether the caller knows of clients that have no other domain to log in at (D8)."""


class ReleaseDomain(TypedDict):
    """Ends the quarantine of a domain, so that anybody can add the name (D4)."""

    do: Literal["release_domain"]
    """The name of the command."""
    domain: str
    """The host name."""


class _ChangeEmail(TypedDict):
    do: Literal["change_email"]
    """The name of the command."""
    account: str
    """The id of the account."""
    email: str
    """The new e-mail."""


class ChangeEmail(_ChangeEmail, total=False):
    """Changes an e-mail. The old e-mail stays valid until the new one is confirmed (I4)."""

    valid_for: int
    """How long the token is valid, in milliseconds. Default: seven days."""


class _ResendConfirmation(TypedDict):
    do: Literal["resend_confirmation"]
    """The name of the command."""
    account: str
    """The id of the account."""


class ResendConfirmation(_ResendConfirmation, total=False):
    """Creates a new token for an e-mail that waits to be confirmed. The earlier token is no
    longer valid (I4).
    """

    valid_for: int
    """How long the token is valid, in milliseconds. Default: seven days."""


class ConfirmEmail(TypedDict):
    """Confirms an account's e-mail with the token that was sent to it (C4, I4)."""

    do: Literal["confirm_email"]
    """The name of the command."""
    account: str
    """The id of the account."""
    token: str
    """The token that was sent."""


class AcceptInvitation(TypedDict):
    """Accepts a member's invitation with the token that was sent by e-mail (M8)."""

    do: Literal["accept_invitation"]
    """The name of the command."""
    member: str
    """The id of the member."""
    token: str
    """The token that was sent."""


Command: TypeAlias = Union[
    CreateAccount,
    ChangePackage,
    EditAccount,
    CreateClient,
    EditClient,
    AttachLevel,
    Disable,
    Restore,
    Close,
    EraseAccount,
    OfferTransfer,
    ConsentTransfer,
    AcceptTransfer,
    CancelTransfer,
    InviteMember,
    GrantMember,
    EditMember,
    RemoveMember,
    CreateLevel,
    EditLevel,
    DeleteLevel,
    AddDomain,
    VerifyDomain,
    RemoveDomain,
    QuarantineDomain,
    ReleaseDomain,
    ChangeEmail,
    ResendConfirmation,
    ConfirmEmail,
    AcceptInvitation,
]
"""A change of the directory that a login asks for."""
