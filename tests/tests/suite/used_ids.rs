//! Ids of removed accounts and members are never given to another owner (I5), on each store and
//! over a restart.

use serde_json::{Value, json};
use sublet::{
    Change, ConsumeOptions, Engine, EntityRef, Error, Options, Record, RecordPatch, Request,
};

fn open_engine(store: &str) -> Engine {
    Engine::open(Options {
        store: store.to_owned(),
        ..Options::default()
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

fn put_record(engine: &Engine, record: &Value, resumed: bool) -> Result<u64, Error> {
    let record = Record::from_value(record.clone()).expect("a record");
    let resume = resumed.then(|| Change::Resume(record.reference()));
    engine.apply_changes(
        resume.into_iter().chain([Change::Put(record)]).collect(),
        None,
    )
}

fn error_code<T>(answer: Result<T, Error>) -> Option<&'static str> {
    answer.map_err(|error| error.code()).err()
}

fn used(engine: &Engine) -> i64 {
    engine.usage("solo", None, Some("emails")).expect("usage")[0].used
}

fn export_lines(engine: &Engine) -> Vec<u8> {
    let mut lines = Vec::new();
    engine.export(&mut lines).expect("an export");
    lines
}

fn ids_stay_used(store: &str) {
    let agency = include_bytes!("../../../policies/tests/agency.jsonl").as_slice();
    let reopened = |engine: Engine| {
        if store == "memory:" {
            engine
        } else {
            open_engine(store)
        }
    };
    let engine = open_engine(store);
    engine
        .import(agency, None, None)
        .expect("the sample agency");
    let host = "dash.marketingmaster.example";
    let send = Request::new(
        ("Account", "solo"),
        "campaign.send",
        sublet::Resource::new("Campaign", "k").account("solo"),
    )
    .host(host);
    assert!(
        engine
            .consume(&send, &ConsumeOptions::new(7).idempotency_key("k"))
            .expect("an answer")
            .allowed
    );
    let before = export_lines(&engine);
    let other = json!({"type": "Account", "id": "solo", "email": "other@other.example", "package": "starter", "confirmed": true});
    let ann = json!({"type": "TeamMember", "id": "ann", "account": "acme", "email": "other@acme.example"});
    engine
        .apply_changes(
            vec![
                Change::Remove(EntityRef::new("Account", "solo")),
                Change::Remove(EntityRef::new("TeamMember", "ann")),
            ],
            None,
        )
        .expect("a change");
    let engine = reopened(engine);
    assert_eq!(
        error_code(put_record(&engine, &other, false)),
        Some("directory.id_used")
    );
    assert_eq!(
        error_code(put_record(&engine, &ann, false)),
        Some("directory.id_used")
    );
    // An import removes records that it leaves out. It restores a removed record if that belongs to
    // the same owner.
    let without: String = String::from_utf8(before.clone())
        .expect("text")
        .lines()
        .filter(|line| {
            !line.contains("\"solo\"") && !line.contains("\"cafe\"") && !line.contains("eve@")
        })
        .fold(String::new(), |all, line| all + line + "\n");
    engine
        .import(without.as_bytes(), None, None)
        .expect("an import");
    let engine = reopened(engine);
    let main = json!({"type": "Account", "id": "cafe", "email": "cafe@other.example", "package": "starter"});
    assert_eq!(
        error_code(put_record(&engine, &main, false)),
        Some("directory.id_used")
    );
    let stolen = format!("{without}{main}\n");
    assert_eq!(
        error_code(engine.import(stolen.as_bytes(), None, None)),
        Some("directory.id_used")
    );
    let stolen = format!("{without}{other}\n");
    assert_eq!(
        error_code(engine.import(stolen.as_bytes(), None, None)),
        Some("directory.id_used"),
        "a main account of another e-mail"
    );
    engine
        .import(before.as_slice(), None, None)
        .expect("what was exported comes back");
    assert_eq!(used(&engine), 7);
    // A record that is put as resumed returns too, and can be removed again.
    engine
        .apply_changes(
            vec![Change::Remove(EntityRef::new("Account", "solo"))],
            None,
        )
        .expect("a change");
    put_record(&engine, &other, true).expect("it has come back");
    assert_eq!(used(&engine), 7);
    let engine = reopened(engine);
    put_record(&engine, &other, false).expect("it is there");
    // A closed account cannot be reopened for another person.
    let closed = json!({"type": "Account", "id": "solo", "email": "other@other.example", "package": "starter", "confirmed": true, "closed": true});
    put_record(&engine, &closed, false).expect("closed");
    let mut open = other.clone();
    open["email"] = json!("third@other.example");
    open["closed"] = json!(false);
    assert_eq!(
        error_code(put_record(&engine, &open, false)),
        Some("directory.id_used")
    );
    let patch =
        json!({"type": "Account", "id": "solo", "email": "third@other.example", "closed": false});
    let patch = Change::Merge(RecordPatch::from_value(patch).expect("a patch"));
    assert_eq!(
        error_code(engine.apply_changes(vec![patch.clone()], None)),
        Some("directory.id_used")
    );
    let third = String::from_utf8(export_lines(&engine))
        .expect("text")
        .replace(r#""closed":true"#, r#""closed":false"#)
        .replace("other@other.example", "third@other.example");
    assert_eq!(
        error_code(engine.import(third.as_bytes(), None, None)),
        Some("directory.id_used")
    );
    engine
        .apply_changes(
            vec![Change::Resume(EntityRef::new("Account", "solo")), patch],
            None,
        )
        .expect("it has come back");
}

/// A client that was put without a level stays without one, through an export, a restart and in
/// another process.
#[test]
fn client_without_level_stays_without() {
    let store = format!(
        "sqlite:{}",
        sublet_tests::folder().join("level.db").display()
    );
    let engine = open_engine(&store);
    engine
        .import(
            include_bytes!("../../../policies/tests/agency.jsonl").as_slice(),
            None,
            None,
        )
        .expect("the sample agency");
    let other = open_engine(&store);
    for (id, level, found) in [
        ("c1", json!({}), Some("full")),
        ("c2", json!({ "level": null }), None),
        ("c3", json!({ "level": "full" }), Some("full")),
    ] {
        let mut record = json!({"type": "Account", "id": id, "email": format!("o@{id}.example"), "owner": "nova"});
        record
            .as_object_mut()
            .expect("a record")
            .extend(level.as_object().expect("fields").clone());
        put_record(&engine, &record, false).expect("a change");
        let copy = open_engine("memory:");
        copy.import(export_lines(&engine).as_slice(), None, None)
            .expect("an import");
        for each in [&engine, &other, &open_engine(&store), &copy] {
            let Ok(Some(Record::Account(account))) =
                each.get_record(&EntityRef::new("Account", id))
            else {
                panic!("{id}")
            };
            let sublet::AccountKind::Client { level, .. } = account.kind() else {
                panic!("{id}")
            };
            assert_eq!(level.as_deref(), found, "{id}");
        }
        assert_eq!(export_lines(&copy), export_lines(&engine));
    }
}

#[test]
fn ids_stay_used_in_memory() {
    ids_stay_used("memory:");
}

#[test]
fn ids_stay_used_in_a_file() {
    let folder = sublet_tests::folder();
    ids_stay_used(&format!("sqlite:{}", folder.join("sublet.db").display()));
}
