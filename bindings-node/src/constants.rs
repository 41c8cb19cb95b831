//! Numbers that JavaScript needs and that have one place each: the core, or the rest of this crate.

use napi_derive::napi;

use crate::reply_queue::LOGS_AT_EXIT;

/// Amount of a request without one.
#[napi]
pub const DEFAULT_AMOUNT: i64 = sublet::DEFAULT_AMOUNT;

/// Milliseconds for which `flush` and `close` of a log wait.
#[napi]
pub const DEFAULT_LOG_TIMEOUT_MS: f64 = sublet::DEFAULT_LOG_TIMEOUT.as_secs_f64() * 1000.0;

/// Milliseconds for which the end of a process or worker waits for all its logs together.
#[napi]
pub const LOGS_AT_EXIT_MS: f64 = LOGS_AT_EXIT.as_secs_f64() * 1000.0;

/// Lists and records inside each other in the values of a request.
#[napi]
#[allow(clippy::cast_possible_truncation, reason = "the limit is small")]
pub const MAX_VALUE_NESTING: u32 = sublet::MAX_VALUE_NESTING as u32;
