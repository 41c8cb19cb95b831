//! Open file description locks on ranges of a file.
//!
//! Such a lock belongs to the open file, not to the process. It also excludes other open files of
//! the same process. Closing the file elsewhere in the process does not release it. The system
//! releases it when the process dies.

use std::fs::{self, File};
use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::shared_header::{Freed, SharedHeader};
use crate::util::wait::{WaitBudget, WaitEnd};

/// A range of a file: its start and its length.
pub(super) type LockRange = (i64, i64);

/// The range that SQLite locks in a database it reads, and the byte that marks a `-shm` file as in
/// use.
pub(super) const SHARED: LockRange = (0x4000_0002, 510);
pub(super) const IN_USE: LockRange = (128, 1);

/// Ranges of the lock file: the queue for the write lock, the write lock, and the lock of a process
/// that commits a directory change.
const QUEUE_LOCK: LockRange = (1 << 20, 1);
const WRITE_LOCK: LockRange = ((1 << 20) + 1, 1);
const PUBLISH_LOCK: LockRange = ((1 << 20) + 2, 1);

/// The range of the database with one byte for each name that it may be opened under. See
/// [`claim_name`].
const NAMES: LockRange = (1 << 40, 1 << 40);

/// The time limit of the search for the holder of a lock.
const MAX_SEARCH: Duration = Duration::from_millis(200);

/// The reason why a lock was not taken.
#[derive(Debug)]
pub(super) enum LockError {
    File(io::Error),
    Waited(WaitEnd),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<WaitEnd> for LockError {
    fn from(end: WaitEnd) -> Self {
        Self::Waited(end)
    }
}

fn range(kind: i32, (start, length): LockRange) -> libc::flock {
    let short = |number: i32| i16::try_from(number).unwrap_or_default();
    libc::flock {
        l_type: short(kind),
        l_whence: short(libc::SEEK_SET),
        l_start: start,
        l_len: length,
        l_pid: 0,
    }
}

/// Takes a shared lock on a range. Fails at once if another open file holds an exclusive lock.
pub(super) fn share(file: &File, at: LockRange) -> io::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_RDLCK, at)))
        .map(drop)
        .map_err(Into::into)
}

pub(super) fn drop_range(file: &File, at: LockRange) -> io::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_UNLCK, at)))
        .map(drop)
        .map_err(Into::into)
}

/// Locks a range if no other open file has it.
fn try_lock(file: &File, at: LockRange) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_WRLCK, at))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether another open file has a lock on a part of the range.
fn is_taken(file: &File, at: LockRange) -> io::Result<bool> {
    let mut asked = range(libc::F_WRLCK, at);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut asked))?;
    Ok(i32::from(asked.l_type) != libc::F_UNLCK)
}

/// The time for which a process keeps its turn: its own next transactions take the write lock
/// before waiting processes. To pass the lock to another process takes as long as a transaction.
const TURN: Duration = Duration::from_millis(2);

/// The first sleep of the process that waits for the write lock. A holder that still has its turn
/// frees the lock without a wake-up.
const FIRST_SLEEP: Duration = Duration::from_micros(250);

/// The write lock of a store, through one open file.
#[derive(Debug)]
pub(super) struct WriteLock {
    file: File,
    /// The instant at which this process began its turn.
    turn_began: Option<Instant>,
}

impl WriteLock {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            turn_began: None,
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Waits for the lock. A process without a turn waits in the queue, whose head alone waits for
    /// the lock, so that the last holder cannot overtake it.
    pub(super) fn lock(
        &mut self,
        board: &SharedHeader,
        budget: &WaitBudget,
    ) -> Result<(), LockError> {
        let has_turn = self.has_turn();
        if (has_turn || !board.has_waiters()) && try_lock(&self.file, WRITE_LOCK)? {
            if !has_turn {
                self.turn_began = Some(Instant::now());
            }
            return Ok(());
        }
        self.turn_began = None;
        let _waiting = board.waiting();
        wait(&self.file, QUEUE_LOCK, board, Freed::Next, budget)?;
        let taken = wait(&self.file, WRITE_LOCK, board, Freed::Turn, budget);
        drop_range(&self.file, QUEUE_LOCK)?;
        board.wake(Freed::Next);
        taken?;
        self.turn_began = Some(Instant::now());
        Ok(())
    }

    /// Frees the lock. Wakes the head of the queue once the turn is over.
    pub(super) fn unlock(&self, board: &SharedHeader) -> io::Result<()> {
        drop_range(&self.file, WRITE_LOCK)?;
        if board.has_waiters() && !self.has_turn() {
            board.wake(Freed::Turn);
        }
        Ok(())
    }

    fn has_turn(&self) -> bool {
        self.turn_began.is_some_and(|began| began.elapsed() < TURN)
    }
}

/// Tries the lock, and sleeps until the holder reports that it has freed the lock. The sleeps are
/// short, because a killed holder reports nothing, and neither does a holder that has its turn.
fn wait(
    file: &File,
    at: LockRange,
    board: &SharedHeader,
    freed: Freed,
    budget: &WaitBudget,
) -> Result<(), LockError> {
    let mut sleep = FIRST_SLEEP;
    loop {
        let before = board.freed(freed);
        if try_lock(file, at)? {
            return Ok(());
        }
        board.sleep(freed, before, budget.slice()?.min(sleep));
        sleep = sleep.saturating_mul(2);
    }
}

/// Marks this process as committing a change of the directory, for as long as it lives. The caller
/// holds the write lock.
pub(super) fn lock_publish(file: &File) -> io::Result<()> {
    try_lock(file, PUBLISH_LOCK).map(drop)
}

pub(super) fn unlock_publish(file: &File) -> io::Result<()> {
    drop_range(file, PUBLISH_LOCK)
}

/// Returns whether a live process is committing a change of the directory. `file` must be an open
/// file that takes no lock itself.
pub(super) fn is_publishing(file: &File) -> bool {
    is_taken(file, PUBLISH_LOCK).unwrap_or(false)
}

/// The use that other open files make of a database that this process opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameClaim {
    /// No other open file has claimed the database.
    Alone,
    /// Others have the database open under the same name.
    Shared,
    /// Others have the database open under another name, with another log beside it.
    OtherName,
}

/// Claims a database under a name, for as long as the file is open. SQLite finds a database's log
/// by name. Two processes that open one database under two names (a hard link, a bind mount) would
/// each have their own log.
pub(super) fn claim_name(database: &File, name: u64) -> io::Result<NameClaim> {
    let (base, length) = NAMES;
    let slot = i64::try_from(name % (1 << 39)).unwrap_or(0);
    let at = base.saturating_add(slot);
    share(database, (at, 1))?;
    let others = slot > 0 && is_taken(database, (base, slot))?
        || is_taken(
            database,
            (at.saturating_add(1), length.saturating_sub(slot)),
        )?;
    if others {
        drop_range(database, (at, 1))?;
        return Ok(NameClaim::OtherName);
    }
    Ok(if is_taken(database, (at, 1))? {
        NameClaim::Shared
    } else {
        NameClaim::Alone
    })
}

/// Names the process that holds the write lock, if this process may see it.
pub(super) fn holder(inode: u64) -> String {
    let begun = Instant::now();
    let wanted = format!(":{inode} {} {}", WRITE_LOCK.0, WRITE_LOCK.0);
    let own = std::process::id();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes.take_while(|_| begun.elapsed() < MAX_SEARCH) {
        let name = process.file_name();
        let Some(id) = name
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
            .filter(|id| *id != own)
        else {
            continue;
        };
        let files = fs::read_dir(process.path().join("fdinfo"))
            .into_iter()
            .flatten()
            .flatten();
        let reservations = |text: String| {
            text.lines().any(|line| {
                line.starts_with("lock:") && line.contains(" WRITE ") && line.ends_with(&wanted)
            })
        };
        if files
            .take_while(|_| begun.elapsed() < MAX_SEARCH)
            .any(|file| fs::read_to_string(file.path()).is_ok_and(reservations))
        {
            let program = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return format!(
                "process {id} ({})",
                crate::util::text::short(program.trim())
            );
        }
    }
    "a process that this one cannot see".to_owned()
}
