// Decodes decisions from the numbers that `src/decision_codec.rs` writes. It uses no intermediate
// objects, because they would take most of a call's time. It uses no iterators, because the host may
// have replaced them: no code of the host runs before all is read.
'use strict';

const { NOTHING, quotaOf, receiptOf } = require('./quota.js');
const { Decision } = require('./decision.js');

/** Flag in the first word: the decision has a receipt. The lowest bit is the allow bit. */
const COUNTED = 4;
/** Flags of a receipt. */
const REPLAYED = 1;
const RECORDED = 2;
/** Kinds of a limit, of two bits. */
const NUMBER = 1;
const UNLIMITED = 2;
/** Size of the cache of lists. */
const LISTS = 256;
const HIGH = 4294967296;

/** Joins a low half, and a high half with the sign. */
function wide(low, high) {
  const sum = high * HIGH + low;
  return Number.isSafeInteger(sum) ? sum : ((BigInt(high) << 32n) + BigInt(low)).toString();
}

/** Reads an integer of two words. */
const integer = (words, at) => (words[at + 1] === 0 ? words[at] : wide(words[at], words[at + 1] | 0));

/** Reads an operation, the only unsigned integer. */
const operationOf = (words, at) => (words[at + 1] === 0 ? words[at] : wide(words[at], words[at + 1]));

/** Reads a limit of this kind. */
function limit(how, words, at) {
  if (how === NUMBER) return integer(words, at);
  return how === UNLIMITED ? 'unlimited' : null;
}

/** A decoder with the strings by number, and a cache of lists. */
class DecisionDecoder {
  constructor(strings = []) {
    this.strings = strings;
    this.lists = new Array(LISTS).fill(NOTHING);
    /** Index at which the next decision starts. */
    this.next = 0;
  }

  /** Adds new strings in order of their numbers. */
  learn(strings) {
    for (let index = 0; index < strings.length; index += 1) this.strings.push(strings[index]);
  }

  /** Returns the strings of a list of numbers. Most equal lists share one array. */
  list(words, at, length) {
    if (length === 0) return NOTHING;
    let slot = length;
    for (let index = at; index < at + length; index += 1) slot = (slot * 31 + words[index]) & (LISTS - 1);
    const cached = this.lists[slot];
    if (cached.length === length) {
      let index = 0;
      while (index < length && cached[index] === this.strings[words[at + index]]) index += 1;
      if (index === length) return cached;
    }
    const strings = [];
    for (let index = at; index < at + length; index += 1) strings.push(this.strings[words[index]]);
    this.lists[slot] = Object.freeze(strings);
    return strings;
  }

  /**
   * Reads the decision at `at`. `principalId` is the id of a member in its quotas, and `expiresAt` the
   * instant at which its reservation expires.
   */
  read(words, at, principalId, expiresAt = null) {
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
    const quota = this.quotas(words, from + 4, words[from], principalId);
    const operation = (is & RECORDED) === 0 ? null : operationOf(words, from + 2);
    return new Decision((first & 1) === 1, code, policies, advice, NOTHING, null, null, revision, bundle, quota, operation, (is & REPLAYED) !== 0, expiresAt);
  }

  /** Reads the receipt at `at`. `memberId` is the id of a member in its quotas. */
  receipt(words, at, memberId) {
    const is = words[at + 1];
    const quota = this.quotas(words, at + 4, words[at], memberId);
    const operation = (is & RECORDED) === 0 ? null : operationOf(words, at + 2);
    return receiptOf(quota, operation, (is & REPLAYED) !== 0, null);
  }

  /** Reads `count` quotas, the first of which is at `at`. */
  quotas(words, at, count, principalId) {
    this.next = at;
    if (count === 0) return NOTHING;
    const quotas = [this.quota(words, at, principalId)];
    for (let index = 1; index < count; index += 1) quotas.push(this.quota(words, this.next, principalId));
    return Object.freeze(quotas);
  }

  quota(words, at, principalId) {
    const resets = words[at + 2];
    const how = words[at + 3];
    const member = how < 256 ? null : this.member(words, at + 20, how >> 8, principalId);
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

module.exports = { DecisionDecoder };
