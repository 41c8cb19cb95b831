// The commands of `perform`. `index.d.ts` exports these types.
// Written by `bindings-python/shapes.py`.

import type { Limit } from './quota.js';

/** A reason for which an account is disabled (C7). An account can have several. */
export type DisableReason = 'overage' | 'by_owner' | 'unpaid' | 'abuse';

/**
 * Creates a main account, on behalf of the platform's staff. The e-mail is unconfirmed
 * (C4).
 */
export interface CreateAccount {
  /** The name of the command. */
  readonly do: 'create_account';
  /** The id, unique among the records of its type. */
  readonly id: string;
  /** The e-mail of the login. It is unconfirmed (C4). */
  readonly email: string;
  /** The package that the account buys. */
  readonly package: string;
  /**
   * The limits of the account itself, by meter. They override those of package and level
   * (L6).
   */
  readonly limits?: { readonly [meter: string]: Limit };
  /** The IANA time zone in which the account's days and months begin. Absent: UTC (Q9). */
  readonly zone?: string;
  /**
   * The day from which the account's months are counted, `YYYY-MM-DD`. Absent: the first of
   * the month (Q9).
   */
  readonly anchor?: string;
  /** The host's attributes, as the schema's `AccountAttributes` declares them. */
  readonly attributes?: { readonly [name: string]: unknown };
  /**
   * Whether the account with this id has come back. The account then continues with its
   * counts and history (I5).
   */
  readonly resumed?: boolean;
}

/** Changes the package of a main account (B7, D8). */
export interface ChangePackage {
  /** The name of the command. */
  readonly do: 'change_package';
  /** The id of the main account. */
  readonly account: string;
  /** The new package. */
  readonly package: string;
  /** Whether the caller knows of clients that cannot log in without the whitelabel right (D8). */
  readonly confirmed?: boolean;
}

/**
 * Edits the limits, time zone and attributes of a main account. Absent entries stay (Q10,
 * Q11).
 */
export interface EditAccount {
  /** The name of the command. */
  readonly do: 'edit_account';
  /** The id of the account. */
  readonly account: string;
  /**
   * The limits of the account itself, by meter. They override those of package and level (L6,
   * Q11).
   */
  readonly limits?: { readonly [meter: string]: Limit };
  /** Meters for which the limit of the package or level applies again. */
  readonly remove_limits?: readonly string[];
  /** The IANA time zone in which the account's days and months begin, from the next window on. */
  readonly zone?: string;
  /**
   * The day from which the account's months are counted, `YYYY-MM-DD`, from the next window
   * on.
   */
  readonly anchor?: string;
  /** The host's attributes, as the schema's `AccountAttributes` declares them. */
  readonly attributes?: { readonly [name: string]: unknown };
  /** The names of the attributes to remove. */
  readonly remove_attributes?: readonly string[];
}

/** Creates a client account of an owner (C3, L7). */
export interface CreateClient {
  /** The name of the command. */
  readonly do: 'create_client';
  /** The id, unique among the records of its type. */
  readonly id: string;
  /** The e-mail of the login. It is unconfirmed (C4). */
  readonly email: string;
  /** The owner of the client. Default: the caller's account. */
  readonly owner?: string;
  /** The access level. Default: the one of the owner's package (L7). */
  readonly level?: string;
  /**
   * The limits of the account itself, by meter. They override those of package and level
   * (L6).
   */
  readonly limits?: { readonly [meter: string]: Limit };
  /** The IANA time zone in which the account's days and months begin. Absent: UTC (Q9). */
  readonly zone?: string;
  /**
   * The day from which the account's months are counted, `YYYY-MM-DD`. Absent: the first of
   * the month (Q9).
   */
  readonly anchor?: string;
  /** The host's attributes, as the schema's `AccountAttributes` declares them. */
  readonly attributes?: { readonly [name: string]: unknown };
  /**
   * Whether the account with this id has come back. The account then continues with its
   * counts and history (I5).
   */
  readonly resumed?: boolean;
}

/**
 * Edits the limits, time zone and attributes of a client, on behalf of its owner. Absent
 * entries stay (L6).
 */
export interface EditClient {
  /** The name of the command. */
  readonly do: 'edit_client';
  /** The id of the account. */
  readonly account: string;
  /**
   * The limits of the account itself, by meter. They override those of package and level (L6,
   * Q11).
   */
  readonly limits?: { readonly [meter: string]: Limit };
  /** Meters for which the limit of the package or level applies again. */
  readonly remove_limits?: readonly string[];
  /** The IANA time zone in which the account's days and months begin, from the next window on. */
  readonly zone?: string;
  /**
   * The day from which the account's months are counted, `YYYY-MM-DD`, from the next window
   * on.
   */
  readonly anchor?: string;
  /** The host's attributes, as the schema's `AccountAttributes` declares them. */
  readonly attributes?: { readonly [name: string]: unknown };
  /** The names of the attributes to remove. */
  readonly remove_attributes?: readonly string[];
}

/** Gives a client another access level (L1, L3). */
export interface AttachLevel {
  /** The name of the command. */
  readonly do: 'attach_level';
  /** The id of the client. */
  readonly account: string;
  /** The new access level: built-in, or one of the owner's (L3). */
  readonly level: string;
}

/** Disables an account for one more reason (C7). */
export interface Disable {
  /** The name of the command. */
  readonly do: 'disable';
  /** The id of the account. */
  readonly account: string;
  /** The reason. */
  readonly reason: DisableReason;
}

/** Removes a reason for which an account is disabled (C7). */
export interface Restore {
  /** The name of the command. */
  readonly do: 'restore';
  /** The id of the account. */
  readonly account: string;
  /** The reason that no longer holds. */
  readonly reason: DisableReason;
}

/** Closes an account. Its data stays, and its e-mails are released (C9, I5). */
export interface Close {
  /** The name of the command. */
  readonly do: 'close';
  /** The id of the account. */
  readonly account: string;
  /** Whether the caller knows of clients that can then no longer log in (C9). */
  readonly confirmed?: boolean;
}

/** Reopens a closed account, on behalf of the platform's staff (C9). */
export interface ReopenAccount {
  /** The name of the command. */
  readonly do: 'reopen_account';
  /** The id of the account. */
  readonly account: string;
}

/**
 * Erases the personal data of an account and of its members, on behalf of the account
 * itself or of the platform's staff. Counts, history and bills stay (C14).
 */
export interface EraseAccount {
  /** The name of the command. */
  readonly do: 'erase_account';
  /** The id of the account. */
  readonly account: string;
  /** Whether the caller knows of clients that can then no longer log in (C9). */
  readonly confirmed?: boolean;
}

/** Offers a client to another owner, in place of an earlier offer. */
export interface OfferTransfer {
  /** The name of the command. */
  readonly do: 'offer_transfer';
  /** The id of the client. */
  readonly account: string;
  /** The id of the owner to whom the client is offered. */
  readonly to: string;
  /** How long the offer is valid, in milliseconds. Default: seven days. */
  readonly valid_for?: number | bigint;
}

/** Records the client's consent to the present offer. */
export interface ConsentTransfer {
  /** The name of the command. */
  readonly do: 'consent_transfer';
  /** The id of the client. */
  readonly account: string;
  /** The owner of the offer, so that the client consents to the offer that it was shown. */
  readonly to: string;
}

/** Moves an offered client to the other owner. Counts and history stay. */
export interface AcceptTransfer {
  /** The name of the command. */
  readonly do: 'accept_transfer';
  /** The id of the client. */
  readonly account: string;
  /** The client's access level from now on: built-in, or the new owner's (L3). */
  readonly level: string;
  /** The client's own limits from now on, by meter (L6). The limits of the old owner end. */
  readonly limits?: { readonly [meter: string]: Limit };
}

/** Ends an offer: on behalf of the owner, of the client, or of the other owner. */
export interface CancelTransfer {
  /** The name of the command. */
  readonly do: 'cancel_transfer';
  /** The id of the client. */
  readonly account: string;
}

/** Invites a member, who holds a seat from now on (M8). */
export interface InviteMember {
  /** The name of the command. */
  readonly do: 'invite_member';
  /** The id, unique among the records of its type. */
  readonly id: string;
  /** The e-mail of the login. */
  readonly email: string;
  /** The account of the member. Default: the caller's account. */
  readonly account?: string;
  /** The features that the member may use (M3). */
  readonly grants?: readonly string[];
  /** The member's part of the account's limits, by meter (M7). */
  readonly sub_limits?: { readonly [meter: string]: Limit };
  /**
   * How long the invitation is valid, in milliseconds. Default: seven days. After that the
   * seat is free (M8).
   */
  readonly valid_for?: number | bigint;
  /** The host's attributes, as the schema's `MemberAttributes` declares them. */
  readonly attributes?: { readonly [name: string]: unknown };
  /**
   * Whether the member with this id has come back. The member then continues with its counts
   * and history (I5).
   */
  readonly resumed?: boolean;
}

/** Sets the features that a member may use (M3, M5). */
export interface GrantMember {
  /** The name of the command. */
  readonly do: 'grant_member';
  /** The id of the member. */
  readonly member: string;
  /** All features that the member may use from now on. */
  readonly grants: readonly string[];
}

/** Edits the sub-limits and attributes of a member. Absent entries stay (M7). */
export interface EditMember {
  /** The name of the command. */
  readonly do: 'edit_member';
  /** The id of the member. */
  readonly member: string;
  /** The member's part of the account's limits, by meter (M7). */
  readonly sub_limits?: { readonly [meter: string]: Limit };
  /** Meters of which the member no longer has a part of its own. */
  readonly remove_sub_limits?: readonly string[];
  /** The host's attributes, as the schema's `MemberAttributes` declares them. */
  readonly attributes?: { readonly [name: string]: unknown };
  /** The names of the attributes to remove. */
  readonly remove_attributes?: readonly string[];
}

/** Removes a member. */
export interface RemoveMember {
  /** The name of the command. */
  readonly do: 'remove_member';
  /** The id of the member. */
  readonly member: string;
}

/** Erases the personal data of a member. Counts and history stay (C14). */
export interface EraseMember {
  /** The name of the command. */
  readonly do: 'erase_member';
  /** The id of the member. */
  readonly member: string;
}

/** Sends an invitation again, with a new token. The earlier token is no longer valid (M8). */
export interface ResendInvitation {
  /** The name of the command. */
  readonly do: 'resend_invitation';
  /** The id of the member. */
  readonly member: string;
  /** How long the invitation is valid, in milliseconds. Default: seven days. */
  readonly valid_for?: number | bigint;
}

/** Creates an access level of an owner (L2). */
export interface CreateLevel {
  /** The name of the command. */
  readonly do: 'create_level';
  /** The id, unique among the records of its type. */
  readonly id: string;
  /** The owner of the level. Default: the caller's account. */
  readonly owner?: string;
  /** The features that the level enables. */
  readonly features: readonly string[];
  /** The limits of the clients that have the level, by meter (L6). */
  readonly limits?: { readonly [meter: string]: Limit };
}

/** Edits the features and limits of an access level. Absent entries stay (L2, L5). */
export interface EditLevel {
  /** The name of the command. */
  readonly do: 'edit_level';
  /** The id of the access level. */
  readonly level: string;
  /** All features that the level enables from now on. */
  readonly features?: readonly string[];
  /** The limits of the clients that have the level, by meter (L6). */
  readonly limits?: { readonly [meter: string]: Limit };
  /** Meters whose limits the level no longer sets. */
  readonly remove_limits?: readonly string[];
}

/** Deletes an access level, and gives its clients a replacement (L3). */
export interface DeleteLevel {
  /** The name of the command. */
  readonly do: 'delete_level';
  /** The id of the access level. */
  readonly level: string;
  /**
   * The level that its clients get instead. Without one, a level in use cannot be deleted
   * (L3).
   */
  readonly replacement?: string;
}

/**
 * Claims a host name for an owner. The claim is pending until it is verified, and expires
 * (D4).
 */
export interface AddDomain {
  /** The name of the command. */
  readonly do: 'add_domain';
  /** The host name. */
  readonly domain: string;
  /** The owner of the domain. Default: the caller's account. */
  readonly owner?: string;
}

/**
 * Verifies a claimed domain: its `domainProof` must be among the TXT records. All other
 * claims of the name end (D4).
 */
export interface VerifyDomain {
  /** The name of the command. */
  readonly do: 'verify_domain';
  /** The host name. */
  readonly domain: string;
  /** The TXT records that the host found in the DNS of the domain. */
  readonly txt: readonly string[];
}

/** Removes a domain, or the account's claim of it (D4, D8). */
export interface RemoveDomain {
  /** The name of the command. */
  readonly do: 'remove_domain';
  /** The host name. */
  readonly domain: string;
  /** Whether the caller knows of clients that have no other domain to log in at (D8). */
  readonly confirmed?: boolean;
}

/** Takes a domain out of use, on behalf of the platform's staff (D4, D8). */
export interface QuarantineDomain {
  /** The name of the command. */
  readonly do: 'quarantine_domain';
  /** The host name. */
  readonly domain: string;
  /** Whether the caller knows of clients that have no other domain to log in at (D8). */
  readonly confirmed?: boolean;
}

/**
 * Checks again that the DNS proves a domain, on behalf of the platform's staff. Without its
 * proof the domain lapses (D4).
 */
export interface RecheckDomain {
  /** The name of the command. */
  readonly do: 'recheck_domain';
  /** The host name. */
  readonly domain: string;
  /** The TXT records that the host found in the DNS of the domain. */
  readonly txt: readonly string[];
}

/** Ends the quarantine of a domain, so that anybody can add the name (D4). */
export interface ReleaseDomain {
  /** The name of the command. */
  readonly do: 'release_domain';
  /** The host name. */
  readonly domain: string;
}

/** Changes an e-mail. The old e-mail stays valid until the new one is confirmed (I4). */
export interface ChangeEmail {
  /** The name of the command. */
  readonly do: 'change_email';
  /** The id of the account. Without `account` and `member`, the login is the caller. */
  readonly account?: string;
  /** The id of the member, if the login is a member (M9). */
  readonly member?: string;
  /** The new e-mail. */
  readonly email: string;
  /** How long the token is valid, in milliseconds. Default: seven days. */
  readonly valid_for?: number | bigint;
}

/**
 * Creates a new token for an e-mail that waits to be confirmed. The earlier token is no
 * longer valid (I4).
 */
export interface ResendConfirmation {
  /** The name of the command. */
  readonly do: 'resend_confirmation';
  /** The id of the account. Without `account` and `member`, the login is the caller. */
  readonly account?: string;
  /** The id of the member, if the login is a member (M9). */
  readonly member?: string;
  /** How long the token is valid, in milliseconds. Default: seven days. */
  readonly valid_for?: number | bigint;
}

/** Confirms an e-mail with the token that was sent to it (C4, I4, M9). */
export interface ConfirmEmail {
  /** The name of the command. */
  readonly do: 'confirm_email';
  /** The id of the account. Without `account` and `member`, the login is the caller. */
  readonly account?: string;
  /** The id of the member, if the login is a member (M9). */
  readonly member?: string;
  /** The token that was sent. */
  readonly token: string;
}

/** Accepts a member's invitation with the token that was sent by e-mail (M8). */
export interface AcceptInvitation {
  /** The name of the command. */
  readonly do: 'accept_invitation';
  /** The id of the member. */
  readonly member: string;
  /** The token that was sent. */
  readonly token: string;
}

/**
 * Records money that an owner paid for a month, on behalf of the platform's staff. In a
 * settled month each full price enables one client (B4, B5, B13).
 */
export interface RecordPayment {
  /** The name of the command. */
  readonly do: 'record_payment';
  /** The id of the owner. */
  readonly account: string;
  /** The month that is paid, `YYYY-MM`. Default: the oldest month that is not paid (B9). */
  readonly period?: string;
  /** The amount in cents, at least 1. */
  readonly cents: number | bigint;
}

/**
 * Reverses a payment, on behalf of the platform's staff. In a settled month the clients
 * that it had enabled are disabled again (B13).
 */
export interface ReversePayment {
  /** The name of the command. */
  readonly do: 'reverse_payment';
  /** The id of the owner. */
  readonly account: string;
  /** The number of the payment. */
  readonly payment: number | bigint;
}

/**
 * Closes a month that is over, on behalf of the platform's staff. Its numbers and its draw
 * are then fixed, and nobody is disabled yet (B8, B13).
 */
export interface CloseMonth {
  /** The name of the command. */
  readonly do: 'close_month';
  /** The id of the owner. */
  readonly account: string;
  /** The month that is closed, `YYYY-MM`. */
  readonly period: string;
}

/**
 * Closes a month that is over and enforces its draw, on behalf of the platform's staff (B3,
 * B4, B13).
 */
export interface SettleOverage {
  /** The name of the command. */
  readonly do: 'settle_overage';
  /** The id of the owner. */
  readonly account: string;
  /** The month that is settled, `YYYY-MM`. */
  readonly period: string;
  /** The clients to disable first, if the catalog leaves the order to the owner (B6). */
  readonly choice?: readonly string[];
}

/** Adds to the limit of a meter, on behalf of the platform's staff (B14). */
export interface TopUp {
  /** The name of the command. */
  readonly do: 'top_up';
  /** The id of the account. */
  readonly account: string;
  /** The meter. */
  readonly meter: string;
  /** The amount by which the limit rises. */
  readonly amount: number | bigint;
  /**
   * The key by which the top-up can be revoked, such as the id of the charge. A second top-up
   * with this key counts once (B14).
   */
  readonly key?: string;
}

/** Revokes a top-up by its key, on behalf of the platform's staff. The usage stays (B14). */
export interface RevokeTopUp {
  /** The name of the command. */
  readonly do: 'revoke_top_up';
  /** The id of the account. */
  readonly account: string;
  /** The key of the top-up. */
  readonly key: string;
}

/** Ends all sessions of a login (I7). */
export interface SignOut {
  /** The name of the command. */
  readonly do: 'sign_out';
  /**
   * The id of the account. Without `account`, `member` and `operator`, the login is the
   * caller.
   */
  readonly account?: string;
  /** The id of the member, if the login is a member. */
  readonly member?: string;
  /** The id of the operator, if the login is one of the staff. */
  readonly operator?: string;
}

/** Creates a service account, a login for programs. The answer has its key, once (I7). */
export interface CreateServiceAccount {
  /** The name of the command. */
  readonly do: 'create_service_account';
  /** The id, unique among the members of all accounts. */
  readonly id: string;
  /** The name of the program, for people. */
  readonly name?: string;
  /** The account of the service account. Default: the caller's account. */
  readonly account?: string;
  /** The features that the service account may use (M3). */
  readonly grants?: readonly string[];
  /** The service account's part of the account's limits, by meter (M7). */
  readonly sub_limits?: { readonly [meter: string]: Limit };
  /** How long the key is valid, in milliseconds. Default: until it is replaced. */
  readonly valid_for?: number | bigint;
  /** The hosts at which the key is valid. Default: wherever the account's logins come in. */
  readonly hosts?: readonly string[];
  /** The host's attributes, as the schema's `MemberAttributes` declares them. */
  readonly attributes?: { readonly [name: string]: unknown };
  /**
   * Whether the service account with this id has come back. It then continues with its counts
   * and history (I5).
   */
  readonly resumed?: boolean;
}

/** Edits the name, expiry and hosts of a service account. Absent entries stay (I7). */
export interface EditServiceAccount {
  /** The name of the command. */
  readonly do: 'edit_service_account';
  /** The id of the service account. */
  readonly member: string;
  /** The name of the program, for people. */
  readonly name?: string;
  /** How long the key is valid from now on, in milliseconds. */
  readonly valid_for?: number | bigint;
  /**
   * All hosts at which the key is valid. An empty list: wherever the account's logins come
   * in.
   */
  readonly hosts?: readonly string[];
}

/** Replaces the key of a service account. The answer has the new key, once (I7). */
export interface RotateKey {
  /** The name of the command. */
  readonly do: 'rotate_key';
  /** The id of the service account. */
  readonly member: string;
  /** How long the new key is valid, in milliseconds. Default: the expiry stays as it is. */
  readonly valid_for?: number | bigint;
}

/** Removes a service account (I7). */
export interface RemoveServiceAccount {
  /** The name of the command. */
  readonly do: 'remove_service_account';
  /** The id of the service account. */
  readonly member: string;
}

/** A change of the directory that a login asks for. */
export type Command =
  | CreateAccount
  | ChangePackage
  | EditAccount
  | CreateClient
  | EditClient
  | AttachLevel
  | Disable
  | Restore
  | Close
  | ReopenAccount
  | EraseAccount
  | OfferTransfer
  | ConsentTransfer
  | AcceptTransfer
  | CancelTransfer
  | InviteMember
  | GrantMember
  | EditMember
  | RemoveMember
  | EraseMember
  | ResendInvitation
  | CreateLevel
  | EditLevel
  | DeleteLevel
  | AddDomain
  | VerifyDomain
  | RemoveDomain
  | QuarantineDomain
  | RecheckDomain
  | ReleaseDomain
  | ChangeEmail
  | ResendConfirmation
  | ConfirmEmail
  | AcceptInvitation
  | RecordPayment
  | ReversePayment
  | CloseMonth
  | SettleOverage
  | TopUp
  | RevokeTopUp
  | SignOut
  | CreateServiceAccount
  | EditServiceAccount
  | RotateKey
  | RemoveServiceAccount;
