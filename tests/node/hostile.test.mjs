// Arguments of any kind, to every method. The result is a typed error or an answer, at once, and
// never an error that JavaScript throws from inside.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Action, Engine, Host, ManualClock, Principal, ResourceType, SubletError, command, normaliseHost, verifyDraw } from '../../bindings-node/index.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const AGENCY = readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8');
const host = 'dash.marketingmaster.example';
const [ACME, CAMPAIGN] = [['Account', 'acme'], ['Campaign', 'k', 'acme']];

function openEngine() {
  const engine = Engine.open();
  engine.importLines(AGENCY);
  return engine;
}

const revoked = (of) => {
  const { proxy, revoke } = Proxy.revocable(of, {});
  revoke();
  return proxy;
};
const sparse = (length, filled = []) => {
  const found = new Array(length);
  filled.forEach((one, at) => { found[at] = one; });
  return found;
};
const throwing = () => { throw new TypeError('mine'); };
const trap = new Proxy({}, { get: throwing, has: throwing, ownKeys: throwing, getPrototypeOf: throwing, getOwnPropertyDescriptor: throwing });
const loop = {};
loop.loop = loop;
const deep = (() => { let found = []; for (let at = 0; at < 100_000; at += 1) found = [found]; return found; })();

/** Functions that create hostile values, a new one for each use. */
const HOSTILE = {
  undefined: () => undefined,
  null: () => null,
  'no number': () => NaN,
  fraction: () => 1.5,
  'huge number': () => 1e300,
  'huge BigInt': () => 2n ** 100_000n,
  negative: () => -1,
  true: () => true,
  symbol: () => Symbol('x'),
  function: () => () => {},
  class: () => class {},
  'lone surrogate': () => '\ud800',
  'long text': () => 'x'.repeat(1 << 20),
  date: () => new Date(NaN),
  map: () => new Map([['host', host]]),
  'boxed text': () => new String('acme'),
  'array of billions': () => sparse(2 ** 32 - 1),
  'sparse array': () => sparse(2 ** 31, ['Account', 'acme']),
  'array with a hole': () => [, 'acme'],
  'typed array': () => new Uint8Array(1 << 16),
  'revoked object': () => revoked({}),
  'revoked array': () => revoked([]),
  'throwing proxy': () => trap,
  'endless proxy': () => new Proxy([], { get: (of, key) => (key === 'length' ? 2 ** 53 - 1 : 'x') }),
  'no prototype': () => Object.create(null),
  'throwing getter': () => ({ get type() { return throwing(); }, get host() { return throwing(); }, get signal() { return throwing(); }, get put() { return throwing(); } }),
  loop: () => loop,
  deep: () => deep,
  'own toJSON': () => ({ toJSON: throwing }),
  'throwing toString': () => ({ toString: throwing, valueOf: throwing, [Symbol.toPrimitive]: throwing }),
  handle: () => new Host(host),
  thenable: () => ({ then: throwing }),
};

const PROGRAM = { policies: 'permit (principal, action, resource);', schema: null, links: null, entities: null, validateRequests: null };

/** Every method with valid arguments. */
const VERBS = {
  authorize: [ACME, 'campaign.read', CAMPAIGN, { host }],
  check: [ACME, 'campaign.read', CAMPAIGN, { host }],
  explain: [ACME, 'campaign.read', CAMPAIGN, { host }],
  permittedActions: [ACME, CAMPAIGN, { host }],
  login: [host, 'owner@acme.example', {}],
  routeTicket: [ACME, ACME, { host }],
  openTicket: [ACME, ACME, { host }],
  replyTicket: [ACME, ['Ticket', 't', 'acme'], { host }],
  escalateTicket: [ACME, ['Ticket', 't', 'bakery'], { host }],
  getRecord: [ACME],
  domainProof: ['app.acme.example'],
  hostsOf: ['acme', {}],
  reload: [undefined],
  reloadCedar: [PROGRAM],
  consume: [ACME, 'campaign.send', CAMPAIGN, 1, { host }],
  reserve: [ACME, 'campaign.send', CAMPAIGN, 1, 1000, { host }],
  setStock: [ACME, 'contact.create', ['Contact', 'c', 'acme'], 1, { host }],
  increaseStock: [ACME, 'contact.create', ['Contact', 'c', 'acme'], 1, { host }],
  decreaseStock: [ACME, 'contact.create', ['Contact', 'c', 'acme'], 1, { host }],
  perform: [ACME, { do: 'edit_account', account: 'acme' }, { host }],
  batch: [[{ principal: ACME, action: 'campaign.send', resource: CAMPAIGN, host }]],
  commit: [1, {}],
  release: [1, {}],
  refund: [1, {}],
  topUp: ['acme', 'emails', 1, {}],
  revokeTopUp: ['acme', 'k'],
  carryOver: ['acme', 'emails', 1, {}],
  statement: ['acme', '2026-01'],
  previewStatement: ['acme'],
  recordPayment: ['acme', '2026-01', 1, {}],
  reversePayment: [1, {}],
  closeMonth: ['acme', '2026-01'],
  closeDue: [10, {}],
  settleOverage: ['acme', '2026-01', {}],
  usage: ['acme', {}],
  history: ['acme', {}],
  applyChanges: [{ put: [], merge: [], remove: [] }],
  importLines: [AGENCY, { expectedRevision: null }],
  seed: [AGENCY],
};
const MORE = { authorizeMany: [[{ principal: ACME, action: 'campaign.read', resource: CAMPAIGN, host }]], checkMany: [[{ principal: ACME, action: 'campaign.read', resource: CAMPAIGN, host }]] };

/** Returns the typed error of `work`, or `undefined` if it succeeds. Fails on any other error. */
async function typedError(what, work) {
  const begun = performance.now();
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof SubletError, `${what}: ${error?.stack ?? error}`);
    assert.match(error.code, /^(input|directory|quota|billing|store|bundle)\./, what);
    assert.ok(error.code !== 'internal.panic', what);
  }
  assert.ok(performance.now() - begun < 10_000, `${what} took ${performance.now() - begun} ms`);
}

test('each argument of each method may be any value', async () => {
  const engine = openEngine();
  for (const [verb, good] of Object.entries({ ...VERBS, ...MORE })) {
    for (const form of [verb, `${verb}Async`]) {
      for (let place = 0; place <= good.length; place += 1) {
        // Without an argument the shipped bundle is loaded. This is valid, but slow.
        const kinds = Object.entries(HOSTILE).filter(([kind]) => verb !== 'reload' || (place === 0 && !['undefined', 'null'].includes(kind)));
        for (const [kind, make] of kinds) {
          const given = [...good];
          given[place] = make();
          await typedError(`${form}, ${place}: ${kind}`, () => engine[form](...given));
        }
      }
    }
  }
});

test('each field of an argument may be any value', async () => {
  const engine = openEngine();
  const request = { principal: ACME, action: 'campaign.send', resource: { type: 'Campaign', id: 'k', account: 'acme', attributes: {}, tags: {}, parents: [] }, host, actor: null, channel: 'web', realm: ACME, amount: 1, context: {} };
  const { principal, action, resource, ...around } = request;
  const columns = { principals: [ACME], actions: ['campaign.read'], resources: [CAMPAIGN], hosts: [host], actors: [null], channels: ['web'], realms: [ACME], amounts: [1], contexts: [{}] };
  const fields = [
    ['around', around, (given) => engine.check(principal, action, resource, given)],
    ['resource', resource, (given) => engine.authorize(principal, action, given, around)],
    ['record', request, (given) => engine.checkMany([given])],
    ['columns', columns, (given) => engine.checkMany(given)],
    ['columns later', columns, (given) => engine.authorizeManyAsync(given)],
    ['taking', { host, idempotencyKey: 'k', allowPartial: true }, (given) => engine.consume(ACME, 'campaign.send', CAMPAIGN, 1, given)],
    ['taking later', { host, idempotencyKey: 'k', allowPartial: true, signal: null }, (given) => engine.consumeAsync(ACME, 'campaign.send', CAMPAIGN, 1, given)],
    ['item', { principal: ACME, action: 'campaign.send', resource: CAMPAIGN, host, amount: { emails: 1 } }, (given) => engine.batch([given])],
    ['amounts', { emails: 1 }, (given) => engine.consume(ACME, 'campaign.send', CAMPAIGN, given, { host })],
    ['command', { do: 'create_client', id: 'x', email: 'x@x.example', level: 'basic', limits: {}, attributes: {} }, (given) => engine.perform(ACME, given, { host })],
    ['changes', { put: [], merge: [], remove: [], expectedRevision: null }, (given) => engine.applyChanges(given)],
    ['settling', { choice: [] }, (given) => engine.settleOverage('acme', '2026-01', given)],
    ['refund', { amount: 1, idempotencyKey: 'k' }, (given) => engine.refund(1, given)],
    ['usage', { member: null, meter: null }, (given) => engine.usage('acme', given)],
    ['history', { before: null, limit: null }, (given) => engine.history('acme', given)],
    ['options', { store: 'memory:', validation: 'strict', caps: {}, clock: null }, (given) => Engine.open({ 'catalog.json': '{' }, given)],
    ['options later', { store: 'memory:', validation: 'strict', caps: {}, clock: null, signal: null }, (given) => Engine.openAsync({ 'catalog.json': '{' }, given)],
    ['program', { ...PROGRAM, store: 'memory:', validation: 'strict', caps: {}, clock: null }, (given) => Engine.cedar(given)],
    ['program later', { ...PROGRAM, store: 'memory:', validation: 'strict', caps: {}, clock: null }, (given) => Engine.cedarAsync(given, { signal: null })],
    ['log', { path: null, callback: () => {}, events: null, sampleAllowed: null, redact: null, contextFields: null, queue: null, rotateBytes: null, maxOldFiles: null }, (given) => engine.subscribe(given)],
    ['import', { progress: null, expectedRevision: null, signal: null }, (given) => engine.importFile(path.join(ROOT, 'policies/tests/agency.jsonl'), given)],
    ['statement', engine.previewStatement('acme'), (given) => verifyDraw(given)],
  ];
  for (const [what, good, ask] of fields) {
    for (const name of [...Object.keys(good), 'unknown', '__proto__']) {
      for (const [kind, make] of Object.entries(HOSTILE)) {
        const given = Object.defineProperty({ ...good }, name, { value: make(), enumerable: true, configurable: true, writable: true });
        await typedError(`${what}.${name}: ${kind}`, () => ask(given));
        const read = Object.defineProperty({ ...good }, name, { get: () => make(), enumerable: true, configurable: true });
        await typedError(`${what}.${name}, read: ${kind}`, () => ask(read));
      }
    }
  }
});

test('functions outside the engine accept any value', async () => {
  const engine = openEngine();
  const [clock, log] = [new ManualClock('2026-01-31T12:00:00Z'), engine.subscribe({ callback: () => {} })];
  const alone = {
    open: (given) => Engine.open(given ?? 7),
    openAsync: (given) => Engine.openAsync(given ?? 7),
    cedar: (given) => Engine.cedar(given),
    cedarAsync: (given) => Engine.cedarAsync(given),
    signal: (given) => Engine.cedarAsync(PROGRAM, { signal: given }),
    Principal: (given) => new Principal(given, given),
    Action: (given) => new Action(given, given),
    ResourceType: (given) => new ResourceType(given),
    Host: (given) => new Host(given),
    ManualClock: (given) => new ManualClock(given),
    set: (given) => clock.set(given),
    advance: (given) => clock.advance(given),
    normaliseHost: (given) => normaliseHost(given),
    verifyDraw: (given) => verifyDraw(given),
    command: (given) => command(given),
    word: (given) => command(['sublet', typeof given === 'string' ? '--version' : given]),
    importFile: (given) => engine.importFile(given),
    importing: (given) => engine.importFile('/nowhere', given),
    log: (given) => engine.subscribe(given),
    flush: (given) => log.flush(given),
    flushing: (given) => log.flush(0, given),
    measure: (given) => engine.enableMetrics(given),
    'new Engine': (given) => new Engine(given, given),
  };
  const output = process.stdout.write;
  for (const [what, ask] of Object.entries(alone)) {
    for (const [kind, make] of Object.entries(HOSTILE)) await typedError(`${what}: ${kind}`, () => ask(make()));
  }
  assert.equal(process.stdout.write, output);
  assert.throws(() => Engine.open(new URL('https://policies.example/')), { code: 'input.value' });
  await assert.rejects(engine.refreshAsync({ signal: Object.create(AbortSignal.prototype) }), { code: 'input.value' });
});

test('a change with an unknown field names the field', () => {
  const engine = openEngine();
  for (const given of [null, 7, 'put', [], { puts: [] }, { put: [], removed: [] }, { put: sparse(2 ** 32 - 1) }, { expectedRevision: true }, { expectedRevision: -1 }]) {
    assert.throws(() => engine.applyChanges(given), { code: 'input.value' });
  }
});

test('checks in JavaScript throw typed errors with a reason', () => {
  const engine = openEngine();
  for (const ask of [() => engine.check(revoked([]), 'campaign.read', CAMPAIGN), () => engine.check(ACME, 'campaign.read', CAMPAIGN, revoked({})), () => engine.checkMany([revoked({})])]) {
    assert.throws(ask, (error) => error instanceof SubletError && error.code.startsWith('input.') && error.cause instanceof TypeError);
  }
  assert.equal(engine.check(ACME, 'campaign.read', CAMPAIGN, { host }), true);
});

test('a failing callback result fails one call at most', async () => {
  const engine = openEngine();
  let answers = 0;
  const nobody = [['Account', 'nobody'], 'campaign.read', ['Account', 'nobody']];
  const GIVEN = [
    () => ({ then: (kept, failed) => { failed(1); failed(2); kept(3); } }),
    () => ({ then: (kept, failed) => { failed(1); throw new Error('and again'); } }),
    () => ({ get then() { throw new Error('read'); } }),
    () => ({ then: (kept, failed) => { kept(1); failed(2); } }),
    () => Promise.reject(new Error('no')),
    () => Object.assign(() => {}, { then: (kept, failed) => { failed(1); failed(2); } }),
    () => ({ then: 7 }),
  ];
  const log = engine.subscribe({ callback: () => GIVEN[answers++]() });
  for (let at = 0; at < GIVEN.length; at += 1) engine.check(...nobody);
  await log.flush();
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  assert.equal(answers, GIVEN.length);
  assert.deepEqual({ ...log.counts }, { delivered: 2, dropped: 0, failed: 5 });
  assert.equal(await log.close(), true);
});

test('a file store refuses equally and writes nothing', async (context) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const engine = await Engine.openAsync(undefined, { store: `sqlite:${folder}/s.db` });
  await engine.importLinesAsync(AGENCY);
  const before = [engine.revision, await engine.exportLinesAsync(), await engine.historyAsync('acme')];
  for (const [verb, good] of Object.entries(VERBS).filter(([name]) => !['reload', 'importLines', 'applyChanges'].includes(name))) {
    for (let place = 0; place < good.length; place += 1) {
      for (const kind of ['revoked object', 'throwing proxy', 'array of billions', 'symbol', 'throwing getter']) {
        const given = [...good];
        given[place] = HOSTILE[kind]();
        await assert.rejects(async () => engine[`${verb}Async`](...given), (error) => error instanceof SubletError, `${verb}, ${place}: ${kind}`);
      }
    }
  }
  assert.deepEqual([engine.revision, await engine.exportLinesAsync(), await engine.historyAsync('acme')], before);
});
