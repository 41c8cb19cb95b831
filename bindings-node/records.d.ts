// The records of the directory, as `applyChanges` and `importLines` take them.
// Written by `bindings-python/shapes.py`.

import type { DisableReason } from './commands.js';
import type { PrincipalRef } from './index.js';
import type { CountInput, Limit } from './quota.js';

/** Limits by meter. */
export type Limits = { readonly [meter: string]: Limit };

/** An e-mail that waits to be confirmed; for a member, the invitation (I4, M8). */
export interface PendingEmail {
  /** The e-mail. */
  readonly email: string;
  /** The hash of the token that was sent. */
  readonly hash: string;
  /** The first instant at which the token is no longer valid. RFC 3339. */
  readonly until: string;
}

/** The offer of a client to another owner. */
export interface TransferOffer {
  /** The id of the owner to whom the client is offered. */
  readonly to: string;
  /** The first instant at which the offer is no longer valid. RFC 3339. */
  readonly until: string;
  /** Whether the client has consented. Absent: false. */
  readonly consented?: boolean;
}

/** The key of a service account, with its expiry and its hosts. */
export interface ServiceKey {
  /** The hash of the key. */
  readonly hash: string;
  /** The name of the program, for people. */
  readonly name?: string | null;
  /** The first instant at which the key is no longer valid. RFC 3339. Absent: never. */
  readonly expires_at?: string | null;
  /** The hosts at which the key is valid. Absent: wherever the account's logins come in. */
  readonly hosts?: readonly string[];
}

/** The vendor. A directory has one. */
export interface Platform {
  /** The type of the record. */
  readonly type: 'Platform';
  /** The id, unique among the records of its type. */
  readonly id: string;
}

/** A login of the platform's staff. */
export interface Operator {
  /** The type of the record. */
  readonly type: 'Operator';
  /** The id, unique among the records of its type. */
  readonly id: string;
  /** The e-mail of the login. */
  readonly email: string;
  /** The roles. An operator without a role may do nothing that needs one. Absent: none (O1). */
  readonly roles?: readonly ('support' | 'billing' | 'trust' | 'admin')[];
  /** The instant before which the login's sessions do not count. RFC 3339 (I7). */
  readonly not_before?: string | null;
}

/** A package that main accounts buy, beside those of the bundle's catalog. */
export interface Package {
  /** The type of the record. */
  readonly type: 'Package';
  /** The id, unique among the records of its type. */
  readonly id: string;
  /** The features that its accounts may use. Absent: none. */
  readonly features?: readonly string[];
  /** The right to have client accounts and own domains. Absent: false. */
  readonly whitelabel?: boolean;
  /** Whether an account may choose the package itself. Absent: only the staff sets it (B13). */
  readonly self_service?: boolean;
  /** The number of included client accounts (B2). */
  readonly client_accounts?: Limit | null;
  /** The limits of the account, by meter. */
  readonly limits?: Limits;
  /** The limits of its clients, if neither they nor their levels have limits (L6). */
  readonly client_limits?: Limits;
  /**
   * The most that the owner may set as a limit of a client or of an access level, by meter. A
   * meter that is not listed has no maximum (L8).
   */
  readonly client_limits_max?: Limits;
  /** The access level of new clients (L7). */
  readonly client_level?: string | null;
}

/** A named set of enabled features, of one owner (L2). */
export interface AccessLevel {
  /** The type of the record. */
  readonly type: 'AccessLevel';
  /** The id, unique among the records of its type. */
  readonly id: string;
  /** The id of the owner's account. */
  readonly owner: string;
  /** The features that it enables. Absent: none. */
  readonly features?: readonly string[];
  /** The limits of the clients that have it, by meter (L6). */
  readonly limits?: Limits;
}

/**
 * A main account, which has a `package`, or a client account, which has an `owner` and a
 * `level`.
 */
export interface Account {
  /** The type of the record. */
  readonly type: 'Account';
  /** The id, unique among the records of its type. */
  readonly id: string;
  /** The e-mail of the login. */
  readonly email: string;
  /** The package of a main account. */
  readonly package?: string | null;
  /** The account that owns a client account. */
  readonly owner?: string | null;
  /**
   * The access level of a client. Absent in a new record: the level that the package of the
   * owner names; `null`: none (L7).
   */
  readonly level?: string | null;
  /** Whether the e-mail is confirmed. Absent: false (C4). */
  readonly confirmed?: boolean;
  /** Whether the account is closed. Absent: false. */
  readonly closed?: boolean;
  /** Whether the personal data of the account was erased. Absent: false (C14). */
  readonly erased?: boolean;
  /** The reasons for which the account is disabled. Absent: none (C7). */
  readonly disabled?: readonly DisableReason[];
  /**
   * The limits of the account itself, by meter. They override those of package and level
   * (L6).
   */
  readonly limits?: Limits;
  /** The IANA time zone in which the account's days and months begin. Absent: UTC (Q9). */
  readonly zone?: string | null;
  /**
   * The day from which the account's months are counted, `YYYY-MM-DD`. Absent: the first of
   * the month (Q9).
   */
  readonly anchor?: string | null;
  /** An e-mail that waits to be confirmed (I4). */
  readonly pending?: PendingEmail | null;
  /** The offer of a client to another owner. */
  readonly transfer?: TransferOffer | null;
  /** The instant at which the account was created. RFC 3339. */
  readonly created?: string | null;
  /** The instant at which the account was closed. RFC 3339 (C9). */
  readonly closed_at?: string | null;
  /** The instant before which the login's sessions do not count. RFC 3339 (I7). */
  readonly not_before?: string | null;
  /** The host's attributes, as the schema's `AccountAttributes` declares them. */
  readonly attributes?: { readonly [name: string]: unknown };
}

/** A login that works inside one account (M1). */
export interface TeamMember {
  /** The type of the record. */
  readonly type: 'TeamMember';
  /** The id, unique among the records of its type. */
  readonly id: string;
  /** The account in which the member works. */
  readonly account: string;
  /** The e-mail of the login. A service account has none. */
  readonly email?: string | null;
  /** Whether the invitation was accepted. Absent: false (M8). */
  readonly confirmed?: boolean;
  /** The features that the member may use. Absent: none (M3). */
  readonly grants?: readonly string[];
  /** The member's part of the account's limits, by meter (M7). */
  readonly sub_limits?: Limits;
  /** The invitation, or an e-mail that waits to be confirmed (M8, M9). */
  readonly pending?: PendingEmail | null;
  /** The key of a service account (I7). */
  readonly service?: ServiceKey | null;
  /** The instant before which the login's sessions do not count. RFC 3339 (I7). */
  readonly not_before?: string | null;
  /** The host's attributes, as the schema's `MemberAttributes` declares them. */
  readonly attributes?: { readonly [name: string]: unknown };
}

/** A host name. Its id is the name (D4). */
export interface Domain {
  /** The type of the record. */
  readonly type: 'Domain';
  /** The normalised host name. Of a claim: the name, an `@`, and the owner. */
  readonly id: string;
  /** Whether the domain is the platform's or an owner's. */
  readonly kind: 'platform' | 'whitelabel';
  /** The owner's account of a `whitelabel` domain or claim. */
  readonly owner?: string | null;
  /** The state of the domain. Absent: pending. */
  readonly state?: 'pending' | 'verified' | 'quarantined' | 'lapsed';
  /**
   * The first instant at which a claim has expired, or a lapsed domain is quarantined. RFC
   * 3339. A claim without it never expires.
   */
  readonly until?: string | null;
}

/** A record of the directory. */
export type Record =
  | Platform
  | Operator
  | Package
  | AccessLevel
  | Account
  | TeamMember
  | Domain;

/** A part of a map of a patch: `null` removes an entry. */
type Entries<Value> = Value extends { readonly [name: string]: infer Entry }
  ? { readonly [name: string]: Entry | null }
  : never;
/** The fields of a record that a patch may have. */
type Patch<Of> = Of extends { readonly type: infer Type; readonly id: string }
  ? { readonly type: Type; readonly id: string } & {
      readonly [Field in Exclude<keyof Of, 'type' | 'id'>]?:
        | Of[Field]
        | (Field extends 'limits' | 'client_limits' | 'client_limits_max' | 'attributes' | 'sub_limits' ? Entries<NonNullable<Of[Field]>> : never)
        | (Field extends 'roles' | 'features' | 'limits' | 'client_limits' | 'client_limits_max' | 'disabled' | 'attributes' | 'grants' | 'sub_limits' | 'state' ? null : never);
    }
  : never;

/**
 * Fields of a record that change; the others stay.
 *
 * `null` removes an optional field. In `limits`, `client_limits`, `client_limits_max`,
 * `attributes` and `sub_limits` the named entries change, and `null` removes an entry.
 * Lists are replaced.
 */
export type RecordPatch = Patch<Record>;

/** Changes of the directory, made all or none. */
export interface Changes {
  /** Records that are created, or that replace those with the same type and id. */
  readonly put?: readonly Record[];
  /** Records of which some fields change. */
  readonly merge?: readonly RecordPatch[];
  /** Records that are removed. */
  readonly remove?: readonly PrincipalRef[];
  /** The expected revision. Fails with `directory.revision` at any other. */
  readonly expectedRevision?: CountInput | null;
}
