//! What a fuzzer's input becomes: it steers the making of a case, or is the text of the policies
//! itself.

use std::str::FromStr;

use cedar_policy::PolicySet;

use crate::{Asker, Case, Random, agrees, case, case_of, compare, prepare};

/// Asks Cedar and the engine about what the input becomes.
///
/// # Panics
/// If they do not agree.
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
    if let Err(found) = compare(&case, prepared.as_ref(), asker) {
        panic!("{found}");
    }
}

/// Policies as they stand: both read them, or both refuse them; but the engine refuses what is too
/// large or too deep.
fn text_of(text: &str, asker: &mut Asker) {
    // What begins so is JSON to the engine.
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
    // Cedar errs where its stack runs low, and its parser does not even err: it gets what the
    // engine takes for itself.
    let judge = || {
        PolicySet::from_str(text)
            .is_ok()
            .then(|| prepared.judge(text, &case.links))
            .flatten()
    };
    let judged = if text.len() < 512 {
        judge()
    } else {
        stacker::grow(128 * 1024 * 1024, judge)
    };
    match (judged, answer) {
        (Some(judged), Ok(decision)) => assert!(
            agrees(&judged, &decision),
            "{judged:?}\nis not\n{decision:?}\n{case:?}"
        ),
        (None, Err(error)) if error.code() != "internal.panic" => {}
        (judged, answer) => panic!("{judged:?}\nis not\n{answer:?}\n{case:?}"),
    }
}
