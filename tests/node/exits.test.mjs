// Every way to end a process or a worker, with logs open or calls running, takes at most three
// seconds and never crashes.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { Engine } from '../../bindings-node/index.mjs';
import { ADDON, HOST, SEND } from './holder.mjs';

const folder = mkdtempSync(path.join(tmpdir(), 'sublet-'));
after(() => rmSync(folder, { recursive: true }));

/** Code that leaves logs open or calls running. `fifo` is a pipe that no process reads. */
const HEAD = `
  const { Engine } = require(${JSON.stringify(ADDON)});
  const { fifo, folder } = JSON.parse(process.env.SUBLET_EXITS);
  const [host, SEND] = ${JSON.stringify([HOST, SEND])};
  const nobody = [['Account', 'nobody'], 'campaign.read', ['Account', 'nobody']];
  // A small Cedar program, because it loads fast and the requests do not matter.
  const engine = Engine.cedar({ policies: 'permit (principal, action, resource);' });
  const asking = (times) => { for (let at = 0; at < times; at += 1) engine.check(...nobody); };
`;
const STATES = {
  nothing: '',
  'logs open': "engine.subscribe({ path: folder + '/events.jsonl' }); engine.subscribe({ callback: () => {} }); asking(1000);",
  'three logs on stuck files': 'for (let at = 0; at < 3; at += 1) engine.subscribe({ path: fifo }); asking(4000);',
  'a slow callback': 'engine.subscribe({ callback: () => { const until = Date.now() + 50; while (Date.now() < until); } }); asking(2000);',
  'a callback that never settles': 'engine.subscribe({ callback: () => new Promise(() => {}) }); asking(1000);',
  'many logs of many engines': "for (let at = 0; at < 8; at += 1) { const other = Engine.cedar({ policies: '' }); other.subscribe({ path: folder + '/many.jsonl' }); other.subscribe({ path: fifo }); for (let n = 0; n < 2000; n += 1) other.check(...nobody); }",
  'a long list under way': 'engine.checkManyAsync(Array(50000).fill({ principal: SEND[0], action: SEND[1], resource: SEND[2], host })).catch(() => {});',
  'a flush that waits': 'const log = engine.subscribe({ path: fifo }); asking(4000); log.flush(60000).catch(() => {});',
};
const ENDS = {
  exit: 'process.exit(0);',
  'exit later': 'setTimeout(() => process.exit(0), 50);',
  exception: "setTimeout(() => { throw new Error('wanted'); }, 20);",
  rejection: "Promise.reject(new Error('wanted'));",
  'exit in a callback': 'engine.subscribe({ callback: () => process.exit(0) }); engine.check(...nobody);',
};
/** Cases that await nothing, so the process ends without further help. */
const NATURAL = ['nothing', 'logs open', 'three logs on stuck files', 'a callback that never settles', 'many logs of many engines', 'a long list under way'];

/** Runs a program until it ends. Returns the time since its first output, and its exit status. */
async function runToEnd(program, given) {
  const child = spawn(process.execPath, ['-e', `${HEAD}${program}`], { env: { ...process.env, SUBLET_EXITS: JSON.stringify(given) }, stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (data) => { errors += data; });
  let begun;
  child.stdout.on('data', () => { begun ??= performance.now(); });
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const [code, signal] = await once(child, 'exit');
  clearTimeout(timer);
  assert.ok(begun !== undefined, `it never came to its end: ${code} ${signal} ${errors}`);
  return { time: performance.now() - begun, code, signal, errors };
}

const WORKER = (program, after) => `
  const { Worker, isMainThread } = require('node:worker_threads');
  const worker = new Worker(${JSON.stringify(`${HEAD}const { parentPort } = require('node:worker_threads'); PROGRAM`)}.replace('PROGRAM', () => ${JSON.stringify(program)}), { eval: true });
  worker.on('error', () => {});
  worker.on('message', () => { console.log('end'); ${after} });`;

test('every way to end a process or worker ends it', async (context) => {
  const fifo = path.join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  // The pipe is open at its other end, so that it can be opened for writing, but no process reads
  // from it.
  const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  context.after(() => closeSync(reader));
  const given = { fifo, folder };
  const cases = [];
  for (const [state, before] of Object.entries(STATES)) {
    for (const [end, after] of Object.entries(ENDS)) cases.push([`${state}, ${end}`, `${before} console.log('end'); ${after}`]);
    if (NATURAL.includes(state)) cases.push([`${state}, its own end`, `${before} console.log('end');`]);
    cases.push([`${state}, a worker is terminated`, WORKER(`${before} parentPort.postMessage(0); setInterval(() => {}, 1000);`, 'worker.terminate();')]);
    cases.push([`${state}, a worker exits`, WORKER(`${before} parentPort.postMessage(0); setTimeout(() => process.exit(0), 20);`, '')]);
    cases.push([`${state}, a worker throws`, WORKER(`${before} parentPort.postMessage(0); setTimeout(() => { throw new Error('wanted'); }, 20);`, '')]);
    cases.push([`${state}, a process exits with a worker`, WORKER(`${before} parentPort.postMessage(0); setInterval(() => {}, 1000);`, 'process.exit(0);')]);
  }
  let slowest = 0;
  // The time that an idle process takes to end on a busy machine.
  let slack = 0;
  for (let turn = 0; turn < 3; turn += 1) slack = Math.max(slack, 2 * (await runToEnd("console.log('end'); process.exit(0);", given)).time);
  // Two programs at a time, because they mostly wait.
  const run = async () => {
    for (let next = cases.pop(); next !== undefined; next = cases.pop()) {
      const [what, program] = next;
      const { time, code, signal, errors } = await runToEnd(program, given);
      slowest = Math.max(slowest, time);
      assert.equal(signal, null, `${what}: ${signal} ${errors}`);
      assert.ok(code === 0 || (errors.includes('wanted') && code === 1), `${what}: ${code} ${errors}`);
      assert.ok(time < 3000 + slack, `${what} took ${Math.round(time)} ms`);
    }
  };
  await Promise.all([run(), run()]);
  context.diagnostic(`the slowest end took ${Math.round(slowest)} ms`);
});

test('a flush waits up to its timeout', async () => {
  const fifo = path.join(folder, 'other');
  execFileSync('mkfifo', [fifo]);
  const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const engine = Engine.cedar({ policies: '' });
  const log = engine.subscribe({ path: fifo });
  for (let at = 0; at < 4000; at += 1) engine.check(['Account', 'nobody'], 'campaign.read', ['Account', 'nobody']);
  // Waiting flushes take no thread of the pool, whatever their number.
  const begun = performance.now();
  assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => log.flush(200))), Array(20).fill(false));
  const time = performance.now() - begun;
  assert.ok(time >= 195 && time < 2000, `it took ${time} ms`);
  const signal = AbortSignal.timeout(100);
  await assert.rejects(log.flush(60_000, { signal }), { name: 'TimeoutError' });
  assert.equal(await log.close(50), false);
  closeSync(reader);
});
