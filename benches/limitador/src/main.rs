//! Measures limitador in memory: `peer-limitador ACCOUNTS COUNT ROUNDS`. One limit has a variable,
//! the account. Each answer is compared. Prints nanoseconds for an update, one number a round.

use std::collections::HashMap;
use std::time::Instant;

use limitador::RateLimiter;
use limitador::limit::{Context, Limit, Namespace};

fn main() {
    let mut args = std::env::args()
        .skip(1)
        .map(|number| number.parse::<usize>().expect("a number"));
    let (accounts, count, rounds) = (
        args.next().expect("accounts"),
        args.next().expect("a count"),
        args.next().expect("rounds"),
    );
    let limiter = RateLimiter::new(accounts as u64 * 2);
    limiter.add_limit(Limit::new(
        "emails",
        u64::MAX >> 1,
        2_678_400,
        Vec::new(),
        vec!["account".try_into().expect("a variable")],
    ));
    let namespace = Namespace::from("emails");
    // The contexts of a host, made before the clock runs.
    let contexts: Vec<Context<'_>> = (0..accounts)
        .map(|at| HashMap::from([("account".to_owned(), format!("account-{at}"))]).into())
        .collect();
    let mut random = 17_u64;
    for round in 0..=rounds {
        let begun = Instant::now();
        for _ in 0..count {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let context = &contexts[(random >> 33) as usize % accounts];
            let found = limiter
                .check_rate_limited_and_update(&namespace, context, 1)
                .expect("an answer");
            assert!(!found.limited);
        }
        if round > 0 {
            println!("{:.1}", begun.elapsed().as_secs_f64() * 1e9 / count as f64);
        }
    }
}
