// What is counted: types of `index.d.ts` without a value of their own.

/**
 * An integer of an answer: a number as long as that is exact, and the text of its digits beyond 2^53. No answer holds a BigInt, so
 * `JSON.stringify` takes each of them, whole or in part. `BigInt(count)` is exact in both cases.
 */
export type Count = number | string;
/** An integer that an answer gave (an operation, a payment, a revision), given back as it came, or as a BigInt. */
export type CountInput = Count | bigint;
/** The most that may be used; `unlimited` is its own value, and 0 means none (Q3). */
export type Limit = Count | 'unlimited';
/** An integer from 0 to 2^63 - 1; anything else is `input.amount`, and nothing is taken (Q2). */
export type Amount = number | bigint;

/** One meter of an account, as it stands after the answer (Q11). */
export interface Quota {
  readonly meter: string;
  /** How much was asked for; what was granted, where that was less (`upTo`). */
  readonly amount: Count;
  /** Used in this window. */
  readonly used: Count;
  /** Reserved, and neither committed nor released yet. */
  readonly held: Count;
  /** The limit in force, what was topped up included. */
  readonly limit: Limit;
  /**
   * What states it: the account's package (a client's: what the owner's package gives its clients), its access level, the
   * account itself, or nothing: then it is 0.
   */
  readonly source: 'package' | 'level' | 'override' | 'none';
  /** The limit from the package or the access level. */
  readonly base: Limit | null;
  /** The limit set on the account itself. */
  readonly override: Limit | null;
  /** What was added to the limit for this window. */
  readonly topUp: Count;
  /** What is left; 0 where more is used than the limit allows. */
  readonly remaining: Limit;
  /** When the next window begins, as RFC 3339; null for what never ends. */
  readonly resetsAt: string | null;
  /** The member's own part, where a member asked (M7). */
  readonly member: MemberQuota | null;
}

export interface MemberQuota {
  readonly id: string;
  readonly used: Count;
  readonly held: Count;
  /** The member's sub-limit. */
  readonly limit: Limit;
  readonly remaining: Limit;
}

/** What was counted, without a decision. */
export interface Counted {
  readonly quota: readonly Quota[];
  readonly operation: Count | null;
  readonly replayed: boolean;
  readonly expiresAt: string | null;
}

/** One amount of each of the action's meters, or amounts by meter: of one that is not named nothing is taken. */
export type Amounts = Amount | { readonly [meter: string]: Amount };

/** One operation of an account. */
export interface HistoryEntry {
  readonly operation: Count;
  readonly kind: 'consume' | 'free' | 'set' | 'reserve' | 'commit' | 'release' | 'refund' | 'top_up' | 'carry_over' | 'command' | 'payment' | 'reversal' | 'revoke_top_up';
  /** When, as RFC 3339. */
  readonly at: string;
  /** The account whose it is: where somebody acted, the one that was acted as (A1). */
  readonly account: string;
  /** The member who did it, if one did. */
  readonly member: string | null;
  /** Who acted as the account, if somebody did. */
  readonly actor: string | null;
  readonly key: string | null;
  /** The operation that it settled or gave back. */
  readonly of: Count | null;
  /** A reservation's state. */
  readonly reservation: 'open' | 'expired' | 'committed' | 'released' | null;
  readonly parts: readonly HistoryPart[];
}

/** By how much an operation changed one count. */
export interface HistoryPart {
  readonly meter: string;
  /** The member whose own count it is; null for the account's. */
  readonly member: string | null;
  /** Negative where it fell. */
  readonly used: Count;
  readonly held: Count;
  readonly topUp: Count;
  /** How much of it was given back since. */
  readonly refunded: Count;
}

export interface Verification {
  /** How many counts were compared. */
  readonly buckets: Count;
  /** With how many operations. */
  readonly operations: Count;
  /** What does not agree; empty when all is well. */
  readonly faults: readonly string[];
}
