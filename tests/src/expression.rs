//! Random conditions. Each has one named operator at its root, so that the outcomes of each
//! operator can be counted.

use crate::Random;

/// Every operator and extension function of Cedar, by the name under which it is counted.
pub const OPERATORS: &[&str] = &[
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "minus",
    "*",
    "in",
    "in set",
    "has",
    "has path",
    "like",
    "is",
    "is in",
    "if",
    "contains",
    "containsAll",
    "containsAny",
    "isEmpty",
    "attr",
    "record",
    "getTag",
    "hasTag",
    "decimal",
    "lessThan",
    "lessThanOrEqual",
    "greaterThan",
    "greaterThanOrEqual",
    "ip",
    "isIpv4",
    "isIpv6",
    "isLoopback",
    "isMulticast",
    "isInRange",
    "datetime",
    "offset",
    "durationSince",
    "toDate",
    "toTime",
    "duration",
    "toMilliseconds",
    "toSeconds",
    "toMinutes",
    "toHours",
    "toDays",
];

fn one(random: &mut Random, items: &[&'static str]) -> &'static str {
    items[random.below(items.len())]
}

const UIDS: &[&str] = &[
    "U::\"u0\"",
    "U::\"u1\"",
    "G::\"g0\"",
    "G::\"g3\"",
    "G::\"g7\"",
    "R::\"r0\"",
    "R::\"r1\"",
    "Action::\"a0\"",
    "Action::\"group\"",
    "U::\"none\"",
];

/// Returns an expression that fails on every request, for operators that cannot fail by their
/// operands alone.
fn erring(random: &mut Random) -> &'static str {
    one(
        random,
        &[
            "context.nothing",
            "(9223372036854775807 + 1)",
            "principal.nothing",
            "U::\"none\".level",
            "decimal(\"x\")",
            "ip(\"1.2.3\")",
            "resource.getTag(\"no\")",
            "(1 + context.flag)",
        ],
    )
}

fn maybe_erring(random: &mut Random, text: String) -> String {
    if random.once_in(16) {
        erring(random).to_owned()
    } else {
        text
    }
}

fn long(random: &mut Random) -> String {
    let text = match random.below(9) {
        0 => "principal.level".to_owned(),
        1 => "context.n".to_owned(),
        2 => "resource.size".to_owned(),
        3 => "9223372036854775807".to_owned(),
        4 => "(-9223372036854775808)".to_owned(),
        5 => format!("({} + {})", random.below(4), random.below(4)),
        _ => random.below(5).to_string(),
    };
    maybe_erring(random, text)
}

fn string(random: &mut Random) -> String {
    let text = random
        .pick(&[
            "principal.name",
            "context.s",
            "\"ann\"",
            "\"a*\"",
            "\"\"",
            "\"r\\u{e9}n\"",
            "context.rec.s",
        ])
        .to_string();
    maybe_erring(random, text)
}

fn uid(random: &mut Random) -> String {
    let text = match random.below(7) {
        0 => "principal".to_owned(),
        1 => "resource".to_owned(),
        2 => "action".to_owned(),
        3 => "resource.owner".to_owned(),
        4 => "context.who".to_owned(),
        _ => (*random.pick(UIDS)).to_owned(),
    };
    maybe_erring(random, text)
}

fn set(random: &mut Random) -> String {
    let text = match random.below(5) {
        0 => "principal.marks".to_owned(),
        1 => "[]".to_owned(),
        2 => "[1, 2, 3]".to_owned(),
        3 => format!("[{}, {}]", random.below(4), random.below(4)),
        _ => "context.set".to_owned(),
    };
    maybe_erring(random, text)
}

fn boolean(random: &mut Random, depth: usize) -> String {
    if depth > 0 && random.once_in(3) {
        let operator = *random.pick(OPERATORS);
        return format!("({})", condition(random, operator, depth - 1));
    }
    match random.below(6) {
        0 => "true".to_owned(),
        1 => "false".to_owned(),
        2 => "context.flag".to_owned(),
        3 => format!("principal.level == {}", random.below(3)),
        4 => "context has n".to_owned(),
        _ if random.once_in(2) => erring(random).to_owned(),
        _ => "principal has name".to_owned(),
    }
}

fn decimal(random: &mut Random) -> String {
    let text = random
        .pick(&[
            "decimal(\"1.5\")",
            "decimal(\"-0.0001\")",
            "decimal(\"922337203685477.5807\")",
            "context.dec",
            "principal.dec",
        ])
        .to_string();
    maybe_erring(random, text)
}

fn ip(random: &mut Random) -> String {
    let text = random
        .pick(&[
            "ip(\"127.0.0.1\")",
            "ip(\"10.0.0.0/8\")",
            "ip(\"::1\")",
            "ip(\"224.0.0.9\")",
            "ip(\"ff02::1\")",
            "context.ip",
            "resource.ip",
        ])
        .to_string();
    maybe_erring(random, text)
}

fn datetime(random: &mut Random) -> String {
    let text = random
        .pick(&[
            "datetime(\"2024-10-15\")",
            "datetime(\"1969-12-31T23:59:59.999Z\")",
            "datetime(\"2024-10-15T11:35:00+0130\")",
            "context.at",
            "datetime(\"9999-12-31\")",
        ])
        .to_string();
    maybe_erring(random, text)
}

fn duration(random: &mut Random) -> String {
    let text = random
        .pick(&[
            "duration(\"1h30m\")",
            "duration(\"-1d\")",
            "duration(\"0ms\")",
            "context.span",
            "duration(\"9223372036854775807ms\")",
        ])
        .to_string();
    maybe_erring(random, text)
}

fn compare(random: &mut Random) -> &'static str {
    one(random, &["==", "!=", "<", ">="])
}

/// Returns a condition as Cedar text, with `operator` at its root.
#[must_use]
pub fn condition(random: &mut Random, operator: &str, depth: usize) -> String {
    match operator {
        "==" | "!=" => match random.below(4) {
            0 => format!("{} {operator} {}", long(random), long(random)),
            1 => format!("{} {operator} {}", string(random), string(random)),
            2 => format!("{} {operator} {}", set(random), set(random)),
            _ => format!("{} {operator} {}", uid(random), uid(random)),
        },
        "<" | "<=" | ">" | ">=" => match random.below(6) {
            0 => format!("{} {operator} {}", datetime(random), datetime(random)),
            1 => format!("{} {operator} {}", duration(random), duration(random)),
            2 => format!("{} {operator} {}", long(random), string(random)),
            _ => format!("{} {operator} {}", long(random), long(random)),
        },
        "&&" | "||" => format!(
            "({}) {operator} ({})",
            boolean(random, depth),
            boolean(random, depth)
        ),
        "!" => format!("!({})", boolean(random, depth)),
        "-" => format!(
            "-({}) {} {}",
            long(random),
            compare(random),
            random.below(3)
        ),
        "+" => format!(
            "{} + {} {} {}",
            long(random),
            long(random),
            compare(random),
            random.below(5)
        ),
        "minus" => format!(
            "{} - {} {} {}",
            long(random),
            long(random),
            compare(random),
            random.below(3)
        ),
        "*" => format!(
            "{} * {} {} {}",
            long(random),
            long(random),
            compare(random),
            random.below(5)
        ),
        "in" => format!("{} in {}", uid(random), uid(random)),
        "in set" => format!("{} in [{}, {}]", uid(random), uid(random), uid(random)),
        "has" => format!(
            "{} has {}",
            random.pick(&[
                "principal",
                "resource",
                "context",
                "context.rec",
                "context.nothing",
                "context.n",
                "resource.owner"
            ]),
            random.pick(&["name", "n", "s", "level", "\"odd name\"", "size"])
        ),
        "has path" => format!(
            "{} has {}",
            random.pick(&[
                "context",
                "context",
                "context",
                "context",
                "context",
                "resource",
                "context.n",
                "context.nothing"
            ]),
            random.pick(&[
                "rec.s",
                "rec.s",
                "rec.deep.x",
                "who.level",
                "rec.none.x",
                "owner.level",
                "owner.none",
                "n.x"
            ])
        ),
        "like" => format!(
            "{} like \"{}\"",
            string(random),
            random.pick(&["a*", "*", "", "*n", "a\\*", "r\u{e9}*", "*x*"])
        ),
        "is" => format!(
            "{} is {}",
            uid(random),
            random.pick(&["U", "G", "R", "Action"])
        ),
        "is in" => format!(
            "{} is {} in {}",
            uid(random),
            random.pick(&["U", "U", "R"]),
            if random.once_in(2) {
                format!("G::\"g{}\"", 4 + random.below(4))
            } else {
                uid(random)
            }
        ),
        "if" => format!(
            "if {} then {} else {}",
            boolean(random, depth),
            boolean(random, depth),
            boolean(random, depth)
        ),
        "contains" => format!("{}.contains({})", set(random), long(random)),
        "containsAll" | "containsAny" => format!("{}.{operator}({})", set(random), set(random)),
        "isEmpty" => format!("{}.isEmpty()", set(random)),
        "attr" => format!(
            "{} {} {}",
            one(
                random,
                &[
                    "principal.level",
                    "resource.size",
                    "context.n",
                    "resource.owner.level",
                    "context.who.level",
                    "context.rec.deep.x",
                    "context.rec.s"
                ]
            ),
            compare(random),
            long(random)
        ),
        "record" => {
            let (n, s) = (random.below(2), one(random, &["\"ann\"", "context.s"]));
            format!(
                "{{a: {}, \"b c\": {s}}} == {{a: {n}, \"b c\": {}}}",
                maybe_erring(random, n.to_string()),
                one(random, &["\"ann\"", "context.s"])
            )
        }
        "getTag" => format!(
            "resource.getTag({}) == {}",
            random.pick(&["\"color\"", "\"color\"", "\"color\"", "\"no\"", "context.s"]),
            random.pick(&["\"red\"", "\"blue\"", "context.s"])
        ),
        "hasTag" => format!(
            "{}.hasTag({})",
            random.pick(&[
                "resource",
                "resource",
                "resource",
                "resource",
                "principal",
                "resource.owner",
                "context.n"
            ]),
            random.pick(&[
                "\"color\"",
                "\"color\"",
                "\"no\"",
                "context.s",
                "context.nothing"
            ])
        ),
        "decimal" => {
            format!(
                "decimal({}) == decimal(\"1.5\")",
                random.pick(&[
                    "\"1.5\"",
                    "\"1.50\"",
                    "\"1\"",
                    "\"1.23456\"",
                    "\"2.0\"",
                    "\"922337203685477.5808\""
                ])
            )
        }
        "lessThan" | "lessThanOrEqual" | "greaterThan" | "greaterThanOrEqual" => {
            format!("{}.{operator}({})", decimal(random), decimal(random))
        }
        "ip" => format!(
            "ip({}) == ip(\"127.0.0.1\")",
            random.pick(&[
                "\"127.0.0.1\"",
                "\"127.0.0.1/32\"",
                "\"10.0.0.256\"",
                "\"::1\"",
                "\"10.0.0.1\"",
                "\"127.0.0.1/33\"",
                "\"127.0.0.01\""
            ])
        ),
        "isIpv4" | "isIpv6" | "isLoopback" | "isMulticast" => {
            format!("{}.{operator}()", ip(random))
        }
        "isInRange" => format!("{}.isInRange({})", ip(random), ip(random)),
        "datetime" => format!(
            "datetime({}) {} datetime(\"2024-10-15\")",
            random.pick(&[
                "\"2024-10-15\"",
                "\"2024-10-15T00:00:00Z\"",
                "\"2024-13-15\"",
                "\"2024-2-1\"",
                "\"2025-01-01\""
            ]),
            compare(random)
        ),
        "offset" => format!(
            "{}.offset({}) {} {}",
            datetime(random),
            duration(random),
            compare(random),
            "datetime(\"2024-10-15\")"
        ),
        "durationSince" => format!(
            "{}.durationSince({}) {} duration(\"1h\")",
            datetime(random),
            datetime(random),
            compare(random)
        ),
        "toDate" => format!(
            "{}.toDate() {} datetime(\"2024-10-15\")",
            datetime(random),
            compare(random)
        ),
        "toTime" => format!(
            "{}.toTime() {} duration(\"1h\")",
            datetime(random),
            compare(random)
        ),
        "duration" => format!(
            "duration({}) {} duration(\"1h\")",
            random.pick(&[
                "\"1h\"",
                "\"60m\"",
                "\"1x\"",
                "\"\"",
                "\"2h\"",
                "\"9223372036854775808ms\""
            ]),
            compare(random)
        ),
        _ => format!(
            "{}.{operator}() {} {}",
            if random.once_in(9) {
                erring(random).to_owned()
            } else {
                duration(random)
            },
            compare(random),
            random.below(3)
        ),
    }
}
