//! The methods for the directory: change, import, export and look-ups.

use std::io::{BufRead, Write};
use std::sync::Arc;

use super::books::lock_with_store;
use super::{Engine, Snapshot};
use crate::directory::{Change, Directory, ImportProgress};
use crate::model::domain::{Domain, DomainState};
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

impl Engine {
    /// Applies all changes in one transaction, or none. Returns the new revision.
    ///
    /// # Errors
    /// Fails with the `directory.*` code of the first invariant that the changed directory would
    /// break. Fails with [`Error::Revision`] if `expected` is given and the directory has another
    /// revision.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a transaction may repeat its body, so each run has a copy; callers need none"
    )]
    pub fn apply_changes(&self, changes: Vec<Change>, expected: Option<u64>) -> Result<u64, Error> {
        let lines = || {
            changes
                .iter()
                .try_for_each(|change| change.check_line(self.caps.record_bytes))
        };
        self.count_error("apply_changes", catch_panic(lines))?;
        let accounts = |state: &Snapshot| Ok(state.accounts_of(&changes));
        self.replace_snapshot("apply_changes", accounts, |state, tx| {
            let bundle = state.tenancy("apply_changes")?;
            let (directory, references, closings) =
                state.apply_billed(tx, bundle, changes.clone(), expected)?;
            let mut merged = changes
                .iter()
                .filter_map(Change::merged)
                .filter_map(|merged| directory.record(merged, &bundle.catalog));
            merged.try_for_each(|record| record.check_line(self.caps.record_bytes))?;
            let snapshot = (state.with_directory(directory)?, Some(references));
            Ok((snapshot, closings))
        })
    }

    /// Replaces the whole directory by the records of JSON lines. Records that are not among them
    /// are removed. `progress` is called every few thousand records and may stop the import by
    /// returning `false`. Returns the new revision.
    ///
    /// The import replaces the version that this engine saw last, or the revision `expected`. So a
    /// later change is never lost.
    ///
    /// # Errors
    /// Fails with the `directory.*` and `input.*` codes, with the line, and with
    /// [`Error::Revision`] if the directory has another revision. Nothing is changed then.
    pub fn import(
        &self,
        lines: impl BufRead,
        expected: Option<u64>,
        progress: Option<&mut dyn FnMut(ImportProgress) -> bool>,
    ) -> Result<u64, Error> {
        self.import_as("import", lines, expected, progress)
    }

    /// Imports the records of JSON lines if nothing was ever written to the directory, which then
    /// is at revision 0. Returns whether it imported. If several processes start at once, one of
    /// them imports.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::import`], except [`Error::Revision`].
    ///
    /// # Example: the first start of an application, and each later one
    /// ```
    /// use sublet::{Engine, Options};
    /// let engine = Engine::open(Options::default())?;
    /// assert!(engine.seed(&br#"{"type": "Platform", "id": "mmio"}"#[..])?);
    /// assert!(!engine.seed(&br#"{"type": "Platform", "id": "mmio"}"#[..])?);
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn seed(&self, lines: impl BufRead) -> Result<bool, Error> {
        if self.revision() != 0 {
            return Ok(false);
        }
        match self.import_as("seed", lines, Some(0), None) {
            Ok(_) => Ok(true),
            Err(Error::Revision { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn import_as(
        &self,
        verb: &'static str,
        lines: impl BufRead,
        expected: Option<u64>,
        progress: Option<&mut dyn FnMut(ImportProgress) -> bool>,
    ) -> Result<u64, Error> {
        let expected = Some(expected.unwrap_or_else(|| self.current.load().directory.revision()));
        // The lines are read before the write lock is taken, so that no other writer waits for the
        // input.
        let read = catch_panic(|| {
            let state = self.current()?;
            let bundle = state.tenancy(verb)?;
            state.directory.expect(expected)?;
            let read = Directory::import(
                lines,
                state.directory.revision(),
                &bundle.catalog,
                bundle,
                self.caps.record_bytes,
                progress,
            )?;
            Ok((read, Arc::clone(&state.loaded)))
        });
        let (read, environment) = self.count_error(verb, read)?;
        let accounts = |state: &Snapshot| {
            let owners = state.directory.billed_owners(&read, None);
            Ok(lock_with_store(owners))
        };
        self.replace_snapshot(verb, accounts, |state, tx| {
            state.directory.expect(expected)?;
            let closings = state.follow_change(tx, &read, None)?;
            let bundle = state.tenancy(verb)?;
            let overage = state.overage_changes(tx, &read, None)?;
            let read = if overage.is_empty() {
                read.clone()
            } else {
                read.apply(overage, &bundle.catalog, bundle, None)?
            };
            let read = read
                .at(state.directory.revision().saturating_add(1))
                .into_successor_of(&state.directory)?;
            if Arc::ptr_eq(&environment, &state.loaded) {
                return Ok(((state.with_directory(read)?, None), closings));
            }
            // Other policies were loaded meanwhile.
            let next = state.with_reloaded_directory(read, &environment)?;
            Ok(((next, None), closings))
        })
    }

    /// Writes the directory as JSON lines that [`Engine::import`] reads back to the same records.
    /// Returns their revision.
    ///
    /// # Errors
    /// Fails with [`Error::Stream`] if the writer fails.
    pub fn export(&self, lines: impl Write) -> Result<u64, Error> {
        catch_panic(|| {
            let state = self.current()?;
            state.tenancy("export")?;
            state.directory.write_lines(lines)?;
            Ok(state.directory.revision())
        })
    }

    /// Returns the record of this type and id, or `None` if there is none.
    ///
    /// # Errors
    /// Fails with [`Error::RecordType`] for a type that is not one of [`Record`]'s, and with
    /// [`Error::NotTenancy`] for a plain Cedar program.
    pub fn get_record(&self, reference: &EntityRef) -> Result<Option<Record>, Error> {
        catch_panic(|| {
            let state = self.current()?;
            let bundle = state.tenancy("get_record")?;
            if !Record::TYPES.contains(&reference.kind()) {
                return Err(Error::RecordType {
                    name: crate::util::text::short(reference.kind()),
                });
            }
            Ok(state.directory.record(reference, &bundle.catalog))
        })
    }

    /// Returns the TXT record that the DNS of an owner's domain must have before `verify_domain`
    /// (D4). Each claim of a name has a record of its own. `owner` names the claim; it is needed
    /// only if several owners claim the name.
    ///
    /// # Errors
    /// Fails with `directory.unknown_record` if the name is not an owner's domain or claim, and with
    /// [`Error::DomainClaims`] if several owners claim the name and none is named.
    pub fn domain_proof(&self, domain: &str, owner: Option<&str>) -> Result<String, Error> {
        catch_panic(|| {
            let state = self.current()?;
            state.tenancy("domain_proof")?;
            let mut known = crate::model::host::normalise(domain)
                .map(|name| state.domains_to_prove(&name, owner))
                .unwrap_or_default()
                .into_iter();
            let proof = known.next().and_then(|known| known.proof());
            if known.next().is_some() {
                return Err(Error::DomainClaims {
                    domain: crate::util::text::short(domain),
                });
            }
            proof.ok_or_else(|| Error::UnknownRecord {
                record: EntityRef::new("Domain", domain).to_string(),
            })
        })
    }
}

impl Snapshot {
    /// Returns the domain of a normalised name, or at most two of its open claims. If `owner` is
    /// given, returns only that owner's.
    fn domains_to_prove(&self, name: &str, owner: Option<&str>) -> Vec<Domain> {
        let (directory, now) = (&self.directory, self.store.now());
        let is_owners = |domain: &Domain| owner.is_none_or(|owner| domain.owner() == Some(owner));
        let plain = directory.domain(name);
        if let Some(decided) = &plain
            && decided.state() != DomainState::Pending
        {
            return plain.into_iter().filter(is_owners).collect();
        }
        let claims = directory
            .claims_of_name(name)
            .filter_map(|id| directory.domain(id));
        plain
            .into_iter()
            .chain(claims)
            .filter(|claim| claim.is_open_claim(now) && is_owners(claim))
            .take(2)
            .collect()
    }
}
