//! Calls the method with a name. `methods.js` has the texts of its arguments.

use sublet::{Engine, Error};

use crate::billing::dispatch_billing;
use crate::directory::dispatch_directory;
use crate::errors::internal;
use crate::lists::dispatch_lists;
use crate::pool::CallKind;
use crate::quota::dispatch_quota;
use crate::reads::dispatch_read;

/// The answer of a method as JSON.
pub(crate) type Answer = Result<String, Error>;

/// Calls the named method, which may wait for a file.
pub(crate) fn dispatch(engine: &Engine, verb: &str, texts: &[String]) -> Answer {
    dispatch_quota(engine, verb, texts)
        .or_else(|| dispatch_billing(engine, verb, texts))
        .or_else(|| dispatch_directory(engine, verb, texts))
        .or_else(|| dispatch_lists(engine, verb, texts))
        .or_else(|| dispatch_read(engine, verb, texts))
        .unwrap_or_else(|| Err(unknown_verb(verb)))
}

pub(crate) fn unknown_verb(verb: &str) -> Error {
    internal(&format!("no method `{verb}`"))
}

/// Methods that never take the store's lock.
const READS: [&str; 21] = [
    "authorize",
    "check",
    "explain",
    "permittedActions",
    "login",
    "loginByKey",
    "routeTicket",
    "openTicket",
    "replyTicket",
    "escalateTicket",
    "exportLines",
    "getRecord",
    "listRecords",
    "exportAccount",
    "domainProof",
    "hostsOf",
    "refresh",
    "reload",
    "usage",
    "history",
    "verify",
];

/// Returns whether a method may take the store's lock.
pub(crate) fn call_kind(verb: &str) -> CallKind {
    if READS.contains(&verb) {
        CallKind::Read
    } else {
        CallKind::Write
    }
}
