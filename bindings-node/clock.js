// A clock that stands until it is set: for tests.
'use strict';

const native = require('./sublet.node');
const { integer } = require('./convert.js');
const { call, refused, wellFormed } = require('./errors.js');

/** What the addon knows of a clock; undefined for what is none. */
let nativeOf;

/** One clock for each engine that is opened with it. */
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

/** The addon's clock of an option; none is the system's. */
function clock(value) {
  if (value === undefined || value === null) return undefined;
  const found = nativeOf(value);
  if (found === undefined) throw refused('clock', 'a ManualClock is needed');
  return found;
}

module.exports = { ManualClock, clock };
