// The counts of an engine for Prometheus: `npm install prom-client`.

import type { Registry } from 'prom-client';
import type { Engine } from './index.js';

/** Makes the engine count, and has the registry (without one, prom-client's own) read it at each scrape. */
export declare function collect(engine: Engine, registry?: Registry): void;
