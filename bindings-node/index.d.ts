// Sublet: an embeddable policy engine for software that is sold under other people's names.

/** A type and an id. */
export type Ref = readonly [type: string, id: string] | { readonly type: string; readonly id: string };
/** What a policy can read. Integers beyond 2^53 only as BigInt. */
export type Value = boolean | number | bigint | string | readonly Value[] | { readonly [key: string]: Value };

/** What an action is done to: a record of the directory by type and id, or one of your own inline. */
export type Resource =
  | Ref
  | {
      readonly type: string;
      readonly id: string;
      /** The account that it belongs to. */
      readonly account?: string | null;
      readonly attributes?: { readonly [key: string]: Value };
      readonly parents?: readonly Ref[];
      readonly tags?: { readonly [key: string]: Value };
    };

export interface Circumstances {
  /** The login that acts as the principal, a client account. */
  readonly actor?: Ref | null;
  /** The host name that the request came to, as the HTTP header says it. */
  readonly host?: string | null;
  /** How it came: `web` (default), `job`, `mail`, `public`. */
  readonly channel?: string | null;
  /** The realm that the session belongs to: the platform, or the owner's account. */
  readonly realm?: Ref | null;
  /** How much of what the action is metered by; asked, not taken. */
  readonly amount?: number | bigint | null;
  /** The action's own context fields. */
  readonly context?: { readonly [key: string]: Value } | null;
}

export interface Request extends Circumstances {
  readonly principal: Ref;
  readonly action: string | Ref;
  readonly resource: Resource;
}

/** One answer. */
export declare class Decision {
  private constructor();
  readonly allowed: boolean;
  /** `ok`, or why not: the stable code of the first gate that refused. */
  readonly code: string;
  /** The determining policies, in gate order. */
  readonly policies: readonly string[];
  readonly advice: readonly string[];
  /** The policies that erred; if there is one, the answer is no. */
  readonly errors: readonly { readonly policy: string; readonly message: string }[];
  readonly actor: readonly [string, string] | null;
  /** The directory's revision. */
  readonly revision: bigint;
  /** The fingerprint of the policies. */
  readonly bundle: string;
}

export interface Login {
  readonly allowed: boolean;
  /** What the outside may be told. */
  readonly publicCode: string;
  /** The precise code, for your log only. */
  readonly logCode: string;
  /** Whom to check the password of. */
  readonly principal: readonly [string, string] | null;
  /** Host names where this e-mail may log in. Tell them only once the password is checked. */
  readonly elsewhere: readonly string[];
  readonly decision: Decision | null;
}

export interface Desk {
  /** `owner`, `platform`, or nobody: then `code` says why. */
  readonly desk: string | null;
  readonly account: string | null;
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
  toString(): string;
}

export interface Fault {
  readonly code: string;
  readonly message: string;
  readonly place?: { readonly file: string; readonly line: number; readonly column: number; readonly width: number; readonly text: string; readonly indent: number };
  readonly help?: string;
}

/** There is no answer. */
export declare class SubletError extends Error {
  readonly name: 'SubletError';
  /** Stable, `family.what`. */
  readonly code: string;
  readonly help: string | null;
  /** What is wrong in files. */
  readonly faults: readonly Fault[];
  readonly family: string;
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
  readonly store?: string;
  /** `strict` (default) refuses warnings too. */
  readonly validation?: 'strict' | 'errors' | 'off';
  readonly caps?: Caps;
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
  readonly codes: readonly string[];
  /** The policies that are not compiled and so answered by Cedar itself, slower, each with why. */
  readonly fallback: readonly { readonly policy: string; readonly why: string }[];
}

/** How far an import is. */
export interface Progress {
  readonly records: bigint;
  readonly bytes: bigint;
}

/** Files of a bundle by name, or its folder; without it, the shipped bundle. */
export type Policies = string | URL | { readonly [file: string]: string } | null;

/** A policy engine inside this process. */
export declare class Engine {
  private constructor();
  /** Loads a bundle, whole or not at all. */
  static open(policies?: Policies, options?: Options): Engine;
  /** Loads a plain Cedar program, without the tenancy kernel. */
  static cedar(program: Program & Options): Engine;
  /** Swaps the policies, whole or not at all; gives the new fingerprint. */
  reload(policies?: Policies): string;
  reloadCedar(program: Program): string;
  bundle(): BundleInfo;
  readonly revision: bigint;
  authorize(principal: Ref, action: string | Ref, resource: Resource, circumstances?: Circumstances): Decision;
  check(principal: Ref, action: string | Ref, resource: Resource, circumstances?: Circumstances): boolean;
  explain(principal: Ref, action: string | Ref, resource: Resource, circumstances?: Circumstances): Explanation;
  actions(principal: Ref, resource: Resource, circumstances?: Circumstances): string[];
  login(host: string, email: string): Login;
  desk(principal: Ref, about: Resource, circumstances?: Circumstances): Desk;
  authorizeMany(requests: readonly Request[]): Decision[];
  checkMany(requests: readonly Request[]): boolean[];
  /** The same off the event loop. */
  authorizeManyAsync(requests: readonly Request[]): Promise<Decision[]>;
  checkManyAsync(requests: readonly Request[]): Promise<boolean[]>;
  /** Makes all changes in one transaction, or none; gives the new revision. */
  change(changes: { readonly put?: readonly object[]; readonly remove?: readonly Ref[]; readonly expectedRevision?: bigint | number | null }): bigint;
  /** Replaces the directory by JSON lines. */
  importLines(lines: string): bigint;
  /**
   * The same from a file, off the event loop. `progress` is told some times a second and stops the import with `false`;
   * so does an aborted `signal`. Then `directory.cancelled`, with the signal's reason as `cause`, and nothing is changed.
   */
  importFile(path: string, options?: { readonly progress?: (progress: Progress) => boolean | void; readonly signal?: AbortSignal }): Promise<bigint>;
  exportLines(): string;
  record(reference: Ref): { readonly [key: string]: unknown } | null;
}

/** Every error code with its help. */
export declare function errorCodes(): { readonly [code: string]: string };
/** The form in which host names compare, or why the text is none. */
export declare function normaliseHost(host: string): { normal: string } | { refused: string };
/** Runs the `sublet` command; gives its exit code. */
export declare function command(args: string[]): number;
