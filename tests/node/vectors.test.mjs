// The cases beside the policies and the vectors, run from Node.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Engine, SubletError, errorCodes, normaliseHost } from '../../bindings-node/index.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDERS = ['policies/tests', 'tests/vectors/cases'].map((folder) => path.join(ROOT, folder)).filter(existsSync);
const FILES = FOLDERS.flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.json')).map((name) => path.join(folder, name)));

/** Converts names to those of the other languages. */
function snake(found) {
  if (found === null || typeof found !== 'object') return found;
  return Object.fromEntries(Object.entries(found).map(([key, value]) => [key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]));
}

function answer(engine, { call = 'authorize', principal, action, resource, about, email, key, session_start: sessionStart, description, rules, given, remove, usage, answer: _, ...rest }) {
  const environment = sessionStart === undefined ? rest : { ...rest, sessionStart };
  switch (call) {
    case 'login':
      return snake(engine.login(environment.host, email, { action }));
    case 'login_by_key':
      return snake(engine.loginByKey(environment.host, key));
    case 'login_hosts':
      return snake(engine.loginHosts(principal, { host: environment.host, action }));
    case 'route_ticket':
      return engine.routeTicket(principal, about, environment);
    case 'open_ticket':
      return snake(engine.openTicket(principal, about, environment));
    case 'reply_ticket':
      return snake(engine.replyTicket(principal, about, environment));
    case 'escalate_ticket':
      return snake(engine.escalateTicket(principal, about, environment));
    case 'permitted_actions':
      return { actions: engine.permittedActions(principal, resource, environment) };
    case 'consume': {
      const { amount, ...options } = environment;
      return snake(engine.consume(principal, action, resource, amount, options));
    }
    case 'check':
      return { allowed: engine.check(principal, action, resource, environment) };
    default: {
      const decision = engine.authorize(principal, action, resource, environment);
      assert.equal(engine.check(principal, action, resource, environment), decision.allowed);
      return decision;
    }
  }
}

for (const file of FILES) {
  test(`policy cases match: ${path.basename(file)}`, () => {
    const engine = Engine.open();
    const whole = JSON.parse(readFileSync(file, 'utf8'));
    const directory = readFileSync(path.join(path.dirname(file), whole.directory), 'utf8');
    assert.ok(whole.cases.length > 0);
    for (const one of whole.cases) {
      engine.importLines(directory);
      let found;
      try {
        engine.applyChanges({ put: one.given, remove: one.remove, resumed: true });
        engine.resetCounts();
        for (const { account, meter, used, member } of one.usage ?? []) engine.carryOver(account, meter, used, { member });
        found = answer(engine, one);
      } catch (error) {
        if (!(error instanceof SubletError)) throw error;
        found = { error: error.code };
      }
      for (const [field, wanted] of Object.entries(one.answer)) {
        const got = field === 'policies' ? found.policies?.slice(0, wanted.length) : found[field];
        assert.deepEqual(got ?? null, wanted, `${one.description}: ${field}`);
      }
    }
  });
}

test('host vectors match', () => {
  const rows = JSON.parse(readFileSync(path.join(ROOT, 'tests/vectors/hosts.json'), 'utf8'));
  assert.ok(rows.length >= 60);
  for (const { host, times = 1, ...outcome } of rows) assert.deepEqual(normaliseHost(host.repeat(times)), outcome, host);
});

/**
 * Returns the value of a row, with `NEST` replaced by records 80 deep and `LARGE` by a text of 1
 * MiB.
 */
function nested(value) {
  if (value === 'LARGE') return 'x'.repeat(2 ** 20);
  if (value === 'NEST') {
    let deep = 1;
    for (let left = 80; left > 0; left -= 1) deep = { a: deep };
    return deep;
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, found]) => [key, nested(found)]));
}

function shipped(overlay) {
  const folder = path.join(ROOT, 'policies');
  const names = readdirSync(folder).filter((name) => /\.(cedar|cedarschema)$/.test(name) || name === 'catalog.json');
  return { ...Object.fromEntries(names.map((name) => [name, readFileSync(path.join(folder, name), 'utf8')])), ...overlay };
}

function openEngine({ options, folder, cedar, bundle = {} }) {
  const more = options && { ...options, caps: options.caps && { fileBytes: options.caps.file_bytes } };
  if (folder) return Engine.open(path.join(ROOT, folder), more);
  if (cedar) return Engine.cedar({ ...cedar, ...more });
  const engine = Engine.open(shipped(bundle), more);
  engine.importLines(readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8'));
  return engine;
}

async function applyRow(row) {
  const engine = openEngine(row);
  if (row.ask) {
    const { principal, action, resource, ...environment } = nested(row.ask);
    engine.authorize(principal, action, resource, environment);
  }
  if (row.many) engine.checkMany(row.many);
  if (row.columns) engine.checkMany(row.columns);
  if (row.login) engine.login(row.login[0], row.login[1], { action: row.login[2] });
  if (row.lines) engine.importLines(row.lines.join('\n'));
  if (row.file) await engine.importFile(path.join(ROOT, row.file));
  if (row.record) engine.getRecord(row.record);
  if (row.reload) engine.reload(shipped(row.reload));
  if (row.put || row.remove) engine.applyChanges({ put: row.put, remove: row.remove, expectedRevision: row.expected_revision });
}

for (const row of JSON.parse(readFileSync(path.join(ROOT, 'tests/vectors/errors.json'), 'utf8'))) {
  test(`error vectors match: ${row.code}`, async () => {
    await assert.rejects(applyRow(row), (error) => {
      assert.ok(error instanceof SubletError, String(error));
      assert.equal(error.code, row.code, error.message);
      assert.ok(error.help);
      assert.ok(error.code in errorCodes());
      return true;
    });
  });
}

test('invalid records are refused and change nothing', () => {
  const engine = Engine.open();
  engine.importLines(readFileSync(path.join(ROOT, 'policies/tests/agency.jsonl'), 'utf8'));
  const before = [engine.revision, engine.exportLines()];
  const rows = JSON.parse(readFileSync(path.join(ROOT, 'tests/vectors/records.json'), 'utf8'));
  for (const { lines, error: code } of rows) assert.throws(() => engine.importLines(lines.join('\n')), { code }, lines.join('\n'));
  assert.deepEqual([engine.revision, engine.exportLines()], before);
  assert.ok(rows.length > 30);
});
