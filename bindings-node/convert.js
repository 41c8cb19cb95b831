// JavaScript values as JSON text, exactly or not at all: each property is read once and as data. Getters, proxies,
// `toJSON`, class instances, fractions, unsafe integers and lone surrogates are refused.
'use strict';

const { isProxy } = require('node:util').types;

const NESTING = 64;
const LONG_MAX = 9223372036854775807n;

/** There is no answer. `code` is stable, `help` says what to do, `faults` lists what is wrong in files. */
class SubletError extends Error {
  constructor({ code, message, help = null, faults = [] }) {
    super(message);
    this.name = 'SubletError';
    this.code = code;
    this.help = help;
    this.faults = faults;
  }

  /** `input`, `bundle`, `directory`, `quota`, `store` or `internal`. */
  get family() {
    return this.code.split('.')[0];
  }
}

function refused(what, reason) {
  return new SubletError({ code: 'input.value', message: `${what}: ${reason}`, help: 'values are booleans, 64-bit integers, strings, lists and records' });
}

/** The JSON text of a string. */
function string(what, value) {
  if (typeof value !== 'string') throw refused(what, `a ${value === null ? 'null' : typeof value} where a string is needed`);
  if (!value.isWellFormed()) throw refused(what, 'a string with a lone surrogate');
  return JSON.stringify(value);
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

/** The JSON text of `[type, id]`, given as that or as `{ type, id }`. */
function reference(what, value) {
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
  return typeof value === 'string' ? string('action', value) : reference('action', value);
}

function resource(value) {
  if (Array.isArray(value)) return reference('resource', value);
  const parts = entries('resource', value).map(([key, field]) => {
    switch (key) {
      case 'type':
      case 'id':
      case 'account':
        return `"${key}":${field === null && key === 'account' ? 'null' : string('resource', field)}`;
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
  host: (value) => string('host', value),
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

/** The JSON text of a list of requests; the index of a malformed one is named. */
function requests(list) {
  const texts = items('requests', list).map((item, index) => {
    try {
      const fields = new Map(entries('request', item));
      const fixed = { principal: reference('principal', fields.get('principal')), action: action(fields.get('action')), resource: resource(fields.get('resource')) };
      for (const key of Object.keys(fixed)) fields.delete(key);
      return request(fixed, Object.fromEntries(fields));
    } catch (error) {
      if (!(error instanceof SubletError)) throw error;
      throw new SubletError({ code: 'input.item', message: `request ${index}: ${error.message} [${error.code}]`, help: 'no request of the list was answered' });
    }
  });
  return `[${texts.join(',')}]`;
}

/** Calls the addon; its errors become `SubletError`s. */
function call(work) {
  try {
    return work();
  } catch (error) {
    throw converted(error);
  }
}

function converted(error) {
  if (error instanceof SubletError || typeof error?.message !== 'string' || !error.message.startsWith('{')) return error;
  return new SubletError(JSON.parse(error.message));
}

module.exports = { SubletError, action, call, converted, entries, items, json, reference, refused, request, requests, resource, string };
