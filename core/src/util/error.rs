//! Errors: one enum, with a stable code and a help text for each variant.
//!
//! A refusal is not an error. It is a [`Decision`](crate::Decision) with `allowed == false`.

use std::fmt::{self, Write};

pub use super::diagnostic::{Diagnostic, Diagnostics, SourceSpan};
use super::fault_table::FAULT_TABLE;
pub(crate) use super::fault_table::fault_help;
use super::printable::Printable;

macro_rules! errors {
    ($( $(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident : $ty:ty),* $(,)? } $code:literal $message:literal $help:literal; )*) => {
        /// The reason why there is no result. Each variant has a stable code and a help text.
        ///
        /// # Example: the code and the help of an error
        /// ```
        /// let error = sublet::normalise_email("ann").unwrap_err();
        /// assert_eq!(error.code(), "directory.email");
        /// assert_eq!(error.help(), Some("an address is `name@host`"));
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Error {
            /// Loaded files have problems. Each problem has a code and a position of its own.
            Bundle(Diagnostics),
            $( $(#[$doc])* $name { $($(#[$fdoc])* #[doc = concat!("`", stringify!($field), "`, as in the message.")] $field: $ty),* }, )*
        }

        impl std::error::Error for Error {}

        /// The message, on one line. Characters that a terminal or a log would not show as they
        /// are, are escaped.
        impl fmt::Display for Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Bundle(faults) => fmt::Display::fmt(faults, f),
                    $( Self::$name { $($field),* } => write!(Printable { to: f, has_lines: false }, $message), )*
                }
            }
        }

        impl Error {
            /// Returns the stable code, `family.name`. For a bundle, it is the code of the first
            /// problem.
            #[must_use]
            pub fn code(&self) -> &'static str {
                match self {
                    Self::Bundle(faults) => faults.0.first().map_or("bundle.invalid", |fault| fault.code),
                    $( Self::$name { .. } => $code, )*
                }
            }

            /// Returns advice on the next step.
            #[must_use]
            pub fn help(&self) -> Option<&str> {
                match self {
                    Self::Bundle(faults) => faults.0.iter().find_map(|fault| fault.help.as_deref()),
                    $( Self::$name { .. } => Some($help), )*
                }
            }

            /// Returns the problems of the loaded files. Empty for every other error.
            #[must_use]
            pub fn faults(&self) -> &[Diagnostic] {
                match self {
                    Self::Bundle(faults) => faults.as_slice(),
                    _ => &[],
                }
            }
        }

        const ERROR_TABLE: &[(&str, &str)] = &[ $( ($code, $help), )* ];
    };
}

errors! {
    /// An amount is not an integer from 0 to `i64::MAX` (Q2), or a payment is not at least 1.
    Amount { amount: String } "input.amount" "amount `{amount}` is not a whole number that this call can take" "pass a whole number from 0 to 9223372036854775807, where 0 asks without taking; a payment is at least 1";
    /// An id is empty (E1).
    EmptyId { what: String } "input.empty_id" "the id of the {what} is empty" "pass an id of 1 to 256 bytes";
    /// An id is too long (I6).
    IdLength { what: String, length: usize } "input.id_length" "the id of the {what} has {length} bytes" "ids are at most 256 bytes";
    /// A value is larger than the values of one request may be.
    ValueSize { what: String, limit: usize } "input.value_size" "{what} has more than {limit} bytes" "pass only the values that the policies read";
    /// Cedar cannot read the type name, or the schema does not declare the type.
    EntityType { name: String } "input.entity_type" "no entity type `{name}` in the schema" "types are declared in the bundle's schema files";
    /// The schema does not declare the action.
    UnknownAction { action: String } "input.unknown_action" "no action `{action}` in the schema" "actions are declared in the bundle's schema files";
    /// The action does not apply to resources of this type.
    ActionResource { action: String, resource_type: String } "input.action_resource" "action `{action}` does not apply to resources of type `{resource_type}`" "see the action's `appliesTo` in the schema";
    /// The request gives attributes to a resource that is a record of the directory.
    DirectoryResource { resource: String } "input.directory_resource" "`{resource}` is a record of the directory: a request cannot give it an account, attributes or parents" "pass its type and id only";
    /// The resource's attributes do not fit the schema.
    Resource { resource: String, reason: String } "input.resource" "resource `{resource}` does not fit the schema: {reason}" "attributes are declared on the entity type in the schema";
    /// The request lacks an attribute that the action's `@requires` names.
    AttributeRequired { resource: String, attribute: String, action: String } "input.attribute_required" "`{resource}` lacks `{attribute}`, which action `{action}` requires" "pass the attribute: a policy that reads it could not refuse without it";
    /// The context does not fit the schema.
    Context { action: String, reason: String } "input.context" "context of `{action}` does not fit the schema: {reason}" "context fields are declared on the action in the schema; the engine sets `facts`";
    /// The request does not fit the schema.
    InvalidRequest { reason: String } "input.request" "the request does not fit the schema: {reason}" "see the action's `appliesTo` in the schema";
    /// The kernel schema does not declare the channel.
    Channel { channel: String } "input.channel" "no channel `{channel}`" "the kernel schema lists the channels in `Channel`, such as `web` and `job`";
    /// The realm is not the platform's and not an owner's.
    Realm { realm: String } "input.realm" "realm `{realm}` is neither a `Platform` nor an `Account`" "name the realm by type and id: the platform, or the owner's account";
    /// The actor is not a login.
    Actor { actor: String } "input.actor" "actor `{actor}` is not a login" "an actor is an `Account`, a `TeamMember` or an `Operator`";
    /// The text is not an instant, or RFC 3339 cannot express the instant.
    Instant { text: String } "input.instant" "`{text}` is not an instant" "write RFC 3339, such as `2026-03-31T22:00:00Z`; years are 0 to 9999";
    /// No JSON or Cedar value equals the value exactly.
    Value { what: String, reason: String } "input.value" "{what}: {reason}" "values are booleans, 64-bit integers, strings, lists and records";
    /// A value is nested deeper than the limit.
    Nesting { what: String, limit: usize } "input.nesting" "{what} is nested deeper than {limit}" "flatten it, or raise the cap at `open`";
    /// The text is not valid JSON.
    Json { what: String, line: usize, column: usize, reason: String } "input.json" "{what}, line {line}, column {column}: {reason}" "the text must be one JSON value";
    /// An object has a key twice (escaped duplicates included).
    DuplicateKey { what: String, line: usize, column: usize, key: String } "input.duplicate_key" "{what}, line {line}, column {column}: key `{key}` stands twice" "keep one of them";
    /// One request of a list is malformed.
    Item { index: usize, code: &'static str, reason: String } "input.item" "request {index}: {reason} [{code}]" "no request of the list was answered";
    /// The columns of a batch differ in length.
    Columns { column: &'static str, rows: usize, first: &'static str, wanted: usize } "input.columns" "column `{column}` has {rows} rows where `{first}` has {wanted}" "a column is a list with one entry a row, or one value for all rows";
    /// The call needs the tenancy kernel, but the engine has a plain Cedar program, or the reverse.
    NotTenancy { verb: String } "input.not_tenancy" "`{verb}` needs a bundle with the tenancy kernel" "open a bundle that has `sublet.cedarschema`";
    /// The action does not log anybody in (D6).
    NoFlow { action: String } "input.not_a_login" "action `{action}` is not a login action" "name an action of the kind `login`, or omit it to use the action marked `@asks(\"login\")`";
    /// An option of `open` or `reload` has an unknown value.
    OptionValue { option: String, value: String } "input.option" "option `{option}` has no value `{value}`" "see the documentation of `open`";
    /// The directory has no records of that type.
    RecordType { name: String } "directory.record_type" "no directory record of type `{name}`" "records are `Platform`, `Operator`, `Package`, `AccessLevel`, `Account`, `TeamMember`, `Domain`";
    /// The text is not the name of a time zone (Q9).
    TimeZone { zone: String } "directory.time_zone" "no time zone `{zone}`" "write an IANA name with its capitals, such as `Europe/Vienna`";
    /// The text is not a day from which months can be counted (Q9).
    Anchor { anchor: String } "directory.anchor" "anchor `{anchor}` is not a day" "write a day of the calendar as `YYYY-MM-DD`";
    /// A record does not have the shape of its type.
    Record { line: usize, reason: String } "directory.record" "record {line}: {reason}" "see the record shapes in the documentation of `import`";
    /// Two records have the same type and id.
    DuplicateId { record: String } "directory.duplicate_id" "`{record}` stands twice" "ids are unique for each type";
    /// The id belonged to a record that was removed (I5).
    IdUsed { record: String } "directory.id_used" "the id of `{record}` belonged to a removed record, which keeps its counts, history and keys" "choose a new id; if the same account or member has come back, set `resumed` in `apply_changes` or in the command";
    /// Two logins in one realm have the same e-mail (I1).
    DuplicateLogin { email: String, record: String } "directory.duplicate_login" "e-mail `{email}` of `{record}` is taken by another login of its realm" "a second login of a realm needs another e-mail";
    /// Two domain records have the same name after normalisation (D4).
    DuplicateDomain { domain: String } "directory.duplicate_domain" "domain `{domain}` stands twice after normalisation" "a host name belongs to one owner";
    /// The text is not a host name (D2).
    DomainName { domain: String, reason: String } "directory.domain_name" "`{domain}` is not a host name: {reason}" "write the bare name, without scheme, port or path";
    /// The text is not an e-mail address (C4).
    Email { email: String, reason: String } "directory.email" "`{email}` is not an e-mail address: {reason}" "an address is `name@host`";
    /// A record names a package that does not exist.
    UnknownPackage { account: String, package: String } "directory.unknown_package" "account `{account}` has package `{package}`, which does not exist" "declare it in the catalog, or put a `Package` record first";
    /// A record names an access level that does not exist (L3).
    UnknownLevel { account: String, level: String } "directory.unknown_level" "`{account}` names access level `{level}`, which does not exist" "create the level first; name a replacement when deleting one in use";
    /// The access level belongs to another owner and cannot be attached (L3).
    LevelOtherOwner { account: String, level: String } "directory.level_other_owner" "access level `{level}` belongs to another owner and cannot be attached to `{account}`" "attach a built-in level, or a level of the client's owner";
    /// The account does not exist.
    UnknownAccount { account: String } "directory.unknown_account" "no account with id `{account}`" "create the account first";
    /// The owner of a client account must be a main account (C5).
    OwnerNotMain { client: String, owner: String } "directory.owner_not_main" "client account `{client}` has owner `{owner}`, which is itself a client account" "clients create members, never clients";
    /// An account is either a main account (package) or a client account (owner).
    AccountKind { account: String } "directory.account_kind" "account `{account}` must have a `package` (main account) or an `owner` (client account), and not both" "main accounts buy a package; clients have an owner and an access level";
    /// An account of this kind cannot have this disable reason (C7).
    DisableReason { account: String, reason: String } "directory.disable_reason" "account `{account}` cannot be disabled for `{reason}`" "`overage` and `by_owner` are for clients, `unpaid` for main accounts, `abuse` for both";
    /// The operation or field is only for client accounts.
    NotClient { account: String } "directory.not_a_client" "account `{account}` is a main account" "only clients have an access level: a main account has a package";
    /// The operation or field is only for main accounts.
    NotMain { account: String } "directory.not_main" "account `{account}` is a client account" "only main accounts have a package";
    /// The new owner's realm already has logins with e-mails of the client (I1).
    TransferCollisions { client: String, owner: String, emails: String } "directory.transfer_collisions" "client account `{client}` cannot be transferred to `{owner}`: the owner's realm already has `{emails}`" "change the e-mail of one of the two logins first";
    /// The platform bills main accounts only (B1).
    BillsNoClient { account: String } "billing.client" "account `{account}` is a client account" "use the id of its owner: the platform bills owners, and owners bill their clients themselves";
    /// The period is not a month, or has not begun.
    Period { period: String } "billing.period" "`{period}` is not a month that has begun" "write the month in which the period begins, such as `2026-10`";
    /// No month of the account runs, because the account is closed (B10).
    NoMonth { owner: String } "billing.no_month" "no month of `{owner}` runs" "a closed account is billed until its closing; read its last month with `statement`";
    /// The month is not over yet (B4).
    PeriodOpen { owner: String, period: String } "billing.period_open" "month `{period}` of `{owner}` is not over" "settle the month after it ends; `preview_statement` shows its present total";
    /// The days of grace of the month are not over yet (B8).
    Grace { owner: String, period: String, until: String } "billing.grace" "month `{period}` of `{owner}` can be settled from {until} on" "settle it then; until then its statement says which clients are at risk";
    /// The payment does not exist.
    UnknownPayment { payment: u64 } "billing.unknown_payment" "no payment {payment}" "pass the number that `record_payment` returned";
    /// The payment is already reversed.
    PaymentReversed { payment: u64 } "billing.payment_reversed" "payment {payment} is already reversed" "a payment can be reversed once, and only in full";
    /// The owner may not choose the order in which clients are disabled, or names an account that
    /// is not one of them (B6).
    ExcessChoice { owner: String, reason: String } "billing.choice" "`{owner}` cannot choose this order: {reason}" "the order is `excess_order` of the bundle's catalog; a choice names clients of the statement, each once";
    /// The token was not sent to this e-mail, or is no longer valid (I4).
    Token { login: String } "directory.token" "the token is not valid for `{login}`" "a token is valid once, until it expires, for the e-mail that it was sent to: send a new one";
    /// The operating system gave no random bytes.
    Random { reason: String } "internal.random" "the operating system gave no random bytes: {reason}" "nothing was changed; try again";
    /// The DNS does not prove that the owner holds the domain (D4).
    DomainProof { domain: String, proof: String } "directory.domain_proof" "domain `{domain}` has no TXT record `{proof}`" "the owner must publish this record in the DNS; try again when it is visible";
    /// The schema does not declare the feature (L4).
    UnknownFeature { record: String, feature: String } "directory.unknown_feature" "`{record}` names feature `{feature}`, which the bundle does not declare" "features are declared in `app.cedarschema`";
    /// The schema does not declare the meter (L4).
    UnknownMeter { record: String, meter: String } "directory.unknown_meter" "`{record}` names meter `{meter}`, which the bundle does not declare" "meters are declared in `app.cedarschema`";
    /// An access level of the directory needs an owner. Built-in levels are declared in the catalog
    /// (L2).
    LevelOwner { level: String } "directory.level_owner" "access level `{level}` has no owner" "name the owner; built-in levels are declared in the bundle's catalog";
    /// The progress callback stopped the import.
    Cancelled { records: u64 } "directory.cancelled" "the import was stopped after {records} records" "nothing was changed";
    /// The kind and the owner of a domain do not fit together.
    DomainOwner { domain: String } "directory.domain_owner" "domain `{domain}` must have an owner if it is `whitelabel`, and none if it is `platform`" "the owner is a main account";
    /// The end of a domain does not fit its state.
    DomainUntil { domain: String } "directory.domain_until" "domain `{domain}` must have `until` if it is lapsed, and may have it only then or as a claim of an owner" "say until when a lapsed domain serves; leave `until` out for all others";
    /// Several owners claim the name, and each claim has a proof of its own (D4).
    DomainClaims { domain: String } "directory.domain_claims" "several owners claim domain `{domain}`" "name the owner whose proof you want";
    /// The directory already has a platform.
    SecondPlatform { first: String, second: String } "directory.second_platform" "platform `{second}` cannot be added: the directory has platform `{first}`" "one directory serves one platform";
    /// The record's attributes do not fit the schema.
    Attributes { record: String, reason: String } "directory.attributes" "{record}: {reason}" "they are declared in `app.cedarschema`";
    /// Another record still refers to the removed record.
    InUse { record: String, by: String } "directory.in_use" "`{record}` cannot be removed: `{by}` refers to it" "remove or move what refers to it in the same transaction";
    /// A record that replaces another does not name fields that the other has.
    WouldReset { record: String, fields: String } "directory.would_reset" "`{record}` has {fields}, which the record that is put over it does not name" "name these fields too (`false`, `[]`, `{}` or `null` removes one), or use `merge`, which changes only the fields that it names";
    /// The record to remove does not exist.
    UnknownRecord { record: String } "directory.unknown_record" "no `{record}` in the directory" "`export` lists the records";
    /// The directory is at another revision than the caller expects.
    Revision { expected: u64, found: u64 } "directory.revision" "the directory is at revision {found}, not {expected}" "read the directory again, then repeat the change or the import";
    /// A stream could not be read or written.
    Stream { reason: String } "store.stream" "the stream failed: {reason}" "nothing was changed";
    /// This build does not support the store.
    Store { store: String } "store.unknown" "no store `{store}`" "stores are `memory:` and `sqlite:PATH`, with the options `?durability=power`, `?create=no`, `?lock_timeout=MILLISECONDS` and `?mode=OCTAL`, separated by `&`";
    /// The file, or its folder, cannot be opened.
    StoreUnreachable { store: String, reason: String } "store.unreachable" "store `{store}` cannot be opened: {reason}" "its folder must exist, and the process must be able to write to it";
    /// The store cannot be written.
    StoreReadOnly { store: String } "store.read_only" "store `{store}` cannot be written" "the process must be able to write to the file, the files beside it and their folder";
    /// The disk is full.
    StoreFull { store: String } "store.full" "the disk of store `{store}` is full" "nothing was written; free disk space and try again";
    /// Reading or writing failed.
    StoreIo { store: String, reason: String } "store.io" "store `{store}` failed: {reason}" "nothing was committed; check the disk, then try again";
    /// The file was removed or replaced after it was opened.
    StoreReplaced { store: String } "store.replaced" "the file of store `{store}` was removed or replaced" "put the file back, or open a new engine";
    /// The file belongs to another program.
    StoreForeign { store: String } "store.foreign" "`{store}` is not a store of Sublet" "give a path of its own";
    /// A later version wrote the file.
    StoreVersion { store: String, found: i64, known: i64 } "store.version" "store `{store}` has version {found} where this Sublet knows {known}" "update Sublet in every process that opens it";
    /// The file is on a network file system.
    StoreNetwork { store: String, system: String } "store.network" "store `{store}` lies on a network file system ({system}), whose locks do not hold" "put it on a disk of this machine";
    /// The content of the file is damaged.
    StoreCorrupt { store: String, reason: String } "store.corrupt" "store `{store}` is damaged: {reason}" "restore it from a backup; `sublet verify` lists what is damaged";
    /// Another holder kept the lock for longer than the call may wait.
    StoreLocked { store: String, holder: String } "store.locked" "store `{store}` is locked by {holder}" "nothing was written; resume or end the process that is paused or stuck, then try again; `?lock_timeout=MILLISECONDS` sets how long to wait";
    /// The caller interrupted the wait for the lock.
    Interrupted { store: String } "store.interrupted" "the wait for store `{store}` was interrupted" "nothing was written; the call can be repeated";
    /// The commit failed after it may have been written.
    StoreUnknownOutcome { store: String, reason: String } "store.unknown_outcome" "it is not known whether store `{store}` was written: {reason}" "repeat the call with the same idempotency key, so that it counts once; without a key, read `history` before you repeat it";
    /// The database file has a second name, with a second log beside it.
    StoreOtherName { store: String } "store.other_name" "the file of store `{store}` has a second name, or is open under another one" "open it under one name everywhere: remove hard links, and mount the folder instead of the file";
    /// The log or the index was removed while other processes have the database open.
    StoreSideFile { store: String, file: String } "store.side_file" "the file `{file}` of store `{store}` was removed or cut while processes have it open" "never remove the files beside a database; its other processes repair it at their next change, then try again";
    /// The directory in the store does not fit this bundle.
    StoreBehind { store: String, revision: u64, code: &'static str, reason: String } "store.behind" "the directory of store `{store}` at revision {revision} does not fit this process's bundle: {reason} [{code}]" "load the policies with which the directory was changed";
    /// The synchronous form of a call would block an event loop while it waits for a file.
    StoreSync { store: String, verb: String } "store.sync" "`{verb}` would block the event loop while it waits for store `{store}`" "await the method whose name ends in `Async`; the synchronous form is for `memory:`";
    /// The store does not support the call.
    StoreVerb { store: String, verb: String } "store.verb" "store `{store}` does not support `{verb}`" "only `memory:` supports it, for tests";
    /// The clock ran ahead by more time than can have passed.
    ClockJump { now: String, last: String } "store.clock_jump" "the clock shows {now}, but the last recorded instant is {last}" "correct the clock; if it is right, call `accept_clock` or run `sublet accept-clock STORE`";
    /// The value is not a command.
    Command { reason: String } "input.command" "invalid command: {reason}" "a command is an object with `do`, its name, and the fields of that command";
    /// The schema has no action for the command.
    NotAsked { command: String, principal: String } "input.command_unasked" "no action with `@asks` applies to command `{command}` by `{principal}`" "mark an action with `@asks` in the schema; its `appliesTo` lists the types of principal and resource";
    /// The list has no such kind of records (C13).
    ListKind { kind: String } "input.list_kind" "no list of `{kind}`" "lists are `clients`, `members`, `service_accounts`, `levels` and `domains`";
    /// An idempotency key is empty or too long (Q7).
    IdempotencyKey { length: usize } "input.idempotency_key" "the idempotency key has {length} bytes" "keys are 1 to 255 bytes of text";
    /// The time is too short or too long for a reservation, a token or an offer (Q8, I4).
    Ttl { ttl: String } "input.ttl" "nothing holds, or is good, for {ttl} milliseconds" "say 1 millisecond to 366 days";
    /// The action has no meter.
    NotMetered { action: String } "quota.not_metered" "action `{action}` is not metered" "put `@meter` or `@frees` before the action in the schema, or use `authorize`";
    /// The bundle does not declare the meter, or the action does not use it.
    NoMeter { meter: String } "quota.unknown_meter" "meter `{meter}` is not declared, or is not a meter of the action" "the bundle's catalog declares the meters; `@meter` and `@frees` name those of an action";
    /// Only a stock can be set.
    NotStock { meter: String } "quota.not_a_stock" "meter `{meter}` is not a stock" "only a stock can be set; a flow only grows in its window";
    /// The directory counts this stock.
    CountedByDirectory { meter: String } "quota.counted_by_directory" "meter `{meter}` is the number of records in the directory" "perform the command that adds or removes a record, or change the directory with `apply_changes`: the meter follows";
    /// More is freed than is used.
    BelowZero { meter: String, used: i64, amount: i64 } "quota.below_zero" "cannot free {amount} of meter `{meter}`: {used} are used" "free at most what is used, or give the present number to `set_stock`";
    /// The idempotency key was used for another request (Q7).
    IdempotencyMismatch { key: String } "quota.idempotency_mismatch" "key `{key}` was used for another request" "use a new key for each request; a retry must send the same request";
    /// The answer of the idempotency key is no longer stored (Q7).
    IdempotencyKeyPruned { key: String } "quota.idempotency_key_pruned" "key `{key}` was used before, and its answer is no longer stored" "answers are stored until 35 days after the window ends; the key can be used again 35 days later";
    /// No top-up has this key (B14).
    UnknownTopUp { account: String, key: String } "quota.unknown_top_up" "account `{account}` has no top-up with key `{key}`" "pass the key of the `top_up` call; a top-up without a key is revoked by `refund` of its operation";
    /// The operation does not exist, or is no longer stored.
    UnknownOperation { operation: u64 } "quota.unknown_operation" "no operation {operation}" "the operation never existed, or is no longer stored";
    /// The operation is not a reservation (Q8).
    NoReservation { operation: u64 } "quota.not_a_reservation" "operation {operation} is not a reservation" "commit and release take the operation of a `reserve`";
    /// The reservation has expired (Q8).
    ReservationExpired { operation: u64 } "quota.reservation_expired" "reservation {operation} has expired" "reserve again, or `consume`";
    /// The reservation was already committed or released in another way (Q8).
    ReservationClosed { operation: u64 } "quota.reservation_closed" "reservation {operation} was already committed or released in another way" "`history` shows the operation";
    /// More is committed than is reserved (Q8).
    CommitTooMuch { operation: u64, amount: i64, reserved: i64 } "quota.commit_too_much" "cannot commit {amount} of reservation {operation}, which reserves {reserved}" "commit at most what was reserved";
    /// More is refunded than was taken.
    RefundTooMuch { operation: u64, amount: i64, remaining: i64 } "quota.refund_too_much" "cannot refund {amount} of operation {operation}, of which {remaining} remains" "refund at most what the operation took";
    /// An operation of this kind cannot be refunded.
    NotRefundable { operation: u64, kind: &'static str } "quota.not_refundable" "operation {operation} is a `{kind}`, which cannot be refunded" "refund a `consume`, a `commit` or a `top_up`; release a reservation";
    /// A panic was caught before it left the engine.
    Panic { reason: String } "internal.panic" "the engine failed: {reason}" "please report this error; the engine continues to work";
}

/// Returns every error code of this version with its help, in a stable order.
#[must_use]
pub fn error_codes() -> Vec<(&'static str, &'static str)> {
    ERROR_TABLE.iter().chain(FAULT_TABLE).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_has_help() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, help) in error_codes() {
            assert!(seen.insert(code), "{code} stands twice");
            let family = code.split('.').next().unwrap_or_default();
            assert!(
                [
                    "input",
                    "bundle",
                    "directory",
                    "quota",
                    "billing",
                    "store",
                    "internal"
                ]
                .contains(&family),
                "{code}"
            );
            assert!(!help.is_empty() && !help.ends_with('.'), "{code}: {help}");
        }
    }
}
