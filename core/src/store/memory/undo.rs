//! The undo log of a transaction over a shard.

use std::sync::Arc;

use super::account_counters::StoredOperation;
use super::shard::Shard;

/// One undo step.
#[derive(Debug)]
pub(super) enum UndoEntry {
    /// A bucket's previous usage, top-up and sums of removed operations.
    Sums(u32, usize, [i64; 4]),
    /// A consume from one bucket, which is the last operation of the tail: the previous usage and
    /// sum.
    Spent(u32, usize, [i64; 2]),
    Reservations(u32, usize, Vec<(u64, i64, i64)>),
    Opened(u32),
    Tail,
    Operation(u32, u64),
    Key(u32, Arc<str>),
    Amended(Box<StoredOperation>),
    /// The previous text of an account's document.
    Document(u32, Arc<str>, Option<String>),
}

impl Shard {
    /// Rolls back a transaction, the last step first.
    pub(super) fn undo(&mut self) {
        while let Some(step) = self.steps.pop() {
            match step {
                UndoEntry::Sums(account, at, [used, top_up, removed_used, removed_top_up]) => {
                    if let Some(row) = self
                        .counts(account)
                        .and_then(|counts| counts.rows.get_mut(at))
                    {
                        (row.used, row.top_up, row.removed_sums) =
                            (used, top_up, (removed_used, removed_top_up));
                    }
                }
                UndoEntry::Spent(account, at, [used, removed_sums]) => {
                    drop(self.tail.pop_back());
                    if let Some(row) = self
                        .counts(account)
                        .and_then(|counts| counts.rows.get_mut(at))
                    {
                        (row.used, row.removed_sums.0) = (used, removed_sums);
                    }
                }
                UndoEntry::Reservations(account, at, reservations) => {
                    if let Some(row) = self
                        .counts(account)
                        .and_then(|counts| counts.rows.get_mut(at))
                    {
                        row.reservations = reservations;
                    }
                }
                UndoEntry::Opened(account) => {
                    if let Some(counts) = self.counts(account) {
                        drop(counts.rows.pop());
                        counts.opened = counts.opened.saturating_sub(1);
                    }
                }
                UndoEntry::Tail => drop(self.tail.pop_back()),
                UndoEntry::Operation(account, id) => {
                    self.account_by_operation.remove(&id);
                    if let Some(stored) = self
                        .counts(account)
                        .and_then(|counts| counts.operations.remove(&id))
                    {
                        self.count_parts(&stored.parts, false);
                    }
                }
                UndoEntry::Key(account, key) => drop(
                    self.counts(account)
                        .and_then(|counts| counts.keys.remove(&key)),
                ),
                UndoEntry::Document(account, name, old) => match old {
                    Some(old) => drop(self.documents.insert((account, name), old)),
                    None => drop(self.documents.remove(&(account, name))),
                },
                UndoEntry::Amended(old) => {
                    if let Some(stored) = self.find_operation_mut(old.id) {
                        *stored = *old;
                    }
                }
            }
        }
    }
}
