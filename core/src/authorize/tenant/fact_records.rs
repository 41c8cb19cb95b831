//! Builds the facts as records, for policies that read the facts or a part of them as one record.

use super::symbols::{self, root};
use crate::vm::{Heap, Value};

/// Returns a register's value.
fn get(roots: &[Value; root::COUNT], at: u8) -> Value {
    roots
        .get(usize::from(at))
        .copied()
        .unwrap_or(Value::Missing)
}

fn put(roots: &mut [Value; root::COUNT], at: u8, value: Value) {
    if let Some(register) = roots.get_mut(usize::from(at)) {
        *register = value;
    }
}

/// Returns a record of those registers that hold a value.
fn record(roots: &[Value; root::COUNT], fields: &[(u32, u8)], space: &mut Heap<'_>) -> Value {
    let mut fields: Vec<(u32, Value)> = fields
        .iter()
        .map(|(name, at)| (*name, get(roots, *at)))
        .collect();
    fields.retain(|(_, value)| !matches!(value, Value::Missing | Value::Poison));
    space.record(&mut fields)
}

/// Builds the facts as records, from their registers.
pub(super) fn build_records(roots: &mut [Value; root::COUNT], space: &mut Heap<'_>) {
    quota_whole(roots, space);
    let login = [
        (symbols::ACCOUNT_OF, root::LOGIN_ACCOUNT),
        (symbols::MEMBER_OF, root::LOGIN_MEMBER),
        (symbols::OPERATOR_OF, root::LOGIN_OPERATOR),
    ];
    let actor = [
        (symbols::ACCOUNT_OF, root::ACTOR_ACCOUNT),
        (symbols::MEMBER_OF, root::ACTOR_MEMBER),
        (symbols::OPERATOR_OF, root::ACTOR_OPERATOR),
    ];
    let login = record(roots, &login, space);
    put(roots, root::WHOLE_LOGIN, login);
    let actor = if_present(roots, root::ACTOR, record(roots, &actor, space));
    put(roots, root::WHOLE_ACTOR, actor);
    let realm = record(roots, &[(symbols::OWNER, root::REALM_OWNER)], space);
    put(
        roots,
        root::WHOLE_REALM,
        if_present(roots, root::REALM, realm),
    );
    let facts = [
        (symbols::LOGIN, root::WHOLE_LOGIN),
        (symbols::ACTOR, root::WHOLE_ACTOR),
        (symbols::REALM, root::WHOLE_REALM),
        (symbols::ACCOUNT_OF, root::ACCOUNT),
        (symbols::HOST, root::HOST),
        (symbols::HOST_REFUSED, root::HOST_REFUSED),
        (symbols::DOMAIN_OF, root::DOMAIN),
        (symbols::CHANNEL_OF, root::CHANNEL),
        (symbols::FEATURE_OF, root::FEATURE),
        (symbols::AMOUNT, root::AMOUNT),
        (symbols::SESSION_START, root::SESSION_START),
        (symbols::NOT_BEFORE, root::NOT_BEFORE),
        (symbols::QUOTA, root::QUOTA),
    ];
    let facts = record(roots, &facts, space);
    let mut context = match get(roots, root::CONTEXT) {
        Value::Record(record) => space.fields(record).to_vec(),
        _ => Vec::new(),
    };
    context.push((symbols::FACTS, facts));
    let context = space.record(&mut context);
    put(roots, root::WHOLE_FACTS, facts);
    put(roots, root::WHOLE_CONTEXT, context);
}

/// Builds `context.facts.quota`.
fn quota_whole(roots: &mut [Value; root::COUNT], space: &mut Heap<'_>) {
    let mut count = |first: u8| {
        let fields: Vec<(u32, u8)> = [symbols::USED, symbols::HELD, symbols::LIMIT]
            .into_iter()
            .zip(first..)
            .collect();
        record(roots, &fields, space)
    };
    let (account, member) = (count(root::ACCOUNT_USED), count(root::MEMBER_USED));
    let mut fields = vec![
        (symbols::METER_OF, get(roots, root::QUOTA_METER)),
        (symbols::AMOUNT, get(roots, root::QUOTA_AMOUNT)),
        (symbols::ACCOUNT_OF, account),
        (
            symbols::MEMBER_OF,
            if_present(roots, root::QUOTA_MEMBER, member),
        ),
    ];
    fields.retain(|(_, value)| !matches!(value, Value::Missing | Value::Poison));
    let quota = if_present(roots, root::QUOTA, space.record(&mut fields));
    put(roots, root::QUOTA, quota);
}

/// Returns `whole`, or [`Value::Missing`] if the register at `at` is missing.
fn if_present(roots: &[Value; root::COUNT], at: u8, whole: Value) -> Value {
    if get(roots, at) == Value::Missing {
        Value::Missing
    } else {
        whole
    }
}
