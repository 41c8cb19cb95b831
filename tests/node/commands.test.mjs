// The vectors of commands, run from Node.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Engine, ManualClock, verifyDraw } from '../../bindings-node/index.mjs';
import * as bill from './bill.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = path.join(root, 'tests/vectors/scenes');
const scenes = readdirSync(folder).sort().flatMap((name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')));
const agency = readFileSync(path.join(root, 'policies/tests/agency.jsonl'), 'utf8');

const around = (step, keyed = false) => {
  const names = ['host', 'actor', 'context'].filter((name) => name in step);
  const key = keyed && 'idempotency_key' in step ? { idempotencyKey: step.idempotency_key } : {};
  const session = 'session_start' in step ? { sessionStart: step.session_start } : {};
  return { ...Object.fromEntries(names.map((name) => [name, step[name]])), ...session, ...key };
};

/** Each answer names both identities if there is an actor, and none otherwise (A1). */
const assertIdentities = (decision, step, principal) => assert.deepEqual([decision.actor, decision.subject], step.actor ? [step.actor, principal] : [null, null]);

async function perform(engine, step, verb, tokens, kept) {
  const command = { ...step.perform };
  if (tokens.has(command.token)) command.token = tokens.get(command.token);
  if (kept.payments.has(command.payment)) command.payment = kept.payments.get(command.payment);
  try {
    const { decision, token, entry } = await engine[verb](step.by, command, around(step, true));
    assertIdentities(decision, step, step.by);
    if (typeof step.token === 'string') tokens.set(step.token, token);
    else if (step.token === false) assert.equal(token, null);
    if (step.as && step.replayed) assert.equal(entry, kept.payments.get(step.as));
    else if (step.as) kept.payments.set(step.as, entry);
    return [decision.code, null, decision.replayed];
  } catch (error) {
    if (step.says) assert.ok(error.message.includes(step.says), error.message);
    return [null, error.code, false];
  }
}

async function take(engine, given, verb, clock, tokens, kept) {
  const step = kept.named(given);
  if (bill.isAboutIt(step)) {
    await bill.take(engine, step, verb.slice('perform'.length), kept);
    return;
  }
  const at = JSON.stringify(step);
  if (step.perform) {
    assert.deepEqual(await perform(engine, step, verb, tokens, kept), [step.code ?? null, step.error ?? null, step.replayed ?? false], at);
  } else if (step.consume) {
    const decision = await engine.consumeAsync(...step.consume, around(step, true));
    assertIdentities(decision, step, step.consume[0]);
    assert.deepEqual([decision.code, decision.replayed], [step.code, step.replayed ?? false], at);
  } else if (step.history) {
    const [last] = await engine.historyAsync(step.history, { limit: 1 });
    if (step.has === null) assert.equal(last, undefined, at);
    else for (const [name, value] of Object.entries(step.has)) assert.deepEqual(last[name === 'idempotency_key' ? 'idempotencyKey' : name], value, at);
  } else if (step.record) {
    const found = engine.getRecord(step.record);
    if (step.has === null) assert.equal(found, null, at);
    else for (const [name, value] of Object.entries(step.has)) assert.deepEqual(found[name] ?? null, value, at);
  } else if (step.usage) {
    const [account, meter] = step.usage;
    assert.equal((await engine.usageAsync(account, { meter }))[0].used, step.used, at);
  } else if (step.ask) {
    assert.equal(engine.authorize(...step.ask, around(step)).code, step.code, at);
  } else if (step.explain) {
    const language = 'language' in step ? { language: step.language } : {};
    const { decision, words, because } = engine.explain(...step.explain, { ...around(step), ...language });
    assert.deepEqual([decision.code, words, because?.policy ?? null], [step.code, step.words, step.policy], at);
  } else if (step.reload) {
    await engine.reloadAsync(bill.bundle(step.reload));
  } else if (step.top_up) {
    await engine.topUpAsync(...step.top_up);
  } else if (step.merge) {
    await engine.applyChangesAsync({ merge: [step.merge] });
  } else if (step.import) {
    const exported = engine.exportLines().trimEnd().split('\n').filter((line) => !(step.without ?? []).includes(JSON.parse(line).id));
    await engine.importLinesAsync([...exported, ...step.import.map((one) => JSON.stringify(one))].join('\n'));
  } else if (step.close_due) {
    const found = await engine.closeDueAsync(step.close_due, { after: step.after });
    const short = ({ owner, period, at_risk }) => [owner, period, at_risk];
    assert.deepEqual(found.closed.map(short), step.closed, at);
    if (step.unsettled) assert.deepEqual(found.unsettled.map(short), step.unsettled, at);
    assert.equal(found.next, step.next, at);
  } else if (step.list) {
    const options = Object.fromEntries(['after', 'limit'].filter((name) => name in step).map((name) => [name, step[name]]));
    const reader = step.by ? { principal: step.by } : {};
    const page = await engine.listRecordsAsync(...step.list, { ...reader, ...options, ...around(step) });
    assert.deepEqual([page.records.map(({ id }) => id), page.next], [step.ids, step.next], at);
  } else if (step.export_account) {
    const lines = (await engine.exportAccountAsync(step.export_account)).trimEnd().split('\n');
    const types = {};
    for (const { type } of lines.map((line) => JSON.parse(line))) types[type] = (types[type] ?? 0) + 1;
    assert.deepEqual(types, step.types, at);
  } else if (step.login) {
    const { logCode, principal } = engine.login(...step.login);
    assert.deepEqual([logCode, principal], [step.code, step.principal ?? null], at);
  } else if (step.proof) {
    const proof = () => engine.domainProof(step.proof, step.owner ? { owner: step.owner } : {});
    if (step.error) assert.throws(proof, { code: step.error }, at);
    else assert.equal(proof(), step.is, at);
  } else if (step.hosts_of) {
    const more = Object.fromEntries(['after', 'limit'].filter((name) => name in step).map((name) => [name, step[name]]));
    const page = () => engine.hostsOf(step.hosts_of, more);
    if (step.error) assert.throws(page, { code: step.error }, at);
    else assert.deepEqual(page(), { hosts: step.hosts, next: step.next ?? null }, at);
  } else if (step.reimport) {
    const lines = engine.exportLines();
    await engine.importLinesAsync(lines);
    assert.equal(engine.exportLines(), lines, at);
  } else if (step.login_by_key) {
    const login = await engine.loginByKeyAsync(step.host, tokens.get(step.login_by_key) ?? step.login_by_key);
    assert.equal(login.allowed, login.publicCode !== 'login_refused', at);
    assert.equal(login.logCode, step.code, at);
  } else if (step.advance) {
    clock.advance(step.advance);
    await engine.acceptClockAsync();
  } else {
    await engine.applyChangesAsync({ put: [step.put] });
  }
}

for (const store of ['memory:', 'file']) {
  for (const scene of scenes) {
    test(`${store} ${scene.description}`, async (context) => {
      const [clock, tokens, kept] = [new ManualClock('2026-01-31T12:00:00Z'), new Map(), new bill.StepValues()];
      const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
      context.after(() => rmSync(folder, { recursive: true }));
      const engine = Engine.open(bill.bundle(scene.catalog), { store: store === 'file' ? `sqlite:${folder}/sublet.db` : store, clock });
      await engine.importLinesAsync(agency);
      for (const step of scene.steps) await take(engine, step, store === 'file' ? 'performAsync' : 'perform', clock, tokens, kept);
      assert.deepEqual((await engine.verifyAsync()).faults, []);
    });
  }
}

test('a domain states the DNS record that it needs', async () => {
  const engine = Engine.open(path.join(root, 'policies'));
  engine.importLines(agency);
  const proofs = scenes.flatMap(({ steps }) => steps.flatMap((step) => step.perform?.txt ?? []));
  engine.applyChanges({ put: [{ type: 'Domain', id: 'shop.acme.example', kind: 'whitelabel', owner: 'acme' }] });
  assert.ok(proofs.includes(engine.domainProof('SHOP.acme.example')));
  assert.throws(() => engine.domainProof('dash.marketingmaster.example'), { code: 'directory.unknown_record' });
  assert.throws(() => engine.domainProof(7), { code: 'input.value' });
});

test('an invalid command is a typed error', () => {
  const engine = Engine.open(path.join(root, 'policies'));
  for (const command of [null, undefined, [], 'close', { do: 1 }, { do: 'close', account: null }, new Proxy({}, {})]) {
    assert.throws(() => engine.perform(['Account', 'acme'], command), (error) => ['input.value', 'input.command'].includes(error.code));
  }
  assert.throws(() => engine.perform(['Account', 'acme'], { do: 'close', account: 'x' }, { amount: 1 }), { code: 'input.value' });
});

test('an invalid statement or payment is a typed error', () => {
  for (const given of [null, undefined, [], 'statement', {}, { owner: 'acme' }, 7]) {
    assert.throws(() => verifyDraw(given), (error) => ['input.value', 'input.json'].includes(error.code));
  }
  const engine = Engine.open(path.join(root, 'policies'));
  engine.importLines(agency);
  for (const cents of [true, 1.5, '5', -1, 2n ** 63n, null, NaN]) {
    assert.throws(() => engine.recordPayment('acme', '2026-01', cents), { code: 'input.amount' });
  }
  assert.throws(() => engine.settleOverage('acme', '2025-12', { chioce: [] }), { code: 'input.value' });
  assert.throws(() => engine.settleOverage('acme', '2025-12', { choice: [7] }), { code: 'input.value' });
});
