//! A decision and a consume take at most the instructions that this file states, for each kind of
//! host and login, and with the rules of authors.
//!
//! The instructions are counted, not timed. The tests step a child process through each call with
//! `ptrace`. If the system refuses `ptrace`, only the evaluator's steps are counted, by
//! `core/src/engine/fast_path_tests.rs`.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "`fork` and `ptrace` are C's")]

use std::cell::Cell;
use std::hint::black_box;

use sublet::{ConsumeOptions, Engine, Request, Resource};
use sublet_benches::agency::Question;
use sublet_benches::checks::opened_with;
use sublet_benches::hosts::HostKind;
use sublet_benches::workloads::Workload;
use sublet_tests::{agency_engine, shipped_files};

/// A host of the sample agency, and the greatest numbers of instructions of one check and of one
/// `authorize` there.
struct Host {
    kind: HostKind,
    name: Option<&'static str>,
    most: [u64; 2],
}

/// The greatest numbers of a request with a known domain, or of a job.
const SESSION: [u64; 2] = [1_400, 1_500];

/// One host of each kind.
const HOSTS: [Host; 5] = [
    Host {
        kind: HostKind::Platform,
        name: Some("dash.marketingmaster.example"),
        most: SESSION,
    },
    Host {
        kind: HostKind::Whitelabel,
        name: Some("app.acme.example"),
        most: SESSION,
    },
    Host {
        kind: HostKind::Other,
        name: Some("app.nova.example"),
        most: SESSION,
    },
    // A background job, which names a channel.
    Host {
        kind: HostKind::None,
        name: None,
        most: SESSION,
    },
    // An unknown name is first looked at for its normal form.
    Host {
        kind: HostKind::Unknown,
        name: Some("www.shop.example"),
        most: [2_850, 2_950],
    },
];

/// The greatest number of instructions of an account's consume in memory, which a cached grant
/// allows.
const CONSUME: u64 = 3_550;
/// The greatest number of instructions of a member's consume, which runs the policies.
const MEMBER_CONSUME: u64 = 18_500;
/// The greatest number of instructions that an idempotency key adds. SHA-256 takes most of them on
/// a processor that has no instructions for it.
const KEY: u64 = 18_000;

/// The greatest mean of the instructions of a check and of an `authorize` with the rules of
/// authors, for each kind of host.
const AUTHORS: [u64; 2] = [4_450, 5_800];

/// A kind of login, with its account.
const LOGINS: [(&str, &str, &str, &str); 5] = [
    ("account", "Account", "acme", "acme"),
    ("member", "TeamMember", "ann", "acme"),
    ("client", "Account", "bakery", "bakery"),
    ("member of a client", "TeamMember", "dan", "bakery"),
    ("operator", "Operator", "olga", "mmio"),
];

/// A call whose instructions are counted.
type Call<'a> = Box<dyn Fn() + 'a>;

/// Marks the start or the end of a counted stretch.
fn mark() {
    // SAFETY: the parent removes the signal before it is delivered.
    unsafe { libc::raise(libc::SIGUSR1) };
}

/// Binds this thread and its later children to the processor that it runs on. Steps then take less
/// than half of the time, because no other processor is woken. If the system refuses, they are slow.
fn stay_on_one_processor() {
    // SAFETY: the set of processors is plain data, and outlives the calls.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if let Ok(here) = usize::try_from(libc::sched_getcpu()) {
            libc::CPU_SET(here, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
        }
    }
}

/// Steps a child between its marks. Returns the instructions of each stretch, or `None` if the
/// system refuses `ptrace`.
fn count_stretches(work: impl FnOnce()) -> Option<Vec<u64>> {
    stay_on_one_processor();
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

/// Makes each call three times to warm up, and twice between marks. Returns the smaller number of
/// instructions of each call, because a table may grow in one of the two. Returns `None` if the
/// system refuses `ptrace`.
fn count_instructions(calls: &[Call<'_>]) -> Option<Vec<u64>> {
    // A wrong answer fails here, before the child whose panic nobody sees.
    calls.iter().for_each(|call| call());
    let counts = count_stretches(|| {
        mark();
        mark();
        for call in calls {
            for _ in 0..3 {
                call();
            }
            for _ in 0..2 {
                mark();
                call();
                mark();
            }
        }
    });
    let Some(counts) = counts else {
        println!("`ptrace` is refused here: only the evaluator's steps are guarded");
        return None;
    };
    let (empty, counts) = counts.split_first().expect("the empty stretch");
    assert_eq!(counts.len(), 2 * calls.len());
    let least = counts.chunks(2).filter_map(|two| two.iter().min());
    Some(least.map(|count| count - empty).collect())
}

/// Returns the calls of `check` and of `authorize` for a request.
fn decisions<'a>(engine: &'a Engine, request: &'a Request) -> [Call<'a>; 2] {
    [
        Box::new(move || assert!(black_box(engine.check(request)).is_ok())),
        Box::new(move || assert!(black_box(engine.authorize(request)).is_ok())),
    ]
}

/// Counts the calls, and fails if one of them takes more instructions than stated.
fn expect_at_most(calls: Vec<(String, u64, Call<'_>)>) {
    let mut stated = Vec::new();
    let mut works = Vec::new();
    for (name, most, call) in calls {
        stated.push((name, most));
        works.push(call);
    }
    let counts = count_instructions(&works).unwrap_or_default();
    let rows = stated.into_iter().zip(counts);
    expect_rows(rows.map(|((name, most), count)| (name, most, count)));
}

/// Prints names, stated numbers and counts. Fails if a count is greater than its stated number.
fn expect_rows(rows: impl Iterator<Item = (String, u64, u64)>) {
    let mut over = Vec::new();
    for (name, most, count) in rows {
        let line = format!("{name:40} {count:6} of {most}");
        println!("{line}");
        if count > most {
            over.push(line);
        }
    }
    let over = over.join("\n");
    assert!(over.is_empty(), "more instructions than stated:\n{over}");
}

#[test]
fn decisions_take_no_more_instructions() {
    let engine = agency_engine(shipped_files());
    let mut requests = Vec::new();
    for host in HOSTS {
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
            let request = match host.name {
                Some(name) => request.host(name),
                None => request.channel("job"),
            };
            let name = format!("{}, {login}", host.kind.name());
            requests.push((name, host.most, request));
        }
    }
    let mut calls = Vec::new();
    for (name, [check, authorize], request) in &requests {
        let [checks, authorizes] = decisions(&engine, request);
        calls.push((format!("{name}: check"), *check, checks));
        calls.push((format!("{name}: authorize"), *authorize, authorizes));
    }
    expect_at_most(calls);
}

#[test]
fn consumes_take_no_more_instructions() {
    let engine = agency_engine(shipped_files());
    let (engine, keys) = (&engine, Cell::new(0));
    let mut requests = Vec::new();
    for (login, kind, id, account) in LOGINS {
        if kind != "Operator" {
            let campaign = Resource::new("Campaign", "spring").account(account);
            let request = Request::new((kind, id), "campaign.send", campaign);
            let most = match kind {
                "Account" => CONSUME,
                _ => MEMBER_CONSUME,
            };
            requests.push((login, most, request.host("app.acme.example")));
        }
    }
    let mut calls = Vec::new();
    for (login, most, request) in &requests {
        let consume = move |options: &ConsumeOptions<'_>| {
            let answer = black_box(engine.consume(request, options));
            assert!(answer.is_ok_and(|decision| decision.allowed));
        };
        let plain: Call<'_> = Box::new(move || consume(&ConsumeOptions::new(1)));
        calls.push((format!("{login}: consume"), *most, plain));
        let keys = &keys;
        let keyed: Call<'_> = Box::new(move || {
            keys.set(keys.get() + 1);
            let key = format!("{login} {}", keys.get());
            consume(&ConsumeOptions::new(1).idempotency_key(&key));
        });
        calls.push((format!("{login}: keyed consume"), *most + KEY, keyed));
    }
    expect_at_most(calls);
}

/// The requests of the benchmark's workload, of which many bring a context.
#[test]
fn authors_rules_take_no_more_instructions() {
    const SIZE: usize = 3;
    let workload = Workload::Authors;
    let engine = opened_with(workload.policies(), &workload.drawn(SIZE, 0).lines);
    let mut rows = Vec::new();
    for kind in HostKind::ALL {
        let questions = workload.at_host(kind, SIZE, 10);
        let requests: Vec<Request> = questions.iter().map(Question::request).collect();
        let calls: Vec<_> = requests
            .iter()
            .flat_map(|request| decisions(&engine, request))
            .collect();
        let counts = count_instructions(&calls).unwrap_or_default();
        for (at, (verb, most)) in ["check", "authorize"].into_iter().zip(AUTHORS).enumerate() {
            let counts = counts.iter().skip(at).step_by(2);
            let mean = counts.sum::<u64>() / requests.len() as u64;
            rows.push((format!("{}: {verb}", kind.name()), most, mean));
        }
    }
    expect_rows(rows.into_iter());
}
