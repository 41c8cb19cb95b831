//! The directory as JSON lines: one record a line.

use std::io::{BufRead, Read, Write};
use std::sync::Arc;

use super::{Change, Directory, Record};
use crate::Error;
use crate::catalog::{Catalog, Names};

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records read.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// After how many records progress is told.
const STEP: u64 = 10_000;

impl Directory {
    /// A directory of exactly these records, at the revision after `revision`.
    pub(crate) fn import(
        mut lines: impl BufRead,
        revision: u64,
        catalog: &Catalog,
        names: &impl Names,
        record_bytes: usize,
        mut progress: Option<&mut dyn FnMut(Progress) -> bool>,
    ) -> Result<Self, Error> {
        let mut changes = Vec::new();
        let (mut line, mut so_far) = (0_usize, Progress { records: 0, bytes: 0 });
        let cap = u64::try_from(record_bytes).unwrap_or(u64::MAX).saturating_add(1);
        let mut text = String::new();
        loop {
            text.clear();
            line = line.saturating_add(1);
            let read = lines.by_ref().take(cap).read_line(&mut text).map_err(|found| Error::Stream { reason: format!("line {line}: {found}") })?;
            if read == 0 {
                break;
            }
            if text.len() > record_bytes {
                return Err(Error::Record { line, reason: format!("it has more than {record_bytes} bytes") });
            }
            so_far.bytes = so_far.bytes.saturating_add(read as u64);
            if text.trim().is_empty() {
                continue;
            }
            changes.push(Change::Put(Record::from_json(&text).map_err(|error| at_line(error, line))?));
            so_far.records = so_far.records.saturating_add(1);
            if so_far.records.is_multiple_of(STEP)
                && let Some(tell) = progress.as_mut()
                && !tell(so_far)
            {
                return Err(Error::Cancelled { records: so_far.records });
            }
        }
        if !so_far.records.is_multiple_of(STEP)
            && let Some(tell) = progress.as_mut()
            && !tell(so_far)
        {
            return Err(Error::Cancelled { records: so_far.records });
        }
        let empty = Self::new(revision).declare(catalog, &Catalog::default(), names)?;
        empty.apply(changes, catalog, names, None)
    }

    /// Writes every record, in an order that reads well: each after those that it names.
    pub(crate) fn write_lines(&self, mut lines: impl Write) -> Result<(), Error> {
        let fault = |found: &dyn std::fmt::Display| Error::Stream { reason: found.to_string() };
        for record in self.records() {
            serde_json::to_writer(&mut lines, &record).map_err(|found| fault(&found))?;
            lines.write_all(b"\n").map_err(|found| fault(&found))?;
        }
        lines.flush().map_err(|found| fault(&found))
    }

    /// Every record: platform, operators, packages, main accounts, levels, clients, members, domains; each kind by id.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let mut accounts: Vec<_> = self.accounts.iter().collect();
        accounts.sort_by_key(|(id, account)| (account.owner().is_some(), Arc::clone(id)));
        let (mains, clients): (Vec<_>, Vec<_>) = accounts.into_iter().partition(|(_, account)| account.owner().is_none());
        let account = |(_, account): (&Arc<str>, &Arc<crate::account::Account>)| Record::Account(account.as_ref().clone());
        self.platform
            .iter()
            .map(|platform| Record::Platform(platform.as_ref().clone()))
            .chain(sorted(&self.operators).map(Record::Operator))
            .chain(sorted(&self.packages).map(Record::Package))
            .chain(mains.into_iter().map(account))
            .chain(sorted(&self.levels).map(Record::AccessLevel))
            .chain(clients.into_iter().map(account))
            .chain(sorted(&self.members).map(Record::TeamMember))
            .chain(sorted(&self.domains).map(Record::Domain))
    }
}

fn sorted<T: Clone>(map: &super::Map<T>) -> impl Iterator<Item = T> + use<'_, T> {
    let mut items: Vec<(&Arc<str>, &Arc<T>)> = map.iter().collect();
    items.sort_by_key(|(id, _)| Arc::clone(id));
    items.into_iter().map(|(_, item)| item.as_ref().clone())
}

/// The line of the record that is to blame; codes of what a record itself must keep stay as they are.
fn at_line(error: Error, line: usize) -> Error {
    match error {
        Error::Record { reason, .. } => Error::Record { line, reason },
        Error::Json { column, reason, .. } => Error::Json { what: "records".to_owned(), line, column, reason },
        Error::DuplicateKey { column, key, .. } => Error::DuplicateKey { what: "records".to_owned(), line, column, key },
        other => other,
    }
}
