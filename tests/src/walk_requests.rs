//! Requests of the random walk, executed by an engine in this process or in another.

use serde_json::{Value, json};
use sublet::{
    Change, Command, Engine, EntityRef, Environment, Error, Record, RecordPatch, Request, Resource,
};

use crate::sample::priced_bundle;

/// Parses a type and an id from a list.
fn reference(value: &Value) -> EntityRef {
    EntityRef::new(
        value[0].as_str().expect("a type"),
        value[1].as_str().expect("an id"),
    )
}

fn environment(asked: &Value) -> Environment {
    Environment {
        actor: asked
            .get("actor")
            .filter(|actor| !actor.is_null())
            .map(reference),
        host: asked["host"].as_str().map(str::to_owned),
        session_start: asked["session_start"].as_i64(),
        context: asked["context"].as_object().cloned().unwrap_or_default(),
        ..Environment::default()
    }
}

fn resource(value: &Value) -> Resource {
    let resource = Resource::new(
        value[0].as_str().expect("a type"),
        value[1].as_str().expect("an id"),
    );
    value[2]
        .as_str()
        .map_or(resource.clone(), |account| resource.account(account))
}

/// Returns the items of a list.
fn items<'a>(asked: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    asked[name].as_array().into_iter().flatten()
}

/// Puts, merges and removes records, as the host does.
fn change(engine: &Engine, asked: &Value) -> Result<u64, Error> {
    let mut changes = Vec::new();
    for record in items(asked, "put") {
        changes.push(Change::Put(Record::from_value(record.clone())?));
    }
    for patch in items(asked, "merge") {
        changes.push(Change::Merge(RecordPatch::from_json(&patch.to_string())?));
    }
    for removed in items(asked, "remove") {
        changes.push(Change::Remove(reference(removed)));
    }
    engine.apply_changes(changes, None)
}

/// Imports an export of the directory, with these accounts added, removed or closed, and with the
/// disable reason `overage` taken from all of them or not.
fn reimport(engine: &Engine, asked: &Value) -> Result<u64, Error> {
    let mut lines = Vec::new();
    engine.export(&mut lines)?;
    let named = |list: &str, record: &Value| {
        record["type"] == "Account" && items(asked, list).any(|id| *id == record["id"])
    };
    let mut text = String::new();
    for line in String::from_utf8(lines).expect("text").lines() {
        let mut record: Value = serde_json::from_str(line).expect("JSON");
        if named("remove", &record) {
            continue;
        }
        if named("close", &record) {
            record["closed"] = json!(true);
        }
        if asked["lift"] == true
            && let Some(Value::Array(reasons)) = record.get_mut("disabled")
        {
            reasons.retain(|reason| reason != "overage");
        }
        text += &format!("{record}\n");
    }
    for record in items(asked, "add") {
        text += &format!("{record}\n");
    }
    engine.import(text.as_bytes(), None, None)
}

/// Executes a step of the walk. Returns `None` if the JSON is not a step.
pub(crate) fn answer(engine: &Engine, asked: &Value) -> Option<Result<Value, Error>> {
    let text = |name: &str| asked[name].as_str().unwrap_or_default();
    let (key, owner, period) = (asked["key"].as_str(), text("owner"), text("period"));
    Some(match text("walk") {
        "perform" => Command::from_value(asked["command"].clone())
            .and_then(|command| engine.perform(&reference(&asked["by"]), &command, &environment(asked), key))
            .map(|done| json!({ "allowed": done.decision.allowed, "code": &*done.decision.code, "token": done.token, "entry": done.entry })),
        "ask" => {
            let request = Request::new(reference(&asked["by"]), text("action"), resource(&asked["resource"]));
            engine.authorize(&Request { environment: environment(asked), ..request }).map(|decision| json!(&*decision.code))
        }
        "actions" => engine.permitted_actions(&reference(&asked["by"]), &resource(&asked["resource"]), &environment(asked)).map(|names| json!(names)),
        "export" => {
            let mut lines = Vec::new();
            engine.export(&mut lines).map(|_| json!(String::from_utf8(lines).expect("text")))
        }
        "accept" => engine.accept_clock().map(|()| Value::Null),
        "used" => engine.usage(text("account"), None, Some(text("meter"))).map(|quota| json!(quota[0].used)),
        "statement" => engine.statement(owner, period).map(|statement| json!(statement)),
        "settle" => engine.settle_overage(owner, period, &[]).map(|statement| json!(statement)),
        "pay" => engine.record_payment(owner, asked["period"].as_str(), asked["cents"].as_i64().unwrap_or(0), key).map(|payment| json!(payment)),
        "close_month" => engine.close_month(owner, period).map(|statement| json!(statement)),
        "close_due" => engine.close_due(usize::MAX, None).map(|progress| json!(progress.closed.len())),
        "preview" => engine.preview_statement(owner).map(|statement| json!(statement)),
        "reload" => engine.reload(&priced_bundle(asked["cents"].as_u64().unwrap_or(0))).map(|_| Value::Null),
        "change" => change(engine, asked).map(|revision| json!(revision)),
        "reimport" => reimport(engine, asked).map(|revision| json!(revision)),
        "reverse" => engine.reverse_payment(asked["payment"].as_u64().unwrap_or(0), key).map(|payment| json!(payment)),
        _ => return None,
    })
}
