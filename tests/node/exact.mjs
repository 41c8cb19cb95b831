// One Node process of tests/python/test_exact.py. It writes the same journal as exact_worker.py.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { Engine, SubletError } from '../../bindings-node/index.mjs';

const [store, path, stop, tasks] = process.argv.slice(2);
const host = 'dash.marketingmaster.example';
const DAY = 86_400_000;
const UNKNOWN = ['store.locked', 'store.unknown_outcome'];
const run = `${process.pid}-${process.hrtime.bigint()}`;
const plain = (_, value) => (typeof value === 'bigint' ? Number(value) : value);
const write = (entry) => appendFileSync(path, `${JSON.stringify(entry, plain)}\n`);
const below = (most) => Math.floor(Math.random() * most);

async function did(task, step, entry, work) {
  const name = `${run}/${task}/${step}`;
  write({ intent: name, ...entry });
  let answer;
  try {
    answer = await work();
  } catch (error) {
    if (error instanceof SubletError && UNKNOWN.includes(error.code)) return null;
    write({ failed: name, code: error.code, message: String(error) });
    throw error;
  }
  write({ answer: name, ...answer });
  return answer;
}

const counted = ({ quota, operation, replayed, allowed = true }) => ({
  operation,
  replayed,
  quota: quota.map((each) => [each.used, each.held]),
  allowed,
});

function retries() {
  const open = new Map();
  if (!existsSync(path)) return [];
  for (const line of readFileSync(path, 'utf8').split('\n').filter(Boolean)) {
    const entry = JSON.parse(line);
    if (entry.intent && entry.key) open.set(entry.key, entry);
    if (entry.answer) for (const [key, known] of open) if (known.intent === entry.answer) open.delete(key);
  }
  return [...open.values()];
}

const again = retries();
const engine = await Engine.openAsync(undefined, { store });
const asked = (account) => [['Account', account], 'campaign.send', ['Campaign', 'k', account]];
const consume = async (account, amount, key) =>
  counted(await engine.consumeAsync(...asked(account), amount, key === null ? { host } : { host, idempotencyKey: key }));

async function work(task) {
  const held = [];
  for (let step = 1; !existsSync(stop); step += 1) {
    const account = ['acme', 'acme', 'nova'][below(3)];
    const key = below(2) === 0 ? `${run}/${task}/${step}` : null;
    const verb = below(10);
    if (verb < 4) {
      const amount = 1 + below(3);
      const entry = { do: 'consume', account, amount, key };
      const answer = await did(task, step, entry, () => consume(account, amount, key));
      if (answer && key && below(10) < 3) await did(task, -step, entry, () => consume(account, amount, key));
    } else if (verb === 4) {
      const entry = { do: 'reserve', account, amount: 2 };
      const answer = await did(task, step, entry, async () => counted(await engine.reserveAsync(...asked(account), 2, DAY, { host })));
      if (answer?.operation) held.push(answer.operation);
    } else if (verb === 5 && held.length > 0) {
      const of = held.pop();
      if (below(3) === 0) await did(task, step, { do: 'release', of }, async () => counted(await engine.releaseAsync(of)));
      else await did(task, step, { do: 'commit', of }, async () => counted(await engine.commitAsync(of, { amount: 1 })));
    } else if (verb === 6) {
      const amounts = [1, below(2) === 0 ? 1 : 1e9];
      const items = amounts.map((amount) => {
        const [principal, action, resource] = asked(account);
        return { principal, action, resource, amount, host };
      });
      await did(task, step, { do: 'batch', account, amounts }, async () => ({ items: (await engine.batchAsync(items)).map(counted) }));
    } else if (verb === 7) {
      const record = { type: 'Account', id: 'cafe', email: 'hello@cafe.example', owner: 'acme', level: 'basic', confirmed: step % 2 === 1 };
      await did(task, step, { do: 'change' }, async () => ({ revision: await engine.applyChangesAsync({ put: [record] }) }));
    } else if (verb === 8 && below(10) === 0) {
      engine.reload();
    } else {
      engine.check(...asked('acme'), { host });
      await new Promise(setImmediate);
    }
  }
}

for (const [at, entry] of again.entries()) {
  const { account, amount, key } = entry;
  await did(99, at, { do: entry.do, account, amount, key }, () => consume(account, amount, key));
}
await Promise.all(Array.from({ length: Number(tasks) }, (_, task) => work(task)));
