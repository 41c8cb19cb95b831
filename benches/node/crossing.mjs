// What it costs to cross from Node into the engine: one JSON line for each scenario, `{"name", "ns"}`.
//
// `node bindings-node/build.js --bench` builds the addon with the empty calls first.
// `empty` is the floor: a native function made with the same wrappers that takes the arguments of `check` and does nothing;
// `empty/words` also takes the strings in them, `empty/flat` the same strings flat, `empty/raw` is the least that a native
// call can cost. `check` is measured on one question, whose answer is looked at first; the many forms are measured for
// each item of 10,000.
//
// The verbs that count stand after them, each as a host calls it, with an account that has no limit. A key is new in each
// call. What follows a reservation is timed with it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Action, Engine, Host, Principal, ResourceType } from '../../bindings-node/index.mjs';

const require = createRequire(import.meta.url);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RUNS = 7;
const MANY = 10_000;

/** The median of several runs, for each item. */
function nanoseconds(ask, calls, items = 1) {
  for (let call = 0; call < calls; call += 1) ask();
  const found = [];
  for (let run = 0; run < RUNS; run += 1) {
    const begin = process.hrtime.bigint();
    for (let call = 0; call < calls; call += 1) ask();
    found.push(Number(process.hrtime.bigint() - begin) / calls / items);
  }
  return found.sort((one, other) => one - other)[RUNS >> 1];
}

const says = (scenario, ns) => console.log(JSON.stringify({ name: `node/${scenario}`, ns: Math.round(ns * 10) / 10 }));

const engine = Engine.open(path.join(ROOT, 'policies'));
engine.importLines(readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8'));
const [name, action, host] = [['Account', 'acme'], 'campaign.read', 'dash.marketingmaster.example'];
const [inline, triple, around] = [{ type: 'Campaign', id: 'k', account: 'acme' }, ['Campaign', 'k', 'acme'], { host }];
const [acme, read, dash] = [new Principal(...name), new Action(action), new Host(host)];
const [handled, aroundHandled] = [[new ResourceType('Campaign'), 'k', acme], { host: dash }];
if (![[name, action, inline, around], [name, action, triple, around], [acme, read, handled, aroundHandled]].every((question) => engine.check(...question))) throw new Error('a wrong answer');

const { empty, emptyFlat, emptyRaw, emptyWords } = require('../../target/sublet-bench.node');
says('empty', nanoseconds(() => empty(name, action, triple, around), 300_000));
says('empty/raw', nanoseconds(() => emptyRaw(name, action, triple, around), 300_000));
says('empty/words', nanoseconds(() => emptyWords(name, action, triple, around), 100_000));
says('empty/flat', nanoseconds(() => emptyFlat('Account', 'acme', action, 'Campaign', 'k', 'acme', host), 100_000));
says('check/strings', nanoseconds(() => engine.check(name, action, triple, around), 300_000));
says('check/strings/object', nanoseconds(() => engine.check(name, action, inline, around), 300_000));
says('check/strings/fresh', nanoseconds(() => engine.check(['Account', 'acme'], 'campaign.read', { type: 'Campaign', id: 'k', account: 'acme' }, { host: 'dash.marketingmaster.example' }), 300_000));
says('check/handles', nanoseconds(() => engine.check(acme, read, handled, aroundHandled), 300_000));
says('authorize/strings', nanoseconds(() => engine.authorize(name, action, triple, around), 100_000));
says('authorize/handles', nanoseconds(() => engine.authorize(acme, read, handled, aroundHandled), 100_000));
const records = Array.from({ length: MANY }, () => ({ principal: name, action, resource: triple, host }));
const handles = Array.from({ length: MANY }, () => ({ principal: acme, action: read, resource: handled, host: dash }));
const columns = { principals: Array(MANY).fill(name), actions: action, resources: Array(MANY).fill(triple), hosts: host };
const columnsHandled = { principals: Array(MANY).fill(acme), actions: read, resources: Array(MANY).fill(handled), hosts: dash };
says('check_many/records', nanoseconds(() => engine.checkMany(records), 20, MANY));
says('check_many/records/handles', nanoseconds(() => engine.checkMany(handles), 20, MANY));
says('check_many/columns', nanoseconds(() => engine.checkMany(columns), 20, MANY));
says('check_many/columns/handles', nanoseconds(() => engine.checkMany(columnsHandled), 20, MANY));
says('authorize_many/records', nanoseconds(() => engine.authorizeMany(records), 5, MANY));
says('authorize_many/columns', nanoseconds(() => engine.authorizeMany(columns), 5, MANY));

engine.applyChanges({ merge: [{ type: 'Account', id: 'acme', limits: { emails: 'unlimited' } }] });
const [send, amounts] = ['campaign.send', { host, amount: 3 }];
const sending = [acme, new Action(send), handled];
const takings = Array.from({ length: 10 }, () => ({ principal: acme, action: sending[1], resource: handled, host: dash, amount: 1 }));
let last = 0;
const key = () => {
  last += 1;
  return `order ${last}`;
};
const granted = (answer) => {
  if (!answer.allowed || answer.quota.length !== 1) throw new Error('a wrong answer');
  return answer;
};
const verbs = {
  'check/amount': () => engine.check(name, send, triple, amounts),
  'check/amount/handles': () => engine.check(acme, sending[1], handled, { host: dash, amount: 3 }),
  'authorize/amount': () => engine.authorize(name, send, triple, amounts),
  consume: () => engine.consume(name, send, triple, 1, around),
  'consume/handles': () => engine.consume(acme, sending[1], handled, 1, aroundHandled),
  'consume/keyed': () => engine.consume(name, send, triple, 1, { host, idempotencyKey: key() }),
  'consume/keyed/replayed': () => engine.consume(name, send, triple, 1, { host, idempotencyKey: 'same' }),
  'consume/text': () => engine.consume(name, send, triple, 1, { host, actor: null }),
  'consume/keyed/text': () => engine.consume(name, send, triple, 1, { host, idempotencyKey: key(), actor: null }),
  reserve: () => engine.reserve(name, send, triple, 1, 60_000, around),
  'reserve and release': () => engine.release(engine.reserve(name, send, triple, 1, 60_000, around).operation),
  'reserve and commit/keyed': () => engine.commit(engine.reserve(name, send, triple, 1, 60_000, around).operation, { idempotencyKey: key() }),
};
if (!verbs['check/amount']() || !verbs['check/amount/handles']()) throw new Error('a wrong answer');
for (const verb of ['authorize/amount', 'consume', 'consume/handles', 'consume/keyed', 'consume/text', 'reserve']) granted(verbs[verb]());
engine.batch(takings).forEach(granted);
for (const [scenario, ask] of Object.entries(verbs)) says(scenario, nanoseconds(ask, 5_000));
says('batch of 10', nanoseconds(() => engine.batch(takings), 500));
says('batch of 10/text', nanoseconds(() => engine.batch(takings.map((item) => ({ ...item, actor: null }))), 500));
