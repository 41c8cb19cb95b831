// The counts of an engine for OpenTelemetry: `npm install @opentelemetry/api`.

import type { Meter } from '@opentelemetry/api';
import type { Engine } from './index.js';

/**
 * Makes the engine count, and has the meter (without one, that of the provider in force) read it at each collection: what was
 * answered is `sublet.decisions`, how long it took together `sublet.decision.time` in microseconds, and how many took at most `le`
 * microseconds (a text, at last `+Inf`) `sublet.decision.buckets`, each by `action` and `code`.
 */
export declare function instrument(engine: Engine, meter?: Meter): void;
