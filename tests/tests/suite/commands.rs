//! Commands: permission, debit and change of the directory in one step. The vectors run on each
//! store.

mod bill;
mod leaving;

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use sublet::{
    Change, Clock, Command, ConsumeOptions, Decision, Engine, EntityRef, Environment, Error,
    ManualClock, Options, PolicySource, Record, RecordPatch, Request, Resource,
};
use sublet_tests::{agency_engine, shipped_files};

/// An engine of the sample agency, its clock, and the tokens that it issued.
struct Opened {
    engine: Engine,
    clock: ManualClock,
    tokens: HashMap<String, String>,
    kept: bill::StepValues,
}

/// Returns the shipped bundle with the given settings of its catalog.
fn bundle(settings: &Value) -> PolicySource {
    let Some(settings) = settings.as_object() else {
        return PolicySource::default();
    };
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let files = std::fs::read_dir(folder)
        .expect("the folder")
        .flatten()
        .filter(|entry| entry.path().is_file());
    let text = |entry: &std::fs::DirEntry| std::fs::read_to_string(entry.path()).expect("a text");
    PolicySource::Files(
        files
            .map(
                |entry| match entry.file_name().to_string_lossy().into_owned() {
                    name if name == "catalog.json" => {
                        let mut catalog: Map<String, Value> =
                            serde_json::from_str(&text(&entry)).expect("the catalog");
                        catalog.extend(settings.clone());
                        (name, Value::Object(catalog).to_string())
                    }
                    name => (name, text(&entry)),
                },
            )
            .collect(),
    )
}

fn opened_at(store: String, settings: &Value) -> Opened {
    let clock = ManualClock::new("2026-01-31T12:00:00Z").expect("an instant");
    let options = Options {
        store,
        policies: bundle(settings),
        clock: Clock::Manual(clock.clone()),
        ..Options::default()
    };
    let engine = Engine::open(options).unwrap_or_else(|error| panic!("{error}"));
    engine
        .import(
            include_bytes!("../../../policies/tests/agency.jsonl").as_slice(),
            None,
            None,
        )
        .expect("the sample agency");
    Opened {
        engine,
        clock,
        tokens: HashMap::new(),
        kept: bill::StepValues::default(),
    }
}

fn open_engine(store: String) -> Engine {
    opened_at(store, &Value::Null).engine
}

fn reference(value: &Value) -> EntityRef {
    EntityRef::new(
        value[0].as_str().expect("a type"),
        value[1].as_str().expect("an id"),
    )
}

fn environment(step: &Value) -> Environment {
    Environment {
        actor: step.get("actor").map(reference),
        host: step["host"].as_str().map(str::to_owned),
        session_start: step["session_start"]
            .as_str()
            .map(|instant| sublet::parse_instant(instant).expect("an instant")),
        context: step["context"].as_object().cloned().unwrap_or_default(),
        ..Environment::default()
    }
}

fn about(resource: &Value) -> Resource {
    let found = Resource::new(
        resource["type"].as_str().expect("a type"),
        resource["id"].as_str().expect("an id"),
    );
    resource["account"]
        .as_str()
        .map_or(found.clone(), |account| found.account(account))
}

fn replayed(decision: &Decision) -> bool {
    decision
        .counted
        .as_ref()
        .is_some_and(|counted| counted.replayed)
}

/// Checks that each answer names both identities if there is an actor, and none otherwise (A1).
fn assert_identities(decision: &Decision, step: &Value, principal: &Value) {
    let actor = step.get("actor").map(reference);
    assert_eq!(
        (decision.actor.as_deref(), decision.subject.as_deref()),
        (
            actor.as_ref(),
            actor.as_ref().map(|_| reference(principal)).as_ref()
        )
    );
}

/// Returns whether a record has these fields. A missing field counts as null.
fn has(record: &Value, fields: &Map<String, Value>) -> bool {
    fields
        .iter()
        .all(|(name, value)| record.get(name).unwrap_or(&Value::Null) == value)
}

/// Returns the differences between the result of a step and the vector.
fn step(opened: &mut Opened, step: &Value) -> Option<String> {
    let (engine, step) = (&opened.engine, &opened.kept.named(step));
    if let Some(found) = bill::step(engine, step, &mut opened.kept) {
        return found;
    }
    if let Some(found) = leaving::step(engine, step) {
        return found;
    }
    let differs = |wanted: Value, found: Value| {
        (wanted != found).then(|| format!("{wanted} was expected, and there is {found}"))
    };
    if let Some(command) = step.get("perform") {
        let mut command = command.clone();
        if let Some(token) = command["token"]
            .as_str()
            .and_then(|name| opened.tokens.get(name))
        {
            command["token"] = json!(token);
        }
        if let Some(payment) = command["payment"]
            .as_str()
            .and_then(|name| opened.kept.payments.get(name))
        {
            command["payment"] = json!(payment);
        }
        let command = Command::from_value(command);
        let done = command.and_then(|command| {
            engine.perform(
                &reference(&step["by"]),
                &command,
                &environment(step),
                step["idempotency_key"].as_str(),
            )
        });
        let wanted = json!([
            step["code"],
            step["error"],
            step["replayed"].as_bool().unwrap_or(false)
        ]);
        done.iter()
            .for_each(|done| assert_identities(&done.decision, step, &step["by"]));
        let found = done.as_ref().map_or_else(
            |error| json!([null, error.code(), false]),
            |done| json!([done.decision.code, null, replayed(&done.decision)]),
        );
        if let (Err(error), Some(says)) = (&done, step["says"].as_str()) {
            assert!(error.to_string().contains(says), "{error}");
        }
        if let (Some(name), Ok(done)) = (step["as"].as_str(), &done) {
            let entry = done.entry.expect("an entry");
            let known = opened.kept.payments.entry(name.to_owned());
            // A retry returns the entry of the first call.
            assert_eq!(*known.or_insert(entry), entry, "{step}");
        }
        let token = done.ok().and_then(|done| done.token);
        if let Some(name) = step["token"].as_str() {
            opened
                .tokens
                .extend(token.map(|token| (name.to_owned(), token)));
        } else if step["token"] == false {
            assert_eq!(token, None);
        }
        differs(wanted, found)
    } else if let Some([principal, action, resource, amount]) =
        step["consume"].as_array().map(Vec::as_slice)
    {
        let request = Request {
            environment: environment(step),
            ..Request::new(
                reference(principal),
                action.as_str().expect("an action"),
                about(resource),
            )
        };
        let take = ConsumeOptions {
            idempotency_key: step["idempotency_key"].as_str(),
            ..ConsumeOptions::new(amount.as_i64().expect("an amount"))
        };
        let decision = engine.consume(&request, &take).expect("an answer");
        assert_identities(&decision, step, principal);
        differs(
            json!([step["code"], step["replayed"].as_bool().unwrap_or(false)]),
            json!([decision.code, replayed(&decision)]),
        )
    } else if let Some(account) = step["history"].as_str() {
        let last = engine
            .history(account, None, 1)
            .expect("history")
            .pop()
            .map(|entry| serde_json::to_value(entry).expect("JSON"));
        let has = step["has"].as_object().map_or(last.is_none(), |fields| {
            last.as_ref().is_some_and(|found| has(found, fields))
        });
        if has {
            None
        } else {
            differs(step["has"].clone(), json!(last))
        }
    } else if let Some(record) = step.get("record") {
        let found = engine
            .get_record(&reference(record))
            .expect("an answer")
            .map(|record| serde_json::to_value(record).expect("JSON"));
        let has = step["has"].as_object().map_or(found.is_none(), |fields| {
            found.as_ref().is_some_and(|found| has(found, fields))
        });
        if has {
            None
        } else {
            differs(step["has"].clone(), json!(found))
        }
    } else if let Some(usage) = step.get("usage") {
        let found = engine
            .usage(
                usage[0].as_str().expect("an account"),
                None,
                usage[1].as_str(),
            )
            .expect("usage");
        differs(step["used"].clone(), json!(found[0].used))
    } else if let Some(ask) = step.get("ask") {
        let request = Request {
            environment: environment(step),
            ..Request::new(
                reference(&ask[0]),
                ask[1].as_str().expect("an action"),
                about(&ask[2]),
            )
        };
        differs(
            step["code"].clone(),
            json!(engine.authorize(&request).expect("an answer").code),
        )
    } else if step.get("reload").is_some() {
        engine.reload(&bundle(&step["reload"])).expect("a reload");
        None
    } else if let Some([account, meter, amount]) = step["top_up"].as_array().map(Vec::as_slice) {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let amount = amount.as_i64().expect("an amount");
        engine
            .top_up(&text(account), &text(meter), amount, None)
            .expect("a top-up");
        None
    } else if step.get("merge").is_some() {
        let patch = RecordPatch::from_json(&step["merge"].to_string()).expect("a patch");
        engine
            .apply_changes(vec![Change::Merge(patch)], None)
            .expect("a change");
        None
    } else if let Some(records) = step["import"].as_array() {
        let mut exported = Vec::new();
        engine.export(&mut exported).expect("an export");
        let exported = String::from_utf8(exported).expect("text");
        let is_out = |line: &&str| {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let mut without = step["without"].as_array().into_iter().flatten();
            without.any(|id| *id == record["id"])
        };
        let kept = exported.lines().filter(|line| !is_out(line));
        let lines = kept.map(str::to_owned);
        let lines = lines.chain(records.iter().map(Value::to_string));
        let lines = lines.collect::<Vec<_>>().join("\n").into_bytes();
        engine
            .import(lines.as_slice(), None, None)
            .expect("an import");
        None
    } else if let Some(limit) = step["close_due"].as_u64() {
        let limit = usize::try_from(limit).expect("small");
        let found = engine
            .close_due(limit, step["after"].as_str())
            .expect("months");
        let closed = found
            .closed
            .iter()
            .map(|month| json!([month.owner, month.period, month.at_risk]));
        let closed: Vec<Value> = closed.collect();
        let unsettled = found.unsettled.iter();
        let unsettled: Vec<Value> = unsettled
            .map(|month| json!([month.owner, month.period, month.at_risk]))
            .collect();
        let unsettled = json!(unsettled);
        let wanted = step.get("unsettled").unwrap_or(&unsettled);
        differs(
            json!([step["closed"], wanted, step["next"]]),
            json!([closed, unsettled, found.next]),
        )
    } else if let Some(domain) = step["proof"].as_str() {
        let proof = engine.domain_proof(domain, step["owner"].as_str());
        let found = proof.map_err(|error| error.code());
        let expected = match step["error"].as_str() {
            Some(code) => Err(code),
            None => Ok(step["is"].as_str().expect("a proof").to_owned()),
        };
        differs(json!(format!("{expected:?}")), json!(format!("{found:?}")))
    } else if let Some(account) = step["hosts_of"].as_str() {
        let limit = usize::try_from(step["limit"].as_u64().unwrap_or(50)).expect("few");
        let page = engine.hosts_of(account, step["after"].as_str(), limit);
        let found = page.map(|page| json!([page.hosts, page.next]));
        let expected = json!([step["hosts"], step["next"]]);
        match (step["error"].as_str(), found) {
            (Some(code), Err(error)) => differs(json!(code), json!(error.code())),
            (_, found) => differs(expected, found.expect("a page")),
        }
    } else if step["reimport"] == true {
        let mut lines = Vec::new();
        engine.export(&mut lines).expect("an export");
        engine
            .import(lines.as_slice(), None, None)
            .expect("an import");
        let mut again = Vec::new();
        engine.export(&mut again).expect("an export");
        differs(
            json!(String::from_utf8_lossy(&lines)),
            json!(String::from_utf8_lossy(&again)),
        )
    } else if let Some(key) = step["login_by_key"].as_str() {
        let key = opened.tokens.get(key).map_or(key, String::as_str);
        let host = step["host"].as_str().expect("a host");
        let login = engine.login_by_key(host, key).expect("an answer");
        assert_eq!(login.allowed, &*login.public_code != "login_refused");
        differs(step["code"].clone(), json!(login.log_code))
    } else if let Some(time) = step["advance"].as_i64() {
        opened.clock.advance(time);
        engine.accept_clock().expect("accepted");
        None
    } else {
        let record = Record::from_value(step["put"].clone()).expect("a record");
        engine
            .apply_changes(vec![Change::Put(record)], None)
            .expect("a change");
        None
    }
}

/// Returns the scenes of all files in `tests/vectors/scenes`.
pub(crate) fn scenes() -> Vec<Value> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/scenes");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let scenes: Vec<Value> = files
        .iter()
        .flat_map(|file| {
            let text = std::fs::read_to_string(file).expect("the vectors");
            serde_json::from_str::<Vec<Value>>(&text).expect("scenes")
        })
        .collect();
    assert!(scenes.len() >= 28);
    scenes
}

fn run(store: impl Fn() -> String) {
    let mut wrong = Vec::new();
    for scene in scenes() {
        let mut opened = opened_at(store(), &scene["catalog"]);
        for (at, one) in scene["steps"].as_array().expect("steps").iter().enumerate() {
            wrong.extend(
                step(&mut opened, one)
                    .map(|found| format!("{}, step {at}, {one}: {found}", scene["description"])),
            );
        }
        assert_eq!(
            opened.engine.verify().expect("verified").faults,
            Vec::<String>::new()
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn command_vectors_match_in_memory() {
    run(|| "memory:".to_owned());
}

#[test]
fn command_vectors_match_in_a_file() {
    run(|| {
        format!(
            "sqlite:{}",
            sublet_tests::folder().join("sublet.db").display()
        )
    });
}

fn command(text: &str) -> Command {
    Command::from_json(text).expect("a command")
}

#[test]
fn refused_command_debits_nothing() {
    let engine = open_engine("memory:".to_owned());
    let acme = EntityRef::new("Account", "acme");
    let host = Environment {
        host: Some("dash.marketingmaster.example".to_owned()),
        ..Environment::default()
    };
    let revision = engine.revision();
    let twin = command(r#"{"do": "create_client", "id": "twin", "email": "hello@bakery.example"}"#);
    let refused = engine.perform(&acme, &twin, &host, Some("k"));
    assert_eq!(
        refused
            .map_err(|error: Error| error.code())
            .map(|done| done.decision.allowed),
        Err("directory.duplicate_login")
    );
    assert_eq!(
        (
            engine.revision(),
            engine.history("acme", None, 10).expect("history").len()
        ),
        (revision, 0)
    );
    // The key is still free, because the refused command did nothing.
    let other = command(r#"{"do": "create_client", "id": "twin", "email": "hello@twin.example"}"#);
    assert!(
        engine
            .perform(&acme, &other, &host, Some("k"))
            .expect("an answer")
            .decision
            .allowed
    );
    assert_eq!(engine.revision(), revision + 1);
}

#[test]
fn history_names_actor_command_and_instant() {
    let engine = open_engine("memory:".to_owned());
    let host = Environment {
        host: Some("dash.marketingmaster.example".to_owned()),
        ..Environment::default()
    };
    let ben = EntityRef::new("TeamMember", "ben");
    engine
        .perform(
            &ben,
            &command(r#"{"do": "disable", "account": "cafe", "reason": "by_owner"}"#),
            &host,
            Some("d"),
        )
        .expect("an answer");
    let entries = engine.history("acme", None, 10).expect("history");
    let entry = &entries[0];
    assert_eq!(
        (
            entry.kind.as_str(),
            entry.member.as_deref(),
            entry.idempotency_key.as_deref(),
            entry.parts.len()
        ),
        ("command", Some("ben"), Some("d"), 0)
    );
    let mut why = host.clone();
    why.context.insert("reason".to_owned(), "spam".into());
    engine
        .perform(
            &EntityRef::new("Operator", "olga"),
            &command(r#"{"do": "disable", "account": "cafe", "reason": "abuse"}"#),
            &why,
            None,
        )
        .expect("an answer");
    let entries = engine.history("cafe", None, 10).expect("history");
    assert_eq!(
        (entries.len(), entries[0].actor.as_deref()),
        (1, Some("Operator::\"olga\""))
    );
}

/// The policies of this bundle allow the command. The invariant refuses it.
#[test]
fn main_account_never_has_a_level() {
    let mut files = shipped_files();
    files.retain(|(name, _)| name != "50-isolation.cedar");
    files.push((
        "81-more.cedar".to_owned(),
        "@id(\"allow-attach-level\") permit (principal, action == Action::\"client.attach_level\", resource);"
            .to_owned(),
    ));
    let engine = agency_engine(files);
    let host = Environment {
        host: Some("dash.marketingmaster.example".to_owned()),
        ..Environment::default()
    };
    let attach = command(r#"{"do": "attach_level", "account": "acme", "level": "silver"}"#);
    let refused = engine.perform(&EntityRef::new("Account", "acme"), &attach, &host, None);
    assert_eq!(
        refused
            .map_err(|error| error.code())
            .map(|done| done.decision.code.clone()),
        Err("directory.not_a_client")
    );
    assert!(
        engine
            .history("acme", None, 10)
            .expect("history")
            .is_empty()
    );
}
