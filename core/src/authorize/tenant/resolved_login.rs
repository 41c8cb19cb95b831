//! Resolves the login of a request to its number and rows.

use super::symbols::{self, entity, parts};
use crate::api::request_ref::PrincipalRef;
use crate::directory::{AccountRow, Directory, MemberRow, NO_ROW, RecordKind, Tables};
use crate::vm::Value;

/// A principal or actor: its type, its number, and its account's number or [`NO_ROW`].
#[derive(Clone, Copy)]
pub(crate) struct ResolvedLogin {
    pub(crate) kind: u32,
    pub(crate) number: u32,
    pub(crate) account: u32,
}

/// The type and hash slot of a login's id. The default stands for a handle, and for a type that
/// cannot log in.
#[derive(Clone, Copy, Default)]
pub(crate) struct LoginSlot {
    kind: u32,
    at: (u32, u64),
}

impl LoginSlot {
    #[inline(always)]
    fn entity(self, hot: &Tables, id: &str) -> Option<u32> {
        let Self { kind, at } = self;
        let number = match kind {
            symbols::MEMBER => hot.members.row_at_slot(at, id)?,
            symbols::ACCOUNT => hot.accounts.row_at_slot(at, id)?,
            symbols::OPERATOR => hot.operators.row_at_slot(at, id)?,
            _ => return None,
        };
        Some(entity(kind, number))
    }
}

impl ResolvedLogin {
    /// Computes the type and hash slot of a login's id. A handle needs neither.
    #[inline(always)]
    pub(crate) fn login_slot(hot: &Tables, who: PrincipalRef<'_>) -> LoginSlot {
        match who {
            PrincipalRef::Name("Account", id) => LoginSlot {
                kind: symbols::ACCOUNT,
                at: hot.accounts.hash_slot(id),
            },
            PrincipalRef::Name("TeamMember", id) => LoginSlot {
                kind: symbols::MEMBER,
                at: hot.members.hash_slot(id),
            },
            PrincipalRef::Name("Operator", id) => LoginSlot {
                kind: symbols::OPERATOR,
                at: hot.operators.hash_slot(id),
            },
            PrincipalRef::Name(..) | PrincipalRef::Handle(_) => LoginSlot::default(),
        }
    }

    /// Returns the entity of a login whose id has a number, whether or not a record exists.
    #[inline(always)]
    pub(crate) fn entity(
        directory: &Directory,
        who: PrincipalRef<'_>,
        sought: LoginSlot,
    ) -> Option<u32> {
        match who {
            PrincipalRef::Name(_, id) => sought.entity(directory.tables(), id),
            PrincipalRef::Handle(handle) => handle.place.get(directory.generation(), || {
                // `who` is not used here, because a closure that borrows it keeps it in memory.
                let (hot, reference) = (directory.tables(), handle.reference());
                Self::login_slot(hot, PrincipalRef::Name(reference.kind(), reference.id()))
                    .entity(hot, reference.id())
            }),
        }
    }

    /// Returns the login with the rows of its account and of the member.
    #[inline(always)]
    pub(crate) fn rows(
        directory: &Directory,
        who: PrincipalRef<'_>,
        sought: LoginSlot,
    ) -> Option<(Self, AccountRow, MemberRow)> {
        let hot = directory.tables();
        let (kind, number) = parts(Self::entity(directory, who, sought)?);
        let login = |account: u32| Self {
            kind,
            number,
            account,
        };
        let (account, member) = match kind {
            symbols::ACCOUNT => (number, MemberRow::default()),
            symbols::MEMBER => {
                let member = hot.members.row(number)?;
                (member.account, *member)
            }
            symbols::OPERATOR => {
                let row = hot.operators.row(number)?.as_account();
                return Some((login(NO_ROW), row, MemberRow::default()));
            }
            _ => return None,
        };
        Some((login(account), *hot.accounts.row(account)?, member))
    }

    /// Returns the login with its [`Self::has_not_before`].
    pub(crate) fn find(directory: &Directory, who: PrincipalRef<'_>) -> Option<(Self, bool)> {
        Self::rows(directory, who, Self::login_slot(directory.tables(), who))
            .map(|(login, account, member)| (login, login.has_not_before(&account, &member)))
    }

    /// Returns whether older sessions of the login do not count (I7). The rows are its own.
    #[inline(always)]
    pub(crate) fn has_not_before(self, account: &AccountRow, member: &MemberRow) -> bool {
        if self.kind == symbols::MEMBER {
            member.has_not_before()
        } else {
            account.has_not_before()
        }
    }

    /// Returns the instant before which the login's sessions do not count.
    pub(crate) fn not_before(self, hot: &Tables) -> Option<i64> {
        let kind = match self.kind {
            symbols::MEMBER => RecordKind::TeamMember,
            symbols::OPERATOR => RecordKind::Operator,
            _ => RecordKind::Account,
        };
        hot.not_before(kind, self.number)
    }

    pub(crate) fn value(self) -> Value {
        Value::Entity(entity(self.kind, self.number))
    }

    pub(crate) fn account(self) -> Value {
        if self.account == NO_ROW {
            Value::Missing
        } else {
            Value::Entity(entity(symbols::ACCOUNT, self.account))
        }
    }

    pub(crate) fn entity_if(self, kind: u32) -> Value {
        if self.kind == kind {
            self.value()
        } else {
            Value::Missing
        }
    }
}
