// Decisions of numbers, as `src/said.rs` writes them: made without a detour, since most of a call's time would go there, and
// without iterators, which a host may have replaced: none of its code runs before all is read.
'use strict';

const { NOTHING, quotaOf } = require('./count.js');
const { Decision } = require('./decision.js');

/** Says in the first word that it was counted; the lowest bit is the allow bit. */
const COUNTED = 4;
/** What is true of what was counted. */
const REPLAYED = 1;
const RECORDED = 2;
/** How a limit is said, of two bits. */
const NUMBER = 1;
const UNLIMITED = 2;
/** How many lists are remembered. */
const LISTS = 256;
const HIGH = 4294967296;

/** A low half, and a high one that has the sign. */
function wide(low, high) {
  const found = high * HIGH + low;
  return Number.isSafeInteger(found) ? found : ((BigInt(high) << 32n) + BigInt(low)).toString();
}

/** An integer of two words. */
const integer = (words, at) => (words[at + 1] === 0 ? words[at] : wide(words[at], words[at + 1] | 0));

/** The only integer without a sign. */
const operationOf = (words, at) => (words[at + 1] === 0 ? words[at] : wide(words[at], words[at + 1]));

/** A limit that is said so. */
function limit(how, words, at) {
  if (how === NUMBER) return integer(words, at);
  return how === UNLIMITED ? 'unlimited' : null;
}

/** Strings by number, and what is made of them once. */
class Said {
  constructor(strings = []) {
    this.strings = strings;
    this.lists = new Array(LISTS).fill(NOTHING);
    /** Where the decision after the last one starts. */
    this.next = 0;
  }

  /** Strings that are new, in order of their numbers. */
  learn(strings) {
    for (let index = 0; index < strings.length; index += 1) this.strings.push(strings[index]);
  }

  /** The strings of that many numbers; equal lists are mostly one. */
  list(words, at, length) {
    if (length === 0) return NOTHING;
    let place = length;
    for (let index = at; index < at + length; index += 1) place = (place * 31 + words[index]) & (LISTS - 1);
    const near = this.lists[place];
    if (near.length === length) {
      let index = 0;
      while (index < length && near[index] === this.strings[words[at + index]]) index += 1;
      if (index === length) return near;
    }
    const found = [];
    for (let index = at; index < at + length; index += 1) found.push(this.strings[words[index]]);
    this.lists[place] = Object.freeze(found);
    return found;
  }

  /** The decision at `at`. A member whom its counts are of is `asker`. */
  read(words, at, asker) {
    const first = words[at];
    const low = words[at + 1];
    const high = words[at + 2];
    const revision = high === 0 ? low : wide(low, high);
    const length = words[at + 5];
    const more = words[at + 6];
    const code = this.strings[words[at + 3]];
    const bundle = this.strings[words[at + 4]];
    const policies = this.list(words, at + 7, length);
    const advice = this.list(words, at + 7 + length, more);
    const from = at + 7 + length + more;
    this.next = from;
    if (first < COUNTED) return new Decision(first === 1, code, policies, advice, NOTHING, null, null, revision, bundle, NOTHING, null, false, null);
    const is = words[from + 1];
    const quota = this.quotas(words, from + 4, words[from], asker);
    const operation = (is & RECORDED) === 0 ? null : operationOf(words, from + 2);
    return new Decision((first & 1) === 1, code, policies, advice, NOTHING, null, null, revision, bundle, quota, operation, (is & REPLAYED) !== 0, null);
  }

  /** So many quotas, the first of which is at `at`. */
  quotas(words, at, count, asker) {
    this.next = at;
    if (count === 0) return NOTHING;
    const found = [this.quota(words, at, asker)];
    for (let index = 1; index < count; index += 1) found.push(this.quota(words, this.next, asker));
    return Object.freeze(found);
  }

  quota(words, at, asker) {
    const resets = words[at + 2];
    const how = words[at + 3];
    const member = how < 256 ? null : this.member(words, at + 20, how >> 8, asker);
    this.next = at + (how < 256 ? 20 : 28);
    return quotaOf(
      this.strings[words[at]],
      integer(words, at + 4),
      integer(words, at + 6),
      integer(words, at + 8),
      limit(how & 3, words, at + 10),
      this.strings[words[at + 1]],
      limit((how >> 2) & 3, words, at + 12),
      limit((how >> 4) & 3, words, at + 14),
      integer(words, at + 16),
      limit((how >> 6) & 3, words, at + 18),
      resets === 0 ? null : this.strings[resets - 1],
      member,
    );
  }

  member(words, at, how, id) {
    return Object.freeze({ id, used: integer(words, at), held: integer(words, at + 2), limit: limit(how & 3, words, at + 4), remaining: limit(how >> 2, words, at + 6) });
  }
}

module.exports = { Said };
