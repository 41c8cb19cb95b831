//! Readers of the records that an owner's bill depends on.

use std::collections::{BTreeMap, BTreeSet};

use super::record_key::RecordKind;
use super::{Directory, NO_ROW};
use crate::model::account::DisableReason;
use crate::model::package::Package;
use crate::model::reference::EntityRef;

impl Directory {
    /// Returns the packages of the directory itself, without those of the catalog.
    pub(crate) fn own_packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().map(AsRef::as_ref)
    }

    /// Returns the id of the package of a main account.
    pub(crate) fn package_of(&self, account: u32) -> Option<&str> {
        let row = self.hot.accounts.row(account)?;
        self.hot.packages.id(row.package)
    }

    /// Returns whether a main account has this id and is not closed.
    pub(crate) fn has_open_owner(&self, id: &str) -> bool {
        let found = self.hot.accounts.find(id);
        found.is_some_and(|(_, row)| row.owner == NO_ROW && !row.is_closed())
    }

    /// Returns the ids of all main accounts, in no order.
    pub(crate) fn main_accounts(&self) -> impl Iterator<Item = &str> {
        let accounts = &self.hot.accounts;
        let is_main = |number: &u32| {
            let row = accounts.row(*number);
            row.is_some_and(|row| row.owner == NO_ROW)
        };
        let numbers = accounts.numbers().filter(is_main);
        numbers.filter_map(|number| accounts.id(number))
    }

    /// Returns whether an account is not closed, and not disabled for another reason than overage
    /// (B12).
    pub(crate) fn is_working(&self, id: &str) -> bool {
        let overage = super::rows::reason_bit(DisableReason::Overage);
        let overage = 1_u64.checked_shl(overage).unwrap_or(0);
        let found = self.hot.accounts.find(id);
        found.is_some_and(|(_, row)| !row.is_closed() && row.disabled() & !overage == 0)
    }

    /// Returns the owner of a client that is not closed, and whether it is disabled for overage.
    fn client_standing(&self, id: &str) -> Option<(&str, bool)> {
        let (_, row) = self.hot.accounts.find(id)?;
        let owner = self.hot.accounts.id(row.owner)?;
        let overage = 1_u64.checked_shl(super::rows::reason_bit(DisableReason::Overage));
        let is_overage = row.disabled() & overage.unwrap_or(0) != 0;
        (!row.is_closed()).then_some((owner, is_overage))
    }

    /// Returns whether an account has or had this id.
    fn knows_account(&self, id: &str) -> bool {
        let reference = EntityRef::new(RecordKind::Account.name(), id);
        self.hot.accounts.find(id).is_some() || self.was_removed(&reference)
    }

    /// Returns the clients that leave an owner, come back to it, or are no longer disabled for
    /// overage as they were, if this directory is replaced by `after`. They are listed by owner.
    /// A new client belongs to no closed month yet.
    ///
    /// `references` are the changed records, or `None` if all may have changed.
    pub(crate) fn clients_of_change(
        &self,
        after: &Self,
        references: Option<&[EntityRef]>,
    ) -> BTreeMap<String, BTreeSet<String>> {
        let mut clients: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut compare = |id: &str| {
            let (before, after) = (self.client_standing(id), after.client_standing(id));
            if before == after || !self.knows_account(id) {
                return;
            }
            for (owner, _) in [before, after].into_iter().flatten() {
                let known = clients.entry(owner.to_owned()).or_default();
                known.insert(id.to_owned());
            }
        };
        match references {
            Some(references) => references
                .iter()
                .filter(|reference| reference.kind() == RecordKind::Account.name())
                .for_each(|reference| compare(reference.id())),
            None => [self, after].iter().for_each(|directory| {
                let accounts = &directory.hot.accounts;
                let ids = accounts.numbers().filter_map(|number| accounts.id(number));
                ids.for_each(&mut compare);
            }),
        }
        clients
    }

    /// Returns the owners whose bill may change if this directory is replaced by `after`, sorted.
    /// `references` are the changed records, or `None` if all may have changed.
    pub(crate) fn billed_owners(
        &self,
        after: &Self,
        references: Option<&[EntityRef]>,
    ) -> Vec<String> {
        let mut owners: Vec<String> = match references {
            None => self
                .main_accounts()
                .chain(after.main_accounts())
                .map(str::to_owned)
                .collect(),
            Some(references) => {
                let accounts = references
                    .iter()
                    .filter(|reference| reference.kind() == RecordKind::Account.name());
                accounts
                    .flat_map(|reference| self.owners_of_change(after, reference.id()))
                    .map(str::to_owned)
                    .collect()
            }
        };
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// Returns a main account itself. Of a client, returns the owners, if the client came, left,
    /// or is working again or no longer.
    fn owners_of_change<'a>(&'a self, after: &'a Self, id: &'a str) -> Vec<&'a str> {
        let state = |directory: &'a Self| {
            let (_, row) = directory.hot.accounts.find(id)?;
            let owner = directory.hot.accounts.id(row.owner);
            let is_main = row.owner == NO_ROW;
            Some((is_main, owner, row.is_closed(), directory.is_working(id)))
        };
        let states = [state(self), state(after)];
        let is_main = |state: &(bool, Option<&str>, bool, bool)| state.0;
        let mut owners: Vec<&str> = Vec::new();
        if states.iter().flatten().any(is_main) {
            owners.push(id);
        }
        if states.first() != states.last() {
            owners.extend(states.iter().flatten().filter_map(|state| state.1));
        }
        owners
    }
}
