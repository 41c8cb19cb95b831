//! Record types, and keys that combine a record's type with its row number.

use super::table::NO_ROW;
use crate::vm::KIND_SHIFT;

/// The record types, in the order in which references sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RecordKind {
    AccessLevel,
    Account,
    Domain,
    Operator,
    Package,
    Platform,
    TeamMember,
}

impl RecordKind {
    pub(crate) const ALL: [Self; 7] = [
        Self::AccessLevel,
        Self::Account,
        Self::Domain,
        Self::Operator,
        Self::Package,
        Self::Platform,
        Self::TeamMember,
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AccessLevel => "AccessLevel",
            Self::Account => "Account",
            Self::Domain => "Domain",
            Self::Operator => "Operator",
            Self::Package => "Package",
            Self::Platform => "Platform",
            Self::TeamMember => "TeamMember",
        }
    }

    /// Returns the key of a row number of this type.
    #[inline]
    pub(crate) fn key(self, number: u32) -> RecordKey {
        RecordKey((self as u32) << KIND_SHIFT | number)
    }

    /// Returns the key, or `None` for [`NO_ROW`].
    #[inline]
    pub(crate) fn key_of(self, number: u32) -> Option<RecordKey> {
        if number == NO_ROW {
            None
        } else {
            Some(self.key(number))
        }
    }
}

/// Record type in the upper bits, row number in the lower bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RecordKey(pub(super) u32);

impl RecordKey {
    #[inline]
    pub(crate) fn number(self) -> u32 {
        self.0 & ((1 << KIND_SHIFT) - 1)
    }

    #[inline]
    pub(crate) fn kind(self) -> RecordKind {
        match self.0 >> KIND_SHIFT {
            0 => RecordKind::AccessLevel,
            1 => RecordKind::Account,
            2 => RecordKind::Domain,
            3 => RecordKind::Operator,
            4 => RecordKind::Package,
            5 => RecordKind::Platform,
            _ => RecordKind::TeamMember,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_round_trips_and_sorts_by_type() {
        for kind in RecordKind::ALL {
            assert_eq!(
                (
                    kind.key(77).kind(),
                    kind.key(77).number(),
                    RecordKind::named(kind.name())
                ),
                (kind, 77, Some(kind))
            );
        }
        assert!(RecordKind::ALL.is_sorted_by_key(|kind| kind.name()));
    }
}
