// The statistics of an engine for Prometheus: `npm install prom-client`.

import type { Registry } from 'prom-client';
import type { Engine } from './index.js';

/**
 * Makes the engine count, and the registry (by default prom-client's) read it at each
 * scrape.
 */
export declare function collect(engine: Engine, registry?: Registry): void;
