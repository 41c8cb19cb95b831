//! The engine for Node. There are two ways to cross between JavaScript and Rust, on purpose.
//! `check`, `authorize` and `consume` of plain requests cross as numbers in shared memory:
//! `fast_call.js` writes them and `shared_rows.rs` reads them. All other calls cross as JSON text,
//! which `convert.js` makes exactly or not at all. Every rule is in the core.

#![allow(
    missing_docs,
    reason = "`index.d.ts` has the documentation of the public classes"
)]

// Public, because they have functions that napi exports, which a build for tests does not register.
pub mod batch;
pub mod constants;
pub mod errors;
pub mod support;

mod billing;
mod call_buffers;
mod clock;
mod decision_codec;
mod directory;
mod dispatch;
mod engine;
mod handle_slots;
mod import;
mod json;
mod lists;
mod log;
mod napi_raw;
mod native_call;
mod options;
mod pool;
mod quota;
mod reads;
mod reply_queue;
mod row_batch;
mod shared_rows;

use napi::Result;
use napi_derive::napi;
use serde_json::json;

use crate::errors::guarded;
use crate::json::text_of;

/// Verifies the sums and the draw of a statement from the statement alone.
#[napi]
pub fn verify_draw(statement: String) -> Result<bool> {
    guarded(|| {
        sublet::Statement::from_json(&statement).map(|statement| sublet::verify_draw(&statement))
    })
}

/// Returns the description of an exported metric.
#[napi]
pub fn metric_text(name: String) -> &'static str {
    sublet::metric_text(&name).unwrap_or_default()
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
