// Methods that read and change the directory. `index.d.ts` exports these types.

import type { Abortable, DomainProofOptions, ImportFileOptions, ImportOptions, ListOptions } from './call_options.js';
import type { Count } from './quota.js';
import type { Changes, Record } from './records.js';
import type { PrincipalRef } from './requests.js';

/** The kinds of records that `listRecords` lists. */
export type ListKind = 'clients' | 'members' | 'service_accounts' | 'levels' | 'domains';

/** One page of a list. */
export interface RecordPage {
  /** The records, by id. */
  readonly records: readonly Record[];
  /** The id to pass as `after` for the next page, or `null` after the last one. */
  readonly next: string | null;
}

/** The methods that read and change the directory. */
export interface DirectoryMethods {
  /**
   * Makes all changes in one transaction or none, and returns the new revision.
   *
   * `put` creates records, or replaces those with the same type and id. `merge` changes the
   * fields that it names and keeps the others; `null` removes an optional field. `remove`
   * removes records.
   *
   * The id of a former account or member is refused, because counts, history and keys belong
   * to the id. With `resumed` the same account or member has come back and goes on with them
   * (I5).
   *
   * @throws {SubletError} With the code `directory.revision`, `directory.would_reset`,
   * `directory.id_used`, `directory.in_use`, `directory.record` or
   * `directory.duplicate_login`.
   * @example
   * import { Engine } from 'sublet';
   * const engine = Engine.open();
   * const expectedRevision = engine.revision;
   * console.log(engine.applyChanges({ put: [{ type: 'Platform', id: 'mmio' }], expectedRevision }));
   */
  applyChanges(changes: Changes): Count;
  /**
   * `applyChanges` off the event loop.
   *
   * Makes all changes in one transaction or none, and returns the new revision.
   *
   * `put` creates records, or replaces those with the same type and id. `merge` changes the
   * fields that it names and keeps the others; `null` removes an optional field. `remove`
   * removes records.
   *
   * The id of a former account or member is refused, because counts, history and keys belong
   * to the id. With `resumed` the same account or member has come back and goes on with them
   * (I5).
   *
   * @throws {SubletError} Rejects with the code `directory.revision`,
   * `directory.would_reset`, `directory.id_used`, `directory.in_use`, `directory.record` or
   * `directory.duplicate_login`.
   */
  applyChangesAsync(changes: Changes, options?: Abortable): Promise<Count>;
  /**
   * Replaces the whole directory by JSON lines, and returns the new revision. Replaces the
   * directory as this engine saw it last, or the one of `expectedRevision`. If it has changed
   * since, the call fails, so that no change of others is lost. At a first start call `seed`.
   *
   * @throws {SubletError} With the code `directory.revision`, `directory.cancelled`,
   * `directory.record`, `directory.duplicate_id` or `store.stream`.
   */
  importLines(lines: string, options?: ImportOptions): Count;
  /**
   * `importLines` off the event loop.
   *
   * Replaces the whole directory by JSON lines, and returns the new revision. Replaces the
   * directory as this engine saw it last, or the one of `expectedRevision`. If it has changed
   * since, the call fails, so that no change of others is lost. At a first start call `seed`.
   *
   * @throws {SubletError} Rejects with the code `directory.revision`, `directory.cancelled`,
   * `directory.record`, `directory.duplicate_id` or `store.stream`.
   */
  importLinesAsync(lines: string, options?: ImportOptions & Abortable): Promise<Count>;
  /**
   * Imports JSON lines if nothing was ever written to the directory, and returns whether it
   * did. If several processes start at once, one of them imports.
   *
   * @throws {SubletError} With the code `directory.record`, `directory.duplicate_id` or
   * `store.stream`.
   */
  seed(lines: string): boolean;
  /**
   * `seed` off the event loop.
   *
   * Imports JSON lines if nothing was ever written to the directory, and returns whether it
   * did. If several processes start at once, one of them imports.
   *
   * @throws {SubletError} Rejects with the code `directory.record`, `directory.duplicate_id`
   * or `store.stream`.
   */
  seedAsync(lines: string, options?: Abortable): Promise<boolean>;
  /**
   * Replaces the whole directory by the JSON lines of a file, off the event loop; resolves to
   * the new revision.
   *
   * `progress` is called some times a second, and stops the import if it returns `false`. An
   * aborted `signal` stops it too, with the signal's reason as `cause`. A stopped import
   * changes nothing. Replaces the directory as this engine saw it last, or the one of
   * `expectedRevision`.
   *
   * @throws {SubletError} With the code `directory.revision`, `directory.cancelled`,
   * `directory.record`, `directory.duplicate_id` or `store.stream`.
   */
  importFile(path: string, options?: ImportFileOptions): Promise<Count>;
  /** Returns the records of the directory as JSON lines. */
  exportLines(): string;
  /**
   * `exportLines` off the event loop.
   *
   * Returns the records of the directory as JSON lines.
   */
  exportLinesAsync(options?: Abortable): Promise<string>;
  /**
   * Returns one page of the `clients`, `members`, `service_accounts`, `levels` or `domains`
   * of an account, by id: the `records` and the `next` id, or `null` after the last page.
   *
   * With a `principal`, the page has the records that this login may read (C13). One call
   * examines at most `limit` (100) records, and at most 1,000; pass `next` as `after` to go
   * on.
   *
   * @throws {SubletError} With the code `directory.unknown_account`, `input.list_kind` or
   * `input.command_unasked`.
   */
  listRecords(kind: ListKind, account: string, options?: ListOptions): RecordPage;
  /**
   * `listRecords` off the event loop.
   *
   * Returns one page of the `clients`, `members`, `service_accounts`, `levels` or `domains`
   * of an account, by id: the `records` and the `next` id, or `null` after the last page.
   *
   * With a `principal`, the page has the records that this login may read (C13). One call
   * examines at most `limit` (100) records, and at most 1,000; pass `next` as `after` to go
   * on.
   *
   * @throws {SubletError} Rejects with the code `directory.unknown_account`,
   * `input.list_kind` or `input.command_unasked`.
   */
  listRecordsAsync(kind: ListKind, account: string, options?: ListOptions & Abortable): Promise<RecordPage>;
  /**
   * Returns everything that belongs to an account as JSON lines: its record, members, service
   * accounts, access levels and domains, then its statements and its history (C14).
   *
   * Asks no policy: authorize `account.export` first if the account itself exports.
   *
   * @throws {SubletError} With the code `directory.unknown_account`.
   */
  exportAccount(account: string): string;
  /**
   * `exportAccount` off the event loop.
   *
   * Returns everything that belongs to an account as JSON lines: its record, members, service
   * accounts, access levels and domains, then its statements and its history (C14).
   *
   * Asks no policy: authorize `account.export` first if the account itself exports.
   *
   * @throws {SubletError} Rejects with the code `directory.unknown_account`.
   */
  exportAccountAsync(account: string, options?: Abortable): Promise<string>;
  /**
   * Returns the TXT record that the DNS of an owner's domain needs before `verify_domain`
   * (D4). If several owners claim the name, `owner` says whose record is returned.
   *
   * @throws {SubletError} With the code `directory.unknown_record` or
   * `directory.domain_claims`.
   */
  domainProof(domain: string, options?: DomainProofOptions): string;
  /**
   * `domainProof` off the event loop.
   *
   * Returns the TXT record that the DNS of an owner's domain needs before `verify_domain`
   * (D4). If several owners claim the name, `owner` says whose record is returned.
   *
   * @throws {SubletError} Rejects with the code `directory.unknown_record` or
   * `directory.domain_claims`.
   */
  domainProofAsync(domain: string, options?: DomainProofOptions & Abortable): Promise<string>;
  /** Returns the record with this type and id, of the directory or the catalog, or `null`. */
  getRecord<Type extends Record['type']>(reference: readonly [Type, string]): Extract<Record, { readonly type: Type }> | null;
  /** Returns the record with this type and id, of the directory or the catalog, or `null`. */
  getRecord(reference: PrincipalRef): Record | null;
  /**
   * `getRecord` off the event loop.
   *
   * Returns the record with this type and id, of the directory or the catalog, or `null`.
   */
  getRecordAsync<Type extends Record['type']>(reference: readonly [Type, string], options?: Abortable): Promise<Extract<Record, { readonly type: Type }> | null>;
  /**
   * `getRecord` off the event loop.
   *
   * Returns the record with this type and id, of the directory or the catalog, or `null`.
   */
  getRecordAsync(reference: PrincipalRef, options?: Abortable): Promise<Record | null>;
}
