//! Methods that change the directory or replace the policies. They cross as JSON both ways.

use serde::Deserialize;
use serde_json::Value;
use sublet::{Change, Engine, EntityRef, Record, RecordPatch};

use crate::dispatch::Answer;
use crate::json::read;
use crate::options::OptionsJson;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangesJson {
    #[serde(default)]
    put: Vec<Value>,
    #[serde(default)]
    merge: Vec<Value>,
    #[serde(default)]
    remove: Vec<EntityRef>,
    #[serde(default)]
    expected: Option<u64>,
    #[serde(default)]
    resumed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportJson {
    #[serde(default, rename = "expectedRevision")]
    expected: Option<u64>,
}

fn apply_changes(engine: &Engine, changes: &str) -> Answer {
    let form: ChangesJson = read("changes", changes)?;
    let mut list: Vec<Change> = form.remove.into_iter().map(Change::Remove).collect();
    for record in form.put {
        let record = Record::from_value(record)?;
        if form.resumed {
            list.push(Change::Resume(record.reference()));
        }
        list.push(Change::Put(record));
    }
    for fields in form.merge {
        list.push(Change::Merge(RecordPatch::from_value(fields)?));
    }
    engine
        .apply_changes(list, form.expected)
        .map(|revision| revision.to_string())
}

fn import_lines(engine: &Engine, lines: &str, form: &str) -> Answer {
    let form: ImportJson = read("importLines", form)?;
    engine
        .import(lines.as_bytes(), form.expected, None)
        .map(|revision| revision.to_string())
}

pub(crate) fn reload(engine: &Engine, options: &str) -> Answer {
    let mut form: OptionsJson = read("options", options)?;
    engine.reload(&form.source()).map(|name| name.to_string())
}

/// Calls a method that changes the directory. Returns `None` for other names.
pub(crate) fn dispatch_directory(engine: &Engine, verb: &str, texts: &[String]) -> Option<Answer> {
    let text = |at: usize| texts.get(at).map_or("", String::as_str);
    let answer = match verb {
        "applyChanges" => apply_changes(engine, text(0)),
        "importLines" => import_lines(engine, text(0), text(1)),
        "seed" => engine
            .seed(text(0).as_bytes())
            .map(|seeded| seeded.to_string()),
        _ => return None,
    };
    Some(answer)
}
