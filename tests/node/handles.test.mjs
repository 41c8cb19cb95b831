// Handles and columns: names that are looked up once and requests in columns give the same answers
// as single requests of strings.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Action, Engine, Host, Principal, ResourceType, SubletError } from '../../bindings-node/index.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const AGENCY = readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8');
const [HOST, APP] = ['dash.marketingmaster.example', 'app.acme.example'];
const OWNER = ['Account', 'acme'];
const CAMPAIGN = ['Campaign', 'k', 'acme'];

function openEngine() {
  const engine = Engine.open(path.join(ROOT, 'policies'));
  engine.importLines(AGENCY);
  return engine;
}

const code = (wanted) => (error) => {
  assert.ok(error instanceof SubletError, String(error));
  assert.equal(error.code, wanted, error.message);
  return true;
};

const createHandles = () => ({ acme: new Principal(...OWNER), read: new Action('campaign.read'), campaign: new ResourceType('Campaign'), dash: new Host(HOST) });

test('a handle equals its name and is built from strings', () => {
  const { acme, read, campaign, dash } = createHandles();
  assert.deepEqual([{ ...acme }, { ...read }, { ...campaign }, { ...dash }], [{ type: 'Account', id: 'acme' }, { type: 'Action', id: 'campaign.read' }, { name: 'Campaign' }, { name: HOST }]);
  assert.deepEqual(acme, new Principal(...OWNER));
  assert.notDeepEqual(acme, new Principal('Account', 'bakery'));
  assert.deepEqual({ ...new Action('App::Action', 'view') }, { type: 'App::Action', id: 'view' });
  assert.throws(() => { acme.id = 'nova'; }, TypeError);
  for (const bad of [1, null, '\ud800', ['a'], new String('a'), acme]) {
    for (const make of [() => new Principal(bad, 'x'), () => new Principal('Account', bad), () => new Action(bad), () => new ResourceType(bad), () => new Host(bad)]) assert.throws(make, code('input.value'));
  }
});

test('handles replace names everywhere', () => {
  const engine = openEngine();
  const { acme, read, campaign, dash } = createHandles();
  const bakery = new Principal('Account', 'bakery');
  assert.ok(engine.check(acme, read, [campaign, 'k', acme], { host: dash }));
  assert.ok(engine.check(acme, 'campaign.read', { type: campaign, id: 'k', account: acme }, { host: HOST }));
  assert.equal(engine.check(acme, 'account.read', acme, { host: dash }), engine.check(OWNER, 'account.read', OWNER, { host: HOST }));
  assert.deepEqual(engine.authorize(acme, read, [campaign, 'k', bakery], { host: dash }), engine.authorize(OWNER, 'campaign.read', ['Campaign', 'k', 'bakery'], { host: HOST }));
  const [acting, named] = [{ host: new Host(APP), realm: acme, actor: acme }, { host: APP, realm: OWNER, actor: OWNER }];
  assert.deepEqual(engine.authorize(bakery, read, [campaign, 'k', bakery], acting), engine.authorize(['Account', 'bakery'], 'campaign.read', ['Campaign', 'k', 'bakery'], named));
  assert.deepEqual(engine.permittedActions(acme, [campaign, 'k', acme], { host: dash }), engine.permittedActions(OWNER, CAMPAIGN, { host: HOST }));
  assert.deepEqual(engine.routeTicket(bakery, bakery, acting), engine.routeTicket(['Account', 'bakery'], ['Account', 'bakery'], named));
  assert.ok(engine.explain(acme, read, [campaign, 'k', acme], { host: dash }).decision.allowed);
  assert.deepEqual(engine.openTicket(bakery, ['Ticket', 't', bakery], acting), engine.openTicket(['Account', 'bakery'], ['Ticket', 't', 'bakery'], named));
  assert.deepEqual(engine.login(new Host(APP), 'hello@bakery.example').principal, ['Account', 'bakery']);
  assert.deepEqual(engine.login(APP, 'hello@bakery.example', { action: new Action('login.reset') }).principal, ['Account', 'bakery']);
  assert.throws(() => engine.login(APP, 'hello@bakery.example', { flow: 'login.reset' }), code('input.value'));
  assert.deepEqual(engine.getRecord(acme), engine.getRecord(OWNER));
});

// A part of a request that is not a plain value is read exactly or refused.
test('a handle fits only its own type', () => {
  const engine = openEngine();
  const { acme, read, campaign, dash } = createHandles();
  const good = [acme, read, [campaign, 'k', acme], { host: dash }];
  assert.ok(engine.check(...good));
  const wrong = [acme, read, campaign, dash, 1, null, {}, [], [acme], [acme, 'k'], ['Campaign', read], ['Campaign', 'k', campaign], ['Campaign', 'k', undefined], ['Campaign', 'k', 'acme', 'x'], ['Campaign'], [, 'k'], ['Campaign', '\ud800'], new Proxy(acme, {}), new Proxy([acme], {}), Object.create(Principal.prototype), Object.create(acme), { host: HOST, more: 1 }];
  for (const [place, right] of good.entries()) {
    for (const value of wrong) {
      if (value === right || (place === 2 && value === acme) || (place === 3 && value !== null && typeof value === 'object' && Object.keys(value).length === 0 && Object.getPrototypeOf(value) === Object.prototype)) continue;
      const refused = (error) => error instanceof SubletError && ['input.value', 'input.json'].includes(error.code);
      assert.throws(() => engine.check(...good.with(place, value)), refused, `${place}: ${typeof value}`);
      assert.throws(() => engine.authorize(...good.with(place, value)), refused);
    }
  }
  assert.throws(() => engine.check(OWNER, 'client.edit', ['Account', 'bakery', 'acme'], { host: HOST }), code('input.directory_resource'));
});

/** Effects that run whenever a proxy or getter is read. */
let meanwhile = () => {};
const LOOKS = ['getPrototypeOf', 'ownKeys', 'getOwnPropertyDescriptor', 'has', 'isExtensible'];
const nosy = Object.fromEntries(LOOKS.map((look) => [look, (...given) => { meanwhile(); return Reflect[look](...given); }]));

/** Returns the same parts, as getters or as a proxy, so that `seen` counts each read. */
const GUISES = {
  getters: (value, seen) => Object.defineProperties(Array.isArray(value) ? [...value] : {}, Object.fromEntries(Object.entries(value).map(([key, field]) => [key, { get: () => seen(key, field), enumerable: true, configurable: true }]))),
  proxy: (value, seen) => new Proxy(value, { ...nosy, get: (of, key) => { meanwhile(); return Object.hasOwn(of, key) && key !== 'length' ? seen(key, of[key]) : of[key]; } }),
};

/** Every call that takes a request, and whether it takes many. */
const WAYS = [
  ['check', (engine, { principal, action, resource, ...around }) => engine.check(principal, action, resource, around)],
  ['authorize', (engine, { principal, action, resource, ...around }) => engine.authorize(principal, action, resource, around).allowed],
  ['explain', (engine, { principal, action, resource, ...around }) => engine.explain(principal, action, resource, around).decision.allowed],
  ['records', (engine, request) => engine.checkMany([request])[0]],
  ['columns', (engine, { principal, action, resource, host, ...more }) => engine.checkMany({ principals: [principal], actions: [action], resources: [resource], hosts: [host], channels: more.channel })[0]],
  ['async', async (engine, request) => (await engine.checkManyAsync([request]))[0]],
];

test('each part of a request is read once', async () => {
  const engine = openEngine();
  const object = { type: 'Campaign', id: 'k', account: 'acme' };
  // A request inside a getter is answered and does not disturb the outer one.
  meanwhile = () => {
    assert.equal(engine.check(['Account', 'bakery'], 'campaign.edit', ['Campaign', 'other', 'nova'], { host: APP }), false);
    assert.deepEqual(engine.checkMany([{ principal: OWNER, action: 'campaign.read', resource: { type: 'Campaign', id: 'x', account: 'acme' }, host: HOST }]), [true]);
    assert.throws(() => engine.check(['Account', 1], 'campaign.edit', CAMPAIGN, { host: APP }), code('input.value'));
    assert.throws(() => engine.check(OWNER, 'campaign.edit', null, { host: APP }), code('input.value'));
  };
  for (const [guise, disguise] of Object.entries(GUISES)) {
    for (const [way, ask] of WAYS) {
      // A channel or an attribute is beyond the fast call path. The request then takes the exact
      // path.
      for (const [resource, more] of [[CAMPAIGN, {}], [object, {}], [CAMPAIGN, { channel: 'web' }], [object, { channel: 'web' }], [{ ...object, attributes: {} }, {}], [Object.assign(Object.create(null), object), {}]]) {
        const reads = {};
        const seen = (part) => (key, value) => {
          reads[`${part}.${key}`] = (reads[`${part}.${key}`] ?? 0) + 1;
          meanwhile();
          return value;
        };
        const request = { principal: disguise(OWNER, seen('principal')), action: 'campaign.read', resource: disguise(resource, seen('resource')), host: HOST, ...more };
        assert.equal(await ask(engine, request), true, `${guise} ${way}`);
        const wanted = ['principal.0', 'principal.1', ...Object.keys(resource).map((key) => `resource.${key}`)];
        assert.deepEqual(reads, Object.fromEntries(wanted.map((name) => [name, 1])), `${guise} ${way}`);
      }
    }
    for (const more of [{}, { channel: 'web' }]) {
      const reads = [];
      const seen = (key, value) => { reads.push(key); return value; };
      assert.equal(engine.check(OWNER, 'campaign.read', CAMPAIGN, disguise({ host: HOST, ...more }, seen)), true);
      assert.equal(engine.checkMany([disguise({ principal: OWNER, action: 'campaign.read', resource: CAMPAIGN, host: HOST, ...more }, seen)])[0], true);
      assert.deepEqual(reads.sort(), ['host', 'host', 'principal', 'action', 'resource', ...Object.keys(more), ...Object.keys(more)].sort());
    }
  }
  // An object that is refused is not changed.
  for (const wrong of [new Proxy(['Campaign'], nosy), new Proxy(new Map(), nosy), new Proxy(['Campaign', 'k', 'acme', 'more'], nosy)]) {
    for (const [, ask] of WAYS) {
      for (const part of ['principal', 'resource']) await assert.rejects(async () => ask(engine, { principal: OWNER, action: 'campaign.read', resource: CAMPAIGN, host: HOST, [part]: wrong }), (error) => ['input.value', 'input.item'].includes(error.code));
    }
  }
  meanwhile = () => {};
});

test('errors of getters propagate and wrong types are refused', async () => {
  const engine = openEngine();
  const thrown = new Error('read');
  const good = { principal: OWNER, action: 'campaign.read', resource: CAMPAIGN, host: HOST };
  for (const disguise of Object.values(GUISES)) {
    for (const [, ask] of WAYS) {
      for (const part of ['principal', 'resource']) {
        for (const place of good[part].keys()) {
          const failing = disguise(good[part], (key, value) => { if (key === `${place}`) throw thrown; return value; });
          await assert.rejects(async () => ask(engine, { ...good, [part]: failing }), (error) => error === thrown);
          const wrong = disguise(good[part], (key, value) => (key === `${place}` ? 1 : value));
          await assert.rejects(async () => ask(engine, { ...good, [part]: wrong }), (error) => ['input.value', 'input.item'].includes(error.code));
        }
      }
    }
    assert.throws(() => engine.check(OWNER, 'campaign.read', CAMPAIGN, disguise({ host: HOST }, () => { throw thrown; })), (error) => error === thrown);
    assert.throws(() => engine.checkMany([good, disguise(good, () => { throw thrown; })]), (error) => error === thrown);
    assert.throws(() => engine.checkMany([good, disguise(good, () => 1)]), /request 1: /);
  }
});

test('only an account owns a resource', () => {
  const engine = openEngine();
  const { acme, read, dash } = createHandles();
  const member = new Principal('TeamMember', 'acme');
  for (const resource of [['Campaign', 'k', member], { type: 'Campaign', id: 'k', account: member }]) {
    for (const around of [{ host: dash }, { host: dash, channel: 'web' }]) {
      for (const ask of [() => engine.check(acme, read, resource, around), () => engine.authorize(acme, read, resource, around), () => engine.explain(acme, read, resource, around), () => engine.permittedActions(acme, resource, around)]) assert.throws(ask, code('input.value'));
      assert.throws(() => engine.checkMany([{ principal: acme, action: read, resource, ...around }]), code('input.item'));
    }
  }
});

test('polluted prototypes are ignored', () => {
  const engine = openEngine();
  const { acme, read, campaign } = createHandles();
  Array.prototype[1] = 'acme';
  Object.prototype.account = 'acme';
  try {
    assert.throws(() => engine.check(['Account', ,], read, CAMPAIGN, { host: HOST }), code('input.value'));
    assert.throws(() => engine.check(acme, read, ['Campaign',, 'acme'], { host: HOST }), code('input.value'));
    assert.throws(() => engine.check(acme, read, { type: 'Campaign', id: 'k' }, { host: HOST }), SubletError);
    assert.throws(() => engine.checkMany([{ principal: acme, action: read, resource: { type: 'Campaign', id: 'k' }, host: HOST }]), SubletError);
  } finally {
    delete Array.prototype[1];
    delete Object.prototype.account;
  }
  assert.ok(engine.check(acme, read, [campaign, 'k', acme], { host: HOST }));
});

test('ids of any characters and length are exact', () => {
  const engine = openEngine();
  const { acme, read, campaign, dash } = createHandles();
  for (const id of ['', 'é', '💥', '\0', 'x'.repeat(3_000), 'x'.repeat(5_000), 'ü'.repeat(5_000), 'x'.repeat(200_000)]) {
    const answer = (ask) => { try { return ask(); } catch (error) { return error.code; } };
    const client = ['Account', id];
    for (const given of [[acme, read, [campaign, id, acme], { host: dash }], [client, 'campaign.read', CAMPAIGN, { host: HOST }], [acme, read, ['Campaign', 'k', id], { host: HOST }], [acme, read, CAMPAIGN, { host: id }]]) {
      const [principal, action, resource, { host }] = given;
      // A request with `actor: null` takes the text path, with the same answer.
      const text = answer(() => engine.check(principal, action, resource, { host, actor: null }));
      assert.equal(answer(() => engine.check(...given)), text, `${id.slice(0, 9)}`);
      const many = answer(() => engine.checkMany([{ principal, action, resource, host }])[0]);
      assert.equal(many, typeof text === 'string' ? 'input.item' : text);
    }
  }
});

test('handles outlive changes and work with any engine', () => {
  const [engine, other] = [openEngine(), Engine.open()];
  const [fresh, read, campaign, app] = [new Principal('Account', 'new'), new Action('campaign.read'), new ResourceType('Campaign'), new Host(APP)];
  const codeAt = (asked) => {
    const found = asked.authorize(fresh, read, [campaign, 'k', fresh], { host: app });
    assert.deepEqual(found, asked.authorize(['Account', 'new'], 'campaign.read', ['Campaign', 'k', 'new'], { host: APP }));
    assert.equal(asked.check(fresh, read, [campaign, 'k', fresh], { host: app }), found.allowed);
    return found.code;
  };
  const put = [{ type: 'Account', id: 'new', email: 'n@new.example', owner: 'acme', confirmed: true }];
  assert.deepEqual([codeAt(engine), codeAt(other)], ['principal_unknown', 'principal_unknown']);
  engine.applyChanges({ put });
  const known = codeAt(engine);
  assert.notEqual(known, 'principal_unknown');
  engine.applyChanges({ remove: [fresh] });
  assert.equal(codeAt(engine), 'principal_unknown');
  engine.importLines(AGENCY);
  engine.applyChanges({ put, resumed: true });
  assert.equal(codeAt(engine), known);
  other.importLines(AGENCY);
  other.applyChanges({ put });
  assert.equal(codeAt(other), known);
  const names = readdirSync(path.join(ROOT, 'policies')).filter((name) => /\.(cedar|cedarschema)$/.test(name) || name === 'catalog.json');
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(path.join(ROOT, 'policies', name), 'utf8')]));
  other.reload({ ...files, '05-more.cedar': '@id("x") @code("closed_today") forbid (principal, action == Action::"campaign.read", resource);' });
  assert.deepEqual([codeAt(other), codeAt(engine)], ['closed_today', known]);
  other.reload(files);
  assert.equal(codeAt(other), known);
});

/** Returns random requests from a fixed seed. */
function questions(count) {
  let seed = 17;
  const draw = (list) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return list[(seed >>> 8) % list.length];
  };
  const logins = AGENCY.trim().split('\n').map((line) => JSON.parse(line)).filter(({ type }) => type === 'Account' || type === 'TeamMember').map(({ type, id }) => [type, id]);
  const accounts = [...logins.filter(([type]) => type === 'Account').map(([, id]) => id), 'nobody'];
  return Array.from({ length: count }, () => {
    const request = { principal: draw([...logins, ['Account', 'nobody']]), action: draw(['campaign.read', 'campaign.edit', 'campaign.send', 'campaign.create']), resource: ['Campaign', 'k', draw(accounts)], host: draw([HOST, APP, 'nowhere.example', null]) };
    if (draw([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) === 0) request.actor = draw(logins);
    if (draw([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) === 0) request.channel = draw(['job', 'mail', 'web']);
    return request;
  });
}

const withHandles = (request) => ({
  ...request,
  principal: new Principal(...request.principal),
  action: new Action(request.action),
  resource: [new ResourceType(request.resource[0]), request.resource[1], new Principal('Account', request.resource[2])],
  host: request.host && new Host(request.host),
});

const toColumns = (requests) => Object.fromEntries(['principal', 'action', 'resource', 'host', 'actor', 'channel'].map((name) => [`${name}s`, requests.map((request) => request[name])]));

test('a batch equals single checks', async () => {
  const engine = openEngine();
  const requests = questions(2_500);
  const wanted = requests.map(({ principal, action, resource, ...more }) => engine.authorize(principal, action, resource, more));
  assert.ok(new Set(wanted.map((found) => found.code)).size > 4);
  const bits = wanted.map((found) => found.allowed);
  const plain = requests.filter((request) => !request.actor && !request.channel);
  for (const list of [requests, requests.map(withHandles)]) {
    assert.deepEqual(list.map(({ principal, action, resource, ...more }) => engine.check(principal, action, resource, more)), bits);
    for (const given of [list, toColumns(list)]) {
      assert.deepEqual(engine.checkMany(given), bits);
      assert.deepEqual(await engine.checkManyAsync(given), bits);
      assert.deepEqual(engine.authorizeMany(given), wanted);
      assert.deepEqual(await engine.authorizeManyAsync(given), wanted);
    }
  }
  const [{ actors, channels, ...four }, found] = [toColumns(plain), engine.checkMany(plain)];
  assert.deepEqual(engine.checkMany(four), found);
});

// If the lengths differ, no request is answered.
test('one value fills a column and lengths must match', async () => {
  const engine = openEngine();
  const good = { principals: OWNER, actions: 'campaign.read', resources: Array.from({ length: 1_500 }, (_, n) => ['Campaign', `${n}`, 'acme']), hosts: HOST };
  assert.deepEqual(engine.checkMany(good), Array(1_500).fill(true));
  assert.deepEqual(engine.checkMany({ ...good, resources: CAMPAIGN }), [true]);
  assert.deepEqual(engine.checkMany({ ...good, resources: [new ResourceType('Campaign'), 'k', 'acme'] }), [true]);
  assert.deepEqual([engine.checkMany({ ...good, resources: [] }), engine.checkMany([]), engine.authorizeMany([])], [[], [], []]);
  const two = { ...good, resources: [CAMPAIGN, CAMPAIGN] };
  for (const [more, wanted] of [
    [{ hosts: [HOST] }, 'input.columns'],
    [{ actions: [] }, 'input.columns'],
    [{ actions: undefined }, 'input.item'],
    [{ principals: [OWNER, 1] }, 'input.item'],
    [{ actions: ['campaign.read', 'fly'] }, 'input.item'],
    [{ amounts: [1, NaN] }, 'input.item'],
    [{ principal: OWNER }, 'input.value'],
    [{ get hosts() { return HOST; } }, 'input.value'],
    [{ hosts: new Proxy([HOST, HOST], {}) }, 'input.value'],
  ]) {
    const given = Object.defineProperties({ ...two }, Object.getOwnPropertyDescriptors(more));
    assert.throws(() => engine.checkMany(given), code(wanted));
    assert.throws(() => engine.authorizeMany(given), code(wanted));
    await assert.rejects(engine.checkManyAsync(given), code(wanted));
    await assert.rejects(engine.authorizeManyAsync(given), code(wanted));
  }
  for (const given of [undefined, null, 1, 'x', new Proxy([], {}), new Map()]) assert.throws(() => engine.checkMany(given), code('input.value'));
});

// Evicted strings are interned again.
test('the interner evicts strings but keeps handles', async () => {
  const engine = openEngine();
  const { acme, read, campaign, dash } = createHandles();
  const slow = engine.checkManyAsync(Array(20_000).fill({ principal: OWNER, action: 'campaign.read', resource: CAMPAIGN, host: HOST }));
  for (let turn = 0; turn < 150_000; turn += 1) {
    if (engine.check(acme, read, [campaign, 'k', acme], { host: `h${turn}.example` })) assert.fail(`h${turn}`);
    if (turn % 10_000 === 0) {
      assert.ok(engine.check(acme, read, [campaign, 'k', acme], { host: dash }) && engine.check(OWNER, 'campaign.read', CAMPAIGN, { host: HOST }));
      await new Promise((resolve) => { setImmediate(resolve); });
    }
  }
  assert.ok((await slow).every(Boolean));
  for (let turn = 0; turn < 100_000; turn += 1) new Principal('Account', `p${turn}`);
  await new Promise((resolve) => { setTimeout(resolve, 10); });
  assert.ok(engine.check(acme, read, [campaign, 'k', acme], { host: dash }));
});

test('the event loop runs during a long batch', async () => {
  const engine = openEngine();
  const request = { principal: OWNER, action: 'campaign.read', resource: CAMPAIGN, host: HOST };
  let [turns, going] = [0, true];
  const turn = () => { turns += 1; if (going) setImmediate(turn); };
  setImmediate(turn);
  const found = await engine.checkManyAsync(Array(200_000).fill(request));
  going = false;
  assert.ok(found.every(Boolean));
  // The conversion takes a hundred slices with a turn of the event loop after each. The decisions
  // run in parallel.
  assert.ok(turns >= 90, `the event loop ran ${turns} times`);
});

test('each worker has an engine and handles of its own', async () => {
  const addon = createRequire(import.meta.url).resolve('../../bindings-node/index.js');
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Action, Engine, Host, Principal, ResourceType } = require(workerData.addon);
    const engine = Engine.open();
    engine.importLines(workerData.agency);
    const [acme, read, campaign, dash] = [new Principal('Account', 'acme'), new Action('campaign.read'), new ResourceType('Campaign'), new Host(workerData.host)];
    let allowed = 0;
    for (let turn = 0; turn < 20000; turn += 1) allowed += engine.check(acme, read, [campaign, 'k', acme], { host: dash }) ? 1 : 0;
    for (let turn = 0; turn < 1000; turn += 1) new Principal('Account', String(turn));
    const pending = engine.checkManyAsync(Array(50000).fill({ principal: acme, action: read, resource: [campaign, 'k', acme], host: dash }));
    parentPort.postMessage({ allowed, sent: workerData.sent });
    if (workerData.exit) process.exit(0);
    pending.then(() => {});`;
  const acme = new Principal(...OWNER);
  const workers = Array.from({ length: 4 }, (_, n) => new Worker(program, { eval: true, workerData: { addon, agency: AGENCY, host: HOST, sent: acme, exit: n % 2 === 0 } }));
  const engine = openEngine();
  const { read, campaign, dash } = createHandles();
  for (let turn = 0; turn < 20_000; turn += 1) assert.ok(engine.check(acme, read, [campaign, 'k', acme], { host: dash }));
  const found = await Promise.all(workers.map((worker) => new Promise((resolve, reject) => {
    let message;
    worker.on('message', (told) => { message = told; });
    worker.on('error', reject);
    worker.on('exit', () => resolve(message));
  })));
  // A handle that is sent to a worker arrives as a plain object, which names a login by type and
  // id.
  for (const { allowed, sent } of found) {
    assert.equal(allowed, 20_000);
    assert.ok(engine.check(sent, read, [campaign, 'k', acme], { host: dash }));
  }
});
