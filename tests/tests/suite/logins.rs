//! The login table: every credential flow at every kind of host, for every kind of login (D5 to D8,
//! I1, I2).

use serde_json::{Value, json};
use sublet::{ActionRef, Change, Engine, EntityRef, Options, Record, Request};

fn open_engine(table: &Value) -> Engine {
    let engine = Engine::open(Options::default()).expect("the shipped bundle");
    engine
        .import(
            include_bytes!("../../../policies/tests/agency.jsonl").as_slice(),
            None,
            None,
        )
        .expect("the sample agency");
    let records = table["given"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| Record::from_value(record.clone()).expect("a record"));
    engine
        .apply_changes(records.map(Change::Put).collect(), None)
        .expect("a change");
    engine
}

fn reference(value: &Value) -> EntityRef {
    serde_json::from_value(value.clone()).expect("a reference")
}

#[test]
fn every_flow_login_and_host_is_checked() {
    let table: Value =
        serde_json::from_str(include_str!("../../vectors/logins.json")).expect("the table");
    let engine = open_engine(&table);
    let mut wrong = Vec::new();
    for flow in table["flows"]
        .as_array()
        .expect("flows")
        .iter()
        .map(|flow| flow.as_str().expect("a name"))
    {
        for login in table["logins"].as_array().expect("logins") {
            let asked = Request::new(reference(&login["login"]), flow, reference(&login["home"]));
            for environment in [
                asked.clone(),
                asked.clone().channel("job"),
                asked.clone().channel("mail"),
            ] {
                assert_eq!(
                    json!(engine.authorize(&environment).expect("an answer").code),
                    table["nowhere"],
                    "{flow} {}",
                    login["who"]
                );
            }
            for (kind, host) in table["hosts"].as_object().expect("hosts") {
                let host = host.as_str().expect("a name");
                let code = [&login[flow][kind], &login[kind], &table["anyone"][kind]]
                    .into_iter()
                    .find_map(Value::as_str)
                    .expect("a code");
                let found = login["found"]
                    .as_array()
                    .expect("kinds")
                    .contains(&json!(kind));
                let answer = engine
                    .login(
                        host,
                        login["email"].as_str().expect("an address"),
                        Some(ActionRef::from(flow)),
                    )
                    .expect("an answer");
                let decided = engine
                    .authorize(&asked.clone().host(host))
                    .expect("an answer");
                let got = json!([
                    decided.code,
                    answer.log_code,
                    answer.public_code,
                    answer.allowed,
                    answer.principal
                ]);
                let public = if code == "ok" { "ok" } else { "login_refused" };
                let principal = if found { &login["login"] } else { &Value::Null };
                let wanted = json!([code, code, public, code == "ok", principal]);
                if got != wanted {
                    wrong.push(format!(
                        "{flow}, {}, at {kind}: {got}, not {wanted}",
                        login["who"]
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
