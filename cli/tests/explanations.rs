//! The short texts of `explain` for typical answers of the shipped bundle, compared with the files of
//! `explanations/`.
//!
//! `UPDATE=1 cargo test --release -p sublet-cli --test explanations` writes the files.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The greatest number of lines, and of characters in a line.
const LINES: usize = 25;
const COLUMNS: usize = 100;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explanations")
}

/// Runs `sublet explain` on a case over the sample agency.
fn explain(case: &Value) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let agency = here().join("../../../policies/tests/agency.jsonl");
    let mut request = case.clone();
    let language = request.as_object_mut().and_then(|fields| {
        let language = fields.remove("language")?;
        language.as_str().map(str::to_owned)
    });
    let mut arguments = vec![
        "sublet".into(),
        "explain".into(),
        "--directory".into(),
        agency.into_os_string(),
        request.to_string().into(),
    ];
    if let Some(language) = language {
        arguments.extend(["--language".into(), language.into()]);
    }
    let code = sublet_cli::run(arguments, &mut out, &mut err);
    let allowed = case.pointer("/answer/allowed") == Some(&Value::Bool(true));
    let wanted = if allowed {
        sublet_cli::OK
    } else {
        sublet_cli::DENIED
    };
    let err = String::from_utf8(err).expect("text");
    assert_eq!((code, err.as_str()), (wanted, ""), "{case}");
    String::from_utf8(out).expect("text")
}

#[test]
fn typical_answers_are_explained_in_short() {
    let cases = std::fs::read_to_string(here().join("cases.json")).expect("the cases");
    let cases: Value = serde_json::from_str(&cases).expect("JSON");
    let is_update = std::env::var_os("UPDATE").is_some();
    let (mut names, mut faults) = (BTreeSet::new(), Vec::new());
    for case in cases["cases"].as_array().expect("a list") {
        let name = case["description"].as_str().expect("a name");
        assert!(names.insert(format!("{name}.txt")), "{name} stands twice");
        let text = explain(case);
        let lines: Vec<&str> = text.lines().collect();
        let widest = lines.iter().map(|line| line.chars().count()).max();
        assert!(
            lines.len() <= LINES && widest <= Some(COLUMNS),
            "{name}: {text}"
        );
        let word = if case.pointer("/answer/allowed") == Some(&Value::Bool(true)) {
            "allowed"
        } else {
            "denied"
        };
        let code = case["answer"]["code"].as_str().expect("a code");
        assert_eq!(lines.first(), Some(&format!("{word}: {code}").as_str()));
        let path = here().join(format!("{name}.txt"));
        if is_update {
            std::fs::write(&path, &text).expect("a file");
        } else {
            let stored = std::fs::read_to_string(&path).unwrap_or_default();
            if stored != text {
                faults.push(format!("{name}:\n{text}\nand not:\n{stored}"));
            }
        }
    }
    let files: BTreeSet<String> = std::fs::read_dir(here())
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|found| found == "txt")
        })
        .collect();
    let more: Vec<&String> = files.difference(&names).collect();
    assert!(more.is_empty(), "files without a case: {more:?}");
    assert!(
        faults.is_empty(),
        "{}\nUPDATE=1 writes the files",
        faults.join("\n")
    );
}
