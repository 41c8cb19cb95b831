//! The file: found, checked, opened, and guarded against what would take its locks away.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::statfs::fstatfs;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::board::{self, Board};
use super::fault;
use super::fork;
use super::ledger::Prune;
use super::locks::{self, IN_USE, Range, SHARED};
use crate::Error;

/// "Subl": what tells our files from another program's.
const APPLICATION: i64 = 0x5375_626c;
/// The version of `schema.sql`.
const VERSION: i64 = 1;
const SCHEMA: &str = include_str!("schema.sql");
/// What stores of this version have that were made before there were any.
const DOCUMENTS: &str = include_str!("documents.sql");

/// How long the file of the locks is taken to be what it was when it was looked at.
const LOOK: Duration = Duration::from_millis(1);

/// How long a program that is not Sublet may hold the database.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a store is, and how it is named in errors.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

impl Place {
    /// The same file, whatever directory the process goes to later.
    pub(super) fn new(path: &str) -> Result<Self, Error> {
        let name = format!("sqlite:{}", crate::id::short(path));
        let given = PathBuf::from(path);
        let unreachable = |reason: String| Error::StoreUnreachable { store: name.clone(), reason };
        let file = given.file_name().ok_or_else(|| unreachable("it names no file".to_owned()))?;
        let folder = given.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder).map_err(|found| unreachable(format!("its folder: {found}")))?;
        let path = folder.join(file);
        // A link is followed once and for all: the files beside a database stand beside the database itself.
        let path = fs::canonicalize(&path).unwrap_or(path);
        if path.is_dir() {
            return Err(unreachable("it is a folder".to_owned()));
        }
        Ok(Self { name, path })
    }

    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    }

    pub(super) fn sqlite(&self, error: &rusqlite::Error) -> Error {
        fault::of(&self.name, error)
    }

    pub(super) fn missing(&self) -> Error {
        Error::StoreUnreachable { store: self.name.clone(), reason: "there is no such file".to_owned() }
    }

    pub(super) fn replaced(&self) -> Error {
        Error::StoreReplaced { store: self.name.clone() }
    }
}

/// A store's name, read: `sqlite:PATH`, with `?durability=power` and `&create=no`.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) place: Place,
    /// Whether every commit reaches the disk before it is answered.
    pub(super) power: bool,
    /// Whether it is made where it is not there.
    pub(super) create: bool,
}

pub(super) fn named(store: &str) -> Result<Named, Error> {
    let unknown = || Error::Store { store: crate::id::short(store) };
    let given = store.strip_prefix("sqlite:").ok_or_else(unknown)?;
    let (path, options) = given.split_once('?').unwrap_or((given, ""));
    if path.is_empty() || path.contains('\0') {
        return Err(unknown());
    }
    let (mut power, mut create) = (false, true);
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option {
            "durability=power" => power = true,
            "durability=process" => power = false,
            "create=no" => create = false,
            "create=yes" => create = true,
            _ => return Err(unknown()),
        }
    }
    Ok(Named { place: Place::new(path)?, power, create })
}

/// The database as this process has it open. Fields are dropped in their order: the guards after the connection.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) connection: Connection,
    pub(super) lock: File,
    pub(super) board: Arc<Board>,
    pub(super) identity: (u64, u64),
    /// Whether commits reach the disk before they are answered.
    pub(super) full: bool,
    pub(super) prune: Prune,
    looked: Option<Instant>,
    guards: [File; 2],
}

impl Drop for Open {
    fn drop(&mut self) {
        fork::forget(&self.lock);
        // So that SQLite, should nobody else have the file open, tidies up when the connection closes.
        for (guard, at) in self.guards.iter().zip([SHARED, IN_USE]) {
            let _ = locks::drop_range(guard, at);
        }
    }
}

impl Open {
    /// Opens the store, and makes it where it is not there, unless a certain one is `wanted`. The lock is held afterwards.
    pub(super) fn new(place: &Place, wanted: Option<&str>) -> Result<(Self, String), Error> {
        let file = |found: std::io::Error| fault::file(&place.name, &found);
        let lock_file = board::open_lock(&place.beside("-lock")).map_err(file)?;
        refuse_network(place, &lock_file)?;
        locks::take_turn(&lock_file).map_err(file)?;
        if wanted.is_some() && !place.path.is_file() {
            return Err(place.replaced());
        }
        // Mapped from a file of its own: a map keeps its file open, and with it the locks that were taken on it.
        let board = board::open_lock(&place.beside("-lock")).and_then(|own| Board::map(&own)).map_err(file)?;
        let board = Arc::new(board);
        let (connection, id) = connect(place, wanted)?;
        let guards = [guard(place, &place.path, SHARED)?, guard(place, &place.beside("-shm"), IN_USE)?];
        let identity = board::identity(&fs::metadata(&place.path).map_err(file)?);
        board.end(board::Word::Directory);
        board.end(board::Word::Counts);
        fork::keep(&lock_file);
        Ok((Self { connection, lock: lock_file, board, identity, full: false, prune: Prune::default(), looked: None, guards }, id))
    }

    /// Whether the files are still those that were opened; asked with the lock held. The file of the locks is looked at once a
    /// millisecond: without it SQLite's own lock still keeps counts exact.
    pub(super) fn is_itself(&mut self, place: &Place) -> Result<bool, Error> {
        let same = |path: &Path, known| fs::metadata(path).is_ok_and(|found| board::identity(&found) == known);
        if !same(&place.path, self.identity) {
            return Err(place.replaced());
        }
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(true);
        }
        if same(&place.beside("-lock"), self.board.identity) {
            self.looked = Some(Instant::now());
            return Ok(true);
        }
        // Others may have a new one already; those who still have this one come to see.
        self.board.disturb();
        Ok(false)
    }

    /// Whether commits are to reach the disk before they are answered.
    pub(super) fn set_full(&mut self, full: bool) -> rusqlite::Result<()> {
        if full != self.full {
            self.connection.execute_batch(if full { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" })?;
            self.full = full;
        }
        Ok(())
    }
}

fn guard(place: &Place, path: &Path, at: Range) -> Result<File, Error> {
    let guard = File::open(path).map_err(|found| fault::file(&place.name, &found))?;
    locks::share(&guard, at).map_err(|found| fault::file(&place.name, &found))?;
    Ok(guard)
}

fn connect(place: &Place, wanted: Option<&str>) -> Result<(Connection, String), Error> {
    let new = if wanted.is_none() { OpenFlags::SQLITE_OPEN_CREATE } else { OpenFlags::empty() };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | new;
    let told = |found: &rusqlite::Error| place.sqlite(found);
    let mut connection = Connection::open_with_flags(&place.path, flags).map_err(|found| told(&found))?;
    connection.set_prepared_statement_cache_capacity(64);
    // Plans do not depend on what is bound: else statements are prepared anew each time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(|found| told(&found))?;
    connection.busy_timeout(PATIENCE).map_err(|found| told(&found))?;
    if connection.is_readonly(rusqlite::MAIN_DB).map_err(|found| told(&found))? {
        return Err(Error::StoreReadOnly { store: place.name.clone() });
    }
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|found| told(&found));
    let empty = number("PRAGMA application_id")? == 0 && number("PRAGMA user_version")? == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0;
    if empty && wanted.is_some() {
        return Err(place.replaced());
    }
    if !empty {
        version(place, &connection)?;
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(|found| told(&found))?;
    if mode != "wal" {
        return Err(Error::StoreUnreachable { store: place.name.clone(), reason: format!("its journal is `{mode}`, not `wal`") });
    }
    connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY").map_err(|found| told(&found))?;
    if empty {
        create(&mut connection).map_err(|found| told(&found))?;
    } else if number("SELECT count(*) FROM sqlite_schema WHERE name = 'documents'")? == 0 {
        connection.execute_batch(DOCUMENTS).map_err(|found| told(&found))?;
    }
    let id = connection.query_row("SELECT value FROM meta WHERE name = 'store'", [], |row| row.get::<_, String>(0)).optional();
    let id = id.map_err(|found| told(&found))?.ok_or_else(|| Error::StoreForeign { store: place.name.clone() })?;
    if wanted.is_some_and(|wanted| wanted != id) {
        return Err(place.replaced());
    }
    Ok((connection, id))
}

/// The version of a database that is ours, and that we know.
pub(super) fn version(place: &Place, connection: &Connection) -> Result<i64, Error> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|found| place.sqlite(&found));
    if number("PRAGMA application_id")? != APPLICATION {
        return Err(Error::StoreForeign { store: place.name.clone() });
    }
    let found = number("PRAGMA user_version")?;
    if found == VERSION { Ok(found) } else { Err(Error::StoreVersion { store: place.name.clone(), found, known: VERSION }) }
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute_batch(DOCUMENTS)?;
    transaction.execute("INSERT INTO meta VALUES ('store', lower(hex(randomblob(16)))), ('revision', 0)", [])?;
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
    NETWORKS.iter().find(|(magic, _)| *magic == kind & 0xffff_ffff).map(|(_, name)| *name)
}

fn refuse_network(place: &Place, file: &File) -> Result<(), Error> {
    let found = fstatfs(file).map_err(|found| fault::file(&place.name, &found.into()))?;
    match network(found.filesystem_type().0) {
        Some(system) => Err(Error::StoreNetwork { store: place.name.clone(), system: system.to_owned() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_of_this_machine_is_no_network() {
        let [ext4, xfs, btrfs, tmpfs, overlay] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630];
        assert_eq!([ext4, xfs, btrfs, tmpfs, overlay].map(network), [None; 5]);
        assert_eq!((network(0x6969), network(0xff53_4d42 - (1 << 32))), (Some("nfs"), Some("cifs")));
    }
}
