// The verbs that count and that change the directory: types of `index.d.ts` without a value of their own.

import type { Does, Item, Reserving, Resource, Taking, Who } from './index.js';
import type { Payment, Statement } from './billing.js';
import type { Command } from './commands.js';
import type { Amount, Amounts, Count, CountInput, Counted, HistoryEntry, Quota, Verification } from './quota.js';
import type { Decision } from './index.js';
import type { Changes } from './records.js';

/** What became of a command. */
export interface Performed extends Answer {
  readonly decision: Decision;
  /**
   * What is to be sent to the e-mail that waits to be confirmed: told once, kept as a hash (I4). Only this name tells it:
   * `console.log`, `util.inspect`, `JSON.stringify`, `structuredClone` and a spread of the whole leave it out.
   */
  readonly token: string | null;
}

/**
 * An answer that says yes or no. It is an object, and so truthy whatever it says: `if (engine.authorize(...))` is always taken.
 * Write `.allowed`, or `orThrow()`; the rule `sublet/no-truthy-answer` of `sublet/eslint` finds what was forgotten.
 */
export interface Answer {
  /**
   * The answer itself if it says yes; else throws a `DeniedError` with its code (of a `login` the public one).
   *
   * @example
   * import { DeniedError, Engine } from 'sublet';
   * const engine = Engine.open();
   * try {
   *   engine.authorize(['Account', 'acme'], 'campaign.read', ['Campaign', 'spring', 'acme']).orThrow();
   * } catch (error) {
   *   if (error instanceof DeniedError) console.log(error.code);   // principal_unknown
   *   else throw error;
   * }
   */
  orThrow(): this;
}

export interface Abortable {
  /**
   * Gives the call up: at once if it is aborted already, while the call waits for a thread, and while it waits for the store's lock;
   * then nothing was done, and the promise is rejected with the signal's reason. A transaction that has begun is answered: retry what
   * you cannot wait for by its key.
   */
  readonly signal?: AbortSignal | null;
}

/**
 * What may wait for a file. Each verb has two forms: the plain one answers at once, and is for a store in memory (on one in a
 * file it throws `store.sync`); the one whose name ends in `Async` works off the event loop, on any store, and rejects with what
 * the plain one throws. It has threads of its own, four at most: files and host names of the process do not wait behind it.
 */
export interface Verbs {
  /**
   * Asks, and if it is allowed takes `amount` (1, if it is not said): one step, between whose parts nothing comes. What is denied takes
   * nothing (Q13): `quota_exceeded`, `member_quota_exceeded` are codes of a decision, not errors. An action that frees gives back.
   *
   * Throws `input.amount` for what is no amount, `quota.not_metered` for an action without a meter, `quota.unknown_meter`,
   * `quota.below_zero`, `input.key`, `quota.idempotency_mismatch`, `quota.key_pruned`, `store.clock_jump`: then nothing was taken.
   *
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const sent = engine.consume(['Account', 'acme'], 'campaign.send', ['Campaign', 'spring', 'acme'], 200, { key: 'spring/1' });
   * if (!sent.allowed) console.log(sent.code);
   * else console.log(sent.quota[0]?.remaining, sent.replayed);
   */
  consume(principal: Who, action: Does, resource: Resource, amount?: Amounts, options?: Taking): Decision;
  /** On a store in memory it is done when the promise is given: there is nothing to wait for. */
  consumeAsync(principal: Who, action: Does, resource: Resource, amount?: Amounts, options?: Taking & Abortable): Promise<Decision>;
  /**
   * The same, but holds it for `ttl` milliseconds (from 1 to 366 days, else `input.ttl`): until then `commit` or `release`
   * its `operation` (Q8).
   *
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const held = engine.reserve(['Account', 'acme'], 'campaign.send', ['Campaign', 'spring', 'acme'], 200, 60_000);
   * if (held.operation !== null) engine.commit(held.operation, { amount: 150 });
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
   *
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * engine.change({ put: [{ type: 'Platform', id: 'mmio' }, { type: 'Account', id: 'acme', email: 'owner@acme.example', package: 'agency', confirmed: true }] });
   * const made = engine.perform(['Account', 'acme'], { do: 'create_client', id: 'florist', email: 'hello@florist.example' }, { key: 'signup/17' });
   * if (made.decision.allowed) console.log(`a mail goes out: ${made.token !== null}`);
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
  reversePayment(payment: CountInput, options?: { readonly key?: string | null }): Payment;
  reversePaymentAsync(payment: CountInput, options?: { readonly key?: string | null } & Abortable): Promise<Payment>;
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
  commit(operation: CountInput, options?: { readonly amount?: Amount; readonly key?: string | null }): Counted;
  commitAsync(operation: CountInput, options?: { readonly amount?: Amount; readonly key?: string | null } & Abortable): Promise<Counted>;
  /** Gives back what a reservation holds. Throws as `commit`. */
  release(operation: CountInput, options?: { readonly key?: string | null }): Counted;
  releaseAsync(operation: CountInput, options?: { readonly key?: string | null } & Abortable): Promise<Counted>;
  /**
   * Gives back `amount` of each meter that a `consume` or `commit` took, in the window that it took it from; all that is left of it,
   * if it is not said. Of a top-up it takes back what that added. Throws `quota.refund_too_much`, `quota.not_refundable`, `quota.unknown_operation`.
   */
  refund(operation: CountInput, options?: { readonly amount?: Amount; readonly key?: string | null }): Counted;
  refundAsync(operation: CountInput, options?: { readonly amount?: Amount; readonly key?: string | null } & Abortable): Promise<Counted>;
  /**
   * Adds to the limit of an account's meter for its present window; of a stock, for good. Throws `directory.unknown_account`,
   * `quota.unknown_meter`.
   */
  topUp(account: string, meter: string, amount: Amount, options?: { readonly key?: string | null }): Counted;
  topUpAsync(account: string, meter: string, amount: Amount, options?: { readonly key?: string | null } & Abortable): Promise<Counted>;
  /**
   * Takes back what the top-up of that key added: a payment was charged back, say (B14). The limit falls at once, and what was used stays
   * used. A second call changes nothing, and is `replayed`. A top-up without a key is taken back by `refund` of its operation. Throws
   * `quota.unknown_top_up`, `quota.key_pruned`.
   */
  revokeTopUp(account: string, key: string): Counted;
  revokeTopUpAsync(account: string, key: string, options?: Abortable): Promise<Counted>;
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
  history(account: string, options?: { readonly before?: CountInput | null; readonly limit?: number | bigint | null }): HistoryEntry[];
  historyAsync(account: string, options?: { readonly before?: CountInput | null; readonly limit?: number | bigint | null } & Abortable): Promise<HistoryEntry[]>;
  /** Compares every count with the sum of its operations. */
  verify(): Verification;
  verifyAsync(options?: Abortable): Promise<Verification>;
  /** Takes the clock's word for it after `store.clock_jump`: so much time has passed. */
  acceptClock(): void;
  acceptClockAsync(options?: Abortable): Promise<void>;
  /**
   * Makes all changes in one transaction, or none; gives the new revision.
   *
   * `put` creates records, or replaces those of the same type and id: one that leaves out a field which the present record has set throws
   * `directory.would_reset`. `merge` changes the fields that it names and leaves the rest; `null` takes an optional one away. `remove` takes records out.
   * Throws `directory.revision` if the directory is not at `expectedRevision`, and the `directory.*` code of what the change would break.
   *
   * An account or member whose id another one had is refused, `directory.id_used`: counts, history and keys belong to the id. With `resumed` what is put
   * has come back, and goes on where it was.
   *
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const revision = engine.change({ put: [{ type: 'Platform', id: 'mmio' }], expectedRevision: engine.revision });
   * console.log(revision);
   */
  change(changes: Changes): Count;
  changeAsync(changes: Changes, options?: Abortable): Promise<Count>;
  /**
   * Replaces the directory by JSON lines: what is not among them is gone. It replaces what this engine saw last, or the directory of
   * `expectedRevision`: if that has moved on it throws `directory.revision`. At a first start call `seed`.
   */
  importLines(lines: string, options?: { readonly expectedRevision?: CountInput | null }): Count;
  importLinesAsync(lines: string, options?: { readonly expectedRevision?: CountInput | null } & Abortable): Promise<Count>;
  /** Imports JSON lines if nothing was ever written to the directory; whether it did. Of processes that start at once one does. */
  seed(lines: string): boolean;
  seedAsync(lines: string, options?: Abortable): Promise<boolean>;
}
