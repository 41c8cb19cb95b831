//! Behaviour that a Rust host relies on: consistent answers under change, the vectors, the codes,
//! the table of errors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sublet::{Change, Engine, Options, PolicySource, Record, Request, Resource};

const HOST: &str = "dash.marketingmaster.example";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn open_engine() -> Engine {
    let engine = Engine::open(Options {
        policies: PolicySource::Folder(root().join("policies")),
        ..Options::default()
    })
    .expect("the shipped bundle");
    let agency =
        std::fs::read(root().join("policies/tests/agency.jsonl")).expect("the sample agency");
    engine
        .import(&agency[..], None, None)
        .expect("the sample agency");
    engine
}

fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root().join("policies"))
        .expect("the folder")
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".cedar") || name.ends_with(".cedarschema") || name.ends_with(".json") {
            files.push((name, std::fs::read_to_string(entry.path()).expect("a text")));
        }
    }
    files
}

#[test]
fn policy_cases_pass() {
    let engine = open_engine();
    let results = sublet_cli::run_cases(&engine, &root().join("policies/tests")).expect("cases");
    let failed: Vec<_> = results
        .iter()
        .filter_map(|result| {
            result
                .failure
                .as_ref()
                .map(|failure| format!("{}: {failure}", result.description))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(results.len() > 300);
}

/// Returns whether the named test exists. The text is `FILE, NAME`, or a description without a
/// name.
fn test_exists(shown: &str) -> bool {
    let Some((file, name)) = shown.split_once(", ") else {
        return !shown.is_empty();
    };
    std::fs::read_to_string(root().join(file)).map_or(!file.contains('/'), |text| {
        text.contains(name) || name.contains(' ')
    })
}

/// Each rule of `rules.json` has cases that allow and deny, or names the test or the issue that
/// covers it.
#[test]
fn every_rule_and_code_has_a_case() {
    let text = std::fs::read_to_string(root().join("tests/vectors/rules.json"))
        .expect("the list of rules");
    let list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let (mut allows, mut denies, mut codes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(root().join("policies/tests"))
        .expect("cases")
        .flatten()
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|found| found == "json")
        })
    {
        let file: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(entry.path()).expect("a text"))
                .expect("JSON");
        for case in file["cases"].as_array().expect("cases") {
            let answer = &case["answer"];
            let allowed = answer["allowed"] == true
                || answer["desk"].is_string()
                || answer["actions"]
                    .as_array()
                    .is_some_and(|names| !names.is_empty());
            for rule in case["rules"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|rule| rule.as_str())
            {
                if allowed {
                    allows.insert(rule.to_owned())
                } else {
                    denies.insert(rule.to_owned())
                };
            }
            codes.extend(
                answer["advice"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|word| word.as_str())
                    .map(str::to_owned),
            );
            codes.extend(
                ["code", "public_code", "log_code"]
                    .iter()
                    .filter_map(|key| answer[key].as_str())
                    .map(str::to_owned),
            );
        }
    }
    let mut lacking = Vec::new();
    for (rule, shown) in list["rules"].as_object().expect("rules") {
        match shown.as_str() {
            Some("cases") if !(allows.contains(rule) && denies.contains(rule)) => {
                lacking.push(format!(
                    "{rule}: allow {}, deny {}",
                    allows.contains(rule),
                    denies.contains(rule)
                ))
            }
            Some("cases") => {}
            Some(elsewhere) if elsewhere.strip_prefix("test: ").is_some_and(test_exists) => {}
            _ => lacking.push(format!("{rule}: not said where it is shown")),
        }
    }
    let later: BTreeSet<String> = list["codes_to_come"]
        .as_object()
        .expect("codes")
        .keys()
        .cloned()
        .collect();
    let elsewhere: BTreeSet<String> = list["codes_elsewhere"]
        .as_object()
        .expect("codes")
        .keys()
        .cloned()
        .collect();
    for code in list["codes"]
        .as_array()
        .expect("codes")
        .iter()
        .filter_map(|code| code.as_str())
    {
        if !codes.contains(code) && !later.contains(code) && !elsewhere.contains(code) {
            lacking.push(format!("code {code} has no case"));
        }
    }
    for code in open_engine()
        .bundle()
        .codes
        .keys()
        .filter(|code| !codes.contains(code.as_ref()) && !elsewhere.contains(code.as_ref()))
    {
        lacking.push(format!("code {code} of the bundle has no case"));
    }
    let listed: BTreeSet<String> = open_engine()
        .bundle()
        .codes
        .keys()
        .map(|code| code.to_string())
        .collect();
    for code in codes.iter().filter(|code| !listed.contains(*code)) {
        lacking.push(format!("code {code} of a case is not in `bundle().codes`"));
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

#[test]
fn readers_see_one_consistent_version() {
    let engine = open_engine();
    let stop = AtomicBool::new(false);
    let asked = AtomicU64::new(0);
    // Odd revisions close the account, and every other bundle denies reading. The version of the
    // answer shows both.
    let closing = ("71-more.cedar".to_owned(), "@id(\"shut\") @code(\"shut\") forbid (principal, action == Action::\"campaign.read\", resource);".to_owned());
    let (open_files, shut_files) = (
        files(),
        files().into_iter().chain([closing]).collect::<Vec<_>>(),
    );
    let account = |closed: bool| {
        Record::from_json(&format!(
            "{{\"type\":\"Account\",\"id\":\"acme\",\"email\":\"owner@acme.example\",\"package\":\"agency\",\"confirmed\":true,\"closed\":{closed}}}"
        ))
        .expect("a record")
    };
    let mut bundles = BTreeMap::new();
    bundles.insert(engine.bundle().fingerprint, false);
    bundles.insert(
        Engine::open(Options {
            policies: PolicySource::Files(shut_files.clone()),
            ..Options::default()
        })
        .expect("a bundle")
        .bundle()
        .fingerprint,
        true,
    );
    let first = engine.revision();
    let changes: u64 = std::env::var("SUBLET_CHANGES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2_000);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let request = Request::new(
                    ("Account", "acme"),
                    "campaign.read",
                    Resource::new("Campaign", "k").account("acme"),
                )
                .host(HOST);
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let decision = engine.authorize(&request).expect("an answer");
                    let closed = (decision.revision - first) % 2 == 1;
                    let shut = bundles[&decision.bundle];
                    let expected = if closed {
                        "account_closed"
                    } else if shut {
                        "shut"
                    } else {
                        "ok"
                    };
                    assert_eq!(
                        decision.code.as_ref(),
                        expected,
                        "revision {} bundle {}",
                        decision.revision,
                        decision.bundle
                    );
                    assert!(decision.revision >= last, "the directory went back");
                    last = decision.revision;
                    // Eight readers share two cores with the writer, so they leave it some time.
                    std::thread::sleep(std::time::Duration::from_micros(500));
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for step in 1..=changes {
            engine
                .apply_changes(vec![Change::Put(account(step % 2 == 1))], None)
                .expect("a change");
            if step % 20 == 0 {
                let files = if step % 40 == 0 {
                    &open_files
                } else {
                    &shut_files
                };
                engine
                    .reload(&PolicySource::Files(files.clone()))
                    .expect("a reload");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!(
        "{} answers during {changes} changes and {} reloads",
        asked.load(Ordering::Relaxed),
        changes / 20
    );
    assert!(asked.load(Ordering::Relaxed) > 1_000);
}

/// The end is an error or a denial, and never a crash.
#[test]
fn hostile_texts_end_on_every_stack() {
    for kib in [128_usize, 256, 512, 1024, 8192] {
        let work = move || {
            let open = |condition: String| {
                let policies = format!(
                    "forbid (principal, action, resource) when {{ {condition} }}; permit (principal, action, resource);"
                );
                Engine::open(Options {
                    policies: PolicySource::Cedar(sublet::CedarProgram {
                        policies,
                        ..sublet::CedarProgram::default()
                    }),
                    ..Options::default()
                })
            };
            for condition in [
                "(".repeat(5_000),
                "true || ".repeat(1_707) + "true",
                "!".repeat(90_000),
                "[".repeat(600),
                "if true then true else ".repeat(2_000),
                "{a: ".repeat(600),
            ] {
                assert_eq!(
                    open(condition).map(|_| ()).map_err(|error| error.code()),
                    Err("bundle.too_deep"),
                    "{kib} KiB"
                );
            }
            for condition in [
                vec!["context.a == 2"; 900].join(" || ") + " || true",
                format!("{}true{}", "(".repeat(60), ")".repeat(60)),
            ] {
                let engine = open(condition).expect("within the caps");
                let request = Request::new(("U", "u"), "a", ("U", "u")).context("a", 1);
                assert_eq!(
                    engine.authorize(&request).expect("an answer").code.as_ref(),
                    "forbidden",
                    "{kib} KiB"
                );
                let explained = engine.explain(&request).expect("an explanation");
                assert!(explained.verbose().contains("applied"));
                assert!(explained.to_string().lines().count() <= 25);
            }
        };
        std::thread::Builder::new()
            .stack_size(kib * 1024)
            .spawn(work)
            .expect("a thread")
            .join()
            .expect("no overrun");
    }
}

/// Duplicate records are refused.
#[test]
fn import_and_export_are_inverse() {
    let engine = open_engine();
    let mut before = Vec::new();
    engine.export(&mut before).expect("an export");
    engine
        .import(&before[..], None, None)
        .expect("the same again");
    let mut after = Vec::new();
    engine.export(&mut after).expect("an export");
    assert_eq!(
        String::from_utf8_lossy(&before),
        String::from_utf8_lossy(&after)
    );
    let rows: Vec<serde_json::Value> = serde_json::from_str(
        &std::fs::read_to_string(root().join("tests/vectors/records.json")).expect("rows"),
    )
    .expect("JSON");
    for row in rows {
        let lines: String = row["lines"]
            .as_array()
            .expect("lines")
            .iter()
            .map(|line| format!("{}\n", line.as_str().expect("a line")))
            .collect();
        let revision = engine.revision();
        let error = engine
            .import(lines.as_bytes(), None, None)
            .expect_err(&lines);
        assert_eq!(
            error.code(),
            row["error"].as_str().expect("a code"),
            "{lines}: {error}"
        );
        assert_eq!(engine.revision(), revision);
    }
}
