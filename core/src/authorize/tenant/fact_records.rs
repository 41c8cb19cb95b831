//! Builds the facts as records, for policies that read the facts or a part of them as one record.

use super::symbols::{self, root};
use crate::vm::{Heap, Value};

/// Returns a register's value, if it holds one.
fn get(roots: &[Value; root::COUNT], at: u8) -> Option<Value> {
    roots.get(usize::from(at))?.ok()
}

/// Puts the record of those fields that hold a value into the register `to`, if the request has
/// the fact that the record tells of.
fn build(
    roots: &mut [Value; root::COUNT],
    (fact, to): (u8, u8),
    fields: impl IntoIterator<Item = (u32, u8)>,
    space: &mut Heap<'_>,
) {
    let fields = fields.into_iter();
    let values = fields.filter_map(|(name, at)| Some((name, get(roots, at)?)));
    let mut values: Vec<(u32, Value)> = values.collect();
    if get(roots, fact).is_some()
        && let Some(register) = roots.get_mut(usize::from(to))
    {
        *register = space.record(&mut values);
    }
}

/// Builds the facts as records, from their registers.
pub(super) fn build_records(roots: &mut [Value; root::COUNT], space: &mut Heap<'_>) {
    let parts = |names: [u32; 3], first: u8| names.into_iter().zip(first..);
    let login_parts = [
        symbols::ACCOUNT_OF,
        symbols::MEMBER_OF,
        symbols::OPERATOR_OF,
    ];
    let login = parts(login_parts, root::LOGIN_ACCOUNT);
    let actor = parts(login_parts, root::ACTOR_ACCOUNT);
    let counts = [symbols::USED, symbols::HELD, symbols::LIMIT];
    let account_counts = parts(counts, root::ACCOUNT_USED);
    let member_counts = parts(counts, root::MEMBER_USED);
    let quota = [
        (symbols::METER_OF, root::QUOTA_METER),
        (symbols::AMOUNT, root::QUOTA_AMOUNT),
        (symbols::ACCOUNT_OF, root::QUOTA_ACCOUNT),
        (symbols::MEMBER_OF, root::QUOTA_MEMBER),
    ];
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
    let realm = [(symbols::OWNER, root::REALM_OWNER)];
    // A record comes after those that it contains. The registers of `quota` and of its parts get
    // the records themselves, because programs only test whether these registers hold a value.
    let (account, member) = (root::QUOTA_ACCOUNT, root::QUOTA_MEMBER);
    build(roots, (account, account), account_counts, space);
    build(roots, (member, member), member_counts, space);
    build(roots, (root::QUOTA, root::QUOTA), quota, space);
    let principal = root::PRINCIPAL;
    build(roots, (principal, root::WHOLE_LOGIN), login, space);
    build(roots, (root::ACTOR, root::WHOLE_ACTOR), actor, space);
    build(roots, (root::REALM, root::WHOLE_REALM), realm, space);
    build(roots, (principal, root::WHOLE_FACTS), facts, space);
    let mut context = match get(roots, root::CONTEXT) {
        Some(Value::Record(record)) => space.fields(record).to_vec(),
        _ => Vec::new(),
    };
    context.extend(get(roots, root::WHOLE_FACTS).map(|facts| (symbols::FACTS, facts)));
    if let Some(register) = roots.get_mut(usize::from(root::WHOLE_CONTEXT)) {
        *register = space.record(&mut context);
    }
}
