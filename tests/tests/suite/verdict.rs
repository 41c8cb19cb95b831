//! `open`, `import`, `reload` and `sublet check` all accept a combination of bundle and directory,
//! or all refuse it.

use std::path::{Path, PathBuf};

use sublet::{Change, Engine, Options, PolicySource, Record, RecordPatch};
use sublet_tests::shipped_files;

type Files = Vec<(String, String)>;

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

/// Returns the shipped bundle with one more of everything that records can name.
fn richer() -> Files {
    let replaced = [
        (
            "app.cedarschema",
            "entity Feature enum [",
            "entity Feature enum [\"rockets\", ",
        ),
        (
            "app.cedarschema",
            "entity Meter enum [",
            "entity Meter enum [\"launches\", ",
        ),
        (
            "app.cedarschema",
            "type AccountAttributes = {",
            "type AccountAttributes = {\n  orbit?: String,",
        ),
        (
            "catalog.json",
            "\"features\": {",
            "\"features\": {\"rockets\": \"Rockets\", ",
        ),
        (
            "catalog.json",
            "\"meters\": {",
            "\"meters\": {\"launches\": {\"words\": \"Launches\", \"kind\": \"stock\", \"unit\": \"launch\"}, ",
        ),
        (
            "catalog.json",
            "\"levels\": [",
            "\"levels\": [{\"id\": \"gold\", \"features\": [\"campaigns\"]}, ",
        ),
        (
            "catalog.json",
            "\"packages\": [",
            "\"packages\": [{\"id\": \"space\", \"features\": [\"campaigns\"], \"whitelabel\": false}, ",
        ),
    ];
    let mut files = shipped_files();
    for (name, from, to) in replaced {
        let (_, text) = files
            .iter_mut()
            .find(|(known, _)| known == name)
            .expect("the file");
        assert!(text.contains(from), "{name} has no {from}");
        *text = text.replacen(from, to, 1);
    }
    files
}

fn open(files: &Files, store: &str) -> Result<Engine, sublet::Error> {
    Engine::open(Options {
        policies: PolicySource::Files(files.clone()),
        store: store.to_owned(),
        ..Options::default()
    })
}

/// Returns, by name, whether each of them accepts the records with the shipped bundle.
fn verdicts(folder: &Path, record: Option<&str>) -> Vec<(&'static str, bool)> {
    std::fs::create_dir_all(folder).expect("a folder");
    let store = format!("sqlite:{}", folder.join("sublet.db").display());
    let engine = open(&richer(), &store).unwrap_or_else(|error| panic!("{error}"));
    engine
        .import(
            &std::fs::read(policies().join("tests/agency.jsonl")).expect("the agency")[..],
            None,
            None,
        )
        .expect("the agency");
    if let Some(record) = record {
        let new = Record::from_json(record).expect("a record");
        let is_there = engine
            .get_record(&new.reference())
            .expect("an answer")
            .is_some();
        let change = if is_there {
            Change::Merge(RecordPatch::from_json(record).expect("a patch"))
        } else {
            Change::Put(new)
        };
        engine
            .apply_changes(vec![change], None)
            .unwrap_or_else(|error| panic!("{record}: {error}"));
    }
    let mut lines = Vec::new();
    engine.export(&mut lines).expect("the records");
    let file = folder.join("directory.jsonl");
    std::fs::write(&file, &lines).expect("a file");
    let check = |option: &str, value: &str| {
        let bundle = policies().display().to_string();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        sublet_cli::run(
            ["sublet", "check", &bundle, option, value].map(Into::into),
            &mut out,
            &mut err,
        ) == sublet_cli::OK
    };
    let opened = open(&shipped_files(), &store).is_ok();
    let checked = [
        check("--store", &store),
        check("--directory", &file.display().to_string()),
    ];
    let imported = open(&shipped_files(), "memory:")
        .expect("the bundle")
        .import(&lines[..], None, None)
        .is_ok();
    let before = engine.bundle().fingerprint;
    let reloaded = engine.reload(&PolicySource::Files(shipped_files())).is_ok();
    assert_eq!(
        engine.bundle().fingerprint != before,
        reloaded,
        "a refused reload changed the policies"
    );
    drop(engine);
    std::fs::remove_dir_all(folder).expect("the folder");
    vec![
        ("open", opened),
        ("check --store", checked[0]),
        ("check --directory", checked[1]),
        ("import", imported),
        ("reload", reloaded),
    ]
}

#[test]
fn all_loaders_agree_on_bundle_and_records() {
    let folder = std::env::temp_dir().join(format!("sublet-verdict-{}", std::process::id()));
    let records = [
        (None, true),
        (
            Some(
                r#"{"type":"Account","id":"x","email":"x@x.example","package":"starter","confirmed":true}"#,
            ),
            true,
        ),
        // A missing built-in level, package, feature of each record that names some, meter, and
        // attribute.
        (
            Some(
                r#"{"type":"Account","id":"cafe","email":"hello@cafe.example","owner":"acme","level":"gold","confirmed":true}"#,
            ),
            false,
        ),
        (
            Some(
                r#"{"type":"Account","id":"x","email":"x@x.example","package":"space","confirmed":true}"#,
            ),
            false,
        ),
        (
            Some(r#"{"type":"AccessLevel","id":"silver","owner":"acme","features":["rockets"]}"#),
            false,
        ),
        (
            Some(r#"{"type":"Package","id":"own","features":["rockets"]}"#),
            false,
        ),
        (
            Some(r#"{"type":"Package","id":"own","features":["campaigns"],"client_level":"gold"}"#),
            false,
        ),
        (
            Some(
                r#"{"type":"Package","id":"own","features":["campaigns"],"limits":{"launches":1}}"#,
            ),
            false,
        ),
        (
            Some(
                r#"{"type":"TeamMember","id":"ann","account":"acme","email":"ann@acme.example","grants":["rockets"]}"#,
            ),
            false,
        ),
        (
            Some(
                r#"{"type":"TeamMember","id":"ann","account":"acme","email":"ann@acme.example","sub_limits":{"launches":1}}"#,
            ),
            false,
        ),
        (
            Some(
                r#"{"type":"Account","id":"acme","email":"owner@acme.example","package":"agency","limits":{"launches":1}}"#,
            ),
            false,
        ),
        (
            Some(
                r#"{"type":"Account","id":"acme","email":"owner@acme.example","package":"agency","attributes":{"orbit":"low"}}"#,
            ),
            false,
        ),
    ];
    for (at, (record, takes)) in records.into_iter().enumerate() {
        for (name, verdict) in verdicts(&folder.join(at.to_string()), record) {
            assert_eq!(verdict, takes, "{name} of {record:?}");
        }
    }
}
