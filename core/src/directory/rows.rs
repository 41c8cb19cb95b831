//! The directory's rows: all fields of a record as numbers, bits and texts, except the rarely used
//! ones.

use std::collections::BTreeSet;

use super::table::TableRow;
use crate::model::account::DisableReason;
use crate::model::domain::DomainState;
use crate::model::flags::{AccountFlags, MemberFlags, PackageFlags};
use crate::model::operator::Role;

/// A row number, or [`NO_ROW`](super::NO_ROW).
type RowNumber = u32;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AccountRow {
    pub(crate) owner: RowNumber,
    pub(crate) package: RowNumber,
    pub(crate) level: RowNumber,
    pub(super) bits: u16,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MemberRow {
    /// One bit for each of the first 64 features.
    pub(crate) grants: u64,
    pub(crate) account: RowNumber,
    pub(super) bits: u16,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LevelRow {
    /// One bit for each of the first 64 features.
    pub(crate) features: u64,
    pub(crate) owner: RowNumber,
    pub(super) bits: u16,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PackageRow {
    /// One bit for each of the first 64 features.
    pub(crate) features: u64,
    /// Level of clients that are created without one.
    pub(super) level: RowNumber,
    pub(super) bits: u16,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DomainRow {
    pub(crate) owner: RowNumber,
    pub(super) bits: u16,
}

/// The row of a platform or an operator.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LoginRow {
    bits: u16,
}

/// Bits of an account's row. They are the same wherever an account is read.
pub(crate) mod account_bit {
    /// The row has a record.
    pub(crate) const EXISTS: u32 = 0;
    /// The first of the disable reasons, in the order of `DisableReason`.
    pub(crate) const DISABLED: u32 = 1;
    pub(crate) const HAS_OWNER: u32 = 5;
    pub(crate) const HAS_PACKAGE: u32 = 6;
    pub(crate) const HAS_LEVEL: u32 = 7;
    /// The first of the `AccountFlags`.
    pub(crate) const FLAGS: u32 = 8;
    /// Number of flags that are bits of a session.
    pub(crate) const SESSION_FLAGS: u32 = 2;
    /// Number of bits of a session.
    pub(crate) const COUNT: u32 = FLAGS + SESSION_FLAGS;
}

/// Bits of a member's row.
pub(crate) mod member_bit {
    /// The row has a record.
    pub(crate) const EXISTS: u32 = 0;
    /// The first of the `MemberFlags`.
    pub(crate) const FLAGS: u32 = 1;
    /// Number of bits of a session.
    pub(crate) const COUNT: u32 = 2;
}

/// Bits of a domain's row.
pub(crate) mod domain_bit {
    /// Not set for a platform domain.
    pub(crate) const HAS_OWNER: u32 = 0;
    /// The first of the states, in the order of `DomainState`.
    pub(crate) const STATE: u32 = 1;
    /// Number of bits.
    pub(crate) const COUNT: u32 = 5;
}

/// Bits of the row of a platform or an operator.
mod login_bit {
    /// The row has a record.
    pub(super) const EXISTS: u32 = 0;
    /// The first of the roles, in the order of `Role`.
    pub(super) const ROLES: u32 = 1;
}

/// Bits of the row of a level or a package.
pub(super) mod offer_bit {
    /// The row has a record.
    pub(in super::super) const EXISTS: u32 = 0;
    /// The record is in the directory itself, not in the catalog.
    pub(in super::super) const OWN: u32 = 1;
    /// The first of the `PackageFlags`.
    pub(in super::super) const FLAGS: u32 = 2;
}

/// Set in every row that has an entry in the side table of row extras.
pub(super) const COLD: u16 = 1 << 15;
/// Set in the row of a login whose older sessions do not count. Their instant is a row extra (I7).
pub(super) const NOT_BEFORE: u16 = 1 << 14;

/// Returns the mask of a bit.
pub(super) const fn mask(bit: u32) -> u16 {
    1 << bit
}

/// Returns the mask of all lower bits.
const fn below(bit: u32) -> u16 {
    mask(bit).wrapping_sub(1)
}

/// Returns the flag at a place. The first flag is at bit `first`.
fn has_flag(bits: u16, first: u32, place: u32) -> bool {
    let at = first.saturating_add(place);
    (bits & !COLD).checked_shr(at).unwrap_or(0) & 1 == 1
}

// The flags must not reach the bits of `NOT_BEFORE` and `COLD`.
const _: () = assert!(account_bit::FLAGS as usize + AccountFlags::NAMES.len() <= 14);
const _: () = assert!(member_bit::FLAGS as usize + MemberFlags::NAMES.len() <= 14);
const _: () = assert!(login_bit::ROLES as usize + Role::ALL.len() <= 14);
const _: () = assert!(offer_bit::FLAGS as usize + PackageFlags::NAMES.len() <= 15);

impl AccountRow {
    /// Stands for no account: all references are [`NO_ROW`](super::NO_ROW) and no bit is set.
    pub(crate) const NOBODY: Self = Self {
        owner: super::NO_ROW,
        package: super::NO_ROW,
        level: super::NO_ROW,
        bits: 0,
    };

    /// Returns the bits of [`account_bit`].
    #[inline]
    pub(crate) fn bits(&self) -> u64 {
        u64::from(self.bits & below(account_bit::COUNT))
    }

    /// Returns the boolean attributes.
    pub(crate) fn flags(&self) -> AccountFlags {
        AccountFlags::from_bits((self.bits & !COLD) >> account_bit::FLAGS)
    }

    /// Returns the boolean attribute at a place of [`AccountFlags`].
    pub(crate) fn flag(&self, place: u32) -> bool {
        has_flag(self.bits, account_bit::FLAGS, place)
    }

    /// Returns whether older sessions of the account's own login do not count.
    #[inline]
    pub(crate) fn has_not_before(&self) -> bool {
        self.bits & NOT_BEFORE != 0
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.flags().closed
    }

    /// Returns one bit for each reason, in the order of [`DisableReason`].
    pub(crate) fn disabled(&self) -> u64 {
        u64::from(self.bits >> account_bit::DISABLED & 0b1111)
    }
}

impl MemberRow {
    /// Returns the bits of [`member_bit`].
    #[inline]
    pub(crate) fn bits(&self) -> u64 {
        u64::from(self.bits & below(member_bit::COUNT))
    }

    /// Returns whether older sessions of the member do not count.
    #[inline]
    pub(crate) fn has_not_before(&self) -> bool {
        self.bits & NOT_BEFORE != 0
    }

    /// Returns the boolean attributes.
    pub(crate) fn flags(&self) -> MemberFlags {
        MemberFlags::from_bits((self.bits & !COLD) >> member_bit::FLAGS)
    }

    /// Returns the boolean attribute at a place of [`MemberFlags`].
    pub(crate) fn flag(&self, place: u32) -> bool {
        has_flag(self.bits, member_bit::FLAGS, place)
    }
}

impl LoginRow {
    /// Returns the row of a platform, or of an operator with these roles. `more` has the bits of
    /// its row extras.
    pub(super) fn new(roles: &BTreeSet<Role>, more: u16) -> Self {
        let bits = Role::ALL.iter().zip(login_bit::ROLES..);
        let held = bits.filter(|(role, _)| roles.contains(role));
        let exists = mask(login_bit::EXISTS) | more;
        Self {
            bits: held.fold(exists, |bits, (_, at)| bits | mask(at)),
        }
    }

    /// Returns one bit for each role, in the order of [`Role`].
    pub(crate) fn roles(self) -> u64 {
        u64::from(self.bits >> login_bit::ROLES & 0b1111)
    }

    /// Returns the row that stands for the operator's account. It has no bit but the one of
    /// [`AccountRow::has_not_before`].
    pub(crate) fn as_account(self) -> AccountRow {
        AccountRow {
            bits: self.bits & NOT_BEFORE,
            ..AccountRow::NOBODY
        }
    }
}

impl LevelRow {
    /// Returns whether the level is in the directory itself, not in the catalog.
    pub(super) fn is_own(&self) -> bool {
        self.bits & mask(offer_bit::OWN) != 0
    }
}

impl PackageRow {
    pub(super) fn is_own(&self) -> bool {
        self.bits & mask(offer_bit::OWN) != 0
    }

    /// Returns the boolean attributes.
    #[inline]
    pub(crate) fn flags(&self) -> PackageFlags {
        PackageFlags::from_bits((self.bits & !COLD) >> offer_bit::FLAGS)
    }

    /// Returns the boolean attribute at a place of [`PackageFlags`].
    pub(crate) fn flag(&self, place: u32) -> bool {
        has_flag(self.bits, offer_bit::FLAGS, place)
    }
}

impl DomainRow {
    /// Stands for no domain.
    pub(crate) const NONE: Self = Self {
        owner: super::NO_ROW,
        bits: 0,
    };

    /// Returns the bits of [`domain_bit`].
    #[inline]
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.bits & below(domain_bit::COUNT))
    }

    /// Returns whether the domain is pending, which every claim is.
    #[inline]
    pub(crate) fn is_pending(self) -> bool {
        self.bits & mask(domain_bit::STATE) != 0
    }

    pub(crate) fn state(self) -> DomainState {
        match self.bits() >> domain_bit::STATE {
            1 => DomainState::Pending,
            2 => DomainState::Verified,
            8 => DomainState::Lapsed,
            _ => DomainState::Quarantined,
        }
    }
}

macro_rules! exists {
    ($($row:ident)*) => {
        $(impl TableRow for $row {
            #[inline]
            fn exists(&self) -> bool {
                self.bits & 1 != 0
            }
        })*
    };
}

exists!(AccountRow MemberRow LevelRow PackageRow LoginRow);

impl TableRow for DomainRow {
    #[inline]
    fn exists(&self) -> bool {
        self.bits != 0
    }
}

/// Returns the bit of a domain's state.
pub(super) fn state_bit(state: DomainState) -> u16 {
    mask(domain_bit::STATE) << (state as u16)
}

/// Returns the bit of a disable reason.
pub(crate) fn reason_bit(reason: DisableReason) -> u32 {
    match reason {
        DisableReason::Overage => 0,
        DisableReason::ByOwner => 1,
        DisableReason::Unpaid => 2,
        DisableReason::Abuse => 3,
    }
}
