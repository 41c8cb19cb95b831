"""The commands of `Engine.perform`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypedDict, Union

from .types import Limit

Reason: TypeAlias = Literal["overage", "by_owner", "unpaid", "abuse"]
"""A reason why an account is disabled; reasons add up (C7)."""


class _NewAccount(TypedDict):
    id: str
    """The id; unique among the records of its type."""
    email: str
    """The e-mail of the login."""


class _Account(TypedDict, total=False):
    limits: Mapping[str, Limit]
    """The limits of the account itself, by meter. They override those of package and level
    (L6).
    """
    zone: str
    """The IANA time zone in which its days and months begin. Absent: UTC (Q9)."""
    anchor: str
    """The day from which its months are counted, `YYYY-MM-DD`. Absent: the first of the month
    (Q9).
    """
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `AccountAttributes` declares them."""


class _CreateAccount(_NewAccount):
    do: Literal["create_account"]
    """The name of the command."""
    package: str
    """The package of the account."""


class CreateAccount(_CreateAccount, _Account, total=False):
    """Creates a main account, on behalf of the platform's staff. The e-mail is unconfirmed
    (C4).
    """

    resumed: bool
    """Whether the account that had this id has come back, with its counts and history (I5)."""


class _CreateClient(_NewAccount):
    do: Literal["create_client"]
    """The name of the command."""


class CreateClient(_CreateClient, _Account, total=False):
    """Creates a client account (C3, L7)."""

    owner: str
    """The owner. The default is the caller's account."""
    level: str
    """The access level. The default is that of the owner's package."""
    resumed: bool
    """Whether the owner's client that had this id has come back, with its counts and history
    (I5).
    """


class _EditClient(TypedDict):
    do: Literal["edit_client"]
    """The name of the command."""
    account: str
    """The id of the account."""


class EditClient(_EditClient, _Account, total=False):
    """Changes limits, time zone and attributes of a client. Unnamed entries stay (L6)."""

    remove_limits: list[str]
    """The meters whose limits are removed."""
    remove_attributes: list[str]
    """The names of the attributes that are removed."""


class AttachLevel(TypedDict):
    """Gives a client another access level (L1, L3)."""

    do: Literal["attach_level"]
    """The name of the command."""
    account: str
    """The id of the account."""
    level: str
    """The new access level."""


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
    """The reason."""


class Close(TypedDict):
    """Closes an account. Its data stays."""

    do: Literal["close"]
    """The name of the command."""
    account: str
    """The id of the account."""


class _InviteMember(TypedDict):
    do: Literal["invite_member"]
    """The name of the command."""
    id: str
    """The id; unique among the records of its type."""
    email: str
    """The e-mail of the login."""


class InviteMember(_InviteMember, total=False):
    """Invites a member, who occupies a seat from now on (M8)."""

    account: str
    """The account. The default is the caller's account."""
    grants: list[str]
    """The features that the member may use."""
    sub_limits: Mapping[str, Limit]
    """The member's part of the limits, by meter."""
    valid_for: int
    """The duration of the invitation in milliseconds. The default is seven days."""
    attributes: Mapping[str, Any]
    """The host's attributes."""
    resumed: bool
    """Whether the account's member that had this id has come back (I5)."""


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
    """Changes the sub-limits and attributes of a member. Unnamed entries stay (M7)."""

    sub_limits: Mapping[str, Limit]
    """The member's part of the limits, by meter."""
    remove_sub_limits: list[str]
    """The meters whose sub-limits are removed."""
    attributes: Mapping[str, Any]
    """The host's attributes."""
    remove_attributes: list[str]
    """The names of the attributes that are removed."""


class RemoveMember(TypedDict):
    """Ends a membership."""

    do: Literal["remove_member"]
    """The name of the command."""
    member: str
    """The id of the member."""


class _CreateLevel(TypedDict):
    do: Literal["create_level"]
    """The name of the command."""
    id: str
    """The id; unique among the records of its type."""
    features: list[str]
    """The features that the level enables."""


class CreateLevel(_CreateLevel, total=False):
    """Creates an access level of an owner (L2)."""

    owner: str
    """The owner. The default is the caller's account."""
    limits: Mapping[str, Limit]
    """Limits by meter."""


class _EditLevel(TypedDict):
    do: Literal["edit_level"]
    """The name of the command."""
    level: str
    """The id of the access level."""


class EditLevel(_EditLevel, total=False):
    """Changes an access level. Unnamed limits stay (L5)."""

    features: list[str]
    """All features that the level enables from now on."""
    limits: Mapping[str, Limit]
    """Limits by meter."""
    remove_limits: list[str]
    """The meters whose limits are removed."""


class _DeleteLevel(TypedDict):
    do: Literal["delete_level"]
    """The name of the command."""
    level: str
    """The id of the access level."""


class DeleteLevel(_DeleteLevel, total=False):
    """Deletes an access level (L3)."""

    replacement: str
    """The level that its clients have instead."""


class _AddDomain(TypedDict):
    do: Literal["add_domain"]
    """The name of the command."""
    domain: str
    """The name of the domain."""


class AddDomain(_AddDomain, total=False):
    """Adds a whitelabel domain, which is pending until it is verified (D4)."""

    owner: str
    """The owner. The default is the caller's account."""


class VerifyDomain(TypedDict):
    """Verifies a domain: its `domain_proof` must be among the TXT records (D4)."""

    do: Literal["verify_domain"]
    """The name of the command."""
    domain: str
    """The name of the domain."""
    txt: list[str]
    """The TXT records that the host found in the DNS of the domain."""


class _RemoveDomain(TypedDict):
    do: Literal["remove_domain"]
    """The name of the command."""
    domain: str
    """The name of the domain."""


class RemoveDomain(_RemoveDomain, total=False):
    """Gives a domain up (D4, D8)."""

    confirmed: bool
    """Whether clients may be left without a domain."""


class _QuarantineDomain(TypedDict):
    do: Literal["quarantine_domain"]
    """The name of the command."""
    domain: str
    """The name of the domain."""


class QuarantineDomain(_QuarantineDomain, total=False):
    """Takes a domain out of use, on behalf of the platform's staff (D4, D8)."""

    confirmed: bool
    """Whether clients may be left without a domain."""


class ReleaseDomain(TypedDict):
    """Ends the quarantine of a domain, so that anybody can add the name (D4)."""

    do: Literal["release_domain"]
    """The name of the command."""
    domain: str
    """The name of the domain."""


class _ChangeEmail(TypedDict):
    do: Literal["change_email"]
    """The name of the command."""
    account: str
    """The id of the account."""
    email: str
    """The new e-mail."""


class ChangeEmail(_ChangeEmail, total=False):
    """Changes an e-mail. The old one works until the new one is confirmed (I4)."""

    valid_for: int
    """The lifetime of the token in milliseconds."""


class _ResendConfirmation(TypedDict):
    do: Literal["resend_confirmation"]
    """The name of the command."""
    account: str
    """The id of the account."""


class ResendConfirmation(_ResendConfirmation, total=False):
    """Makes another token for an e-mail that waits to be confirmed. The earlier token ends
    (I4).
    """

    valid_for: int
    """The lifetime of the token in milliseconds."""


class ConfirmEmail(TypedDict):
    """Confirms the e-mail of an account with the token that was sent to it (C4, I4)."""

    do: Literal["confirm_email"]
    """The name of the command."""
    account: str
    """The id of the account."""
    token: str
    """The token."""


class AcceptInvitation(TypedDict):
    """Accepts the invitation of a member with the token that was sent (M8)."""

    do: Literal["accept_invitation"]
    """The name of the command."""
    member: str
    """The id of the member."""
    token: str
    """The token."""


class _ChangePackage(TypedDict):
    do: Literal["change_package"]
    """The name of the command."""
    account: str
    """The id of the account."""
    package: str
    """The new package."""


class ChangePackage(_ChangePackage, total=False):
    """Gives a main account another package (B7, D8)."""

    confirmed: bool
    """Whether it is known that clients cannot log in without the whitelabel right."""


class _EditAccount(TypedDict):
    do: Literal["edit_account"]
    """The name of the command."""
    account: str
    """The id of the account."""


class EditAccount(_EditAccount, _Account, total=False):
    """Changes limits, time zone and attributes of a main account. Unnamed entries stay (Q10,
    Q11).
    """

    remove_limits: list[str]
    """The meters whose limits are removed."""
    remove_attributes: list[str]
    """The names of the attributes that are removed."""


class _OfferTransfer(TypedDict):
    do: Literal["offer_transfer"]
    """The name of the command."""
    account: str
    """The id of the account."""
    to: str
    """The id of the other owner."""


class OfferTransfer(_OfferTransfer, total=False):
    """Offers a client to another owner."""

    valid_for: int
    """The duration of the offer in milliseconds. The default is seven days."""


class ConsentTransfer(TypedDict):
    """Records the consent of a client to an offer."""

    do: Literal["consent_transfer"]
    """The name of the command."""
    account: str
    """The id of the account."""
    to: str
    """The id of the other owner, as the client saw it."""


class _AcceptTransfer(TypedDict):
    do: Literal["accept_transfer"]
    """The name of the command."""
    account: str
    """The id of the account."""
    level: str
    """The new access level."""


class AcceptTransfer(_AcceptTransfer, total=False):
    """Accepts an offered client. Counters and history stay."""

    limits: Mapping[str, Limit]
    """The new limits of the client, by meter."""


class CancelTransfer(TypedDict):
    """Cancels an offer: by the owner, by the client, or by the other owner."""

    do: Literal["cancel_transfer"]
    """The name of the command."""
    account: str
    """The id of the account."""


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
"""A command: a change of the directory that a login asks for."""
