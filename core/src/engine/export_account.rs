//! `export_account`: everything that belongs to one account, as JSON lines (C14).

use std::io::Write;

use serde::Serialize;

use super::{Engine, Snapshot};
use crate::billing::{STORE_ACCOUNT, Statement};
use crate::directory::RecordKind;
use crate::model::record::Record;
use crate::model::reference::EntityRef;
use crate::quota::{self, HistoryEntry};
use crate::store;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

const VERB: &str = "export_account";

/// The number of history entries that one transaction reads.
const HISTORY_PAGE: usize = 1_000;

/// A line that is no record.
#[derive(Serialize)]
#[serde(tag = "type")]
enum ExtraLine<'a> {
    Statement(&'a Statement),
    History(&'a HistoryEntry),
}

fn write_line(lines: &mut impl Write, line: &impl Serialize) -> Result<(), Error> {
    let fault = |reason: String| Error::Stream { reason };
    serde_json::to_writer(&mut *lines, line).map_err(|error| fault(error.to_string()))?;
    lines
        .write_all(b"\n")
        .map_err(|error| fault(error.to_string()))
}

impl Engine {
    /// Writes everything that belongs to an account, as JSON lines: its record, its members,
    /// service accounts, access levels and domains, then its statements and its history, newest first. The first field of
    /// each line is its `type`; statements have `Statement`, and history entries `History`.
    ///
    /// An owner's clients are accounts of their own, and are not part of it. The call asks no
    /// policy. To let an account export its own records, first authorize the action
    /// `account.export`, which is of kind `exit` (C10).
    ///
    /// # Errors
    /// Fails with `directory.unknown_account`, with [`Error::Stream`] if the writer fails, and with
    /// the codes of the store.
    ///
    /// # Example: an account with one member
    /// ```
    /// use sublet::{Engine, Options};
    /// let engine = Engine::open(Options::default())?;
    /// engine.import(
    ///     br#"{"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": true}
    /// {"type": "TeamMember", "id": "ann", "account": "acme", "email": "ann@acme.example"}
    /// "#.as_slice(),
    ///     None, None,
    /// )?;
    /// let mut lines = Vec::new();
    /// engine.export_account("acme", &mut lines)?;
    /// assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 2);
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn export_account(&self, account: &str, mut lines: impl Write) -> Result<(), Error> {
        let written = catch_panic(|| {
            let state = self.current()?;
            state.write_records_of(account, &mut lines)?;
            state.write_statements_of(account, &mut lines)?;
            state.write_history_of(account, &mut lines)?;
            lines.flush().map_err(|error| Error::Stream {
                reason: error.to_string(),
            })
        });
        self.count_error(VERB, written)
    }
}

impl Snapshot {
    fn write_records_of(&self, account: &str, lines: &mut impl Write) -> Result<(), Error> {
        let catalog = &self.tenancy(VERB)?.catalog;
        let unknown = || Error::UnknownAccount {
            account: crate::util::text::short(account),
        };
        let number = self.directory.account_number(account).ok_or_else(unknown)?;
        let own = self.directory.account(account).ok_or_else(unknown)?;
        write_line(lines, &Record::Account(own))?;
        for kind in [
            RecordKind::TeamMember,
            RecordKind::AccessLevel,
            RecordKind::Domain,
        ] {
            for key in self
                .directory
                .page_of(number, |key| key.kind() == kind, "", usize::MAX)
            {
                let reference: EntityRef = self.directory.reference(key);
                if let Some(record) = self.directory.record(&reference, catalog) {
                    write_line(lines, &record)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the statements of the closed months. Clients have none (B1).
    fn write_statements_of(&self, account: &str, lines: &mut impl Write) -> Result<(), Error> {
        if self.directory.owner_of(account).is_some() {
            return Ok(());
        }
        let history = store::view(&*self.store, STORE_ACCOUNT, |tx| self.figure_history(tx))?;
        let statements = store::view(&*self.store, account, |tx| {
            let mut ledger = self.billing_ledger(&self.directory, tx, &history, account)?;
            let months = ledger.closed_months();
            months
                .iter()
                .map(|month| ledger.statement(month))
                .collect::<Result<Vec<Statement>, Error>>()
        })?;
        statements
            .iter()
            .try_for_each(|statement| write_line(lines, &ExtraLine::Statement(statement)))
    }

    fn write_history_of(&self, account: &str, lines: &mut impl Write) -> Result<(), Error> {
        let mut before = None;
        loop {
            let entries = store::view(&*self.store, account, |tx| {
                quota::history(tx, account, before, HISTORY_PAGE)
            })?;
            for entry in &entries {
                write_line(lines, &ExtraLine::History(entry))?;
            }
            before = entries.last().map(|entry| entry.operation);
            if entries.len() < HISTORY_PAGE {
                return Ok(());
            }
        }
    }
}
