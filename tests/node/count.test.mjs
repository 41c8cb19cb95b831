// Quotas from Node: a debit is what was allowed, happens once, and never exceeds the limit.
// `tests/tests/suite/count.rs` checks the same in Rust.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Decision, Engine, ManualClock, SubletError } from '../../bindings-node/index.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const host = 'dash.marketingmaster.example';
const ACME = ['Account', 'acme'];
const ANN = ['TeamMember', 'ann'];
const CAMPAIGN = ['Campaign', 'k', 'acme'];
const SEND = [ACME, 'campaign.send', CAMPAIGN];
const DAY = 86_400_000;

function openEngine(limit) {
  const clock = new ManualClock('2026-01-31T12:00:00Z');
  const engine = Engine.open(undefined, { clock });
  engine.importLines(readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8'));
  if (limit !== undefined) setLimit(engine, limit);
  return { engine, clock };
}

function setLimit(engine, emails) {
  engine.applyChanges({ put: [{ type: 'Account', id: 'acme', email: 'owner@acme.example', package: 'agency', confirmed: true, limits: { emails } }] });
}

const code = (wanted) => (error) => {
  assert.ok(error instanceof SubletError, String(error));
  assert.equal(error.code, wanted, error.message);
  return true;
};

const counts = ({ quota: [{ used, held }] }) => [used, held];
const send = (engine, amount, more) => engine.consume(...SEND, amount, { host, ...more });
const reserve = (engine, amount, ttl = 60_000) => engine.reserve(...SEND, amount, ttl, { host });
const emails = (engine, more) => engine.usage('acme', { meter: 'emails', ...more })[0];
const assertNoFaults = (engine) => assert.deepEqual(engine.verify().faults, []);

test('the limit is inclusive', () => {
  const { engine } = openEngine(10);
  const first = send(engine, 10);
  assert.ok(first instanceof Decision && Object.isFrozen(first.quota) && Object.isFrozen(first.quota[0]));
  assert.deepEqual([first.allowed, counts(first), first.advice, first.replayed, first.expiresAt], [true, [10, 0], ['quota_100'], false, null]);
  assert.equal(typeof first.operation, 'number');
  const second = send(engine);
  assert.deepEqual([second.code, counts(second), second.quota[0].amount, second.operation], ['quota_exceeded', [10, 0], 1, null]);
  assert.ok(send(engine, 0).allowed);
  assert.deepEqual(emails(engine), {
    meter: 'emails', amount: 0, used: 10, held: 0, limit: 10, source: 'override', base: first.quota[0].base, override: 10, topUp: 0, remaining: 0,
    resetsAt: '2026-02-01T00:00:00Z', member: null,
  });
  assert.equal(typeof first.quota[0].base, 'number');
  assert.ok(engine.usage('acme').length > 5);
  assertNoFaults(engine);
});

test('a sub-limit is part of the account limit', () => {
  const { engine } = openEngine(10);
  engine.applyChanges({ put: [{ type: 'TeamMember', id: 'ann', account: 'acme', email: 'ann@acme.example', confirmed: true, grants: ['campaigns'], sub_limits: { emails: 4 } }] });
  const ann = (amount) => engine.consume(ANN, 'campaign.send', CAMPAIGN, amount, { host });
  assert.deepEqual(ann(4).quota[0].member, { id: 'ann', used: 4, held: 0, limit: 4, remaining: 0 });
  assert.equal(ann(1).code, 'member_quota_exceeded');
  assert.deepEqual(counts(send(engine, 6)), [10, 0]);
  assert.equal(send(engine, 1).code, 'quota_exceeded');
  const stands = emails(engine, { member: 'ann' });
  assert.deepEqual([stands.used, stands.member.used], [10, 4]);
  assert.throws(() => engine.usage('acme', { member: 'dan' }), code('directory.unknown_record'));
  assert.throws(() => engine.usage('nobody'), code('directory.unknown_account'));
  assert.throws(() => engine.usage('acme', { meter: 'smiles' }), code('quota.unknown_meter'));
});

test('an idempotency key debits once', () => {
  const { engine } = openEngine(10);
  const first = send(engine, 3, { idempotencyKey: 'k' });
  const second = send(engine, 3, { idempotencyKey: 'k' });
  assert.deepEqual([first.replayed, second.replayed, second.operation, counts(second)], [false, true, first.operation, counts(first)]);
  assert.throws(() => send(engine, 4, { idempotencyKey: 'k' }), code('quota.idempotency_mismatch'));
  // A denial is not stored under the key.
  assert.ok(!send(engine, 8, { idempotencyKey: 'later' }).allowed);
  const topped = engine.topUp('acme', 'emails', 5, { idempotencyKey: 'gift' });
  assert.deepEqual([topped.quota[0].topUp, topped.quota[0].limit, topped.replayed, topped.expiresAt], [5, 15, false, null]);
  assert.ok(engine.topUp('acme', 'emails', 5, { idempotencyKey: 'gift' }).replayed);
  assert.ok(send(engine, 8, { idempotencyKey: 'later' }).allowed);
  assert.throws(() => send(engine, 1, { idempotencyKey: '' }), code('input.idempotency_key'));
  assert.throws(() => send(engine, 1, { idempotencyKey: 'x'.repeat(256) }), code('input.idempotency_key'));
  assert.ok(send(engine, 1, { idempotencyKey: null }).allowed);
});

test('a reservation is held until it is settled or expires', () => {
  const { engine, clock } = openEngine(10);
  const first = reserve(engine, 6);
  assert.deepEqual([counts(first), first.expiresAt], [[0, 6], '2026-01-31T12:01:00Z']);
  assert.equal(reserve(engine, 5).code, 'quota_exceeded');
  const committed = engine.commit(first.operation, { amount: 4 });
  assert.deepEqual(counts(committed), [4, 0]);
  const again = engine.commit(first.operation, { amount: 4 });
  assert.deepEqual([again.replayed, again.operation, counts(again)], [true, committed.operation, [4, 0]]);
  assert.throws(() => engine.release(first.operation), code('quota.reservation_closed'));
  const second = reserve(engine, 6);
  assert.throws(() => engine.commit(second.operation, { amount: 7 }), code('quota.commit_too_much'));
  assert.deepEqual(counts(engine.release(second.operation)), [4, 0]);
  const third = reserve(engine, 6);
  clock.advance(60_000);
  assert.throws(() => engine.commit(third.operation), code('quota.reservation_expired'));
  assert.deepEqual(counts(send(engine, 6)), [10, 0]);
  assertNoFaults(engine);
});

test('a reservation needs a valid time to live', () => {
  const { engine } = openEngine(10);
  for (const ttl of [0, -1, 1.5, NaN, Infinity, 2 ** 53, 366 * DAY + 1, 2n ** 64n, '60000', {}, true, Symbol('x')]) {
    assert.throws(() => engine.reserve(...SEND, 1, ttl, { host }), code('input.ttl'), String(ttl));
  }
  assert.ok(reserve(engine, 1, 1).allowed && reserve(engine, 1, BigInt(366 * DAY)).allowed);
});

test('a reservation lasts 15 minutes by default', () => {
  const { engine, clock } = openEngine(10);
  const [held, lost] = [engine.reserve(...SEND, 1, undefined, { host }), engine.reserve(...SEND, 1, null, { host })];
  clock.advance(15 * 60_000 - 1);
  assert.deepEqual(counts(engine.commit(held.operation)), [1, 1]);
  clock.advance(1);
  assert.throws(() => engine.commit(lost.operation), code('quota.reservation_expired'));
});

test('a refund is at most the debit', () => {
  const { engine } = openEngine(10);
  const { operation } = send(engine, 8);
  assert.deepEqual(counts(engine.refund(operation, { amount: 3, idempotencyKey: 'back' })), [5, 0]);
  assert.ok(engine.refund(BigInt(operation), { amount: 3n, idempotencyKey: 'back' }).replayed);
  assert.throws(() => engine.refund(operation, { amount: 6 }), code('quota.refund_too_much'));
  assert.deepEqual(counts(engine.refund(operation)), [0, 0]);
  assert.throws(() => engine.refund(operation, { amount: 1 }), code('quota.refund_too_much'));
  assert.throws(() => engine.refund(2n ** 64n - 1n, { amount: 1 }), code('quota.unknown_operation'));
  for (const bad of [-1, 1.5, NaN, '1', null, undefined, 2n ** 64n, {}]) assert.throws(() => engine.refund(bad), code('input.value'));
});

test('a partial consume grants the rest', () => {
  const { engine } = openEngine(10);
  send(engine, 7);
  const rest = send(engine, 5, { allowPartial: true });
  assert.deepEqual([rest.allowed, rest.quota[0].amount, counts(rest)], [true, 3, [10, 0]]);
  assert.ok(!send(engine, 5, { allowPartial: true }).allowed);
  assert.throws(() => send(engine, 5, { allowPartial: 1 }), code('input.value'));
});

test('stocks persist and flows restart', () => {
  const { engine, clock } = openEngine();
  const contact = (verb, action, amount) => engine[verb](ACME, action, ['Contact', 'c', 'acme'], amount, { host });
  assert.deepEqual(counts(contact('consume', 'contact.create', 5)), [5, 0]);
  assert.deepEqual(counts(contact('consume', 'contact.delete', 2)), [3, 0]);
  assert.throws(() => contact('consume', 'contact.delete', 4), code('quota.below_zero'));
  const set = contact('setStock', 'contact.create', 40);
  assert.deepEqual([counts(set), set.quota[0].resetsAt], [[40, 0], null]);
  assert.throws(() => contact('setStock', 'contact.create'), code('input.amount'));
  for (const verb of ['setStock', 'increaseStock', 'decreaseStock']) assert.throws(() => engine[verb](...SEND, 4, { host }), code('quota.not_a_stock'));
  assert.deepEqual(counts(contact('increaseStock', 'contact.create', 2)), [42, 0]);
  assert.deepEqual(counts(contact('decreaseStock', 'contact.create', { contacts: 1n })), [41, 0]);
  assert.deepEqual(counts(contact('decreaseStock', 'contact.delete', 1)), [40, 0]);
  assert.throws(() => contact('decreaseStock', 'contact.create', 41), code('quota.below_zero'));
  assert.throws(() => contact('increaseStock', 'contact.create', 0.5), code('input.amount'));
  send(engine, 100);
  // On the first of February a new window begins for e-mails. Contacts, a stock, persist.
  clock.advance(DAY / 2);
  assert.equal(clock.now(), '2026-02-01T00:00:00Z');
  assert.deepEqual(counts(send(engine, 1)), [1, 0]);
  assert.equal(engine.usage('acme', { meter: 'contacts' })[0].used, 40);
  // If the clock goes back to January, the time stays where it is.
  clock.advance(-3_600_000n);
  assert.deepEqual(counts(send(engine, 1)), [2, 0]);
  clock.set('2026-03-12T23:00:00Z');
  assert.equal(engine.acceptClock(), undefined);
  assert.deepEqual(counts(send(engine, 1)), [1, 0]);
});

test('a batch is all or nothing', () => {
  const { engine } = openEngine(10);
  const [principal, action, resource] = SEND;
  const batch = (...amounts) => engine.batch(amounts.map((amount) => ({ principal, action, resource, amount, host })));
  const refused = batch(4, 5, 2);
  assert.deepEqual(refused.map(({ allowed, operation }) => [allowed, operation]), [[true, null], [true, null], [false, null]]);
  assert.equal(emails(engine).used, 0);
  assert.ok(batch(4, 5, undefined).every(({ allowed, operation }) => allowed && operation !== null));
  assert.deepEqual([emails(engine).used, engine.history('acme').length], [10, 3]);
  for (const amount of [-1, null, '1', NaN]) assert.throws(() => batch(0, amount), (error) => code('input.item')(error) && /^request 1: .*input\.amount/.test(error.message));
  assert.throws(() => engine.batch([{ principal, action: 'campaign.read', resource, host }]), code('input.item'));
  assert.throws(() => engine.batch({ principal }), code('input.value'));
  const keyed = (idempotencyKey, allowPartial) => engine.batch([{ principal, action, resource, amount: { emails: 0 }, host, idempotencyKey, allowPartial, channel: 'web' }]);
  assert.deepEqual([keyed('b', true)[0].allowed, engine.batch([])], [true, []]);
  assertNoFaults(engine);
});

test('a check debits nothing and reports the quota', async () => {
  const { engine } = openEngine(10);
  const ask = (amount) => [...SEND, { host, amount }];
  assert.deepEqual([engine.check(...ask(10)), engine.check(...ask(11))], [true, false]);
  const asked = engine.authorize(...ask(11));
  assert.deepEqual([asked.code, counts(asked), asked.quota[0].remaining, asked.operation], ['quota_exceeded', [0, 0], 10, null]);
  assert.deepEqual(engine.explain(...ask(11)).decision, asked);
  const columns = { principals: ACME, actions: 'campaign.send', resources: [CAMPAIGN, CAMPAIGN, CAMPAIGN], hosts: host, amounts: [10, 11, null] };
  for (const many of [engine.authorizeMany(columns), await engine.authorizeManyAsync(columns)]) {
    assert.deepEqual(many[1], asked);
    assert.deepEqual(many.map(({ code: told, quota }) => [told, quota.length]), [['ok', 1], ['quota_exceeded', 1], ['ok', 0]]);
  }
  const plain = engine.authorize(...SEND, { host });
  assert.deepEqual([plain.quota, plain.operation, plain.replayed, plain.expiresAt, Object.isFrozen(plain.quota)], [[], null, false, null, true]);
  assert.deepEqual(engine.history('acme'), []);
});

test('an invalid amount is a typed error and writes nothing', () => {
  const { engine } = openEngine(10);
  const { operation } = send(engine, 2);
  const held = reserve(engine, 2).operation;
  const before = [engine.history('acme'), emails(engine)];
  class Owned { emails = 1; }
  const single = [NaN, 1.5, -1, -1n, Infinity, 2 ** 53, 2n ** 63n, '1', true, false, null, [1], Symbol('x'), () => 1];
  const objects = [...single.map((emails) => ({ emails })), {}, { emails: undefined }, { emails: 1, texts: undefined }, new Owned(), new Map([['emails', 1]]), new Proxy({ emails: 1 }, {}), { get emails() { return 1; } }, { emails: {} }];
  for (const amount of [...single, ...objects]) {
    assert.throws(() => send(engine, amount), code('input.amount'));
    assert.throws(() => engine.reserve(...SEND, amount, 1_000, { host }), code('input.amount'));
    assert.throws(() => engine.setStock(ACME, 'contact.create', ['Contact', 'c', 'acme'], amount, { host }), code('input.amount'));
    for (const work of [(more) => engine.commit(held, more), (more) => engine.refund(operation, more)]) assert.throws(() => work({ amount }), code('input.amount'));
    for (const verb of ['topUp', 'carryOver']) assert.throws(() => engine[verb]('acme', 'emails', amount), code('input.amount'));
  }
  for (const verb of ['topUp', 'carryOver']) assert.throws(() => engine[verb]('acme', 'emails'), code('input.amount'));
  assert.throws(() => send(engine, { smiles: 1 }), code('quota.unknown_meter'));
  assert.throws(() => send(engine, 1, { amount: 1 }), code('input.value'));
  assert.throws(() => send(engine, 1, { upto: true }), code('input.value'));
  assert.throws(() => engine.commit(held, { allowPartial: true }), code('input.value'));
  assert.throws(() => engine.reserve(...SEND, 1, 1_000, { host, allowPartial: true }), code('input.value'));
  assert.throws(() => engine.consume(ACME, 'campaign.read', CAMPAIGN, 1, { host }), code('quota.not_metered'));
  assert.deepEqual([engine.history('acme'), emails(engine)], before);
  assert.deepEqual(counts(send(engine, { emails: 3n })), [5, 2]);
});

test('an integer that a Number would round is a string', () => {
  const { engine } = openEngine('unlimited');
  const large = 2n ** 53n + 1n;
  const first = send(engine, large);
  assert.deepEqual([first.quota[0].amount, ...counts(first), first.quota[0].limit, first.quota[0].remaining, first.quota[0].topUp], [String(large), String(large), 0, 'unlimited', 'unlimited', 0]);
  assert.equal(engine.history('acme')[0].parts[0].used, String(large));
  assert.equal(engine.refund(first.operation, { amount: large }).quota[0].used, 0);
  assert.equal(send(engine, 2 ** 53 - 1).quota[0].used, 2 ** 53 - 1);
  assert.equal(send(engine, 1n).quota[0].used, String(2n ** 53n));
  const wrapped = send(engine, 2n ** 63n - 1n);
  assert.deepEqual([wrapped.code, wrapped.quota[0].amount], ['quota_exceeded', String(2n ** 63n - 1n)]);
  setLimit(engine, 10);
  const over = send(engine, 2n ** 63n - 1n);
  assert.deepEqual([over.code, over.errors], ['quota_exceeded', []]);
  // The equal string is a replay, too.
  engine.carryOver('acme', 'texts', large, { idempotencyKey: 'c' });
  const again = engine.carryOver('acme', 'texts', large, { idempotencyKey: 'c' });
  assert.deepEqual([again.replayed, again.quota[0].used], [true, String(large)]);
});

test('the history begins with the newest entry', () => {
  const { engine, clock } = openEngine(10);
  const taken = send(engine, 3, { idempotencyKey: 'k' });
  const held = reserve(engine, 2);
  const carried = engine.carryOver('acme', 'emails', 1, { member: 'ann' });
  const back = engine.refund(taken.operation, { amount: 1 });
  const [last, second, third, first, ...more] = engine.history('acme');
  assert.deepEqual([last.operation, last.kind, last.parent, more], [back.operation, 'refund', taken.operation, []]);
  assert.deepEqual([second.operation, second.kind, second.member], [carried.operation, 'carry_over', 'ann']);
  assert.deepEqual([third.reservation, third.parts], ['open', [{ meter: 'emails', member: null, used: 0, held: 2, topUp: 0, refunded: 0 }]]);
  assert.deepEqual([first.at, first.idempotencyKey, first.parent, first.reservation, first.actor, first.parts[0].refunded], ['2026-01-31T12:00:00Z', 'k', null, null, null, 1]);
  clock.advance(60_000);
  assert.equal(engine.history('acme', { before: carried.operation, limit: 1 })[0].reservation, 'expired');
  assert.deepEqual(engine.history('acme', { before: held.operation }).map((entry) => entry.operation), [taken.operation]);
  for (let step = 0; step < 100; step += 1) engine.topUp('acme', 'emails', 1);
  assert.deepEqual([engine.history('acme').length, engine.history('acme', { limit: null }).length, engine.history('acme', { limit: 7 }).length], [100, 100, 7]);
  for (const limit of [-1, 1.5, '1', 2 ** 40]) assert.throws(() => engine.history('acme', { limit }), code('input.value'));
  const { buckets, operations, faults } = engine.verify();
  assert.ok(buckets > 0 && operations > 100);
  assert.deepEqual(faults, []);
});

test('a manual clock is validated and drives the engine', () => {
  const { clock } = openEngine(10);
  assert.throws(() => new ManualClock('yesterday'), code('input.instant'));
  assert.throws(() => new ManualClock(0), code('input.value'));
  assert.throws(() => clock.set('2026-13-01T00:00:00Z'), code('input.instant'));
  for (const bad of [1.5, NaN, '1', null, 2 ** 53, 2n ** 63n]) assert.throws(() => clock.advance(bad), code('input.value'));
  assert.equal(clock.now(), '2026-01-31T12:00:00Z');
  for (const bad of [{}, Date.now(), () => 0, Object.create(ManualClock.prototype)]) assert.throws(() => Engine.open(undefined, { clock: bad }), code('input.value'));
  assert.throws(() => Engine.open(undefined, { clocks: clock }), code('input.value'));
  // Without a clock the engine uses the system clock.
  const system = Engine.open(undefined, { clock: null });
  system.importLines(readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8'));
  assert.ok(Math.abs(Date.parse(system.topUp('acme', 'emails', 1).quota[0].resetsAt) - Date.now()) < 32 * DAY);
  assert.throws(() => Engine.cedar({ policies: 'permit (principal, action, resource);', clock }).consume(...SEND), code('input.not_tenancy'));
});

test('a getter with side effects does not change the request', () => {
  const { engine } = openEngine(100);
  const more = {
    get host() {
      send(engine, 5);
      return host;
    },
  };
  const decision = engine.consume(...SEND, 2, more);
  assert.deepEqual([decision.quota[0].amount, decision.quota[0].used], [2, 7]);
  for (const amount of [2 ** 32 + 3, Number.MAX_SAFE_INTEGER]) assert.equal(engine.consume(...SEND, amount, { host }).code, 'quota_exceeded');
  setLimit(engine, 2 ** 40);
  assert.equal(engine.consume(...SEND, 2 ** 32 + 3, { host }).quota[0].used, 2 ** 32 + 10);
  assert.equal(engine.consume(...SEND, -0, { host }).operation, null);
  assert.equal(engine.consume(...SEND, 1n, { host }).quota[0].used, 2 ** 32 + 11);
});
