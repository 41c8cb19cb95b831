// Why there is no answer, and a refusal that is thrown.
'use strict';

/**
 * Makes an error of its fields. `structuredClone`, `postMessage` and JSON copy all of them: a native error would lose its
 * `code` on the way to another thread, so none is made.
 */
function makeError(type, fields) {
  const made = Object.assign(Object.create(type.prototype), { name: type.title, ...fields });
  Error.captureStackTrace(made, type);
  return made;
}

/** Makes a class print and report as errors do, in another thread too. */
function printAsError(type) {
  Object.defineProperty(type.prototype, Symbol.toStringTag, { value: 'Error', configurable: true });
}

/** There is no answer. `code` is stable, `help` says what to do, `faults` lists what is wrong in files. */
class SubletError extends Error {
  static title = 'SubletError';

  constructor({ code, message, help = null, faults = [], cause }) {
    const made = makeError(new.target, { code, message, help, faults });
    if (cause !== undefined) because(made, cause);
    return made;
  }

  /** `input`, `bundle`, `directory`, `quota`, `billing`, `store` or `internal`. */
  get family() {
    return this.code.split('.')[0];
  }
}

/** An answer was no, and `orThrow` was asked to throw then. `code` is the answer's; `answer` is not printed and not copied. */
class DeniedError extends Error {
  static title = 'DeniedError';

  constructor(code, answer) {
    const made = makeError(new.target, { code, message: `denied: ${code}` });
    Object.defineProperty(made, 'answer', { value: answer, configurable: true });
    return made;
  }
}

printAsError(SubletError);
printAsError(DeniedError);

/** Says what an error comes from, as `new Error(text, { cause })` does. */
function because(error, cause) {
  return Object.defineProperty(error, 'cause', { value: cause, writable: true, configurable: true });
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

/**
 * Reads arguments. JavaScript's own refusals (a revoked proxy, a list that is too long for memory) become `input.value`; what a getter of
 * the host throws reaches the host.
 */
function reading(work) {
  try {
    return work();
  } catch (error) {
    throw unreadable(error);
  }
}

/** The error of arguments that JavaScript could not read; any other as it is. */
function unreadable(error) {
  if (!(error instanceof TypeError || error instanceof RangeError)) return error;
  return because(refused('arguments', `they cannot be read: ${String(error.message).slice(0, 200)}`), error);
}

/** The error of one request of many, with its index. */
function item(index, error) {
  const found = unreadable(error);
  if (!(found instanceof SubletError)) return found;
  return new SubletError({ code: 'input.item', message: `request ${index}: ${found.message} [${found.code}]`, help: 'no request of the list was answered', cause: found.cause });
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

module.exports = { DeniedError, SubletError, because, call, converted, item, reading, refused, unreadable, wellFormed };
