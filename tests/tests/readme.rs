//! Runs the Rust, Cedar and JSON blocks of the documents.

use std::path::{Path, PathBuf};

use sublet::{Engine, Options, PolicySource};

type Page = fn() -> Result<(), Box<dyn std::error::Error>>;

#[allow(
    clippy::all,
    clippy::pedantic,
    reason = "the blocks are written for readers"
)]
mod pages {
    use super::Page;
    include!(concat!(env!("OUT_DIR"), "/pages.rs"));
    pub(super) const ALL: &[(&str, Page)] = PAGES;
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect()
}

/// Pages read `policies` and write a store in the current folder. One test runs all pages, because
/// the process has one current folder.
#[test]
fn rust_blocks_of_all_pages_run() {
    let policies = root()
        .join("policies")
        .canonicalize()
        .expect("the policies");
    let before = std::env::current_dir().expect("a folder");
    assert!(
        pages::ALL.len() >= 2,
        "README.md and the guide for Rust have blocks"
    );
    for (number, (name, page)) in pages::ALL.iter().enumerate() {
        let folder =
            std::env::temp_dir().join(format!("sublet-page-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::os::unix::fs::symlink(&policies, folder.join("policies")).expect("a link");
        std::env::set_current_dir(&folder).expect("the folder");
        let ran = page();
        std::env::set_current_dir(&before).expect("the folder before");
        std::fs::remove_dir_all(&folder).expect("a folder");
        ran.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn shown_policies_load_and_decide() {
    let text = std::fs::read_to_string(root().join("docs/guides/policies.md")).expect("the guide");
    let mut files: Vec<(String, String)> = Vec::new();
    let wanted = |path: &Path| {
        path.file_name().is_some_and(|name| name == "catalog.json")
            || path
                .extension()
                .is_some_and(|found| found == "cedar" || found == "cedarschema")
    };
    for path in std::fs::read_dir(root().join("policies"))
        .expect("the folder")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| wanted(path))
    {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        files.push((name, std::fs::read_to_string(&path).expect("a text")));
    }
    let shown = blocks(&text, "cedar");
    assert!(
        shown.len() >= 3,
        "the guide shows a policy, a reason of one's own and a limit rule"
    );
    for (nth, block) in shown.into_iter().enumerate() {
        let is_known = block
            .lines()
            .find(|line| line.starts_with("@id"))
            .is_some_and(|line| files.iter().any(|(_, text)| text.contains(line)));
        if is_known {
            assert!(
                files.iter().any(|(_, text)| text.contains(block.trim())),
                "a shipped policy is not as the guide shows it:\n{block}"
            );
        } else {
            files.push((format!("65-shown-{nth}.cedar"), block));
        }
    }
    for (nth, block) in blocks(&text, "cedarschema").into_iter().enumerate() {
        files.push((format!("65-shown-{nth}.cedarschema"), block));
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
