// Arguments and results of methods about quotas as JSON text. Amounts are exact or refused. Integers
// that a Number would round come back as the text of their digits.
'use strict';

const { DEFAULT_AMOUNT } = require('./sublet.node');
const { SubletError, engineError, item, refused } = require('./errors.js');
const { action, amount, entries, fields, items, json, reference, request, resource, shown, string } = require('./convert.js');

const NOTHING = Object.freeze([]);
const U64_MAX = 18446744073709551615n;
/** Largest number of entries, that of an array. */
const MAX_ENTRIES = 4294967295n;

/** Returns whether a value is an integer beyond 2^53 as answers write it: the text of its digits. */
const isLarge = (value) => typeof value === 'string' && /^[1-9][0-9]{15,19}$/.test(value) && BigInt(value) > BigInt(Number.MAX_SAFE_INTEGER);

/** Returns the text of an integer from 0 to `most`: a safe number, a BigInt, or the text from an answer. */
function whole(what, value, most) {
  const exact = typeof value === 'bigint' || isLarge(value) ? BigInt(value) : Number.isSafeInteger(value) ? BigInt(value) : -1n;
  if (exact < 0n || exact > most) throw refused(what, 'integer_range', most);
  return exact.toString();
}

const operation = (value) => whole('operation', value, U64_MAX);
const revision = (value) => whole('expectedRevision', value, U64_MAX);

/** Returns the texts of a time to live: none for the engine's default. */
function timeToLive(value) {
  if (value === undefined || value === null) return [];
  if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) throw engineError('input.ttl', shown(value));
  return [value.toString()];
}

/** Returns the amounts by meter of a plain object, or null if it is no such object. */
function meters(value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  try {
    const pairs = entries('amount', value);
    return pairs.length > 0 && pairs.length === Object.keys(value).length ? pairs : null;
  } catch (error) {
    if (error instanceof SubletError) return null;
    throw error;
  }
}

/** Converts one amount of each meter, or amounts by meter. */
function amounts(value) {
  const pairs = meters(value);
  if (pairs === null) return `"amount":${amount(value)}`;
  return `"amounts":[${pairs.map(([meter, of]) => `[${string('meter', meter)},${amount(of)}]`).join(',')}]`;
}

const flag = (what, value) => {
  if (typeof value !== 'boolean') throw refused(what, 'boolean');
  return String(value);
};

/** The options of a consume that are no part of its request. */
const CONSUME_OPTIONS = { idempotencyKey: (value) => string('idempotencyKey', value), allowPartial: (value) => flag('allowPartial', value) };

/** Returns the texts of a request and of its options. `given` has all fields, `known` names the options. */
function texts(fixed, much, given, known) {
  const [taking, environment] = [[amounts(much)], []];
  for (const [name, value] of given) {
    if (name === 'amount') throw refused('options', 'amount_field');
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
  if (around.some(([name]) => name === 'amount')) throw refused('options', 'unknown_field', 'amount');
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
    const value = given.get(name);
    given.delete(name);
    return value;
  };
  const fixed = { principal: reference('principal', part('principal')), action: action(part('action')), resource: resource(part('resource')) };
  const much = given.has('amount') ? part('amount') : DEFAULT_AMOUNT;
  return texts(fixed, much, given, CONSUMING);
}

/** Returns the texts of a batch: all requests, and the options of each. */
function batchTexts(given) {
  const pairs = items('requests', given).map((value, index) => {
    try {
      return itemTexts(value);
    } catch (error) {
      throw item(index, error);
    }
  });
  return [0, 1].map((at) => `[${pairs.map((pair) => pair[at]).join(',')}]`);
}

const OPTIONS = {
  after: (value) => string('after', value),
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
    if (!known.includes(name)) throw refused('options', 'unknown_option', name);
    if (value !== null || name === 'amount') parts.push(`"${name}":${OPTIONS[name](value)}`);
  }
  return `{${parts.join(',')}}`;
}

/** Returns the text of an adjustment of an account's meter. */
function adjustmentForm(account, meter, much, options, known) {
  return form({ account: string('account', account), meter: string('meter', meter), amount: amount(much) }, options, known);
}

const historyForm = (account, options) => form({ account: string('account', account) }, options, ['before', 'limit']);

/** Returns an integer or `unlimited` of an answer, or null. An integer that a Number would round is text. */
const count = (value) => value ?? null;

/** Returns the integer of a text: a number if that is exact, else the text. */
function counted64(text) {
  const integer = Number(text);
  return Number.isSafeInteger(integer) ? integer : text;
}

function memberQuota({ id, used, held, limit, remaining }) {
  return Object.freeze({ id, used: count(used), held: count(held), limit: count(limit), remaining: count(remaining) });
}

/** Makes a quota. All are made here, so that they share one hidden class. */
function quotaOf(meter, amount, used, held, limit, source, base, override, topUp, remaining, resetsAt, member) {
  return Object.freeze({ meter, amount, used, held, limit, source, base, override, topUp, remaining, resetsAt, member });
}

function quota(given) {
  const [amount, used, held, limit, base, override, topUp, remaining] = [given.amount, given.used, given.held, given.limit, given.base, given.override, given.top_up, given.remaining].map(count);
  return quotaOf(given.meter, amount, used, held, limit, given.source, base, override, topUp, remaining, given.resets_at ?? null, given.member ? memberQuota(given.member) : null);
}

const quotas = (list) => (list === undefined || list.length === 0 ? NOTHING : Object.freeze(list.map(quota)));

/** Makes a receipt. All are made here, so that they share one hidden class. */
const receiptOf = (quota, operation, replayed, expiresAt) => Object.freeze({ quota, operation, replayed, expiresAt });

/** Makes a receipt of its JSON. */
const counted = ({ quota: list, operation: of, replayed, expires_at: expiresAt = null }) => receiptOf(quotas(list), count(of), replayed, expiresAt);

function entry(given) {
  const parts = given.parts.map(({ meter, member, used, held, top_up: topUp, refunded }) => (
    Object.freeze({ meter, member, used: count(used), held: count(held), topUp: count(topUp), refunded: count(refunded) })
  ));
  const { idempotency_key: idempotencyKey, ...others } = given;
  return Object.freeze({ ...others, idempotencyKey, operation: count(given.operation), parent: count(given.parent), parts: Object.freeze(parts) });
}

function verification({ buckets, operations, faults }) {
  return Object.freeze({ buckets: count(buckets), operations: count(operations), faults: Object.freeze(faults) });
}

module.exports = { CONSUMING, NOTHING, adjustmentForm, batchTexts, consumeTexts, count, counted, counted64, entry, form, historyForm, isLarge, itemTexts, operation, performTexts, quotaOf, quotas, receiptOf, revision, timeToLive, verification };
