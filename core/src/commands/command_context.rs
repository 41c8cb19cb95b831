//! The context of a command.

use std::cell::OnceCell;

use crate::directory::{Change, Directory};
use crate::model::catalog::{Catalog, CountedKind, SchemaVocabulary};
use crate::model::pending_email;
use crate::model::reference::{EntityRef, check_id};
use crate::util::error::Error;

/// The context of a command: the directory, the catalog and the caller.
pub(crate) struct CommandContext<'s> {
    pub(crate) directory: &'s Directory,
    pub(crate) catalog: &'s Catalog,
    /// The schema's names, and the types of the host's attributes.
    pub(crate) names: &'s dyn SchemaVocabulary,
    pub(crate) principal: &'s EntityRef,
    /// The transaction's instant.
    pub(crate) now: i64,
    /// Whether the target is decided. The accounts to lock depend on no attribute, and to check
    /// attributes costs more than all else.
    pub(crate) is_decided: bool,
    /// The token to send by e-mail, created when a command needs it.
    pub(crate) token: OnceCell<String>,
}

impl CommandContext<'_> {
    /// Returns the named account, or the caller's own account if none is named.
    pub(super) fn named_or_own<'a>(&'a self, named: Option<&'a str>) -> Result<&'a str, Error> {
        let own = || self.directory.account_id_of(self.principal);
        named.or_else(own).ok_or_else(|| Error::UnknownAccount {
            account: crate::util::text::short(self.principal.id()),
        })
    }

    pub(super) fn account(&self, id: &str) -> Result<crate::model::account::Account, Error> {
        self.directory
            .account(id)
            .ok_or_else(|| Error::UnknownAccount {
                account: crate::util::text::short(id),
            })
    }

    pub(super) fn member(&self, id: &str) -> Result<crate::model::member::TeamMember, Error> {
        self.directory
            .member(id)
            .ok_or_else(|| Error::UnknownRecord {
                record: EntityRef::new("TeamMember", id).to_string(),
            })
    }

    /// Returns the number of clients of an account that are not closed (C6).
    pub(super) fn clients_of(&self, account: &str) -> i64 {
        let number = self.directory.account_number(account);
        number.map_or(0, |number| {
            self.directory.count(number, CountedKind::Clients, self.now)
        })
    }

    /// Returns the owner in whose realm an account's logins are, or `None` for the platform's realm
    /// (I1).
    pub(super) fn realm_of(&self, account: &str) -> Option<&str> {
        self.directory.owner_of(account)
    }

    /// Returns the removal of the expired invitation that holds an e-mail in a realm, so that
    /// another login can have the e-mail (I5). `None` stands for the platform's realm.
    pub(super) fn end_expired_invitation(
        &self,
        email: &str,
        owner: Option<&str>,
    ) -> Option<Change> {
        self.directory
            .expired_invitation(email, owner, self.now)
            .map(Change::Remove)
    }

    pub(super) fn token(&self) -> Result<&str, Error> {
        if let Some(token) = self.token.get() {
            return Ok(token);
        }
        let token = pending_email::token()?;
        Ok(self.token.get_or_init(|| token))
    }

    /// Checks that no record has or had the id. A former id is allowed if the record of the same
    /// owner or account has come back with it (I5). In that case returns the change that resumes
    /// the record.
    pub(super) fn new_id(
        &self,
        kind: &str,
        id: &str,
        of: Option<&str>,
        resumed: bool,
    ) -> Result<Option<Change>, Error> {
        check_id(kind, id)?;
        let reference = EntityRef::new(kind, id);
        if self.directory.has(&reference) {
            return Err(Error::DuplicateId {
                record: reference.to_string(),
            });
        }
        match self.directory.was_used_by(&reference, of) {
            None => Ok(None),
            Some(true) if resumed => Ok(Some(Change::Resume(reference))),
            Some(_) => Err(Error::IdUsed {
                record: reference.to_string(),
            }),
        }
    }
}
