//! The directory as JSON lines: one record per line.

use std::collections::HashSet;
use std::io::{BufRead, Read, Write};

use super::Directory;
use super::fast_json::{self, FastRecord};
use super::integrity::IntegrityCheck;
use super::record_key::{RecordKey, RecordKind};
use crate::model::catalog::{Catalog, SchemaVocabulary};
use crate::model::record::Record;
use crate::util::error::Error;

/// Progress of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportProgress {
    /// Records read.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// Number of records between two progress reports.
const STEP: u64 = 10_000;

/// Maximum ratio of the written length of a record to the length read, for records of more than a
/// few hundred bytes.
const MAX_GROWTH: usize = 16;

/// A directory while its lines are loaded.
pub(super) struct JsonlLoader<'a, N> {
    directory: Directory,
    names: &'a N,
    /// Logins whose e-mail may occur twice.
    suspects: Vec<RecordKey>,
    /// Clients that explicitly have no level.
    without_level: HashSet<u32>,
    /// First error that involves several records. It is reported if every line by itself is valid.
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

    /// Loads the record of a line. Fails if its exported line would be longer than `record_bytes`.
    pub(super) fn line(&mut self, text: &str, record_bytes: Option<usize>) -> Result<(), Error> {
        // The written line may be longer than the line read, because of defaults, number formats
        // and host names.
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

    /// Loads a line of a store: a record, or a marker of a removed id.
    pub(super) fn stored(&mut self, text: &str) -> Result<(), Error> {
        if self.directory.used_ids.read(text)? {
            Ok(())
        } else {
            self.line(text, None)
        }
    }

    /// Returns the directory, or the error of the first violated invariant.
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
        // Attributes were validated against the schema line by line.
        IntegrityCheck {
            anew: false,
            ..IntegrityCheck::of_all(next, &before, catalog, self.names)
        }
        .all(next.hot.own())?;
        next.hot.settle();
        next.tidy_used_ids();
        next.mark_names_reserved();
        Ok(self.directory)
    }
}

impl Directory {
    /// Returns a directory of exactly these records, at the revision after `revision`.
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
        let mut text = String::new();
        loop {
            line = line.saturating_add(1);
            let read = read_line(&mut lines, &mut text, line, record_bytes)?;
            if read == 0 {
                break;
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

    /// Writes every record, each after the records that it names.
    pub(crate) fn write_lines(&self, mut lines: impl Write) -> Result<(), Error> {
        let fault = |found: &dyn std::fmt::Display| Error::Stream {
            reason: found.to_string(),
        };
        for record in self.records() {
            serde_json::to_writer(&mut lines, &record).map_err(|error| fault(&error))?;
            lines.write_all(b"\n").map_err(|error| fault(&error))?;
        }
        lines.flush().map_err(|error| fault(&error))
    }
}

/// Reads the next line into `text`. Returns the number of bytes read, or 0 after the last line.
/// Fails with [`Error::Record`] if the line is longer than `record_bytes`.
fn read_line(
    lines: &mut impl BufRead,
    text: &mut String,
    line: usize,
    record_bytes: usize,
) -> Result<usize, Error> {
    let cap = u64::try_from(record_bytes)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    text.clear();
    let read = lines
        .take(cap)
        .read_line(text)
        .map_err(|error| Error::Stream {
            reason: format!("line {line}: {error}"),
        })?;
    if text.len() > record_bytes {
        return Err(Error::Record {
            line,
            reason: format!("it has more than {record_bytes} bytes"),
        });
    }
    Ok(read)
}

/// Sets the line number of the faulty record. Errors with codes of their own stay unchanged.
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
