// The engine: one for the process, on the store that both services share. While trying out the clock is set by hand: the instant stands in a file that
// each process reads before it asks (`office/clock.py` says why that is enough).
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Engine, ManualClock } from 'sublet';
import { policies, state, store, trying } from './settings.mjs';

const said = () => readFileSync(path.join(state, 'clock'), 'utf8');
const clock = trying ? new ManualClock(said()) : null;
const opened = await Engine.openAsync(policies, { store, clock });

/** The present instant, by the clock that Sublet goes by. */
export const now = () => (trying ? said() : new Date().toISOString());

/** The engine, its clock set. */
export function engine() {
  clock?.set(said());
  return opened;
}
