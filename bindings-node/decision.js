// Answers that say yes or no, as JavaScript sees them. They hold no BigInt, no function and nothing hidden but a token: JSON,
// `structuredClone` and `console.log` show them whole.
'use strict';

const { inspect } = require('node:util');
const counts = require('./count.js');
const { DeniedError } = require('./errors.js');

/** One answer. `decision.allowed` is the allow bit. Each is made here, of frozen parts: so all have one shape. */
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

/** An answer that says yes. */
function granted(answer, allowed, code) {
  if (allowed !== true) throw new DeniedError(code, answer);
  return answer;
}

/** What became of a command. The token is told by its name alone: nothing prints, copies or serialises it. */
class Performed {
  #token;

  constructor({ decision: found, token }) {
    this.decision = decision(found);
    this.#token = token;
    Object.freeze(this);
  }

  get token() {
    return this.#token;
  }

  /** Even where hidden properties and getters are asked for, the token is not printed. */
  [inspect.custom](depth, options) {
    return `Performed ${inspect({ decision: this.decision }, options)}`;
  }

  orThrow() {
    return granted(this, this.decision.allowed, this.decision.code);
  }
}

class Login {
  constructor(found) {
    this.allowed = found.allowed;
    this.publicCode = found.public_code;
    this.logCode = found.log_code;
    this.principal = found.principal;
    this.decision = decision(found.decision);
  }

  /** The error is for the outside: its code is the public one. */
  orThrow() {
    return granted(this, this.allowed, this.publicCode);
  }
}

/** Who resolves a ticket. */
class Desk {
  constructor(found) {
    Object.assign(this, found, { decision: decision(found.decision) });
  }

  orThrow() {
    return granted(this, this.decision.allowed, this.code);
  }
}

/** Where a ticket goes. */
class Route {
  constructor({ on_behalf_of: onBehalfOf, ...found }) {
    Object.assign(this, found, { onBehalfOf, decision: decision(found.decision) });
    Object.freeze(this);
  }

  orThrow() {
    return granted(this, this.decision.allowed, this.code);
  }
}

/** Why the answer is what it is. */
class Explanation {
  constructor({ explanation, text }) {
    this.decision = decision(explanation.decision);
    this.policies = explanation.policies;
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

/** The decision of its JSON; null if there is none. */
function decision(found) {
  if (found === null || found === undefined) return null;
  const [policies, advice, errors] = [found.policies, found.advice, found.errors].map(Object.freeze);
  const { allowed, code, actor = null, subject = null, revision, bundle, quota, operation, replayed, expires_at: expiresAt = null } = found;
  return new Decision(allowed, code, policies, advice, errors, actor, subject, revision, bundle, counts.quotas(quota), counts.count(operation), replayed === true, expiresAt);
}

module.exports = { Decision, Desk, Explanation, Login, Performed, Route, decision };
