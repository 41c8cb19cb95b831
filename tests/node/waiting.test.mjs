// While another process holds the store's lock and stands still: files and names of this process do not wait, signals are seen, and
// each verb is answered, or told so within the bound.
import assert from 'node:assert/strict';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { Engine } from '../../bindings-node/index.mjs';
import { HOST, ROOT, SEND, stoppedHolder } from './holder.mjs';

const AGENCY = readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8');
const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
after(() => rmSync(folder, { recursive: true }));
let made = 0;

/** A store, and its engine. */
async function opened(more = '') {
  const store = `sqlite:${path.join(folder, `${(made += 1)}.db`)}`;
  const engine = await Engine.openAsync(undefined, { store: `${store}${more}` });
  await engine.importLinesAsync(AGENCY);
  return { engine, store };
}

const pause = (time) => new Promise((resolve) => { setTimeout(resolve, time); });

/** How long it took, and the code of its error. */
async function timed(promise) {
  const begun = performance.now();
  const code = await promise.then(() => 'answered', (error) => error.code ?? error.name);
  return [code, performance.now() - begun];
}

test('a stopped holder stops no file, no name, no check', async (context) => {
  const { engine, store } = await opened();
  const holder = await stoppedHolder(engine, store);
  try {
    const waiting = Array.from({ length: 40 }, () => engine.consumeAsync(...SEND, 1, { host: HOST, key: null }));
    const ends = Promise.allSettled(waiting);
    await pause(100);
    const times = { file: [], name: [], check: [], many: [] };
    for (let turn = 0; turn < 20; turn += 1) {
      const [file, name, check, many] = await Promise.all([
        timed(readFile(path.join(ROOT, 'README.md'))),
        timed(lookup('localhost')),
        timed(engine.checkAsync(...SEND, { host: HOST })),
        timed(engine.checkManyAsync([{ principal: SEND[0], action: 'campaign.read', resource: SEND[2], host: HOST }])),
      ]);
      for (const [what, [code, time]] of Object.entries({ file, name, check, many })) {
        assert.equal(code, 'answered', what);
        times[what].push(time);
      }
      assert.equal(engine.check(...SEND, { host: HOST }), true);
      await pause(10);
    }
    // A busy machine delays one now and then; what waits for the holder would take seconds each time.
    for (const [what, all] of Object.entries(times)) {
      all.sort((one, other) => one - other);
      context.diagnostic(`${what}: half took at most ${all[10].toFixed(1)} ms, the slowest ${all[19].toFixed(1)} ms`);
      assert.ok(all[10] < 50 && all[19] < 1000, `${what}: ${all}`);
    }
    holder.goOn();
    for (const { status, reason } of await ends) assert.ok(status === 'fulfilled' || reason.code === 'store.locked', String(reason));
  } finally {
    await holder.end();
  }
  assert.deepEqual((await engine.verifyAsync()).faults, []);
});
