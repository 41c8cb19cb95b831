// Arguments and results of methods about quotas as JSON text. Amounts are exact or refused. Integers
// that a Number would round come back as the text of their digits.
'use strict';

const { SubletError, item, refused } = require('./errors.js');
const { action, amount, entries, fields, items, json, reference, request, resource, string } = require('./convert.js');

const NOTHING = Object.freeze([]);
const U64_MAX = 18446744073709551615n;
/** Largest number of entries, that of an array. */
const MAX_ENTRIES = 4294967295n;

/** Returns whether a value is an integer beyond 2^53 as answers write it: the text of its digits. */
const isLarge = (value) => typeof value === 'string' && /^[1-9][0-9]{15,19}$/.test(value) && BigInt(value) > BigInt(Number.MAX_SAFE_INTEGER);

/** Returns the text of an integer from 0 to `most`: a safe number, a BigInt, or the text from an answer. */
function whole(what, value, most) {
  const exact = typeof value === 'bigint' || isLarge(value) ? BigInt(value) : Number.isSafeInteger(value) ? BigInt(value) : -1n;
  if (exact < 0n || exact > most) throw refused(what, `an integer from 0 to ${most} is needed`);
  return exact.toString();
}

const operation = (value) => whole('operation', value, U64_MAX);
const revision = (value) => whole('expectedRevision', value, U64_MAX);

function milliseconds(value) {
  if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) {
    const shown = typeof value === 'number' || typeof value === 'string' ? String(value).slice(0, 80) : typeof value;
    throw new SubletError({ code: 'input.ttl', message: `nothing holds, or is good, for ${shown} milliseconds`, help: 'say 1 millisecond to 366 days' });
  }
  return value.toString();
}

/** Returns the amounts by meter of a plain object, or null if it is no such object. */
function meters(value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  try {
    const found = entries('amount', value);
    return found.length > 0 && found.length === Object.keys(value).length ? found : null;
  } catch (error) {
    if (error instanceof SubletError) return null;
    throw error;
  }
}

/** Converts one amount of each meter, or amounts by meter. */
function amounts(value) {
  const found = meters(value);
  if (found === null) return `"amount":${amount(value)}`;
  return `"amounts":[${found.map(([meter, of]) => `[${string('meter', meter)},${amount(of)}]`).join(',')}]`;
}

const flag = (what, value) => {
  if (typeof value !== 'boolean') throw refused(what, 'a boolean is needed');
  return String(value);
};

/** The options of a consume that are no part of its request. */
const CONSUME_OPTIONS = { idempotencyKey: (value) => string('idempotencyKey', value), allowPartial: (value) => flag('allowPartial', value) };

/** Returns the texts of a request and of its options. `given` has all fields, `known` names the options. */
function texts(fixed, much, given, known) {
  const [taking, environment] = [[amounts(much)], []];
  for (const [name, value] of given) {
    if (name === 'amount') throw refused('options', 'no field `amount`: it is an argument of its own');
    if (!known.includes(name)) environment.push([name, value]);
    else if (value !== null) taking.push(`"${name}":${CONSUME_OPTIONS[name](value)}`);
  }
  return [request(fixed, Object.fromEntries(environment)), `{${taking.join(',')}}`];
}

/** Returns the texts of the request and of the command of `perform`. */
function performTexts(principal, command, options = {}) {
  entries('command', command);
  const given = fields('options', options);
  const taking = given.filter(([name, value]) => name === 'idempotencyKey' && value !== null).map(([, value]) => JSON.parse(CONSUME_OPTIONS.idempotencyKey(value)));
  const around = given.filter(([name]) => name !== 'idempotencyKey');
  if (around.some(([name]) => name === 'amount')) throw refused('options', 'no field `amount`');
  // The resource is a placeholder: only principal and environment are read.
  const text = request({ principal: reference('principal', principal), action: '"perform"', resource: '["Platform",""]' }, Object.fromEntries(around));
  return [text, json('command', command), ...taking];
}

const CONSUMING = ['idempotencyKey', 'allowPartial'];

/** Returns the texts of the request and of the options of a method that consumes. */
function consumeTexts([principal, what, on, much], options, known) {
  const fixed = { principal: reference('principal', principal), action: action(what), resource: resource(on) };
  return texts(fixed, much, fields('options', options), known);
}

function itemTexts(value) {
  const given = new Map(fields('request', value));
  const part = (name) => {
    const found = given.get(name);
    given.delete(name);
    return found;
  };
  const fixed = { principal: reference('principal', part('principal')), action: action(part('action')), resource: resource(part('resource')) };
  const much = given.has('amount') ? part('amount') : 1;
  return texts(fixed, much, given, CONSUMING);
}

/** Returns the texts of a batch: all requests, and the options of each. */
function batchTexts(given) {
  const found = items('requests', given).map((value, index) => {
    try {
      return itemTexts(value);
    } catch (error) {
      throw item(index, error);
    }
  });
  return [0, 1].map((at) => `[${found.map((pair) => pair[at]).join(',')}]`);
}

const OPTIONS = {
  amount,
  before: (value) => whole('before', value, U64_MAX),
  expectedRevision: revision,
  idempotencyKey: CONSUME_OPTIONS.idempotencyKey,
  limit: (value) => whole('limit', value, MAX_ENTRIES),
  member: (value) => string('member', value),
  meter: (value) => string('meter', value),
};

/** Returns the text of a call's fields, some of which are text already. A null amount is refused. */
function form(fixed, options = {}, known = []) {
  const parts = Object.entries(fixed).map(([name, text]) => `"${name}":${text}`);
  for (const [name, value] of fields('options', options)) {
    if (!known.includes(name)) throw refused('options', `no option \`${name}\``);
    if (value !== null || name === 'amount') parts.push(`"${name}":${OPTIONS[name](value)}`);
  }
  return `{${parts.join(',')}}`;
}

/** Returns the text of an adjustment of an account's meter. */
function adjustmentForm(account, meter, much, options, known) {
  return form({ account: string('account', account), meter: string('meter', meter), amount: amount(much) }, options, known);
}

function historyForm(account, options = {}) {
  const given = new Map(fields('options', options));
  if ((given.get('limit') ?? null) === null) given.set('limit', 100);
  return form({ account: string('account', account) }, Object.fromEntries(given), ['before', 'limit']);
}

/** Returns an integer or `unlimited` of an answer, or null. An integer that a Number would round is text. */
const count = (found) => found ?? null;

/** Returns the integer of a text: a number if that is exact, else the text. */
function counted64(text) {
  const found = Number(text);
  return Number.isSafeInteger(found) ? found : text;
}

function memberQuota({ id, used, held, limit, remaining }) {
  return Object.freeze({ id, used: count(used), held: count(held), limit: count(limit), remaining: count(remaining) });
}

/** Makes a quota. All are made here, so that they share one hidden class. */
function quotaOf(meter, amount, used, held, limit, source, base, override, topUp, remaining, resetsAt, member) {
  return Object.freeze({ meter, amount, used, held, limit, source, base, override, topUp, remaining, resetsAt, member });
}

function quota(found) {
  const [amount, used, held, limit, base, override, topUp, remaining] = [found.amount, found.used, found.held, found.limit, found.base, found.override, found.top_up, found.remaining].map(count);
  return quotaOf(found.meter, amount, used, held, limit, found.source, base, override, topUp, remaining, found.resets_at ?? null, found.member ? memberQuota(found.member) : null);
}

const quotas = (found) => (found === undefined || found.length === 0 ? NOTHING : Object.freeze(found.map(quota)));

/** Makes a receipt. */
function counted(found) {
  return Object.freeze({ quota: quotas(found.quota), operation: count(found.operation), replayed: found.replayed, expiresAt: found.expires_at ?? null });
}

function entry(found) {
  const parts = found.parts.map(({ meter, member, used, held, top_up: topUp, refunded }) => (
    Object.freeze({ meter, member, used: count(used), held: count(held), topUp: count(topUp), refunded: count(refunded) })
  ));
  const { idempotency_key: idempotencyKey, ...others } = found;
  return Object.freeze({ ...others, idempotencyKey, operation: count(found.operation), parent: count(found.parent), parts: Object.freeze(parts) });
}

function verification({ buckets, operations, faults }) {
  return Object.freeze({ buckets: count(buckets), operations: count(operations), faults: Object.freeze(faults) });
}

module.exports = { CONSUMING, NOTHING, adjustmentForm, batchTexts, consumeTexts, count, counted, counted64, entry, form, historyForm, isLarge, milliseconds, operation, performTexts, quotaOf, quotas, revision, verification };
