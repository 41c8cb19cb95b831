// Plain questions as numbers: types, actions and hosts by the number of their handle or word. The ids of a single question
// are arguments of its call; those of many are bytes. What is not plain at first sight is left to `convert.js`, which takes
// it exactly or refuses it.
//
// All is read before anything is written, and read once: code of the host that runs meanwhile (a getter, a proxy) may ask
// questions itself. What was read of a question that is left to `convert.js` goes there as a copy.
'use strict';

const { plain } = require('./convert.js');
const { memory, number } = require('./handles.js');
const { actions, hosts, tidy, types } = require('./words.js');

const ROW = 10;
/** Where the amount of a consume stands: its low half, then its high one. */
const AMOUNT = 10;
/** Where the answer starts. */
const ANSWER = 16;
/** Stands there before it is given. */
const UNANSWERED = 9;
/** What the addon answers to an id with a lone surrogate. */
const ILL_FORMED = '?';
/** Longer ids cross as text. */
const LONGEST = 1024;
/** What three ids take at most, in bytes. */
const IDS = 3 * 3 * LONGEST;
const { isArray, prototype: ARRAY } = Array;
const { getPrototypeOf, prototype: PLAIN } = Object;
const { hasOwnProperty } = PLAIN;
const encoder = new TextEncoder();
/** Where an array has a hole, it reads as this one. */
const HOLE = [];

/** Rows of numbers, and the bytes of their ids. */
class Sheet {
  constructor(rows) {
    this.rows = rows;
    this.words = new Uint32Array(rows * ROW);
    this.bytes = new Uint8Array(IDS + rows * 40);
    this.row = 0;
    this.at = 0;
  }

  /** For other rows. */
  emptied() {
    this.row = 0;
    this.at = 0;
    return this;
  }

  /** Makes room for the ids of another row. */
  grow() {
    const bytes = new Uint8Array(this.bytes.length * 2);
    bytes.set(this.bytes);
    this.bytes = bytes;
  }
}

/** The row of a single question, and what is answered: memory that the addon knows. */
const single = new Uint32Array(memory);

const isOwn = (object, key) => hasOwnProperty.call(object, key);

/** What is left to `convert.js`. */
let left = null;

/** Takes it: it is kept no longer. */
function taken() {
  const found = left;
  left = null;
  return found;
}

/** `more` with a field that is not expected. */
function and(more, key, value) {
  const found = more ?? Object.create(null);
  found[key] = value;
  return found;
}

const PARTS = Symbol('type, id and account');
/** What `read` has read. `given` is what is left of the resource: it, if nothing of it was read, a copy, or `PARTS`. */
let whoType;
let whoId;
let type;
let id;
let account;
let given;
/** Whether it has read anything. */
let begun;

/**
 * Whether it is a plain object of `type`, `id` and perhaps `account`. Fields are read by name, which is cheap, and only then
 * looked whether they are its own and all that it has.
 */
function fields(resource) {
  if (typeof resource !== 'object' || resource === null || number.principal(resource) !== 0) {
    given = resource;
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
    else more = and(more, key, resource[key]);
  }
  type = own & 1 ? ofType : undefined;
  id = own & 2 ? ofId : undefined;
  account = own & 4 ? ofAccount ?? null : null;
  given = more === null ? PARTS : Object.assign(more, { type, id, account });
  return more === null;
}

/** Whether it is a plain array of that. */
function words(resource) {
  const { length } = resource;
  if ((length !== 2 && length !== 3) || getPrototypeOf(resource) !== ARRAY) {
    given = resource;
    return false;
  }
  const ofType = resource[0];
  const ofId = resource[1];
  const ofAccount = length === 3 ? resource[2] : null;
  type = ofType;
  id = ofId;
  account = ofAccount;
  given = PARTS;
  return true;
}

function unread() {
  begun = false;
  return false;
}

/** Reads a login and a resource, if they are plain. When it comes back, no more code of the host runs. */
function read(principal, resource) {
  if (0 in HOLE || 1 in HOLE || 2 in HOLE) return unread();
  let ofType;
  let ofId;
  if (isArray(principal)) {
    if (principal.length !== 2 || getPrototypeOf(principal) !== ARRAY) return unread();
    ofType = principal[0];
    ofId = principal[1];
  }
  const readable = isArray(resource) ? words(resource) : fields(resource);
  whoType = ofType;
  whoId = ofId;
  begun = true;
  return readable;
}

function leave(principal, action, resource, circumstances) {
  left = { principal, action, resource, circumstances };
  return null;
}

/** Leaves a question that was to be read, as far as it was in a copy. */
function leaveCopy(principal, action, resource, host) {
  leave(principal, action, resource, { host });
  if (!begun) return null;
  if (isArray(principal)) left.principal = [whoType, whoId];
  if (given !== PARTS) left.resource = given;
  else left.resource = account === null ? [type, id] : [type, id, account];
  given = undefined;
  return null;
}

/** Writes the numbers of what was read into a row; false if it is not plain. No number changes its meaning meanwhile. */
function numbers(row, at, principal, action, host) {
  if (typeof id !== 'string' || id.length > LONGEST) return false;
  let who = 0;
  let whoTypeAs = 0;
  if (typeof whoId === 'string') {
    if (typeof whoType !== 'string' || whoId.length > LONGEST) return false;
    whoTypeAs = types.number(whoType);
  } else who = whoId === undefined ? number.principal(principal) : 0;
  const named = typeof account === 'string';
  const accountAs = named || account === null ? 0 : number.principal(account);
  const typeAs = typeof type === 'string' ? types.number(type) : number.resourceType(type);
  const actionAs = typeof action === 'string' ? actions.number(action) : number.action(action);
  const none = host === undefined || host === null;
  const hostAs = none ? 0 : typeof host === 'string' ? hosts.number(host) : number.host(host);
  if ((who === 0 && whoTypeAs === 0) || typeAs === 0 || actionAs === 0 || (hostAs === 0 && !none)) return false;
  if (named ? account.length > LONGEST : accountAs === 0 && account !== null) return false;
  row[at] = who;
  row[at + 1] = whoTypeAs;
  row[at + 3] = actionAs;
  row[at + 4] = typeAs;
  row[at + 6] = accountAs;
  row[at + 7] = named ? 1 : 0;
  row[at + 8] = hostAs;
  row[at + 9] = 0;
  return true;
}

/**
 * Asks a single question, whose circumstances may be a host and nothing else.
 * @param native `check`, `authorize` or `consume` of an engine
 * @param amount what is to be taken, a safe integer
 * @returns what that gives: nothing if the answer is in the memory, else a text; null if the question is left
 */
function ask(native, principal, action, resource, circumstances, amount) {
  tidy();
  let host;
  if (circumstances !== undefined) {
    if (typeof circumstances !== 'object' || circumstances === null) return leave(principal, action, resource, circumstances);
    const found = circumstances.host;
    if (getPrototypeOf(circumstances) !== PLAIN) plain('request', circumstances);
    let more = null;
    for (const key in circumstances) {
      if (!isOwn(circumstances, key)) continue;
      if (key === 'host') host = found;
      else more = and(more, key, circumstances[key]);
    }
    if (more !== null) return leave(principal, action, resource, and(more, 'host', host));
  }
  if (!read(principal, resource) || !numbers(single, 0, principal, action, host)) return leaveCopy(principal, action, resource, host);
  single[AMOUNT] = amount;
  single[AMOUNT + 1] = amount / 4294967296;
  single[ANSWER] = UNANSWERED;
  const answered = native(id, whoId, account);
  return answered !== undefined && answered === ILL_FORMED ? leaveCopy(principal, action, resource, host) : answered;
}

/** The id of who asked the question that was just answered. */
const asker = (principal) => whoId ?? principal.id;

/** Writes a question into the next row of many; false if it is left. */
function push(sheet, principal, action, resource, host) {
  if (read(principal, resource) && numbers(sheet.words, sheet.row, principal, action, host) && texts(sheet)) {
    sheet.row += ROW;
    return true;
  }
  leaveCopy(principal, action, resource, host);
  return false;
}

/** Writes the ids of a question; false, and nothing counts that was written, if one has no bytes. */
function texts(sheet) {
  if (sheet.at + IDS > sheet.bytes.length) sheet.grow();
  const { words: row, row: at, at: from } = sheet;
  const whoLength = typeof whoId === 'string' ? write(sheet, whoId) : 0;
  const length = write(sheet, id);
  const accountLength = typeof account === 'string' ? write(sheet, account) : -1;
  if (whoLength < 0 || length < 0 || (accountLength < 0 && typeof account === 'string')) {
    sheet.at = from;
    return false;
  }
  row[at + 2] = whoLength;
  row[at + 5] = length;
  row[at + 7] = accountLength + 1;
  return true;
}

/** Writes an id; gives its length in bytes, -1 if it has none. */
function write(sheet, id) {
  const { bytes, at } = sheet;
  const { length } = id;
  let all = 0;
  let index = 0;
  // Two at a time: the loop costs as much as what is done in it.
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

/** A record into the next row, as `push`; what is left of it is a record, too. */
function pushRecord(sheet, record) {
  if (typeof record !== 'object' || record === null) {
    left = record;
    return false;
  }
  const found = [record.principal, record.action, record.resource, record.host];
  if (getPrototypeOf(record) !== PLAIN) plain('request', record);
  let principal;
  let action;
  let resource;
  let host;
  let more = null;
  for (const key in record) {
    if (!isOwn(record, key)) continue;
    if (key === 'principal') principal = found[0];
    else if (key === 'action') action = found[1];
    else if (key === 'resource') resource = found[2];
    else if (key === 'host') host = found[3];
    else more = and(more, key, record[key]);
  }
  if (more !== null) left = Object.assign(more, { principal, action, resource, host });
  else if (push(sheet, principal, action, resource, host)) return true;
  else left = Object.assign(left.circumstances, { principal: left.principal, action, resource: left.resource });
  return false;
}

/** A row that comes as text. */
function pushText(sheet) {
  sheet.words[sheet.row + 9] = 1;
  sheet.row += ROW;
}

module.exports = { ANSWER, UNANSWERED, Sheet, answer: single, ask, asker, push, pushRecord, pushText, taken };
