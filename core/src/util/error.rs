//! What can go wrong without an answer: one enum, one stable code each, and help.
//!
//! A refusal is not an error: it is a [`Decision`](crate::Decision) with `allowed == false`.

use std::fmt::{self, Write};

use super::printable::Printable;

/// Where in a file a [`Diagnostic`] is, counted from 1. Columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SourceSpan {
    /// The file's name inside the bundle, or the name of the argument that held the text.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// How many characters of that line are to blame, at least 1.
    pub width: u32,
    /// The line itself, cut to a length that a terminal can show.
    pub text: String,
    /// How many characters of `text` stand before the caret (`column - 1`, unless the line was
    /// cut).
    pub indent: u32,
}

/// One thing that is wrong in a file that was to be loaded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Diagnostic {
    /// The stable code, `family.what`.
    pub code: &'static str,
    /// What is wrong, naming the thing.
    pub message: String,
    /// Where, if a place in a file is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<SourceSpan>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Texts of the file and of the message are escaped where a terminal would not show them as they
/// stand.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Printable {
            to: f,
            has_lines: true,
        };
        if let Some(place) = &self.place {
            let gutter = place.line.to_string();
            let pad = " ".repeat(gutter.len());
            let before = " ".repeat(place.indent as usize);
            let caret = "^".repeat(place.width.max(1) as usize);
            writeln!(f, "{}: {} [{}]", Location(place), self.message, self.code)?;
            writeln!(f, " {pad} |\n {gutter} | {}", place.text)?;
            write!(f, " {pad} | {before}{caret}")?;
        } else {
            write!(f, "{} [{}]", self.message, self.code)?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

struct Location<'a>(&'a SourceSpan);

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.0.file, self.0.line, self.0.column)
    }
}

/// All faults of the first stage of loading that failed; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// The faults as an error, or `Ok` when there are none. Errors come before warnings,
    /// and those of one file in the order of its text.
    ///
    /// # Errors
    /// [`Error::Bundle`] with these faults, if there are any.
    pub fn into_result(mut faults: Vec<Diagnostic>) -> Result<(), Error> {
        for fault in &mut faults {
            fault.message = fault
                .message
                .split('\n')
                .map(super::printable::printable)
                .collect::<Vec<_>>()
                .join("\n");
        }
        let mut files: Vec<String> = Vec::new();
        faults.sort_by_cached_key(|fault| {
            let (file, line, column) = fault.place.as_ref().map_or(("", 0, 0), |place| {
                (place.file.as_str(), place.line, place.column)
            });
            let nth = files
                .iter()
                .position(|known| known == file)
                .unwrap_or_else(|| {
                    files.push(file.to_owned());
                    files.len().saturating_sub(1)
                });
            (fault.code == "bundle.warning", nth, line, column)
        });
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Error::Bundle(Self(faults)))
        }
    }

    /// The faults, in the order of the files and of their text.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }
}

impl From<Diagnostic> for Error {
    fn from(fault: Diagnostic) -> Self {
        Self::Bundle(Diagnostics(vec![fault]))
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, fault) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(fault, f)?;
        }
        Ok(())
    }
}

macro_rules! errors {
    ($( $(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident : $ty:ty),* $(,)? } $code:literal $message:literal $help:literal; )*) => {
        /// Why there is no answer. Each variant has a stable code and help.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Error {
            /// Files that were to be loaded are at fault; each fault has its own code and place.
            Bundle(Diagnostics),
            $( $(#[$doc])* $name { $($(#[$fdoc])* #[doc = concat!("`", stringify!($field), "`, as in the message.")] $field: $ty),* }, )*
        }

        impl std::error::Error for Error {}

        /// The message, on one line and with nothing in it that a terminal or a log would not show
        /// as it stands.
        impl fmt::Display for Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Bundle(faults) => fmt::Display::fmt(faults, f),
                    $( Self::$name { $($field),* } => write!(Printable { to: f, has_lines: false }, $message), )*
                }
            }
        }

        impl Error {
            /// The stable code, `family.what`; for a bundle, the code of its first fault.
            #[must_use]
            pub fn code(&self) -> &'static str {
                match self {
                    Self::Bundle(faults) => faults.0.first().map_or("bundle.invalid", |fault| fault.code),
                    $( Self::$name { .. } => $code, )*
                }
            }

            /// What to do about it.
            #[must_use]
            pub fn help(&self) -> Option<&str> {
                match self {
                    Self::Bundle(faults) => faults.0.iter().find_map(|fault| fault.help.as_deref()),
                    $( Self::$name { .. } => Some($help), )*
                }
            }

            /// The faults of the files, when files are to blame; else empty.
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
    /// Q2: an amount is an integer from 0 to `i64::MAX`.
    Amount { amount: String } "input.amount" "amount `{amount}` is not an integer from 0 to 9223372036854775807" "pass a whole number; 0 asks without taking";
    /// E1: an id that is empty names nothing.
    EmptyId { what: String } "input.empty_id" "the id of the {what} is empty" "pass the id that the directory knows";
    /// I6: an id that nothing can have.
    IdLength { what: String, length: usize } "input.id_length" "the id of the {what} has {length} bytes" "ids are at most 256 bytes";
    /// A value that is larger than a question's may be.
    ValueSize { what: String, limit: usize } "input.value_size" "{what} has more than {limit} bytes" "pass what the policies read, not what it was made from";
    /// A type name that Cedar cannot read, or that the schema does not declare.
    EntityType { name: String } "input.entity_type" "no entity type `{name}` in the schema" "types are declared in the bundle's schema files";
    /// The schema has no such action.
    UnknownAction { action: String } "input.unknown_action" "no action `{action}` in the schema" "actions are declared in the bundle's schema files";
    /// The action is not for resources of this type.
    ActionResource { action: String, resource_type: String } "input.action_resource" "action `{action}` does not apply to resources of type `{resource_type}`" "see the action's `appliesTo` in the schema";
    /// A resource that the directory keeps was given with attributes of its own.
    DirectoryResource { resource: String } "input.directory_resource" "`{resource}` is kept in the directory: it takes no account, attributes or parents here" "pass its type and id only";
    /// The resource's attributes do not fit the schema.
    Resource { resource: String, reason: String } "input.resource" "resource `{resource}` does not fit the schema: {reason}" "attributes are declared on the entity type in the schema";
    /// An attribute is left out that `@requires` of the action names.
    AttributeRequired { resource: String, attribute: String, action: String } "input.attribute_required" "`{resource}` comes without `{attribute}`, which action `{action}` requires" "name the attribute: without it a policy could not refuse";
    /// The context does not fit the schema.
    Context { action: String, reason: String } "input.context" "context of `{action}` does not fit the schema: {reason}" "context fields are declared on the action in the schema; `facts` is the engine's";
    /// The request does not fit the schema.
    InvalidRequest { reason: String } "input.request" "the request does not fit the schema: {reason}" "see the action's `appliesTo` in the schema";
    /// The channel is not one of the kernel's.
    Channel { channel: String } "input.channel" "no channel `{channel}`" "the channels are those of the kernel schema's `Channel`";
    /// The realm is not written as the platform's or an owner's.
    Realm { realm: String } "input.realm" "realm `{realm}` is neither a `Platform` nor an `Account`" "name the realm by type and id: the platform, or the owner's account";
    /// The actor is not a login.
    Actor { actor: String } "input.actor" "actor `{actor}` is not a login" "an actor is an `Account`, a `TeamMember` or an `Operator`";
    /// Not an instant, or one that RFC 3339 cannot tell.
    Instant { text: String } "input.instant" "`{text}` is not an instant" "write RFC 3339, such as `2026-03-31T22:00:00Z`; years are 0 to 9999";
    /// A value that no JSON or Cedar value equals exactly.
    Value { what: String, reason: String } "input.value" "{what}: {reason}" "values are booleans, 64-bit integers, strings, lists and records";
    /// A value is nested deeper than the cap.
    Nesting { what: String, limit: usize } "input.nesting" "{what} is nested deeper than {limit}" "flatten it, or raise the cap at `open`";
    /// JSON text that cannot be read.
    Json { what: String, line: usize, column: usize, reason: String } "input.json" "{what}, line {line}, column {column}: {reason}" "the text must be one JSON value";
    /// An object names a key twice (escaped twins included).
    DuplicateKey { what: String, line: usize, column: usize, key: String } "input.duplicate_key" "{what}, line {line}, column {column}: key `{key}` stands twice" "keep one of them";
    /// One of many requests is malformed.
    Item { index: usize, code: &'static str, reason: String } "input.item" "request {index}: {reason} [{code}]" "no request of the list was answered";
    /// Columns of many requests that are not equally long.
    Columns { column: &'static str, rows: usize, first: &'static str, wanted: usize } "input.columns" "column `{column}` has {rows} rows where `{first}` has {wanted}" "a column is a list with one entry a row, or one value for all rows";
    /// A verb of the tenancy kernel was asked of a plain Cedar program, or the other way round.
    NotTenancy { verb: String } "input.not_tenancy" "`{verb}` needs a bundle with the tenancy kernel" "open a bundle that has `sublet.cedarschema`";
    /// D6: an action that is no way to log in.
    NoFlow { action: String } "input.not_a_login" "action `{action}` is no way to log in" "name an action of the kind `login`, or none for the one marked `@asks(\"login\")`";
    /// An option of `open` or `reload` that does not exist.
    OptionValue { option: String, value: String } "input.option" "option `{option}` has no value `{value}`" "see the documentation of `open`";
    /// No directory record of that type.
    RecordType { name: String } "directory.record_type" "no directory record of type `{name}`" "records are `Platform`, `Operator`, `Package`, `AccessLevel`, `Account`, `TeamMember`, `Domain`";
    /// Q9: not the name of a time zone.
    TimeZone { zone: String } "directory.time_zone" "no time zone `{zone}`" "write an IANA name with its capitals, such as `Europe/Vienna`";
    /// Q9: not a day that months can be counted from.
    Anchor { anchor: String } "directory.anchor" "anchor `{anchor}` is not a day" "write a day of the calendar as `YYYY-MM-DD`";
    /// A record that does not have the shape of its type.
    Record { line: usize, reason: String } "directory.record" "record {line}: {reason}" "see the record shapes in the documentation of `import`";
    /// Two records with the same type and id.
    DuplicateId { record: String } "directory.duplicate_id" "`{record}` stands twice" "ids are unique for each type";
    /// I5: the id of a record that is gone.
    IdUsed { record: String } "directory.id_used" "`{record}` was another one: its counts, history and keys belong to that id" "take a new id; if the same account or member has come back, say so with `resumed` in `change` or in the command";
    /// Two logins with the same e-mail in one realm (I1).
    DuplicateLogin { email: String, record: String } "directory.duplicate_login" "e-mail `{email}` of `{record}` is taken by another login of its realm" "a second login of a realm needs another e-mail";
    /// Two domain records with the same name after normalisation (D4).
    DuplicateDomain { domain: String } "directory.duplicate_domain" "domain `{domain}` stands twice after normalisation" "a host name belongs to one owner";
    /// D2: not a host name.
    DomainName { domain: String, reason: String } "directory.domain_name" "`{domain}` is not a host name: {reason}" "write the bare name, without scheme, port or path";
    /// C4: not an e-mail address.
    Email { email: String, reason: String } "directory.email" "`{email}` is not an e-mail address: {reason}" "an address is `name@host`";
    /// A record names a package that nobody declares.
    UnknownPackage { account: String, package: String } "directory.unknown_package" "account `{account}` has package `{package}`, which does not exist" "declare it in the catalog or put a `Package` record before";
    /// L3: a record names a level that is gone.
    UnknownLevel { account: String, level: String } "directory.unknown_level" "`{account}` names access level `{level}`, which does not exist" "create the level first; name a replacement when deleting one in use";
    /// L3: a level of another owner cannot be attached.
    LevelOtherOwner { account: String, level: String } "directory.level_other_owner" "access level `{level}` is another owner's and cannot be attached to `{account}`" "attach a built-in level or one of the client's owner";
    /// No such account.
    UnknownAccount { account: String } "directory.unknown_account" "no account with id `{account}`" "create the account first";
    /// C5: depth is one.
    OwnerNotMain { client: String, owner: String } "directory.owner_not_main" "client account `{client}` has owner `{owner}`, which is itself a client account" "clients create members, never clients";
    /// An account is main (package) or client (owner), never both or neither.
    AccountKind { account: String } "directory.account_kind" "account `{account}` must have a `package` (main account) or an `owner` (client account), and not both" "main accounts buy a package; clients have an owner and an access level";
    /// C7: a disable reason that this kind of account cannot have.
    DisableReason { account: String, reason: String } "directory.disable_reason" "account `{account}` cannot be disabled for `{reason}`" "`overage` and `by_owner` are for clients, `unpaid` for main accounts, `abuse` for both";
    /// What only a client has or can be.
    NotClient { account: String } "directory.not_a_client" "account `{account}` is a main account" "only clients have an access level: a main account has a package";
    /// What only a main account has or can be.
    NotMain { account: String } "directory.not_main" "account `{account}` is a client account" "only main accounts have a package";
    /// I1: logins of a client that its new owner's realm has already.
    TransferCollisions { client: String, owner: String, emails: String } "directory.transfer_collisions" "client account `{client}` cannot go to `{owner}`, whose realm has `{emails}` already" "one of the two logins needs another e-mail first";
    /// B1: the platform bills main accounts.
    BillsNoClient { account: String } "billing.client" "account `{account}` is a client account" "the platform bills its owner; what he asks of it is his business";
    /// No month, or one that has not begun.
    Period { period: String } "billing.period" "`{period}` is no month that has begun" "write the month in which it begins, such as `2026-10`";
    /// B4: the month runs still.
    PeriodOpen { owner: String, period: String } "billing.period_open" "month `{period}` of `{owner}` is not over" "settle it after its last instant; `preview` shows what it comes to";
    /// No such payment.
    UnknownPayment { payment: u64 } "billing.unknown_payment" "no payment {payment}" "give the number that `record_payment` gave";
    /// It was reversed before.
    PaymentReversed { payment: u64 } "billing.payment_reversed" "payment {payment} was reversed before" "a payment is reversed once, and whole";
    /// B6: the order in which clients are disabled is not the owner's to say, or names who is none
    /// of them.
    ExcessChoice { owner: String, reason: String } "billing.choice" "`{owner}` cannot choose so: {reason}" "the order is `excess_order` of the bundle's catalog; a choice names clients of the statement, each once";
    /// I4: not what was sent to this e-mail, or not any more.
    Token { login: String } "directory.token" "the token confirms nothing of `{login}`" "tokens are good once, for their time and for the e-mail that they were sent to: send another";
    /// The operating system gave no random bytes.
    Random { reason: String } "internal.random" "no random bytes: {reason}" "nothing was changed; try again";
    /// D4: whose domain it is was not shown.
    DomainProof { domain: String, proof: String } "directory.domain_proof" "domain `{domain}` has no TXT record `{proof}`" "its owner puts that record into its DNS; look again when it can be seen";
    /// L4: a feature that the schema does not declare.
    UnknownFeature { record: String, feature: String } "directory.unknown_feature" "`{record}` names feature `{feature}`, which the bundle does not declare" "features are declared in `app.cedarschema`";
    /// L4: a meter that the schema does not declare.
    UnknownMeter { record: String, meter: String } "directory.unknown_meter" "`{record}` names meter `{meter}`, which the bundle does not declare" "meters are declared in `app.cedarschema`";
    /// L2: built-in levels stand in the catalog; a level of the directory is one owner's.
    LevelOwner { level: String } "directory.level_owner" "access level `{level}` has no owner" "built-in levels stand in the bundle's catalog";
    /// The import was stopped by its progress callback.
    Cancelled { records: u64 } "directory.cancelled" "the import was stopped after {records} records" "nothing was changed";
    /// A domain's kind and owner do not fit together.
    DomainOwner { domain: String } "directory.domain_owner" "domain `{domain}` must have an owner if it is `whitelabel`, and none if it is `platform`" "the owner is a main account";
    /// A second platform.
    SecondPlatform { first: String, second: String } "directory.second_platform" "platform `{second}` beside `{first}`: there is one platform" "one directory serves one platform";
    /// The record's attributes do not fit the schema.
    Attributes { record: String, reason: String } "directory.attributes" "attributes of `{record}` do not fit the schema: {reason}" "they are declared in `app.cedarschema`";
    /// Something still refers to a removed record.
    InUse { record: String, by: String } "directory.in_use" "`{record}` cannot be removed: `{by}` refers to it" "remove or move what refers to it in the same transaction";
    /// A record was put over another, and leaves out what that one has.
    WouldReset { record: String, fields: String } "directory.would_reset" "`{record}` has {fields}, which the record that is put over it does not name" "name these fields too (`false`, `[]`, `{}` or `null` takes one away), or `merge` what changes: then the rest stays";
    /// A record to remove is not there.
    UnknownRecord { record: String } "directory.unknown_record" "no `{record}` in the directory" "look at the export";
    /// The directory moved on.
    Revision { expected: u64, found: u64 } "directory.revision" "the directory is at revision {found}, not {expected}" "read it again, and repeat the change or the import";
    /// A stream could not be read or written.
    Stream { reason: String } "store.stream" "the stream failed: {reason}" "nothing was changed";
    /// The store is not one that this build has.
    Store { store: String } "store.unknown" "no store `{store}`" "stores are `memory:` and `sqlite:PATH`, with the options `?durability=power`, `?create=no`, `?lock_timeout=MILLISECONDS` and `?mode=OCTAL`, separated by `&`";
    /// The file, or its folder, cannot be opened.
    StoreUnreachable { store: String, reason: String } "store.unreachable" "store `{store}` cannot be opened: {reason}" "its folder must exist and be the process's to write";
    /// Nothing can be written to it.
    StoreReadOnly { store: String } "store.read_only" "store `{store}` cannot be written" "the file, the files beside it and their folder must be the process's to write";
    /// The disk is full.
    StoreFull { store: String } "store.full" "no room is left for store `{store}`" "nothing was written; make room and try again";
    /// Reading or writing failed.
    StoreIo { store: String, reason: String } "store.io" "store `{store}` failed: {reason}" "nothing was committed; look at the disk, then try again";
    /// The file is not what it was when it was opened.
    StoreReplaced { store: String } "store.replaced" "the file of store `{store}` was removed or replaced" "put it back, or open the engine anew";
    /// The file is another program's.
    StoreForeign { store: String } "store.foreign" "`{store}` is not a store of Sublet" "give a path of its own";
    /// The file was written by a later version.
    StoreVersion { store: String, found: i64, known: i64 } "store.version" "store `{store}` has version {found} where this Sublet knows {known}" "update Sublet in every process that opens it";
    /// The file lies on a network.
    StoreNetwork { store: String, system: String } "store.network" "store `{store}` lies on a network file system ({system}), whose locks do not hold" "put it on a disk of this machine";
    /// The file cannot be read as what it was.
    StoreCorrupt { store: String, reason: String } "store.corrupt" "store `{store}` is damaged: {reason}" "restore it from a copy; `sublet verify` says what does not agree";
    /// Somebody else has the lock for longer than the call may wait.
    StoreLocked { store: String, holder: String } "store.locked" "store `{store}` is locked by {holder}" "nothing was written; a process that is paused or stuck must go on or end, then try again; `?lock_timeout=MILLISECONDS` says how long to wait";
    /// The caller gave up while it waited for the lock.
    Interrupted { store: String } "store.interrupted" "the wait for store `{store}` was interrupted" "nothing was written; try again when it suits";
    /// The commit failed after its end may have been written.
    StoreUnknownOutcome { store: String, reason: String } "store.unknown_outcome" "nobody knows whether store `{store}` was written: {reason}" "repeat the call with the same idempotency key, which takes once; without a key, read `history` before you repeat it";
    /// The database has another name, with another log beside it.
    StoreOtherName { store: String } "store.other_name" "the file of store `{store}` has a second name, or is open under another one" "open it under one name everywhere: remove hard links, and mount the folder instead of the file";
    /// The log or the index was removed while others have the database open.
    StoreSideFile { store: String, file: String } "store.side_file" "the file `{file}` of store `{store}` was removed or cut while processes have it open" "leave the files beside a database alone; its other processes put it right at their next change, then try again";
    /// What is in the store cannot be read with this bundle.
    StoreBehind { store: String, revision: u64, code: &'static str, reason: String } "store.behind" "the directory of store `{store}` at revision {revision} does not fit this process's bundle: {reason} [{code}]" "load the policies that it was changed with";
    /// A form of a verb that would keep an event loop waiting for a file.
    StoreSync { store: String, verb: String } "store.sync" "`{verb}` would keep the event loop waiting for store `{store}`" "await `{verb}Async`; the form that waits is for `memory:`";
    /// A verb that the store does not have.
    StoreVerb { store: String, verb: String } "store.verb" "`{verb}` is not for store `{store}`" "it is for `memory:`, in tests";
    /// The store's lock is held by a thread that a fork lost.
    StoreBusy { store: String } "store.busy" "store `{store}` is locked by a thread that this process does not have" "open another engine in the child: counts in memory are those of one process";
    /// The clock ran ahead further than time can have passed.
    ClockJump { now: String, last: String } "store.clock_jump" "the clock says {now}, but the last instant that was counted is {last}" "set the clock; if it is right, call `accept_clock`, or `sublet accept-clock STORE`";
    /// Not a command.
    Command { reason: String } "input.command" "the command is none: {reason}" "a command is an object with `do`, its name, and the fields of that command";
    /// The schema has no action for it.
    NotAsked { command: String, principal: String } "input.command_unasked" "no action asks for `{command}` of `{principal}`" "mark the action with `@asks` in the schema; its principals and resources say for whom it is";
    /// Q7: a key that cannot be kept.
    Key { length: usize } "input.key" "an idempotency key of {length} bytes" "keys are 1 to 255 bytes of text";
    /// Q8, I4: not a time for a reservation to hold, or for a token or an offer to be good.
    Ttl { ttl: String } "input.ttl" "nothing holds, or is good, for {ttl} milliseconds" "say 1 millisecond to 366 days";
    /// The action has no meter.
    NotMetered { action: String } "quota.not_metered" "action `{action}` is not metered" "put `@meter` or `@frees` before the action in the schema, or ask with `authorize`";
    /// Not a meter of the bundle, or not one of the action's.
    NoMeter { meter: String } "quota.unknown_meter" "no meter `{meter}` here" "meters stand in the bundle's catalog; an action's in its `@meter` and `@frees`";
    /// Only stocks are set.
    NotStock { meter: String } "quota.not_a_stock" "meter `{meter}` is not a stock" "a flow only grows in its window";
    /// A stock that the directory is the count of.
    CountedByDirectory { meter: String } "quota.counted_by_directory" "meter `{meter}` is the number of records that the directory has" "perform the command that adds or removes one, or `change` the directory: `usage` and every decision follow";
    /// More is freed than is used.
    BelowZero { meter: String, used: i64, amount: i64 } "quota.below_zero" "{amount} of meter `{meter}` cannot be freed: {used} are used" "free what was counted, or `set` what there is";
    /// Q7: one key, two requests.
    IdempotencyMismatch { key: String } "quota.idempotency_mismatch" "key `{key}` was used for another request" "take a new key for each request; a retry sends the same request";
    /// Q7: the key's time is over.
    KeyPruned { key: String } "quota.key_pruned" "key `{key}` was used before, and its answer is no longer kept" "keys live to the end of the window and 35 days; they may be used anew 35 days later";
    /// B14: the key is no top-up's.
    UnknownTopUp { account: String, key: String } "quota.unknown_top_up" "account `{account}` has no top-up with key `{key}`" "give the key that `top_up` was called with; one without a key is taken back by `refund` of its operation";
    /// No such operation, or one that is no longer kept.
    UnknownOperation { operation: u64 } "quota.unknown_operation" "no operation {operation}" "it never was, or is no longer kept";
    /// Q8: not a reservation.
    NoReservation { operation: u64 } "quota.not_a_reservation" "operation {operation} holds nothing" "commit and release take the operation of a `reserve`";
    /// Q8: the reservation's time is over.
    HoldExpired { operation: u64 } "quota.hold_expired" "reservation {operation} has expired" "reserve again, or `consume`";
    /// Q8: it was settled otherwise.
    HoldSettled { operation: u64 } "quota.hold_settled" "reservation {operation} was settled otherwise before" "look at the history";
    /// Q8: more is committed than is held.
    CommitTooMuch { operation: u64, amount: i64, held: i64 } "quota.commit_too_much" "{amount} cannot be committed of reservation {operation}, which holds {held}" "commit at most what was reserved";
    /// More is given back than was taken.
    RefundTooMuch { operation: u64, amount: i64, left: i64 } "quota.refund_too_much" "{amount} cannot be refunded of operation {operation}, of which {left} are left" "refund at most what the operation took";
    /// What takes nothing gives nothing back.
    NotRefundable { operation: u64, kind: &'static str } "quota.not_refundable" "operation {operation} is a `{kind}`" "refund a `consume`, a `commit` or a `top_up`; release a reservation";
    /// A panic was caught before it left the engine.
    Panic { reason: String } "internal.panic" "the engine failed: {reason}" "please report it; the engine goes on answering";
}

/// Codes of faults in a bundle, with help.
const FAULT_TABLE: &[(&str, &str)] = &[
    (
        "bundle.not_found",
        "the bundle is a folder with `sublet.cedarschema`, or a set of texts",
    ),
    (
        "bundle.unreadable",
        "bundle files are regular files of UTF-8 text",
    ),
    (
        "bundle.outside",
        "put the file itself into the bundle's folder, or link to a file of the folder",
    ),
    (
        "bundle.too_large",
        "split the file, or raise the cap at `open`",
    ),
    (
        "bundle.too_deep",
        "take the expression apart, or raise the cap at `open`",
    ),
    ("bundle.syntax", "see the Cedar language reference"),
    (
        "bundle.json",
        "the file must be one JSON value with the documented shape",
    ),
    ("bundle.duplicate_key", "keep one of the keys"),
    ("bundle.missing_id", "give each policy an `@id(\"...\")`"),
    ("bundle.duplicate_id", "policy ids are unique in a bundle"),
    (
        "bundle.missing_code",
        "give each `forbid` a `@code(\"...\")`: it names the denial",
    ),
    (
        "bundle.warns",
        "`@warns` stands on a `forbid` without `@code`: it warns instead of refusing",
    ),
    (
        "bundle.code_form",
        "codes are lower-case words joined by `_`",
    ),
    (
        "bundle.kind",
        "make each action a member of exactly one kind group",
    ),
    (
        "bundle.facts",
        "the context of each action holds `facts: Facts`",
    ),
    (
        "bundle.unknown_name",
        "features and meters are closed lists in `app.cedarschema`",
    ),
    ("bundle.schema", "see the Cedar schema reference"),
    ("bundle.validation", "see the Cedar validation reference"),
    (
        "bundle.warning",
        "warnings are refused: mend the policy, or open with `validation = \"errors\"`",
    ),
    (
        "bundle.requires",
        "`@requires` names attributes of the action's resources, as the schema declares them",
    ),
    (
        "bundle.left_out",
        "let `@requires` of the action name the attribute, make it required in the schema, or refuse where it is absent",
    ),
    (
        "bundle.link",
        "a link names a template of the program and fills all its slots",
    ),
    (
        "bundle.entities",
        "entities are a JSON list of Cedar entities that fit the schema",
    ),
    (
        "bundle.in_use",
        "the directory names what the new bundle no longer declares",
    ),
];

/// Every error code that this version can give, with its help, in a stable order.
#[must_use]
pub fn error_codes() -> Vec<(&'static str, &'static str)> {
    ERROR_TABLE.iter().chain(FAULT_TABLE).copied().collect()
}

/// Help for a fault code of the table.
pub(crate) fn fault_help(code: &str) -> Option<String> {
    FAULT_TABLE
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, help)| (*help).to_owned())
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
