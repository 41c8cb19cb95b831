//! Logins by e-mail, and the realms that they are in (I1).

use std::sync::Arc;

use super::Directory;
use super::hash_index::HashIndex;
use super::record_key::{RecordKey, RecordKind};
use super::table::NO_ROW;
use super::tables::Tables;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// A space of logins (I1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Realm {
    /// Main accounts, their members, and operators.
    Platform,
    /// The clients of the account of this number, and their members.
    Owner(u32),
}

/// Logins by the hash of their e-mail; as an [`HashIndex`], a hint.
#[derive(Debug, Clone, Default)]
pub(super) struct LoginIndex(Arc<HashIndex>);

impl LoginIndex {
    /// Takes a login up; whether another one stood there, perhaps with the same e-mail.
    pub(super) fn insert(&mut self, email: &[u8], login: RecordKey) -> bool {
        if self.0.is_full() {
            self.0 = Arc::new(self.0.grown());
        }
        self.0.insert(self.0.hash(email), login.0)
    }

    /// The logins with this e-mail, by type and number.
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

    /// Makes room; leaves out what holds no more if that is much.
    pub(super) fn grow(&mut self, hot: &Tables) {
        let live = hot.logins().count();
        if self.0.used() / 2 < live {
            self.0 = Arc::new(self.0.grown());
            return;
        }
        let fresh = self.0.emptied(live);
        for login in hot.logins() {
            if let Some(email) = hot.login_email(login) {
                fresh.insert(fresh.hash(email), login.0);
            }
        }
        self.0 = Arc::new(fresh);
    }
}

impl Tables {
    /// The e-mail of a login that there is.
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

    /// The realm of a login that there is; a member of no known account has none.
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

    /// Every login.
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
    /// Every login with this normalised e-mail, in all realms, by type and id.
    pub(crate) fn logins(&self, email: &str) -> Vec<(Realm, RecordKey)> {
        let mut found = self.logins.find_by_email(email.as_bytes(), &self.hot);
        found.sort_by_key(|login| (login.kind(), self.hot.id(*login)));
        found
            .into_iter()
            .filter_map(|login| Some((self.hot.realm(login)?, login)))
            .collect()
    }

    /// The e-mails of a client's login and of its members that another owner's realm has already,
    /// sorted.
    pub(crate) fn collisions(&self, client: &str, owner: &str) -> Vec<String> {
        let (Some((client, _)), Some((owner, _))) = (
            self.hot.accounts.find(client),
            self.hot.accounts.find(owner),
        ) else {
            return Vec::new();
        };
        let key = RecordKind::Account.key(client);
        let members = self
            .referrers
            .of(super::Referent::Record(key), &self.hot)
            .into_iter();
        let logins = members
            .filter(|key| key.kind() == RecordKind::TeamMember)
            .chain([key]);
        let taken = |email: &&[u8]| {
            self.logins
                .find_by_email(email, &self.hot)
                .into_iter()
                .any(|login| self.hot.realm(login) == Some(Realm::Owner(owner)))
        };
        let emails = logins
            .filter(|login| self.hot.realm(*login) != Some(Realm::Owner(owner)))
            .filter_map(|login| self.hot.login_email(login));
        let mut found: Vec<String> = emails
            .filter(taken)
            .map(|email| String::from_utf8_lossy(email).into_owned())
            .collect();
        found.sort_unstable();
        found
    }

    /// I1: at most one login a realm and e-mail. Asks it of these logins; `is_new` tells those of
    /// the transaction, which are named after what was there, in the order of their names.
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
            let same = self
                .logins
                .find_by_email(email, &self.hot)
                .into_iter()
                .filter(|other| self.hot.realm(*other) == Some(realm));
            let mut same: Vec<(bool, EntityRef)> = same
                .map(|login| (is_new(login), self.reference(login)))
                .collect();
            same.sort_unstable();
            if let [_, (_, second), ..] = same.as_slice()
                && first_fault.as_ref().is_none_or(|(known, _)| second < known)
            {
                // The other record may be another tenant's: it is not named.
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
