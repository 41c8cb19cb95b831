// The owner's bill: statements and payments are plain objects, the same JSON as in the other languages.
'use strict';

const native = require('./sublet.node');
const { amount, fields, items, json, string } = require('./convert.js');
const { count, form, operation } = require('./count.js');
const { call } = require('./errors.js');

const CENTS = ['clients', 'included', 'excess', 'price_cents', 'due_cents', 'received_cents', 'paid', 'unpaid'];

function statement(found) {
  for (const name of CENTS) found[name] = count(found[name]);
  return found;
}

const payment = (found) => ({ ...found, payment: count(found.payment), cents: count(found.cents), statement: statement(found.statement) });

const named = (owner, period) => ({ owner: string('owner', owner), period: string('period', period) });

/** Each verb: which argument is its options, the texts of its arguments, and its answer of a text. */
const BILLING = {
  statement: { at: 2, texts: (owner, period) => [form(named(owner, period))], read: (text) => statement(JSON.parse(text)) },
  preview: { at: 1, texts: (owner) => [form({ owner: string('owner', owner) })], read: (text) => statement(JSON.parse(text)) },
  recordPayment: {
    at: 3,
    texts: (owner, period, cents, more = {}) => [form({ ...named(owner, period), cents: amount(cents) }, more, ['key'])],
    read: (text) => payment(JSON.parse(text)),
  },
  reversePayment: {
    at: 1,
    texts: (number, more = {}) => [form({ payment: operation(number) }, more, ['key'])],
    read: (text) => payment(JSON.parse(text)),
  },
  settle: {
    at: 2,
    texts: (owner, period, more = {}) => {
      const given = new Map(fields('options', more));
      const choice = items('choice', given.get('choice') ?? []).map((id) => string('choice', id));
      given.delete('choice');
      return [form({ ...named(owner, period), choice: `[${choice.join(',')}]` }, Object.fromEntries(given))];
    },
    read: (text) => statement(JSON.parse(text)),
  },
};

/** Whether a statement's sums and draw are right: from the statement alone. */
function verifyDraw(given) {
  return call(() => native.verifyDraw(json('statement', given)));
}

module.exports = { BILLING, verifyDraw };
