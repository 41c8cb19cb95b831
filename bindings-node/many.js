// Many questions: from records or columns to rows, and from numbers to decisions.
'use strict';

const native = require('./sublet.node');
const { later } = require('./calls.js');
const { Sheet, push, pushRecord, pushText, taken } = require('./crossing.js');
const { entries, record } = require('./convert.js');
const { decision } = require('./decision.js');
const { call, item, reading, refused } = require('./errors.js');
const { begin, end, number, room } = require('./handles.js');
const { Said } = require('./said.js');
const { tidy } = require('./words.js');
const { isProxy } = require('node:util').types;

const COLUMNS = ['principals', 'actions', 'resources', 'hosts', 'actors', 'channels', 'realms', 'amounts', 'contexts'];
const FIELDS = COLUMNS.map((name) => name.slice(0, -1));
/** Columns whose single value may be an array of strings. */
const LOGINS = ['principals', 'resources', 'actors', 'realms'];
/** How many rows are converted before the event loop gets its turn: about a millisecond. */
const SLICE = 2048;
/** Stands in the words for a decision that is told in text. */
const IN_TEXT = 2;

/** Whether an array is one login or resource, and not a column. */
const isWords = (value) => Array.isArray(value) && (typeof value[0] === 'string' || number.resourceType(value[0]) !== 0);

function listOf(what, value) {
  if (!Array.isArray(value) || isProxy(value)) throw refused(what, isProxy(value) ? 'a proxy' : 'an array is needed');
  const found = [];
  const { length } = value;
  // Up to the first hole: a sparse array of billions has no more in it than others.
  for (let index = 0; index < length; index += 1) {
    const one = value[index];
    if (one === undefined && !Object.hasOwn(value, index)) throw refused(what, 'an array with a hole');
    found.push(one);
  }
  return found;
}

/** Rows that come one after the other: `next(index)` writes the next into the sheet or gives its text. */
function rowsOf(given) {
  if (Array.isArray(given)) {
    const list = listOf('requests', given);
    return { count: list.length, next: (sheet, index) => (pushRecord(sheet, list[index]) ? null : record(taken())) };
  }
  const found = new Map(entries('requests', given));
  const unknown = [...found.keys()].find((name) => !COLUMNS.includes(name));
  if (unknown !== undefined) throw refused('requests', `no column \`${unknown}\``);
  const columns = COLUMNS.map((name) => {
    const value = found.get(name);
    const single = !Array.isArray(value) || (LOGINS.includes(name) && isWords(value));
    return single ? { value, list: null } : { value: undefined, list: listOf(name, value) };
  });
  const count = call(() => native.rows(columns.map(({ list }) => (list === null ? null : list.length))));
  const at = (column, index) => (columns[column].list === null ? columns[column].value : columns[column].list[index]);
  const bare = columns.slice(4).every(({ value, list }) => list === null && (value === undefined || value === null));
  const whole = (index) => Object.fromEntries(FIELDS.map((name, column) => [name, at(column, index)]));
  const next = (sheet, index) => {
    if (!bare) return record(whole(index));
    if (push(sheet, at(0, index), at(1, index), at(2, index), at(3, index))) return null;
    const { circumstances, ...asked } = taken();
    return record(Object.assign(asked, circumstances));
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
  tidy();
  for (; state.index < until; state.index += 1) {
    const text = nextOf(state);
    if (text === null) continue;
    pushText(state.sheet);
    state.texts.push(text);
  }
}

/** Sheets that nobody writes or reads, each of so many bytes at most: fresh memory costs more than what is written there. */
const idle = [];
const [MOST_IDLE, LARGEST_IDLE] = [4, 1 << 22];

/** A sheet for that many rows, for itself until `done`. */
function sheetFor(rows) {
  const at = idle.findIndex((sheet) => sheet.rows >= rows);
  return at < 0 ? new Sheet(rows) : idle.splice(at, 1)[0];
}

function done({ sheet }) {
  if (sheet.words.byteLength + sheet.bytes.byteLength > LARGEST_IDLE) return;
  if (idle.length === MOST_IDLE) idle.shift();
  idle.push(sheet.emptied());
}

const started = (given) => reading(() => {
  const { count, next } = rowsOf(given);
  return { count, next, index: 0, sheet: sheetFor(count), texts: [] };
});

const crossed = ({ sheet, texts }) => reading(() => [room, sheet.words.subarray(0, sheet.row), sheet.bytes.subarray(0, sheet.at), `[${texts.join(',')}]`]);

/** Asks of all at once. */
function many(engine, given, bits) {
  const begun = begin();
  try {
    const state = started(given);
    convert(state, state.count);
    const rows = crossed(state);
    const answered = call(() => engine.many(...rows, bits));
    done(state);
    return answered;
  } finally {
    end(begun);
  }
}

const turn = () => new Promise((resolve) => { setImmediate(resolve); });

/** The same off the event loop, which gets its turn while rows are converted, too; until they are asked, `signal` gives up. */
async function manyAsync(engine, given, bits, signal) {
  signal?.throwIfAborted();
  const begun = begin();
  let state;
  let asked;
  try {
    state = started(given);
    while (state.index < state.count) {
      convert(state, Math.min(state.count, state.index + SLICE));
      if (state.index < state.count) await turn();
      signal?.throwIfAborted();
    }
    const rows = crossed(state);
    asked = later(signal, (replies, id) => engine.startMany(replies, id, ...rows, bits), (answered) => answered.answered());
  } finally {
    end(begun);
  }
  const answered = await asked;
  done(state);
  return answered;
}

function booleans(bits) {
  const found = new Array(bits.length);
  for (let index = 0; index < bits.length; index += 1) found[index] = bits[index] === 1;
  return found;
}

/** Decisions; pauses after each slice. */
function* decisions({ words, strings, texts }) {
  const said = new Said(strings);
  const found = [];
  let text = 0;
  for (let at = 0; at < words.length; ) {
    if (words[at] === IN_TEXT) {
      found.push(decision(JSON.parse(texts[text])));
      text += 1;
      at += 1;
    } else {
      found.push(said.read(words, at, ''));
      at = said.next;
    }
    if (found.length % SLICE === 0) yield;
  }
  return found;
}

function decisionsOf(answered) {
  const making = decisions(answered);
  let step = making.next();
  while (!step.done) step = making.next();
  return step.value;
}

async function decisionsAsync(answered) {
  const making = decisions(answered);
  let step = making.next();
  while (!step.done) {
    await turn();
    step = making.next();
  }
  return step.value;
}

module.exports = { booleans, decisionsAsync, decisionsOf, many, manyAsync };
