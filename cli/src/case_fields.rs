//! The fields of a case, and the lines at which the cases of a file begin.

use serde_json::{Map, Value};

/// The fields that are no part of the request.
const OWN: [&str; 8] = [
    "description",
    "rules",
    "call",
    "given",
    "remove",
    "answer",
    "about",
    "usage",
];

/// Every field of a case, in alphabetical order. `after`, `email` and `key` are those of calls about
/// logins, and the others without those of `OWN` are the request.
const KNOWN: [&str; 21] = [
    "about",
    "action",
    "actor",
    "after",
    "amount",
    "answer",
    "call",
    "channel",
    "context",
    "description",
    "email",
    "given",
    "host",
    "key",
    "principal",
    "realm",
    "remove",
    "resource",
    "rules",
    "session_start",
    "usage",
];

/// The calls that a case can make.
const CALLS: [&str; 11] = [
    "authorize",
    "check",
    "consume",
    "escalate_ticket",
    "login",
    "login_by_key",
    "login_hosts",
    "open_ticket",
    "permitted_actions",
    "reply_ticket",
    "route_ticket",
];

/// Checks the names of a case's fields and its call.
pub(crate) fn check(case: &Map<String, Value>) -> Result<(), String> {
    if let Some(unknown) = case.keys().find(|field| !KNOWN.contains(&field.as_str())) {
        return Err(format!(
            "unknown field `{unknown}`: a case has {}",
            listed(&KNOWN)
        ));
    }
    match call(case) {
        call if CALLS.contains(&call) => Ok(()),
        other => Err(format!(
            "no call `{other}`: the calls are {}",
            listed(&CALLS)
        )),
    }
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Returns the call of a case.
pub(crate) fn call(case: &Map<String, Value>) -> &str {
    case.get("call")
        .and_then(Value::as_str)
        .unwrap_or("authorize")
}

/// Returns the fields of a case that make the request, as JSON.
pub(crate) fn request(case: &Map<String, Value>) -> String {
    let mut fields: Map<String, Value> = case
        .iter()
        .filter(|(key, _)| !OWN.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if let Some(about) = case.get("about") {
        fields.insert("resource".to_owned(), about.clone());
    }
    Value::Object(fields).to_string()
}

/// Returns the line at which each object of the list `cases` begins. The text is valid JSON.
pub(crate) fn lines(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let (mut depth, mut line, mut is_in_cases) = (0_usize, 1_usize, false);
    let mut key = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\n' => line = line.saturating_add(1),
            '"' => {
                let string = rest_of_string(&mut chars);
                if depth == 1 {
                    key = string;
                }
            }
            '{' | '[' => {
                depth = depth.saturating_add(1);
                if depth == 2 {
                    is_in_cases = c == '[' && key == "cases";
                } else if depth == 3 && is_in_cases {
                    found.push(line);
                }
            }
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found
}

fn rest_of_string(chars: &mut std::str::Chars<'_>) -> String {
    let mut string = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => string.extend(chars.next()),
            _ => string.push(c),
        }
    }
    string
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_cases() {
        let text = "{\"directory\": [\n{\"id\": \"\\\"[{\"}],\n\"cases\":\n [{\"a\": [{}]}, {},\n\n  {\"b\": \"}\"}], \"x\": [{}]}";
        assert_eq!(lines(text), [4, 4, 6]);
        assert_eq!(lines("[]"), Vec::<usize>::new());
    }

    #[test]
    fn unknown_names_are_refused() {
        let case = |text: &str| {
            let value: Value = serde_json::from_str(text).expect("JSON");
            check(value.as_object().expect("an object"))
        };
        assert_eq!(case("{\"call\": \"login\", \"email\": \"x\"}"), Ok(()));
        let field = case("{\"hots\": \"x\"}").expect_err("a field");
        assert!(
            field.starts_with("unknown field `hots`: a case has `about`")
                && field.ends_with("`usage`"),
            "{field}"
        );
        let call = case("{\"call\": \"fly\"}").expect_err("a call");
        assert!(
            call.starts_with("no call `fly`: the calls are `authorize`"),
            "{call}"
        );
    }
}
