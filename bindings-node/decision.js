// The answers that allow or refuse. They hold no BigInt and no function, and nothing hidden except a
// token, so that JSON, `structuredClone` and `console.log` show all of them.
'use strict';

const { inspect } = require('node:util');
const counts = require('./quota.js');
const { DeniedError } = require('./errors.js');

/** A decision. All are made here from frozen parts, so that they share one hidden class. */
class Decision {
  constructor(allowed, code, policies, advice, errors, actor, subject, revision, bundle, quota, operation, replayed, expiresAt) {
    this.allowed = allowed;
    this.code = code;
    this.policies = policies;
    this.advice = advice;
    this.errors = errors;
    this.actor = actor;
    this.subject = subject;
    this.revision = revision;
    this.bundle = bundle;
    this.quota = quota;
    this.operation = operation;
    this.replayed = replayed;
    this.expiresAt = expiresAt;
    Object.freeze(this);
  }

  orThrow() {
    return granted(this, this.allowed, this.code);
  }

  toString() {
    return `${this.allowed ? 'allowed' : 'denied'}: ${this.code}`;
  }
}

/** Returns the answer if it allows. Otherwise throws. */
function granted(answer, allowed, code) {
  if (allowed !== true) throw new DeniedError(code, answer);
  return answer;
}

/** The result of a command. Only its getter shows the token: nothing prints, copies or serialises it. */
class Performed {
  #token;

  constructor({ decision: given, token, entry }) {
    this.decision = decision(given);
    this.entry = counts.count(entry);
    this.#token = token;
    Object.freeze(this);
  }

  get token() {
    return this.#token;
  }

  /** Hides the token even if hidden properties and getters are printed. */
  [inspect.custom](depth, options) {
    return `Performed ${inspect({ decision: this.decision, entry: this.entry }, options)}`;
  }

  orThrow() {
    return granted(this, this.decision.allowed, this.decision.code);
  }
}

class Login {
  constructor(answered) {
    this.allowed = answered.allowed;
    this.publicCode = answered.public_code;
    this.logCode = answered.log_code;
    this.principal = answered.principal;
    this.decision = decision(answered.decision);
  }

  /** Throws the public code, because the error may reach the outside. */
  orThrow() {
    return granted(this, this.allowed, this.publicCode);
  }
}

/** The desk of a ticket. */
class TicketRoute {
  constructor(answered) {
    Object.assign(this, answered, { decision: decision(answered.decision) });
  }

  orThrow() {
    return granted(this, this.decision.allowed, this.code);
  }
}

/** The route of a ticket. */
class TicketOutcome {
  constructor({ on_behalf_of: onBehalfOf, ticket_account: ticketAccount, ...answered }) {
    Object.assign(this, answered, { onBehalfOf, ticketAccount, decision: decision(answered.decision) });
    Object.freeze(this);
  }

  orThrow() {
    return granted(this, this.decision.allowed, this.code);
  }
}

/** The explanation of a decision. */
class Explanation {
  constructor({ explanation, text, verbose }) {
    const { words, detail, advice_words: adviceWords, because, also, nearest, policies } = explanation;
    Object.assign(this, { decision: decision(explanation.decision), words, detail, adviceWords, because, also, nearest, policies, text, verbose });
  }

  toString() {
    return this.text;
  }
}

/** Makes a decision of its JSON, or null if there is none. */
function decision(given) {
  if (given === null || given === undefined) return null;
  const [policies, advice, errors] = [given.policies, given.advice, given.errors].map(Object.freeze);
  const { allowed, code, actor = null, subject = null, revision, bundle, quota, operation, replayed, expires_at: expiresAt = null } = given;
  return new Decision(allowed, code, policies, advice, errors, actor, subject, revision, bundle, counts.quotas(quota), counts.count(operation), replayed === true, expiresAt);
}

module.exports = { Decision, TicketRoute, Explanation, Login, Performed, TicketOutcome, decision };
