// The fast path of `check`, `authorize` and `consume`: plain requests cross as numbers. Types, actions
// and hosts cross by the number of their handle or string. The ids of a single request are arguments
// of its call; the ids of a batch cross as bytes. A request that is not plain at first sight is
// deferred to `convert.js`, which converts it exactly or refuses it.
//
// Everything is read once, before anything is written: a getter or a proxy of the host may make a
// request itself. The parts that were read of a deferred request go to `convert.js` as a copy.
'use strict';

const { plain } = require('./convert.js');
const { memory, number } = require('./handles.js');
const { actions, freeUnused, hosts, types } = require('./interner.js');

const ROW = 10;
/** Index of the amount of a consume: its low half, then its high half. */
const AMOUNT = 10;
/** Index at which the answer starts. */
const ANSWER = 16;
/** The first word of an answer before the addon writes it. */
const UNANSWERED = 9;
/** Reply of the addon to an id with a lone surrogate. */
const INVALID_UTF16 = '?';
/** Longest id in UTF-16 units that crosses here; longer ids cross as text. */
const MAX_ID_UNITS = 1024;
/** Largest size of three ids in bytes. */
const MAX_ID_BYTES = 3 * 3 * MAX_ID_UNITS;
const { isArray, prototype: ARRAY } = Array;
const { getPrototypeOf, prototype: PLAIN } = Object;
const { hasOwnProperty } = PLAIN;
const encoder = new TextEncoder();
/** An empty array: a hole of any array reads as this one does, from the prototype. */
const HOLE = [];

/** The rows of a batch, and the bytes of their ids. */
class Sheet {
  constructor(rows) {
    this.rows = rows;
    this.words = new Uint32Array(rows * ROW);
    this.bytes = new Uint8Array(MAX_ID_BYTES + rows * 40);
    this.row = 0;
    this.at = 0;
  }

  /** Clears the sheet for other rows. */
  cleared() {
    this.row = 0;
    this.at = 0;
    return this;
  }

  /** Doubles the space for ids. */
  grow() {
    const bytes = new Uint8Array(this.bytes.length * 2);
    bytes.set(this.bytes);
    this.bytes = bytes;
  }
}

/** The row of a single request, and its answer: the memory that the addon shares. */
const single = new Uint32Array(memory);

const isOwn = (object, key) => hasOwnProperty.call(object, key);

/** Adds a field that is not expected to `more`. */
function withField(more, key, value) {
  const fields = more ?? Object.create(null);
  fields[key] = value;
  return fields;
}

const PARTS = Symbol('type, id and account');

/**
 * The parts of the current call, as `read` has read them. One object, reused: a new one for each call
 * would cost more than the call.
 */
class CallFrame {
  principalType = undefined;
  principalId = undefined;
  resourceType = undefined;
  resourceId = undefined;
  account = undefined;
  /** The remains of the resource: itself if nothing was read, a copy, or `PARTS`. */
  rest = undefined;
  /** True if `read` has read the parts. */
  hasRead = false;
  /** The request that is deferred to `convert.js`. */
  deferred = null;
}

const frame = new CallFrame();

/** Returns the deferred request, and forgets it. */
function takeDeferred() {
  const { deferred } = frame;
  frame.deferred = null;
  return deferred;
}

/**
 * Returns whether a resource is a plain object of `type`, `id` and perhaps `account`. Reading fields by
 * name is cheap, so that comes first. Then it checks that they are own fields, and all fields.
 */
function readObject(resource) {
  if (typeof resource !== 'object' || resource === null || number.principal(resource) !== 0) {
    frame.rest = resource;
    return false;
  }
  const ofType = resource.type;
  const ofId = resource.id;
  const ofAccount = resource.account;
  if (getPrototypeOf(resource) !== PLAIN) plain('resource', resource);
  let own = 0;
  let more = null;
  for (const key in resource) {
    if (!isOwn(resource, key)) continue;
    if (key === 'type') own |= 1;
    else if (key === 'id') own |= 2;
    else if (key === 'account') own |= 4;
    else more = withField(more, key, resource[key]);
  }
  const type = own & 1 ? ofType : undefined;
  const id = own & 2 ? ofId : undefined;
  const account = own & 4 ? ofAccount ?? null : null;
  frame.resourceType = type;
  frame.resourceId = id;
  frame.account = account;
  frame.rest = more === null ? PARTS : Object.assign(more, { type, id, account });
  return more === null;
}

/** Returns whether a resource is a plain array of type, id and perhaps account. */
function readArray(resource) {
  const { length } = resource;
  if ((length !== 2 && length !== 3) || getPrototypeOf(resource) !== ARRAY) {
    frame.rest = resource;
    return false;
  }
  const ofType = resource[0];
  const ofId = resource[1];
  const ofAccount = length === 3 ? resource[2] : null;
  frame.resourceType = ofType;
  frame.resourceId = ofId;
  frame.account = ofAccount;
  frame.rest = PARTS;
  return true;
}

function unread() {
  frame.hasRead = false;
  return false;
}

/** Reads a principal and a resource if they are plain. After it no code of the host runs any more. */
function read(principal, resource) {
  if (0 in HOLE || 1 in HOLE || 2 in HOLE) return unread();
  let ofType;
  let ofId;
  if (isArray(principal)) {
    if (principal.length !== 2 || getPrototypeOf(principal) !== ARRAY) return unread();
    ofType = principal[0];
    ofId = principal[1];
  }
  const readable = isArray(resource) ? readArray(resource) : readObject(resource);
  frame.principalType = ofType;
  frame.principalId = ofId;
  frame.hasRead = true;
  return readable;
}

function defer(principal, action, resource, environment) {
  frame.deferred = { principal, action, resource, environment };
  return null;
}

/** Defers a request to `convert.js`; the parts that were read go in a copy. */
function deferCopy(principal, action, resource, host) {
  defer(principal, action, resource, { host });
  if (!frame.hasRead) return null;
  const { deferred, resourceType: type, resourceId: id, account } = frame;
  if (isArray(principal)) deferred.principal = [frame.principalType, frame.principalId];
  if (frame.rest !== PARTS) deferred.resource = frame.rest;
  else deferred.resource = account === null ? [type, id] : [type, id, account];
  frame.rest = undefined;
  return null;
}

/** Writes the numbers of the frame into a row. Returns false if a part is not plain. */
function numbers(row, at, principal, action, host) {
  const { principalType, principalId, resourceType: type, resourceId: id, account } = frame;
  if (typeof id !== 'string' || id.length > MAX_ID_UNITS) return false;
  let principalNumber = 0;
  let principalTypeNumber = 0;
  if (typeof principalId === 'string') {
    if (typeof principalType !== 'string' || principalId.length > MAX_ID_UNITS) return false;
    principalTypeNumber = types.number(principalType);
  } else principalNumber = principalId === undefined ? number.principal(principal) : 0;
  const named = typeof account === 'string';
  const accountNumber = named || account === null ? 0 : number.principal(account);
  const typeNumber = typeof type === 'string' ? types.number(type) : number.resourceType(type);
  const actionNumber = typeof action === 'string' ? actions.number(action) : number.action(action);
  const none = host === undefined || host === null;
  const hostNumber = none ? 0 : typeof host === 'string' ? hosts.number(host) : number.host(host);
  if ((principalNumber === 0 && principalTypeNumber === 0) || typeNumber === 0 || actionNumber === 0 || (hostNumber === 0 && !none)) return false;
  if (named ? account.length > MAX_ID_UNITS : accountNumber === 0 && account !== null) return false;
  row[at] = principalNumber;
  row[at + 1] = principalTypeNumber;
  row[at + 3] = actionNumber;
  row[at + 4] = typeNumber;
  row[at + 6] = accountNumber;
  row[at + 7] = named ? 1 : 0;
  row[at + 8] = hostNumber;
  row[at + 9] = 0;
  return true;
}

/**
 * Makes a single request, whose optional parts may be a host and nothing else.
 * @param native `check`, `authorize` or `consume` of an engine
 * @param amount the amount to consume, a safe integer
 * @returns undefined if the answer is in the memory, else a text; null if the request is deferred
 */
function fastCall(native, principal, action, resource, environment, amount) {
  freeUnused();
  let host;
  if (environment !== undefined) {
    if (typeof environment !== 'object' || environment === null) return defer(principal, action, resource, environment);
    const givenHost = environment.host;
    if (getPrototypeOf(environment) !== PLAIN) plain('request', environment);
    let more = null;
    for (const key in environment) {
      if (!isOwn(environment, key)) continue;
      if (key === 'host') host = givenHost;
      else more = withField(more, key, environment[key]);
    }
    if (more !== null) return defer(principal, action, resource, withField(more, 'host', host));
  }
  if (!read(principal, resource) || !numbers(single, 0, principal, action, host)) return deferCopy(principal, action, resource, host);
  single[AMOUNT] = amount;
  single[AMOUNT + 1] = amount / 4294967296;
  single[ANSWER] = UNANSWERED;
  const answered = native(frame.resourceId, frame.principalId, frame.account);
  return answered !== undefined && answered === INVALID_UTF16 ? deferCopy(principal, action, resource, host) : answered;
}

/** Returns the principal's id of the last request. */
const principalIdOf = (principal) => frame.principalId ?? principal.id;

/** Writes a request into the next row of a batch. Returns false if the request is deferred. */
function push(sheet, principal, action, resource, host) {
  if (read(principal, resource) && numbers(sheet.words, sheet.row, principal, action, host) && writeIds(sheet)) {
    sheet.row += ROW;
    return true;
  }
  deferCopy(principal, action, resource, host);
  return false;
}

/** Writes the ids of the frame. Returns false, and writes nothing that counts, if an id has no UTF-8 form. */
function writeIds(sheet) {
  const { principalId, resourceId, account } = frame;
  if (sheet.at + MAX_ID_BYTES > sheet.bytes.length) sheet.grow();
  const { words: row, row: at, at: from } = sheet;
  const principalLength = typeof principalId === 'string' ? write(sheet, principalId) : 0;
  const length = write(sheet, resourceId);
  const accountLength = typeof account === 'string' ? write(sheet, account) : -1;
  if (principalLength < 0 || length < 0 || (accountLength < 0 && typeof account === 'string')) {
    sheet.at = from;
    return false;
  }
  row[at + 2] = principalLength;
  row[at + 5] = length;
  row[at + 7] = accountLength + 1;
  return true;
}

/** Writes an id. Returns its length in bytes, or -1 if it has no UTF-8 form. */
function write(sheet, id) {
  const { bytes, at } = sheet;
  const { length } = id;
  let all = 0;
  let index = 0;
  // Two units for each turn, because the loop costs as much as its body.
  for (; index + 1 < length; index += 2) {
    const one = id.charCodeAt(index);
    const two = id.charCodeAt(index + 1);
    all |= one | two;
    bytes[at + index] = one;
    bytes[at + index + 1] = two;
  }
  if (index < length) {
    const last = id.charCodeAt(index);
    all |= last;
    bytes[at + index] = last;
  }
  if (all > 127) return writeWide(sheet, id);
  sheet.at = at + length;
  return length;
}

function writeWide(sheet, id) {
  if (!id.isWellFormed()) return -1;
  const { written } = encoder.encodeInto(id, sheet.bytes.subarray(sheet.at));
  sheet.at += written;
  return written;
}

/** Writes a request that is a record into the next row. A deferred record stays a record. */
function pushRecord(sheet, record) {
  if (typeof record !== 'object' || record === null) {
    frame.deferred = record;
    return false;
  }
  const givenPrincipal = record.principal;
  const givenAction = record.action;
  const givenResource = record.resource;
  const givenHost = record.host;
  if (getPrototypeOf(record) !== PLAIN) plain('request', record);
  let principal;
  let action;
  let resource;
  let host;
  let more = null;
  for (const key in record) {
    if (!isOwn(record, key)) continue;
    if (key === 'principal') principal = givenPrincipal;
    else if (key === 'action') action = givenAction;
    else if (key === 'resource') resource = givenResource;
    else if (key === 'host') host = givenHost;
    else more = withField(more, key, record[key]);
  }
  if (more !== null) {
    frame.deferred = Object.assign(more, { principal, action, resource, host });
    return false;
  }
  if (push(sheet, principal, action, resource, host)) return true;
  const { deferred } = frame;
  frame.deferred = Object.assign(deferred.environment, { principal: deferred.principal, action, resource: deferred.resource });
  return false;
}

/** Marks the next row as a request that crosses as text. */
function pushText(sheet) {
  sheet.words[sheet.row + 9] = 1;
  sheet.row += ROW;
}

module.exports = { ANSWER, UNANSWERED, Sheet, answer: single, fastCall, principalIdOf, push, pushRecord, pushText, takeDeferred };
