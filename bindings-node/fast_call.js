// The fast path of `check`, `authorize`, `consume`, `reserve`, `batch` and what follows an operation:
// plain calls cross as numbers. Types, actions and hosts cross by the number of their handle or string.
// The ids and the key of a single call are its arguments; those of a batch cross as bytes. A call that
// is not plain at first sight is deferred to `convert.js`, which converts it exactly or refuses it.
//
// Everything is read once, before anything is written: a getter or a proxy of the host may make a
// request itself. The parts that were read of a deferred request go to `convert.js` as a copy.
'use strict';

const { DEFAULT_AMOUNT } = require('./sublet.node');
const { plain } = require('./convert.js');
const { memory, number } = require('./handles.js');
const { actions, freeUnused, hosts, types } = require('./interner.js');
const { MAX_ID_UNITS, ROW, isPlainAmount, writeOptions, writeWide } = require('./sheet.js');

/** Index of the number that a call takes beside its row: an operation, or a time to live. */
const OPERAND = ROW;
/** Index at which the answer starts. */
const ANSWER = 16;
/** The first word of an answer before the addon writes it. */
const UNANSWERED = 9;
/** Reply of the addon to an id or a key with a lone surrogate. */
const INVALID_UTF16 = '?';
/** Options that cross as numbers, as bits. */
const HOST = 1;
const AMOUNT = 2;
const KEY = 4;
const PARTIAL = 8;
/** The options of each call. */
const OPTIONS = { ask: HOST | AMOUNT, consume: HOST | KEY | PARTIAL, reserve: HOST | KEY, commit: AMOUNT | KEY, release: KEY, refund: AMOUNT | KEY };
const { isArray, prototype: ARRAY } = Array;
const { getPrototypeOf, prototype: PLAIN } = Object;
const { hasOwnProperty } = PLAIN;
/** An empty array: a hole of any array reads as this one does, from the prototype. */
const HOLE = [];

/** The row of a single call, and its answer: the memory that the addon shares. */
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
  /** The options, as `readOptions` has read them. */
  host = undefined;
  amount = undefined;
  key = undefined;
  partial = undefined;
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

/**
 * Reads the options of a call into the frame. Another call overwrites them, so they are copied before
 * the host's code can run again. Returns the options that are not among `known`, or null.
 */
function readOptions(what, options, known) {
  if (getPrototypeOf(options) !== PLAIN) plain(what, options);
  let host;
  let amount;
  let key;
  let partial;
  let more = null;
  for (const name in options) {
    if (!isOwn(options, name)) continue;
    if (name === 'host' && (known & HOST) !== 0) host = options.host;
    else if (name === 'amount' && (known & AMOUNT) !== 0) amount = options.amount;
    else if (name === 'idempotencyKey' && (known & KEY) !== 0) key = options.idempotencyKey;
    else if (name === 'allowPartial' && (known & PARTIAL) !== 0) partial = options.allowPartial;
    else more = withField(more, name, options[name]);
  }
  frame.host = host;
  frame.amount = amount;
  frame.key = key;
  frame.partial = partial;
  return more;
}

/** Returns options that were read as an object for `convert.js`, which ignores the undefined ones. */
const copied = (more, host, amount, key, partial) => ({ host, amount, idempotencyKey: key, allowPartial: partial, ...more });

function deferOptions(options) {
  frame.deferred = options;
  return null;
}

/** Defers a request to `convert.js`; the parts that were read go in a copy. */
function deferCopy(principal, action, resource, options) {
  defer(principal, action, resource, options);
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
  return true;
}

/** Calls the addon with the row in the memory. The ids that the row does not have are ignored. */
function callNative(native, resourceId, principalId, account, key) {
  single[ANSWER] = UNANSWERED;
  return native(resourceId, principalId, account, key);
}

/**
 * Makes a single request, whose optional parts may be those of `known` and nothing else.
 * @param native `check`, `authorize`, `consume` or `reserve` of an engine
 * @param amount the amount to consume, a safe integer; undefined if the amount is among the options
 * @param ttl the time to live of a reservation, a safe integer; 0 for the default
 * @returns the reply of the addon; null if the request is deferred
 */
function fastCall(native, known, principal, action, resource, options, amount, ttl) {
  freeUnused();
  let host;
  let asked;
  let key;
  let partial;
  if (options !== undefined) {
    if (typeof options !== 'object' || options === null) return defer(principal, action, resource, options);
    const more = readOptions((known & AMOUNT) === 0 ? 'options' : 'request', options, known);
    host = frame.host;
    asked = frame.amount ?? undefined;
    key = frame.key;
    partial = frame.partial;
    if (more !== null) return defer(principal, action, resource, copied(more, host, asked, key, partial));
  }
  const isPlain = read(principal, resource) && numbers(single, 0, principal, action, host) && writeOptions(single, 0, amount ?? asked, key, partial);
  if (!isPlain) return deferCopy(principal, action, resource, copied(null, host, asked, key, partial));
  if (ttl !== undefined) writeWide(single, OPERAND, ttl);
  const answered = callNative(native, frame.resourceId, frame.principalId, frame.account, key);
  if (answered === undefined || answered !== INVALID_UTF16) return answered;
  return deferCopy(principal, action, resource, copied(null, host, asked, key, partial));
}

/**
 * Follows up an operation.
 * @param native `commit`, `release` or `refund` of an engine
 * @returns the reply of the addon; null if the options are deferred
 */
function fastFollowUp(native, known, operation, options) {
  const isGiven = typeof options === 'object' && options !== null;
  if (!isPlainAmount(operation) || (options !== undefined && !isGiven)) return deferOptions(options);
  let amount;
  let key;
  if (isGiven) {
    const more = readOptions('options', options, known);
    amount = frame.amount;
    key = frame.key;
    if (more !== null) return deferOptions(copied(more, undefined, amount, key));
  }
  if (writeOptions(single, 0, amount, key)) {
    writeWide(single, OPERAND, operation);
    const answered = callNative(native, undefined, undefined, undefined, key);
    if (answered === undefined || answered !== INVALID_UTF16) return answered;
  }
  return deferOptions(isGiven ? copied(null, undefined, amount, key) : undefined);
}

/** Returns the principal's id of the last request. */
const principalIdOf = (principal) => frame.principalId ?? principal.id;

/** Writes a request into the next row of a batch. Returns false if the request is deferred. */
function push(sheet, principal, action, resource, host, amount, key, partial) {
  const { words, row } = sheet;
  if (
    read(principal, resource) && numbers(words, row, principal, action, host) && writeOptions(words, row, amount, key, partial)
    && sheet.writeIds(frame.principalId, frame.resourceId, frame.account, key)
  ) {
    sheet.row += ROW;
    return true;
  }
  deferCopy(principal, action, resource, copied(null, host, amount, key, partial));
  return false;
}

/**
 * Writes a request that is a record into the next row. A deferred record stays a record. `takes` says
 * that the record is an item of a batch that consumes, and no question.
 */
function pushRecord(sheet, record, takes) {
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
  let amount;
  let key;
  let partial;
  let more = null;
  for (const name in record) {
    if (!isOwn(record, name)) continue;
    if (name === 'principal') principal = givenPrincipal;
    else if (name === 'action') action = givenAction;
    else if (name === 'resource') resource = givenResource;
    else if (name === 'host') host = givenHost;
    else if (name === 'amount') amount = record.amount;
    else if (takes && name === 'idempotencyKey') key = record.idempotencyKey;
    else if (takes && name === 'allowPartial') partial = record.allowPartial;
    else more = withField(more, name, record[name]);
  }
  if (takes && amount === undefined) amount = DEFAULT_AMOUNT;
  else if (!takes && amount === null) amount = undefined;
  if (more !== null) {
    frame.deferred = { ...copied(more, host, amount, key, partial), principal, action, resource };
    return false;
  }
  if (push(sheet, principal, action, resource, host, amount, key, partial)) {
    if (takes) sheet.names[sheet.row / ROW - 1] = principalIdOf(principal);
    return true;
  }
  const { deferred } = frame;
  frame.deferred = { ...deferred.environment, principal: deferred.principal, action, resource: deferred.resource };
  return false;
}

module.exports = { ANSWER, OPTIONS, UNANSWERED, answer: single, fastCall, fastFollowUp, principalIdOf, push, pushRecord, takeDeferred };
