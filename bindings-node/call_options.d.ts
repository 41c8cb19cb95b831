// Options of single calls. `index.d.ts` exports these types.

import type { Host } from './handles.js';
import type { Amount, Count, CountInput } from './quota.js';
import type { ActionRef, Environment, PrincipalRef } from './requests.js';

/** Options of an awaited call. */
export interface Abortable {
  /**
   * Cancels the call before it starts, while it waits for a thread, and while it waits for
   * the store's lock. Then nothing was done, and the promise rejects with the signal's
   * reason. A transaction that has started is completed: retry it by its `idempotencyKey`.
   */
  readonly signal?: AbortSignal | null;
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

/** Options of `closeDue`. */
export interface CloseOptions {
  /** The `next` of the call before. */
  readonly after?: string | null;
}

/** Options of `listRecords`: the page, and the login that reads with its environment. */
export interface ListOptions extends Environment {
  /** The login that reads. Without it, the host itself reads. */
  readonly principal?: PrincipalRef | null;
  /** The id after which the page starts. */
  readonly after?: string | null;
  /** The most records that are examined. The default is 100, and the most are 1,000. */
  readonly limit?: number | bigint | null;
}

/** Options of `settleOverage`. */
export interface SettleOptions {
  /** The clients that are disabled first, if the catalog leaves that to the owner. */
  readonly choice?: readonly string[] | null;
}

/** Options of `login`. */
export interface LoginOptions {
  /** The credential flow. The default is the password. */
  readonly action?: ActionRef | null;
}

/** Options of `loginHosts`. */
export interface LoginHostsOptions extends LoginOptions {
  /** The host whose precise code is returned. */
  readonly host?: string | Host | null;
  /** The `next` of the page before. */
  readonly after?: string | null;
}

/** Options of `domainProof`. */
export interface DomainProofOptions {
  /** The owner whose claim is proved. Needed only if several owners claim the name. */
  readonly owner?: string | null;
}

/** Options of `hostsOf`. */
export interface HostsOfOptions {
  /** The `next` of the page before. */
  readonly after?: string | null;
  /** The greatest number of hosts. The default is 50. */
  readonly limit?: number | bigint | null;
}

/** Options of `importLines`. */
export interface ImportOptions {
  /** The revision that is replaced. Fails with `directory.revision` at any other. */
  readonly expectedRevision?: CountInput | null;
}

/** Options of `importFile`. */
export interface ImportFileOptions extends ImportOptions {
  /** A function that gets the progress, and stops the import if it returns `false`. */
  readonly progress?: (progress: Progress) => boolean | void;
  /** A signal that stops the import. */
  readonly signal?: AbortSignal | null;
}

/** The progress of an import. */
export interface Progress {
  /** The number of imported records. */
  readonly records: Count;
  /** The number of bytes that were read. */
  readonly bytes: Count;
}
