// Handles: names that are looked up once. JavaScript knows each handle by a number, so that a call
// passes numbers and no strings. The addon stores the handle of each number. A number stands for a
// name and never for a decision, so that it cannot become stale.
'use strict';

const native = require('./sublet.node');
const { call, wellFormed } = require('./errors.js');

/** The memory that the addon shares; see `src/napi_raw.rs`. It never leaves these files. */
const memory = new ArrayBuffer(1024);
const callBuffers = new native.NativeCallBuffers(memory);
const KINDS = { principal: 1, action: 2, resourceType: 3, host: 4 };

let next = 1;
const free = [];
/** Retired numbers, which a running request or conversion may still hold. */
let retired = [];
/** Numbers retired in the phase before. They are free once the conversions of that phase have ended. */
let waiting = [];
/** Conversions start in one of two phases; the number of running conversions of each. */
const running = [0, 0];
let phase = 0;

function take(kind, first, second) {
  const number = free.length > 0 ? free[free.length - 1] : next;
  call(() => callBuffers.put(number, kind, first, second));
  if (number === next) next += 1;
  else free.pop();
  return number;
}

/** Retires a number. Its handle stays until `freeRetired` lets the number be used again. */
function retire(number) {
  retired.push(number);
}

/** Frees retired numbers. Call it before a request, when only conversions hold numbers. */
function freeRetired() {
  if (retired.length + waiting.length === 0 || running[1 - phase] > 0) return;
  for (const number of waiting) free.push(number);
  waiting = retired;
  retired = [];
  phase = 1 - phase;
}

/** Starts a conversion. No number changes its meaning until `end` gets the returned phase. */
function begin() {
  running[phase] += 1;
  return phase;
}

function end(begun) {
  running[begun] -= 1;
}

const gone = new FinalizationRegistry(retire);

function numbered(handle, kind, first, second = '') {
  const number = take(kind, first, second);
  gone.register(handle, number);
  Object.freeze(handle);
  return number;
}

/** Functions that return the number of a handle of their kind, or 0. */
const number = {};

class Principal {
  // Own fields from the start, so that no subclass of the host replaces them.
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

module.exports = { Action, Host, KINDS, Principal, ResourceType, begin, end, freeRetired, memory, number, retire, callBuffers, take };
