// The engine for Node. Types and documentation: `index.d.ts`.
'use strict';

const native = require('./sublet.node');
const { apart, listen, signalOf, unlisten } = require('./abort.js');
const { verifyDraw } = require('./bill.js');
const { later } = require('./calls.js');
const { ANSWER, UNANSWERED, answer, ask, asker, taken } = require('./crossing.js');
const { ManualClock } = require('./clock.js');
const { action: actionOf, entries, fields, host: hostOf, items, reference, string } = require('./convert.js');
const { counted64, revision } = require('./count.js');
const { Decision, decision } = require('./decision.js');
const { DeniedError, SubletError, because, call, reading, refused, unreadable, wellFormed } = require('./errors.js');
const { Action, Host, Principal, ResourceType, room } = require('./handles.js');
const { LogHandle, log } = require('./log.js');
const { booleans, decisionsAsync, decisionsOf, many, manyAsync } = require('./many.js');
const { opening, openingCedar } = require('./open.js');
const { Said } = require('./said.js');
const { Verbs } = require('./verbs.js');

/** The strings of single decisions. */
let said = new Said();

/** Why a question that crossed has no answer; a text that starts with `!` is the engine's error. */
function unanswered(text) {
  const fields = text?.startsWith('!') ? JSON.parse(text.slice(1)) : { code: 'internal.panic', message: 'the engine failed: no answer' };
  return new SubletError(fields);
}

/** The decision that the addon has written, or that `text` tells, where numbers cannot say it. */
function decided(text, principal) {
  if (text !== undefined) {
    if (text.startsWith('!')) throw unanswered(text);
    return decision(JSON.parse(text));
  }
  const learn = answer[ANSWER];
  if (learn !== 0) {
    if (learn >= UNANSWERED) throw unanswered(undefined);
    if (learn === 2) said = new Said();
    said.learn(room.strings());
  }
  return said.read(answer, ANSWER + 1, asker(principal));
}

/** How often, in milliseconds, an import's progress is told: a look at two counters. */
const TELL_EVERY = 50;

/** Tells `progress` of an import from a timer, so that neither waits for the other. */
function telling(watch, progress) {
  const told = { thrown: null, timer: null, tell: () => {} };
  if (progress === undefined) return told;
  // Nothing was read yet. After its `false` it is not called again.
  let [last, goesOn] = ['0', true];
  told.tell = () => {
    const [records, bytes] = watch.progress();
    if (!goesOn || last === bytes) return;
    last = bytes;
    try {
      goesOn = progress({ records: counted64(records), bytes: counted64(bytes) }) !== false;
    } catch (error) {
      told.thrown = { error };
      goesOn = false;
    }
    if (!goesOn) watch.stop();
  };
  told.timer = setInterval(told.tell, TELL_EVERY);
  return told;
}

/** The error of an import that was stopped before it read anything. */
function unbegun() {
  return new SubletError({ code: 'directory.cancelled', message: 'the import was stopped after 0 records', help: errorCodes()['directory.cancelled'] });
}

const IMPORTING = ['progress', 'expectedRevision', 'signal'];

/** The options of an import. */
function importing(given = {}) {
  const found = new Map(fields('options', given));
  const unknown = [...found.keys()].find((name) => !IMPORTING.includes(name));
  if (unknown !== undefined) throw refused('options', `no option \`${unknown}\``);
  const progress = found.get('progress') ?? undefined;
  if (progress !== undefined && typeof progress !== 'function') throw refused('progress', 'a function is needed');
  const expected = found.get('expectedRevision') ?? null;
  return { progress, expected: expected === null ? null : revision(expected), signal: signalOf(found.get('signal')) };
}

/** Asks a single question of few parts. */
function asking(native, principal, what, on, circumstances, amount) {
  try {
    return ask(native, principal, what, on, circumstances, amount);
  } catch (error) {
    throw unreadable(error);
  }
}

/** A policy engine inside this process. */
class Engine extends Verbs {
  #native;
  #check;
  #authorize;
  #consume;
  #waits;
  /** As long as the engine is there, so are they. */
  #logs = [];

  constructor(key, opened) {
    if (key !== native) throw new SubletError({ code: 'input.option', message: 'an engine is opened by `Engine.open` or `Engine.cedar`' });
    super(opened);
    this.#native = opened;
    [this.#check, this.#authorize, this.#consume] = opened.functions(room);
    this.#waits = call(() => opened.touchesFiles());
  }

  static open(policies, more) {
    const { text, time } = opening(policies, more);
    return new Engine(native, call(() => native.NativeEngine.open(text, time)));
  }

  static async openAsync(policies, more) {
    const [[, given], signal] = apart([policies, more], 1);
    const { text, time } = opening(policies, given);
    return later(signal, (replies, id) => native.NativeEngine.startOpen(replies, id, text, time), (opened) => new Engine(native, opened.engine()));
  }

  static cedar(given) {
    const { text, time } = openingCedar(given);
    return new Engine(native, call(() => native.NativeEngine.open(text, time)));
  }

  static async cedarAsync(given, more) {
    const [, signal] = apart([given, more], 1);
    const { text, time } = openingCedar(given);
    return later(signal, (replies, id) => native.NativeEngine.startOpen(replies, id, text, time), (opened) => new Engine(native, opened.engine()));
  }

  bundle() {
    return JSON.parse(call(() => this.#native.bundle()));
  }

  get revision() {
    return counted64(call(() => this.#native.revision()));
  }

  authorize(principal, what, on, circumstances) {
    const answered = asking(this.#authorize, principal, what, on, circumstances, 0);
    if (answered !== null) return decided(answered, principal);
    const { principal: who, action, resource, circumstances: around } = taken();
    return super.authorize(who, action, resource, around);
  }

  check(principal, what, on, circumstances) {
    const said = asking(this.#check, principal, what, on, circumstances, 0);
    if (said === undefined && answer[ANSWER] < UNANSWERED) return answer[ANSWER] === 1;
    if (said !== null) throw unanswered(said);
    const { principal: who, action, resource, circumstances: around } = taken();
    return super.check(who, action, resource, around);
  }

  loginHosts(principal, more = {}) {
    const [who, name, how, after] = reading(() => {
      const { host, after: from, action: does, ...others } = Object.fromEntries(entries('options', more));
      const [unknown] = Object.keys(others);
      if (unknown !== undefined) throw refused('options', `no option \`${unknown}\``);
      const named = does === undefined || does === null ? undefined : JSON.parse(actionOf(does));
      return [
        JSON.parse(reference('principal', principal)),
        host === undefined || host === null ? undefined : JSON.parse(hostOf(host)),
        typeof named === 'string' ? ['Action', named] : named,
        from === undefined || from === null ? undefined : wellFormed('after', from),
      ];
    });
    const found = JSON.parse(call(() => this.#native.loginHosts(who, name, how, after)));
    return { ...found, decision: decision(found.decision) };
  }

  authorizeMany(given) {
    return decisionsOf(many(this.#native, given, false));
  }

  checkMany(given) {
    return booleans(many(this.#native, given, true).bits);
  }

  async authorizeManyAsync(given, more) {
    const [, signal] = apart([given, more], 1);
    return decisionsAsync(await manyAsync(this.#native, given, false, signal));
  }

  async checkManyAsync(given, more) {
    const [, signal] = apart([given, more], 1);
    return booleans((await manyAsync(this.#native, given, true, signal)).bits);
  }

  consume(principal, what, on, amount = 1, more) {
    if (!Number.isSafeInteger(amount) || amount < 0) return super.consume(principal, what, on, amount, more);
    const answered = asking(this.#consume, principal, what, on, more, amount);
    if (answered !== null) return decided(answered, principal);
    const { principal: who, action: does, resource: whose, circumstances } = taken();
    return super.consume(who, does, whose, amount, circumstances);
  }

  /** In memory there is nothing to wait for: a thread would cost many times what it does. */
  async consumeAsync(principal, what, on, amount = 1, more) {
    if (this.#waits) return super.consumeAsync(principal, what, on, amount, more);
    const [[options], signal] = apart([more], 0);
    signal?.throwIfAborted();
    return this.consume(principal, what, on, amount, options);
  }

  log(given) {
    this.#logs = this.#logs.filter((known) => !known.closed);
    const made = log(this.#native, given);
    this.#logs.push(made);
    return made;
  }

  measure(on = true) {
    if (typeof on !== 'boolean') throw refused('measure', 'a boolean is needed');
    call(() => this.#native.measure(on));
  }

  stats() {
    return JSON.parse(call(() => this.#native.stats()));
  }

  forgetCounts() {
    call(() => this.#native.forgetCounts());
  }

  async importFile(path, options) {
    string('path', path);
    const { progress, expected, signal } = reading(() => importing(options));
    const watch = new native.NativeWatch();
    const stop = () => watch.stop();
    // What a signal stopped says why.
    const stopped = (error) => (error.code === 'directory.cancelled' && signal?.aborted ? because(error, signal.reason) : error);
    if (signal?.aborted) throw stopped(unbegun());
    if (signal !== undefined) listen(signal, stop);
    const told = telling(watch, progress);
    try {
      const start = (replies, id) => this.#native.startImport(replies, id, path, watch, expected);
      const found = await later(signal, start, (imported) => counted64(imported.text()), unbegun);
      told.tell();
      return found;
    } catch (error) {
      throw told.thrown?.error ?? stopped(error);
    } finally {
      clearInterval(told.timer);
      if (signal !== undefined) unlisten(signal, stop);
    }
  }

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

/** The floors of the benchmark: the arguments of `check`, and nothing is done. */
const { empty, emptyFlat, emptyRaw, emptyWords } = native;
const _floors = { empty, emptyFlat, emptyRaw, emptyWords };

module.exports = { Action, Decision, DeniedError, Engine, Host, LogHandle, ManualClock, Principal, ResourceType, SubletError, _floors, command, errorCodes, normaliseHost, verifyDraw };
