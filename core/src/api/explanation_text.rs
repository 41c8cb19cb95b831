//! The short text of an explanation, for the people who answer a user's question (E8).

use std::fmt;
use std::sync::Arc;

use super::explanation::{AccessedFact, DecidingPolicy, Explanation, FurtherPolicy, NearestPermit};
use crate::model::calendar::instant_text;

/// The width of a line in characters. Longer lines are wrapped or cut.
const COLUMNS: usize = 100;
/// The greatest number of lines.
const LINES: usize = 25;
/// The greatest number of lines for facts, for conditions, and for changes.
const FACTS: usize = 6;
const CONDITIONS: usize = 3;
const CHANGES: usize = 3;
/// The greatest number of lines for advice.
const ADVICE: usize = 2;
/// The number of nearest permits. Each has at most three lines.
const NEAREST: usize = 3;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in short_lines(self) {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

fn short_lines(explanation: &Explanation) -> Vec<String> {
    let decision = &explanation.decision;
    let mut lines = vec![format!("{}: {}", decision.word(), decision.code)];
    let because = explanation.because.as_ref();
    let comment = because.and_then(|because| because.comment.as_ref());
    if comment != Some(&explanation.words) && explanation.words != decision.code {
        wrap(&mut lines, "  ", &explanation.words, 2);
    }
    if let Some(detail) = &explanation.detail {
        wrap(&mut lines, "  ", detail, 1);
    }
    if let Some(because) = because {
        add_deciding(&mut lines, because);
    }
    if let [failure, more @ ..] = decision.errors.as_slice() {
        let more = match more.len() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let text = format!("failed{more}: `{}`: {}", failure.policy, failure.message);
        wrap(&mut lines, "", &text, 2);
    }
    let advice: Vec<String> = (decision.advice.iter().zip(&explanation.advice_words))
        .map(|(advice, words)| {
            if advice == words {
                advice.to_string()
            } else {
                format!("{advice}: {words}")
            }
        })
        .collect();
    add_list(&mut lines, "advice:", &advice, ADVICE);
    add_nearest(&mut lines, &explanation.nearest);
    add_further(&mut lines, decision.allowed, &explanation.also);
    lines.truncate(LINES);
    lines
}

fn add_deciding(lines: &mut Vec<String>, because: &DecidingPolicy) {
    let mut text = format!(
        "because of {}",
        name(&because.policy, because.place.as_ref())
    );
    if let Some(comment) = &because.comment {
        text = format!("{text}: {comment}");
    }
    wrap(lines, "", &text, 4);
    // The facts of a `when` come first, and absent ones last. The fields of a record are facts too.
    let is_in_when = |path: &str| {
        let mut conditions = because.conditions.iter();
        conditions.any(|condition| condition.starts_with("when ") && condition.contains(path))
    };
    let is_record = |fact: &&AccessedFact| {
        let value = fact.value.as_deref().unwrap_or_default();
        value.starts_with('{')
    };
    let mut facts: Vec<_> = because
        .facts
        .iter()
        .filter(|fact| !is_record(fact))
        .collect();
    facts.sort_by_key(|fact| match &fact.value {
        _ if is_in_when(&fact.path) => 0,
        Some(_) => 1,
        None => 2,
    });
    let facts: Vec<String> = facts
        .iter()
        .map(|fact| {
            let value = fact.value.as_deref().unwrap_or("(absent)");
            plain(&format!("{} = {value}", fact.path))
        })
        .collect();
    add_list(lines, "facts:", &facts, FACTS);
    if because.changes.is_empty() && because.effect != "permit" {
        add_conditions(lines, because);
    }
    let changes: Vec<String> = because.changes.iter().map(|change| plain(change)).collect();
    if let [change] = changes.as_slice() {
        lines.push("this would have to change:".to_owned());
        wrap(lines, "  ", change, CHANGES);
    } else {
        let title = "one of these would have to change:";
        add_list(lines, title, &changes, CHANGES);
    }
}

/// Adds the conditions of a policy for which there are no changes in words.
fn add_conditions(lines: &mut Vec<String>, because: &DecidingPolicy) {
    let (shown, mut left) = (lines.len(), because.conditions.len());
    for condition in &because.conditions {
        let used = lines.len().saturating_sub(shown);
        let room = CONDITIONS.saturating_sub(used);
        let needs_note = left > 1;
        if room == 0 || (needs_note && room == 1) {
            break;
        }
        let most = if needs_note {
            room.saturating_sub(1)
        } else {
            room
        };
        wrap(lines, "", &format!("condition: {condition}"), most);
        left = left.saturating_sub(1);
    }
    if left > 0 {
        lines.push(format!("condition: and {left} more"));
    }
}

fn add_nearest(lines: &mut Vec<String>, nearest: &[NearestPermit]) {
    if nearest.is_empty() {
        return;
    }
    lines.push("nearest permits:".to_owned());
    for permit in nearest.iter().take(NEAREST) {
        let mut text = name(&permit.policy, permit.place.as_ref());
        if let Some(comment) = &permit.comment {
            text = format!("{text}: {comment}");
        }
        wrap(lines, "  ", &text, 2);
        let reason = match permit.changes.first() {
            Some(change) => format!("would have to change: {}", plain(change)),
            None => format!("does not hold: {}", plain(&permit.condition)),
        };
        wrap(lines, "    ", &reason, 1);
    }
    if let Some(more) = nearest.len().checked_sub(NEAREST).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more"));
    }
}

fn add_further(lines: &mut Vec<String>, allowed: bool, further: &[FurtherPolicy]) {
    let title = if allowed {
        "would allow as well:"
    } else {
        "would deny as well:"
    };
    let items = further.iter().map(|policy: &FurtherPolicy| {
        let mut text = name(&policy.policy, policy.place.as_ref());
        if let Some(code) = &policy.code {
            text = format!("{text} {code}");
        }
        match policy.words.as_ref().or(policy.comment.as_ref()) {
            Some(comment) => format!("{text}: {comment}"),
            None => text,
        }
    });
    let room = LINES.saturating_sub(lines.len()).saturating_sub(1);
    add_list(lines, title, &items.collect::<Vec<String>>(), room);
}

/// Adds a title and one line for each item. If there are more than `most` items, the last line has
/// the number of those left out.
fn add_list(lines: &mut Vec<String>, title: &str, items: &[String], most: usize) {
    if items.is_empty() || most == 0 {
        return;
    }
    lines.push(title.to_owned());
    let count = items.len();
    let shown = if count > most {
        most.saturating_sub(1)
    } else {
        count
    };
    for item in items.iter().take(shown) {
        wrap(lines, "  ", item, 1);
    }
    if count > shown {
        lines.push(format!("  and {} more", count.saturating_sub(shown)));
    }
}

/// Returns a text of facts without what only authors of policies need: the record of the context in
/// paths, and the types before ids. Milliseconds since 1970 become an instant. The data of the
/// explanation has both.
fn plain(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || "_.:".contains(c);
        let end = if first == '"' {
            end_of_string(rest)
        } else if is_word(first) {
            rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (part, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let is_type = part.ends_with("::") && after.starts_with('"');
        // A cut value may end in the middle of a type.
        let is_cut = first.is_ascii_uppercase() && after.starts_with('…');
        if let Some(instant) = instant(part) {
            short.push_str(&instant);
        } else if !is_type && !is_cut {
            let path = part.strip_prefix("context.").unwrap_or(part);
            short.push_str(path.strip_prefix("facts.").unwrap_or(path));
        }
        rest = after;
    }
    short
}

/// Returns an instant as text, if a word has the 13 digits of milliseconds since 1970.
fn instant(word: &str) -> Option<String> {
    let is_number = word.len() == 13 && word.bytes().all(|byte| byte.is_ascii_digit());
    instant_text(word.parse().ok().filter(|_| is_number)?)
}

/// Returns the length of the quoted string with which a text begins.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == '"' && !is_escaped {
            return at.saturating_add(1);
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.len()
}

fn name(policy: &str, place: Option<&(Arc<str>, u32)>) -> String {
    match place {
        Some((file, line)) => format!("`{policy}` ({file}:{line})"),
        None => format!("`{policy}`"),
    }
}

/// Adds a text as lines of at most `COLUMNS` characters behind `indent`, further lines two spaces
/// deeper. Cuts the text after `most` lines, and a word that is longer than a line.
fn wrap(lines: &mut Vec<String>, indent: &str, text: &str, most: usize) {
    let mut found: Vec<String> = Vec::new();
    let mut line = indent.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        let length = line.chars().count().saturating_add(word.chars().count());
        if !is_empty && length.saturating_add(1) > COLUMNS {
            found.push(std::mem::replace(&mut line, format!("{indent}  ")));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    found.push(line);
    let was_cut = found.len() > most;
    found.truncate(most);
    if let Some(last) = found.last_mut().filter(|_| was_cut) {
        last.push_str(" …");
    }
    lines.extend(found.iter().map(|line| cut(line)));
}

fn cut(line: &str) -> String {
    if line.chars().count() <= COLUMNS {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(COLUMNS.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::decision::{Decision, PolicyAnswer};
    use crate::model::fingerprint::Fingerprint;

    /// Returns an explanation with `size` facts, conditions, changes and further policies, each
    /// with long texts.
    fn explanation(size: usize) -> Explanation {
        let long = |name: &str| vec![format!("{name} {}", "wörd ".repeat(60)); size];
        let comment: Option<Arc<str>> = Some("Refuses it. ".repeat(40).into());
        let further = FurtherPolicy {
            policy: "p".into(),
            effect: "forbid",
            code: Some("c".into()),
            words: None,
            place: Some(("10-x.cedar".into(), 3)),
            comment: comment.clone(),
        };
        let fact = AccessedFact {
            path: "a.b".to_owned(),
            value: Some("x".repeat(200)),
        };
        let permit = NearestPermit {
            policy: "n".into(),
            place: None,
            comment: comment.clone(),
            failed: 1,
            condition: "resource.x".repeat(30),
            changes: long("change"),
        };
        Explanation {
            decision: Decision {
                answer: Arc::new(PolicyAnswer {
                    allowed: false,
                    code: "night_quiet".into(),
                    policies: Arc::from([]),
                    advice: vec!["send_after_0600_utc".into()],
                }),
                errors: Vec::new(),
                actor: None,
                subject: None,
                revision: 1,
                bundle: Fingerprint::of(&[0; 32]),
                counted: None,
            },
            words: "Nothing is sent at night.".into(),
            detail: None,
            advice_words: vec!["Send it after six.".into()],
            because: Some(DecidingPolicy {
                policy: "send-at-night".into(),
                effect: "forbid",
                code: Some("night_quiet".into()),
                place: Some(("65-own.cedar".into(), 4)),
                comment,
                facts: vec![fact; size],
                conditions: long("when"),
                changes: long("change"),
            }),
            also: vec![further; size],
            nearest: vec![permit; size],
            policies: Vec::new(),
        }
    }

    #[test]
    fn text_has_at_most_25_lines() {
        for size in [0, 1, 2, 5, 100] {
            for nearest in [false, true] {
                let mut explanation = explanation(size);
                if nearest {
                    explanation.because = None;
                } else {
                    explanation.nearest.clear();
                }
                let text = explanation.to_string();
                assert!(text.lines().count() <= LINES, "{text}");
                assert!(
                    text.lines().all(|line| line.chars().count() <= COLUMNS),
                    "{text}"
                );
                assert!(text.starts_with("denied: night_quiet\n"), "{text}");
                let further = text.contains("would deny as well:\n  `p` (10-x.cedar:3) c: Refuses");
                assert_eq!(further, size > 0 && text.contains("would deny"), "{text}");
            }
        }
    }

    #[test]
    fn text_of_one_policy_is_whole() {
        let mut explanation = explanation(1);
        explanation.nearest.clear();
        if let Some(because) = &mut explanation.because {
            because.comment = Some("Refuses campaigns at night.".into());
            because.conditions = vec!["when context.now < 6".to_owned()];
            because.changes = vec!["`context.now` is at least 6".to_owned()];
            because.facts[0].value = None;
        }
        for further in &mut explanation.also {
            further.comment = None;
        }
        assert_eq!(
            explanation.to_string(),
            "denied: night_quiet\n  Nothing is sent at night.\n\
             because of `send-at-night` (65-own.cedar:4): Refuses campaigns at night.\n\
             facts:\n  a.b = (absent)\n\
             this would have to change:\n  `now` is at least 6\n\
             advice:\n  send_after_0600_utc: Send it after six.\nwould deny as well:\n  `p` (10-x.cedar:3) c\n"
        );
    }

    #[test]
    fn facts_are_plain_outside_of_strings() {
        let rows = [
            (
                r#"context.facts.host = "context.facts.host""#,
                r#"host = "context.facts.host""#,
            ),
            (
                r#"`context.facts.a.b` contains N::T::"x \" N::"y""#,
                r#"`a.b` contains "x \" N::"y""#,
            ),
            (r#"[Feature::"a", Feature::"b", …"#, r#"["a", "b", …"#),
            (r#"[N::"a", Featur…"#, r#"["a", …"#),
            ("context.now = 1772366400000", "now = 2026-03-01T12:00:00Z"),
            ("context.reason = (absent)", "reason = (absent)"),
            ("principal.facts.x is ::", "principal.facts.x is ::"),
            (r#"an open "string \"#, r#"an open "string \"#),
        ];
        for (text, wanted) in rows {
            assert_eq!(plain(text), wanted);
        }
    }
}
