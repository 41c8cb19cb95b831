// Handles: names that an engine looks up once. `index.d.ts` exports these classes.

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
