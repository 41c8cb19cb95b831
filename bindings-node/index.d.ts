// Sublet: an embeddable policy engine for software that is sold under other people's names.
//
// Answers are plain data: no BigInt, no function, nothing hidden but a confirmation token. `JSON.stringify`, `structuredClone`,
// `postMessage` and `console.log` show each of them whole; see `Count` for integers.
import type { Statement } from './billing.js';
import type { Amount, Amounts, Count, CountInput, Quota } from './quota.js';
import type { LogOptions, Stats } from './log.js';
import type { Record } from './records.js';
import type { Abortable, Answer, Verbs } from './methods.js';
export type * from './methods.js';
export type * from './billing.js';
export type * from './commands.js';
export type * from './log.js';
export type * from './quota.js';
export type * from './records.js';

/** A type and an id. */
export type Ref = readonly [type: string, id: string] | { readonly type: string; readonly id: string };
/** What a policy can read. Integers beyond 2^53 only as BigInt. */
export type Value = boolean | number | bigint | string | readonly Value[] | { readonly [key: string]: Value };

/**
 * A login, or the account that a resource belongs to, looked up once. It outlives changes, reloads and imports, goes with
 * any engine of this thread, and crosses faster than strings. Data properties only, frozen.
 */
export declare class Principal {
  constructor(type: string, id: string);
  readonly type: string;
  readonly id: string;
  readonly #number: number;
}

/** An action, looked up once: `new Action('campaign.read')`, or `new Action('App::Action', 'view')`. */
export declare class Action {
  constructor(name: string);
  constructor(type: string, id: string);
  readonly type: string;
  readonly id: string;
  readonly #number: number;
}

/** A type of resource, looked up once. */
export declare class ResourceType {
  constructor(name: string);
  readonly name: string;
  readonly #number: number;
}

/** A host name as an HTTP header says it, looked up once. */
export declare class Host {
  constructor(name: string);
  readonly name: string;
  readonly #number: number;
}

/** A login by type and id, or its handle. */
export type Who = Ref | Principal;
/** An action by name, by type and id, or its handle. */
export type Does = string | Ref | Action;

/** What an action is done to: a record of the directory by type and id, or one of your own, with its account or inline. */
export type Resource =
  | readonly [type: string | ResourceType, id: string]
  | readonly [type: string | ResourceType, id: string, account: string | Principal | null]
  | Principal
  | {
      readonly type: string | ResourceType;
      readonly id: string;
      /** The account that it belongs to. */
      readonly account?: string | Principal | null;
      readonly attributes?: { readonly [key: string]: Value };
      readonly parents?: readonly Who[];
      readonly tags?: { readonly [key: string]: Value };
    };

export interface Circumstances {
  /** The login that acts as the principal, a client account. */
  readonly actor?: Who | null;
  /** The host name that the request came to, as the HTTP header says it. */
  readonly host?: string | Host | null;
  /** How it came: `web` (default), `job`, `mail`, `public`. */
  readonly channel?: string | null;
  /** The realm that the session belongs to: the platform, or the owner's account. */
  readonly realm?: Who | null;
  /** How much of what the action is metered by; asked, not taken. */
  readonly amount?: number | bigint | null;
  /** The action's own context fields. */
  readonly context?: { readonly [key: string]: Value } | null;
}

/**
 * A question. Its own parts (this object, `[type, id]`, the resource, the circumstances) are read as JavaScript reads them, each
 * field once, so a getter or a proxy may answer for them; values within `attributes`, `tags` and `context` are data alone.
 */
export interface Request extends Circumstances {
  readonly principal: Who;
  readonly action: Does;
  readonly resource: Resource;
}

/**
 * Many requests as columns: each an array with one entry a row, or one value for all rows. An action by type and id is no
 * single value here, since an array of strings is a column of actions: use an `Action`.
 */
export interface Columns {
  readonly principals: readonly Who[] | Who;
  readonly actions: readonly Does[] | string | Action;
  readonly resources: readonly Resource[] | Resource;
  readonly actors?: readonly (Who | null | undefined)[] | Who | null;
  readonly hosts?: readonly (string | Host | null | undefined)[] | string | Host | null;
  readonly channels?: readonly (string | null | undefined)[] | string | null;
  readonly realms?: readonly (Who | null | undefined)[] | Who | null;
  readonly amounts?: readonly (number | bigint | null | undefined)[] | number | bigint | null;
  readonly contexts?: readonly ({ readonly [key: string]: Value } | null | undefined)[] | { readonly [key: string]: Value } | null;
}

/** One answer. It is truthy whatever it says: ask `allowed`, or `orThrow()`. */
export declare class Decision implements Answer {
  private constructor();
  readonly allowed: boolean;
  /** `ok`, or why not: the stable code of the first gate that refused. */
  readonly code: string;
  /** The determining policies, in gate order. */
  readonly policies: readonly string[];
  readonly advice: readonly string[];
  /** The policies that erred; if there is one, the answer is no. */
  readonly errors: readonly { readonly policy: string; readonly message: string }[];
  /** Who acts as the principal, if somebody does (A1). */
  readonly actor: readonly [string, string] | null;
  /** The principal, where somebody acts as it (A1). */
  readonly subject: readonly [string, string] | null;
  /** The directory's revision. */
  readonly revision: Count;
  /** The fingerprint of the policies. */
  readonly bundle: string;
  /** Each meter of the action as it stands after the answer; empty where nothing is metered or no amount was asked for. */
  readonly quota: readonly Quota[];
  /** The operation that was recorded; null where nothing was taken. */
  readonly operation: Count | null;
  /** Whether it is the answer of an earlier call with the same key (Q7). */
  readonly replayed: boolean;
  /** When what is reserved expires, as RFC 3339. */
  readonly expiresAt: string | null;
  orThrow(): this;
  /** `allowed: ok`, `denied: account_unpaid`. */
  toString(): string;
}

/** What a taking is asked with. */
export interface Reserving extends Omit<Circumstances, 'amount'> {
  /**
   * A retry with the same key gives the first granted answer, `replayed` (Q7); another request with it is
   * `quota.idempotency_mismatch`. 1 to 255 bytes, unique in the account, kept for the window and 35 days. A denial is not
   * remembered.
   */
  readonly key?: string | null;
}

export interface Taking extends Reserving {
  /** Grants what is left where all is too much (Q5). */
  readonly upTo?: boolean | null;
}

/** One taking of a batch. */
export interface Item extends Taking {
  readonly principal: Who;
  readonly action: Does;
  readonly resource: Resource;
  /** 1, if it is not said. */
  readonly amount?: Amounts;
}

/**
 * A clock that stands until it is set: for tests. Instants are RFC 3339; what is none is `input.instant`. It is trusted: set far ahead,
 * it gives no `store.clock_jump`.
 */
export declare class ManualClock {
  constructor(at: string);
  /** Sets it, forward or back. What is counted never goes back. */
  set(at: string): void;
  /** Moves it by so many milliseconds, back if they are negative. */
  advance(milliseconds: number | bigint): void;
  now(): string;
  readonly #native: object;
}

export interface Login extends Answer {
  readonly allowed: boolean;
  /** What the outside may be told: `ok`, or `login_refused` whatever the reason (D7). */
  readonly publicCode: string;
  /** The precise code, for your log only. */
  readonly logCode: string;
  /** Whom to check the password of, also where the login is refused. Never one of a realm that this host does not serve. */
  readonly principal: readonly [string, string] | null;
  readonly decision: Decision | null;
}

export interface LoginHosts {
  /** `ok`, or precisely why this login may not come in at the host that was named. */
  readonly code: string;
  /** Verified domains at which this login may come in, in the order of their names. Those of one page. */
  readonly hosts: readonly string[];
  /** The `after` of the next page, or `null` after the last. A page may have fewer hosts than the next, or none. */
  readonly next: string | null;
  /** The decision behind the code. */
  readonly decision: Decision;
}

export interface Desk extends Answer {
  /** `owner`, `platform`, or nobody: then `code` says why. */
  readonly desk: string | null;
  readonly account: string | null;
  readonly code: string;
  readonly decision: Decision;
}

/** Where a support ticket goes, at opening and at each reply (T1 to T4). No address is in it (B1). */
export interface Route extends Answer {
  /** `owner`, `platform`, or nobody: then `code` says why. */
  readonly desk: string | null;
  /** The account whose desk it is, when it is an owner's. */
  readonly account: string | null;
  /** The account whose ticket it is. */
  readonly of: string | null;
  /** Under whose name a client is answered: its owner's, whoever resolves the ticket (T2). */
  readonly onBehalfOf: string | null;
  /** The client's ticket that this one was escalated from. */
  readonly linked: string | null;
  /** Whether the ticket said another desk than this one (T3). */
  readonly rerouted: boolean;
  readonly code: string;
  readonly decision: Decision;
}

export interface Clause {
  readonly number: number;
  readonly kind: 'when' | 'unless';
  readonly text: string;
  readonly value: boolean | null;
  readonly held: boolean;
  readonly because?: string;
  readonly error?: string;
}

export interface PolicyExplanation {
  readonly policy: string;
  readonly effect: 'permit' | 'forbid';
  readonly code: string | null;
  readonly place: readonly [file: string, line: number] | null;
  readonly outcome: 'applied' | 'out_of_scope' | 'not_applied' | 'failed';
  readonly clauses: readonly Clause[];
  readonly failed_clause: number | null;
  readonly facts: readonly { readonly path: string; readonly value: string | null }[];
}

export interface Explanation {
  readonly decision: Decision;
  readonly policies: readonly PolicyExplanation[];
  /** For people. */
  readonly text: string;
  /** `text`. */
  toString(): string;
}

export interface Fault {
  readonly code: string;
  readonly message: string;
  readonly place?: { readonly file: string; readonly line: number; readonly column: number; readonly width: number; readonly text: string; readonly indent: number };
  readonly help?: string;
}

/** There is no answer. `structuredClone` and `postMessage` make a plain object of it, with `name`, `code`, `message`, `help` and `faults`. */
export declare class SubletError extends Error {
  readonly name: 'SubletError';
  /** Stable, `family.what`. */
  readonly code: string;
  readonly help: string | null;
  /** What is wrong in files. */
  readonly faults: readonly Fault[];
  readonly family: string;
}

/** An answer said no, where `orThrow` was called. */
export declare class DeniedError extends Error {
  readonly name: 'DeniedError';
  /** The code of the answer; of a `login` the public one. */
  readonly code: string;
  /** What said no. It is not printed, copied or serialised with the error. */
  readonly answer: Answer;
}

export interface Caps {
  readonly fileBytes?: number;
  readonly entitiesBytes?: number;
  readonly recordBytes?: number;
  readonly nesting?: number;
  readonly chain?: number;
  readonly depth?: number;
  readonly valueNesting?: number;
}

export interface Options {
  /** Where counts are kept: `memory:`, which is this process's own. */
  readonly store?: string;
  /** `strict` (default) refuses warnings too. */
  readonly validation?: 'strict' | 'errors' | 'off';
  readonly caps?: Caps;
  /** What tells the time; without it, the computer's clock. */
  readonly clock?: ManualClock | null;
}

/** A plain Cedar program: each part as text, or in Cedar's JSON form. */
export interface Program {
  readonly policies: string | object;
  readonly schema?: string | object | null;
  readonly links?: string | readonly object[] | null;
  readonly entities?: string | readonly object[] | null;
  readonly validateRequests?: boolean | null;
}

export interface BundleInfo {
  readonly fingerprint: string;
  readonly tenancy: boolean;
  readonly policies: readonly { readonly id: string; readonly effect: 'permit' | 'forbid'; readonly code: string | null; readonly place: readonly [string, number] | null }[];
  readonly actions: readonly string[];
  readonly features: readonly (readonly [name: string, words: string])[];
  /** Every code that an answer can carry: in `code`, `publicCode` and `logCode`, and the words of `advice`. */
  readonly codes: readonly string[];
  /** Policies that refuse less where a request leaves something out: `bundle.left_out`, each with its place. */
  readonly warnings: readonly Fault[];
  /** The policies that are not compiled and so answered by Cedar itself, slower, each with why. */
  readonly fallback: readonly { readonly policy: string; readonly why: string }[];
}

/** How far an import is. */
export interface Progress {
  readonly records: Count;
  readonly bytes: Count;
}

/** Files of a bundle by name, or its folder; without it, the shipped bundle. */
export type Policies = string | URL | { readonly [file: string]: string } | null;

/** Each verb of `Verbs` is one of the engine's, in both its forms. */
export interface Engine extends Verbs {}
/** A policy engine inside this process. */
export declare class Engine {
  private constructor();
  /**
   * Loads a bundle, whole or not at all.
   *
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open(undefined, { store: 'memory:' });
   * console.log(engine.bundle().actions.length, engine.revision);
   */
  static open(policies?: Policies, options?: Options): Engine;
  /** The same off the event loop: where a store in a file has a large directory. */
  static openAsync(policies?: Policies, options?: Options & Abortable): Promise<Engine>;
  /** Loads a plain Cedar program, without the tenancy kernel. */
  static cedar(program: Program & Options): Engine;
  static cedarAsync(program: Program & Options, options?: Abortable): Promise<Engine>;
  /**
   * Swaps the policies, whole or not at all; gives the new fingerprint. It takes tens of milliseconds and more: a service whose event loop
   * answers others awaits `reloadAsync`, during which the old policies answer.
   */
  reload(policies?: Policies): string;
  reloadAsync(policies?: Policies, options?: Abortable): Promise<string>;
  reloadCedar(program: Program): string;
  reloadCedarAsync(program: Program, options?: Abortable): Promise<string>;
  bundle(): BundleInfo;
  /** The directory's revision. */
  readonly revision: Count;
  /**
   * Reads what other processes have changed in the directory, off the event loop; gives the revision.
   *
   * Each answer is of the latest directory. So the first plain call after another process's change reads that change at once: microseconds
   * for a command, a second or more for an import of 100,000 records. The `Async` forms do that off the event loop, and are
   * answered at once where nothing has changed. A service whose event loop must not stop awaits them.
   */
  refreshAsync(options?: Abortable): Promise<Count>;
  /**
   * Whether `principal` may do `action` on `resource` now, under which code, and by which policies. With an `amount` of what
   * is metered also whether it fits, and how the account stands; it is not taken.
   *
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const decision = engine.authorize(['Account', 'acme'], 'campaign.read', ['Campaign', 'spring', 'acme'], { host: 'app.acme.example' });
   * if (decision.allowed) console.log('yes');
   * else console.log(decision.code, decision.policies);
   */
  authorize(principal: Who, action: Does, resource: Resource, circumstances?: Circumstances): Decision;
  authorizeAsync(principal: Who, action: Does, resource: Resource, circumstances?: Circumstances & Abortable): Promise<Decision>;
  /** The allow bit of `authorize`. Cheapest with handles, and with `[type, id, account]` for a resource of your own. */
  check(principal: Who, action: Does, resource: Resource, circumstances?: Circumstances): boolean;
  checkAsync(principal: Who, action: Does, resource: Resource, circumstances?: Circumstances & Abortable): Promise<boolean>;
  /** Why the answer is what it is: each policy, the facts that it read, the clause that failed. */
  explain(principal: Who, action: Does, resource: Resource, circumstances?: Circumstances): Explanation;
  explainAsync(principal: Who, action: Does, resource: Resource, circumstances?: Circumstances & Abortable): Promise<Explanation>;
  /** The actions that `principal` may do on `resource` now, sorted. */
  actions(principal: Who, resource: Resource, circumstances?: Circumstances): string[];
  actionsAsync(principal: Who, resource: Resource, circumstances?: Circumstances & Abortable): Promise<string[]>;
  /**
   * Whether this e-mail may log in at this host, and as whom. `action` is the credential flow: by default the password (D6).
   * Every refusal has the same `publicCode`, and takes the same time whether or not the e-mail is known. Once you have checked
   * the password, `loginHosts` says the precise code, and where the login comes in instead (D7).
   *
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const login = engine.login('app.acme.example', 'hello@bakery.example');
   * if (!login.allowed) console.log(login.publicCode);   // logCode is for your log alone
   */
  login(host: string | Host, email: string, options?: { readonly action?: Does | null }): Login;
  loginAsync(host: string | Host, email: string, options?: { readonly action?: Does | null } & Abortable): Promise<Login>;
  /**
   * At which hosts this login comes in, and the precise code of its login at `host` (D7, D9). It is for after you have checked
   * the password, and for links in mails. One call asks the policies about at most 50 domains; give the `next` of its answer
   * as `after` to go on.
   */
  loginHosts(
    principal: Who,
    options?: { readonly host?: string | Host | null; readonly action?: Does | null; readonly after?: string | null },
  ): LoginHosts;
  /** Who resolves a ticket of `principal` about `about`. */
  desk(principal: Who, about: Resource, circumstances?: Circumstances): Desk;
  deskAsync(principal: Who, about: Resource, circumstances?: Circumstances & Abortable): Promise<Desk>;
  /** Where a ticket goes that `principal` opens about `about`: its account, or the owner's client (T1, T2, T4). */
  openTicket(principal: Who, about: Resource, circumstances?: Circumstances): Route;
  openTicketAsync(principal: Who, about: Resource, circumstances?: Circumstances & Abortable): Promise<Route>;
  /** Whether `principal` may reply to `ticket`, and where it goes now; the ticket's attribute `desk` says where it was (T3). */
  replyTicket(principal: Who, ticket: Resource, circumstances?: Circumstances): Route;
  replyTicketAsync(principal: Who, ticket: Resource, circumstances?: Circumstances & Abortable): Promise<Route>;
  /** Where a ticket of its own goes that `principal` opens because it cannot resolve its client's `ticket` (T4). */
  escalateTicket(principal: Who, ticket: Resource, circumstances?: Circumstances): Route;
  escalateTicketAsync(principal: Who, ticket: Resource, circumstances?: Circumstances & Abortable): Promise<Route>;
  /** The decisions on many requests, in their order, all from one version of policies and directory. */
  authorizeMany(requests: readonly Request[] | Columns): Decision[];
  checkMany(requests: readonly Request[] | Columns): boolean[];
  /**
   * The same off the event loop, which also gets its turn while the requests are converted: do not change them before the
   * promise settles.
   */
  authorizeManyAsync(requests: readonly Request[] | Columns, options?: Abortable): Promise<Decision[]>;
  checkManyAsync(requests: readonly Request[] | Columns, options?: Abortable): Promise<boolean[]>;
  /**
   * Tells a file or a callback of each answer, each debit, each change of the directory and of the policies, from now on. Any
   * number of logs may be open. No verb waits: what finds the queue full is dropped and counted. E-mails and tokens are never
   * told. Throws `input.option`, `store.stream` for a file that cannot be opened.
   */
  log(options: LogOptions): LogHandle;
  /** Counts answers, and how long they take, from now on; or no more. */
  measure(on?: boolean): void;
  /** What was counted since `measure`, of this engine in this process; the numbers only grow. */
  stats(): Stats;
  /** Forgets every count and key of a store in memory, and which instant it has seen: for tests, between one case and the next. */
  forgetCounts(): void;
  /**
   * Replaces the directory by the JSON lines of a file, off the event loop. `progress` is told some times a second and stops the import with `false`;
   * so does an aborted `signal`. Then `directory.cancelled`, with the signal's reason as `cause`, and nothing is changed. It
   * replaces what this engine saw last, or the directory of `expectedRevision`: if that has moved on it throws `directory.revision`.
   */
  importFile(
    path: string,
    options?: { readonly progress?: (progress: Progress) => boolean | void; readonly expectedRevision?: CountInput | null; readonly signal?: AbortSignal | null },
  ): Promise<Count>;
  exportLines(): string;
  exportLinesAsync(options?: Abortable): Promise<string>;
  /** The TXT record that the DNS of an owner's domain must have before `verify_domain` (D4). */
  domainProof(domain: string): string;
  domainProofAsync(domain: string, options?: Abortable): Promise<string>;
  /** The record of that type and id, of the directory or of the catalog, or null. Integers beyond 2^53 are texts, as in every answer. */
  record<Type extends Record['type']>(reference: readonly [Type, string]): Extract<Record, { readonly type: Type }> | null;
  record(reference: Who): Record | null;
  recordAsync<Type extends Record['type']>(reference: readonly [Type, string], options?: Abortable): Promise<Extract<Record, { readonly type: Type }> | null>;
  recordAsync(reference: Who, options?: Abortable): Promise<Record | null>;
}

/** A subscription to an engine's events. It goes on without this handle, until the engine is gone or the process ends. */
export declare class LogHandle {
  private constructor();
  /** When what happened before is delivered, or `timeout` (5000) milliseconds are over: whether it is. */
  flush(timeout?: number, options?: Abortable): Promise<boolean>;
  /** Ends the subscription; when what happened before is delivered, or the time is over: whether it is. */
  close(timeout?: number, options?: Abortable): Promise<boolean>;
  readonly closed: boolean;
  /** How many events the sink took. */
  readonly delivered: number;
  /** How many were lost, for the queue was full. */
  readonly dropped: number;
  /** How many the sink could not take: a callback threw or its promise was rejected, a disk is full. */
  readonly failed: number;
  readonly counts: { readonly delivered: number; readonly dropped: number; readonly failed: number };
}

/** Every error code with its help. */
export declare function errorCodes(): { readonly [code: string]: string };
/** Whether a statement's sums and draw are right: from the statement alone (B5). */
export declare function verifyDraw(statement: Statement): boolean;
/** The form in which host names compare, or why the text is none. */
export declare function normaliseHost(host: string): { normal: string } | { refused: string };
/** Runs the `sublet` command; gives its exit code. */
export declare function command(args: string[]): number;
