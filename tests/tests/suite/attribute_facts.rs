//! Each operator that the directory stores a fact for, with values around its literal. What each
//! should say is computed here, without the engine and without Cedar.

use sublet::{Change, Engine, PolicySource, RecordPatch, Request, Resource};
use sublet_tests::{agency_engine, shipped_files};

const LONGS: [i64; 7] = [i64::MIN, -1, 0, 1, 2, i64::MAX - 1, i64::MAX];
const TEXTS: [&str; 6] = ["", "a", "ab", "b", "*", "ba"];

/// A condition over the attribute, in which `{}` stands for its path, and the values that satisfy
/// it.
type Rule<T> = (String, Box<dyn Fn(&T) -> bool>);

fn rules_of_longs() -> Vec<Rule<i64>> {
    type Holds = fn(&i64, &i64) -> bool;
    let forms: [(&str, Holds); 8] = [
        ("{} < LITERAL", i64::lt),
        ("{} <= LITERAL", i64::le),
        ("{} > LITERAL", i64::gt),
        ("{} >= LITERAL", i64::ge),
        ("LITERAL < {}", |value, literal| literal < value),
        ("LITERAL >= {}", |value, literal| literal >= value),
        ("{} == LITERAL", i64::eq),
        ("{} != LITERAL", i64::ne),
    ];
    let mut rules: Vec<Rule<i64>> = Vec::new();
    for literal in [i64::MIN, -1, 1, i64::MAX] {
        for (form, holds) in forms {
            rules.push((
                form.replace("LITERAL", &literal.to_string()),
                Box::new(move |value| holds(value, &literal)),
            ));
        }
    }
    rules.push((
        "[1, 2].contains({})".to_owned(),
        Box::new(|value| [1, 2].contains(value)),
    ));
    rules
}

fn rules_of_texts() -> Vec<Rule<&'static str>> {
    type Holds = fn(&&str) -> bool;
    let rules: [(&str, Holds); 5] = [
        ("{} == \"a\"", |value| *value == "a"),
        ("[\"a\", \"b\"].contains({})", |value| {
            ["a", "b"].contains(value)
        }),
        ("{} like \"a*\"", |value| value.starts_with('a')),
        ("{} like \"*a\"", |value| value.ends_with('a')),
        ("!({} like \"\\*\")", |value| *value != "*"),
    ];
    let rules = rules.into_iter();
    rules
        .map(|(rule, holds)| -> Rule<&str> { (rule.to_owned(), Box::new(holds)) })
        .collect()
}

/// Compares `check` and `authorize` with the rule for each value, and without a value.
fn compare<T>(
    engine: &Engine,
    name: &str,
    rules: Vec<Rule<T>>,
    values: &[T],
    json: impl Fn(&T) -> serde_json::Value,
) {
    let campaign = Resource::new("Campaign", "spring").account("acme");
    let request = Request::new(("Account", "acme"), "campaign.read", campaign);
    let request = request.host("dash.marketingmaster.example");
    for (rule, holds) in rules {
        let path = format!("context.facts.account.attributes.{name}");
        let condition = rule.replace("{}", &path);
        let text = format!(
            "@id(\"x\") @code(\"x\") forbid (principal, action, resource)\n\
             when {{ context.facts has account.attributes.{name} && {condition} }};"
        );
        let mut files = vec![("77-extra.cedar".to_owned(), text)];
        files.extend(shipped_files());
        let reloaded = engine.reload(&PolicySource::Files(files));
        reloaded.unwrap_or_else(|error| panic!("{rule}: {error}"));
        for value in values.iter().map(Some).chain([None]) {
            let json = value.map_or(serde_json::Value::Null, &json);
            let patch = serde_json::json!({
                "type": "Account", "id": "acme", "attributes": { name: json },
            });
            let patch = RecordPatch::from_value(patch).expect("a change");
            let changed = engine.apply_changes(vec![Change::Merge(patch)], None);
            changed.expect("a change");
            let expected = !value.is_some_and(&holds);
            let check = engine.check(&request).expect("an answer");
            let answer = engine.authorize(&request).expect("an answer");
            assert_eq!([check, answer.allowed], [expected; 2], "{rule} of {json}");
        }
    }
}

#[test]
fn stored_facts_equal_their_operators() {
    let engine = agency_engine(shipped_files());
    let longs = |value: &i64| (*value).into();
    compare(&engine, "trial_grace", rules_of_longs(), &LONGS, longs);
    let texts = |value: &&str| (*value).into();
    compare(&engine, "country", rules_of_texts(), &TEXTS, texts);
}
