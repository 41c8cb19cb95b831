//! Measures what it takes to open an engine, in CPU time. Each opening has a process of its own,
//! because a process opens the same policies faster the second time.

use std::process::Command;

use sublet::{Engine, Options, PolicySource};

use crate::agency::agency;
use crate::bundles;
use crate::by_hand::HandWrittenRules;
use crate::measure::{Report, SEED, cpu_seconds, median};

/// The argument by which `figures` is asked for one opening.
pub const ONE: &str = "open-once";

/// Opens these policies twice. Prints the milliseconds of CPU that each took.
///
/// # Panics
/// If an engine does not open, or an answer is wrong.
pub fn once(policies: &str) {
    let source = match policies {
        "shipped" => PolicySource::Shipped,
        "changed" => PolicySource::Files(bundles::changed(0)),
        other => panic!("no such policies: {other}"),
    };
    let open = || {
        let options = Options {
            policies: source.clone(),
            ..Options::default()
        };
        let before = cpu_seconds();
        let engine = Engine::open(options).unwrap_or_else(|error| panic!("{error}"));
        ((cpu_seconds() - before) * 1e3, engine)
    };
    let ((first, one), (second, other)) = (open(), open());
    compare(&[one, other]);
    println!("{first} {second}");
}

/// Compares the answers of the engines with those of the rules by hand.
fn compare(engines: &[Engine]) {
    let agency = agency(1, 500, SEED);
    let by_hand = HandWrittenRules::new(&agency.lines);
    for engine in engines {
        let imported = engine.import(agency.lines.as_bytes(), None, None);
        imported.expect("the directory");
        for question in &agency.questions {
            let asked = question.asked();
            let decision = engine.authorize(asked.question()).expect("an answer");
            assert_eq!(&*decision.code, by_hand.decide(&asked), "{asked:?}");
        }
    }
}

/// The milliseconds of CPU of the first and of the second opening in a process, if its answers are
/// right.
fn measured(policies: &str) -> Option<(f64, f64)> {
    let program = std::env::current_exe().expect("this program");
    let done = Command::new(program).args([ONE, policies]).output();
    let done = done.expect("a process");
    let said = String::from_utf8_lossy(&done.stdout);
    let (first, second) = said.trim().split_once(' ')?;
    let both = (first.parse().ok()?, second.parse().ok()?);
    done.status.success().then_some(both)
}

/// The rows of opening.
pub fn rows(report: &mut Report, rounds: usize) {
    let mut row = |name: &str, times: Vec<f64>| {
        let checked = times.len() == rounds;
        report.row(name, "ms", median(times), None, checked);
    };
    let times = |policies: &str| -> (Vec<f64>, Vec<f64>) {
        let runs = (0..rounds).filter_map(|_| measured(policies));
        runs.unzip()
    };
    let (shipped, shipped_again) = times("shipped");
    let (changed, changed_again) = times("changed");
    row("rust/open/shipped", shipped);
    row("rust/open/shipped/again", shipped_again);
    row("rust/open/changed", changed);
    row("rust/open/again", changed_again);
}
