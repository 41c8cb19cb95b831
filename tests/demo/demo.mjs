// Answers the requests of the demo from Node, as JSON lines.
import { readFileSync } from 'node:fs';
import { Engine } from '../../bindings-node/index.mjs';

const here = (name) => new URL(name, import.meta.url);
const engine = Engine.open(here('../../policies'));
engine.importLines(readFileSync(here('../../policies/tests/agency.jsonl'), 'utf8'));

for (const { call, page, not_yet: later, principal, action, resource, about, email, ...environment } of JSON.parse(readFileSync(here('questions.json'), 'utf8'))) {
  if (later) continue;
  if (call === 'login') {
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
