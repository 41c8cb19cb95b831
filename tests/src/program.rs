//! Random programs: a schema, policies with templates and links, entities in deep hierarchies, and
//! a request.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::{OPERATORS, Random, condition};

/// One random case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Policies and templates as Cedar text.
    pub policies: Vec<String>,
    /// The operator at the root of each policy's condition.
    pub operators: Vec<&'static str>,
    /// The schema, in every other case.
    pub schema: Option<String>,
    /// Links of the templates.
    pub links: Value,
    /// The entities.
    pub entities: Value,
    /// Principal, action and resource.
    pub request: [(&'static str, String); 3],
    /// Attributes, parents and tags that the request gives for the resource.
    pub inline: Option<Value>,
    /// The context of the request.
    pub context: Value,
    /// Whether the request must fit the schema.
    pub validate: bool,
}

impl Case {
    /// Returns the policies as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.policies.join("\n")
    }
}

const SCHEMA: &str = r#"
type Rec = { s?: String, deep?: { x?: Long } };
entity U in [G, R] = { level?: Long, name?: String, marks?: Set<Long>, dec?: decimal };
entity G in [G];
entity E enum ["e0", "e1"];
entity R in [G] = { size?: Long, owner?: U, ip?: ipaddr, state?: E } tags String;
action group;
action a0, a1, a2 in [group] appliesTo { principal: [U, G], resource: [R, U], context: {
  n?: Long, s?: String, flag?: Bool, set?: Set<Long>, dec?: decimal, ip?: ipaddr, at?: datetime, span?: duration,
  rec?: Rec, who?: U, whos?: Set<U>, state?: E } };
"#;

/// The schema as JSON, which Cedar parses three times faster.
static JSON: LazyLock<String> = LazyLock::new(|| {
    let fragment = cedar_policy::SchemaFragment::from_cedarschema_str(SCHEMA)
        .ok()
        .and_then(|(fragment, _)| fragment.to_json_string().ok());
    fragment.unwrap_or_default()
});

/// Returns the case of a seed.
#[must_use]
pub fn case(seed: u64) -> Case {
    case_of(&mut Random::new(seed))
}

/// Returns the case that a random source generates.
#[must_use]
pub fn case_of(random: &mut Random) -> Case {
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
    if random.once_in(20) {
        for _ in 0..10 + random.below(60) {
            policies.push(scoped(random));
        }
    }
    let mut request = [
        ("U", format!("u{}", random.below(3))),
        ("Action", format!("a{}", random.below(3))),
        ("R", format!("r{}", random.below(2))),
    ];
    if random.once_in(24) {
        match random.below(4) {
            0 => request[0] = ("Z::Y", "u0".to_owned()),
            1 => request[1] = ("Action", "group".to_owned()),
            2 => request[2] = ("U", format!("u{}", random.below(3))),
            _ => request[2] = ("G", format!("g{}", random.below(8))),
        }
    }
    let schema = random.once_in(2).then(|| {
        if random.once_in(64) {
            SCHEMA.to_owned()
        } else {
            JSON.clone()
        }
    });
    let validate = schema.is_some() && random.once_in(2);
    let implicit = schema.is_some();
    Case {
        policies,
        operators,
        links: Value::Array(links),
        entities: entities(random),
        request,
        inline: random.once_in(4).then(|| inline(random, implicit)),
        context: context(random, implicit),
        schema,
        validate,
    }
}

/// Returns one of many policies, most of which do not apply to the request.
fn scoped(random: &mut Random) -> String {
    let mut one = |items: &[&str], n: usize| {
        let item = *random.pick(items);
        if item.contains('#') {
            item.replace('#', &random.below(n).to_string())
        } else {
            item.to_owned()
        }
    };
    let principal = one(
        &[
            "principal",
            "principal is U",
            "principal == U::\"u#\"",
            "principal in G::\"g#\"",
            "principal is U in G::\"g#\"",
            "principal in R::\"r#\"",
        ],
        12,
    );
    let action = one(
        &[
            "action",
            "action == Action::\"a#\"",
            "action in [Action::\"a#\", Action::\"group\"]",
            "action in Action::\"group\"",
            "action in Action::\"a#\"",
        ],
        6,
    );
    let resource = one(
        &[
            "resource",
            "resource is R",
            "resource == R::\"r#\"",
            "resource in G::\"g#\"",
            "resource is R in G::\"g#\"",
            "resource == U::\"u#\"",
        ],
        12,
    );
    let effect = if random.once_in(4) {
        "forbid"
    } else {
        "permit"
    };
    let when = match random.below(4) {
        0 => String::new(),
        1 => "when { context.flag }".to_owned(),
        2 => format!("when {{ principal.level > {} }}", random.below(3)),
        _ => format!("unless {{ resource.size == {} }}", random.below(3)),
    };
    format!("{effect} ({principal}, {action}, {resource}) {when};")
}

/// Returns the parts that a request gives for a resource. With a schema some values have an
/// implicit form.
fn inline(random: &mut Random, implicit: bool) -> Value {
    let mut attrs = serde_json::Map::new();
    some(random, &mut attrs, "size", long);
    some(random, &mut attrs, "owner", |random| {
        entity(random, "U", 4, implicit)
    });
    some(random, &mut attrs, "ip", |random| {
        extension(random, "ip", &["10.1.2.3", "::1", "127.0.0.0/8"], implicit)
    });
    if random.once_in(12) {
        attrs.extend(odd(random));
    }
    if random.once_in(8) {
        attrs.clear();
    }
    let parents: Vec<Value> = (0..random.below(3)).map(|_| uid(random, "G", 8)).collect();
    let tags = if random.once_in(2) {
        json!({})
    } else {
        json!({"color": random.pick(&["red", "blue"])})
    };
    json!({"attrs": attrs, "parents": if random.once_in(3) { Vec::new() } else { parents }, "tags": tags})
}

fn entity(random: &mut Random, kind: &str, n: usize, implicit: bool) -> Value {
    let uid = uid(random, kind, n);
    if implicit && random.once_in(2) {
        uid
    } else {
        json!({"__entity": uid})
    }
}

fn extension(random: &mut Random, name: &str, texts: &[&str], implicit: bool) -> Value {
    let text = if random.once_in(40) {
        "odd"
    } else {
        *random.pick(texts)
    };
    if implicit && random.once_in(2) {
        json!(text)
    } else {
        json!({"__extn": {"fn": name, "arg": text}})
    }
}

/// Returns a field that a schema or Cedar refuses, or interprets in an unexpected way.
fn odd(random: &mut Random) -> Option<(String, Value)> {
    let (name, value) = match random.below(14) {
        0 => ("extra", json!(1)),
        1 => ("n", json!("text")),
        2 => ("n", Value::Null),
        3 => ("n", json!(1.5)),
        4 => ("who", json!({"type": "R", "id": "r0"})),
        5 => (
            "who",
            json!({"__entity": {"type": "U", "id": "u1", "more": 1}}),
        ),
        6 => (
            "who",
            json!({"__entity": {"type": "not a type", "id": "u1"}}),
        ),
        7 => (
            "rec",
            json!({"__extn": {"fn": "decimal", "arg": "1.5"}, "s": "x"}),
        ),
        8 => ("rec", json!({"s": "x", "deep": {"x": 1, "y": 2}})),
        9 => ("state", json!({"type": "E", "id": "e9"})),
        10 => ("state", json!({"__entity": {"type": "E", "id": "e0"}})),
        11 => ("size", json!({"__expr": "1"})),
        12 => (
            "whos",
            json!([{"type": "U", "id": "u0"}, {"__entity": {"type": "U", "id": "u0"}}]),
        ),
        _ => ("dec", json!({"__extn": {"fn": "ip", "arg": "10.0.0.1"}})),
    };
    Some((name.to_owned(), value))
}

fn uid(random: &mut Random, kind: &str, n: usize) -> Value {
    json!({"type": kind, "id": format!("{}{}", kind.to_lowercase(), random.below(n))})
}

fn policy(random: &mut Random, operator: &'static str) -> (String, bool) {
    let effect = if random.below(100) < 62 {
        "permit"
    } else {
        "forbid"
    };
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
    (
        format!("{effect} ({principal}, {action}, {resource}) {clause} {{ {body} }};"),
        template,
    )
}

fn entities(random: &mut Random) -> Value {
    let mut list = Vec::new();
    // A chain of groups with gaps, for `in` over deep hierarchies.
    for g in 0..8 {
        let parents: Vec<Value> = if g < 7 && !random.once_in(9) {
            vec![json!({"type": "G", "id": format!("g{}", g + 1)})]
        } else {
            Vec::new()
        };
        list.push(
            json!({"uid": {"type": "G", "id": format!("g{g}")}, "attrs": {}, "parents": parents}),
        );
    }
    for u in 0..3 {
        if random.once_in(7) {
            continue;
        }
        let mut attrs = serde_json::Map::new();
        some(random, &mut attrs, "level", long);
        some(random, &mut attrs, "name", |random| {
            json!(random.pick(&["ann", "rén", "", "a*"]))
        });
        some(random, &mut attrs, "marks", |random| {
            json!((0..random.below(4)).collect::<Vec<_>>())
        });
        some(
            random,
            &mut attrs,
            "dec",
            |_| json!({"__extn": {"fn": "decimal", "arg": "1.5"}}),
        );
        let above = if random.once_in(6) {
            uid(random, "R", 2)
        } else {
            uid(random, "G", 8)
        };
        list.push(json!({"uid": {"type": "U", "id": format!("u{u}")}, "attrs": attrs, "parents": [above]}));
    }
    for r in 0..2 {
        if random.once_in(7) {
            continue;
        }
        let mut attrs = serde_json::Map::new();
        some(random, &mut attrs, "size", long);
        some(
            random,
            &mut attrs,
            "owner",
            |random| json!({"__entity": uid(random, "U", 3)}),
        );
        some(
            random,
            &mut attrs,
            "ip",
            |random| json!({"__extn": {"fn": "ip", "arg": random.pick(&["10.1.2.3", "::1", "127.0.0.0/8"])}}),
        );
        let tags = if random.once_in(3) {
            json!({})
        } else {
            json!({"color": random.pick(&["red", "blue"])})
        };
        list.push(json!({"uid": {"type": "R", "id": format!("r{r}")}, "attrs": attrs, "parents": [uid(random, "G", 8)], "tags": tags}));
    }
    Value::Array(list)
}

fn some(
    random: &mut Random,
    fields: &mut serde_json::Map<String, Value>,
    name: &str,
    value: impl FnOnce(&mut Random) -> Value,
) {
    if !random.once_in(6) {
        let value = value(random);
        fields.insert(name.to_owned(), value);
    }
}

fn long(random: &mut Random) -> Value {
    json!(*random.pick(&[0_i64, 1, 2, 3, i64::MAX, i64::MIN]))
}

fn context(random: &mut Random, implicit: bool) -> Value {
    let mut fields = serde_json::Map::new();
    some(random, &mut fields, "n", long);
    some(random, &mut fields, "s", |random| {
        json!(random.pick(&["ann", "color", "a", "red"]))
    });
    some(random, &mut fields, "flag", |random| {
        json!(random.once_in(2))
    });
    some(random, &mut fields, "set", |random| {
        json!((0..random.below(4)).collect::<Vec<_>>())
    });
    some(random, &mut fields, "dec", |random| {
        extension(random, "decimal", &["1.5", "-2.25", "0.0"], implicit)
    });
    some(random, &mut fields, "ip", |random| {
        extension(
            random,
            "ip",
            &["127.0.0.1", "ff00::2", "10.0.0.0/24"],
            implicit,
        )
    });
    some(random, &mut fields, "at", |random| {
        extension(
            random,
            "datetime",
            &["2024-10-15", "2024-10-15T12:00:00Z", "1970-01-01"],
            implicit,
        )
    });
    some(random, &mut fields, "span", |random| {
        extension(random, "duration", &["1h", "-90m", "2d1ms"], implicit)
    });
    some(random, &mut fields, "rec", |random| {
        let mut record = serde_json::Map::new();
        some(random, &mut record, "s", |_| json!("ann"));
        some(random, &mut record, "deep", |_| json!({"x": 1}));
        Value::Object(record)
    });
    some(random, &mut fields, "who", |random| {
        entity(random, "U", 4, implicit)
    });
    if random.once_in(12) {
        fields.extend(odd(random));
    }
    if random.once_in(16) {
        fields.clear();
    }
    Value::Object(fields)
}
