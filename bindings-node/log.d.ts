// Events, logs and statistics, with the same fields in every language. `index.d.ts` exports these
// types.

import type { Abortable } from './call_options.js';
import type { DecisionCode, ErrorCode } from './codes.js';
import type { DeskName } from './decision.js';
import type { Amount } from './quota.js';
import type { Channel } from './requests.js';

/** The kinds of events that a log can select. */
export type EventKind = 'decision' | 'debit' | 'change' | 'reload' | 'closing';

/** A meter after an event. */
export interface EventMeter {
  /** The name of the meter. */
  readonly meter: string;
  /** The amount of the event. */
  readonly amount: number | string;
  /** The usage after the event. */
  readonly used: number | string;
  /** The limit in force. */
  readonly limit: number | 'unlimited';
  /** The part of the member. */
  readonly member?: EventMember;
}

/** The part of a member in a meter after an event. */
export interface EventMember {
  /** The id of the member. */
  readonly id: string;
  /** The usage of the member after the event. */
  readonly used: number | string;
  /** The sub-limit of the member. */
  readonly limit: number | 'unlimited';
}

/**
 * An event. A field that does not apply is absent. A field of `redact` has the text
 * `[redacted]`.
 */
export interface Event {
  /** The kind of event. */
  readonly event: EventKind | 'dropped';
  /** The instant of the event, RFC 3339 with milliseconds, by the engine's clock. */
  readonly at: string;
  /** The method that was called, such as `check` or `consume`. */
  readonly verb?: string;
  /** The name of a command that was performed. */
  readonly command?: string;
  /** Type and id of the principal. A login that names no login of the host has none. */
  readonly principal?: readonly [type: string, id: string];
  /** Type and id of the login that acts as the principal (A1). */
  readonly actor?: readonly [type: string, id: string];
  /** The action of the request. */
  readonly action?: string;
  /** Type and id of the resource. */
  readonly resource?: readonly [type: string, id: string];
  /** The account that an inline resource belongs to. */
  readonly account?: string;
  /** The host of the request, as it was passed. */
  readonly host?: string;
  /** The channel, if the request named one. */
  readonly channel?: Channel;
  /** The desk that a ticket goes to, or null if no desk takes it. */
  readonly desk?: DeskName | null;
  /** The allow bit. */
  readonly allowed?: boolean;
  /** The decision code. */
  readonly code?: DecisionCode;
  /** The code of a login that strangers may see (D7). */
  readonly public_code?: 'ok' | 'login_refused';
  /** Ids of the determining policies. */
  readonly policies?: readonly string[];
  /** Words of advice. */
  readonly advice?: readonly string[];
  /** Ids of policies that could not be evaluated (E2). */
  readonly errors?: readonly string[];
  /** The revision of the directory. */
  readonly revision?: number;
  /** The fingerprint of the policies. */
  readonly bundle?: string;
  /** The fingerprint of the policies before a reload. */
  readonly replaced?: string;
  /** The account whose counts changed, or the owner of a closed month. */
  readonly payer?: string;
  /** The id of the operation in the history. */
  readonly operation?: number | string;
  /** The operation that this one commits, releases, refunds, revokes or reverses. */
  readonly parent?: number | string;
  /** The billing month. */
  readonly period?: string;
  /** The cents of a payment, negative for a reversal, or the cents due for a closed month. */
  readonly cents?: number | string;
  /** The number of clients of a closed month that are disabled if nothing more is received. */
  readonly at_risk?: number;
  /** The first instant at which a closed month may be settled. RFC 3339. */
  readonly settle_from?: string;
  /** Present if the answer is that of an earlier call with the same key (Q7). */
  readonly replayed?: boolean;
  /** The instant at which a reservation expires. */
  readonly expires_at?: string;
  /** The meters after the event, each with the part of the member. */
  readonly meters?: readonly EventMeter[];
  /** Types and ids of records that were created or replaced. */
  readonly put?: readonly (readonly [type: string, id: string])[];
  /** Types and ids of records that were removed. */
  readonly removed?: readonly (readonly [type: string, id: string])[];
  /** Present if an import replaced all records. */
  readonly whole?: boolean;
  /** The number of events that were lost. */
  readonly count?: number;
  /** The duration of the call in microseconds. */
  readonly latency_us?: number;
  /** The fields of the context that `contextFields` names. */
  readonly context?: { readonly [field: string]: unknown };
}

/** The events that a log receives. */
export interface EventSelection {
  /** The wanted kinds; without it, all. `dropped` is always reported. */
  readonly events?: readonly EventKind[] | null;
  /** The part of the allowed decisions that is reported, from 0 to 1 (the default). */
  readonly sampleAllowed?: number | null;
  /** The fields whose values are hidden. */
  readonly redact?: readonly (keyof Event)[] | null;
  /** The fields of the context that are reported; by default none. */
  readonly contextFields?: readonly string[] | null;
  /** The number of events that may wait (8192). Further events are dropped and counted. */
  readonly queue?: Amount | null;
}

/** The sink of a log, a file or a callback, and the events that it receives. */
export type LogOptions = FileLogOptions | CallbackLogOptions;

/** A log to a file of JSON lines. Several processes may share the file. */
export interface FileLogOptions extends EventSelection {
  /** The path of the file. */
  readonly path: string;
  /** The size at which the file is rotated (64 MiB); 0 never. */
  readonly rotateBytes?: Amount | null;
  /** The number of rotated files that are kept (5). */
  readonly maxOldFiles?: Amount | null;
  /** Not together with `path`. */
  readonly callback?: null;
}

/** A log to a callback, which gets one event at a time on the event loop. */
export interface CallbackLogOptions extends EventSelection {
  /** The function that gets the events. */
  readonly callback: (event: Event) => unknown;
  /** Not together with `callback`. */
  readonly path?: null;
}

/** The statistics since `enableMetrics`. */
export interface Stats {
  /** Whether the engine counts. */
  readonly measured: boolean;
  /** The upper bounds of the histogram in microseconds. */
  readonly bounds_us: readonly number[];
  /** The decisions by action and code. */
  readonly decisions: readonly DecisionSeries[];
  /** The errors by method and code. */
  readonly errors: readonly ErrorCount[];
  /** The number of reloads. */
  readonly reloads: number;
  /** The number of changes of the directory. */
  readonly changes: number;
  /** The events of all subscriptions. */
  readonly events: EventCounts;
}

/** The decisions of one action with one code. */
export interface DecisionSeries {
  /** The action. */
  readonly action: string;
  /** The decision code. */
  readonly code: DecisionCode;
  /** The number of decisions. */
  readonly count: number;
  /** The sum of their durations in microseconds. */
  readonly sum_us: number;
  /** The number of decisions in each bucket of the histogram. The last is over all bounds. */
  readonly buckets: readonly number[];
}

/** The number of errors of one method with one code. */
export interface ErrorCount {
  /** The method that failed. */
  readonly verb: string;
  /** The error code. */
  readonly code: ErrorCode;
  /** The number of errors. */
  readonly count: number;
}

/** The events of all subscriptions, by their fate. */
export interface EventCounts {
  /** The events that a sink took. */
  readonly delivered: number;
  /** The events that found a full queue. */
  readonly dropped: number;
  /** The events that a sink could not take. */
  readonly failed: number;
}

/**
 * A subscription to an engine's events. It lasts without this handle, until the engine is
 * gone.
 */
export declare class LogHandle {
  /** Not for callers: only `subscribe` of an engine makes logs. */
  private constructor();
  /**
   * Waits until earlier events are delivered, at most `timeout` milliseconds (5000), and
   * resolves to whether they are.
   */
  flush(timeout?: number, options?: Abortable): Promise<boolean>;
  /**
   * Ends the subscription, waits at most `timeout` milliseconds (5000), and resolves to
   * whether all events are delivered.
   */
  close(timeout?: number, options?: Abortable): Promise<boolean>;
  /** Whether the subscription was closed. */
  readonly closed: boolean;
  /** The number of events that the sink took in this process. */
  readonly delivered: number;
  /** The number of events that were lost because the queue was full. */
  readonly dropped: number;
  /** The number of events that the sink could not take: a callback failed, or a disk is full. */
  readonly failed: number;
  /** The numbers of events that were delivered, dropped and failed. */
  readonly counts: EventCounts;
}
