//! A session's request in single bits: what the kernel's rows say of principal, account, owner, package, level, domain and
//! resource, gathered without a branch for each policy that asks.

use super::ask::{Found, On};
use super::words;
use crate::directory::{Hot, NONE, account_bit, domain_bit, member_bit};

/// Where each record's bits begin.
pub(super) const ACCOUNT: u32 = 0;
pub(super) const OWNER: u32 = ACCOUNT + account_bit::COUNT;
pub(super) const RESOURCE: u32 = OWNER + account_bit::COUNT;
pub(super) const DOMAIN: u32 = RESOURCE + account_bit::COUNT;
pub(super) const MEMBER_EXISTS: u32 = DOMAIN + domain_bit::COUNT;
pub(super) const MEMBER_CONFIRMED: u32 = MEMBER_EXISTS + member_bit::CONFIRMED;
/// The package of the account, a client's: of its owner.
pub(super) const PACKAGE_EXISTS: u32 = MEMBER_EXISTS + 2;
pub(super) const WHITELABEL: u32 = MEMBER_EXISTS + 3;
/// Whether each has the action's feature.
pub(super) const PACKAGE_FEATURE: u32 = MEMBER_EXISTS + 4;
pub(super) const LEVEL_EXISTS: u32 = MEMBER_EXISTS + 5;
pub(super) const LEVEL_FEATURE: u32 = MEMBER_EXISTS + 6;
pub(super) const MEMBER_FEATURE: u32 = MEMBER_EXISTS + 7;
/// Which records are the same.
pub(super) const DOMAIN_OWNER_IS_ACCOUNT: u32 = MEMBER_EXISTS + 8;
pub(super) const DOMAIN_OWNER_IS_OWNER: u32 = MEMBER_EXISTS + 9;
pub(super) const RESOURCE_IS_ACCOUNT: u32 = MEMBER_EXISTS + 10;
pub(super) const RESOURCE_IS_MEMBER: u32 = MEMBER_EXISTS + 11;
pub(super) const RESOURCES_ACCOUNT_IS_ACCOUNT: u32 = MEMBER_EXISTS + 12;
pub(super) const RESOURCES_OWNER_IS_ACCOUNT: u32 = MEMBER_EXISTS + 13;
const _: () = assert!(RESOURCES_OWNER_IS_ACCOUNT < 64);

/// A session's request, and the domain that it came to.
pub(super) struct Session<'a, 'p> {
    pub(super) found: &'a Found<'p>,
    pub(super) domain: u32,
}

/// A bit where both are the same number.
#[inline]
fn same(bit: u32, left: u32, right: u32) -> u64 {
    u64::from(left == right && left != NONE) << bit
}

impl Session<'_, '_> {
    /// The bits, and whether the account is a client.
    #[inline]
    pub(super) fn bits(&self, hot: &Hot) -> Option<(u64, bool)> {
        let Found { principal, account, member, .. } = self.found;
        let mut bits = account.bits() << ACCOUNT | member.bits() << MEMBER_EXISTS | self.has(member.grants) << MEMBER_FEATURE;
        let owned = account.bits() >> account_bit::HAS_OWNER & 1 != 0;
        let bought = account.bits() >> account_bit::HAS_PACKAGE & 1 != 0;
        let (mut package, owner_number) = (if bought && !owned { account.package } else { NONE }, if owned { account.owner } else { NONE });
        if owned {
            if let Some(owner) = hot.accounts.row(account.owner) {
                bits |= owner.bits() << OWNER;
                package = owner.package;
            }
            if let Some(level) = hot.levels.row(account.level) {
                bits |= 1 << LEVEL_EXISTS | self.has(level.features) << LEVEL_FEATURE;
            }
        }
        if let Some(package) = hot.packages.row(package) {
            bits |= 1 << PACKAGE_EXISTS | u64::from(package.is_whitelabel()) << WHITELABEL | self.has(package.features) << PACKAGE_FEATURE;
        }
        let domain = hot.domains.row(self.domain)?;
        bits |=
            domain.bits() << DOMAIN | same(DOMAIN_OWNER_IS_ACCOUNT, domain.owner, principal.account) | same(DOMAIN_OWNER_IS_OWNER, domain.owner, owner_number);
        Some((bits | self.resource(), owned))
    }

    #[inline]
    fn has(&self, features: u64) -> u64 {
        features.checked_shr(self.found.action.feature_place).unwrap_or(0) & 1
    }

    #[inline]
    fn resource(&self) -> u64 {
        let Found { principal, .. } = self.found;
        let mine = principal.account;
        let exists = 1 << (RESOURCE + account_bit::EXISTS);
        match self.found.on {
            On::Inline { account } => same(RESOURCES_ACCOUNT_IS_ACCOUNT, account, mine),
            On::Account { number, row } => row.bits() << RESOURCE | same(RESOURCE_IS_ACCOUNT, number, mine) | same(RESOURCES_OWNER_IS_ACCOUNT, row.owner, mine),
            On::Owned { owner, .. } => exists | u64::from(owner != NONE) << (RESOURCE + account_bit::HAS_OWNER) | same(RESOURCES_OWNER_IS_ACCOUNT, owner, mine),
            On::Member { number, account } => {
                let own = principal.kind == words::MEMBER && principal.number == number;
                exists | u64::from(own) << RESOURCE_IS_MEMBER | same(RESOURCES_ACCOUNT_IS_ACCOUNT, account, mine)
            }
            On::Other { .. } => exists,
        }
    }
}
