//! Measures the memory of an engine and of a resident principal, and the time of loading. Each
//! measurement has a process of its own:
//!
//! - `resident` asks the other four, one after the other, and writes the rows;
//! - `resident engine` opens an engine with the shipped policies and asks it once;
//! - `resident write MAIN_ACCOUNTS FILE` writes an agency's JSON lines;
//! - `resident sublet FILE` imports them;
//! - `resident cedar FILE` builds `cedar_policy::Entities` of them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use sublet::{Engine, Options, RequestRef};
use sublet_benches::agency::{PRINCIPALS, agency};
use sublet_benches::bundles;
use sublet_benches::cedar::Cedar;
use sublet_benches::checks::opened;
use sublet_benches::measure::{Report, SEED, directory, median, size, sizes};

/// Bytes of this process under `name`. Nothing where the system does not say.
fn bytes(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes = line.trim().trim_end_matches(" kB").parse::<f64>().ok()?;
    Some(kilobytes * 1024.0)
}

/// Bytes of this process that are in memory, and the most that ever were.
fn memory() -> Option<(f64, f64)> {
    Some((bytes("VmRSS:")?, bytes("VmHWM:")?))
}

/// Measures the memory that one more process pays for an engine. The pages of the program itself
/// are shared, so they are not counted.
fn engine() -> Value {
    let before = bytes("RssAnon:");
    let engine = Engine::open(Options::default()).expect("the shipped policies");
    let question = RequestRef::new(("Account", "a"), "campaign.read", ("Campaign", "a"));
    let decision = engine.authorize(question).expect("an answer");
    let anonymous = before
        .zip(bytes("RssAnon:"))
        .map(|(before, after)| after - before);
    json!({"anonymous": anonymous, "refused": !decision.allowed})
}

/// Measures the memory and the time of `build`, and counts what it made.
fn taken<T>(build: impl FnOnce() -> T, count: impl FnOnce(&T) -> usize) -> Value {
    let before = memory();
    let begun = Instant::now();
    let built = build();
    let seconds = begun.elapsed().as_secs_f64();
    let after = memory();
    let (resident, most) = before.zip(after).map_or((None, None), |(before, after)| {
        (Some(after.0 - before.0), Some(after.1 - before.0))
    });
    json!({"seconds": seconds, "resident": resident, "most": most, "count": count(&built)})
}

fn sublet(file: &Path) -> Value {
    // The bundle is loaded, and one small directory imported and dropped, before the first look at
    // the memory.
    let engine = opened(&agency(1, 0, SEED).lines);
    let read = BufReader::with_capacity(1 << 16, File::open(file).expect("the lines"));
    taken(
        || engine.import(read, None, None).expect("the directory"),
        |_| {
            let host = "app.agency-00000.example";
            let question = RequestRef::new(
                ("Account", "main-00000"),
                "campaign.read",
                ("Campaign", "a"),
            )
            .account("main-00000")
            .host(host);
            usize::from(engine.check(question).expect("an answer"))
        },
    )
}

fn cedar(file: &Path) -> Value {
    let cedar = Cedar::new(&bundles::shipped(), "");
    let read = BufReader::with_capacity(1 << 16, File::open(file).expect("the lines"));
    taken(|| cedar.resident(read), |entities| entities.len())
}

/// The answer of this command in a process of its own.
fn asked(arguments: &[&str]) -> Value {
    let command = std::env::current_exe().expect("this program");
    let done = Command::new(command)
        .args(arguments)
        .output()
        .expect("a process");
    assert!(
        done.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    serde_json::from_slice(&done.stdout).unwrap_or(Value::Null)
}

fn memory_of_an_engine(rounds: usize, report: &mut Report) {
    let found: Vec<Value> = (0..rounds).map(|_| asked(&["engine"])).collect();
    let anonymous: Vec<f64> = found
        .iter()
        .filter_map(|one| one["anonymous"].as_f64())
        .collect();
    if !anonymous.is_empty() {
        let megabytes = median(anonymous) / 1e6;
        let checked = found.iter().all(|one| one["refused"] == true);
        report.row("rust/memory/engine", "MB", megabytes, None, checked);
    }
}

fn all(main_accounts: usize, rounds: usize, report: &mut Report) {
    std::fs::create_dir_all(directory()).expect("the directory");
    let file = directory().join(format!("agency-{main_accounts}.jsonl"));
    let name = file.to_str().expect("a name");
    asked(&["write", &main_accounts.to_string(), name]);
    let found: Vec<Value> = (0..rounds).map(|_| asked(&["sublet", name])).collect();
    let principals = (main_accounts * PRINCIPALS) as f64;
    let middle = |key: &str| median(found.iter().filter_map(|one| one[key].as_f64()).collect());
    let checked = found.iter().all(|one| one["count"] == 1);
    let peers = size("SUBLET_BENCH_ENTITIES", 100);
    let small = directory().join(format!("agency-{peers}.jsonl"));
    let small = small.to_str().expect("a name");
    asked(&["write", &peers.to_string(), small]);
    let entities = asked(&["cedar", small]);
    let peer = entities["resident"]
        .as_f64()
        .zip(entities["count"].as_f64())
        .map(|(bytes, count)| bytes / count);
    if middle("resident").is_finite() {
        report.row(
            format!("rust/memory/resident/agency={main_accounts}"),
            "bytes per principal",
            middle("resident") / principals,
            peer,
            checked,
        );
        report.row(
            format!("rust/memory/most while loading/agency={main_accounts}"),
            "bytes per principal",
            middle("most") / principals,
            None,
            checked,
        );
    }
    report.row(
        format!("rust/load/agency={main_accounts}"),
        "s",
        middle("seconds"),
        None,
        checked,
    );
    std::fs::remove_file(&file).expect("the lines");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["write", main_accounts, file] => {
            std::fs::write(
                file,
                agency(main_accounts.parse().expect("a number"), 0, SEED).lines,
            )
            .expect("the lines");
        }
        ["engine"] => println!("{}", engine()),
        ["sublet", file] => println!("{}", sublet(Path::new(file))),
        ["cedar", file] => println!("{}", cedar(Path::new(file))),
        _ => {
            let mut report = Report::new("resident");
            memory_of_an_engine(5, &mut report);
            for size in sizes().into_iter().filter(|size| *size >= 100) {
                all(size, 5, &mut report);
            }
        }
    }
}
