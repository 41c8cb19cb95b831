//! Measures the import of principals into a store, the opening of that store, and the load of a
//! change: `start_up STORE [MAIN ACCOUNTS]`.

use std::fmt::Write;
use std::time::Instant;

use sublet::{Change, Engine, Options, Record};

fn main() {
    let mut args = std::env::args().skip(1);
    let store = args.next().expect("a store");
    let mains: u32 = args
        .next()
        .and_then(|mains| mains.parse().ok())
        .unwrap_or(10_000);
    let mut lines = String::from("{\"type\":\"Platform\",\"id\":\"mmio\"}\n");
    for main in 0..mains {
        let _ = writeln!(
            lines,
            r#"{{"type":"Account","id":"main-{main}","email":"o@main-{main}.example","package":"agency","confirmed":true}}"#
        );
        for at in 0..80 {
            let _ = writeln!(
                lines,
                r#"{{"type":"Account","id":"client-{main}-{at}","email":"c{at}@client-{main}.example","owner":"main-{main}","confirmed":true}}"#
            );
        }
        for at in 0..5 {
            let _ = writeln!(
                lines,
                r#"{{"type":"TeamMember","id":"member-{main}-{at}","account":"main-{main}","email":"m{at}@main-{main}.example","confirmed":true,"grants":["campaigns","contacts"]}}"#
            );
        }
    }
    let timed =
        |what: &str, begun: Instant| println!("{what}: {:.3} s", begun.elapsed().as_secs_f64());
    let open = || {
        Engine::open(Options {
            store: store.clone(),
            ..Options::default()
        })
        .expect("opens")
    };
    let (engine, begun) = (open(), Instant::now());
    engine
        .import(lines.as_bytes(), None, None)
        .expect("imports");
    timed(&format!("import of {} principals", mains * 86), begun);
    let begun = Instant::now();
    let again = open();
    timed("open", begun);
    let begun = Instant::now();
    let record = Record::from_json(r#"{"type":"Operator","id":"x","email":"x@mmio.example"}"#)
        .expect("a record");
    engine
        .apply_changes(vec![Change::Put(record)], None)
        .expect("changes");
    timed("a change", begun);
    let begun = Instant::now();
    assert_eq!(again.revision(), engine.revision());
    timed("the other follows", begun);
}
