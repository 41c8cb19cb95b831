//! The engine for Node. Plain questions cross as numbers and the bytes of ids (`crossing.js` writes
//! them, `room.rs` reads them); all else as text, which `convert.js` makes from JavaScript values,
//! exactly or not at all. Every rule and every default is in the core.

#![allow(
    missing_docs,
    reason = "the documentation of what Node sees stands in `index.d.ts`"
)]

mod bill;
mod count;
mod log;
mod many;
mod open;
mod pool;
mod raw;
mod reads;
mod room;
mod said;

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

use crate::count::{NativeClock, exact_text};
use crate::many::Answered;
use crate::open::OptionsForm;
use crate::pool::{CallKind, NativeCall, NativeReplies, Reply};
use crate::room::{Rows, Slot};

/// An error as the text that `convert.js` makes a `SubletError` of.
fn error_text(error: &Error) -> String {
    json!({"code": error.code(), "message": error.to_string(), "help": error.help(), "faults": error.faults()}).to_string()
}

fn raise_text(text: String) -> NapiError {
    NapiError::new(Status::GenericFailure, text)
}

/// Runs `work`; neither an error nor a panic leaves it but as a `SubletError`.
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
    /// Whether its last call off the event loop found the store's lock stuck.
    stuck: Arc<AtomicBool>,
}

/// An engine with logs waits for them when it is freed: on a thread of its own, so that the event
/// loop does not.
impl Drop for NativeEngine {
    fn drop(&mut self) {
        if self.inner._is_watched() {
            let engine = Arc::clone(&self.inner);
            // Without a thread it is freed here.
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
            let form: OptionsForm = read("options", &options)?;
            let clock = clock.map_or(Clock::System, |clock| Clock::Manual(clock.inner.clone()));
            Ok(Self {
                inner: Arc::new(sublet::Engine::open(form.options(clock)?)?),
                stuck: Arc::default(),
            })
        })
    }

    /// The same off the event loop: a large directory is read from its store.
    #[napi]
    pub fn start_open(
        replies: &NativeReplies,
        id: f64,
        options: String,
        clock: Option<&NativeClock>,
    ) -> Result<NativeCall> {
        let options = guarded(|| {
            let form: OptionsForm = read("options", &options)?;
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
        guarded(|| count::reloaded(&self.inner, &options))
    }

    #[napi]
    pub fn bundle(&self) -> Result<String> {
        guarded(|| text_of(&self.inner.bundle()))
    }

    #[napi]
    pub fn revision(&self) -> Result<String> {
        guarded(|| Ok(self.inner.revision().to_string()))
    }

    /// Does a verb that reads.
    #[napi]
    pub fn read(&self, verb: String, texts: Vec<String>) -> Result<String> {
        guarded(|| {
            reads::read_verb(&self.inner, &verb, &texts)
                .unwrap_or_else(|| Err(count::unknown_verb(&verb)))
        })
    }

    /// Whether no other process has changed the directory since this one read it.
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

    /// `check`, `authorize` and `consume` of this engine by way of the shared memory.
    #[napi(
        ts_return_type = "[() => string | undefined, () => string | undefined, () => string | undefined]"
    )]
    pub fn functions(
        &self,
        env: Env,
        room: &NativeRoom,
    ) -> Result<(raw::Function, raw::Function, raw::Function)> {
        raw::functions(&env, &self.inner, &room.inner)
    }

    #[napi]
    pub fn many(
        &self,
        room: &NativeRoom,
        words: Uint32Array,
        bytes: Uint8Array,
        texts: String,
        bits: bool,
    ) -> Result<Answered> {
        let rows = room.rows(words, bytes, texts);
        guarded(|| many::answered(&self.inner, &rows, bits))
    }

    /// The same off the event loop.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "they cross one by one")]
    pub fn start_many(
        &self,
        replies: &NativeReplies,
        id: f64,
        room: &NativeRoom,
        words: Uint32Array,
        bytes: Uint8Array,
        texts: String,
        bits: bool,
    ) -> Result<NativeCall> {
        let (engine, rows) = (Arc::clone(&self.inner), room.rows(words, bytes, texts));
        replies.start(
            id,
            CallKind::Read,
            &self.stuck,
            Box::new(move || many::answers(&engine, &rows, bits).map(Reply::Many)),
        )
    }

    /// Reads a file off the event loop.
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

/// What this environment shares with the engine.
#[napi]
pub struct NativeRoom {
    inner: Rc<raw::Room>,
}

#[napi]
impl NativeRoom {
    #[napi(constructor)]
    pub fn new(env: Env, memory: Unknown<'_>) -> Result<Self> {
        let made = raw::Room::new(&env, &memory).map(|room| Self {
            inner: Rc::new(room),
        });
        guarded(|| made.ok_or_else(|| room::refused("no memory to share")))
    }

    /// Lets `number` stand for a handle: `kind` is 0 for none, 1 for a principal, 2 action, 3
    /// resource type, 4 host.
    #[napi]
    pub fn put(&self, number: u32, kind: u32, first: String, second: String) -> Result<()> {
        guarded(|| {
            let slot = match kind {
                1 => Slot::Principal(Principal::new(first, second)),
                2 => Slot::Action(Action::new(first, second)),
                3 => Slot::ResourceType(ResourceType::new(first)),
                4 => Slot::Host(Host::new(first)),
                _ => Slot::Empty,
            };
            self.inner.slots.borrow_mut().put(number, slot)
        })
    }

    /// The strings of decisions that are new, in order of their numbers.
    #[napi]
    pub fn strings(&self) -> Vec<String> {
        let mut strings = self.inner.strings.borrow_mut();
        strings.learn().iter().map(ToString::to_string).collect()
    }

    fn rows(&self, words: Uint32Array, bytes: Uint8Array, texts: String) -> Rows {
        Rows {
            slots: self.inner.slots.borrow().clone(),
            words,
            bytes,
            texts,
        }
    }
}

/// How far an import is, and whether it shall stop: the event loop looks at it and never waits for
/// it.
#[derive(Default)]
struct Watch {
    records: AtomicU64,
    bytes: AtomicU64,
    stop: AtomicBool,
}

impl Watch {
    fn tell(&self, progress: ImportProgress) -> bool {
        self.records.store(progress.records, Ordering::Relaxed);
        self.bytes.store(progress.bytes, Ordering::Relaxed);
        !self.stop.load(Ordering::Relaxed)
    }
}

#[napi]
#[derive(Default)]
pub struct NativeWatch {
    inner: Arc<Watch>,
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
    watch: &Watch,
    expected: Option<u64>,
) -> std::result::Result<String, Error> {
    let file = std::fs::File::open(path).map_err(|why| Error::Stream {
        reason: format!("{path}: {why}"),
    })?;
    if watch.stop.load(Ordering::Relaxed) {
        return Err(Error::Cancelled { records: 0 });
    }
    let mut tell = |progress| watch.tell(progress);
    engine
        .import(BufReader::new(file), expected, Some(&mut tell))
        .map(|revision| revision.to_string())
}

/// How many rows columns of these lengths make, in the order of `Engine.checkMany`; no length is
/// one value for all rows.
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

/// The floor of the benchmark, by way of napi's wrappers: takes the arguments of `check` and does
/// nothing.
#[napi]
pub fn empty(
    principal: Unknown<'_>,
    action: Unknown<'_>,
    resource: Unknown<'_>,
    circumstances: Unknown<'_>,
) -> bool {
    let _ = (principal, action, resource, circumstances);
    false
}

/// The same, with the words of the arguments.
#[napi]
pub fn empty_words(
    principal: (String, String),
    action: String,
    resource: (String, String, String),
    circumstances: Object<'_>,
) -> Result<bool> {
    let _ = (
        principal,
        action,
        resource,
        circumstances.get::<String>("host")?,
    );
    Ok(false)
}

/// The same, flat.
#[napi]
pub fn empty_flat(
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
    raw::floor(&env, &mut exports)
}

#[napi]
pub fn error_codes() -> Result<String> {
    guarded(|| text_of(&sublet::error_codes()))
}

/// Whether a statement's sums and draw are right: from the statement alone.
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
