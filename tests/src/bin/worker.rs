//! An engine in a process of its own. It reads one JSON object a line and writes one. Usage:
//! `sublet-worker STORE [INSTANT [CENTS]]`. `CENTS` is the price of a client over the package's
//! number, in place of the shipped catalog's. With `--verify` in place of the instant it only prints
//! the faults of the store and opens no engine.
#![allow(unsafe_code, reason = "the limit on file sizes is C's")]

use std::io::{BufRead, Write};

use serde_json::{Value, json};
use sublet_tests::EngineServer;

fn main() {
    let mut args = std::env::args().skip(1);
    let store = args.next().expect("a store");
    let instant = args.next();
    if instant.as_deref() == Some("--verify") {
        match sublet::verify_store(&store) {
            Ok(found) => println!("{}", json!({ "ok": found.faults })),
            Err(error) => println!("{}", json!({ "error": error.code() })),
        }
        return;
    }
    // A failed write is then an error instead of a signal.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let cents = args.next().map(|cents| cents.parse().expect("cents"));
    let served = match EngineServer::open_priced(&store, instant.as_deref(), cents) {
        Ok(served) => served,
        Err(error) => {
            println!(
                "{}",
                json!({ "error": error.code(), "message": error.to_string() })
            );
            return;
        }
    };
    println!("{}", json!({ "ok": true }));
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let asked: Value = serde_json::from_str(&line).expect("a command");
        let answer = if asked["do"] == "files" {
            json!({ "ok": limit_files(asked["limit"].as_u64()) })
        } else {
            match served.answer(&asked) {
                Ok(answer) => json!({ "ok": answer }),
                Err(error) => json!({ "error": error.code(), "message": error.to_string() }),
            }
        };
        println!("{answer}");
        std::io::stdout().flush().expect("flushed");
    }
}

/// Limits the size of every file of this process. Returns whether the limit could be set.
fn limit_files(limit: Option<u64>) -> bool {
    let mut now = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut now) };
    now.rlim_cur = limit.unwrap_or(now.rlim_max);
    unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const now) == 0 }
}
