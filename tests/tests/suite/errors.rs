//! Each error code that a caller can get has a row in the vectors, which run in three languages, or
//! names its test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sublet::{
    CedarProgram, Change, Engine, EntityRef, Error, Options, PolicySource, Record, Request,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn json(path: &str) -> Value {
    let text =
        std::fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"));
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn shipped(overlay: &Value) -> PolicySource {
    let mut files = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(root().join("policies"))
        .expect("the folder")
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".cedar") || name.ends_with(".cedarschema") || name == "catalog.json" {
            files.insert(name, std::fs::read_to_string(entry.path()).expect("a text"));
        }
    }
    for (name, text) in overlay.as_object().into_iter().flatten() {
        files.insert(name.clone(), text.as_str().expect("a text").to_owned());
    }
    PolicySource::Files(files.into_iter().collect())
}

/// Returns the value of a row, with `NEST` replaced by records 80 deep.
fn nested(value: &Value) -> Value {
    match value {
        Value::String(text) if text == "NEST" => {
            (0..80).fold(Value::from(1), |inner, _| serde_json::json!({ "a": inner }))
        }
        Value::String(text) if text == "LARGE" => Value::from("x".repeat(1 << 20)),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, found)| (key.clone(), nested(found)))
            .collect(),
        other => other.clone(),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn open_engine(row: &Value) -> Result<Engine, Error> {
    let mut options = Options {
        policies: shipped(&row["bundle"]),
        ..Options::default()
    };
    if let Some(folder) = row["folder"].as_str() {
        options.policies = PolicySource::Folder(root().join(folder));
    }
    let cedar = &row["cedar"];
    if let Some(policies) = cedar["policies"].as_str() {
        let (schema, links, entities) = (
            text(&cedar["schema"]),
            text(&cedar["links"]),
            text(&cedar["entities"]),
        );
        options.policies = PolicySource::Cedar(CedarProgram {
            policies: policies.to_owned(),
            schema,
            links,
            entities,
            ..CedarProgram::default()
        });
    }
    for (name, value) in row["options"].as_object().into_iter().flatten() {
        match name.as_str() {
            "validation" => options.validation = value.as_str().expect("a text").parse()?,
            "store" => options.store = value.as_str().expect("a text").to_owned(),
            "caps" => {
                options.caps.file_bytes =
                    usize::try_from(value["file_bytes"].as_u64().expect("a cap")).expect("a cap")
            }
            other => panic!("the runner has no option {other}"),
        }
    }
    let engine = Engine::open(options)?;
    if cedar.is_null() {
        engine.import(
            &std::fs::read(root().join("policies/tests/agency.jsonl")).expect("the sample agency")
                [..],
            None,
            None,
        )?;
    }
    Ok(engine)
}

fn apply_row(row: &Value) -> Result<(), Error> {
    let engine = open_engine(row)?;
    let reference = |value: &Value| -> EntityRef {
        serde_json::from_value(value.clone()).expect("a reference")
    };
    if row["ask"].is_object() {
        engine.authorize(&Request::from_json(&nested(&row["ask"]).to_string())?)?;
    }
    if row["many"].is_array() {
        engine.check_many(&Request::list_from_json(&row["many"].to_string())?)?;
    }
    if row["columns"].is_object() {
        let length = |name: &'static str| (name, row["columns"][name].as_array().map(Vec::len));
        sublet::batch_row_count(&["principals", "actions", "resources", "hosts"].map(length))?;
    }
    if let Some([host, email, flow @ ..]) = row["login"].as_array().map(Vec::as_slice) {
        let flow = flow
            .first()
            .and_then(Value::as_str)
            .map(sublet::ActionRef::from);
        engine.login(
            host.as_str().expect("a host"),
            email.as_str().expect("an address"),
            flow,
        )?;
    }
    if let Some(lines) = row["lines"].as_array() {
        let lines: Vec<&str> = lines
            .iter()
            .map(|line| line.as_str().expect("a line"))
            .collect();
        engine.import(lines.join("\n").as_bytes(), None, None)?;
    }
    if let Some(path) = row["file"].as_str() {
        engine.import(
            std::io::BufReader::new(std::fs::File::open(root().join(path)).expect("a path")),
            None,
            None,
        )?;
    }
    if row["record"].is_array() {
        engine.get_record(&reference(&row["record"]))?;
    }
    if row["reload"].is_object() {
        engine.reload(&shipped(&row["reload"]))?;
    }
    if row["put"].is_array() || row["remove"].is_array() {
        let list = |key: &str| row[key].as_array().cloned().unwrap_or_default();
        let mut changes: Vec<Change> = list("remove")
            .iter()
            .map(|found| Change::Remove(reference(found)))
            .collect();
        for record in list("put") {
            changes.push(Change::Put(Record::from_value(record)?));
        }
        engine.apply_changes(changes, row["expected_revision"].as_u64())?;
    }
    Ok(())
}

#[test]
fn error_vectors_match() {
    for row in json("tests/vectors/errors.json").as_array().expect("rows") {
        let error = apply_row(row).expect_err(&row.to_string());
        assert_eq!(
            error.code(),
            row["code"].as_str().expect("a code"),
            "{error}"
        );
        assert!(error.help().is_some_and(|help| !help.is_empty()), "{row}");
    }
}

#[test]
fn every_error_code_has_a_test() {
    let codes = |path: &str, key: &str| -> BTreeSet<String> {
        json(path)
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row[key].as_str().expect("a code").to_owned())
            .collect()
    };
    let mut met = codes("tests/vectors/errors.json", "code");
    met.extend(codes("tests/vectors/records.json", "error"));
    for (code, place) in json("tests/vectors/rules.json")["error_codes_elsewhere"]
        .as_object()
        .expect("codes")
    {
        let (file, test) = place
            .as_str()
            .and_then(|place| place.split_once(", "))
            .expect("a file and a test");
        let source = std::fs::read_to_string(root().join(file)).expect(file);
        assert!(source.contains(test), "{code}: {file} has no test {test}");
        assert!(met.insert(code.clone()), "{code} is met twice");
    }
    let given: BTreeSet<String> = sublet::error_codes()
        .iter()
        .map(|(code, _)| (*code).to_owned())
        .collect();
    assert_eq!(given, met);
}
