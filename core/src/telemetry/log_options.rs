//! The options of a subscription.

use super::event::{EventFilter, EventKind};
use crate::util::error::Error;

/// The options of a subscription.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The kinds of events to deliver. Events about dropped events are always delivered.
    pub events: Vec<EventKind>,
    /// The fraction of allowed decisions to deliver, from 0 to 1. All other events are always
    /// delivered.
    pub sample_allowed: f64,
    /// Fields whose values are replaced by `[redacted]`.
    pub redact: Vec<String>,
    /// The context fields to deliver. By default none is delivered.
    pub context_fields: Vec<String>,
    /// The greatest number of waiting events. Further events are dropped and counted.
    pub queue: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            events: EventKind::ALL.to_vec(),
            sample_allowed: 1.0,
            redact: Vec::new(),
            context_fields: Vec::new(),
            queue: 8_192,
        }
    }
}

/// The greatest size of a queue, because its space is reserved at once.
const MAX_QUEUED_EVENTS: usize = 1 << 20;

impl LogOptions {
    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |option: &str, value: String| {
            Err(Error::OptionValue {
                option: option.to_owned(),
                value,
            })
        };
        if !(0.0..=1.0).contains(&self.sample_allowed) {
            return wrong("log.sample_allowed", self.sample_allowed.to_string());
        }
        if !(1..=MAX_QUEUED_EVENTS).contains(&self.queue) {
            return wrong("log.queue", self.queue.to_string());
        }
        EventFilter {
            redact: self.redact.clone(),
            context_fields: Vec::new(),
        }
        .check()
    }
}
