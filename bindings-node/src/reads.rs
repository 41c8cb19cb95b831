//! Methods that read: requests, lookups and lists. They cross as text both ways. `methods.js` has
//! both forms of each.

use serde_json::json;
use sublet::{Engine, EntityRef, Error, Request};

use crate::quota::{Answer, exact_text, reload};
use crate::text_of;

/// Calls a method that reads. Returns `None` for other names.
pub(crate) fn dispatch_read(engine: &Engine, verb: &str, texts: &[String]) -> Option<Answer> {
    let text = |at: usize| texts.get(at).map_or("", String::as_str);
    let asked = || Request::from_json(text(0));
    let ticket =
        |ask: fn(&Engine, &Request) -> Answer| asked().and_then(|asked| ask(engine, &asked));
    let answer = match verb {
        "authorize" => asked().and_then(|asked| exact_text(&engine.authorize(&asked)?)),
        "check" => asked().and_then(|asked| text_of(&engine.check(&asked)?)),
        "explain" => asked().and_then(|asked| {
            let explanation = engine.explain(&asked)?;
            exact_text(&json!({"explanation": explanation, "text": explanation.to_string()}))
        }),
        "permittedActions" => asked().and_then(|asked| {
            text_of(&engine.permitted_actions(
                &asked.principal,
                &asked.resource,
                &asked.environment,
            )?)
        }),
        "login" => {
            let flow = texts
                .get(2)
                .zip(texts.get(3))
                .map(|(kind, name)| (kind.as_str(), name.as_str()).into());
            engine
                .login(text(0), text(1), flow)
                .and_then(|login| exact_text(&login))
        }
        "routeTicket" => ticket(|engine, asked| {
            exact_text(&engine.route_ticket(
                &asked.principal,
                &asked.resource,
                &asked.environment,
            )?)
        }),
        "openTicket" => ticket(|engine, asked| {
            exact_text(&engine.open_ticket(
                &asked.principal,
                &asked.resource,
                &asked.environment,
            )?)
        }),
        "replyTicket" => ticket(|engine, asked| {
            exact_text(&engine.reply_ticket(
                &asked.principal,
                &asked.resource,
                &asked.environment,
            )?)
        }),
        "escalateTicket" => ticket(|engine, asked| {
            exact_text(&engine.escalate_ticket(
                &asked.principal,
                &asked.resource,
                &asked.environment,
            )?)
        }),
        "exportLines" => export(engine),
        "getRecord" => engine
            .get_record(&EntityRef::new(text(0), text(1)))
            .and_then(|record| exact_text(&record)),
        "domainProof" => engine.domain_proof(text(0)),
        "reload" => reload(engine, text(0)),
        "refresh" => Ok(engine.revision().to_string()),
        _ => return None,
    };
    Some(answer)
}

fn export(engine: &Engine) -> Result<String, Error> {
    let mut lines = Vec::new();
    engine.export(&mut lines)?;
    Ok(String::from_utf8_lossy(&lines).into_owned())
}
