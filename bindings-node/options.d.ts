// Options of an engine, and a loaded bundle. `index.d.ts` exports these types.

import type { ManualClock } from './clock.js';
import type { Diagnostic } from './errors.js';

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

/** The files of a bundle by name, or its folder. Without it, the shipped bundle. */
export type PolicySource = string | URL | { readonly [file: string]: string } | null;

/** The strictness of the validation of policies; `strict` refuses warnings too. */
export type Validation = 'strict' | 'errors' | 'off';

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
  /**
   * Every code that an answer can carry, in `code`, `publicCode`, `logCode` and `advice`.
   * Each has its words by language, as far as the catalog has them.
   */
  readonly codes: { readonly [code: string]: { readonly [language: string]: string } };
  /**
   * Policies that may refuse less than they seem to, with places: `bundle.left_out`,
   * `bundle.absent_field`, and without strict validation `bundle.unknown_attribute`.
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
