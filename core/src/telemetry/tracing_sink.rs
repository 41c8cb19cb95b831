//! A sink that passes events to the `tracing` crate.

use std::sync::Arc;

use tracing::{Dispatch, dispatcher};

use super::event::{Event, EventBuilder, EventKind};

/// Emits the events to the subscriber, each in the span where it happened. Returns how many could
/// not be emitted.
pub(super) fn emit_all<'e>(
    dispatch: &Dispatch,
    events: impl Iterator<Item = (&'e Arc<EventBuilder>, &'e Event)>,
) -> usize {
    dispatcher::with_default(dispatch, || {
        events.for_each(|(draft, event)| draft.span.in_scope(|| one(event)));
    });
    0
}

fn one(event: &Event) {
    let text = |field: &str| event.text(field);
    let shown = |field: &str| event.get(field).map(ToString::to_string);
    let allowed = event.get("allowed").and_then(serde_json::Value::as_bool);
    macro_rules! emit_event {
        ($level:ident) => {
            tracing::event!(
                target: "sublet",
                tracing::Level::$level,
                event = text("event"),
                verb = text("verb"),
                action = text("action").or_else(|| text("command")),
                allowed,
                code = text("code"),
                principal = shown("principal"),
                actor = shown("actor"),
                resource = shown("resource"),
                json = serde_json::to_string(event).unwrap_or_default(),
            )
        };
    }
    match (event.kind(), allowed) {
        _ if event.get("errors").is_some() => emit_event!(ERROR),
        (EventKind::Dropped, _) | (_, Some(false)) => emit_event!(WARN),
        _ => emit_event!(INFO),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::sync::Mutex;
    use std::time::Duration;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Metadata, Subscriber};

    use super::*;
    use crate::model::clock::Clock;
    use crate::telemetry::{EventBus, LogOptions, Sink};

    /// A subscriber that records its events.
    #[derive(Default)]
    struct RecordingSubscriber(Arc<Mutex<Vec<String>>>);

    struct Seen(String);

    impl Visit for Seen {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            if field.name() != "json" {
                let _ = write!(self.0, " {}={value:?}", field.name());
            }
        }
    }

    impl Subscriber for RecordingSubscriber {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            let mut seen = Seen(format!(
                "{} {}",
                event.metadata().level(),
                event.metadata().target()
            ));
            event.record(&mut seen);
            self.0.lock().expect("a lock").push(seen.0);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn tracing_subscriber_gets_events_by_level() {
        let emit_event = RecordingSubscriber::default();
        let found = Arc::clone(&emit_event.0);
        let sink = dispatcher::with_default(&Dispatch::new(emit_event), Sink::tracing);
        let hub = EventBus::new(Clock::System);
        let log = hub.log(LogOptions::default(), sink).expect("a log");
        for allowed in [true, false] {
            hub.emit(EventKind::Decision, "check", allowed, |draft| {
                draft
                    .text("action", Some("read"))
                    .field("allowed", Some(allowed))
            });
        }
        assert!(log.close(Duration::from_secs(10)));
        let found = found.lock().expect("a lock").clone();
        let wanted = |level: &str, allowed: bool| {
            format!(
                "{level} sublet event=\"decision\" verb=\"check\" action=\"read\" allowed={allowed}"
            )
        };
        assert_eq!(found, [wanted("INFO", true), wanted("WARN", false)]);
    }
}
