// The declarations of `index.d.ts`, used as a service would: this file is checked, not run.
import { Action, Decision, Engine, Host, Principal, ResourceType, SubletError, type Columns, type Request, type Resource } from '../../bindings-node/index.js';

const engine: Engine = Engine.open(null, { validation: 'strict', caps: { nesting: 32 } });
const campaign: Resource = { type: 'Campaign', id: 'k', account: 'acme', attributes: { tags: ['a', 1n, true] } };
const decision: Decision = engine.authorize(['Account', 'acme'], 'campaign.send', campaign, { host: 'x.example', amount: 3n });
const revision: bigint = decision.revision;
const request: Request = { principal: { type: 'Account', id: 'acme' }, action: ['Action', 'x'], resource: ['Page', 'p'], channel: 'job' };
const bits: Promise<boolean[]> = engine.checkManyAsync([request]);
const codes: string[] = engine.authorizeMany([request]).map((found) => found.code);
const told: string | null = engine.login('x.example', 'a@b.example').principal?.[1] ?? null;
try {
  engine.change({ put: [{ type: 'Platform', id: 'p' }], expectedRevision: revision });
} catch (error) {
  if (error instanceof SubletError) console.log(error.code, error.faults[0]?.place?.line);
}
const imported: Promise<bigint> = engine.importFile('a.jsonl', { progress: ({ records }) => records < 10n, signal: AbortSignal.timeout(1000) });
void imported;
// @ts-expect-error an amount is no string
engine.check(['Account', 'acme'], 'campaign.send', campaign, { amount: '3' });
// @ts-expect-error engines are opened, not made
new Engine();
const [acme, edit, dash]: [Principal, Action, Host] = [new Principal('Account', 'acme'), new Action('campaign.edit'), new Host('x.example')];
const allowed: boolean = engine.check(acme, edit, [new ResourceType('Campaign'), 'spring', acme], { host: dash, actor: acme });
const columns: Columns = { principals: [acme, ['Account', 'bakery']], actions: 'campaign.read', resources: [['Campaign', 'k', 'acme'], campaign], hosts: [dash, null] };
const many: boolean[] = engine.checkMany(columns);
// @ts-expect-error a host is no login
engine.check(dash, edit, acme);
// @ts-expect-error a handle is made by its class
const made: Principal = { type: 'Account', id: 'acme' };
console.log(bits, codes, told, allowed, many, made);
