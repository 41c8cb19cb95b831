//! Checks the layers of `core/src` and the names of tests. A folder imports only the folders below
//! it.
//!
//! `docs/architecture.md` says what each folder is for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest name of a test, without the `test_` of Python.
const MAX_TEST_NAME: usize = 40;

/// The folders of `core/src`, lowest first.
const LAYERS: [&str; 14] = [
    "util",
    "vm",
    "model",
    "api",
    "directory",
    "compiler",
    "cedar",
    "authorize",
    "store",
    "quota",
    "billing",
    "commands",
    "telemetry",
    "engine",
];

#[test]
fn folders_import_only_lower_folders() {
    let mut faults = Vec::new();
    let mut arrows: BTreeMap<(String, String), usize> = BTreeMap::new();
    for file in files_with_extension(&core_source(), "rs") {
        let Some(name) = file.strip_prefix(core_source()).expect("inside").to_str() else {
            continue;
        };
        if name == "lib.rs" || name.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("source");
        for (line, import) in imports(name, &text) {
            let layer = name.split('/').next().expect("a folder");
            match position(&import) {
                _ if import == layer => {}
                Some(lower) if Some(lower) < position(layer) => {
                    *arrows.entry((layer.to_owned(), import)).or_default() += 1;
                }
                Some(_) => faults.push(format!(
                    "{name}:{line}: `{layer}` imports `{import}`, which is above it"
                )),
                None => faults.push(format!(
                    "{name}:{line}: `{import}` is imported through the crate root"
                )),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // The parser sees imports at all: the highest folder uses most of the others.
    let below_engine = arrows.keys().filter(|(from, _)| from == "engine").count();
    assert!(below_engine >= 10, "{arrows:?}");
}

#[test]
fn every_folder_is_a_layer() {
    let entries = fs::read_dir(core_source()).expect("core/src");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    names.sort();
    let mut layers: Vec<String> = LAYERS.iter().map(ToString::to_string).collect();
    layers.push("lib.rs".to_owned());
    layers.sort();
    assert_eq!(names, layers);
}

#[test]
fn upward_imports_are_found() {
    let found = |name: &str, text: &str| {
        imports(name, text)
            .into_iter()
            .map(|(line, import)| format!("{line} {import}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("util/json.rs", "use crate::model::limit::Limit;"),
        ["1 model"]
    );
    assert_eq!(
        found(
            "util/json.rs",
            "use crate::{\n    vm::Value,\n    model::{a, b},\n};"
        ),
        ["1 model", "1 vm"]
    );
    assert_eq!(
        found("util/json.rs", "fn f() {\n    crate::engine::run();\n}"),
        ["2 engine"]
    );
    assert_eq!(found("util/json.rs", "use crate::Error;"), ["1 Error"]);
    assert_eq!(
        found("util/wait/mod.rs", "use super::super::engine::Engine;"),
        ["1 engine"]
    );
    assert_eq!(
        found("util/wait/sync.rs", "use super::super::json;"),
        [""; 0]
    );
    assert_eq!(
        found(
            "util/json.rs",
            "// use crate::engine::Engine;\nlet a = \"crate::engine\";"
        ),
        [""; 0]
    );
    assert_eq!(
        found(
            "util/json.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::engine::Engine;\n}"
        ),
        [""; 0]
    );
}

/// A name says what holds. A comment above the test tells the rest.
#[test]
fn test_names_are_short_and_unique() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut faults = Vec::new();
    let mut count = 0;
    for folder in ["core/src", "cli", "tests", "benches"] {
        for extension in ["rs", "py"] {
            for file in files_with_extension(&root.join(folder), extension) {
                let text = fs::read_to_string(&file).expect("source");
                let mut names = test_names(&text, extension);
                let name_count = names.len();
                count += name_count;
                faults.extend(
                    names
                        .iter()
                        .filter(|name| name.len() > MAX_TEST_NAME)
                        .map(|name| format!("{}: `{name}` is too long", file.display())),
                );
                names.sort_unstable();
                names.dedup();
                if names.len() < name_count {
                    faults.push(format!("{}: two tests have one name", file.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // The parser finds the tests at all.
    assert!(count > 300, "{count} tests");
}

/// Returns the names of the tests in a file, without the `test_` of Python.
fn test_names<'t>(text: &'t str, extension: &str) -> Vec<&'t str> {
    let mut names = Vec::new();
    let mut is_marked = extension == "py";
    let prefix = if extension == "py" {
        "def test_"
    } else {
        "fn "
    };
    for line in text.lines() {
        is_marked |= line.trim() == "#[test]";
        let declaration = line.trim_start();
        let declaration = declaration.strip_prefix("async ").unwrap_or(declaration);
        if let Some(name) = declaration.strip_prefix(prefix)
            && is_marked
        {
            names.extend(name.split('(').next());
            is_marked = extension == "py";
        }
    }
    names
}

fn position(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| *layer == folder)
}

fn core_source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../core/src")
        .canonicalize()
        .expect("core/src")
}

fn files_with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            files.extend(files_with_extension(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Returns the first segment of each path of the crate that `text` names outside its tests, with
/// its line.
fn imports(name: &str, text: &str) -> Vec<(usize, String)> {
    let code = without_comments_and_strings(text);
    let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut depth = name.split('/').count();
    if name.ends_with("/mod.rs") {
        depth -= 1;
    }
    let mut found = Vec::new();
    for (at, _) in code
        .match_indices("crate::")
        .chain(code.match_indices("super::"))
    {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|before| before.is_alphanumeric() || "_:$".contains(before)) {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let mut rest = &code[at..];
        let mut levels = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            levels += 1;
            rest = after;
        }
        if levels == 0 {
            rest = rest.strip_prefix("crate::").unwrap_or(rest);
        } else if levels < depth {
            // Still inside the folder.
            continue;
        }
        found.extend(
            first_segments(rest)
                .into_iter()
                .map(|segment| (line, segment)),
        );
    }
    found.sort();
    found
}

/// Returns the first segments of a path, or of each path of a list in braces.
fn first_segments(path: &str) -> Vec<String> {
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let Some(list) = path.strip_prefix('{') else {
        return vec![word(path)];
    };
    let mut segments = Vec::new();
    let (mut depth, mut expects_name) = (0, true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expects_name = true,
            c if expects_name && !c.is_whitespace() => {
                segments.push(word(&list[at..]));
                expects_name = false;
            }
            _ => {}
        }
    }
    segments
}

/// Returns `text` with the content of comments and strings left out; lines stay lines.
fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let raw = rest
            .strip_prefix('r')
            .map(|rest| rest.trim_start_matches('#'));
        let hashes = raw.map_or(0, |raw| rest.len() - raw.len() - 1);
        let ends_word = code
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || c == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if raw.is_some_and(|raw| raw.starts_with('"')) && !ends_word {
            let start = hashes + 2;
            let end = format!("\"{}", "#".repeat(hashes));
            rest[start..]
                .find(&end)
                .map_or(rest.len(), |at| start + at + end.len())
        } else if c == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let closes = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                closes
            });
            end.map_or(rest.len(), |at| at + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(rest.len(), |at| at + 2)
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let (skipped, after) = rest.split_at(length);
        code.extend(skipped.chars().filter(|c| *c == '\n'));
        rest = after;
    }
    code
}
