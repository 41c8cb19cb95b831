//! The answers of one environment (the main thread or a worker) on their way to its event loop, and
//! the end of the environment.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::{Duration, Instant};

use napi::bindgen_prelude::{Env, Function, Unknown};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Result, Status};
use napi_derive::napi;

use crate::errors::guarded;
use crate::log::OpenLog;
use crate::native_call::{CallState, NativeCall};
use crate::pool::{CallKind, Job, POOL, Work, lock};

/// Time that the end of an environment waits for calls that have started.
const CALLS_AT_EXIT: Duration = Duration::from_millis(300);
/// Time that the end of an environment waits for all its logs together.
pub(crate) const LOGS_AT_EXIT: Duration = Duration::from_millis(1500);

type Wake = ThreadsafeFunction<(), Unknown<'static>, (), Status, false, true, 0>;

/// The answers of one environment that are not fetched yet, and its logs.
pub(crate) struct ReplyQueue {
    state: Mutex<ReplyState>,
    logs: Mutex<Vec<Weak<OpenLog>>>,
    /// Notified when a call ends.
    ended: Condvar,
}

struct ReplyState {
    /// The numbers of the calls that have ended and are not fetched yet.
    ready: Vec<f64>,
    running: usize,
    /// Wakes the event loop; `None` once the environment ends.
    wake: Option<Wake>,
}

impl ReplyQueue {
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).wake.is_none()
    }

    /// Counts a call that starts, unless the environment is ending.
    pub(crate) fn begin(&self) -> bool {
        let mut state = lock(&self.state);
        let open = state.wake.is_some();
        state.running = state.running.saturating_add(usize::from(open));
        open
    }

    /// Counts a call that has ended, and announces its answer.
    pub(crate) fn end(&self, id: Option<f64>) {
        let mut state = lock(&self.state);
        state.running = state.running.saturating_sub(1);
        if let Some(id) = id {
            state.ready.push(id);
            // An earlier answer has woken the event loop already, which will fetch both.
            if let (1, Some(wake)) = (state.ready.len(), &state.wake) {
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
            .wait_timeout_while(state, CALLS_AT_EXIT, |state| state.running > 0);
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
            log.close(LOGS_AT_EXIT.saturating_sub(begun.elapsed()));
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
            ready: Vec::new(),
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
        std::mem::take(&mut lock(&self.inner.state).ready)
    }

    /// Sets whether missing answers keep the event loop alive.
    #[napi]
    #[allow(
        deprecated,
        reason = "the replacement clones the function, which is weak and keeps nothing alive"
    )]
    pub fn keep_alive(&self, env: Env, on: bool) -> Result<()> {
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
    pub(crate) fn register_log(&self, log: &Arc<OpenLog>) {
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
            let call = Arc::new(CallState::new());
            let job = Job {
                id,
                kind,
                call: Arc::clone(&call),
                replies: Arc::clone(&self.inner),
                stuck: Arc::clone(stuck),
                queued_at: Instant::now(),
                work,
            };
            POOL.add(job)?;
            Ok(NativeCall { state: call })
        })
    }
}
