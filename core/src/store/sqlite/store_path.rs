//! The path and the URL of a store, and the errors that name the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::errors;
use super::file_locks::{self, LockError};
use crate::util::error::Error;
use crate::util::wait::{DEFAULT_LOCK_TIMEOUT, WaitEnd};

/// The default mode of a new database: access for the file's owner only.
const OWNERS_ALONE: u32 = 0o600;

/// The path of a store, and its name in errors.
#[derive(Debug, Clone)]
pub(super) struct StorePath {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Whether to create a store if there is none.
    pub(super) create: bool,
    /// The mode of a new database.
    pub(super) mode: u32,
}

impl StorePath {
    /// Resolves the path once, so that a later change of the working directory does not matter.
    pub(super) fn new(path: &str) -> Result<Self, Error> {
        let name = format!("sqlite:{}", crate::util::text::short(path));
        let given = PathBuf::from(path);
        let unreachable = |reason: String| Error::StoreUnreachable {
            store: name.clone(),
            reason,
        };
        let file = given
            .file_name()
            .ok_or_else(|| unreachable("it names no file".to_owned()))?;
        let folder = given
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder)
            .map_err(|error| unreachable(format!("its folder: {error}")))?;
        let path = folder.join(file);
        // A symbolic link is followed once, because the `-wal` and `-lock` files stand beside the
        // database itself.
        let path = fs::canonicalize(&path).unwrap_or(path);
        if path.is_dir() {
            return Err(unreachable("it is a folder".to_owned()));
        }
        Ok(Self {
            name,
            path,
            create: true,
            mode: OWNERS_ALONE,
        })
    }

    pub(super) fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    }

    pub(super) fn sqlite(&self, error: &rusqlite::Error) -> Error {
        errors::from_sqlite(&self.name, error)
    }

    pub(super) fn missing(&self) -> Error {
        Error::StoreUnreachable {
            store: self.name.clone(),
            reason: "there is no such file".to_owned(),
        }
    }

    pub(super) fn replaced(&self) -> Error {
        Error::StoreReplaced {
            store: self.name.clone(),
        }
    }

    /// Returns the error of a commit that failed. Nothing was committed if a write failed, because
    /// the end of the transaction is written last. After any other fault the end may be in the log,
    /// and the next process that reads the log may find it.
    pub(super) fn commit_failed(&self, error: &rusqlite::Error) -> Error {
        let is_write = error
            .sqlite_error()
            .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_WRITE);
        match self.sqlite(error) {
            known @ (Error::StoreFull { .. }
            | Error::StoreLocked { .. }
            | Error::StoreReadOnly { .. }) => known,
            known if is_write => known,
            other => self.unknown_outcome(&other.to_string()),
        }
    }

    pub(super) fn unknown_outcome(&self, reason: &str) -> Error {
        Error::StoreUnknownOutcome {
            store: self.name.clone(),
            reason: reason.to_owned(),
        }
    }

    pub(super) fn other_name(&self) -> Error {
        Error::StoreOtherName {
            store: self.name.clone(),
        }
    }

    pub(super) fn side_file(&self, suffix: &str) -> Error {
        Error::StoreSideFile {
            store: self.name.clone(),
            file: crate::util::text::short(&self.with_suffix(suffix).to_string_lossy()),
        }
    }

    /// Returns the error of a lock file that cannot be used.
    pub(super) fn lock_file(&self, error: &std::io::Error) -> Error {
        match error.kind() {
            std::io::ErrorKind::InvalidData => {
                let reason = format!(
                    "`{}` is another program's file",
                    crate::util::text::short(&self.with_suffix("-lock").to_string_lossy())
                );
                Error::StoreUnreachable {
                    store: self.name.clone(),
                    reason,
                }
            }
            _ => errors::file(&self.name, error),
        }
    }

    /// Returns the error of a lock that was not taken. `inode` is the inode of the lock file.
    pub(super) fn not_locked(&self, error: LockError, inode: u64) -> Error {
        match error {
            LockError::File(error) => errors::file(&self.name, &error),
            LockError::Waited(WaitEnd::Interrupted) => Error::Interrupted {
                store: self.name.clone(),
            },
            LockError::Waited(WaitEnd::TimedOut) => Error::StoreLocked {
                store: self.name.clone(),
                holder: file_locks::holder(inode),
            },
        }
    }
}

/// A parsed store URL: `sqlite:PATH`, with options after `?`, separated by `&`.
#[derive(Debug)]
pub(super) struct StoreUrl {
    pub(super) place: StorePath,
    /// Whether every commit reaches the disk before the call returns.
    pub(super) sync_every_commit: bool,
    /// How long a call waits for a lock of another holder.
    pub(super) lock_timeout: Duration,
}

/// The greatest `lock_timeout`: one hour.
const MAX_LOCK_TIMEOUT_MS: u64 = 3_600_000;

pub(super) fn parse_store_url(store: &str) -> Result<StoreUrl, Error> {
    let unknown = || Error::Store {
        store: crate::util::text::short(store),
    };
    let given = store.strip_prefix("sqlite:").ok_or_else(unknown)?;
    let (path, options) = given.split_once('?').unwrap_or((given, ""));
    if path.is_empty() || path.contains('\0') {
        return Err(unknown());
    }
    let mut place = StorePath::new(path)?;
    let (mut power, mut lock_timeout) = (false, DEFAULT_LOCK_TIMEOUT);
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').ok_or_else(unknown)?;
        match (name, value) {
            ("durability", "power") => power = true,
            ("durability", "process") => power = false,
            ("create", "no") => place.create = false,
            ("create", "yes") => place.create = true,
            ("lock_timeout", milliseconds) => {
                let milliseconds = milliseconds
                    .parse::<u64>()
                    .ok()
                    .filter(|wait| *wait <= MAX_LOCK_TIMEOUT_MS)
                    .ok_or_else(unknown)?;
                lock_timeout = Duration::from_millis(milliseconds);
            }
            // The file's owner always needs to read and write it.
            ("mode", octal) => {
                let mode = u32::from_str_radix(octal, 8)
                    .ok()
                    .filter(|mode| *mode & !0o666 == 0 && *mode & OWNERS_ALONE == OWNERS_ALONE);
                place.mode = mode.ok_or_else(unknown)?;
            }
            _ => return Err(unknown()),
        }
    }
    Ok(StoreUrl {
        place,
        sync_every_commit: power,
        lock_timeout,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_is_unknown_after_last_write() {
        let place = StorePath::new("any.db").expect("a name");
        let code = |extended| {
            place
                .commit_failed(&rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(extended),
                    None,
                ))
                .code()
        };
        assert_eq!(code(rusqlite::ffi::SQLITE_FULL), "store.full");
        assert_eq!(code(rusqlite::ffi::SQLITE_IOERR_WRITE), "store.io");
        assert_eq!(
            code(rusqlite::ffi::SQLITE_IOERR_FSYNC),
            "store.unknown_outcome"
        );
        assert_eq!(
            code(rusqlite::ffi::SQLITE_IOERR_SHMSIZE),
            "store.unknown_outcome"
        );
        assert_eq!(code(rusqlite::ffi::SQLITE_NOMEM), "store.unknown_outcome");
    }
}
