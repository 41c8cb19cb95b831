//! The bundles that are measured: the shipped one, the one of the workload "authors", and the
//! shipped one with one rule more.

use std::path::Path;

use crate::measure::policies;

/// The files of a bundle: names and texts.
pub type Files = Vec<(String, String)>;

/// The replacements that "authors" makes in `app.cedarschema`, for attributes of its rules.
/// Each text must be there, so that a change of the shipped schema cannot pass unseen.
const CHANGED: [(&str, &str); 5] = [
    (
        "type AccountAttributes = {",
        "type AccountAttributes = {\n  office_only?: Bool,\n  frozen_at_night?: Bool,\n  \
         second_factor?: Bool,",
    ),
    (
        "type MemberAttributes = {",
        "type MemberAttributes = {\n  auditor?: Bool,\n  seniority?: Long,",
    ),
    // The context of every action.
    (
        "facts: Facts,",
        "facts: Facts,\n  asked_at?: datetime,\n  ip?: ipaddr,\n  second_factor?: Bool,",
    ),
    // A campaign: `created_by` is its last attribute.
    (
        "  created_by?: TeamMember,\n};",
        "  created_by?: TeamMember,\n} tags String;",
    ),
    (
        "entity File = { account: Account };",
        "entity File = { account: Account, name?: String };",
    ),
];

/// The rule that `docs/guides/policies.md` adds.
const OWN: &str = r#"
// Refuses sending to an account on trial, because sending needs a paid package.
@id("send-on-trial")
@code("on_trial")
forbid (principal, action in Action::"consume", resource)
when { context.facts has account.attributes.trial && context.facts.account.attributes.trial };
"#;

/// Reads the files of a bundle in a folder, in the order of their names.
///
/// # Panics
/// If they cannot be read.
fn read(folder: &Path) -> Files {
    let wanted = ["cedar", "cedarschema", "json"];
    let mut files: Files = std::fs::read_dir(folder)
        .expect("the folder")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| wanted.iter().any(|one| ending == *one))
        })
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("a text");
            (name.into_owned(), text)
        })
        .collect();
    files.sort();
    files
}

/// The shipped bundle.
#[must_use]
pub fn shipped() -> Files {
    read(&policies())
}

/// The shipped bundle with the rules of `benches/authors/`.
///
/// # Panics
/// If the shipped schema has not what "authors" changes.
#[must_use]
pub fn authors() -> Files {
    let mut files = shipped();
    let schema = files.iter_mut().find(|(name, _)| name == "app.cedarschema");
    let (_, schema) = schema.expect("the schema");
    for (shipped, changed) in CHANGED {
        assert!(schema.contains(shipped), "{shipped}");
        *schema = schema.replace(shipped, changed);
    }
    files.extend(read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("authors")));
    files.sort();
    files
}

/// The shipped bundle with one rule more. Another `version` is another text.
#[must_use]
pub fn changed(version: usize) -> Files {
    let mut files = shipped();
    let text = format!("// Version {version}.\n{OWN}");
    files.push(("65-own.cedar".to_owned(), text));
    files.sort();
    files
}
