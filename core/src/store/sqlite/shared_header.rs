//! A few words of memory that all processes of one store share, in the file that they lock: whether
//! the directory or the counts have changed since, the latest instant that was counted, and who
//! waits for the lock.
//!
//! A word that says "changed" is odd while a change is being committed, and grows past it when it
//! is: so a process that is killed in between leaves an odd number, and the next one that holds the
//! lock makes it even.
//!
//! Another program may cut the file. Then the words are zero, and [`SharedHeader::is_lost`]:
//! whoever sees that maps the file again.
#![allow(
    unsafe_code,
    clippy::cast_ptr_alignment,
    reason = "words of mapped memory, which begins at a page, are read through a pointer"
)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use memmap2::{MmapOptions, MmapRaw};
use nix::fcntl::{FallocateFlags, fallocate};

use super::bus_guard;

const WORDS: usize = 8;
const BYTES: usize = WORDS * 8;
/// "Sublet", and the version of these words.
const MAGIC: u64 = 0x5375_626c_6574_0002;
/// The part of it that says "Sublet".
const MAGIC_NAME: u64 = 0xffff_ffff_ffff_0000;

/// How long a file is taken to be the one of its name before a reader looks again.
const LOOK_AGAIN_MS: i64 = 250;

/// The longest sleep until a lock is tried again, should its holder have been killed.
const MAX_SLEEP: Duration = Duration::from_millis(10);

/// Which of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderField {
    /// The directory.
    Directory = 1,
    /// The counts.
    Counts = 2,
}

/// A word that counts how often a lock was freed, for those who sleep until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freed {
    /// The lock of whoever is next.
    Next = 10,
    /// The lock of whose turn it is.
    Turn = 12,
}

/// The words, mapped.
#[derive(Debug)]
pub(crate) struct SharedHeader {
    map: MmapRaw,
    pub(super) identity: (u64, u64),
    /// An open file that takes no lock: locks are asked about through it.
    asking: File,
    /// When a reader is to look whether the file is still the one of its name; of a clock that
    /// costs nothing.
    look_at: AtomicI64,
}

/// The owner and the mode that a file beside the database is to have: those of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
}

impl Access {
    pub(super) fn of(database: &std::fs::Metadata) -> Self {
        Self {
            mode: database.mode() & 0o666,
            owner: (database.uid(), database.gid()),
        }
    }
}

/// Opens the file that is locked, and makes it if it is not there.
pub(super) fn open_lock(path: &Path, access: Access) -> io::Result<File> {
    let open = |options: &mut OpenOptions| {
        options
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
    };
    match open(&mut OpenOptions::new()) {
        Err(found) if found.kind() == io::ErrorKind::NotFound => {}
        Ok(file) => {
            give(&file, access);
            return Ok(file);
        }
        other => return other,
    }
    match open(OpenOptions::new().create_new(true).mode(access.mode)) {
        // Another process has just made it.
        Err(found) if found.kind() == io::ErrorKind::AlreadyExists => open(&mut OpenOptions::new()),
        Ok(file) => {
            give(&file, access);
            Ok(file)
        }
        other => other,
    }
}

/// Gives a file beside the database the mode and the owner of the database, as far as this process
/// may.
pub(super) fn give(file: &File, access: Access) {
    let found = file.metadata().map(|found| Access::of(&found));
    if found.is_ok_and(|found| found != access) {
        give_mode(file, access.mode);
        let (user, group) = access.owner;
        let _ = std::os::unix::fs::fchown(file, Some(user), Some(group));
    }
}

/// Gives a file that was just made this mode, whatever mask the process has.
pub(super) fn give_mode(file: &File, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let _ = file.set_permissions(std::fs::Permissions::from_mode(mode));
}

/// Which file it is, whatever its name.
pub(super) fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// A clock that costs a few nanoseconds and is right to a few milliseconds.
fn coarse_now() -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    now.tv_sec
        .wrapping_mul(1_000)
        .wrapping_add(now.tv_nsec / 1_000_000)
}

/// An even number that no earlier words began with: words that were lost are never taken for those
/// that were read before.
fn first_value() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let nanoseconds = u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap_or(0);
    (nanoseconds & !1).max(2)
}

impl SharedHeader {
    /// Maps the words of the file under that name, and makes room for them before: a page that the
    /// disk has no room for would be a signal when it is written.
    ///
    /// # Errors
    /// Those of the file system; [`io::ErrorKind::InvalidData`] for a file that is another
    /// program's.
    pub(super) fn map(path: &Path, access: Access) -> io::Result<Self> {
        let file = open_lock(path, access)?;
        let metadata = file.metadata()?;
        match fallocate(
            &file,
            FallocateFlags::empty(),
            0,
            i64::try_from(BYTES).unwrap_or(64),
        ) {
            Ok(()) => {}
            // A file system that cannot: written zeros are room, too.
            Err(nix::errno::Errno::EOPNOTSUPP) => write_zeros(&file, metadata.len())?,
            Err(error) => return Err(error.into()),
        }
        bus_guard::guard(&metadata);
        let map = MmapOptions::new().len(BYTES).map_raw(&file)?;
        let board = Self {
            map,
            identity: identity(&metadata),
            asking: file,
            look_at: AtomicI64::new(0),
        };
        board.begin_words()?;
        board.looked();
        Ok(board)
    }

    fn begin_words(&self) -> io::Result<()> {
        match self.word(0).load(Ordering::Acquire) {
            MAGIC => return Ok(()),
            other if other != 0 && other & MAGIC_NAME != MAGIC & MAGIC_NAME => {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            }
            _ => {}
        }
        let first = first_value();
        // Of several processes that begin them at once each puts other values, and all see the
        // last.
        self.word(HeaderField::Directory as usize)
            .store(first, Ordering::Release);
        self.word(HeaderField::Counts as usize)
            .store(first, Ordering::Release);
        self.clock_high_water().store(i64::MIN, Ordering::Release);
        self.word(0).store(MAGIC, Ordering::Release);
        Ok(())
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        let at = at.min(WORDS.saturating_sub(1));
        // SAFETY: the map has `WORDS` words, is aligned to a page, lives as long as `self`, and
        // everybody who maps it reads and writes it by atomics only. A page that is cut off is
        // mended by `bus_guard`.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().cast::<u64>().wrapping_add(at)) }
    }

    fn half(&self, at: usize) -> &AtomicU32 {
        let at = at.min(WORDS.saturating_mul(2).saturating_sub(1));
        // SAFETY: as above, of half a word.
        unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().cast::<u32>().wrapping_add(at)) }
    }

    /// The latest instant that a process has counted at.
    pub(super) fn clock_high_water(&self) -> &AtomicI64 {
        // SAFETY: as above, of the fourth word.
        unsafe { AtomicI64::from_ptr(self.map.as_mut_ptr().cast::<i64>().wrapping_add(3)) }
    }

    /// Whether the words are gone: the file was cut.
    pub(crate) fn is_lost(&self) -> bool {
        self.word(0).load(Ordering::Acquire) != MAGIC
    }

    /// What the word says now.
    #[inline]
    pub(crate) fn version(&self, word: HeaderField) -> u64 {
        self.word(word as usize).load(Ordering::Acquire)
    }

    /// Whether the word still says this, and the file needs no look.
    #[inline]
    pub(crate) fn still_says(&self, word: HeaderField, known: u64) -> bool {
        self.version(word) == known && coarse_now() < self.look_at.load(Ordering::Relaxed)
    }

    /// Whether a reader is to look whether the file is still the one of its name.
    pub(super) fn is_look_due(&self) -> bool {
        coarse_now() >= self.look_at.load(Ordering::Relaxed)
    }

    /// A reader has looked.
    pub(super) fn looked(&self) {
        self.look_at.store(
            coarse_now().saturating_add(LOOK_AGAIN_MS),
            Ordering::Relaxed,
        );
    }

    /// The file that locks are asked about through.
    pub(super) fn asking(&self) -> &File {
        &self.asking
    }

    /// A change is about to be committed; by who holds the lock.
    pub(super) fn begin_write(&self, word: HeaderField) {
        self.word(word as usize).fetch_or(1, Ordering::AcqRel);
    }

    /// It was, or was not; or who was about to is gone. By who holds the lock.
    pub(super) fn end_write(&self, word: HeaderField) {
        let now = self.version(word);
        if now & 1 == 1 {
            self.word(word as usize)
                .store(now.wrapping_add(1), Ordering::Release);
        }
    }

    /// Everybody who looks at these words looks anew.
    pub(super) fn invalidate_all(&self) {
        self.word(HeaderField::Directory as usize)
            .fetch_add(2, Ordering::AcqRel);
        self.word(HeaderField::Counts as usize)
            .fetch_add(2, Ordering::AcqRel);
    }

    /// How often a log that was removed was moved into the database.
    pub(super) fn rescues(&self) -> u32 {
        self.half(14).load(Ordering::SeqCst)
    }

    /// A log that was removed is in the database now.
    pub(super) fn rescued(&self) {
        self.half(14).fetch_add(1, Ordering::SeqCst);
    }

    /// Whether somebody waits for the lock, or was killed while it waited.
    pub(super) fn has_waiters(&self) -> bool {
        self.half(8).load(Ordering::SeqCst) != 0
    }

    /// Says that somebody waits for the lock, until it is dropped.
    pub(super) fn waiting(&self) -> Waiting<'_> {
        self.half(8).fetch_add(1, Ordering::SeqCst);
        Waiting(self.half(8))
    }

    /// How often that lock was freed.
    pub(super) fn freed(&self, freed: Freed) -> u32 {
        self.half(freed as usize).load(Ordering::SeqCst)
    }

    /// Wakes one who sleeps until that lock is freed.
    pub(super) fn wake(&self, freed: Freed) {
        let word = self.half(freed as usize);
        word.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the address of a word of the map; the system reads it, and says so where it is
        // gone.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
    }

    /// Sleeps until that lock is freed, unless it was since `before`; a short time at most.
    pub(super) fn sleep(&self, freed: Freed, before: u32, most: Duration) {
        let most = most.min(MAX_SLEEP);
        let timeout = libc::timespec {
            tv_sec: 0,
            tv_nsec: i64::from(most.subsec_nanos()).min(999_999_999),
        };
        let word = self.half(freed as usize);
        // SAFETY: as above, with a timeout that lives as long as the call.
        let slept = unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAIT,
                before,
                &raw const timeout,
            )
        };
        if slept != 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT) {
            // The word is gone; the lock is not.
            std::thread::sleep(most.min(Duration::from_millis(1)));
        }
    }
}

/// See [`SharedHeader::waiting`].
pub(super) struct Waiting<'b>(&'b AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let _ = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |waiting| {
                Some(waiting.saturating_sub(1))
            });
    }
}

fn write_zeros(file: &File, from: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let zeros = [0_u8; BYTES];
    // Nothing is written where the file is long enough.
    let length = BYTES.saturating_sub(usize::try_from(from).unwrap_or(BYTES));
    file.write_all_at(zeros.get(..length).unwrap_or_default(), from)
}
