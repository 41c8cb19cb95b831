// Why there is no answer.
'use strict';

/** There is no answer. `code` is stable, `help` says what to do, `faults` lists what is wrong in files. */
class SubletError extends Error {
  constructor({ code, message, help = null, faults = [] }) {
    super(message);
    this.name = 'SubletError';
    this.code = code;
    this.help = help;
    this.faults = faults;
  }

  /** `input`, `bundle`, `directory`, `quota`, `billing`, `store` or `internal`. */
  get family() {
    return this.code.split('.')[0];
  }
}

function refused(what, reason) {
  return new SubletError({ code: 'input.value', message: `${what}: ${reason}`, help: 'values are booleans, 64-bit integers, strings, lists and records' });
}

/** A string that has UTF-8 bytes. */
function wellFormed(what, value) {
  if (typeof value !== 'string') throw refused(what, `a ${value === null ? 'null' : typeof value} where a string is needed`);
  if (!value.isWellFormed()) throw refused(what, 'a string with a lone surrogate');
  return value;
}

/** The error of one request of many, with its index. */
function item(index, error) {
  if (!(error instanceof SubletError)) return error;
  return new SubletError({ code: 'input.item', message: `request ${index}: ${error.message} [${error.code}]`, help: 'no request of the list was answered' });
}

/** What the addon threw, as a `SubletError`. */
function converted(error) {
  if (error instanceof SubletError || typeof error?.message !== 'string' || !error.message.startsWith('{')) return error;
  return new SubletError(JSON.parse(error.message));
}

/** Calls the addon; its errors become `SubletError`s. */
function call(work) {
  try {
    return work();
  } catch (error) {
    throw converted(error);
  }
}

module.exports = { SubletError, call, converted, item, refused, wellFormed };
