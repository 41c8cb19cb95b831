//! Random programs: schema, policies with templates and links, entities in deep hierarchies, and a request.

use serde_json::{Value, json};

use crate::{OPERATORS, Random, condition};

/// One random case.
pub struct Case {
    /// Policies and templates as Cedar text.
    pub policies: Vec<String>,
    /// The operator on top of each policy's condition.
    pub operators: Vec<&'static str>,
    /// The schema, in every other case.
    pub schema: Option<String>,
    /// Links of the templates.
    pub links: Value,
    /// The entities.
    pub entities: Value,
    /// Principal, action and resource.
    pub request: [(&'static str, String); 3],
    /// The request's context.
    pub context: Value,
}

impl Case {
    /// The policies as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.policies.join("\n")
    }
}

const SCHEMA: &str = r#"
entity U in [G] = { level?: Long, name?: String, marks?: Set<Long>, dec?: decimal };
entity G in [G];
entity R in [G] = { size?: Long, owner?: U, ip?: ipaddr } tags String;
action group;
action a0, a1, a2 in [group] appliesTo { principal: [U, G], resource: [R, U], context: {
  n?: Long, s?: String, flag?: Bool, set?: Set<Long>, dec?: decimal, ip?: ipaddr, at?: datetime, span?: duration,
  rec?: { s?: String, deep?: { x?: Long } } } };
"#;

/// The case of this seed.
#[must_use]
pub fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let random = &mut random;
    let count = 1 + random.below(6);
    let (mut policies, mut operators, mut links) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..count {
        let operator = *random.pick(OPERATORS);
        let (text, template) = policy(random, operator);
        if template {
            for link in 0..random.below(3) {
                links.push(
                    json!({"templateId": format!("policy{number}"), "newId": format!("link{number}-{link}"), "values": {"?principal": uid(random, "U", 2)}}),
                );
            }
        }
        policies.push(text);
        operators.push(operator);
    }
    let request = [("U", format!("u{}", random.below(3))), ("Action", format!("a{}", random.below(3))), ("R", format!("r{}", random.below(2)))];
    Case {
        policies,
        operators,
        schema: random.once_in(2).then(|| SCHEMA.to_owned()),
        links: Value::Array(links),
        entities: entities(random),
        request,
        context: context(random),
    }
}

fn uid(random: &mut Random, kind: &str, n: usize) -> Value {
    json!({"type": kind, "id": format!("{}{}", kind.to_lowercase(), random.below(n))})
}

fn policy(random: &mut Random, operator: &'static str) -> (String, bool) {
    let effect = if random.below(100) < 62 { "permit" } else { "forbid" };
    let template = random.once_in(8);
    let principal = match random.below(12) {
        _ if template => "principal == ?principal",
        0 => "principal == U::\"u0\"",
        1 => "principal in G::\"g5\"",
        2 => "principal is U",
        3 => "principal is U in G::\"g2\"",
        _ => "principal",
    };
    let action = *random.pick(&[
        "action",
        "action",
        "action",
        "action",
        "action",
        "action",
        "action == Action::\"a0\"",
        "action in Action::\"group\"",
        "action in [Action::\"a0\", Action::\"a1\"]",
    ]);
    let resource = *random.pick(&[
        "resource",
        "resource",
        "resource",
        "resource",
        "resource",
        "resource",
        "resource == R::\"r0\"",
        "resource is R",
        "resource in G::\"g1\"",
    ]);
    let clause = if random.once_in(4) { "unless" } else { "when" };
    let body = condition(random, operator, 2);
    (format!("{effect} ({principal}, {action}, {resource}) {clause} {{ {body} }};"), template)
}

fn entities(random: &mut Random) -> Value {
    let mut list = Vec::new();
    // A chain of groups, some links missing: `in` over deep hierarchies.
    for g in 0..8 {
        let parents: Vec<Value> = if g < 7 && !random.once_in(9) { vec![json!({"type": "G", "id": format!("g{}", g + 1)})] } else { Vec::new() };
        list.push(json!({"uid": {"type": "G", "id": format!("g{g}")}, "attrs": {}, "parents": parents}));
    }
    for u in 0..3 {
        if random.once_in(7) {
            continue;
        }
        let mut attrs = serde_json::Map::new();
        some(random, &mut attrs, "level", long);
        some(random, &mut attrs, "name", |random| json!(random.pick(&["ann", "rén", "", "a*"])));
        some(random, &mut attrs, "marks", |random| json!((0..random.below(4)).collect::<Vec<_>>()));
        some(random, &mut attrs, "dec", |_| json!({"__extn": {"fn": "decimal", "arg": "1.5"}}));
        list.push(json!({"uid": {"type": "U", "id": format!("u{u}")}, "attrs": attrs, "parents": [uid(random, "G", 8)]}));
    }
    for r in 0..2 {
        if random.once_in(7) {
            continue;
        }
        let mut attrs = serde_json::Map::new();
        some(random, &mut attrs, "size", long);
        some(random, &mut attrs, "owner", |random| json!({"__entity": uid(random, "U", 3)}));
        some(random, &mut attrs, "ip", |random| json!({"__extn": {"fn": "ip", "arg": random.pick(&["10.1.2.3", "::1", "127.0.0.0/8"])}}));
        let tags = if random.once_in(3) { json!({}) } else { json!({"color": random.pick(&["red", "blue"])}) };
        list.push(json!({"uid": {"type": "R", "id": format!("r{r}")}, "attrs": attrs, "parents": [uid(random, "G", 8)], "tags": tags}));
    }
    Value::Array(list)
}

fn some(random: &mut Random, fields: &mut serde_json::Map<String, Value>, name: &str, value: impl FnOnce(&mut Random) -> Value) {
    if !random.once_in(6) {
        let value = value(random);
        fields.insert(name.to_owned(), value);
    }
}

fn long(random: &mut Random) -> Value {
    json!(*random.pick(&[0_i64, 1, 2, 3, i64::MAX, i64::MIN]))
}

fn context(random: &mut Random) -> Value {
    let mut fields = serde_json::Map::new();
    some(random, &mut fields, "n", long);
    some(random, &mut fields, "s", |random| json!(random.pick(&["ann", "color", "a", "red"])));
    some(random, &mut fields, "flag", |random| json!(random.once_in(2)));
    some(random, &mut fields, "set", |random| json!((0..random.below(4)).collect::<Vec<_>>()));
    some(random, &mut fields, "dec", |random| json!({"__extn": {"fn": "decimal", "arg": random.pick(&["1.5", "-2.25", "0.0"])}}));
    some(random, &mut fields, "ip", |random| json!({"__extn": {"fn": "ip", "arg": random.pick(&["127.0.0.1", "ff00::2", "10.0.0.0/24"])}}));
    some(random, &mut fields, "at", |random| json!({"__extn": {"fn": "datetime", "arg": random.pick(&["2024-10-15", "2024-10-15T12:00:00Z", "1970-01-01"])}}));
    some(random, &mut fields, "span", |random| json!({"__extn": {"fn": "duration", "arg": random.pick(&["1h", "-90m", "2d1ms"])}}));
    some(random, &mut fields, "rec", |random| {
        let mut record = serde_json::Map::new();
        some(random, &mut record, "s", |_| json!("ann"));
        some(random, &mut record, "deep", |_| json!({"x": 1}));
        Value::Object(record)
    });
    Value::Object(fields)
}
