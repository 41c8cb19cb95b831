//! The engine for Node: text in, text out. `convert.js` beside it makes the text from JavaScript values, exactly or not
//! at all; every rule and every default is in the core.

#![allow(missing_docs, reason = "the documentation of what Node sees stands in `index.d.ts`")]

use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use napi::bindgen_prelude::{AsyncTask, Env};
use napi::{Error as NapiError, Result, Status, Task};
use napi_derive::napi;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sublet::{Caps, Change, Error, Options, Program, Progress, Record, Ref, Request, Source};

/// An error as the text that `convert.js` makes a `SubletError` of.
fn raise(error: &Error) -> NapiError {
    let text = json!({"code": error.code(), "message": error.to_string(), "help": error.help(), "faults": error.faults()});
    NapiError::new(Status::GenericFailure, text.to_string())
}

/// Runs `work`; neither an error nor a panic leaves it but as a `SubletError`.
fn guarded<T>(work: impl FnOnce() -> std::result::Result<T, Error>) -> Result<T> {
    let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::Panic { reason: "a panic in the binding".to_owned() }));
    done.map_err(|error| raise(&error))
}

fn text(answer: &impl Serialize) -> std::result::Result<String, Error> {
    serde_json::to_string(answer).map_err(|found| Error::Value { what: "answer".to_owned(), reason: found.to_string() })
}

fn read<T: for<'a> Deserialize<'a>>(what: &str, given: &str) -> std::result::Result<T, Error> {
    let value = sublet::read_json(what, given)?;
    serde_json::from_value(value).map_err(|found| Error::Json { what: what.to_owned(), line: 1, column: 1, reason: found.to_string() })
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CapsForm {
    file_bytes: Option<usize>,
    entities_bytes: Option<usize>,
    record_bytes: Option<usize>,
    nesting: Option<usize>,
    chain: Option<usize>,
    depth: Option<usize>,
    value_nesting: Option<usize>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OptionsForm {
    folder: Option<String>,
    files: Option<Vec<(String, String)>>,
    cedar: Option<CedarForm>,
    store: Option<String>,
    validation: Option<String>,
    #[serde(default)]
    caps: CapsForm,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CedarForm {
    policies: String,
    schema: Option<String>,
    links: Option<String>,
    entities: Option<String>,
    validate_requests: Option<bool>,
}

impl OptionsForm {
    fn source(&mut self) -> Source {
        if let Some(CedarForm { policies, schema, links, entities, validate_requests }) = self.cedar.take() {
            return Source::Cedar(Program { policies, schema, links, entities, validate_requests });
        }
        match (self.folder.take(), self.files.take()) {
            (Some(folder), _) => Source::Folder(folder.into()),
            (None, Some(files)) => Source::Files(files),
            (None, None) => Source::Shipped,
        }
    }

    fn options(mut self) -> std::result::Result<Options, Error> {
        let policies = self.source();
        let mut options = Options { policies, ..Options::default() };
        options.store = self.store.unwrap_or(options.store);
        if let Some(validation) = self.validation {
            options.validation = validation.parse()?;
        }
        let Caps { file_bytes, entities_bytes, record_bytes, nesting, chain, depth, value_nesting } = options.caps;
        let caps = self.caps;
        options.caps = Caps {
            file_bytes: caps.file_bytes.unwrap_or(file_bytes),
            entities_bytes: caps.entities_bytes.unwrap_or(entities_bytes),
            record_bytes: caps.record_bytes.unwrap_or(record_bytes),
            nesting: caps.nesting.unwrap_or(nesting),
            chain: caps.chain.unwrap_or(chain),
            depth: caps.depth.unwrap_or(depth),
            value_nesting: caps.value_nesting.unwrap_or(value_nesting),
        };
        Ok(options)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangesForm {
    #[serde(default)]
    put: Vec<Value>,
    #[serde(default)]
    remove: Vec<Ref>,
    #[serde(default)]
    expected: Option<u64>,
}

/// The engine behind `Engine` of `index.js`.
#[napi]
pub struct NativeEngine {
    inner: Arc<sublet::Engine>,
}

#[napi]
impl NativeEngine {
    #[napi(factory)]
    pub fn open(options: String) -> Result<Self> {
        guarded(|| {
            let form: OptionsForm = read("options", &options)?;
            Ok(Self { inner: Arc::new(sublet::Engine::open(form.options()?)?) })
        })
    }

    #[napi]
    pub fn reload(&self, options: String) -> Result<String> {
        guarded(|| {
            let mut form: OptionsForm = read("options", &options)?;
            self.inner.reload(&form.source()).map(|name| name.to_string())
        })
    }

    #[napi]
    pub fn bundle(&self) -> Result<String> {
        guarded(|| text(&self.inner.bundle()))
    }

    #[napi]
    pub fn revision(&self) -> Result<String> {
        guarded(|| Ok(self.inner.revision().to_string()))
    }

    #[napi]
    pub fn authorize(&self, request: String) -> Result<String> {
        guarded(|| text(&self.inner.authorize(&Request::from_json(&request)?)?))
    }

    #[napi]
    pub fn check(&self, request: String) -> Result<bool> {
        guarded(|| self.inner.check(&Request::from_json(&request)?))
    }

    #[napi]
    pub fn explain(&self, request: String) -> Result<String> {
        guarded(|| {
            let explanation = self.inner.explain(&Request::from_json(&request)?)?;
            text(&json!({"explanation": explanation, "text": explanation.to_string()}))
        })
    }

    #[napi]
    pub fn actions(&self, request: String) -> Result<Vec<String>> {
        guarded(|| {
            let asked = Request::from_json(&request)?;
            let names = self.inner.actions(&asked.principal, &asked.resource, &asked.circumstances)?;
            Ok(names.iter().map(ToString::to_string).collect())
        })
    }

    #[napi]
    pub fn login(&self, host: String, email: String) -> Result<String> {
        guarded(|| text(&self.inner.login(&host, &email)?))
    }

    #[napi]
    pub fn desk(&self, request: String) -> Result<String> {
        guarded(|| {
            let asked = Request::from_json(&request)?;
            text(&self.inner.desk(&asked.principal, &asked.resource, &asked.circumstances)?)
        })
    }

    #[napi]
    pub fn authorize_many(&self, requests: String) -> Result<String> {
        guarded(|| text(&self.inner.authorize_many(&Request::list_from_json(&requests)?)?))
    }

    #[napi]
    pub fn check_many(&self, requests: String) -> Result<Vec<bool>> {
        guarded(|| self.inner.check_many(&Request::list_from_json(&requests)?))
    }

    /// The same off the event loop.
    #[napi(ts_return_type = "Promise<string>")]
    pub fn authorize_many_async(&self, requests: String) -> AsyncTask<Many> {
        AsyncTask::new(Many { engine: Arc::clone(&self.inner), requests, bits: false })
    }

    #[napi(ts_return_type = "Promise<string>")]
    pub fn check_many_async(&self, requests: String) -> AsyncTask<Many> {
        AsyncTask::new(Many { engine: Arc::clone(&self.inner), requests, bits: true })
    }

    #[napi]
    pub fn change(&self, changes: String) -> Result<String> {
        guarded(|| {
            let form: ChangesForm = read("changes", &changes)?;
            let mut list: Vec<Change> = form.remove.into_iter().map(Change::Remove).collect();
            for record in form.put {
                list.push(Change::Put(Record::from_value(record)?));
            }
            self.inner.change(list, form.expected).map(|revision| revision.to_string())
        })
    }

    #[napi]
    pub fn import_lines(&self, lines: String) -> Result<String> {
        guarded(|| self.inner.import(lines.as_bytes(), None).map(|revision| revision.to_string()))
    }

    /// Reads a file off the event loop.
    #[napi(ts_return_type = "Promise<string>")]
    pub fn import_file(&self, path: String, watch: &NativeWatch) -> AsyncTask<ImportFile> {
        AsyncTask::new(ImportFile { engine: Arc::clone(&self.inner), path, watch: Arc::clone(&watch.inner) })
    }

    #[napi]
    pub fn export_lines(&self) -> Result<String> {
        guarded(|| {
            let mut lines = Vec::new();
            self.inner.export(&mut lines)?;
            Ok(String::from_utf8_lossy(&lines).into_owned())
        })
    }

    #[napi]
    pub fn record(&self, kind: String, id: String) -> Result<String> {
        guarded(|| text(&self.inner.record(&Ref::new(kind, id))?))
    }

    #[napi(js_name = "panic")]
    pub fn provoke_panic(&self) -> Result<()> {
        guarded(|| self.inner._panic())
    }
}

/// Many requests, on a thread of Node's pool.
pub struct Many {
    engine: Arc<sublet::Engine>,
    requests: String,
    bits: bool,
}

impl Task for Many {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<String> {
        guarded(|| {
            let requests = Request::list_from_json(&self.requests)?;
            if self.bits { text(&self.engine.check_many(&requests)?) } else { text(&self.engine.authorize_many(&requests)?) }
        })
    }

    fn resolve(&mut self, _: Env, answer: String) -> Result<String> {
        Ok(answer)
    }
}

/// How far an import is, and whether it shall stop: the event loop looks at it and never waits for it.
#[derive(Default)]
struct Watch {
    records: AtomicU64,
    bytes: AtomicU64,
    stop: AtomicBool,
}

impl Watch {
    fn tell(&self, progress: Progress) -> bool {
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
        [&self.inner.records, &self.inner.bytes].iter().map(|count| count.load(Ordering::Relaxed).to_string()).collect()
    }

    #[napi]
    pub fn stop(&self) {
        self.inner.stop.store(true, Ordering::Relaxed);
    }
}

/// An import, on a thread of Node's pool.
pub struct ImportFile {
    engine: Arc<sublet::Engine>,
    path: String,
    watch: Arc<Watch>,
}

impl Task for ImportFile {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<String> {
        guarded(|| {
            let file = std::fs::File::open(&self.path).map_err(|why| Error::Stream { reason: format!("{}: {why}", self.path) })?;
            if self.watch.stop.load(Ordering::Relaxed) {
                return Err(Error::Cancelled { records: 0 });
            }
            let mut tell = |progress| self.watch.tell(progress);
            self.engine.import(BufReader::new(file), Some(&mut tell)).map(|revision| revision.to_string())
        })
    }

    fn resolve(&mut self, _: Env, revision: String) -> Result<String> {
        Ok(revision)
    }
}

#[napi]
pub fn error_codes() -> Result<String> {
    guarded(|| text(&sublet::error_codes()))
}

#[napi]
pub fn normalise_host(host: String) -> Result<String> {
    guarded(|| match sublet::normalise_host(&host) {
        Ok(name) => text(&json!({"normal": name})),
        Err(reason) => text(&json!({"refused": reason})),
    })
}

#[napi]
pub fn command(arguments: Vec<String>) -> Result<i32> {
    guarded(|| Ok(sublet_cli::run(arguments.into_iter().map(Into::into), &mut std::io::stdout(), &mut std::io::stderr())))
}
