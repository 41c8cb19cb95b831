// A clock that stands until it is set: for tests. `index.d.ts` exports this class.

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
