//! Steps of scenes that log in, list records, export an account and explain a decision.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sublet::{Engine, ListKind, Request};

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Executes a step, if it is one of this module. Returns the difference from the vector.
pub(super) fn step(engine: &Engine, step: &Value) -> Option<Option<String>> {
    let (wanted, found) = if let Some(login) = step.get("login") {
        log_in(engine, step, login)
    } else if let Some(list) = step.get("list") {
        list_records(engine, step, list)
    } else if let Some(request) = step.get("explain") {
        explain(engine, step, request)
    } else {
        export_account(engine, step, step.get("export_account")?)
    };
    Some((wanted != found).then(|| format!("{wanted} was expected, and there is {found}")))
}

fn log_in(engine: &Engine, step: &Value, login: &Value) -> (Value, Value) {
    let found = engine
        .login(text(&login[0]), text(&login[1]), None)
        .expect("an answer");
    let principal = found
        .principal
        .map(|found| json!([found.kind(), found.id()]));
    (
        json!([step["code"] == "ok", step["code"], step["principal"]]),
        json!([found.allowed, found.log_code, principal]),
    )
}

/// Explains a request in the language of the step.
fn explain(engine: &Engine, step: &Value, request: &Value) -> (Value, Value) {
    let request = Request {
        environment: super::environment(step),
        ..Request::new(
            super::reference(&request[0]),
            text(&request[1]),
            super::about(&request[2]),
        )
    };
    let found = engine
        .explain_in(&request, step["language"].as_str())
        .expect("an explanation");
    let policy = found.because.map(|because| because.policy);
    (
        json!([step["code"], step["words"], step["policy"]]),
        json!([found.decision.code, found.words, policy]),
    )
}

fn list_records(engine: &Engine, step: &Value, list: &Value) -> (Value, Value) {
    let kind = ListKind::from_name(text(&list[0])).expect("a kind");
    let environment = super::environment(step);
    let reader = step.get("by").map(super::reference);
    let limit = step["limit"].as_u64().unwrap_or(100);
    let page = engine
        .list_records(
            kind,
            text(&list[1]),
            reader.as_ref().map(|reader| (reader, &environment)),
            step["after"].as_str(),
            usize::try_from(limit).expect("small"),
        )
        .expect("a page");
    let ids: Vec<&str> = page.records.iter().map(sublet::Record::id).collect();
    (json!([step["ids"], step["next"]]), json!([ids, page.next]))
}

/// Counts the lines of an export by their types.
fn export_account(engine: &Engine, step: &Value, account: &Value) -> (Value, Value) {
    let mut lines = Vec::new();
    engine
        .export_account(text(account), &mut lines)
        .expect("an export");
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    for line in String::from_utf8(lines).expect("text").lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        *types.entry(text(&line["type"]).to_owned()).or_default() += 1;
    }
    (step["types"].clone(), json!(types))
}
