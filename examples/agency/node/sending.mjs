// Sending, and what is left to send. Counted in one step with the permission, for both services alike.
import { allowed } from './answers.mjs';
import { deliver } from './delivery.mjs';
import { engine } from './policy.mjs';
import { key, visitor } from './visitors.mjs';

const body = (properties) => ({ schema: { body: { type: 'object', required: Object.keys(properties), additionalProperties: false, properties } } });
const many = body({ recipients: { type: 'integer', minimum: 0 } });
const list = body({ recipients: { type: 'array', minItems: 1, items: { type: 'string' } } });

const answer = ({ code, operation, replayed, quota, advice }) => ({ code, operation, replayed, left: quota[0].remaining, advice });

export function sending(app) {
  // A campaign to so many contacts. Its account and its id tell it: whether the account is the visitor's is asked with everything else.
  app.post('/accounts/:account/campaigns/:campaign/send', many, async (request) => {
    const [{ account, campaign }, { principal, around }] = [request.params, visitor(request)];
    const resource = { type: 'Campaign', id: campaign, account };
    return answer(allowed(await engine().consumeAsync(principal, 'campaign.send', resource, request.body.recipients, { ...around, idempotencyKey: key(request) })));
  });

  // A broadcast takes its time, and some of it never leaves: what it may take at most is reserved, what did leave is committed. (Q8) Asked again with the same
  // key both give their first answer: a worker that is killed in between costs the account nothing, though some may get the mail twice.
  app.post('/accounts/:account/broadcasts/:broadcast/send', list, async (request) => {
    const [{ account, broadcast }, { principal, around }, { recipients }] = [request.params, visitor(request), request.body];
    const resource = { type: 'Broadcast', id: broadcast, account };
    const [hour, options] = [3_600_000, { ...around, idempotencyKey: key(request) }];
    const held = allowed(await engine().reserveAsync(principal, 'broadcast.send', resource, recipients.length, hour, options));
    const left = deliver(recipients);
    const { quota } = await engine().commitAsync(held.operation, { amount: left });
    return { code: held.code, operation: held.operation, replayed: held.replayed, sent: left, left: quota[0].remaining };
  });

  app.get('/accounts/:account/usage', async (request) => {
    const [{ account }, { principal, around }] = [request.params, visitor(request)];
    allowed(engine().authorize(principal, 'account.read', ['Account', account], around));
    return engine().usageAsync(account);
  });
}
