//! Runs calls that may wait on a few threads of the addon, so that Node's pool stays free for files
//! and host names.
//!
//! The answer of a call is put into the reply queue of its environment (the main thread or a
//! worker). The event loop of the environment is woken and fetches the answer. Threads start when
//! calls are queued and end when they are idle. They are never joined, so they keep no process
//! alive.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sublet::Error;

use crate::errors::{binding_panic, error_text};
use crate::native_call::{BEGUN, CallState, Reply};
use crate::reply_queue::ReplyQueue;

const MAX_THREADS: usize = 4;
/// Most threads that run calls which take the store's lock. One thread is left for calls that never
/// take it.
const MAX_WRITERS: usize = 3;
/// Time that an idle thread waits for a call before it ends.
const IDLE_TIME: Duration = Duration::from_secs(5);

pub(crate) type Work = Box<dyn FnOnce() -> std::result::Result<Reply, Error> + Send>;

/// Whether a call may take the store's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallKind {
    Read,
    Write,
}

/// A call that waits for a thread, with all that the thread needs.
pub(crate) struct Job {
    pub(crate) id: f64,
    pub(crate) kind: CallKind,
    pub(crate) call: Arc<CallState>,
    pub(crate) replies: Arc<ReplyQueue>,
    /// Whether the last call of its engine failed with `store.locked`.
    pub(crate) stuck: Arc<AtomicBool>,
    /// When the call was queued.
    pub(crate) queued_at: Instant,
    pub(crate) work: Work,
}

impl Job {
    fn run(self) {
        let Self {
            id,
            call,
            replies,
            stuck,
            queued_at,
            work,
            ..
        } = self;
        if !replies.begin() {
            return;
        }
        if !call.move_to(BEGUN) {
            replies.end(None);
            return;
        }
        let stopped = || call.is_stopped() || replies.is_closed();
        let interruptible = || sublet::with_interrupt(&stopped, work);
        // If the lock is stuck, the time in the queue counts as waiting time, so that waits do not
        // add up.
        let is_stuck = stuck.load(Ordering::Acquire);
        let reply = catch_unwind(AssertUnwindSafe(|| {
            if is_stuck {
                sublet::_started_at(queued_at, interruptible)
            } else {
                interruptible()
            }
        }));
        let reply = reply.unwrap_or_else(|_| Err(binding_panic()));
        stuck.store(
            reply
                .as_ref()
                .is_err_and(|error| error.code() == "store.locked"),
            Ordering::Release,
        );
        call.set_reply(reply.map_err(|error| error_text(&error)));
        replies.end(Some(id));
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads, and the calls that wait for a thread.
pub(crate) struct ThreadPool {
    state: Mutex<PoolState>,
    added: Condvar,
}

struct PoolState {
    reads: VecDeque<Job>,
    writes: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// Number of threads that run calls which may take the store's lock.
    writing: usize,
}

pub(crate) static POOL: ThreadPool = ThreadPool {
    state: Mutex::new(PoolState {
        reads: VecDeque::new(),
        writes: VecDeque::new(),
        threads: 0,
        idle: 0,
        writing: 0,
    }),
    added: Condvar::new(),
};

impl PoolState {
    /// Takes the oldest call that may start now.
    fn next(&mut self) -> Option<Job> {
        let may_write = self.writing < MAX_WRITERS;
        let write = self
            .writes
            .front()
            .filter(|_| may_write)
            .map(|job| job.queued_at);
        let read = self.reads.front().map(|job| job.queued_at);
        match (read, write) {
            (Some(read), Some(write)) if write < read => self.writes.pop_front(),
            (None, Some(_)) => self.writes.pop_front(),
            _ => self.reads.pop_front(),
        }
    }

    /// Returns the number of calls that could start if there were threads.
    fn startable(&self) -> usize {
        self.reads.len().saturating_add(
            self.writes
                .len()
                .min(MAX_WRITERS.saturating_sub(self.writing)),
        )
    }
}

impl ThreadPool {
    /// Adds a call. Fails if there is no thread and none can be started.
    pub(crate) fn add(&'static self, job: Job) -> std::result::Result<(), Error> {
        let mut state = lock(&self.state);
        match job.kind {
            CallKind::Read => state.reads.push_back(job),
            CallKind::Write => state.writes.push_back(job),
        }
        if state.startable() > state.idle && state.threads < MAX_THREADS {
            let spawned = std::thread::Builder::new()
                .name("sublet-call".to_owned())
                .spawn(|| self.serve());
            match spawned {
                Ok(_) => state.threads = state.threads.saturating_add(1),
                // A running thread will take the call.
                Err(_) if state.threads > 0 => {}
                Err(why) => {
                    state.reads.clear();
                    state.writes.clear();
                    return Err(Error::Stream {
                        reason: format!("no thread can be started: {why}"),
                    });
                }
            }
        }
        drop(state);
        self.added.notify_one();
        Ok(())
    }

    /// Runs calls until none came for `IDLE_TIME`.
    fn serve(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(job) = state.next() {
                let writes = job.kind == CallKind::Write;
                if writes {
                    state.writing = state.writing.saturating_add(1);
                }
                drop(state);
                job.run();
                state = lock(&self.state);
                if writes {
                    state.writing = state.writing.saturating_sub(1);
                }
                continue;
            }
            state.idle = state.idle.saturating_add(1);
            let (woken, wait) = self
                .added
                .wait_timeout(state, IDLE_TIME)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle = state.idle.saturating_sub(1);
            if wait.timed_out() && state.startable() == 0 {
                state.threads = state.threads.saturating_sub(1);
                return;
            }
        }
    }

    /// Drops the calls of an environment that have not started.
    pub(crate) fn forget(&self, replies: &Arc<ReplyQueue>) {
        let mut state = lock(&self.state);
        let is_other = |job: &Job| !Arc::ptr_eq(&job.replies, replies);
        state.reads.retain(is_other);
        state.writes.retain(is_other);
    }
}
