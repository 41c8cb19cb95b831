//! Measures counting: in memory beside limitador, in a file beside the same statements written
//! bare, with one and with several processes, at each durability. `counting` starts its processes
//! as `counting worker ours|bare FILE FULL ACCOUNTS SECONDS SEED`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sublet::Environment;
use sublet_benches::counting::{Bare, Counter, Ours, race};
use sublet_benches::measure::{Report, directory, median, rounds, size};
use sublet_benches::random::Random;

const MANY: usize = 100_000;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let [worker, who, file, full, accounts, milliseconds, seed] = asked.as_slice()
        && worker == "worker"
    {
        let number = |text: &str| text.parse::<u64>().expect("a number");
        return work(
            who,
            Path::new(file),
            full == "full",
            number(accounts) as usize,
            Duration::from_millis(number(milliseconds)),
            number(seed),
        );
    }
    let mut report = Report::new("counting");
    memory(&mut report);
    questions(&mut report);
    for full in [false, true] {
        for accounts in [1, MANY] {
            processes(&mut report, full, accounts);
        }
    }
    threads(&mut report);
    grown(&mut report);
}

fn folder(name: &str) -> PathBuf {
    let folder = directory().join("counting").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Nanoseconds for each of so many, once for each round.
fn rounds_of(rounds: usize, count: usize, mut one: impl FnMut()) -> f64 {
    let each = (0..=rounds).map(|_| {
        let begun = Instant::now();
        (0..count).for_each(|_| one());
        begun.elapsed().as_secs_f64() * 1e9 / count as f64
    });
    // The first round warms up.
    median(each.skip(1).collect())
}

fn memory(report: &mut Report) {
    let count = size("SUBLET_BENCH_CONSUMES", 200_000);
    for accounts in [1, MANY] {
        let (ours, mut random) = (Ours::open("memory:", accounts), Random::new(17));
        let each = rounds_of(rounds(), count, || ours.take(random.below(accounts)));
        let checked = ours.used() == i64::try_from(count * (rounds() + 1)).expect("few");
        let program =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/release/peer-limitador");
        let peer = Command::new(program)
            .args([accounts, count, rounds()].map(|number| number.to_string()))
            .output();
        let peer = peer
            .ok()
            .filter(|peer| peer.status.success())
            .map(|peer| String::from_utf8_lossy(&peer.stdout).into_owned());
        let peer =
            peer.map(|text| median(text.lines().filter_map(|line| line.parse().ok()).collect()));
        report.row(
            format!("rust/consume/memory/keys={accounts}"),
            "ns",
            each,
            None,
            checked,
        );
        report.row(
            format!("rust/consume/memory/keys={accounts}/peer=limitador"),
            "ns",
            each,
            peer,
            checked,
        );
    }
}

/// A question about a limit, beside one about rights alone.
fn questions(report: &mut Report) {
    let file = folder("questions").join("sublet.db");
    for store in ["memory:".to_owned(), format!("sqlite:{}", file.display())] {
        let (ours, count) = (Ours::open(&store, 1_000), 20_000);
        let mut random = Random::new(17);
        ours.take(3);
        let with = Environment {
            amount: Some(1),
            ..Environment::default()
        };
        let too_much = Environment {
            amount: Some(1_000_000_000),
            ..Environment::default()
        };
        let checked = ours.check(3, &with) && !ours.check(3, &too_much);
        let each = rounds_of(rounds(), count, || {
            assert!(ours.check(random.below(1_000), &with))
        });
        let plain = rounds_of(rounds(), count, || assert!(ours.may(random.below(1_000))));
        let name = if store == "memory:" {
            "memory"
        } else {
            "sqlite"
        };
        report.row(
            format!("rust/check/amount/{name}"),
            "ns",
            each,
            Some(plain),
            checked,
        );
    }
}

fn work(who: &str, file: &Path, full: bool, accounts: usize, time: Duration, seed: u64) {
    let ready = || {
        println!("ready");
        std::io::stdin()
            .read_line(&mut String::new())
            .expect("a line");
    };
    let (count, longest) = if who == "bare" {
        let bare = Bare::open(file, accounts, full);
        ready();
        race(&bare, accounts, time, seed)
    } else {
        let ours = Ours::open(&store(file, full), accounts);
        ready();
        race(&ours, accounts, time, seed)
    };
    println!("{count} {}", longest.as_micros());
}

fn store(file: &Path, full: bool) -> String {
    format!(
        "sqlite:{}{}",
        file.display(),
        if full { "?durability=power" } else { "" }
    )
}

/// So many processes at once: operations a second together, and the longest wait in microseconds.
fn together(
    who: &str,
    file: &Path,
    full: bool,
    accounts: usize,
    processes: usize,
    time: Duration,
) -> (u64, u64) {
    let start = |at: usize| -> Child {
        let full = if full { "full" } else { "normal" };
        let numbers =
            [accounts as u64, time.as_millis() as u64, at as u64].map(|number| number.to_string());
        let mut command = Command::new(std::env::current_exe().expect("a program"));
        command
            .args(["worker", who])
            .arg(file)
            .arg(full)
            .args(numbers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command.spawn().expect("starts")
    };
    let mut workers: Vec<Child> = (0..processes).map(start).collect();
    let mut said: Vec<_> = workers
        .iter_mut()
        .map(|worker| BufReader::new(worker.stdout.take().expect("a pipe")).lines())
        .collect();
    said.iter_mut()
        .for_each(|lines| assert_eq!(lines.next().expect("a line").expect("text"), "ready"));
    workers
        .iter_mut()
        .for_each(|worker| writeln!(worker.stdin.as_mut().expect("a pipe")).expect("a line"));
    let (mut sum, mut longest) = (0, 0);
    for lines in &mut said {
        let line = lines.next().expect("a line").expect("text");
        let (count, wait) = line.split_once(' ').expect("two numbers");
        sum += count.parse::<u64>().expect("a number");
        longest = longest.max(wait.parse().expect("a number"));
    }
    workers.iter_mut().for_each(|worker| drop(worker.wait()));
    (sum, longest)
}

fn processes(report: &mut Report, full: bool, accounts: usize) {
    let level = if full { "full" } else { "normal" };
    let time = Duration::from_millis(size("SUBLET_BENCH_RACE_MS", 700) as u64);
    let folder = folder(&format!("{level}-{accounts}"));
    let (mine, floor) = (folder.join("ours.db"), folder.join("bare.db"));
    for file in [&mine, &floor] {
        drop(Ours::open(&format!("sqlite:{}", file.display()), accounts));
    }
    let (mut mine_taken, mut floor_taken, mut waited) = (0, 0, 0);
    for count in [1, 2, 4, 8] {
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        // The two take turns; the first turn of each warms up.
        for turn in 0..4 {
            let (taken, longest) = together("ours", &mine, full, accounts, count, time);
            let (written, _) = together("bare", &floor, full, accounts, count, time);
            (mine_taken, floor_taken) = (mine_taken + taken, floor_taken + written);
            if turn > 0 {
                ours.push(taken as f64 / time.as_secs_f64());
                bare.push(written as f64 / time.as_secs_f64());
                waited = if count == 8 {
                    waited.max(longest)
                } else {
                    waited
                };
            }
        }
        let checked = Ours::open(&store(&mine, false), accounts).used()
            == i64::try_from(mine_taken).expect("few")
            && Bare::open(&floor, accounts, false).used()
                == i64::try_from(floor_taken).expect("few");
        report.row(
            format!("rust/consume/sqlite/{level}/keys={accounts}/processes={count}"),
            "a second",
            median(ours),
            Some(median(bare)),
            checked,
        );
    }
    report.row(
        format!("rust/consume/sqlite/{level}/keys={accounts}/longest wait of 8"),
        "us",
        waited as f64,
        None,
        true,
    );
}

/// Eight callers in one process beside one, where each commit reaches the disk.
fn threads(report: &mut Report) {
    let file = folder("threads").join("sublet.db");
    let ours = Ours::open(&store(&file, true), 1_000);
    let time = Duration::from_millis(size("SUBLET_BENCH_RACE_MS", 700) as u64);
    let mut taken = 0;
    let mut run = |callers: u64| {
        let counts: Vec<u64> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..callers)
                .map(|seed| {
                    scope.spawn({
                        let ours = &ours;
                        move || race(ours, 1_000, time, seed).0
                    })
                })
                .collect();
            callers
                .into_iter()
                .map(|caller| caller.join().expect("counts"))
                .collect()
        });
        let sum: u64 = counts.iter().sum();
        taken += sum;
        sum as f64 / time.as_secs_f64()
    };
    let (mut eight, mut one) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        one.push(run(1));
        eight.push(run(8));
    }
    let checked = ours.used() == i64::try_from(taken).expect("few");
    report.row(
        "rust/consume/sqlite/full/threads=8",
        "a second",
        median(eight),
        Some(median(one)),
        checked,
    );
}

/// With a million operations in the table, beside an empty one.
fn grown(report: &mut Report) {
    let folder = folder("grown");
    let open = |name: &str| Ours::open(&store(&folder.join(name), false), 1_000);
    let (full, empty, mut random) = (open("full.db"), open("empty.db"), Random::new(17));
    let many = size("SUBLET_BENCH_OPERATIONS", 1_000_000);
    for _ in 0..many {
        full.take(random.below(1_000));
    }
    let count = 5_000;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..rounds() {
        ours.push(rounds_of(1, count, || full.take(random.below(1_000))));
        peer.push(rounds_of(1, count, || empty.take(random.below(1_000))));
    }
    let checked = full.used() == i64::try_from(many + count * 2 * rounds()).expect("few");
    report.row(
        format!("rust/consume/sqlite/operations={many}"),
        "ns",
        median(ours),
        Some(median(peer)),
        checked,
    );
}
