//! A decision of the shipped bundle takes at most the instructions that this file states, for each
//! kind of host and login.
//!
//! The instructions are counted, not timed. The test steps a child process through each decision
//! with `ptrace`. If the system refuses `ptrace`, only the evaluator's steps are counted, by
//! `core/src/engine/fast_path_tests.rs`.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "`fork` and `ptrace` are C's")]

use std::hint::black_box;
use std::path::Path;

use sublet::{Engine, Options, PolicySource, Request, Resource};

const PLATFORM_HOST: &str = "dash.marketingmaster.example";
const WHITELABEL_HOST: &str = "app.acme.example";

/// Maximum number of instructions of one decision of a session at a known domain.
const SESSION_CHECK: u64 = 1_450;
const SESSION_AUTHORIZE: u64 = 1_650;
/// Maximum number of instructions of a background job, which names a channel and no host.
const JOB_CHECK: u64 = 1_650;
const JOB_AUTHORIZE: u64 = 1_800;

/// A kind of login, with its account.
const LOGINS: [(&str, &str, &str, &str); 5] = [
    ("account", "Account", "acme", "acme"),
    ("member", "TeamMember", "ann", "acme"),
    ("client", "Account", "bakery", "bakery"),
    ("member of a client", "TeamMember", "dan", "bakery"),
    ("operator", "Operator", "olga", "mmio"),
];

struct CountedDecision {
    name: String,
    request: Request,
    is_job: bool,
}

fn open_agency() -> Engine {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let engine = Engine::open(Options {
        policies: PolicySource::Folder(policies.clone()),
        ..Options::default()
    })
    .expect("the bundle");
    engine
        .import(
            &std::fs::read(policies.join("tests/agency.jsonl")).expect("the agency")[..],
            None,
            None,
        )
        .expect("the agency");
    engine
}

fn list_decisions() -> Vec<CountedDecision> {
    let hosts = [
        ("platform", Some(PLATFORM_HOST)),
        ("whitelabel", Some(WHITELABEL_HOST)),
        ("job", None),
    ];
    let mut decisions = Vec::new();
    for (host_kind, host) in hosts {
        for (login, kind, id, account) in LOGINS {
            let about = if kind == "Operator" {
                ("login.password", Resource::new("Platform", account))
            } else {
                (
                    "campaign.edit",
                    Resource::new("Campaign", "spring").account(account),
                )
            };
            let request = Request::new((kind, id), about.0, about.1);
            let request = host.map_or_else(
                || request.clone().channel("job"),
                |host| request.clone().host(host),
            );
            decisions.push(CountedDecision {
                name: format!("{host_kind}, {login}"),
                request,
                is_job: host.is_none(),
            });
        }
    }
    decisions
}

/// Marks the start or the end of a counted stretch.
fn mark() {
    // SAFETY: the parent removes the signal before it is delivered.
    unsafe { libc::raise(libc::SIGUSR1) };
}

/// Makes each decision three times to warm up and once between marks. The first stretch is empty.
fn ask_between_marks(engine: &Engine, decisions: &[CountedDecision]) {
    mark();
    mark();
    for CountedDecision { request, .. } in decisions {
        for _ in 0..3 {
            black_box(engine.check(request).is_ok());
            black_box(engine.authorize(request).is_ok());
        }
        mark();
        let checked = black_box(engine.check(request));
        mark();
        mark();
        let authorized = black_box(engine.authorize(request));
        mark();
        drop((checked, authorized));
    }
}

/// Steps a child between its marks. Returns the instructions of each stretch, or `None` if the
/// system refuses `ptrace`.
fn count_instructions(work: impl FnOnce()) -> Option<Vec<u64>> {
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the child has one thread, works with memory of its own and leaves by `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no child: {}", std::io::Error::last_os_error());
    if child == 0 {
        // SAFETY: as above.
        unsafe {
            if libc::ptrace(libc::PTRACE_TRACEME, 0, nothing, nothing) != 0 {
                libc::_exit(77);
            }
        }
        work();
        // SAFETY: as above.
        unsafe { libc::_exit(0) };
    }
    let (mut counts, mut counted, mut status) = (Vec::new(), None, 0);
    loop {
        // SAFETY: the child belongs to this function, and `status` outlives the call.
        assert_eq!(
            unsafe { libc::waitpid(child, &raw mut status, libc::__WALL) },
            child
        );
        if libc::WIFEXITED(status) {
            let code = libc::WEXITSTATUS(status);
            assert!(code == 0 || code == 77, "the child ended with {code}");
            return if code == 0 { Some(counts) } else { None };
        }
        assert!(libc::WIFSTOPPED(status), "the child was killed: {status}");
        match (libc::WSTOPSIG(status), counted) {
            (libc::SIGUSR1, None) => counted = Some(0),
            (libc::SIGUSR1, Some(count)) => {
                counts.push(count);
                counted = None;
            }
            (libc::SIGTRAP, Some(count)) => counted = Some(count + 1),
            (signal, _) => panic!("the child got signal {signal}"),
        }
        let go_on = if counted.is_some() {
            libc::PTRACE_SINGLESTEP
        } else {
            libc::PTRACE_CONT
        };
        // SAFETY: the child is stopped and traced by this thread.
        assert_eq!(
            unsafe { libc::ptrace(go_on, child, nothing, nothing) },
            0,
            "{}",
            std::io::Error::last_os_error()
        );
    }
}

#[test]
fn decisions_take_no_more_instructions() {
    let (engine, decisions) = (open_agency(), list_decisions());
    let Some(counts) = count_instructions(|| ask_between_marks(&engine, &decisions)) else {
        println!("`ptrace` is refused here: only the evaluator's steps are guarded");
        return;
    };
    let (empty, counts) = counts.split_first().expect("the empty stretch");
    assert_eq!(counts.len(), 2 * decisions.len());
    let mut over = Vec::new();
    for (decision, counts) in decisions.iter().zip(counts.chunks(2)) {
        let allowed = engine.check(&decision.request).expect("an answer");
        let most = if decision.is_job {
            [JOB_CHECK, JOB_AUTHORIZE]
        } else {
            [SESSION_CHECK, SESSION_AUTHORIZE]
        };
        let found: Vec<u64> = counts
            .iter()
            .map(|count| count.saturating_sub(*empty))
            .collect();
        let line = format!(
            "{:30} allowed={allowed:5} check {:6} of {}, authorize {:6} of {}",
            decision.name, found[0], most[0], found[1], most[1]
        );
        println!("{line}");
        if found.iter().zip(most).any(|(found, most)| *found > most) {
            over.push(line);
        }
    }
    assert!(
        over.is_empty(),
        "more instructions than stated:\n{}",
        over.join("\n")
    );
}
