//! Keeps the billing ledgers of owners in step with the directory: closes months before a change,
//! begins and ends the billing of owners, and disables clients for overage.

use super::Snapshot;
use super::sync::NewSnapshot;
use crate::billing::{BillingLedger, FigureHistory, MonthClosing, STORE_ACCOUNT};
use crate::cedar::bundle::Bundle;
use crate::directory::{Change, Directory};
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::store::CountTx;
use crate::util::error::Error;

/// The greatest number of owners of one call of `close_due`.
const MAX_OWNERS: usize = 1_000;

/// Adds the account whose documents belong to the store to the accounts of a transaction.
pub(super) fn lock_with_store(mut accounts: Vec<String>) -> Vec<String> {
    accounts.push(STORE_ACCOUNT.to_owned());
    accounts
}

impl Snapshot {
    /// Returns the shared figures, or the present ones if the store has none yet.
    pub(super) fn figure_history(&self, tx: &mut dyn CountTx) -> Result<FigureHistory, Error> {
        if let Some(history) = FigureHistory::read(tx)? {
            return Ok(history);
        }
        let catalog = &self.tenancy("statement")?.catalog;
        Ok(FigureHistory::begin(catalog, &self.directory, tx.now()))
    }

    pub(super) fn billing_ledger<'b>(
        &'b self,
        directory: &'b Directory,
        tx: &'b mut dyn CountTx,
        history: &'b FigureHistory,
        owner: &'b str,
    ) -> Result<BillingLedger<'b>, Error> {
        let catalog = &self.tenancy("statement")?.catalog;
        BillingLedger::open(tx, directory, catalog, history, owner)
    }

    /// Returns the snapshot after these changes, or `None` if there are none.
    pub(super) fn changed(&self, changes: Vec<Change>) -> Result<Option<NewSnapshot>, Error> {
        if changes.is_empty() {
            return Ok(None);
        }
        let bundle = self.tenancy("settle_overage")?;
        let references = self.directory.references(&changes);
        Ok(Some((
            self.with_directory(
                self.directory
                    .apply(changes, &bundle.catalog, bundle, None)?,
            )?,
            Some(references),
        )))
    }

    /// Returns the accounts whose bills the changes may concern.
    ///
    /// None are locked for changes that concern no bill. So a forked child can make them although
    /// another thread of its parent was changing counts.
    pub(super) fn accounts_of(&self, changes: &[Change]) -> Vec<String> {
        let mut accounts = Vec::new();
        let mut is_billed = false;
        for reference in self.directory.references(changes) {
            is_billed |= ["Account", "Package"].contains(&reference.kind());
            if reference.kind() == "Account" {
                let owner = self.directory.owner_of(reference.id());
                accounts.extend(owner.map(str::to_owned));
                accounts.push(reference.id().to_owned());
            }
        }
        if !is_billed {
            return accounts;
        }
        let owners = changes.iter().filter_map(|change| match change {
            Change::Put(Record::Account(account)) => account.owner(),
            Change::Merge(patch) => patch.owner(),
            _ => None,
        });
        accounts.extend(owners.map(str::to_owned));
        lock_with_store(accounts)
    }

    /// Returns the next main accounts by id, and the last of them if others follow.
    pub(super) fn owners_after(
        &self,
        limit: usize,
        after: Option<&str>,
    ) -> (Vec<String>, Option<String>) {
        let limit = limit.clamp(1, MAX_OWNERS);
        let mut owners: Vec<&str> = self
            .directory
            .main_accounts()
            .filter(|id| after.is_none_or(|after| *id > after))
            .collect();
        let has_more = owners.len() > limit;
        if has_more {
            let _ = owners.select_nth_unstable(limit);
            owners.truncate(limit);
        }
        owners.sort_unstable();
        let next = owners.last().filter(|_| has_more);
        let next = next.map(|last| (*last).to_owned());
        (owners.into_iter().map(str::to_owned).collect(), next)
    }

    /// Closes the months that are over of these accounts, as far as they are billed. Returns the
    /// closed months, and the figures that all owners share.
    pub(super) fn close_books(
        &self,
        tx: &mut dyn CountTx,
        accounts: &[String],
    ) -> Result<(Vec<MonthClosing>, FigureHistory), Error> {
        let history = self.figure_history(tx)?;
        let mut closings = Vec::new();
        for account in accounts
            .iter()
            .filter(|account| is_billed(&self.directory, account))
        {
            let mut ledger = self.billing_ledger(&self.directory, tx, &history, account)?;
            ledger.close_over()?;
            closings.extend(ledger.into_closings());
        }
        Ok((closings, history))
    }

    /// Returns the closed months of these accounts that are neither paid nor settled.
    pub(super) fn find_unsettled(
        &self,
        tx: &mut dyn CountTx,
        history: &FigureHistory,
        accounts: &[String],
    ) -> Result<Vec<MonthClosing>, Error> {
        let mut unsettled = Vec::new();
        for account in accounts
            .iter()
            .filter(|account| is_billed(&self.directory, account))
        {
            let mut ledger = self.billing_ledger(&self.directory, tx, history, account)?;
            unsettled.extend(ledger.find_unsettled()?);
        }
        Ok(unsettled)
    }

    /// Keeps the ledgers in step with a change of the directory to `after`. The months that are
    /// over are closed with the figures before the change (B8). The billing of owners that are
    /// closed ends, and that of new or reopened owners begins (B10).
    ///
    /// `references` are the changed records, or `None` if all may have changed.
    pub(super) fn follow_change(
        &self,
        tx: &mut dyn CountTx,
        after: &Directory,
        references: Option<&[EntityRef]>,
    ) -> Result<Vec<MonthClosing>, Error> {
        let (before, now) = (&self.directory, tx.now());
        let owners = before.billed_owners(after, references);
        let has_packages = references
            .is_none_or(|changed| changed.iter().any(|record| record.kind() == "Package"));
        if owners.is_empty() && !has_packages {
            return Ok(Vec::new());
        }
        let (mut closings, mut history) = self.close_books(tx, &owners)?;
        let catalog = &self.tenancy("apply_changes")?.catalog;
        let is_new = FigureHistory::read(tx)?.is_none();
        if history.add_packages(catalog, after, now) || is_new {
            history.write(tx)?;
        }
        // The owners of a first import have been there since the history began.
        let is_first = references.is_none() && before.revision() == 0;
        for owner in &owners {
            match (before.has_open_owner(owner), after.has_open_owner(owner)) {
                (true, false) => {
                    let mut ledger = self.billing_ledger(before, tx, &history, owner)?;
                    ledger.end()?;
                    closings.extend(ledger.into_closings());
                }
                (false, true) if !is_first => {
                    self.billing_ledger(after, tx, &history, owner)?.begin()?;
                }
                (true, true) if calendars_differ(before, after, owner) => {
                    self.billing_ledger(before, tx, &history, owner)?
                        .pin_running()?;
                }
                _ => {}
            }
        }
        Ok(closings)
    }

    /// Applies changes to the directory, with those that follow from the bills of the owners.
    /// Returns the directory, the changed records, and the months that were closed.
    pub(super) fn apply_billed(
        &self,
        tx: &mut dyn CountTx,
        bundle: &Bundle,
        mut changes: Vec<Change>,
        expected: Option<u64>,
    ) -> Result<(Directory, Vec<EntityRef>, Vec<MonthClosing>), Error> {
        let apply = |changes: Vec<Change>| {
            self.directory
                .apply(changes, &bundle.catalog, bundle, expected)
        };
        let mut directory = apply(changes.clone())?;
        let mut references = self.directory.references(&changes);
        let closings = self.follow_change(tx, &directory, Some(&references))?;
        if let Some(all) = self.with_overage(tx, &changes, &directory)? {
            changes = all;
            directory = apply(changes.clone())?;
            references = self.directory.references(&changes);
        }
        directory.check_ids(&self.directory, &changes)?;
        Ok((directory, references, closings))
    }

    /// Returns the changes together with the resulting changes of clients that are disabled for
    /// overage, or `None` if there are none. A client that is closed or leaves its owner enables
    /// another.
    pub(super) fn with_overage(
        &self,
        tx: &mut dyn CountTx,
        changes: &[Change],
        after: &Directory,
    ) -> Result<Option<Vec<Change>>, Error> {
        let references = self.directory.references(changes);
        let more = self.overage_changes(tx, after, Some(&references))?;
        if more.is_empty() {
            return Ok(None);
        }
        // The later put has the result of the change that it replaces.
        let is_put_again = |change: &Change| {
            let replaced = match change {
                Change::Put(Record::Account(account)) => Some(account.id()),
                Change::Merge(patch) if patch.reference().kind() == "Account" => {
                    Some(patch.reference().id())
                }
                _ => None,
            };
            let put = more.iter().filter_map(|change| match change {
                Change::Put(Record::Account(account)) => Some(account.id()),
                _ => None,
            });
            replaced.is_some_and(|replaced| put.into_iter().any(|id| id == replaced))
        };
        let mut all: Vec<Change> = changes
            .iter()
            .filter(|change| !is_put_again(change))
            .cloned()
            .collect();
        all.extend(more);
        Ok(Some(all))
    }

    /// Returns the changes of clients that are disabled for overage, if the directory is replaced by
    /// `after`. A client that comes back, or is enabled without a payment, is disabled again.
    ///
    /// `references` are the changed records, or `None` if all may have changed.
    pub(super) fn overage_changes(
        &self,
        tx: &mut dyn CountTx,
        after: &Directory,
        references: Option<&[EntityRef]>,
    ) -> Result<Vec<Change>, Error> {
        let mut clients = self.directory.clients_of_change(after, references);
        clients.retain(|owner, _| is_billed(&self.directory, owner) && is_billed(after, owner));
        let mut changes = Vec::new();
        if clients.is_empty() {
            return Ok(changes);
        }
        let history = self.figure_history(tx)?;
        for (owner, changed) in &clients {
            let mut ledger = self.billing_ledger(after, tx, &history, owner)?;
            changes.extend(ledger.overage(changed)?);
        }
        Ok(changes)
    }
}

/// Returns whether the directory has a main account with this id.
fn is_billed(directory: &Directory, account: &str) -> bool {
    directory.account_number(account).is_some() && directory.owner_of(account).is_none()
}

/// Returns whether an owner's calendar changes.
fn calendars_differ(before: &Directory, after: &Directory, owner: &str) -> bool {
    let calendar = |directory: &Directory| {
        let number = directory.account_number(owner)?;
        Some(directory.calendar(number).clone())
    };
    calendar(before) != calendar(after)
}
