// The errors of the engine, and the error of a refusal. `index.d.ts` exports these classes.

import type { DecisionCode, ErrorCode } from './codes.js';
import type { Answer } from './decision.js';

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
