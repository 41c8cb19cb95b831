//! Do readers feel it when the directory changes a thousand times a second and the policies are
//! reloaded each second? One reader and one writer: that is what two cores can show. And do two
//! readers answer twice as much as one?

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use sublet::{Change, PolicySource, Record};

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
                return f64::from(PARTS + part)
                    * 2_f64.powi(i32::try_from(power - PARTS.ilog2()).unwrap_or(0));
            }
            left -= count;
        }
        f64::NAN
    }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the cost of reading the clock. It is subtracted, because it would hide differences.
fn clock() -> u64 {
    median(
        (0..1_001)
            .map(|_| nanoseconds(Instant::now()) as f64)
            .collect(),
    ) as u64
}

/// Each check timed by itself, until told to stop.
fn read(scene: &Scene, asked: &[Asked<'_>], stop: &AtomicBool) -> Durations {
    let order = shuffled(asked.len(), &mut Random::new(SEED));
    let mut seen = Durations::new();
    let clock = clock();
    while !stop.load(Ordering::Relaxed) {
        for at in &order[..order.len().min(1_000)] {
            let begun = Instant::now();
            let _ = black_box(scene.engine.check(asked[*at as usize].question()));
            seen.saw(nanoseconds(begun).saturating_sub(clock));
        }
    }
    seen
}

/// The members as they are, and as they are without their last grant.
fn variants(lines: &str) -> Vec<[Value; 2]> {
    let members = lines
        .lines()
        .filter(|line| line.starts_with(r#"{"type":"TeamMember""#))
        .take(20_000);
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
    scene
        .engine
        .apply_changes(vec![Change::Put(record)], None)
        .expect("a change");
}

/// Changes at their pace, catching up where late. Gives how many were made.
fn change(scene: &Scene, members: &[[Value; 2]], stop: &AtomicBool, random: &mut Random) -> u32 {
    let begun = Instant::now();
    let mut made = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        put(scene, &random.one(members)[random.below(2)]);
        made += 1;
        std::thread::sleep(
            (Duration::from_secs(1) / CHANGES * made).saturating_sub(begun.elapsed()),
        );
    }
    made
}

/// A reload at the beginning, and one each second. Gives how many were made.
fn reload(scene: &Scene, stop: &AtomicBool) -> u32 {
    let begun = Instant::now();
    let mut made = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        if begun.elapsed().as_secs() >= u64::from(made) {
            scene
                .engine
                .reload(&PolicySource::Folder(policies()))
                .expect("the bundle");
            made += 1;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    made
}

/// One window: what a reader saw, and how many changes and reloads were made in each second.
fn window(
    scene: &Scene,
    members: &[[Value; 2]],
    changing: bool,
    length: Duration,
    random: &mut Random,
) -> (Durations, f64, f64) {
    let (asked, stop) = (scene.asked(), AtomicBool::new(false));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(scene, &asked, &stop));
        let reloader = changing.then(|| scope.spawn(|| reload(scene, &stop)));
        let changer = changing.then(|| scope.spawn(|| change(scene, members, &stop, random)));
        std::thread::sleep(length);
        stop.store(true, Ordering::Relaxed);
        let count = |made: Option<std::thread::ScopedJoinHandle<'_, u32>>| {
            made.map_or(0, |made| made.join().expect("a writer"))
        };
        let (changes, reloads) = (count(changer), count(reloader));
        let seconds = begun.elapsed().as_secs_f64();
        (
            reader.join().expect("the reader"),
            f64::from(changes) / seconds,
            f64::from(reloads) / seconds,
        )
    })
}

/// p99 of a check while the directory changes, beside the quiet p99 of the same run.
///
/// # Panics
/// If a change is refused, or an answer is another once all members are as they were.
pub fn latency(scene: &Scene, report: &mut Report, rounds: usize, length: Duration) {
    let members = variants(&scene.agency.lines);
    let random = &mut Random::new(SEED);
    let (mut quiet, mut busy) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let (mut changes, mut reloads) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for changing in [false, true] {
            let (seen, changed, reloaded) = window(scene, &members, changing, length, random);
            let into = if changing { &mut busy } else { &mut quiet };
            into[0].push(seen.percentile(0.99));
            into[1].push(seen.percentile(0.9999));
            if changing {
                changes.push(changed);
                reloads.push(reloaded);
            }
        }
    }
    for [record, _] in &members {
        put(scene, record);
    }
    scene.compare();
    let (size, changes, reloads) = (scene.size, median(changes), median(reloads));
    println!("agency={size}: {changes:.0} changes and {reloads:.2} reloads in each second");
    // Writers that did not keep their pace have shown nothing.
    let kept = changes > f64::from(CHANGES) * 0.9 && reloads > 0.9;
    let ([quiet, quiet_worst], [busy, busy_worst]) = (quiet.map(median), busy.map(median));
    report.row(
        format!("rust/check/p99/changes={CHANGES}/reloads=1/agency={size}"),
        "ns",
        busy,
        Some(quiet),
        kept,
    );
    report.row(
        format!("rust/check/p99.99/changes={CHANGES}/reloads=1/agency={size}"),
        "ns",
        busy_worst,
        Some(quiet_worst),
        kept,
    );
    report.row(
        format!("rust/change/agency={size}/paced={CHANGES}"),
        "per second",
        changes,
        None,
        true,
    );
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
        let readers: Vec<_> = (0..threads)
            .map(|at| scope.spawn(move || count(SEED + at as u64)))
            .collect();
        std::thread::sleep(window);
        stop.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .map(|reader| reader.join().expect("a reader"))
            .sum()
    });
    count as f64 / begun.elapsed().as_secs_f64()
}

/// Compares the throughput of two threads with that of one.
pub fn threads(scene: &Scene, report: &mut Report, rounds: usize, window: Duration) {
    let asked = scene.asked();
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        one.push(answered(scene, &asked, 1, window));
        two.push(answered(scene, &asked, 2, window));
    }
    report.row(
        format!("rust/check/threads=2/agency={}", scene.size),
        "per second",
        median(two),
        Some(median(one)),
        true,
    );
}
