// The shapes of records: who is who, as `change` takes them, and `importLines` as JSON lines.

import type { Who } from './index.js';
import type { DisableReason } from './commands.js';
import type { CountInput, Limit } from './quota.js';

/** Limits by meter. */
export type Limits = { readonly [meter: string]: Limit };

/** An e-mail that waits to be confirmed; a member's is its invitation (I4, M8). */
export interface PendingEmail {
  readonly email: string;
  /** Of the token that was sent. */
  readonly hash: string;
  /** The first instant at which the token is good no more. RFC 3339. */
  readonly until: string;
}

/** The offer of a client to another owner, until an instant (RFC 3339). */
export interface TransferOffer {
  readonly to: string;
  readonly until: string;
  readonly consented?: boolean;
}

/** The vendor. One directory has one. */
export interface Platform {
  readonly type: 'Platform';
  readonly id: string;
}

/** A login of the platform's staff. */
export interface Operator {
  readonly type: 'Operator';
  readonly id: string;
  readonly email: string;
}

/** What a main account buys, beside those of the bundle's catalog. */
export interface Package {
  readonly type: 'Package';
  readonly id: string;
  /** The features that its accounts may use. Absent: none. */
  readonly features?: readonly string[];
  /** The right to have client accounts and domains of one's own. Absent: false. */
  readonly whitelabel?: boolean;
  /** How many client accounts are included (B2). */
  readonly client_accounts?: Limit | null;
  /** The account's limits, by meter. */
  readonly limits?: Limits;
  /** The limits of its clients, where neither they nor their levels have their own (L6). */
  readonly client_limits?: Limits;
  /** The access level that a client is created with (L7). */
  readonly client_level?: string | null;
}

/** A named set of enabled features, of one owner (L2). */
export interface AccessLevel {
  readonly type: 'AccessLevel';
  readonly id: string;
  readonly owner: string;
  /** The features that it enables. Absent: none. */
  readonly features?: readonly string[];
  /** The limits of the clients that have it, by meter (L6). */
  readonly limits?: Limits;
}

/** A main account, which has a `package`, or a client account, which has an `owner` and a `level`. */
export interface Account {
  readonly type: 'Account';
  readonly id: string;
  /** The login's e-mail. */
  readonly email: string;
  /** What a main account bought. */
  readonly package?: string | null;
  /** The account that a client account belongs to. */
  readonly owner?: string | null;
  /** A client's access level. Absent in a new record: the one that its owner's package names; `null`: none (L7). */
  readonly level?: string | null;
  /** Whether its e-mail is confirmed. Absent: false (C4). */
  readonly confirmed?: boolean;
  /** Whether it is closed. Absent: false. */
  readonly closed?: boolean;
  /** Why it is disabled. Absent: it is not (C7). */
  readonly disabled?: readonly DisableReason[];
  /** Limits of its own, by meter, before those of package and level (L6). */
  readonly limits?: Limits;
  /** The IANA time zone in which its days and months begin. Absent: UTC (Q9). */
  readonly zone?: string | null;
  /** The day from which its months are counted, `YYYY-MM-DD`. Absent: the first of the month (Q9). */
  readonly anchor?: string | null;
  /** An e-mail that waits to be confirmed (I4). */
  readonly pending?: PendingEmail | null;
  /** The offer of a client to another owner. */
  readonly transfer?: TransferOffer | null;
  /** When it was created, RFC 3339. */
  readonly created?: string | null;
  /** The host's own, as the schema's `AccountAttributes` declares them. */
  readonly attributes?: { readonly [name: string]: unknown };
}

/** A login that works inside one account (M1). */
export interface TeamMember {
  readonly type: 'TeamMember';
  readonly id: string;
  /** The account that it works in. */
  readonly account: string;
  /** The login's e-mail. */
  readonly email: string;
  /** Whether the invitation was accepted. Absent: false (M8). */
  readonly confirmed?: boolean;
  /** The features that it may use. Absent: none (M3). */
  readonly grants?: readonly string[];
  /** Its own part of the account's limits, by meter (M7). */
  readonly sub_limits?: Limits;
  /** Its invitation (M8). */
  readonly pending?: PendingEmail | null;
  /** The host's own, as the schema's `MemberAttributes` declares them. */
  readonly attributes?: { readonly [name: string]: unknown };
}

/** A host name; its id is the name (D4). */
export interface Domain {
  readonly type: 'Domain';
  readonly id: string;
  readonly kind: 'platform' | 'whitelabel';
  /** The account whose it is, of a `whitelabel` domain. */
  readonly owner?: string | null;
  /** How far it has come. Absent: pending. */
  readonly state?: 'pending' | 'verified' | 'quarantined';
}

/** One record of the directory. */
export type Record = Platform | Operator | Package | AccessLevel | Account | TeamMember | Domain;

type Entries<Value> = Value extends { readonly [name: string]: infer Entry } ? { readonly [name: string]: Entry | null } : never;
type Patch<Of> = Of extends { readonly type: infer Type; readonly id: string }
  ? { readonly type: Type; readonly id: string } & {
      readonly [Field in Exclude<keyof Of, 'type' | 'id'>]?:
        | Of[Field]
        | (Field extends 'limits' | 'sub_limits' | 'client_limits' | 'attributes' ? Entries<NonNullable<Of[Field]>> : never)
        | (Field extends 'disabled' | 'features' | 'grants' | 'limits' | 'sub_limits' | 'client_limits' | 'attributes' | 'state' ? null : never);
    }
  : never;

/**
 * Fields of a record that change; the rest stays. `null` takes an optional field away. Of `limits`, `sub_limits`, `client_limits` and
 * `attributes` what is named changes, entry by entry, and `null` takes an entry away. Lists are replaced.
 */
export type RecordPatch = Patch<Record>;

/** Changes of the directory, made all or none. */
export interface Changes {
  /** Records that are created, or that replace the ones of their type and id. */
  readonly put?: readonly Record[];
  /** Records of which some fields change. */
  readonly merge?: readonly RecordPatch[];
  /** Records that go. */
  readonly remove?: readonly Who[];
  /** Refused with `directory.revision` if the directory is at another. */
  readonly expectedRevision?: CountInput | null;
}
