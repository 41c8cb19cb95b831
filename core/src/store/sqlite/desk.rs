//! Transactions, and who joins which.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::Sqlite;
use super::board::Word;
use super::cache::Cache;
use super::fault;
use super::file::Open;
use super::fork::Pass;
use super::ledger::Sheet;
use super::locks;
use crate::Error;
use crate::crash::{self, Point};
use crate::store::Keep;

/// How many calls share one commit at most, and how long others wait for it: other processes want their turn too.
const MOST: u32 = 100;
const LONGEST: Duration = Duration::from_millis(5);

/// What this process has open.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) process: u32,
    desk: Mutex<Desk>,
    /// Callers that have come and wait for the desk.
    arriving: AtomicUsize,
    cache: Mutex<Cache>,
}

impl Room {
    pub(super) fn new(desk: Desk) -> Self {
        Self { process: process::id(), desk: Mutex::new(desk), arriving: AtomicUsize::new(0), cache: Mutex::default() }
    }

    /// Gives the handle of another process up, and never closes it: that would disturb the other's.
    fn give_up(&mut self) {
        let desk = self.desk.get_mut().unwrap_or_else(PoisonError::into_inner);
        std::mem::forget((desk.open.take(), desk.batch.take()));
    }

    pub(super) fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.arriving.fetch_add(1, Ordering::SeqCst);
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        self.arriving.fetch_sub(1, Ordering::SeqCst);
        desk
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.process != process::id() {
            self.give_up();
        }
    }
}

/// The connection, and the transaction that is open on it.
#[derive(Debug)]
pub(super) struct Desk {
    open: Option<Open>,
    batch: Option<Batch>,
    /// The file that was open last.
    file: Option<(u64, u64)>,
}

/// A transaction of one or several callers.
#[derive(Debug)]
struct Batch {
    end: Arc<End>,
    members: u32,
    begun: Instant,
    full: bool,
    _pass: Pass,
}

/// Why a caller's part is not in the file.
#[derive(Debug, Clone)]
enum Missed {
    Error(Error),
    /// Another's part had to be taken back.
    Again,
}

impl From<Error> for Missed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// How a transaction ended, for those who wait for it.
#[derive(Debug, Default)]
struct End {
    state: Mutex<Ended>,
    said: Condvar,
}

#[derive(Debug, Default)]
struct Ended {
    result: Option<Result<(), Missed>>,
    waiting: u32,
}

impl End {
    fn state(&self) -> MutexGuard<'_, Ended> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, result: Result<(), Missed>) {
        let mut state = self.state();
        state.result = Some(result);
        let awaited = state.waiting > 0;
        drop(state);
        if awaited {
            self.said.notify_all();
        }
    }

    fn wait(&self) -> Result<(), Missed> {
        let mut state = self.state();
        loop {
            if let Some(result) = &state.result {
                return result.clone();
            }
            state.waiting = state.waiting.saturating_add(1);
            state = self.said.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What one caller does in a transaction.
pub(super) type Member<'m> = &'m mut dyn FnMut(&mut Sheet<'_>) -> Result<Keep, Error>;

impl Desk {
    pub(super) fn new(open: Option<Open>) -> Self {
        Self { file: open.as_ref().map(|open| open.identity), open, batch: None }
    }

    fn run(&mut self, sql: &str) -> Result<(), rusqlite::Error> {
        match &self.open {
            Some(open) => open.connection.prepare_cached(sql)?.raw_execute().map(drop),
            None => Ok(()),
        }
    }
}

impl Sqlite {
    /// One transaction, or a part of one that is open.
    pub(super) fn transact(&self, full: bool, work: Member<'_>) -> Result<(), Error> {
        // Who shares a transaction that another has to take back is not to blame, and does his part anew.
        let mut alone = false;
        loop {
            match self.attempt(full, alone, work) {
                Err(Missed::Error(error)) => return Err(error),
                Err(Missed::Again) => alone = true,
                Ok(()) => return Ok(()),
            }
        }
    }

    fn attempt(&self, full: bool, alone: bool, work: Member<'_>) -> Result<(), Missed> {
        let room = self.room();
        let mut desk = room.desk();
        if alone || full && desk.batch.as_ref().is_some_and(|batch| !batch.full) {
            self.finish(&mut desk, Ok(()));
        }
        let first = desk.batch.is_none();
        if first {
            self.begin(&mut desk, full)?;
        }
        let result = self.take_part(&mut desk, first, work);
        let Some(batch) = &mut desk.batch else {
            // Refused for what others did who do it anew: he is to ask anew too.
            return if first || result.is_err() { Ok(result.map(drop)?) } else { Err(Missed::Again) };
        };
        let end = Arc::clone(&batch.end);
        batch.members = batch.members.saturating_add(1);
        let is_full = batch.members >= MOST || batch.begun.elapsed() >= LONGEST;
        // Whoever is arriving comes to the desk, and commits if nobody comes after him.
        if is_full || room.arriving.load(Ordering::SeqCst) == 0 {
            self.finish(&mut desk, Ok(()));
        }
        drop(desk);
        // Also one that was refused: what he was refused for is to be true.
        end.wait()?;
        Ok(result.map(drop)?)
    }

    /// What concerns the directory: a transaction of its own, on the disk before it is answered. `published` is called
    /// when it is committed and before others can know.
    pub(super) fn transact_alone(&self, work: Member<'_>, published: &mut dyn FnMut()) -> Result<(), Error> {
        let room = self.room();
        let mut desk = room.desk();
        self.finish(&mut desk, Ok(()));
        self.begin(&mut desk, true)?;
        let result = self.take_part(&mut desk, true, work);
        let Some(board) = desk.open.as_ref().filter(|_| desk.batch.is_some()).map(|open| Arc::clone(&open.board)) else { return result.map(drop) };
        let end = desk.batch.as_ref().map(|batch| Arc::clone(&batch.end));
        let file = |found: std::io::Error| fault::file(&self.place.name, &found);
        let said = desk.open.as_ref().map_or(Ok(()), |open| locks::begin_change(&open.lock)).map_err(file);
        board.begin(Word::Directory);
        let committed = said.and_then(|()| self.commit(&mut desk));
        if committed.is_ok() {
            published();
        }
        board.end(Word::Directory);
        let said = desk.open.as_ref().map_or(Ok(()), |open| locks::end_change(&open.lock)).map_err(file);
        let committed = committed.and(said);
        self.close(&mut desk, committed.map_err(Missed::Error));
        match end.map_or(Ok(()), |end| end.wait()) {
            Err(Missed::Error(error)) => Err(error),
            Err(Missed::Again) | Ok(()) => result.map(drop),
        }
    }

    fn begin(&self, desk: &mut Desk, full: bool) -> Result<(), Error> {
        let pass = Pass::new();
        let begun = self.locked(desk).and_then(|()| {
            let Some(open) = &mut desk.open else { return Err(self.place.replaced()) };
            // Who held the lock before may have been killed at it.
            open.board.end(Word::Directory);
            open.board.end(Word::Counts);
            open.set_full(full).map_err(|found| self.place.sqlite(&found))?;
            desk.run("BEGIN IMMEDIATE").map_err(|found| self.place.sqlite(&found))
        });
        match begun {
            Ok(()) => {
                crash::here(Point::Begun);
                desk.batch = Some(Batch { end: Arc::default(), members: 0, begun: Instant::now(), full, _pass: pass });
            }
            // The next caller opens it anew.
            Err(_) => desk.open = None,
        }
        begun
    }

    /// Takes the lock on the file that is there under its name.
    fn locked(&self, desk: &mut Desk) -> Result<(), Error> {
        if let Some(open) = &mut desk.open {
            locks::take_turn(&open.lock).map_err(|found| fault::file(&self.place.name, &found))?;
            if open.is_itself(&self.place)? {
                return Ok(());
            }
        }
        desk.open = None;
        let (open, _) = Open::new(&self.place, Some(&self.id))?;
        if desk.file.replace(open.identity).is_some_and(|before| before != open.identity) {
            // A copy was put back: what was read from the other file may be different now.
            open.board.disturb();
        }
        desk.open = Some(open);
        Ok(())
    }

    /// One caller's work. What it did is taken back unless it says to keep it: with all that others did, who do it anew.
    /// Mostly there is nothing to take back: verbs decide before they write.
    fn take_part(&self, desk: &mut Desk, first: bool, work: Member<'_>) -> Result<Keep, Error> {
        let (result, wrote) = self.work(desk, first, work);
        let broken = |error: &Error| error.code().starts_with("store.") && !matches!(error, Error::ClockJump { .. } | Error::StoreBehind { .. });
        match &result {
            // Nobody knows what is left of the transaction: all who are in it are told.
            Err(error) if broken(error) => self.finish(desk, Err(Missed::Error(error.clone()))),
            Ok(Keep::Yes) => {}
            _ if first => self.take_back(desk, Ok(())),
            _ if wrote => self.take_back(desk, Err(Missed::Again)),
            _ => {}
        }
        result
    }

    /// Ends the transaction without its commit, and says this to those who wait for it.
    fn take_back(&self, desk: &mut Desk, said: Result<(), Missed>) {
        match desk.run("ROLLBACK") {
            Ok(()) => self.close(desk, said),
            Err(found) => self.close(desk, Err(Missed::Error(self.place.sqlite(&found)))),
        }
    }

    /// Does the work; and whether it wrote.
    fn work(&self, desk: &mut Desk, alone: bool, work: Member<'_>) -> (Result<Keep, Error>, bool) {
        let Some(open) = &mut desk.open else { return (Err(self.place.replaced()), false) };
        let now = match self.instant(&open.board) {
            Ok(now) => now,
            Err(error) => return (Err(error), false),
        };
        let (connection, board, file, prune) = (&open.connection, &open.board, open.identity, &mut open.prune);
        let mut sheet = Sheet { connection, board, place: &self.place, file, prune, now, alone, wrote: false, holds: SmallVec::new() };
        let worked = catch_unwind(AssertUnwindSafe(|| work(&mut sheet)));
        let wrote = sheet.wrote;
        (worked.unwrap_or_else(|payload| Err(Error::Panic { reason: crate::stack::reason_of(payload.as_ref()) })), wrote)
    }

    /// Ends the transaction, if one is open: commits it, or takes it back for this reason.
    fn finish(&self, desk: &mut Desk, how: Result<(), Missed>) {
        if desk.batch.is_none() {
            return;
        }
        let result = how.and_then(|()| Ok(self.commit(desk)?));
        self.close(desk, result);
    }

    fn commit(&self, desk: &mut Desk) -> Result<(), Error> {
        let Some(board) = desk.open.as_ref().map(|open| Arc::clone(&open.board)) else { return Err(self.place.replaced()) };
        board.begin(Word::Counts);
        crash::here(Point::Worked);
        let committed = desk.run("COMMIT").map_err(|found| self.place.sqlite(&found));
        crash::here(Point::Committed);
        board.end(Word::Counts);
        committed
    }

    /// Lets the lock go, and tells those who wait. A connection that failed is closed: the next caller opens another.
    fn close(&self, desk: &mut Desk, mut result: Result<(), Missed>) {
        let Some(batch) = desk.batch.take() else { return };
        if !matches!(result, Err(Missed::Error(_)))
            && let Some(open) = &desk.open
            && let Err(found) = locks::end_turn(&open.lock)
        {
            result = Err(Missed::Error(fault::file(&self.place.name, &found)));
        }
        if matches!(result, Err(Missed::Error(_))) {
            desk.open = None;
        }
        batch.end.say(result);
    }
}
