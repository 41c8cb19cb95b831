//! Runs calls that may wait on a few threads of the addon, so that Node's pool stays free for files
//! and host names.
//!
//! The answer of a call is put into the reply queue of its environment (the main thread or a
//! worker). The event loop of the environment is woken and fetches the answer. Threads start when
//! calls are queued and end when they are idle. They are never joined, so they keep no process
//! alive.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use napi::bindgen_prelude::{Env, Function, Unknown};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Result, Status};
use napi_derive::napi;
use sublet::Error;

use crate::batch::{BatchReply, NativeBatchReply};
use crate::log::OpenLog;
use crate::{NativeEngine, error_text, guarded, raise_text};

const MAX_THREADS: usize = 4;
/// Most threads that run calls which take the store's lock. One thread is left for calls that never
/// take it.
const MAX_WRITERS: usize = 3;
/// Time that an idle thread waits for a call before it ends.
const IDLE_TIME: Duration = Duration::from_secs(5);
/// Time that the end of an environment waits for calls that have started.
const AT_THE_END: Duration = Duration::from_millis(300);
/// Time that the end of an environment waits for all its logs together.
const LOGS_AT_THE_END: Duration = Duration::from_millis(1500);

/// The result of a call.
pub(crate) enum Reply {
    Text(String),
    Engine(Box<sublet::Engine>),
    Batch(BatchReply),
}

pub(crate) type Work = Box<dyn FnOnce() -> std::result::Result<Reply, Error> + Send>;

/// Whether a call may take the store's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallKind {
    Read,
    Write,
}

const QUEUED: u8 = 0;
const BEGUN: u8 = 1;
const CANCELLED: u8 = 2;

/// The state of a call, shared by the event loop and the thread that runs the call.
struct CallState {
    phase: AtomicU8,
    /// Whether the call must stop waiting for the store's lock.
    stop: AtomicBool,
    /// The answer, or the text of an error.
    reply: Mutex<Option<std::result::Result<Reply, String>>>,
}

impl CallState {
    fn move_to(&self, phase: u8) -> bool {
        self.phase
            .compare_exchange(QUEUED, phase, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

struct Job {
    id: f64,
    kind: CallKind,
    call: Arc<CallState>,
    replies: Arc<ReplyQueue>,
    /// Whether the last call of its engine failed with `store.locked`.
    stuck: Arc<AtomicBool>,
    asked: Instant,
    work: Work,
}

impl Job {
    fn run(self) {
        let Self {
            id,
            call,
            replies,
            stuck,
            asked,
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
        let stopped = || call.stop.load(Ordering::Acquire) || replies.is_closed();
        let waits = || sublet::with_interrupt(&stopped, work);
        // If the lock is stuck, the time in the queue counts as waiting time, so that waits do not
        // add up.
        let is_stuck = stuck.load(Ordering::Acquire);
        let done = catch_unwind(AssertUnwindSafe(|| {
            if is_stuck {
                sublet::_started_at(asked, waits)
            } else {
                waits()
            }
        }));
        let reply = done.unwrap_or_else(|_| {
            Err(Error::Panic {
                reason: "a panic in the binding".to_owned(),
            })
        });
        stuck.store(
            reply
                .as_ref()
                .is_err_and(|error| error.code() == "store.locked"),
            Ordering::Release,
        );
        *lock(&call.reply) = Some(reply.map_err(|error| error_text(&error)));
        replies.end(Some(id));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads, and the calls that wait for a thread.
struct ThreadPool {
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

static POOL: ThreadPool = ThreadPool {
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
            .map(|job| job.asked);
        let read = self.reads.front().map(|job| job.asked);
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
    fn add(&'static self, job: Job) -> std::result::Result<(), Error> {
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
    fn forget(&self, replies: &Arc<ReplyQueue>) {
        let mut state = lock(&self.state);
        let is_other = |job: &Job| !Arc::ptr_eq(&job.replies, replies);
        state.reads.retain(is_other);
        state.writes.retain(is_other);
    }
}

type Wake = ThreadsafeFunction<(), Unknown<'static>, (), Status, false, true, 0>;

/// The answers of one environment that are not fetched yet, and its logs.
struct ReplyQueue {
    state: Mutex<ReplyState>,
    logs: Mutex<Vec<Weak<OpenLog>>>,
    /// Notified when a call ends.
    ended: Condvar,
}

struct ReplyState {
    done: Vec<f64>,
    running: usize,
    /// Wakes the event loop; `None` once the environment ends.
    wake: Option<Wake>,
}

impl ReplyQueue {
    fn is_closed(&self) -> bool {
        lock(&self.state).wake.is_none()
    }

    /// Counts a call that starts, unless the environment is ending.
    fn begin(&self) -> bool {
        let mut state = lock(&self.state);
        let open = state.wake.is_some();
        state.running = state.running.saturating_add(usize::from(open));
        open
    }

    /// Counts a call that has ended, and announces its answer.
    fn end(&self, id: Option<f64>) {
        let mut state = lock(&self.state);
        state.running = state.running.saturating_sub(1);
        if let Some(id) = id {
            state.done.push(id);
            // An earlier answer has woken the event loop already, which will fetch both.
            if let (1, Some(wake)) = (state.done.len(), &state.wake) {
                wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }
        }
        drop(state);
        self.ended.notify_all();
    }

    /// Ends the environment: no call starts any more, and running calls get a short time to end.
    fn close(self: &Arc<Self>) {
        let wake = lock(&self.state).wake.take();
        drop(wake);
        POOL.forget(self);
        let state = lock(&self.state);
        let _ = self
            .ended
            .wait_timeout_while(state, AT_THE_END, |state| state.running > 0);
        self.close_logs();
    }

    /// Closes the open logs, and waits once for all of them. Engines that are freed afterwards do
    /// not wait again.
    fn close_logs(&self) {
        let begun = Instant::now();
        let logs: Vec<_> = lock(&self.logs)
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|log| !log.is_closed())
            .collect();
        for log in &logs {
            log.close(Duration::ZERO);
        }
        for log in logs {
            log.close(LOGS_AT_THE_END.saturating_sub(begun.elapsed()));
        }
    }
}

/// The reply queue of this environment; see `calls.js`.
#[napi]
pub struct NativeReplies {
    inner: Arc<ReplyQueue>,
}

#[napi]
impl NativeReplies {
    /// `wake` is called on the event loop when there is something to fetch.
    #[napi(constructor)]
    pub fn new(env: Env, wake: Function<'_, (), Unknown<'static>>) -> Result<Self> {
        let wake = wake
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .callee_handled::<false>()
            .build()?;
        let state = ReplyState {
            done: Vec::new(),
            running: 0,
            wake: Some(wake),
        };
        let inner = Arc::new(ReplyQueue {
            state: Mutex::new(state),
            logs: Mutex::new(Vec::new()),
            ended: Condvar::new(),
        });
        // Hooks run in reverse order, so the function above still exists then.
        env.add_env_cleanup_hook(Arc::clone(&inner), |replies| replies.close())?;
        Ok(Self { inner })
    }

    /// Returns the numbers of the calls that have ended.
    #[napi]
    pub fn fetch(&self) -> Vec<f64> {
        std::mem::take(&mut lock(&self.inner.state).done)
    }

    /// Sets whether missing answers keep the event loop alive.
    #[napi]
    #[allow(
        deprecated,
        reason = "the replacement clones the function, which is weak and keeps nothing alive"
    )]
    pub fn hold(&self, env: Env, on: bool) -> Result<()> {
        let mut state = lock(&self.inner.state);
        let Some(wake) = state.wake.as_mut() else {
            return Ok(());
        };
        if on {
            wake.refer(&env)
        } else {
            wake.unref(&env)
        }
    }
}

impl NativeReplies {
    /// Registers a log that is closed at the end of this environment.
    pub(crate) fn keep_log(&self, log: &Arc<OpenLog>) {
        let mut logs = lock(&self.inner.logs);
        logs.retain(|known| known.strong_count() > 0);
        logs.push(Arc::downgrade(log));
    }

    /// Runs the work on a thread. Its answer is fetched under this number.
    pub(crate) fn start(
        &self,
        id: f64,
        kind: CallKind,
        stuck: &Arc<AtomicBool>,
        work: Work,
    ) -> Result<NativeCall> {
        guarded(|| {
            let call = Arc::new(CallState {
                phase: AtomicU8::new(QUEUED),
                stop: AtomicBool::new(false),
                reply: Mutex::new(None),
            });
            let job = Job {
                id,
                kind,
                call: Arc::clone(&call),
                replies: Arc::clone(&self.inner),
                stuck: Arc::clone(stuck),
                asked: Instant::now(),
                work,
            };
            POOL.add(job)?;
            Ok(NativeCall { state: call })
        })
    }
}

/// A call that was started.
#[napi]
pub struct NativeCall {
    state: Arc<CallState>,
}

#[napi]
impl NativeCall {
    /// Cancels the call. Returns true if it had not started. A started call continues, unless it
    /// waits for the store's lock.
    #[napi]
    pub fn cancel(&self) -> bool {
        self.state.stop.store(true, Ordering::Release);
        self.state.move_to(CANCELLED)
    }

    #[napi]
    pub fn text(&self) -> Result<String> {
        match self.reply()? {
            Reply::Text(text) => Ok(text),
            _ => guarded(|| Err(unexpected())),
        }
    }

    #[napi]
    pub fn engine(&self) -> Result<NativeEngine> {
        match self.reply()? {
            Reply::Engine(engine) => Ok(NativeEngine {
                inner: Arc::new(*engine),
                stuck: Arc::default(),
            }),
            _ => guarded(|| Err(unexpected())),
        }
    }

    #[napi]
    pub fn answered(&self) -> Result<NativeBatchReply> {
        match self.reply()? {
            Reply::Batch(answers) => Ok(answers.into()),
            _ => guarded(|| Err(unexpected())),
        }
    }
}

impl NativeCall {
    fn reply(&self) -> Result<Reply> {
        match lock(&self.state.reply).take() {
            Some(reply) => reply.map_err(raise_text),
            None => guarded(|| Err(unexpected())),
        }
    }
}

fn unexpected() -> Error {
    Error::Panic {
        reason: "an answer of another kind, or none".to_owned(),
    }
}
