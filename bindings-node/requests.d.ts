// A request: its principal, action, resource and optional parts. `index.d.ts` exports these types.

import type { Action, Host, Principal, ResourceType } from './handles.js';
import type { Amounts } from './quota.js';

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
  /**
   * The instant at which the session began, as RFC 3339. After its login signed out
   * everywhere, a request with a host needs it (I7).
   */
  readonly sessionStart?: string | null;
  /** The amount of the metered action that the decision checks. Nothing is consumed. */
  readonly amount?: number | bigint | null;
  /** The context fields of the action. */
  readonly context?: { readonly [key: string]: Value } | null;
}

/** The option of `explain` beside the environment. */
export interface ExplainOptions {
  /**
   * The language of the words of codes, such as `de`. Without it, or if the bundle lacks it,
   * they are in the default one.
   */
  readonly language?: string | null;
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
  /** The instants at which the sessions began, as RFC 3339. */
  readonly sessionStarts?: readonly (string | null | undefined)[] | string | null;
  /** The amounts. */
  readonly amounts?: readonly (number | bigint | null | undefined)[] | number | bigint | null;
  /** The context fields. */
  readonly contexts?: readonly ({ readonly [key: string]: Value } | null | undefined)[] | { readonly [key: string]: Value } | null;
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
