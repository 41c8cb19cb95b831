// Every async method while the process that holds the write lock stands still. It ends with an
// answer or `store.locked` within the bound. An abort ends it within 0.3 s, and files can be read
// meanwhile.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { Engine, ManualClock } from '../../bindings-node/index.mjs';
import { HOST, ROOT, SEND, stoppedHolder } from './holder.mjs';

const TRIES = Number(process.env.SUBLET_STOPS ?? 1);
const BOUND = 300;
// Extra time for a busy machine, in milliseconds.
const MARGIN = 700;
const FILE = path.join(ROOT, 'policies/tests/agency.jsonl');
const AGENCY = readFileSync(FILE, 'utf8');
const ACME = SEND[0];
const KEEP = [ACME, 'contact.create', ['Contact', 'c', 'acme']];
const TICKET = { type: 'Ticket', id: 't', account: 'bakery', attributes: { desk: 'owner' } };
const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
after(() => rmSync(folder, { recursive: true }));

const pause = (time) => new Promise((resolve) => { setTimeout(resolve, time); });

/** The calls, each with additional options; `at` names the content of the store. */
const calls = (engine, at) => ({
  acceptClockAsync: (more) => engine.acceptClockAsync(more),
  permittedActionsAsync: (more) => engine.permittedActionsAsync(ACME, ACME, { host: HOST, ...more }),
  increaseStockAsync: (more) => engine.increaseStockAsync(...KEEP, 1, { host: HOST, ...more }),
  authorizeAsync: (more) => engine.authorizeAsync(...SEND, { host: HOST, amount: 1, ...more }),
  authorizeManyAsync: (more) => engine.authorizeManyAsync([{ principal: ACME, action: 'campaign.read', resource: SEND[2], host: HOST }], more),
  batchAsync: (more) => engine.batchAsync([{ principal: ACME, action: SEND[1], resource: SEND[2], host: HOST }], more),
  carryOverAsync: (more) => engine.carryOverAsync('acme', 'emails', 1, more),
  applyChangesAsync: (more) => engine.applyChangesAsync({ merge: [{ type: 'Account', id: 'acme', anchor: '2026-01-05' }] }, more),
  checkAsync: (more) => engine.checkAsync(...SEND, { host: HOST, amount: 1, ...more }),
  checkManyAsync: (more) => engine.checkManyAsync([{ principal: ACME, action: 'campaign.read', resource: SEND[2], host: HOST }], more),
  commitAsync: (more) => engine.commitAsync(at.held[0], more),
  consumeAsync: (more) => engine.consumeAsync(...SEND, 1, { host: HOST, ...more }),
  routeTicketAsync: (more) => engine.routeTicketAsync(ACME, ACME, { host: HOST, ...more }),
  hostsOfAsync: (more) => engine.hostsOfAsync('acme', more),
  domainProofAsync: (more) => engine.domainProofAsync('app.acme.example', more),
  escalateTicketAsync: (more) => engine.escalateTicketAsync(ACME, TICKET, { host: HOST, ...more }),
  explainAsync: (more) => engine.explainAsync(...SEND, { host: HOST, amount: 1, ...more }),
  exportLinesAsync: (more) => engine.exportLinesAsync(more),
  historyAsync: (more) => engine.historyAsync('acme', more),
  importFile: (more) => engine.importFile(FILE, more),
  importLinesAsync: (more) => engine.importLinesAsync(AGENCY, more),
  loginAsync: (more) => engine.loginAsync(HOST, 'owner@acme.example', more),
  loginByKeyAsync: (more) => engine.loginByKeyAsync(HOST, 'none', more),
  listRecordsAsync: (more) => engine.listRecordsAsync('clients', 'acme', more),
  exportAccountAsync: (more) => engine.exportAccountAsync('acme', more),
  openTicketAsync: (more) => engine.openTicketAsync(ACME, ACME, { host: HOST, ...more }),
  performAsync: (more) => engine.performAsync(ACME, { do: 'create_level', id: 'level', features: ['campaigns'] }, { host: HOST, ...more }),
  previewStatementAsync: (more) => engine.previewStatementAsync('acme', more),
  getRecordAsync: (more) => engine.getRecordAsync(ACME, more),
  recordPaymentAsync: (more) => engine.recordPaymentAsync('acme', '2026-01', 1, more),
  refreshAsync: (more) => engine.refreshAsync(more),
  refundAsync: (more) => engine.refundAsync(at.taken, { amount: 1, ...more }),
  releaseAsync: (more) => engine.releaseAsync(at.held[1], more),
  reloadAsync: (more) => engine.reloadAsync(undefined, more),
  replyTicketAsync: (more) => engine.replyTicketAsync(ACME, TICKET, { host: HOST, ...more }),
  reserveAsync: (more) => engine.reserveAsync(...SEND, 1, 1000, { host: HOST, ...more }),
  reversePaymentAsync: (more) => engine.reversePaymentAsync(at.payment, more),
  revokeTopUpAsync: (more) => engine.revokeTopUpAsync('acme', 'bought', more),
  seedAsync: (more) => engine.seedAsync(AGENCY, more),
  setStockAsync: (more) => engine.setStockAsync(...KEEP, 1, { host: HOST, ...more }),
  closeMonthAsync: (more) => engine.closeMonthAsync('acme', '2026-01', more),
  closeDueAsync: (more) => engine.closeDueAsync(10, more),
  settleOverageAsync: (more) => engine.settleOverageAsync('acme', '2026-01', more),
  statementAsync: (more) => engine.statementAsync('acme', '2026-01', more),
  decreaseStockAsync: (more) => engine.decreaseStockAsync(...KEEP, 1, { host: HOST, ...more }),
  topUpAsync: (more) => engine.topUpAsync('acme', 'emails', 1, more),
  usageAsync: (more) => engine.usageAsync('acme', more),
  verifyAsync: (more) => engine.verifyAsync(more),
});
// Plain Cedar programs have no store.
const OTHERS = ['reloadCedarAsync'];

/** Returns a store in which each method has an effect. */
async function openEngine() {
  const clock = new ManualClock('2026-01-10T12:00:00Z');
  const store = `sqlite:${path.join(folder, 'sublet.db')}`;
  const engine = await Engine.openAsync(undefined, { store: `${store}?lock_timeout=${BOUND}`, clock });
  await engine.importLinesAsync(AGENCY);
  await engine.topUpAsync('acme', 'emails', 100, { idempotencyKey: 'bought' });
  const taken = (await engine.consumeAsync(...SEND, 5, { host: HOST })).operation;
  clock.set('2026-02-10T12:00:00Z');
  const { payment } = await engine.recordPaymentAsync('acme', '2026-01', 1);
  const held = [];
  for (let turn = 0; turn < 2; turn += 1) held.push((await engine.reserveAsync(...SEND, 1, 3_600_000, { host: HOST })).operation);
  return { engine, store, at: { taken, payment, held } };
}

/** Returns the code of a call and the time that it took. */
async function timeCall(promise) {
  const begun = performance.now();
  const code = await promise.then(() => 'answered', (error) => (error.name === 'AbortError' ? error.name : error.code ?? String(error)));
  return [code, performance.now() - begun];
}

test('every async method is tried', () => {
  const names = new Set();
  for (let kind = Engine.prototype; kind !== Object.prototype; kind = Object.getPrototypeOf(kind)) {
    for (const name of Object.getOwnPropertyNames(kind)) names.add(name);
  }
  const tried = Object.keys(calls());
  assert.deepEqual([...names].filter((name) => name.endsWith('Async') && !tried.includes(name) && !OTHERS.includes(name)), []);
});

// Files can be read meanwhile.
test('each async method ends in time and on abort', async (context) => {
  const { engine, store, at } = await openEngine();
  const verbs = calls(engine, at);
  // Without a holder each method works. A call that was completed before may be refused now.
  for (const name of ['consumeAsync', 'statementAsync', 'setStockAsync', 'replyTicketAsync']) assert.equal((await timeCall(verbs[name]({})))[0], 'answered', name);
  const [, loading] = await timeCall(engine.reloadAsync());
  const holder = await stoppedHolder(engine, store, '2026-02-10T12:00:00Z');
  const reads = [];
  try {
    for (let turn = 0; turn < TRIES; turn += 1) {
      for (const [name, call] of Object.entries(verbs)) {
        const slack = name === 'reloadAsync' ? 2 * loading : 0;
        const asked = timeCall(call({}));
        await pause(5);
        reads.push((await timeCall(readFile(path.join(ROOT, 'README.md'))))[1]);
        const [code, took] = await asked;
        assert.ok(['answered', 'store.locked'].includes(code), `${name}: ${code}`);
        assert.ok(took < BOUND + MARGIN + slack, `${name} took ${took} ms`);
        const control = new AbortController();
        const aborted = timeCall(call({ signal: control.signal }));
        await pause(30);
        const begun = performance.now();
        control.abort();
        const [found] = await aborted;
        assert.ok(['answered', 'store.locked', 'AbortError', 'directory.cancelled'].includes(found), `${name}: ${found}`);
        // Loading a bundle is work, not a wait. It is completed before the promise settles.
        assert.ok(performance.now() - begun < 300 + slack, `${name} ended ${performance.now() - begun} ms after its signal`);
      }
    }
  } finally {
    await holder.end();
  }
  reads.sort((one, other) => one - other);
  const [half, most] = [reads[Math.floor(reads.length / 2)], reads.at(-1)];
  context.diagnostic(`${reads.length} files were read: half in at most ${half.toFixed(1)} ms, the slowest in ${most.toFixed(1)} ms`);
  // A busy machine delays single reads. A read that waits for the holder would take 300 ms each
  // time.
  assert.ok(half < 50 && reads[Math.floor(reads.length * 0.9)] < 150, `${half}, ${most}`);
  await holder.asked;
  assert.deepEqual((await engine.verifyAsync()).faults, []);
});
