// The statistics of an engine for OpenTelemetry: `npm install @opentelemetry/api`.

import type { Meter } from '@opentelemetry/api';
import type { Engine } from './index.js';

/**
 * Makes the engine count, and the meter (by default the global provider's) read it at each
 * collection.
 *
 * `sublet.decisions` is the number of decisions, `sublet.decision.time` their duration in
 * microseconds, and `sublet.decision.buckets` the number with at most `le` microseconds, up
 * to `+Inf`. Each has `action` and `code`. The engine counts by itself, and an observed
 * instrument cannot be a histogram.
 */
export declare function instrument(engine: Engine, meter?: Meter): void;
