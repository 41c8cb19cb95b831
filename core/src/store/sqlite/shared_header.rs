//! The shared header: fields in mapped memory that all processes of one store share, at the start
//! of the lock file.
//!
//! The fields hold the versions of the directory and of the counts, the high-water mark of the
//! clock, and the number of waiting processes.
//!
//! A version is a sequence lock: it is odd while a change is being committed, and grows to the next
//! even number afterwards. A process that is killed in between leaves an odd version, and the next
//! lock holder makes it even.
//!
//! If another program truncates the file, the fields are zero and [`SharedHeader::is_lost`] returns
//! `true`. The process that sees this maps the file again.
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
/// "Sublet", and the version of the header.
const MAGIC: u64 = 0x5375_626c_6574_0002;
/// The part of `MAGIC` that says "Sublet".
const MAGIC_NAME: u64 = 0xffff_ffff_ffff_0000;

/// The time after which a reader checks again that its file is the current lock file.
const LOOK_AGAIN_MS: i64 = 250;

/// The longest sleep before a lock is tried again, in case its holder was killed.
const MAX_SLEEP: Duration = Duration::from_millis(10);

/// A version field of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderField {
    /// The version of the directory.
    Directory = 1,
    /// The version of the counts.
    Counts = 2,
}

/// A field that counts how often a lock was freed. Waiting processes sleep on the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freed {
    /// The lock of the queue's head.
    Next = 10,
    /// The write lock.
    Turn = 12,
}

/// A mapped shared header.
#[derive(Debug)]
pub(crate) struct SharedHeader {
    map: MmapRaw,
    pub(super) identity: (u64, u64),
    /// An open file that takes no lock, used to query the locks of others.
    asking: File,
    /// The time of the coarse clock at which a reader must check the file again.
    look_at: AtomicI64,
}

/// The owner and the mode for a file beside the database: those of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
}

impl Access {
    pub(super) fn from_metadata(database: &std::fs::Metadata) -> Self {
        Self {
            mode: database.mode() & 0o666,
            owner: (database.uid(), database.gid()),
        }
    }
}

/// Opens the lock file, and creates it if it is missing.
pub(super) fn open_lock(path: &Path, access: Access) -> io::Result<File> {
    let open = |options: &mut OpenOptions| {
        options
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
    };
    match open(&mut OpenOptions::new()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Ok(file) => {
            give(&file, access);
            return Ok(file);
        }
        other => return other,
    }
    match open(OpenOptions::new().create_new(true).mode(access.mode)) {
        // Another process has just created the file.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(&mut OpenOptions::new()),
        Ok(file) => {
            give(&file, access);
            Ok(file)
        }
        other => other,
    }
}

/// Sets the mode and the owner of a file beside the database to those of the database, as far as
/// this process may.
pub(super) fn give(file: &File, access: Access) {
    let found = file.metadata().map(|found| Access::from_metadata(&found));
    if found.is_ok_and(|found| found != access) {
        give_mode(file, access.mode);
        let (user, group) = access.owner;
        let _ = std::os::unix::fs::fchown(file, Some(user), Some(group));
    }
}

/// Sets the mode of a new file, independent of the process's umask.
pub(super) fn give_mode(file: &File, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let _ = file.set_permissions(std::fs::Permissions::from_mode(mode));
}

/// Returns the identity of a file: its device and inode.
pub(super) fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Returns the time of a monotonic clock that is cheap to read and precise to a few milliseconds.
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

/// Returns an even number with which no earlier header began, so that a new header is never
/// confused with a lost one.
fn first_value() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let nanoseconds = u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap_or(0);
    (nanoseconds & !1).max(2)
}

impl SharedHeader {
    /// Maps the header of the lock file. Allocates its bytes first, because writing to a page
    /// without disk space would raise a signal.
    ///
    /// # Errors
    /// Fails with the errors of the file system, and with [`io::ErrorKind::InvalidData`] if the
    /// file belongs to another program.
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
            // Some file systems cannot allocate. Written zeros allocate space too.
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
        // If several processes initialise the header at once, they store different values, and all
        // of them see the last ones.
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
        // SAFETY: the map has `WORDS` words, is aligned to a page and lives as long as `self`.
        // Every process that maps it reads and writes it by atomics only. `bus_guard` replaces a
        // page that is cut off.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().cast::<u64>().wrapping_add(at)) }
    }

    fn half(&self, at: usize) -> &AtomicU32 {
        let at = at.min(WORDS.saturating_mul(2).saturating_sub(1));
        // SAFETY: as in `word`, for half a word.
        unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().cast::<u32>().wrapping_add(at)) }
    }

    /// Returns the high-water mark: the latest instant at which a process has counted.
    pub(super) fn clock_high_water(&self) -> &AtomicI64 {
        // SAFETY: as in `word`, for the fourth word.
        unsafe { AtomicI64::from_ptr(self.map.as_mut_ptr().cast::<i64>().wrapping_add(3)) }
    }

    /// Moves the high-water mark to this instant, unless it is there or later. Writes only then,
    /// because most calls of a millisecond find it there.
    pub(super) fn raise_clock(&self, now: i64) {
        if self.clock_high_water().load(Ordering::Acquire) < now {
            self.clock_high_water().fetch_max(now, Ordering::AcqRel);
        }
    }

    /// Returns whether the header is lost because the file was truncated.
    pub(crate) fn is_lost(&self) -> bool {
        self.word(0).load(Ordering::Acquire) != MAGIC
    }

    /// Returns the present version.
    #[inline]
    pub(crate) fn version(&self, word: HeaderField) -> u64 {
        self.word(word as usize).load(Ordering::Acquire)
    }

    /// Returns whether the version is still `known` and no check of the file is due.
    #[inline]
    pub(crate) fn is_current(&self, word: HeaderField, known: u64) -> bool {
        self.version(word) == known && coarse_now() < self.look_at.load(Ordering::Relaxed)
    }

    /// Returns whether a reader must check that its file is the current lock file.
    pub(super) fn is_look_due(&self) -> bool {
        coarse_now() >= self.look_at.load(Ordering::Relaxed)
    }

    /// Records that a reader has checked the file.
    pub(super) fn looked(&self) {
        self.look_at.store(
            coarse_now().saturating_add(LOOK_AGAIN_MS),
            Ordering::Relaxed,
        );
    }

    /// Returns the open file for lock queries.
    pub(super) fn lock_query_file(&self) -> &File {
        &self.asking
    }

    /// Marks a version as being changed, before a commit. The caller holds the write lock.
    pub(super) fn begin_write(&self, word: HeaderField) {
        self.word(word as usize).fetch_or(1, Ordering::AcqRel);
    }

    /// Ends the mark of [`SharedHeader::begin_write`], whether the commit succeeded, failed, or its
    /// process died. The caller holds the write lock.
    pub(super) fn end_write(&self, word: HeaderField) {
        let now = self.version(word);
        if now & 1 == 1 {
            self.word(word as usize)
                .store(now.wrapping_add(1), Ordering::Release);
        }
    }

    /// Advances both versions, so that every process reads again.
    pub(super) fn invalidate_all(&self) {
        self.word(HeaderField::Directory as usize)
            .fetch_add(2, Ordering::AcqRel);
        self.word(HeaderField::Counts as usize)
            .fetch_add(2, Ordering::AcqRel);
    }

    /// Returns how often a removed log was moved into the database.
    pub(super) fn rescue_count(&self) -> u32 {
        self.half(14).load(Ordering::SeqCst)
    }

    /// Records that a removed log was moved into the database.
    pub(super) fn count_rescue(&self) {
        self.half(14).fetch_add(1, Ordering::SeqCst);
    }

    /// Returns whether a process waits for the lock, or was killed while it waited.
    pub(super) fn has_waiters(&self) -> bool {
        self.half(8).load(Ordering::SeqCst) != 0
    }

    /// Registers a waiting process until the returned guard is dropped.
    pub(super) fn waiting(&self) -> WaitingGuard<'_> {
        self.half(8).fetch_add(1, Ordering::SeqCst);
        WaitingGuard(self.half(8))
    }

    /// Returns how often the lock was freed.
    pub(super) fn freed(&self, freed: Freed) -> u32 {
        self.half(freed as usize).load(Ordering::SeqCst)
    }

    /// Counts that the lock was freed, and wakes one sleeping process.
    pub(super) fn wake(&self, freed: Freed) {
        let word = self.half(freed as usize);
        word.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the address is a word of the map. The system reads the word and returns an error
        // if the page is gone.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
    }

    /// Sleeps until the lock is freed, unless it was freed since `before`. Sleeps at most `most`
    /// and `MAX_SLEEP`.
    pub(super) fn sleep(&self, freed: Freed, before: u32, most: Duration) {
        let most = most.min(MAX_SLEEP);
        let timeout = libc::timespec {
            tv_sec: 0,
            tv_nsec: i64::from(most.subsec_nanos()).min(999_999_999),
        };
        let word = self.half(freed as usize);
        // SAFETY: as in `wake`, with a timeout that lives as long as the call.
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
            // The header is gone but the lock is not, so the thread sleeps without the header.
            std::thread::sleep(most.min(Duration::from_millis(1)));
        }
    }
}

/// The guard of [`SharedHeader::waiting`].
pub(super) struct WaitingGuard<'b>(&'b AtomicU32);

impl Drop for WaitingGuard<'_> {
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
    // Nothing is written if the file is long enough.
    let length = BYTES.saturating_sub(usize::try_from(from).unwrap_or(BYTES));
    file.write_all_at(zeros.get(..length).unwrap_or_default(), from)
}
