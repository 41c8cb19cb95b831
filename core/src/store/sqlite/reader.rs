//! Reads in a view of their own. A read takes no lock, so a writer that is busy, stopped or killed
//! never blocks a reader.

use std::sync::atomic::Ordering;

use super::SqliteStore;
use super::connection::{Look, OpenConnection};
use super::prune::Prune;
use super::transaction::{SheetRead, SqliteTx};
use crate::store::TxOutcome;
use crate::util::error::Error;
use crate::util::fork_guard::ForkGuard;
use crate::util::wait::WaitBudget;

/// The greatest number of views that a read tries while the files move.
const MAX_VIEWS: u32 = 3;

impl SqliteStore {
    /// Runs `work` on one view of the store.
    pub(super) fn view<T>(
        &self,
        work: &mut dyn FnMut(&mut SqliteTx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let budget = WaitBudget::enter(self.shared.lock_timeout);
        let mut moved = self.shared.place.side_file("-wal");
        for _ in 0..MAX_VIEWS {
            match self.try_view(&budget, work) {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => {}
                Err((error, false)) => return Err(error),
                // The files have moved, which may be the cause of the error.
                Err((error, true)) => moved = error,
            }
            // The connection for writes repairs the files, as it does before every change.
            self.transact(false, &mut |_| Ok(TxOutcome::Rollback))?;
        }
        Err(moved)
    }

    /// Tries one view. Returns `None` if the files have moved. An error carries whether they have
    /// moved.
    fn try_view<T>(
        &self,
        budget: &WaitBudget,
        work: &mut dyn FnMut(&mut SqliteTx<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, (Error, bool)> {
        let open_store = self.open_store();
        let mut reader = open_store
            .reader
            .lock(budget)
            .map_err(|end| (self.lock_wait_error(end), false))?;
        let _pass = ForkGuard::new();
        let connected = match reader.take() {
            Some(connected) => connected,
            None => match OpenConnection::reader(&self.shared.place, &self.shared.id) {
                Ok(connected) => connected,
                Err(error) => {
                    return Err((
                        error,
                        ["-wal", "-shm"]
                            .iter()
                            .any(|suffix| !self.shared.place.with_suffix(suffix).exists()),
                    ));
                }
            },
        };
        let (connected, viewed) = self.run_view(connected, work);
        let moved = connected.is_none();
        *reader = connected;
        viewed.map_err(|error| {
            let moved = moved && !matches!(error, Error::StoreReplaced { .. });
            (error, moved)
        })
    }

    /// Runs one view. Returns the connection too, unless its files have moved.
    fn run_view<T>(
        &self,
        mut connected: OpenConnection,
        work: &mut dyn FnMut(&mut SqliteTx<'_>) -> Result<T, Error>,
    ) -> (Option<OpenConnection>, Result<Option<T>, Error>) {
        if !matches!(connected.look(&self.shared.place), Ok(Look::Same)) {
            // If the file was replaced or removed, the connection for writes reports it, or has
            // already done so.
            connected.abandon();
            return (None, Ok(None));
        }
        let result = self.in_view(&connected, work);
        match connected.look(&self.shared.place) {
            Ok(Look::Same) => (Some(connected), result.map(Some)),
            Ok(_) => {
                connected.abandon();
                (None, result.and(Ok(None)))
            }
            Err(error) => (None, Err(error)),
        }
    }

    fn in_view<T>(
        &self,
        connected: &OpenConnection,
        work: &mut dyn FnMut(&mut SqliteTx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let place = &self.shared.place;
        let run = |sql: &'static str| {
            connected
                .connection
                .execute(sql, [])
                .map_err(|error| place.sqlite(&error))
        };
        run("BEGIN")?;
        let board = self.board();
        let mut sheet = SqliteTx {
            connection: &connected.connection,
            board: &board,
            place,
            checksum_key: &connected.checksum_key,
            file: connected.identity(),
            prune: &mut Prune::default(),
            grants: None,
            now: self.high_water.mark(),
            has_written: false,
            read: SheetRead::default(),
        };
        let value = crate::util::panic::catch_panic(|| work(&mut sheet));
        // A view that cannot be ended is closed with its connection at the next look.
        run("ROLLBACK")?;
        value
    }

    /// Returns the shared header of the current lock file. If the file was truncated or removed,
    /// maps a new one, and invalidates both headers so that all processes read again.
    pub(super) fn board(&self) -> std::sync::Arc<super::SharedHeader> {
        let board = self.shared.board.load_full();
        if !board.is_lost() && !board.is_look_due() {
            return board;
        }
        let path = self.shared.place.with_suffix("-lock");
        let is_same = std::fs::metadata(&path)
            .is_ok_and(|found| super::shared_header::identity(&found) == board.identity);
        if is_same && !board.is_lost() {
            board.looked();
            return board;
        }
        let access = std::fs::metadata(&self.shared.place.path)
            .map(|found| super::shared_header::Access::from_metadata(&found));
        match access.and_then(|access| super::SharedHeader::map(&path, access)) {
            Ok(mapped) => {
                let mapped = std::sync::Arc::new(mapped);
                self.shared.board.store(std::sync::Arc::clone(&mapped));
                board.invalidate_all();
                mapped.invalidate_all();
                mapped
            }
            // Without the shared header each read goes to the file, which is slower but correct.
            Err(_) => board,
        }
    }

    /// Returns the instant of a transaction, which is never before that of another transaction in
    /// any process.
    ///
    /// The shared high-water mark is accepted as far as the clock of this process confirms it. A
    /// later mark is accepted only as far as the database confirms it. Any program that may write
    /// to the file could have set the mark.
    pub(super) fn instant(&self, sheet: &mut SqliteTx<'_>) -> Result<i64, Error> {
        let seen = sheet.board.clock_high_water().load(Ordering::Acquire);
        if seen > self.high_water.mark() {
            let believed = if self.high_water.confirms(seen) {
                seen
            } else {
                seen.min(sheet.latest_instant()?)
            };
            if believed > self.high_water.mark() {
                self.high_water.raise(believed);
            }
            if believed < seen {
                let _ = sheet.board.clock_high_water().compare_exchange(
                    seen,
                    believed,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                );
            }
        }
        let now = self.high_water.now()?;
        sheet.board.raise_clock(now);
        Ok(now)
    }
}
