//! Extension values: reads their texts as Cedar does, into our own representation.

use std::str::FromStr;

use cedar_policy::{
    Context, Entities, EntityUid, EvalResult, Expression, Request, eval_expression,
};
use jiff::civil::Date;
use once_cell::race::OnceBox;

use crate::vm::{ConstructedValue, Ip, StoredValue, Unary, Value};

/// Returns the extension value that Cedar constructs from `text`, or `None` if Cedar refuses it.
pub(crate) fn construct(what: Unary, text: &str) -> Option<ConstructedValue> {
    construct_usual(what, text).or_else(|| construct_with_cedar(what, text))
}

/// Returns the value of a text that needs no help from Cedar, which takes thousands of instructions
/// for each text. A test compares the two.
fn construct_usual(what: Unary, text: &str) -> Option<ConstructedValue> {
    match what {
        Unary::Datetime => parse_datetime(text).map(Value::Datetime),
        Unary::Decimal => parse_decimal(text).map(Value::Decimal),
        Unary::Ip => return usual_address(text).map(ConstructedValue::Ip),
        _ => None,
    }
    .map(ConstructedValue::Value)
}

/// Returns the address of a text without a prefix. Cedar refuses an IPv4 address inside an IPv6
/// address.
fn usual_address(text: &str) -> Option<Ip> {
    let has = |wanted: u8| text.bytes().any(|byte| byte == wanted);
    if has(b':') && has(b'.') {
        return None;
    }
    text.parse().ok().map(Ip::of_address)
}

fn construct_with_cedar(what: Unary, text: &str) -> Option<ConstructedValue> {
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

/// Returns the extension value that Cedar prints as `text`.
pub(crate) fn value_of(text: &str) -> Option<ConstructedValue> {
    [Unary::Decimal, Unary::Ip, Unary::Duration, Unary::Datetime]
        .into_iter()
        .find_map(|what| constructed(what, text))
}

/// Converts a custom attribute of the host to a stored value.
pub(crate) fn stored_value(value: &EvalResult) -> Option<StoredValue> {
    Some(match value {
        EvalResult::Bool(value) => StoredValue::Bool(*value),
        EvalResult::Long(value) => StoredValue::Long(*value),
        EvalResult::String(text) => StoredValue::Text(text.as_str().into()),
        EvalResult::EntityUid(uid) => StoredValue::Entity(
            uid.type_name().to_string().into(),
            uid.id().unescaped().into(),
        ),
        EvalResult::Set(set) => {
            StoredValue::Set(set.iter().map(stored_value).collect::<Option<_>>()?)
        }
        EvalResult::Record(record) => StoredValue::Record(
            record
                .iter()
                .map(|(name, value)| Some((name.as_str().into(), stored_value(value)?)))
                .collect::<Option<_>>()?,
        ),
        EvalResult::ExtensionValue(text) => StoredValue::Extension(value_of(text)?),
    })
}

fn constructed(what: Unary, text: &str) -> Option<ConstructedValue> {
    let argument = |name: &str| {
        let quoted = text.strip_prefix(name)?;
        quoted.strip_prefix("(\"")?.strip_suffix("\")")
    };
    match what {
        Unary::Decimal => parse_decimal(argument("decimal")?).map(Value::Decimal),
        Unary::Ip => return Ip::parse(argument("ip")?).map(ConstructedValue::Ip),
        // Cedar prints results of other functions as calls, so Cedar evaluates them itself.
        Unary::Duration => argument("duration")
            .and_then(parse_duration)
            .or_else(|| evaluate_long(&format!("({text}).toMilliseconds()")))
            .map(Value::Duration),
        Unary::Datetime => argument("datetime")
            .and_then(parse_datetime)
            .or_else(|| {
                let since = format!("({text}).durationSince(datetime(\"1970-01-01\"))");
                evaluate_long(&format!("{since}.toMilliseconds()"))
            })
            .map(Value::Datetime),
        _ => None,
    }
    .map(ConstructedValue::Value)
}

fn evaluate_long(expression: &str) -> Option<i64> {
    match evaluate(&Expression::from_str(expression).ok()?)? {
        EvalResult::Long(value) => Some(value),
        _ => None,
    }
}

/// Parses a text such as `-1d2h3m4s5ms` to milliseconds. Cedar must have accepted the text.
fn parse_duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = text
        .strip_prefix('-')
        .map_or((1, text), |rest| (-1_i128, rest));
    let mut sum = 0_i128;
    while !rest.is_empty() {
        let (count, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let end = after.find(|c: char| c.is_ascii_digit());
        let (unit, after) = after.split_at_checked(end.unwrap_or(after.len()))?;
        let millis = match unit {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return None,
        };
        sum = sum.checked_add(count.parse::<i128>().ok()?.checked_mul(millis)?)?;
        rest = after;
    }
    i64::try_from(sum.checked_mul(sign)?).ok()
}

const EPOCH: Date = Date::constant(1970, 1, 1);

/// Parses a text such as `2024-10-15T11:35:00.000+0130`, with or without a time, to milliseconds
/// since 1970. Returns `None` if Cedar refuses the text.
fn parse_datetime(text: &str) -> Option<i64> {
    let (date, time) = text.as_bytes().split_at_checked(10)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else {
        return None;
    };
    let year = number([y1, y2, y3, y4])?;
    let date = Date::new(year, number([m1, m2])?, number([d1, d2])?).ok()?;
    let midnight = date.duration_since(EPOCH).as_secs();
    let minutes = |[h1, h2]: [u8; 2], [m1, m2]: [u8; 2]| {
        let (hour, minute): (i64, i64) = (number([h1, h2])?, number([m1, m2])?);
        let minutes = hour.checked_mul(60)?.checked_add(minute)?;
        (hour < 24 && minute < 60).then_some(minutes)
    };
    let [b'T', h1, h2, b':', m1, m2, b':', s1, s2, ref rest @ ..] = *time else {
        return midnight.checked_mul(1_000).filter(|_| time.is_empty());
    };
    let (millis, zone) = match *rest {
        [b'.', f1, f2, f3, ref zone @ ..] => (number([f1, f2, f3])?, zone),
        _ => (0, rest),
    };
    let ahead = match *zone {
        [b'Z'] => 0,
        [b'+', h1, h2, m1, m2] => minutes([h1, h2], [m1, m2])?,
        [b'-', h1, h2, m1, m2] => minutes([h1, h2], [m1, m2])?.checked_neg()?,
        _ => return None,
    };
    let minutes = minutes([h1, h2], [m1, m2])?.checked_sub(ahead)?;
    let second = number([s1, s2]).filter(|second| *second < 60)?;
    let seconds = minutes.checked_mul(60)?.checked_add(second)?;
    midnight
        .checked_add(seconds)?
        .checked_mul(1_000)?
        .checked_add(millis)
}

/// Returns the number of these digits, at most 18 of them.
fn number<T: TryFrom<i64>, const N: usize>(digits: [u8; N]) -> Option<T> {
    let number = digits.into_iter().try_fold(0_i64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(i64::from(digit))
    })?;
    T::try_from(number).ok()
}

/// Parses a text such as `-1.23` to -12300. Returns `None` if Cedar refuses the text.
fn parse_decimal(text: &str) -> Option<i64> {
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or(("", text), |digits| ("-", digits));
    let (whole, part) = digits.split_once('.')?;
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let scale = 4_u32.checked_sub(u32::try_from(part.len()).ok()?)?;
    let number: i64 = [sign, whole, part].concat().parse().ok()?;
    number.checked_mul(10_i64.checked_pow(scale)?)
}

/// Returns a request without information. It is built once, because Cedar parses its names.
fn nobody() -> Option<&'static Request> {
    static NOBODY: OnceBox<Request> = OnceBox::new();
    let make = || {
        let uid = EntityUid::from_str("Nobody::\"\"").ok()?;
        let request = Request::new(uid.clone(), uid.clone(), uid, Context::empty(), None);
        request.ok().map(Box::new)
    };
    NOBODY.get_or_try_init(|| make().ok_or(())).ok()
}

fn evaluate(expression: &Expression) -> Option<EvalResult> {
    // Cedar's evaluator fails for any text if little stack is left.
    crate::util::stack::run(1, || {
        Ok(nobody()
            .and_then(|request| eval_expression(request, &Entities::empty(), expression).ok()))
    })
    .ok()?
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
mod tests {
    use super::*;

    /// Every text of a usual form, and texts that differ from one in a character or two.
    #[test]
    fn usual_forms_equal_cedars() {
        let forms = [
            (Unary::Datetime, "2024-02-29"),
            (Unary::Datetime, "1999-12-31T23:59:59Z"),
            (Unary::Datetime, "0001-01-01T00:00:00.000Z"),
            (Unary::Decimal, "-12.3456"),
            (Unary::Decimal, "99999999999999.9999"),
            (Unary::Ip, "203.0.113.25"),
            (Unary::Ip, "2001:db8::1"),
            (Unary::Ip, "::ffff:1.2.3.4"),
        ];
        let letters = b"0123456789-.:TZ+/f ";
        let (mut seed, mut usual) = (7_usize, 0_usize);
        let mut random = |below: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for round in 0..4_000 {
            let (what, form) = forms[random(forms.len())];
            let mut text = form.as_bytes().to_vec();
            for _ in 0..round % 4 {
                let at = random(text.len());
                match random(6) {
                    0 => drop(text.remove(at)),
                    1 => text.insert(at, letters[random(letters.len())]),
                    2 => text[at] = letters[random(letters.len())],
                    _ => text[at] = letters[random(10)],
                }
                if text.is_empty() {
                    text.push(b'0');
                }
            }
            let text = String::from_utf8(text).expect("ASCII");
            if let found @ Some(_) = construct_usual(what, &text) {
                usual += 1;
                assert_eq!(found, construct_with_cedar(what, &text), "{text}");
            }
        }
        assert!(usual > 1_000, "{usual}");
    }

    #[test]
    fn extension_values_equal_cedars() {
        let value = |what, text| match construct(what, text) {
            Some(ConstructedValue::Value(value)) => Some(value),
            _ => None,
        };
        assert_eq!(value(Unary::Decimal, "-0.5"), Some(Value::Decimal(-5_000)));
        assert_eq!(
            value(Unary::Decimal, "922337203685477.5807"),
            Some(Value::Decimal(i64::MAX))
        );
        assert_eq!(
            value(Unary::Decimal, "-922337203685477.5808"),
            Some(Value::Decimal(i64::MIN))
        );
        assert_eq!(value(Unary::Decimal, "1"), None);
        assert_eq!(
            value(Unary::Duration, "-1d2h"),
            Some(Value::Duration(-93_600_000))
        );
        assert_eq!(
            value(Unary::Datetime, "1969-12-31T23:59:59.999Z"),
            Some(Value::Datetime(-1))
        );
        assert_eq!(value(Unary::Datetime, "2024-02-30"), None);
        for (text, millis) in [
            ("2024-10-15", 1_728_950_400_000),
            ("1970-01-01", 0),
            ("0000-01-01", -62_167_219_200_000),
            ("2000-02-29T23:59:59Z", 951_868_799_000),
            ("2024-10-15T11:35:00+0130", 1_728_986_700_000),
            ("2024-10-15T11:35:00.123-0130", 1_728_997_500_123),
        ] {
            assert_eq!(
                value(Unary::Datetime, text),
                Some(Value::Datetime(millis)),
                "{text}"
            );
        }
        for (text, prefix) in [("10.0.0.0/8", 8), ("::1", 128), ("127.0.0.1", 32)] {
            assert!(
                matches!(construct(Unary::Ip, text), Some(ConstructedValue::Ip(ip)) if ip.prefix == prefix),
                "{text}"
            );
        }
        assert_eq!(construct(Unary::Ip, "10.0.0.0/33"), None);
    }

    #[test]
    fn datetime_and_duration_equal_cedars() {
        let cedar =
            |text: String| match evaluate(&Expression::from_str(&text).expect("an expression")) {
                Some(EvalResult::Long(value)) => Some(value),
                _ => None,
            };
        for at in 0..3_000_i64 {
            let (year, month, day) = (at * 37 % 10_000, at % 12 + 1, at % 28 + 1);
            for time in [
                "",
                "T23:59:59Z",
                "T00:00:00.001+2359",
                "T12:30:15-0001",
                "T01:02:03.999Z",
            ] {
                let text = format!("{year:04}-{month:02}-{day:02}{time}");
                let expected = cedar(format!(
                    "datetime(\"{text}\").durationSince(datetime(\"1970-01-01\")).toMilliseconds()"
                ));
                assert!(
                    expected.is_some() && parse_datetime(&text) == expected,
                    "{text}: {:?} is not {expected:?}",
                    parse_datetime(&text)
                );
            }
            let text = format!(
                "{}{}d{}h{}m{}s{}ms",
                if at % 2 == 0 { "-" } else { "" },
                at,
                at * 7,
                at % 90,
                at * at,
                at % 5_000
            );
            assert_eq!(
                parse_duration(&text),
                cedar(format!("duration(\"{text}\").toMilliseconds()")),
                "{text}"
            );
        }
        for text in [
            "1h",
            "2d1ms",
            "9223372036854775807ms",
            "-9223372036854775808ms",
            "5m5ms",
        ] {
            assert_eq!(
                parse_duration(text),
                cedar(format!("duration(\"{text}\").toMilliseconds()")),
                "{text}"
            );
        }
    }
}
