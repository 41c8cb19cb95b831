//! Do readers feel it when the directory changes a thousand times a second and the policies are reloaded each second? One
//! reader and one writer: that is what two cores can show. And do two readers answer twice as much as one?

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use sublet::{Change, Record, Source};

use crate::agency::Asked;
use crate::checks::Scene;
use crate::measure::{Report, SEED, median, policies, shuffled};
use crate::random::Random;

const CHANGES: u32 = 1_000;
/// Buckets of a sixteenth of a power of two: a percentile is right within 6%.
const PARTS: u32 = 16;

/// How often each duration was seen.
#[derive(Debug)]
struct Durations(Vec<u64>);

impl Durations {
    fn new() -> Self {
        Self(vec![0; 64 * PARTS as usize])
    }

    #[inline]
    fn saw(&mut self, nanoseconds: u64) {
        let nanoseconds = nanoseconds.max(u64::from(PARTS));
        let power = nanoseconds.ilog2();
        let part = (nanoseconds >> (power - PARTS.ilog2())) as u32 - PARTS;
        self.0[(power * PARTS + part) as usize] += 1;
    }

    /// The duration that this share of them did not pass.
    fn percentile(&self, share: f64) -> f64 {
        let all: u64 = self.0.iter().sum();
        let mut left = (all as f64 * share) as u64;
        for (at, count) in self.0.iter().enumerate() {
            if *count > left {
                let (power, part) = (at as u32 / PARTS, at as u32 % PARTS);
                return f64::from(PARTS + part) * 2_f64.powi(i32::try_from(power - PARTS.ilog2()).unwrap_or(0));
            }
            left -= count;
        }
        f64::NAN
    }
}

/// Each check timed by itself, until told to stop.
fn read(scene: &Scene, asked: &[Asked<'_>], stop: &AtomicBool) -> Durations {
    let order = shuffled(asked.len(), &mut Random::new(SEED));
    let mut seen = Durations::new();
    while !stop.load(Ordering::Relaxed) {
        for at in &order[..order.len().min(1_000)] {
            let begun = Instant::now();
            let _ = black_box(scene.engine.check(asked[*at as usize].question()));
            seen.saw(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
    }
    seen
}

/// The members as they are, and as they are without their last grant.
fn variants(lines: &str) -> Vec<[Value; 2]> {
    let members = lines.lines().filter(|line| line.starts_with(r#"{"type":"TeamMember""#)).take(20_000);
    members
        .filter_map(|line| {
            let record: Value = serde_json::from_str(line).ok()?;
            let mut other = record.clone();
            other["grants"].as_array_mut()?.pop();
            Some([record, other])
        })
        .collect()
}

fn put(scene: &Scene, record: &Value) {
    let record = Record::from_value(record.clone()).expect("a record");
    scene.engine.change(vec![Change::Put(record)], None).expect("a change");
}

/// Changes and reloads at their pace, catching up where late. Gives the changes made for each second.
fn write(scene: &Scene, members: &[[Value; 2]], until: Duration, random: &mut Random) -> f64 {
    let begun = Instant::now();
    let (mut made, mut reloads) = (0_u32, 0_u32);
    while begun.elapsed() < until {
        if begun.elapsed().as_secs() >= u64::from(reloads) {
            scene.engine.reload(&Source::Folder(policies())).expect("the bundle");
            reloads += 1;
        }
        put(scene, &random.one(members)[random.below(2)]);
        made += 1;
        std::thread::sleep((Duration::from_secs(1) / CHANGES * made).saturating_sub(begun.elapsed()));
    }
    f64::from(made) / begun.elapsed().as_secs_f64()
}

/// p99 of a check while the directory changes, beside the quiet p99 of the same run.
///
/// # Panics
/// If a change is refused, or an answer is another once all members are as they were.
pub fn latency(scene: &Scene, report: &mut Report, rounds: usize, window: Duration) {
    let asked = scene.asked();
    let members = variants(&scene.agency.lines);
    let random = &mut Random::new(SEED);
    let (mut quiet, mut busy, mut worst, mut rates) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        for changing in [false, true] {
            let stop = AtomicBool::new(false);
            let seen = std::thread::scope(|scope| {
                let reader = scope.spawn(|| read(scene, &asked, &stop));
                if changing {
                    rates.push(write(scene, &members, window, random));
                } else {
                    std::thread::sleep(window);
                }
                stop.store(true, Ordering::Relaxed);
                reader.join().expect("the reader")
            });
            if changing { &mut busy } else { &mut quiet }.push(seen.percentile(0.99));
            if changing {
                worst.push(seen.percentile(0.9999));
            }
        }
    }
    let rate = median(rates);
    for [record, _] in &members {
        put(scene, record);
    }
    scene.compare();
    let (size, quiet) = (scene.size, median(quiet));
    // A writer that did not keep its pace has shown nothing.
    let kept = rate > f64::from(CHANGES) * 0.95;
    report.row(format!("rust/check/p99/changes={CHANGES}/reloads=1/agency={size}"), "ns", median(busy), Some(quiet), kept);
    report.row(format!("rust/check/p99.99/changes={CHANGES}/reloads=1/agency={size}"), "ns", median(worst), None, kept);
    report.row(format!("rust/change/agency={size}/paced={CHANGES}"), "per second", rate, None, true);
}

/// Checks in a second by so many threads.
fn answered(scene: &Scene, asked: &[Asked<'_>], threads: usize, window: Duration) -> f64 {
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let count = |seed: u64| {
        let order = shuffled(asked.len(), &mut Random::new(seed));
        let mut count = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            for at in &order {
                let _ = black_box(scene.engine.check(asked[*at as usize].question()));
            }
            count += order.len() as u64;
        }
        count
    };
    let count = &count;
    let count: u64 = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads).map(|at| scope.spawn(move || count(SEED + at as u64))).collect();
        std::thread::sleep(window);
        stop.store(true, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().expect("a reader")).sum()
    });
    count as f64 / begun.elapsed().as_secs_f64()
}

/// What two threads answer beside what one does.
pub fn threads(scene: &Scene, report: &mut Report, rounds: usize, window: Duration) {
    let asked = scene.asked();
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        one.push(answered(scene, &asked, 1, window));
        two.push(answered(scene, &asked, 2, window));
    }
    report.row(format!("rust/check/threads=2/agency={}", scene.size), "per second", median(two), Some(median(one)), true);
}
