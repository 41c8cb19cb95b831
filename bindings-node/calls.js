// Calls off the event loop, on threads of the addon. A missing answer keeps the event loop alive; a
// thread does not.
'use strict';

const native = require('./sublet.node');
const { listen, unlisten } = require('./abort.js');
const { call, converted } = require('./errors.js');

/** Callbacks of the calls without an answer, by the call's number. */
const missing = new Map();
let last = 0;

const replies = new native.NativeReplies(fetch);

function fetch() {
  for (const id of replies.fetch()) {
    const answered = missing.get(id);
    forget(id);
    answered();
  }
}

function forget(id) {
  missing.delete(id);
  if (missing.size === 0) replies.keepAlive(false);
}

/** Registers the callback of a call, and returns the call's number. */
function remember(answered) {
  last += 1;
  if (missing.size === 0) replies.keepAlive(true);
  missing.set(last, answered);
  return last;
}

/**
 * Starts a call, and returns a promise of what `read` makes of its answer. An aborted `signal` cancels
 * the call before it starts and while it waits for the store's lock. Then nothing was done, and the
 * promise rejects with `reason()`.
 */
function later(signal, start, read, reason = () => signal.reason) {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    let begun;
    let id;
    // A call that has started is answered, because it may have written already.
    const cancel = () => {
      if (!begun.cancel()) return;
      forget(id);
      unlisten(signal, cancel);
      reject(reason());
    };
    id = remember(() => {
      if (signal !== undefined) unlisten(signal, cancel);
      try {
        resolve(read(begun));
      } catch (error) {
        const failure = converted(error);
        reject(signal?.aborted && failure.code === 'store.interrupted' ? reason() : failure);
      }
    });
    try {
      begun = call(() => start(replies, id));
    } catch (error) {
      forget(id);
      throw error;
    }
    if (signal !== undefined) listen(signal, cancel);
  });
}

module.exports = { later, replies };
