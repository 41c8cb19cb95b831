//! The resource and the domain of a request, resolved to numbers and rows.

use super::atoms::exists;
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
    /// A record of another type.
    Record {
        kind: u32,
        number: u32,
        /// The account of a member, or the owner of a domain or an access level. Else [`NO_ROW`].
        account: u32,
    },
}

impl ResolvedResource {
    /// Returns the record with that number, if it exists.
    pub(super) fn record(hot: &Tables, kind: u32, number: u32) -> Option<Self> {
        let account = match kind {
            symbols::ACCOUNT => {
                let row = *hot.accounts.row(number)?;
                return Some(Self::Account { number, row });
            }
            symbols::MEMBER => hot.members.row(number)?.account,
            symbols::DOMAIN => hot.domains.row(number)?.owner,
            symbols::LEVEL => hot.levels.row(number)?.owner,
            _ if exists(hot, entity(kind, number)) => NO_ROW,
            _ => return None,
        };
        Some(Self::Record {
            kind,
            number,
            account,
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
            Self::Record { kind, number, .. } => Some(entity(kind, number)),
        }
    }
}
