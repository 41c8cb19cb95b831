// The verbs that count and that change the directory: types of `index.d.ts` without a value of their own.

import type { Does, Item, Reserving, Resource, Taking, Who } from './index.js';
import type { Payment, Statement } from './billing.js';
import type { Command } from './commands.js';
import type { Amount, Amounts, Count, Counted, HistoryEntry, Quota, Verification } from './quota.js';
import type { Decision } from './index.js';

/** What became of a command. */
export interface Performed {
  readonly decision: Decision;
  /** What is to be sent to the e-mail that waits to be confirmed: told once, kept as a hash (I4). */
  readonly token: string | null;
}

export interface Abortable {
  /**
   * Gives the call up: at once if it is aborted already, or as long as the call waits for a thread; then nothing was done, and
   * the promise is rejected with the signal's reason. What has begun is answered: retry what you cannot wait for by its key.
   */
  readonly signal?: AbortSignal | null;
}

/**
 * What may wait for a file. Each verb has two forms: the plain one answers at once, and is for a store in memory (on one in a
 * file it throws `store.sync`); the one whose name ends in `Async` works off the event loop, on any store, and rejects with what
 * the plain one throws.
 */
export interface Verbs {
  /**
   * Asks, and if it is allowed takes `amount` (1, if it is not said): one step, between whose parts nothing comes. What is denied takes
   * nothing (Q13): `quota_exceeded`, `member_quota_exceeded` are codes of a decision, not errors. An action that frees gives back.
   *
   * Throws `input.amount` for what is no amount, `quota.not_metered` for an action without a meter, `quota.unknown_meter`,
   * `quota.below_zero`, `input.key`, `quota.idempotency_mismatch`, `quota.key_pruned`, `store.clock_jump`: then nothing was taken.
   */
  consume(principal: Who, action: Does, resource: Resource, amount?: Amounts, options?: Taking): Decision;
  /** On a store in memory it is done when the promise is given: there is nothing to wait for. */
  consumeAsync(principal: Who, action: Does, resource: Resource, amount?: Amounts, options?: Taking & Abortable): Promise<Decision>;
  /**
   * The same, but holds it for `ttl` milliseconds (from 1 to 366 days, else `input.ttl`): until then `commit` or `release`
   * its `operation` (Q8).
   */
  reserve(principal: Who, action: Does, resource: Resource, amount: Amounts, ttl: number | bigint, options?: Reserving): Decision;
  reserveAsync(principal: Who, action: Does, resource: Resource, amount: Amounts, ttl: number | bigint, options?: Reserving & Abortable): Promise<Decision>;
  /**
   * Makes `amount` the count of the action's stocks: more only as far as the policies allow it, less always. Throws as `consume`, and
   * `quota.not_a_stock`.
   */
  set(principal: Who, action: Does, resource: Resource, amount: Amounts, options?: Reserving): Decision;
  setAsync(principal: Who, action: Does, resource: Resource, amount: Amounts, options?: Reserving & Abortable): Promise<Decision>;
  /** Adds to the action's stocks, as far as the policies allow it: `consume`, which refuses what is no stock. Throws as `set`. */
  add(principal: Who, action: Does, resource: Resource, amount: Amounts, options?: Reserving): Decision;
  addAsync(principal: Who, action: Does, resource: Resource, amount: Amounts, options?: Reserving & Abortable): Promise<Decision>;
  /**
   * Takes from the action's stocks what is there no more; the policies are asked of no amount. Throws as `set`, and
   * `quota.below_zero`.
   */
  sub(principal: Who, action: Does, resource: Resource, amount: Amounts, options?: Reserving): Decision;
  subAsync(principal: Who, action: Does, resource: Resource, amount: Amounts, options?: Reserving & Abortable): Promise<Decision>;
  /**
   * Asks whether `principal` may, and if so obeys the command: permission, debit and change of the directory are one transaction.
   * A retry with the same `key` changes nothing again. Throws the `directory.*` code of what the change would break,
   * `input.command`, `input.command_unasked`.
   */
  perform(principal: Who, command: Command, options?: Reserving): Performed;
  performAsync(principal: Who, command: Command, options?: Reserving & Abortable): Promise<Performed>;
  /** What an owner owes for one of his months, `YYYY-MM` (B2, B4). Throws `billing.period`, `billing.client`. */
  statement(owner: string, period: string): Statement;
  statementAsync(owner: string, period: string, options?: Abortable): Promise<Statement>;
  /** The statement of the month that runs: what will be owed if nothing changes, and who is at risk (B6). */
  preview(owner: string): Statement;
  previewAsync(owner: string, options?: Abortable): Promise<Statement>;
  /** Records cents received for a month; in a settled one each full price enables one client (B4, B5). */
  recordPayment(owner: string, period: string, cents: Amount, options?: { readonly key?: string | null }): Payment;
  recordPaymentAsync(owner: string, period: string, cents: Amount, options?: { readonly key?: string | null } & Abortable): Promise<Payment>;
  /** Takes a payment back, whole. Throws `billing.unknown_payment`, `billing.payment_reversed`. */
  reversePayment(payment: Count, options?: { readonly key?: string | null }): Payment;
  reversePaymentAsync(payment: Count, options?: { readonly key?: string | null } & Abortable): Promise<Payment>;
  /**
   * Closes a month that is over, and puts its draw in force: once (B3, B4, B5). `choice`: who is to be first, where the catalog
   * leaves that to the owner. Throws `billing.period_open`, `billing.choice`.
   */
  settle(owner: string, period: string, options?: { readonly choice?: readonly string[] | null }): Statement;
  settleAsync(owner: string, period: string, options?: { readonly choice?: readonly string[] | null } & Abortable): Promise<Statement>;
  /**
   * Takes all of a list, or nothing: the decisions, in their order. If one of them refuses, none has an `operation`. Throws
   * `input.item` with the index of the first that is malformed.
   */
  batch(items: readonly Item[]): Decision[];
  batchAsync(items: readonly Item[], options?: Abortable): Promise<Decision[]>;
  /**
   * Takes what a reservation holds, or `amount` of each of its meters, and gives back the rest. A second call says what the first
   * did. Throws `quota.hold_expired`, `quota.hold_settled`, `quota.commit_too_much`, `quota.not_a_reservation`,
   * `quota.unknown_operation`.
   */
  commit(operation: Count, options?: { readonly amount?: Amount; readonly key?: string | null }): Counted;
  commitAsync(operation: Count, options?: { readonly amount?: Amount; readonly key?: string | null } & Abortable): Promise<Counted>;
  /** Gives back what a reservation holds. Throws as `commit`. */
  release(operation: Count, options?: { readonly key?: string | null }): Counted;
  releaseAsync(operation: Count, options?: { readonly key?: string | null } & Abortable): Promise<Counted>;
  /**
   * Gives back `amount` of each meter that a `consume` or `commit` took, in the window that it took it from; all that is left of it,
   * if it is not said. Throws `quota.refund_too_much`, `quota.not_refundable`, `quota.unknown_operation`.
   */
  refund(operation: Count, options?: { readonly amount?: Amount; readonly key?: string | null }): Counted;
  refundAsync(operation: Count, options?: { readonly amount?: Amount; readonly key?: string | null } & Abortable): Promise<Counted>;
  /**
   * Adds to the limit of an account's meter for its present window; of a stock, for good. Throws `directory.unknown_account`,
   * `quota.unknown_meter`.
   */
  topUp(account: string, meter: string, amount: Amount, options?: { readonly key?: string | null }): Counted;
  topUpAsync(account: string, meter: string, amount: Amount, options?: { readonly key?: string | null } & Abortable): Promise<Counted>;
  /** Counts what an account, or a member of it, used in this window before Sublet counted. No limit is asked. Throws as `topUp`. */
  carryOver(account: string, meter: string, amount: Amount, options?: { readonly member?: string | null; readonly key?: string | null }): Counted;
  carryOverAsync(account: string, meter: string, amount: Amount, options?: { readonly member?: string | null; readonly key?: string | null } & Abortable): Promise<Counted>;
  /**
   * How an account stands: every meter, or one; with the member's own part, if one is named (Q11). Throws `directory.unknown_account`,
   * `directory.unknown_record` for a member that is not of it, `quota.unknown_meter`.
   */
  usage(account: string, options?: { readonly member?: string | null; readonly meter?: string | null }): readonly Quota[];
  usageAsync(account: string, options?: { readonly member?: string | null; readonly meter?: string | null } & Abortable): Promise<readonly Quota[]>;
  /** What was done to an account's counts, the newest first: at most `limit` (100), older than the operation `before`. */
  history(account: string, options?: { readonly before?: Count | null; readonly limit?: number | bigint | null }): HistoryEntry[];
  historyAsync(account: string, options?: { readonly before?: Count | null; readonly limit?: number | bigint | null } & Abortable): Promise<HistoryEntry[]>;
  /** Compares every count with the sum of its operations. */
  verify(): Verification;
  verifyAsync(options?: Abortable): Promise<Verification>;
  /** Takes the clock's word for it after `store.clock_jump`: so much time has passed. */
  acceptClock(): void;
  acceptClockAsync(options?: Abortable): Promise<void>;
  /** Makes all changes in one transaction, or none; gives the new revision. */
  change(changes: { readonly put?: readonly object[]; readonly remove?: readonly Who[]; readonly expectedRevision?: bigint | number | null; readonly resumed?: boolean | null }): bigint;
  changeAsync(changes: { readonly put?: readonly object[]; readonly remove?: readonly Who[]; readonly expectedRevision?: bigint | number | null; readonly resumed?: boolean | null }, options?: Abortable): Promise<bigint>;
  /** Replaces the directory by JSON lines. */
  importLines(lines: string): bigint;
  importLinesAsync(lines: string, options?: Abortable): Promise<bigint>;
}
