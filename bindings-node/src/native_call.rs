//! A call off the event loop: whether it has started, and its answer.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use napi::Result;
use napi_derive::napi;
use sublet::Error;

use crate::batch::{BatchReply, NativeBatchReply};
use crate::engine::NativeEngine;
use crate::errors::{guarded, internal, raise_text};
use crate::pool::lock;

/// The answer of a call.
pub(crate) enum Reply {
    Text(String),
    Engine(Box<sublet::Engine>),
    Batch(BatchReply),
}

const QUEUED: u8 = 0;
pub(crate) const BEGUN: u8 = 1;
const CANCELLED: u8 = 2;

/// The state of a call, shared by the event loop and the thread that runs the call.
pub(crate) struct CallState {
    phase: AtomicU8,
    /// Whether the call must stop waiting for the store's lock.
    stop: AtomicBool,
    /// The answer, or the text of an error.
    reply: Mutex<Option<std::result::Result<Reply, String>>>,
}

impl CallState {
    pub(crate) fn new() -> Self {
        Self {
            phase: AtomicU8::new(QUEUED),
            stop: AtomicBool::new(false),
            reply: Mutex::new(None),
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(crate) fn set_reply(&self, reply: std::result::Result<Reply, String>) {
        *lock(&self.reply) = Some(reply);
    }

    /// Moves a queued call to another phase. Returns false if it is no longer queued.
    pub(crate) fn move_to(&self, phase: u8) -> bool {
        self.phase
            .compare_exchange(QUEUED, phase, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// A call that was started.
#[napi]
pub struct NativeCall {
    pub(crate) state: Arc<CallState>,
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
    internal("an answer of another kind, or none")
}
