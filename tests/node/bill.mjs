// Runs the steps of the vectors that concern the owner's bill.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { verifyDraw } from '../../bindings-node/index.mjs';

const policies = path.join(fileURLToPath(new URL('../..', import.meta.url)), 'policies');

/** Returns the shipped bundle with the given settings of its catalog. */
export function bundle(settings) {
  if (settings === undefined) return policies;
  const names = readdirSync(policies).filter((name) => statSync(path.join(policies, name)).isFile());
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(path.join(policies, name), 'utf8')]));
  return { ...files, 'catalog.json': JSON.stringify({ ...JSON.parse(files['catalog.json']), ...settings }) };
}

/** Values that earlier steps store for later ones. */
export class StepValues {
  payments = new Map();
  names = new Map();
  last = null;

  named(step) {
    let text = JSON.stringify(step);
    for (const [name, id] of this.names) text = text.replaceAll(`$${name}`, id);
    return JSON.parse(text);
  }
}

async function overage(engine, owner) {
  const records = engine.exportLines().trim().split('\n').map((line) => JSON.parse(line));
  return records.filter((one) => one.owner === owner && !one.closed && (one.disabled ?? []).includes('overage')).length;
}

async function runBillingStep(engine, step, end, kept) {
  const verb = (name) => (...args) => engine[name + end](...args);
  if (step.statement) return verb('statement')(...step.statement);
  if (step.preview) return verb('previewStatement')(step.preview);
  if (step.close_month) return verb('closeMonth')(...step.close_month);
  if (step.settle) return verb('settleOverage')(...step.settle, step.choice ? { choice: step.choice } : {});
  const options = 'idempotency_key' in step ? { idempotencyKey: step.idempotency_key } : {};
  const payment = step.pay
    ? await verb('recordPayment')(...step.pay, options)
    : await verb('reversePayment')(kept.payments.get(step.reverse) ?? step.reverse, options);
  assert.equal(payment.replayed, step.replayed ?? false);
  if (step.as) kept.payments.set(step.as, payment.payment);
  return payment.statement;
}

const isDrawn = ({ status, order }) => status === 'settled' || (status === 'closed' && order !== 'owners_choice');

export const isAboutIt = (step) => ['statement', 'preview', 'close_month', 'settle', 'pay', 'reverse'].some((verb) => verb in step);

export async function take(engine, step, end, kept) {
  const at = JSON.stringify(step);
  if (step.error) {
    await assert.rejects(runBillingStep(engine, step, end, kept), { code: step.error }, at);
    return;
  }
  const statement = await runBillingStep(engine, step, end, kept);
  for (const [name, value] of Object.entries(step.has ?? {})) assert.deepEqual(statement[name] ?? null, value, `${name}: ${at}`);
  if ('at_risk' in step) assert.equal(statement.at_risk.length, step.at_risk, at);
  if ('overage' in step) assert.equal(await overage(engine, statement.owner), step.overage, at);
  if (step.same) assert.deepEqual(statement, kept.last, at);
  assert.equal(verifyDraw(statement), isDrawn(statement), at);
  assert.equal(verifyDraw({ ...statement, unpaid: statement.unpaid + 1 }), false, at);
  if (step.first) kept.names.set(step.first, statement.disabled[0]);
  kept.last = statement;
}
