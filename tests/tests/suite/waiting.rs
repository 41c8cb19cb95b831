//! A wait for the write lock ends at its bound or by the caller's interrupt. Reads do not wait.

#![allow(
    unsafe_code,
    clippy::expect_used,
    reason = "a test that cannot set itself up has failed; a lock is taken as another program takes it"
)]

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sublet::{ConsumeOptions, Engine, Error, Options, Request, with_interrupt};
use sublet_tests::folder;

const HOST: &str = "dash.marketingmaster.example";

fn engine(path: &Path) -> Engine {
    let engine = Engine::open(Options {
        store: format!("sqlite:{}?lock_timeout=400", path.display()),
        ..Options::default()
    })
    .expect("opens");
    let agency =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/tests/agency.jsonl"))
            .expect("the sample agency");
    engine
        .import(agency.as_slice(), None, None)
        .expect("imports");
    engine
}

/// Takes the write lock as another process would.
fn hold(path: &Path) -> File {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(format!("{}-lock", path.display()))
        .expect("the file of the locks");
    let turn = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: (1 << 20) + 1,
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: the file is open, and the lock lives as long as the call.
    assert_eq!(
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const turn) },
        0
    );
    file
}

fn send(engine: &Engine) -> Result<bool, Error> {
    let request = Request::new(
        ("Account", "acme"),
        "campaign.send",
        sublet::Resource::new("Campaign", "k").account("acme"),
    )
    .host(HOST);
    engine
        .consume(&request, &ConsumeOptions::new(1))
        .map(|decision| decision.allowed)
}

#[test]
fn interrupted_wait_ends() {
    let path = folder().join("sublet.db");
    let engine = engine(&path);
    let held = hold(&path);
    let (cancelled, begun) = (AtomicBool::new(false), Instant::now());
    let check = || {
        cancelled.store(
            begun.elapsed() > Duration::from_millis(60),
            Ordering::Relaxed,
        );
        cancelled.load(Ordering::Relaxed)
    };
    let code = with_interrupt(&check, || send(&engine)).map_err(|error| error.code());
    assert_eq!(code, Err("store.interrupted"));
    assert!(begun.elapsed() < Duration::from_millis(350));
    drop(held);
    assert_eq!(send(&engine), Ok(true));
}

#[test]
fn bounded_wait_ends_and_reads_go_on() {
    let path = folder().join("sublet.db");
    let engine = engine(&path);
    let held = hold(&path);
    let begun = Instant::now();
    assert_eq!(
        send(&engine).map_err(|error| error.code()),
        Err("store.locked")
    );
    assert!((Duration::from_millis(350)..Duration::from_secs(3)).contains(&begun.elapsed()));
    let begun = Instant::now();
    assert_eq!(
        engine
            .usage("acme", None, Some("emails"))
            .expect("an answer")[0]
            .used,
        0
    );
    assert!(
        engine
            .history("acme", None, 10)
            .expect("an answer")
            .is_empty()
    );
    assert!(begun.elapsed() < Duration::from_millis(200));
    drop(held);
    assert_eq!(send(&engine), Ok(true));
}
