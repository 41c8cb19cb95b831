//! Counts for the benchmark, with Sublet and with the same statements written bare.

use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use rusqlite::{Connection, params};
use sublet::{ConsumeOptions, Engine, Options, RequestRef};

use crate::random::Random;

/// A host of the platform.
pub const HOST: &str = "dash.marketingmaster.example";

/// So many main accounts, each of which may send more than anybody asks for: many have what their
/// package gives, few a limit of their own.
#[must_use]
pub fn lines(accounts: usize) -> String {
    let mut lines = String::from("{\"type\":\"Platform\",\"id\":\"mmio\"}\n");
    let _ = writeln!(
        lines,
        r#"{{"type":"Domain","id":"{HOST}","kind":"platform","state":"verified"}}"#
    );
    for at in 0..accounts {
        let id = account(at);
        let limits = if accounts > 1_000 {
            ""
        } else {
            r#","limits":{"emails":1000000000}"#
        };
        let _ = writeln!(
            lines,
            r#"{{"type":"Account","id":"{id}","email":"o@{id}.example","package":"agency","confirmed":true{limits}}}"#
        );
    }
    lines
}

/// The id of an account.
#[must_use]
pub fn account(at: usize) -> String {
    format!("account-{at}")
}

/// The question of an account that sends.
#[must_use]
pub fn question(account: &str) -> RequestRef<'_> {
    RequestRef::new(("Account", account), "campaign.send", ("Campaign", "k"))
        .account(account)
        .host(HOST)
}

/// Somebody who counts one unit of the account at that place.
pub trait Counter: Sync {
    /// Takes one.
    fn take(&self, at: usize);
}

/// Sublet, and the accounts' ids.
pub struct Ours {
    /// The engine.
    pub engine: Engine,
    ids: Vec<String>,
}

impl Ours {
    /// On this store, which is filled if it is empty.
    ///
    /// # Panics
    /// If it cannot be opened.
    #[must_use]
    pub fn open(store: &str, accounts: usize) -> Self {
        let engine = Engine::open(Options {
            store: store.to_owned(),
            ..Options::default()
        })
        .unwrap_or_else(|error| panic!("{error}"));
        if engine.revision() == 0 {
            engine
                .import(lines(accounts).as_bytes(), None, None)
                .expect("the directory");
        }
        Self {
            engine,
            ids: (0..accounts).map(account).collect(),
        }
    }

    /// Returns the usage of all accounts.
    ///
    /// # Panics
    /// If a count is missing.
    #[must_use]
    pub fn used(&self) -> i64 {
        let of = |id: &String| self.engine.usage(id, None, Some("emails")).expect("usage")[0].used;
        self.ids.iter().map(of).sum()
    }

    /// Whether the account may send, without a question about its limit.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn may(&self, at: usize) -> bool {
        self.engine
            .check(question(&self.ids[at]))
            .expect("an answer")
    }

    /// Whether so much more would be allowed.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn check(&self, at: usize, with: &sublet::Environment) -> bool {
        let asked = RequestRef {
            environment: Some(with),
            ..question(&self.ids[at])
        };
        self.engine.check(asked).expect("an answer")
    }
}

impl Ours {
    /// Takes one with an idempotency key.
    ///
    /// # Panics
    /// If it is refused.
    pub fn take_keyed(&self, at: usize, key: &str) {
        let options = ConsumeOptions::new(1).idempotency_key(key);
        let answer = self.engine.consume(question(&self.ids[at]), &options);
        let answer = answer.expect("an answer");
        assert!(answer.allowed, "{answer:?}");
    }
}

impl Counter for Ours {
    fn take(&self, at: usize) {
        let answer = self
            .engine
            .consume(question(&self.ids[at]), &ConsumeOptions::new(1))
            .expect("an answer");
        assert!(answer.allowed, "{answer:?}");
    }
}

/// The floor: the same tables, the same locks, the insert of the operation and the guarded update
/// of its bucket in one transaction, and nothing else.
pub struct Bare {
    connection: std::sync::Mutex<Connection>,
    lock: File,
}

/// Where Sublet's processes wait for their turn in the file beside a store.
const NEXT: i64 = 1 << 20;

impl Bare {
    /// On the tables that Sublet has made there, whose accounts' buckets are put where they are
    /// not.
    ///
    /// # Panics
    /// If they cannot be opened.
    #[must_use]
    pub fn open(file: &Path, accounts: usize, full: bool) -> Self {
        let lock = File::options()
            .read(true)
            .write(true)
            .open(format!("{}-lock", file.display()))
            .expect("the file of the locks");
        let connection = Connection::open(file).expect("opens");
        connection
            .busy_timeout(Duration::from_secs(5))
            .expect("a time");
        connection
            .execute_batch(if full {
                "PRAGMA synchronous = FULL"
            } else {
                "PRAGMA synchronous = NORMAL"
            })
            .expect("set");
        let bare = Self {
            connection: connection.into(),
            lock,
        };
        bare.locked(|connection| {
            let buckets: i64 = connection.query_row("SELECT count(*) FROM buckets", [], |row| row.get(0)).expect("a count");
            for at in usize::try_from(buckets).unwrap_or(0)..accounts {
                let sql = r#"INSERT INTO buckets VALUES (?1, ?2, '', 'emails', 0, 9223372036854775807, 0, 0, 0, 0, 0, 0, NULL, 0)"#;
                connection.prepare_cached(sql).and_then(|mut put| put.execute(params![i64::try_from(at + 1).expect("few"), account(at)])).expect("a bucket");
            }
        });
        bare
    }

    fn locked<T>(&self, work: impl FnOnce(&Connection) -> T) -> T {
        let connection = self.connection.lock().expect("whole");
        let set = |kind: i32, start: i64| {
            let short = |number: i32| i16::try_from(number).unwrap_or_default();
            let range = libc::flock {
                l_type: short(kind),
                l_whence: short(libc::SEEK_SET),
                l_start: start,
                l_len: 1,
                l_pid: 0,
            };
            fcntl(&self.lock, FcntlArg::F_OFD_SETLKW(&range)).expect("a lock");
        };
        set(libc::F_WRLCK, NEXT);
        set(libc::F_WRLCK, NEXT + 1);
        set(libc::F_UNLCK, NEXT);
        let run = |sql: &str| {
            connection
                .prepare_cached(sql)
                .and_then(|mut statement| statement.raw_execute())
                .expect(sql)
        };
        run("BEGIN IMMEDIATE");
        let done = work(&connection);
        run("COMMIT");
        set(libc::F_UNLCK, NEXT + 1);
        done
    }

    /// Returns the sum of all buckets.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    pub fn used(&self) -> i64 {
        let connection = self.connection.lock().expect("whole");
        connection
            .query_row("SELECT coalesce(sum(used), 0) FROM buckets", [], |row| {
                row.get(0)
            })
            .expect("a sum")
    }
}

impl Counter for Bare {
    fn take(&self, at: usize) {
        let bucket = i64::try_from(at + 1).expect("few");
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        let now = i64::try_from(now).expect("a time");
        self.locked(|connection| {
            let sql = "INSERT INTO operations (kind, at, retain_until, bucket, used, reserved, top_up, refunded, previous, checksum) \
                VALUES (0, ?1, ?1 + 5000000000, ?2, 1, 0, 0, 0, (SELECT last FROM buckets WHERE id = ?2), 0)";
            connection.prepare_cached(sql).and_then(|mut put| put.execute(params![now, bucket])).expect("an operation");
            let sql = "UPDATE buckets SET used = used + 1, operations = operations + 1, last = ?3 WHERE id = ?1 AND used + 1 <= ?2";
            let last = connection.last_insert_rowid();
            let changed = connection.prepare_cached(sql).and_then(|mut update| update.execute(params![bucket, 1_000_000_000, last])).expect("a bucket");
            assert_eq!(changed, 1);
        });
    }
}

/// Takes one unit after the other of accounts that are drawn, for so long: how many, and the
/// longest that one took.
pub fn race(counter: &impl Counter, accounts: usize, time: Duration, seed: u64) -> (u64, Duration) {
    let (mut random, begun, mut count, mut longest) =
        (Random::new(seed), Instant::now(), 0, Duration::ZERO);
    while begun.elapsed() < time {
        let at = random.below(accounts);
        let one = Instant::now();
        counter.take(at);
        longest = longest.max(one.elapsed());
        count += 1;
    }
    (count, longest)
}
