//! The faults of linking schema files, with their places. Cedar names the thing but not its place.

use std::collections::BTreeSet;

use serde_json::Value;

use super::diagnostics;
use super::source::File;
use super::source_scan;
use crate::util::error::Diagnostic;
use crate::util::spelling::closest;

/// Cedar's types of values, as a schema writes them.
const VALUE_TYPES: [&str; 8] = [
    "Bool", "Long", "String", "Set", "datetime", "duration", "decimal", "ipaddr",
];

/// Names that other languages give to types, with the use and the name in a schema.
const OTHER_NAMES: [(&[&str], &str, &str); 6] = [
    (
        &["date", "datetime", "time", "timestamp", "instant"],
        "dates",
        "datetime",
    ),
    (
        &["timespan", "interval", "period"],
        "spans of time",
        "duration",
    ),
    (
        &["int", "integer", "number", "i64", "u64"],
        "whole numbers",
        "Long",
    ),
    (&["str", "string", "text"], "texts", "String"),
    (&["bool", "boolean"], "truth values", "Bool"),
    (&["float", "double"], "fractions", "decimal"),
];

/// Returns the faults of linking the schema files. `forms` are the JSON forms of the files.
pub(super) fn faults(
    found: &dyn miette::Diagnostic,
    files: &[&File],
    forms: &[Value],
) -> Vec<Diagnostic> {
    let faults = diagnostics::faults("bundle.schema", found, None, None);
    let split = faults.into_iter().flat_map(|fault| {
        let (text, names) = unresolved(&fault.message);
        if names.is_empty() {
            return vec![named(fault, files)];
        }
        let declared = Declared::new(forms);
        let one = |name: &str| {
            let help = declared.help(text, name);
            let fault = Diagnostic {
                message: format!("{text}: `{name}`"),
                help: help.or_else(|| fault.help.clone()),
                ..fault.clone()
            };
            named(fault, files)
        };
        names.iter().map(|name| one(name)).collect()
    });
    split.collect()
}

/// Returns the message and the names of what was not found.
fn unresolved(message: &str) -> (&'static str, Vec<String>) {
    for (prefix, text) in [
        ("failed to resolve type", "no such type"),
        ("undeclared action", "no such action"),
    ] {
        if let Some(rest) = message.strip_prefix(prefix)
            && let Some((_, list)) = rest.split_once(": ")
        {
            let name = |name: &str| {
                name.trim_start_matches("Action::")
                    .trim_matches('"')
                    .to_owned()
            };
            return (text, list.split(", ").map(name).collect());
        }
    }
    ("", Vec::new())
}

/// Places the fault at the first name in backticks that a file has as a whole word or string.
fn named(mut fault: Diagnostic, files: &[&File]) -> Diagnostic {
    let names = fault.message.split('`').skip(1).step_by(2);
    let place = names.filter(|name| !name.is_empty()).find_map(|name| {
        // A name with a namespace is several words.
        let word = name.rsplit("::").next().unwrap_or(name);
        files.iter().find_map(|file| {
            let (start, len) = source_scan::find_name(&file.text, word)?;
            Some(file.place(start, len))
        })
    });
    fault.place = place;
    fault
}

/// The names that the schema declares.
struct Declared<'a> {
    types: BTreeSet<&'a str>,
    actions: BTreeSet<&'a str>,
}

impl<'a> Declared<'a> {
    fn new(forms: &'a [Value]) -> Self {
        let of = |part: &'static str| {
            let spaces = forms.iter().filter_map(Value::as_object).flatten();
            spaces
                .filter_map(move |(_, space)| space.get(part)?.as_object())
                .flatten()
                .map(|(name, _)| name.as_str())
        };
        Self {
            types: of("entityTypes").chain(of("commonTypes")).collect(),
            actions: of("actions").collect(),
        }
    }

    fn help(&self, text: &str, name: &str) -> Option<String> {
        if text == "no such action" {
            let known = self.actions.iter().copied();
            return closest(name, known).map(|meant| format!("did you mean `{meant}`?"));
        }
        let lower = name.to_lowercase();
        let other = OTHER_NAMES
            .iter()
            .find(|(names, ..)| names.contains(&lower.as_str()));
        if let Some((_, what, meant)) = other {
            return Some(format!("for {what} write `{meant}`"));
        }
        let known = self.types.iter().copied().chain(VALUE_TYPES);
        Some(match closest(name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "declare it, or use a type of the schema or one of {}",
                VALUE_TYPES.join(", ")
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::{Schema, SchemaFragment};

    use super::*;

    #[test]
    fn unknown_types_have_place_and_help() {
        let found = |text: &str| {
            let file = File {
                name: "x.cedarschema".to_owned(),
                text: text.to_owned(),
            };
            let (fragment, _) = SchemaFragment::from_cedarschema_str(text).expect("a schema");
            let forms = [fragment.clone().to_json_value().expect("JSON")];
            let error = Schema::from_schema_fragments([fragment]).expect_err(text);
            let mut found = faults(&error, &[&file], &forms);
            found.sort_by(|left, right| left.message.cmp(&right.message));
            found
                .into_iter()
                .map(|fault| {
                    let place = fault.place.expect("a place");
                    let help = fault.help.unwrap_or_default();
                    (fault.message, help, (place.line, place.column, place.width))
                })
                .collect::<Vec<_>>()
        };
        let one = |message: &str, help: &str, place| (message.to_owned(), help.to_owned(), place);
        assert_eq!(
            found("// A Date.\nentity Dated = { at?: Date };"),
            [one(
                "no such type: `Date`",
                "for dates write `datetime`",
                (2, 23, 4)
            )]
        );
        assert_eq!(
            found("type A = { c: Dulation };\nentity B;"),
            [one(
                "no such type: `Dulation`",
                "did you mean `duration`?",
                (1, 15, 8)
            )]
        );
        assert_eq!(
            found("type A = { b: Int };\nentity B;"),
            [one(
                "no such type: `Int`",
                "for whole numbers write `Long`",
                (1, 15, 3)
            )]
        );
        assert_eq!(
            found("action write;\naction a in [wirte];"),
            [one(
                "no such action: `wirte`",
                "did you mean `write`?",
                (2, 14, 5)
            )]
        );
        let [(message, help, _)] = &found("entity A in [Rocketry];")[..] else {
            panic!("one fault")
        };
        assert_eq!(message, "no such type: `Rocketry`");
        assert!(help.contains("datetime"), "{help}");
    }
}
