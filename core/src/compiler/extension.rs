//! Extension values. Cedar parses their texts; the result is stored in our own representation.

use std::net::IpAddr;
use std::str::FromStr;

use cedar_policy::{
    Context, Entities, EntityUid, EvalResult, Expression, Request, eval_expression,
};
use once_cell::race::OnceBox;

use crate::vm::{ConstructedValue, Ip, StoredValue, Unary, Value};

/// Returns the extension value that Cedar constructs from `text`, or `None` if Cedar refuses it.
pub(crate) fn construct(what: Unary, text: &str) -> Option<ConstructedValue> {
    construct_usual(what, text).or_else(|| construct_with_cedar(what, text))
}

/// Returns the value of a text in one of the forms that most hosts send. Cedar takes thousands of
/// instructions for each text. A test compares the two.
fn construct_usual(what: Unary, text: &str) -> Option<ConstructedValue> {
    match what {
        Unary::Datetime => usual_datetime(text).map(Value::Datetime),
        Unary::Decimal if is_usual_decimal(text) => parse_decimal(text).map(Value::Decimal),
        Unary::Ip => return usual_address(text).map(ConstructedValue::Ip),
        _ => None,
    }
    .map(ConstructedValue::Value)
}

/// Returns the instant of a date of the years 1 to 9999, alone or with a time in UTC.
fn usual_datetime(text: &str) -> Option<i64> {
    let (date, time) = text.as_bytes().split_at_checked(10)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else {
        return None;
    };
    let year = number([y1, y2, y3, y4])?;
    let (month, day) = (number([m1, m2])?, number([d1, d2])?);
    if year == 0 || !is_date(year, month, day) {
        return None;
    }
    let days = days(year, month, day)?.checked_mul(86_400_000)?;
    let (time, millis) = match *time {
        [] => return Some(days),
        [ref time @ .., b'.', m1, m2, m3, b'Z'] => (time, number([m1, m2, m3])?),
        [ref time @ .., b'Z'] => (time, 0),
        _ => return None,
    };
    let [b'T', h1, h2, b':', m1, m2, b':', s1, s2] = *time else {
        return None;
    };
    let (hour, minute, second) = (number([h1, h2])?, number([m1, m2])?, number([s1, s2])?);
    if hour >= 24 || minute >= 60 || second >= 60 {
        return None;
    }
    let seconds = hour.checked_mul(60)?.checked_add(minute)?.checked_mul(60)?;
    let millis = seconds
        .checked_add(second)?
        .checked_mul(1_000)?
        .checked_add(millis)?;
    days.checked_add(millis)
}

/// Returns the number of these digits, at most 18 of them.
fn number<const N: usize>(digits: [u8; N]) -> Option<i64> {
    digits.into_iter().try_fold(0_i64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(i64::from(digit))
    })
}

fn is_date(year: i64, month: i64, day: i64) -> bool {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=last).contains(&day)
}

/// Returns whether the text has at most 14 digits before the point and at most four after it.
fn is_usual_decimal(text: &str) -> bool {
    let is_digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits
        .split_once('.')
        .is_some_and(|(whole, part)| is_digits(whole, 14) && is_digits(part, 4))
}

/// Returns the address of a text without a prefix. Cedar refuses an IPv4 address inside an IPv6
/// address.
fn usual_address(text: &str) -> Option<Ip> {
    let is_v4 = text.len() <= 15 && !text.bytes().any(|byte| byte == b':');
    if is_v4 {
        let address = text.parse().ok().map(IpAddr::V4)?;
        return Some(Ip {
            address,
            prefix: 32,
        });
    }
    let is_v6 = text.len() <= 39 && !text.bytes().any(|byte| byte == b'.');
    let address = text.parse().ok().filter(|_| is_v6).map(IpAddr::V6)?;
    Some(Ip {
        address,
        prefix: 128,
    })
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
        EvalResult::ExtensionValue(text) => match value_of(text)? {
            ConstructedValue::Value(value) => StoredValue::Extension(value),
            ConstructedValue::Ip(ip) => StoredValue::Ip(ip),
        },
    })
}

fn constructed(what: Unary, text: &str) -> Option<ConstructedValue> {
    let long = |expression: String| match evaluate(&Expression::from_str(&expression).ok()?)? {
        EvalResult::Long(value) => Some(value),
        _ => None,
    };
    let argument = |name: &str| {
        text.strip_prefix(name)?
            .strip_prefix("(\"")?
            .strip_suffix("\")")
    };
    match what {
        Unary::Decimal => parse_decimal(argument("decimal")?).map(Value::Decimal),
        Unary::Ip => return Ip::parse(argument("ip")?).map(ConstructedValue::Ip),
        // Cedar prints results of other functions as calls, so Cedar evaluates them itself.
        Unary::Duration => argument("duration")
            .and_then(parse_duration)
            .or_else(|| long(format!("({text}).toMilliseconds()")))
            .map(Value::Duration),
        Unary::Datetime => argument("datetime")
            .and_then(parse_datetime)
            .or_else(|| {
                long(format!(
                    "({text}).durationSince(datetime(\"1970-01-01\")).toMilliseconds()"
                ))
            })
            .map(Value::Datetime),
        _ => None,
    }
    .map(ConstructedValue::Value)
}

/// Parses a text such as `-1d2h3m4s5ms` to milliseconds. Cedar must have accepted the text.
fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let mut sum = 0_i128;
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit()) {
        let (digits, after) = rest.split_at_checked(end)?;
        let unit = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        let millis: i128 = match unit {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return None,
        };
        sum = sum.checked_add(digits.parse::<i128>().ok()?.checked_mul(millis)?)?;
        rest = after;
    }
    let sum = if negative { sum.checked_neg()? } else { sum };
    if rest.is_empty() {
        i64::try_from(sum).ok()
    } else {
        None
    }
}

/// Parses a text such as `2024-10-15T11:35:00.000+0130`, with or without a time, to milliseconds
/// since
/// 1970. Cedar must have accepted the text.
fn parse_datetime(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| digits(text.get(from..to)?);
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?.checked_mul(86_400)?;
    if text.len() == 10 {
        return days.checked_mul(1_000);
    }
    let time =
        |hours: i64, minutes: i64| hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60);
    let (fraction, zone) = if text.get(19..20)? == "." {
        (number(20, 23)?, text.get(23..)?)
    } else {
        (0, text.get(19..)?)
    };
    let seconds = days
        .checked_add(time(number(11, 13)?, number(14, 16)?)?)?
        .checked_add(number(17, 19)?)?;
    let ahead = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign, zone) => {
            let ahead = time(zone.get(..2)?.parse().ok()?, zone.get(2..)?.parse().ok()?)?;
            if sign == "-" {
                ahead.checked_neg()?
            } else {
                ahead
            }
        }
    };
    seconds
        .checked_sub(ahead)?
        .checked_mul(1_000)?
        .checked_add(fraction)
}

/// Returns the number of these digits, at most 18 of them.
fn digits(text: &str) -> Option<i64> {
    text.bytes().try_fold(0_i64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(i64::from(digit))
    })
}

/// Returns the days since 1970 of a Gregorian date. March is the first month, so that the leap day
/// is the last day of the year.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let (year, month) = if month > 2 {
        (year, month.checked_sub(3)?)
    } else {
        (year.checked_sub(1)?, month.checked_add(9)?)
    };
    let leaps = year
        .div_euclid(4)
        .checked_sub(year.div_euclid(100))?
        .checked_add(year.div_euclid(400))?;
    let before = month.checked_mul(153)?.checked_add(2)?.div_euclid(5);
    // The first of March of the year 0 is 719,468 days before the first of January 1970. One more
    // day is subtracted because `day` counts from one.
    year.checked_mul(365)?
        .checked_add(leaps)?
        .checked_add(before)?
        .checked_add(day)?
        .checked_sub(719_469)
}

/// Parses a text such as `-1.23` to -12300. Cedar has refused everything except digits around one
/// point, with at most four digits after it.
fn parse_decimal(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.')?;
    let digits: String = whole.chars().chain(part.chars()).collect();
    let behind = u32::try_from(part.len()).ok()?;
    digits
        .parse::<i64>()
        .ok()?
        .checked_mul(10_i64.checked_pow(4_u32.checked_sub(behind)?)?)
}

/// Returns a request without information. It is built once, because Cedar parses its names.
fn nobody() -> Option<&'static Request> {
    static NOBODY: OnceBox<Request> = OnceBox::new();
    let make = || {
        let nobody = EntityUid::from_str("Nobody::\"\"").ok()?;
        Request::new(
            nobody.clone(),
            nobody.clone(),
            nobody,
            Context::empty(),
            None,
        )
        .ok()
    };
    NOBODY
        .get_or_try_init(|| make().map(Box::new).ok_or(()))
        .ok()
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
