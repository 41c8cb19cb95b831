"""The shapes of commands: what `Engine.perform` is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypedDict, Union

from .types import Limit

Reason: TypeAlias = Literal["overage", "by_owner", "unpaid", "abuse"]
"""Why an account is disabled; reasons add up. (C7)"""


class _NewAccount(TypedDict):
    id: str
    email: str


class _Account(TypedDict, total=False):
    limits: Mapping[str, Limit]
    zone: str
    anchor: str
    attributes: Mapping[str, Any]


class _CreateAccount(_NewAccount):
    do: Literal["create_account"]
    package: str


class CreateAccount(_CreateAccount, _Account, total=False):
    """A main account, by the platform's staff; its e-mail is unconfirmed. (C4) `resumed` says that the one that had the id has come back. (I5)"""

    resumed: bool


class _CreateClient(_NewAccount):
    do: Literal["create_client"]


class CreateClient(_CreateClient, _Account, total=False):
    """A client account: of whoever asks, unless `owner` says; its level is the package's, unless `level` says. (C3, L7)"""

    owner: str
    level: str
    resumed: bool


class _EditClient(TypedDict):
    do: Literal["edit_client"]
    account: str


class EditClient(_EditClient, _Account, total=False):
    """A client's limits, time zone and attributes; what is not named stays. (L6)"""

    remove_limits: list[str]
    remove_attributes: list[str]


class AttachLevel(TypedDict):
    """Another access level for a client. (L1, L3)"""

    do: Literal["attach_level"]
    account: str
    level: str


class Disable(TypedDict):
    """One more reason for which an account is disabled. (C7)"""

    do: Literal["disable"]
    account: str
    reason: Reason


class Restore(TypedDict):
    """One reason less."""

    do: Literal["restore"]
    account: str
    reason: Reason


class Close(TypedDict):
    """The end of an account; its data stays."""

    do: Literal["close"]
    account: str


class _InviteMember(TypedDict):
    do: Literal["invite_member"]
    id: str
    email: str


class InviteMember(_InviteMember, total=False):
    """A member of an account (of whoever asks, unless `account` says), who holds a seat from now on. (M8)"""

    account: str
    grants: list[str]
    sub_limits: Mapping[str, Limit]
    valid_for: int
    attributes: Mapping[str, Any]
    resumed: bool


class GrantMember(TypedDict):
    """All features that a member may use from now on. (M3, M5)"""

    do: Literal["grant_member"]
    member: str
    grants: list[str]


class _EditMember(TypedDict):
    do: Literal["edit_member"]
    member: str


class EditMember(_EditMember, total=False):
    """A member's part of the limits, and its attributes; what is not named stays. (M7)"""

    sub_limits: Mapping[str, Limit]
    remove_sub_limits: list[str]
    attributes: Mapping[str, Any]
    remove_attributes: list[str]


class RemoveMember(TypedDict):
    """The end of a membership."""

    do: Literal["remove_member"]
    member: str


class _CreateLevel(TypedDict):
    do: Literal["create_level"]
    id: str
    features: list[str]


class CreateLevel(_CreateLevel, total=False):
    """An access level of an owner: of whoever asks, unless `owner` says. (L2)"""

    owner: str
    limits: Mapping[str, Limit]


class _EditLevel(TypedDict):
    do: Literal["edit_level"]
    level: str


class EditLevel(_EditLevel, total=False):
    """All features of a level, and its limits; what is not named stays. (L5)"""

    features: list[str]
    limits: Mapping[str, Limit]
    remove_limits: list[str]


class _DeleteLevel(TypedDict):
    do: Literal["delete_level"]
    level: str


class DeleteLevel(_DeleteLevel, total=False):
    """The end of a level; `replacement` is what its clients have instead. (L3)"""

    replacement: str


class _AddDomain(TypedDict):
    do: Literal["add_domain"]
    domain: str


class AddDomain(_AddDomain, total=False):
    """A whitelabel domain, pending: of whoever asks, unless `owner` says. (D4)"""

    owner: str


class VerifyDomain(TypedDict):
    """The TXT records that the host found in the DNS of a domain: its `domain_proof` must be among them. (D4)"""

    do: Literal["verify_domain"]
    domain: str
    txt: list[str]


class _RemoveDomain(TypedDict):
    do: Literal["remove_domain"]
    domain: str


class RemoveDomain(_RemoveDomain, total=False):
    """Gives a domain up; `confirmed` if clients may be left without one. (D4, D8)"""

    confirmed: bool


class _QuarantineDomain(TypedDict):
    do: Literal["quarantine_domain"]
    domain: str


class QuarantineDomain(_QuarantineDomain, total=False):
    """Takes a domain out of use, as the platform's staff does. (D4, D8)"""

    confirmed: bool


class ReleaseDomain(TypedDict):
    """The end of a domain's quarantine: anybody can add the name. (D4)"""

    do: Literal["release_domain"]
    domain: str


class _ChangeEmail(TypedDict):
    do: Literal["change_email"]
    account: str
    email: str


class ChangeEmail(_ChangeEmail, total=False):
    """Another e-mail: the old one works on until the new one is confirmed. `valid_for` is in milliseconds. (I4)"""

    valid_for: int


class _ResendConfirmation(TypedDict):
    do: Literal["resend_confirmation"]
    account: str


class ResendConfirmation(_ResendConfirmation, total=False):
    """Another token for what waits to be confirmed; the one before is good no more. (I4)"""

    valid_for: int


class ConfirmEmail(TypedDict):
    """The token that was sent to an account's e-mail. (C4, I4)"""

    do: Literal["confirm_email"]
    account: str
    token: str


class AcceptInvitation(TypedDict):
    """The token that was sent to an invited member. (M8)"""

    do: Literal["accept_invitation"]
    member: str
    token: str


class _ChangePackage(TypedDict):
    do: Literal["change_package"]
    account: str
    package: str


class ChangePackage(_ChangePackage, total=False):
    """Another package. `confirmed`: that clients who cannot log in without the whitelabel right are known of. (B7, D8)"""

    confirmed: bool


class _EditAccount(TypedDict):
    do: Literal["edit_account"]
    account: str


class EditAccount(_EditAccount, _Account, total=False):
    """A main account's own limits, time zone and attributes; what is not named stays. (Q10, Q11)"""

    remove_limits: list[str]
    remove_attributes: list[str]


class _OfferTransfer(TypedDict):
    do: Literal["offer_transfer"]
    account: str
    to: str


class OfferTransfer(_OfferTransfer, total=False):
    """A client, offered to another owner. `valid_for` is in milliseconds; seven days, if it is not said."""

    valid_for: int


class ConsentTransfer(TypedDict):
    """The client's consent to the offer that it was shown."""

    do: Literal["consent_transfer"]
    account: str
    to: str


class _AcceptTransfer(TypedDict):
    do: Literal["accept_transfer"]
    account: str
    level: str


class AcceptTransfer(_AcceptTransfer, total=False):
    """The client, taken by the other owner, who says its level and limits. Counters and history stay."""

    limits: Mapping[str, Limit]


class CancelTransfer(TypedDict):
    """The end of an offer: by its owner, by the client, or by the other owner."""

    do: Literal["cancel_transfer"]
    account: str


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
"""A change of the directory that somebody asks for."""
