//! The engine for Node. There are two ways to cross between JavaScript and Rust, on purpose.
//! `check`, `authorize` and `consume` of plain requests cross as numbers in shared memory:
//! `fast_call.js` writes them and `shared_rows.rs` reads them. All other calls cross as JSON text,
//! which `convert.js` makes exactly or not at all. Every rule is in the core.

#![allow(
    missing_docs,
    reason = "`index.d.ts` has the documentation of the public classes"
)]

mod batch;
mod billing;
mod decision_codec;
mod log;
mod napi_raw;
mod options;
mod pool;
mod quota;
mod reads;
mod shared_rows;

use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use napi::bindgen_prelude::{Env, Object, Uint8Array, Uint32Array, Unknown};
use napi::{Error as NapiError, Result, Status};
use napi_derive::napi;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sublet::{Action, Clock, Error, Host, ImportProgress, Principal, ResourceType};

use crate::batch::NativeBatchReply;
use crate::options::OptionsJson;
use crate::pool::{CallKind, NativeCall, NativeReplies, Reply};
use crate::quota::{NativeClock, exact_text};
use crate::shared_rows::{HandleSlot, RequestRows};

/// Returns an error as the JSON from which `errors.js` makes a `SubletError`.
fn error_text(error: &Error) -> String {
    json!({"code": error.code(), "message": error.to_string(), "help": error.help(), "faults": error.faults()}).to_string()
}

fn raise_text(text: String) -> NapiError {
    NapiError::new(Status::GenericFailure, text)
}

/// Runs `work`. An error or a panic becomes a `SubletError`.
fn guarded<T>(work: impl FnOnce() -> std::result::Result<T, Error>) -> Result<T> {
    let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::Panic {
            reason: "a panic in the binding".to_owned(),
        })
    });
    done.map_err(|error| raise_text(error_text(&error)))
}

fn text_of(answer: &impl Serialize) -> std::result::Result<String, Error> {
    serde_json::to_string(answer).map_err(|found| Error::Value {
        what: "answer".to_owned(),
        reason: found.to_string(),
    })
}

fn read<T: for<'a> Deserialize<'a>>(what: &str, given: &str) -> std::result::Result<T, Error> {
    let value = sublet::read_json(what, given)?;
    serde_json::from_value(value).map_err(|found| Error::Json {
        what: what.to_owned(),
        line: 1,
        column: 1,
        reason: found.to_string(),
    })
}

/// The engine behind `Engine` of `index.js`.
#[napi]
pub struct NativeEngine {
    inner: Arc<sublet::Engine>,
    /// Whether the last call off the event loop failed with `store.locked`.
    stuck: Arc<AtomicBool>,
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

#[napi]
impl NativeEngine {
    #[napi(factory)]
    pub fn open(options: String, clock: Option<&NativeClock>) -> Result<Self> {
        guarded(|| {
            let form: OptionsJson = read("options", &options)?;
            let clock = clock.map_or(Clock::System, |clock| Clock::Manual(clock.inner.clone()));
            Ok(Self {
                inner: Arc::new(sublet::Engine::open(form.options(clock)?)?),
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
        let options = guarded(|| {
            let form: OptionsJson = read("options", &options)?;
            form.options(clock.map_or(Clock::System, |clock| Clock::Manual(clock.inner.clone())))
        })?;
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
    pub fn reload(&self, options: String) -> Result<String> {
        guarded(|| quota::reload(&self.inner, &options))
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
                .unwrap_or_else(|| Err(quota::unknown_verb(&verb)))
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

    /// Returns `check`, `authorize` and `consume` of this engine, which use the shared memory.
    #[napi(
        ts_return_type = "[() => string | undefined, () => string | undefined, () => string | undefined]"
    )]
    pub fn functions(
        &self,
        env: Env,
        buffers: &NativeCallBuffers,
    ) -> Result<(napi_raw::Function, napi_raw::Function, napi_raw::Function)> {
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

    #[napi(js_name = "panic")]
    pub fn provoke_panic(&self) -> Result<()> {
        guarded(|| self.inner._panic())
    }
}

/// Memory, handles and strings that this environment shares with the engine.
#[napi]
pub struct NativeCallBuffers {
    inner: Rc<napi_raw::CallBuffers>,
}

#[napi]
impl NativeCallBuffers {
    #[napi(constructor)]
    pub fn new(env: Env, memory: Unknown<'_>) -> Result<Self> {
        let made = napi_raw::CallBuffers::new(&env, &memory).map(|buffers| Self {
            inner: Rc::new(buffers),
        });
        guarded(|| made.ok_or_else(|| shared_rows::refused("no memory to share")))
    }

    /// Assigns `number` to a handle. `kind` is 0 for none, 1 for a principal, 2 for an action, 3
    /// for a resource type, 4 for a host.
    #[napi]
    pub fn put(&self, number: u32, kind: u32, first: String, second: String) -> Result<()> {
        guarded(|| {
            let slot = match kind {
                1 => HandleSlot::Principal(Principal::new(first, second)),
                2 => HandleSlot::Action(Action::new(first, second)),
                3 => HandleSlot::ResourceType(ResourceType::new(first)),
                4 => HandleSlot::Host(Host::new(first)),
                _ => HandleSlot::Empty,
            };
            self.inner.slots.borrow_mut().put(number, slot)
        })
    }

    /// Returns the new strings of decisions, in order of their numbers.
    #[napi]
    pub fn strings(&self) -> Vec<String> {
        let mut strings = self.inner.strings.borrow_mut();
        strings
            .take_new_strings()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn rows(&self, words: Uint32Array, bytes: Uint8Array, texts: String) -> RequestRows {
        RequestRows {
            slots: self.inner.slots.borrow().clone(),
            words,
            bytes,
            texts,
        }
    }
}

/// Progress of an import, and whether it must stop. The event loop reads it and never waits for it.
#[derive(Default)]
struct ImportProgressCounters {
    records: AtomicU64,
    bytes: AtomicU64,
    stop: AtomicBool,
}

impl ImportProgressCounters {
    fn report(&self, progress: ImportProgress) -> bool {
        self.records.store(progress.records, Ordering::Relaxed);
        self.bytes.store(progress.bytes, Ordering::Relaxed);
        !self.stop.load(Ordering::Relaxed)
    }
}

#[napi]
#[derive(Default)]
pub struct NativeWatch {
    inner: Arc<ImportProgressCounters>,
}

#[napi]
impl NativeWatch {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn progress(&self) -> Vec<String> {
        [&self.inner.records, &self.inner.bytes]
            .iter()
            .map(|count| count.load(Ordering::Relaxed).to_string())
            .collect()
    }

    #[napi]
    pub fn stop(&self) {
        self.inner.stop.store(true, Ordering::Relaxed);
    }
}

fn import_file(
    engine: &sublet::Engine,
    path: &str,
    watch: &ImportProgressCounters,
    expected: Option<u64>,
) -> std::result::Result<String, Error> {
    let file = std::fs::File::open(path).map_err(|why| Error::Stream {
        reason: format!("{path}: {why}"),
    })?;
    if watch.stop.load(Ordering::Relaxed) {
        return Err(Error::Cancelled { records: 0 });
    }
    let mut report = |progress| watch.report(progress);
    engine
        .import(BufReader::new(file), expected, Some(&mut report))
        .map(|revision| revision.to_string())
}

/// Returns the number of rows of columns with these lengths, in the order of `Engine.checkMany`. A
/// column without a length has one value for all rows.
#[napi]
pub fn rows(lengths: Vec<Option<u32>>) -> Result<u32> {
    const NAMES: [&str; 9] = [
        "principals",
        "actions",
        "resources",
        "hosts",
        "actors",
        "channels",
        "realms",
        "amounts",
        "contexts",
    ];
    guarded(|| {
        let columns: Vec<_> = NAMES
            .iter()
            .zip(&lengths)
            .map(|(name, length)| (*name, length.map(|length| length as usize)))
            .collect();
        Ok(u32::try_from(sublet::batch_row_count(&columns)?).unwrap_or(u32::MAX))
    })
}

/// The baseline of the benchmark through napi's wrappers: takes the arguments of `check` and does
/// nothing.
#[napi(js_name = "empty")]
pub fn bench_empty(
    principal: Unknown<'_>,
    action: Unknown<'_>,
    resource: Unknown<'_>,
    environment: Unknown<'_>,
) -> bool {
    let _ = (principal, action, resource, environment);
    false
}

/// The baseline with the strings of the arguments.
#[napi(js_name = "emptyWords")]
pub fn bench_empty_words(
    principal: (String, String),
    action: String,
    resource: (String, String, String),
    environment: Object<'_>,
) -> Result<bool> {
    let _ = (
        principal,
        action,
        resource,
        environment.get::<String>("host")?,
    );
    Ok(false)
}

/// The baseline with flat arguments.
#[napi(js_name = "emptyFlat")]
pub fn bench_empty_flat(
    principal_type: String,
    principal: String,
    action: String,
    resource_type: String,
    resource: String,
    account: String,
    host: String,
) -> bool {
    let _ = (
        principal_type,
        principal,
        action,
        resource_type,
        resource,
        account,
        host,
    );
    false
}

#[napi(module_exports)]
pub fn exports(mut exports: Object<'_>, env: Env) -> Result<()> {
    napi_raw::register_baseline(&env, &mut exports)
}

#[napi]
pub fn error_codes() -> Result<String> {
    guarded(|| text_of(&sublet::error_codes()))
}

/// Verifies the sums and the draw of a statement from the statement alone.
#[napi]
pub fn verify_draw(statement: String) -> Result<bool> {
    guarded(|| {
        sublet::Statement::from_json(&statement).map(|statement| sublet::verify_draw(&statement))
    })
}

#[napi]
pub fn normalise_host(host: String) -> Result<String> {
    guarded(|| match sublet::normalise_host(&host) {
        Ok(name) => text_of(&json!({"normal": name})),
        Err(reason) => text_of(&json!({"refused": reason})),
    })
}

#[napi]
pub fn command(arguments: Vec<String>) -> Result<i32> {
    guarded(|| {
        Ok(sublet_cli::run(
            arguments.into_iter().map(Into::into),
            &mut std::io::stdout(),
            &mut std::io::stderr(),
        ))
    })
}
