//! The bits of a request: facts from the rows of principal, account, owner, package, level, domain
//! and resource. They are gathered once, without a branch for each policy that reads them.

use std::ops::Range;

use super::atoms::{PathStart, RecordFact, RecordPath, reference_kind};
use super::request_shape::RequestShape;
use super::resolve::ResolvedRequest;
use super::resolved_login::ResolvedLogin;
use super::resolved_resource::ResolvedResource;
use super::symbols::{
    self, ACCOUNT_OF, DISABLED, FEATURES, GRANTS, LEVEL_OF, OWNER as OWNER_OF, PACKAGE_OF,
    PLATFORM_OF, STATE_OF, flag_place, parts,
};
use crate::directory::{AccountRow, NO_ROW, Tables, account_bit, domain_bit, member_bit};

/// The first bit of each record.
const ACCOUNT: u32 = 0;
const OWNER: u32 = ACCOUNT + account_bit::COUNT;
const RESOURCE: u32 = OWNER + account_bit::COUNT;
const DOMAIN: u32 = RESOURCE + account_bit::COUNT;
const DOMAIN_HAS_OWNER: u32 = DOMAIN + domain_bit::HAS_OWNER;
const MEMBER_EXISTS: u32 = DOMAIN + domain_bit::COUNT;
const MEMBER_CONFIRMED: u32 = MEMBER_EXISTS + member_bit::FLAGS;
/// The package of the account. For a client it is the owner's package.
const PACKAGE_EXISTS: u32 = MEMBER_EXISTS + 2;
const WHITELABEL: u32 = MEMBER_EXISTS + 3;
/// Whether the package, level or member has the action's feature.
const PACKAGE_FEATURE: u32 = MEMBER_EXISTS + 4;
const LEVEL_EXISTS: u32 = MEMBER_EXISTS + 5;
const LEVEL_FEATURE: u32 = MEMBER_EXISTS + 6;
const MEMBER_FEATURE: u32 = MEMBER_EXISTS + 7;
/// Whether two records are one.
const DOMAIN_OWNER_IS_ACCOUNT: u32 = MEMBER_EXISTS + 8;
const DOMAIN_OWNER_IS_OWNER: u32 = MEMBER_EXISTS + 9;
const RESOURCE_IS_ACCOUNT: u32 = MEMBER_EXISTS + 10;
const RESOURCE_IS_MEMBER: u32 = MEMBER_EXISTS + 11;
const RESOURCES_ACCOUNT_IS_ACCOUNT: u32 = MEMBER_EXISTS + 12;
const RESOURCES_OWNER_IS_ACCOUNT: u32 = MEMBER_EXISTS + 13;
/// The account that owns the domain.
const DOMAIN_OWNER: u32 = MEMBER_EXISTS + 14;
/// The package of the account that owns the domain. Its three bits are laid out like those of the
/// account's package.
const DOMAIN_OWNERS_PACKAGE: u32 = DOMAIN_OWNER + account_bit::COUNT;
const _: () = assert!(DOMAIN_OWNERS_PACKAGE + (PACKAGE_FEATURE - PACKAGE_EXISTS) < 64);

/// Returns the bit if both numbers are equal and refer to a row.
#[inline(always)]
fn same(bit: u32, left: u32, right: u32) -> u64 {
    u64::from(left == right && left != NO_ROW) << bit
}

/// Returns whether the account is a client.
#[inline(always)]
pub(crate) fn is_client(account: &AccountRow) -> bool {
    account.bits() >> account_bit::HAS_OWNER & 1 != 0
}

impl ResolvedRequest<'_> {
    #[inline(always)]
    pub(crate) fn bits(&self, hot: &Tables) -> u64 {
        let (login, account, member) = (&self.login, &self.account, &self.member);
        let (domain, feature) = (self.domain.row, self.action.feature_bit);
        let mut bits = self.on.bits(*login)
            | account.bits() << ACCOUNT
            | member.bits() << MEMBER_EXISTS
            | has(member.grants, feature) << MEMBER_FEATURE
            | domain.bits() << DOMAIN;
        // A client has the package of its owner.
        let (payer, payer_bits, package) = if is_client(account) {
            if let Some(level) = hot.levels.row(account.level) {
                bits |= 1 << LEVEL_EXISTS | has(level.features, feature) << LEVEL_FEATURE;
            }
            let row = hot.accounts.row(account.owner);
            let (owner, package) = row.map_or((0, NO_ROW), |row| (row.bits(), row.package));
            bits |= owner << OWNER;
            (account.owner, owner, package)
        } else {
            (login.account, account.bits(), account.package)
        };
        let package = package_bits(hot, package, feature);
        bits |= package << PACKAGE_EXISTS;
        if domain.owner == NO_ROW {
            return bits;
        }
        // In most cases the paying account owns the domain, and no further row is needed.
        bits |= if domain.owner == payer {
            payer_bits << DOMAIN_OWNER | package << DOMAIN_OWNERS_PACKAGE
        } else {
            other_domain_owner(hot, domain.owner, feature)
        };
        bits | u64::from(domain.owner == login.account) << DOMAIN_OWNER_IS_ACCOUNT
            | u64::from(domain.owner == account.owner) << DOMAIN_OWNER_IS_OWNER
    }
}

/// Returns the bits of a domain owner that is not the account's payer.
#[inline(never)]
fn other_domain_owner(hot: &Tables, owner: u32, feature: u64) -> u64 {
    let Some(row) = hot.accounts.row(owner) else {
        return 0;
    };
    row.bits() << DOMAIN_OWNER | package_bits(hot, row.package, feature) << DOMAIN_OWNERS_PACKAGE
}

/// Returns the three bits of a package: its existence, its whitelabel right, and the action's
/// feature.
#[inline(always)]
fn package_bits(hot: &Tables, package: u32, feature: u64) -> u64 {
    hot.packages.row(package).map_or(0, |row| {
        1 | u64::from(row.flags().whitelabel) << (WHITELABEL - PACKAGE_EXISTS)
            | has(row.features, feature) << (PACKAGE_FEATURE - PACKAGE_EXISTS)
    })
}

#[inline(always)]
fn has(features: u64, feature: u64) -> u64 {
    u64::from(features & feature != 0)
}

impl ResolvedResource {
    /// Returns the bits of the resource for the given login.
    #[inline]
    pub(crate) fn bits(self, login: ResolvedLogin) -> u64 {
        let mine = login.account;
        let exists = 1 << (RESOURCE + account_bit::EXISTS);
        match self {
            Self::Inline { account } => same(RESOURCES_ACCOUNT_IS_ACCOUNT, account, mine),
            Self::Account { number, row } => {
                row.bits() << RESOURCE
                    | same(RESOURCE_IS_ACCOUNT, number, mine)
                    | same(RESOURCES_OWNER_IS_ACCOUNT, row.owner, mine)
            }
            Self::Record {
                kind: symbols::MEMBER,
                number,
                account,
            } => {
                let own = login.kind == symbols::MEMBER && login.number == number;
                exists
                    | u64::from(own) << RESOURCE_IS_MEMBER
                    | same(RESOURCES_ACCOUNT_IS_ACCOUNT, account, mine)
            }
            Self::Record { account: owner, .. } => {
                exists
                    | u64::from(owner != NO_ROW) << (RESOURCE + account_bit::HAS_OWNER)
                    | same(RESOURCES_OWNER_IS_ACCOUNT, owner, mine)
            }
        }
    }
}

/// How the bits of a request tell a fact of a record.
pub(super) enum KnownFact {
    /// The kind of request and its facts imply it.
    Always(bool),
    Bit(u32),
    /// The fact holds if none of these bits is set.
    NoneOf(Range<u32>),
}

/// Returns how the bits of requests of this shape tell a fact of a record. Returns `None` if they
/// do not.
pub(super) fn known_fact(
    record: &RecordPath,
    fact: &RecordFact,
    shape: &RequestShape<'_>,
) -> Option<KnownFact> {
    use RecordFact::{Contains, Exists, Flag, IsAlso, Names};
    let implied = |holds: bool| Some(KnownFact::Always(holds));
    let is_start = record.names.is_empty();
    // The first flag of a member and of a package is a bit.
    let is_first = |kind: u32, name: u32| flag_place(kind, name) == Some(0);
    // Whether the action needs a feature. Only the first 64 features are bits of a set.
    let is_needed = |feature: u32| shape.feature == Some(feature) && parts(feature).1 < 64;
    let bit = match (fact, RecordBits::of(record, shape)) {
        (IsAlso(other), _) => link_bit(record, other).or_else(|| link_bit(other, record))?,
        (Exists, _) if is_start && record.start != PathStart::RealmOwner => return implied(true),
        (Names(ACCOUNT_OF), _) if is_start => return implied(true),
        (Names(OWNER_OF), RecordBits::Account(ACCOUNT)) => return implied(shape.is_client()),
        (Names(PACKAGE_OF), RecordBits::Account(ACCOUNT)) => return implied(!shape.is_client()),
        (fact, RecordBits::Account(first)) => return account_fact(fact, first),
        (Exists, RecordBits::Package(first)) => first,
        (Exists, RecordBits::Level) => LEVEL_EXISTS,
        (Names(OWNER_OF), RecordBits::Domain) => DOMAIN_HAS_OWNER,
        (Flag(PLATFORM_OF), RecordBits::Domain) => {
            return Some(KnownFact::NoneOf(DOMAIN_HAS_OWNER..DOMAIN_HAS_OWNER + 1));
        }
        (Flag(name), RecordBits::Member) if is_first(symbols::MEMBER, *name) => MEMBER_CONFIRMED,
        (Flag(name), RecordBits::Package(first)) if is_first(symbols::PACKAGE, *name) => {
            first.saturating_add(WHITELABEL - PACKAGE_EXISTS)
        }
        (Contains(STATE_OF, state), RecordBits::Domain) => {
            (DOMAIN + domain_bit::STATE).saturating_add(parts(*state).1)
        }
        (Contains(FEATURES, item), RecordBits::Package(first)) if is_needed(*item) => {
            first.saturating_add(PACKAGE_FEATURE - PACKAGE_EXISTS)
        }
        (Contains(FEATURES, item), RecordBits::Level) if is_needed(*item) => LEVEL_FEATURE,
        (Contains(GRANTS, item), RecordBits::Member) if is_needed(*item) => MEMBER_FEATURE,
        _ => return None,
    };
    Some(KnownFact::Bit(bit))
}

/// The bits of one record of a request.
enum RecordBits {
    /// An account, and its first bit. Also a resource that is an access level or a domain: its
    /// existence and its owner are where an account has them, and its other bits are not set.
    Account(u32),
    /// A package, and its first bit.
    Package(u32),
    Level,
    Member,
    Domain,
    /// A record of which only links to others are bits.
    Other,
}

impl RecordBits {
    fn of(record: &RecordPath, shape: &RequestShape<'_>) -> Self {
        let client = shape.is_client();
        let is_owned = reference_kind(record.kind, OWNER_OF).is_some();
        match (record.start, record.names.as_slice()) {
            (PathStart::Account, []) => Self::Account(ACCOUNT),
            (PathStart::Account, [OWNER_OF]) => Self::Account(OWNER),
            (PathStart::Domain, [OWNER_OF]) => Self::Account(DOMAIN_OWNER),
            (PathStart::Account, [PACKAGE_OF]) if !client => Self::Package(PACKAGE_EXISTS),
            (PathStart::Account, [OWNER_OF, PACKAGE_OF]) if client => Self::Package(PACKAGE_EXISTS),
            (PathStart::Domain, [OWNER_OF, PACKAGE_OF]) => Self::Package(DOMAIN_OWNERS_PACKAGE),
            (PathStart::Account, [LEVEL_OF]) if client => Self::Level,
            (PathStart::Member, []) => Self::Member,
            (PathStart::Domain, []) => Self::Domain,
            (PathStart::Resource, []) if is_owned => Self::Account(RESOURCE),
            _ => Self::Other,
        }
    }
}

fn account_fact(fact: &RecordFact, first: u32) -> Option<KnownFact> {
    let offset = match fact {
        RecordFact::Exists => account_bit::EXISTS,
        RecordFact::Names(OWNER_OF) => account_bit::HAS_OWNER,
        RecordFact::Names(PACKAGE_OF) => account_bit::HAS_PACKAGE,
        RecordFact::Names(LEVEL_OF) => account_bit::HAS_LEVEL,
        RecordFact::Flag(name) => {
            let place = flag_place(symbols::ACCOUNT, *name)?;
            (place < account_bit::SESSION_FLAGS)
                .then_some(account_bit::FLAGS.saturating_add(place))?
        }
        RecordFact::Contains(DISABLED, reason) => {
            account_bit::DISABLED.saturating_add(parts(*reason).1)
        }
        RecordFact::IsEmpty(DISABLED) => {
            let first = first.saturating_add(account_bit::DISABLED);
            return Some(KnownFact::NoneOf(first..first.saturating_add(4)));
        }
        _ => return None,
    };
    Some(KnownFact::Bit(first.saturating_add(offset)))
}

/// Returns the bit that says whether two paths lead to one record.
fn link_bit(one: &RecordPath, other: &RecordPath) -> Option<u32> {
    let names = (one.names.as_slice(), other.names.as_slice());
    Some(match (one.start, other.start, names) {
        (PathStart::Domain, PathStart::Account, ([OWNER_OF], [])) => DOMAIN_OWNER_IS_ACCOUNT,
        (PathStart::Domain, PathStart::Account, ([OWNER_OF], [OWNER_OF])) => DOMAIN_OWNER_IS_OWNER,
        (PathStart::Resource, PathStart::Account, ([], [])) => RESOURCE_IS_ACCOUNT,
        (PathStart::Resource, PathStart::Member, ([], [])) => RESOURCE_IS_MEMBER,
        (PathStart::ResourcesAccount, PathStart::Account, ([], []))
        | (PathStart::Resource, PathStart::Account, ([ACCOUNT_OF], [])) => {
            RESOURCES_ACCOUNT_IS_ACCOUNT
        }
        (PathStart::Resource, PathStart::Account, ([OWNER_OF], [])) => RESOURCES_OWNER_IS_ACCOUNT,
        _ => return None,
    })
}
