//! The resource and the domain of a request, resolved to numbers and rows.

use super::symbols::{self, entity};
use crate::directory::{AccountRow, DomainRow, NO_ROW, Tables};

/// The domain that a request's host names, with its row.
#[derive(Clone, Copy)]
pub(crate) struct ResolvedDomain {
    pub(crate) number: u32,
    pub(crate) row: DomainRow,
}

impl ResolvedDomain {
    pub(super) const NONE: Self = Self {
        number: NO_ROW,
        row: DomainRow::NONE,
    };
}

/// The resource of a request: an inline resource with or without an account, or a directory record
/// with the records that it refers to.
#[derive(Clone, Copy)]
pub(crate) enum ResolvedResource {
    Inline {
        account: u32,
    },
    Account {
        number: u32,
        row: AccountRow,
    },
    Member {
        number: u32,
        account: u32,
    },
    /// A domain or an access level.
    Owned {
        kind: u32,
        number: u32,
        owner: u32,
    },
    Other {
        kind: u32,
        number: u32,
    },
}

impl ResolvedResource {
    /// Returns the record with that number, if it exists.
    pub(super) fn record(hot: &Tables, kind: u32, number: u32) -> Option<Self> {
        Some(match kind {
            symbols::ACCOUNT => Self::Account {
                number,
                row: *hot.accounts.row(number)?,
            },
            symbols::MEMBER => Self::Member {
                number,
                account: hot.members.row(number)?.account,
            },
            symbols::DOMAIN => Self::Owned {
                kind,
                number,
                owner: hot.domains.row(number)?.owner,
            },
            symbols::LEVEL => Self::Owned {
                kind,
                number,
                owner: hot.levels.row(number)?.owner,
            },
            symbols::PACKAGE => hot
                .packages
                .row(number)
                .map(|_| Self::Other { kind, number })?,
            symbols::OPERATOR => hot
                .operators
                .row(number)
                .map(|_| Self::Other { kind, number })?,
            symbols::PLATFORM => hot
                .platforms
                .row(number)
                .map(|_| Self::Other { kind, number })?,
            _ => return None,
        })
    }

    #[inline(always)]
    pub(super) fn has_account(self) -> bool {
        matches!(self, Self::Inline { account } if account != NO_ROW)
    }

    /// Returns the record's entity. An inline resource has none yet.
    pub(crate) fn entity(self) -> Option<u32> {
        match self {
            Self::Inline { .. } => None,
            Self::Account { number, .. } => Some(entity(symbols::ACCOUNT, number)),
            Self::Member { number, .. } => Some(entity(symbols::MEMBER, number)),
            Self::Owned { kind, number, .. } | Self::Other { kind, number } => {
                Some(entity(kind, number))
            }
        }
    }
}
