// What a check costs from Node: beside an empty native call, the same rules by hand, and cedar-wasm. Answers are compared
// before anything is timed. `node benches/node/bench.mjs [PART ...]`, with the workload's files in `target/bench/workload`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rules } from './by_hand.mjs';
import { DIRECTORY, ROUNDS, Report, median, race, size } from './measure.mjs';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));
const sublet = require('../../bindings-node/index.js');
/** The empty calls, which only the addon of `build.js --bench` has. */
const baseline = require('../../target/sublet-bench.node');

const AGENCY = `agency=${size('SUBLET_BENCH_AGENCY', 100)}`;
const WINDOW = size('SUBLET_BENCH_WINDOW_MS', 2000) / 2;
const HANDLES = sublet.Principal !== undefined;
const read = (name) => readFileSync(path.join(DIRECTORY, 'workload', name), 'utf8');

function opened() {
  const engine = sublet.Engine.open(path.join(root, 'policies'));
  engine.importLines(read('agency.jsonl'));
  return engine;
}

/** Whether a resource may be given as [type, id, account]. */
function takesTriples(engine) {
  try {
    engine.check(['Account', 'a'], 'campaign.read', ['Campaign', 'c', 'a']);
    return true;
  } catch (error) {
    if (error instanceof sublet.SubletError) return false;
    throw error;
  }
}

function handled({ principal, action, resource, around }, made) {
  const handle = (of, ...name) => {
    const key = [of.name, ...name].join('\u0000');
    if (!made.has(key)) made.set(key, new of(...name));
    return made.get(key);
  };
  const [of, id, account] = resource;
  const on = [handle(sublet.ResourceType, of), id, ...(account === undefined ? [] : [handle(sublet.Principal, 'Account', account)])];
  return { principal: handle(sublet.Principal, ...principal), action: handle(sublet.Action, action), resource: on, around: { host: handle(sublet.Host, around.host) } };
}

/** The questions in each form. */
function questions(engine) {
  const rows = JSON.parse(read('questions.json'));
  const strings = rows.map(([kind, name, action, of, id, account, host]) => {
    return { principal: [kind, name], action, resource: account === null ? [of, id] : [of, id, account], around: { host } };
  });
  const inline = ({ principal, action, resource, around }) => {
    const [type, id, account] = resource;
    return { principal, action, resource: account === undefined ? resource : { type, id, account }, around };
  };
  const made = new Map();
  return {
    strings,
    passed: takesTriples(engine) ? strings : strings.map(inline),
    handled: HANDLES ? strings.map((question) => handled(question, made)) : null,
    answers: rows.map((row) => row[7] === 'ok'),
    codes: rows.map((row) => row[7]),
  };
}

/** The feature, prefix and type of what an account keeps: as the schema and the questions say. */
function kept(strings) {
  const types = new Map(strings.filter(({ resource }) => resource[0] !== 'Account').map(({ action, resource }) => [action.split('.')[0], resource[0]]));
  const schema = readFileSync(path.join(root, 'policies', 'app.cedarschema'), 'utf8');
  const declared = schema.matchAll(/^@feature\("(\w+)"\)\n(?:@.*\n)*action ([^\n]*) in /gm);
  const found = [];
  for (const [, feature, names] of declared) {
    const prefix = /"(\w+)\.edit"/.exec(names)?.[1];
    if (types.has(prefix)) found.push([feature, prefix, types.get(prefix)]);
  }
  return found;
}

/** A pass over the questions, asked as a host would. Each has a loop of its own, compiled for what it asks alone. */
function pass(list, ask) {
  const loop = `
    let allowed = 0;
    for (const { principal, action, resource, around } of list) allowed += ask(principal, action, resource, around) ? 1 : 0;
    return allowed;`;
  return new Function('list', 'ask', `return () => {${loop}}`)(list, ask);
}

function checks(engine, { strings, passed, handled: held }, allows, report) {
  const hosts = strings.map(({ principal, action, resource, around }) => ({ principal, action, resource, around: around.host }));
  const check = (principal, action, resource, around) => engine.check(principal, action, resource, around);
  const { empty, emptyRaw } = baseline;
  const passes = { strings: pass(passed, check), byHand: pass(hosts, allows) };
  passes.raw = pass(passed, (principal, action, resource, around) => emptyRaw(principal, action, resource, around));
  passes.empty = pass(passed, (principal, action, resource, around) => empty(principal, action, resource, around));
  if (HANDLES) passes.handles = pass(held, (principal, action, resource, around) => engine.check(principal, action, resource, around));
  const names = Object.keys(passes);
  const found = Object.fromEntries(race(Object.values(passes), strings.length).map((each, at) => [names[at], each]));
  report.row(`node/check/strings/${AGENCY}/peer=empty`, 'ns', found.strings, found.empty);
  if (HANDLES) report.row(`node/check/handles/${AGENCY}/peer=empty`, 'ns', found.handles, found.empty);
  if (HANDLES) report.row(`node/check/handles/${AGENCY}/peer=by-hand`, 'ns', found.handles, found.byHand);
  report.row(`node/check/strings/${AGENCY}/peer=empty-raw`, 'ns', found.strings, found.raw);
  report.row(`node/check/strings/${AGENCY}/peer=by-hand`, 'ns', found.strings, found.byHand);
}

/** cedar-wasm at its best: policies parsed once, the few entities that the request needs, and no schema (which costs more). */
function wasm(engine, { passed, answers }, report) {
  const cedar = require('@cedar-policy/cedar-wasm/nodejs');
  const given = JSON.parse(read('cedar.json'));
  assert.equal(cedar.preparsePolicySet('bundle', { staticPolicies: given.policies }).type, 'success');
  const calls = given.requests.map(({ principal, action, resource, context, entities, as_entity: own }) => {
    return { principal, action, resource, context, preparsedPolicySetId: 'bundle', entities: [...entities, own] };
  });
  const judge = (call) => cedar.statefulIsAuthorized(call).response.decision === 'allow';
  for (const [at, call] of calls.entries()) assert.equal(judge(call), answers[at], JSON.stringify(call.principal));
  const check = pass(passed.slice(0, calls.length), (principal, action, resource, around) => engine.check(principal, action, resource, around));
  const judged = calls.slice(0, 200);
  let allowed = 0;
  const peer = () => {
    for (const call of judged) allowed += judge(call) ? 1 : 0;
  };
  // Both are divided by the thousand of ours: the peer is asked fewer.
  const [ours, theirs] = race([check, peer], calls.length, 5);
  assert.ok(allowed > 0, 'the peer allows some requests');
  report.row(`node/check/strings/${AGENCY}/peer=cedar-wasm`, 'ns', ours, (theirs * calls.length) / judged.length);
}

/** Many questions as records, and (where the version takes them) as columns. */
function forms(engine, { passed }) {
  const records = passed.map(({ principal, action, resource, around }) => ({ principal, action, resource, ...around }));
  const column = (name) => passed.map((question) => question[name]);
  const columns = { principals: column('principal'), actions: column('action'), resources: column('resource'), hosts: records.map(({ host }) => host) };
  try {
    engine.checkMany(columns);
    return { records, columns };
  } catch {
    return { records };
  }
}

function many(engine, asked, report) {
  const items = asked.passed.length;
  for (const [form, list] of Object.entries(forms(engine, asked))) {
    assert.deepEqual(Array.from(engine.checkMany(list), Boolean), asked.answers);
    assert.deepEqual(engine.authorizeMany(list).map(({ code }) => code), asked.codes);
    const check = pass(asked.passed, (principal, action, resource, around) => engine.check(principal, action, resource, around));
    const authorize = pass(asked.passed, (principal, action, resource, around) => engine.authorize(principal, action, resource, around).allowed);
    const found = race([check, () => engine.checkMany(list), authorize, () => engine.authorizeMany(list)], items);
    report.row(`node/checkMany/${form}/items=${items}/${AGENCY}`, 'ns', found[1], found[0]);
    report.row(`node/authorizeMany/${form}/items=${items}/${AGENCY}`, 'ns', found[3], found[2]);
  }
}

/** The largest gap between the ticks of a timer, in milliseconds, while `work` goes on. */
async function largestGap(work) {
  let [last, largest] = [performance.now(), 0];
  const timer = setInterval(() => {
    const now = performance.now();
    largest = Math.max(largest, now - last);
    last = now;
  }, 1);
  await work();
  clearInterval(timer);
  return Math.max(largest, performance.now() - last);
}

const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

async function busy(ask, window) {
  const until = performance.now() + window;
  while (performance.now() < until) await ask();
}

async function stalls(engine, asked, report) {
  const items = asked.passed.length;
  for (const [form, list] of Object.entries(forms(engine, asked))) {
    assert.deepEqual(Array.from(await engine.checkManyAsync(list), Boolean), asked.answers);
    const [idle, stalled] = [[], []];
    for (let round = 0; round < 5; round += 1) {
      idle.push(await largestGap(() => sleep(WINDOW)));
      stalled.push(await largestGap(() => busy(() => engine.checkManyAsync(list), WINDOW)));
    }
    // "Free" is the worst of the rounds, not the median; and so is "idle".
    report.row(`node/stall/checkManyAsync/${form}/items=${items}`, 'ms', Math.max(...stalled), Math.max(...idle));
  }
}

/** Items answered in a second with two lists under way, beside one. */
async function threads(engine, asked, report) {
  const list = Object.values(forms(engine, asked)).at(-1);
  const answered = async (count) => {
    const begun = performance.now();
    let done = 0;
    const work = () => busy(async () => {
      const { length } = await engine.checkManyAsync(list);
      // Added after the wait: `done += (await ...)` would forget what the other list has added meanwhile.
      done += length;
    }, WINDOW / 2);
    await Promise.all(Array.from({ length: count }, work));
    return (done / (performance.now() - begun)) * 1000;
  };
  const [one, two] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    one.push(await answered(1));
    two.push(await answered(2));
  }
  report.row(`node/checkManyAsync/threads=2/${AGENCY}`, 'per second', median(two), median(one));
}

function compare(engine, asked, allows) {
  for (const [at, answer] of asked.answers.entries()) {
    const { principal, action, resource, around } = asked.strings[at];
    assert.equal(allows(principal, action, resource, around.host), answer, JSON.stringify(asked.strings[at]));
    for (const list of [asked.passed, asked.handled ?? []]) {
      const question = list[at];
      if (question) assert.equal(engine.check(question.principal, question.action, question.resource, question.around), answer);
    }
  }
  console.log(`${asked.answers.length} answers agree`);
}

const report = new Report('node');
const engine = opened();
const asked = questions(engine);
const allows = rules(read('agency.jsonl'), kept(asked.strings));
compare(engine, asked, allows);
const parts = {
  checks: () => checks(engine, asked, allows, report),
  wasm: () => wasm(engine, asked, report),
  many: () => many(engine, asked, report),
  stalls: () => stalls(engine, asked, report),
  threads: () => threads(engine, asked, report),
};
for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts)) await parts[name]();
