// The answers that allow or refuse, and their explanations. `index.d.ts` exports these types.

import type { DecisionCode } from './codes.js';
import type { Count, Quota } from './quota.js';

/**
 * An answer that allows or refuses. It is an object, and so always truthy: `if
 * (engine.authorize(...))` is always taken. Read `allowed`, or call `orThrow()`. The rule
 * `sublet/no-truthy-answer` of `sublet/eslint` finds mistakes.
 */
export interface Answer {
  /**
   * Returns the answer if it allows. Otherwise throws a `DeniedError` with its code; for a
   * `login`, with the public code.
   *
   * @example
   * import { DeniedError, Engine } from 'sublet';
   * const engine = Engine.open();
   * try {
   *   engine.authorize(['Account', 'acme'], 'campaign.read', ['Campaign', 'k', 'acme']).orThrow();
   * } catch (error) {
   *   if (error instanceof DeniedError) console.log(error.code); // principal_unknown
   *   else throw error;
   * }
   */
  orThrow(): this;
}

/** The desk that resolves a support ticket: the owner's, or the platform's. */
export type DeskName = 'owner' | 'platform';

/** A policy that could not be evaluated. */
export interface PolicyError {
  /** The id of the policy. */
  readonly policy: string;
  /** The reason. */
  readonly message: string;
}

/** A decision. It is always truthy: read `allowed`, or call `orThrow()`. */
export declare class Decision implements Answer {
  /** Not for callers: only the engine makes decisions. */
  private constructor();
  /** Whether the request is allowed. */
  readonly allowed: boolean;
  /** The decision code: `ok`, or the stable code of the first gate that refused. */
  readonly code: DecisionCode;
  /** The ids of the determining policies, in gate order. */
  readonly policies: readonly string[];
  /** The words of advice of the determining policies, and the warnings of an allowed decision. */
  readonly advice: readonly string[];
  /** The policies that failed, each with its message. If there is one, the request is denied. */
  readonly errors: readonly PolicyError[];
  /** The login that acts as the principal, or `null` (A1). */
  readonly actor: readonly [string, string] | null;
  /** The principal, if an actor acts as the principal, or `null` (A1). */
  readonly subject: readonly [string, string] | null;
  /** The revision of the directory that the decision used. */
  readonly revision: Count;
  /** The fingerprint of the policies. */
  readonly bundle: string;
  /** Each meter of the action after the decision. Empty without a meter or an amount (Q11). */
  readonly quota: readonly Quota[];
  /** The recorded operation, for `refund`, `commit` and `release`, or `null`. */
  readonly operation: Count | null;
  /** Whether it is the decision of an earlier call with the same key (Q7). */
  readonly replayed: boolean;
  /** The instant at which the reservation expires, RFC 3339, or `null`. */
  readonly expiresAt: string | null;
  /** Returns the decision if it allows. Otherwise throws a `DeniedError` with its code. */
  orThrow(): this;
  /** Returns `allowed: ok`, or `denied:` with the code. */
  toString(): string;
}

/** The result of a command. */
export interface Performed extends Answer {
  /** The decision on the command. */
  readonly decision: Decision;
  /**
   * The token to send to the e-mail that waits to be confirmed, or `null`. It is returned
   * once, and the directory stores its hash (I4).
   */
  readonly token: string | null;
  /**
   * The number of the payment, reversal, top-up or revocation that the command recorded, or
   * `null`. Later commands name it, and a retry gets it again.
   */
  readonly entry: Count | null;
}

/** The answer to a login. */
export interface Login extends Answer {
  /** Whether the login is allowed. */
  readonly allowed: boolean;
  /** The code for the outside: `ok`, or `login_refused` for every refusal (D7). */
  readonly publicCode: 'ok' | 'login_refused';
  /** The precise code, for your log only. */
  readonly logCode: DecisionCode;
  /**
   * The login whose password to check, even if it is refused. Never a login of a realm that
   * this host does not serve.
   */
  readonly principal: readonly [string, string] | null;
  /** The decision behind the answer, or `null` if no login was found. */
  readonly decision: Decision | null;
}

/** The hosts at which a login is admitted. */
export interface LoginHosts {
  /** The decision code: `ok`, or the precise reason why the named host refuses the login. */
  readonly code: DecisionCode;
  /** The verified domains of this page at which the login is admitted, sorted by name. */
  readonly hosts: readonly string[];
  /** The `after` of the next page, or `null` after the last. A page may be short, or empty. */
  readonly next: string | null;
  /** The decision behind the code. */
  readonly decision: Decision;
}

/** One page of the hosts at which the logins of an account come in. */
export interface AccountHosts {
  /** The domains in use of this page, sorted by name. */
  readonly hosts: readonly string[];
  /** The `after` of the next page, or `null` after the last. */
  readonly next: string | null;
}

/** The desk that resolves a support ticket. */
export interface TicketRoute extends Answer {
  /** The desk, or `null` if no desk takes the ticket: then `code` says why. */
  readonly desk: DeskName | null;
  /** The owner's account, if the desk is an owner's. */
  readonly account: string | null;
  /** The decision code. */
  readonly code: DecisionCode;
  /** The decision behind the route. */
  readonly decision: Decision;
}

/**
 * The route of a support ticket, at opening and at each reply. It holds no address (T1 to
 * T4, B1).
 */
export interface TicketOutcome extends Answer {
  /** The desk, or `null` if no desk takes the ticket: then `code` says why. */
  readonly desk: DeskName | null;
  /** The owner's account, if the desk is an owner's. */
  readonly account: string | null;
  /** The account of the ticket. */
  readonly ticketAccount: string | null;
  /** The account in whose name a client is answered: the client's owner (T2). */
  readonly onBehalfOf: string | null;
  /** The client's ticket from which this one was escalated. */
  readonly linked: string | null;
  /** Whether the attribute of the ticket names another desk (T3). */
  readonly rerouted: boolean;
  /** The decision code. */
  readonly code: DecisionCode;
  /** The decision behind the route. */
  readonly decision: Decision;
}

/** A `when` or `unless` clause of a policy. */
export interface ConditionTrace {
  /** The number of the clause. */
  readonly number: number;
  /** The keyword of the clause. */
  readonly kind: 'when' | 'unless';
  /** The text of the clause. */
  readonly text: string;
  /** The value of its condition, or `null` if the condition failed. */
  readonly value: boolean | null;
  /** Whether the clause held. */
  readonly held: boolean;
  /** The part of the condition that made the clause fail to hold. */
  readonly because?: string;
  /** The error of a condition that could not be evaluated. */
  readonly error?: string;
}

/** The part of a policy in a decision. */
export interface PolicyExplanation {
  /** The id of the policy. */
  readonly policy: string;
  /** Whether the policy permits or forbids. */
  readonly effect: 'permit' | 'forbid';
  /** The code of a policy that forbids. */
  readonly code: string | null;
  /** The file and the line of the policy. */
  readonly place: readonly [file: string, line: number] | null;
  /** The comment above the policy in its file. */
  readonly comment: string | null;
  /** The result of the policy for this request. */
  readonly outcome: 'applied' | 'out_of_scope' | 'not_applied' | 'failed';
  /** The clauses of the policy in their order. */
  readonly clauses: readonly ConditionTrace[];
  /** The number of the clause that did not hold. */
  readonly failed_clause: number | null;
  /** The facts that the policy read. */
  readonly facts: readonly AccessedFact[];
}

/** A fact that a policy read. */
export interface AccessedFact {
  /** The path of the fact, such as `principal.owner`. */
  readonly path: string;
  /** The value of the fact, or `null` if it is absent. */
  readonly value: string | null;
}

/** A further policy that gives the same answer. */
export interface FurtherPolicy {
  /** The id of the policy. */
  readonly policy: string;
  /** Whether the policy permits or forbids. */
  readonly effect: 'permit' | 'forbid';
  /** The code of a policy that forbids. */
  readonly code: string | null;
  /** The code in words, if the catalog has them. */
  readonly words: string | null;
  /** The file and the line of the policy. */
  readonly place: readonly [file: string, line: number] | null;
  /** The comment above the policy in its file. */
  readonly comment: string | null;
}

/** The policy that decided, with what it read. */
export interface DecidingPolicy extends Omit<FurtherPolicy, 'words'> {
  /** The facts that the policy read. */
  readonly facts: readonly AccessedFact[];
  /** The parts of its conditions that decided, each behind `when` or `unless`. */
  readonly conditions: readonly string[];
  /** Changes in words, each a way in which the policy would not refuse. May be empty. */
  readonly changes: readonly string[];
}

/** A permit that did not apply, but came nearest. */
export interface NearestPermit {
  /** The id of the policy. */
  readonly policy: string;
  /** The file and the line of the policy. */
  readonly place: readonly [file: string, line: number] | null;
  /** The comment above the policy in its file. */
  readonly comment: string | null;
  /** The number of parts of its scope and conditions that do not hold. */
  readonly failed: number;
  /** The first part that does not hold. */
  readonly condition: string;
  /** Changes in words, each a way in which the condition would hold. May be empty. */
  readonly changes: readonly string[];
}

/** The explanation of a decision: `text` is for people, of at most 25 lines (E8). */
export interface Explanation {
  /** The explained decision. */
  readonly decision: Decision;
  /**
   * The decision code in words: those of the catalog, else the comment of the policy that
   * decided.
   */
  readonly words: string;
  /**
   * Details of this request in English: the login or account that is not known, or the meter
   * about which the package is silent. Else `null`.
   */
  readonly detail: string | null;
  /** The advice of the decision in words. */
  readonly adviceWords: readonly string[];
  /**
   * The policy that decided, with its comment, its facts and what would have to change. Else
   * `null`.
   */
  readonly because: DecidingPolicy | null;
  /** The other policies that give the same answer, in gate order. */
  readonly also: readonly FurtherPolicy[];
  /** The permits that came nearest, if the code is `not_permitted`. */
  readonly nearest: readonly NearestPermit[];
  /** Each policy with its outcome, its clauses and the facts that it read. */
  readonly policies: readonly PolicyExplanation[];
  /** The explanation for people. */
  readonly text: string;
  /** The text with every policy that can apply, its outcome and its facts. */
  readonly verbose: string;
  /** Returns `text`. */
  toString(): string;
}
