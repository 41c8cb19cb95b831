// The owner's bill. Statements have the same fields in every language. `index.d.ts` exports these
// types.

import type { Count, Limit } from './quota.js';

/**
 * A statement: what an owner owes for client accounts over the number of the package, in
 * one month of the owner (B2 to B6). `unpaid` of `clients` are disabled once it is settled:
 * the first of `draw` without those that are `departed`.
 */
export interface Statement {
  /** The id of the owner's account. */
  readonly owner: string;
  /** The owner's month `YYYY-MM`, which begins in that month of the owner's calendar. */
  readonly period: string;
  /** The first instant. RFC 3339. */
  readonly from: string;
  /** The first instant after the month. RFC 3339. */
  readonly until: string;
  /** The first instant at which the month may be settled, after the days of grace. RFC 3339. */
  readonly settle_from: string;
  /**
   * `open`: the month runs. `ended`: nothing has fixed it. `closed`: numbers and seed are
   * fixed. `settled`: the draw is enforced.
   */
  readonly status: 'open' | 'ended' | 'closed' | 'settled';
  /** The client accounts that were not closed at the last instant. */
  readonly clients: Count;
  /** The number of clients that the package includes. */
  readonly included: Limit;
  /** The number of clients over the included ones. */
  readonly excess: Count;
  /** The price of one excess client in cents. */
  readonly price_cents: Count;
  /** The excess times the price. */
  readonly due_cents: Count;
  /** The payments less the reversals. */
  readonly received_cents: Count;
  /** The cents that remain from the payments of earlier months. */
  readonly credit_cents: Count;
  /** The number of clients that the payments and the credit cover. */
  readonly paid: Count;
  /** The number of clients that are neither paid for nor departed. */
  readonly unpaid: Count;
  /** The order in which clients are disabled. */
  readonly order: 'random' | 'newest_first' | 'owners_choice';
  /** The key of the draw, 32 bytes as hexadecimal digits, once the month is closed. */
  readonly seed?: string;
  /** The clients that the owner named, if the order allows it. */
  readonly choice?: readonly string[];
  /** The creation instants by client, if the order needs them. */
  readonly created?: { readonly [client: string]: string };
  /**
   * The clients that were disabled for another reason than overage when the month was closed.
   * They come last.
   */
  readonly disabled_before?: readonly string[];
  /**
   * The rounds of clients that came after the earlier unpaid month whose draw this one
   * continues. All others are in round 0.
   */
  readonly rounds?: { readonly [client: string]: number };
  /**
   * The clients in the order in which they are disabled: working ones first, then by round,
   * then by ascending HMAC-SHA-256 of the id under the seed.
   */
  readonly draw: readonly string[];
  /** The clients that were closed or have left since. */
  readonly departed: readonly string[];
  /** The clients that will be disabled, or may be. */
  readonly at_risk: readonly string[];
  /** The clients that are disabled for this month. */
  readonly disabled: readonly string[];
}

/** A payment or its reversal, and the month after it. */
export interface Payment {
  /** The id of the payment. */
  readonly payment: Count;
  /** The cents of the payment; negative for a reversal. */
  readonly cents: Count;
  /** Whether it is the answer of an earlier call with the same key (Q7). */
  readonly replayed: boolean;
  /** The statement after it. */
  readonly statement: Statement;
}

/** A closed month of an owner. */
export interface MonthClosing {
  /** The id of the owner's account. */
  readonly owner: string;
  /** The owner's month `YYYY-MM`. */
  readonly period: string;
  /** The sum due for the month. Payments are not subtracted. */
  readonly due_cents: Count;
  /** The number of clients that are disabled if nothing more is received. */
  readonly at_risk: Count;
  /** The first instant at which the month may be settled. RFC 3339. */
  readonly settle_from: string;
}

/** The months that a call of `closeDue` closed. */
export interface ClosingProgress {
  /** The months that the call closed, by owner and month. */
  readonly closed: readonly MonthClosing[];
  /**
   * The closed months of the same owners that are neither paid nor settled, whatever closed
   * them.
   */
  readonly unsettled: readonly MonthClosing[];
  /** The owner after which the next call goes on, or null if no owner is left. */
  readonly next: string | null;
}
