// The cases beside the policies and the vectors, asked from Node.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Engine, SubletError, normaliseHost } from '../../bindings-node/index.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDERS = ['policies/tests', 'tests/vectors/cases'].map((folder) => path.join(ROOT, folder)).filter(existsSync);
const FILES = FOLDERS.flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.json')).map((name) => path.join(folder, name)));

/** What the other languages call the same. */
function snake(found) {
  if (found === null || typeof found !== 'object') return found;
  return Object.fromEntries(Object.entries(found).map(([key, value]) => [key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]));
}

function answer(engine, { call = 'authorize', principal, action, resource, about, email, description, rules, given, remove, answer: _, ...circumstances }) {
  switch (call) {
    case 'login':
      return snake(engine.login(circumstances.host, email));
    case 'desk':
      return engine.desk(principal, about, circumstances);
    case 'actions':
      return { actions: engine.actions(principal, resource, circumstances) };
    case 'check':
      return { allowed: engine.check(principal, action, resource, circumstances) };
    default: {
      const decision = engine.authorize(principal, action, resource, circumstances);
      assert.equal(engine.check(principal, action, resource, circumstances), decision.allowed);
      return decision;
    }
  }
}

for (const file of FILES) {
  test(`every case of ${path.basename(file)} has the stated answer`, () => {
    const engine = Engine.open();
    const whole = JSON.parse(readFileSync(file, 'utf8'));
    const directory = readFileSync(path.join(path.dirname(file), whole.directory), 'utf8');
    assert.ok(whole.cases.length > 0);
    for (const one of whole.cases) {
      engine.importLines(directory);
      let found;
      try {
        engine.change({ put: one.given, remove: one.remove });
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

test('every host has exactly its outcome', () => {
  const rows = JSON.parse(readFileSync(path.join(ROOT, 'tests/vectors/hosts.json'), 'utf8'));
  assert.ok(rows.length >= 60);
  for (const { host, times = 1, ...outcome } of rows) assert.deepEqual(normaliseHost(host.repeat(times)), outcome, host);
});
