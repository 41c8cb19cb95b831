//! The ids and the comments of the shipped policies follow one scheme, because answers and
//! explanations show them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sublet::{Engine, Options, PolicySource};

const MAX_ID_LENGTH: usize = 40;
const MAX_SENTENCE_WORDS: usize = 25;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read_file(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn shipped_bundle() -> Engine {
    Engine::open(Options {
        policies: PolicySource::Folder(root().join("policies")),
        ..Options::default()
    })
    .expect("the shipped bundle")
}

/// Returns the prefix of an id and the first word of a comment for an effect.
fn scheme(effect: &str) -> (&'static str, &'static str) {
    match effect {
        "permit" => ("allow-", "Permits "),
        "warning" => ("warn-", "Warns "),
        _ => ("", "Refuses "),
    }
}

/// Returns the comment directly above a line as one text.
fn comment_above(text: &str, line: usize) -> String {
    let lines: Vec<&str> = text.lines().take(line - 1).collect();
    let above = lines
        .iter()
        .rev()
        .map_while(|line| line.strip_prefix("//"))
        .map(str::trim);
    let mut comment: Vec<&str> = above.collect();
    comment.reverse();
    comment.join(" ")
}

/// Returns the fault of a comment that is not one plain sentence with its rules.
fn comment_fault(comment: &str, opening: &str, rules: &str) -> Option<String> {
    let Some((sentence, cited)) = comment
        .strip_suffix(')')
        .and_then(|comment| comment.rsplit_once(". ("))
    else {
        return Some("does not end with a full stop and its rules".to_owned());
    };
    let unknown = cited
        .split(", ")
        .find(|rule| !rules.lines().any(|line| line == format!("### {rule}")));
    let words = sentence.split_whitespace().count();
    if !sentence.starts_with(opening) {
        Some(format!("does not begin with `{}`", opening.trim()))
    } else if sentence.contains(". ") {
        Some("has more than one sentence".to_owned())
    } else if words > MAX_SENTENCE_WORDS {
        Some(format!("has {words} words"))
    } else {
        unknown.map(|rule| format!("cites `{rule}`, which is not in docs/rules.md"))
    }
}

#[test]
fn ids_follow_the_scheme() {
    let policies = shipped_bundle().bundle().policies;
    assert!(policies.len() > 100, "{}", policies.len());
    for effect in ["permit", "forbid", "warning"] {
        assert!(
            policies.iter().any(|policy| policy.effect == effect),
            "{effect}"
        );
    }
    let mut faults = Vec::new();
    for policy in &policies {
        let (prefix, _) = scheme(policy.effect);
        let is_reserved = policy.id.starts_with("allow-") || policy.id.starts_with("warn-");
        let has_prefix = if prefix.is_empty() {
            !is_reserved
        } else {
            policy.id.starts_with(prefix)
        };
        let is_plain = policy.id.split('-').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
        if !has_prefix || !is_plain || policy.id.len() > MAX_ID_LENGTH {
            faults.push(format!("{} `{}`", policy.effect, policy.id));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_policy_has_one_sentence() {
    let rules = read_file("docs/rules.md");
    let mut files = BTreeMap::new();
    let mut faults = Vec::new();
    for policy in shipped_bundle().bundle().policies {
        let (file, line) = policy.place.expect("a place");
        let text = files
            .entry(file.to_string())
            .or_insert_with(|| read_file(&format!("policies/{file}")));
        let comment = comment_above(text, usize::try_from(line).expect("a line"));
        if let Some(fault) = comment_fault(&comment, scheme(policy.effect).1, &rules) {
            faults.push(format!("{file}:{line} `{}` {fault}: {comment}", policy.id));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
