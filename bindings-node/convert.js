// JavaScript values as JSON text, exactly or not at all: each property is read once and as data. Getters, proxies,
// `toJSON`, class instances, fractions, unsafe integers and lone surrogates are refused.
'use strict';

const { isProxy } = require('node:util').types;
const { SubletError, item, refused, wellFormed } = require('./errors.js');
const { number } = require('./handles.js');

const NESTING = 64;
const LONG_MAX = 9223372036854775807n;

/** The JSON text of a string. */
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

/** The properties of a plain object as [key, value], each read once. */
function entries(what, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(what, 'a plain object is needed');
  if (isProxy(value)) throw refused(what, 'a proxy');
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype) !== null) throw refused(what, 'an instance of a class');
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

/** The JSON text of a value that a policy can read. */
function json(what, value, left = NESTING) {
  switch (typeof value) {
    case 'boolean':
      return String(value);
    case 'string':
      return string(what, value);
    case 'number':
    case 'bigint':
      return integer(what, value);
    case 'object': {
      if (value === null) throw refused(what, 'null is no Cedar value');
      if (left === 0) throw new SubletError({ code: 'input.nesting', message: `${what} is nested deeper than ${NESTING}`, help: 'flatten it, or raise the cap at `open`' });
      if (isProxy(value)) throw refused(what, 'a proxy');
      if (Array.isArray(value)) return `[${items(what, value).map((item) => json(what, item, left - 1)).join(',')}]`;
      return `{${entries(what, value).map(([key, field]) => `${string(what, key)}:${json(what, field, left - 1)}`).join(',')}}`;
    }
    default:
      throw refused(what, `a ${typeof value} is no value that a policy can read`);
  }
}

/** The JSON text of `[type, id]`, given as that, as `{ type, id }` or as a Principal. */
function reference(what, value) {
  if (number.principal(value) !== 0) return `[${string(what, value.type)},${string(what, value.id)}]`;
  if (Array.isArray(value)) {
    const pair = items(what, value);
    if (pair.length !== 2) throw refused(what, 'a type and an id are needed: ["Account", "acme"]');
    return `[${string(what, pair[0])},${string(what, pair[1])}]`;
  }
  const fields = new Map(entries(what, value));
  if (fields.size !== 2) throw refused(what, 'a type and an id are needed');
  return `[${string(what, fields.get('type'))},${string(what, fields.get('id'))}]`;
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
    const words = items('resource', value);
    if (words.length === 2) return `[${resourceType(words[0])},${string('resource', words[1])}]`;
    if (words.length === 3) return `{"type":${resourceType(words[0])},"id":${string('resource', words[1])},"account":${account(words[2])}}`;
    throw refused('resource', 'a type, an id and perhaps an account are needed: ["Campaign", "spring", "acme"]');
  }
  if (number.principal(value) !== 0) return reference('resource', value);
  const parts = entries('resource', value).map(([key, field]) => {
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

const CIRCUMSTANCES = {
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

/** The JSON text of a request. `fixed` holds what is already text. */
function request(fixed, circumstances = {}) {
  const parts = Object.entries(fixed).map(([key, text]) => `"${key}":${text}`);
  for (const [key, value] of entries('request', circumstances)) {
    const convert = Object.hasOwn(CIRCUMSTANCES, key) ? CIRCUMSTANCES[key] : undefined;
    if (convert === undefined) throw refused('request', `no field \`${key}\``);
    if (value !== null) parts.push(`"${key}":${convert(value)}`);
  }
  return `{${parts.join(',')}}`;
}

/** The JSON text of a request with all its fields; the index of a malformed one is named. */
function record(value, index) {
  try {
    const given = new Map(entries('request', value));
    const fixed = { principal: reference('principal', given.get('principal')), action: action(given.get('action')), resource: resource(given.get('resource')) };
    for (const key of Object.keys(fixed)) given.delete(key);
    return request(fixed, Object.fromEntries(given));
  } catch (error) {
    throw item(index, error);
  }
}

module.exports = { action, entries, host, items, json, record, reference, request, resource, string };
