// The engine for Node. Types and documentation: `index.d.ts`.
'use strict';

const native = require('./sublet.node');
const { DEFAULT_AMOUNT } = native;
const { listen, signalOf, splitSignal, unlisten } = require('./abort.js');
const { verifyDraw } = require('./billing.js');
const { later } = require('./calls.js');
const { ANSWER, OPTIONS, UNANSWERED, answer, fastCall, fastFollowUp, principalIdOf, takeDeferred } = require('./fast_call.js');
const { ManualClock } = require('./clock.js');
const { action: actionOf, entries, fields, host: hostOf, items, reference, string } = require('./convert.js');
const { counted, counted64, revision } = require('./quota.js');
const { isPlainAmount } = require('./sheet.js');
const { Decision, decision } = require('./decision.js');
const { DeniedError, SubletError, withCause, call, engineError, reading, refused, unreadable, wellFormed } = require('./errors.js');
const { Action, Host, Principal, ResourceType, callBuffers } = require('./handles.js');
const { LogHandle, log } = require('./log.js');
const { booleans, consumeBatch, decisionsAsync, decisionsOf, evaluateBatch, evaluateBatchAsync } = require('./batch.js');
const { cedarOptions, openOptions } = require('./options.js');
const { DecisionDecoder } = require('./decision_codec.js');
const { Methods } = require('./methods.js');

/** The decoder of single decisions, with their strings. */
let decoder = new DecisionDecoder();

/** Returns the error of a request that has no answer. A text that starts with `!` is the engine's error. */
function unanswered(text) {
  return text?.startsWith('!') ? new SubletError(JSON.parse(text.slice(1))) : engineError('internal.panic');
}

/** Start of a reply whose answer is in the memory: what its numbers leave out follows. */
const LEFT_OUT = '=';

/** Returns whether the answer is in the memory, and learns its strings. Throws the error of a reply. */
function isInMemory(reply) {
  if (reply !== undefined && reply[0] !== LEFT_OUT) {
    if (reply.startsWith('!')) throw unanswered(reply);
    return false;
  }
  const update = answer[ANSWER];
  if (update !== 0) {
    if (update >= UNANSWERED) throw unanswered(undefined);
    if (update === 2) decoder = new DecisionDecoder();
    decoder.learn(callBuffers.strings());
  }
  return true;
}

/** Returns the decision of a reply. Its numbers leave out the instant at which a reservation expires. */
function decided(reply, principal) {
  if (!isInMemory(reply)) return decision(JSON.parse(reply));
  return decoder.read(answer, ANSWER + 1, principalIdOf(principal), reply === undefined ? null : reply.slice(1));
}

/** Returns the receipt of a reply. Its numbers leave out the id of the member. */
function received(reply) {
  if (!isInMemory(reply)) return counted(JSON.parse(reply));
  return decoder.receipt(answer, ANSWER + 1, reply === undefined ? '' : reply.slice(1));
}

/** Milliseconds between two reports of an import's progress. */
const REPORT_INTERVAL_MS = 50;

/** Reports the progress of an import from a timer, so that neither waits for the other. */
function reportProgress(watch, progress) {
  const report = { thrown: null, timer: null, send: () => {} };
  if (progress === undefined) return report;
  // Nothing was read yet. After it returns false, `progress` is not called again.
  let [last, goesOn] = ['0', true];
  report.send = () => {
    const [records, bytes] = watch.progress();
    if (!goesOn || last === bytes) return;
    last = bytes;
    try {
      goesOn = progress({ records: counted64(records), bytes: counted64(bytes) }) !== false;
    } catch (error) {
      report.thrown = { error };
      goesOn = false;
    }
    if (!goesOn) watch.stop();
  };
  report.timer = setInterval(report.send, REPORT_INTERVAL_MS);
  return report;
}

/** Returns the error of an import that was stopped before it read anything. */
const stoppedAtStart = () => engineError('directory.cancelled');

const IMPORT_OPTIONS = ['progress', 'expectedRevision', 'signal'];

/** Parses the options of an import. */
function importOptions(given = {}) {
  const options = new Map(fields('options', given));
  const unknown = [...options.keys()].find((name) => !IMPORT_OPTIONS.includes(name));
  if (unknown !== undefined) throw refused('options', 'unknown_option', unknown);
  const progress = options.get('progress') ?? undefined;
  if (progress !== undefined && typeof progress !== 'function') throw refused('progress', 'function');
  const expected = options.get('expectedRevision') ?? null;
  return { progress, expected: expected === null ? null : revision(expected), signal: signalOf(options.get('signal')) };
}

/** Makes a single request, and converts errors of its reading. */
function request(native, known, principal, action, resource, options, amount, ttl) {
  try {
    return fastCall(native, known, principal, action, resource, options, amount, ttl);
  } catch (error) {
    throw unreadable(error);
  }
}

/** Follows up an operation, and converts errors of the reading. */
function followUp(native, known, operation, options) {
  try {
    return fastFollowUp(native, known, operation, options);
  } catch (error) {
    throw unreadable(error);
  }
}

/** A policy engine inside this process. */
class Engine extends Methods {
  #native;
  #check;
  #authorize;
  #consume;
  #reserve;
  #commit;
  #release;
  #refund;
  #mayWait;
  /** The open logs. They live as long as the engine. */
  #logs = [];

  constructor(key, opened) {
    if (key !== native) throw refused('Engine', 'constructor', 'Engine.open');
    super(opened);
    this.#native = opened;
    [this.#check, this.#authorize, this.#consume, this.#reserve, this.#commit, this.#release, this.#refund] = opened.functions(callBuffers);
    this.#mayWait = call(() => opened.touchesFiles());
  }

  static open(policies, more) {
    const { text, time } = openOptions(policies, more);
    return new Engine(native, call(() => native.NativeEngine.open(text, time)));
  }

  static async openAsync(policies, more) {
    const [[, given], signal] = splitSignal([policies, more], 1);
    const { text, time } = openOptions(policies, given);
    return later(signal, (replies, id) => native.NativeEngine.startOpen(replies, id, text, time), (opened) => new Engine(native, opened.engine()));
  }

  static cedar(given) {
    const { text, time } = cedarOptions(given);
    return new Engine(native, call(() => native.NativeEngine.open(text, time)));
  }

  static async cedarAsync(given, more) {
    const [, signal] = splitSignal([given, more], 1);
    const { text, time } = cedarOptions(given);
    return later(signal, (replies, id) => native.NativeEngine.startOpen(replies, id, text, time), (opened) => new Engine(native, opened.engine()));
  }

  bundle() {
    return JSON.parse(call(() => this.#native.bundle()));
  }

  get revision() {
    return counted64(call(() => this.#native.revision()));
  }

  authorize(principal, action, resource, environment) {
    const reply = request(this.#authorize, OPTIONS.ask, principal, action, resource, environment);
    if (reply !== null) return decided(reply, principal);
    const deferred = takeDeferred();
    return super.authorize(deferred.principal, deferred.action, deferred.resource, deferred.environment);
  }

  check(principal, action, resource, environment) {
    const reply = request(this.#check, OPTIONS.ask, principal, action, resource, environment);
    if (reply === undefined && answer[ANSWER] < UNANSWERED) return answer[ANSWER] === 1;
    if (reply !== null) throw unanswered(reply);
    const deferred = takeDeferred();
    return super.check(deferred.principal, deferred.action, deferred.resource, deferred.environment);
  }

  loginHosts(principal, more = {}) {
    const [login, name, flow, after] = reading(() => {
      const { host, after: from, action, ...others } = Object.fromEntries(entries('options', more));
      const [unknown] = Object.keys(others);
      if (unknown !== undefined) throw refused('options', 'unknown_option', unknown);
      const named = action === undefined || action === null ? undefined : JSON.parse(actionOf(action));
      return [
        JSON.parse(reference('principal', principal)),
        host === undefined || host === null ? undefined : JSON.parse(hostOf(host)),
        typeof named === 'string' ? ['Action', named] : named,
        from === undefined || from === null ? undefined : wellFormed('after', from),
      ];
    });
    const answered = JSON.parse(call(() => this.#native.loginHosts(login, name, flow, after)));
    return { ...answered, decision: decision(answered.decision) };
  }

  authorizeMany(given) {
    return decisionsOf(evaluateBatch(this.#native, given, false));
  }

  checkMany(given) {
    return booleans(evaluateBatch(this.#native, given, true).bits);
  }

  async authorizeManyAsync(given, more) {
    const [, signal] = splitSignal([given, more], 1);
    return decisionsAsync(await evaluateBatchAsync(this.#native, given, false, signal));
  }

  async checkManyAsync(given, more) {
    const [, signal] = splitSignal([given, more], 1);
    return booleans((await evaluateBatchAsync(this.#native, given, true, signal)).bits);
  }

  consume(principal, action, resource, amount = DEFAULT_AMOUNT, more) {
    if (!isPlainAmount(amount)) return super.consume(principal, action, resource, amount, more);
    const reply = request(this.#consume, OPTIONS.consume, principal, action, resource, more, amount);
    if (reply !== null) return decided(reply, principal);
    const deferred = takeDeferred();
    return super.consume(deferred.principal, deferred.action, deferred.resource, amount, deferred.environment);
  }

  reserve(principal, action, resource, amount, ttl, more) {
    // A time of 0 is refused there; here it stands for the default.
    const isPlain = isPlainAmount(amount) && (ttl === undefined || ttl === null || (isPlainAmount(ttl) && ttl > 0));
    if (!isPlain) return super.reserve(principal, action, resource, amount, ttl, more);
    const reply = request(this.#reserve, OPTIONS.reserve, principal, action, resource, more, amount, ttl ?? 0);
    if (reply !== null) return decided(reply, principal);
    const deferred = takeDeferred();
    return super.reserve(deferred.principal, deferred.action, deferred.resource, amount, ttl, deferred.environment);
  }

  commit(operation, more) {
    const reply = followUp(this.#commit, OPTIONS.commit, operation, more);
    return reply === null ? super.commit(operation, takeDeferred()) : received(reply);
  }

  release(operation, more) {
    const reply = followUp(this.#release, OPTIONS.release, operation, more);
    return reply === null ? super.release(operation, takeDeferred()) : received(reply);
  }

  refund(operation, more) {
    const reply = followUp(this.#refund, OPTIONS.refund, operation, more);
    return reply === null ? super.refund(operation, takeDeferred()) : received(reply);
  }

  batch(given) {
    return consumeBatch(this.#native, given);
  }

  /** A store in memory never waits, so that a thread would cost many times the call. */
  async consumeAsync(principal, action, resource, amount = DEFAULT_AMOUNT, more) {
    if (this.#mayWait) return super.consumeAsync(principal, action, resource, amount, more);
    const [[options], signal] = splitSignal([more], 0);
    signal?.throwIfAborted();
    return this.consume(principal, action, resource, amount, options);
  }

  subscribe(given) {
    this.#logs = this.#logs.filter((known) => !known.closed);
    const made = log(this.#native, given);
    this.#logs.push(made);
    return made;
  }

  enableMetrics(on = true) {
    if (typeof on !== 'boolean') throw refused('on', 'boolean');
    call(() => this.#native.enableMetrics(on));
  }

  metrics() {
    return JSON.parse(call(() => this.#native.metrics()));
  }

  resetCounts() {
    call(() => this.#native.resetCounts());
  }

  async importFile(path, options) {
    string('path', path);
    const { progress, expected, signal } = reading(() => importOptions(options));
    const watch = new native.NativeWatch();
    const stop = () => watch.stop();
    // An import that a signal stopped has the reason as its cause.
    const stopped = (error) => (error.code === 'directory.cancelled' && signal?.aborted ? withCause(error, signal.reason) : error);
    if (signal?.aborted) throw stopped(stoppedAtStart());
    if (signal !== undefined) listen(signal, stop);
    const report = reportProgress(watch, progress);
    try {
      const start = (replies, id) => this.#native.startImport(replies, id, path, watch, expected);
      const reached = await later(signal, start, (imported) => counted64(imported.text()), stoppedAtStart);
      report.send();
      return reached;
    } catch (error) {
      throw report.thrown?.error ?? stopped(error);
    } finally {
      clearInterval(report.timer);
      if (signal !== undefined) unlisten(signal, stop);
    }
  }

  /** Panics inside the core, for a test: see `src/support.rs`. */
  _panic() {
    call(() => this.#native.panic());
  }
}

function errorCodes() {
  return Object.fromEntries(JSON.parse(native.errorCodes()));
}

function normaliseHost(host) {
  string('host', host);
  return JSON.parse(call(() => native.normaliseHost(host)));
}

function command(list) {
  const words = reading(() => items('arguments', list).map((word) => wellFormed('arguments', word)));
  return call(() => native.command(words));
}

module.exports = { Action, Decision, DeniedError, Engine, Host, LogHandle, ManualClock, Principal, ResourceType, SubletError, command, errorCodes, normaliseHost, verifyDraw };
