//! Decoys for unknown logins, so that refusing an unknown login takes as much work as refusing a
//! known one (D7).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Directory;
use super::record_key::{RecordKey, RecordKind};
use super::table::{NO_ROW, Table, TableRow};
use super::tables::Tables;

/// Maximum number of rows that one call searches for a login of a shape. The next call continues
/// from there.
const MAX_ROWS_SEARCHED: u32 = 256;

/// Shape of a login, which determines how much work a decision about the login takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginShape {
    MainAccount,
    ClientAccount,
    MainMember,
    ClientMember,
    Operator,
}

impl LoginShape {
    pub(crate) const ALL: [Self; 5] = [
        Self::MainAccount,
        Self::ClientAccount,
        Self::MainMember,
        Self::ClientMember,
        Self::Operator,
    ];

    pub(crate) fn kind(self) -> RecordKind {
        match self {
            Self::MainAccount | Self::ClientAccount => RecordKind::Account,
            Self::MainMember | Self::ClientMember => RecordKind::TeamMember,
            Self::Operator => RecordKind::Operator,
        }
    }

    fn others_of_kind(self) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |other| *other != self && other.kind() == self.kind())
    }
}

/// Row number at which a login of each shape was last found. A hint, which all versions share.
#[derive(Debug, Clone, Default)]
pub(super) struct StandIns(Arc<[AtomicU32; 5]>);

impl Directory {
    /// Returns the shape of a login, or `None` if the login does not exist.
    pub(crate) fn login_shape(&self, login: RecordKey) -> Option<LoginShape> {
        self.hot.login_shape(login)
    }

    /// Returns a login of this shape. If none was found yet, returns another login of its type.
    pub(crate) fn find_decoy(&self, shape: LoginShape) -> Option<RecordKey> {
        self.find_login(shape).or_else(|| {
            shape
                .others_of_kind()
                .find_map(|other| self.find_login(other))
        })
    }

    fn find_login(&self, shape: LoginShape) -> Option<RecordKey> {
        let hint = self.stand_ins.0.get(shape as usize)?;
        let fits = |number: u32| self.hot.login_shape(shape.kind().key(number)) == Some(shape);
        let found = match shape.kind() {
            RecordKind::Account => search(&self.hot.accounts, hint, fits),
            RecordKind::TeamMember => search(&self.hot.members, hint, fits),
            _ => search(&self.hot.operators, hint, fits),
        };
        found.map(|number| shape.kind().key(number))
    }
}

/// Returns the first number that fits, among at most [`MAX_ROWS_SEARCHED`] rows from `hint` on.
fn search<R: TableRow>(
    table: &Table<R>,
    hint: &AtomicU32,
    fits: impl Fn(u32) -> bool,
) -> Option<u32> {
    let names = table.names();
    let begin = hint.load(Ordering::Relaxed);
    for step in 0..names.min(MAX_ROWS_SEARCHED) {
        let number = begin.wrapping_add(step).checked_rem(names)?;
        if fits(number) {
            hint.store(number, Ordering::Relaxed);
            return Some(number);
        }
    }
    hint.store(
        begin
            .wrapping_add(MAX_ROWS_SEARCHED)
            .checked_rem(names)
            .unwrap_or(0),
        Ordering::Relaxed,
    );
    None
}

impl Tables {
    fn login_shape(&self, login: RecordKey) -> Option<LoginShape> {
        let number = login.number();
        let is_client = |account: u32| self.accounts.row(account).map(|row| row.owner != NO_ROW);
        Some(match login.kind() {
            RecordKind::Operator => self.operators.row(number).map(|_| LoginShape::Operator)?,
            RecordKind::Account if is_client(number)? => LoginShape::ClientAccount,
            RecordKind::Account => LoginShape::MainAccount,
            RecordKind::TeamMember if is_client(self.members.row(number)?.account)? => {
                LoginShape::ClientMember
            }
            RecordKind::TeamMember => LoginShape::MainMember,
            RecordKind::AccessLevel
            | RecordKind::Domain
            | RecordKind::Package
            | RecordKind::Platform => return None,
        })
    }
}
