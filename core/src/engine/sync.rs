//! New versions, and how the processes of one store come to have the same.

use std::sync::Arc;

use arc_swap::Guard;

use super::event_fields::Changed;
use super::{Engine, State};
use crate::authorize::Kind;
use crate::directory::Directory;
use crate::model::reference::Ref;
use crate::store::{self, Board, Durability, Keep, KeepsDirectory, Ledger, Pages, Word};
use crate::util::error::Error;
use crate::util::panic::catch_panic;
use crate::util::wait::{WaitBudget, WaitEnd};

/// What a version was read from.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    board: Arc<Board>,
    /// What the board said of the directory.
    seen: u64,
    /// Which file it was.
    file: (u64, u64),
}

/// A new version, and the records that it changes: all of them, if it is not said.
pub(super) type Made = (State, Option<Vec<Ref>>);

impl Engine {
    /// The version in force: at the cost of one load where no other process has changed the directory since.
    #[inline]
    pub(super) fn current(&self) -> Result<Guard<Arc<State>>, Error> {
        let state = self.state.load();
        if state.is_fresh() {
            return Ok(state);
        }
        self.catch_up(state)
    }

    /// Follows the changes of other processes. Threads take turns at it, but never wait for those who change the directory.
    #[cold]
    fn catch_up(&self, state: Guard<Arc<State>>) -> Result<Guard<Arc<State>>, Error> {
        if !state.is_stale() {
            return Ok(state);
        }
        let budget = state.wait_budget();
        drop(state);
        let followed = self.following.take(&budget, || -> Result<(), Error> {
            loop {
                let state = self.state.load_full();
                let Some(kept) = state.store.directory().filter(|_| state.is_stale()) else {
                    return Ok(());
                };
                let next = store::view_directory(kept, |pages| state.caught_up(pages))?;
                // A change of this process, or other policies, may have come first: then this is done again on top of it.
                if next.is_none_or(|next| self.state.replace(&state, Arc::new(next))) {
                    return Ok(());
                }
            }
        });
        followed.map_err(|end| self.waited(end))??;
        Ok(self.state.load())
    }

    /// The error of a caller that waited in vain for another thread of this process.
    pub(super) fn waited(&self, end: WaitEnd) -> Error {
        let store = self.state.load().store.name().to_owned();
        match end {
            WaitEnd::TimedOut => Error::StoreLocked {
                store,
                holder: "another thread of this process".to_owned(),
            },
            WaitEnd::Interrupted => Error::Interrupted { store },
        }
    }

    /// Does the work while no other thread of this process changes directory or policies.
    pub(super) fn take_turn<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let budget = self.state.load().wait_budget();
        self.turn
            .take(&budget, work)
            .map_err(|end| self.waited(end))?
    }

    /// Puts a new version in place of the latest: in the store, and here.
    pub(super) fn swap(
        &self,
        verb: &'static str,
        work: impl Fn(&State) -> Result<Made, Error>,
    ) -> Result<u64, Error> {
        let make = |state: &State| {
            let made = work(state)?;
            Ok((made.0.directory.revision(), Some(made), Keep::Yes))
        };
        let swapped = catch_panic(|| {
            self.in_turn(verb, |state| match state.store.directory() {
                Some(kept) => self.change_kept(kept, state, |latest, _| make(latest)),
                None => make(state).map(|(revision, made, _)| (revision, self.put(made))),
            })
        });
        let (revision, changed) = self.noted(verb, swapped)?;
        self.told_change(verb, changed.as_ref());
        Ok(revision)
    }

    /// Changes directory and counts in one transaction, which is about the counts of these accounts. Returns the value of
    /// `work` and, if there are subscribers, the change for their event.
    pub(super) fn together<T>(
        &self,
        verb: &str,
        accounts: impl Fn(&State) -> Result<Vec<String>, Error>,
        work: impl Fn(&State, &mut dyn Ledger) -> Result<(T, Option<Made>, Keep), Error>,
    ) -> Result<(T, Option<Changed>), Error> {
        self.in_turn(verb, |state| {
            if let Some(kept) = state.store.directory() {
                return self.change_kept(kept, state, &work);
            }
            let accounts = accounts(state)?;
            let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
            let (value, made) =
                store::transaction(&*state.store, &accounts, Durability::Power, |ledger| {
                    let (value, made, keep) = work(state, ledger)?;
                    Ok(((value, made), keep))
                })?;
            Ok((value, self.put(made)))
        })
    }

    /// Does the work in its turn, with the latest version that this process has.
    fn in_turn<T>(
        &self,
        verb: &str,
        work: impl FnOnce(&Arc<State>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.state.load().tenancy(verb)?;
        self.take_turn(|| {
            let mut state = self.state.load_full();
            // Before the work, and kept should it fail: so that transactions which fail cannot make every one tidy up.
            if let Some(tidy) = state.tidied(verb)? {
                let tidy = Arc::new(tidy);
                self.state.replace(&state, Arc::clone(&tidy));
                state = tidy;
            }
            work(&state)
        })
    }

    /// Puts a version in force that is kept nowhere else.
    fn put(&self, made: Option<Made>) -> Option<Changed> {
        let (next, references) = made?;
        let changed = self
            .is_watched()
            .then(|| Changed::of(&next.directory, references));
        self.state.store(Arc::new(next));
        changed
    }

    fn change_kept<T>(
        &self,
        kept: &dyn KeepsDirectory,
        state: &Arc<State>,
        work: impl Fn(&State, &mut dyn Ledger) -> Result<(T, Option<Made>, Keep), Error>,
    ) -> Result<(T, Option<Changed>), Error> {
        let body = |pages: &mut dyn Pages| {
            let latest = state.caught_up(pages)?;
            let (value, made, keep) = work(latest.as_ref().unwrap_or(state), pages.ledger())?;
            let Some((mut version, references)) = made else {
                return Ok(((value, None, None), keep));
            };
            version.write(pages, references.as_deref())?;
            version.watch = Some(Watch::after(pages));
            let changed = self
                .is_watched()
                .then(|| Changed::of(&version.directory, references));
            Ok(((value, Some(Arc::new(version)), changed), keep))
        };
        // Put in force before others can know of it, so that no thread of this process is behind another process.
        let (value, _, changed) = store::change_directory(kept, body, |(_, version, _)| {
            if let Some(version) = version {
                self.state.store(Arc::clone(version));
            }
        })?;
        Ok((value, changed))
    }
}

impl Watch {
    /// What the board says, read before the directory is: so that a change which comes in between is followed again.
    fn now(pages: &dyn Pages) -> Self {
        let board = pages.board();
        let word = board.now(Word::Directory);
        if board.is_lost() {
            // Words that are lost say nothing: each question looks at the directory until they are there again.
            return Self {
                seen: u64::MAX,
                file: pages.file(),
                board,
            };
        }
        // An odd word is that of a change which is being committed: not seen yet, unless whoever commits it is gone.
        let seen = if word & 1 == 1 && pages.is_changing() {
            word & !1
        } else {
            word
        };
        Self {
            seen,
            file: pages.file(),
            board,
        }
    }

    /// What it will say when this change is committed.
    fn after(pages: &dyn Pages) -> Self {
        let now = Self::now(pages);
        Self {
            seen: (now.seen | 1).wrapping_add(1),
            ..now
        }
    }
}

impl State {
    /// How long a call may wait for others.
    fn wait_budget(&self) -> WaitBudget {
        WaitBudget::enter(self.store.lock_timeout())
    }

    #[inline]
    pub(super) fn is_fresh(&self) -> bool {
        self.watch
            .as_ref()
            .is_none_or(|watch| watch.board.still_says(Word::Directory, watch.seen))
    }

    /// Whether no change of the directory was committed since this version was read.
    pub(super) fn is_unchanged(&self) -> bool {
        self.watch
            .as_ref()
            .is_none_or(|watch| watch.board.now(Word::Directory) == watch.seen)
    }

    fn is_stale(&self) -> bool {
        let kept = self.store.directory().zip(self.watch.as_ref());
        kept.is_some_and(|(kept, watch)| kept.is_stale(&watch.board, watch.seen))
    }

    /// The version to begin with: of the directory that the store keeps.
    pub(super) fn first(self) -> Result<Self, Error> {
        let Some(kept) = self
            .store
            .directory()
            .filter(|_| matches!(self.loaded.kind, Kind::Tenancy(_)))
        else {
            return Ok(self);
        };
        store::view_directory(kept, |pages| {
            let watch = Watch::now(pages);
            let revision = pages.revision()?;
            let directory = if revision == 0 {
                self.directory.clone()
            } else {
                self.all(pages, revision)?
            };
            Ok(Self {
                watch: Some(watch),
                ..self.over(directory)?
            })
        })
    }

    /// The version that the store has, if it is another than this.
    fn caught_up(&self, pages: &mut dyn Pages) -> Result<Option<Self>, Error> {
        let (watch, revision, mine) = (
            Watch::now(pages),
            pages.revision()?,
            self.directory.revision(),
        );
        let same = self
            .watch
            .as_ref()
            .is_some_and(|known| known.file == watch.file);
        if same
            && revision == mine
            && self.watch.as_ref().is_some_and(|known| {
                known.seen == watch.seen && Arc::ptr_eq(&known.board, &watch.board)
            })
        {
            return Ok(None);
        }
        let directory = match revision.checked_sub(mine).filter(|_| same) {
            Some(0) => self.directory.clone(),
            Some(_) => match pages.changes_after(mine, revision)? {
                Some(changes) => self.after(&changes)?,
                None => self.all(pages, revision)?,
            },
            None => self.all(pages, revision)?,
        };
        Ok(Some(Self {
            watch: Some(watch),
            ..self.over(directory)?
        }))
    }

    fn behind(&self, revision: u64, error: Error) -> Error {
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

    /// The directory after the changes of these revisions.
    fn after(&self, changes: &[(u64, String)]) -> Result<Directory, Error> {
        let bundle = self.tenancy("change")?;
        let mut directory = self.directory.clone();
        for (revision, notes) in changes {
            let told = |error| self.behind(*revision, error);
            if let Some(tidy) = directory.tidied(&bundle.catalog, bundle)? {
                directory = tidy;
            }
            let changes = Directory::changes_of(notes).map_err(told)?;
            directory = directory
                .apply(changes, &bundle.catalog, bundle, None)
                .map_err(told)?;
        }
        Ok(directory)
    }

    /// The directory of all records.
    fn all(&self, pages: &mut dyn Pages, revision: u64) -> Result<Directory, Error> {
        let bundle = self.tenancy("change")?;
        let read = Directory::of_records(revision, &bundle.catalog, bundle, &mut |each| {
            pages.records(each)
        });
        read.map_err(|error| self.behind(revision, error))
    }

    /// Writes what this version changes.
    fn write(&self, pages: &mut dyn Pages, references: Option<&[Ref]>) -> Result<(), Error> {
        let revision = self.directory.revision();
        if let Some(references) = references {
            let notes = self.directory.noted(references, &mut |kind, id, record| {
                pages.put(kind, id, record)
            })?;
            return pages.note(revision, Some(&notes));
        }
        pages.clear()?;
        self.directory
            .each_record(&mut |kind, id, record| pages.put(kind, id, record))?;
        pages.note(revision, None)
    }

    /// The same answers from a directory that is tidied up, if there was something to do.
    fn tidied(&self, verb: &str) -> Result<Option<Self>, Error> {
        let bundle = self.tenancy(verb)?;
        self.directory
            .tidied(&bundle.catalog, bundle)?
            .map(|directory| self.over(directory))
            .transpose()
    }
}
