// Behaviour that a Node service relies on: hostile values, errors, promises, workers, panics.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Engine, SubletError, errorCodes } from '../../bindings-node/index.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HOST = 'dash.marketingmaster.example';
const OWNER = ['Account', 'acme'];
const CAMPAIGN = { type: 'Campaign', id: 'k', account: 'acme' };

function openEngine() {
  const engine = Engine.open(path.join(ROOT, 'policies'));
  engine.importLines(readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8'));
  return engine;
}

const code = (wanted) => (error) => {
  assert.ok(error instanceof SubletError, String(error));
  assert.equal(error.code, wanted, error.message);
  return true;
};

/** Returns a signal that is aborted in the next turn of the event loop. */
function aborted(reason) {
  const controller = new AbortController();
  queueMicrotask(() => controller.abort(reason));
  return controller.signal;
}

test('an invalid amount is a typed error', () => {
  const engine = openEngine();
  for (const amount of [true, 1.5, NaN, Infinity, -1, -1n, 2 ** 53, 2n ** 63n, '1', [1], {}, Symbol('x'), () => 1]) {
    assert.throws(() => engine.authorize(OWNER, 'campaign.send', CAMPAIGN, { host: HOST, amount }), code('input.amount'));
  }
  for (const amount of [0, 1, 2 ** 53 - 1, 2n ** 53n + 1n, 2n ** 63n - 1n]) {
    const { allowed, quota } = engine.authorize(OWNER, 'campaign.send', CAMPAIGN, { host: HOST, amount });
    assert.deepEqual([allowed, quota[0].amount], [amount <= quota[0].limit, typeof amount === 'bigint' ? String(amount) : amount]);
    assert.equal(engine.check(OWNER, 'campaign.send', CAMPAIGN, { host: HOST, amount }), allowed);
  }
});

test('hostile objects are exact or refused', () => {
  const engine = openEngine();
  const ask = (resource, environment = { host: HOST }) => engine.check(OWNER, 'campaign.read', resource, environment);
  class Owned { constructor() { Object.assign(this, CAMPAIGN); } }
  for (const resource of [new Owned(), new Proxy(new Owned(), {}), Object.create(CAMPAIGN), new Map(), new Proxy({ ...CAMPAIGN, more: 1 }, {}), null, undefined, 'Campaign', ['Campaign'], ['Campaign', 1], { ...CAMPAIGN, toJSON: () => CAMPAIGN }, { ...CAMPAIGN, account: new String('acme') }, { ...CAMPAIGN, more: 1 }]) {
    assert.throws(() => ask(resource), code('input.value'));
  }
  assert.throws(() => ask(CAMPAIGN, { host: '\ud800' }), code('input.value'));
  assert.throws(() => ask(CAMPAIGN, { host: HOST, context: JSON.parse('{"__proto__": {"x": 1}}') }), code('input.context'));
  for (const context of [{ x: null }, { x: 1.5 }, { x: 2 ** 53 }, { x: 2n ** 64n }, { x: undefined, y: NaN }, { x: [,] }, { get x() { return 1; } }, new Proxy({ x: 1 }, {}), { x: new Proxy([1], {}) }, { [Symbol('x')]: 1 }, { x: new Date() }]) {
    assert.throws(() => ask(CAMPAIGN, { host: HOST, context }), code('input.value'));
  }
  let deep = 1;
  for (let level = 0; level < 900; level += 1) deep = [deep];
  assert.throws(() => ask(CAMPAIGN, { host: HOST, context: { deep } }), code('input.nesting'));
  assert.throws(() => ask(CAMPAIGN, { host: HOST, hots: HOST }), code('input.value'));
  assert.ok(ask(Object.assign(Object.create(null), CAMPAIGN)));
});

test('toJSON and prototypes are ignored', () => {
  const engine = openEngine();
  Object.prototype.host = 'evil.example';
  try {
    assert.equal(engine.authorize(OWNER, 'campaign.read', CAMPAIGN, {}).code, 'host_missing');
  } finally {
    delete Object.prototype.host;
  }
});

test('diagnostics have positions and a bad reload changes nothing', () => {
  const engine = openEngine();
  const before = engine.bundle();
  assert.throws(() => engine.reload({ 'sublet.cedarschema': 'entity', 'a.cedar': 'permit (' }), (error) => {
    assert.equal(error.code, 'bundle.syntax');
    assert.deepEqual(error.faults.map((fault) => fault.place.file).sort(), ['a.cedar', 'sublet.cedarschema']);
    return true;
  });
  assert.deepEqual(engine.bundle(), before);
});

test('a batch is answered whole or not at all', async () => {
  const engine = openEngine();
  const good = { principal: OWNER, action: 'campaign.read', resource: CAMPAIGN, host: HOST };
  const bad = { ...good, principal: ['Account', 'bakery'] };
  assert.deepEqual(engine.checkMany([good, bad]), [true, false]);
  assert.deepEqual(engine.authorizeMany([good, bad]).map((found) => found.code), ['ok', 'domain_platform_forbidden']);
  assert.throws(() => engine.checkMany([good, { ...good, action: 'fly' }]), code('input.item'));
  assert.throws(() => engine.checkMany([good, { ...good, amount: NaN }]), code('input.item'));
  let ticks = 0;
  const timer = setInterval(() => { ticks += 1; }, 1);
  const found = await engine.checkManyAsync(Array(100_000).fill(good));
  clearInterval(timer);
  assert.ok(found.length === 100_000 && found.every(Boolean));
  assert.ok(ticks >= 3, `the event loop ran ${ticks} times`);
  assert.equal((await engine.authorizeManyAsync([bad]))[0].code, 'domain_platform_forbidden');
  await assert.rejects(engine.checkManyAsync([{ ...good, action: 'fly' }]), code('input.item'));
});

test('a transaction is all or nothing', async () => {
  const engine = openEngine();
  const [before, revision] = [engine.exportLines(), engine.revision];
  assert.throws(() => engine.applyChanges({ put: [{ type: 'TeamMember', id: 'z', account: 'nowhere', email: 'z@z.example' }] }), code('directory.unknown_account'));
  assert.throws(() => engine.applyChanges({ put: [{ type: 'Operator', id: 'z', email: 'z@z.example', more: 1 }] }), code('directory.record'));
  assert.throws(() => engine.applyChanges({ put: [], expectedRevision: revision + 1 }), code('directory.revision'));
  assert.deepEqual([engine.exportLines(), engine.revision], [before, revision]);
  assert.equal(engine.applyChanges({ remove: [['TeamMember', 'hal']] }), revision + 1);
  assert.equal(engine.getRecord(['TeamMember', 'hal']), null);
  await assert.rejects(engine.importFile('/does/not/exist'), code('store.stream'));
  assert.equal(await engine.importFile(path.join(ROOT, 'policies/tests/agency.jsonl')), revision + 2);
});

test('an import reports progress and can be stopped', async (context) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const operators = (from, to) => Array.from({ length: to - from }, (_, n) => `{"type":"Operator","id":"o${from + n}","email":"o${from + n}@x.example"}\n`).join('');
  const file = path.join(folder, 'operators.jsonl');
  writeFileSync(file, operators(0, 25_000));
  const engine = openEngine();
  const seen = [];
  const revision = await engine.importFile(file, { progress: (progress) => void seen.push(progress) });
  assert.deepEqual(seen.at(-1), { records: 25_000, bytes: statSync(file).size });

  const reason = new Error('enough');
  for (const signal of [AbortSignal.abort(reason), aborted(reason)]) {
    await assert.rejects(engine.importFile(file, { signal }), (error) => error.code === 'directory.cancelled' && error.cause === reason);
  }
  // The pipe stays open until the callback has run. So the callback decides, and not the time.
  for (const [progress, wanted] of [[() => false, code('directory.cancelled')], [() => { throw reason; }, (error) => error === reason]]) {
    const pipe = path.join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const writer = spawn('sh', ['-c', 'cat > "$0"', pipe], { stdio: ['pipe', 'ignore', 'ignore'] });
    writer.stdin.on('error', () => {});
    writer.stdin.write(operators(0, 10_000));
    const told = (...found) => {
      writer.stdin.end(operators(10_000, 30_000));
      return progress(...found);
    };
    await assert.rejects(engine.importFile(pipe, { progress: told }), wanted);
    rmSync(pipe);
  }
  assert.equal(engine.revision, revision);
  await assert.rejects(engine.importFile(file, { progress: 1 }), code('input.value'));
  await assert.rejects(engine.importFile(file, { signal: {} }), code('input.value'));
});

test('plain Cedar programs answer as Cedar does', () => {
  const engine = Engine.cedar({
    policies: 'permit (principal, action, resource); forbid (principal, action, resource) when { context.n + 1 > 5 }; permit (principal == ?principal, action, resource);',
    schema: 'entity U; action a appliesTo { principal: [U], resource: [U], context: { n: Long } };',
    links: [{ templateId: 'policy2', newId: 'link', values: { '?principal': { type: 'U', id: 'x' } } }],
    entities: [],
  });
  const ask = (n) => engine.authorize(['U', 'x'], 'a', ['U', 'y'], { context: { n } });
  assert.deepEqual([ask(1).code, ask(1).policies], ['ok', ['policy0', 'link']]);
  assert.deepEqual([ask(9).code, ask(9).policies], ['forbidden', ['policy1']]);
  assert.deepEqual([ask(2n ** 63n - 1n).code, ask(2n ** 63n - 1n).errors.map((error) => error.policy)], ['policy_error', ['policy1']]);
  assert.throws(() => engine.login('x', 'y'), code('input.not_tenancy'));
  const explained = engine.explain(['U', 'x'], 'a', ['U', 'y'], { context: { n: 1 } });
  assert.match(explained.verbose, /forbid `policy1` did not apply/);
  assert.ok(explained.toString() === explained.text && explained.text.startsWith('allowed: ok\n'));
  assert.deepEqual([explained.because.policy, explained.also.map((found) => found.policy), explained.nearest], ['policy0', ['link'], []]);
  assert.throws(() => Engine.cedar({ policies: 'permit (principal, action, resource) when { principal.x };', schema: 'entity U; action a appliesTo { principal: [U], resource: [U] };' }), code('bundle.validation'));
});

test('hostile texts end in an error on every stack', async () => {
  const hostile = ['('.repeat(5_000) + 'true' + ')'.repeat(5_000), `${'false || '.repeat(1_706)}true`, `${'!'.repeat(9_999)}true`];
  const policy = (condition) => `forbid (principal, action, resource) when { ${condition} }; permit (principal, action, resource);`;
  for (const condition of hostile) assert.throws(() => Engine.cedar({ policies: policy(condition) }), code('bundle.too_deep'));
  const wide = policy(`${'context.a == 2 || '.repeat(900)}true`);
  assert.equal(Engine.cedar({ policies: wide }).authorize(['U', 'u'], 'a', ['U', 'u'], { context: { a: 1 } }).code, 'forbidden');
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Engine } = require(workerData.addon);
    const found = workerData.hostile.map((policies) => { try { Engine.cedar({ policies }); return 'loaded'; } catch (error) { return error.code; } });
    found.push(Engine.cedar({ policies: workerData.wide }).authorize(['U', 'u'], 'a', ['U', 'u'], { context: { a: 1 } }).code);
    parentPort.postMessage(found);`;
  const addon = createRequire(import.meta.url).resolve('../../bindings-node/index.js');
  for (const stackSizeMb of [1, 4]) {
    const worker = new Worker(program, { eval: true, workerData: { addon, hostile: hostile.map(policy), wide }, resourceLimits: { stackSizeMb } });
    const found = await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
    assert.deepEqual(found, ['bundle.too_deep', 'bundle.too_deep', 'bundle.too_deep', 'forbidden']);
    await worker.terminate();
  }
});

test('a panic in core is an error and the next call answers', () => {
  const program = `
    const { Engine } = require(${JSON.stringify(path.join(ROOT, 'bindings-node/index.js'))});
    const engine = Engine.open();
    try { engine._panic(); } catch (error) { console.log(error.name, error.code); }
    console.log(engine.revision);`;
  const done = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', env: { ...process.env, SUBLET_ALLOW_PANIC: '1' } });
  assert.deepEqual([done.status, done.stdout.trim().split(/\s+/)], [0, ['SubletError', 'internal.panic', '0']], done.stderr);
  Engine.open()._panic();
});

test('the package has the command and supports CommonJS', () => {
  const found = execFileSync(process.execPath, [path.join(ROOT, 'bindings-node/cli.js'), '--format', 'json', 'check'], { encoding: 'utf8' });
  assert.equal(JSON.parse(found).ok, true);
  assert.ok(Object.keys(errorCodes()).length > 40);
});
