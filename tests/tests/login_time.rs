//! The duration of `login` reveals nothing to a stranger, and does not grow with the number of an
//! owner's domains (D7).

use std::fmt::Write;
use std::time::Instant;

use sublet::{Engine, EntityRef, Options};

const CLIENTS: usize = 200;
/// Number of measured calls of each kind. The kinds take turns.
const ROUNDS: usize = 400;
/// Number of repetitions of a measurement, because other work on the machine can spoil one.
const TRIES: usize = 8;

fn agency(domains: usize) -> Engine {
    let mut lines = String::from_utf8(include_bytes!("../../policies/tests/agency.jsonl").to_vec())
        .expect("text");
    for at in 0..domains {
        let _ = writeln!(
            lines,
            r#"{{"type":"Domain","id":"d{at:05}.acme.example","kind":"whitelabel","owner":"acme","state":"verified"}}"#
        );
    }
    for at in 0..CLIENTS {
        let _ = writeln!(
            lines,
            r#"{{"type":"Account","id":"c{at}","email":"c{at}@c.example","owner":"acme","level":"basic","confirmed":true}}"#
        );
        let _ = writeln!(
            lines,
            r#"{{"type":"Account","id":"m{at}","email":"m{at}@c.example","package":"starter","confirmed":true}}"#
        );
        let _ = writeln!(
            lines,
            r#"{{"type":"TeamMember","id":"t{at}","email":"t{at}@c.example","account":"c{at}","confirmed":false}}"#
        );
        let _ = writeln!(
            lines,
            r#"{{"type":"Account","id":"x{at}","email":"x{at}@c.example","owner":"acme","confirmed":true,"closed":true}}"#
        );
    }
    let engine = Engine::open(Options::default()).expect("the shipped bundle");
    engine
        .import(lines.as_bytes(), None, None)
        .expect("an agency");
    engine
}

/// Returns the median durations, in nanoseconds, of works that take turns.
fn medians(works: &[&dyn Fn(usize)]) -> Vec<u128> {
    let mut took = vec![Vec::with_capacity(ROUNDS); works.len()];
    for round in 0..ROUNDS {
        // Each work is the first of a round equally often.
        for turn in 0..works.len() {
            let at = (round + turn) % works.len();
            let begun = Instant::now();
            works[at](round);
            took[at].push(begun.elapsed().as_nanos());
        }
    }
    took.into_iter()
        .map(|mut took| {
            took.sort_unstable();
            took[ROUNDS / 2]
        })
        .collect()
}

/// Returns whether, in one of several tries, the largest median exceeds the smallest by at most
/// this percentage.
fn are_alike(percent: u128, works: &[&dyn Fn(usize)]) -> Result<(), Vec<u128>> {
    let mut last = Vec::new();
    for _ in 0..TRIES {
        last = medians(works);
        let (least, most) = (
            last.iter().min().expect("some"),
            last.iter().max().expect("some"),
        );
        if most * 100 <= least * (100 + percent) {
            return Ok(());
        }
    }
    Err(last)
}

#[test]
fn login_time_reveals_no_email() {
    let engine = agency(0);
    let login = |host: &str, email: &str| {
        let _ = engine.login(host, email, None).expect("an answer");
    };
    let mut unlike = Vec::new();
    for host in [
        "dash.marketingmaster.example",
        "app.acme.example",
        "app.nova.example",
        "new.acme.example",
        "nowhere.example",
        "a,b",
    ] {
        let unknown = |round: usize| login(host, &format!("u{}@c.example", round % CLIENTS));
        let of = |kind: char| {
            move |round: usize| login(host, &format!("{kind}{}@c.example", round % CLIENTS))
        };
        let (client, main, member, closed) = (of('c'), of('m'), of('t'), of('x'));
        if let Err(error) = are_alike(15, &[&unknown, &client, &main, &member, &closed]) {
            unlike.push(format!("{host}: {error:?} ns for unknown, client, main account, invited member, closed client"));
        }
    }
    assert!(unlike.is_empty(), "{}", unlike.join("\n"));
}

#[test]
fn login_time_ignores_number_of_domains() {
    let (few, many) = (agency(2), agency(20_000));
    let login = |engine: &Engine, round: usize| {
        let _ = engine
            .login(
                "app.nova.example",
                &format!("c{}@c.example", round % CLIENTS),
                None,
            )
            .expect("an answer");
    };
    let alike = are_alike(
        30,
        &[&|round| login(&few, round), &|round| login(&many, round)],
    );
    assert_eq!(alike, Ok(()));
    // The cost of a page of hosts depends on its size only, not on its position.
    let hosts = |engine: &Engine, after: &str| {
        assert_eq!(
            engine
                .login_hosts(&EntityRef::new("Account", "c1"), None, None, Some(after))
                .expect("an answer")
                .hosts
                .len(),
            50
        );
    };
    let some = agency(60);
    let alike = are_alike(
        30,
        &[&|_| hosts(&some, ""), &|_| hosts(&many, ""), &|_| {
            hosts(&many, "d15000.acme.example")
        }],
    );
    assert_eq!(alike, Ok(()));
}

#[test]
fn login_hosts_are_paged() {
    let engine = agency(120);
    let owner = EntityRef::new("Account", "acme");
    let (mut all, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = engine
            .login_hosts(&owner, None, None, after.as_deref())
            .expect("an answer");
        assert!(page.hosts.len() <= 50);
        all.extend(page.hosts.iter().map(ToString::to_string));
        pages += 1;
        let Some(next) = page.next else { break };
        after = Some(next.to_string());
    }
    // The owner's domain, that of the platform, and the added ones. The pending domain is left out.
    assert_eq!((all.len(), pages), (122, 3));
    assert!(
        all.is_sorted() && all.contains(&"dash.marketingmaster.example".to_owned()),
        "{all:?}"
    );
    assert!(!all.contains(&"new.acme.example".to_owned()));
}
