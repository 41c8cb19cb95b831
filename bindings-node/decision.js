// One answer, as JavaScript sees it.
'use strict';

const counts = require('./count.js');

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
}

/** The decision of its JSON; null if there is none. */
function decision(found) {
  if (found === null || found === undefined) return null;
  const [policies, advice, errors] = [found.policies, found.advice, found.errors].map(Object.freeze);
  const { allowed, code, actor = null, subject = null, bundle, quota, operation, replayed, expires_at: expiresAt = null } = found;
  return new Decision(allowed, code, policies, advice, errors, actor, subject, BigInt(found.revision), bundle, counts.quotas(quota), counts.count(operation), replayed === true, expiresAt);
}

module.exports = { Decision, decision };
