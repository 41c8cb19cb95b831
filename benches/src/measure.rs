//! Medians of rounds in which the contestants take turns, and the rows that the table at the end
//! reads.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::random::Random;

/// The seed of everything that is drawn.
pub const SEED: u64 = 17;
/// How long one contestant is timed in one round, at least.
const TURN: Duration = Duration::from_millis(20);

/// One pass over the items in the given order.
pub type Pass<'a> = (&'static str, Contestant<'a>);

/// Someone who answers the questions of these places.
pub type Contestant<'a> = Box<dyn FnMut(&[u32]) + 'a>;

/// A contestant that is asked one item after the other.
pub fn each<'a, T>(ask: impl Fn(usize) -> T + 'a) -> Contestant<'a> {
    Box::new(move |order| {
        for at in order {
            black_box(ask(*at as usize));
        }
    })
}

/// A contestant that is asked all items at once.
pub fn all<'a, T>(ask: impl Fn() -> T + 'a) -> Contestant<'a> {
    Box::new(move |_| drop(black_box(ask())))
}

/// Seconds of CPU that this process has used, in all threads.
///
/// # Panics
/// If the system does not say.
#[must_use]
pub fn cpu_seconds() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes to this structure only.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "the clock of the process");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A size from the environment.
#[must_use]
pub fn size(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(default)
}

/// The numbers of main accounts: `SIZES=1,100`.
#[must_use]
pub fn sizes() -> Vec<usize> {
    let text = std::env::var("SIZES").unwrap_or_else(|_| "1,100".to_owned());
    text.split(',')
        .filter_map(|size| size.trim().parse().ok())
        .collect()
}

/// How often each contestant has its turn: at least five.
#[must_use]
pub fn rounds() -> usize {
    size("SUBLET_BENCH_ROUNDS", 9).max(5)
}

/// The middle one.
#[must_use]
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The numbers below `items`, shuffled: a branch predictor must not learn the questions.
#[must_use]
pub fn shuffled(items: usize, random: &mut Random) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(items).unwrap_or(u32::MAX)).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    order
}

/// Nanoseconds for each item: medians of `rounds` in which the contestants take turns, each round
/// in a new order of the items, and with another contestant first.
pub fn race(mut passes: Vec<Pass<'_>>, items: usize, rounds: usize) -> BTreeMap<&'static str, f64> {
    let mut random = Random::new(SEED);
    let mut found: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    let count = passes.len();
    for round in 0..=rounds {
        let order = shuffled(items, &mut random);
        for turn in 0..count {
            let (name, pass) = &mut passes[(turn + round) % count];
            let begun = Instant::now();
            let mut times = 0_u32;
            while begun.elapsed() < TURN {
                pass(&order);
                times += 1;
            }
            let each = begun.elapsed().as_secs_f64() * 1e9 / f64::from(times) / items as f64;
            // The first round warms up.
            if round > 0 {
                found.entry(name).or_default().push(each);
            }
        }
    }
    found
        .into_iter()
        .map(|(name, each)| (name, median(each)))
        .collect()
}

/// The rows of one part of the benchmark. Without it the table says "not measured".
#[derive(Debug)]
pub struct Report {
    file: PathBuf,
    rows: Vec<serde_json::Value>,
}

impl Report {
    /// Returns a report of this part, written to `SUBLET_BENCH_DIR` or `target/bench`.
    #[must_use]
    pub fn new(part: &str) -> Self {
        Self::at(&directory(), part)
    }

    /// Returns a report of this part, written to this directory.
    #[must_use]
    pub fn at(directory: &Path, part: &str) -> Self {
        Self {
            file: directory.join(format!("{part}.json")),
            rows: Vec::new(),
        }
    }

    /// A row. `checked` says that the answers were compared before anything was timed.
    ///
    /// # Panics
    /// If the file cannot be written: each row is kept at once, in case a later one fails.
    pub fn row(
        &mut self,
        name: impl Into<String>,
        unit: &str,
        ours: f64,
        peer: Option<f64>,
        checked: bool,
    ) {
        let name = name.into();
        let words = peer.map_or_else(String::new, |peer| {
            format!("  peer {peer:.1}  ratio {:.3}", ours / peer)
        });
        println!("{name}: {ours:.1} {unit}{words}");
        self.rows.push(
            json!({"name": name, "unit": unit, "ours": ours, "peer": peer, "checked": checked}),
        );
        std::fs::create_dir_all(self.file.parent().expect("a directory")).expect("the directory");
        std::fs::write(
            &self.file,
            serde_json::to_string_pretty(&self.rows).expect("rows"),
        )
        .expect("the rows");
    }
}

/// Where the parts write.
#[must_use]
pub fn directory() -> PathBuf {
    std::env::var_os("SUBLET_BENCH_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench"),
        PathBuf::from,
    )
}

/// The shipped policies.
#[must_use]
pub fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}
