// What the counting verbs take and give, as JSON text: amounts are exact or refused, and integers that a Number would
// round come back as the text of their digits.
'use strict';

const { SubletError, item, refused } = require('./errors.js');
const { action, amount, entries, fields, items, json, reference, request, resource, string } = require('./convert.js');

const NOTHING = Object.freeze([]);
const U64_MAX = 18446744073709551615n;
/** More entries than an array has room for are not asked for. */
const MOST_ENTRIES = 4294967295n;

/** An integer beyond 2^53 as answers write it: the text of its digits. */
const isLarge = (value) => typeof value === 'string' && /^[1-9][0-9]{15,19}$/.test(value) && BigInt(value) > BigInt(Number.MAX_SAFE_INTEGER);

/** The text of an integer from 0 on: a safe number, a BigInt, or the text that an answer has for a large one. */
function whole(what, value, most) {
  const exact = typeof value === 'bigint' || isLarge(value) ? BigInt(value) : Number.isSafeInteger(value) ? BigInt(value) : -1n;
  if (exact < 0n || exact > most) throw refused(what, `an integer from 0 to ${most} is needed`);
  return exact.toString();
}

const operation = (value) => whole('operation', value, U64_MAX);
const revision = (value) => whole('expectedRevision', value, U64_MAX);

function milliseconds(value) {
  if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) {
    const told = typeof value === 'number' || typeof value === 'string' ? String(value).slice(0, 80) : typeof value;
    throw new SubletError({ code: 'input.ttl', message: `nothing holds, or is good, for ${told} milliseconds`, help: 'say 1 millisecond to 366 days' });
  }
  return value.toString();
}

/** What an object says of single meters; null if it is none that says it plainly. */
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

/** So much of each meter, or of those that are named; of the others then nothing. */
function amounts(value) {
  const found = meters(value);
  if (found === null) return `"amount":${amount(value)}`;
  return `"amounts":[${found.map(([meter, of]) => `[${string('meter', meter)},${amount(of)}]`).join(',')}]`;
}

const flag = (what, value) => {
  if (typeof value !== 'boolean') throw refused(what, 'a boolean is needed');
  return String(value);
};

/** The fields of a taking that are none of its question. */
const TAKING = { key: (value) => string('key', value), upTo: (value) => flag('upTo', value) };

/** The texts of a request and of what is taken with it; `given` are fields, each read once, and `known` those of the taking. */
function texts(fixed, much, given, known) {
  const [taking, circumstances] = [[amounts(much)], []];
  for (const [name, value] of given) {
    if (name === 'amount') throw refused('options', 'no field `amount`: it is an argument of its own');
    if (!known.includes(name)) circumstances.push([name, value]);
    else if (value !== null) taking.push(`"${name}":${TAKING[name](value)}`);
  }
  return [request(fixed, Object.fromEntries(circumstances)), `{${taking.join(',')}}`];
}

/** The texts of a command and of who asks for it, where. */
function performs(principal, command, options = {}) {
  entries('command', command);
  const given = fields('options', options);
  const taking = given.filter(([name, value]) => name === 'key' && value !== null).map(([, value]) => JSON.parse(TAKING.key(value)));
  const around = given.filter(([name]) => name !== 'key');
  if (around.some(([name]) => name === 'amount')) throw refused('options', 'no field `amount`');
  // A request about nothing: who asks, and where, is read as of any.
  const asked = request({ principal: reference('principal', principal), action: '"perform"', resource: '["Platform",""]' }, Object.fromEntries(around));
  return [asked, json('command', command), ...taking];
}

const CONSUMING = ['key', 'upTo'];

/** The same of a verb's arguments. */
function takes([principal, what, on, much], options, known) {
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

/** The texts of a list: all requests, and what is taken with each. */
function batch(given) {
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
  key: TAKING.key,
  limit: (value) => whole('limit', value, MOST_ENTRIES),
  member: (value) => string('member', value),
  meter: (value) => string('meter', value),
};

/** The text of a verb's parts, of which some are text already. No amount is null: who means all of it leaves it away. */
function form(fixed, options = {}, known = []) {
  const parts = Object.entries(fixed).map(([name, text]) => `"${name}":${text}`);
  for (const [name, value] of fields('options', options)) {
    if (!known.includes(name)) throw refused('options', `no option \`${name}\``);
    if (value !== null || name === 'amount') parts.push(`"${name}":${OPTIONS[name](value)}`);
  }
  return `{${parts.join(',')}}`;
}

/** The form of what is said of an account's meter. */
function statement(account, meter, much, options, known) {
  return form({ account: string('account', account), meter: string('meter', meter), amount: amount(much) }, options, known);
}

function historyForm(account, options = {}) {
  const given = new Map(fields('options', options));
  if ((given.get('limit') ?? null) === null) given.set('limit', 100);
  return form({ account: string('account', account) }, Object.fromEntries(given), ['before', 'limit']);
}

/** An integer, or `unlimited`, of an answer; null if it says nothing. What a Number would round is a text already. */
const count = (found) => found ?? null;

/** The integer of a text: a number where that is exact, else the text. */
function counted64(text) {
  const found = Number(text);
  return Number.isSafeInteger(found) ? found : text;
}

function memberQuota({ id, used, held, limit, remaining }) {
  return Object.freeze({ id, used: count(used), held: count(held), limit: count(limit), remaining: count(remaining) });
}

/** One meter as it stands. All are made here: so they have one shape. */
function quotaOf(meter, amount, used, held, limit, source, base, override, topUp, remaining, resetsAt, member) {
  return Object.freeze({ meter, amount, used, held, limit, source, base, override, topUp, remaining, resetsAt, member });
}

function quota(found) {
  const [amount, used, held, limit, base, override, topUp, remaining] = [found.amount, found.used, found.held, found.limit, found.base, found.override, found.top_up, found.remaining].map(count);
  return quotaOf(found.meter, amount, used, held, limit, found.source, base, override, topUp, remaining, found.resets_at ?? null, found.member ? memberQuota(found.member) : null);
}

const quotas = (found) => (found === undefined || found.length === 0 ? NOTHING : Object.freeze(found.map(quota)));

/** What was counted, without a decision. */
function counted(found) {
  return Object.freeze({ quota: quotas(found.quota), operation: count(found.operation), replayed: found.replayed, expiresAt: found.expires_at ?? null });
}

function entry(found) {
  const parts = found.parts.map(({ meter, member, used, held, top_up: topUp, refunded }) => (
    Object.freeze({ meter, member, used: count(used), held: count(held), topUp: count(topUp), refunded: count(refunded) })
  ));
  return Object.freeze({ ...found, operation: count(found.operation), of: count(found.of), parts: Object.freeze(parts) });
}

function verification({ buckets, operations, faults }) {
  return Object.freeze({ buckets: count(buckets), operations: count(operations), faults: Object.freeze(faults) });
}

module.exports = { CONSUMING, NOTHING, batch, count, counted, counted64, entry, form, isLarge, historyForm, milliseconds, operation, performs, quotaOf, quotas, revision, statement, takes, verification };
