// Names that are looked up once. JavaScript knows each handle and each common word by a number, so that a call passes
// numbers and no strings; the addon keeps what they stand for. Numbers are names, never decisions: nothing grows stale.
'use strict';

const native = require('./sublet.node');
const { call, wellFormed } = require('./errors.js');

/** The memory that a question is written to and an answer read from; see `src/raw.rs`. It never leaves these files. */
const memory = new ArrayBuffer(4096);
const room = new native.NativeRoom(memory);
const KINDS = { principal: 1, action: 2, resourceType: 3, host: 4 };

let next = 1;
const free = [];
/** Numbers that nobody uses any more, but which a conversion under way may have written down. */
let resting = [];
let converting = 0;

function take(kind, first, second) {
  const number = free.length > 0 ? free[free.length - 1] : next;
  call(() => room.put(number, kind, first, second));
  if (number === next) next += 1;
  else free.pop();
  return number;
}

function release(number) {
  if (converting > 0) {
    resting.push(number);
    return;
  }
  room.put(number, 0, '', '');
  free.push(number);
}

/** Between `begin` and `end` no number changes its meaning. */
function begin() {
  if (converting === 0 && words.size > MOST_WORDS) forget();
  converting += 1;
}

function end() {
  converting -= 1;
  if (converting > 0) return;
  const rested = resting;
  resting = [];
  rested.forEach(release);
}

const gone = new FinalizationRegistry(release);

function numbered(handle, kind, first, second = '') {
  const number = take(kind, first, second);
  gone.register(handle, number);
  Object.freeze(handle);
  return number;
}

/** Each gives the number of such a handle, or 0. */
const number = {};

class Principal {
  #number;

  constructor(type, id) {
    this.type = wellFormed('type', type);
    this.id = wellFormed('id', id);
    this.#number = numbered(this, KINDS.principal, type, id);
  }

  static {
    number.principal = (value) => (typeof value === 'object' && value !== null && #number in value ? value.#number : 0);
  }
}

class Action {
  #number;

  constructor(nameOrType, id) {
    this.type = id === undefined ? 'Action' : wellFormed('action', nameOrType);
    this.id = wellFormed('action', id === undefined ? nameOrType : id);
    this.#number = numbered(this, KINDS.action, this.type, this.id);
  }

  static {
    number.action = (value) => (typeof value === 'object' && value !== null && #number in value ? value.#number : 0);
  }
}

class ResourceType {
  #number;

  constructor(name) {
    this.name = wellFormed('resource type', name);
    this.#number = numbered(this, KINDS.resourceType, name);
  }

  static {
    number.resourceType = (value) => (typeof value === 'object' && value !== null && #number in value ? value.#number : 0);
  }
}

class Host {
  #number;

  constructor(name) {
    this.name = wellFormed('host', name);
    this.#number = numbered(this, KINDS.host, name);
  }

  static {
    number.host = (value) => (typeof value === 'object' && value !== null && #number in value ? value.#number : 0);
  }
}

/** Actions, types and hosts repeat; ids do not. Past this many, all words are forgotten. */
const MOST_WORDS = 65_536;
const LONGEST_WORD = 300;
const words = { types: new Map(), actions: new Map(), hosts: new Map(), size: 0 };

function forget() {
  for (const map of [words.types, words.actions, words.hosts]) {
    const numbers = [...map.values()];
    map.clear();
    numbers.forEach(release);
  }
  words.size = 0;
  for (const key of Object.keys(last)) last[key] = typeof last[key] === 'string' ? '' : 0;
}

/** The number of a word that is not known yet; 0 if it shall not be one. */
function learn(map, kind, word) {
  if (word.length > LONGEST_WORD || !word.isWellFormed()) return 0;
  const found = kind === KINDS.action ? take(kind, 'Action', word) : take(kind, word, '');
  map.set(word, found);
  words.size += 1;
  return found;
}

/** What was asked last, which is often asked again: cheaper than the map. */
const last = { type: '', typeNumber: 0, other: '', otherNumber: 0, action: '', actionNumber: 0, host: '', hostNumber: 0 };

/** A type is mostly that of the last login or of the last resource. */
function typeNumber(word) {
  if (word === last.type) return last.typeNumber;
  if (word === last.other) return last.otherNumber;
  const found = words.types.get(word) ?? learn(words.types, KINDS.resourceType, word);
  [last.other, last.otherNumber, last.type, last.typeNumber] = [last.type, last.typeNumber, word, found];
  return found;
}

function actionNumber(word) {
  if (word === last.action) return last.actionNumber;
  const found = words.actions.get(word) ?? learn(words.actions, KINDS.action, word);
  [last.action, last.actionNumber] = [word, found];
  return found;
}

function hostNumber(word) {
  if (word === last.host) return last.hostNumber;
  const found = words.hosts.get(word) ?? learn(words.hosts, KINDS.host, word);
  [last.host, last.hostNumber] = [word, found];
  return found;
}

/** Before a single question, which writes no number down for longer than its call. */
function tidy() {
  if (words.size > MOST_WORDS && converting === 0) forget();
}

module.exports = { Action, Host, Principal, ResourceType, actionNumber, begin, end, hostNumber, memory, number, room, tidy, typeNumber };
