//! Locks on ranges of a file that belong to the open file, not to the process: another open file of the same process is kept
//! out too, closing the file elsewhere in the process does not drop them, and they go when the process dies.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

/// A range of a file: where it begins, and its length.
pub(super) type Range = (i64, i64);

/// Where SQLite locks a database that it reads, and where it says that a `-shm` file is in use.
pub(super) const SHARED: Range = (0x4000_0002, 510);
pub(super) const IN_USE: Range = (128, 1);

/// Of our own file: whose turn is next, whose it is, and who is committing a change of the directory.
const NEXT: Range = (1 << 20, 1);
const TURN: Range = ((1 << 20) + 1, 1);
const CHANGE: Range = ((1 << 20) + 2, 1);

fn range(kind: i32, (start, length): Range) -> libc::flock {
    let short = |number: i32| i16::try_from(number).unwrap_or_default();
    libc::flock { l_type: short(kind), l_whence: short(libc::SEEK_SET), l_start: start, l_len: length, l_pid: 0 }
}

/// Shares a range with others who do. Refused at once where somebody has it for himself.
pub(super) fn share(file: &File, at: Range) -> io::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_RDLCK, at))).map(drop).map_err(Into::into)
}

fn wait(file: &File, at: Range) -> io::Result<()> {
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLKW(&range(libc::F_WRLCK, at))) {
            // A signal does not end the wait.
            Err(Errno::EINTR) => {}
            other => return other.map(drop).map_err(Into::into),
        }
    }
}

pub(super) fn drop_range(file: &File, at: Range) -> io::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_UNLCK, at))).map(drop).map_err(Into::into)
}

/// Waits for this process's turn. Who is next waits alone, so that who has just been cannot be before him again.
pub(super) fn take_turn(file: &File) -> io::Result<()> {
    wait(file, NEXT)?;
    let taken = wait(file, TURN);
    drop_range(file, NEXT)?;
    taken
}

pub(super) fn end_turn(file: &File) -> io::Result<()> {
    drop_range(file, TURN)
}

/// Says, for as long as the process lives, that it is committing a change of the directory.
pub(super) fn begin_change(file: &File) -> io::Result<()> {
    wait(file, CHANGE)
}

pub(super) fn end_change(file: &File) -> io::Result<()> {
    drop_range(file, CHANGE)
}

/// Whether a living process is committing a change of the directory. The file is one that was opened to ask.
pub(super) fn is_changing(file: &File) -> bool {
    let mut asked = range(libc::F_WRLCK, CHANGE);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut asked)).is_ok_and(|_| i32::from(asked.l_type) != libc::F_UNLCK)
}
