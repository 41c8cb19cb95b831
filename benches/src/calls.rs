//! Measures the calls beside `check`: `login`, `permitted_actions`, `explain`, `perform`, a consume
//! with a key, `reload`, and following a change of another process.

use std::cell::Cell;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use sublet::{
    Change, Command, Engine, EntityRef, Environment, HostRef, Options, PolicySource, Record,
    Request, RequestRef, Resource,
};

use crate::agency::{self, Asked};
use crate::bundles;
use crate::checks::Scene;
use crate::counting::{Counter, Ours};
use crate::measure::{Pass, Report, each, median, policies, race, size};

/// Accounts whose consumes are measured.
const ACCOUNTS: usize = 1_000;

/// All rows of these calls. A store is put into the folder.
pub fn rows(scene: &Scene, report: &mut Report, folder: &Path, rounds: usize) {
    login(scene, report, rounds);
    permitted_actions(scene, report, rounds);
    explain(scene, report, rounds);
    keyed(report, rounds);
    // These change the directory or the policies.
    perform(scene, report, rounds);
    reload(scene, report, rounds);
    follow(scene, report, folder, size("SUBLET_BENCH_CHANGES", 200));
}

/// The account that the login belongs to.
fn account<'a>(asked: &Asked<'a>) -> &'a str {
    let (_, id) = asked.principal;
    id.split("-member-").next().unwrap_or(id)
}

/// The e-mail of a login of the workload.
fn email(asked: &Asked<'_>) -> String {
    let (kind, id) = asked.principal;
    match kind {
        "TeamMember" => format!("{id}@mail.example"),
        _ if id.starts_with("main-") => format!("owner@{id}.example"),
        _ => format!("hello@{id}.example"),
    }
}

/// The first questions, so many.
fn first(scene: &Scene, count: usize) -> Vec<Asked<'_>> {
    let questions = scene.agency.questions.iter().take(count);
    questions.map(agency::Question::asked).collect()
}

fn environment(host: Option<&str>) -> Environment {
    Environment {
        host: host.map(str::to_owned),
        ..Environment::default()
    }
}

/// `login` beside `authorize` of its action.
fn login(scene: &Scene, report: &mut Report, rounds: usize) {
    let engine = &scene.engine;
    let asked = first(scene, 2_000);
    let emails: Vec<String> = asked.iter().map(email).collect();
    let at = |at: usize| {
        let host = asked[at].host.unwrap_or_default();
        engine.login(host, &emails[at], None).expect("an answer")
    };
    let request = |at: usize| {
        let (principal, resource) = (asked[at].principal, ("Account", account(&asked[at])));
        let mut request = RequestRef::new(principal, "login.password", resource);
        request.host = asked[at].host.map(HostRef::Name);
        request
    };
    for (place, asked) in asked.iter().enumerate() {
        let (login, decision) = (at(place), engine.authorize(request(place)));
        let decision = decision.expect("an answer");
        assert_eq!(login.allowed, decision.allowed, "{asked:?}");
        if login.allowed {
            let principal = EntityRef::from(asked.principal);
            assert_eq!(login.principal, Some(principal));
        }
    }
    let passes: Vec<Pass<'_>> = vec![
        ("login", each(at)),
        ("authorize", each(|at| engine.authorize(request(at)))),
    ];
    let found = race(passes, asked.len(), rounds);
    let (ours, peer) = (found["login"], Some(found["authorize"]));
    report.row("rust/login", "ns", ours, peer, true);
}

/// The menu of each login: what it may do to its account.
fn permitted_actions(scene: &Scene, report: &mut Report, rounds: usize) {
    let engine = &scene.engine;
    let asked = first(scene, 300);
    let menus: Vec<_> = asked
        .iter()
        .map(|asked| {
            let resource = Resource::new("Account", account(asked));
            let principal = EntityRef::from(asked.principal);
            (principal, resource, environment(asked.host))
        })
        .collect();
    let at = |at: usize| {
        let (principal, resource, environment) = &menus[at];
        engine.permitted_actions(principal, resource, environment)
    };
    let actions = engine.bundle().actions;
    for (place, (principal, resource, environment)) in menus.iter().enumerate() {
        let permitted = at(place).expect("actions");
        for action in &actions {
            let mut request = RequestRef::new(principal, &**action, resource);
            request.host = environment.host.as_deref().map(HostRef::Name);
            // An action that does not apply to such a resource is an error.
            let allowed = engine.check(request).unwrap_or(false);
            assert_eq!(allowed, permitted.contains(action), "{action} {principal}");
        }
    }
    let found = race(vec![("menus", each(at))], menus.len(), rounds);
    report.row("rust/permitted_actions", "ns", found["menus"], None, true);
}

/// `explain` beside `authorize`.
fn explain(scene: &Scene, report: &mut Report, rounds: usize) {
    let engine = &scene.engine;
    let questions = scene.agency.questions.iter().take(200);
    let requests: Vec<Request> = questions.map(agency::Question::request).collect();
    for request in &requests {
        let explained = engine.explain(request).expect("an explanation");
        let decision = engine.authorize(request).expect("an answer");
        assert_eq!(explained.decision, decision, "{request:?}");
    }
    let passes: Vec<Pass<'_>> = vec![
        ("explain", each(|at| engine.explain(&requests[at]))),
        ("authorize", each(|at| engine.authorize(&requests[at]))),
    ];
    let found = race(passes, requests.len(), rounds);
    let (ours, peer) = (found["explain"], Some(found["authorize"]));
    report.row("rust/explain", "ns", ours, peer, true);
}

/// A consume with an idempotency key beside one without. Both make a key.
fn keyed(report: &mut Report, rounds: usize) {
    let open = || Ours::open("memory:", ACCOUNTS);
    let (ours, peer, made) = (open(), open(), Cell::new(0_i64));
    let key = || {
        made.set(made.get() + 1);
        format!("operation-{}", made.get())
    };
    for _ in 0..2 {
        ours.take_keyed(0, "the same");
    }
    let checked = ours.used() == 1;
    let with_key = |at: usize| ours.take_keyed(at % ACCOUNTS, &key());
    let without = |at: usize| {
        black_box(key());
        peer.take(at % ACCOUNTS);
    };
    let passes: Vec<Pass<'_>> = vec![("keyed", each(with_key)), ("keyless", each(without))];
    let found = race(passes, 10_000, rounds);
    let checked = checked && ours.used() - 1 + peer.used() == made.get();
    let (ours, peer) = (found["keyed"], Some(found["keyless"]));
    report.row("rust/consume/keyed/memory", "ns", ours, peer, checked);
}

/// The records of the members of main accounts.
fn members(lines: &str) -> Vec<Value> {
    let members = lines
        .lines()
        .filter(|line| line.starts_with(r#"{"type":"TeamMember","id":"main-"#));
    members
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect()
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

/// The domain of a main account.
fn domain(account: &str) -> String {
    format!("app.{}.example", account.replace("main-", "agency-"))
}

/// A command that changes a member, beside the same change without a question.
fn perform(scene: &Scene, report: &mut Report, rounds: usize) {
    let engine = &scene.engine;
    let departments = ["sales", "design"];
    let members: Vec<_> = members(&scene.agency.lines)
        .into_iter()
        .map(|member| {
            let both = departments.map(|department| {
                let attributes = json!({"department": department});
                let command = json!({
                    "do": "edit_member", "member": member["id"], "attributes": attributes
                });
                let mut record = member.clone();
                record["attributes"] = attributes;
                let record = Record::from_value(record).expect("a record");
                (Command::from_value(command).expect("a command"), record)
            });
            let account = text(&member, "account");
            let host = environment(Some(&domain(account)));
            (EntityRef::new("Account", account), host, both)
        })
        .collect();
    // Each change is another one than the last.
    let count = Cell::new(0_usize);
    let turn = || count.replace(count.get() + 1) / members.len() % 2;
    let asks = |at: usize, turn: usize| {
        let (owner, host, both) = &members[at];
        let done = engine.perform(owner, &both[turn].0, host, None);
        done.expect("an answer").decision
    };
    for (at, (_, _, both)) in members.iter().enumerate() {
        for (turn, (_, record)) in both.iter().enumerate() {
            let decision = asks(at, turn);
            assert!(decision.allowed, "{decision:?}");
            let found = engine.get_record(&record.reference());
            let Some(Record::TeamMember(found)) = found.expect("an answer") else {
                panic!("{record:?} is gone")
            };
            assert_eq!(found.attributes()["department"], departments[turn]);
        }
    }
    let put = |at: usize| {
        let record = members[at].2[turn()].1.clone();
        engine.apply_changes(vec![Change::Put(record)], None)
    };
    let passes: Vec<Pass<'_>> = vec![("perform", each(|at| asks(at, turn()))), ("put", each(put))];
    let found = race(passes, members.len(), rounds);
    let (ours, peer) = (found["perform"], Some(found["put"]));
    report.row("rust/perform", "ns", ours, peer, true);
}

/// Policies that have changed replace the present ones, while the directory is resident.
fn reload(scene: &Scene, report: &mut Report, rounds: usize) {
    let mut last = scene.engine.bundle().fingerprint;
    let times = (0..=rounds).map(|version| {
        let source = PolicySource::Files(bundles::changed(version));
        let begun = Instant::now();
        let fingerprint = scene.engine.reload(&source).expect("the bundle");
        let time = begun.elapsed().as_secs_f64() * 1e9;
        assert_ne!(fingerprint, last, "the policies have changed");
        last = fingerprint;
        time
    });
    // The first round warms up.
    let found = median(times.skip(1).collect());
    scene.compare();
    report.row("rust/reload", "ns", found, None, true);
}

/// The first check of an engine after another engine on the same file has changed the directory.
fn follow(scene: &Scene, report: &mut Report, folder: &Path, changes: usize) {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).expect("a folder");
    let file = folder.join("sublet.db");
    let open = |file: &Path| {
        let options = Options {
            policies: PolicySource::Folder(policies()),
            store: format!("sqlite:{}", file.display()),
            ..Options::default()
        };
        Engine::open(options).unwrap_or_else(|error| panic!("{error}"))
    };
    let lines = &scene.agency.lines;
    let writer = open(&file);
    let imported = writer.import(lines.as_bytes(), None, None);
    imported.expect("the directory");
    let reader = open(&file);
    let member = &members(lines)[0];
    let (id, account) = (text(member, "id"), text(member, "account"));
    let host = domain(account);
    let question = RequestRef::new(("TeamMember", id), "campaign.read", ("Campaign", "k"));
    let question = question.account(account).host(host.as_str());
    let (mut after, mut quiet, mut checked) = (Vec::new(), Vec::new(), true);
    for change in 0..changes {
        let granted = change % 2 == 0;
        let mut record = member.clone();
        record["grants"] = if granted {
            json!(["campaigns"])
        } else {
            json!([])
        };
        let record = Record::from_value(record).expect("a record");
        let changed = writer.apply_changes(vec![Change::Put(record)], None);
        changed.expect("a change");
        for times in [&mut after, &mut quiet] {
            let begun = Instant::now();
            let allowed = reader.check(question).expect("an answer");
            times.push(begun.elapsed().as_secs_f64() * 1e9);
            checked &= allowed == granted;
        }
    }
    report.row(
        "rust/follow",
        "ns",
        median(after),
        Some(median(quiet)),
        checked,
    );
}
