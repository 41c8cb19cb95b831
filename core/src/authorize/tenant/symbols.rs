//! Names that tenant policies read, as numbers fixed at compile time.

use crate::model::flags::{self, AccountFlags, MemberFlags, PackageFlags};
use crate::vm::{ConstantPool, KIND_SHIFT};

/// Numbers names in their order, and lists their texts. The last constant is the count of names.
macro_rules! numbered {
    ($(#[$list_doc:meta])* $list:ident, $(#[$end_doc:meta])* $end:ident;
        $($name:ident $text:literal)*) => {
        $(#[$list_doc])*
        pub(crate) const $list: &[&str] = &[$($text),*];
        numbered!(@number 0; $($name)* $end $(#[$end_doc])*);
    };
    (@number $at:expr; $name:ident $($rest:ident)+ $(#[$end_doc:meta])*) => {
        pub(crate) const $name: u32 = $at;
        numbered!(@number $at + 1; $($rest)* $(#[$end_doc])*);
    };
    (@number $at:expr; $end:ident $(#[$end_doc:meta])*) => {
        $(#[$end_doc])*
        pub(crate) const $end: u32 = $at;
    };
}

numbered! {
    /// The names of the entity types, in order of their numbers. The number of a type is the upper
    /// part of an entity's number.
    TYPES,
    /// Entities of other types that a policy or a request names.
    NAMED;
    PLATFORM "Platform"
    OPERATOR "Operator"
    PACKAGE "Package"
    LEVEL "AccessLevel"
    ACCOUNT "Account"
    MEMBER "TeamMember"
    DOMAIN "Domain"
    FEATURE "Feature"
    REASON "DisableReason"
    CHANNEL "Channel"
    STATE "DomainState"
    METER "Meter"
    ROLE "Role"
    ACTION "Action"
}

pub(crate) const REASONS: [&str; 4] = ["overage", "by_owner", "unpaid", "abuse"];
pub(crate) const STATES: [&str; 4] = ["pending", "verified", "quarantined", "lapsed"];

/// Returns an entity's number.
pub(crate) fn entity(kind: u32, place: u32) -> u32 {
    (kind << KIND_SHIFT) | place
}

/// Splits an entity's number into its type and place.
pub(crate) fn parts(entity: u32) -> (u32, u32) {
    (entity >> KIND_SHIFT, entity & 0x03FF_FFFF)
}

/// Returns the number of a record type.
pub(crate) fn record_type(name: &str) -> Option<u32> {
    let at = TYPES.iter().position(|known| *known == name)?;
    u32::try_from(at).ok()
}

numbered! {
    /// The names of attributes and facts.
    TEXTS,
    /// The number of the first entity type's name.
    FIRST_TYPE;
    DISABLED "disabled"
    OWNER "owner"
    PACKAGE_OF "package"
    LEVEL_OF "level"
    ATTRIBUTES "attributes"
    ACCOUNT_OF "account"
    GRANTS "grants"
    FEATURES "features"
    ROLES "roles"
    PLATFORM_OF "platform"
    STATE_OF "state"
    EMAIL "email"
    FACTS "facts"
    LOGIN "login"
    MEMBER_OF "member"
    OPERATOR_OF "operator"
    ACTOR "actor"
    HOST "host"
    HOST_REFUSED "host_refused"
    DOMAIN_OF "domain"
    CHANNEL_OF "channel"
    REALM "realm"
    FEATURE_OF "feature"
    AMOUNT "amount"
    QUOTA "quota"
    METER_OF "meter"
    USED "used"
    HELD "held"
    LIMIT "limit"
    SESSION_START "session_start"
    NOT_BEFORE "not_before"
}

/// Returns a constant pool in which these names have their fixed numbers.
pub(crate) fn pool() -> ConstantPool {
    let mut pool = ConstantPool::default();
    pool.enumerated = FEATURE..ACTION;
    // The empty record has number 0. It is the context of a request that has no context fields.
    pool.record(Vec::new());
    for text in TEXTS.iter().chain(TYPES).chain(&flags::NAMES) {
        pool.text(text);
    }
    pool
}

/// Returns the place of a boolean attribute among those of its record type. The name is the number
/// of a text.
pub(crate) fn flag_place(kind: u32, name: u32) -> Option<u32> {
    let first = FIRST_TYPE.saturating_add(u32::try_from(TYPES.len()).ok()?);
    let text = flags::NAMES.get(usize::try_from(name.checked_sub(first)?).ok()?)?;
    let names = match kind {
        ACCOUNT => AccountFlags::NAMES,
        MEMBER => MemberFlags::NAMES,
        PACKAGE => PackageFlags::NAMES,
        _ => return None,
    };
    u32::try_from(names.iter().position(|known| known == text)?).ok()
}

/// The registers that a request fills: principal, action, resource, the request's own context, then
/// the facts.
pub(crate) mod root {
    pub(in super::super) const PRINCIPAL: u8 = 0;
    pub(in super::super) const ACTION: u8 = 1;
    pub(in super::super) const RESOURCE: u8 = 2;
    pub(in super::super) const CONTEXT: u8 = 3;
    pub(in super::super) const LOGIN_ACCOUNT: u8 = 4;
    pub(in super::super) const LOGIN_MEMBER: u8 = 5;
    pub(in super::super) const LOGIN_OPERATOR: u8 = 6;
    pub(in super::super) const ACCOUNT: u8 = 7;
    pub(in super::super) const ACTOR_ACCOUNT: u8 = 8;
    pub(in super::super) const ACTOR_MEMBER: u8 = 9;
    pub(in super::super) const ACTOR_OPERATOR: u8 = 10;
    pub(in super::super) const HOST: u8 = 11;
    pub(in super::super) const HOST_REFUSED: u8 = 12;
    pub(in super::super) const DOMAIN: u8 = 13;
    pub(in super::super) const CHANNEL: u8 = 14;
    pub(in super::super) const REALM_OWNER: u8 = 15;
    pub(in super::super) const FEATURE: u8 = 16;
    pub(in super::super) const AMOUNT: u8 = 17;
    /// Present if the request has an actor.
    pub(in super::super) const ACTOR: u8 = 18;
    /// Present if the caller gave a realm.
    pub(in super::super) const REALM: u8 = 19;
    /// Present if the request consumes from a meter. The next two hold the meter and the amount.
    pub(in super::super) const QUOTA: u8 = 20;
    pub(in super::super) const QUOTA_METER: u8 = 21;
    pub(in super::super) const QUOTA_AMOUNT: u8 = 22;
    /// Present with `QUOTA`. The next three hold the account's counters.
    pub(in super::super) const QUOTA_ACCOUNT: u8 = 23;
    pub(in super::super) const ACCOUNT_USED: u8 = 24;
    pub(in super::super) const ACCOUNT_HELD: u8 = 25;
    pub(in super::super) const ACCOUNT_LIMIT: u8 = 26;
    /// Present if a member consumes. The next three hold the member's counters.
    pub(in super::super) const QUOTA_MEMBER: u8 = 27;
    pub(in super::super) const MEMBER_USED: u8 = 28;
    pub(in super::super) const MEMBER_HELD: u8 = 29;
    pub(in super::super) const MEMBER_LIMIT: u8 = 30;
    pub(in super::super) const SESSION_START: u8 = 31;
    pub(in super::super) const NOT_BEFORE: u8 = 32;
    /// The facts as records, built for programs that read an entire record.
    pub(in super::super) const WHOLE_CONTEXT: u8 = 33;
    pub(in super::super) const WHOLE_FACTS: u8 = 34;
    pub(in super::super) const WHOLE_LOGIN: u8 = 35;
    pub(in super::super) const WHOLE_ACTOR: u8 = 36;
    pub(in super::super) const WHOLE_REALM: u8 = 37;
    pub(in super::super) const COUNT: usize = 38;
}
