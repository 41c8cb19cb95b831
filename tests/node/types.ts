// Uses the declarations of `index.d.ts` as a service would. This file is only type-checked.
import { Action, Decision, DeniedError, Engine, Host, LogHandle, ManualClock, Principal, ResourceType, SubletError, type Answer, type Columns, type Count, type CountReceipt, type Event, type HistoryEntry, type BatchItem, type Limit, type Quota, type Request, type Resource, type TicketOutcome, type Stats } from '../../bindings-node/index.js';
import { instrument } from '../../bindings-node/opentelemetry.js';
import { collect } from '../../bindings-node/prometheus.js';

const engine: Engine = Engine.open(null, { validation: 'strict', caps: { nesting: 32 } });
const campaign: Resource = { type: 'Campaign', id: 'k', account: 'acme', attributes: { tags: ['a', 1n, true] } };
const decision: Decision = engine.authorize(['Account', 'acme'], 'campaign.send', campaign, { host: 'x.example', amount: 3n });
const revision: Count = decision.revision;
const request: Request = { principal: { type: 'Account', id: 'acme' }, action: ['Action', 'x'], resource: ['Page', 'p'], channel: 'job' };
const bits: Promise<boolean[]> = engine.checkManyAsync([request]);
const codes: string[] = engine.authorizeMany([request]).map((found) => found.code);
const told: string | null = engine.login('x.example', 'a@b.example', { action: 'login.reset' }).principal?.[1] ?? null;
const routed: TicketOutcome = engine.replyTicket(['Account', 'acme'], { type: 'Ticket', id: 't', account: 'bakery', attributes: { desk: 'owner' } }, { channel: 'mail' });
const shown: readonly [string | null, boolean, string | undefined] = [routed.onBehalfOf, routed.rerouted, decision.subject?.[1]];
void shown;
try {
  engine.applyChanges({ put: [{ type: 'Platform', id: 'p' }], expectedRevision: revision });
} catch (error) {
  if (error instanceof SubletError) console.log(error.code, error.faults[0]?.place?.line);
}
const imported: Promise<Count> = engine.importFile('a.jsonl', { progress: ({ records }) => Number(records) < 10, signal: AbortSignal.timeout(1000) });
void imported;
// @ts-expect-error an amount is not a string
engine.check(['Account', 'acme'], 'campaign.send', campaign, { amount: '3' });
// @ts-expect-error engines are opened, not constructed
new Engine();
const [acme, edit, dash]: [Principal, Action, Host] = [new Principal('Account', 'acme'), new Action('campaign.edit'), new Host('x.example')];
const allowed: boolean = engine.check(acme, edit, [new ResourceType('Campaign'), 'spring', acme], { host: dash, actor: acme });
const columns: Columns = { principals: [acme, ['Account', 'bakery']], actions: 'campaign.read', resources: [['Campaign', 'k', 'acme'], campaign], hosts: [dash, null] };
const many: boolean[] = engine.checkMany(columns);
// @ts-expect-error a host is not a login
engine.check(dash, edit, acme);
// @ts-expect-error a handle is created by its class
const made: Principal = { type: 'Account', id: 'acme' };
console.log(bits, codes, told, allowed, many, made);

const clock: ManualClock = new ManualClock('2026-01-31T12:00:00Z');
clock.advance(-1n);
const counting: Engine = Engine.open(undefined, { clock });
const taken: Decision = counting.consume(acme, edit, campaign, { emails: 3, texts: 2n }, { host: dash, idempotencyKey: 'k', allowPartial: true, channel: 'job' });
const one: Decision = counting.consume(acme, edit, campaign);
const held: Decision = counting.reserve(acme, edit, campaign, 1, 60_000, { idempotencyKey: null });
counting.reserve(acme, edit, campaign, 1, null, { idempotencyKey: null });
const quota: Quota | undefined = taken.quota[0];
const [used, limit, source]: [Count, Limit, 'package' | 'level' | 'override' | 'none'] = [quota?.used ?? 0, quota?.member?.limit ?? 'unlimited', quota?.source ?? 'none'];
if (held.operation !== null) {
  const counted: CountReceipt = counting.commit(held.operation, { amount: 1n });
  const until: string | null = counted.expiresAt;
  console.log(until, counting.release(held.operation).replayed, counting.refund(held.operation, { idempotencyKey: 'r' }).quota);
}
const items: BatchItem[] = [{ principal: acme, action: edit, resource: campaign, amount: { emails: 1 }, host: dash, idempotencyKey: 'i' }];
const entries: HistoryEntry[] = counting.history('acme', { before: 9, limit: 10 });
console.log(counting.batch(items).length, counting.setStock(acme, 'contact.create', campaign, 40).quota, counting.verify().faults, one.replayed, used, limit, source, entries);
console.log(counting.topUp('acme', 'emails', 5, { idempotencyKey: 't' }), counting.carryOver('acme', 'emails', 5n, { member: 'ann' }), counting.usage('acme', { meter: 'emails' }));
counting.acceptClock();
// @ts-expect-error an amount is not a string
counting.consume(acme, edit, campaign, '1');
// @ts-expect-error an amount is an argument of its own
counting.consume(acme, edit, campaign, 1, { amount: 1 });
// @ts-expect-error a reservation is all or nothing
counting.reserve(acme, edit, campaign, 1, 1_000, { allowPartial: true });
// @ts-expect-error a clock is created by its class
Engine.open(null, { clock: { now: () => 0 } });

const shared: Promise<Engine> = Engine.openAsync(undefined, { store: 'sqlite:/tmp/sublet.db?durability=power' });
void shared.then(async (found) => {
  const signal = AbortSignal.timeout(1000);
  const sent: Decision = await found.consumeAsync(acme, edit, campaign, 3n, { host: dash, idempotencyKey: 'k', signal });
  const done: CountReceipt = await found.commitAsync(sent.operation ?? 0, { amount: 1, signal });
  const quotas: readonly Quota[] = await found.usageAsync('acme', { signal });
  const many: Decision[] = await found.batchAsync([{ principal: acme, action: edit, resource: campaign }], { signal });
  const next: Count = await found.applyChangesAsync({ put: [] }, { signal });
  const listed: [boolean[], Decision[]] = [await found.checkManyAsync([request], { signal }), await found.authorizeManyAsync([request], { signal })];
  const other: Engine = await Engine.openAsync(null, { store: 'memory:', signal });
  console.log(done, quotas, many, next, listed, other, await found.verifyAsync());
});
// @ts-expect-error a synchronous open cannot be cancelled
Engine.open(null, { signal: AbortSignal.timeout(1000) });
const events = engine.subscribe({ callback: ({ event, code, principal }: Event) => [event, code, principal?.[1]], events: ['decision'], sampleAllowed: 0.1, redact: ['host'] });
const fileLog: LogHandle = engine.subscribe({ path: 'events.jsonl', rotateBytes: 1n << 20n, maxOldFiles: 3 });
const flushed: Promise<boolean> = events.flush(100);
const lost: number = fileLog.dropped;
const measured: Stats = engine.metrics();
// @ts-expect-error a log needs a sink
engine.subscribe({ events: ['decision'] });
// @ts-expect-error a log has one sink only
engine.subscribe({ path: 'x', callback: () => {} });
// @ts-expect-error only fields can be hidden
engine.subscribe({ path: 'x', redact: ['email'] });
collect(engine);
instrument(engine);
void [flushed, lost, measured];
const granted: Decision = engine.authorize(acme, edit, campaign).orThrow();
const answers: readonly Answer[] = [granted, engine.login('x.example', 'a@b.example'), engine.routeTicket(acme, acme), routed, engine.perform(acme, { do: 'close', account: 'x' }).orThrow()];
void answers;
async function later(signal: AbortSignal): Promise<[string, boolean, Count, string]> {
  const other: Engine = await Engine.cedarAsync({ policies: 'permit (principal, action, resource);' }, { signal });
  const { code }: Decision = await other.authorizeAsync(acme, edit, campaign, { host: dash, signal });
  await other.reloadCedarAsync({ policies: 'permit (principal, action, resource);' });
  const text: string = (await engine.explainAsync(acme, edit, campaign, { language: 'de' })).text;
  await events.flush(100, { signal });
  return [code, await engine.checkAsync(acme, edit, campaign, { host: dash }), await engine.refreshAsync({ signal }), text + (await engine.reloadAsync('policies', { signal }))];
}
void later;
try {
  granted.orThrow();
} catch (error) {
  if (error instanceof DeniedError) console.log(error.code, error.answer);
}
const given: bigint = BigInt(taken.quota[0]?.used ?? 0);
counting.refund(taken.operation ?? 0, { amount: given });
// @ts-expect-error a count beyond 2^53 is a string, so it needs a conversion
const sum: number = taken.quota[0].used + 1;
void sum;
