//! A connection to the database: opens it, guards its files, and notices when they are replaced.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::checksum::ChecksumKey;
use super::file_checks::{claim, open_database};
use super::file_locks::{self, IN_USE, NameClaim, SHARED};
use super::prepared_connection::PreparedConnection;
use super::shared_header::{self, Access};
use super::store_path::StorePath;
use super::{bus_guard, errors, meta, schema, wal};
use crate::util::error::Error;
use crate::util::fork_guard;
use crate::util::wait::WaitBudget;

/// "Subl": distinguishes a database of Sublet from the file of another program.
pub(super) const APPLICATION: i64 = 0x5375_626c;
/// The version of `schema.sql`.
const VERSION: i64 = 3;

/// The time for which the result of a look at the files is reused.
pub(super) const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The least length of a `-shm` file.
const INDEX_BYTES: u64 = 32_768;

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
    pub(super) connection: PreparedConnection,
    /// The key of the rows' checksums.
    pub(super) checksum_key: ChecksumKey,
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
pub(super) struct RegisteredFile(std::os::fd::RawFd);

impl RegisteredFile {
    pub(super) fn new(file: &File) -> Self {
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
    pub(super) fn new(
        place: &StorePath,
        database: File,
        wanted: Option<&str>,
    ) -> Result<(Self, String), Error> {
        let file = |error: std::io::Error| errors::file(&place.name, &error);
        let lost_pages = bus_guard::lost_pages();
        let (connection, id) = connect(place, wanted)?;
        file_locks::share(&database, SHARED).map_err(file)?;
        let index = File::open(place.with_suffix("-shm")).map_err(file)?;
        file_locks::share(&index, IN_USE).map_err(file)?;
        let index_file = index.metadata().map_err(file)?;
        bus_guard::guard(&index_file);
        let access = Access::from_metadata(&database.metadata().map_err(file)?);
        shared_header::give(&index, access);
        shared_header::give(
            &File::open(place.with_suffix("-wal")).map_err(file)?,
            access,
        );
        let identities = FileIdentities {
            database: shared_header::identity(&database.metadata().map_err(file)?),
            log: shared_header::identity(&fs::metadata(place.with_suffix("-wal")).map_err(file)?),
            index: shared_header::identity(&index_file),
        };
        let registered = RegisteredFile::new(&database);
        let checksum_key = ChecksumKey::new(&id);
        Ok((
            Self {
                connection,
                checksum_key,
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
            .map_err(|error| place.sqlite(&error))?;
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
        if !same(&place.with_suffix("-wal"), known.log) {
            return Ok(Look::LogMoved);
        }
        let index = fs::metadata(place.with_suffix("-shm"));
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
    pub(super) fn rescue(&self, place: &StorePath) -> Result<(), Error> {
        if fs::metadata(place.with_suffix("-wal")).is_ok_and(|found| found.len() > 0) {
            return Err(place.replaced());
        }
        let moved = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                row.get::<_, i64>(0)
            });
        match moved.map_err(|error| place.sqlite(&error))? {
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

fn connect(place: &StorePath, wanted: Option<&str>) -> Result<(PreparedConnection, String), Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let map_sqlite_error = |error: &rusqlite::Error| place.sqlite(error);
    let mut connection = Connection::open_with_flags(&place.path, flags)
        .map_err(|error| map_sqlite_error(&error))?;
    // Plans must not depend on bound values, because SQLite would otherwise prepare statements
    // again.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(|error| map_sqlite_error(&error))?;
    connection
        .busy_handler(Some(wait_for_other_program))
        .and_then(|()| wal::bound(&mut connection))
        .map_err(|error| map_sqlite_error(&error))?;
    let connection = PreparedConnection::new(connection);
    if connection
        .is_readonly(rusqlite::MAIN_DB)
        .map_err(|error| map_sqlite_error(&error))?
    {
        return Err(Error::StoreReadOnly {
            store: place.name.clone(),
        });
    }
    let number = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|error| map_sqlite_error(&error))
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
        create(&connection).map_err(|error| map_sqlite_error(&error))?;
    } else {
        version(place, &connection)?;
    }
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(|error| map_sqlite_error(&error))?;
    if mode != "wal" {
        return Err(Error::StoreUnreachable {
            store: place.name.clone(),
            reason: format!("its journal is `{mode}`, not `wal`"),
        });
    }
    connection
        .execute_batch("PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY")
        .map_err(|error| map_sqlite_error(&error))?;
    schema::compare(&connection).map_err(|error| map_sqlite_error(&error))?;
    let (id, _) = meta::identity(&connection).map_err(|error| map_sqlite_error(&error))?;
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
            .map_err(|error| place.sqlite(&error))
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

fn create(connection: &PreparedConnection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(schema::SCHEMA)?;
    let id: String =
        transaction.query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0))?;
    let key = ChecksumKey::new(&id);
    meta::write(connection, &key, "store", &id)?;
    meta::write(connection, &key, "revision", &0_i64)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    connection.execute_batch("PRAGMA synchronous = NORMAL")
}
