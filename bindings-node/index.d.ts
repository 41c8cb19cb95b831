// Sublet: an embeddable policy engine for software that is sold under other people's names.
//
// Answers are plain data without BigInt and without functions. `JSON.stringify`, `structuredClone`,
// `postMessage` and `console.log` show all of an answer except a confirmation token. `Count` says how
// integers are represented. `bindings-python/stubs.py` writes the comments.
import type { Statement } from './billing.js';
import type { BillingMethods } from './billing_methods.js';
import type { Abortable } from './call_options.js';
import type { DecisionMethods } from './decision_methods.js';
import type { DirectoryMethods } from './directory_methods.js';
import type { LogHandle, LogOptions, Stats } from './log.js';
import type { LoginMethods } from './login_methods.js';
import type { BundleInfo, CedarProgram, Options, PolicySource } from './options.js';
import type { Count } from './quota.js';
import type { QuotaMethods } from './quota_methods.js';
export type * from './billing.js';
export type * from './billing_methods.js';
export type * from './call_options.js';
export * from './clock.js';
export type * from './codes.js';
export type * from './commands.js';
export * from './decision.js';
export type * from './decision_methods.js';
export type * from './directory_methods.js';
export * from './errors.js';
export * from './handles.js';
export * from './log.js';
export type * from './login_methods.js';
export type * from './options.js';
export type * from './quota.js';
export type * from './quota_methods.js';
export type * from './records.js';
export type * from './requests.js';

/** The methods of an engine that the files of its areas declare. */
export interface Engine extends DecisionMethods, LoginMethods, QuotaMethods, BillingMethods, DirectoryMethods {}
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
