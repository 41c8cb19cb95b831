//! The engine behind `Engine` of `index.js`: opening it, its calls at once, and its calls off the
//! event loop.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use napi::Result;
use napi::bindgen_prelude::{Env, Uint8Array, Uint32Array};
use napi_derive::napi;
use sublet::Clock;

use crate::batch::{self, NativeBatchReply};
use crate::call_buffers::NativeCallBuffers;
use crate::clock::NativeClock;
use crate::dispatch::{call_kind, dispatch, unknown_verb};
use crate::errors::guarded;
use crate::import::{NativeWatch, import_file};
use crate::json::{exact_text, read, text_of};
use crate::native_call::{NativeCall, Reply};
use crate::options::OptionsJson;
use crate::pool::CallKind;
use crate::reply_queue::NativeReplies;
use crate::{napi_raw, quota, reads};

/// The engine behind `Engine` of `index.js`.
#[napi]
pub struct NativeEngine {
    pub(crate) inner: Arc<sublet::Engine>,
    /// Whether the last call off the event loop failed with `store.locked`.
    pub(crate) stuck: Arc<AtomicBool>,
}

/// An engine with logs waits for them when it is freed. A separate thread waits, so that the event
/// loop does not.
impl Drop for NativeEngine {
    fn drop(&mut self) {
        if self.inner.is_observed() {
            let engine = Arc::clone(&self.inner);
            // If no thread starts, the engine is freed here.
            let _ = std::thread::Builder::new()
                .name("sublet-end".to_owned())
                .spawn(move || engine._close_logs());
        }
    }
}

fn read_options(
    text: &str,
    clock: Option<&NativeClock>,
) -> std::result::Result<sublet::Options, sublet::Error> {
    let form: OptionsJson = read("options", text)?;
    form.options(clock.map_or(Clock::System, |clock| Clock::Manual(clock.inner.clone())))
}

#[napi]
impl NativeEngine {
    #[napi(factory)]
    pub fn open(options: String, clock: Option<&NativeClock>) -> Result<Self> {
        guarded(|| {
            Ok(Self {
                inner: Arc::new(sublet::Engine::open(read_options(&options, clock)?)?),
                stuck: Arc::default(),
            })
        })
    }

    /// Opens an engine off the event loop, because a large directory is read from its store.
    #[napi]
    pub fn start_open(
        replies: &NativeReplies,
        id: f64,
        options: String,
        clock: Option<&NativeClock>,
    ) -> Result<NativeCall> {
        let options = guarded(|| read_options(&options, clock))?;
        replies.start(
            id,
            CallKind::Write,
            &Arc::default(),
            Box::new(|| {
                sublet::Engine::open(options).map(|engine| Reply::Engine(Box::new(engine)))
            }),
        )
    }

    #[napi]
    pub fn bundle(&self) -> Result<String> {
        guarded(|| text_of(&self.inner.bundle()))
    }

    #[napi]
    pub fn revision(&self) -> Result<String> {
        guarded(|| Ok(self.inner.revision().to_string()))
    }

    /// Calls a method that reads.
    #[napi]
    pub fn read(&self, verb: String, texts: Vec<String>) -> Result<String> {
        guarded(|| {
            reads::dispatch_read(&self.inner, &verb, &texts)
                .unwrap_or_else(|| Err(unknown_verb(&verb)))
        })
    }

    /// Returns whether no other process has changed the directory since this process read it.
    #[napi]
    pub fn is_current(&self) -> Result<bool> {
        guarded(|| Ok(self.inner._is_current()))
    }

    #[napi]
    pub fn login_hosts(
        &self,
        principal: (String, String),
        host: Option<String>,
        flow: Option<(String, String)>,
        after: Option<String>,
    ) -> Result<String> {
        let flow = flow
            .as_ref()
            .map(|(kind, name)| (kind.as_str(), name.as_str()).into());
        guarded(|| {
            exact_text(&self.inner.login_hosts(
                &principal.into(),
                host.as_deref(),
                flow,
                after.as_deref(),
            )?)
        })
    }

    /// Returns the methods of this engine that use the shared memory, in the order of
    /// `napi_raw::functions`.
    #[napi(ts_return_type = "(() => string | undefined)[]")]
    pub fn functions(
        &self,
        env: Env,
        buffers: &NativeCallBuffers,
    ) -> Result<Vec<napi_raw::Function>> {
        napi_raw::functions(&env, &self.inner, &buffers.inner)
    }

    #[napi]
    pub fn many(
        &self,
        buffers: &NativeCallBuffers,
        words: Uint32Array,
        bytes: Uint8Array,
        texts: String,
        bits: bool,
    ) -> Result<NativeBatchReply> {
        let rows = buffers.rows(words, bytes, texts);
        guarded(|| batch::evaluate_sync(&self.inner, &rows, bits))
    }

    /// Consumes all items of a batch at once, or none. `forms` has the options of the requests that
    /// came as JSON.
    #[napi]
    pub fn batch(
        &self,
        buffers: &NativeCallBuffers,
        words: Uint32Array,
        bytes: Uint8Array,
        texts: String,
        forms: String,
    ) -> Result<NativeBatchReply> {
        let rows = buffers.rows(words, bytes, texts);
        guarded(|| {
            self.inner.refuse_if_blocking("batch")?;
            batch::consume_sync(&self.inner, &rows, &forms)
        })
    }

    /// Evaluates a batch off the event loop.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "arguments cross one by one")]
    pub fn start_many(
        &self,
        replies: &NativeReplies,
        id: f64,
        buffers: &NativeCallBuffers,
        words: Uint32Array,
        bytes: Uint8Array,
        texts: String,
        bits: bool,
    ) -> Result<NativeCall> {
        let (engine, rows) = (Arc::clone(&self.inner), buffers.rows(words, bytes, texts));
        replies.start(
            id,
            CallKind::Read,
            &self.stuck,
            Box::new(move || batch::evaluate(&engine, &rows, bits).map(Reply::Batch)),
        )
    }

    /// Imports a file off the event loop.
    #[napi]
    pub fn start_import(
        &self,
        replies: &NativeReplies,
        id: f64,
        path: String,
        watch: &NativeWatch,
        expected: Option<String>,
    ) -> Result<NativeCall> {
        let (engine, watch) = (Arc::clone(&self.inner), Arc::clone(&watch.inner));
        let expected = guarded(|| {
            expected
                .map(|expected| read("expectedRevision", &expected))
                .transpose()
        })?;
        replies.start(
            id,
            CallKind::Write,
            &self.stuck,
            Box::new(move || import_file(&engine, &path, &watch, expected).map(Reply::Text)),
        )
    }

    /// Consumes at once. The most frequent call, so it takes its texts without an array.
    #[napi]
    pub fn consume(&self, request: String, take: String) -> Result<String> {
        guarded(|| {
            self.inner.refuse_if_blocking("consume")?;
            quota::consume(&self.inner, &request, &take)
        })
    }

    /// Calls a method at once. Fails if it may wait for a file.
    #[napi(js_name = "do")]
    pub fn run_sync(&self, verb: String, texts: Vec<String>) -> Result<String> {
        guarded(|| {
            self.inner.refuse_if_blocking(&verb)?;
            dispatch(&self.inner, &verb, &texts)
        })
    }

    /// Calls a method off the event loop.
    #[napi(js_name = "start")]
    pub fn run_async(
        &self,
        replies: &NativeReplies,
        id: f64,
        verb: String,
        texts: Vec<String>,
    ) -> Result<NativeCall> {
        let engine = Arc::clone(&self.inner);
        replies.start(
            id,
            call_kind(&verb),
            &self.stuck,
            Box::new(move || dispatch(&engine, &verb, &texts).map(Reply::Text)),
        )
    }

    /// Returns whether methods that write may wait for a file.
    #[napi]
    pub fn touches_files(&self) -> Result<bool> {
        guarded(|| Ok(self.inner.is_file_backed()))
    }

    #[napi]
    pub fn reset_counts(&self) -> Result<()> {
        guarded(|| self.inner.reset_counts())
    }
}
