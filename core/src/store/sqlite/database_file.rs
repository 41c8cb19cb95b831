//! The files of a store: finds, checks and opens the database, and guards the locks of this
//! process.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::statfs::fstatfs;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};

use super::checksum::ChecksumKey;
use super::file_locks::{self, IN_USE, LockError, NameClaim, SHARED};
use super::prune::Prune;
use super::shared_header::{self, Access, SharedHeader};
use super::{bus_guard, errors, meta, schema, wal};
use crate::util::error::Error;
use crate::util::fork_guard;
use crate::util::wait::{DEFAULT_LOCK_TIMEOUT, WaitBudget, WaitEnd};

/// "Subl": distinguishes a database of Sublet from the file of another program.
const APPLICATION: i64 = 0x5375_626c;
/// The version of `schema.sql`.
const VERSION: i64 = 2;

/// The time for which the result of a look at the files is reused.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The length of a database header, and the offset of the application id in it.
const HEADER_BYTES: usize = 100;
const APPLICATION_AT: usize = 68;

/// The least length of a `-shm` file.
const INDEX_BYTES: u64 = 32_768;

/// The default mode of a new database: access for the file's owner only.
const OWNERS_ALONE: u32 = 0o600;

/// The path of a store, and its name in errors.
#[derive(Debug, Clone)]
pub(super) struct StorePath {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Whether to create a store if there is none.
    create: bool,
    /// The mode of a new database.
    mode: u32,
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
            .map_err(|found| unreachable(format!("its folder: {found}")))?;
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

    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    }

    pub(super) fn sqlite(&self, error: &rusqlite::Error) -> Error {
        errors::of(&self.name, error)
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
            file: crate::util::text::short(&self.beside(suffix).to_string_lossy()),
        }
    }

    /// Returns the error of a lock file that cannot be used.
    fn lock_file(&self, found: &std::io::Error) -> Error {
        match found.kind() {
            std::io::ErrorKind::InvalidData => {
                let reason = format!(
                    "`{}` is another program's file",
                    crate::util::text::short(&self.beside("-lock").to_string_lossy())
                );
                Error::StoreUnreachable {
                    store: self.name.clone(),
                    reason,
                }
            }
            _ => errors::file(&self.name, found),
        }
    }

    /// Returns the error of a lock that was not taken. `inode` is the inode of the lock file.
    pub(super) fn not_locked(&self, found: LockError, inode: u64) -> Error {
        match found {
            LockError::File(found) => errors::file(&self.name, &found),
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

/// The identities of the database, its log and its index at the time they were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileIdentities {
    database: (u64, u64),
    log: (u64, u64),
    index: (u64, u64),
}

/// The result of a look at the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Same,
    /// The lock file was replaced or truncated.
    LockMoved,
    /// The log was removed or replaced. Its content must be moved into the database first.
    LogMoved,
    /// The index was removed, replaced or truncated. SQLite rebuilds it from the log.
    IndexMoved,
}

/// A connection, and the guards that keep other processes from removing its files. Fields are
/// dropped in order, so the guards are dropped after the connection.
#[derive(Debug)]
pub(super) struct OpenConnection {
    pub(super) connection: Connection,
    /// The key of the rows' checksums.
    pub(super) key: ChecksumKey,
    /// The database file, open for the locks of this process.
    database: File,
    index: File,
    identities: FileIdentities,
    looked: Option<Instant>,
    /// The number of lost pages of mapped files at the time the connection was opened.
    lost_pages: u64,
    _registered: RegisteredFile,
}

/// A registration of locks that a forked child must release.
#[derive(Debug)]
struct RegisteredFile(std::os::fd::RawFd);

impl RegisteredFile {
    fn new(file: &File) -> Self {
        fork_guard::keep(file);
        Self(std::os::fd::AsRawFd::as_raw_fd(file))
    }
}

impl Drop for RegisteredFile {
    fn drop(&mut self) {
        fork_guard::forget(self.0);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        // These locks would keep SQLite from removing the log when the last connection closes.
        for (guard, at) in [(&self.database, SHARED), (&self.index, IN_USE)] {
            let _ = file_locks::drop_range(guard, at);
        }
    }
}

impl OpenConnection {
    /// Connects to the database of an open file. Creates the tables if there are none, unless a
    /// certain store is `wanted`.
    fn new(
        place: &StorePath,
        database: File,
        wanted: Option<&str>,
    ) -> Result<(Self, String), Error> {
        let file = |found: std::io::Error| errors::file(&place.name, &found);
        let lost_pages = bus_guard::lost_pages();
        let (connection, id) = connect(place, wanted)?;
        file_locks::share(&database, SHARED).map_err(file)?;
        let index = File::open(place.beside("-shm")).map_err(file)?;
        file_locks::share(&index, IN_USE).map_err(file)?;
        let index_file = index.metadata().map_err(file)?;
        bus_guard::guard(&index_file);
        let access = Access::of(&database.metadata().map_err(file)?);
        shared_header::give(&index, access);
        shared_header::give(&File::open(place.beside("-wal")).map_err(file)?, access);
        let identities = FileIdentities {
            database: shared_header::identity(&database.metadata().map_err(file)?),
            log: shared_header::identity(&fs::metadata(place.beside("-wal")).map_err(file)?),
            index: shared_header::identity(&index_file),
        };
        let registered = RegisteredFile::new(&database);
        let key = ChecksumKey::new(&id);
        Ok((
            Self {
                connection,
                key,
                database,
                index,
                identities,
                looked: Some(Instant::now()),
                lost_pages,
                _registered: registered,
            },
            id,
        ))
    }

    /// Opens a second connection, for reading, in a process that already holds the store's locks.
    pub(super) fn reader(place: &StorePath, wanted: &str) -> Result<Self, Error> {
        let (database, _) = open_database(place, Some(wanted))?;
        if claim(place, &database)? == NameClaim::OtherName {
            return Err(place.other_name());
        }
        let (open, _) = Self::new(place, database, Some(wanted))?;
        open.connection
            .execute_batch("PRAGMA query_only = 1")
            .map_err(|found| place.sqlite(&found))?;
        Ok(open)
    }

    pub(super) fn identity(&self) -> (u64, u64) {
        self.identities.database
    }

    /// Returns whether a page of a mapped file was lost since the connection was opened. Its reads
    /// since then may be wrong.
    pub(super) fn lost_pages(&self) -> bool {
        self.lost_pages != bus_guard::lost_pages()
    }

    /// Checks whether the files are still those that were opened. The files beside the database are
    /// checked at most once a millisecond.
    pub(super) fn look(&mut self, place: &StorePath) -> Result<Look, Error> {
        let known = self.identities;
        let same = |path: &Path, known| {
            fs::metadata(path).is_ok_and(|found| shared_header::identity(&found) == known)
        };
        if !same(&place.path, known.database) {
            return Err(place.replaced());
        }
        if self.lost_pages() {
            return Ok(Look::IndexMoved);
        }
        if self
            .looked
            .is_some_and(|looked| looked.elapsed() < LOCK_POLL_INTERVAL)
        {
            return Ok(Look::Same);
        }
        if !same(&place.beside("-wal"), known.log) {
            return Ok(Look::LogMoved);
        }
        let index = fs::metadata(place.beside("-shm"));
        if !index.is_ok_and(|found| {
            shared_header::identity(&found) == known.index && found.len() >= INDEX_BYTES
        }) {
            return Ok(Look::IndexMoved);
        }
        self.looked = Some(Instant::now());
        Ok(Look::Same)
    }

    /// Moves the content of a removed log into the database, so that nothing is lost when the
    /// connection closes.
    ///
    /// # Errors
    /// Fails with [`Error::StoreReplaced`] if another program has begun a log of the same name.
    /// Fails with [`Error::StoreSideFile`] if another connection still reads the log.
    fn rescue(&self, place: &StorePath) -> Result<(), Error> {
        if fs::metadata(place.beside("-wal")).is_ok_and(|found| found.len() > 0) {
            return Err(place.replaced());
        }
        let moved = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                row.get::<_, i64>(0)
            });
        match moved.map_err(|found| place.sqlite(&found))? {
            0 => Ok(()),
            _ => Err(place.side_file("-wal")),
        }
    }

    /// Closes a connection whose files have moved, without touching the files that have their names
    /// now.
    pub(super) fn abandon(self) {
        let _ = self
            .connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

/// The open database with its lock file, shared header and prune state.
#[derive(Debug)]
pub(super) struct OpenDatabase {
    pub(super) connected: OpenConnection,
    pub(super) lock: File,
    pub(super) board: Arc<SharedHeader>,
    /// Whether commits reach the disk before the call returns.
    pub(super) full: bool,
    pub(super) prune: Prune,
    looked: Option<Instant>,
    /// The number of log rescues before the store was opened.
    rescues: u32,
    _registered: RegisteredFile,
}

impl OpenDatabase {
    /// Opens the store with the write lock held. Creates the store if it is missing, unless a
    /// certain store is `wanted`.
    pub(super) fn new(
        place: &StorePath,
        wanted: Option<&str>,
        budget: &WaitBudget,
    ) -> Result<(Self, String), Error> {
        let file = |found: std::io::Error| errors::file(&place.name, &found);
        let (database, made) = open_database(place, wanted)?;
        let opened = Self::beside(place, database, wanted, budget);
        if made && opened.is_err() && fs::metadata(&place.path).is_ok_and(|found| found.len() == 0)
        {
            let _ = fs::remove_file(&place.path);
        }
        let (open, id) = opened?;
        open.board.end_write(shared_header::HeaderField::Directory);
        open.board.end_write(shared_header::HeaderField::Counts);
        let _ = file;
        Ok((open, id))
    }

    fn beside(
        place: &StorePath,
        database: File,
        wanted: Option<&str>,
        budget: &WaitBudget,
    ) -> Result<(Self, String), Error> {
        let file = |found: std::io::Error| errors::file(&place.name, &found);
        let access = Access::of(&database.metadata().map_err(file)?);
        let path = place.beside("-lock");
        let board = SharedHeader::map(&path, access).map_err(|found| place.lock_file(&found))?;
        let lock = shared_header::open_lock(&path, access).map_err(file)?;
        let registered = RegisteredFile::new(&lock);
        loop {
            file_locks::lock_write(&lock, &board, Duration::ZERO, budget)
                .map_err(|found| place.not_locked(found, board.identity.1))?;
            let missing = match claim(place, &database)? {
                NameClaim::OtherName => return Err(place.other_name()),
                NameClaim::Alone => None,
                // Other processes write to a log that was removed. One of them moves it into the
                // database at its next look.
                NameClaim::Shared => ["-wal", "-shm"]
                    .into_iter()
                    .find(|suffix| wanted.is_none() && !place.beside(suffix).exists()),
            };
            let Some(missing) = missing else { break };
            file_locks::unlock_write(&lock, &board).map_err(file)?;
            match budget.slice() {
                Ok(slice) => std::thread::sleep(slice),
                Err(WaitEnd::TimedOut) => return Err(place.side_file(missing)),
                Err(end) => return Err(place.not_locked(end.into(), board.identity.1)),
            }
        }
        let (connected, id) = OpenConnection::new(place, database, wanted)?;
        let (board, looked) = (Arc::new(board), Some(Instant::now()));
        let rescues = board.rescues();
        let open = Self {
            connected,
            lock,
            board,
            full: false,
            prune: Prune::default(),
            looked,
            rescues,
            _registered: registered,
        };
        Ok((open, id))
    }

    /// Checks whether the files are still those that were opened. The caller holds the write lock.
    pub(super) fn look(&mut self, place: &StorePath) -> Result<Look, Error> {
        let found = self.connected.look(place)?;
        if found != Look::Same {
            return Ok(found);
        }
        if self.board.is_lost() {
            return Ok(Look::LockMoved);
        }
        if self
            .looked
            .is_some_and(|looked| looked.elapsed() < LOCK_POLL_INTERVAL)
        {
            return Ok(Look::Same);
        }
        if fs::metadata(place.beside("-lock"))
            .is_ok_and(|found| shared_header::identity(&found) == self.board.identity)
        {
            self.looked = Some(Instant::now());
            return Ok(Look::Same);
        }
        Ok(Look::LockMoved)
    }

    /// Closes the store after a look found that its files have moved. Other processes that have the
    /// store open then look too.
    pub(super) fn leave(self, place: &StorePath, found: Look) -> Result<(), Error> {
        if matches!(found, Look::LogMoved | Look::IndexMoved) {
            // Other processes of this machine look again within this time, so none of them
            // continues with stale files.
            std::thread::sleep(LOCK_POLL_INTERVAL.saturating_mul(2));
            // Another process may have rescued the log already. The log state of this connection is
            // then stale.
            if found == Look::LogMoved && self.board.rescues() == self.rescues {
                self.connected.rescue(place)?;
                self.board.rescued();
            }
        }
        self.board.invalidate_all();
        let Self {
            connected,
            lock,
            board,
            ..
        } = self;
        if found == Look::LockMoved {
            drop(connected);
        } else {
            connected.abandon();
        }
        let _ = file_locks::unlock_write(&lock, &board);
        Ok(())
    }

    /// Sets whether commits reach the disk before the call returns.
    pub(super) fn set_full(&mut self, full: bool) -> rusqlite::Result<()> {
        if full != self.full {
            self.connected.connection.execute_batch(if full {
                "PRAGMA synchronous = FULL"
            } else {
                "PRAGMA synchronous = NORMAL"
            })?;
            self.full = full;
        }
        Ok(())
    }
}

/// Opens the database file for the locks of this process, and creates it if it is missing and may
/// be created. Returns whether it was created.
///
/// A file that is not a store of Sublet is refused before anything is written beside it.
fn open_database(place: &StorePath, wanted: Option<&str>) -> Result<(File, bool), Error> {
    let file = |found: std::io::Error| errors::file(&place.name, &found);
    let unreachable = |reason: &str| Error::StoreUnreachable {
        store: place.name.clone(),
        reason: reason.to_owned(),
    };
    let found = match fs::metadata(&place.path) {
        Ok(found) => found,
        Err(_) if wanted.is_some() => return Err(place.replaced()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if !place.create {
                return Err(place.missing());
            }
            refuse_network(
                place,
                &File::open(place.path.parent().unwrap_or(Path::new("."))).map_err(file)?,
            )?;
            let made = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(place.mode)
                .open(&place.path);
            match made {
                Ok(made) => {
                    shared_header::give_mode(&made, place.mode);
                    return Ok((made, true));
                }
                // Another process has just created the file.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    fs::metadata(&place.path).map_err(file)?
                }
                Err(error) => return Err(file(error)),
            }
        }
        Err(error) => return Err(file(error)),
    };
    if !found.is_file() {
        return Err(unreachable("it is not a file"));
    }
    if found.nlink() > 1 {
        return Err(place.other_name());
    }
    let database = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&place.path)
        .map_err(file)?;
    refuse_network(place, &database)?;
    if found.len() == 0 {
        if wanted.is_some() {
            return Err(place.replaced());
        }
        if !place.create {
            return Err(unreachable(
                "the file is empty, and `create=no` makes no new store",
            ));
        }
        if fs::metadata(place.beside("-wal")).is_ok_and(|log| log.len() > 0) {
            return Err(unreachable(
                "the file is empty, but the log beside it is not: something was there",
            ));
        }
        return Ok((database, false));
    }
    if is_store(place, &database, wanted)? {
        Ok((database, false))
    } else {
        Err(Error::StoreForeign {
            store: place.name.clone(),
        })
    }
}

/// Returns whether the file is a database of this library.
fn is_store(place: &StorePath, database: &File, wanted: Option<&str>) -> Result<bool, Error> {
    let mut header = [0_u8; HEADER_BYTES];
    let read = database
        .read_at(&mut header, 0)
        .map_err(|error| errors::file(&place.name, &error))?;
    let id = header
        .get(APPLICATION_AT..APPLICATION_AT.saturating_add(4))
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_be_bytes);
    let is_ours = read == HEADER_BYTES
        && header.starts_with(b"SQLite format 3\0")
        && id.map(i64::from) == Some(APPLICATION);
    // If a process is killed while it creates the tables, it leaves a journal that rolls them back.
    let is_unmade = id == Some(0)
        && fs::metadata(place.beside("-journal")).is_ok_and(|journal| journal.len() > 0);
    Ok(is_ours || is_unmade && wanted.is_none())
}

/// Claims the database under its name. The name is a digest of the folder's identity and the file
/// name.
fn claim(place: &StorePath, database: &File) -> Result<NameClaim, Error> {
    let file = |found: std::io::Error| errors::file(&place.name, &found);
    let folder = place.path.parent().unwrap_or(Path::new("."));
    let (device, inode) = shared_header::identity(&fs::metadata(folder).map_err(file)?);
    let mut digest = Sha256::new();
    digest.update(device.to_le_bytes());
    digest.update(inode.to_le_bytes());
    digest.update(
        place
            .path
            .file_name()
            .unwrap_or_default()
            .as_encoded_bytes(),
    );
    let name = digest
        .finalize()
        .iter()
        .take(8)
        .fold(0_u64, |sum, byte| sum.wrapping_shl(8) | u64::from(*byte));
    file_locks::claim_name(database, name).map_err(file)
}

fn connect(place: &StorePath, wanted: Option<&str>) -> Result<(Connection, String), Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let told = |found: &rusqlite::Error| place.sqlite(found);
    let mut connection =
        Connection::open_with_flags(&place.path, flags).map_err(|found| told(&found))?;
    connection.set_prepared_statement_cache_capacity(64);
    // Plans must not depend on bound values, because SQLite would otherwise prepare statements
    // again.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(|found| told(&found))?;
    connection
        .busy_handler(Some(wait_for_other_program))
        .map_err(|found| told(&found))?;
    if connection
        .is_readonly(rusqlite::MAIN_DB)
        .map_err(|found| told(&found))?
    {
        return Err(Error::StoreReadOnly {
            store: place.name.clone(),
        });
    }
    let number = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|found| told(&found))
    };
    let empty = number("PRAGMA application_id")? == 0
        && number("PRAGMA user_version")? == 0
        && number("SELECT count(*) FROM sqlite_schema")? == 0;
    if empty && wanted.is_some() {
        return Err(place.replaced());
    }
    if empty {
        // The tables are created before there is a log, so that the file identifies its program
        // from the start.
        create(&mut connection).map_err(|found| told(&found))?;
    } else {
        version(place, &connection)?;
    }
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(|found| told(&found))?;
    if mode != "wal" {
        return Err(Error::StoreUnreachable {
            store: place.name.clone(),
            reason: format!("its journal is `{mode}`, not `wal`"),
        });
    }
    connection
        .execute_batch("PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY")
        .map_err(|found| told(&found))?;
    schema::compare(&connection).map_err(|found| told(&found))?;
    wal::bound(&mut connection).map_err(|found| told(&found))?;
    let (id, _) = meta::identity(&connection).map_err(|found| told(&found))?;
    if wanted.is_some_and(|wanted| wanted != id) {
        return Err(place.replaced());
    }
    Ok((connection, id))
}

/// Busy handler of SQLite: waits while another program holds the database, within the budget of the
/// call.
fn wait_for_other_program(_tries: i32) -> bool {
    let may_wait = WaitBudget::has_time_left();
    if may_wait {
        std::thread::sleep(Duration::from_millis(1));
    }
    may_wait
}

/// Returns the version of the database. Fails if the database is not a store of Sublet or has an
/// unknown version.
pub(super) fn version(place: &StorePath, connection: &Connection) -> Result<i64, Error> {
    let number = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|found| place.sqlite(&found))
    };
    if number("PRAGMA application_id")? != APPLICATION {
        return Err(Error::StoreForeign {
            store: place.name.clone(),
        });
    }
    let found = number("PRAGMA user_version")?;
    if found == VERSION {
        Ok(found)
    } else {
        Err(Error::StoreVersion {
            store: place.name.clone(),
            found,
            known: VERSION,
        })
    }
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(schema::SCHEMA)?;
    let id: String =
        transaction.query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0))?;
    let key = ChecksumKey::new(&id);
    meta::write(&transaction, &key, "store", &id)?;
    meta::write(&transaction, &key, "revision", &0_i64)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    connection.execute_batch("PRAGMA synchronous = NORMAL")
}

/// File systems whose locks do not hold between machines, or may not.
const NETWORKS: [(i64, &str); 12] = [
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xfe53_4d42, "smb2"),
    (0xff53_4d42, "cifs"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "afs"),
    (0x7375_7245, "coda"),
    (0x564c, "ncp"),
    (0x00c3_6400, "ceph"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x6573_5546, "fuse"),
];

fn network(kind: i64) -> Option<&'static str> {
    NETWORKS
        .iter()
        .find(|(magic, _)| *magic == kind & 0xffff_ffff)
        .map(|(_, name)| *name)
}

fn refuse_network(place: &StorePath, file: &File) -> Result<(), Error> {
    let found = fstatfs(file).map_err(|found| errors::file(&place.name, &found.into()))?;
    match network(found.filesystem_type().0) {
        Some(system) => Err(Error::StoreNetwork {
            store: place.name.clone(),
            system: system.to_owned(),
        }),
        None => Ok(()),
    }
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

    #[test]
    fn local_disk_is_not_a_network_disk() {
        let [ext4, xfs, btrfs, tmpfs, overlay] =
            [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630];
        assert_eq!([ext4, xfs, btrfs, tmpfs, overlay].map(network), [None; 5]);
        assert_eq!(
            (network(0x6969), network(0xff53_4d42 - (1 << 32))),
            (Some("nfs"), Some("cifs"))
        );
    }
}
