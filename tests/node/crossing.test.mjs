// Plain calls cross the boundary as numbers. They give the answers and the errors of calls that cross
// as text.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Action, Engine, Host, ManualClock, Principal, ResourceType, SubletError } from '../../bindings-node/index.mjs';
import { countJson, describeForm } from './json_count.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const AGENCY = readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8');
const host = 'dash.marketingmaster.example';
const ACME = ['Account', 'acme'];
const ANN = ['TeamMember', 'ann'];
const CAMPAIGN = ['Campaign', 'k', 'acme'];
const SEND = [ACME, 'campaign.send', CAMPAIGN];

function openEngine(limit = 'unlimited') {
  const clock = new ManualClock('2026-01-31T12:00:00.250Z');
  const engine = Engine.open(undefined, { clock });
  engine.importLines(AGENCY);
  engine.applyChanges({
    put: [
      { type: 'Account', id: 'acme', email: 'owner@acme.example', package: 'agency', confirmed: true, limits: { emails: limit } },
      { type: 'TeamMember', id: 'ann', account: 'acme', email: 'ann@acme.example', confirmed: true, grants: ['campaigns'], sub_limits: { emails: 500 } },
    ],
  });
  return { engine, clock };
}

/** An actor of null is no actor, but its request crosses as text. */
const asText = (options) => ({ ...options, actor: null });

/**
 * Each call that crosses as numbers. `way` leaves its options as they are or makes them cross as text,
 * and `number` does so with an operation.
 */
const CALLS = {
  check: (engine, asked, way) => engine.check(...asked, way({ host })),
  'check of an amount': (engine, asked, way) => engine.check(...asked, way({ host, amount: 3 })),
  authorize: (engine, asked, way) => engine.authorize(...asked, way({ host })),
  'authorize of an amount': (engine, asked, way) => engine.authorize(...asked, way({ host, amount: 3 })),
  consume: (engine, asked, way) => engine.consume(...asked, 1, way({ host })),
  'keyed consume': (engine, asked, way) => engine.consume(...asked, 1, way({ host, idempotencyKey: 'über' })),
  'partial consume': (engine, asked, way) => engine.consume(...asked, 1, way({ host, idempotencyKey: 'part', allowPartial: true })),
  reserve: (engine, asked, way) => engine.reserve(...asked, 2, 60_000, way({ host })),
  'keyed reserve': (engine, asked, way) => engine.reserve(...asked, 2, undefined, way({ host, idempotencyKey: 'held' })),
  commit: (engine, asked, way, number) => engine.commit(number(engine.reserve(...asked, 2, null, { host }).operation)),
  'keyed commit': (engine, asked, way, number) => engine.commit(number(engine.reserve(...asked, 2, null, { host }).operation), { amount: 1, idempotencyKey: 'c' }),
  release: (engine, asked, way, number) => engine.release(number(engine.reserve(...asked, 2, null, { host }).operation), {}),
  'keyed release': (engine, asked, way, number) => engine.release(number(engine.reserve(...asked, 2, null, { host }).operation), { idempotencyKey: 'r' }),
  refund: (engine, asked, way, number) => engine.refund(number(engine.consume(...asked, 2, { host }).operation), { amount: 1 }),
  'keyed refund': (engine, asked, way, number) => engine.refund(number(engine.consume(...asked, 2, { host }).operation), { amount: 1, idempotencyKey: 'back' }),
  batch: (engine, [principal, action, resource], way) => engine.batch([1, 2, undefined].map((amount, at) => way({ principal, action, resource, amount, host, idempotencyKey: `b${at}`, allowPartial: false }))),
  checkMany: (engine, [principal, action, resource], way) => engine.checkMany([way({ principal, action, resource, host, amount: 3 }), way({ principal, action, resource, host })]),
  columns: (engine, [principal, action, resource], way) => {
    const { actor: actors } = way({});
    return engine.checkMany({ principals: principal, actions: [action, action], resources: [resource, resource], hosts: host, amounts: [3, null], actors });
  },
};
const AS_TEXT = { columns: { actor: [null, null] } };

/** Returns a request in each form that crosses as numbers. */
const FORMS = {
  strings: SEND,
  objects: [ACME, 'campaign.send', { type: 'Campaign', id: 'k', account: 'acme' }],
  handles: [new Principal(...ACME), new Action('campaign.send'), [new ResourceType('Campaign'), 'k', new Principal(...ACME)]],
  member: [ANN, 'campaign.send', CAMPAIGN],
  'member handle': [new Principal(...ANN), new Action('campaign.send'), CAMPAIGN],
};

/** Returns an answer without its operations, because each engine numbers its own. */
function stripped(answer) {
  if (Array.isArray(answer)) return answer.map(stripped);
  return typeof answer === 'object' && answer !== null ? { ...answer, operation: answer.operation === null ? null : 0 } : answer;
}

for (const [form, asked] of Object.entries(FORMS)) {
  test(`a plain call crosses as numbers: ${form}`, () => {
    for (const [name, ask] of Object.entries(CALLS)) {
      const [numbers, text] = [openEngine().engine, openEngine().engine];
      const found = countJson(() => ask(numbers, asked, (options) => options, (operation) => operation));
      const wanted = countJson(() => ask(text, asked, (options) => ({ ...asText(options), ...AS_TEXT[name] }), BigInt));
      assert.deepEqual([found.reads, found.writes], [0, 0], `${name}: crosses as text: ${JSON.stringify(found.given)}`);
      assert.ok(wanted.reads !== null && wanted.reads + wanted.writes > 0, `${name}: the other crosses as numbers`);
      assert.deepStrictEqual(stripped(found.given), stripped(wanted.given), name);
      assert.deepStrictEqual(describeForm(found.given), describeForm(wanted.given), name);
      assert.deepStrictEqual(numbers.usage('acme'), text.usage('acme'), name);
      assert.deepEqual(numbers.verify().faults, []);
    }
  });
}

/** Returns the outcome of a call: its answer without operations, or its error. */
function outcome(work) {
  try {
    return stripped(work());
  } catch (error) {
    assert.ok(error instanceof SubletError, String(error?.stack ?? error));
    return [error.code, error.message.replaceAll(/\d+/g, '0')];
  }
}

/** Values that cross as text, or not at all. */
const UNUSUAL = [
  undefined, null, NaN, Infinity, 1.5, -1, -0, 0, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1n, -1n, 2n ** 63n - 1n, 2n ** 63n, true, false, '', '1', 'k', '\ud800', 'a\udc00b', 'é'.repeat(127), 'é'.repeat(128), 'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(1_023), 'x'.repeat(1_024),
  'x'.repeat(5_000), new String('k'), new Number(1), Symbol('x'), () => 1, [], [1], {}, { emails: 1 }, { smiles: 1 }, new Map(), new Proxy({}, {}), new Host(host),
];

/** The places of a value in each call. */
const PLACES = {
  'amount of a check': (engine, value, way) => engine.check(...SEND, way({ host, amount: value })),
  'amount of a decision': (engine, value, way) => engine.authorize(...SEND, way({ host, amount: value })),
  'key of a check': (engine, value, way) => engine.check(...SEND, way({ host, idempotencyKey: value })),
  'flag of a check': (engine, value, way) => engine.check(...SEND, way({ host, allowPartial: value })),
  'amount of a consume': (engine, value, way) => engine.consume(...SEND, value, way({ host })),
  'asked amount of a consume': (engine, value, way) => engine.consume(...SEND, 1, way({ host, amount: value })),
  'key of a consume': (engine, value, way) => engine.consume(...SEND, 1, way({ host, idempotencyKey: value })),
  'flag of a consume': (engine, value, way) => engine.consume(...SEND, 1, way({ host, allowPartial: value })),
  'host of a consume': (engine, value, way) => engine.consume(...SEND, 1, way({ host: value, idempotencyKey: 'h' })),
  'principal of a keyed consume': (engine, value, way) => engine.consume(['Account', value], 'campaign.send', CAMPAIGN, 1, way({ host, idempotencyKey: 'p' })),
  'amount of a reserve': (engine, value, way) => engine.reserve(...SEND, value, 1_000, way({ host })),
  'time of a reserve': (engine, value, way) => engine.reserve(...SEND, 1, value, way({ host })),
  'key of a reserve': (engine, value, way) => engine.reserve(...SEND, 1, 1_000, way({ host, idempotencyKey: value })),
  'flag of a reserve': (engine, value, way) => engine.reserve(...SEND, 1, 1_000, way({ host, allowPartial: value })),
  'amount of an item': (engine, value, way) => engine.batch([way({ principal: ACME, action: 'campaign.send', resource: CAMPAIGN, host, amount: value })]),
  'key of an item': (engine, value, way) => engine.batch([way({ principal: ACME, action: 'campaign.send', resource: CAMPAIGN, host, idempotencyKey: value })]),
  'flag of an item': (engine, value, way) => engine.batch([way({ principal: ACME, action: 'campaign.send', resource: CAMPAIGN, host, allowPartial: value })]),
  'amount of a question': (engine, value, way) => engine.authorizeMany([way({ principal: ACME, action: 'campaign.send', resource: CAMPAIGN, host, amount: value })]),
  'key of a question': (engine, value, way) => engine.checkMany([way({ principal: ACME, action: 'campaign.send', resource: CAMPAIGN, host, idempotencyKey: value })]),
  'operation of a commit': (engine, value) => engine.commit(value, { amount: 1 }),
  'operation of a release': (engine, value) => engine.release(value),
  'operation of a refund': (engine, value) => engine.refund(value),
};

/** The places of a value in what follows an operation. */
const FOLLOWING = {
  'amount of a commit': (engine, value, number) => engine.commit(number(engine.reserve(...SEND, 2, null, { host }).operation), { amount: value }),
  'key of a commit': (engine, value, number) => engine.commit(number(engine.reserve(...SEND, 2, null, { host }).operation), { idempotencyKey: value }),
  'options of a commit': (engine, value, number) => engine.commit(number(engine.reserve(...SEND, 2, null, { host }).operation), value),
  'amount of a release': (engine, value, number) => engine.release(number(engine.reserve(...SEND, 2, null, { host }).operation), { amount: value }),
  'key of a release': (engine, value, number) => engine.release(number(engine.reserve(...SEND, 2, null, { host }).operation), { idempotencyKey: value }),
  'amount of a refund': (engine, value, number) => engine.refund(number(engine.consume(...SEND, 2, { host }).operation), { amount: value }),
  'key of a refund': (engine, value, number) => engine.refund(number(engine.consume(...SEND, 2, { host }).operation), { idempotencyKey: value }),
};

test('an unusual value gives the same answer or error both ways', () => {
  for (const [place, ask] of Object.entries(PLACES)) {
    const [numbers, text] = [openEngine().engine, openEngine().engine];
    for (const [at, value] of UNUSUAL.entries()) {
      assert.deepStrictEqual(outcome(() => ask(numbers, value, (options) => options)), outcome(() => ask(text, value, asText)), `${place}, ${at}: ${typeof value}`);
    }
    assert.deepStrictEqual(numbers.usage('acme'), text.usage('acme'), place);
  }
  for (const [place, ask] of Object.entries(FOLLOWING)) {
    const [numbers, text] = [openEngine().engine, openEngine().engine];
    for (const [at, value] of UNUSUAL.entries()) {
      assert.deepStrictEqual(outcome(() => ask(numbers, value, (operation) => operation)), outcome(() => ask(text, value, BigInt)), `${place}, ${at}: ${typeof value}`);
    }
    assert.deepStrictEqual(numbers.usage('acme'), text.usage('acme'), place);
  }
});

test('random calls give the same answers both ways', () => {
  let seed = 41;
  const draw = (list) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return list[(seed >>> 8) % list.length];
  };
  const [numbers, text] = [openEngine(4_000), openEngine(4_000)];
  const logins = [ACME, ANN, ['TeamMember', 'ben'], ['Account', 'nova'], ['Account', 'nobody'], new Principal(...ACME), new Principal(...ANN), { type: 'TeamMember', id: 'ann' }];
  const actions = ['campaign.send', 'campaign.send', new Action('campaign.send'), 'sms.send', 'campaign.read', 'fly'];
  const resources = [CAMPAIGN, { type: 'Campaign', id: 'k', account: 'acme' }, ['Campaign', 'ü', 'nova'], [new ResourceType('Campaign'), '', new Principal(...ACME)], ['TextMessage', 't', 'acme']];
  const keys = [undefined, undefined, null, 'a', 'b', 'schlüssel', '💥', 'x'.repeat(255), '', 'x'.repeat(256)];
  const operations = [[1, 1]];
  const request = () => [draw(logins), draw(actions), draw(resources)];
  const some = (options) => Object.fromEntries(Object.entries(options).filter(() => draw([true, true, false])));
  const taking = () => some({ host: draw([host, host, new Host(host), 'nowhere.example', null]), idempotencyKey: draw(keys) });
  const amounts = [0, 1, 2, 7, 50, 2 ** 33];
  const codes = new Set();
  for (let turn = 0; turn < 1_500; turn += 1) {
    const [asked, options, amount] = [request(), taking(), draw(amounts)];
    const [reserved, known] = [draw([undefined, null, 1, 60_000, 86_400_000]), draw(operations)];
    const items = Array.from({ length: draw([0, 1, 3]) }, () => {
      const [principal, action, resource] = request();
      // Some items of the batch of numbers cross as text, too.
      return { principal, action, resource, ...taking(), ...some({ amount: draw(amounts), allowPartial: draw([true, false]) }), ...draw([{}, {}, { actor: null }]) };
    });
    const [partial, after] = [draw([true, false]), some({ idempotencyKey: draw(keys), amount: draw([1, 2, 100]) })];
    const verb = draw(['check', 'authorize', 'consume', 'reserve', 'batch', 'commit', 'release', 'refund']);
    const calls = {
      check: (engine, way) => engine.check(...asked, way({ host: options.host, amount })),
      authorize: (engine, way) => engine.authorize(...asked, way({ host: options.host, amount })),
      consume: (engine, way) => engine.consume(...asked, amount, way({ ...options, allowPartial: partial })),
      reserve: (engine, way) => engine.reserve(...asked, amount, reserved, way(options)),
      batch: (engine, way) => engine.batch(items.map(way)),
      commit: (engine, way, number) => engine.commit(number, after),
      release: (engine, way, number) => engine.release(number, { idempotencyKey: after.idempotencyKey }),
      refund: (engine, way, number) => engine.refund(number, after),
    };
    const answers = [];
    const kept = (work) => () => { answers.push(work()); return answers.at(-1); };
    const found = outcome(kept(() => calls[verb](numbers.engine, (given) => given, known[0])));
    const wanted = outcome(kept(() => calls[verb](text.engine, asText, BigInt(known[1]))));
    assert.deepStrictEqual(found, wanted, `${turn}: ${verb}`);
    if (answers.length === 2) assert.deepStrictEqual(describeForm(answers[0]), describeForm(answers[1]), `${turn}: ${verb}`);
    codes.add(`${verb} ${found?.code ?? (Array.isArray(found) && typeof found[0] === 'string' ? found[0] : 'answered')}`);
    const [one = null, other = null] = answers.map((answer) => answer?.operation ?? null);
    if (one !== null && other !== null && operations.length < 40) operations.push([one, other]);
    if (turn % 50 === 0) for (const { clock } of [numbers, text]) clock.advance(40_001);
  }
  for (const wanted of ['consume ok', 'reserve ok', 'consume quota.idempotency_mismatch', 'reserve input.idempotency_key', 'commit answered', 'refund answered', 'batch answered', 'batch input.item']) assert.ok(codes.has(wanted), `${wanted}: ${[...codes].join()}`);
  assert.deepStrictEqual(numbers.engine.usage('acme'), text.engine.usage('acme'));
  for (const { engine } of [numbers, text]) assert.deepEqual(engine.verify().faults, []);
});

test('each option is read once, and its getter may make calls', () => {
  const { engine } = openEngine();
  /** The options as getters that make calls of their own. */
  const nosy = (options, reads) => Object.defineProperties({}, Object.fromEntries(Object.entries(options).map(([name, value]) => [name, {
    enumerable: true,
    get() {
      reads.push(name);
      engine.consume(...SEND, 5, { host, idempotencyKey: 'inner', allowPartial: true });
      const { operation } = engine.reserve(ANN, 'campaign.send', CAMPAIGN, 1, 1_000, { host });
      engine.commit(operation, { amount: 0, idempotencyKey: `inner ${operation}` });
      assert.throws(() => engine.refund(2 ** 40), { code: 'quota.unknown_operation' });
      return value;
    },
  }])));
  for (const extra of [{}, { channel: 'web' }]) {
    const names = (options) => [...Object.keys(options)].sort();
    const asked = (options, ask) => {
      const reads = [];
      const answer = ask(nosy(options, reads));
      assert.deepEqual(reads.sort(), names(options));
      return answer;
    };
    const key = `outer ${Object.keys(extra).length}`;
    const taken = asked({ host, idempotencyKey: key, allowPartial: false, ...extra }, (options) => engine.consume(...SEND, 3, options));
    assert.deepEqual([taken.quota[0].amount, taken.replayed, engine.history('acme')[0].idempotencyKey], [3, false, key]);
    const record = { principal: ACME, action: 'campaign.send', resource: CAMPAIGN, host, amount: 4, idempotencyKey: `${key} item`, allowPartial: false, ...extra };
    const [item] = asked(record, (given) => engine.batch([given]));
    assert.deepEqual([item.quota[0].amount, item.quota[0].member, engine.history('acme')[0].idempotencyKey], [4, null, `${key} item`]);
    assert.equal(asked({ host, amount: 2 ** 52, ...extra }, (options) => engine.authorize(...SEND, options)).quota[0].amount, 2 ** 52);
    const held = engine.reserve(...SEND, 9, 60_000, { host });
    const done = asked({ amount: 2, idempotencyKey: `${key} commit` }, (options) => engine.commit(held.operation, options));
    assert.deepEqual([done.quota[0].member, engine.history('acme')[0].parts[0].used], [null, 2]);
  }
});

test('a batch of numbers and text keeps its order and its indices', () => {
  const item = (more) => ({ principal: ACME, action: 'campaign.send', resource: CAMPAIGN, host, ...more });
  const { engine } = openEngine(10);
  const told = engine.batch([item({ amount: 1 }), item({ amount: 2n }), item({ principal: ANN, amount: 3 }), item({ principal: { type: 'TeamMember', id: 'ann' }, amount: { emails: 1 } })]);
  assert.deepEqual(told.map(({ quota: [{ amount, used, member }] }) => [amount, used, member?.id]), [[1, 1, undefined], [2, 3, undefined], [3, 6, 'ann'], [1, 7, 'ann']]);
  for (const bad of [{ amount: -1 }, { amount: -1n }, { action: 'fly' }, { action: 'fly', actor: null }, { idempotencyKey: '' }, { idempotencyKey: '', actor: null }, { actor: ['TeamMember', 'nobody', 1] }, { resource: null }]) {
    assert.throws(() => engine.batch([item({}), item({ amount: 1n }), item(bad)]), (error) => error.code === 'input.item' && /^request 2: /.test(error.message), JSON.stringify(Object.keys(bad)));
  }
  assert.deepEqual([engine.batch([]), engine.usage('acme', { meter: 'emails' })[0].used], [[], 7]);
});
