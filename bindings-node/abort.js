// AbortSignals. A signal has one listener, however many calls listen to it.
'use strict';

const { reading, refused } = require('./errors.js');

/** What listens to each signal. */
const waiting = new WeakMap();

function listen(signal, give) {
  let known = waiting.get(signal);
  if (known === undefined) {
    const calls = new Set();
    known = { calls, tell: () => [...calls].forEach((each) => each()) };
    waiting.set(signal, known);
  }
  if (known.calls.size === 0) signal.addEventListener('abort', known.tell);
  known.calls.add(give);
}

function unlisten(signal, give) {
  const known = waiting.get(signal);
  known.calls.delete(give);
  if (known.calls.size === 0) signal.removeEventListener('abort', known.tell);
}

/** The signal of an option; undefined, if there is none. */
function signalOf(value) {
  if (value === undefined || value === null) return undefined;
  const wrong = () => refused('signal', 'an AbortSignal is needed');
  if (!reading(() => value instanceof AbortSignal)) throw wrong();
  // A proxy of a signal, or an object of its prototype, answers nothing.
  try {
    void value.aborted;
  } catch {
    throw wrong();
  }
  return value;
}

/** The arguments of a form that can be given up: without `signal`, and it. */
function apart(given, at) {
  return reading(() => {
    const options = given[at];
    if (typeof options !== 'object' || options === null || !('signal' in options)) return [given, undefined];
    const { signal, ...others } = options;
    return [given.with(at, others), signalOf(signal)];
  });
}

module.exports = { apart, listen, signalOf, unlisten };
