//! The workload as files, for the scripts in other languages: `workload DIRECTORY MAIN_ACCOUNTS
//! QUESTIONS JUDGED` writes `agency.jsonl` (the directory), `questions.json` (with their answers by
//! hand) and `cedar.json` (policies, schema, entities, and the first JUDGED questions as Cedar's
//! requests).

use std::path::Path;

use serde_json::{Value, json};
use sublet_benches::agency::agency;
use sublet_benches::bundles;
use sublet_benches::by_hand::HandWrittenRules;
use sublet_benches::cedar::Cedar;
use sublet_benches::measure::SEED;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, sizes @ ..] = &arguments[..] else {
        panic!("workload DIRECTORY MAIN_ACCOUNTS QUESTIONS JUDGED")
    };
    let sizes: Vec<usize> = sizes
        .iter()
        .map(|size| size.parse().expect("a number"))
        .collect();
    let [main_accounts, asked, judged] = sizes[..] else {
        panic!("three numbers")
    };
    let agency = agency(main_accounts, asked, SEED);
    let by_hand = HandWrittenRules::new(&agency.lines);
    let cedar = Cedar::new(&bundles::shipped(), &agency.lines);
    let questions = agency.questions.iter().map(|question| {
        let asked = question.asked();
        json!([
            asked.principal.0,
            asked.principal.1,
            asked.action,
            asked.resource.0,
            asked.resource.1,
            asked.account,
            asked.host,
            by_hand.decide(&asked)
        ])
    });
    let first = &agency.questions[..judged.min(asked)];
    let requests: Vec<Value> = first
        .iter()
        .map(|question| {
            let uid = |kind: &str, id: &str| json!({"type": kind, "id": id});
            json!({
                "principal": uid(question.principal.0, &question.principal.1),
                "action": uid("Action", &question.action),
                "resource": uid(question.resource.0, &question.resource.1),
                "context": cedar.context(question),
                "entities": cedar.needed(question),
                "as_entity": cedar.action(question),
            })
        })
        .collect();
    let for_cedar = json!({"policies": cedar.texts.policies, "schema": cedar.texts.schema, "entities": cedar.listed(first), "requests": requests});
    let write = |name: &str, text: String| {
        std::fs::write(Path::new(directory).join(name), text).expect("a file")
    };
    std::fs::create_dir_all(directory).expect("the directory");
    write(
        "questions.json",
        Value::Array(questions.collect()).to_string(),
    );
    write("cedar.json", for_cedar.to_string());
    write("agency.jsonl", agency.lines);
}
