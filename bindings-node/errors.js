// The errors of the engine, and the error of a refusal. The core has the texts of all errors, also of
// those that JavaScript finds.
'use strict';

const native = require('./sublet.node');

/**
 * Makes an error of its fields. `structuredClone`, `postMessage` and JSON copy all of them. It is no
 * native error, because that would lose its `code` on the way to another thread.
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

/** Returns the error with this code. `values` are the texts in its message. */
function engineError(code, ...values) {
  return new SubletError(JSON.parse(native.error(code, values)));
}

/**
 * Returns the error of an argument. `fault` is the name of an `ArgumentFault` of the core, and
 * `detail` a name, a type or a number in its text.
 */
function refused(what, fault, detail = '') {
  return new SubletError(JSON.parse(native.argumentError(what, fault, String(detail))));
}

/** Returns a string that has a UTF-8 form; refuses other values. */
function wellFormed(what, value) {
  if (typeof value !== 'string') throw refused(what, 'string', value === null ? 'null' : typeof value);
  if (!value.isWellFormed()) throw refused(what, 'lone_surrogate');
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
  return withCause(refused('arguments', 'unreadable', String(error.message).slice(0, 200)), error);
}

/** Wraps the error of one request of a batch with its index. */
function item(index, error) {
  const readable = unreadable(error);
  if (!(readable instanceof SubletError)) return readable;
  const made = engineError('input.item', String(index), readable.code, readable.message);
  return readable.cause === undefined ? made : withCause(made, readable.cause);
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

module.exports = { DeniedError, SubletError, withCause, call, converted, engineError, item, reading, refused, unreadable, wellFormed };
