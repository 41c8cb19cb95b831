//! Measures the directory. One process writes the agency's lines to a file, and a fresh process
//! loads them. Prints seconds, bytes of memory for each principal with all indexes, and the cost of
//! a change.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use sublet::{Change, Engine, Options, PolicySource, Record};
use sublet_benches::agency::{PRINCIPALS, agency};

const SEED: u64 = 17;

/// Bytes of memory that this process has now, and seconds of CPU that it used in its own code.
fn used() -> (u64, f64) {
    let read =
        |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let pages: u64 = read("statm")
        .split(' ')
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let stat = read("stat");
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u32 = after_name
        .split(' ')
        .nth(12)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    (pages * 4096, f64::from(ticks) / 100.0)
}

fn load(path: &Path, n: usize) {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let engine = Engine::open(Options {
        policies: PolicySource::Folder(policies),
        ..Options::default()
    })
    .expect("the bundle");
    let lines = BufReader::new(std::fs::File::open(path).expect("the lines"));
    let ((before, cpu), start) = (used(), Instant::now());
    engine.import(lines, None, None).expect("the directory");
    let (seconds, (after, cpu_after)) = (start.elapsed().as_secs_f64(), used());
    let principals = n * PRINCIPALS;
    let bytes = after.saturating_sub(before) / u64::try_from(principals).expect("few");
    let (load, cpu, change) = (
        format!("{seconds:.2}"),
        format!("{:.2}", cpu_after - cpu),
        change_microseconds(&engine, n),
    );
    println!(
        r#"{{"principals":{principals},"bytes_per_principal":{bytes},"load_seconds":{load},"load_cpu_seconds":{cpu},"change_microseconds":{change:.1}}}"#
    );
}

/// Returns the median cost of a change among a thousand. Each change replaces another member.
fn change_microseconds(engine: &Engine, n: usize) -> f64 {
    let mut times: Vec<f64> = (0..1_000)
        .map(|at| {
            let account = format!("main-{:05}", at * 7_919 % n);
            let text = format!(
                r#"{{"type":"TeamMember","id":"{account}-member-0","account":"{account}","email":"{account}-{at}@mail.example","confirmed":true,"grants":["campaigns"]}}"#
            );
            let record = Record::from_json(&text).expect("a record");
            let start = Instant::now();
            engine.apply_changes(vec![Change::Put(record)], None).expect("a change");
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let n = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10_000);
    if let Some(path) = arguments.next() {
        return load(Path::new(&path), n);
    }
    let path: PathBuf =
        std::env::temp_dir().join(format!("sublet-directory-{}.jsonl", std::process::id()));
    std::fs::write(&path, agency(n, 0, SEED).lines).expect("a temporary file");
    let status = Command::new(std::env::current_exe().expect("this program"))
        .arg(n.to_string())
        .arg(&path)
        .status();
    std::fs::remove_file(&path).expect("a temporary file");
    assert!(status.expect("a child").success());
}
