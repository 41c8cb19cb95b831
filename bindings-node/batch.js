// Batches of requests: converts records or columns to rows, and numbers to decisions.
'use strict';

const native = require('./sublet.node');
const { later } = require('./calls.js');
const { push, pushRecord, takeDeferred } = require('./fast_call.js');
const { entries, items, record } = require('./convert.js');
const { decision } = require('./decision.js');
const { call, item, reading, refused } = require('./errors.js');
const { begin, end, number, callBuffers } = require('./handles.js');
const { DecisionDecoder } = require('./decision_codec.js');
const { freeUnused } = require('./interner.js');
const { itemTexts } = require('./quota.js');
const { Sheet } = require('./sheet.js');
const { isProxy } = require('node:util').types;

const COLUMNS = ['principals', 'actions', 'resources', 'hosts', 'actors', 'channels', 'realms', 'sessionStarts', 'amounts', 'contexts'];
/** Index of the column of amounts. */
const AMOUNTS = COLUMNS.indexOf('amounts');
const FIELDS = COLUMNS.map((name) => name.slice(0, -1));
/** Columns whose single value may be an array of strings. */
const LOGINS = ['principals', 'resources', 'actors', 'realms'];
/** Rows that are converted before the event loop gets its turn: about a millisecond of work. */
const SLICE = 2048;
/** The word that stands for a decision that crosses as text. */
const IN_TEXT = 2;

/** Returns whether an array is one login or resource, and not a column. */
const isWords = (value) => Array.isArray(value) && (typeof value[0] === 'string' || number.resourceType(value[0]) !== 0);

function listOf(what, value) {
  if (!Array.isArray(value) || isProxy(value)) throw refused(what, isProxy(value) ? 'proxy' : 'array');
  const list = [];
  const { length } = value;
  // Stops at the first hole, because a sparse array may have billions of them.
  for (let index = 0; index < length; index += 1) {
    const entry = value[index];
    if (entry === undefined && !Object.hasOwn(value, index)) throw refused(what, 'hole');
    list.push(entry);
  }
  return list;
}

/** Returns the rows of a batch: `next` writes the next row into the sheet, or returns its text. */
function rowsOf(given) {
  if (Array.isArray(given)) {
    const list = listOf('requests', given);
    return { count: list.length, next: (sheet, index) => (pushRecord(sheet, list[index], false) ? null : record(takeDeferred())) };
  }
  const fields = new Map(entries('requests', given));
  const unknown = [...fields.keys()].find((name) => !COLUMNS.includes(name));
  if (unknown !== undefined) throw refused('requests', 'unknown_column', unknown);
  const columns = COLUMNS.map((name) => {
    const value = fields.get(name);
    const single = !Array.isArray(value) || (LOGINS.includes(name) && isWords(value));
    return single ? { value, list: null } : { value: undefined, list: listOf(name, value) };
  });
  const count = call(() => native.rows(columns.map(({ list }) => (list === null ? null : list.length))));
  const at = (column, index) => (columns[column].list === null ? columns[column].value : columns[column].list[index]);
  const isEmpty = ({ value, list }) => list === null && (value === undefined || value === null);
  const bare = columns.slice(4).every((column, index) => index + 4 === AMOUNTS || isEmpty(column));
  const whole = (index) => Object.fromEntries(FIELDS.map((name, column) => [name, at(column, index)]));
  const next = (sheet, index) => {
    if (!bare) return record(whole(index));
    if (push(sheet, at(0, index), at(1, index), at(2, index), at(3, index), at(AMOUNTS, index) ?? undefined)) return null;
    const { environment, ...parts } = takeDeferred();
    return record(Object.assign(parts, environment));
  };
  return { count, next };
}

function nextOf(state) {
  try {
    return state.next(state.sheet, state.index);
  } catch (error) {
    throw item(state.index, error);
  }
}

function convert(state, until) {
  freeUnused();
  for (; state.index < until; state.index += 1) {
    const text = nextOf(state);
    if (text === null) continue;
    state.sheet.pushText();
    state.texts.push(text);
  }
}

/** Unused sheets. Fresh memory costs more than the rows that are written to it. */
const idle = [];
const [MAX_IDLE, MAX_IDLE_BYTES] = [4, 1 << 22];

/** Returns an unused sheet with at least this many rows. `release` gives it back. */
function sheetFor(rows) {
  const at = idle.findIndex((sheet) => sheet.rows >= rows);
  return at < 0 ? new Sheet(rows) : idle.splice(at, 1)[0];
}

function release({ sheet }) {
  if (sheet.words.byteLength + sheet.bytes.byteLength > MAX_IDLE_BYTES) return;
  if (idle.length === MAX_IDLE) idle.shift();
  idle.push(sheet.cleared());
}

const started = (count, next) => ({ count, next, index: 0, sheet: sheetFor(count), texts: [] });

const start = (given) => reading(() => {
  const { count, next } = rowsOf(given);
  return started(count, next);
});

const jsonList = (texts) => `[${texts.join(',')}]`;

const crossing = ({ sheet, texts }) => reading(() => [callBuffers, sheet.words.subarray(0, sheet.row), sheet.bytes.subarray(0, sheet.at), jsonList(texts)]);

/** Evaluates a batch at once. */
function evaluateBatch(engine, given, bits) {
  const begun = begin();
  try {
    const state = start(given);
    convert(state, state.count);
    const rows = crossing(state);
    const answered = call(() => engine.many(...rows, bits));
    release(state);
    return answered;
  } finally {
    end(begun);
  }
}

/** Consumes the items of a batch at once, all or none. Returns the decisions. */
function consumeBatch(engine, given) {
  const begun = begin();
  try {
    const wanted = reading(() => items('requests', given));
    const state = started(wanted.length, (sheet, index) => (pushRecord(sheet, wanted[index], true) ? null : itemTexts(takeDeferred())));
    convert(state, state.count);
    const { sheet, texts } = state;
    const [requests, forms] = [0, 1].map((at) => texts.map((pair) => pair[at]));
    const rows = crossing({ sheet, texts: requests });
    const answered = call(() => engine.batch(...rows, jsonList(forms)));
    const { names } = sheet;
    release(state);
    return decisionsOf(answered, names);
  } finally {
    end(begun);
  }
}

const nextTurn = () => new Promise((resolve) => { setImmediate(resolve); });

/**
 * Evaluates a batch off the event loop. The event loop gets its turn while rows are converted, too.
 * `signal` cancels the batch until its evaluation starts.
 */
async function evaluateBatchAsync(engine, given, bits, signal) {
  signal?.throwIfAborted();
  const begun = begin();
  let state;
  let reply;
  try {
    state = start(given);
    while (state.index < state.count) {
      convert(state, Math.min(state.count, state.index + SLICE));
      if (state.index < state.count) await nextTurn();
      signal?.throwIfAborted();
    }
    const rows = crossing(state);
    reply = later(signal, (replies, id) => engine.startMany(replies, id, ...rows, bits), (ended) => ended.answered());
  } finally {
    end(begun);
  }
  const answers = await reply;
  release(state);
  return answers;
}

function booleans(bits) {
  const list = new Array(bits.length);
  for (let index = 0; index < bits.length; index += 1) list[index] = bits[index] === 1;
  return list;
}

/** Decodes decisions, with a pause after each slice. `names` has the ids of the principals, if they are known. */
function* decodeDecisions({ words, strings, texts }, names) {
  const decoder = new DecisionDecoder(strings);
  const decisions = [];
  let text = 0;
  for (let at = 0; at < words.length; ) {
    if (words[at] === IN_TEXT) {
      decisions.push(decision(JSON.parse(texts[text])));
      text += 1;
      at += 1;
    } else {
      decisions.push(decoder.read(words, at, names?.[decisions.length] ?? ''));
      at = decoder.next;
    }
    if (decisions.length % SLICE === 0) yield;
  }
  return decisions;
}

function decisionsOf(answered, names) {
  const making = decodeDecisions(answered, names);
  let step = making.next();
  while (!step.done) step = making.next();
  return step.value;
}

async function decisionsAsync(answered) {
  const making = decodeDecisions(answered);
  let step = making.next();
  while (!step.done) {
    await nextTurn();
    step = making.next();
  }
  return step.value;
}

module.exports = { booleans, consumeBatch, decisionsAsync, decisionsOf, evaluateBatch, evaluateBatchAsync };
