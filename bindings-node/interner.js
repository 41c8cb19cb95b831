// Interns strings that recur (types, actions and hosts) as numbers, by their text alone.
'use strict';

const { KINDS, freeRetired, retire, take } = require('./handles.js');

/** Size at which all strings are forgotten. */
const MAX_STRINGS = 65_536;
/** Longest string that is interned. */
const MAX_LENGTH = 300;
/** Entries of the cache in front of the map. */
const CACHE_SIZE = 256;

/** Returns the engine's own copy of a text. A piece of a larger string would keep that string alive. */
const interned = (text) => Object.keys({ [text]: 0 })[0];

let size = 0;

/** The interned strings of one kind. */
class StringTable {
  constructor(kind) {
    this.kind = kind;
    this.known = new Map();
  }

  /** Returns the number of a text, or 0 if it is not interned. */
  number(text) {
    return this.known.get(text) ?? this.learn(text);
  }

  learn(text) {
    // One long batch may intern more strings than are kept after it.
    if (text.length > MAX_LENGTH || size >= 2 * MAX_STRINGS || !text.isWellFormed()) return 0;
    const own = interned(text);
    const number = this.kind === KINDS.action ? take(this.kind, 'Action', own) : take(this.kind, own, '');
    this.known.set(own, number);
    size += 1;
    return number;
  }

  forget() {
    for (const number of this.known.values()) retire(number);
    this.known.clear();
  }
}

/** The interned types. Types are few, so a small cache in front of the map finds most of them. */
class TypeTable extends StringTable {
  constructor() {
    super(KINDS.resourceType);
    this.texts = new Array(CACHE_SIZE).fill('');
    this.numbers = new Array(CACHE_SIZE).fill(0);
  }

  number(text) {
    const { length } = text;
    if (length === 0) return 0;
    const slot = (text.charCodeAt(0) * 3 + text.charCodeAt(length - 1) * 31 + length * 5) & (CACHE_SIZE - 1);
    if (this.texts[slot] === text) return this.numbers[slot];
    const number = super.number(text);
    if (number !== 0) {
      this.texts[slot] = interned(text);
      this.numbers[slot] = number;
    }
    return number;
  }

  forget() {
    super.forget();
    this.texts.fill('');
  }
}

const [types, actions, hosts] = [new TypeTable(), new StringTable(KINDS.action), new StringTable(KINDS.host)];

/** Frees unused numbers. Call it before a request, when only conversions hold numbers. */
function freeUnused() {
  freeRetired();
  if (size <= MAX_STRINGS) return;
  for (const table of [types, actions, hosts]) table.forget();
  size = 0;
}

module.exports = { actions, freeUnused, hosts, types };
