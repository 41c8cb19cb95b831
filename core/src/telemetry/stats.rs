//! Metrics: the number and the latency of decisions. Counted without locks, in shards so that
//! threads rarely share a counter.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Serialize;

use super::LogCounts;

/// The number of bounded buckets. The bounds double, from 1 microsecond to half a second, and the
/// last bucket counts everything above.
const BOUNDS: usize = 20;

/// The greatest number of pairs of action and code. Further pairs are counted as `other`.
const MAX_SERIES: usize = 512;
const OTHER: &str = "other";

/// The number of shards of a counter.
const PARTS: usize = 4;

/// The decisions about one action with one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionSeries {
    /// The action. For a command it is the command's name, and for `login` and `route_ticket` the
    /// verb.
    pub action: Arc<str>,
    /// The code of the decisions.
    pub code: Arc<str>,
    /// The number of decisions.
    pub count: u64,
    /// The sum of their latencies in microseconds.
    pub sum_us: u64,
    /// The number of decisions in each latency bucket: at most its bound and above the previous
    /// one. The last bucket counts those above all bounds.
    pub buckets: Vec<u64>,
}

/// The number of errors of one verb with one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorCount {
    /// The verb.
    pub verb: &'static str,
    /// The error's code.
    pub code: &'static str,
    /// The number of errors.
    pub count: u64,
}

/// The metrics since the first call of [`Engine::enable_metrics`](crate::Engine::enable_metrics).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Whether metrics are on now.
    pub measured: bool,
    /// The upper bounds of the latency buckets in microseconds.
    pub bounds_us: Vec<u64>,
    /// The decisions, sorted by action and code.
    pub decisions: Vec<DecisionSeries>,
    /// The errors, sorted by verb and code.
    pub errors: Vec<ErrorCount>,
    /// The number of policy reloads.
    pub reloads: u64,
    /// The number of directory changes by this process.
    pub changes: u64,
    /// The event counts of all logs, whether or not metrics are on.
    pub events: LogCounts,
}

/// One shard of a counter. The alignment keeps two shards out of one cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct CounterShard {
    nanoseconds: AtomicU64,
    buckets: [AtomicU64; BOUNDS + 1],
}

#[derive(Debug, Default)]
struct ShardedCounter([CounterShard; PARTS]);

/// Returns the index of this thread's shard.
fn shard_index() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % PARTS;
    }
    MINE.try_with(|mine| *mine).unwrap_or(0)
}

/// Returns the first bucket whose bound is at least the given latency.
fn bucket(nanoseconds: u64) -> usize {
    let us = nanoseconds.div_ceil(1_000);
    let place = u64::BITS.saturating_sub(us.saturating_sub(1).leading_zeros());
    (place as usize).min(BOUNDS)
}

impl ShardedCounter {
    fn add(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let Some(part) = self.0.get(shard_index()) else {
            return;
        };
        part.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        if let Some(count) = part.buckets.get(bucket(nanoseconds)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn series(&self, action: &Arc<str>, code: &Arc<str>) -> DecisionSeries {
        let mut buckets = vec![0_u64; BOUNDS.saturating_add(1)];
        let mut nanoseconds = 0_u64;
        for part in &self.0 {
            nanoseconds = nanoseconds.saturating_add(part.nanoseconds.load(Ordering::Relaxed));
            for (sum, count) in buckets.iter_mut().zip(&part.buckets) {
                *sum = sum.saturating_add(count.load(Ordering::Relaxed));
            }
        }
        let count = buckets
            .iter()
            .fold(0_u64, |sum, count| sum.saturating_add(*count));
        DecisionSeries {
            action: Arc::clone(action),
            code: Arc::clone(code),
            count,
            sum_us: nanoseconds / 1_000,
            buckets,
        }
    }
}

type SeriesMap = HashMap<Arc<str>, HashMap<Arc<str>, Arc<ShardedCounter>>>;

/// The counters of an engine.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    known: ArcSwap<SeriesMap>,
    other: ShardedCounter,
    errors: ArcSwap<BTreeMap<(&'static str, &'static str), Arc<AtomicU64>>>,
    reloads: AtomicU64,
    changes: AtomicU64,
}

impl Recorder {
    /// Counts a decision about an action.
    pub(crate) fn count_decision(&self, action: &str, code: &str, took: Duration) {
        let find = |known: &SeriesMap| {
            known
                .get(action)
                .and_then(|codes| codes.get(code))
                .map(Arc::clone)
        };
        let known = self.known.load();
        if let Some(counters) = find(&known) {
            return counters.add(took);
        }
        if known.values().map(HashMap::len).sum::<usize>() >= MAX_SERIES {
            return self.other.add(took);
        }
        drop(known);
        self.known.rcu(|known| {
            let mut next = SeriesMap::clone(known);
            next.entry(Arc::from(action))
                .or_default()
                .entry(Arc::from(code))
                .or_default();
            next
        });
        if let Some(counters) = find(&self.known.load()) {
            counters.add(took);
        }
    }

    /// Counts an error of a verb.
    pub(crate) fn count_error(&self, verb: &'static str, code: &'static str) {
        let mut found = self.errors.load().get(&(verb, code)).map(Arc::clone);
        if found.is_none() {
            self.errors.rcu(|known| {
                let mut next = BTreeMap::clone(known);
                next.entry((verb, code)).or_default();
                next
            });
            found = self.errors.load().get(&(verb, code)).map(Arc::clone);
        }
        if let Some(count) = found {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn reloaded(&self) {
        self.reloads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_change(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }
}

impl Stats {
    /// Builds the statistics from the recorder's counters.
    pub(crate) fn from_recorder(
        measured: bool,
        recorder: Option<&Recorder>,
        events: LogCounts,
    ) -> Self {
        let bounds_us = (0..BOUNDS)
            .filter_map(|place| 1_u64.checked_shl(u32::try_from(place).ok()?))
            .collect();
        let mut stats = Self {
            measured,
            bounds_us,
            decisions: Vec::new(),
            errors: Vec::new(),
            reloads: 0,
            changes: 0,
            events,
        };
        let Some(recorder) = recorder else {
            return stats;
        };
        for (action, codes) in recorder.known.load().iter() {
            stats.decisions.extend(
                codes
                    .iter()
                    .map(|(code, counters)| counters.series(action, code)),
            );
        }
        stats
            .decisions
            .sort_by(|one, other| (&one.action, &one.code).cmp(&(&other.action, &other.code)));
        let other = recorder.other.series(&Arc::from(OTHER), &Arc::from(OTHER));
        stats.decisions.extend((other.count > 0).then_some(other));
        let errors = recorder.errors.load();
        stats
            .errors
            .extend(errors.iter().map(|((verb, code), count)| ErrorCount {
                verb,
                code,
                count: count.load(Ordering::Relaxed),
            }));
        stats.reloads = recorder.reloads.load(Ordering::Relaxed);
        stats.changes = recorder.changes.load(Ordering::Relaxed);
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_includes_its_upper_bound() {
        let found = [
            0,
            1,
            1_000,
            1_001,
            2_000,
            2_001,
            4_000,
            524_288_000,
            524_288_001,
            u64::MAX,
        ]
        .map(bucket);
        assert_eq!(found, [0, 0, 0, 1, 1, 2, 2, 19, 20, 20]);
    }

    #[test]
    fn threads_count_exactly() {
        let recorder = Recorder::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for at in 0..1_000 {
                        recorder.count_decision(
                            "read",
                            if at % 4 == 0 { "ok" } else { "no" },
                            Duration::from_micros(3),
                        );
                        recorder.count_error("check", "input.amount");
                    }
                });
            }
        });
        let stats = Stats::from_recorder(true, Some(&recorder), LogCounts::default());
        let found: Vec<_> = stats
            .decisions
            .iter()
            .map(|series| {
                (
                    &*series.code,
                    series.count,
                    series.sum_us,
                    series.buckets.get(2).copied(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("no", 6_000, 18_000, Some(6_000)),
                ("ok", 2_000, 6_000, Some(2_000))
            ]
        );
        assert_eq!(
            stats.errors,
            [ErrorCount {
                verb: "check",
                code: "input.amount",
                count: 8_000
            }]
        );
        assert_eq!(
            (stats.bounds_us.first(), stats.bounds_us.last()),
            (Some(&1), Some(&524_288))
        );
    }

    #[test]
    fn number_of_series_is_bounded() {
        let recorder = Recorder::default();
        for number in 0..MAX_SERIES + 10 {
            recorder.count_decision(&format!("action {number}"), "ok", Duration::ZERO);
        }
        let stats = Stats::from_recorder(true, Some(&recorder), LogCounts::default());
        assert_eq!(
            (
                stats.decisions.len(),
                stats
                    .decisions
                    .last()
                    .map(|last| (&*last.action, last.count))
            ),
            (MAX_SERIES + 1, Some((OTHER, 10)))
        );
    }
}
