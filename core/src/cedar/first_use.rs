//! Initialises everything that is created on first use: Cedar's parsers, patterns and names, and
//! the initial state of SQLite and of hash tables. A thread that needs such a value while another
//! thread creates it waits for that thread. A child process that was forked meanwhile does not have
//! that thread and would wait for ever. So everything is created at once, and a fork waits until it
//! is done.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use cedar_policy::{
    Authorizer, Context, Entities, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, Request,
    RestrictedExpression, Schema, SlotId, Template, ValidationMode, Validator,
};

use crate::util::fork_guard::ForkGuard;

const SCHEMA: &str = r#"
    entity Group enum ["g"];
    entity User in [User] = { "seen"?: datetime, "from"?: ipaddr, "score"?: decimal } tags String;
    action "use" appliesTo { principal: [User], resource: [User, Group], context: { "at": datetime, "from": ipaddr, "score": decimal, "for": duration } };
"#;

const POLICIES: &str = r#"
    @id("allow-whole-language")
    permit(principal is User, action == Action::"use", resource in User::"u") when {
        context.at.toDate() <= context.at.offset(context.for) && context.at.durationSince(datetime("2026-01-01T12:00:00.000+0100")) > duration("-1d2h3m4s5ms")
            && context.at.toTime().toMilliseconds() + context.for.toSeconds() + context.for.toMinutes() + context.for.toHours() + context.for.toDays() > -1
            && context.from.isInRange(ip("10.0.0.0/8")) && context.from.isIpv4() && !context.from.isIpv6() && !context.from.isLoopback() && !context.from.isMulticast()
            && context.score.lessThan(decimal("9.5")) && context.score.lessThanOrEqual(decimal("9.5"))
            && context.score.greaterThan(decimal("0.5")) && context.score.greaterThanOrEqual(decimal("0.5"))
            && principal.hasTag("t") && principal.getTag("t") like "*t" && [1, 2].contains(1) && [1].containsAll([1]) && [1].containsAny([1]) && ![1].isEmpty()
            && {"a": 1}.a == 1 && (if principal has seen then principal.seen < context.at else true)
    };
    @id("template")
    forbid(principal in ?principal, action, resource == ?resource) unless { true };
"#;

/// Initialises everything, once per process.
pub(crate) fn prepare() {
    static IS_DONE: AtomicBool = AtomicBool::new(false);
    if IS_DONE.load(Ordering::Acquire) {
        return;
    }
    let _pass = ForkGuard::new();
    drop(rusqlite::Connection::open_in_memory());
    // Cedar fails if little stack is left. Then the rest is created on first use.
    let _ = crate::util::stack::run(64, || Ok(touch()));
    IS_DONE.store(true, Ordering::Release);
}

/// Returns whether the policy of [`POLICIES`] allows, which it does if all of it was parsed and
/// evaluated.
fn touch() -> Option<bool> {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).ok()?;
    let mut set = PolicySet::from_str(POLICIES).ok()?;
    let parse = EntityUid::from_str;
    let (user, action) = (parse("User::\"u\"").ok()?, parse("Action::\"use\"").ok()?);
    let template = set.templates().next()?.id().clone();
    let slots = [
        (SlotId::principal(), parse("Group::\"g\"").ok()?),
        (SlotId::resource(), user.clone()),
    ];
    set.link(template, PolicyId::new("link"), slots.into())
        .ok()?;
    let is_valid = Validator::new(schema.clone())
        .validate(&set, ValidationMode::Strict)
        .validation_passed();
    let json = set.policies().next()?.to_json().ok()?;
    let read = Policy::from_json(None, json).ok()?;
    Template::parse(None, "permit(principal == ?principal, action, resource);").ok()?;
    EntityTypeName::from_str("A::B").ok()?;
    RestrictedExpression::from_str("[1, ip(\"::1\")]").ok()?;
    // Cedar's error messages have lazily created tables of their own.
    let is_refused =
        PolicySet::from_str("permit(").is_err() && Schema::from_cedarschema_str("entity").is_err();
    let records = serde_json::json!([{
        "uid": { "type": "User", "id": "u" },
        "attrs": { "seen": { "__extn": { "fn": "datetime", "arg": "2026-01-01" } }, "score": { "__extn": { "fn": "decimal", "arg": "1.0" } } },
        "parents": [],
        "tags": { "t": "t" },
    }]);
    let entities = Entities::from_json_value(records, Some(&schema)).ok()?;
    let context = serde_json::json!({ "at": "2026-11-28T00:00:00Z", "from": "10.1.2.3", "score": "1.5", "for": "1d" });
    let context = Context::from_json_value(context, Some((&schema, &action))).ok()?;
    let request = Request::new(user.clone(), action, user, context, Some(&schema)).ok()?;
    let answer = Authorizer::new().is_authorized(&request, &set, &entities);
    let is_allowed = answer.decision() == cedar_policy::Decision::Allow;
    Some(is_valid && is_refused && is_allowed && !read.to_string().is_empty())
}

#[cfg(test)]
mod tests {
    #[test]
    fn warm_up_program_loads_and_evaluates() {
        assert_eq!(super::touch(), Some(true));
    }
}
