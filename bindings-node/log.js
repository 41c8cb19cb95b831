// Logs. A callback runs on the event loop, a few events in a turn. No log keeps the process alive.
'use strict';

const { performance } = require('node:perf_hooks');
const { DEFAULT_LOG_TIMEOUT_MS, LOGS_AT_EXIT_MS } = require('./sublet.node');
const { signalOf } = require('./abort.js');
const { replies } = require('./calls.js');
const { entries, fields, json, string } = require('./convert.js');
const { call, reading, refused } = require('./errors.js');

/** Events of one turn, at most and at first; fewer if a callback is slow. */
const [MAX_EVENTS, FIRST_EVENTS] = [256, 4];
/** Milliseconds that callbacks may take in one turn of the event loop. */
const MAX_TURN_MS = 5;
/** Longest pause between two checks of a file, in milliseconds. */
const MAX_PAUSE = 20;

/** The open logs. They live as long as their engines. */
const open = new Set();

/** Delivers the queued events of all logs together at the end of the process or worker. */
function atExit() {
  const until = performance.now() + LOGS_AT_EXIT_MS;
  const logs = [...open].map((known) => known.deref()).filter((log) => log !== undefined);
  for (const log of logs) log._end(0);
  for (const log of logs) log._deliverUntil(until);
  for (const log of logs) log._end(Math.max(0, Math.ceil(until - performance.now())));
}

const nextTurn = () => new Promise((resolve) => { setImmediate(resolve); });
const pause = (time) => new Promise((resolve) => { setTimeout(resolve, time); });

function milliseconds(value) {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw refused('timeout', 'milliseconds');
  return value;
}

/** Returns the signal of the options. */
function abortable(given = {}) {
  const rest = new Map(fields('options', given));
  const signal = rest.get('signal');
  rest.delete('signal');
  if (rest.size > 0) throw refused('options', 'unknown_option', [...rest.keys()][0]);
  return signal;
}

/** A subscription to an engine's events. */
class LogHandle {
  #native;
  #callback;
  #closed = false;
  #scheduled = false;
  #atOnce = FIRST_EVENTS;
  /** The number of rejected promises of the callback. */
  #late = 0;
  #known = new WeakRef(this);

  constructor(start, callback) {
    if (typeof start !== 'function') throw refused('LogHandle', 'constructor', 'engine.subscribe');
    this.#callback = callback;
    this.#native = start(callback === undefined ? undefined : () => this.#drain());
    if (open.size === 0) process.on('exit', atExit);
    open.add(this.#known);
  }

  /** Delivers some events, and returns their number. Events after `until` count as failed. */
  #deliver(until = Infinity) {
    const begun = performance.now();
    const events = this.#native.fetch(this.#atOnce);
    let failed = 0;
    for (const event of events) {
      if (until !== Infinity && performance.now() >= until) {
        failed += 1;
        continue;
      }
      try {
        const result = this.#callback(JSON.parse(event));
        // A new promise, so that a thenable of the host fails at most once.
        if ((typeof result === 'object' && result !== null) || typeof result === 'function') new Promise((resolve) => { resolve(result); }).catch(() => { this.#late += 1; });
      } catch {
        failed += 1;
      }
    }
    this.#native.fetched(failed);
    const isSlow = performance.now() - begun > MAX_TURN_MS;
    this.#atOnce = isSlow ? Math.max(1, this.#atOnce >> 2) : Math.min(MAX_EVENTS, this.#atOnce * 2);
    return events.length;
  }

  /** Delivers the queued events, in turns with other work of the event loop. */
  #drain() {
    if (this.#scheduled || this.#deliver() === 0) return;
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

  /** Delivers the queued events to a callback until the time is over. */
  _deliverUntil(until) {
    if (this.#callback !== undefined) while (performance.now() < until && this.#deliver(until) > 0);
  }

  /** Ends the subscription, and waits at most `timeout` milliseconds for a file. */
  _end(timeout) {
    return this.#native.close(timeout);
  }

  /** Polls until all events are delivered, because a waiting thread would be missing elsewhere. */
  async #waitFor(timeout, close, given) {
    milliseconds(timeout);
    const signal = signalOf(reading(() => abortable(given)));
    signal?.throwIfAborted();
    const until = performance.now() + timeout;
    if (close) this._end(0);
    for (let time = 1; ; time = Math.min(time * 2, MAX_PAUSE)) {
      if (this.#callback !== undefined ? this.#deliver() === 0 : close ? this._end(0) : this.#native.flush(0)) return true;
      if (performance.now() >= until) return false;
      await (this.#callback !== undefined ? nextTurn() : pause(time));
      signal?.throwIfAborted();
    }
  }

  async flush(timeout = DEFAULT_LOG_TIMEOUT_MS, options = undefined) {
    return this.#waitFor(timeout, false, options);
  }

  async close(timeout = DEFAULT_LOG_TIMEOUT_MS, options = undefined) {
    milliseconds(timeout);
    if (this.#closed) return true;
    this.#closed = true;
    try {
      return await this.#waitFor(timeout, true, options);
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

/** Converts a number from 0 to 1 to text. */
function part(value) {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw refused('sampleAllowed', 'sample_rate');
  return `"${value}"`;
}

/** Returns the options as JSON, and the callback. */
function options(given) {
  const parts = [];
  let callback;
  for (const [key, value] of entries('log', given ?? {})) {
    if (value === null) continue;
    if (key === 'callback') {
      if (typeof value !== 'function') throw refused('callback', 'function');
      callback = value;
    } else if (key === 'path') parts.push(`"path":${string('path', value)}`);
    else parts.push(`${string('log', key)}:${key === 'sampleAllowed' ? part(value) : json(key, value)}`);
  }
  return { text: `{${parts.join(',')}}`, callback };
}

function log(native, given) {
  const { text, callback } = reading(() => options(given));
  return new LogHandle((wake) => call(() => native.subscribe(replies, text, wake)), callback);
}

module.exports = { LogHandle, log };
