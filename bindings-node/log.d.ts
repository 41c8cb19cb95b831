// The log's events and the counts: types of `index.d.ts` without a value of their own. Keys are the same in every language.

import type { Amount } from './quota.js';

export type EventKind = 'decision' | 'debit' | 'change' | 'reload';

/** How one meter stands after an event. */
export interface EventMeter {
  readonly meter: string;
  readonly amount: number | string;
  readonly used: number | string;
  readonly limit: number | 'unlimited';
  readonly member?: { readonly id: string; readonly used: number | string; readonly limit: number | 'unlimited' };
}

/** One thing that happened; what does not apply is not there. A field of `redact` is the text `[redacted]`. */
export interface Event {
  readonly event: EventKind | 'dropped';
  /** RFC 3339 with milliseconds, by the engine's clock. */
  readonly at: string;
  readonly verb?: string;
  readonly command?: string;
  readonly principal?: readonly [type: string, id: string];
  /** Who acts as the principal (A1). */
  readonly actor?: readonly [type: string, id: string];
  readonly action?: string;
  readonly resource?: readonly [type: string, id: string];
  readonly account?: string;
  readonly host?: string;
  readonly channel?: string;
  readonly desk?: string | null;
  readonly allowed?: boolean;
  readonly code?: string;
  /** Of a login, what the outside may be told. */
  readonly public_code?: string;
  readonly policies?: readonly string[];
  readonly advice?: readonly string[];
  /** The policies that erred, by their ids. */
  readonly errors?: readonly string[];
  readonly revision?: number;
  readonly bundle?: string;
  /** Of a reload, the bundle before. */
  readonly replaced?: string;
  /** Whose counts. */
  readonly payer?: string;
  readonly operation?: number | string;
  /** The operation that was settled. */
  readonly of?: number | string;
  readonly period?: string;
  readonly cents?: number | string;
  readonly replayed?: boolean;
  readonly expires_at?: string;
  readonly meters?: readonly EventMeter[];
  readonly put?: readonly (readonly [type: string, id: string])[];
  readonly removed?: readonly (readonly [type: string, id: string])[];
  /** Whether all records were replaced. */
  readonly whole?: boolean;
  /** How many events were lost. */
  readonly count?: number;
  readonly latency_us?: number;
  /** The fields of the context that `contextFields` names. */
  readonly context?: { readonly [field: string]: unknown };
}

interface Wanted {
  /** Of what it is told; without it, of all. That events were dropped it is always told. */
  readonly events?: readonly EventKind[] | null;
  /** What part of the allowed decisions is told, from 0 to 1 (default). All else is always told. */
  readonly sampleAllowed?: number | null;
  /** Fields whose values are hidden. */
  readonly redact?: readonly (keyof Event)[] | null;
  /** Fields of the context that are told; without them none is. */
  readonly contextFields?: readonly string[] | null;
  /** How many events may wait (8192); what comes then is dropped, and counted. */
  readonly queue?: Amount | null;
}

/** To a file of JSON lines, which several processes may share; or to a callback, one event at a time, on the event loop. */
export type LogOptions =
  | (Wanted & {
      readonly path: string;
      /** How large it grows before it is set aside (64 MiB); 0 for ever. */
      readonly rotateBytes?: Amount | null;
      /** How many of those set aside are kept (5). */
      readonly keep?: Amount | null;
      readonly callback?: null;
    })
  | (Wanted & { readonly callback: (event: Event) => unknown; readonly path?: null });

/** What was counted since `measure`. */
export interface Stats {
  readonly measured: boolean;
  /** The upper bounds of the buckets, in microseconds. */
  readonly bounds_us: readonly number[];
  /** The answers of each action with each code; `buckets` has how many took at most each bound, and at last longer than all. */
  readonly decisions: readonly { readonly action: string; readonly code: string; readonly count: number; readonly sum_us: number; readonly buckets: readonly number[] }[];
  readonly errors: readonly { readonly verb: string; readonly code: string; readonly count: number }[];
  readonly reloads: number;
  readonly changes: number;
  readonly events: { readonly delivered: number; readonly dropped: number; readonly failed: number };
}
