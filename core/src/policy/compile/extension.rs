//! Extension values: Cedar reads their texts, we keep what they are.

use std::str::FromStr;

use cedar_policy::{Context, Entities, EntityUid, EvalResult, Expression, Request, eval_expression};

use crate::eval::{Constructed, Ip, Own, Unary, Value};

/// What Cedar makes of `text` in the constructor; nothing where it refuses it.
pub(in crate::policy) fn construct(what: Unary, text: &str) -> Option<Constructed> {
    let expression = match what {
        Unary::Decimal => Expression::new_decimal(text),
        Unary::Datetime => Expression::new_datetime(text),
        Unary::Duration => Expression::new_duration(text),
        Unary::Ip => Expression::new_ip(text),
        _ => return None,
    };
    match evaluate(&expression)? {
        EvalResult::ExtensionValue(text) => constructed(what, &text),
        _ => None,
    }
}

/// An extension value that Cedar prints as `text`.
pub(in crate::policy) fn value_of(text: &str) -> Option<Constructed> {
    [Unary::Decimal, Unary::Ip, Unary::Duration, Unary::Datetime].into_iter().find_map(|what| constructed(what, text))
}

/// A value that a host keeps with a record.
pub(in crate::policy) fn own(value: &EvalResult) -> Option<Own> {
    Some(match value {
        EvalResult::Bool(value) => Own::Bool(*value),
        EvalResult::Long(value) => Own::Long(*value),
        EvalResult::String(text) => Own::Text(text.as_str().into()),
        EvalResult::EntityUid(uid) => Own::Entity(uid.type_name().to_string().into(), uid.id().unescaped().into()),
        EvalResult::Set(set) => Own::Set(set.iter().map(own).collect::<Option<_>>()?),
        EvalResult::Record(record) => Own::Record(record.iter().map(|(name, value)| Some((name.as_str().into(), own(value)?))).collect::<Option<_>>()?),
        EvalResult::ExtensionValue(text) => match value_of(text)? {
            Constructed::Value(value) => Own::Extension(value),
            Constructed::Ip(ip) => Own::Ip(ip),
        },
    })
}

fn constructed(what: Unary, text: &str) -> Option<Constructed> {
    let long = |expression: String| match evaluate(&Expression::from_str(&expression).ok()?)? {
        EvalResult::Long(value) => Some(value),
        _ => None,
    };
    match what {
        Unary::Decimal => ten_thousandths(text.strip_prefix("decimal(\"")?.strip_suffix("\")")?).map(Value::Decimal).map(Constructed::Value),
        Unary::Ip => Ip::parse(text.strip_prefix("ip(\"")?.strip_suffix("\")")?).map(Constructed::Ip),
        Unary::Duration => long(format!("({text}).toMilliseconds()")).map(Value::Duration).map(Constructed::Value),
        Unary::Datetime => long(format!("({text}).durationSince(datetime(\"1970-01-01\")).toMilliseconds()")).map(Value::Datetime).map(Constructed::Value),
        _ => None,
    }
}

/// `-1.23` as -12300. Cedar has refused everything but digits around one point, at most four behind it.
fn ten_thousandths(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.')?;
    let digits: String = whole.chars().chain(part.chars()).collect();
    let behind = u32::try_from(part.len()).ok()?;
    digits.parse::<i64>().ok()?.checked_mul(10_i64.checked_pow(4_u32.checked_sub(behind)?)?)
}

fn evaluate(expression: &Expression) -> Option<EvalResult> {
    let nobody = EntityUid::from_str("Nobody::\"\"").ok()?;
    let request = Request::new(nobody.clone(), nobody.clone(), nobody, Context::empty(), None).ok()?;
    // Cedar errs where the stack runs low, whatever the text.
    crate::stack::run(1, || Ok(eval_expression(&request, &Entities::empty(), expression).ok())).ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cedar_reads_is_kept_exactly() {
        let value = |what, text| match construct(what, text) {
            Some(Constructed::Value(value)) => Some(value),
            _ => None,
        };
        assert_eq!(value(Unary::Decimal, "-0.5"), Some(Value::Decimal(-5_000)));
        assert_eq!(value(Unary::Decimal, "922337203685477.5807"), Some(Value::Decimal(i64::MAX)));
        assert_eq!(value(Unary::Decimal, "-922337203685477.5808"), Some(Value::Decimal(i64::MIN)));
        assert_eq!(value(Unary::Decimal, "1"), None);
        assert_eq!(value(Unary::Duration, "-1d2h"), Some(Value::Duration(-93_600_000)));
        assert_eq!(value(Unary::Datetime, "1969-12-31T23:59:59.999Z"), Some(Value::Datetime(-1)));
        assert_eq!(value(Unary::Datetime, "2024-02-30"), None);
        for (text, prefix) in [("10.0.0.0/8", 8), ("::1", 128), ("127.0.0.1", 32)] {
            assert!(matches!(construct(Unary::Ip, text), Some(Constructed::Ip(ip)) if ip.prefix == prefix), "{text}");
        }
        assert_eq!(construct(Unary::Ip, "10.0.0.0/33"), None);
    }
}
