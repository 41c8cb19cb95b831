//! Does a check cost more when there are many policies that it does not need? As a tenancy bundle,
//! and as a plain Cedar program. The many are of other types or actions, or name other tenants'
//! principals and resources in their scope.

use std::fmt::Write;

use sublet::{CedarProgram, Engine, Options, PolicySource, Request};

use crate::agency::{Question, agency};
use crate::bundles;
use crate::measure::{Pass, Report, SEED, each, race, size};
use crate::random::Random;

const ASKED: usize = 2_000;
/// The plain program's users, teams, folders and documents.
const USERS: usize = 200;
const TEAMS: usize = 20;
const DOCUMENTS: usize = 500;

/// Policies that no question of ours needs, for the agency.
fn of_others(count: usize) -> String {
    let mut text = String::new();
    for at in 0..count {
        let effect = match at % 4 {
            0 => format!(
                r#"forbid (principal, action == Action::"survey.edit", resource is Survey) when {{ resource.account == Account::"else-{at}" }}"#
            ),
            1 => format!(
                r#"forbid (principal == TeamMember::"else-{at}", action == Action::"campaign.read", resource is Campaign)"#
            ),
            2 => format!(
                r#"forbid (principal, action == Action::"campaign.edit", resource == Campaign::"else-{at}")"#
            ),
            _ => format!(
                r#"permit (principal == Account::"else-{at}", action in [Action::"campaign.read", Action::"campaign.edit"], resource == Campaign::"else-{at}")"#
            ),
        };
        let _ = writeln!(text, "@id(\"other-{at}\")\n@code(\"other\")\n{effect};");
    }
    // A permit has no code.
    text.replace("@code(\"other\")\npermit", "permit")
}

fn bundle(others: usize) -> Engine {
    let mut files = bundles::shipped();
    files.push(("78-others.cedar".to_owned(), of_others(others)));
    let mut options = Options {
        policies: PolicySource::Files(files),
        ..Options::default()
    };
    options.caps.file_bytes = options.caps.file_bytes.max(64 << 20);
    Engine::open(options).unwrap_or_else(|error| panic!("{error}"))
}

/// The shipped bundle, beside itself with others' policies up to `total`.
///
/// # Panics
/// If an answer differs.
pub fn tenancy(report: &mut Report, total: usize, rounds: usize) {
    let agency = agency(10, size("SUBLET_BENCH_DRAWN", 60_000), SEED);
    let campaigns = |question: &&Question| question.action.starts_with("campaign.");
    let asked: Vec<_> = agency
        .questions
        .iter()
        .filter(campaigns)
        .take(ASKED)
        .map(Question::asked)
        .collect();
    let few = bundle(0);
    let shipped = few.bundle().policies.len();
    let many = bundle(total.saturating_sub(shipped));
    for engine in [&few, &many] {
        engine
            .import(agency.lines.as_bytes(), None, None)
            .expect("the directory");
    }
    for asked in &asked {
        let (one, other) = (
            few.authorize(asked.question()).expect("an answer"),
            many.authorize(asked.question()).expect("an answer"),
        );
        assert_eq!(one.answer, other.answer, "{asked:?}");
        assert_eq!(
            one.allowed,
            many.check(asked.question()).expect("an answer")
        );
    }
    let passes: Vec<Pass<'_>> = vec![
        ("few", each(|at| few.check(asked[at].question()))),
        ("many", each(|at| many.check(asked[at].question()))),
    ];
    let found = race(passes, asked.len(), rounds);
    println!("the bundle of {shipped} policies beside {total}");
    report.row(
        format!("rust/check/policies={total}/bundle"),
        "ns",
        found["many"],
        Some(found["few"]),
        true,
    );
}

const SCHEMA: &str = r"
entity Team;
entity Folder;
entity User in [Team] = { active: Bool, level: Long };
entity Document in [Folder] = { owner: User, team: Team, public: Bool, size: Long };
entity Picture in [Folder] = { owner: User };
action read, change, remove, share appliesTo { principal: [User], resource: [Document], context: {} };
action look, paint appliesTo { principal: [User], resource: [Picture], context: {} };
";

/// Nine forbids and eleven permits that the questions do need. The permits stand last: a forbid
/// after them is a limit.
fn needed() -> String {
    let mut text = String::from(
        r#"
forbid (principal, action, resource) when { !principal.active };
forbid (principal, action == Action::"remove", resource is Document) when { resource.size > 900 };
"#,
    );
    for at in 0..7 {
        let _ = writeln!(
            text,
            r#"forbid (principal, action == Action::"change", resource in Folder::"folder-{at}") when {{ principal.level < {at} }};"#
        );
    }
    for at in 0..7 {
        let _ = writeln!(
            text,
            r#"permit (principal in Team::"team-{at}", action == Action::"read", resource in Folder::"folder-{at}");"#
        );
    }
    text.push_str(
        r#"
permit (principal, action, resource is Document) when { resource.owner == principal };
permit (principal, action == Action::"read", resource is Document) when { resource.public };
permit (principal, action in [Action::"read", Action::"change"], resource is Document) when { principal in resource.team };
permit (principal, action == Action::"share", resource is Document) when { principal.level > 5 && principal in resource.team };
"#,
    );
    text
}

/// Policies that no question needs, for the plain program.
fn of_other_users(count: usize) -> String {
    let mut text = String::new();
    for at in 0..count {
        let _ = match at % 4 {
            0 => writeln!(
                text,
                r#"forbid (principal, action == Action::"paint", resource is Picture) when {{ resource.owner == User::"else-{at}" }};"#
            ),
            1 => writeln!(
                text,
                r#"forbid (principal == User::"else-{at}", action == Action::"read", resource is Document);"#
            ),
            2 => writeln!(
                text,
                r#"forbid (principal, action == Action::"change", resource == Document::"else-{at}");"#
            ),
            _ => writeln!(
                text,
                r#"permit (principal in Team::"else-{at}", action == Action::"look", resource == Picture::"else-{at}");"#
            ),
        };
    }
    text
}

fn entities(random: &mut Random) -> String {
    let mut all = Vec::new();
    let uid = |kind: &str, id: usize| serde_json::json!({"type": kind, "id": format!("{}-{id}", kind.to_lowercase())});
    for at in 0..TEAMS {
        all.push(serde_json::json!({"uid": uid("Team", at), "attrs": {}, "parents": []}));
        all.push(serde_json::json!({"uid": uid("Folder", at), "attrs": {}, "parents": []}));
    }
    for at in 0..USERS {
        let attributes =
            serde_json::json!({"active": !random.happens(5), "level": random.below(10)});
        all.push(serde_json::json!({"uid": uid("User", at), "attrs": attributes, "parents": [uid("Team", random.below(TEAMS))]}));
    }
    for at in 0..DOCUMENTS {
        let (owner, team) = (
            uid("User", random.below(USERS)),
            uid("Team", random.below(TEAMS)),
        );
        let attributes = serde_json::json!({
            "owner": {"__entity": owner}, "team": {"__entity": team}, "public": random.happens(20), "size": random.below(1_000)
        });
        all.push(serde_json::json!({"uid": uid("Document", at), "attrs": attributes, "parents": [uid("Folder", random.below(TEAMS))]}));
    }
    serde_json::Value::Array(all).to_string()
}

/// A plain program of twenty policies, beside itself with others' policies up to `total`.
///
/// # Panics
/// If an answer differs.
pub fn program(report: &mut Report, total: usize, rounds: usize) {
    let random = &mut Random::new(SEED);
    let entities = entities(random);
    let opened = |policies: String| {
        let program = CedarProgram {
            policies,
            schema: Some(SCHEMA.to_owned()),
            entities: Some(entities.clone()),
            ..CedarProgram::default()
        };
        let mut options = Options {
            policies: PolicySource::Cedar(program),
            ..Options::default()
        };
        options.caps.file_bytes = options.caps.file_bytes.max(64 << 20);
        Engine::open(options).unwrap_or_else(|error| panic!("{error}"))
    };
    let few = opened(needed());
    let shipped = few.bundle().policies.len();
    let many = opened(needed() + &of_other_users(total.saturating_sub(shipped)));
    let draw = |random: &mut Random| {
        let action = *random.one(&["read", "change", "remove", "share"]);
        let (user, document) = (
            format!("user-{}", random.below(USERS)),
            format!("document-{}", random.below(DOCUMENTS)),
        );
        Request::new(
            ("User", user.as_str()),
            action,
            ("Document", document.as_str()),
        )
    };
    let asked: Vec<Request> = (0..ASKED).map(|_| draw(random)).collect();
    let mut allowed = 0;
    for request in &asked {
        let (one, other) = (
            few.authorize(request).expect("an answer"),
            many.authorize(request).expect("an answer"),
        );
        assert_eq!(one.answer, other.answer, "{request:?}");
        assert_eq!(one.allowed, many.check(request).expect("an answer"));
        allowed += usize::from(one.allowed);
    }
    println!("the program of {shipped} policies beside {total}; {allowed} of {ASKED} allowed");
    let passes: Vec<Pass<'_>> = vec![
        ("few", each(|at| few.check(&asked[at]))),
        ("many", each(|at| many.check(&asked[at]))),
    ];
    let found = race(passes, asked.len(), rounds);
    report.row(
        format!("rust/check/policies={total}/program"),
        "ns",
        found["many"],
        Some(found["few"]),
        true,
    );
}
