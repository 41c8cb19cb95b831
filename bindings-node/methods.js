// The methods of `Engine` in both forms. A method that writes may wait for a file, so its plain form
// works on a store in memory only. A method that reads has a plain form on any store. The form whose
// name ends in `Async` runs off the event loop.
'use strict';

const { DEFAULT_AMOUNT } = require('./sublet.node');
const { splitSignal } = require('./abort.js');
const { BILLING } = require('./billing.js');
const { later } = require('./calls.js');
const { action, directoryRecord, entries, fields, host, items, json, reference, request, resource, string } = require('./convert.js');
const counts = require('./quota.js');
const { TicketRoute, Explanation, Login, Performed, TicketOutcome, decision } = require('./decision.js');
const { call, reading, refused, wellFormed } = require('./errors.js');
const { reloadCedarOptions, reloadOptions } = require('./options.js');

const object = (text) => JSON.parse(text);
const counted = (text) => counts.counted(object(text));

const CHANGES = ['put', 'merge', 'remove', 'expectedRevision', 'resumed'];

function changes(given = {}) {
  const byName = new Map(fields('changes', given));
  const unknown = [...byName.keys()].find((name) => !CHANGES.includes(name));
  if (unknown !== undefined) throw refused('changes', 'unknown_field', unknown);
  const [put, merge, remove, expected, resumed] = CHANGES.map((name) => byName.get(name));
  const parts = [
    `"put":[${items('put', put ?? []).map(directoryRecord).join(',')}]`,
    `"merge":[${items('merge', merge ?? []).map(directoryRecord).join(',')}]`,
    `"remove":[${items('remove', remove ?? []).map((one) => reference('remove', one)).join(',')}]`,
  ];
  if (expected !== undefined && expected !== null) parts.push(`"expected":${counts.revision(expected)}`);
  if (resumed !== undefined && resumed !== null) parts.push(`"resumed":${json('resumed', resumed)}`);
  return [`{${parts.join(',')}}`];
}

const followUp = (known) => (operation, more = {}) => [counts.form({ operation: counts.operation(operation) }, more, known)];
const adjusting = (known) => (account, meter, amount, more = {}) => [counts.adjustmentForm(account, meter, amount, more, known)];

/** The methods of stocks. */
const STOCK = {
  at: 4,
  texts: (principal, what, on, amount, more = {}) => counts.consumeTexts([principal, what, on, amount], more, ['idempotencyKey']),
  read: (text) => decision(object(text)),
};

/**
 * Methods that may wait for a file: the index of the options, the texts of the arguments, and the
 * answer of a text.
 */
const WRITES = {
  consume: {
    at: 4,
    texts: (principal, what, on, amount = DEFAULT_AMOUNT, more = {}) => counts.consumeTexts([principal, what, on, amount], more, counts.CONSUMING),
    read: (text) => decision(object(text)),
  },
  reserve: {
    at: 5,
    texts: (principal, what, on, amount, ttl, more = {}) => [...counts.consumeTexts([principal, what, on, amount], more, ['idempotencyKey']), ...counts.timeToLive(ttl)],
    read: (text) => decision(object(text)),
  },
  setStock: STOCK,
  increaseStock: STOCK,
  decreaseStock: STOCK,
  perform: { at: 2, texts: counts.performTexts, read: (text) => new Performed(object(text)) },
  batch: { at: 1, texts: (requests) => counts.batchTexts(requests), read: (text) => object(text).map(decision) },
  commit: { at: 1, texts: followUp(['amount', 'idempotencyKey']), read: counted },
  release: { at: 1, texts: followUp(['idempotencyKey']), read: counted },
  refund: { at: 1, texts: followUp(['amount', 'idempotencyKey']), read: counted },
  topUp: { at: 3, texts: adjusting(['idempotencyKey']), read: counted },
  revokeTopUp: { at: 2, texts: (account, idempotencyKey) => [counts.form({ account: string('account', account), idempotencyKey: string('idempotencyKey', idempotencyKey) })], read: counted },
  carryOver: { at: 3, texts: adjusting(['member', 'idempotencyKey']), read: counted },
  ...BILLING,
  usage: {
    at: 1,
    texts: (account, more = {}) => [counts.form({ account: string('account', account) }, more, ['member', 'meter'])],
    read: (text) => counts.quotas(object(text)),
  },
  history: { at: 1, texts: (account, more = {}) => [counts.historyForm(account, more)], read: (text) => object(text).map(counts.entry) },
  exportAccount: { at: 1, texts: (account) => [wellFormed('account', account)], read: (text) => text },
  verify: { at: 0, texts: () => [], read: (text) => counts.verification(object(text)) },
  acceptClock: { at: 0, texts: () => [], read: () => undefined },
  applyChanges: { at: 1, texts: changes, read: counts.counted64 },
  importLines: { at: 1, texts: (lines, more = {}) => [wellFormed('lines', lines), counts.form({}, more, ['expectedRevision'])], read: counts.counted64 },
  seed: { at: 1, texts: (lines) => [wellFormed('lines', lines)], read: object },
};

const requestTexts = (principal, what, on, environment) => (
  [request({ principal: reference('principal', principal), action: action(what), resource: resource(on) }, environment)]
);
const actionlessTexts = (principal, on, environment) => [request({ principal: reference('principal', principal), resource: resource(on) }, environment)];

/** Converts host, e-mail and the action of a credential flow, by default the password. */
function login(hostName, email, more = {}) {
  const options = new Map(entries('options', more));
  const flow = options.get('action');
  options.delete('action');
  if (options.size > 0) throw refused('options', 'unknown_option', [...options.keys()][0]);
  const texts = [object(host(hostName)), wellFormed('email', email)];
  if (flow === undefined || flow === null) return texts;
  const named = object(action(flow));
  return [...texts, ...(typeof named === 'string' ? ['Action', named] : named)];
}

/** Converts a domain and the owner whose claim is proved, if one is named. */
function proofTexts(domain, more = {}) {
  const { owner, ...others } = Object.fromEntries(entries('options', more));
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw refused('options', 'unknown_option', unknown);
  const texts = [wellFormed('domain', domain)];
  return owner === undefined || owner === null ? texts : [...texts, wellFormed('owner', owner)];
}

const ticket = { at: 2, texts: actionlessTexts, read: (text) => new TicketOutcome(object(text)) };

/** Returns the texts of a list: the page and, with a principal, the request of the login that reads. */
function listTexts(kind, account, options = {}) {
  const given = fields('options', options);
  const page = given.filter(([name]) => name === 'after' || name === 'limit');
  const text = counts.form({ kind: string('kind', kind), account: string('account', account) }, Object.fromEntries(page), ['after', 'limit']);
  const reader = given.find(([name]) => name === 'principal')?.[1] ?? null;
  const around = given.filter(([name]) => !['after', 'limit', 'principal'].includes(name));
  // Without a reader the principal is a placeholder: the request checks the other options.
  const own = ['Account', account];
  const asked = request({ principal: reference('principal', reader ?? own), resource: resource(own) }, Object.fromEntries(around));
  return reader === null ? [text] : [text, asked];
}

/** Returns the texts of `explain`: the request, and the language if one is named. */
function explainTexts(principal, what, on, environment = {}) {
  const given = fields('request', environment);
  const language = given.find(([name]) => name === 'language')?.[1] ?? null;
  const around = Object.fromEntries(given.filter(([name]) => name !== 'language'));
  const texts = requestTexts(principal, what, on, around);
  return language === null ? texts : [...texts, wellFormed('language', language)];
}

/** Methods that read. A `long` one may take milliseconds even if the directory is current. */
const READS = {
  authorize: { at: 3, texts: requestTexts, read: (text) => decision(object(text)) },
  check: { at: 3, texts: requestTexts, read: object },
  explain: { at: 3, texts: explainTexts, read: (text) => new Explanation(object(text)), long: true },
  permittedActions: { at: 2, texts: actionlessTexts, read: object },
  login: { at: 2, texts: login, read: (text) => new Login(object(text)) },
  loginByKey: { at: 2, texts: (hostName, key) => [object(host(hostName)), wellFormed('key', key)], read: (text) => new Login(object(text)) },
  routeTicket: { at: 2, texts: actionlessTexts, read: (text) => new TicketRoute(object(text)) },
  openTicket: ticket,
  replyTicket: ticket,
  escalateTicket: ticket,
  getRecord: { at: 1, texts: (wanted) => object(reference('record', wanted)), read: object },
  listRecords: { at: 2, texts: listTexts, read: object, long: true },
  domainProof: { at: 1, texts: proofTexts, read: (text) => text },
  hostsOf: {
    at: 1,
    texts: (account, more = {}) => [counts.form({ account: string('account', account) }, more, ['after', 'limit'])],
    read: object,
  },
  exportLines: { at: 0, texts: () => [], read: (text) => text, long: true },
  refresh: { at: 0, texts: () => [], read: counts.counted64 },
  reload: { at: 1, texts: (policies) => [reloadOptions(policies)], read: (text) => text, long: true },
  reloadCedar: { at: 1, texts: (program) => [reloadCedarOptions(program)], read: (text) => text, long: true, as: 'reload' },
};

class Methods {
  #native;

  constructor(opened) {
    this.#native = opened;
  }

  #later(signal, as, texts, read) {
    return later(signal, (replies, id) => this.#native.start(replies, id, as, texts), (answered) => read(answered.text()));
  }

  static {
    const method = (key, value) => Object.defineProperty(this.prototype, key, { value, writable: true, configurable: true });
    for (const [name, { at, texts, read }] of Object.entries(WRITES)) {
      method(name, function (...given) {
        const list = reading(() => texts(...given));
        const opened = this.#native;
        return read(call(() => (name === 'consume' ? opened.consume(list[0], list[1]) : opened.do(name, list))));
      });
      method(`${name}Async`, async function (...given) {
        const [args, signal] = splitSignal(given, at);
        return this.#later(signal, name, reading(() => texts(...args)), read);
      });
    }
    for (const [name, { at, texts, read, long = false, as = name }] of Object.entries(READS)) {
      method(name, function (...given) {
        const list = reading(() => texts(...given));
        return read(call(() => this.#native.read(as, list)));
      });
      method(`${name}Async`, async function (...given) {
        const [args, signal] = splitSignal(given, at);
        // With a current directory the call takes microseconds: a thread would cost more.
        if (long || !call(() => this.#native.isCurrent())) return this.#later(signal, as, reading(() => texts(...args)), read);
        signal?.throwIfAborted();
        return this[name](...args);
      });
    }
  }
}

module.exports = { Methods };
