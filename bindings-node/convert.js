// Converts JavaScript values to JSON text, exactly or not at all. Class instances, fractions, unsafe
// integers and lone surrogates are refused, and `toJSON` is not called. Each property is read once.
// The parts of a request are read as JavaScript reads them, so that a getter or a proxy may provide
// them. Values within a request are read as data, so that getters and proxies are refused.
'use strict';

const { isProxy } = require('node:util').types;
const { SubletError, refused, wellFormed } = require('./errors.js');
const { number } = require('./handles.js');

const NESTING = 64;
const LONG_MAX = 9223372036854775807n;

/** Converts a string. */
function string(what, value) {
  return JSON.stringify(wellFormed(what, value));
}

function integer(what, value) {
  if (typeof value === 'bigint') {
    if (value > LONG_MAX || value < -LONG_MAX - 1n) throw refused(what, 'an integer over 64 bits');
    return value.toString();
  }
  if (!Number.isSafeInteger(value)) throw refused(what, Number.isInteger(value) ? 'an unsafe integer: use a BigInt' : 'a number that is no integer');
  return Object.is(value, -0) ? '0' : String(value);
}

/** Refuses values that are no plain objects, such as instances of classes. */
function plain(what, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(what, 'a plain object is needed');
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype) !== null) throw refused(what, 'an instance of a class');
}

/** Returns the fields of a part of a request as [key, value], each read once. */
function fields(what, value) {
  plain(what, value);
  const found = [];
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(value, key)) continue;
    const field = value[key];
    if (field !== undefined) found.push([key, field]);
  }
  return found;
}

/** Returns the first four entries of an array that is a part of a request. */
function arrayParts(what, value) {
  const found = [];
  const { length } = value;
  for (let index = 0; index < Math.min(length, 4); index += 1) {
    if (!Object.hasOwn(value, index)) throw refused(what, 'an array with a hole');
    found.push(value[index]);
  }
  return found;
}

/** Returns the data properties of a plain object as [key, value]. */
function entries(what, value) {
  if (isProxy(value)) throw refused(what, 'a proxy');
  plain(what, value);
  const found = [];
  for (const key of Reflect.ownKeys(value)) {
    if (typeof key === 'symbol') throw refused(what, 'a symbol as key');
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (!('value' in property)) throw refused(what, `\`${key}\` is a getter`);
    if (property.enumerable && property.value !== undefined) found.push([key, property.value]);
  }
  return found;
}

function items(what, value) {
  if (isProxy(value)) throw refused(what, 'a proxy');
  if (!Array.isArray(value)) throw refused(what, 'an array is needed');
  const found = [];
  for (let index = 0; index < value.length; index += 1) {
    const property = Object.getOwnPropertyDescriptor(value, index);
    if (property === undefined || !('value' in property)) throw refused(what, 'an array with a hole or a getter');
    found.push(property.value);
  }
  return found;
}

/** Converts a value that a policy can read. With `nullable`, fields may be null, as in records. */
function json(what, value, left = NESTING, nullable = false) {
  switch (typeof value) {
    case 'boolean':
      return String(value);
    case 'string':
      return string(what, value);
    case 'number':
    case 'bigint':
      return integer(what, value);
    case 'object': {
      if (value === null && nullable) return 'null';
      if (value === null) throw refused(what, 'null is no Cedar value');
      if (left === 0) throw new SubletError({ code: 'input.nesting', message: `${what} is nested deeper than ${NESTING}`, help: 'flatten it, or raise the cap at `open`' });
      if (isProxy(value)) throw refused(what, 'a proxy');
      if (Array.isArray(value)) return `[${items(what, value).map((item) => json(what, item, left - 1, nullable)).join(',')}]`;
      return `{${entries(what, value).map(([key, field]) => `${string(what, key)}:${json(what, field, left - 1, nullable)}`).join(',')}}`;
    }
    default:
      throw refused(what, `a ${typeof value} is no value that a policy can read`);
  }
}

/** Converts a record, or fields of one. */
const directoryRecord = (value) => json('record', value, NESTING, true);

/** Converts `[type, id]`, `{ type, id }` or a Principal. */
function reference(what, value) {
  if (number.principal(value) !== 0) return `[${string(what, value.type)},${string(what, value.id)}]`;
  if (Array.isArray(value)) {
    const pair = arrayParts(what, value);
    if (pair.length !== 2) throw refused(what, 'a type and an id are needed: ["Account", "acme"]');
    return `[${string(what, pair[0])},${string(what, pair[1])}]`;
  }
  const named = new Map(fields(what, value));
  if (named.size !== 2) throw refused(what, 'a type and an id are needed');
  return `[${string(what, named.get('type'))},${string(what, named.get('id'))}]`;
}

function action(value) {
  if (number.action(value) !== 0) return `[${string('action', value.type)},${string('action', value.id)}]`;
  if (number.principal(value) !== 0) throw refused('action', 'a Principal where an action is needed');
  return typeof value === 'string' ? string('action', value) : reference('action', value);
}

const resourceType = (value) => string('resource', number.resourceType(value) === 0 ? value : value.name);
const account = (value) => (value === null ? 'null' : number.principal(value) === 0 ? string('resource', value) : reference('resource', value));
const host = (value) => string('host', number.host(value) === 0 ? value : value.name);

function resource(value) {
  if (Array.isArray(value)) {
    const found = arrayParts('resource', value);
    if (found.length === 2) return `[${resourceType(found[0])},${string('resource', found[1])}]`;
    if (found.length === 3) return `{"type":${resourceType(found[0])},"id":${string('resource', found[1])},"account":${account(found[2])}}`;
    throw refused('resource', 'a type, an id and perhaps an account are needed: ["Campaign", "spring", "acme"]');
  }
  if (number.principal(value) !== 0) return reference('resource', value);
  const parts = fields('resource', value).map(([key, field]) => {
    switch (key) {
      case 'type':
        return `"type":${resourceType(field)}`;
      case 'id':
        return `"id":${string('resource', field)}`;
      case 'account':
        return `"account":${account(field)}`;
      case 'attributes':
      case 'tags':
        entries(key, field);
        return `"${key}":${json(key, field)}`;
      case 'parents':
        return `"parents":[${items('parents', field).map((parent) => reference('parents', parent)).join(',')}]`;
      default:
        throw refused('resource', `no field \`${key}\``);
    }
  });
  return `{${parts.join(',')}}`;
}

function amount(value) {
  const exact = typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value) : -1n;
  if (exact < 0n || exact > LONG_MAX) {
    throw new SubletError({
      code: 'input.amount',
      message: `amount \`${String(typeof value === 'object' || typeof value === 'symbol' || typeof value === 'function' ? typeof value : value).slice(0, 80)}\` is not an integer from 0 to 9223372036854775807`,
      help: 'pass a whole number; 0 asks without taking',
    });
  }
  return exact.toString();
}

const ENVIRONMENT = {
  actor: (value) => reference('actor', value),
  host,
  channel: (value) => string('channel', value),
  realm: (value) => reference('realm', value),
  amount,
  context: (value) => {
    entries('context', value);
    return json('context', value);
  },
};

/** Converts a request. `fixed` has the fields that are text already. */
function request(fixed, environment = {}) {
  const parts = Object.entries(fixed).map(([key, text]) => `"${key}":${text}`);
  for (const [key, value] of fields('request', environment)) {
    const convert = Object.hasOwn(ENVIRONMENT, key) ? ENVIRONMENT[key] : undefined;
    if (convert === undefined) throw refused('request', `no field \`${key}\``);
    if (value !== null) parts.push(`"${key}":${convert(value)}`);
  }
  return `{${parts.join(',')}}`;
}

/** Converts a request that is one record. */
function record(value) {
  const given = new Map(fields('request', value));
  const fixed = { principal: reference('principal', given.get('principal')), action: action(given.get('action')), resource: resource(given.get('resource')) };
  for (const key of Object.keys(fixed)) given.delete(key);
  return request(fixed, Object.fromEntries(given));
}

module.exports = { action, amount, directoryRecord, entries, fields, host, integer, items, json, plain, record, reference, request, resource, string };
