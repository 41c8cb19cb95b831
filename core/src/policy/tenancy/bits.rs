//! A session's request in single bits: what the kernel's rows say of principal, account, owner, package, level, domain and
//! resource, gathered without a branch for each policy that asks.

use super::ask::{Login, On};
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

/// What a session's request is about, by number.
pub(super) struct Session {
    pub(super) principal: Login,
    pub(super) on: On,
    pub(super) domain: u32,
    /// The place of the action's feature; any, where it has none.
    pub(super) feature: u32,
}

impl Session {
    /// The bits, and whether the account is a client.
    #[inline]
    pub(super) fn bits(&self, hot: &Hot) -> Option<(u64, bool)> {
        let mine = self.principal.account;
        let (mut bits, mut client, mut owner_number) = (0, false, NONE);
        if mine != NONE {
            let account = hot.accounts.row(mine)?;
            bits |= account.bits() << ACCOUNT;
            let mut package = account.package;
            if account.owner != NONE {
                (client, owner_number) = (true, account.owner);
                package = NONE;
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
        }
        if self.principal.kind == words::MEMBER {
            let member = hot.members.row(self.principal.number)?;
            bits |= member.bits() << MEMBER_EXISTS | self.has(member.grants) << MEMBER_FEATURE;
        }
        let domain = hot.domains.row(self.domain)?;
        let same = |bit: u32, left: u32, right: u32| u64::from(left == right && left != NONE) << bit;
        bits |= domain.bits() << DOMAIN | same(DOMAIN_OWNER_IS_ACCOUNT, domain.owner, mine) | same(DOMAIN_OWNER_IS_OWNER, domain.owner, owner_number);
        Some((bits | self.resource(hot, mine)?, client))
    }

    #[inline]
    fn has(&self, features: u64) -> u64 {
        features.checked_shr(self.feature).unwrap_or(0) & 1
    }

    #[inline]
    fn resource(&self, hot: &Hot, mine: u32) -> Option<u64> {
        let same = |bit: u32, left: u32, right: u32| u64::from(left == right && left != NONE) << bit;
        let owned = |owner: u32| {
            1 << (RESOURCE + account_bit::EXISTS)
                | u64::from(owner != NONE) << (RESOURCE + account_bit::HAS_OWNER)
                | same(RESOURCES_OWNER_IS_ACCOUNT, owner, mine)
        };
        Some(match self.on {
            On::Inline { account } => same(RESOURCES_ACCOUNT_IS_ACCOUNT, account, mine),
            On::Record { kind: words::ACCOUNT, number } => {
                let row = hot.accounts.row(number)?;
                row.bits() << RESOURCE | same(RESOURCE_IS_ACCOUNT, number, mine) | same(RESOURCES_OWNER_IS_ACCOUNT, row.owner, mine)
            }
            On::Record { kind: words::DOMAIN, number } => owned(hot.domains.row(number)?.owner),
            On::Record { kind: words::LEVEL, number } => owned(hot.levels.row(number)?.owner),
            On::Record { kind: words::MEMBER, number } => {
                let own = self.principal.kind == words::MEMBER && self.principal.number == number;
                let account = hot.members.row(number)?.account;
                1 << (RESOURCE + account_bit::EXISTS) | u64::from(own) << RESOURCE_IS_MEMBER | same(RESOURCES_ACCOUNT_IS_ACCOUNT, account, mine)
            }
            On::Record { .. } => 1 << (RESOURCE + account_bit::EXISTS),
        })
    }
}
