//! Group commit: threads that arrive while a transaction is open join it and return when it is
//! committed.
//!
//! The first caller begins a transaction and runs its part. Callers that arrive meanwhile run their
//! parts in the same transaction. The last caller that has arrived commits. If one caller must undo
//! its writes, the transaction is rolled back and all other callers repeat their parts. A part is a
//! closure that returns its value, and only the value of the committed run is returned.

use std::time::{Duration, Instant};

use crate::util::wait::sync::{
    Arc, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, PoisonError,
};
use crate::util::wait::{TimedGuard, TimedMutex, WaitBudget, WaitEnd};

/// The greatest number of calls in one commit, and the longest wait for it. Other processes need
/// the write lock too.
const MAX_GROUP_MEMBERS: u32 = 100;
const MAX_GROUP_AGE: Duration = Duration::from_millis(5);

/// The time after which a member checks whether a caller is left to commit. The caller that was
/// arriving may have given up.
const ORPHAN_CHECK: Duration = Duration::from_millis(20);

/// The database as the group commit uses it.
pub(super) trait CommitTarget {
    /// The reason why a step failed.
    type Fault: Clone;

    /// Takes the write lock and begins a transaction, durable through power loss if `full`.
    fn begin(&mut self, full: bool, budget: &WaitBudget) -> Result<(), Self::Fault>;
    /// Commits the transaction. The fault says whether the outcome is known.
    fn commit(&mut self) -> Result<(), Self::Fault>;
    /// Rolls back the transaction.
    fn roll_back(&mut self) -> Result<(), Self::Fault>;
    /// Releases the write lock. If `failed`, the state of the transaction is unknown and the
    /// connection is closed.
    fn end(&mut self, failed: bool);
}

/// The reason why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CommitError<F> {
    /// A step failed.
    Fault(F),
    /// The caller waited in vain for another thread of this process. Nothing was written.
    Waited(WaitEnd),
    /// The budget was spent while the transaction was being committed. The outcome is unknown.
    Unknown,
}

impl<F> From<F> for CommitError<F> {
    fn from(fault: F) -> Self {
        Self::Fault(fault)
    }
}

/// The outcome of a caller's part.
#[derive(Debug, Clone)]
pub(super) enum MemberOutcome<F> {
    /// The writes of the part must be committed.
    Keep,
    /// The part was denied or failed. `wrote` says whether it wrote before.
    Discard { wrote: bool },
    /// The state of the transaction is unknown.
    Broken(F),
}

/// A caller's part of a transaction.
pub(super) type MemberBody<'p, T, V, F> = &'p mut dyn FnMut(&mut T) -> (V, MemberOutcome<F>);

/// The reason why a part was not committed.
#[derive(Debug, Clone)]
enum GroupError<F> {
    Failed(F),
    /// Another caller's part had to be rolled back.
    Retry,
}

/// The result of a transaction.
type GroupResult<F> = Result<(), GroupError<F>>;

/// The signal that wakes the members of a transaction when it ends.
#[derive(Debug)]
struct CommitSignal<F> {
    state: Mutex<SignalState<F>>,
    set: Condvar,
}

#[derive(Debug)]
struct SignalState<F> {
    result: Option<GroupResult<F>>,
    /// Whether a member has begun to wait. To wake nobody would cost a system call.
    is_awaited: bool,
}

impl<F: Clone> CommitSignal<F> {
    fn new() -> Self {
        Self {
            state: Mutex::new(SignalState {
                result: None,
                is_awaited: false,
            }),
            set: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, SignalState<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, result: GroupResult<F>) {
        let mut state = self.lock();
        state.result = Some(result);
        if state.is_awaited {
            self.set.notify_all();
        }
    }
}

/// An open transaction and its members.
struct OpenGroup<F> {
    end: Arc<CommitSignal<F>>,
    members: u32,
    started_at: Instant,
    durable: bool,
}

/// The connection slot: the database, and the transaction that is open on it.
struct ConnectionSlot<T: CommitTarget> {
    target: T,
    group: Option<OpenGroup<T::Fault>>,
}

/// The group commit of one process, whose callers share transactions.
pub(super) struct GroupCommit<T: CommitTarget> {
    slot: TimedMutex<ConnectionSlot<T>>,
    /// The number of callers that wait for the connection slot.
    waiting_callers: AtomicUsize,
}

enum MemberAttempt<V> {
    Done(V),
    Repeat,
}

impl<T: CommitTarget> GroupCommit<T> {
    pub(super) fn new(target: T) -> Self {
        Self {
            slot: TimedMutex::new(ConnectionSlot {
                target,
                group: None,
            }),
            waiting_callers: AtomicUsize::new(0),
        }
    }

    /// Returns the database, for the owner of the group commit.
    pub(super) fn target_mut(&mut self) -> &mut T {
        &mut self.slot.get_mut().target
    }

    /// Runs a part in a transaction, which other callers may share. Returns the part's value after
    /// the commit.
    pub(super) fn run<V>(
        &self,
        durable: bool,
        budget: &WaitBudget,
        part: MemberBody<'_, T, V, T::Fault>,
    ) -> Result<V, CommitError<T::Fault>> {
        // A part that was rolled back with another caller's part runs alone next, so that no other
        // caller can roll it back again.
        let mut alone = false;
        loop {
            match self.attempt(durable, alone, budget, part)? {
                MemberAttempt::Done(value) => return Ok(value),
                MemberAttempt::Repeat => alone = true,
            }
        }
    }

    /// Runs a part in its own transaction, which `commit` commits.
    pub(super) fn run_alone<V>(
        &self,
        budget: &WaitBudget,
        part: MemberBody<'_, T, V, T::Fault>,
        commit: &mut dyn FnMut(&mut T) -> Result<(), T::Fault>,
    ) -> Result<V, CommitError<T::Fault>> {
        let mut slot = self.lock_slot(budget)?;
        slot.commit_or_fail();
        slot.begin(true, budget)?;
        let (value, outcome) = part(&mut slot.target);
        match outcome {
            MemberOutcome::Broken(fault) => slot.close(Err(GroupError::Failed(fault))),
            MemberOutcome::Discard { .. } => slot.roll_back(Ok(()))?,
            MemberOutcome::Keep => {
                let committed = commit(&mut slot.target);
                slot.close(committed.clone().map_err(GroupError::Failed));
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
        part: MemberBody<'_, T, V, T::Fault>,
    ) -> Result<MemberAttempt<V>, CommitError<T::Fault>> {
        let mut slot = self.lock_slot(budget)?;
        if alone || durable && slot.group.as_ref().is_some_and(|group| !group.durable) {
            slot.commit_or_fail();
        }
        let is_first = slot.group.is_none();
        if is_first {
            slot.begin(durable, budget)?;
        }
        let (value, outcome) = part(&mut slot.target);
        match outcome {
            MemberOutcome::Broken(fault) => {
                slot.close(Err(GroupError::Failed(fault)));
                return Ok(MemberAttempt::Done(value));
            }
            MemberOutcome::Discard { .. } if is_first => {
                slot.roll_back(Ok(()))?;
                return Ok(MemberAttempt::Done(value));
            }
            MemberOutcome::Discard { wrote: true } => {
                // The reason for the denial may be another caller's write that is rolled back too,
                // so this caller repeats its part.
                slot.roll_back(Err(GroupError::Retry))?;
                return Ok(MemberAttempt::Repeat);
            }
            // Wait for the commit even if this caller was denied. Its denial depends on writes of
            // the same transaction, which must be durable first.
            MemberOutcome::Keep | MemberOutcome::Discard { wrote: false } => {}
        }
        let Some(group) = &mut slot.group else {
            return Ok(MemberAttempt::Repeat);
        };
        let end = Arc::clone(&group.end);
        group.members = group.members.saturating_add(1);
        let is_full =
            group.members >= MAX_GROUP_MEMBERS || group.started_at.elapsed() >= MAX_GROUP_AGE;
        // A caller that is arriving takes the connection slot next, and commits if no caller
        // follows.
        if alone || is_full || self.waiting_callers.load(Ordering::SeqCst) == 0 {
            slot.commit_or_fail();
        }
        drop(slot);
        match self.wait(&end, budget)? {
            Ok(()) => Ok(MemberAttempt::Done(value)),
            Err(GroupError::Retry) => Ok(MemberAttempt::Repeat),
            Err(GroupError::Failed(fault)) => Err(CommitError::Fault(fault)),
        }
    }

    fn lock_slot(
        &self,
        budget: &WaitBudget,
    ) -> Result<TimedGuard<'_, ConnectionSlot<T>>, CommitError<T::Fault>> {
        self.waiting_callers.fetch_add(1, Ordering::SeqCst);
        let slot = self.slot.lock(budget);
        self.waiting_callers.fetch_sub(1, Ordering::SeqCst);
        slot.map_err(CommitError::Waited)
    }

    /// Waits until the transaction has ended.
    fn wait(
        &self,
        end: &Arc<CommitSignal<T::Fault>>,
        budget: &WaitBudget,
    ) -> Result<GroupResult<T::Fault>, CommitError<T::Fault>> {
        loop {
            let mut state = end.lock();
            if let Some(result) = &state.result {
                return Ok(result.clone());
            }
            state.is_awaited = true;
            let (state, _) = end
                .set
                .wait_timeout(state, ORPHAN_CHECK)
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(result) = &state.result {
                return Ok(result.clone());
            }
            drop(state);
            if let Some(mut slot) = self.slot.try_lock() {
                // The caller that was arriving may have given up, and then no other thread is left
                // to commit.
                if slot
                    .group
                    .as_ref()
                    .is_some_and(|group| Arc::ptr_eq(&group.end, end))
                {
                    slot.commit_or_fail();
                }
            } else if budget.slice() == Err(WaitEnd::TimedOut) {
                // A caller that has begun is not interrupted, but its wait is bounded.
                return Err(CommitError::Unknown);
            }
        }
    }
}

impl<T: CommitTarget> ConnectionSlot<T> {
    fn begin(&mut self, full: bool, budget: &WaitBudget) -> Result<(), T::Fault> {
        self.target.begin(full, budget)?;
        self.group = Some(OpenGroup {
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

    /// Rolls back the transaction. `result` is the result for its other callers.
    fn roll_back(&mut self, result: Result<(), GroupError<T::Fault>>) -> Result<(), T::Fault> {
        let rolled_back = self.target.roll_back();
        self.close(rolled_back.clone().map_err(GroupError::Failed).and(result));
        rolled_back
    }

    /// Releases the write lock and sends the result to the waiting members.
    fn close(&mut self, result: Result<(), GroupError<T::Fault>>) {
        let Some(group) = self.group.take() else {
            return;
        };
        self.target
            .end(matches!(result, Err(GroupError::Failed(_))));
        group.end.set(result);
    }
}
