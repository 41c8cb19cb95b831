//! Tests of the scan: texts at and over the limits, and a comparison with Cedar's parser.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "sizes of the test's own texts"
)]

use std::str::FromStr;

use cedar_policy::{
    Authorizer, Context, Entities, PolicySet, Request, Schema, ValidationMode, Validator,
};

use super::*;
use crate::util::stack;

fn policy(condition: &str) -> String {
    format!(
        "forbid (principal, action, resource) when {{ {condition} }};\npermit (principal, action, resource);"
    )
}

/// Texts at the limits, one for each construct that makes trees deep.
fn shapes(caps: &ParseLimits) -> Vec<(&'static str, String)> {
    let (deep, long) = (caps.nesting - 2, caps.chain - 8);
    let chain = |part: &str, op: &str| vec![part; long].join(op);
    let wide = |inner: String| format!("({inner})");
    vec![
        (
            "parens",
            format!("{}true{}", "(".repeat(deep), ")".repeat(deep)),
        ),
        ("or", chain("context.a == 1", " || ")),
        ("and", chain("true", " && ")),
        ("plus", format!("{} > 3", chain("1", " + "))),
        (
            "dots",
            format!("context has a || context{}", ".a".repeat(long)),
        ),
        (
            "index",
            format!("context has a || context{}", "[\"a\"]".repeat(long)),
        ),
        ("not", "!".repeat(4) + "true"),
        (
            "ladder",
            format!(
                "{}true",
                "if context.a == 1 then true else ".repeat(long / 3)
            ),
        ),
        (
            "sets",
            format!("{}1{} == [1]", "[".repeat(deep), "]".repeat(deep)),
        ),
        (
            "records",
            format!("{}1{} == 1", "{a: ".repeat(deep), "}".repeat(deep)),
        ),
        ("methods", format!("[1]{}", ".contains(1)")),
        ("both", {
            let mut text = chain("true", " || ");
            for _ in 0..2 {
                text = wide(text) + " || " + &chain("true", " || ");
            }
            text
        }),
    ]
}

/// Such texts are parsed, validated, evaluated and dropped on a small stack.
#[test]
fn texts_at_the_limits_fit_a_small_stack() {
    let run = || {
        let caps = ParseLimits::default();
        for (name, condition) in shapes(&caps) {
            let text = policy(&condition);
            let depth = scan(&text, Language::Policy, &caps)
                .unwrap_or_else(|fault| panic!("{name}: {}", fault.message));
            let evaluated = stack::run(depth, || {
                let set =
                    PolicySet::from_str(&text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
                let schema = Schema::from_str("entity U; action a appliesTo { principal: [U], resource: [U], context: { a: Long } };").expect("a schema");
                let _ = Validator::new(schema).validate(&set, ValidationMode::Strict);
                let _ = set.to_pst();
                let context = Context::from_json_str(r#"{"a": 1}"#, None).expect("a context");
                let uid = |text: &str| text.parse().expect("a uid");
                let request = Request::new(
                    uid("U::\"u\""),
                    uid("Action::\"a\""),
                    uid("U::\"u\""),
                    context,
                    None,
                )
                .expect("a request");
                let response = Authorizer::new().is_authorized(&request, &set, &Entities::empty());
                let errors: Vec<String> = response
                    .diagnostics()
                    .errors()
                    .map(ToString::to_string)
                    .collect();
                Ok(errors)
            });
            let errors = evaluated.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(
                errors.iter().all(|error| !error.contains("recursion")),
                "{name}: {errors:?}"
            );
        }
    };
    std::thread::Builder::new()
        .stack_size(128 * 1024)
        .spawn(run)
        .expect("a thread")
        .join()
        .expect("no overrun");
}

#[test]
fn text_over_a_limit_is_refused_in_place() {
    let caps = ParseLimits::default();
    let refused =
        |text: &str| scan(text, Language::Policy, &caps).expect_err(text.get(..20).unwrap_or(text));
    assert!(
        refused(&policy(&"(".repeat(100_000)))
            .message
            .contains("nested more than 64")
    );
    assert!(
        refused(&policy(&"true || ".repeat(1_707)))
            .message
            .contains("chain of more than 1000")
    );
    assert!(
        refused(&policy(&"!".repeat(100_000)))
            .message
            .contains("chain")
    );
    assert!(
        refused(&policy(&"if true then 1 else ".repeat(5_000)))
            .message
            .contains("chain")
    );
    let level = |inner: &str| format!("({inner} || {})", vec!["true"; 900].join(" || "));
    let mut text = "true".to_owned();
    for _ in 0..5 {
        text = level(&text);
    }
    assert!(
        refused(&policy(&text))
            .message
            .contains("more than 4000 deep")
    );
    assert!(scan(&"Set<".repeat(100), Language::Schema, &caps).is_err());
    assert!(
        scan(
            &policy("\"((((\" == \"\\\"((\" // ((((((\n"),
            Language::Policy,
            &caps
        )
        .is_ok_and(|depth| depth < 8)
    );
}

/// Parses on a thread with a small stack, using the stack size that the scan reports. If that
/// size is too small, the test process dies.
fn parse_if_accepted(texts: impl IntoIterator<Item = String> + Send + 'static) -> (usize, usize) {
    let run = || {
        let (caps, mut accepted, mut parsed) = (ParseLimits::default(), 0, 0);
        for text in texts {
            let Ok(depth) = scan(&text, Language::Policy, &caps) else {
                continue;
            };
            accepted += 1;
            let good = stack::run(depth, || {
                Ok(PolicySet::from_str(&text).map(|set| set.to_pst()).is_ok())
            });
            parsed += usize::from(good.expect("no panic"));
        }
        (accepted, parsed)
    };
    std::thread::Builder::new()
        .stack_size(128 * 1024)
        .spawn(run)
        .expect("a thread")
        .join()
        .expect("no overrun")
}

#[test]
fn comments_end_as_in_cedar() {
    let caps = ParseLimits::default();
    for end in ["\n", "\r", "\r\n"] {
        let text = policy(&format!(
            "// {end}{}true{}",
            "(".repeat(5_000),
            ")".repeat(5_000)
        ));
        assert!(
            scan(&text, Language::Policy, &caps)
                .is_err_and(|fault| fault.code == "bundle.too_deep"),
            "{end:?}"
        );
    }
    assert!(
        scan(
            &policy("// ((((((\u{2028}((((((((\n true"),
            Language::Policy,
            &caps
        )
        .is_ok_and(|depth| depth < 8)
    );
}

#[test]
fn if_else_chain_is_counted_exactly() {
    let caps = ParseLimits::default();
    let good = [
        "if true && true then true else ",
        "if true || 1 < 2 then (true) else ",
        "if [true, true] == [1] then true else ",
    ];
    // Cedar's parser drops a `,` or a bracket here, and builds a ladder from the rest.
    let faulty = [
        "if + , then 1 else ",
        "if (then 1 else if) , ",
        "if {+ , + : 1} then 1 else ",
    ];
    for part in good.into_iter().chain(faulty) {
        let depth = |count: usize| {
            scan(
                &policy(&format!("{}true", part.repeat(count))),
                Language::Policy,
                &caps,
            )
        };
        assert!(depth(300).is_ok_and(|depth| depth >= 300), "{part}");
        assert!(depth(1_100).is_err(), "{part}");
    }
    // 400 steps with three `&&` each are not a chain of 1,200. Attributes named like keywords
    // are not steps.
    let long = "if true && true && true && true then true else ".repeat(400);
    assert!(scan(&policy(&format!("{long}true")), Language::Policy, &caps).is_ok());
    let names = vec!["context.then"; 600].join(" || ");
    assert!(scan(&policy(&names), Language::Policy, &caps).is_ok_and(|depth| depth >= 600));
}

#[test]
fn misplaced_brackets_are_refused_in_place() {
    let caps = ParseLimits::default();
    for (text, offset) in [
        ("permit(principal in {+}: 1, action, resource);", 20),
        ("permit(principal, action, resource]);", 34),
        ("permit(principal, action, resource));", 35),
        ("permit(principal, action, resource) when { ( ; };", 45),
    ] {
        let fault = scan(text, Language::Policy, &caps).expect_err(text);
        assert_eq!(
            (fault.code, fault.offset),
            ("bundle.syntax", offset),
            "{text}"
        );
    }
    assert!(
        scan(
            "namespace A { entity B; entity C { d: Set<Long> }; }",
            Language::Schema,
            &caps
        )
        .is_ok()
    );
}

#[test]
fn scan_bounds_parser_depth_of_invalid_text() {
    const PIECES: [&str; 34] = [
        "(", ")", "[", "]", "{", "}", "(", ")", "{", "}", "if", "then", "else", "if", "then",
        "else", ",", "a :", ":", "::", "+", "||", "&&", "==", ".", "!", "-", "a", "1", "true",
        "\"s\"", "in", "has", ".a",
    ];
    // Returns a row of pieces. Each closing bracket matches an open one.
    fn row(next: &mut impl FnMut(usize) -> usize, most: usize) -> String {
        let (mut row, mut open) = (Vec::new(), Vec::new());
        for _ in 0..next(most) {
            match PIECES[next(PIECES.len())] {
                ")" | "]" | "}" => row.extend(open.pop()),
                piece => {
                    open.extend(match piece {
                        "(" => Some(")"),
                        "[" => Some("]"),
                        "{" => Some("}"),
                        _ => None,
                    });
                    row.push(piece);
                }
            }
        }
        row.extend(open.into_iter().rev());
        row.join(" ")
    }
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or(0) % below
    };
    let count: usize = std::env::var("SUBLET_SCANS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(3_000);
    let texts = (0..count).map(move |nth| {
        let (head, part, tail) = (row(&mut next, 4), row(&mut next, 16), row(&mut next, 4));
        let body = format!("{head} {} {tail}", format!("{part} ").repeat(900));
        if nth % 3 == 0 {
            format!("permit(principal in {body}, action, resource);")
        } else {
            policy(&body)
        }
    });
    let (accepted, parsed) = parse_if_accepted(texts);
    assert!(
        accepted * 10 > count && parsed > 0,
        "of {count}: {accepted} pass the scan, {parsed} parse"
    );
}
