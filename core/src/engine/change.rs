//! The directory's verbs: change, import, export, and looking things up.

use std::io::{BufRead, Write};
use std::sync::Arc;

use super::{Engine, State, guard};
use crate::directory::{Change, Directory, Progress, Record};
use crate::{Error, Ref};

impl Engine {
    /// Makes all changes in one transaction, or none. Gives the new revision.
    ///
    /// # Errors
    /// The `directory.*` codes: the first invariant that the changed directory would break;
    /// [`Error::Revision`] if `expected` is given and the directory has moved on.
    pub fn change(&self, changes: Vec<Change>, expected: Option<u64>) -> Result<u64, Error> {
        self.swap("change", |state| {
            let bundle = state.tenancy("change")?;
            let directory = state.directory.apply(changes, &bundle.catalog, bundle, expected)?;
            Ok(State { loaded: Arc::clone(&state.loaded), fast: Arc::clone(&state.fast), directory, store: Arc::clone(&state.store) })
        })
    }

    /// Replaces the whole directory by the records of JSON lines. `progress` is told every few thousand records and may
    /// stop the import by giving back `false`. Gives the new revision.
    ///
    /// # Errors
    /// The `directory.*` and `input.*` codes, with the line; then nothing is changed.
    pub fn import(&self, lines: impl BufRead, progress: Option<&mut dyn FnMut(Progress) -> bool>) -> Result<u64, Error> {
        self.swap("import", |state| {
            let bundle = state.tenancy("import")?;
            let directory = Directory::import(lines, state.directory.revision(), &bundle.catalog, bundle, self.caps.record_bytes, progress)?;
            // Its records have numbers of their own: policies that name some are compiled anew.
            if state.fast.is_portable() {
                return Ok(State { loaded: Arc::clone(&state.loaded), fast: Arc::clone(&state.fast), directory, store: Arc::clone(&state.store) });
            }
            State::new(Arc::clone(&state.loaded), directory, (&bundle.catalog, false), &state.store)
        })
    }

    /// Writes the directory as JSON lines that [`Engine::import`] reads back to the same. Gives their revision.
    ///
    /// # Errors
    /// [`Error::Stream`] if the writer fails.
    pub fn export(&self, lines: impl Write) -> Result<u64, Error> {
        guard(|| {
            let state = self.state.load_full();
            state.tenancy("export")?;
            state.directory.write_lines(lines)?;
            Ok(state.directory.revision())
        })
    }

    /// The record of that type and id, or nothing.
    ///
    /// # Errors
    /// [`Error::RecordType`] for a type that is not one of [`Record`]'s; [`Error::NotTenancy`] for a plain Cedar program.
    pub fn record(&self, reference: &Ref) -> Result<Option<Record>, Error> {
        guard(|| {
            let state = self.state.load_full();
            let bundle = state.tenancy("record")?;
            if !Record::TYPES.contains(&reference.kind()) {
                return Err(Error::RecordType { name: crate::id::short(reference.kind()) });
            }
            Ok(state.directory.record(reference, &bundle.catalog))
        })
    }

    fn swap(&self, verb: &str, work: impl FnOnce(&State) -> Result<State, Error>) -> Result<u64, Error> {
        guard(|| {
            self.state.load().tenancy(verb)?;
            self.turn.take(|| {
                let mut state = self.state.load_full();
                // Before the work, and kept should it fail: so that transactions which fail cannot make every one tidy up.
                if let Some(tidy) = state.tidied(verb)? {
                    state = Arc::new(tidy);
                    self.state.store(Arc::clone(&state));
                }
                let next = work(&state)?;
                let revision = next.directory.revision();
                self.state.store(Arc::new(next));
                Ok(revision)
            })
        })
    }
}

impl State {
    /// The same answers from a directory that is tidied up, if there was something to do.
    fn tidied(&self, verb: &str) -> Result<Option<Self>, Error> {
        let bundle = self.tenancy(verb)?;
        let Some(directory) = self.directory.tidied(&bundle.catalog, bundle)? else { return Ok(None) };
        if directory.numbering() != self.directory.numbering() && !self.fast.is_portable() {
            return Self::new(Arc::clone(&self.loaded), directory, (&bundle.catalog, false), &self.store).map(Some);
        }
        Ok(Some(Self { loaded: Arc::clone(&self.loaded), fast: Arc::clone(&self.fast), directory, store: Arc::clone(&self.store) }))
    }
}
