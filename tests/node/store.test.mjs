// The file store from Node: promises for calls that may wait for it, signals that cancel a call,
// worker threads.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Engine, ManualClock, SubletError } from '../../bindings-node/index.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const AGENCY = readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8');
const SUBLET = pathToFileURL(path.join(ROOT, 'bindings-node/index.mjs')).href;
const host = 'dash.marketingmaster.example';
const SEND = [['Account', 'acme'], 'campaign.send', ['Campaign', 'k', 'acme']];
const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
after(() => rmSync(folder, { recursive: true }));

let made = 0;
const store = () => `sqlite:${path.join(folder, `${(made += 1)}.db`)}`;
const acme = (emails) => ({ type: 'Account', id: 'acme', email: 'owner@acme.example', package: 'agency', confirmed: true, limits: { emails } });

async function openEngine(limit, where = store()) {
  const engine = await Engine.openAsync(undefined, { store: where });
  await engine.importLinesAsync(AGENCY);
  await engine.applyChangesAsync({ put: [acme(limit)] });
  return { engine, where };
}

const send = (engine, amount = 1, more = {}) => engine.consumeAsync(...SEND, amount, { host, ...more });
const used = async (engine) => (await engine.usageAsync('acme', { meter: 'emails' }))[0].used;

const code = (wanted) => (error) => {
  assert.ok(error instanceof SubletError, String(error));
  assert.equal(error.code, wanted, error.message);
  assert.ok(error.help);
  return true;
};

// The counts outlive the engine.
test('fifty concurrent calls get exactly the limit', async () => {
  const { engine, where } = await openEngine(30);
  const answers = await Promise.all(Array.from({ length: 50 }, () => send(engine)));
  assert.equal(answers.filter(({ allowed }) => allowed).length, 30);
  assert.deepEqual(await engine.verifyAsync(), { buckets: 1, operations: 30, faults: [] });
  const again = Engine.open(undefined, { store: where });
  assert.equal(again.revision, engine.revision);
  assert.equal(await used(again), 30);
  assert.equal((await send(again)).code, 'quota_exceeded');
});

test('every method has an async form', async () => {
  const { engine } = await openEngine(100);
  const taken = await send(engine, 10, { idempotencyKey: 'k' });
  assert.equal((await send(engine, 10, { idempotencyKey: 'k' })).replayed, true);
  await assert.rejects(send(engine, 11, { idempotencyKey: 'k' }), code('quota.idempotency_mismatch'));
  const held = await engine.reserveAsync(...SEND, 5, 60_000, { host });
  assert.equal((await engine.commitAsync(held.operation, { amount: 3 })).quota[0].used, 13);
  const other = await engine.reserveAsync(...SEND, 5, 60_000, { host });
  assert.equal((await engine.releaseAsync(other.operation)).quota[0].held, 0);
  assert.equal((await engine.refundAsync(taken.operation, { amount: 4 })).quota[0].used, 9);
  assert.equal((await engine.topUpAsync('acme', 'emails', 7)).quota[0].limit, 107);
  assert.equal((await engine.carryOverAsync('acme', 'emails', 1)).quota[0].used, 10);
  const contact = [['Account', 'acme'], 'contact.create', ['Contact', 'c', 'acme']];
  assert.equal((await engine.setStockAsync(...contact, 4, { host })).quota[0].used, 4);
  assert.equal((await engine.increaseStockAsync(...contact, 2, { host })).quota[0].used, 6);
  assert.equal((await engine.decreaseStockAsync(...contact, 1, { host })).quota[0].used, 5);
  const item = { principal: SEND[0], action: SEND[1], resource: SEND[2], host };
  assert.deepEqual((await engine.batchAsync([item, { ...item, amount: 2 }])).map(({ allowed }) => allowed), [true, true]);
  assert.equal((await engine.historyAsync('acme', { limit: 3 })).length, 3);
  assert.equal(await engine.acceptClockAsync(), undefined);
  assert.equal(await used(engine), 13);
  assert.deepEqual((await engine.verifyAsync()).faults, []);
});

test('blocking methods are refused on a file store', async () => {
  const { engine } = await openEngine(100);
  for (const work of [
    () => engine.consume(...SEND, 1, { host }),
    () => engine.reserve(...SEND, 1, 1000, { host }),
    () => engine.usage('acme'),
    () => engine.verify(),
    () => engine.applyChanges({ put: [acme(1)] }),
    () => engine.importLines(AGENCY),
  ]) assert.throws(work, code('store.sync'));
  assert.throws(() => engine.resetCounts(), code('store.verb'));
  assert.equal(await used(engine), 0);
  assert.equal(engine.check(...SEND, { host, amount: 100 }), true);
  assert.equal(engine.check(...SEND, { host, amount: 101 }), false);
});

test('invalid arguments reject and write nothing', async () => {
  const { engine } = await openEngine('unlimited');
  await send(engine);
  for (const amount of [-1, -1n, 2n ** 63n, 1.5, NaN, '1', true, 2 ** 53, null]) await assert.rejects(send(engine, amount), code('input.amount'));
  assert.equal((await send(engine, 2n ** 63n - 1n)).code, 'quota_exceeded');
  await assert.rejects(engine.consumeAsync('nobody', 'x', 'y'), code('input.value'));
  await assert.rejects(send(engine, 1, { signal: 'no' }), code('input.value'));
  await assert.rejects(Engine.openAsync(undefined, { store: 'sqlite:/no/such/folder/x.db' }), code('store.unreachable'));
  assert.throws(() => Engine.open(undefined, { store: 'redis:' }), code('store.unknown'));
  assert.equal(await used(engine), 1);
});

test('an aborted signal debits nothing', async () => {
  const { engine } = await openEngine(100);
  const reason = new Error('too late');
  await assert.rejects(send(engine, 1, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
  await assert.rejects(engine.applyChangesAsync({ put: [acme(1)] }, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal(await used(engine), 0);
  assert.equal((await send(engine, 1, { signal: new AbortController().signal })).allowed, true);
  assert.equal((await send(engine, 1, { signal: null })).allowed, true);
  const request = { principal: SEND[0], action: SEND[1], resource: SEND[2], host };
  for (const verb of ['checkManyAsync', 'authorizeManyAsync']) {
    await assert.rejects(engine[verb]([request], { signal: AbortSignal.abort(reason) }), (error) => error === reason);
    await assert.rejects(engine[verb]([request], { signal: 'no' }), code('input.value'));
    assert.equal((await engine[verb]([request], { signal: null })).length, 1);
  }
  const fresh = store();
  await assert.rejects(Engine.openAsync(undefined, { store: fresh, signal: AbortSignal.abort(reason) }), (error) => error === reason);
  assert.ok(!existsSync(fresh.slice('sqlite:'.length)));
  assert.throws(() => Engine.open(undefined, { signal: AbortSignal.abort() }), code('input.value'));
});

test('a long batch is cancelled during its conversion', async () => {
  const { engine } = await openEngine(10);
  const request = { principal: SEND[0], action: SEND[1], resource: SEND[2], host };
  const control = new AbortController();
  const asked = engine.checkManyAsync(Array(100_000).fill(request), { signal: control.signal });
  const reason = new Error('enough');
  setImmediate(() => control.abort(reason));
  await assert.rejects(asked, (error) => error === reason);
  assert.deepEqual(await engine.checkManyAsync([request]), [true]);
});

// After the calls it has none.
test('one signal for many calls has one listener', async () => {
  const { engine } = await openEngine(1000);
  const warnings = [];
  const warned = (warning) => warnings.push(warning.name);
  process.on('warning', warned);
  const { signal } = new AbortController();
  for (let round = 0; round < 3; round += 1) await Promise.all(Array.from({ length: 60 }, () => send(engine, 1, { signal })));
  const request = { principal: SEND[0], action: SEND[1], resource: SEND[2], host };
  await Promise.all(Array.from({ length: 20 }, () => engine.checkManyAsync([request], { signal })));
  await Promise.all(Array.from({ length: 20 }, () => Engine.openAsync(undefined, { signal })));
  const memory = Engine.open();
  // Some of the imports that start together have not seen the writes of another one.
  const imports = await Promise.allSettled(Array.from({ length: 20 }, () => memory.importFile(path.join(ROOT, 'policies/tests/agency.jsonl'), { signal })));
  assert.ok(imports.some(({ status }) => status === 'fulfilled'));
  for (const { status, reason } of imports) assert.ok(status === 'fulfilled' || reason.code === 'directory.revision', String(reason));
  await new Promise(setImmediate);
  process.off('warning', warned);
  assert.deepEqual(warnings, []);
  const { getEventListeners } = await import('node:events');
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  assert.equal(await used(engine), 180);
});

test('a queued call is cancelled and a started one answers', async () => {
  const { engine, where } = await openEngine(1000);
  // Imports from silent pipes occupy all threads that may wait for a file.
  const pipes = [1, 2, 3].map((at) => path.join(folder, `pipe${at}`));
  execFileSync('mkfifo', pipes);
  const writers = pipes.map((pipe) => openSync(pipe, 'r+'));
  const memory = Engine.open();
  const imports = pipes.map((pipe) => memory.importFile(pipe));
  const control = new AbortController();
  const { signal } = control;
  const calls = [...Array.from({ length: 40 }, () => send(engine, 1, { signal })), Engine.openAsync(undefined, { store: where, signal })];
  const request = { principal: SEND[0], action: SEND[1], resource: SEND[2], host };
  // One thread is reserved for reads.
  assert.deepEqual(await engine.checkManyAsync([request]), [true]);
  control.abort(new Error('given up'));
  const found = await Promise.allSettled(calls);
  assert.deepEqual([...new Set(found.map(({ status, reason }) => `${status} ${reason?.message}`))], ['rejected given up']);
  for (const writer of writers) closeSync(writer);
  for (const { status, reason } of await Promise.allSettled(imports)) assert.ok(status === 'fulfilled' || reason.code === 'directory.revision', String(reason));
  assert.equal(await used(engine), 0);
  // A call that has started is answered.
  const late = new AbortController();
  const begun = await Promise.all([send(engine, 1, { signal: late.signal }), used(engine)]);
  late.abort();
  assert.equal(begun[0].allowed, true);
  assert.equal(await used(engine), 1);
});

test('worker threads share the counts of one file', async () => {
  const { engine, where } = await openEngine(300);
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.sublet).then(async ({ Engine }) => {
      const engine = await Engine.openAsync(undefined, { store: workerData.where });
      let granted = 0;
      for (let at = 0; at < 100; at += 1) granted += Number((await engine.consumeAsync(...workerData.SEND, 1, { host: workerData.host })).allowed);
      parentPort.postMessage(granted);
    });
  `;
  const workers = Array.from({ length: 4 }, () => new Worker(script, { eval: true, workerData: { sublet: SUBLET, where, SEND, host } }));
  const granted = await Promise.all(workers.map((worker) => new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject))));
  assert.equal(granted.reduce((sum, each) => sum + each), 300);
  assert.equal(await used(engine), 300);
});

test('window vectors are exact', () => {
  const bundle = path.join(ROOT, 'policies');
  const files = Object.fromEntries(readdirSync(bundle, { withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => [name, readFileSync(path.join(bundle, name), 'utf8')]));
  const catalog = JSON.parse(files['catalog.json']);
  const rows = JSON.parse(readFileSync(path.join(ROOT, 'tests/vectors/windows.json'), 'utf8'));
  const just = (instant, milliseconds) => {
    const clock = new ManualClock(instant);
    clock.advance(milliseconds);
    return clock.now();
  };
  for (const window of new Set(rows.map((row) => row.window))) {
    const meters = { ...catalog.meters, emails: { ...catalog.meters.emails, window } };
    // The instants in ascending order, because time never goes back.
    const asked = rows.filter((row) => row.window === window).flatMap((row) => {
      const around = row.start === null ? [] : [[just(row.start, -1), row.start], [row.start, row.end]];
      return [[row.at, row.end], ...around].map(([at, end]) => ({ row, at, end }));
    });
    asked.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
    const clock = new ManualClock(asked[0].at);
    const engine = Engine.open({ ...files, 'catalog.json': JSON.stringify({ ...catalog, meters }) }, { clock });
    for (const { row, at, end } of asked) {
      clock.set(at);
      engine.acceptClock();
      const calendar = { zone: row.zone ?? null, anchor: row.anchor ?? null };
      engine.applyChanges({ put: [{ type: 'Platform', id: 'p' }, { ...acme(5), ...calendar }] });
      assert.equal(engine.usage('acme', { meter: 'emails' })[0].resetsAt, end, `${row.description}, at ${at}`);
    }
  }
});
