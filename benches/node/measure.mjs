// Medians of rounds in which the contestants take turns, and the rows that the table at the end reads.

import { writeFileSync } from 'node:fs';
import path from 'node:path';

export const size = (name, fallback) => Number(process.env[name] ?? fallback);
export const ROUNDS = Math.max(5, size('SUBLET_BENCH_ROUNDS', 9));
export const DIRECTORY = process.env.SUBLET_BENCH_DIR ?? 'target/bench';
/** How long one contestant is timed in one round, at least, in nanoseconds. */
const TURN = 20_000_000n;
/** Rounds in which the compiler warms up. */
const WARM = 3;

export const median = (numbers) => [...numbers].sort((one, other) => one - other)[numbers.length >> 1];

/** The rows of this part, written one by one in case a later one fails. */
export class Report {
  #rows = [];

  constructor(part) {
    this.file = path.join(DIRECTORY, `${part}.json`);
  }

  row(name, unit, ours, peer = null, checked = true) {
    console.log(`${name}: ${ours.toFixed(1)} ${unit}${peer === null ? '' : `  peer ${peer.toFixed(1)}  ratio ${(ours / peer).toFixed(4)}`}`);
    this.#rows.push({ name, unit, ours, peer, checked });
    writeFileSync(this.file, JSON.stringify(this.#rows, null, 1));
  }
}

/** Nanoseconds for each item; a pass asks all items, in the order in which they were drawn. */
export function race(passes, items, rounds = ROUNDS) {
  const found = passes.map(() => []);
  for (let round = -WARM; round < rounds; round += 1) {
    for (let turn = 0; turn < passes.length; turn += 1) {
      const at = (turn + round + WARM) % passes.length;
      const begun = process.hrtime.bigint();
      let times = 0;
      let now = begun;
      while (now - begun < TURN) {
        passes[at]();
        times += 1;
        now = process.hrtime.bigint();
      }
      if (round >= 0) found[at].push(Number(now - begun) / times / items);
    }
  }
  return found.map(median);
}
