//! Group commit: threads that come while a transaction is open join it, and are answered when it is
//! committed.
//!
//! The first caller begins a transaction and does its part. Whoever arrives meanwhile does its part
//! in the same transaction. The last one that has arrived commits. Should a caller have to take
//! back what it wrote, the transaction is rolled back and all other callers repeat their parts: a
//! part is a closure that returns its value, and only the value of the run that was committed is
//! answered.

use std::time::{Duration, Instant};

use crate::util::wait::sync::{
    Arc, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, PoisonError,
};
use crate::util::wait::{TimedGuard, TimedMutex, WaitBudget, WaitEnd};

/// How many calls share one commit, and how long they wait for it: other processes want their turn
/// too.
const MAX_GROUP_MEMBERS: u32 = 100;
const MAX_GROUP_AGE: Duration = Duration::from_millis(5);

/// How long a member waits before it looks whether somebody is left to commit: whoever was arriving
/// may have given up.
const ORPHAN_CHECK: Duration = Duration::from_millis(20);

/// The database as the group commit uses it.
pub(super) trait CommitTarget {
    /// Why a step failed.
    type Fault: Clone;

    /// Takes the write lock and begins a transaction, durable through power loss if `full`.
    fn begin(&mut self, full: bool, budget: &WaitBudget) -> Result<(), Self::Fault>;
    /// Commits. A fault leaves the outcome to what it says.
    fn commit(&mut self) -> Result<(), Self::Fault>;
    /// Takes back what the transaction wrote.
    fn roll_back(&mut self) -> Result<(), Self::Fault>;
    /// Releases the write lock. If `failed`, what is left of the transaction is unknown and the
    /// connection is given up.
    fn end(&mut self, failed: bool);
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CommitError<F> {
    /// A step failed.
    Fault(F),
    /// The caller waited in vain for another thread of this process. Nothing was written.
    Waited(WaitEnd),
    /// The transaction is still being committed when the budget is spent. Nobody knows whether it
    /// will be.
    Unknown,
}

impl<F> From<F> for CommitError<F> {
    fn from(fault: F) -> Self {
        Self::Fault(fault)
    }
}

/// How a caller's part ended.
#[derive(Debug, Clone)]
pub(super) enum Outcome<F> {
    /// Its writes are to be committed.
    Keep,
    /// It is refused or failed; `wrote` says whether it wrote before.
    Discard { wrote: bool },
    /// Nobody knows what is left of the transaction.
    Broken(F),
}

/// One caller's part.
pub(super) type Part<'p, T, V, F> = &'p mut dyn FnMut(&mut T) -> (V, Outcome<F>);

/// Why a part is not in the file.
#[derive(Debug, Clone)]
enum GroupError<F> {
    Failed(F),
    /// Another caller's part had to be taken back.
    Retry,
}

/// How a transaction ended.
type GroupResult<F> = Result<(), GroupError<F>>;

/// The end of a transaction, for those who wait for it.
#[derive(Debug)]
struct CommitSignal<F> {
    result: Mutex<Option<GroupResult<F>>>,
    set: Condvar,
}

impl<F: Clone> CommitSignal<F> {
    fn new() -> Self {
        Self {
            result: Mutex::new(None),
            set: Condvar::new(),
        }
    }

    fn result(&self) -> MutexGuard<'_, Option<Result<(), GroupError<F>>>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, result: Result<(), GroupError<F>>) {
        *self.result() = Some(result);
        self.set.notify_all();
    }
}

/// A transaction that is open.
struct Group<F> {
    end: Arc<CommitSignal<F>>,
    members: u32,
    started_at: Instant,
    durable: bool,
}

/// The database, and the transaction that is open on it.
struct ConnectionSlot<T: CommitTarget> {
    target: T,
    group: Option<Group<T::Fault>>,
}

/// Callers of one process that share transactions.
pub(super) struct GroupCommit<T: CommitTarget> {
    desk: TimedMutex<ConnectionSlot<T>>,
    /// Callers that have come and wait for the desk.
    waiting_callers: AtomicUsize,
}

enum Attempt<V> {
    Done(V),
    Repeat,
}

impl<T: CommitTarget> GroupCommit<T> {
    pub(super) fn new(target: T) -> Self {
        Self {
            desk: TimedMutex::new(ConnectionSlot {
                target,
                group: None,
            }),
            waiting_callers: AtomicUsize::new(0),
        }
    }

    /// The database, for whoever owns the group commit.
    pub(super) fn target_mut(&mut self) -> &mut T {
        &mut self.desk.get_mut().target
    }

    /// Runs a part in a transaction, perhaps with those of others, and returns its value once that
    /// is committed.
    pub(super) fn run<V>(
        &self,
        durable: bool,
        budget: &WaitBudget,
        part: Part<'_, T, V, T::Fault>,
    ) -> Result<V, CommitError<T::Fault>> {
        // A part that another caller's refusal has undone is repeated alone: nobody can undo it
        // again.
        let mut alone = false;
        loop {
            match self.attempt(durable, alone, budget, part)? {
                Attempt::Done(value) => return Ok(value),
                Attempt::Repeat => alone = true,
            }
        }
    }

    /// Runs a part in a transaction of its own, which `commit` commits.
    pub(super) fn run_alone<V>(
        &self,
        budget: &WaitBudget,
        part: Part<'_, T, V, T::Fault>,
        commit: &mut dyn FnMut(&mut T) -> Result<(), T::Fault>,
    ) -> Result<V, CommitError<T::Fault>> {
        let mut desk = self.desk(budget)?;
        desk.commit_or_fail();
        desk.begin(true, budget)?;
        let (value, outcome) = part(&mut desk.target);
        match outcome {
            Outcome::Broken(fault) => desk.close(Err(GroupError::Failed(fault))),
            Outcome::Discard { .. } => desk.roll_back(Ok(()))?,
            Outcome::Keep => {
                let committed = commit(&mut desk.target);
                desk.close(committed.clone().map_err(GroupError::Failed));
                committed?;
            }
        }
        Ok(value)
    }

    fn attempt<V>(
        &self,
        durable: bool,
        alone: bool,
        budget: &WaitBudget,
        part: Part<'_, T, V, T::Fault>,
    ) -> Result<Attempt<V>, CommitError<T::Fault>> {
        let mut desk = self.desk(budget)?;
        if alone || durable && desk.group.as_ref().is_some_and(|group| !group.durable) {
            desk.commit_or_fail();
        }
        let is_first = desk.group.is_none();
        if is_first {
            desk.begin(durable, budget)?;
        }
        let (value, outcome) = part(&mut desk.target);
        match outcome {
            Outcome::Broken(fault) => {
                desk.close(Err(GroupError::Failed(fault)));
                return Ok(Attempt::Done(value));
            }
            Outcome::Discard { .. } if is_first => {
                desk.roll_back(Ok(()))?;
                return Ok(Attempt::Done(value));
            }
            Outcome::Discard { wrote: true } => {
                // Its reason may be a write of another caller that is rolled back with it: so it
                // repeats its part, too.
                desk.roll_back(Err(GroupError::Retry))?;
                return Ok(Attempt::Repeat);
            }
            // A part that is refused waits for the commit, too: the writes that it was refused for
            // must be durable first.
            Outcome::Keep | Outcome::Discard { wrote: false } => {}
        }
        let Some(group) = &mut desk.group else {
            return Ok(Attempt::Repeat);
        };
        let end = Arc::clone(&group.end);
        group.members = group.members.saturating_add(1);
        let is_full =
            group.members >= MAX_GROUP_MEMBERS || group.started_at.elapsed() >= MAX_GROUP_AGE;
        // Whoever is arriving comes to the desk, and commits if nobody comes after.
        if alone || is_full || self.waiting_callers.load(Ordering::SeqCst) == 0 {
            desk.commit_or_fail();
        }
        drop(desk);
        match self.wait(&end, budget)? {
            Ok(()) => Ok(Attempt::Done(value)),
            Err(GroupError::Retry) => Ok(Attempt::Repeat),
            Err(GroupError::Failed(fault)) => Err(CommitError::Fault(fault)),
        }
    }

    fn desk(
        &self,
        budget: &WaitBudget,
    ) -> Result<TimedGuard<'_, ConnectionSlot<T>>, CommitError<T::Fault>> {
        self.waiting_callers.fetch_add(1, Ordering::SeqCst);
        let desk = self.desk.lock(budget);
        self.waiting_callers.fetch_sub(1, Ordering::SeqCst);
        desk.map_err(CommitError::Waited)
    }

    /// Waits until the transaction has ended.
    fn wait(
        &self,
        end: &Arc<CommitSignal<T::Fault>>,
        budget: &WaitBudget,
    ) -> Result<GroupResult<T::Fault>, CommitError<T::Fault>> {
        loop {
            let result = end.result();
            if let Some(result) = &*result {
                return Ok(result.clone());
            }
            let (result, _) = end
                .set
                .wait_timeout(result, ORPHAN_CHECK)
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(result) = &*result {
                return Ok(result.clone());
            }
            drop(result);
            if let Some(mut desk) = self.desk.try_lock() {
                // Whoever was arriving may have given up: then nobody else is left to commit.
                if desk
                    .group
                    .as_ref()
                    .is_some_and(|group| Arc::ptr_eq(&group.end, end))
                {
                    desk.commit_or_fail();
                }
            } else if budget.slice() == Err(WaitEnd::TimedOut) {
                // A caller that has begun is not interrupted any more, but its wait is bounded.
                return Err(CommitError::Unknown);
            }
        }
    }
}

impl<T: CommitTarget> ConnectionSlot<T> {
    fn begin(&mut self, full: bool, budget: &WaitBudget) -> Result<(), T::Fault> {
        self.target.begin(full, budget)?;
        self.group = Some(Group {
            end: Arc::new(CommitSignal::new()),
            members: 0,
            started_at: Instant::now(),
            durable: full,
        });
        Ok(())
    }

    /// Commits the transaction, if one is open.
    fn commit_or_fail(&mut self) {
        if self.group.is_some() {
            let committed = self.target.commit();
            self.close(committed.map_err(GroupError::Failed));
        }
    }

    /// Ends the transaction without its commit; `said` is what its other callers are told.
    fn roll_back(&mut self, said: Result<(), GroupError<T::Fault>>) -> Result<(), T::Fault> {
        let rolled_back = self.target.roll_back();
        self.close(rolled_back.clone().map_err(GroupError::Failed).and(said));
        rolled_back
    }

    /// Releases the write lock and tells those who wait how the transaction ended.
    fn close(&mut self, result: Result<(), GroupError<T::Fault>>) {
        let Some(group) = self.group.take() else {
            return;
        };
        self.target
            .end(matches!(result, Err(GroupError::Failed(_))));
        group.end.set(result);
    }
}
