// The verbs that may wait for a file. Each stands here once, and is done in two forms: at once, on a store in memory; and
// with `Async` at the end of its name off the event loop, as a promise.
'use strict';

const native = require('./sublet.node');
const { items, json, reference, string } = require('./convert.js');
const counts = require('./count.js');
const { decision } = require('./decision.js');
const { call, converted, refused, wellFormed } = require('./errors.js');

const object = (text) => JSON.parse(text);
const counted = (text) => counts.counted(object(text));

function changes({ put = [], remove = [], expectedRevision } = {}) {
  const parts = [
    `"put":[${items('put', put).map((record) => json('record', record)).join(',')}]`,
    `"remove":[${items('remove', remove).map((found) => reference('remove', found)).join(',')}]`,
  ];
  if (expectedRevision !== undefined && expectedRevision !== null) parts.push(`"expected":${json('expectedRevision', expectedRevision)}`);
  return [`{${parts.join(',')}}`];
}

const settling = (known) => (operation, more = {}) => [counts.form({ operation: counts.operation(operation) }, more, known)];
const stating = (known) => (account, meter, amount, more = {}) => [counts.statement(account, meter, amount, more, known)];

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
  set: {
    at: 4,
    texts: (principal, what, on, amount, more = {}) => counts.takes([principal, what, on, amount], more, ['key']),
    read: (text) => decision(object(text)),
  },
  batch: { at: 1, texts: (requests) => counts.batch(requests), read: (text) => object(text).map(decision) },
  commit: { at: 1, texts: settling(['amount', 'key']), read: counted },
  release: { at: 1, texts: settling(['key']), read: counted },
  refund: { at: 1, texts: settling(['amount', 'key']), read: counted },
  topUp: { at: 3, texts: stating(['key']), read: counted },
  carryOver: { at: 3, texts: stating(['member', 'key']), read: counted },
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

/** What waits for each signal, so that a signal has one listener however many calls wait for it. */
const waiting = new WeakMap();

function listen(signal, give) {
  let known = waiting.get(signal);
  if (known === undefined) {
    const calls = new Set();
    known = { calls, tell: () => [...calls].forEach((each) => each()) };
    waiting.set(signal, known);
  }
  if (known.calls.size === 0) signal.addEventListener('abort', known.tell);
  known.calls.add(give);
}

function unlisten(signal, give) {
  const known = waiting.get(signal);
  known.calls.delete(give);
  if (known.calls.size === 0) signal.removeEventListener('abort', known.tell);
}

/** The answer of what `start` begins, or the signal's reason if it is aborted before that has its turn. */
function unlessAborted(signal, start) {
  if (signal === undefined || signal === null) return start(undefined);
  if (!(signal instanceof AbortSignal)) throw refused('signal', 'an AbortSignal is needed');
  signal.throwIfAborted();
  const turn = new native.NativeTurn();
  return new Promise((resolve, reject) => {
    // What has begun is answered: it may have been taken.
    const give = () => {
      if (turn.giveUp()) reject(signal.reason);
    };
    listen(signal, give);
    start(turn).then(resolve, reject).finally(() => unlisten(signal, give));
  });
}

/** The arguments of a form that can be given up: without `signal`, and it. */
function apart(given, at) {
  const options = given[at];
  if (typeof options !== 'object' || options === null || !('signal' in options)) return [given, undefined];
  const { signal, ...others } = options;
  return [given.with(at, others), signal];
}

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
