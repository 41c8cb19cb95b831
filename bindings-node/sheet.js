// Rows of requests as the addon reads them: numbers of handles, lengths of ids, and what a call takes
// beside its request. `src/shared_rows.rs` declares the row. The ids and keys of a batch cross as bytes.
'use strict';

/** Words of a row. */
const ROW = 13;
/** Index of the length of a key in a row. */
const KEY = 9;
/** Index of an amount in a row: its low half, then its high half. */
const AMOUNT = 10;
const FLAGS = 12;
/** The flags of a row: it crosses as text, it has an amount, it takes what is left. */
const IN_TEXT = 1;
const HAS_AMOUNT = 2;
const PARTIAL = 4;
/** Longest id or key in UTF-16 units that crosses here; longer ones cross as text. */
const MAX_ID_UNITS = 1024;
/** Largest size of three ids and a key in bytes. */
const MAX_ID_BYTES = 4 * 3 * MAX_ID_UNITS;
const HIGH = 4294967296;
const { isSafeInteger } = Number;
const encoder = new TextEncoder();

/** Returns whether an amount crosses as a number: 0 and more, and exact. */
const isPlainAmount = (amount) => isSafeInteger(amount) && amount >= 0;

/** Writes an integer of two words: its low half, then its high half. */
function writeWide(words, at, integer) {
  words[at] = integer;
  words[at + 1] = integer / HIGH;
}

/**
 * Writes what a call takes beside its request into the row at `at`: an amount or undefined, and a key
 * and a flag or none. Returns false if one of them is not plain.
 */
function writeOptions(words, at, amount, key, partial) {
  const isKeyed = key !== undefined && key !== null;
  if (isKeyed && (typeof key !== 'string' || key.length > MAX_ID_UNITS)) return false;
  if (partial !== undefined && partial !== null && typeof partial !== 'boolean') return false;
  let flags = partial === true ? PARTIAL : 0;
  if (amount !== undefined) {
    if (!isPlainAmount(amount)) return false;
    writeWide(words, at + AMOUNT, amount);
    flags |= HAS_AMOUNT;
  }
  words[at + KEY] = isKeyed ? 1 : 0;
  words[at + FLAGS] = flags;
  return true;
}

/** The rows of a batch, and the bytes of their ids. */
class Sheet {
  constructor(rows) {
    this.rows = rows;
    this.words = new Uint32Array(rows * ROW);
    this.bytes = new Uint8Array(MAX_ID_BYTES + rows * 40);
    this.row = 0;
    this.at = 0;
    /** The id of the principal of each row of a batch that consumes. */
    this.names = [];
  }

  /** Clears the sheet for other rows. */
  cleared() {
    this.row = 0;
    this.at = 0;
    this.names = [];
    return this;
  }

  /** Marks the next row as a request that crosses as text. */
  pushText() {
    this.words[this.row + FLAGS] = IN_TEXT;
    this.row += ROW;
  }

  /**
   * Writes the ids and the key of the next row, those that are strings. Returns false, and writes
   * nothing that counts, if one has no UTF-8 form.
   */
  writeIds(principalId, resourceId, account, key) {
    if (this.at + MAX_ID_BYTES > this.bytes.length) this.grow();
    const { words, row, at } = this;
    const principalLength = this.write(principalId);
    const length = this.write(resourceId);
    const accountLength = this.write(account);
    const keyLength = this.write(key);
    if (principalLength < 0 || length < 0 || accountLength < 0 || keyLength < 0) {
      this.at = at;
      return false;
    }
    words[row + 2] = principalLength;
    words[row + 5] = length;
    words[row + 7] = typeof account === 'string' ? accountLength + 1 : 0;
    words[row + KEY] = typeof key === 'string' ? keyLength + 1 : 0;
    return true;
  }

  /** Doubles the space for ids. */
  grow() {
    const bytes = new Uint8Array(this.bytes.length * 2);
    bytes.set(this.bytes);
    this.bytes = bytes;
  }

  /** Writes an id if it is a string. Returns its length in bytes, or -1 if it has no UTF-8 form. */
  write(id) {
    if (typeof id !== 'string') return 0;
    const { bytes, at } = this;
    const { length } = id;
    let all = 0;
    let index = 0;
    // Two units for each turn, because the loop costs as much as its body.
    for (; index + 1 < length; index += 2) {
      const one = id.charCodeAt(index);
      const two = id.charCodeAt(index + 1);
      all |= one | two;
      bytes[at + index] = one;
      bytes[at + index + 1] = two;
    }
    if (index < length) {
      const last = id.charCodeAt(index);
      all |= last;
      bytes[at + index] = last;
    }
    if (all > 127) return this.writeEncoded(id);
    this.at = at + length;
    return length;
  }

  writeEncoded(id) {
    if (!id.isWellFormed()) return -1;
    const { written } = encoder.encodeInto(id, this.bytes.subarray(this.at));
    this.at += written;
    return written;
  }
}

module.exports = { MAX_ID_UNITS, ROW, Sheet, isPlainAmount, writeOptions, writeWide };
