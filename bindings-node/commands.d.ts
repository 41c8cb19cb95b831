// The commands of `perform`. `index.d.ts` exports these types.

import type { Limit } from './quota.js';

/** A reason why an account is disabled; reasons add up (C7). */
export type DisableReason = 'overage' | 'by_owner' | 'unpaid' | 'abuse';

/** Fields of the commands that create or edit accounts. */
interface AccountFields {
  /** Limits by meter. */
  readonly limits?: { readonly [meter: string]: Limit };
  /** The IANA name of the time zone of its windows. */
  readonly zone?: string;
  /** The day from which its months are counted: `2026-01-31`. */
  readonly anchor?: string;
  /** The host's attributes. */
  readonly attributes?: { readonly [name: string]: unknown };
}

/**
 * Creates a main account, on behalf of the platform's staff. The e-mail is unconfirmed
 * (C4).
 */
export interface CreateAccount extends AccountFields {
  /** The name of the command. */
  readonly do: 'create_account';
  /** The id; unique among the records of its type. */
  readonly id: string;
  /** The e-mail of the login. */
  readonly email: string;
  /** The package of the account. */
  readonly package: string;
  /** Whether the account that had this id has come back, with its counts and history (I5). */
  readonly resumed?: boolean;
}

/** Gives a main account another package (B7, D8). */
export interface ChangePackage {
  /** The name of the command. */
  readonly do: 'change_package';
  /** The id of the account. */
  readonly account: string;
  /** The new package. */
  readonly package: string;
  /** Whether it is known that clients cannot log in without the whitelabel right. */
  readonly confirmed?: boolean;
}

/**
 * Changes limits, time zone and attributes of a main account. Unnamed entries stay (Q10,
 * Q11).
 */
export interface EditAccount extends AccountFields {
  /** The name of the command. */
  readonly do: 'edit_account';
  /** The id of the account. */
  readonly account: string;
  /** The meters whose limits are removed. */
  readonly remove_limits?: readonly string[];
  /** The names of the attributes that are removed. */
  readonly remove_attributes?: readonly string[];
}

/** Creates a client account (C3, L7). */
export interface CreateClient extends AccountFields {
  /** The name of the command. */
  readonly do: 'create_client';
  /** The id; unique among the records of its type. */
  readonly id: string;
  /** The e-mail of the login. */
  readonly email: string;
  /** The owner. The default is the caller's account. */
  readonly owner?: string;
  /** The access level. The default is that of the owner's package. */
  readonly level?: string;
  /**
   * Whether the owner's client that had this id has come back, with its counts and history
   * (I5).
   */
  readonly resumed?: boolean;
}

/** Changes limits, time zone and attributes of a client. Unnamed entries stay (L6). */
export interface EditClient extends AccountFields {
  /** The name of the command. */
  readonly do: 'edit_client';
  /** The id of the account. */
  readonly account: string;
  /** The meters whose limits are removed. */
  readonly remove_limits?: readonly string[];
  /** The names of the attributes that are removed. */
  readonly remove_attributes?: readonly string[];
}

/** Gives a client another access level (L1, L3). */
export interface AttachLevel {
  /** The name of the command. */
  readonly do: 'attach_level';
  /** The id of the account. */
  readonly account: string;
  /** The new access level. */
  readonly level: string;
}

/** Disables an account for one more reason, or removes a reason (C7). */
export interface Disable {
  /** The name of the command. */
  readonly do: 'disable' | 'restore';
  /** The id of the account. */
  readonly account: string;
  /** The reason. */
  readonly reason: DisableReason;
}

/** Closes an account. Its data stays. */
export interface Close {
  /** The name of the command. */
  readonly do: 'close';
  /** The id of the account. */
  readonly account: string;
}

/** Offers a client to another owner. */
export interface OfferTransfer {
  /** The name of the command. */
  readonly do: 'offer_transfer';
  /** The id of the account. */
  readonly account: string;
  /** The id of the other owner. */
  readonly to: string;
  /** The duration of the offer in milliseconds. The default is seven days. */
  readonly valid_for?: number | bigint;
}

/** Records the consent of a client to an offer. */
export interface ConsentTransfer {
  /** The name of the command. */
  readonly do: 'consent_transfer';
  /** The id of the account. */
  readonly account: string;
  /** The id of the other owner, as the client saw it. */
  readonly to: string;
}

/** Accepts an offered client. Counters and history stay. */
export interface AcceptTransfer {
  /** The name of the command. */
  readonly do: 'accept_transfer';
  /** The id of the account. */
  readonly account: string;
  /** The new access level. */
  readonly level: string;
  /** The new limits of the client, by meter. */
  readonly limits?: { readonly [meter: string]: Limit };
}

/** Cancels an offer: by the owner, by the client, or by the other owner. */
export interface CancelTransfer {
  /** The name of the command. */
  readonly do: 'cancel_transfer';
  /** The id of the account. */
  readonly account: string;
}

/** Fields of the commands that invite or edit members. */
interface MemberFields {
  /** The member's part of the limits, by meter. */
  readonly sub_limits?: { readonly [meter: string]: Limit };
  /** The host's attributes. */
  readonly attributes?: { readonly [name: string]: unknown };
}

/** Invites a member, who occupies a seat from now on (M8). */
export interface InviteMember extends MemberFields {
  /** The name of the command. */
  readonly do: 'invite_member';
  /** The id; unique among the records of its type. */
  readonly id: string;
  /** The e-mail of the login. */
  readonly email: string;
  /** The account. The default is the caller's account. */
  readonly account?: string;
  /** The features that the member may use. */
  readonly grants?: readonly string[];
  /** The duration of the invitation in milliseconds. The default is seven days. */
  readonly valid_for?: number | bigint;
  /** Whether the account's member that had this id has come back (I5). */
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

/** Changes the sub-limits and attributes of a member. Unnamed entries stay (M7). */
export interface EditMember extends MemberFields {
  /** The name of the command. */
  readonly do: 'edit_member';
  /** The id of the member. */
  readonly member: string;
  /** The meters whose sub-limits are removed. */
  readonly remove_sub_limits?: readonly string[];
  /** The names of the attributes that are removed. */
  readonly remove_attributes?: readonly string[];
}

/** Ends a membership. */
export interface RemoveMember {
  /** The name of the command. */
  readonly do: 'remove_member';
  /** The id of the member. */
  readonly member: string;
}

/** Creates an access level of an owner (L2). */
export interface CreateLevel {
  /** The name of the command. */
  readonly do: 'create_level';
  /** The id; unique among the records of its type. */
  readonly id: string;
  /** The owner. The default is the caller's account. */
  readonly owner?: string;
  /** The features that the level enables. */
  readonly features: readonly string[];
  /** Limits by meter. */
  readonly limits?: { readonly [meter: string]: Limit };
}

/** Changes an access level. Unnamed limits stay (L5). */
export interface EditLevel {
  /** The name of the command. */
  readonly do: 'edit_level';
  /** The id of the access level. */
  readonly level: string;
  /** All features that the level enables from now on. */
  readonly features?: readonly string[];
  /** Limits by meter. */
  readonly limits?: { readonly [meter: string]: Limit };
  /** The meters whose limits are removed. */
  readonly remove_limits?: readonly string[];
}

/** Deletes an access level (L3). */
export interface DeleteLevel {
  /** The name of the command. */
  readonly do: 'delete_level';
  /** The id of the access level. */
  readonly level: string;
  /** The level that its clients have instead. */
  readonly replacement?: string;
}

/** Adds a whitelabel domain, which is pending until it is verified (D4). */
export interface AddDomain {
  /** The name of the command. */
  readonly do: 'add_domain';
  /** The name of the domain. */
  readonly domain: string;
  /** The owner. The default is the caller's account. */
  readonly owner?: string;
}

/** Verifies a domain: its `domainProof` must be among the TXT records (D4). */
export interface VerifyDomain {
  /** The name of the command. */
  readonly do: 'verify_domain';
  /** The name of the domain. */
  readonly domain: string;
  /** The TXT records that the host found in the DNS of the domain. */
  readonly txt: readonly string[];
}

/** Gives a domain up (D4, D8). */
export interface RemoveDomain {
  /** The name of the command. */
  readonly do: 'remove_domain';
  /** The name of the domain. */
  readonly domain: string;
  /** Whether clients may be left without a domain. */
  readonly confirmed?: boolean;
}

/** Takes a domain out of use, on behalf of the platform's staff (D4, D8). */
export interface QuarantineDomain {
  /** The name of the command. */
  readonly do: 'quarantine_domain';
  /** The name of the domain. */
  readonly domain: string;
  /** Whether clients may be left without a domain. */
  readonly confirmed?: boolean;
}

/** Ends the quarantine of a domain, so that anybody can add the name (D4). */
export interface ReleaseDomain {
  /** The name of the command. */
  readonly do: 'release_domain';
  /** The name of the domain. */
  readonly domain: string;
}

/** Changes an e-mail. The old one works until the new one is confirmed (I4). */
export interface ChangeEmail {
  /** The name of the command. */
  readonly do: 'change_email';
  /** The id of the account. */
  readonly account: string;
  /** The new e-mail. */
  readonly email: string;
  /** The lifetime of the token in milliseconds. */
  readonly valid_for?: number | bigint;
}

/**
 * Makes another token for an e-mail that waits to be confirmed. The earlier token ends
 * (I4).
 */
export interface ResendConfirmation {
  /** The name of the command. */
  readonly do: 'resend_confirmation';
  /** The id of the account. */
  readonly account: string;
  /** The lifetime of the token in milliseconds. */
  readonly valid_for?: number | bigint;
}

/** Confirms the e-mail of an account with the token that was sent to it (C4, I4). */
export interface ConfirmEmail {
  /** The name of the command. */
  readonly do: 'confirm_email';
  /** The id of the account. */
  readonly account: string;
  /** The token. */
  readonly token: string;
}

/** Accepts the invitation of a member with the token that was sent (M8). */
export interface AcceptInvitation {
  /** The name of the command. */
  readonly do: 'accept_invitation';
  /** The id of the member. */
  readonly member: string;
  /** The token. */
  readonly token: string;
}

/** A command: a change of the directory that a login asks for. */
export type Command =
  | CreateAccount | ChangePackage | EditAccount | CreateClient | EditClient | AttachLevel | Disable | Close
  | OfferTransfer | ConsentTransfer | AcceptTransfer | CancelTransfer
  | InviteMember | GrantMember | EditMember | RemoveMember
  | CreateLevel | EditLevel | DeleteLevel
  | AddDomain | VerifyDomain | RemoveDomain | QuarantineDomain | ReleaseDomain
  | ChangeEmail | ResendConfirmation | ConfirmEmail | AcceptInvitation;
