//! The directory as JSON lines: one record a line.

use std::collections::HashSet;
use std::io::{BufRead, Read, Write};

use super::Directory;
use super::fast_json::{self, FastRecord};
use super::integrity::Check;
use super::record_key::{RecordKey, RecordKind};
use crate::model::catalog::{Catalog, SchemaVocabulary};
use crate::model::record::Record;
use crate::util::error::Error;

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportProgress {
    /// Records read.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// After how many records progress is told.
const STEP: u64 = 10_000;

/// How much longer a record may be when it is written than when it was read, at most, if it has
/// more than a few hundred bytes.
const MAX_GROWTH: usize = 16;

/// A directory while it is read.
pub(super) struct JsonlLoader<'a, N> {
    directory: Directory,
    names: &'a N,
    /// Logins whose e-mail may stand twice.
    suspects: Vec<RecordKey>,
    /// Clients that say they have no level.
    without_level: HashSet<u32>,
    /// What is wrong with the records together; told when each by itself is right.
    fault: Option<Error>,
}

impl<'a, N: SchemaVocabulary> JsonlLoader<'a, N> {
    pub(super) fn new(revision: u64, catalog: &Catalog, names: &'a N) -> Result<Self, Error> {
        let directory = Directory {
            revision,
            ..Directory::default()
        }
        .bind_catalog(catalog, &Catalog::default(), names, true)?;
        Ok(Self {
            directory,
            names,
            suspects: Vec::new(),
            without_level: HashSet::new(),
            fault: None,
        })
    }

    /// Takes up the record of a line. What an export writes of it is no longer than `record_bytes`,
    /// if that is said.
    pub(super) fn line(&mut self, text: &str, record_bytes: Option<usize>) -> Result<(), Error> {
        // What is written may be longer than what was read: defaults, numbers, names of hosts.
        let record_bytes = record_bytes.filter(|most| text.len() > most / MAX_GROWTH);
        let mut has_no_level = false;
        let put = match fast_json::read(text).filter(|_| record_bytes.is_none()) {
            Some(_) if self.fault.is_some() => return Ok(()),
            Some(FastRecord::Account(new)) => self
                .directory
                .hot
                .put_account(new, self.names)
                .ok_or_else(Directory::table_full_error),
            Some(FastRecord::Member(new)) => self
                .directory
                .hot
                .put_member(new, self.names)
                .ok_or_else(Directory::table_full_error),
            None => {
                let record = Record::read(text)?;
                record_bytes.map_or(Ok(()), |most| record.check_line(most))?;
                if self.fault.is_some() {
                    return Ok(());
                }
                has_no_level = record.has_no_level();
                self.directory.put(record, self.names)
            }
        };
        match put {
            Ok((key, true)) => self.fault = Some(self.directory.duplicate_error(key)),
            Ok((key, false)) => {
                if has_no_level {
                    self.without_level.insert(key.number());
                }
                if self.directory.index_all(key) {
                    self.suspects.push(key);
                }
            }
            Err(error) => self.fault = Some(error),
        }
        Ok(())
    }

    /// Takes up a line of a store: a record's, or that of an id which is gone.
    pub(super) fn stored(&mut self, text: &str) -> Result<(), Error> {
        if self.directory.used_ids.read(text)? {
            Ok(())
        } else {
            self.line(text, None)
        }
    }

    /// The directory, if it keeps every invariant.
    pub(super) fn done(mut self, catalog: &Catalog) -> Result<Directory, Error> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let before = Directory::default();
        let next = &mut self.directory;
        for number in 0..next.hot.accounts.names() {
            let key = RecordKind::Account.key(number);
            let named = next.hot.targets(key);
            if !self.without_level.contains(&number) {
                next.default_level(number);
            }
            next.referrers.change(key, next.hot.targets(key), named);
        }
        next.check_logins(self.suspects.into_iter(), |_| true)?;
        // Attributes were asked of the schema line by line.
        Check {
            anew: false,
            ..Check::of_all(next, &before, catalog, self.names)
        }
        .all(next.hot.own())?;
        next.hot.settle();
        next.tidy_used_ids();
        next.named();
        Ok(self.directory)
    }
}

impl Directory {
    /// A directory of exactly these records, at the revision after `revision`.
    pub(crate) fn import(
        mut lines: impl BufRead,
        revision: u64,
        catalog: &Catalog,
        names: &impl SchemaVocabulary,
        record_bytes: usize,
        mut progress: Option<&mut dyn FnMut(ImportProgress) -> bool>,
    ) -> Result<Self, Error> {
        let mut loading = JsonlLoader::new(revision.saturating_add(1), catalog, names)?;
        let (mut line, mut so_far) = (
            0_usize,
            ImportProgress {
                records: 0,
                bytes: 0,
            },
        );
        let mut tell = |so_far: ImportProgress| {
            let goes_on = progress.as_mut().is_none_or(|tell| tell(so_far));
            if goes_on {
                Ok(())
            } else {
                Err(Error::Cancelled {
                    records: so_far.records,
                })
            }
        };
        let cap = u64::try_from(record_bytes)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let mut text = String::new();
        loop {
            text.clear();
            line = line.saturating_add(1);
            let read = lines
                .by_ref()
                .take(cap)
                .read_line(&mut text)
                .map_err(|found| Error::Stream {
                    reason: format!("line {line}: {found}"),
                })?;
            if read == 0 {
                break;
            }
            if text.len() > record_bytes {
                return Err(Error::Record {
                    line,
                    reason: format!("it has more than {record_bytes} bytes"),
                });
            }
            so_far.bytes = so_far.bytes.saturating_add(read as u64);
            if text.trim().is_empty() {
                continue;
            }
            loading
                .line(&text, Some(record_bytes))
                .map_err(|error| at_line(error, line))?;
            so_far.records = so_far.records.saturating_add(1);
            if so_far.records.is_multiple_of(STEP) {
                tell(so_far)?;
            }
        }
        if !so_far.records.is_multiple_of(STEP) {
            tell(so_far)?;
        }
        loading.done(catalog)
    }

    /// Writes every record, in an order that reads well: each after those that it names.
    pub(crate) fn write_lines(&self, mut lines: impl Write) -> Result<(), Error> {
        let fault = |found: &dyn std::fmt::Display| Error::Stream {
            reason: found.to_string(),
        };
        for record in self.records() {
            serde_json::to_writer(&mut lines, &record).map_err(|found| fault(&found))?;
            lines.write_all(b"\n").map_err(|found| fault(&found))?;
        }
        lines.flush().map_err(|found| fault(&found))
    }
}

/// The line of the record that is to blame; codes of what a record itself must keep stay as they
/// are.
fn at_line(error: Error, line: usize) -> Error {
    match error {
        Error::Record { reason, .. } => Error::Record { line, reason },
        Error::Json { column, reason, .. } => Error::Json {
            what: "records".to_owned(),
            line,
            column,
            reason,
        },
        Error::DuplicateKey { column, key, .. } => Error::DuplicateKey {
            what: "records".to_owned(),
            line,
            column,
            key,
        },
        other => other,
    }
}
