//! Support tickets.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use sublet::Request;

use crate::{NativeEngine, exact_text, guarded};

#[napi]
impl NativeEngine {
    #[napi]
    pub fn desk(&self, request: String) -> Result<String> {
        guarded(|| {
            let asked = Request::from_json(&request)?;
            exact_text(&self.inner.desk(&asked.principal, &asked.resource, &asked.circumstances)?)
        })
    }

    #[napi]
    pub fn open_ticket(&self, request: String) -> Result<String> {
        guarded(|| {
            let asked = Request::from_json(&request)?;
            exact_text(&self.inner.open_ticket(&asked.principal, &asked.resource, &asked.circumstances)?)
        })
    }

    #[napi]
    pub fn reply_ticket(&self, request: String) -> Result<String> {
        guarded(|| {
            let asked = Request::from_json(&request)?;
            exact_text(&self.inner.reply_ticket(&asked.principal, &asked.resource, &asked.circumstances)?)
        })
    }

    #[napi]
    pub fn escalate_ticket(&self, request: String) -> Result<String> {
        guarded(|| {
            let asked = Request::from_json(&request)?;
            exact_text(&self.inner.escalate_ticket(&asked.principal, &asked.resource, &asked.circumstances)?)
        })
    }
}
