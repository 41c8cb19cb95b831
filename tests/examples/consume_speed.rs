//! Measures the consumes per second on a store: `consume_speed STORE [COUNT]`.

use std::time::Instant;

use sublet::{ConsumeOptions, Engine, Options, RequestRef};

fn main() {
    let mut args = std::env::args().skip(1);
    let store = args.next().unwrap_or_else(|| "memory:".to_owned());
    let count: u32 = args
        .next()
        .and_then(|count| count.parse().ok())
        .unwrap_or(100_000);
    let engine = Engine::open(Options {
        store,
        ..Options::default()
    })
    .expect("opens");
    if engine.revision() == 0 {
        engine
            .import(
                include_str!("../../policies/tests/agency.jsonl").as_bytes(),
                None,
                None,
            )
            .expect("imports");
    }
    let question = || {
        RequestRef::new(("Account", "acme"), "contact.create", ("Contact", "k"))
            .account("acme")
            .host("dash.marketingmaster.example")
    };
    let begun = Instant::now();
    for _ in 0..count {
        let answer = engine
            .consume(question(), &ConsumeOptions::new(1))
            .expect("an answer");
        if !answer.allowed {
            engine
                .set_stock(question(), &ConsumeOptions::new(0))
                .expect("an answer");
        }
    }
    let took = begun.elapsed();
    println!(
        "{count} consumes: {:.0}/s, {:.2} us each",
        f64::from(count) / took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / f64::from(count)
    );
}
