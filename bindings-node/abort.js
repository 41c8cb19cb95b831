// AbortSignals. A signal has one listener, however many calls listen to it.
'use strict';

const { reading, refused } = require('./errors.js');

/** The listeners of each signal. */
const waiting = new WeakMap();

function listen(signal, cancel) {
  let known = waiting.get(signal);
  if (known === undefined) {
    const calls = new Set();
    known = { calls, notify: () => [...calls].forEach((each) => each()) };
    waiting.set(signal, known);
  }
  if (known.calls.size === 0) signal.addEventListener('abort', known.notify);
  known.calls.add(cancel);
}

function unlisten(signal, cancel) {
  const known = waiting.get(signal);
  known.calls.delete(cancel);
  if (known.calls.size === 0) signal.removeEventListener('abort', known.notify);
}

/** Returns the signal of an option, or undefined if there is none. */
function signalOf(value) {
  if (value === undefined || value === null) return undefined;
  const wrong = () => refused('signal', 'instance', 'AbortSignal');
  if (!reading(() => value instanceof AbortSignal)) throw wrong();
  // A proxy of a signal, or an object with its prototype, fails here.
  try {
    void value.aborted;
  } catch {
    throw wrong();
  }
  return value;
}

/** Splits the arguments of an `Async` form: the arguments without `signal`, and the signal. */
function splitSignal(given, at) {
  return reading(() => {
    const options = given[at];
    if (typeof options !== 'object' || options === null || !('signal' in options)) return [given, undefined];
    const { signal, ...others } = options;
    return [given.with(at, others), signalOf(signal)];
  });
}

module.exports = { listen, signalOf, splitSignal, unlisten };
