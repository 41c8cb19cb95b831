// The errors of the engine, and the error of a refusal.
'use strict';

/**
 * Makes an error of its fields. `structuredClone`, `postMessage` and JSON copy all of them. It is no
 * native error, withCause that would lose its `code` on the way to another thread.
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

/** An error of the engine: there is no answer. */
class SubletError extends Error {
  static title = 'SubletError';

  constructor({ code, message, help = null, faults = [], cause }) {
    const made = makeError(new.target, { code, message, help, faults });
    if (cause !== undefined) withCause(made, cause);
    return made;
  }

  /** Returns `input`, `bundle`, `directory`, `quota`, `billing`, `store` or `internal`. */
  get family() {
    return this.code.split('.')[0];
  }
}

/** The error of `orThrow` for an answer that refuses. `answer` is not printed and not copied. */
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

/** Sets the cause of an error, as `new Error(text, { cause })` does. */
function withCause(error, cause) {
  return Object.defineProperty(error, 'cause', { value: cause, writable: true, configurable: true });
}

function refused(what, reason) {
  return new SubletError({ code: 'input.value', message: `${what}: ${reason}`, help: 'values are booleans, 64-bit integers, strings, lists and records' });
}

/** Returns a string that has a UTF-8 form; refuses other values. */
function wellFormed(what, value) {
  if (typeof value !== 'string') throw refused(what, `a ${value === null ? 'null' : typeof value} where a string is needed`);
  if (!value.isWellFormed()) throw refused(what, 'a string with a lone surrogate');
  return value;
}

/**
 * Reads arguments. Errors of JavaScript itself (a revoked proxy, a list too long for memory) become
 * `input.value`. An error of a getter of the host reaches the host.
 */
function reading(work) {
  try {
    return work();
  } catch (error) {
    throw unreadable(error);
  }
}

/** Converts the error of arguments that JavaScript could not read; returns any other unchanged. */
function unreadable(error) {
  if (!(error instanceof TypeError || error instanceof RangeError)) return error;
  return withCause(refused('arguments', `they cannot be read: ${String(error.message).slice(0, 200)}`), error);
}

/** Wraps the error of one request of a batch with its index. */
function item(index, error) {
  const found = unreadable(error);
  if (!(found instanceof SubletError)) return found;
  return new SubletError({ code: 'input.item', message: `request ${index}: ${found.message} [${found.code}]`, help: 'no request of the list was answered', cause: found.cause });
}

/** Converts an error of the addon to a `SubletError`. */
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

module.exports = { DeniedError, SubletError, withCause, call, converted, item, reading, refused, unreadable, wellFormed };
