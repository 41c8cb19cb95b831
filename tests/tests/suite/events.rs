//! The vectors of events, which run in three languages, and the data that events never contain.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use sublet::{
    Change, Clock, Command, ConsumeOptions, Engine, EntityRef, Environment, Event, LogHandle,
    LogOptions, ManualClock, Options, PolicySource, Record, Request, RequestRef, Resource, Sink,
};

const LONG: Duration = Duration::from_secs(20);
const AGENCY: &[u8] = include_bytes!("../../../policies/tests/agency.jsonl");

struct Opened {
    engine: Engine,
    clock: ManualClock,
    log: LogHandle,
    told: Arc<Mutex<Vec<Event>>>,
    operations: HashMap<String, u64>,
}

fn policies() -> PolicySource {
    PolicySource::Folder(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies"))
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

fn options(given: &Value) -> LogOptions {
    let default = LogOptions::default();
    let events = texts(&given["events"])
        .iter()
        .map(|name| name.parse().expect("a kind"))
        .collect::<Vec<_>>();
    LogOptions {
        events: if events.is_empty() {
            default.events
        } else {
            events
        },
        sample_allowed: given["sample_allowed"]
            .as_f64()
            .unwrap_or(default.sample_allowed),
        redact: texts(&given["redact"]),
        context_fields: texts(&given["context_fields"]),
        queue: default.queue,
    }
}

fn open_engine(store: String, given: &Value) -> Opened {
    let clock = ManualClock::new("2026-01-31T12:00:00Z").expect("an instant");
    let engine = Engine::open(Options {
        policies: policies(),
        store,
        clock: Clock::Manual(clock.clone()),
        ..Options::default()
    })
    .expect("the bundle");
    engine
        .import(AGENCY, None, None)
        .expect("the sample agency");
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    let sink =
        Sink::callback(move |events| kept.lock().expect("a lock").extend(events.iter().cloned()));
    let log = engine.subscribe(options(given), sink).expect("a log");
    Opened {
        engine,
        clock,
        log,
        told,
        operations: HashMap::new(),
    }
}

fn reference(value: &Value) -> EntityRef {
    EntityRef::new(
        value[0].as_str().expect("a type"),
        value[1].as_str().expect("an id"),
    )
}

fn resource(value: &Value) -> Resource {
    let resource = Resource::new(
        value["type"].as_str().expect("a type"),
        value["id"].as_str().expect("an id"),
    );
    value["account"]
        .as_str()
        .map_or(resource.clone(), |account| resource.account(account))
}

fn around(step: &Value) -> Environment {
    Environment {
        actor: step.get("actor").map(reference),
        host: step["host"].as_str().map(str::to_owned),
        context: step["context"].as_object().cloned().unwrap_or_default(),
        ..Environment::default()
    }
}

fn request(step: &Value, asked: &Value) -> Request {
    let about = resource(&asked[2]);
    Request {
        environment: around(step),
        ..Request::new(
            reference(&asked[0]),
            asked[1].as_str().expect("an action"),
            about,
        )
    }
}

fn counting(opened: &mut Opened, verb: &str, step: &Value) {
    let asked = request(step, &step[verb]);
    let (question, amount) = (
        RequestRef::from(&asked),
        step[verb][3].as_i64().expect("an amount"),
    );
    let take = ConsumeOptions {
        idempotency_key: step["idempotency_key"].as_str(),
        ..ConsumeOptions::new(amount)
    };
    let answer = match step["ttl"].as_i64() {
        ttl @ Some(_) => opened.engine.reserve(question, &take, ttl),
        None => opened.engine.consume(question, &take),
    };
    let counted = answer.expect("an answer").counted;
    if let (Some(name), Some(operation)) = (
        step["as"].as_str(),
        counted.and_then(|counted| counted.operation),
    ) {
        opened.operations.insert(name.to_owned(), operation);
    }
}

fn take(opened: &mut Opened, step: &Value) {
    let engine = &opened.engine;
    let verb = [
        "authorize",
        "check",
        "check_many",
        "authorize_many",
        "consume",
        "reserve",
        "refund",
        "commit",
        "top_up",
        "login",
        "login_hosts",
        "desk",
        "open_ticket",
        "pay",
        "close_month",
        "perform",
        "change",
    ]
    .into_iter()
    .find(|verb| step.get(verb).is_some());
    let Some(verb) = verb else {
        return other(opened, step);
    };
    let given = &step[verb];
    let text = |at: usize| given[at].as_str().expect("a text");
    let of = || opened.operations[given.as_str().expect("a name")];
    match verb {
        "authorize" => drop(engine.authorize(&request(step, given)).expect("an answer")),
        "check" => drop(engine.check(&request(step, given))),
        "check_many" | "authorize_many" => {
            let asked: Vec<Request> = given
                .as_array()
                .expect("a list")
                .iter()
                .map(|asked| request(step, asked))
                .collect();
            if verb == "check_many" {
                drop(engine.check_many(&asked).expect("answers"))
            } else {
                drop(engine.authorize_many(&asked).expect("answers"))
            }
        }
        "consume" | "reserve" => counting(opened, verb, step),
        "refund" => drop(
            engine
                .refund(of(), step["amount"].as_i64(), None)
                .expect("an answer"),
        ),
        "commit" => drop(
            engine
                .commit(of(), step["amount"].as_i64(), None)
                .expect("an answer"),
        ),
        "top_up" => drop(
            engine
                .top_up(
                    text(0),
                    text(1),
                    given[2].as_i64().expect("an amount"),
                    None,
                )
                .expect("an answer"),
        ),
        "login" => drop(engine.login(text(0), text(1), None).expect("an answer")),
        "login_hosts" => drop(
            engine
                .login_hosts(&reference(&given[0]), given[1].as_str(), None, None)
                .expect("an answer"),
        ),
        "desk" => drop(
            engine
                .route_ticket(&reference(&given[0]), &resource(&given[1]), &around(step))
                .expect("an answer"),
        ),
        "open_ticket" => drop(
            engine
                .open_ticket(&reference(&given[0]), &resource(&given[1]), &around(step))
                .expect("an answer"),
        ),
        "pay" => drop(
            engine
                .record_payment(
                    text(0),
                    Some(text(1)),
                    given[2].as_i64().expect("cents"),
                    step["idempotency_key"].as_str(),
                )
                .expect("an answer"),
        ),
        "close_month" => drop(engine.close_month(text(0), text(1)).expect("an answer")),
        "perform" => {
            let command = Command::from_value(given.clone()).expect("a command");
            drop(engine.perform(
                &reference(&step["by"]),
                &command,
                &around(step),
                step["idempotency_key"].as_str(),
            ));
        }
        _ => {
            let put =
                given["put"].as_array().into_iter().flatten().map(|record| {
                    Change::Put(Record::from_value(record.clone()).expect("a record"))
                });
            let remove = given["remove"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|found| Change::Remove(reference(found)));
            engine
                .apply_changes(remove.chain(put).collect(), None)
                .expect("a change");
        }
    }
}

fn other(opened: &Opened, step: &Value) {
    if let Some(time) = step["advance"].as_i64() {
        opened.clock.advance(time);
    } else if step["import"] == true {
        opened
            .engine
            .import(AGENCY, None, None)
            .expect("the sample agency");
    } else {
        assert_eq!(step["reload"], true, "{step}");
        opened.engine.reload(&policies()).expect("the bundle");
    }
}

/// Removes the values that differ from run to run: durations and fingerprints. Numbers the
/// operations in their order.
fn masked(event: &Event, known: &mut Vec<u64>) -> Value {
    let value = serde_json::to_value(event).expect("JSON");
    let Value::Object(mut fields) = value else {
        panic!("{value}")
    };
    if let Some(latency) = fields.get("latency_us") {
        assert!(latency.is_u64());
    }
    for name in ["operation", "parent"] {
        let Some(operation) = fields.get(name).and_then(Value::as_u64) else {
            continue;
        };
        if !known.contains(&operation) {
            known.push(operation);
        }
        let number = known
            .iter()
            .position(|one| *one == operation)
            .map(|at| at + 1);
        fields.insert(name.to_owned(), json!(number));
    }
    let masked = ["latency_us", "bundle", "replaced"];
    Value::Object(
        fields
            .into_iter()
            .filter(|(name, _)| !masked.contains(&name.as_str()))
            .collect::<Map<_, _>>(),
    )
}

fn scenes() -> Vec<Value> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/events.json");
    serde_json::from_str(&std::fs::read_to_string(file).expect("the vectors")).expect("scenes")
}

fn run(store: impl Fn() -> String) {
    let mut wrong = Vec::new();
    for scene in scenes() {
        let mut opened = open_engine(store(), &scene["options"]);
        scene["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .for_each(|step| take(&mut opened, step));
        assert!(opened.log.flush(LONG));
        let mut known = Vec::new();
        let told: Vec<Value> = opened
            .told
            .lock()
            .expect("a lock")
            .iter()
            .map(|event| masked(event, &mut known))
            .collect();
        if json!(told) != scene["events"] {
            let lines: Vec<String> = told.iter().map(|event| format!("  {event}")).collect();
            wrong.push(format!("{}:\n{}", scene["description"], lines.join(",\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn event_vectors_match_in_memory() {
    run(|| "memory:".to_owned());
}

#[test]
fn event_vectors_match_in_a_file() {
    run(|| {
        format!(
            "sqlite:{}",
            sublet_tests::folder().join("sublet.db").display()
        )
    });
}

#[test]
fn log_file_is_json_lines_in_order() {
    let scene = &scenes()[2];
    let mut opened = open_engine("memory:".to_owned(), &json!({}));
    let path = sublet_tests::folder().join("events.jsonl");
    let file = opened
        .engine
        .subscribe(LogOptions::default(), Sink::file(&path))
        .expect("a log");
    scene["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .for_each(|step| take(&mut opened, step));
    assert!(file.close(LONG));
    let text = std::fs::read_to_string(path).expect("the file");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let kinds: Vec<&str> = lines
        .iter()
        .map(|line| line["event"].as_str().expect("a kind"))
        .collect();
    let wanted: Vec<&str> = scene["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| event["event"].as_str().expect("a kind"))
        .collect();
    assert_eq!(kinds, wanted);
    assert!(
        text.starts_with(
            "{\"event\":\"decision\",\"at\":\"2026-01-31T12:00:00.000Z\",\"verb\":\"consume\","
        ),
        "{text}"
    );
}

#[test]
fn dropped_engine_delivers_queued_events() {
    let opened = open_engine("memory:".to_owned(), &json!({}));
    let path = sublet_tests::folder().join("events.jsonl");
    opened
        .engine
        .subscribe(LogOptions::default(), Sink::file(&path))
        .expect("a log");
    for _ in 0..1_000 {
        opened
            .engine
            .check(RequestRef::new(
                ("Account", "nobody"),
                "campaign.read",
                ("Account", "nobody"),
            ))
            .expect("an answer");
    }
    drop(opened);
    assert_eq!(
        std::fs::read_to_string(path)
            .expect("the file")
            .lines()
            .count(),
        1_000
    );
}

#[test]
fn metrics_equal_the_requests() {
    let engine = Engine::open(Options {
        policies: policies(),
        ..Options::default()
    })
    .expect("the bundle");
    engine
        .import(AGENCY, None, None)
        .expect("the sample agency");
    let nobody = RequestRef::new(
        ("Account", "nobody"),
        "campaign.read",
        ("Account", "nobody"),
    );
    engine.check(nobody).expect("an answer");
    assert!(engine.metrics().decisions.is_empty());
    engine.enable_metrics(true);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                (0..500).for_each(|_| assert!(!engine.check(nobody).expect("an answer")))
            });
        }
    });
    engine
        .authorize(RequestRef::new(
            ("Account", "nobody"),
            "no.such",
            ("Account", "nobody"),
        ))
        .expect_err("an unknown action");
    engine
        .apply_changes(
            vec![Change::Remove(EntityRef::new("TeamMember", "hal"))],
            None,
        )
        .expect("a change");
    engine.reload(&policies()).expect("the bundle");
    let stats = engine.metrics();
    let series = &stats.decisions[0];
    assert_eq!(
        (
            &*series.action,
            &*series.code,
            series.count,
            series.buckets.iter().sum::<u64>()
        ),
        ("campaign.read", "principal_unknown", 2_000, 2_000)
    );
    assert_eq!(
        (
            stats.errors[0].verb,
            stats.errors[0].code,
            stats.errors[0].count
        ),
        ("authorize", "input.unknown_action", 1)
    );
    assert_eq!(
        (
            stats.decisions.len(),
            stats.changes,
            stats.reloads,
            stats.measured
        ),
        (1, 1, 1, true)
    );
    engine.enable_metrics(false);
    engine.check(nobody).expect("an answer");
    assert_eq!(engine.metrics().decisions[0].count, 2_000);
}

/// Returns all texts of a value, without the names of fields.
fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, found)),
        _ => {}
    }
}

/// Events of commands contain no e-mail, no token and no value of the context.
#[test]
fn events_contain_no_secret() {
    let (mut events, mut tokens_seen) = (0, 0);
    for scene in crate::commands::scenes() {
        if scene["catalog"].is_object() {
            continue;
        }
        let opened = open_engine("memory:".to_owned(), &json!({}));
        let (mut secrets, mut tokens) = (Vec::new(), HashMap::new());
        for step in scene["steps"].as_array().expect("steps") {
            leaves(&step["context"], &mut secrets);
            let mut command = step["perform"].clone();
            if let Some(token) = command["token"].as_str().and_then(|name| tokens.get(name)) {
                command["token"] = json!(token);
            }
            let Ok(command) = Command::from_value(command) else {
                continue;
            };
            let done = opened.engine.perform(
                &reference(&step["by"]),
                &command,
                &around(step),
                step["idempotency_key"].as_str(),
            );
            if let Some(token) = done.ok().and_then(|done| done.token) {
                tokens_seen += 1;
                secrets.push(token.clone());
                tokens.insert(step["token"].as_str().unwrap_or_default().to_owned(), token);
            }
        }
        assert!(opened.log.flush(LONG));
        for event in opened.told.lock().expect("a lock").iter() {
            events += 1;
            let mut found = Vec::new();
            leaves(&serde_json::to_value(event).expect("JSON"), &mut found);
            let told = found
                .iter()
                .find(|text| text.contains('@') || secrets.contains(text));
            assert_eq!(told, None, "{}: {event:?}", scene["description"]);
        }
    }
    assert!(events > 100 && tokens_seen > 5, "{events} {tokens_seen}");
}
