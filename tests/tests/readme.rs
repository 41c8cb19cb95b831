//! What `policies/README.md` shows an author works as it stands there.

use std::path::{Path, PathBuf};

use sublet::{Engine, Options, PolicySource};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_the_readme_of_the_policies_shows_loads_and_decides() {
    let text = std::fs::read_to_string(root().join("policies/README.md")).expect("the README");
    let mut files: Vec<(String, String)> = Vec::new();
    for entry in std::fs::read_dir(root().join("policies"))
        .expect("the folder")
        .flatten()
        .filter(|entry| entry.path().is_file() && !entry.path().ends_with("README.md"))
    {
        files.push((
            entry.file_name().to_string_lossy().into_owned(),
            std::fs::read_to_string(entry.path()).expect("a text"),
        ));
    }
    let shown = blocks(&text, "cedar");
    assert!(
        shown.len() >= 3,
        "the README shows a policy, an action and a reason of one's own"
    );
    for (nth, block) in shown.into_iter().enumerate() {
        let known = block
            .lines()
            .find(|line| line.starts_with("@id"))
            .is_some_and(|line| files.iter().any(|(_, text)| text.contains(line)));
        let ending = if block.contains("action \"") {
            "cedarschema"
        } else {
            "cedar"
        };
        if known {
            assert!(
                files.iter().any(|(_, text)| text.contains(block.trim())),
                "a shipped policy is not as the README shows it:\n{block}"
            );
        } else {
            files.push((format!("65-shown-{nth}.{ending}"), block));
        }
    }
    let engine = Engine::open(Options {
        policies: PolicySource::Files(files),
        ..Options::default()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    assert!(
        engine
            .bundle()
            .actions
            .iter()
            .any(|action| action.as_ref() == "campaign.archive")
    );

    let cases = blocks(&text, "json");
    let folder = std::env::temp_dir().join(format!("sublet-readme-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::copy(
        root().join("policies/tests/agency.jsonl"),
        folder.join("agency.jsonl"),
    )
    .expect("the agency");
    std::fs::write(
        folder.join("cases.json"),
        format!(
            "{{\"directory\": \"agency.jsonl\", \"cases\": [{}]}}",
            cases.join(",")
        ),
    )
    .expect("a file");
    let results = sublet_cli::run_cases(&engine, &folder).expect("cases");
    std::fs::remove_dir_all(&folder).expect("a folder");
    assert!(!results.is_empty());
    for result in results {
        assert_eq!(result.failure, None, "{}", result.description);
    }
}
