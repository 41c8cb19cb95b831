//! Measures checks with criterion. Each size is a scenario `check/agency=<main accounts>/<peer>` of
//! ten thousand requests in a random order. Every answer is compared before anything is timed.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sublet_benches::checks::Scene;
use sublet_benches::measure::{SEED, shuffled, size, sizes};
use sublet_benches::random::Random;

fn checks(criterion: &mut Criterion) {
    for size in sizes()
        .into_iter()
        .filter(|of| *of <= size("SUBLET_BENCH_CRITERION", 1_000))
    {
        let scene = Scene::new(size, 10_000);
        scene.compare();
        let (asked, handled) = (scene.asked(), scene.with_handles());
        let order = shuffled(asked.len(), &mut Random::new(SEED));
        let mut group = criterion.benchmark_group(format!("check/agency={size}"));
        group
            .sample_size(20)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1));
        group.throughput(Throughput::Elements(asked.len() as u64));
        for (name, mut pass) in scene.passes(&asked, &handled) {
            group.bench_function(name, |bencher| bencher.iter(|| pass(&order)));
        }
        group.finish();
    }
}

criterion_group!(benches, checks);
criterion_main!(benches);
