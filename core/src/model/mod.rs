//! Records, catalog, limits, calendar and clock: data and its checks. No input or output.

pub(crate) mod access_level;
pub(crate) mod account;
pub(crate) mod answer_code;
pub(crate) mod calendar;
pub(crate) mod catalog;
pub(crate) mod catalog_check;
pub(crate) mod catalog_warnings;
pub(crate) mod clock;
pub(crate) mod code_words;
pub(crate) mod domain;
pub(crate) mod email;
pub(crate) mod fingerprint;
pub(crate) mod flags;
pub(crate) mod host;
#[cfg(feature = "schema")]
pub(crate) mod json_schema;
mod level_form;
pub(crate) mod limit;
pub(crate) mod member;
pub(crate) mod named_fields;
pub(crate) mod operator;
pub(crate) mod package;
pub(crate) mod pending_email;
pub(crate) mod public_suffix;
pub(crate) mod record;
pub(crate) mod reference;
pub(crate) mod service_key;
pub(crate) mod transfer;
