// The login table from Node: every credential flow at every kind of host, for every kind of login.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Engine } from '../../bindings-node/index.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const table = JSON.parse(readFileSync(path.join(root, 'tests/vectors/logins.json'), 'utf8'));

test('every flow, login and host is checked', () => {
  const engine = Engine.open(path.join(root, 'policies'));
  engine.importLines(readFileSync(path.join(root, 'policies/tests/agency.jsonl'), 'utf8'));
  engine.applyChanges({ put: table.given });
  for (const action of table.flows) {
    for (const row of table.logins) {
      for (const channel of [null, 'job', 'mail']) assert.equal(engine.authorize(row.login, action, row.home, { channel }).code, table.nowhere, `${action} ${row.who}`);
      for (const [kind, host] of Object.entries(table.hosts)) {
        const code = row[action]?.[kind] ?? row[kind] ?? table.anyone[kind];
        const found = row.found.includes(kind);
        const { allowed, publicCode, logCode, principal } = engine.login(host, row.email, { action });
        const got = [engine.authorize(row.login, action, row.home, { host }).code, logCode, publicCode, allowed, principal];
        assert.deepEqual(got, [code, code, code === 'ok' ? 'ok' : 'login_refused', code === 'ok', found ? row.login : null], `${action}, ${row.who}, at ${kind}`);
      }
    }
  }
});
