// Methods about quotas, bills and changes of the directory. `index.d.ts` exports these types.

import type { Decision, ActionRef, BatchItem, ReserveOptions, Resource, ConsumeOptions, PrincipalRef } from './index.js';
import type { Payment, Statement } from './billing.js';
import type { Command } from './commands.js';
import type { Amount, Amounts, Count, CountInput, CountReceipt, HistoryEntry, Quota, Verification } from './quota.js';
import type { Changes } from './records.js';

/** The result of a command. */
export interface Performed extends Answer {
  /** The decision on the command. */
  readonly decision: Decision;
  /**
   * The token to send to the e-mail that waits to be confirmed, or `null`. It is returned
   * once, and the directory stores its hash (I4).
   */
  readonly token: string | null;
}

/**
 * An answer that allows or refuses. It is an object, and so always truthy: `if
 * (engine.authorize(...))` is always taken. Read `allowed`, or call `orThrow()`. The rule
 * `sublet/no-truthy-answer` of `sublet/eslint` finds mistakes.
 */
export interface Answer {
  /**
   * Returns the answer if it allows. Otherwise throws a `DeniedError` with its code; for a
   * `login`, with the public code.
   *
   * @example
   * import { DeniedError, Engine } from 'sublet';
   * const engine = Engine.open();
   * try {
   *   engine.authorize(['Account', 'acme'], 'campaign.read', ['Campaign', 'k', 'acme']).orThrow();
   * } catch (error) {
   *   if (error instanceof DeniedError) console.log(error.code); // principal_unknown
   *   else throw error;
   * }
   */
  orThrow(): this;
}

/** Options of a call that can be retried by a key. */
export interface KeyOptions {
  /** The idempotency key. */
  readonly idempotencyKey?: string | null;
}

/** Options of `commit` and `refund`. */
export interface AmountOptions extends KeyOptions {
  /** The amount of each meter. Without it, the whole amount. */
  readonly amount?: Amount;
}

/** Options of `carryOver`. */
export interface CarryOverOptions extends KeyOptions {
  /** The member whose own count grows too. */
  readonly member?: string | null;
}

/** Options of `usage`. */
export interface UsageOptions {
  /** The member whose part is returned too. */
  readonly member?: string | null;
  /** The only meter that is returned. */
  readonly meter?: string | null;
}

/** Options of `history`. */
export interface HistoryOptions {
  /** The operation before which the list starts. */
  readonly before?: CountInput | null;
  /** The most operations that are returned. The default is 100. */
  readonly limit?: number | bigint | null;
}

/** Options of `settleOverage`. */
export interface SettleOptions {
  /** The clients that are disabled first, if the catalog leaves that to the owner. */
  readonly choice?: readonly string[] | null;
}

/** Options of `importLines`. */
export interface ImportOptions {
  /** The revision that is replaced. Fails with `directory.revision` at any other. */
  readonly expectedRevision?: CountInput | null;
}

/** Options of an awaited call. */
export interface Abortable {
  /**
   * Cancels the call before it starts, while it waits for a thread, and while it waits for
   * the store's lock. Then nothing was done, and the promise rejects with the signal's
   * reason. A transaction that has started is completed: retry it by its `idempotencyKey`.
   */
  readonly signal?: AbortSignal | null;
}

/** The methods that may wait for a file, each with an `Async` form. */
export interface EngineMethods {
  /**
   * Checks a request and, if it is allowed, consumes `amount` in the same transaction;
   * returns the decision with the quota. Without an amount, consumes 1. An action with
   * `@frees` gives back.
   *
   * A denied request consumes nothing (Q13): `quota_exceeded` is a code of the decision, and
   * not an error. A retry with the same `idempotencyKey` returns the first granted decision,
   * marked `replayed` (Q7). With `allowPartial` the call grants what is left if the whole
   * amount does not fit (Q5).
   *
   * @throws {SubletError} With the code `input.amount`, `input.idempotency_key`,
   * `quota.not_metered`, `quota.unknown_meter`, `quota.below_zero`,
   * `quota.idempotency_mismatch`, `quota.idempotency_key_pruned` or `store.clock_jump`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const sent = engine.consume(['Account', 'acme'], 'campaign.send', ['Campaign', 'k', 'acme'], 5, { idempotencyKey: 'k' });
   * console.log(sent.code, sent.operation);
   */
  consume(principal: PrincipalRef, action: ActionRef, resource: Resource, amount?: Amounts, options?: ConsumeOptions): Decision;
  /**
   * `consume` off the event loop.
   *
   * Checks a request and, if it is allowed, consumes `amount` in the same transaction;
   * returns the decision with the quota. Without an amount, consumes 1. An action with
   * `@frees` gives back.
   *
   * A denied request consumes nothing (Q13): `quota_exceeded` is a code of the decision, and
   * not an error. A retry with the same `idempotencyKey` returns the first granted decision,
   * marked `replayed` (Q7). With `allowPartial` the call grants what is left if the whole
   * amount does not fit (Q5).
   *
   * @throws {SubletError} Rejects with the code `input.amount`, `input.idempotency_key`,
   * `quota.not_metered`, `quota.unknown_meter`, `quota.below_zero`,
   * `quota.idempotency_mismatch`, `quota.idempotency_key_pruned` or `store.clock_jump`.
   */
  consumeAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, amount?: Amounts, options?: ConsumeOptions & Abortable): Promise<Decision>;
  /**
   * Checks a request and, if it is allowed, holds `amount` for `ttl` milliseconds, at most
   * 366 days; returns the decision. Until then `commit` or `release` its `operation` (Q8).
   *
   * @throws {SubletError} With the code `input.amount`, `input.idempotency_key`, `input.ttl`,
   * `quota.not_metered`, `quota.unknown_meter`, `quota.idempotency_mismatch`,
   * `quota.idempotency_key_pruned` or `store.clock_jump`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const held = engine.reserve(['Account', 'acme'], 'campaign.send', ['Campaign', 'k', 'acme'], 200, 60_000);
   * if (held.operation !== null) engine.commit(held.operation, { amount: 150 });
   */
  reserve(principal: PrincipalRef, action: ActionRef, resource: Resource, amount: Amounts, ttl: number | bigint, options?: ReserveOptions): Decision;
  /**
   * `reserve` off the event loop.
   *
   * Checks a request and, if it is allowed, holds `amount` for `ttl` milliseconds, at most
   * 366 days; returns the decision. Until then `commit` or `release` its `operation` (Q8).
   *
   * @throws {SubletError} Rejects with the code `input.amount`, `input.idempotency_key`,
   * `input.ttl`, `quota.not_metered`, `quota.unknown_meter`, `quota.idempotency_mismatch`,
   * `quota.idempotency_key_pruned` or `store.clock_jump`.
   */
  reserveAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, amount: Amounts, ttl: number | bigint, options?: ReserveOptions & Abortable): Promise<Decision>;
  /**
   * Sets the count of the action's stocks to `amount`, and returns the decision. A higher
   * count needs the permission of the policies; a lower count is always set.
   *
   * @throws {SubletError} With the code `input.amount`, `input.idempotency_key`,
   * `quota.not_a_stock`, `quota.unknown_meter`, `quota.idempotency_mismatch` or
   * `quota.idempotency_key_pruned`.
   */
  setStock(principal: PrincipalRef, action: ActionRef, resource: Resource, amount: Amounts, options?: ReserveOptions): Decision;
  /**
   * `setStock` off the event loop.
   *
   * Sets the count of the action's stocks to `amount`, and returns the decision. A higher
   * count needs the permission of the policies; a lower count is always set.
   *
   * @throws {SubletError} Rejects with the code `input.amount`, `input.idempotency_key`,
   * `quota.not_a_stock`, `quota.unknown_meter`, `quota.idempotency_mismatch` or
   * `quota.idempotency_key_pruned`.
   */
  setStockAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, amount: Amounts, options?: ReserveOptions & Abortable): Promise<Decision>;
  /**
   * Adds to the action's stocks as far as the policies allow it, and returns the decision. It
   * works as `consume`, and refuses actions whose meter is no stock.
   *
   * @throws {SubletError} With the code `input.amount`, `input.idempotency_key`,
   * `quota.not_a_stock`, `quota.unknown_meter`, `quota.idempotency_mismatch` or
   * `quota.idempotency_key_pruned`.
   */
  increaseStock(principal: PrincipalRef, action: ActionRef, resource: Resource, amount: Amounts, options?: ReserveOptions): Decision;
  /**
   * `increaseStock` off the event loop.
   *
   * Adds to the action's stocks as far as the policies allow it, and returns the decision. It
   * works as `consume`, and refuses actions whose meter is no stock.
   *
   * @throws {SubletError} Rejects with the code `input.amount`, `input.idempotency_key`,
   * `quota.not_a_stock`, `quota.unknown_meter`, `quota.idempotency_mismatch` or
   * `quota.idempotency_key_pruned`.
   */
  increaseStockAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, amount: Amounts, options?: ReserveOptions & Abortable): Promise<Decision>;
  /**
   * Subtracts from the action's stocks what no longer exists, and returns the decision. The
   * policies do not see the amount.
   *
   * @throws {SubletError} With the code `input.amount`, `input.idempotency_key`,
   * `quota.not_a_stock`, `quota.below_zero`, `quota.unknown_meter`,
   * `quota.idempotency_mismatch` or `quota.idempotency_key_pruned`.
   */
  decreaseStock(principal: PrincipalRef, action: ActionRef, resource: Resource, amount: Amounts, options?: ReserveOptions): Decision;
  /**
   * `decreaseStock` off the event loop.
   *
   * Subtracts from the action's stocks what no longer exists, and returns the decision. The
   * policies do not see the amount.
   *
   * @throws {SubletError} Rejects with the code `input.amount`, `input.idempotency_key`,
   * `quota.not_a_stock`, `quota.below_zero`, `quota.unknown_meter`,
   * `quota.idempotency_mismatch` or `quota.idempotency_key_pruned`.
   */
  decreaseStockAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, amount: Amounts, options?: ReserveOptions & Abortable): Promise<Decision>;
  /**
   * Checks whether `principal` may perform a command and, if so, performs it; returns the
   * decision and a token, if one was made. Permission, debit and change of the directory are
   * one transaction. A retry with the same `idempotencyKey` changes nothing again.
   *
   * @throws {SubletError} With the code `input.command`, `input.command_unasked`,
   * `input.idempotency_key`, `directory.unknown_account`, `directory.duplicate_login`,
   * `directory.id_used` or `quota.idempotency_mismatch`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * engine.applyChanges({
   *   put: [
   *     { type: 'Platform', id: 'mmio' },
   *     { type: 'Domain', id: 'dash.mmio.example', kind: 'platform', state: 'verified' },
   *     { type: 'Account', id: 'acme', email: 'a@acme.example', package: 'agency', confirmed: true },
   *   ],
   * });
   * const made = engine.perform(
   *   ['Account', 'acme'],
   *   { do: 'create_client', id: 'florist', email: 'hello@florist.example' },
   *   { idempotencyKey: 'signup/17', host: 'dash.mmio.example' },
   * );
   * if (made.decision.allowed) console.log(made.token !== null); // the token goes into an e-mail
   */
  perform(principal: PrincipalRef, command: Command, options?: ReserveOptions): Performed;
  /**
   * `perform` off the event loop.
   *
   * Checks whether `principal` may perform a command and, if so, performs it; returns the
   * decision and a token, if one was made. Permission, debit and change of the directory are
   * one transaction. A retry with the same `idempotencyKey` changes nothing again.
   *
   * @throws {SubletError} Rejects with the code `input.command`, `input.command_unasked`,
   * `input.idempotency_key`, `directory.unknown_account`, `directory.duplicate_login`,
   * `directory.id_used` or `quota.idempotency_mismatch`.
   */
  performAsync(principal: PrincipalRef, command: Command, options?: ReserveOptions & Abortable): Promise<Performed>;
  /**
   * Returns the statement of an owner's month `YYYY-MM`: what the owner owes for excess
   * clients (B2, B4).
   *
   * @throws {SubletError} With the code `billing.period`, `billing.client` or
   * `directory.unknown_account`.
   * @example
   * import { Engine, ManualClock } from 'sublet';
   * const engine = Engine.open(undefined, { clock: new ManualClock('2026-02-15T00:00:00Z') });
   * engine.applyChanges({
   *   put: [
   *     { type: 'Platform', id: 'mmio' },
   *     { type: 'Account', id: 'acme', email: 'owner@acme.example', package: 'agency' },
   *   ],
   * });
   * console.log(engine.statement('acme', '2026-02').status); // open
   */
  statement(owner: string, period: string): Statement;
  /**
   * `statement` off the event loop.
   *
   * Returns the statement of an owner's month `YYYY-MM`: what the owner owes for excess
   * clients (B2, B4).
   *
   * @throws {SubletError} Rejects with the code `billing.period`, `billing.client` or
   * `directory.unknown_account`.
   */
  statementAsync(owner: string, period: string, options?: Abortable): Promise<Statement>;
  /**
   * Returns the statement of the current month: what will be owed if nothing changes, and
   * which clients are at risk (B6).
   *
   * @throws {SubletError} With the code `billing.client` or `directory.unknown_account`.
   */
  previewStatement(owner: string): Statement;
  /**
   * `previewStatement` off the event loop.
   *
   * Returns the statement of the current month: what will be owed if nothing changes, and
   * which clients are at risk (B6).
   *
   * @throws {SubletError} Rejects with the code `billing.client` or
   * `directory.unknown_account`.
   */
  previewStatementAsync(owner: string, options?: Abortable): Promise<Statement>;
  /**
   * Records cents that were received for a month, and returns the payment with the statement
   * after it. In a settled month each full price enables one client (B4, B5).
   *
   * @throws {SubletError} With the code `billing.period`, `billing.client`, `input.amount`,
   * `input.idempotency_key` or `quota.idempotency_mismatch`.
   */
  recordPayment(owner: string, period: string, cents: Amount, options?: KeyOptions): Payment;
  /**
   * `recordPayment` off the event loop.
   *
   * Records cents that were received for a month, and returns the payment with the statement
   * after it. In a settled month each full price enables one client (B4, B5).
   *
   * @throws {SubletError} Rejects with the code `billing.period`, `billing.client`,
   * `input.amount`, `input.idempotency_key` or `quota.idempotency_mismatch`.
   */
  recordPaymentAsync(owner: string, period: string, cents: Amount, options?: KeyOptions & Abortable): Promise<Payment>;
  /**
   * Reverses a whole payment, and returns the reversal with the statement after it.
   *
   * @throws {SubletError} With the code `billing.unknown_payment` or
   * `billing.payment_reversed`.
   */
  reversePayment(payment: CountInput, options?: KeyOptions): Payment;
  /**
   * `reversePayment` off the event loop.
   *
   * Reverses a whole payment, and returns the reversal with the statement after it.
   *
   * @throws {SubletError} Rejects with the code `billing.unknown_payment` or
   * `billing.payment_reversed`.
   */
  reversePaymentAsync(payment: CountInput, options?: KeyOptions & Abortable): Promise<Payment>;
  /**
   * Closes a month that is over, enforces its draw once, and returns the statement (B3, B4,
   * B5). `choice` names the clients that are disabled first, if the catalog leaves that to
   * the owner.
   *
   * @throws {SubletError} With the code `billing.period`, `billing.period_open`,
   * `billing.choice` or `billing.client`.
   */
  settleOverage(owner: string, period: string, options?: SettleOptions): Statement;
  /**
   * `settleOverage` off the event loop.
   *
   * Closes a month that is over, enforces its draw once, and returns the statement (B3, B4,
   * B5). `choice` names the clients that are disabled first, if the catalog leaves that to
   * the owner.
   *
   * @throws {SubletError} Rejects with the code `billing.period`, `billing.period_open`,
   * `billing.choice` or `billing.client`.
   */
  settleOverageAsync(owner: string, period: string, options?: SettleOptions & Abortable): Promise<Statement>;
  /**
   * Consumes all items or none in one transaction, and returns the decisions in their order.
   * Each item has the arguments of `consume`. If one item is denied, no decision has an
   * `operation`.
   *
   * @throws {SubletError} With the code `input.item`, `input.amount`, `quota.not_metered`,
   * `quota.unknown_meter` or `quota.idempotency_mismatch`.
   */
  batch(items: readonly BatchItem[]): Decision[];
  /**
   * `batch` off the event loop.
   *
   * Consumes all items or none in one transaction, and returns the decisions in their order.
   * Each item has the arguments of `consume`. If one item is denied, no decision has an
   * `operation`.
   *
   * @throws {SubletError} Rejects with the code `input.item`, `input.amount`,
   * `quota.not_metered`, `quota.unknown_meter` or `quota.idempotency_mismatch`.
   */
  batchAsync(items: readonly BatchItem[], options?: Abortable): Promise<Decision[]>;
  /**
   * Consumes what a reservation holds, or `amount` of each of its meters, and gives back the
   * rest; returns the receipt. A second call returns the first receipt (Q8).
   *
   * @throws {SubletError} With the code `quota.unknown_operation`, `quota.not_a_reservation`,
   * `quota.reservation_expired`, `quota.reservation_closed` or `quota.commit_too_much`.
   */
  commit(operation: CountInput, options?: AmountOptions): CountReceipt;
  /**
   * `commit` off the event loop.
   *
   * Consumes what a reservation holds, or `amount` of each of its meters, and gives back the
   * rest; returns the receipt. A second call returns the first receipt (Q8).
   *
   * @throws {SubletError} Rejects with the code `quota.unknown_operation`,
   * `quota.not_a_reservation`, `quota.reservation_expired`, `quota.reservation_closed` or
   * `quota.commit_too_much`.
   */
  commitAsync(operation: CountInput, options?: AmountOptions & Abortable): Promise<CountReceipt>;
  /**
   * Gives back what a reservation holds, and returns the receipt (Q8).
   *
   * @throws {SubletError} With the code `quota.unknown_operation`, `quota.not_a_reservation`
   * or `quota.reservation_closed`.
   */
  release(operation: CountInput, options?: KeyOptions): CountReceipt;
  /**
   * `release` off the event loop.
   *
   * Gives back what a reservation holds, and returns the receipt (Q8).
   *
   * @throws {SubletError} Rejects with the code `quota.unknown_operation`,
   * `quota.not_a_reservation` or `quota.reservation_closed`.
   */
  releaseAsync(operation: CountInput, options?: KeyOptions & Abortable): Promise<CountReceipt>;
  /**
   * Gives back what an operation consumed, or `amount` of each meter, in the window of the
   * operation; returns the receipt. Never gives back more than was consumed. For a top-up,
   * takes back what it added.
   *
   * @throws {SubletError} With the code `quota.unknown_operation`, `quota.not_refundable` or
   * `quota.refund_too_much`.
   */
  refund(operation: CountInput, options?: AmountOptions): CountReceipt;
  /**
   * `refund` off the event loop.
   *
   * Gives back what an operation consumed, or `amount` of each meter, in the window of the
   * operation; returns the receipt. Never gives back more than was consumed. For a top-up,
   * takes back what it added.
   *
   * @throws {SubletError} Rejects with the code `quota.unknown_operation`,
   * `quota.not_refundable` or `quota.refund_too_much`.
   */
  refundAsync(operation: CountInput, options?: AmountOptions & Abortable): Promise<CountReceipt>;
  /**
   * Adds to the limit of an account's meter for the current window, or without end for a
   * stock; returns the receipt.
   *
   * @throws {SubletError} With the code `directory.unknown_account`, `quota.unknown_meter`,
   * `input.amount` or `input.idempotency_key`.
   */
  topUp(account: string, meter: string, amount: Amount, options?: KeyOptions): CountReceipt;
  /**
   * `topUp` off the event loop.
   *
   * Adds to the limit of an account's meter for the current window, or without end for a
   * stock; returns the receipt.
   *
   * @throws {SubletError} Rejects with the code `directory.unknown_account`,
   * `quota.unknown_meter`, `input.amount` or `input.idempotency_key`.
   */
  topUpAsync(account: string, meter: string, amount: Amount, options?: KeyOptions & Abortable): Promise<CountReceipt>;
  /**
   * Takes back what the top-up with this key added, for example after a chargeback; returns
   * the receipt.
   *
   * The limit falls at once, and the usage stays. A second call changes nothing and is
   * `replayed`. A top-up without a key is taken back with `refund` of its operation (B14).
   *
   * @throws {SubletError} With the code `quota.unknown_top_up`,
   * `quota.idempotency_key_pruned` or `directory.unknown_account`.
   */
  revokeTopUp(account: string, idempotencyKey: string): CountReceipt;
  /**
   * `revokeTopUp` off the event loop.
   *
   * Takes back what the top-up with this key added, for example after a chargeback; returns
   * the receipt.
   *
   * The limit falls at once, and the usage stays. A second call changes nothing and is
   * `replayed`. A top-up without a key is taken back with `refund` of its operation (B14).
   *
   * @throws {SubletError} Rejects with the code `quota.unknown_top_up`,
   * `quota.idempotency_key_pruned` or `directory.unknown_account`.
   */
  revokeTopUpAsync(account: string, idempotencyKey: string, options?: Abortable): Promise<CountReceipt>;
  /**
   * Adds the usage of this window from before Sublet counted, of an account or of a member;
   * returns the receipt. No limit is checked.
   *
   * @throws {SubletError} With the code `directory.unknown_account`, `quota.unknown_meter`,
   * `input.amount` or `input.idempotency_key`.
   */
  carryOver(account: string, meter: string, amount: Amount, options?: CarryOverOptions): CountReceipt;
  /**
   * `carryOver` off the event loop.
   *
   * Adds the usage of this window from before Sublet counted, of an account or of a member;
   * returns the receipt. No limit is checked.
   *
   * @throws {SubletError} Rejects with the code `directory.unknown_account`,
   * `quota.unknown_meter`, `input.amount` or `input.idempotency_key`.
   */
  carryOverAsync(account: string, meter: string, amount: Amount, options?: CarryOverOptions & Abortable): Promise<CountReceipt>;
  /**
   * Returns the quota of every meter of an account, or of one meter; with the part of a named
   * member (Q11).
   *
   * @throws {SubletError} With the code `directory.unknown_account`,
   * `directory.unknown_record` or `quota.unknown_meter`.
   */
  usage(account: string, options?: UsageOptions): readonly Quota[];
  /**
   * `usage` off the event loop.
   *
   * Returns the quota of every meter of an account, or of one meter; with the part of a named
   * member (Q11).
   *
   * @throws {SubletError} Rejects with the code `directory.unknown_account`,
   * `directory.unknown_record` or `quota.unknown_meter`.
   */
  usageAsync(account: string, options?: UsageOptions & Abortable): Promise<readonly Quota[]>;
  /**
   * Returns the operations on an account's counts, the newest first: at most `limit` (100),
   * older than the operation `before`.
   */
  history(account: string, options?: HistoryOptions): HistoryEntry[];
  /**
   * `history` off the event loop.
   *
   * Returns the operations on an account's counts, the newest first: at most `limit` (100),
   * older than the operation `before`.
   */
  historyAsync(account: string, options?: HistoryOptions & Abortable): Promise<HistoryEntry[]>;
  /**
   * Compares every count with the sum of its operations, and returns the result. Its `faults`
   * are empty if all agree.
   */
  verify(): Verification;
  /**
   * `verify` off the event loop.
   *
   * Compares every count with the sum of its operations, and returns the result. Its `faults`
   * are empty if all agree.
   */
  verifyAsync(options?: Abortable): Promise<Verification>;
  /** Accepts the clock after `store.clock_jump`: as much time has passed as the clock says. */
  acceptClock(): void;
  /**
   * `acceptClock` off the event loop.
   *
   * Accepts the clock after `store.clock_jump`: as much time has passed as the clock says.
   */
  acceptClockAsync(options?: Abortable): Promise<void>;
  /**
   * Makes all changes in one transaction or none, and returns the new revision.
   *
   * `put` creates records, or replaces those with the same type and id. `merge` changes the
   * fields that it names and keeps the others; `null` removes an optional field. `remove`
   * removes records.
   *
   * The id of a former account or member is refused, because counts, history and keys belong
   * to the id. With `resumed` the same account or member has come back and goes on with them
   * (I5).
   *
   * @throws {SubletError} With the code `directory.revision`, `directory.would_reset`,
   * `directory.id_used`, `directory.in_use`, `directory.record` or
   * `directory.duplicate_login`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const expectedRevision = engine.revision;
   * console.log(engine.applyChanges({ put: [{ type: 'Platform', id: 'mmio' }], expectedRevision }));
   */
  applyChanges(changes: Changes): Count;
  /**
   * `applyChanges` off the event loop.
   *
   * Makes all changes in one transaction or none, and returns the new revision.
   *
   * `put` creates records, or replaces those with the same type and id. `merge` changes the
   * fields that it names and keeps the others; `null` removes an optional field. `remove`
   * removes records.
   *
   * The id of a former account or member is refused, because counts, history and keys belong
   * to the id. With `resumed` the same account or member has come back and goes on with them
   * (I5).
   *
   * @throws {SubletError} Rejects with the code `directory.revision`,
   * `directory.would_reset`, `directory.id_used`, `directory.in_use`, `directory.record` or
   * `directory.duplicate_login`.
   */
  applyChangesAsync(changes: Changes, options?: Abortable): Promise<Count>;
  /**
   * Replaces the whole directory by JSON lines, and returns the new revision. Replaces the
   * directory as this engine saw it last, or the one of `expectedRevision`. If it has changed
   * since, the call fails, so that no change of others is lost. At a first start call `seed`.
   *
   * @throws {SubletError} With the code `directory.revision`, `directory.cancelled`,
   * `directory.record`, `directory.duplicate_id` or `store.stream`.
   */
  importLines(lines: string, options?: ImportOptions): Count;
  /**
   * `importLines` off the event loop.
   *
   * Replaces the whole directory by JSON lines, and returns the new revision. Replaces the
   * directory as this engine saw it last, or the one of `expectedRevision`. If it has changed
   * since, the call fails, so that no change of others is lost. At a first start call `seed`.
   *
   * @throws {SubletError} Rejects with the code `directory.revision`, `directory.cancelled`,
   * `directory.record`, `directory.duplicate_id` or `store.stream`.
   */
  importLinesAsync(lines: string, options?: ImportOptions & Abortable): Promise<Count>;
  /**
   * Imports JSON lines if nothing was ever written to the directory, and returns whether it
   * did. If several processes start at once, one of them imports.
   *
   * @throws {SubletError} With the code `directory.record`, `directory.duplicate_id` or
   * `store.stream`.
   */
  seed(lines: string): boolean;
  /**
   * `seed` off the event loop.
   *
   * Imports JSON lines if nothing was ever written to the directory, and returns whether it
   * did. If several processes start at once, one of them imports.
   *
   * @throws {SubletError} Rejects with the code `directory.record`, `directory.duplicate_id`
   * or `store.stream`.
   */
  seedAsync(lines: string, options?: Abortable): Promise<boolean>;
}
