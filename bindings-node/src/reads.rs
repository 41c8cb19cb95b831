//! Methods that read: requests, look-ups and lists. They cross as text both ways. `methods.js` has
//! both forms of each.

use serde::Deserialize;
use serde_json::json;
use sublet::{DEFAULT_HOSTS_LIMIT, Engine, EntityRef, Error, Request};

use crate::directory::reload;
use crate::dispatch::Answer;
use crate::json::{exact_text, read, text_of};

/// Calls a method that reads. Returns `None` for other names.
pub(crate) fn dispatch_read(engine: &Engine, verb: &str, texts: &[String]) -> Option<Answer> {
    let text = |at: usize| texts.get(at).map_or("", String::as_str);
    let answer = match verb {
        "login" => {
            let flow = texts
                .get(2)
                .zip(texts.get(3))
                .map(|(kind, name)| (kind.as_str(), name.as_str()).into());
            engine
                .login(text(0), text(1), flow)
                .and_then(|login| exact_text(&login))
        }
        "loginByKey" => engine
            .login_by_key(text(0), text(1))
            .and_then(|login| exact_text(&login)),
        "exportLines" => export(engine),
        "getRecord" => engine
            .get_record(&EntityRef::new(text(0), text(1)))
            .and_then(|record| exact_text(&record)),
        "domainProof" => engine.domain_proof(text(0), texts.get(1).map(String::as_str)),
        "hostsOf" => hosts_of(engine, text(0)),
        "explain" => explain(engine, text(0), texts.get(1).map(String::as_str)),
        "reload" => reload(engine, text(0)),
        "refresh" => Ok(engine.revision().to_string()),
        _ => return dispatch_request(engine, verb, text(0)),
    };
    Some(answer)
}

/// Calls a method that decides a request. Returns `None` for other names.
fn dispatch_request(engine: &Engine, verb: &str, text: &str) -> Option<Answer> {
    let call: fn(&Engine, &Request) -> Answer = match verb {
        "authorize" => |engine, request| exact_text(&engine.authorize(request)?),
        "check" => |engine, request| text_of(&engine.check(request)?),
        "permittedActions" => |engine, request| {
            text_of(&engine.permitted_actions(
                &request.principal,
                &request.resource,
                &request.environment,
            )?)
        },
        "routeTicket" => |engine, request| {
            exact_text(&engine.route_ticket(
                &request.principal,
                &request.resource,
                &request.environment,
            )?)
        },
        "openTicket" => |engine, request| {
            exact_text(&engine.open_ticket(
                &request.principal,
                &request.resource,
                &request.environment,
            )?)
        },
        "replyTicket" => |engine, request| {
            exact_text(&engine.reply_ticket(
                &request.principal,
                &request.resource,
                &request.environment,
            )?)
        },
        "escalateTicket" => |engine, request| {
            exact_text(&engine.escalate_ticket(
                &request.principal,
                &request.resource,
                &request.environment,
            )?)
        },
        _ => return None,
    };
    Some(Request::from_json(text).and_then(|request| call(engine, &request)))
}

/// The form of `hostsOf`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostsOfJson {
    account: String,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

fn hosts_of(engine: &Engine, form: &str) -> Answer {
    let form: HostsOfJson = read("hosts", form)?;
    let limit = form.limit.unwrap_or(DEFAULT_HOSTS_LIMIT);
    exact_text(&engine.hosts_of(&form.account, form.after.as_deref(), limit)?)
}

fn explain(engine: &Engine, request: &str, language: Option<&str>) -> Answer {
    let request = Request::from_json(request)?;
    let explanation = engine.explain_in(&request, language)?;
    exact_text(&json!({
        "explanation": explanation,
        "text": explanation.to_string(),
        "verbose": explanation.verbose(),
    }))
}

fn export(engine: &Engine) -> Result<String, Error> {
    let mut lines = Vec::new();
    engine.export(&mut lines)?;
    Ok(String::from_utf8_lossy(&lines).into_owned())
}
