// A stopped process holds the write lock. Files and name look-ups of this process do not wait,
// signals are seen, and each method ends within the bound.
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

/** Returns an engine and the name of its store. */
async function openEngine(more = '') {
  const store = `sqlite:${path.join(folder, `${(made += 1)}.db`)}`;
  const engine = await Engine.openAsync(undefined, { store: `${store}${more}` });
  await engine.importLinesAsync(AGENCY);
  return { engine, store };
}

const pause = (time) => new Promise((resolve) => { setTimeout(resolve, time); });

/** Returns the code of a call and the time that it took. */
async function timeCall(promise) {
  const begun = performance.now();
  const code = await promise.then(() => 'answered', (error) => (error.name === 'AbortError' ? error.name : error.code));
  return [code, performance.now() - begun];
}

test('a stopped holder blocks no file, lookup or check', async (context) => {
  const { engine, store } = await openEngine();
  const holder = await stoppedHolder(engine, store);
  try {
    const waiting = Array.from({ length: 40 }, () => engine.consumeAsync(...SEND, 1, { host: HOST, idempotencyKey: null }));
    const ends = Promise.allSettled(waiting);
    await pause(100);
    const times = { file: [], name: [], check: [], many: [] };
    for (let turn = 0; turn < 20; turn += 1) {
      const [file, name, check, many] = await Promise.all([
        timeCall(readFile(path.join(ROOT, 'README.md'))),
        timeCall(lookup('localhost')),
        timeCall(engine.checkAsync(...SEND, { host: HOST })),
        timeCall(engine.checkManyAsync([{ principal: SEND[0], action: 'campaign.read', resource: SEND[2], host: HOST }])),
      ]);
      for (const [what, [code, time]] of Object.entries({ file, name, check, many })) {
        assert.equal(code, 'answered', what);
        times[what].push(time);
      }
      assert.equal(engine.check(...SEND, { host: HOST }), true);
      await pause(10);
    }
    // A busy machine delays single calls. A call that waits for the holder would take seconds each
    // time.
    for (const [what, all] of Object.entries(times)) {
      all.sort((one, other) => one - other);
      context.diagnostic(`${what}: half took at most ${all[10].toFixed(1)} ms, the slowest ${all[19].toFixed(1)} ms`);
      assert.ok(all[10] < 50 && all[19] < 1000, `${what}: ${all}`);
    }
    holder.resume();
    for (const { status, reason } of await ends) assert.ok(status === 'fulfilled' || reason.code === 'store.locked', String(reason));
  } finally {
    await holder.end();
  }
  assert.deepEqual((await engine.verifyAsync()).faults, []);
});

test('a signal ends the wait for the lock', async () => {
  const { engine, store } = await openEngine();
  const holder = await stoppedHolder(engine, store);
  const before = (await engine.getRecord(SEND[0])).id;
  try {
    const item = { principal: SEND[0], action: SEND[1], resource: SEND[2], host: HOST };
    const calls = {
      consume: (signal) => engine.consumeAsync(...SEND, 1, { host: HOST, signal }),
      reserve: (signal) => engine.reserveAsync(...SEND, 1, 1000, { host: HOST, signal }),
      batch: (signal) => engine.batchAsync([item], { signal }),
      perform: (signal) => engine.performAsync(SEND[0], { do: 'create_level', id: 'l', features: ['campaigns'] }, { host: HOST, signal }),
      topUp: (signal) => engine.topUpAsync('acme', 'emails', 1, { signal }),
      change: (signal) => engine.applyChangesAsync({ put: [{ type: 'AccessLevel', id: 'm', owner: 'acme', features: ['campaigns'] }] }, { signal }),
      import: (signal) => engine.importLinesAsync(AGENCY, { signal }),
    };
    for (const [verb, start] of Object.entries(calls)) {
      const control = new AbortController();
      const asked = timeCall(start(control.signal));
      await pause(200);
      const begun = performance.now();
      control.abort();
      const [code] = await asked;
      assert.equal(code, 'AbortError', verb);
      assert.ok(performance.now() - begun < 300, `${verb} ended after ${performance.now() - begun} ms`);
    }
    // Every waiting call ends, whether or not it has started.
    const control = new AbortController();
    const many = Array.from({ length: 40 }, () => timeCall(calls.consume(control.signal)));
    await pause(100);
    control.abort();
    const begun = performance.now();
    for (const [code] of await Promise.all(many)) assert.equal(code, 'AbortError');
    assert.ok(performance.now() - begun < 300);
    const file = new AbortController();
    const imported = timeCall(engine.importFile(path.join(ROOT, 'policies/tests/agency.jsonl'), { signal: file.signal }));
    await pause(200);
    file.abort();
    assert.equal((await imported)[0], 'directory.cancelled');
  } finally {
    await holder.end();
  }
  assert.equal(before, 'acme');
  await holder.asked;
  const history = await engine.historyAsync('acme', { limit: 10 });
  // No cancelled call is in the store. The debits of the holder and the call that found the holder
  // stopped may be.
  assert.ok(history.every(({ kind, parts }) => kind === 'consume' && parts.every(({ used }) => used <= 1)), JSON.stringify(history.map(({ kind }) => kind)));
  assert.deepEqual((await engine.verifyAsync()).faults, []);
});

test('parallel waits share one time limit', async () => {
  const { engine, store } = await openEngine('?lock_timeout=1000');
  const open = () => Engine.openAsync(undefined, { store: `${store}?lock_timeout=1000` });
  const [, loading] = await timeCall(open());
  const holder = await stoppedHolder(engine, store);
  try {
    // An engine loads its policies before it waits for the lock.
    const [found, opening] = await timeCall(open());
    assert.equal(found, 'store.locked');
    assert.ok(opening < 2000 + 2 * loading, `opening took ${opening} ms, and ${loading} ms without a holder`);
    const verbs = [
      () => engine.consumeAsync(...SEND, 1, { host: HOST }),
      () => engine.usageAsync('acme'),
      () => engine.historyAsync('acme'),
      () => engine.verifyAsync(),
      () => engine.topUpAsync('acme', 'emails', 1),
      () => engine.applyChangesAsync({ put: [{ type: 'AccessLevel', id: 'm', owner: 'acme', features: ['campaigns'] }] }),
      () => engine.performAsync(SEND[0], { do: 'create_level', id: 'l', features: ['campaigns'] }, { host: HOST }),
      () => engine.previewStatementAsync('acme'),
      () => engine.refreshAsync(),
    ];
    for (const verb of verbs) {
      const [code, time] = await timeCall(verb());
      assert.ok(['answered', 'store.locked'].includes(code), `${verb}: ${code}`);
      assert.ok(time < 2000, `${verb} took ${time} ms`);
    }
    const all = await Promise.all(Array.from({ length: 50 }, () => timeCall(engine.consumeAsync(...SEND, 1, { host: HOST }))));
    for (const [code, time] of all) {
      assert.equal(code, 'store.locked');
      assert.ok(time < 2000, `one of many took ${time} ms`);
    }
  } finally {
    await holder.end();
  }
  assert.equal((await engine.consumeAsync(...SEND, 1, { host: HOST })).allowed, true);
});
