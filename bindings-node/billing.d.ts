// The owner's bill: types of `index.d.ts` without a value of their own. Statements are the same JSON in every language.

import type { Count, Limit } from './quota.js';

/** What an owner owes for client accounts over his package's number, in one of his months (B2 to B6). */
export interface Statement {
  readonly owner: string;
  /** `YYYY-MM`: the owner's month, which begins in that month of his calendar. */
  readonly period: string;
  /** RFC 3339 in UTC, half open. */
  readonly from: string;
  readonly until: string;
  /** `open`: the month runs. `ended`: nothing has fixed it. `closed`: numbers and seed are fixed. `settled`: the draw is in force. */
  readonly status: 'open' | 'ended' | 'closed' | 'settled';
  /** Client accounts not closed at its last instant. */
  readonly clients: Count;
  readonly included: Limit;
  readonly excess: Count;
  readonly price_cents: Count;
  readonly due_cents: Count;
  readonly received_cents: Count;
  /** How many clients that pays for. */
  readonly paid: Count;
  /** How many are neither paid for nor gone: so many are disabled once it is settled. */
  readonly unpaid: Count;
  readonly order: 'random' | 'newest_first' | 'owners_choice';
  /** 32 bytes as hexadecimal digits: the key of the draw, from its closing on. */
  readonly seed?: string;
  readonly choice?: readonly string[];
  readonly created?: { readonly [client: string]: string };
  /** All its clients in the order in which they are disabled: ascending HMAC-SHA-256 of the id under the seed. */
  readonly draw: readonly string[];
  /** Those that were closed, or left the owner, since. */
  readonly gone: readonly string[];
  readonly at_risk: readonly string[];
  readonly disabled: readonly string[];
}

/** A payment, or its reversal (`cents` below 0), and the month after it. */
export interface Payment {
  readonly payment: Count;
  readonly cents: Count;
  readonly replayed: boolean;
  readonly statement: Statement;
}
