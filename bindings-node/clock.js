// A clock that stands until it is set: for tests.
'use strict';

const native = require('./sublet.node');
const { integer } = require('./convert.js');
const { call, refused, wellFormed } = require('./errors.js');

/** Returns the addon's object of a clock; undefined for other values. */
let nativeOf;

/** A clock that several engines can share. */
class ManualClock {
  #native;

  constructor(at) {
    wellFormed('instant', at);
    this.#native = call(() => native.NativeClock.at(at));
    Object.freeze(this);
  }

  static {
    nativeOf = (value) => (typeof value === 'object' && value !== null && #native in value ? value.#native : undefined);
  }

  set(at) {
    wellFormed('instant', at);
    call(() => this.#native.set(at));
  }

  advance(milliseconds) {
    const text = integer('milliseconds', milliseconds);
    call(() => this.#native.advance(text));
  }

  now() {
    return call(() => this.#native.now());
  }
}

/** Returns the addon's clock of an option; undefined means the system's clock. */
function clock(value) {
  if (value === undefined || value === null) return undefined;
  const time = nativeOf(value);
  if (time === undefined) throw refused('clock', 'instance', 'ManualClock');
  return time;
}

module.exports = { ManualClock, clock };
