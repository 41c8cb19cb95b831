//! What does a check cost? One scenario for each size: `check/agency=<main accounts>/<who answers>`. Every answer is
//! compared before anything is timed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use sublet::{Engine, Options, Request, Source};
use sublet_benches::agency::{Agency, agency};
use sublet_benches::cedar::Cedar;
use sublet_benches::plain::Plain;

const QUESTIONS: usize = 10_000;
const SEED: u64 = 17;
/// The size at which Cedar is asked too: it holds the whole directory in its own form.
const JUDGED: usize = 100;

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

fn sizes() -> Vec<usize> {
    let text = std::env::var("SUBLET_AGENCIES").unwrap_or_else(|_| "1,100".to_owned());
    text.split(',').filter_map(|size| size.trim().parse().ok()).collect()
}

fn opened(agency: &Agency) -> Engine {
    let engine = Engine::open(Options { policies: Source::Folder(policies()), ..Options::default() }).expect("the bundle");
    engine.import(agency.lines.as_bytes(), None).expect("the directory");
    engine
}

fn checks(criterion: &mut Criterion) {
    for size in sizes() {
        let agency = agency(size, QUESTIONS, SEED);
        let (engine, plain) = (opened(&agency), Plain::new(&agency.lines));
        let requests: Vec<Request> = agency.questions.iter().map(sublet_benches::agency::Question::request).collect();
        let mut shares = std::collections::BTreeMap::new();
        for (request, question) in requests.iter().zip(&agency.questions) {
            let decision = engine.authorize(request).expect("an answer");
            assert_eq!(decision.code.as_ref(), plain.ask(question), "{question:?}");
            assert_eq!(decision.allowed, engine.check(request).expect("an answer"));
            *shares.entry(plain.ask(question)).or_insert(0_usize) += 1;
        }
        println!("agency={size}: {QUESTIONS} answers agree: {shares:?}");
        let mut group = criterion.benchmark_group(format!("check/agency={size}"));
        group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        let mut at = 0;
        let mut next = || {
            at = (at + 1) % QUESTIONS;
            at
        };
        group.bench_function("sublet", |bencher| bencher.iter(|| engine.check(&requests[next()])));
        group.bench_function("by_hand", |bencher| bencher.iter(|| plain.ask(&agency.questions[next()]) == "ok"));
        if size == JUDGED {
            // Cedar's requests are built beforehand, so a thousand of them stand for all.
            let asked = &agency.questions[..1_000];
            let cedar = Cedar::new(&policies(), &agency.lines);
            let entities = cedar.entities(asked);
            let judged: Vec<_> = asked.iter().map(|question| cedar.request(question)).collect();
            for (request, question) in judged.iter().zip(asked) {
                assert_eq!(cedar.ask(request, &entities), plain.ask(question) == "ok", "{question:?}");
            }
            let mut at = 0;
            group.bench_function("cedar_policy", |bencher| {
                bencher.iter(|| {
                    at = (at + 1) % judged.len();
                    cedar.ask(&judged[at], &entities)
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, checks);
criterion_main!(benches);
