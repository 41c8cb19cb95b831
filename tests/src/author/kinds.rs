//! Types of values, with random values of each as Cedar text and as JSON.

use serde_json::{Value, json};

use crate::Random;

/// The number in the ids of the agency's records.
const AGENCY: usize = 1;

/// The type of a value that a policy reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueKind {
    Bool,
    Long,
    Text,
    Decimal,
    Ip,
    Datetime,
    Duration,
    Entity(&'static str),
    Set(Box<ValueKind>),
    Record(Vec<Field>),
}

/// A field of a record or entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: ValueKind,
    pub(super) required: bool,
}

/// Returns a required field.
pub(super) fn field(name: &'static str, kind: ValueKind) -> Field {
    Field {
        name,
        kind,
        required: true,
    }
}

/// Returns an optional field.
pub(super) fn optional(name: &'static str, kind: ValueKind) -> Field {
    Field {
        required: false,
        ..field(name, kind)
    }
}

/// Returns a set type.
pub(super) fn set(kind: ValueKind) -> ValueKind {
    ValueKind::Set(Box::new(kind))
}

const LONGS: [i64; 9] = [0, 1, 1, 2, 2, 3, -1, i64::MAX, i64::MIN];
const TEXTS: [&str; 6] = ["a", "ab", "b*", "", "r\u{e9}n", "campaigns"];
const DECIMALS: [&str; 4] = ["1.5", "-0.25", "0.0", "922337203685477.5807"];
/// Half of them are ranges with one first address.
const IPS: [&str; 12] = [
    "127.0.0.1",
    "10.1.2.3",
    "10.0.0.0/8",
    "10.0.0.0/8",
    "10.0.0.0/16",
    "10.0.0.0/16",
    "10.0.0.0",
    "::1",
    "ff02::1",
    "ff00::/8",
    "ff00::/16",
    "224.0.0.9",
];
const DATETIMES: [&str; 4] = [
    "2026-02-01",
    "2026-02-01T06:30:00Z",
    "1969-12-31T23:59:59Z",
    "9999-12-31",
];
const DURATIONS: [&str; 8] = [
    "1h30m",
    "-1d",
    "0ms",
    "2ms",
    "1s999ms",
    "6h",
    "3d",
    "9223372036854775807ms",
];
pub(super) const FEATURES: [&str; 6] = [
    "campaigns",
    "contacts",
    "forms",
    "team",
    "client_accounts",
    "funnels",
];

/// Returns the id of a random entity of this type. A few ids lead to no record.
pub(super) fn any_id(random: &mut Random, kind: &str) -> String {
    let of = |random: &mut Random, ids: &[&str]| (*random.pick(ids)).to_owned();
    match kind {
        "Account" if random.once_in(16) => "gone".to_owned(),
        "Account" if random.once_in(3) => format!("m{AGENCY}-{}", random.below(4)),
        "Account" => format!("c{AGENCY}-{}", random.below(8)),
        "TeamMember" => format!("t{AGENCY}-{}", random.below(10)),
        "AccessLevel" if random.once_in(2) => format!("l{AGENCY}-{}", random.below(4)),
        "AccessLevel" => of(random, &["basic", "standard", "full", "none", "gone"]),
        "Package" => of(
            random,
            &["agency", "agency", "enterprise", "business", "own"],
        ),
        "Domain" if random.once_in(2) => "dash.marketingmaster.example".to_owned(),
        "Domain" => format!("d0.m{AGENCY}-{}.example", random.below(4)),
        "Operator" => "olga".to_owned(),
        "Platform" => "mmio".to_owned(),
        "Feature" => of(random, &FEATURES),
        "Meter" => of(random, &["emails", "contacts", "pages", "api_calls"]),
        "DisableReason" => of(random, &["overage", "by_owner", "unpaid", "abuse"]),
        "Channel" => of(random, &["web", "job", "mail", "public"]),
        "DomainState" => of(random, &["pending", "verified", "quarantined", "lapsed"]),
        "Role" => of(random, &["support", "billing", "trust", "admin"]),
        _ => of(random, &["k", "k", "other"]),
    }
}

fn some<T>(random: &mut Random, each: impl Fn(&mut Random) -> T) -> Vec<T> {
    (0..random.below(3)).map(|_| each(random)).collect()
}

impl ValueKind {
    /// Returns the type in the words of the schema.
    pub(super) fn schema_text(&self) -> String {
        match self {
            Self::Bool => "Bool".to_owned(),
            Self::Long => "Long".to_owned(),
            Self::Text => "String".to_owned(),
            Self::Decimal => "decimal".to_owned(),
            Self::Ip => "ipaddr".to_owned(),
            Self::Datetime => "datetime".to_owned(),
            Self::Duration => "duration".to_owned(),
            Self::Entity(kind) => (*kind).to_owned(),
            Self::Set(kind) => format!("Set<{}>", kind.schema_text()),
            Self::Record(fields) => format!("{{ {} }}", declarations(fields)),
        }
    }

    /// Returns a random value as Cedar text.
    pub(super) fn literal(&self, random: &mut Random) -> String {
        let call = |random: &mut Random, name: &str, texts: &[&str]| {
            format!("{name}(\"{}\")", random.pick(texts))
        };
        match self {
            Self::Bool => random.once_in(2).to_string(),
            Self::Long => match *random.pick(&LONGS) {
                number if number < 0 => format!("({number})"),
                number => number.to_string(),
            },
            Self::Text => format!("\"{}\"", random.pick(&TEXTS)),
            Self::Decimal => call(random, "decimal", &DECIMALS),
            Self::Ip => call(random, "ip", &IPS),
            Self::Datetime => call(random, "datetime", &DATETIMES),
            Self::Duration => call(random, "duration", &DURATIONS),
            Self::Entity(kind) => format!("{kind}::\"{}\"", any_id(random, kind)),
            Self::Set(kind) => {
                // Cedar's validator refuses an empty set literal.
                let mut items = some(random, |random| kind.literal(random));
                items.push(kind.literal(random));
                format!("[{}]", items.join(", "))
            }
            Self::Record(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|field| format!("{}: {}", field.name, field.kind.literal(random)))
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
        }
    }

    /// Returns a random value as JSON. Entities and extension values also have an implicit form.
    pub(super) fn json(&self, random: &mut Random) -> Value {
        let extension = |random: &mut Random, name: &str, texts: &[&str]| {
            let text = *random.pick(texts);
            if random.once_in(2) {
                json!(text)
            } else {
                json!({ "__extn": { "fn": name, "arg": text } })
            }
        };
        match self {
            Self::Bool => json!(random.once_in(2)),
            Self::Long => json!(random.pick(&LONGS)),
            Self::Text => json!(random.pick(&TEXTS)),
            Self::Decimal => extension(random, "decimal", &DECIMALS),
            Self::Ip => extension(random, "ip", &IPS),
            Self::Datetime => extension(random, "datetime", &DATETIMES),
            Self::Duration => extension(random, "duration", &DURATIONS),
            Self::Entity(kind) => {
                let uid = json!({ "type": kind, "id": any_id(random, kind) });
                if random.once_in(2) {
                    uid
                } else {
                    json!({ "__entity": uid })
                }
            }
            Self::Set(kind) => Value::Array(some(random, |random| kind.json(random))),
            Self::Record(fields) => Value::Object(values(fields, random)),
        }
    }
}

/// Returns fields as the schema declares them.
pub(super) fn declarations(fields: &[Field]) -> String {
    let fields = fields.iter().map(|field| {
        let mark = if field.required { "" } else { "?" };
        format!("{}{mark}: {}", field.name, field.kind.schema_text())
    });
    fields.collect::<Vec<_>>().join(", ")
}

/// Returns random values of these fields. Each optional one is left out at times.
pub(super) fn values(fields: &[Field], random: &mut Random) -> serde_json::Map<String, Value> {
    let mut values = serde_json::Map::new();
    for field in fields {
        if field.required || !random.once_in(3) {
            values.insert(field.name.to_owned(), field.kind.json(random));
        }
    }
    values
}
