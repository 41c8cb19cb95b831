//! The decision and change log: events, the queues in which they wait, and the sinks that receive
//! them. The module does not depend on the engine.
//!
//! While there is no subscription, each call only reads one number.

mod delivery;
mod delivery_queue;
mod event;
mod event_bus;
mod log_handle;
mod log_options;
mod metric_texts;
mod rotating_file;
mod sink;
pub(crate) mod stats;
mod subscription;
#[cfg(test)]
mod tests;
#[cfg(feature = "tracing")]
mod tracing_sink;

pub use self::delivery_queue::LogCounts;
pub(crate) use self::event::EventBuilder;
pub use self::event::{Event, EventKind};
pub(crate) use self::event_bus::EventBus;
pub use self::log_handle::{_close_all_logs, DEFAULT_LOG_TIMEOUT, LogHandle};
pub use self::log_options::LogOptions;
pub use self::metric_texts::metric_text;
pub use self::rotating_file::LogFile;
pub use self::sink::{EventCallback, Sink};
