//! Checks the ids, codes and other annotations of a bundle's policies.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Effect;

use super::annotations;
use super::policy_list::ParsedPolicy;
use super::source::File;
use super::source_scan::PolicyOutline;
use crate::model::answer_code::AnswerCode;
use crate::util::error::Diagnostic;

/// Returns the faults in the annotations of the policies.
pub(super) fn faults(parts: &[ParsedPolicy], files: &[File]) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let mut seen: BTreeMap<&str, &ParsedPolicy> = BTreeMap::new();
    for part in parts {
        let Some(file) = files.get(part.file) else {
            continue;
        };
        match part.body.annotation("id") {
            None | Some("") => faults.push(file.fault(
                "bundle.missing_id",
                "a policy without `@id`",
                part.start,
                part.len,
            )),
            Some(id) => match seen.get(id) {
                Some(first) => faults.extend(twins(id, first, part, files)),
                None => drop(seen.insert(id, part)),
            },
        }
        faults.extend(annotations::policy_faults(part, file));
        faults.extend(codes(part, file));
    }
    faults
}

/// Returns the fault of two policies with one id. It is placed at the second one.
fn twins(
    id: &str,
    first: &ParsedPolicy,
    second: &ParsedPolicy,
    files: &[File],
) -> Option<Diagnostic> {
    let place = |part: &ParsedPolicy| {
        let file = files.get(part.file)?;
        let at = PolicyOutline::new(part.text(file)).annotation("id");
        Some((file, part.place(at)))
    };
    let (before, (start, len)) = place(first)?;
    let (name, line) = (&before.name, before.place(start, len).line);
    let message = format!("policy id `{id}` stands twice: here, and in {name}, line {line}");
    let (file, (start, len)) = place(second)?;
    Some(file.fault("bundle.duplicate_id", message, start, len))
}

/// Returns the faults in the codes and the advice of a policy.
fn codes(part: &ParsedPolicy, file: &File) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let mut fault = |code, message: String, key: &str| {
        let outline = PolicyOutline::new(part.text(file));
        let at = outline.annotation(key).or(outline.effect);
        let (start, len) = part.place(at);
        faults.push(file.fault(code, message, start, len));
    };
    let id = part.body.annotation("id").unwrap_or_default();
    let is_permit = part.body.effect() == Effect::Permit;
    let warns = part.body.annotation("warns").is_some();
    match part.body.annotation("code") {
        Some(_) if is_permit => fault(
            "bundle.permit_code",
            format!("permit `{id}` has `@code`, but only a `forbid` can deny"),
            "code",
        ),
        Some(_) if warns => fault(
            "bundle.warns",
            format!("policy `{id}` has both `@warns` and `@code`"),
            "warns",
        ),
        None if !is_permit && !warns => fault(
            "bundle.missing_code",
            format!("forbid `{id}` has no `@code`"),
            "",
        ),
        Some(code) if !is_code(code) => fault(
            "bundle.code_form",
            format!("code `{code}` of policy `{id}` is not lower-case words joined by `_`"),
            "code",
        ),
        _ => {}
    }
    if warns && is_permit {
        fault(
            "bundle.warns",
            format!("permit `{id}` has `@warns`"),
            "warns",
        );
    }
    for key in ["advice", "warns"] {
        let words = part.body.annotation(key).into_iter();
        for word in words
            .flat_map(|advice| advice.split(','))
            .map(str::trim)
            .filter(|word| !is_code(word))
        {
            fault(
                "bundle.code_form",
                format!("advice `{word}` of policy `{id}` is not lower-case words joined by `_`"),
                key,
            );
        }
    }
    faults
}

/// Returns every code and every word of advice that an answer of the bundle can have.
pub(super) fn given_codes(parts: &[ParsedPolicy]) -> BTreeSet<&str> {
    let annotations = ["code", "advice", "warns"];
    let of_policies = parts.iter().flat_map(|part| {
        let texts = annotations.map(|key| part.body.annotation(key).unwrap_or_default());
        texts.into_iter().flat_map(|text| text.split(','))
    });
    of_policies
        .map(str::trim)
        .filter(|code| !code.is_empty())
        .chain(AnswerCode::TENANCY.map(AnswerCode::as_str))
        .collect()
}

fn is_code(text: &str) -> bool {
    text.split('_').all(|word| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    })
}
