// Methods that consume, count and perform commands. `index.d.ts` exports these types.

import type { Abortable, AmountOptions, CarryOverOptions, HistoryOptions, KeyOptions, UsageOptions } from './call_options.js';
import type { Command } from './commands.js';
import type { Decision, Performed } from './decision.js';
import type { Amount, Amounts, CountInput, CountReceipt, HistoryEntry, Quota, Verification } from './quota.js';
import type { ActionRef, BatchItem, ConsumeOptions, PrincipalRef, ReserveOptions, Resource } from './requests.js';

/** The methods that consume, count and perform commands. */
export interface QuotaMethods {
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
   * 366 days; returns the decision. Until then `commit` or `release` its `operation`. Without
   * `ttl`, the amount is held for 15 minutes (Q8).
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
  reserve(principal: PrincipalRef, action: ActionRef, resource: Resource, amount: Amounts, ttl?: number | bigint | null, options?: ReserveOptions): Decision;
  /**
   * `reserve` off the event loop.
   *
   * Checks a request and, if it is allowed, holds `amount` for `ttl` milliseconds, at most
   * 366 days; returns the decision. Until then `commit` or `release` its `operation`. Without
   * `ttl`, the amount is held for 15 minutes (Q8).
   *
   * @throws {SubletError} Rejects with the code `input.amount`, `input.idempotency_key`,
   * `input.ttl`, `quota.not_metered`, `quota.unknown_meter`, `quota.idempotency_mismatch`,
   * `quota.idempotency_key_pruned` or `store.clock_jump`.
   */
  reserveAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, amount: Amounts, ttl?: number | bigint | null, options?: ReserveOptions & Abortable): Promise<Decision>;
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
}
