//! Publishes new snapshots, and applies the changes of other processes on the same store.

use std::sync::Arc;

use arc_swap::Guard;

use super::event_fields::DirectoryDelta;
use super::{Engine, Snapshot};
use crate::authorize::PolicyEngine;
use crate::billing::MonthClosing;
use crate::directory::Directory;
use crate::model::reference::EntityRef;
use crate::store::{
    self, CountTx, DirectoryStore, DirectoryTx, Durability, HeaderField, SharedHeader, TxOutcome,
};
use crate::util::error::Error;
use crate::util::panic::catch_panic;
use crate::util::wait::{WaitBudget, WaitEnd};

/// The version of the shared directory that a snapshot was read from.
#[derive(Debug, Clone)]
pub(super) struct DirectoryVersion {
    board: Arc<SharedHeader>,
    /// The version of the directory in the shared header.
    seen: u64,
    /// The identity of the file.
    file: (u64, u64),
}

/// A new snapshot and the records that it changes. `None` means all records.
pub(super) type NewSnapshot = (Snapshot, Option<Vec<EntityRef>>);

impl Engine {
    /// Returns the current snapshot. Costs one load if no other process has changed the directory
    /// since.
    #[inline]
    pub(super) fn current(&self) -> Result<Guard<Arc<Snapshot>>, Error> {
        let state = self.current.load();
        if state.is_current() {
            return Ok(state);
        }
        self.catch_up(state)
    }

    /// Applies the changes of other processes. Only one thread at a time does so, and it never
    /// waits for threads that change the directory.
    #[cold]
    fn catch_up(&self, mut state: Guard<Arc<Snapshot>>) -> Result<Guard<Arc<Snapshot>>, Error> {
        while state.has_ended_lapse() {
            let next = state.with_directory(state.directory.clone())?;
            self.current.replace(&state, Arc::new(next));
            state = self.current.load();
        }
        if !state.is_stale() {
            return Ok(state);
        }
        let budget = state.wait_budget();
        drop(state);
        let followed = self.following.with(&budget, || -> Result<(), Error> {
            loop {
                let state = self.current.load_full();
                let Some(directory_store) = state.store.directory().filter(|_| state.is_stale())
                else {
                    return Ok(());
                };
                let next = store::view_directory(directory_store, |pages| state.catch_up(pages))?;
                // A change of this process or a reload may have come first. The work is then
                // repeated on top of it.
                if next.is_none_or(|next| self.current.replace(&state, Arc::new(next))) {
                    return Ok(());
                }
            }
        });
        followed.map_err(|end| self.lock_wait_error(end))??;
        Ok(self.current.load())
    }

    /// Returns the error of a caller that waited in vain for another thread of this process.
    pub(super) fn lock_wait_error(&self, end: WaitEnd) -> Error {
        let store = self.current.load().store.name().to_owned();
        match end {
            WaitEnd::TimedOut => Error::StoreLocked {
                store,
                holder: "another thread of this process".to_owned(),
            },
            WaitEnd::Interrupted => Error::Interrupted { store },
        }
    }

    /// Runs `work` under the write lock, while no other thread of this process changes the
    /// directory or the policies.
    pub(super) fn with_turn<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let budget = self.current.load().wait_budget();
        self.write_lock
            .with(&budget, work)
            .map_err(|end| self.lock_wait_error(end))?
    }

    /// Replaces the latest snapshot by a new one, in the store and in this process. `work` also
    /// returns the months that it closed.
    pub(super) fn replace_snapshot(
        &self,
        verb: &'static str,
        accounts: impl Fn(&Snapshot) -> Result<Vec<String>, Error>,
        work: impl Fn(&Snapshot, &mut dyn CountTx) -> Result<(NewSnapshot, Vec<MonthClosing>), Error>,
    ) -> Result<u64, Error> {
        let swapped = catch_panic(|| {
            self.transact(verb, &accounts, |state, tx| {
                let (made, closings) = work(state, tx)?;
                let revision = made.0.directory.revision();
                Ok(((revision, closings), Some(made), TxOutcome::Commit))
            })
        });
        let ((revision, closings), changed) = self.count_error(verb, swapped)?;
        self.emit_closings(verb, &closings);
        self.emit_change(verb, changed.as_ref());
        Ok(revision)
    }

    /// Changes the directory and the counts of these accounts in one transaction. Returns the value
    /// of `work` and, if there are subscribers, the change for their event.
    pub(super) fn transact<T>(
        &self,
        verb: &str,
        accounts: impl Fn(&Snapshot) -> Result<Vec<String>, Error>,
        work: impl Fn(&Snapshot, &mut dyn CountTx) -> Result<(T, Option<NewSnapshot>, TxOutcome), Error>,
    ) -> Result<(T, Option<DirectoryDelta>), Error> {
        self.with_write_lock(verb, |state| {
            if let Some(directory_store) = state.store.directory() {
                return self.transact_shared(directory_store, state, &work);
            }
            let accounts = accounts(state)?;
            let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
            let (value, made) =
                store::transaction(&*state.store, &accounts, Durability::Power, |tx| {
                    let (value, made, outcome) = work(state, tx)?;
                    Ok(((value, made), outcome))
                })?;
            Ok((value, self.publish(made)))
        })
    }

    /// Runs `work` under the write lock, on the latest snapshot of this process.
    fn with_write_lock<T>(
        &self,
        verb: &str,
        work: impl FnOnce(&Arc<Snapshot>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.current.load().tenancy(verb)?;
        self.with_turn(|| {
            let mut state = self.current.load_full();
            // The compacted directory is published before the work and kept if the work fails, so
            // that failing transactions do not compact every time.
            if let Some(tidy) = state.compacted(verb)? {
                let tidy = Arc::new(tidy);
                self.current.replace(&state, Arc::clone(&tidy));
                state = tidy;
            }
            work(&state)
        })
    }

    /// Publishes a snapshot whose directory is in memory only.
    fn publish(&self, made: Option<NewSnapshot>) -> Option<DirectoryDelta> {
        let (next, references) = made?;
        let changed = self
            .is_observed()
            .then(|| DirectoryDelta::from_references(&next.directory, references));
        self.current.store(Arc::new(next));
        changed
    }

    fn transact_shared<T>(
        &self,
        directory_store: &dyn DirectoryStore,
        state: &Arc<Snapshot>,
        work: impl Fn(&Snapshot, &mut dyn CountTx) -> Result<(T, Option<NewSnapshot>, TxOutcome), Error>,
    ) -> Result<(T, Option<DirectoryDelta>), Error> {
        let body = |pages: &mut dyn DirectoryTx| {
            let latest = state.catch_up(pages)?;
            let (value, made, outcome) = work(latest.as_ref().unwrap_or(state), pages.count_tx())?;
            let Some((mut version, references)) = made else {
                return Ok(((value, None, None), outcome));
            };
            version.write(pages, references.as_deref())?;
            version.directory_version = Some(DirectoryVersion::after_write(pages));
            let changed = self
                .is_observed()
                .then(|| DirectoryDelta::from_references(&version.directory, references));
            Ok(((value, Some(Arc::new(version)), changed), outcome))
        };
        // Published before other processes can see the change, so that no thread of this process is
        // behind another process.
        let (value, _, changed) =
            store::change_directory(directory_store, body, |(_, version, _)| {
                if let Some(version) = version {
                    self.current.store(Arc::clone(version));
                }
            })?;
        Ok((value, changed))
    }
}

impl DirectoryVersion {
    /// Reads the version from the shared header. It is read before the directory, so that a change
    /// in between is applied again.
    fn read(pages: &dyn DirectoryTx) -> Self {
        let board = pages.board();
        let word = board.version(HeaderField::Directory);
        if board.is_lost() {
            // A lost header has no version. Each request checks the directory until the header is
            // mapped again.
            return Self {
                seen: u64::MAX,
                file: pages.file_identity(),
                board,
            };
        }
        // An odd version means that a change is being committed. The change is not visible yet,
        // unless the committing process has died.
        let seen = if word & 1 == 1 && pages.is_changing() {
            word & !1
        } else {
            word
        };
        Self {
            seen,
            file: pages.file_identity(),
            board,
        }
    }

    /// Returns the version after the commit of this change.
    fn after_write(pages: &dyn DirectoryTx) -> Self {
        let now = Self::read(pages);
        Self {
            seen: (now.seen | 1).wrapping_add(1),
            ..now
        }
    }
}

impl Snapshot {
    /// Returns how long a call may wait for other threads and processes.
    fn wait_budget(&self) -> WaitBudget {
        WaitBudget::enter(self.store.lock_timeout())
    }

    /// Returns whether no other process has changed the directory, and no lapse has ended.
    #[inline]
    pub(super) fn is_current(&self) -> bool {
        !self.has_ended_lapse()
            && self
                .directory_version
                .as_ref()
                .is_none_or(|watch| watch.board.is_current(HeaderField::Directory, watch.seen))
    }

    /// Returns whether no change of the directory was committed since this version was read.
    pub(super) fn is_unchanged(&self) -> bool {
        self.directory_version
            .as_ref()
            .is_none_or(|watch| watch.board.version(HeaderField::Directory) == watch.seen)
    }

    fn is_stale(&self) -> bool {
        let shared = self.store.directory().zip(self.directory_version.as_ref());
        shared.is_some_and(|(store, watch)| store.is_stale(&watch.board, watch.seen))
    }

    /// Returns the first snapshot, with the directory that the store holds.
    pub(super) fn with_stored_directory(self) -> Result<Self, Error> {
        let Some(directory_store) = self
            .store
            .directory()
            .filter(|_| matches!(self.loaded.kind, PolicyEngine::Tenancy(_)))
        else {
            return Ok(self);
        };
        store::view_directory(directory_store, |pages| {
            let watch = DirectoryVersion::read(pages);
            let revision = pages.revision()?;
            let directory = if revision == 0 {
                self.directory.clone()
            } else {
                self.load_all(pages, revision)?
            };
            Ok(Self {
                directory_version: Some(watch),
                ..self.with_directory(directory)?
            })
        })
    }

    /// Returns the snapshot of the store's present directory, or `None` if this snapshot has it
    /// already.
    fn catch_up(&self, pages: &mut dyn DirectoryTx) -> Result<Option<Self>, Error> {
        let (watch, revision, mine) = (
            DirectoryVersion::read(pages),
            pages.revision()?,
            self.directory.revision(),
        );
        let same = self
            .directory_version
            .as_ref()
            .is_some_and(|known| known.file == watch.file);
        if same
            && revision == mine
            && self.directory_version.as_ref().is_some_and(|known| {
                known.seen == watch.seen && Arc::ptr_eq(&known.board, &watch.board)
            })
        {
            return Ok(None);
        }
        let directory = match revision.checked_sub(mine).filter(|_| same) {
            Some(0) => self.directory.clone(),
            Some(_) => match pages.changes_since(mine, revision)? {
                Some(changes) => self.apply_changes(&changes)?,
                None => self.load_all(pages, revision)?,
            },
            None => self.load_all(pages, revision)?,
        };
        Ok(Some(Self {
            directory_version: Some(watch),
            ..self.with_directory(directory)?
        }))
    }

    fn catch_up_error(&self, revision: u64, error: Error) -> Error {
        match error {
            Error::Panic { .. } => error,
            error if error.code().starts_with("store.") => error,
            error => Error::StoreBehind {
                store: self.store.name().to_owned(),
                revision,
                code: error.code(),
                reason: error.to_string(),
            },
        }
    }

    /// Returns the directory after the changes of these revisions.
    fn apply_changes(&self, changes: &[(u64, String)]) -> Result<Directory, Error> {
        let bundle = self.tenancy("apply_changes")?;
        let mut directory = self.directory.clone();
        for (revision, notes) in changes {
            let map_error = |error| self.catch_up_error(*revision, error);
            if let Some(tidy) = directory.compacted(&bundle.catalog, bundle)? {
                directory = tidy;
            }
            let changes = Directory::changes_of(notes).map_err(map_error)?;
            directory = directory
                .apply(changes, &bundle.catalog, bundle, None)
                .map_err(map_error)?;
        }
        Ok(directory)
    }

    /// Loads the directory from all records of the store.
    fn load_all(&self, pages: &mut dyn DirectoryTx, revision: u64) -> Result<Directory, Error> {
        let bundle = self.tenancy("apply_changes")?;
        let read = Directory::of_records(revision, &bundle.catalog, bundle, &mut |each| {
            pages.records(each)
        });
        read.map_err(|error| self.catch_up_error(revision, error))
    }

    /// Writes the records that this snapshot changes.
    fn write(
        &self,
        pages: &mut dyn DirectoryTx,
        references: Option<&[EntityRef]>,
    ) -> Result<(), Error> {
        let revision = self.directory.revision();
        if let Some(references) = references {
            let notes = self
                .directory
                .changes_json(references, &mut |kind, id, record| {
                    pages.put(kind, id, record)
                })?;
            return pages.append_changes(revision, Some(&notes));
        }
        pages.clear()?;
        self.directory
            .each_record(&mut |kind, id, record| pages.put(kind, id, record))?;
        pages.append_changes(revision, None)
    }

    /// Returns the snapshot with a compacted directory at this instant, or `None` if it needs none.
    fn compacted(&self, verb: &str) -> Result<Option<Self>, Error> {
        let bundle = self.tenancy(verb)?;
        let compacted = self.directory.compacted(&bundle.catalog, bundle)?;
        if compacted.is_none() && !self.has_ended_lapse() {
            return Ok(None);
        }
        let directory = compacted.unwrap_or_else(|| self.directory.clone());
        self.with_directory(directory).map(Some)
    }
}
