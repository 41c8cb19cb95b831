// Commands: what `perform` is asked to do; types of `index.d.ts` without a value of their own.

import type { Limit } from './quota.js';

/** Why an account is disabled; reasons add up (C7). */
export type DisableReason = 'overage' | 'by_owner' | 'unpaid' | 'abuse';

interface AccountFields {
  readonly limits?: { readonly [meter: string]: Limit };
  /** The IANA name of the time zone of its windows. */
  readonly zone?: string;
  /** The day from which its months are counted: `2026-01-31`. */
  readonly anchor?: string;
  readonly attributes?: { readonly [name: string]: unknown };
}

/** A main account, by the platform's staff; its e-mail is unconfirmed (C4). */
export interface CreateAccount extends AccountFields {
  readonly do: 'create_account';
  readonly id: string;
  readonly email: string;
  readonly package: string;
  /** Whether the account that had this id has come back: it goes on with its counts and history (I5). */
  readonly resumed?: boolean;
}

/** Another package. `confirmed`: that clients who cannot log in without the whitelabel right are known of (B7, D8). */
export interface ChangePackage {
  readonly do: 'change_package';
  readonly account: string;
  readonly package: string;
  readonly confirmed?: boolean;
}

/** A main account's own limits, time zone and attributes; what is not named stays (Q10, Q11). */
export interface EditAccount extends AccountFields {
  readonly do: 'edit_account';
  readonly account: string;
  readonly remove_limits?: readonly string[];
  readonly remove_attributes?: readonly string[];
}

/** A client account: of whoever asks, unless `owner` says; its level is the package's, unless `level` says (C3, L7). */
export interface CreateClient extends AccountFields {
  readonly do: 'create_client';
  readonly id: string;
  readonly email: string;
  readonly owner?: string;
  readonly level?: string;
  /** Whether the owner's client that had this id has come back: it goes on with its counts and history (I5). */
  readonly resumed?: boolean;
}

/** A client's limits, time zone and attributes; what is not named stays (L6). */
export interface EditClient extends AccountFields {
  readonly do: 'edit_client';
  readonly account: string;
  readonly remove_limits?: readonly string[];
  readonly remove_attributes?: readonly string[];
}

/** Another access level for a client (L1, L3). */
export interface AttachLevel {
  readonly do: 'attach_level';
  readonly account: string;
  readonly level: string;
}

/** One more reason for which an account is disabled (C7), or one less. */
export interface Disable {
  readonly do: 'disable' | 'restore';
  readonly account: string;
  readonly reason: DisableReason;
}

/** The end of an account; its data stays. */
export interface Close {
  readonly do: 'close';
  readonly account: string;
}

/** A client, offered to another owner; `valid_for` in milliseconds, seven days if it is not said. */
export interface OfferTransfer {
  readonly do: 'offer_transfer';
  readonly account: string;
  readonly to: string;
  readonly valid_for?: number | bigint;
}

/** The client's consent to the offer that it was shown. */
export interface ConsentTransfer {
  readonly do: 'consent_transfer';
  readonly account: string;
  readonly to: string;
}

/** The client, taken by the other owner, who says its level and limits. Counters and history stay. */
export interface AcceptTransfer {
  readonly do: 'accept_transfer';
  readonly account: string;
  readonly level: string;
  readonly limits?: { readonly [meter: string]: Limit };
}

/** The end of an offer: by its owner, by the client, or by the other owner. */
export interface CancelTransfer {
  readonly do: 'cancel_transfer';
  readonly account: string;
}

interface Parts {
  readonly sub_limits?: { readonly [meter: string]: Limit };
  readonly attributes?: { readonly [name: string]: unknown };
}

/** A member of an account (of whoever asks, unless `account` says), who holds a seat from now on (M8). */
export interface InviteMember extends Parts {
  readonly do: 'invite_member';
  readonly id: string;
  readonly email: string;
  readonly account?: string;
  readonly grants?: readonly string[];
  /** How long the invitation stands, in milliseconds; seven days, if it is not said. */
  readonly valid_for?: number | bigint;
  /** Whether the account's member that had this id has come back (I5). */
  readonly resumed?: boolean;
}

/** All features that a member may use from now on (M3, M5). */
export interface GrantMember {
  readonly do: 'grant_member';
  readonly member: string;
  readonly grants: readonly string[];
}

/** A member's part of the limits, and its attributes; what is not named stays (M7). */
export interface EditMember extends Parts {
  readonly do: 'edit_member';
  readonly member: string;
  readonly remove_sub_limits?: readonly string[];
  readonly remove_attributes?: readonly string[];
}

/** The end of a membership. */
export interface RemoveMember {
  readonly do: 'remove_member';
  readonly member: string;
}

/** An access level of an owner: of whoever asks, unless `owner` says (L2). */
export interface CreateLevel {
  readonly do: 'create_level';
  readonly id: string;
  readonly owner?: string;
  readonly features: readonly string[];
  readonly limits?: { readonly [meter: string]: Limit };
}

/** All features of a level, and its limits; what is not named stays (L5). */
export interface EditLevel {
  readonly do: 'edit_level';
  readonly level: string;
  readonly features?: readonly string[];
  readonly limits?: { readonly [meter: string]: Limit };
  readonly remove_limits?: readonly string[];
}

/** The end of a level; `replacement` is what its clients have instead (L3). */
export interface DeleteLevel {
  readonly do: 'delete_level';
  readonly level: string;
  readonly replacement?: string;
}

/** A whitelabel domain, pending: of whoever asks, unless `owner` says (D4). */
export interface AddDomain {
  readonly do: 'add_domain';
  readonly domain: string;
  readonly owner?: string;
}

/** The TXT records that the host found in the DNS of a domain: its `domainProof` must be among them (D4). */
export interface VerifyDomain {
  readonly do: 'verify_domain';
  readonly domain: string;
  readonly txt: readonly string[];
}

/** Gives a domain up; `confirmed` if clients may be left without one (D4, D8). */
export interface RemoveDomain {
  readonly do: 'remove_domain';
  readonly domain: string;
  readonly confirmed?: boolean;
}

/** Takes a domain out of use, as the platform's staff does (D4, D8). */
export interface QuarantineDomain {
  readonly do: 'quarantine_domain';
  readonly domain: string;
  readonly confirmed?: boolean;
}

/** The end of a domain's quarantine: anybody can add the name (D4). */
export interface ReleaseDomain {
  readonly do: 'release_domain';
  readonly domain: string;
}

/** Another e-mail: the old one works on until the new one is confirmed. `valid_for` is in milliseconds (I4). */
export interface ChangeEmail {
  readonly do: 'change_email';
  readonly account: string;
  readonly email: string;
  readonly valid_for?: number | bigint;
}

/** Another token for what waits to be confirmed; the one before is good no more (I4). */
export interface ResendConfirmation {
  readonly do: 'resend_confirmation';
  readonly account: string;
  readonly valid_for?: number | bigint;
}

/** The token that was sent to an account's e-mail (C4, I4). */
export interface ConfirmEmail {
  readonly do: 'confirm_email';
  readonly account: string;
  readonly token: string;
}

/** The token that was sent to an invited member (M8). */
export interface AcceptInvitation {
  readonly do: 'accept_invitation';
  readonly member: string;
  readonly token: string;
}

/** A change of the directory that somebody asks for. */
export type Command =
  | CreateAccount | ChangePackage | EditAccount | CreateClient | EditClient | AttachLevel | Disable | Close
  | OfferTransfer | ConsentTransfer | AcceptTransfer | CancelTransfer
  | InviteMember | GrantMember | EditMember | RemoveMember
  | CreateLevel | EditLevel | DeleteLevel
  | AddDomain | VerifyDomain | RemoveDomain | QuarantineDomain | ReleaseDomain
  | ChangeEmail | ResendConfirmation | ConfirmEmail | AcceptInvitation;
