//! A few words of memory that all processes of one store share, in the file that they lock: whether the directory or the
//! counts have changed since, and the latest instant that was counted.
//!
//! A word that says "changed" is odd while a change is being committed, and grows past it when it is: so a process that
//! is killed in between leaves an odd number, and the next one that holds the lock makes it even.
#![allow(unsafe_code, clippy::cast_ptr_alignment, reason = "words of mapped memory, which begins at a page, are read through a pointer")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

const WORDS: usize = 8;
const BYTES: usize = WORDS * 8;
/// "Sublet", and the version of these words.
const MAGIC: u64 = 0x5375_626c_6574_0001;

/// Which of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The directory.
    Directory = 1,
    /// The counts.
    Counts = 2,
}

/// The words, mapped.
#[derive(Debug)]
pub(crate) struct Board {
    map: MmapRaw,
    pub(super) identity: (u64, u64),
}

/// Opens the file that is locked, and makes it if it is not there.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Which file it is, whatever its name.
pub(super) fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Board {
    /// Maps the words of a file that the caller has locked.
    pub(super) fn map(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if metadata.len() < BYTES as u64 {
            file.set_len(BYTES as u64)?;
        }
        let map = MmapOptions::new().len(BYTES).map_raw(file)?;
        let board = Self { map, identity: identity(&metadata) };
        if board.word(0).swap(MAGIC, Ordering::AcqRel) != MAGIC {
            board.word(Word::Directory as usize).store(0, Ordering::Release);
            board.word(Word::Counts as usize).store(0, Ordering::Release);
            board.mark().store(i64::MIN, Ordering::Release);
        }
        Ok(board)
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        let at = at.min(WORDS.saturating_sub(1));
        // SAFETY: the map has `WORDS` words, is aligned to a page, lives as long as `self`, and everybody who maps it reads
        // and writes it by atomics only.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().cast::<u64>().wrapping_add(at)) }
    }

    /// The latest instant that a process has counted at.
    pub(super) fn mark(&self) -> &AtomicI64 {
        // SAFETY: as above, of the fourth word.
        unsafe { AtomicI64::from_ptr(self.map.as_mut_ptr().cast::<i64>().wrapping_add(3)) }
    }

    /// What the word says now.
    #[inline]
    pub(crate) fn now(&self, word: Word) -> u64 {
        self.word(word as usize).load(Ordering::Acquire)
    }

    /// A change is about to be committed; by who holds the lock.
    pub(super) fn begin(&self, word: Word) {
        self.word(word as usize).fetch_or(1, Ordering::AcqRel);
    }

    /// It was, or was not; or who was about to is gone. By who holds the lock.
    pub(super) fn end(&self, word: Word) {
        let now = self.now(word);
        if now & 1 == 1 {
            self.word(word as usize).store(now.wrapping_add(1), Ordering::Release);
        }
    }

    /// Everybody who looks at these words looks anew.
    pub(super) fn disturb(&self) {
        self.word(Word::Directory as usize).fetch_add(2, Ordering::AcqRel);
        self.word(Word::Counts as usize).fetch_add(2, Ordering::AcqRel);
    }
}
