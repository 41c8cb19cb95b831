//! The parts of the benchmark that one process can measure: `figures [checks] [policies]
//! [latency]`. Sizes come from the environment: see `benches/README.md`.

use std::time::Duration;

use sublet_benches::checks::{JUDGED, Scene};
use sublet_benches::measure::{Report, rounds, size, sizes};
use sublet_benches::{directory_changes, many_tenants};

fn checks() {
    let mut report = Report::new("checks");
    for size in sizes() {
        let scene = Scene::new(size, questions());
        scene.compare();
        scene.rows(&mut report, rounds());
        if size == JUDGED {
            scene.many(&mut report, rounds());
            scene.judged(&mut report, rounds());
            directory_changes::threads(&scene, &mut report, rounds(), Duration::from_millis(300));
        }
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

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let parts: [(&str, fn()); 3] = [
        ("checks", checks),
        ("policies", policies),
        ("latency", latency),
    ];
    for (name, part) in parts {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            part();
        }
    }
}
