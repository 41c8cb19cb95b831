// What a consume costs from Node, in memory: beside rate-limiter-flexible. Every answer is looked at, and the sums are compared.
// `node benches/node/counting.mjs`

import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { ROUNDS, Report, median, size } from './measure.mjs';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));
const { Action, Engine, Host, Principal, ResourceType } = require('../../bindings-node/index.js');

const MANY = size('SUBLET_BENCH_KEYS', 100_000);
const COUNT = size('SUBLET_BENCH_CONSUMES', 50_000);
const HOST = 'dash.marketingmaster.example';

function opened(accounts) {
  const engine = Engine.open(path.join(root, 'policies'));
  const lines = ['{"type":"Platform","id":"mmio"}', `{"type":"Domain","id":"${HOST}","kind":"platform","state":"verified"}`];
  for (let at = 0; at < accounts; at += 1) {
    const id = `account-${at}`;
    // Many have what their package gives, few a limit of their own.
    const limits = accounts > 1_000 ? '' : ',"limits":{"emails":1000000000}';
    lines.push(`{"type":"Account","id":"${id}","email":"o@${id}.example","package":"agency","confirmed":true${limits}}`);
  }
  engine.importLines(lines.join('\n'));
  return engine;
}

/** Nanoseconds for each: medians of rounds in which the contestants take turns; the first round warms up. */
async function race(passes, items) {
  const found = Object.fromEntries(Object.keys(passes).map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, pass] of Object.entries(passes)) {
      const begun = process.hrtime.bigint();
      await pass();
      const each = Number(process.hrtime.bigint() - begun) / items;
      if (round > 0) found[name].push(each);
    }
  }
  return Object.fromEntries(Object.entries(found).map(([name, each]) => [name, median(each)]));
}

function must(allowed) {
  if (!allowed) throw new Error('refused');
}

const report = new Report('counting-node');
for (const keys of [1, MANY]) {
  const engine = opened(keys);
  const drawn = Array.from({ length: COUNT }, (_, at) => (at * 7919 + ((at * at) % 104_729)) % keys);
  const [send, campaign, host] = [new Action('campaign.send'), new ResourceType('Campaign'), new Host(HOST)];
  const principals = Array.from({ length: keys }, (_, at) => new Principal('Account', `account-${at}`));
  const handles = drawn.map((at) => [principals[at], [campaign, 'k', principals[at]]]);
  const names = drawn.map((at) => `account-${at}`);
  const items = drawn.map((at) => ({ principal: principals[at], action: send, resource: [campaign, 'k', principals[at]], host }));
  const limiter = new RateLimiterMemory({ points: 1_000_000_000, duration: 2_000_000 });
  const around = { host };
  const passes = {
    sync: () => {
      for (const [principal, resource] of handles) must(engine.consume(principal, send, resource, 1, around).allowed);
    },
    promise: async () => {
      for (const [principal, resource] of handles) must((await engine.consumeAsync(principal, send, resource, 1, around)).allowed);
    },
    batch: () => {
      for (let at = 0; at < items.length; at += 100) engine.batch(items.slice(at, at + 100)).forEach(({ allowed }) => must(allowed));
    },
    peer: async () => {
      for (const name of names) must((await limiter.consume(name, 1)).remainingPoints > 0);
    },
  };
  const found = await race(passes, COUNT);
  let used = 0;
  for (let at = 0; at < keys; at += 1) used += engine.usage(`account-${at}`, { meter: 'emails' })[0].used;
  const checked = used === 3 * COUNT * (ROUNDS + 1);
  report.row(`node/consume/memory/keys=${keys}/peer=rate-limiter-flexible`, 'ns', found.sync, found.peer, checked);
  report.row(`node/consumeAsync/memory/keys=${keys}/peer=rate-limiter-flexible`, 'ns', found.promise, found.peer, checked);
  report.row(`node/batch of 100/memory/keys=${keys}/peer=rate-limiter-flexible`, 'ns', found.batch, found.peer, checked);
}
