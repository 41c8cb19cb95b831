// Calls that are answered later, by a thread of the addon's own. The event loop goes on as long as an answer is missing, and
// not because of a thread.
'use strict';

const native = require('./sublet.node');
const { listen, unlisten } = require('./abort.js');
const { call, converted } = require('./errors.js');

/** What is done with the answer of each call that has none yet, by the call's number. */
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
  if (missing.size === 0) replies.hold(false);
}

/** The number of a call that `answered` is called for. */
function remember(answered) {
  last += 1;
  if (missing.size === 0) replies.hold(true);
  missing.set(last, answered);
  return last;
}

/**
 * Starts a call and gives a promise of what `read` makes of its answer. An aborted `signal` gives the call up before it begins and
 * while it waits for the store's lock: then nothing was done, and the promise is rejected with `reason()`.
 */
function later(signal, start, read, reason = () => signal.reason) {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    let begun;
    let id;
    // What works already is answered: it may have been taken.
    const give = () => {
      if (!begun.cancel()) return;
      forget(id);
      unlisten(signal, give);
      reject(reason());
    };
    id = remember(() => {
      if (signal !== undefined) unlisten(signal, give);
      try {
        resolve(read(begun));
      } catch (error) {
        const found = converted(error);
        reject(signal?.aborted && found.code === 'store.interrupted' ? reason() : found);
      }
    });
    try {
      begun = call(() => start(replies, id));
    } catch (error) {
      forget(id);
      throw error;
    }
    if (signal !== undefined) listen(signal, give);
  });
}

module.exports = { later, replies };
