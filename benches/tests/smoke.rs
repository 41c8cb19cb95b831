//! Runs the benchmark at tiny sizes and checks its output. Times are ignored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use sublet_benches::agency::{Asked, agency};
use sublet_benches::by_hand::HandWrittenRules;
use sublet_benches::checks::{Scene, opened};
use sublet_benches::measure::Report;
use sublet_benches::workloads::Workload;
use sublet_benches::{calls, directory_changes, hosts, many_tenants};

fn fresh(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("a directory");
    directory
}

/// Returns the rows of the table that is printed for a directory.
fn table(directory: &Path) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("table.py");
    let file = directory.join("out").join("bench.json");
    std::fs::create_dir_all(directory.join("out")).expect("a directory");
    let done = Command::new("python3")
        .arg(script)
        .arg(directory)
        .arg(&file)
        .output()
        .expect("Python");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    serde_json::from_slice(&std::fs::read(file).expect("the figures")).expect("JSON")
}

fn named<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    rows.iter()
        .find(|row| row["name"] == name)
        .unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn in_process_benches_print_their_rows() {
    let directory = fresh("parts");
    let mut report = Report::at(&directory, "all");
    let scene = Scene::new(1, 200);
    scene.compare();
    scene.rows(&mut report, 1);
    scene.judged(&mut report, 1);
    directory_changes::latency(&scene, &mut report, 1, Duration::from_millis(20));
    many_tenants::program(&mut report, 40, 1);
    many_tenants::tenancy(&mut report, 90, 1);
    let rows = table(&directory);
    for row in &rows {
        for key in [
            "name", "unit", "ours", "peer", "ratio", "target", "met", "checked",
        ] {
            assert!(row.get(key).is_some(), "{row}");
        }
    }
    let found = named(&rows, "rust/check/strings/agency=1");
    assert!(found["ratio"].is_f64() && found["checked"] == true && found["met"].is_boolean());
    assert!(named(&rows, "rust/check/policies=90/bundle")["ours"].is_f64());
}

#[test]
fn rows_of_authors_and_others_are_printed() {
    let directory = fresh("more-parts");
    let mut report = Report::at(&directory, "all");
    let scene = Scene::of(Workload::Authors, 2, 200);
    scene.compare();
    scene.rows(&mut report, 1);
    scene.judged(&mut report, 1);
    hosts::rows(&mut report, scene, 1);
    let scene = Scene::new(2, 200);
    calls::rows(&scene, &mut report, &directory.join("calls"), 1);
    let rows = table(&directory);
    for name in [
        "rust/check/strings/authors=2",
        "rust/check/strings/authors=2/peer=cedar-policy",
        "rust/authorize/authors=2/peer=check",
        "rust/check/strings/host=none/authors=2",
        "rust/check/strings/host=unknown/authors=2",
        "rust/login",
        "rust/permitted_actions",
        "rust/explain",
        "rust/perform",
        "rust/consume/keyed/memory",
        "rust/reload",
        "rust/follow",
    ] {
        let row = named(&rows, name);
        assert!(row["ours"].is_f64() && row["checked"] == true, "{row}");
    }
}

#[test]
fn every_rule_of_authors_refuses_something() {
    let scene = Scene::of(Workload::Authors, 3, 10_000);
    scene.compare();
    let codes = |asked: &Asked<'_>| scene.code_by_hand(asked);
    let codes: BTreeSet<&str> = scene.asked().iter().map(codes).collect();
    for code in [
        "on_trial",
        "country_without_texts",
        "department_reads_only",
        "seniority_too_low",
        "outside_offices",
        "frozen_at_night",
        "second_factor_missing",
        "campaign_no_draft",
        "under_review",
        "on_hold",
        "auditor_reads_only",
        "file_locked",
    ] {
        assert!(codes.contains(code), "{code} is not asked: {codes:?}");
    }
    assert!(
        scene.engine.bundle().fallback.is_empty(),
        "all are compiled"
    );
}

#[test]
fn unmeasured_or_unchecked_target_is_missed() {
    let directory = fresh("table");
    let mut report = Report::at(&directory, "some");
    report.row("rust/check/strings/agency=1", "ns", 1.0, Some(1.0), true);
    report.row("rust/check/strings/agency=100", "ns", 1.0, Some(1.0), false);
    report.row("rust/check/strings/agency=1000", "ns", 1.6, Some(1.0), true);
    report.row(
        "rust/check/strings/agency=100/peer=cedar-policy",
        "ns",
        1.0,
        Some(61.0),
        true,
    );
    report.row(
        "python/stall/check_many/records/items=10000",
        "ms",
        11.0,
        Some(6.0),
        true,
    );
    let rows = table(&directory);
    let met = |name: &str| named(&rows, name)["met"].clone();
    assert_eq!(met("rust/check/strings/agency=1"), true);
    assert_eq!(met("rust/check/strings/agency=100"), false, "not checked");
    assert_eq!(
        met("rust/check/strings/agency=1000"),
        false,
        "above its target"
    );
    assert_eq!(
        met("rust/check/strings/agency=10000"),
        false,
        "not measured"
    );
    assert_eq!(met("rust/check/strings/agency=100/peer=cedar-policy"), true);
    assert_eq!(
        met("python/stall/check_many/records/items=10000"),
        true,
        "one of two bounds"
    );
}

#[test]
fn hand_written_rules_agree_with_policies() {
    let mut agency = agency(6, 4_000, 5);
    let reasons = [
        "",
        r#""abuse""#,
        r#""by_owner""#,
        r#""overage""#,
        r#""by_owner","overage""#,
        r#""overage","abuse""#,
    ];
    let of_client = |(at, line): (usize, &str)| {
        line.replace(
            r#""disabled":[]"#,
            &format!(r#""disabled":[{}]"#, reasons[at % 6]),
        )
    };
    let mut lines = agency
        .lines
        .lines()
        .enumerate()
        .map(of_client)
        .collect::<Vec<_>>()
        .join("\n");
    for (main, status) in [
        ("00001", r#""disabled":["abuse"]"#),
        ("00002", r#""disabled":["unpaid"]"#),
        ("00003", r#""closed":true"#),
    ] {
        let email = format!(r#""email":"owner@main-{main}.example""#);
        lines = lines.replace(&email, &format!("{email},{status}"));
    }
    agency.lines = lines;
    let (engine, by_hand) = (opened(&agency.lines), HandWrittenRules::new(&agency.lines));
    let mut codes = BTreeSet::new();
    for question in &agency.questions {
        let asked = question.asked();
        let decision = engine.authorize(asked.question()).expect("an answer");
        assert_eq!(
            by_hand.check(&asked),
            decision.allowed,
            "{} {question:?}",
            decision.code
        );
        assert_eq!(
            by_hand.decide(&asked) == "ok",
            decision.allowed,
            "{} {question:?}",
            decision.code
        );
        codes.insert(decision.code.clone());
    }
    let statuses = [
        "account_abuse",
        "account_by_owner",
        "account_overage",
        "account_unpaid",
        "owner_abuse",
        "owner_unpaid",
        "owner_closed",
    ];
    for code in statuses {
        assert!(codes.contains(code), "{code} is not asked: {codes:?}");
    }
}
