//! Tests of queues: delivery, drops, samples and the end of a log.
#![allow(
    clippy::used_underscore_items,
    reason = "what bindings use is tested here"
)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::model::clock::Clock;

const LONG: Duration = Duration::from_secs(20);

/// Returns a sink that stores its events, and the stored events.
fn collecting_sink() -> (Sink, Arc<Mutex<Vec<Event>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let found = Arc::clone(&kept);
    (
        Sink::callback(move |events| kept.lock().expect("a lock").extend(events.iter().cloned())),
        found,
    )
}

fn decide(hub: &EventBus, allowed: bool) {
    hub.emit(EventKind::Decision, "check", allowed, |draft| {
        draft.field("allowed", Some(allowed))
    });
}

fn numbers(found: &Mutex<Vec<Event>>, kind: EventKind) -> usize {
    found
        .lock()
        .expect("a lock")
        .iter()
        .filter(|event| event.kind() == kind)
        .count()
}

#[test]
fn no_events_outside_a_subscription() {
    let hub = EventBus::new(Clock::System);
    assert!(hub.is_disabled());
    let (sink, found) = collecting_sink();
    let log = hub.log(LogOptions::default(), sink).expect("a log");
    assert!(hub.has_subscribers());
    decide(&hub, true);
    assert!(log.close(LONG));
    decide(&hub, true);
    assert!(hub.is_disabled());
    assert_eq!(
        (
            numbers(&found, EventKind::Decision),
            log.counts().delivered,
            hub.counts().delivered
        ),
        (1, 1, 1)
    );
}

#[test]
fn dropped_events_are_reported() {
    let hub = EventBus::new(Clock::System);
    let (gate, found) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let (wait, kept) = (Arc::clone(&gate), Arc::clone(&found));
    let sink = Sink::callback(move |events| {
        while !wait.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        kept.lock().expect("a lock").extend(events.iter().cloned());
    });
    let log = hub
        .log(
            LogOptions {
                queue: 16,
                ..LogOptions::default()
            },
            sink,
        )
        .expect("a log");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1_000).for_each(|_| decide(&hub, false)));
        }
    });
    let dropped = log.counts().dropped;
    assert!(dropped > 3_000);
    gate.store(true, Ordering::Release);
    assert!(log.flush(LONG));
    assert!(log.close(LONG));
    let told: u64 = found
        .lock()
        .expect("a lock")
        .iter()
        .filter_map(|event| event.get("count").and_then(Value::as_u64))
        .sum();
    let delivered = numbers(&found, EventKind::Decision) as u64;
    assert_eq!((delivered + dropped, told), (4_000, dropped));
    assert_eq!(
        log.counts(),
        LogCounts {
            delivered,
            dropped,
            failed: 0
        }
    );
}

#[test]
fn only_allowed_decisions_are_sampled() {
    let hub = EventBus::new(Clock::System);
    let (sink, found) = collecting_sink();
    let log = hub
        .log(
            LogOptions {
                sample_allowed: 0.25,
                ..LogOptions::default()
            },
            sink,
        )
        .expect("a log");
    for _ in 0..4_000 {
        decide(&hub, true);
    }
    assert!(log.flush(LONG));
    let allowed = numbers(&found, EventKind::Decision);
    assert!((900..1_100).contains(&allowed), "{allowed}");
    for kind in [
        EventKind::Decision,
        EventKind::Debit,
        EventKind::Change,
        EventKind::Reload,
    ] {
        (0..100).for_each(|_| hub.emit(kind, "verb", kind != EventKind::Decision, |draft| draft));
    }
    assert!(log.flush(LONG));
    assert_eq!(found.lock().expect("a lock").len(), allowed + 400);
}

#[test]
fn panicking_sink_is_counted_and_goes_on() {
    let hub = EventBus::new(Clock::System);
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let log = hub
        .log(
            LogOptions::default(),
            Sink::callback(move |_| assert!(seen.fetch_add(1, Ordering::Relaxed) > 0, "the first")),
        )
        .expect("a log");
    decide(&hub, true);
    assert!(log.flush(LONG));
    decide(&hub, true);
    assert!(log.close(LONG));
    assert_eq!(
        log.counts(),
        LogCounts {
            delivered: 1,
            dropped: 0,
            failed: 1
        }
    );
}

#[test]
fn each_subscription_gets_its_own_events() {
    let hub = EventBus::new(Clock::System);
    let ((all, everything), (some, changes)) = (collecting_sink(), collecting_sink());
    let one = hub.log(LogOptions::default(), all).expect("a log");
    let other = hub
        .log(
            LogOptions {
                events: vec![EventKind::Change],
                ..LogOptions::default()
            },
            some,
        )
        .expect("a log");
    decide(&hub, true);
    hub.emit(EventKind::Change, "change", true, |draft| {
        draft.field("revision", Some(7))
    });
    assert!(one.flush(LONG) && other.flush(LONG));
    assert_eq!(
        (
            everything.lock().expect("a lock").len(),
            changes.lock().expect("a lock").len()
        ),
        (2, 1)
    );
}

#[test]
fn hanging_sink_blocks_no_caller() {
    let hub = EventBus::new(Clock::System);
    let gate = Arc::new(AtomicBool::new(false));
    let wait = Arc::clone(&gate);
    let stuck = Sink::callback(move |_| {
        while !wait.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let log = hub.log(LogOptions::default(), stuck).expect("a log");
    decide(&hub, true);
    assert!(!log.flush(Duration::from_millis(20)));
    assert!(!log.close(Duration::from_millis(20)));
    gate.store(true, Ordering::Release);
}

#[test]
fn fetching_host_is_woken_once_per_batch() {
    let hub = EventBus::new(Clock::System);
    let told = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&told);
    let wake = Arc::new(move || {
        seen.fetch_add(1, Ordering::Relaxed);
    });
    let log = hub
        .log(
            LogOptions {
                queue: 2,
                ..LogOptions::default()
            },
            Sink::Fetch(wake),
        )
        .expect("a log");
    (0..5).for_each(|_| decide(&hub, true));
    assert_eq!(told.load(Ordering::Relaxed), 1);
    let first = log._fetch(10);
    // Calls between fetch and report emit no events.
    assert!(!hub.has_subscribers());
    log._fetched(2, 1);
    assert_eq!(
        (
            first.len(),
            first
                .last()
                .and_then(|last| last.get("count"))
                .and_then(Value::as_u64)
        ),
        (3, Some(3))
    );
    assert!(log._fetch(10).is_empty());
    log._fetched(0, 0);
    decide(&hub, true);
    assert_eq!(told.load(Ordering::Relaxed), 2);
    assert_eq!(
        log.counts(),
        LogCounts {
            delivered: 1,
            dropped: 3,
            failed: 1
        }
    );
}

#[test]
fn invalid_option_is_refused() {
    let hub = EventBus::new(Clock::System);
    let refused = |options: LogOptions| {
        hub.log(options, Sink::callback(|_| {}))
            .map(drop)
            .map_err(|error| error.code())
    };
    assert_eq!(
        refused(LogOptions {
            sample_allowed: 1.5,
            ..LogOptions::default()
        }),
        Err("input.option")
    );
    assert_eq!(
        refused(LogOptions {
            sample_allowed: f64::NAN,
            ..LogOptions::default()
        }),
        Err("input.option")
    );
    assert_eq!(
        refused(LogOptions {
            queue: 0,
            ..LogOptions::default()
        }),
        Err("input.option")
    );
    assert_eq!(
        refused(LogOptions {
            redact: vec!["e-mail".to_owned()],
            ..LogOptions::default()
        }),
        Err("input.option")
    );
    let nowhere = hub.log(LogOptions::default(), Sink::file("/nowhere/at/all"));
    assert_eq!(
        nowhere.map(drop).map_err(|error| error.code()),
        Err("store.stream")
    );
    assert!(hub.is_disabled());
}
