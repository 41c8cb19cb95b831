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


class _Close(TypedDict):
    do: Literal["close"]
    """The name of the command."""
    account: str
    """The id of the account."""


class Close(_Close, total=False):
    """Closes an account. Its data stays, and its e-mails are released (C9, I5)."""

    confirmed: bool
    """Whether the caller knows of clients that can then no longer log in (C9)."""


class ReopenAccount(TypedDict):
    """Reopens a closed account, on behalf of the platform's staff (C9)."""

    do: Literal["reopen_account"]
    """The name of the command."""
    account: str
    """The id of the account."""


class _EraseAccount(TypedDict):
    do: Literal["erase_account"]
    """The name of the command."""
    account: str
    """The id of the account."""


class EraseAccount(_EraseAccount, total=False):
    """Erases the personal data of an account and of its members, on behalf of the account
    itself or of the platform's staff. Counts, history and bills stay (C14).
    """

    confirmed: bool
    """Whether the caller knows of clients that can then no longer log in (C9)."""


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


class EraseMember(TypedDict):
    """Erases the personal data of a member. Counts and history stay (C14)."""

    do: Literal["erase_member"]
    """The name of the command."""
    member: str
    """The id of the member."""


class _ResendInvitation(TypedDict):
    do: Literal["resend_invitation"]
    """The name of the command."""
    member: str
    """The id of the member."""


class ResendInvitation(_ResendInvitation, total=False):
    """Sends an invitation again, with a new token. The earlier token is no longer valid (M8)."""

    valid_for: int
    """How long the invitation is valid, in milliseconds. Default: seven days."""


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
    """Claims a host name for an owner. The claim is pending until it is verified, and expires
    (D4).
    """

    owner: str
    """The owner of the domain. Default: the caller's account."""


class VerifyDomain(TypedDict):
    """Verifies a claimed domain: its `domain_proof` must be among the TXT records. All other
    claims of the name end (D4).
    """

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
    """Removes a domain, or the account's claim of it (D4, D8)."""

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


class RecheckDomain(TypedDict):
    """Checks again that the DNS proves a domain, on behalf of the platform's staff. Without its
    proof the domain lapses (D4).
    """

    do: Literal["recheck_domain"]
    """The name of the command."""
    domain: str
    """The host name."""
    txt: list[str]
    """The TXT records that the host found in the DNS of the domain."""


class ReleaseDomain(TypedDict):
    """Ends the quarantine of a domain, so that anybody can add the name (D4)."""

    do: Literal["release_domain"]
    """The name of the command."""
    domain: str
    """The host name."""


class _ChangeEmail(TypedDict):
    do: Literal["change_email"]
    """The name of the command."""
    email: str
    """The new e-mail."""


class ChangeEmail(_ChangeEmail, total=False):
    """Changes an e-mail. The old e-mail stays valid until the new one is confirmed (I4)."""

    account: str
    """The id of the account. Without `account` and `member`, the login is the caller."""
    member: str
    """The id of the member, if the login is a member (M9)."""
    valid_for: int
    """How long the token is valid, in milliseconds. Default: seven days."""


class _ResendConfirmation(TypedDict):
    do: Literal["resend_confirmation"]
    """The name of the command."""


class ResendConfirmation(_ResendConfirmation, total=False):
    """Creates a new token for an e-mail that waits to be confirmed. The earlier token is no
    longer valid (I4).
    """

    account: str
    """The id of the account. Without `account` and `member`, the login is the caller."""
    member: str
    """The id of the member, if the login is a member (M9)."""
    valid_for: int
    """How long the token is valid, in milliseconds. Default: seven days."""


class _ConfirmEmail(TypedDict):
    do: Literal["confirm_email"]
    """The name of the command."""
    token: str
    """The token that was sent."""


class ConfirmEmail(_ConfirmEmail, total=False):
    """Confirms an e-mail with the token that was sent to it (C4, I4, M9)."""

    account: str
    """The id of the account. Without `account` and `member`, the login is the caller."""
    member: str
    """The id of the member, if the login is a member (M9)."""


class AcceptInvitation(TypedDict):
    """Accepts a member's invitation with the token that was sent by e-mail (M8)."""

    do: Literal["accept_invitation"]
    """The name of the command."""
    member: str
    """The id of the member."""
    token: str
    """The token that was sent."""


class _RecordPayment(TypedDict):
    do: Literal["record_payment"]
    """The name of the command."""
    account: str
    """The id of the owner."""
    cents: int
    """The amount in cents, at least 1."""


class RecordPayment(_RecordPayment, total=False):
    """Records money that an owner paid for a month, on behalf of the platform's staff. In a
    settled month each full price enables one client (B4, B5, B13).
    """

    period: str
    """The month that is paid, `YYYY-MM`. Default: the oldest month that is not paid (B9)."""


class ReversePayment(TypedDict):
    """Reverses a payment, on behalf of the platform's staff. In a settled month the clients
    that it had enabled are disabled again (B13).
    """

    do: Literal["reverse_payment"]
    """The name of the command."""
    account: str
    """The id of the owner."""
    payment: int
    """The number of the payment."""


class CloseMonth(TypedDict):
    """Closes a month that is over, on behalf of the platform's staff. Its numbers and its draw
    are then fixed, and nobody is disabled yet (B8, B13).
    """

    do: Literal["close_month"]
    """The name of the command."""
    account: str
    """The id of the owner."""
    period: str
    """The month that is closed, `YYYY-MM`."""


class _SettleOverage(TypedDict):
    do: Literal["settle_overage"]
    """The name of the command."""
    account: str
    """The id of the owner."""
    period: str
    """The month that is settled, `YYYY-MM`."""


class SettleOverage(_SettleOverage, total=False):
    """Closes a month that is over and enforces its draw, on behalf of the platform's staff (B3,
    B4, B13).
    """

    choice: list[str]
    """The clients to disable first, if the catalog leaves the order to the owner (B6)."""


class _TopUp(TypedDict):
    do: Literal["top_up"]
    """The name of the command."""
    account: str
    """The id of the account."""
    meter: str
    """The meter."""
    amount: int
    """The amount by which the limit rises."""


class TopUp(_TopUp, total=False):
    """Adds to the limit of a meter, on behalf of the platform's staff (B14)."""

    key: str
    """The key by which the top-up can be revoked, such as the id of the charge. A second top-up
    with this key counts once (B14).
    """


class RevokeTopUp(TypedDict):
    """Revokes a top-up by its key, on behalf of the platform's staff. The usage stays (B14)."""

    do: Literal["revoke_top_up"]
    """The name of the command."""
    account: str
    """The id of the account."""
    key: str
    """The key of the top-up."""


class _SignOut(TypedDict):
    do: Literal["sign_out"]
    """The name of the command."""


class SignOut(_SignOut, total=False):
    """Ends all sessions of a login (I7)."""

    account: str
    """The id of the account. Without `account`, `member` and `operator`, the login is the
    caller.
    """
    member: str
    """The id of the member, if the login is a member."""
    operator: str
    """The id of the operator, if the login is one of the staff."""


class _CreateServiceAccount(TypedDict):
    do: Literal["create_service_account"]
    """The name of the command."""
    id: str
    """The id, unique among the members of all accounts."""


class CreateServiceAccount(_CreateServiceAccount, total=False):
    """Creates a service account, a login for programs. The answer has its key, once (I7)."""

    name: str
    """The name of the program, for people."""
    account: str
    """The account of the service account. Default: the caller's account."""
    grants: list[str]
    """The features that the service account may use (M3)."""
    sub_limits: Mapping[str, Limit]
    """The service account's part of the account's limits, by meter (M7)."""
    valid_for: int
    """How long the key is valid, in milliseconds. Default: until it is replaced."""
    hosts: list[str]
    """The hosts at which the key is valid. Default: wherever the account's logins come in."""
    attributes: Mapping[str, Any]
    """The host's attributes, as the schema's `MemberAttributes` declares them."""
    resumed: bool
    """Whether the service account with this id has come back. It then continues with its counts
    and history (I5).
    """


class _EditServiceAccount(TypedDict):
    do: Literal["edit_service_account"]
    """The name of the command."""
    member: str
    """The id of the service account."""


class EditServiceAccount(_EditServiceAccount, total=False):
    """Edits the name, expiry and hosts of a service account. Absent entries stay (I7)."""

    name: str
    """The name of the program, for people."""
    valid_for: int
    """How long the key is valid from now on, in milliseconds."""
    hosts: list[str]
    """All hosts at which the key is valid. An empty list: wherever the account's logins come
    in.
    """


class _RotateKey(TypedDict):
    do: Literal["rotate_key"]
    """The name of the command."""
    member: str
    """The id of the service account."""


class RotateKey(_RotateKey, total=False):
    """Replaces the key of a service account. The answer has the new key, once (I7)."""

    valid_for: int
    """How long the new key is valid, in milliseconds. Default: the expiry stays as it is."""


class RemoveServiceAccount(TypedDict):
    """Removes a service account (I7)."""

    do: Literal["remove_service_account"]
    """The name of the command."""
    member: str
    """The id of the service account."""


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
    ReopenAccount,
    EraseAccount,
    OfferTransfer,
    ConsentTransfer,
    AcceptTransfer,
    CancelTransfer,
    InviteMember,
    GrantMember,
    EditMember,
    RemoveMember,
    EraseMember,
    ResendInvitation,
    CreateLevel,
    EditLevel,
    DeleteLevel,
    AddDomain,
    VerifyDomain,
    RemoveDomain,
    QuarantineDomain,
    RecheckDomain,
    ReleaseDomain,
    ChangeEmail,
    ResendConfirmation,
    ConfirmEmail,
    AcceptInvitation,
    RecordPayment,
    ReversePayment,
    CloseMonth,
    SettleOverage,
    TopUp,
    RevokeTopUp,
    SignOut,
    CreateServiceAccount,
    EditServiceAccount,
    RotateKey,
    RemoveServiceAccount,
]
"""A change of the directory that a login asks for."""
