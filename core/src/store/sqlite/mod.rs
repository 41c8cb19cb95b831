//! Counts and the directory in one SQLite file that several processes of a machine share.
//!
//! Every transaction takes a lock on a side file, and then SQLite's own: the first is what makes the order fair, and holds
//! whatever another SQLite in the process does. Threads of one process that come while a transaction is open join it, and
//! are answered when it is committed; should one have to take back what it wrote, all do their parts anew. No thread is
//! started, so a fork loses none.

mod board;
mod boot;
mod cache;
mod desk;
mod fault;
mod file;
mod fork;
mod inspect;
mod ledger;
mod locks;
mod pages;
mod rows;
mod verify;

use std::process;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;

pub(crate) use self::board::{Board, Word};
use self::cache::{Noting, View};
use self::desk::{Desk, Room};
use self::file::{Named, Open, Place};
pub use self::inspect::{InspectedCount, Inspection, inspect, verify_store};
use super::{Durability, Keep, KeepsDirectory, Store, Verification, Work};
use crate::Error;
use crate::clock::{Clock, HighWater};

/// The store of one file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    place: Place,
    /// Whether every commit reaches the disk before it is answered.
    power: bool,
    water: HighWater,
    /// Names the store for good: a file of the same path with another name is another store.
    id: String,
    room: ArcSwap<Room>,
}

impl Sqlite {
    /// Opens the store of that name.
    pub(crate) fn open(name: &str, clock: Clock) -> Result<Self, Error> {
        let Named { place, power, create } = file::named(name)?;
        if !create && !place.path.is_file() {
            return Err(place.missing());
        }
        let pass = fork::Pass::new();
        let (open, id) = Open::new(&place, None)?;
        let water = boot::water(clock, &open.connection, open.board.mark().load(Ordering::Acquire)).map_err(|found| place.sqlite(&found))?;
        locks::end_turn(&open.lock).map_err(|found| fault::file(&place.name, &found))?;
        drop(pass);
        Ok(Self { place, power, water, id, room: ArcSwap::from_pointee(Room::new(Desk::new(Some(open)))) })
    }

    /// This process's handle. That of the process which it was forked from is given up.
    fn room(&self) -> Arc<Room> {
        let room = self.room.load_full();
        if room.process == process::id() {
            return room;
        }
        // Of several threads of the child one wins; all then load the winner's.
        self.room.compare_and_swap(&room, Arc::new(Room::new(Desk::new(None))));
        self.room.load_full()
    }

    /// The answer from what was read before, where no process has written a count since.
    fn recalled(&self, room: &Room, account: &str, work: Work<'_>) -> Option<Result<(), Error>> {
        let cache = room.cache();
        let now = match self.instant(cache.board()?) {
            Ok(now) => now,
            Err(error) => return Some(Err(error)),
        };
        let mut view = View { rows: cache.of(account), now, missed: false };
        let answer = work(&mut view);
        (!view.missed).then(|| answer.map(drop))
    }

    /// The instant of a transaction: never before that of another, in whichever process it was.
    fn instant(&self, board: &Board) -> Result<i64, Error> {
        let seen = board.mark().load(Ordering::Acquire);
        if seen > self.water.mark() {
            self.water.raise(seen);
        }
        let now = self.water.now()?;
        board.mark().fetch_max(now, Ordering::AcqRel);
        Ok(now)
    }
}

impl Store for Sqlite {
    fn name(&self) -> &str {
        &self.place.name
    }

    fn touches_files(&self) -> bool {
        true
    }

    fn directory(&self) -> Option<&dyn KeepsDirectory> {
        Some(self)
    }

    fn write(&self, _accounts: &[&str], durability: Durability, work: Work<'_>) -> Result<(), Error> {
        self.transact(self.power || durability == Durability::Power, &mut |sheet| work(sheet))
    }

    fn read(&self, account: &str, work: Work<'_>) -> Result<(), Error> {
        let room = self.room();
        if let Some(answer) = self.recalled(&room, account, work) {
            return answer;
        }
        let mut noted = None;
        self.transact(self.power, &mut |sheet| {
            let at = (Arc::clone(sheet.board), sheet.board.now(Word::Counts));
            // In a transaction that others have written in there is nothing to note yet.
            let alone = sheet.alone;
            let mut noting = Noting { sheet, rows: Vec::new() };
            work(&mut noting)?;
            noted = Some((at, noting.rows)).filter(|_| alone);
            Ok(Keep::No)
        })?;
        if let Some((at, rows)) = noted {
            room.cache().put(account, at, rows);
        }
        Ok(())
    }

    fn account_of(&self, operation: u64) -> Result<Option<String>, Error> {
        let mut account = None;
        self.transact(self.power, &mut |sheet| {
            account = super::Ledger::operation(sheet, operation)?.map(|found| found.account);
            Ok(Keep::No)
        })?;
        Ok(account)
    }

    fn verify(&self) -> Result<Verification, Error> {
        let _pass = fork::Pass::new();
        verify::verify(&self.place)
    }

    fn clear(&self) -> Result<(), Error> {
        Err(Error::StoreVerb { store: self.place.name.clone(), verb: "forget_counts".to_owned() })
    }

    fn accept_clock(&self) -> Result<(), Error> {
        let seen = self.water.accept();
        self.transact(true, &mut |sheet| {
            sheet.accept(seen)?;
            Ok(Keep::Yes)
        })
    }
}
