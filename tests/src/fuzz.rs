//! Turns the input of the fuzzer into a case. The input drives the generator of cases, or is the
//! text of the policies.

use std::str::FromStr;

use cedar_policy::PolicySet;

use crate::{Asker, Case, Random, agrees, case, case_of, compare, prepare};

/// Compares Cedar and the engine on the case of the input.
///
/// # Panics
/// If the results differ.
pub fn fuzzed(input: &[u8], asker: &mut Asker) {
    let Some((mode, rest)) = input.split_first() else {
        return;
    };
    if mode % 4 == 0 {
        if let Ok(text) = std::str::from_utf8(rest) {
            text_of(text, asker);
        }
        return;
    }
    let case = case_of(&mut Random::from_bytes(rest.to_vec()));
    let prepared = prepare(&case);
    if let Err(error) = compare(&case, prepared.as_ref(), asker) {
        panic!("{error}");
    }
}

/// Compares both on a text of policies. Both accept it or both refuse it, except for texts that are
/// too large or too deep for the engine.
fn text_of(text: &str, asker: &mut Asker) {
    // The engine reads such a text as JSON.
    if text.trim_start().starts_with('{') {
        return;
    }
    let case = Case {
        policies: vec![text.to_owned()],
        links: serde_json::json!([]),
        ..case(u64::from(text.len() as u32) % 64)
    };
    let Some(prepared) = prepare(&case) else {
        return;
    };
    let answer = asker.ask(&case, case.text());
    if let Err(error) = &answer
        && error
            .faults()
            .iter()
            .any(|fault| fault.code.starts_with("bundle.too_"))
    {
        return;
    }
    // Cedar needs the same stack as the engine, because its evaluator fails and its parser crashes
    // if the stack runs low.
    let evaluate = || {
        PolicySet::from_str(text)
            .is_ok()
            .then(|| prepared.evaluate(text, &case.links))
            .flatten()
    };
    let expected = if text.len() < 512 {
        evaluate()
    } else {
        stacker::grow(128 * 1024 * 1024, evaluate)
    };
    match (expected, answer) {
        (Some(expected), Ok(decision)) => assert!(
            agrees(&expected, &decision),
            "{expected:?}\nis not\n{decision:?}\n{case:?}"
        ),
        (None, Err(error)) if error.code() != "internal.panic" => {}
        (expected, answer) => panic!("{expected:?}\nis not\n{answer:?}\n{case:?}"),
    }
}
