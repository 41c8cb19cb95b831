// Plain questions as numbers: types, actions and hosts by the number of their handle or word, ids as bytes. What is not
// plain at first sight is left to `convert.js`, which takes it exactly or refuses it.
//
// All is read before anything is written: should code of the host run while an array is read, it may ask questions itself.
'use strict';

const { isProxy } = require('node:util').types;
const { actionNumber, hostNumber, memory, number, tidy, typeNumber } = require('./handles.js');

const ROW = 10;
const HEAD = 256;
/** Where the answer starts. */
const ANSWER = 16;
/** Stands there before it is given. */
const UNANSWERED = 9;
const { isArray } = Array;
const { getOwnPropertyDescriptor, getPrototypeOf, prototype: PLAIN } = Object;
const encoder = new TextEncoder();
/** Reads as every array does where it has a hole. */
const HOLE = [];

/** Rows of numbers, and the bytes of their ids. */
class Sheet {
  constructor(words, bytes) {
    this.words = words;
    this.bytes = bytes;
    this.row = 0;
    this.at = 0;
  }

  static many(rows) {
    return new Sheet(new Uint32Array(rows * ROW), new Uint8Array(Math.max(1024, rows * 32)));
  }

  grow() {
    const bytes = new Uint8Array(this.bytes.length * 2);
    bytes.set(this.bytes);
    this.bytes = bytes;
  }
}

/** The sheet of a single question: its row and its bytes are memory that the addon reads. */
const single = new Sheet(new Uint32Array(memory), new Uint8Array(memory, HEAD));

/** Writes an id; gives its length in bytes, -1 if it does not fit or has none. */
function write(sheet, id) {
  const { bytes, at } = sheet;
  const { length } = id;
  if (at + length > bytes.length) return -1;
  for (let index = 0; index < length; index += 1) {
    const code = id.charCodeAt(index);
    if (code > 127) return writeWide(sheet, id);
    bytes[at + index] = code;
  }
  sheet.at = at + length;
  return length;
}

function writeWide(sheet, id) {
  if (!id.isWellFormed()) return -1;
  const { read, written } = encoder.encodeInto(id, sheet.bytes.subarray(sheet.at));
  if (read !== id.length) return -1;
  sheet.at += written;
  return written;
}

/** The own value under `key`: nothing if there is none or a getter. */
function own(object, key) {
  const found = getOwnPropertyDescriptor(object, key);
  return found === undefined || found.get !== undefined || found.set !== undefined ? undefined : found.value;
}

const plain = (value) => typeof value === 'object' && value !== null && !isProxy(value) && getPrototypeOf(value) === PLAIN;

/** What `fields` has found. */
let type;
let id;
let account;

/** Whether it is a plain object of `type`, `id` and perhaps `account`, and no getters. */
function fields(resource) {
  if (!plain(resource)) return false;
  let count = 0;
  for (const key in resource) {
    if (key !== 'type' && key !== 'id' && key !== 'account') return false;
    count += 1;
  }
  type = own(resource, 'type');
  id = own(resource, 'id');
  account = count === 3 ? own(resource, 'account') : null;
  return account !== undefined && (count === 2 || count === 3);
}

/** Whether it is a plain array of that, and which words it has. An element is read once. */
function words(resource) {
  if (isProxy(resource)) return false;
  const { length } = resource;
  if (length !== 2 && length !== 3) return false;
  const [first, second] = [resource[0], resource[1]];
  const third = length === 3 ? resource[2] : null;
  type = first;
  id = second;
  account = third;
  return true;
}

/**
 * Writes a question into the next row. False if it is not plain: then nothing counts that was written.
 * @param host a string, a Host, null or undefined
 */
function question(sheet, principal, action, resource, host) {
  if (HOLE[0] !== undefined || HOLE[1] !== undefined || HOLE[2] !== undefined) return false;
  let principalType;
  let principalId;
  if (isArray(principal)) {
    if (isProxy(principal) || principal.length !== 2) return false;
    principalType = principal[0];
    principalId = principal[1];
    if (typeof principalType !== 'string' || typeof principalId !== 'string') return false;
  }
  if (!(isArray(resource) ? words(resource) : fields(resource)) || typeof id !== 'string') return false;

  // From here on no code of the host runs, and no number changes its meaning.
  const named = typeof account === 'string';
  const whoNumber = principalType === undefined ? number.principal(principal) : 0;
  const whoType = principalType === undefined ? 0 : typeNumber(principalType);
  const typeAs = typeof type === 'string' ? typeNumber(type) : number.resourceType(type);
  const accountAs = account === null || named ? 0 : number.principal(account);
  const actionAs = typeof action === 'string' ? actionNumber(action) : number.action(action);
  const none = host === undefined || host === null;
  const hostAs = none ? 0 : typeof host === 'string' ? hostNumber(host) : number.host(host);
  if ((whoNumber === 0 && whoType === 0) || typeAs === 0 || actionAs === 0) return false;
  if ((hostAs === 0 && !none) || (accountAs === 0 && !named && account !== null)) return false;

  const whoLength = whoNumber === 0 ? write(sheet, principalId) : 0;
  const idLength = write(sheet, id);
  const accountLength = named ? write(sheet, account) : 0;
  if (whoLength < 0 || idLength < 0 || accountLength < 0) return false;
  const { words: row, row: at } = sheet;
  row[at] = whoNumber;
  row[at + 1] = whoType;
  row[at + 2] = whoLength;
  row[at + 3] = actionAs;
  row[at + 4] = typeAs;
  row[at + 5] = idLength;
  row[at + 6] = accountAs;
  row[at + 7] = named ? accountLength + 1 : 0;
  row[at + 8] = hostAs;
  row[at + 9] = 0;
  return true;
}

/** The same for a single question, whose circumstances may be a host and nothing else. */
function ask(principal, action, resource, circumstances) {
  tidy();
  let host;
  if (circumstances !== undefined) {
    if (!plain(circumstances)) return false;
    for (const key in circumstances) if (key !== 'host') return false;
    const found = getOwnPropertyDescriptor(circumstances, 'host');
    if (found !== undefined) {
      if (found.get !== undefined || found.set !== undefined || !found.enumerable) return false;
      host = found.value;
    }
  }
  single.at = 0;
  single.words[ANSWER] = UNANSWERED;
  return question(single, principal, action, resource, host);
}

/** The same for the next row of many. */
function push(sheet, principal, action, resource, host) {
  const { at } = sheet;
  for (;;) {
    if (question(sheet, principal, action, resource, host)) {
      sheet.row += ROW;
      return true;
    }
    sheet.at = at;
    // An id may have been too long for what is left: then more is made, up to what any sensible id needs.
    if (sheet.bytes.length - at >= 1 << 16) return false;
    sheet.grow();
  }
}

/** A record into the next row, as `push`. */
function pushRecord(sheet, record) {
  if (!plain(record)) return false;
  let host = false;
  let count = 0;
  for (const key in record) {
    if (key === 'host') host = true;
    else if (key !== 'principal' && key !== 'action' && key !== 'resource') return false;
    count += 1;
  }
  const where = host ? own(record, 'host') : null;
  if (count !== (host ? 4 : 3) || where === undefined) return false;
  return push(sheet, own(record, 'principal'), own(record, 'action'), own(record, 'resource'), where);
}

/** A row that comes as text. */
function pushText(sheet) {
  sheet.words[sheet.row + 9] = 1;
  sheet.row += ROW;
}

module.exports = { ANSWER, UNANSWERED, Sheet, answer: single.words, ask, push, pushRecord, pushText };
