//! Group commit over a model of the file, under the interleavings that a model checker explores.
//!
//! The module under test is that of the store, compiled with the primitives of the checker in place
//! of those of the standard library. Callers consume below a limit, write and are refused, and
//! change a version that consumers require. Some commits of the file fail. In every order, each
//! acknowledged unit is committed once and the limit holds.

use std::collections::BTreeSet;

use shuttle::sync::{Arc, Mutex};

#[allow(dead_code, reason = "the model does not use all of it")]
#[path = "../../../core/src/store/sqlite/group_commit.rs"]
mod group_commit;

#[allow(dead_code, reason = "the model does not use all of it")]
#[path = "../../../core/src/util/wait/timed_mutex.rs"]
mod timed_mutex;

/// The primitives of the checker, under the names that the module under test uses.
mod sync {
    pub(crate) use std::sync::{PoisonError, TryLockError};

    pub(crate) use shuttle::sync::atomic::{AtomicUsize, Ordering, fence};
    pub(crate) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard};
}

/// Stands in for `core/src/util/wait`, with a budget that never ends.
mod util {
    pub(crate) mod wait {
        pub(crate) use super::super::timed_mutex::{TimedGuard, TimedMutex};
        pub(crate) use super::super::{WaitBudget, WaitEnd, sync};
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitEnd {
    TimedOut,
}

struct WaitBudget;

impl WaitBudget {
    fn slice(&self) -> Result<std::time::Duration, WaitEnd> {
        Ok(std::time::Duration::from_millis(1))
    }
}

use self::group_commit::{CommitError, CommitTarget, GroupCommit, MemberOutcome};

const LIMIT: usize = 3;

/// The content of the file.
#[derive(Debug, Clone, Default)]
struct Contents {
    operations: BTreeSet<u64>,
    version: u64,
    next: u64,
}

/// A file with one transaction at a time.
#[derive(Debug, Default)]
struct ModelFile {
    committed: Arc<Mutex<Contents>>,
    open: Option<Contents>,
    commits: u32,
    /// The number of the commit that fails, if any.
    fails_at: u32,
}

impl CommitTarget for ModelFile {
    type Fault = &'static str;

    fn begin(&mut self, _full: bool, _budget: &WaitBudget) -> Result<(), Self::Fault> {
        assert!(self.open.is_none(), "a transaction is open");
        self.open = Some(self.committed.lock().expect("locks").clone());
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Self::Fault> {
        self.commits += 1;
        if self.commits == self.fails_at {
            return Err("the disk is full");
        }
        let open = self.open.take().expect("a transaction");
        *self.committed.lock().expect("locks") = open;
        Ok(())
    }

    fn roll_back(&mut self) -> Result<(), Self::Fault> {
        self.open = None;
        Ok(())
    }

    fn end(&mut self, failed: bool) {
        if failed {
            self.open = None;
        }
    }
}

type Writers = GroupCommit<ModelFile>;

fn contents(file: &mut ModelFile) -> &mut Contents {
    file.open.as_mut().expect("a transaction")
}

/// Consumes one unit below the limit, if the version is still that of the caller. Returns the
/// number of the operation.
fn consume(
    writers: &Writers,
    full: bool,
    version: u64,
) -> Result<Option<u64>, CommitError<&'static str>> {
    writers.run(full, &WaitBudget, &mut |file| {
        let contents = contents(file);
        if contents.version != version || contents.operations.len() >= LIMIT {
            return (None, MemberOutcome::Discard { wrote: false });
        }
        let id = contents.next;
        contents.next += 1;
        contents.operations.insert(id);
        (Some(id), MemberOutcome::Keep)
    })
}

/// Consumes one unit and is refused afterwards.
fn refused_batch(writers: &Writers) -> Result<(), CommitError<&'static str>> {
    writers.run(false, &WaitBudget, &mut |file| {
        let contents = contents(file);
        let id = contents.next;
        contents.next += 1;
        contents.operations.insert(id);
        ((), MemberOutcome::Discard { wrote: true })
    })
}

fn change(writers: &Writers) -> Result<(), CommitError<&'static str>> {
    writers.run_alone(
        &WaitBudget,
        &mut |file| {
            contents(file).version += 1;
            ((), MemberOutcome::Keep)
        },
        &mut CommitTarget::commit,
    )
}

/// Runs consumers beside other callers, and compares the acknowledged units with the file.
fn acknowledged_is_committed(fails_at: u32) {
    let committed = Arc::new(Mutex::new(Contents::default()));
    let file = ModelFile {
        committed: Arc::clone(&committed),
        open: None,
        commits: 0,
        fails_at,
    };
    let writers = Arc::new(GroupCommit::new(file));
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let consumers = (0..2).map(|at| {
        let (writers, acknowledged) = (Arc::clone(&writers), Arc::clone(&acknowledged));
        shuttle::thread::spawn(move || {
            for _ in 0..2 {
                for version in 0..2 {
                    if let Ok(Some(id)) = consume(&writers, at == 1, version) {
                        acknowledged.lock().expect("locks").push(id);
                    }
                }
            }
        })
    });
    let mut threads: Vec<_> = consumers.collect();
    let others: [fn(&Writers) -> Result<(), CommitError<&'static str>>; 2] =
        [refused_batch, change];
    threads.extend(others.map(|other| {
        let writers = Arc::clone(&writers);
        shuttle::thread::spawn(move || drop(other(&writers)))
    }));
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("joins"));
    let acknowledged = acknowledged.lock().expect("locks").clone();
    let distinct: BTreeSet<u64> = acknowledged.iter().copied().collect();
    assert_eq!(
        distinct.len(),
        acknowledged.len(),
        "an operation is acknowledged once"
    );
    let committed = committed.lock().expect("locks").operations.clone();
    assert_eq!(
        distinct, committed,
        "what is acknowledged is committed, and nothing else is"
    );
    assert!(committed.len() <= LIMIT, "the limit holds");
}

fn tries() -> usize {
    std::env::var("SUBLET_INTERLEAVINGS")
        .ok()
        .and_then(|tries| tries.parse().ok())
        .unwrap_or(2_000)
}

#[test]
fn acknowledged_units_are_committed() {
    shuttle::check_random(|| acknowledged_is_committed(0), tries());
}

#[test]
fn failed_commit_acknowledges_nothing() {
    shuttle::check_random(|| acknowledged_is_committed(2), tries());
}

#[test]
fn rare_interleavings_lose_nothing() {
    shuttle::check_pct(|| acknowledged_is_committed(0), tries(), 3);
}
