// Decisions cross the boundary as numbers. They decode to the values of the JSON path, with equal
// order of keys, and frozen.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Action, Decision, Engine, Host, ManualClock, Principal, ResourceType } from '../../bindings-node/index.mjs';
import { countJson, describeForm } from './json_count.mjs';

const require = createRequire(import.meta.url);
const { DecisionDecoder } = require('../../bindings-node/decision_codec.js');
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const AGENCY = readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8');
const host = 'dash.marketingmaster.example';
const ACME = ['Account', 'acme'];
const ANN = ['TeamMember', 'ann'];
const CAMPAIGN = ['Campaign', 'k', 'acme'];
const SEND = [ACME, 'campaign.send', CAMPAIGN];
const DAY = 86_400_000;
const account = (more) => ({ type: 'Account', id: 'acme', email: 'owner@acme.example', package: 'agency', confirmed: true, ...more });

/**
 * Two engines with equal directories. One returns decisions as numbers; the other gets an actor of
 * null, which crosses as text, and returns JSON.
 */
class Both {
  constructor(...put) {
    this.clocks = [0, 1].map(() => new ManualClock('2026-01-31T12:00:00Z'));
    this.engines = this.clocks.map((clock) => Engine.open(undefined, { clock }));
    this.each((engine) => engine.importLines(AGENCY));
    if (put.length > 0) this.each((engine) => engine.applyChanges({ put }));
    this.asked = 0;
  }

  each(work) {
    this.engines.forEach(work);
  }

  advance(milliseconds) {
    this.clocks.forEach((clock) => clock.advance(milliseconds));
  }

  /**
   * Debits both engines and compares the decisions; `json` states that numbers cannot express this
   * decision.
   */
  take(principal, action, resource, amount = 1, { json = false, ...more } = {}) {
    const [numbers, text] = this.engines;
    const found = countJson(() => numbers.consume(principal, action, resource, amount, { host, ...more }));
    this.asked += 1;
    const wanted = countJson(() => text.consume(principal, action, resource, amount, { host, ...more, actor: null }));
    if (found.reads === null || wanted.reads === null) {
      assert.deepStrictEqual(found.given, wanted.given);
      return null;
    }
    assert.deepStrictEqual([found.reads, wanted.reads], [json ? 1 : 0, 1]);
    const [one, other] = [found.given, wanted.given];
    assert.ok(one instanceof Decision);
    // Each engine numbers its own operations.
    assert.deepStrictEqual({ ...one, operation: null }, { ...other, operation: null });
    assert.deepStrictEqual(describeForm(one), describeForm(other));
    return one;
  }
}

/** Returns the shipped bundle, in which campaigns debit other meters. */
function bundleWithMeters(meters) {
  const names = readdirSync(path.join(ROOT, 'policies')).filter((name) => /\.(cedar|cedarschema)$/.test(name) || name === 'catalog.json');
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(path.join(ROOT, 'policies', name), 'utf8')]));
  return { ...files, 'app.cedarschema': files['app.cedarschema'].replace('@meter("emails")\naction "campaign.send"', `@meter("${meters}")\naction "campaign.send"`) };
}

test('decisions decode up to and beyond the limit', () => {
  const both = new Both(account({ limits: { emails: 10 } }));
  const told = Array.from({ length: 12 }, () => both.take(...SEND));
  assert.deepEqual(told.map(({ code }) => code), [...Array(10).fill('ok'), 'quota_exceeded', 'quota_exceeded']);
  assert.deepEqual(told.map(({ advice }) => advice.join()), [...Array(7).fill(''), 'quota_80', 'quota_80', 'quota_100', '', '']);
  const [first, last] = [told[0], told[11]];
  assert.deepEqual([first.operation, last.operation], [both.engines[0].history('acme').at(-1).operation, null]);
  assert.equal(both.take(...SEND, 0).operation, null);
  both.each((engine) => assert.deepEqual(engine.verify().faults, []));
});

test('limits of every kind and source decode', () => {
  const both = new Both(account({ limits: { emails: 'unlimited', texts: 0 } }));
  const first = both.take(...SEND, 7);
  assert.deepEqual([first.quota[0].limit, first.quota[0].override, first.quota[0].remaining, typeof first.quota[0].base], ['unlimited', 'unlimited', 'unlimited', 'number']);
  const sources = (...asked) => both.take(...asked)?.quota.map(({ source, limit, override }) => [source, limit, override]);
  assert.deepEqual(sources(ACME, 'sms.send', ['TextMessage', 't', 'acme']), [['override', 0, 0]]);
  const [[api]] = [both.take(ACME, 'api.call', ['ApiKey', 'a', 'acme']).quota];
  assert.deepEqual([api.source, api.override], ['package', null]);
  for (const id of ['bakery', 'cafe', 'dentist', 'edge', 'farm', 'nova', 'solo', 'nobody']) {
    for (const [action, type] of [['campaign.send', 'Campaign'], ['sms.send', 'TextMessage'], ['api.call', 'ApiKey'], ['contact.create', 'Contact']]) {
      both.take(['Account', id], action, [type, 'x', id], 3, { host: 'app.acme.example' });
      both.take(['Account', id], action, [type, 'x', id], 3);
    }
  }
  assert.equal(both.take(['Account', 'nobody'], 'campaign.send', CAMPAIGN).quota.length, 0);
  assert.equal(both.take(ACME, 'campaign.read', CAMPAIGN), null);
  assert.equal(both.take(ACME, 'no.action', CAMPAIGN), null);
});

test('an integer that a Number would round decodes as a string', () => {
  const both = new Both(account({ limits: { emails: 'unlimited' } }));
  const large = 2n ** 53n;
  both.each((engine) => engine.topUp('acme', 'emails', large + 5n));
  both.each((engine) => engine.carryOver('acme', 'emails', large - 2n));
  const [first, second] = [both.take(...SEND).quota[0], both.take(...SEND, Number.MAX_SAFE_INTEGER).quota[0]];
  assert.deepEqual([first.used, second.used, second.topUp, second.amount], [Number(large - 1n), String(2n * large - 2n), String(large + 5n), Number.MAX_SAFE_INTEGER]);
  both.each((engine) => engine.applyChanges({ put: [account({ limits: { emails: 10 } })] }));
  const over = both.take(...SEND).quota[0];
  assert.deepEqual([over.limit, over.remaining, over.used], [Number.MAX_SAFE_INTEGER, 0, String(2n * large - 2n)]);
  both.each((engine) => engine.applyChanges({ put: [account({ limits: { emails: 2 ** 33 } })] }));
  both.take(...SEND, 2 ** 32);
});

test('reservations, stocks and windows decode', () => {
  const zones = ['UTC', 'Asia/Kathmandu', 'America/Sao_Paulo', 'Pacific/Apia', 'Australia/Lord_Howe', 'Europe/Vienna'];
  const both = new Both(...zones.map((zone, at) => account({ id: `z${at}`, email: `z${at}@z.example`, zone, anchor: `2024-01-${25 + at}` })));
  const own = ['Contact', 'c', 'acme'];
  both.each((engine) => engine.reserve(...SEND, 6, 60_000, { host }));
  assert.deepEqual([both.take(...SEND).quota[0].held, both.take(ACME, 'contact.create', own, 5).quota[0].resetsAt], [6, null]);
  assert.equal(both.take(ACME, 'contact.delete', own, 2).quota[0].used, 3);
  const seen = new Set();
  for (let turn = 0; turn < 100; turn += 1) {
    const id = `z${turn % zones.length}`;
    for (const [action, type] of [['campaign.send', 'Campaign'], ['api.call', 'ApiKey']]) seen.add(both.take(['Account', id], action, [type, 'x', id]).quota[0].resetsAt);
    both.advance(DAY / 5);
  }
  assert.ok(seen.size > 25 && ![...seen].some((instant) => Number.isNaN(Date.parse(instant))));
});

test('several meters decode in order', () => {
  const both = new Both(account({ limits: { emails: 12, texts: 'unlimited' } }));
  both.each((engine) => engine.reload(bundleWithMeters('emails,texts,api_calls')));
  const found = Array.from({ length: 5 }, () => both.take(...SEND, 3));
  assert.deepEqual(found[0].quota.map(({ meter, used, limit }) => [meter, used, limit]), [['emails', 3, 12], ['texts', 3, 'unlimited'], ['api_calls', 3, found[0].quota[2].limit]]);
  assert.deepEqual([found[3].advice, found[4].code], [['quota_100'], 'quota_exceeded']);
  both.take(ANN, 'campaign.send', CAMPAIGN);
});

// Strings that such a decision interns are known to the next one.
test('a decision too large for shared memory decodes from text', () => {
  const both = new Both();
  both.each((engine) => engine.reload(bundleWithMeters(`${Array(8).fill('texts').join()},emails`)));
  const json = true;
  assert.deepEqual(both.take(ANN, 'campaign.send', CAMPAIGN, 1, { json }).quota.length, 9);
  both.each((engine) => engine.reload());
  assert.deepEqual(both.take(ANN, 'campaign.send', CAMPAIGN).quota.map(({ meter }) => meter), ['emails']);
});

test('a member limit decodes by handle and by name', () => {
  const member = (id, more) => ({ type: 'TeamMember', id, account: 'acme', email: `m${id.length}@acme.example`, confirmed: true, grants: ['campaigns'], ...more });
  const both = new Both(account({ limits: { emails: 20 } }), member('ann', { sub_limits: { emails: 4 } }), member('über-💥'), member('x'.repeat(250)));
  const [send, campaign, ann] = [new Action('campaign.send'), new ResourceType('Campaign'), new Principal(...ANN)];
  for (const who of [ANN, ann, { type: 'TeamMember', id: 'ann' }, ann, ANN, ['TeamMember', 'über-💥'], new Principal('TeamMember', 'x'.repeat(250))]) {
    const json = !Array.isArray(who) && !(who instanceof Principal);
    const found = both.take(who, send, [campaign, 'k', 'acme'], 1, { json });
    assert.equal(found.quota[0].member.id, who[1] ?? who.id);
  }
  assert.equal(both.take(ann, send, [campaign, 'k', 'acme']).code, 'member_quota_exceeded');
  // A member of a host's own class is not a member of a handle.
  class Nosy extends Principal {
    get id() {
      both.take(...SEND);
      return 'other';
    }

    set id(_) {}
  }
  const [asked, nosy] = [both.asked, new Nosy('TeamMember', 'ann')];
  assert.deepEqual([nosy.id, Object.isFrozen(nosy)], ['ann', true]);
  assert.equal(both.engines[0].consume(nosy, send, [campaign, 'k', 'acme'], 0, { host }).quota[0].member.id, 'ann');
  assert.equal(both.asked, asked);
});

test('a getter with side effects disturbs no decision', () => {
  const both = new Both(account({ limits: { emails: 100 } }));
  const [engine] = both.engines;
  const nosy = (value) => ({ get host() { engine.consume(ANN, 'campaign.send', CAMPAIGN, 5, { host }); return value; } });
  const found = engine.consume(...SEND, 2, nosy(host));
  assert.deepEqual([found.quota[0].amount, found.quota[0].used, found.quota[0].member], [2, 7, null]);
  const member = engine.consume(new Principal(...ANN), 'campaign.send', { type: 'Campaign', get id() { return engine.consume(...SEND, 1, { host }).code; }, account: 'acme' }, 2, { host });
  assert.deepEqual([member.quota[0].used, member.quota[0].member.used, member.quota[0].member.id], [10, 7, 'ann']);
});

test('evicted strings decode again, also from text', () => {
  const both = new Both();
  const erring = Engine.cedar({ policies: '@id("allow-erring") permit (principal, action, resource) when { principal.missing };' });
  const calls = new Set();
  for (let turn = 0; turn < 4_400; turn += 1) {
    const found = both.engines[0].consume(ACME, 'api.call', ['ApiKey', 'a', 'acme'], 1, { host });
    calls.add(found.quota[0].resetsAt);
    assert.ok(found.code === 'ok' && found.quota[0].meter === 'api_calls' && Date.parse(found.quota[0].resetsAt) > Date.parse(both.clocks[0].now()), `${turn}`);
    // This decision does not fit into numbers, so it must not be the one that evicts.
    if (turn > 4_000) assert.equal(erring.authorize(ACME, 'campaign.read', CAMPAIGN).errors.length, 1);
    both.clocks[0].advance(DAY);
  }
  assert.equal(calls.size, 4_400);
  both.clocks[1].set(both.clocks[0].now());
  both.engines[1].acceptClock();
  both.take(...SEND);
});

test('each worker interns its own strings', async () => {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Action, Engine, Host, Principal, ResourceType } = require(workerData.addon);
    const engine = Engine.open();
    engine.importLines(workerData.agency);
    const [acme, send, campaign, host] = [new Principal('Account', 'acme'), new Action('campaign.send'), new ResourceType('Campaign'), new Host(workerData.host)];
    let last;
    for (let turn = 0; turn < 5000; turn += 1) last = engine.consume(acme, send, [campaign, 'k', acme], 1, { host });
    parentPort.postMessage({ ...last });`;
  const addon = require.resolve('../../bindings-node/index.js');
  const workers = [0, 1, 2].map(() => new Worker(program, { eval: true, workerData: { addon, agency: AGENCY, host } }));
  const found = await Promise.all(workers.map((worker) => new Promise((resolve, reject) => {
    worker.on('message', resolve);
    worker.on('error', reject);
  })));
  const engine = Engine.open();
  engine.importLines(AGENCY);
  const own = engine.consume(...SEND, 5_000, { host: new Host(host), idempotencyKey: 'all' });
  for (const told of found) {
    assert.deepEqual([told.code, told.policies, told.quota[0].used, told.quota[0].resetsAt], [own.code, own.policies, 5_000, own.quota[0].resetsAt]);
  }
});

test('integers at their bounds decode exactly', () => {
  const halves = (value) => [Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n))];
  const said = new DecisionDecoder(['ok', 'print', 'policy', 'meter', 'none']);
  const ends = [0n, 1n, -1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n) + 1n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)];
  const count = (value) => (Number.isSafeInteger(Number(value)) ? Number(value) : String(value));
  for (const end of ends) {
    for (const operation of [0n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n]) {
      const quota = [3, 4, 0, 1 + (1 << 2) + (1 << 4) + (1 << 6), ...Array(8).fill(halves(end)).flat()];
      const words = new Uint32Array([5, ...halves(2n ** 64n - 1n), 0, 1, 1, 0, 2, 1, 3, ...halves(operation), ...quota]);
      const found = said.read(words, 0, '');
      const { amount, used, held, limit, base, override, topUp, remaining } = found.quota[0];
      assert.deepStrictEqual([amount, used, held, limit, base, override, topUp, remaining], Array(8).fill(count(end)));
      assert.deepStrictEqual([found.allowed, found.revision, found.operation, found.replayed, said.next], [true, String(2n ** 64n - 1n), count(operation), true, words.length]);
    }
  }
});

test('lists with one hash slot stay distinct', () => {
  const said = new DecisionDecoder(Array.from({ length: 300 }, (_, at) => `s${at}`));
  for (let turn = 0; turn < 2; turn += 1) {
    for (let one = 0; one < 300; one += 1) {
      const words = new Uint32Array([1, 1, 0, 0, 0, 1, 2, one, one, (one * 7) % 300]);
      const found = said.read(words, 0, '');
      assert.deepStrictEqual([found.policies, found.advice], [[`s${one}`], [`s${one}`, `s${(one * 7) % 300}`]]);
    }
  }
});

// A call that has started is never cancelled.
test('an async decision equals the sync one or is cancelled early', async () => {
  const both = new Both(account({ limits: { emails: 10 } }));
  const [one, other] = both.engines;
  const same = async (...given) => assert.deepStrictEqual({ ...(await one.consumeAsync(...given)), operation: null }, { ...other.consume(...given), operation: null });
  for (const amount of [undefined, 3, 4n, { emails: 1 }]) await same(...SEND, amount, { host });
  await same(...SEND, 1, { host, idempotencyKey: 'k', allowPartial: true });
  await same(...SEND);
  const control = new AbortController();
  assert.equal((await one.consumeAsync(...SEND, 0, { host, signal: control.signal })).code, 'ok');
  const begun = one.consumeAsync(...SEND, 5, { host, signal: control.signal });
  control.abort();
  assert.equal((await begun).code, 'quota_exceeded');
  const before = one.history('acme');
  await assert.rejects(one.consumeAsync(...SEND, 0, { host, signal: control.signal }), { name: 'AbortError' });
  await assert.rejects(one.consumeAsync(...SEND, 0, { host, signal: 1 }), { code: 'input.value' });
  await assert.rejects(one.consumeAsync(...SEND, -1, { host }), { code: 'input.amount' });
  await assert.rejects(one.consumeAsync(...SEND, 1, null), { code: 'input.value' });
  assert.deepEqual(one.history('acme'), before);
});

test('a replaced iterator is not used for decoding', () => {
  const both = new Both();
  const [engine] = both.engines;
  const question = [new Principal(...ACME), new Action('campaign.send'), [new ResourceType('Campaign'), 'k', 'acme']];
  const around = { host };
  const own = Array.prototype[Symbol.iterator];
  let asked = 0;
  engine.reload(bundleWithMeters('emails,texts'));
  Array.prototype[Symbol.iterator] = function () {
    asked += 1;
    return own.call(this);
  };
  let found;
  try {
    found = engine.consume(question[0], question[1], question[2], 1, around);
  } finally {
    Array.prototype[Symbol.iterator] = own;
  }
  assert.deepEqual([asked, found.quota.map(({ meter }) => meter)], [0, ['emails', 'texts']]);
});

test('random decisions decode alike from memory and text', () => {
  let seed = 29;
  const draw = (list) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return list[(seed >>> 8) % list.length];
  };
  const both = new Both(account({ limits: { emails: 900, texts: 'unlimited', api_calls: 40 }, zone: 'Europe/Vienna', anchor: '2024-01-31' }));
  const accounts = ['acme', 'nova', 'solo', 'bakery', 'cafe', 'edge', 'nobody'];
  const logins = [...accounts.map((id) => ['Account', id]), ...['ann', 'ben', 'cia', 'dan', 'eve', 'gus', 'hal'].map((id) => ['TeamMember', id])];
  const handles = logins.map((login) => new Principal(...login));
  const asked = [['campaign.send', 'Campaign'], ['sms.send', 'TextMessage'], ['api.call', 'ApiKey'], ['contact.create', 'Contact'], ['contact.delete', 'Contact'], ['automation.run', 'Automation']];
  const codes = new Set();
  for (let turn = 0; turn < 3_000; turn += 1) {
    const [[action, type], id, amount] = [draw(asked), draw(accounts), draw([0, 1, 1, 2, 7, 30, 2 ** 31, 2 ** 40])];
    if (turn % 10 === 0) both.each((engine) => engine.topUp('acme', 'emails', turn));
    if (turn % 100 === 0) both.advance(DAY / 3);
    codes.add(both.take(draw([...logins, ...handles]), action, [type, 'x', id], amount, { host: draw([host, host, 'app.acme.example', 'nowhere.example', null]) })?.code);
  }
  assert.ok(codes.has('ok') && codes.has('quota_exceeded') && codes.has(undefined) && codes.size > 6, [...codes].join());
  assert.deepStrictEqual(both.engines[0].usage('acme'), both.engines[1].usage('acme'));
});
