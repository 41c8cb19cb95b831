//! The parts of the benchmark that one process can measure: `figures [checks] [authors]
//! [hosts] [calls] [opening] [policies] [latency]`. Sizes come from the environment: see
//! `benches/README.md`.

use std::time::Duration;

use sublet_benches::checks::{JUDGED, Scene};
use sublet_benches::measure::{Report, directory, rounds, size, sizes};
use sublet_benches::workloads::Workload;
use sublet_benches::{calls, directory_changes, hosts, many_tenants, opening};

/// The checks of one workload, at all sizes.
fn measure(part: &str, workload: Workload) {
    let mut report = Report::new(part);
    for size in sizes() {
        let scene = Scene::of(workload, size, questions());
        scene.compare();
        scene.rows(&mut report, rounds());
        if size == JUDGED {
            scene.judged(&mut report, rounds());
        }
        if size == JUDGED && workload == Workload::Agency {
            scene.many(&mut report, rounds());
            directory_changes::threads(&scene, &mut report, rounds(), Duration::from_millis(300));
        }
    }
}

fn checks() {
    measure("checks", Workload::Agency);
}

fn authors() {
    measure("authors", Workload::Authors);
}

fn at_hosts() {
    let mut report = Report::new("hosts");
    for workload in Workload::ALL {
        let scene = Scene::of(workload, JUDGED, questions());
        hosts::rows(&mut report, scene, rounds());
    }
}

fn questions() -> usize {
    size("SUBLET_BENCH_QUESTIONS", 10_000)
}

fn policies() {
    let mut report = Report::new("policies");
    let total = size("SUBLET_BENCH_POLICIES", 10_000);
    many_tenants::program(&mut report, total, rounds());
    many_tenants::tenancy(&mut report, total, rounds());
}

fn latency() {
    let mut report = Report::new("latency");
    let window = Duration::from_millis(size("SUBLET_BENCH_WINDOW_MS", 2_000) as u64);
    for size in sizes()
        .into_iter()
        .filter(|size| [JUDGED, 10_000].contains(size))
    {
        let scene = Scene::new(size, questions());
        scene.compare();
        directory_changes::latency(&scene, &mut report, 5, window);
    }
}

fn other_calls() {
    let mut report = Report::new("calls");
    let scene = Scene::new(JUDGED, questions());
    scene.compare();
    let folder = directory().join("calls");
    calls::rows(&scene, &mut report, &folder, rounds());
}

fn open() {
    opening::rows(&mut Report::new("opening"), 5);
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let [one, policies] = &asked[..]
        && one == opening::ONE
    {
        return opening::once(policies);
    }
    let parts: [(&str, fn()); 7] = [
        ("checks", checks),
        ("authors", authors),
        ("hosts", at_hosts),
        ("calls", other_calls),
        ("opening", open),
        ("policies", policies),
        ("latency", latency),
    ];
    for (name, part) in parts {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            part();
        }
    }
}
