// Converts JavaScript values to JSON text, exactly or not at all. Class instances, fractions, unsafe
// integers and lone surrogates are refused, and `toJSON` is not called. Each property is read once.
// The parts of a request are read as JavaScript reads them, so that a getter or a proxy may provide
// them. Values within a request are read as data, so that getters and proxies are refused.
'use strict';

const { isProxy } = require('node:util').types;
const { MAX_VALUE_NESTING } = require('./sublet.node');
const { engineError, refused, wellFormed } = require('./errors.js');
const { number } = require('./handles.js');

const LONG_MAX = 9223372036854775807n;

/** Converts a string. */
function string(what, value) {
  return JSON.stringify(wellFormed(what, value));
}

function integer(what, value) {
  if (typeof value === 'bigint') {
    if (value > LONG_MAX || value < -LONG_MAX - 1n) throw refused(what, 'large_integer');
    return value.toString();
  }
  if (!Number.isSafeInteger(value)) throw refused(what, Number.isInteger(value) ? 'unsafe_integer' : 'fraction');
  return Object.is(value, -0) ? '0' : String(value);
}

/** Refuses values that are no plain objects, such as instances of classes. */
function plain(what, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(what, 'plain_object');
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype) !== null) throw refused(what, 'class_instance');
}

/** Returns the fields of a part of a request as [key, value], each read once. */
function fields(what, value) {
  plain(what, value);
  const pairs = [];
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(value, key)) continue;
    const field = value[key];
    if (field !== undefined) pairs.push([key, field]);
  }
  return pairs;
}

/** Returns the first four entries of an array that is a part of a request. */
function arrayParts(what, value) {
  const parts = [];
  const { length } = value;
  for (let index = 0; index < Math.min(length, 4); index += 1) {
    if (!Object.hasOwn(value, index)) throw refused(what, 'hole');
    parts.push(value[index]);
  }
  return parts;
}

/** Returns the data properties of a plain object as [key, value]. */
function entries(what, value) {
  if (isProxy(value)) throw refused(what, 'proxy');
  plain(what, value);
  const pairs = [];
  for (const key of Reflect.ownKeys(value)) {
    if (typeof key === 'symbol') throw refused(what, 'symbol_key');
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (!('value' in property)) throw refused(what, 'getter', key);
    if (property.enumerable && property.value !== undefined) pairs.push([key, property.value]);
  }
  return pairs;
}

/** Returns the items of an array of data. */
function items(what, value) {
  if (isProxy(value)) throw refused(what, 'proxy');
  if (!Array.isArray(value)) throw refused(what, 'array');
  const list = [];
  for (let index = 0; index < value.length; index += 1) {
    const property = Object.getOwnPropertyDescriptor(value, index);
    if (property === undefined) throw refused(what, 'hole');
    if (!('value' in property)) throw refused(what, 'getter', index);
    list.push(property.value);
  }
  return list;
}

/**
 * Converts a value that a policy can read, nested at most `most` deep. With `nullable`, fields may be
 * null, as in records.
 */
function json(what, value, most = MAX_VALUE_NESTING, nullable = false, depth = 0) {
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
      if (value === null) throw refused(what, 'null');
      if (depth === most) throw engineError('input.nesting', what, String(most));
      if (isProxy(value)) throw refused(what, 'proxy');
      const inner = (field) => json(what, field, most, nullable, depth + 1);
      if (Array.isArray(value)) return `[${items(what, value).map(inner).join(',')}]`;
      const parts = entries(what, value).map(([key, field]) => `${string(what, key)}:${inner(field)}`);
      return `{${parts.join(',')}}`;
    }
    default:
      throw refused(what, 'unsupported_type', typeof value);
  }
}

/** Converts a record, or fields of one. */
const directoryRecord = (value) => json('record', value, MAX_VALUE_NESTING, true);

/** Converts `[type, id]`, `{ type, id }` or a Principal. */
function reference(what, value) {
  if (number.principal(value) !== 0) return `[${string(what, value.type)},${string(what, value.id)}]`;
  if (Array.isArray(value)) {
    const pair = arrayParts(what, value);
    if (pair.length !== 2) throw refused(what, 'reference');
    return `[${string(what, pair[0])},${string(what, pair[1])}]`;
  }
  const named = new Map(fields(what, value));
  if (named.size !== 2) throw refused(what, 'reference');
  return `[${string(what, named.get('type'))},${string(what, named.get('id'))}]`;
}

function action(value) {
  if (number.action(value) !== 0) return `[${string('action', value.type)},${string('action', value.id)}]`;
  if (number.principal(value) !== 0) throw refused('action', 'principal_as_action');
  return typeof value === 'string' ? string('action', value) : reference('action', value);
}

const resourceType = (value) => string('resource', number.resourceType(value) === 0 ? value : value.name);
const account = (value) => (value === null ? 'null' : number.principal(value) === 0 ? string('resource', value) : reference('resource', value));
const host = (value) => string('host', number.host(value) === 0 ? value : value.name);

function resource(value) {
  if (Array.isArray(value)) {
    const given = arrayParts('resource', value);
    if (given.length === 2) return `[${resourceType(given[0])},${string('resource', given[1])}]`;
    if (given.length === 3) return `{"type":${resourceType(given[0])},"id":${string('resource', given[1])},"account":${account(given[2])}}`;
    throw refused('resource', 'resource');
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
        throw refused('resource', 'unknown_field', key);
    }
  });
  return `{${parts.join(',')}}`;
}

/** Returns the text of a value for a message: its type if the text could run code of the host. */
function shown(value) {
  const isPrintable = value !== null && ['bigint', 'boolean', 'number', 'string', 'undefined'].includes(typeof value);
  return String(isPrintable ? value : typeof value).slice(0, 80);
}

function amount(value) {
  const exact = typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value) : -1n;
  if (exact < 0n || exact > LONG_MAX) throw engineError('input.amount', shown(value));
  return exact.toString();
}

const ENVIRONMENT = {
  actor: (value) => reference('actor', value),
  host,
  channel: (value) => string('channel', value),
  realm: (value) => reference('realm', value),
  sessionStart: (value) => string('sessionStart', value),
  amount,
  context: (value) => {
    entries('context', value);
    return json('context', value);
  },
};

/** The fields of the environment that have another name in JSON. */
const JSON_NAMES = Object.assign(Object.create(null), { sessionStart: 'session_start' });

/** Converts a request. `fixed` has the fields that are text already. */
function request(fixed, environment = {}) {
  const parts = Object.entries(fixed).map(([key, text]) => `"${key}":${text}`);
  for (const [key, value] of fields('request', environment)) {
    const convert = Object.hasOwn(ENVIRONMENT, key) ? ENVIRONMENT[key] : undefined;
    if (convert === undefined) throw refused('request', 'unknown_field', key);
    if (value !== null) parts.push(`"${JSON_NAMES[key] ?? key}":${convert(value)}`);
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

module.exports = { action, amount, directoryRecord, entries, fields, host, integer, items, json, plain, record, reference, request, resource, shown, string };
