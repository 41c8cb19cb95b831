// The verbs that may wait for a file. Each stands here once, and is done in two forms: at once, on a store in memory; and
// with `Async` at the end of its name off the event loop, as a promise.
'use strict';

const { apart, unlessAborted } = require('./abort.js');
const { BILLING } = require('./bill.js');
const { items, json, reference, string } = require('./convert.js');
const counts = require('./count.js');
const { decision } = require('./decision.js');
const { call, converted, wellFormed } = require('./errors.js');

const object = (text) => JSON.parse(text);

function performed(text) {
  const found = object(text);
  return Object.freeze({ decision: decision(found.decision), token: found.token });
}
const counted = (text) => counts.counted(object(text));

function changes({ put = [], remove = [], expectedRevision, resumed } = {}) {
  const parts = [
    `"put":[${items('put', put).map((record) => json('record', record)).join(',')}]`,
    `"remove":[${items('remove', remove).map((found) => reference('remove', found)).join(',')}]`,
  ];
  if (expectedRevision !== undefined && expectedRevision !== null) parts.push(`"expected":${json('expectedRevision', expectedRevision)}`);
  if (resumed !== undefined && resumed !== null) parts.push(`"resumed":${json('resumed', resumed)}`);
  return [`{${parts.join(',')}}`];
}

const settling = (known) => (operation, more = {}) => [counts.form({ operation: counts.operation(operation) }, more, known)];
const stating = (known) => (account, meter, amount, more = {}) => [counts.statement(account, meter, amount, more, known)];

/** What is said of stocks. */
const STOCK = {
  at: 4,
  texts: (principal, what, on, amount, more = {}) => counts.takes([principal, what, on, amount], more, ['key']),
  read: (text) => decision(object(text)),
};

/** Each verb: which argument is its options, the texts of its arguments, and its answer of a text. */
const VERBS = {
  consume: {
    at: 4,
    texts: (principal, what, on, amount = 1, more = {}) => counts.takes([principal, what, on, amount], more, counts.CONSUMING),
    read: (text) => decision(object(text)),
  },
  reserve: {
    at: 5,
    texts: (principal, what, on, amount, ttl, more = {}) => [...counts.takes([principal, what, on, amount], more, ['key']), counts.milliseconds(ttl)],
    read: (text) => decision(object(text)),
  },
  set: STOCK,
  add: STOCK,
  sub: STOCK,
  perform: { at: 2, texts: counts.performs, read: performed },
  batch: { at: 1, texts: (requests) => counts.batch(requests), read: (text) => object(text).map(decision) },
  commit: { at: 1, texts: settling(['amount', 'key']), read: counted },
  release: { at: 1, texts: settling(['key']), read: counted },
  refund: { at: 1, texts: settling(['amount', 'key']), read: counted },
  topUp: { at: 3, texts: stating(['key']), read: counted },
  carryOver: { at: 3, texts: stating(['member', 'key']), read: counted },
  ...BILLING,
  usage: {
    at: 1,
    texts: (account, more = {}) => [counts.form({ account: string('account', account) }, more, ['member', 'meter'])],
    read: (text) => counts.quotas(object(text)),
  },
  history: { at: 1, texts: (account, more = {}) => [counts.historyForm(account, more)], read: (text) => object(text).map(counts.entry) },
  verify: { at: 0, texts: () => [], read: (text) => counts.verification(object(text)) },
  acceptClock: { at: 0, texts: () => [], read: () => undefined },
  change: { at: 1, texts: changes, read: BigInt },
  importLines: { at: 1, texts: (lines) => [wellFormed('lines', lines)], read: BigInt },
};

class Verbs {
  #native;

  constructor(opened) {
    this.#native = opened;
  }

  static {
    for (const [name, { at, texts, read }] of Object.entries(VERBS)) {
      const method = (key, value) => Object.defineProperty(this.prototype, key, { value, writable: true, configurable: true });
      method(name, function (...given) {
        const asked = texts(...given);
        const opened = this.#native;
        return read(call(() => (name === 'consume' ? opened.consume(asked[0], asked[1]) : opened.do(name, asked))));
      });
      method(`${name}Async`, async function (...given) {
        const [args, signal] = apart(given, at);
        const asked = texts(...args);
        try {
          return read(await unlessAborted(signal, (turn) => this.#native.doAsync(name, asked, turn)));
        } catch (error) {
          throw converted(error);
        }
      });
    }
  }
}

module.exports = { Verbs };
