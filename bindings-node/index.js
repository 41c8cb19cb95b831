// The engine for Node. Types and documentation: `index.d.ts`.
'use strict';

const native = require('./sublet.node');
const { apart, listen, signalOf, unlessAborted, unlisten } = require('./abort.js');
const { verifyDraw } = require('./bill.js');
const { ANSWER, UNANSWERED, answer, ask, asker, taken } = require('./crossing.js');
const { ManualClock, clock } = require('./clock.js');
const { revision } = require('./count.js');
const { action, entries, host: hostOf, json, reference, request, resource, string } = require('./convert.js');
const { Decision, decision } = require('./decision.js');
const { SubletError, call, converted, refused, wellFormed } = require('./errors.js');
const { Action, Host, Principal, ResourceType, room } = require('./handles.js');
const { LogHandle, log } = require('./log.js');
const { booleans, decisionsAsync, decisionsOf, many, manyAsync } = require('./many.js');
const { Said } = require('./said.js');
const { Verbs } = require('./verbs.js');

const textOf = (asked) => request({ principal: reference('principal', asked.principal), action: action(asked.action), resource: resource(asked.resource) }, asked.circumstances);

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

const CEDAR = ['policies', 'schema', 'links', 'entities'];

/** Text as it is; anything else as JSON. */
function textOrJson(what, value) {
  return typeof value === 'string' ? string(what, value) : JSON.stringify(json(what, value, 4096));
}

function options(source, more = {}) {
  const parts = [];
  if (typeof source === 'string') parts.push(`"folder":${string('policies', source)}`);
  else if (source instanceof URL) parts.push(`"folder":${string('policies', require('node:url').fileURLToPath(source))}`);
  else if (source !== undefined && source !== null) {
    const files = entries('policies', source).map(([name, text]) => `[${string('policies', name)},${string('policies', text)}]`);
    parts.push(`"files":[${files.join(',')}]`);
  }
  return parts.concat(rest(more)).join(',');
}

function rest(more) {
  return entries('options', more).map(([key, value]) => {
    switch (key) {
      case 'store':
      case 'validation':
        return `"${key}":${string(key, value)}`;
      case 'caps':
        return `"caps":${json('caps', value)}`;
      default:
        throw refused('options', `no option \`${key}\``);
    }
  });
}

function program(given) {
  const fields = new Map(entries('program', given));
  const parts = [];
  for (const name of CEDAR) {
    const value = fields.get(name);
    fields.delete(name);
    if (value !== undefined && value !== null) parts.push(`"${name}":${textOrJson(name, value)}`);
  }
  const validate = fields.get('validateRequests');
  fields.delete('validateRequests');
  if (validate !== undefined && validate !== null) {
    if (typeof validate !== 'boolean') throw refused('validateRequests', 'a boolean is needed');
    parts.push(`"validateRequests":${validate}`);
  }
  return { text: `"cedar":{${parts.join(',')}}`, more: Object.fromEntries(fields) };
}

/** The clock of the options, and the others. */
function timed(more = {}) {
  const found = entries('options', more);
  const time = clock(found.find(([key]) => key === 'clock')?.[1]);
  return { time, others: Object.fromEntries(found.filter(([key]) => key !== 'clock')) };
}

/** The type and name of a credential flow's action, of the options of `login`. */
function flow(more = {}) {
  const found = new Map(entries('options', more));
  const given = found.get('action');
  found.delete('action');
  if (found.size > 0) throw refused('options', `no option \`${[...found.keys()][0]}\``);
  if (given === undefined || given === null) return undefined;
  const named = JSON.parse(action(given));
  return typeof named === 'string' ? ['Action', named] : named;
}

/** Where a ticket goes. */
function route(text) {
  const { on_behalf_of: onBehalfOf, ...found } = JSON.parse(text);
  return Object.freeze({ ...found, onBehalfOf, decision: decision(found.decision) });
}

/** How often, in milliseconds, an import's progress is told: a look at two counters. */
const TELL_EVERY = 50;

/** Tells `progress` of an import from a timer, so that neither waits for the other. */
function telling(watch, progress) {
  const told = { thrown: null, timer: null, tell: () => {} };
  if (progress === undefined) return told;
  let last = '';
  told.tell = () => {
    const [records, bytes] = watch.progress();
    if (told.thrown !== null || last === bytes) return;
    last = bytes;
    try {
      if (progress({ records: BigInt(records), bytes: BigInt(bytes) }) === false) watch.stop();
    } catch (error) {
      told.thrown = { error };
      watch.stop();
    }
  };
  told.timer = setInterval(told.tell, TELL_EVERY);
  return told;
}

/** The error of an import that a signal stopped carries the signal's reason. */
function cancelled(error, signal) {
  if (error.code === 'directory.cancelled' && signal?.aborted) error.cause = signal.reason;
  return error;
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
    const { time, others } = timed(more);
    const text = `{${options(policies, others)}}`;
    return new Engine(native, call(() => native.NativeEngine.open(text, time)));
  }

  static async openAsync(policies, more) {
    const [[, given], signal] = apart([policies, more], 1);
    const { time, others } = timed(given);
    const text = `{${options(policies, others)}}`;
    try {
      return new Engine(native, await unlessAborted(signal, (turn) => native.NativeEngine.openAsync(text, time, turn)));
    } catch (error) {
      throw converted(error);
    }
  }

  static cedar(given) {
    const { text, more } = program(given);
    const { time, others } = timed(more);
    const whole = `{${[text, ...rest(others)].join(',')}}`;
    return new Engine(native, call(() => native.NativeEngine.open(whole, time)));
  }

  reload(policies) {
    const text = `{${options(policies)}}`;
    return call(() => this.#native.reload(text));
  }

  reloadCedar(given) {
    const { text, more } = program(given);
    const whole = `{${[text, ...rest(more)].join(',')}}`;
    return call(() => this.#native.reload(whole));
  }

  bundle() {
    return JSON.parse(call(() => this.#native.bundle()));
  }

  get revision() {
    return BigInt(call(() => this.#native.revision()));
  }

  authorize(principal, what, on, circumstances) {
    const answered = ask(this.#authorize, principal, what, on, circumstances, 0);
    if (answered !== null) return decided(answered, principal);
    const text = textOf(taken());
    return decision(JSON.parse(call(() => this.#native.authorize(text))));
  }

  check(principal, what, on, circumstances) {
    const said = ask(this.#check, principal, what, on, circumstances, 0);
    if (said === undefined && answer[ANSWER] < UNANSWERED) return answer[ANSWER] === 1;
    if (said !== null) throw unanswered(said);
    const text = textOf(taken());
    return call(() => this.#native.check(text));
  }

  explain(principal, what, on, circumstances) {
    const text = textOf({ principal, action: what, resource: on, circumstances });
    const found = JSON.parse(call(() => this.#native.explain(text)));
    const { policies } = found.explanation;
    return { decision: decision(found.explanation.decision), policies, toString: () => found.text };
  }

  actions(principal, on, circumstances) {
    const text = request({ principal: reference('principal', principal), resource: resource(on) }, circumstances);
    return call(() => this.#native.actions(text));
  }

  login(host, email, more) {
    const name = JSON.parse(hostOf(host));
    string('email', email);
    const how = flow(more);
    const found = JSON.parse(call(() => this.#native.login(name, email, how)));
    return {
      allowed: found.allowed,
      publicCode: found.public_code,
      logCode: found.log_code,
      principal: found.principal,
      elsewhere: found.elsewhere,
      decision: decision(found.decision),
    };
  }

  desk(principal, about, circumstances) {
    const text = request({ principal: reference('principal', principal), resource: resource(about) }, circumstances);
    const found = JSON.parse(call(() => this.#native.desk(text)));
    return { ...found, decision: decision(found.decision) };
  }

  openTicket(principal, about, circumstances) {
    const text = request({ principal: reference('principal', principal), resource: resource(about) }, circumstances);
    return route(call(() => this.#native.openTicket(text)));
  }

  replyTicket(principal, ticket, circumstances) {
    const text = request({ principal: reference('principal', principal), resource: resource(ticket) }, circumstances);
    return route(call(() => this.#native.replyTicket(text)));
  }

  escalateTicket(principal, ticket, circumstances) {
    const text = request({ principal: reference('principal', principal), resource: resource(ticket) }, circumstances);
    return route(call(() => this.#native.escalateTicket(text)));
  }

  authorizeMany(given) {
    return decisionsOf(many(this.#native, given, false));
  }

  checkMany(given) {
    return booleans(many(this.#native, given, true).bits);
  }

  async authorizeManyAsync(given, more) {
    const [, signal] = apart([given, more], 1);
    const found = await manyAsync(this.#native, given, false, signalOf(signal)).catch((error) => Promise.reject(converted(error)));
    return decisionsAsync(found);
  }

  async checkManyAsync(given, more) {
    const [, signal] = apart([given, more], 1);
    const found = await manyAsync(this.#native, given, true, signalOf(signal)).catch((error) => Promise.reject(converted(error)));
    return booleans(found.bits);
  }

  consume(principal, what, on, amount = 1, more) {
    if (!Number.isSafeInteger(amount) || amount < 0) return super.consume(principal, what, on, amount, more);
    const answered = ask(this.#consume, principal, what, on, more, amount);
    if (answered !== null) return decided(answered, principal);
    const { principal: who, action: does, resource: whose, circumstances } = taken();
    return super.consume(who, does, whose, amount, circumstances);
  }

  /** In memory there is nothing to wait for: a thread would cost many times what it does. */
  async consumeAsync(principal, what, on, amount = 1, more) {
    if (this.#waits) return super.consumeAsync(principal, what, on, amount, more);
    const [[options], signal] = apart([more], 0);
    signalOf(signal)?.throwIfAborted();
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

  async importFile(path, { progress, expectedRevision, signal: given } = {}) {
    string('path', path);
    const expected = expectedRevision === undefined || expectedRevision === null ? null : revision(expectedRevision);
    if (progress !== undefined && typeof progress !== 'function') throw refused('progress', 'a function is needed');
    const signal = signalOf(given);
    const watch = new native.NativeWatch();
    const stop = () => watch.stop();
    if (signal?.aborted) stop();
    if (signal !== undefined) listen(signal, stop);
    const told = telling(watch, progress);
    try {
      const found = BigInt(await this.#native.importFile(path, watch, expected));
      told.tell();
      return found;
    } catch (error) {
      throw told.thrown?.error ?? cancelled(converted(error), signal);
    } finally {
      clearInterval(told.timer);
      if (signal !== undefined) unlisten(signal, stop);
    }
  }

  exportLines() {
    return call(() => this.#native.exportLines());
  }

  domainProof(domain) {
    const name = wellFormed('domain', domain);
    return call(() => this.#native.domainProof(name));
  }

  record(wanted) {
    const [kind, id] = JSON.parse(reference('record', wanted));
    return JSON.parse(call(() => this.#native.record(kind, id)));
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
  return native.command(list);
}

/** The floors of the benchmark: the arguments of `check`, and nothing is done. */
const { empty, emptyFlat, emptyRaw, emptyWords } = native;
const _floors = { empty, emptyFlat, emptyRaw, emptyWords };

module.exports = { Action, Decision, Engine, Host, LogHandle, ManualClock, Principal, ResourceType, SubletError, _floors, command, errorCodes, normaliseHost, verifyDraw };
