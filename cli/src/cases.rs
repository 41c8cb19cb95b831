//! Cases beside the policies: requests with the answers that a policy author expects.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value, json};
use sublet::{ActionRef, Change, ConsumeOptions, Engine, EntityRef, Error, Record, Request};

use crate::case_fields;

/// The result of one case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseResult {
    /// The name of the file.
    pub file: String,
    /// The line of the file at which the case begins.
    pub line: usize,
    /// The case's description.
    pub description: String,
    /// The ids of the rules that the case shows.
    pub rules: Vec<String>,
    /// The policy that refused, if one did.
    pub decided_by: Option<String>,
    /// `None` if the case passed. Otherwise the expected and the actual answer.
    pub failure: Option<String>,
}

/// Runs every `*.json` file of a folder, or one file, against an engine. The directory of each file
/// replaces the engine's.
///
/// # Errors
/// Fails with a message if a file cannot be read or is not a file of cases.
pub fn run(engine: &Engine, path: &Path) -> Result<Vec<CaseResult>, String> {
    let mut results = Vec::new();
    for file in files(path)? {
        let text =
            std::fs::read_to_string(&file).map_err(|why| format!("{}: {why}", file.display()))?;
        let found =
            run_text(engine, &file, &text).map_err(|why| format!("{}: {why}", file.display()))?;
        results.extend(found);
    }
    Ok(results)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == "json"))
        .collect();
    files.sort();
    Ok(files)
}

fn run_text(engine: &Engine, file: &Path, text: &str) -> Result<Vec<CaseResult>, String> {
    let whole = sublet::read_json("cases", text).map_err(|error| error.to_string())?;
    let name = file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let directory = directory(file, whole.get("directory"))?;
    let cases = whole
        .get("cases")
        .and_then(Value::as_array)
        .ok_or("`cases` is missing or no list")?;
    let mut lines = case_fields::lines(text).into_iter();
    let mut results = Vec::new();
    for case in cases {
        let line = lines.next().unwrap_or_default();
        let case = case.as_object().ok_or("a case is an object")?;
        let text = |key: &str| {
            case.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let rules = case
            .get("rules")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let mut decided_by = None;
        let failure = run_case(engine, &directory, case, &mut decided_by).err();
        results.push(CaseResult {
            file: name.clone(),
            line,
            description: text("description"),
            rules,
            decided_by,
            failure,
        });
    }
    Ok(results)
}

fn directory(file: &Path, stated: Option<&Value>) -> Result<String, String> {
    match stated {
        Some(Value::String(name)) => {
            let path = file.parent().unwrap_or(Path::new(".")).join(name);
            std::fs::read_to_string(&path).map_err(|why| format!("{}: {why}", path.display()))
        }
        Some(Value::Array(records)) => Ok(records
            .iter()
            .flat_map(|record| [record.to_string(), "\n".to_owned()])
            .collect()),
        Some(_) => Err("`directory` is a file name or a list of records".to_owned()),
        None => Ok(String::new()),
    }
}

/// Runs a case. Fails with the words for people if the answer differs.
fn run_case(
    engine: &Engine,
    directory: &str,
    case: &Map<String, Value>,
    decided_by: &mut Option<String>,
) -> Result<(), String> {
    case_fields::check(case)?;
    let expected = case
        .get("answer")
        .and_then(Value::as_object)
        .ok_or("`answer` is missing or no object")?;
    if expected.is_empty() {
        return Err("`answer` compares nothing: name a field, such as `allowed`".to_owned());
    }
    let answer = match answer(engine, directory, case) {
        Ok(answer) => answer,
        Err(error) if expected.contains_key("error") => {
            json!({"error": error.code(), "message": error.to_string()})
        }
        Err(error) => {
            let code = error.code();
            return Err(format!("error `{code}` instead of an answer: {error}"));
        }
    };
    *decided_by = refusing_policy(&answer);
    for (field, wanted) in expected {
        let found = answer.get(field).unwrap_or(&Value::Null);
        let same = match (wanted, found) {
            // The case lists only the first policies; others may have contributed.
            (Value::Array(wanted), Value::Array(found)) if field == "policies" => {
                found.starts_with(wanted)
            }
            _ => wanted == found,
        };
        if !same {
            return Err(format!("`{field}` is {found}, not {wanted} ({answer})"));
        }
    }
    Ok(())
}

/// Returns the policy that refused, if an answer is a denial by a policy.
fn refusing_policy(answer: &Value) -> Option<String> {
    let decision = answer
        .get("decision")
        .filter(|decision| decision.is_object())
        .unwrap_or(answer);
    let is_denied = decision.get("allowed") == Some(&Value::Bool(false));
    // Limits come after the permits, and do not decide a request that no permit allows.
    let is_unpermitted = decision.get("code") == Some(&Value::from("not_permitted"));
    let first = decision.get("policies").and_then(|found| found.get(0));
    first
        .and_then(Value::as_str)
        .filter(|_| is_denied && !is_unpermitted)
        .map(str::to_owned)
}

/// Prepares the engine with the records and the usage of the case.
pub(crate) fn prepare(
    engine: &Engine,
    directory: &str,
    case: &Map<String, Value>,
) -> Result<(), Error> {
    engine.import(directory.as_bytes(), None, None)?;
    let mut changes = Vec::new();
    for reference in case
        .get("remove")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        changes.push(Change::Remove(
            serde_json::from_value(reference.clone()).unwrap_or_else(|_| EntityRef::new("", "")),
        ));
    }
    for record in case
        .get("given")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let record = Record::from_value(record.clone())?;
        // An earlier case may have had the id, and the import removed it.
        changes.extend([Change::Resume(record.reference()), Change::Put(record)]);
    }
    if !changes.is_empty() {
        engine.apply_changes(changes, None)?;
    }
    engine.reset_counts()?;
    for used in case
        .get("usage")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |key: &str| used.get(key).and_then(Value::as_str);
        let amount = used
            .get("used")
            .and_then(Value::as_i64)
            .ok_or_else(|| Error::Amount {
                amount: used.to_string(),
            })?;
        engine.carry_over(
            text("account").unwrap_or_default(),
            text("member"),
            text("meter").unwrap_or_default(),
            amount,
            None,
        )?;
    }
    Ok(())
}

fn answer(engine: &Engine, directory: &str, case: &Map<String, Value>) -> Result<Value, Error> {
    prepare(engine, directory, case)?;
    let text = |key: &str| case.get(key).and_then(Value::as_str).unwrap_or_default();
    let call = case_fields::call(case);
    if call == "login" {
        let flow = case
            .get("action")
            .and_then(Value::as_str)
            .map(ActionRef::from);
        return Ok(value(&engine.login(text("host"), text("email"), flow)?));
    }
    if call == "login_by_key" {
        return Ok(value(&engine.login_by_key(text("host"), text("key"))?));
    }
    if call == "login_hosts" {
        let given = |key: &str| case.get(key).and_then(Value::as_str);
        let principal = case
            .get("principal")
            .and_then(|principal| serde_json::from_value::<EntityRef>(principal.clone()).ok());
        let principal = principal.unwrap_or_else(|| EntityRef::new("", ""));
        return Ok(value(&engine.login_hosts(
            &principal,
            given("host"),
            given("action").map(ActionRef::from),
            given("after"),
        )?));
    }
    answer_request(engine, case, call)
}

fn answer_request(engine: &Engine, case: &Map<String, Value>, call: &str) -> Result<Value, Error> {
    let mut request = Request::from_json(&case_fields::request(case))?;
    match call {
        "authorize" => Ok(value(&engine.authorize(&request)?)),
        "consume" => {
            let take = ConsumeOptions::new(request.environment.amount.take().unwrap_or(1));
            Ok(value(&engine.consume(&request, &take)?))
        }
        "check" => Ok(json!({"allowed": engine.check(&request)?})),
        "route_ticket" => Ok(value(&engine.route_ticket(
            &request.principal,
            &request.resource,
            &request.environment,
        )?)),
        "open_ticket" => Ok(value(&engine.open_ticket(
            &request.principal,
            &request.resource,
            &request.environment,
        )?)),
        "reply_ticket" => Ok(value(&engine.reply_ticket(
            &request.principal,
            &request.resource,
            &request.environment,
        )?)),
        "escalate_ticket" => Ok(value(&engine.escalate_ticket(
            &request.principal,
            &request.resource,
            &request.environment,
        )?)),
        "permitted_actions" => Ok(
            json!({"actions": engine.permitted_actions(&request.principal, &request.resource, &request.environment)?}),
        ),
        other => Ok(json!({"error": format!("no call `{other}`")})),
    }
}

fn value(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).unwrap_or(Value::Null)
}
