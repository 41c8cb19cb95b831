//! Values that a host passes in and gets back.

pub(crate) mod columns;
pub(crate) mod consume_options;
pub(crate) mod decision;
pub(crate) mod explanation;
mod explanation_text;
pub(crate) mod handle;
pub(crate) mod quota;
pub(crate) mod record_page;
pub(crate) mod request;
pub(crate) mod request_json;
pub(crate) mod request_ref;
