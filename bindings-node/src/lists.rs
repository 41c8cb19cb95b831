//! Lists of records, and the export of one account. They cross as text both ways.

use serde::Deserialize;
use sublet::{DEFAULT_LIST_LIMIT, Engine, ListKind, Request};

use crate::dispatch::Answer;
use crate::json::{exact_text, read};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListJson {
    kind: String,
    account: String,
    after: Option<String>,
    limit: Option<usize>,
}

/// Returns a page. `reader` is the request of the login that reads, without an action.
fn list_records(engine: &Engine, form: &str, reader: Option<&str>) -> Answer {
    let form: ListJson = read("listRecords", form)?;
    let reader = reader.map(Request::from_json).transpose()?;
    let page = engine.list_records(
        ListKind::from_name(&form.kind)?,
        &form.account,
        reader
            .as_ref()
            .map(|reader| (&reader.principal, &reader.environment)),
        form.after.as_deref(),
        form.limit.unwrap_or(DEFAULT_LIST_LIMIT),
    )?;
    exact_text(&page)
}

fn export_account(engine: &Engine, account: &str) -> Answer {
    let mut lines = Vec::new();
    engine.export_account(account, &mut lines)?;
    Ok(String::from_utf8_lossy(&lines).into_owned())
}

/// Calls a method about the records of one account. Returns `None` for other names.
pub(crate) fn dispatch_lists(engine: &Engine, verb: &str, texts: &[String]) -> Option<Answer> {
    let given = |at: usize| texts.get(at).map(String::as_str);
    let text = |at: usize| given(at).unwrap_or_default();
    let answer = match verb {
        "listRecords" => list_records(engine, text(0), given(1)),
        "exportAccount" => export_account(engine, text(0)),
        _ => return None,
    };
    Some(answer)
}
