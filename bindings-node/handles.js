// Names that are looked up once. JavaScript knows each handle by a number, so that a call passes numbers and no strings;
// the addon keeps what they stand for. Numbers are names, never decisions: nothing grows stale.
'use strict';

const native = require('./sublet.node');
const { call, wellFormed } = require('./errors.js');

/** The memory that the numbers of a question are written to and an answer read from; see `src/raw.rs`. It never leaves these files. */
const memory = new ArrayBuffer(1024);
const room = new native.NativeRoom(memory);
const KINDS = { principal: 1, action: 2, resourceType: 3, host: 4 };

let next = 1;
const free = [];
/** Numbers that nobody uses any more, but which a question or a conversion under way may have written down. */
let resting = [];
/** Those of the phase before: they are free once the conversions that began in it have ended. */
let waiting = [];
/** Conversions begin in one of two phases; how many of each are under way. */
const under = [0, 0];
let phase = 0;

function take(kind, first, second) {
  const number = free.length > 0 ? free[free.length - 1] : next;
  call(() => room.put(number, kind, first, second));
  if (number === next) next += 1;
  else free.pop();
  return number;
}

/** Lets a number go. What it stands for stays until it is given out again: not before `rest`. */
function retire(number) {
  resting.push(number);
}

/** Before a question, when no number is written down outside of a conversion. */
function rest() {
  if (resting.length + waiting.length === 0 || under[1 - phase] > 0) return;
  for (const number of waiting) free.push(number);
  waiting = resting;
  resting = [];
  phase = 1 - phase;
}

/** Between `begin` and `end`, which takes what `begin` gave, no number changes its meaning. */
function begin() {
  under[phase] += 1;
  return phase;
}

function end(begun) {
  under[begun] -= 1;
}

const gone = new FinalizationRegistry(retire);

function numbered(handle, kind, first, second = '') {
  const number = take(kind, first, second);
  gone.register(handle, number);
  Object.freeze(handle);
  return number;
}

/** Each gives the number of such a handle, or 0. */
const number = {};

class Principal {
  // Its own from the start: so no class of the host's gives others.
  type;
  id;
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

module.exports = { Action, Host, KINDS, Principal, ResourceType, begin, end, memory, number, rest, retire, room, take };
