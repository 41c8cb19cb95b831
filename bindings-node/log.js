// Logs. A callback is called on the event loop, a few events at a turn; neither it nor a file keeps the process alive.
'use strict';

const { entries, json, string } = require('./convert.js');
const { call, refused } = require('./errors.js');

/** How many events are told in one turn of the event loop. */
const TURN = 256;
/** How long a log is waited for where it is not said, and how long the end of the process waits for it, in milliseconds. */
const [TIMEOUT, AT_EXIT] = [5000, 2000];

/** The logs that are open, as long as their engines are. */
const open = new Set();

function atExit() {
  for (const known of open) known.deref()?._end();
}

const nextTurn = () => new Promise((resolve) => { setImmediate(resolve); });

function milliseconds(value) {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw refused('timeout', 'a number of milliseconds is needed');
  return value;
}

/** A subscription to an engine's events. */
class LogHandle {
  #native;
  #callback;
  #closed = false;
  #scheduled = false;
  /** Promises of the callback that were rejected. */
  #late = 0;
  #known = new WeakRef(this);

  constructor(start, callback) {
    if (typeof start !== 'function') throw refused('log', 'a log is opened by `engine.log`');
    this.#callback = callback;
    this.#native = start(callback === undefined ? undefined : () => this.#drain());
    if (open.size === 0) process.on('exit', atExit);
    open.add(this.#known);
  }

  /** Tells some events; gives how many there were. */
  #tell() {
    const events = this.#native.fetch(TURN);
    let failed = 0;
    for (const event of events) {
      try {
        const told = this.#callback(JSON.parse(event));
        if (typeof told?.then === 'function') told.then(undefined, () => { this.#late += 1; });
      } catch {
        failed += 1;
      }
    }
    this.#native.fetched(failed);
    return events.length;
  }

  /** Tells what there is, in turns with whatever else waits for the event loop. */
  #drain() {
    if (this.#scheduled || this.#tell() === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#drain();
    });
  }

  #forget() {
    open.delete(this.#known);
    if (open.size === 0) process.off('exit', atExit);
  }

  /** At the end of the process: nothing is waited for but what is there. */
  _end() {
    const until = Date.now() + AT_EXIT;
    if (this.#callback !== undefined) while (this.#tell() > 0 && Date.now() < until);
    this.#native.close(AT_EXIT);
  }

  async #settle(timeout, close) {
    milliseconds(timeout);
    if (this.#callback === undefined) return this.#native.settle(timeout, close);
    if (close) this.#native.close(0);
    const until = Date.now() + timeout;
    for (;;) {
      if (this.#tell() === 0) return true;
      if (Date.now() >= until) return false;
      await nextTurn();
    }
  }

  async flush(timeout = TIMEOUT) {
    return this.#settle(timeout, false);
  }

  async close(timeout = TIMEOUT) {
    if (this.#closed) return true;
    this.#closed = true;
    try {
      return await this.#settle(timeout, true);
    } finally {
      this.#forget();
    }
  }

  get closed() {
    return this.#closed;
  }

  get counts() {
    const { delivered, dropped, failed } = JSON.parse(call(() => this.#native.counts()));
    return Object.freeze({ delivered: delivered - this.#late, dropped, failed: failed + this.#late });
  }

  get delivered() {
    return this.counts.delivered;
  }

  get dropped() {
    return this.counts.dropped;
  }

  get failed() {
    return this.counts.failed;
  }
}

/** A number from 0 to 1, as text. */
function part(value) {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw refused('sampleAllowed', 'a number from 0 to 1 is needed');
  return `"${value}"`;
}

/** The options as JSON, and the callback. */
function options(given) {
  const [parts, found] = [[], {}];
  for (const [key, value] of entries('log', given ?? {})) {
    if (value === null) continue;
    if (key === 'callback') {
      if (typeof value !== 'function') throw refused('callback', 'a function is needed');
      found.callback = value;
    } else if (key === 'path') parts.push(`"path":${string('path', value)}`);
    else parts.push(`${string('log', key)}:${key === 'sampleAllowed' ? part(value) : json(key, value)}`);
  }
  return { text: `{${parts.join(',')}}`, callback: found.callback };
}

function log(native, given) {
  const { text, callback } = options(given);
  return new LogHandle((wake) => call(() => native.log(text, wake)), callback);
}

module.exports = { LogHandle, log };
