// The vectors of events, run from Node. Also callbacks, log files and metrics.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Engine, ManualClock } from '../../bindings-node/index.mjs';
import { instrument } from '../../bindings-node/opentelemetry.mjs';
import { collect } from '../../bindings-node/prometheus.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
// The libraries are installed in the folder of the package.
const { Registry } = createRequire(path.join(root, 'bindings-node/index.js'))('prom-client');
const { MeterProvider, MetricReader } = createRequire(path.join(root, 'bindings-node/index.js'))('@opentelemetry/sdk-metrics');
const scenes = JSON.parse(readFileSync(path.join(root, 'tests/vectors/events.json'), 'utf8'));
const agency = readFileSync(path.join(root, 'policies/tests/agency.jsonl'), 'utf8');
const nobody = [['Account', 'nobody'], 'campaign.read', ['Account', 'nobody']];

const around = (step, keyed = false) => {
  const names = ['host', 'actor', 'context'].filter((name) => name in step);
  const key = keyed && 'idempotency_key' in step ? { idempotencyKey: step.idempotency_key } : {};
  return { ...Object.fromEntries(names.map((name) => [name, step[name]])), ...key };
};
const camel = (options) => Object.fromEntries(Object.entries(options).map(([name, value]) => [name.replace(/_(.)/g, (_, letter) => letter.toUpperCase()), value]));
const lines = (file) => readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
after(() => rmSync(folder, { recursive: true }));

function openEngine(more = {}) {
  const engine = Engine.open(path.join(root, 'policies'), more);
  engine.importLines(agency);
  return engine;
}

const requests = (step, asked) => asked.map(([principal, action, resource]) => ({ principal, action, resource, ...around(step) }));

async function take(engine, clock, step, operations) {
  const [amount, about] = [step.amount === undefined ? {} : { amount: step.amount }, around(step)];
  if (step.authorize) engine.authorize(...step.authorize, about);
  else if (step.check) engine.check(...step.check, about);
  else if (step.check_many) await engine.checkManyAsync(requests(step, step.check_many));
  else if (step.authorize_many) engine.authorizeMany(requests(step, step.authorize_many));
  else if (step.consume) {
    const { operation } = engine.consume(...step.consume, around(step, true));
    if (step.as) operations.set(step.as, operation);
  } else if (step.reserve) operations.set(step.as, engine.reserve(...step.reserve, step.ttl, around(step, true)).operation);
  else if (step.refund) engine.refund(operations.get(step.refund), amount);
  else if (step.commit) await engine.commitAsync(operations.get(step.commit), amount);
  else if (step.top_up) engine.topUp(...step.top_up);
  else if (step.login) engine.login(...step.login);
  else if (step.login_hosts) engine.loginHosts(step.login_hosts[0], { host: step.login_hosts[1] });
  else if (step.desk) engine.routeTicket(...step.desk, about);
  else if (step.open_ticket) engine.openTicket(...step.open_ticket, about);
  else if (step.pay) await engine.recordPaymentAsync(...step.pay, around(step, true));
  else if (step.close_month) await engine.closeMonthAsync(...step.close_month);
  else if (step.perform) await engine.performAsync(step.by, step.perform, around(step, true)).catch((error) => assert.match(error.code, /^directory\./));
  else if (step.change) engine.applyChanges(step.change);
  else if (step.advance) clock.advance(step.advance);
  else if (step.import) engine.importLines(agency);
  else engine.reload(path.join(root, 'policies'));
}

/** Removes the values that differ from run to run, and numbers the operations in their order. */
function maskEvents(events) {
  const known = [];
  const numbered = (found) => {
    if (!known.includes(found)) known.push(found);
    return known.indexOf(found) + 1;
  };
  return events.map(({ latency_us: latency, bundle, replaced, ...event }) => {
    for (const name of ['operation', 'parent']) if (name in event) event[name] = numbered(event[name]);
    return event;
  });
}

for (const scene of scenes) {
  test(scene.description, async () => {
    const [clock, told, operations] = [new ManualClock('2026-01-31T12:00:00Z'), [], new Map()];
    const engine = openEngine({ clock });
    const log = engine.subscribe({ callback: (event) => told.push(event), ...camel(scene.options) });
    for (const step of scene.steps) await take(engine, clock, step, operations);
    assert.equal(await log.flush(), true);
    assert.deepEqual(maskEvents(told), scene.events);
    assert.deepEqual({ ...log.counts }, { delivered: told.length, dropped: 0, failed: 0 });
    assert.equal(await log.close(), true);
  });
}

test('a callback runs on the event loop and blocks no caller', async () => {
  const [engine, told] = [openEngine(), []];
  engine.subscribe({ callback: (event) => told.push(event.verb) });
  engine.check(...nobody);
  await engine.consumeAsync(['Account', 'acme'], 'campaign.send', { type: 'Campaign', id: 'k', account: 'acme' }, 1);
  while (told.length < 2) await new Promise((resolve) => { setTimeout(resolve, 1); });
  assert.deepEqual(told.slice(0, 2), ['check', 'consume']);
});

test('failing callbacks are counted and cause no new events', async () => {
  const engine = openEngine();
  const throwing = engine.subscribe({ callback: () => { throw new Error('no'); } });
  const rejecting = engine.subscribe({ callback: async () => { throw new Error('no'); } });
  const asking = engine.subscribe({ callback: () => engine.check(...nobody) });
  for (let at = 0; at < 10; at += 1) engine.check(...nobody);
  for (const log of [throwing, rejecting, asking]) assert.equal(await log.close(), true);
  await new Promise((resolve) => { setImmediate(resolve); });
  assert.deepEqual([throwing, rejecting, asking].map(({ delivered, failed }) => [delivered, failed]), [[0, 10], [0, 10], [10, 0]]);
});

test('events beyond the queue are dropped and reported', async () => {
  const [engine, told] = [openEngine(), []];
  const log = engine.subscribe({ callback: (event) => told.push(event), queue: 100 });
  for (let at = 0; at < 1000; at += 1) engine.check(...nobody);
  assert.equal(await log.close(), true);
  const lost = told.filter(({ event }) => event === 'dropped');
  assert.deepEqual([log.delivered, log.dropped, lost.map(({ count }) => count)], [100, 900, [900]]);
  assert.equal(told.length, 101);
  assert.deepEqual(engine.metrics().events, { delivered: 100, dropped: 900, failed: 0 });
});

test('a log file has whole lines and is rotated', async () => {
  const [engine, file] = [openEngine(), path.join(folder, 'log.jsonl')];
  const log = engine.subscribe({ path: file, rotateBytes: 5000, maxOldFiles: 3n, events: ['decision'], redact: ['principal'] });
  for (let at = 0; at < 100; at += 1) engine.check(...nobody);
  assert.equal(await log.close(), true);
  assert.ok(lines(file).concat(lines(`${file}.1`)).every(({ principal }) => principal === '[redacted]'));
  assert.equal(log.closed, true);
});

test('a log ends with the process and loses no queued event', () => {
  const file = path.join(folder, 'events.jsonl');
  const program = `
    const { Engine } = require(process.argv[1]);
    const engine = Engine.open();
    engine.subscribe({ path: process.argv[2] });
    engine.subscribe({ callback: (event) => console.log(event.code) });
    for (let at = 0; at < 300; at += 1) engine.check(['Account', 'nobody'], 'campaign.read', ['Account', 'nobody']);
    if (process.argv[3] === 'exit') process.exit(0);`;
  for (const [how, wanted] of [['end', 300], ['exit', 600]]) {
    const shown = execFileSync(process.execPath, ['-e', program, path.join(root, 'bindings-node/index.js'), file, how], { encoding: 'utf8', timeout: 60_000 });
    assert.deepEqual([shown.split('\n').filter(Boolean).length, lines(file).length], [300, wanted]);
  }
});

test('an invalid option is refused', () => {
  const [engine, callback] = [openEngine(), () => {}];
  const refused = (options, code) => assert.throws(() => engine.subscribe(options), { code }, JSON.stringify(options));
  for (const options of [{}, undefined, { callback: 7 }, { callback, path: '/tmp/x' }, { callback, sampleAllowed: NaN }, { callback, timeout: 1 }, { callback, maxOldFiles: 1.5 }]) {
    assert.throws(() => engine.subscribe(options), (error) => error.code.startsWith('input.'), JSON.stringify(options));
  }
  refused({ callback, events: ['dropped'] }, 'input.option');
  refused({ callback, redact: ['e-mail'] }, 'input.option');
  refused({ callback, sampleAllowed: 2 }, 'input.option');
  refused({ path: '/nowhere/at/all' }, 'store.stream');
  assert.throws(() => engine.enableMetrics(1), { code: 'input.value' });
});

test('metrics equal the requests', async () => {
  const engine = openEngine();
  engine.enableMetrics();
  for (let at = 0; at < 5; at += 1) engine.check(...nobody);
  assert.throws(() => engine.authorize(['Account', 'acme'], 'no.such', ['Account', 'acme']), { code: 'input.unknown_action' });
  const stats = engine.metrics();
  assert.deepEqual(stats.decisions.map(({ action, code, count }) => [action, code, count]), [['campaign.read', 'principal_unknown', 5]]);
  assert.deepEqual([stats.measured, stats.errors], [true, [{ verb: 'authorize', code: 'input.unknown_action', count: 1 }]]);
  engine.enableMetrics(false);
  assert.equal(engine.metrics().measured, false);
});

test('Prometheus reads the metrics', async () => {
  const [engine, registry] = [openEngine(), new Registry()];
  collect(engine, registry);
  for (let at = 0; at < 3; at += 1) engine.check(...nobody);
  const text = await registry.metrics();
  assert.match(text, /sublet_decision_seconds_count\{action="campaign.read",code="principal_unknown"\} 3/);
  assert.match(text, /sublet_decision_seconds_bucket\{le="\+Inf",action="campaign.read",code="principal_unknown"\} 3/);
  assert.match(text, /sublet_log_events_total\{outcome="dropped"\} 0/);
  assert.match(text, /sublet_reloads_total 0/);
});

test('OpenTelemetry reads the metrics', async () => {
  class Reader extends MetricReader {
    async onForceFlush() {}
    async onShutdown() {}
  }
  const [engine, reader] = [openEngine(), new Reader()];
  instrument(engine, new MeterProvider({ readers: [reader] }).getMeter('test'));
  for (let at = 0; at < 3; at += 1) engine.check(...nobody);
  const { resourceMetrics, errors } = await reader.collect();
  assert.deepEqual(errors, []);
  const found = new Map(resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics).map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints]));
  assert.deepEqual(found.get('sublet.decisions').map(({ value, attributes }) => [value, attributes]), [[3, { action: 'campaign.read', code: 'principal_unknown' }]]);
  assert.deepEqual(found.get('sublet.decision.buckets').filter(({ attributes }) => attributes.le === '+Inf').map(({ value }) => value), [3]);
});
