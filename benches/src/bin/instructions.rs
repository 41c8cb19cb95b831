//! How many instructions does a decision take? The same on a noisy machine: they are counted, not
//! timed, by callgrind.
//!
//! - `instructions` runs itself under callgrind and writes the rows; without valgrind it says so,
//!   and writes none;
//! - `instructions ask DECISIONS` makes the decisions. Only what runs inside a `counted_*` function
//!   is counted.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

use sublet::RequestRef;
use sublet_benches::agency::Asked;
use sublet_benches::by_hand::HandWrittenRules;
use sublet_benches::checks::{JUDGED, Scene};
use sublet_benches::measure::{Report, directory, size};
use sublet_benches::workloads::Workload;

/// In the order in which `ask` runs them.
const COUNTED: [&str; 9] = [
    "check/strings/agency=1",
    "by_hand/agency=1",
    "check/strings/agency=100",
    "check/handles/agency=100",
    "by_hand/agency=100",
    "authorize/agency=100",
    "code_by_hand/agency=100",
    "check/strings/authors=100",
    "by_hand/authors=100",
];

#[inline(never)]
fn counted_check(scene: &Scene, questions: &[RequestRef<'_>]) {
    for question in questions {
        let _ = black_box(scene.engine.check(*question));
    }
}

#[inline(never)]
fn counted_authorize(scene: &Scene, questions: &[RequestRef<'_>]) {
    for question in questions {
        let _ = black_box(scene.engine.authorize(*question));
    }
}

#[inline(never)]
fn counted_by_hand(by_hand: &HandWrittenRules, asked: &[Asked<'_>]) {
    for asked in asked {
        black_box(by_hand.check(asked));
    }
}

#[inline(never)]
fn counted_code(by_hand: &HandWrittenRules, asked: &[Asked<'_>]) {
    for asked in asked {
        black_box(by_hand.decide(asked));
    }
}

#[inline(never)]
fn counted_authors(by_hand: &HandWrittenRules, asked: &[Asked<'_>]) {
    for asked in asked {
        black_box(by_hand.check_with_authors(asked));
    }
}

/// Makes each kind of decision, once to warm up and once to be counted.
fn ask(decisions: usize) {
    for size in [1, JUDGED] {
        let scene = Scene::new(size, decisions);
        scene.compare();
        let asked = scene.asked();
        let questions: Vec<RequestRef<'_>> = asked.iter().map(Asked::question).collect();
        counted_check(&scene, &questions);
        if size == JUDGED {
            counted_check(&scene, &scene.with_handles());
        }
        counted_by_hand(&scene.by_hand, &asked);
        if size == JUDGED {
            counted_authorize(&scene, &questions);
            counted_code(&scene.by_hand, &asked);
        }
    }
    let scene = Scene::of(Workload::Authors, JUDGED, decisions);
    scene.compare();
    let asked = scene.asked();
    let questions: Vec<RequestRef<'_>> = asked.iter().map(Asked::question).collect();
    counted_check(&scene, &questions);
    counted_authors(&scene.by_hand, &asked);
}

/// The counts of one run under callgrind, for each decision.
fn counts(decisions: usize) -> Option<Vec<f64>> {
    let out = directory().join("callgrind.out");
    let known = |file: &Path| {
        file.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("callgrind.out"))
    };
    for entry in std::fs::read_dir(directory())
        .ok()?
        .flatten()
        .filter(|entry| known(&entry.path()))
    {
        std::fs::remove_file(entry.path()).ok()?;
    }
    let done = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--quiet",
            "--collect-atstart=no",
            "--toggle-collect=instructions::counted_*",
        ])
        .args(
            ["check", "authorize", "by_hand", "code", "authors"]
                .map(|kind| format!("--dump-after=instructions::counted_{kind}")),
        )
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().ok()?)
        .args(["ask", &decisions.to_string()])
        .stdout(Stdio::null())
        .status()
        .ok()?;
    assert!(done.success(), "valgrind failed");
    let count = |at: usize| {
        let text = std::fs::read_to_string(format!("{}.{at}", out.display())).ok()?;
        let total = text.lines().find_map(|line| {
            line.strip_prefix("totals:")
                .or_else(|| line.strip_prefix("summary:"))
        })?;
        total
            .trim()
            .parse::<f64>()
            .ok()
            .map(|total| total / decisions as f64)
    };
    (1..=COUNTED.len()).map(count).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, decisions] = &arguments[..]
        && verb == "ask"
    {
        ask(decisions.parse().expect("a number"));
        return;
    }
    if !Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        println!(
            "valgrind is missing: instructions per decision are not measured (Debian, Ubuntu: `apt-get install valgrind`)"
        );
        return;
    }
    std::fs::create_dir_all(directory()).expect("the directory");
    let decisions = size("SUBLET_BENCH_DECISIONS", 2_000);
    let runs: Vec<Vec<f64>> = (0..2)
        .map(|_| counts(decisions).expect("the counts"))
        .collect();
    let mut report = Report::new("instructions");
    let least = |at: usize| runs.iter().map(|run| run[at]).fold(f64::MAX, f64::min);
    let peer = |name: &str| {
        let by_hand = if name.starts_with("authorize") {
            "code_by_hand"
        } else {
            "by_hand"
        };
        let size = name.rsplit('/').next()?;
        COUNTED
            .iter()
            .position(|known| *known == format!("{by_hand}/{size}"))
    };
    for (at, name) in COUNTED
        .iter()
        .enumerate()
        .filter(|(_, name)| !name.contains("by_hand"))
    {
        report.row(
            format!("rust/instructions/{name}"),
            "instructions",
            least(at),
            peer(name).map(least),
            true,
        );
    }
    let spread = (0..COUNTED.len())
        .flat_map(|at| runs.iter().map(move |run| run[at] / least(at) - 1.0))
        .fold(0.0, f64::max);
    println!("two runs differ by {:.2}% at most", spread * 100.0);
}
