// One answer, as JavaScript sees it.
'use strict';

const counts = require('./count.js');

/** One answer. `decision.allowed` is the allow bit. */
class Decision {
  constructor(fields) {
    this.allowed = fields.allowed;
    this.code = fields.code;
    this.policies = Object.freeze(fields.policies);
    this.advice = Object.freeze(fields.advice);
    this.errors = Object.freeze(fields.errors);
    this.actor = fields.actor ?? null;
    this.revision = BigInt(fields.revision);
    this.bundle = fields.bundle;
    this.quota = counts.quotas(fields.quota);
    this.operation = counts.count(fields.operation);
    this.replayed = fields.replayed === true;
    this.expiresAt = fields.expires_at ?? null;
    Object.freeze(this);
  }
}

const decision = (fields) => (fields === null || fields === undefined ? null : new Decision(fields));

module.exports = { Decision, decision };
