//! The bits of a request: facts from the rows of principal, account, owner, package, level, domain
//! and resource. They are gathered once, without a branch for each policy that reads them.

use super::resolve::{ResolvedRequest, ResolvedResource};
use super::resolved_login::ResolvedLogin;
use super::symbols;
use crate::directory::{AccountRow, NO_ROW, Tables, account_bit, domain_bit, member_bit};

/// The first bit of each record.
pub(crate) const ACCOUNT: u32 = 0;
pub(crate) const OWNER: u32 = ACCOUNT + account_bit::COUNT;
pub(crate) const RESOURCE: u32 = OWNER + account_bit::COUNT;
pub(crate) const DOMAIN: u32 = RESOURCE + account_bit::COUNT;
pub(crate) const MEMBER_EXISTS: u32 = DOMAIN + domain_bit::COUNT;
pub(crate) const MEMBER_CONFIRMED: u32 = MEMBER_EXISTS + member_bit::FLAGS;
/// The package of the account. For a client it is the owner's package.
pub(crate) const PACKAGE_EXISTS: u32 = MEMBER_EXISTS + 2;
pub(crate) const WHITELABEL: u32 = MEMBER_EXISTS + 3;
/// Whether the package, level or member has the action's feature.
pub(crate) const PACKAGE_FEATURE: u32 = MEMBER_EXISTS + 4;
pub(crate) const LEVEL_EXISTS: u32 = MEMBER_EXISTS + 5;
pub(crate) const LEVEL_FEATURE: u32 = MEMBER_EXISTS + 6;
pub(crate) const MEMBER_FEATURE: u32 = MEMBER_EXISTS + 7;
/// Whether two records are one.
pub(crate) const DOMAIN_OWNER_IS_ACCOUNT: u32 = MEMBER_EXISTS + 8;
pub(crate) const DOMAIN_OWNER_IS_OWNER: u32 = MEMBER_EXISTS + 9;
pub(crate) const RESOURCE_IS_ACCOUNT: u32 = MEMBER_EXISTS + 10;
pub(crate) const RESOURCE_IS_MEMBER: u32 = MEMBER_EXISTS + 11;
pub(crate) const RESOURCES_ACCOUNT_IS_ACCOUNT: u32 = MEMBER_EXISTS + 12;
pub(crate) const RESOURCES_OWNER_IS_ACCOUNT: u32 = MEMBER_EXISTS + 13;
/// The account that owns the domain.
pub(crate) const DOMAIN_OWNER: u32 = MEMBER_EXISTS + 14;
/// The package of the account that owns the domain. Its three bits are laid out like those of the
/// account's package.
pub(crate) const DOMAIN_OWNERS_PACKAGE_EXISTS: u32 = DOMAIN_OWNER + account_bit::COUNT;
pub(crate) const DOMAIN_OWNERS_WHITELABEL: u32 =
    DOMAIN_OWNERS_PACKAGE_EXISTS + (WHITELABEL - PACKAGE_EXISTS);
pub(crate) const DOMAIN_OWNERS_PACKAGE_FEATURE: u32 =
    DOMAIN_OWNERS_PACKAGE_EXISTS + (PACKAGE_FEATURE - PACKAGE_EXISTS);
const _: () = assert!(DOMAIN_OWNERS_PACKAGE_FEATURE < 64);

/// Returns the bit if both numbers are equal and refer to a row.
#[inline(always)]
pub(crate) fn same(bit: u32, left: u32, right: u32) -> u64 {
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
        let Self {
            login,
            account,
            member,
            ..
        } = self;
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
            let (owner, package) = hot
                .accounts
                .row(account.owner)
                .map_or((0, NO_ROW), |owner| (owner.bits(), owner.package));
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
            payer_bits << DOMAIN_OWNER | package << DOMAIN_OWNERS_PACKAGE_EXISTS
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
    row.bits() << DOMAIN_OWNER
        | package_bits(hot, row.package, feature) << DOMAIN_OWNERS_PACKAGE_EXISTS
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
            Self::Owned { owner, .. } => {
                exists
                    | u64::from(owner != NO_ROW) << (RESOURCE + account_bit::HAS_OWNER)
                    | same(RESOURCES_OWNER_IS_ACCOUNT, owner, mine)
            }
            Self::Member { number, account } => {
                let own = login.kind == symbols::MEMBER && login.number == number;
                exists
                    | u64::from(own) << RESOURCE_IS_MEMBER
                    | same(RESOURCES_ACCOUNT_IS_ACCOUNT, account, mine)
            }
            Self::Other { .. } => exists,
        }
    }
}
