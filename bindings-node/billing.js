// The owner's bill. Statements and payments are plain objects with the fields of the other languages.
'use strict';

const native = require('./sublet.node');
const { amount, entries, fields, items, json, string } = require('./convert.js');
const { form, isLarge, operation } = require('./quota.js');
const { call, reading } = require('./errors.js');

const CENTS = ['clients', 'included', 'excess', 'price_cents', 'due_cents', 'received_cents', 'credit_cents', 'paid', 'unpaid'];

const read = (text) => JSON.parse(text);

const named = (owner, period) => ({ owner: string('owner', owner), period: string('period', period) });

/** Methods of the bill: the index of the options, the texts of the arguments, the answer of a text. */
const BILLING = {
  statement: { at: 2, texts: (owner, period) => [form(named(owner, period))], read },
  previewStatement: { at: 1, texts: (owner) => [form({ owner: string('owner', owner) })], read },
  recordPayment: {
    at: 3,
    texts: (owner, period, cents, more = {}) => {
      const month = period === null ? { owner: string('owner', owner) } : named(owner, period);
      return [form({ ...month, cents: amount(cents) }, more, ['idempotencyKey'])];
    },
    read,
  },
  reversePayment: {
    at: 1,
    texts: (number, more = {}) => [form({ payment: operation(number) }, more, ['idempotencyKey'])],
    read,
  },
  closeMonth: { at: 2, texts: (owner, period) => [form(named(owner, period))], read },
  closeDue: { at: 1, texts: (limit, more = {}) => [form({ limit: amount(limit) }, more, ['after'])], read },
  settleOverage: {
    at: 2,
    texts: (owner, period, more = {}) => {
      const given = new Map(fields('options', more));
      const choice = items('choice', given.get('choice') ?? []).map((id) => string('choice', id));
      given.delete('choice');
      return [form({ ...named(owner, period), choice: `[${choice.join(',')}]` }, Object.fromEntries(given))];
    },
    read,
  },
};

/** Returns whether the sums and the draw of a statement are right. */
function verifyDraw(given) {
  // The addon reads integers, and an answer has large ones as text.
  const exact = (key, value) => (CENTS.includes(key) && isLarge(value) ? BigInt(value) : value);
  const text = reading(() => json('statement', Object.fromEntries(entries('statement', given).map(([key, value]) => [key, exact(key, value)]))));
  return call(() => native.verifyDraw(text));
}

module.exports = { BILLING, verifyDraw };
