// Sublet: an embeddable policy engine for software that is sold under other people's names.
//
// Answers are plain data without BigInt and without functions. `JSON.stringify`, `structuredClone`,
// `postMessage` and `console.log` show all of an answer except a confirmation token. `Count` says how
// integers are represented. `bindings-python/stubs.py` writes the comments.
import type { Statement } from './billing.js';
import type { DecisionCode, ErrorCode } from './codes.js';
import type { Amounts, Count, CountInput, Quota } from './quota.js';
import type { EventCounts, LogOptions, Stats } from './log.js';
import type { Record } from './records.js';
import type { Abortable, Answer, ImportOptions, EngineMethods } from './methods.js';
export type * from './methods.js';
export type * from './billing.js';
export type * from './codes.js';
export type * from './commands.js';
export type * from './log.js';
export type * from './quota.js';
export type * from './records.js';

/** A type and an id, as an array or as an object. */
export type EntityRef = readonly [type: string, id: string] | EntityRefObject;
/** A type and an id as an object. */
export interface EntityRefObject {
  /** The type, such as `Account`. */
  readonly type: string;
  /** The id. */
  readonly id: string;
}
/** A value that a policy can read. Integers beyond 2^53 only as BigInt. */
export type Value = boolean | number | bigint | string | readonly Value[] | { readonly [key: string]: Value };

/**
 * A principal that an engine looks up once: a login, or the account that a resource belongs
 * to.
 *
 * Pass it in place of a type and an id. It outlives changes, reloads and imports, works
 * with any engine of this thread, and crosses faster than strings. It is frozen, with data
 * properties only.
 */
export declare class Principal {
  /** Makes the handle of a principal by its type and id. */
  constructor(type: string, id: string);
  /** The type: `Account`, `TeamMember` or `Operator`. */
  readonly type: string;
  /** The id. */
  readonly id: string;
  readonly #number: number;
}

/** An action that an engine looks up once. */
export declare class Action {
  /** Makes the handle of an action by its name, or by its type and id. */
  constructor(name: string);
  /** Makes the handle of an action by its name, or by its type and id. */
  constructor(type: string, id: string);
  /** The type of the action, in most cases `Action`. */
  readonly type: string;
  /** The name of the action. */
  readonly id: string;
  readonly #number: number;
}

/** A type of resources that an engine looks up once. */
export declare class ResourceType {
  /** Makes the handle of a resource type by its name. */
  constructor(name: string);
  /** The name of the type. */
  readonly name: string;
  readonly #number: number;
}

/** A host name as in an HTTP header, which an engine looks up once. */
export declare class Host {
  /** Makes the handle of a host by its name. */
  constructor(name: string);
  /** The host name as it was passed. */
  readonly name: string;
  readonly #number: number;
}

/** A login by type and id, or its handle. */
export type PrincipalRef = EntityRef | Principal;
/** An action by name, by type and id, or its handle. */
export type ActionRef = string | EntityRef | Action;

/**
 * A resource: a record of the directory by type and id, or one of your own, with its
 * account or with its attributes.
 */
export type Resource =
  | readonly [type: string | ResourceType, id: string]
  | readonly [type: string | ResourceType, id: string, account: string | Principal | null]
  | Principal
  | InlineResource;

/** A resource of your own, with the account that it belongs to. */
export interface InlineResource {
  /** The type of the resource, or its handle. */
  readonly type: string | ResourceType;
  /** The id of the resource. */
  readonly id: string;
  /** The account that the resource belongs to. */
  readonly account?: string | Principal | null;
  /** The attributes of the resource, as the schema declares them. */
  readonly attributes?: { readonly [key: string]: Value };
  /** The parents of the resource in Cedar's hierarchy. */
  readonly parents?: readonly PrincipalRef[];
  /** The tags of the resource. */
  readonly tags?: { readonly [key: string]: Value };
}

/** The channel of a request, as the kernel's schema declares it. The default is `web`. */
export type Channel = 'web' | 'job' | 'mail' | 'public';
/** The desk that resolves a support ticket: the owner's, or the platform's. */
export type DeskName = 'owner' | 'platform';

/** The optional parts of a request. */
export interface Environment {
  /** The login that acts as the principal (A1). */
  readonly actor?: PrincipalRef | null;
  /** The host name of the request, as in the HTTP header. */
  readonly host?: string | Host | null;
  /** The channel of the request. The default is `web`. */
  readonly channel?: Channel | null;
  /** The realm of the session: the platform, or the owner's account. */
  readonly realm?: PrincipalRef | null;
  /** The amount of the metered action that the decision checks. Nothing is consumed. */
  readonly amount?: number | bigint | null;
  /** The context fields of the action. */
  readonly context?: { readonly [key: string]: Value } | null;
}

/**
 * A request. JavaScript reads each of its own parts (this object, `[type, id]`, the
 * resource, the optional parts) once, so that a getter or a proxy may provide them. Values
 * in `attributes`, `tags` and `context` must be plain data.
 */
export interface Request extends Environment {
  /** The login. */
  readonly principal: PrincipalRef;
  /** The action. */
  readonly action: ActionRef;
  /** The resource. */
  readonly resource: Resource;
}

/**
 * Many requests as columns: each an array with one entry for each row, or one value for all
 * rows. An array of strings is a column of actions; for one action by type and id, use an
 * `Action`.
 */
export interface Columns {
  /** The logins. */
  readonly principals: readonly PrincipalRef[] | PrincipalRef;
  /** The actions. */
  readonly actions: readonly ActionRef[] | string | Action;
  /** The resources. */
  readonly resources: readonly Resource[] | Resource;
  /** The logins that act as the principals. */
  readonly actors?: readonly (PrincipalRef | null | undefined)[] | PrincipalRef | null;
  /** The host names. */
  readonly hosts?: readonly (string | Host | null | undefined)[] | string | Host | null;
  /** The channels. */
  readonly channels?: readonly (Channel | null | undefined)[] | Channel | null;
  /** The realms. */
  readonly realms?: readonly (PrincipalRef | null | undefined)[] | PrincipalRef | null;
  /** The amounts. */
  readonly amounts?: readonly (number | bigint | null | undefined)[] | number | bigint | null;
  /** The context fields. */
  readonly contexts?: readonly ({ readonly [key: string]: Value } | null | undefined)[] | { readonly [key: string]: Value } | null;
}

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
  /** The words of advice of an allowed decision. */
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

/** The optional parts of a request that reserves, changes a stock or performs a command. */
export interface ReserveOptions extends Omit<Environment, 'amount'> {
  /**
   * The idempotency key: 1 to 255 bytes, unique in the account. A retry with it returns the
   * first granted decision, `replayed` (Q7). Another request with it fails with
   * `quota.idempotency_mismatch`. Keys are stored for the window and 35 days; denials are not
   * stored.
   */
  readonly idempotencyKey?: string | null;
}

/** The optional parts of a request that consumes. */
export interface ConsumeOptions extends ReserveOptions {
  /** Whether what is left is granted if the whole amount does not fit (Q5). */
  readonly allowPartial?: boolean | null;
}

/** An item of a batch. */
export interface BatchItem extends ConsumeOptions {
  /** The login. */
  readonly principal: PrincipalRef;
  /** The action. */
  readonly action: ActionRef;
  /** The resource. */
  readonly resource: Resource;
  /** The amount to consume. The default is 1. */
  readonly amount?: Amounts;
}

/**
 * A clock that stands until it is set, for tests. Instants are RFC 3339.
 *
 * The engine trusts it: setting it far ahead causes no `store.clock_jump`. Counted time
 * never goes back: if the clock is set back, the time of the engine stands until
 * `resetCounts`.
 */
export declare class ManualClock {
  /**
   * Makes a clock that stands at an instant.
   *
   * @throws {SubletError} With the code `input.instant`.
   */
  constructor(at: string);
  /**
   * Sets the clock, forward or back.
   *
   * @throws {SubletError} With the code `input.instant`.
   */
  set(at: string): void;
  /** Moves the clock by milliseconds, back if they are negative. */
  advance(milliseconds: number | bigint): void;
  /** Returns the instant of the clock, RFC 3339. */
  now(): string;
  readonly #native: object;
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

/** The desk that resolves a support ticket. */
export interface TicketRoute extends Answer {
  /** The desk, or `null` if no desk takes the ticket: then `code` says why. */
  readonly desk: DeskName | null;
  /** The owner's account, if the desk is an owner's. */
  readonly account: string | null;
  /** The decision code. */
  readonly code: DecisionCode;
  /** The decision behind the answer. */
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

/** The explanation of a decision: `text` for people, `policies` as data. */
export interface Explanation {
  /** The explained decision. */
  readonly decision: Decision;
  /** Each policy with its outcome, its clauses and the facts that it read. */
  readonly policies: readonly PolicyExplanation[];
  /** The explanation for people. */
  readonly text: string;
  /** Returns `text`. */
  toString(): string;
}

/** A mistake in a file of a bundle. */
export interface Diagnostic {
  /** The stable code of the mistake. */
  readonly code: ErrorCode;
  /** The text of the mistake. */
  readonly message: string;
  /** The place in the file. */
  readonly place?: SourceSpan;
  /** The text that says what to do. */
  readonly help?: string;
}

/** The place of a mistake in a file. */
export interface SourceSpan {
  /** The name of the file. */
  readonly file: string;
  /** The line, from 1. */
  readonly line: number;
  /** The column, from 1. */
  readonly column: number;
  /** The width of the marked text. */
  readonly width: number;
  /** The line of the file. */
  readonly text: string;
  /** The width of the line before the marked text. */
  readonly indent: number;
}

/**
 * An error: there is no answer. `structuredClone` and `postMessage` make a plain object of
 * it, with `name`, `code`, `message`, `help` and `faults`.
 */
export declare class SubletError extends Error {
  /** The name of the class. */
  readonly name: 'SubletError';
  /** The stable code, `family.name`. */
  readonly code: ErrorCode;
  /** The text that says what to do. */
  readonly help: string | null;
  /** The mistakes in files. */
  readonly faults: readonly Diagnostic[];
  /** The family of the code, such as `quota`. */
  readonly family: 'input' | 'bundle' | 'directory' | 'quota' | 'billing' | 'store' | 'internal';
}

/** The error that `orThrow` throws for an answer that refuses. */
export declare class DeniedError extends Error {
  /** The name of the class. */
  readonly name: 'DeniedError';
  /** The code of the answer; for a `login`, the public code. */
  readonly code: DecisionCode;
  /** The answer. It is not printed, copied or serialised with the error. */
  readonly answer: Answer;
}

/** Limits on texts and values. */
export interface ParseLimits {
  /** The bytes of one policy, schema or catalog file. */
  readonly fileBytes?: number;
  /** The bytes of the entities of a plain Cedar program. */
  readonly entitiesBytes?: number;
  /** The bytes of one record in an import. */
  readonly recordBytes?: number;
  /** Brackets inside brackets in policies and schemas. */
  readonly nesting?: number;
  /** Operators, accesses or prefixes in one chain. */
  readonly chain?: number;
  /** The depth of one expression's tree, which chains and brackets add up to. */
  readonly depth?: number;
  /** Lists and records inside each other in contexts, attributes and records. */
  readonly valueNesting?: number;
}

/** Options of an engine. */
export interface Options {
  /** The store of the counts and the directory: `memory:` (the default) or `sqlite:PATH`. */
  readonly store?: string;
  /** The strictness of the validation of policies. The default is `strict`. */
  readonly validation?: Validation;
  /** Limits on texts and values. */
  readonly caps?: ParseLimits;
  /** The clock. The default is the clock of the system. */
  readonly clock?: ManualClock | null;
}

/** A plain Cedar program: each part as text, or in Cedar's JSON form. */
export interface CedarProgram {
  /** The policies. */
  readonly policies: string | object;
  /** The schema. */
  readonly schema?: string | object | null;
  /** The links of templates. */
  readonly links?: string | readonly object[] | null;
  /** The entities that every request sees. */
  readonly entities?: string | readonly object[] | null;
  /** Whether requests are checked against the schema. */
  readonly validateRequests?: boolean | null;
}

/** A loaded bundle. */
export interface BundleInfo {
  /** The fingerprint of the policies. */
  readonly fingerprint: string;
  /** Whether the bundle has the tenancy kernel. */
  readonly tenancy: boolean;
  /** The policies in gate order. */
  readonly policies: readonly BundlePolicy[];
  /** The names of the actions. */
  readonly actions: readonly string[];
  /** The features with their labels. */
  readonly features: readonly (readonly [name: string, words: string])[];
  /** Every code that an answer can carry, in `code`, `publicCode`, `logCode` and `advice`. */
  readonly codes: readonly string[];
  /**
   * Policies that refuse less if a request leaves a value out: `bundle.left_out`, with
   * places.
   */
  readonly warnings: readonly Diagnostic[];
  /** The policies that are not compiled, so that Cedar evaluates them, with reasons. */
  readonly fallback: readonly InterpretedPolicy[];
}

/** A policy of a bundle. */
export interface BundlePolicy {
  /** The id of the policy. */
  readonly id: string;
  /** Whether the policy permits or forbids. */
  readonly effect: 'permit' | 'forbid';
  /** The code of a policy that forbids. */
  readonly code: string | null;
  /** The file and the line of the policy. */
  readonly place: readonly [string, number] | null;
}

/** A policy that is not compiled. */
export interface InterpretedPolicy {
  /** The id of the policy. */
  readonly policy: string;
  /** The reason. */
  readonly why: string;
}

/** The strictness of the validation of policies; `strict` refuses warnings too. */
export type Validation = 'strict' | 'errors' | 'off';

/** The progress of an import. */
export interface Progress {
  /** The number of imported records. */
  readonly records: Count;
  /** The number of bytes that were read. */
  readonly bytes: Count;
}

/** Options of `login`. */
export interface LoginOptions {
  /** The credential flow. The default is the password. */
  readonly action?: ActionRef | null;
}

/** Options of `loginHosts`. */
export interface LoginHostsOptions extends LoginOptions {
  /** The host whose precise code is returned. */
  readonly host?: string | Host | null;
  /** The `next` of the page before. */
  readonly after?: string | null;
}

/** Options of `importFile`. */
export interface ImportFileOptions extends ImportOptions {
  /** A function that gets the progress, and stops the import if it returns `false`. */
  readonly progress?: (progress: Progress) => boolean | void;
  /** A signal that stops the import. */
  readonly signal?: AbortSignal | null;
}

/** The files of a bundle by name, or its folder. Without it, the shipped bundle. */
export type PolicySource = string | URL | { readonly [file: string]: string } | null;

/** The methods that may wait for a file, each with an `Async` form. */
export interface Engine extends EngineMethods {}
/**
 * A policy engine inside this process.
 *
 * Every method fails with an `input.*` code if an argument is malformed, and with a
 * `store.*` code if the store fails. A refusal is a value and not an error. On a store in a
 * file, the plain form of a method that writes fails with `store.sync`: use its `Async`
 * form. That form runs off the event loop, on one of four threads of the addon, and rejects
 * with what the plain form throws.
 */
export declare class Engine {
  /** Not for callers: `open` and `cedar` make engines. */
  private constructor();
  /**
   * Opens an engine with a bundle of policies, and returns it. The bundle loads whole or not
   * at all.
   *
   * `policies` is a folder, or the texts of the files by name; without it the shipped bundle
   * is used. `store` is `memory:` or `sqlite:PATH`. `validation` is `strict`, which also
   * refuses warnings, `errors` or `off`. `caps` limits texts and values. `clock` replaces the
   * clock of the system.
   *
   * @throws {SubletError} With the code `bundle.not_found`, `bundle.syntax`,
   * `bundle.validation`, `bundle.warning`, `input.option`, `store.io` or `store.version`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open(undefined, { store: 'memory:' });
   * console.log(engine.bundle().actions.length, engine.revision);
   */
  static open(policies?: PolicySource, options?: Options): Engine;
  /**
   * `open` off the event loop.
   *
   * Opens an engine with a bundle of policies, and returns it. The bundle loads whole or not
   * at all.
   *
   * `policies` is a folder, or the texts of the files by name; without it the shipped bundle
   * is used. `store` is `memory:` or `sqlite:PATH`. `validation` is `strict`, which also
   * refuses warnings, `errors` or `off`. `caps` limits texts and values. `clock` replaces the
   * clock of the system.
   *
   * @throws {SubletError} Rejects with the code `bundle.not_found`, `bundle.syntax`,
   * `bundle.validation`, `bundle.warning`, `input.option`, `store.io` or `store.version`.
   */
  static openAsync(policies?: PolicySource, options?: Options & Abortable): Promise<Engine>;
  /**
   * Opens an engine with a plain Cedar program, without the tenancy kernel, and returns it.
   *
   * Each part is text in Cedar's syntax, or its JSON form. `entities` are the entities that
   * every request sees. `validateRequests` says if requests are checked against the schema.
   *
   * @throws {SubletError} With the code `bundle.syntax`, `bundle.schema`,
   * `bundle.validation`, `bundle.entities`, `bundle.link` or `input.option`.
   */
  static cedar(program: CedarProgram & Options): Engine;
  /**
   * `cedar` off the event loop.
   *
   * Opens an engine with a plain Cedar program, without the tenancy kernel, and returns it.
   *
   * Each part is text in Cedar's syntax, or its JSON form. `entities` are the entities that
   * every request sees. `validateRequests` says if requests are checked against the schema.
   *
   * @throws {SubletError} Rejects with the code `bundle.syntax`, `bundle.schema`,
   * `bundle.validation`, `bundle.entities`, `bundle.link` or `input.option`.
   */
  static cedarAsync(program: CedarProgram & Options, options?: Abortable): Promise<Engine>;
  /**
   * Replaces the policies, whole or not at all, and returns the new fingerprint. It takes
   * tens of milliseconds or more; until it is done, the old policies are used.
   *
   * @throws {SubletError} With the code `bundle.not_found`, `bundle.syntax`,
   * `bundle.validation`, `bundle.in_use` or `input.not_tenancy`.
   */
  reload(policies?: PolicySource): string;
  /**
   * `reload` off the event loop.
   *
   * Replaces the policies, whole or not at all, and returns the new fingerprint. It takes
   * tens of milliseconds or more; until it is done, the old policies are used.
   *
   * @throws {SubletError} Rejects with the code `bundle.not_found`, `bundle.syntax`,
   * `bundle.validation`, `bundle.in_use` or `input.not_tenancy`.
   */
  reloadAsync(policies?: PolicySource, options?: Abortable): Promise<string>;
  /**
   * Replaces the program of an engine that `cedar` opened, and returns the new fingerprint.
   *
   * @throws {SubletError} With the code `bundle.syntax`, `bundle.schema`,
   * `bundle.validation`, `bundle.entities` or `input.not_tenancy`.
   */
  reloadCedar(program: CedarProgram): string;
  /**
   * `reloadCedar` off the event loop.
   *
   * Replaces the program of an engine that `cedar` opened, and returns the new fingerprint.
   *
   * @throws {SubletError} Rejects with the code `bundle.syntax`, `bundle.schema`,
   * `bundle.validation`, `bundle.entities` or `input.not_tenancy`.
   */
  reloadCedarAsync(program: CedarProgram, options?: Abortable): Promise<string>;
  /**
   * Returns the loaded bundle: fingerprint, policies, actions, features, codes, warnings, and
   * the policies that are not compiled.
   */
  bundle(): BundleInfo;
  /** The revision of the directory. It grows by one with each change. */
  readonly revision: Count;
  /**
   * Reads the changes of other processes to the directory, and returns the revision.
   *
   * Every call uses the latest directory. So the first plain call after a change of another
   * process reads that change: microseconds for a command, a second or more for an import of
   * 100,000 records. The `Async` methods read it off the event loop, and answer at once if
   * nothing has changed. A service whose event loop must not stop awaits them.
   */
  refreshAsync(options?: Abortable): Promise<Count>;
  /**
   * Decides whether `principal` may do `action` on `resource` now, and returns the decision
   * with its code and policies. With an `amount` of a metered action, also decides whether
   * the amount fits, and returns the quota; nothing is consumed.
   *
   * @throws {SubletError} With the code `input.unknown_action`, `input.action_resource`,
   * `input.amount`, `input.attribute_required` or `input.context`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const decision = engine.authorize(['Account', 'acme'], 'campaign.read', ['Campaign', 'k', 'acme']);
   * if (!decision.allowed) console.log(decision.code); // principal_unknown
   */
  authorize(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment): Decision;
  /**
   * `authorize` off the event loop.
   *
   * Decides whether `principal` may do `action` on `resource` now, and returns the decision
   * with its code and policies. With an `amount` of a metered action, also decides whether
   * the amount fits, and returns the quota; nothing is consumed.
   *
   * @throws {SubletError} Rejects with the code `input.unknown_action`,
   * `input.action_resource`, `input.amount`, `input.attribute_required` or `input.context`.
   */
  authorizeAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment & Abortable): Promise<Decision>;
  /**
   * Returns the allow bit of `authorize`. It is fastest with handles, and with a type, an id
   * and an account for a resource of your own.
   *
   * @throws {SubletError} With the code `input.unknown_action`, `input.action_resource`,
   * `input.amount`, `input.attribute_required` or `input.context`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * console.log(engine.check(['Account', 'acme'], 'campaign.read', ['Campaign', 'k', 'acme']));
   */
  check(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment): boolean;
  /**
   * `check` off the event loop.
   *
   * Returns the allow bit of `authorize`. It is fastest with handles, and with a type, an id
   * and an account for a resource of your own.
   *
   * @throws {SubletError} Rejects with the code `input.unknown_action`,
   * `input.action_resource`, `input.amount`, `input.attribute_required` or `input.context`.
   */
  checkAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment & Abortable): Promise<boolean>;
  /**
   * Returns why a decision is as it is: each policy, the facts that it read, the failed
   * clause.
   *
   * @throws {SubletError} With the code `input.unknown_action` or `input.action_resource`.
   */
  explain(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment): Explanation;
  /**
   * `explain` off the event loop.
   *
   * Returns why a decision is as it is: each policy, the facts that it read, the failed
   * clause.
   *
   * @throws {SubletError} Rejects with the code `input.unknown_action` or
   * `input.action_resource`.
   */
  explainAsync(principal: PrincipalRef, action: ActionRef, resource: Resource, environment?: Environment & Abortable): Promise<Explanation>;
  /**
   * Returns the actions that `principal` may do on `resource` now, sorted.
   *
   * @throws {SubletError} With the code `input.not_tenancy`.
   */
  permittedActions(principal: PrincipalRef, resource: Resource, environment?: Environment): string[];
  /**
   * `permittedActions` off the event loop.
   *
   * Returns the actions that `principal` may do on `resource` now, sorted.
   *
   * @throws {SubletError} Rejects with the code `input.not_tenancy`.
   */
  permittedActionsAsync(principal: PrincipalRef, resource: Resource, environment?: Environment & Abortable): Promise<string[]>;
  /**
   * Decides whether an e-mail may log in at a host, and as which principal; returns the
   * answer. `action` is the credential flow, by default the password (D6).
   *
   * Every refusal has the same `publicCode`, and takes the same time whether or not the
   * e-mail is known. After you have checked the password, `loginHosts` returns the precise
   * code and the hosts at which the login is admitted (D7).
   *
   * @throws {SubletError} With the code `input.not_a_login`, `input.unknown_action` or
   * `input.not_tenancy`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const login = engine.login('app.acme.example', 'hello@bakery.example');
   * if (!login.allowed) console.log(login.publicCode); // login_refused
   */
  login(host: string | Host, email: string, options?: LoginOptions): Login;
  /**
   * `login` off the event loop.
   *
   * Decides whether an e-mail may log in at a host, and as which principal; returns the
   * answer. `action` is the credential flow, by default the password (D6).
   *
   * Every refusal has the same `publicCode`, and takes the same time whether or not the
   * e-mail is known. After you have checked the password, `loginHosts` returns the precise
   * code and the hosts at which the login is admitted (D7).
   *
   * @throws {SubletError} Rejects with the code `input.not_a_login`, `input.unknown_action`
   * or `input.not_tenancy`.
   */
  loginAsync(host: string | Host, email: string, options?: LoginOptions & Abortable): Promise<Login>;
  /**
   * Returns the hosts at which a login is admitted, and the precise code of its login at
   * `host` (D7, D9).
   *
   * Call it after you have checked the password, and for links in e-mails. One call checks at
   * most 50 domains; pass the `next` of its answer as `after` to go on.
   *
   * @throws {SubletError} With the code `input.not_a_login`, `input.unknown_action` or
   * `input.not_tenancy`.
   */
  loginHosts(principal: PrincipalRef, options?: LoginHostsOptions): LoginHosts;
  /**
   * Returns which desk resolves a support ticket of `principal` about `about`.
   *
   * @throws {SubletError} With the code `input.not_tenancy`.
   */
  routeTicket(principal: PrincipalRef, about: Resource, environment?: Environment): TicketRoute;
  /**
   * `routeTicket` off the event loop.
   *
   * Returns which desk resolves a support ticket of `principal` about `about`.
   *
   * @throws {SubletError} Rejects with the code `input.not_tenancy`.
   */
  routeTicketAsync(principal: PrincipalRef, about: Resource, environment?: Environment & Abortable): Promise<TicketRoute>;
  /**
   * Returns where a ticket goes that `principal` opens about `about`: an account, or a client
   * of the owner (T1, T2, T4).
   *
   * @throws {SubletError} With the code `input.not_tenancy`.
   */
  openTicket(principal: PrincipalRef, about: Resource, environment?: Environment): TicketOutcome;
  /**
   * `openTicket` off the event loop.
   *
   * Returns where a ticket goes that `principal` opens about `about`: an account, or a client
   * of the owner (T1, T2, T4).
   *
   * @throws {SubletError} Rejects with the code `input.not_tenancy`.
   */
  openTicketAsync(principal: PrincipalRef, about: Resource, environment?: Environment & Abortable): Promise<TicketOutcome>;
  /**
   * Returns whether `principal` may reply to `ticket`, and where the ticket goes now. The
   * attribute `desk` of the ticket says where it was (T3).
   *
   * @throws {SubletError} With the code `input.not_tenancy` or `input.attribute_required`.
   */
  replyTicket(principal: PrincipalRef, ticket: Resource, environment?: Environment): TicketOutcome;
  /**
   * `replyTicket` off the event loop.
   *
   * Returns whether `principal` may reply to `ticket`, and where the ticket goes now. The
   * attribute `desk` of the ticket says where it was (T3).
   *
   * @throws {SubletError} Rejects with the code `input.not_tenancy` or
   * `input.attribute_required`.
   */
  replyTicketAsync(principal: PrincipalRef, ticket: Resource, environment?: Environment & Abortable): Promise<TicketOutcome>;
  /**
   * Returns where the ticket goes that `principal` opens because it cannot resolve the
   * `ticket` of its client (T4).
   *
   * @throws {SubletError} With the code `input.not_tenancy` or `input.attribute_required`.
   */
  escalateTicket(principal: PrincipalRef, ticket: Resource, environment?: Environment): TicketOutcome;
  /**
   * `escalateTicket` off the event loop.
   *
   * Returns where the ticket goes that `principal` opens because it cannot resolve the
   * `ticket` of its client (T4).
   *
   * @throws {SubletError} Rejects with the code `input.not_tenancy` or
   * `input.attribute_required`.
   */
  escalateTicketAsync(principal: PrincipalRef, ticket: Resource, environment?: Environment & Abortable): Promise<TicketOutcome>;
  /**
   * Decides many requests, and returns the decisions in their order. All requests see one
   * version of policies and directory. The `Async` form also converts the requests in slices:
   * do not change them before the promise settles.
   *
   * @throws {SubletError} With the code `input.item` or `input.columns`.
   */
  authorizeMany(requests: readonly Request[] | Columns): Decision[];
  /**
   * Returns the allow bits of `authorizeMany`. All requests see one version of policies and
   * directory. The `Async` form also converts the requests in slices: do not change them
   * before the promise settles.
   *
   * @throws {SubletError} With the code `input.item` or `input.columns`.
   */
  checkMany(requests: readonly Request[] | Columns): boolean[];
  /**
   * `authorizeMany` off the event loop.
   *
   * Decides many requests, and returns the decisions in their order. All requests see one
   * version of policies and directory. The `Async` form also converts the requests in slices:
   * do not change them before the promise settles.
   *
   * @throws {SubletError} Rejects with the code `input.item` or `input.columns`.
   */
  authorizeManyAsync(requests: readonly Request[] | Columns, options?: Abortable): Promise<Decision[]>;
  /**
   * `checkMany` off the event loop.
   *
   * Returns the allow bits of `authorizeMany`. All requests see one version of policies and
   * directory. The `Async` form also converts the requests in slices: do not change them
   * before the promise settles.
   *
   * @throws {SubletError} Rejects with the code `input.item` or `input.columns`.
   */
  checkManyAsync(requests: readonly Request[] | Columns, options?: Abortable): Promise<boolean[]>;
  /**
   * Subscribes a file or a callback to the events of every decision, debit, directory change
   * and reload; returns the handle of the subscription. Any number of logs may be open. No
   * method waits for a sink: events that find a full queue are dropped and counted. E-mails
   * and tokens are never reported.
   *
   * @throws {SubletError} With the code `input.option` or `store.stream`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const log = engine.subscribe({ callback: (event) => console.log(event.code), events: ['decision'] });
   * engine.check(['Account', 'nobody'], 'account.read', ['Account', 'nobody']);
   * await log.close(); // principal_unknown
   */
  subscribe(options: LogOptions): LogHandle;
  /** Starts to count decisions and their durations, or stops it. */
  enableMetrics(on?: boolean): void;
  /**
   * Returns the statistics of this engine in this process since `enableMetrics`. The numbers
   * only grow.
   */
  metrics(): Stats;
  /**
   * Clears every count and key of a store in memory, and the latest recorded instant. It is
   * for tests, between two cases.
   */
  resetCounts(): void;
  /**
   * Replaces the whole directory by the JSON lines of a file, off the event loop; resolves to
   * the new revision.
   *
   * `progress` is called some times a second, and stops the import if it returns `false`. An
   * aborted `signal` stops it too, with the signal's reason as `cause`. A stopped import
   * changes nothing. Replaces the directory as this engine saw it last, or the one of
   * `expectedRevision`.
   *
   * @throws {SubletError} With the code `directory.revision`, `directory.cancelled`,
   * `directory.record`, `directory.duplicate_id` or `store.stream`.
   */
  importFile(path: string, options?: ImportFileOptions): Promise<Count>;
  /** Returns the records of the directory as JSON lines. */
  exportLines(): string;
  /**
   * `exportLines` off the event loop.
   *
   * Returns the records of the directory as JSON lines.
   */
  exportLinesAsync(options?: Abortable): Promise<string>;
  /**
   * Returns the TXT record that the DNS of an owner's domain needs before `verify_domain`
   * (D4).
   *
   * @throws {SubletError} With the code `directory.unknown_record`.
   */
  domainProof(domain: string): string;
  /**
   * `domainProof` off the event loop.
   *
   * Returns the TXT record that the DNS of an owner's domain needs before `verify_domain`
   * (D4).
   *
   * @throws {SubletError} Rejects with the code `directory.unknown_record`.
   */
  domainProofAsync(domain: string, options?: Abortable): Promise<string>;
  /** Returns the record with this type and id, of the directory or the catalog, or `null`. */
  getRecord<Type extends Record['type']>(reference: readonly [Type, string]): Extract<Record, { readonly type: Type }> | null;
  /** Returns the record with this type and id, of the directory or the catalog, or `null`. */
  getRecord(reference: PrincipalRef): Record | null;
  /**
   * `getRecord` off the event loop.
   *
   * Returns the record with this type and id, of the directory or the catalog, or `null`.
   */
  getRecordAsync<Type extends Record['type']>(reference: readonly [Type, string], options?: Abortable): Promise<Extract<Record, { readonly type: Type }> | null>;
  /**
   * `getRecord` off the event loop.
   *
   * Returns the record with this type and id, of the directory or the catalog, or `null`.
   */
  getRecordAsync(reference: PrincipalRef, options?: Abortable): Promise<Record | null>;
}

/**
 * A subscription to an engine's events. It lasts without this handle, until the engine is
 * gone.
 */
export declare class LogHandle {
  /** Not for callers: only `subscribe` of an engine makes logs. */
  private constructor();
  /**
   * Waits until earlier events are delivered, at most `timeout` milliseconds (5000), and
   * resolves to whether they are.
   */
  flush(timeout?: number, options?: Abortable): Promise<boolean>;
  /**
   * Ends the subscription, waits at most `timeout` milliseconds (5000), and resolves to
   * whether all events are delivered.
   */
  close(timeout?: number, options?: Abortable): Promise<boolean>;
  /** Whether the subscription was closed. */
  readonly closed: boolean;
  /** The number of events that the sink took in this process. */
  readonly delivered: number;
  /** The number of events that were lost because the queue was full. */
  readonly dropped: number;
  /** The number of events that the sink could not take: a callback failed, or a disk is full. */
  readonly failed: number;
  /** The numbers of events that were delivered, dropped and failed. */
  readonly counts: EventCounts;
}

/** Returns every error code with its help. */
export declare function errorCodes(): { readonly [code: string]: string };
/**
 * Returns whether the sums and the draw of a statement are right, from the statement alone
 * (B5).
 */
export declare function verifyDraw(statement: Statement): boolean;
/** Returns the normal form of a host name, or the reason why it has none. */
export declare function normaliseHost(host: string): NormalisedHost | RefusedHost;
/** The normal form of a host name. */
export interface NormalisedHost {
  /** The form in which host names are compared. */
  readonly normal: string;
}
/** A text that is no host name. */
export interface RefusedHost {
  /** The reason. */
  readonly refused: string;
}
/** Runs the `sublet` command with its arguments, and returns its exit code. */
export declare function command(args: string[]): number;
