//! Vectors of rules: cases of policies and scenes of commands, which run in Rust, Python and Node on
//! each store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sublet::{Engine, Options};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn json(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

/// Whether vectors of a rule allow, and whether some deny.
#[derive(Default)]
struct RuleVectors {
    allow: bool,
    deny: bool,
}

fn add(found: &mut BTreeMap<String, RuleVectors>, rules: &Value, allow: bool, deny: bool) {
    for rule in rules.as_array().into_iter().flatten() {
        let rule = rule.as_str().expect("a rule");
        let vectors = found.entry(rule.to_owned()).or_default();
        vectors.allow |= allow;
        vectors.deny |= deny;
    }
}

/// A case allows if its answer is allowed, names a desk or hosts, or lists actions.
fn add_cases(found: &mut BTreeMap<String, RuleVectors>) {
    let is_filled = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
    let files = std::fs::read_dir(root().join("policies/tests")).expect("cases");
    let paths = files.flatten().map(|entry| entry.path());
    for path in paths.filter(|path| path.extension().is_some_and(|found| found == "json")) {
        for case in json(&path)["cases"].as_array().expect("cases") {
            let answer = &case["answer"];
            let allow = answer["allowed"] == true
                || answer["desk"].is_string()
                || is_filled(&answer["actions"])
                || is_filled(&answer["hosts"]);
            add(found, &case["rules"], allow, !allow);
        }
    }
}

/// A step allows if its code is `ok`, and denies with another code or with an error.
fn add_scenes(found: &mut BTreeMap<String, RuleVectors>) {
    for scene in crate::commands::scenes() {
        let steps = scene["steps"].as_array().expect("steps");
        let allow = steps.iter().any(|step| step["code"] == "ok");
        let deny = steps.iter().any(|step| {
            let refused = step["code"].as_str().is_some_and(|code| code != "ok");
            refused || step["error"].is_string()
        });
        add(found, &scene["rules"], allow, deny);
    }
}

/// `second_edition` of `rules.json` lists the rules that are new or changed since the first one.
#[test]
fn second_edition_rules_have_vectors() {
    let mut found = BTreeMap::new();
    add_cases(&mut found);
    add_scenes(&mut found);
    let list = json(&root().join("tests/vectors/rules.json"));
    let rules = list["second_edition"].as_array().expect("rules");
    assert!(rules.len() > 30);
    let mut lacking = Vec::new();
    for rule in rules {
        let rule = rule.as_str().expect("a rule");
        assert!(list["rules"][rule].is_string(), "{rule} is not listed");
        let vectors = found.entry(rule.to_owned()).or_default();
        if !vectors.allow || !vectors.deny {
            lacking.push(format!(
                "{rule}: allow {}, deny {}",
                vectors.allow, vectors.deny
            ));
        }
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

#[test]
fn every_rule_of_the_page_is_listed() {
    let page = std::fs::read_to_string(root().join("docs/rules.md")).expect("the page");
    let titles = page.lines().filter_map(|line| line.strip_prefix("### "));
    let titled: BTreeSet<&str> = titles.collect();
    let list = json(&root().join("tests/vectors/rules.json"));
    let listed: BTreeSet<&str> = list["rules"]
        .as_object()
        .expect("rules")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(titled, listed);
}

/// A gate that decides no case may be superfluous, or may never apply.
#[test]
fn every_gate_decides_a_case() {
    let engine = Engine::open(Options::default()).expect("a bundle");
    let results = sublet_cli::run_cases(&engine, &root().join("policies/tests")).expect("cases");
    let deciding: BTreeSet<&str> = results
        .iter()
        .filter_map(|result| result.decided_by.as_deref())
        .collect();
    let policies = engine.bundle().policies;
    let gates = policies.iter().filter(|policy| policy.code.is_some());
    let gates: BTreeSet<&str> = gates.map(|policy| &*policy.id).collect();
    let undecided: Vec<_> = gates.difference(&deciding).collect();
    assert!(undecided.is_empty(), "{undecided:?}");
}
