// Calls that are given up by an AbortSignal while they wait for a thread. A signal has one listener, however many wait for it.
'use strict';

const native = require('./sublet.node');
const { refused } = require('./errors.js');

/** What waits for each signal. */
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
  if (!(value instanceof AbortSignal)) throw refused('signal', 'an AbortSignal is needed');
  return value;
}

/** The answer of what `start` begins, or the signal's reason if it is aborted before that has its turn. */
function unlessAborted(given, start) {
  const signal = signalOf(given);
  if (signal === undefined) return start(undefined);
  signal.throwIfAborted();
  const turn = new native.NativeTurn();
  return new Promise((resolve, reject) => {
    // What has begun is answered: it may have been taken.
    const give = () => {
      if (turn.giveUp()) reject(signal.reason);
    };
    // First: what does not start leaves no listener behind.
    const begun = start(turn);
    listen(signal, give);
    begun.then(resolve, reject).finally(() => unlisten(signal, give));
  });
}

/** The arguments of a form that can be given up: without `signal`, and it. */
function apart(given, at) {
  const options = given[at];
  if (typeof options !== 'object' || options === null || !('signal' in options)) return [given, undefined];
  const { signal, ...others } = options;
  return [given.with(at, others), signal];
}

module.exports = { apart, listen, signalOf, unlessAborted, unlisten };
