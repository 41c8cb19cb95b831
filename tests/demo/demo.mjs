// Answers the requests of the demo from Node, as JSON lines.
import { readFileSync } from 'node:fs';
import { Engine, ManualClock, verifyDraw } from '../../bindings-node/index.mjs';

const here = (name) => new URL(name, import.meta.url);
const engine = Engine.open(here('../../policies'));
engine.importLines(readFileSync(here('../../policies/tests/agency.jsonl'), 'utf8'));

/** Settles a month of an owner with so many clients, after a payment of so many cents. */
function bill({ clients, cents }) {
  const clock = new ManualClock('2026-01-15T12:00:00Z');
  const billed = Engine.open(here('../../policies'), { clock });
  const owner = { type: 'Account', id: 'acme', email: 'owner@acme.example', package: 'agency', confirmed: true };
  const others = Array.from({ length: clients }, (_, at) => ({ type: 'Account', id: `c${at}`, email: `c${at}@c.example`, owner: 'acme' }));
  billed.applyChanges({ put: [owner, ...others] });
  clock.set('2026-02-01T00:00:00Z');
  if (cents) billed.recordPayment('acme', '2026-01', cents);
  const month = billed.settleOverage('acme', '2026-01');
  return [verifyDraw(month), `${month.excess} excess, ${month.due_cents} cents due, ${month.disabled.length} disabled`, ''];
}

for (const { call, page, principal, action, resource, about, email, ...environment } of JSON.parse(readFileSync(here('questions.json'), 'utf8'))) {
  if (call === 'bill') {
    console.log(JSON.stringify(bill(environment)));
  } else if (call === 'login') {
    const found = engine.login(environment.host, email);
    console.log(JSON.stringify([found.allowed, found.publicCode === found.logCode ? found.logCode : `${found.publicCode} (${found.logCode})`, found.decision?.policies[0] ?? '']));
  } else if (call === 'desk') {
    const found = engine.routeTicket(principal, about, environment);
    console.log(JSON.stringify([found.desk !== null, `desk: ${found.desk ?? found.code}`, found.decision.policies[0] ?? '']));
  } else {
    const found = engine.authorize(principal, action, resource, environment);
    console.log(JSON.stringify([found.allowed, found.code, found.policies[0] ?? '']));
  }
}
