//! Logins by e-mail, and the realms that they are in (I1).

use std::sync::Arc;

use super::Directory;
use super::hash_index::HashIndex;
use super::record_key::{RecordKey, RecordKind};
use super::rows::AccountRow;
use super::table::NO_ROW;
use super::tables::Tables;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// A space of logins (I1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Realm {
    /// Main accounts and their members, and operators.
    Platform,
    /// Clients of the account with this row number, and their members.
    Owner(u32),
}

/// Logins by the hash of their e-mail. Entries are hints, like those of a [`HashIndex`].
#[derive(Debug, Clone, Default)]
pub(super) struct LoginIndex(Arc<HashIndex>);

impl LoginIndex {
    /// Adds a login. Returns whether another entry with the same hash exists, perhaps with the same
    /// e-mail.
    pub(super) fn insert(&mut self, email: &[u8], login: RecordKey) -> bool {
        if self.0.is_full() {
            self.0 = Arc::new(self.0.grown());
        }
        self.0.insert(self.0.hash(email), login.0)
    }

    /// Returns the logins with this e-mail, by type and number.
    fn find_by_email(&self, email: &[u8], hot: &Tables) -> Vec<RecordKey> {
        let mut found: Vec<RecordKey> = Vec::new();
        self.0.find(self.0.hash(email), |login| {
            let login = RecordKey(login);
            if hot.login_email(login) == Some(email) {
                found.push(login);
            }
            false
        });
        found.sort_unstable();
        found.dedup();
        found
    }

    pub(super) fn needs_growth(&self) -> bool {
        self.0.needs_growth()
    }

    /// Grows the index. Rebuilds it instead if most of its entries are stale.
    pub(super) fn grow(&mut self, hot: &Tables) {
        let live = hot.logins().count();
        if self.0.used() / 2 < live {
            self.0 = Arc::new(self.0.grown());
            return;
        }
        let fresh = self.0.to_empty(live);
        for login in hot.logins() {
            if let Some(email) = hot.login_email(login) {
                fresh.insert(fresh.hash(email), login.0);
            }
        }
        self.0 = Arc::new(fresh);
    }
}

impl Tables {
    /// Returns the e-mail of a login, or `None` if the login does not exist.
    pub(super) fn login_email(&self, login: RecordKey) -> Option<&[u8]> {
        let number = login.number();
        let found = match login.kind() {
            RecordKind::Operator => self
                .operators
                .row(number)
                .and_then(|_| self.operators.bytes(number)),
            RecordKind::Account => self
                .accounts
                .row(number)
                .and_then(|_| self.accounts.bytes(number)),
            RecordKind::TeamMember => self
                .members
                .row(number)
                .and_then(|_| self.members.bytes(number)),
            RecordKind::AccessLevel
            | RecordKind::Domain
            | RecordKind::Package
            | RecordKind::Platform => None,
        };
        found.map(|(_, email)| email)
    }

    /// Returns the realm of a login, or `None` if the login or the account of the member does not
    /// exist.
    pub(super) fn realm(&self, login: RecordKey) -> Option<Realm> {
        let account = match login.kind() {
            RecordKind::Operator => {
                return self.operators.row(login.number()).map(|_| Realm::Platform);
            }
            RecordKind::Account => login.number(),
            RecordKind::TeamMember => self.members.row(login.number())?.account,
            RecordKind::AccessLevel
            | RecordKind::Domain
            | RecordKind::Package
            | RecordKind::Platform => return None,
        };
        let owner = self.accounts.row(account)?.owner;
        Some(if owner == NO_ROW {
            Realm::Platform
        } else {
            Realm::Owner(owner)
        })
    }

    /// Returns whether a login has released its e-mail, because its account is closed (I5).
    pub(super) fn is_released(&self, login: RecordKey) -> bool {
        let account = match login.kind() {
            RecordKind::Account => Some(login.number()),
            RecordKind::TeamMember => self.members.row(login.number()).map(|row| row.account),
            _ => None,
        };
        account
            .and_then(|account| self.accounts.row(account))
            .is_some_and(AccountRow::is_closed)
    }

    /// Returns every login.
    pub(super) fn logins(&self) -> impl Iterator<Item = RecordKey> + '_ {
        let operators = self
            .operators
            .numbers()
            .map(|number| RecordKind::Operator.key(number));
        let accounts = self
            .accounts
            .numbers()
            .map(|number| RecordKind::Account.key(number));
        operators.chain(accounts).chain(
            self.members
                .numbers()
                .map(|number| RecordKind::TeamMember.key(number)),
        )
    }
}

impl Directory {
    /// Returns every login with this normalised e-mail, in all realms: first the logins that hold
    /// the e-mail, then those of closed accounts, each by type and id (I5).
    pub(crate) fn logins(&self, email: &str) -> Vec<(Realm, RecordKey)> {
        let mut found = self.logins.find_by_email(email.as_bytes(), &self.hot);
        found.sort_by_key(|login| {
            (
                self.hot.is_released(*login),
                login.kind(),
                self.hot.id(*login),
            )
        });
        found
            .into_iter()
            .filter_map(|login| Some((self.hot.realm(login)?, login)))
            .collect()
    }

    /// Returns the login of an account and the logins of its members.
    fn logins_of(&self, account: RecordKey) -> impl Iterator<Item = RecordKey> {
        self.referrers
            .find_referrers(super::Referent::Record(account), &self.hot)
            .into_iter()
            .filter(|key| key.kind() == RecordKind::TeamMember)
            .chain([account])
    }

    /// Returns the logins that hold an e-mail in a realm. At most one does, unless a transaction
    /// is being checked.
    fn holders(&self, email: &[u8], realm: Realm) -> impl Iterator<Item = RecordKey> {
        self.logins
            .find_by_email(email, &self.hot)
            .into_iter()
            .filter(move |login| {
                self.hot.realm(*login) == Some(realm) && !self.hot.is_released(*login)
            })
    }

    /// Returns whether a login is an invitation that has expired. It releases its e-mail (I5).
    fn is_expired_invitation(&self, login: RecordKey, now: i64) -> bool {
        login.kind() == RecordKind::TeamMember
            && !self.is_service(login.number())
            && !self.holds_seat(login.number(), now)
    }

    /// Returns the expired invitation that holds an e-mail in the realm of an owner's clients, or
    /// in the platform's realm.
    pub(crate) fn expired_invitation(
        &self,
        email: &str,
        owner: Option<&str>,
        now: i64,
    ) -> Option<EntityRef> {
        let realm = match owner {
            Some(owner) => Realm::Owner(self.account_number(owner)?),
            None => Realm::Platform,
        };
        self.holders(email.as_bytes(), realm)
            .find(|login| self.is_expired_invitation(*login, now))
            .map(|login| self.reference(login))
    }

    /// Returns the logins of an account and of its members whose e-mails another login holds in a
    /// realm. `None` stands for the account's own realm.
    pub(crate) fn taken_logins(
        &self,
        account: &str,
        owner: Option<&str>,
        now: i64,
    ) -> Vec<(EntityRef, String)> {
        let Some(account) = self.account_number(account) else {
            return Vec::new();
        };
        let key = RecordKind::Account.key(account);
        let realm = match owner {
            Some(owner) => self.account_number(owner).map(Realm::Owner),
            None => self.hot.realm(key),
        };
        let Some(realm) = realm else {
            return Vec::new();
        };
        let is_taken = |login: RecordKey, email: &[u8]| {
            self.holders(email, realm).any(|holder| {
                self.account_of(holder) != self.account_of(login)
                    && !self.is_expired_invitation(holder, now)
            })
        };
        let mut taken: Vec<(EntityRef, String)> = self
            .logins_of(key)
            .filter_map(|login| Some((login, self.hot.login_email(login)?)))
            .filter(|(login, email)| is_taken(*login, email))
            .map(|(login, email)| {
                let email = String::from_utf8_lossy(email).into_owned();
                (self.reference(login), email)
            })
            .collect();
        taken.sort_unstable_by(|one, other| one.1.cmp(&other.1));
        taken
    }

    /// Returns the normalised e-mails of an account's login and of its members.
    pub(crate) fn emails_of(&self, account: &str) -> Vec<String> {
        let Some(account) = self.account_number(account) else {
            return Vec::new();
        };
        self.logins_of(RecordKind::Account.key(account))
            .filter_map(|login| self.hot.login_email(login))
            .map(|email| String::from_utf8_lossy(email).into_owned())
            .collect()
    }

    /// I1: checks that each of these logins is the only one that holds its e-mail in its realm. A
    /// login of a closed account holds none (I5). Of two
    /// logins the error names the later one. Logins for which `is_new` returns `true` sort after
    /// the others, then by type and id.
    pub(super) fn check_logins(
        &self,
        logins: impl Iterator<Item = RecordKey>,
        is_new: impl Fn(RecordKey) -> bool,
    ) -> Result<(), Error> {
        let mut first_fault: Option<(EntityRef, Error)> = None;
        for login in logins {
            let (Some(realm), Some(email)) = (self.hot.realm(login), self.hot.login_email(login))
            else {
                continue;
            };
            if self.hot.is_released(login) {
                continue;
            }
            let mut same: Vec<(bool, EntityRef)> = self
                .holders(email, realm)
                .map(|login| (is_new(login), self.reference(login)))
                .collect();
            same.sort_unstable();
            if let [_, (_, second), ..] = same.as_slice()
                && first_fault.as_ref().is_none_or(|(known, _)| second < known)
            {
                // The other record may belong to another tenant, so the error does not name it.
                let email = String::from_utf8_lossy(email).into_owned();
                first_fault = Some((
                    second.clone(),
                    Error::DuplicateLogin {
                        email,
                        record: second.to_string(),
                    },
                ));
            }
        }
        first_fault.map_or(Ok(()), |(_, error)| Err(error))
    }
}
