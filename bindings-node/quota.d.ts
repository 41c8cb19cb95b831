// Quotas, operations and their results. `index.d.ts` exports these types.

/**
 * An integer of an answer: a number if that is exact, and the text of its digits beyond
 * 2^53. No answer holds a BigInt, so that `JSON.stringify` takes all of them.
 * `BigInt(count)` is exact in both cases.
 */
export type Count = number | string;
/** An integer of an answer (an operation, a payment, a revision) as it came, or as a BigInt. */
export type CountInput = Count | bigint;
/** A limit: a number, or `unlimited`. 0 allows nothing (Q3). */
export type Limit = Count | 'unlimited';
/** An integer from 0 to 2^63 - 1. Other values fail with `input.amount` (Q2). */
export type Amount = number | bigint;

/** A meter of an account after the call (Q11). */
export interface Quota {
  /** The name of the meter. */
  readonly meter: string;
  /** The amount that was asked for, or that was granted if that was less. */
  readonly amount: Count;
  /** The usage in the current window. */
  readonly used: Count;
  /** The part that open reservations hold. */
  readonly held: Count;
  /** The limit in force, with top-ups. */
  readonly limit: Limit;
  /** The source of the limit. With `none` the limit is 0. */
  readonly source: 'package' | 'level' | 'override' | 'none';
  /** The limit of the package or of the access level. */
  readonly base: Limit | null;
  /** The limit that is set on the account itself. */
  readonly override: Limit | null;
  /** The amount that top-ups add in this window. */
  readonly topUp: Count;
  /** The part of the limit that is left; 0 if more is used than allowed. */
  readonly remaining: Limit;
  /** The instant at which the next window begins, RFC 3339; `null` for a stock. */
  readonly resetsAt: string | null;
  /** The part of the member, if a member made the request (M7). */
  readonly member: MemberQuota | null;
}

/** The part of a member in a meter (M7). */
export interface MemberQuota {
  /** The id of the member. */
  readonly id: string;
  /** The usage of the member in the current window. */
  readonly used: Count;
  /** The part that open reservations of the member hold. */
  readonly held: Count;
  /** The sub-limit of the member. */
  readonly limit: Limit;
  /** The part of the sub-limit that is left. */
  readonly remaining: Limit;
}

/** The receipt of a method that checks no policy. */
export interface CountReceipt {
  /** Each changed meter after the call. */
  readonly quota: readonly Quota[];
  /** The recorded operation, or `null`. */
  readonly operation: Count | null;
  /** Whether it is the receipt of an earlier call with the same key (Q7). */
  readonly replayed: boolean;
  /** The instant at which the reservation expires, RFC 3339, or `null`. */
  readonly expiresAt: string | null;
}

/** An amount of each meter of the action, or amounts by meter. */
export type Amounts = Amount | { readonly [meter: string]: Amount };

/** The kind of an operation. */
export type HistoryKind =
  | 'consume'
  | 'free'
  | 'set'
  | 'reserve'
  | 'commit'
  | 'release'
  | 'refund'
  | 'top_up'
  | 'carry_over'
  | 'command'
  | 'payment'
  | 'reversal'
  | 'revoke_top_up';

/** An operation on the counts of an account. */
export interface HistoryEntry {
  /** The id of the operation. */
  readonly operation: Count;
  /** The kind of the operation. */
  readonly kind: HistoryKind;
  /** The instant of the operation, RFC 3339. */
  readonly at: string;
  /**
   * The account of the operation; if an actor acted, the account that the actor acted as
   * (A1).
   */
  readonly account: string;
  /** The member who made the call, if a member did. */
  readonly member: string | null;
  /** The login that acted as the account, if one did. */
  readonly actor: string | null;
  /** The idempotency key of the call. */
  readonly idempotencyKey: string | null;
  /** The operation that this one commits, releases, refunds, revokes or reverses. */
  readonly parent: Count | null;
  /** The state of a reservation. */
  readonly reservation: 'open' | 'expired' | 'committed' | 'released' | null;
  /** The change of each count. */
  readonly parts: readonly HistoryPart[];
}

/** The change of one count by an operation. */
export interface HistoryPart {
  /** The name of the meter. */
  readonly meter: string;
  /** The member whose own count it is; `null` for the count of the account. */
  readonly member: string | null;
  /** The change of the usage; negative if it fell. */
  readonly used: Count;
  /** The change of the held part. */
  readonly held: Count;
  /** The change of the top-ups. */
  readonly topUp: Count;
  /** The amount that was given back since. */
  readonly refunded: Count;
}

/** The result of `verify`. */
export interface Verification {
  /** The number of compared counts. */
  readonly buckets: Count;
  /** The number of operations. */
  readonly operations: Count;
  /** The differences; empty if all agree. */
  readonly faults: readonly string[];
}
