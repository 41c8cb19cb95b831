// Answers and errors are plain data. JSON, structuredClone, postMessage and console.log show them
// whole, and none holds a BigInt.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { MessageChannel, Worker } from 'node:worker_threads';
import { Decision, DeniedError, Engine, ManualClock, SubletError, verifyDraw } from '../../bindings-node/index.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const AGENCY = readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8');
const [MAIN, APP] = ['dash.marketingmaster.example', 'app.acme.example'];
const [ACME, BAKERY] = [['Account', 'acme'], ['Account', 'bakery']];
const CAMPAIGN = ['Campaign', 'k', 'acme'];
const LARGE = 2n ** 53n + 10n;

function openEngine() {
  const engine = Engine.open(undefined, { clock: new ManualClock('2026-03-10T12:00:00Z') });
  engine.importLines(AGENCY);
  return engine;
}

function catchError(work) {
  try {
    work();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
}

/** Returns one answer and one error of each kind. */
async function answersAndErrors() {
  const engine = openEngine();
  const sent = engine.consume(ACME, 'campaign.send', CAMPAIGN, 5, { host: MAIN, idempotencyKey: 'a' });
  const held = engine.reserve(ACME, 'campaign.send', CAMPAIGN, 5, 60_000, { host: MAIN });
  const progress = [];
  await engine.importFile(path.join(ROOT, 'policies/tests/agency.jsonl'), { progress: (found) => void progress.push(found) });
  return {
    decision: engine.authorize(ACME, 'campaign.read', CAMPAIGN, { host: MAIN }),
    denial: engine.authorize(ACME, 'campaign.read', ['Campaign', 'k', 'bakery'], { host: MAIN }),
    exact: engine.authorize(ACME, 'campaign.read', CAMPAIGN, { host: MAIN, channel: 'web' }),
    sent,
    held,
    commit: engine.commit(held.operation, { amount: 3 }),
    refund: engine.refund(sent.operation, { amount: 1 }),
    topUp: engine.topUp('acme', 'emails', LARGE),
    carried: engine.carryOver('acme', 'emails', LARGE),
    batch: engine.batch([{ principal: ACME, action: 'campaign.send', resource: CAMPAIGN, host: MAIN, amount: 1 }]),
    performed: engine.perform(ACME, { do: 'create_level', id: 'lvl', features: ['campaigns'] }, { host: MAIN }),
    login: engine.login(MAIN, 'owner@acme.example'),
    route: engine.openTicket(BAKERY, BAKERY, { host: APP }),
    desk: engine.routeTicket(BAKERY, BAKERY, { host: APP }),
    usage: engine.usage('acme'),
    history: engine.history('acme'),
    verification: engine.verify(),
    statement: engine.previewStatement('acme'),
    explanation: engine.explain(ACME, 'campaign.read', CAMPAIGN, { host: MAIN }),
    bundle: engine.bundle(),
    stats: engine.metrics(),
    record: engine.getRecord(ACME),
    revision: { revision: engine.revision, changed: engine.applyChanges({}), progress },
    many: engine.authorizeMany([{ principal: ACME, action: 'campaign.read', resource: CAMPAIGN, host: MAIN }]),
    error: catchError(() => engine.applyChanges({ put: [{ type: 'TeamMember', id: 'x', account: 'nowhere', email: 'x@x.example' }] })),
    faults: catchError(() => Engine.open({ 'catalog.json': '{' })),
    denied: catchError(() => engine.authorize(ACME, 'campaign.read', ['Campaign', 'k', 'bakery'], { host: MAIN }).orThrow()),
  };
}

/** Yields the paths and values of all parts of a value. */
function* parts(value, at = '') {
  yield [at, value];
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) yield* parts(value[key], `${at}.${key}`);
}

test('every answer is plain data in all of its parts', async () => {
  for (const [name, thing] of Object.entries(await answersAndErrors())) {
    for (const [at, part] of parts(thing, name)) {
      assert.ok(['boolean', 'number', 'string', 'object'].includes(typeof part), `${at} is a ${typeof part}`);
      if (typeof part === 'number') assert.ok(Number.isSafeInteger(part), at);
    }
    const text = JSON.stringify(thing);
    const plain = JSON.parse(text);
    assert.ok(Object.keys(plain).length > 0, name);
    assert.deepEqual(JSON.parse(JSON.stringify(structuredClone(thing))), plain, name);
    // The printed text names each field.
    const printed = inspect(thing, { depth: 9, maxArrayLength: null, maxStringLength: null });
    for (const key of Object.keys(thing).filter((each) => !['name', 'message', 'stack'].includes(each))) assert.ok(Array.isArray(thing) || printed.includes(key), `${name}.${key}`);
  }
});

test('integers beyond the exact range are strings', async () => {
  const engine = openEngine();
  engine.topUp('acme', 'emails', LARGE);
  const far = engine.consume(['Account', 'nova'], 'campaign.send', ['Campaign', 'k', 'nova'], LARGE, { host: MAIN });
  assert.equal(far.quota[0].amount, String(LARGE));
  assert.equal(far.quota[0].used, String(LARGE));
  assert.equal(JSON.parse(JSON.stringify(far)).quota[0].used, '9007199254741002');
  assert.equal(engine.usage('nova', { meter: 'emails' })[0].used, String(LARGE));
  assert.equal(typeof far.operation, 'number');
  assert.equal(typeof far.revision, 'number');
  assert.equal(typeof engine.revision, 'number');
  // A value of an answer is accepted as an argument. A string of another form is refused.
  assert.throws(() => engine.refund('9007199254741002'), { code: 'quota.unknown_operation' });
  for (const bad of ['9', '09007199254741002', '9007199254741002.0', ' 9007199254741002', '99999999999999999999']) assert.throws(() => engine.refund(bad), { code: 'input.value' });
  assert.throws(() => engine.applyChanges({ expectedRevision: '9007199254741002' }), { code: 'directory.revision' });
  assert.equal(engine.applyChanges({ expectedRevision: engine.revision }), engine.revision);
});

test('a statement survives JSON and still verifies', () => {
  const engine = openEngine();
  const statement = engine.previewStatement('acme');
  assert.equal(verifyDraw(JSON.parse(JSON.stringify(statement))), verifyDraw(statement));
  assert.equal(verifyDraw({ ...statement, due_cents: '9007199254741002' }), false);
});

test('an error keeps its code across threads', async () => {
  const { error, denied } = await answersAndErrors();
  const { port1, port2 } = new MessageChannel();
  const got = new Promise((resolve) => { port2.once('message', resolve); });
  port1.postMessage({ error, denied });
  const message = await got;
  port1.close();
  assert.deepEqual([message.error.code, message.error.name, message.error.message, message.error.help], [error.code, 'SubletError', error.message, error.help]);
  assert.deepEqual([message.denied.code, message.denied.name], ['other_account', 'DeniedError']);
  // An error that ends a worker arrives as an error.
  const addon = JSON.stringify(path.join(ROOT, 'bindings-node/index.js'));
  const worker = new Worker(`require(${addon}).Engine.open(7)`, { eval: true });
  const ended = await new Promise((resolve) => { worker.once('error', resolve); });
  assert.ok(ended instanceof Error);
  assert.equal(ended.code, 'input.value');
});

test('errors print and inspect as errors', async () => {
  const { error, denied } = await answersAndErrors();
  for (const each of [error, denied]) {
    assert.ok(each instanceof Error);
    assert.equal(Object.prototype.toString.call(each), '[object Error]');
    assert.ok(each.stack.includes('answers.test'), each.stack);
    assert.ok(inspect(each).includes(each.code));
    assert.equal(String(each), `${each.name}: ${each.message}`);
    assert.equal(JSON.parse(JSON.stringify(each)).code, each.code);
  }
  assert.ok(error instanceof SubletError && !(denied instanceof SubletError));
  assert.equal(error.family, 'directory');
  class Own extends SubletError {}
  const own = new Own({ code: 'input.value', message: 'mine' });
  assert.ok(own instanceof Own && own instanceof SubletError);
});

test('orThrow returns an allow and throws a denial', () => {
  const engine = openEngine();
  const yes = engine.authorize(ACME, 'campaign.read', CAMPAIGN, { host: MAIN });
  assert.equal(yes.orThrow(), yes);
  assert.equal(String(yes), 'allowed: ok');
  const refused = (answer, code) => {
    const error = catchError(() => answer.orThrow());
    assert.ok(error instanceof DeniedError, String(error));
    assert.deepEqual([error.code, error.answer, error.message], [code, answer, `denied: ${code}`]);
    assert.ok(!inspect(error, { showHidden: false }).includes('logCode') && !JSON.stringify(error).includes('logCode'));
  };
  refused(engine.authorize(ACME, 'campaign.read', ['Campaign', 'k', 'bakery'], { host: MAIN }), 'other_account');
  refused(engine.consume(ACME, 'campaign.send', ['Campaign', 'k', 'bakery'], 1, { host: MAIN }), 'other_account');
  refused(engine.perform(BAKERY, { do: 'create_client', id: 'x', email: 'x@x.example' }, { host: APP }), engine.perform(BAKERY, { do: 'create_client', id: 'x', email: 'x@x.example' }, { host: APP }).decision.code);
  refused(engine.login(MAIN, 'hello@bakery.example'), 'login_refused');
  const nobody = ['Account', 'nobody'];
  refused(engine.routeTicket(nobody, nobody, { host: MAIN }), engine.routeTicket(nobody, nobody, { host: MAIN }).code);
  refused(engine.openTicket(nobody, nobody, { host: MAIN }), engine.openTicket(nobody, nobody, { host: MAIN }).code);
  assert.ok(engine.login(MAIN, 'owner@acme.example').orThrow().allowed);
  assert.equal(engine.openTicket(BAKERY, BAKERY, { host: APP }).orThrow().desk, 'owner');
});

test('a token is printed by its field name only', () => {
  const engine = openEngine();
  const performed = engine.perform(ACME, { do: 'create_client', id: 'florist', email: 'hello@florist.example' }, { host: MAIN });
  const { token } = performed;
  assert.equal(typeof token, 'string');
  assert.ok(token.length > 20);
  const shown = [
    inspect(performed, { showHidden: true, getters: true, depth: 9, showProxy: true }),
    JSON.stringify(performed),
    JSON.stringify({ ...performed }),
    JSON.stringify(structuredClone(performed)),
    JSON.stringify(Object.entries(Object.getOwnPropertyDescriptors(performed))),
    String(performed),
    inspect([performed], { showHidden: true, getters: true }),
  ];
  for (const text of shown) assert.ok(!text.includes(token), text);
  const wrong = catchError(() => engine.perform(ACME, { do: 'confirm_email', account: 'florist', token: `${token}x` }, { host: APP, channel: 'public' }).orThrow());
  assert.ok(!inspect(wrong, { showHidden: true }).includes(token));
});

test('a denial cannot be changed into an allow', () => {
  const engine = openEngine();
  const no = engine.authorize(ACME, 'campaign.read', ['Campaign', 'k', 'bakery'], { host: MAIN });
  assert.throws(() => { no.allowed = true; }, TypeError);
  assert.ok(no instanceof Decision && !no.allowed);
});
