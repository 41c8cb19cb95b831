// Methods about the owner's bill. `index.d.ts` exports these types.

import type { ClosingProgress, Payment, Statement } from './billing.js';
import type { Abortable, CloseOptions, KeyOptions, SettleOptions } from './call_options.js';
import type { Amount, CountInput } from './quota.js';

/** The methods about the owner's bill. */
export interface BillingMethods {
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
   * @throws {SubletError} With the code `billing.client`, `billing.no_month` or
   * `directory.unknown_account`.
   */
  previewStatement(owner: string): Statement;
  /**
   * `previewStatement` off the event loop.
   *
   * Returns the statement of the current month: what will be owed if nothing changes, and
   * which clients are at risk (B6).
   *
   * @throws {SubletError} Rejects with the code `billing.client`, `billing.no_month` or
   * `directory.unknown_account`.
   */
  previewStatementAsync(owner: string, options?: Abortable): Promise<Statement>;
  /**
   * Records cents that were received for a month, and returns the payment with the statement
   * after it. Without a month they are for the oldest month that is not paid. Cents above the
   * sum due are credit for the next month (B9). In a settled month each full price enables
   * one client (B4, B5).
   *
   * @throws {SubletError} With the code `billing.period`, `billing.client`, `input.amount`,
   * `input.idempotency_key` or `quota.idempotency_mismatch`.
   */
  recordPayment(owner: string, period: string | null, cents: Amount, options?: KeyOptions): Payment;
  /**
   * `recordPayment` off the event loop.
   *
   * Records cents that were received for a month, and returns the payment with the statement
   * after it. Without a month they are for the oldest month that is not paid. Cents above the
   * sum due are credit for the next month (B9). In a settled month each full price enables
   * one client (B4, B5).
   *
   * @throws {SubletError} Rejects with the code `billing.period`, `billing.client`,
   * `input.amount`, `input.idempotency_key` or `quota.idempotency_mismatch`.
   */
  recordPaymentAsync(owner: string, period: string | null, cents: Amount, options?: KeyOptions & Abortable): Promise<Payment>;
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
   * Closes a month that is over, disables no client, and returns the statement (B8). From
   * then on it says exactly which clients are disabled for what is not paid.
   *
   * @throws {SubletError} With the code `billing.period`, `billing.period_open`,
   * `billing.client` or `directory.unknown_account`.
   */
  closeMonth(owner: string, period: string): Statement;
  /**
   * `closeMonth` off the event loop.
   *
   * Closes a month that is over, disables no client, and returns the statement (B8). From
   * then on it says exactly which clients are disabled for what is not paid.
   *
   * @throws {SubletError} Rejects with the code `billing.period`, `billing.period_open`,
   * `billing.client` or `directory.unknown_account`.
   */
  closeMonthAsync(owner: string, period: string, options?: Abortable): Promise<Statement>;
  /**
   * Closes the months that are over of the next `limit` owners by id, at most 1,000 of them.
   * Returns the closed months (B8), and all months of these owners that are neither paid nor
   * settled. The `next` of the answer is the `after` of the next call, until it is absent.
   * Each call is one transaction, so it may be repeated.
   */
  closeDue(limit: Amount, options?: CloseOptions): ClosingProgress;
  /**
   * `closeDue` off the event loop.
   *
   * Closes the months that are over of the next `limit` owners by id, at most 1,000 of them.
   * Returns the closed months (B8), and all months of these owners that are neither paid nor
   * settled. The `next` of the answer is the `after` of the next call, until it is absent.
   * Each call is one transaction, so it may be repeated.
   */
  closeDueAsync(limit: Amount, options?: CloseOptions & Abortable): Promise<ClosingProgress>;
  /**
   * Closes a month that is over, enforces its draw once, and returns the statement (B3, B4,
   * B5). This is possible after the days of grace. `choice` names the clients that are
   * disabled first, if the catalog leaves that to the owner.
   *
   * @throws {SubletError} With the code `billing.period`, `billing.period_open`,
   * `billing.grace`, `billing.choice` or `billing.client`.
   */
  settleOverage(owner: string, period: string, options?: SettleOptions): Statement;
  /**
   * `settleOverage` off the event loop.
   *
   * Closes a month that is over, enforces its draw once, and returns the statement (B3, B4,
   * B5). This is possible after the days of grace. `choice` names the clients that are
   * disabled first, if the catalog leaves that to the owner.
   *
   * @throws {SubletError} Rejects with the code `billing.period`, `billing.period_open`,
   * `billing.grace`, `billing.choice` or `billing.client`.
   */
  settleOverageAsync(owner: string, period: string, options?: SettleOptions & Abortable): Promise<Statement>;
}
