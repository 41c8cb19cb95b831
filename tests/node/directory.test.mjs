// Changes of the directory and their effects: merges, first starts, stocks that are counted from
// the directory, top-ups.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { Engine, ManualClock, SubletError } from '../../bindings-node/index.mjs';

const path = new URL('../../policies/tests/agency.jsonl', import.meta.url).pathname;
const AGENCY = readFileSync(path, 'utf8');
const host = 'dash.marketingmaster.example';
const ACME = ['Account', 'acme'];

const code = (wanted) => (error) => {
  assert.ok(error instanceof SubletError, String(error));
  assert.equal(error.code, wanted, error.message);
  return true;
};

function openEngine(clock) {
  const engine = Engine.open(undefined, { clock });
  engine.importLines(AGENCY);
  return engine;
}

test('a put names what it resets and a merge keeps the rest', () => {
  const engine = openEngine();
  engine.applyChanges({ merge: [{ type: 'Account', id: 'cafe', disabled: ['abuse'], limits: { emails: 5, contacts: 1 } }] });
  const partial = { type: 'Account', id: 'cafe', email: 'hello@cafe.example', owner: 'acme', level: 'basic', confirmed: true };
  assert.throws(() => engine.applyChanges({ put: [partial] }), (error) => code('directory.would_reset')(error) && /`disabled`, `limits`/.test(error.message));
  engine.applyChanges({ merge: [{ type: 'Account', id: 'cafe', email: 'new@cafe.example', limits: { emails: null } }] });
  const found = engine.getRecord(['Account', 'cafe']);
  assert.deepEqual([found.email, found.disabled, found.limits], ['new@cafe.example', ['abuse'], { contacts: 1 }]);
  engine.applyChanges({ put: [{ ...partial, disabled: [], limits: {} }] });
  assert.deepEqual(engine.getRecord(['Account', 'cafe']).disabled, []);
  assert.throws(() => engine.applyChanges({ merge: [{ type: 'Account', id: 'nobody', closed: true }] }), code('directory.unknown_record'));
  assert.throws(() => engine.applyChanges({ merge: [{ type: 'Account', id: 'cafe', emial: 'x' }] }), code('directory.record'));
});

test('one of several starting processes seeds the directory', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sublet-'));
  try {
    const open = () => Engine.openAsync(undefined, { store: `sqlite:${folder}/s.db` });
    const [one, two] = [await open(), await open()];
    const looked = two.revision;
    assert.deepEqual([await one.seedAsync(AGENCY), await two.seedAsync(AGENCY)], [true, false]);
    await assert.rejects(two.importLinesAsync(AGENCY, { expectedRevision: looked }), code('directory.revision'));
    await assert.rejects(two.importFile(path, { expectedRevision: 0 }), code('directory.revision'));
    const revision = await two.importFile(path, { expectedRevision: two.revision });
    assert.equal(revision, one.revision);
    assert.throws(() => one.seed(AGENCY), code('store.sync'));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('stocks of clients and seats equal the directory', () => {
  const clock = new ManualClock('2026-01-31T12:00:00Z');
  const engine = openEngine(clock);
  const used = () => ['client_accounts', 'members'].map((meter) => engine.usage('acme', { meter })[0].used);
  assert.deepEqual(used(), [3, 3]);
  assert.ok(engine.perform(ACME, { do: 'invite_member', id: 'guest', email: 'guest@acme.example', valid_for: 1000 }, { host }).decision.allowed);
  assert.deepEqual(used(), [3, 4]);
  clock.advance(1000);
  engine.applyChanges({ remove: [['TeamMember', 'dan'], ['Account', 'bakery']] });
  assert.deepEqual(used(), [2, 3]);
  assert.equal(engine.authorize(ACME, 'member.invite', ACME, { host, amount: 1 }).quota[0].used, 3);
  assert.throws(() => engine.consume(ACME, 'member.invite', ACME, 1, { host }), code('quota.counted_by_directory'));
});

test('top-ups are reversed by key and a manual clock may jump', async () => {
  const clock = new ManualClock('2026-01-31T12:00:00Z');
  const engine = openEngine(clock);
  engine.topUp('acme', 'contacts', 10, { idempotencyKey: 'charge/1' });
  clock.set('2031-01-31T12:00:00Z');
  const back = engine.revokeTopUp('acme', 'charge/1');
  assert.deepEqual([back.quota[0].topUp, back.replayed, (await engine.revokeTopUpAsync('acme', 'charge/1')).replayed], [0, false, true]);
  assert.equal(engine.history('acme', { limit: 1 })[0].kind, 'revoke_top_up');
  assert.throws(() => engine.revokeTopUp('acme', 'charge/2'), code('quota.unknown_top_up'));
  assert.deepEqual(engine.verify().faults, []);
});
