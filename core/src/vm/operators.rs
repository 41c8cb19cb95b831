//! The operators, as Cedar defines them. Functions that return an `Option` return `None` for an
//! evaluation error.

use super::arena::{Heap, REQUEST_LOCAL};
use super::bytecode::{Arithmetic, Compare, Unary};
use super::interpreter::{Constructor, EntityStore};
use super::value::{Value, enum_bit, enum_set_items};

const DAY: i64 = 86_400_000;

/// Compares two values.
#[inline]
pub(super) fn compare<W: EntityStore>(
    what: Compare,
    left: Value,
    right: Value,
    world: &W,
    space: &Heap<'_>,
) -> Option<bool> {
    let (left, right) = (left.ok()?, right.ok()?);
    match (what, left, right) {
        (Compare::Equal, ..) => Some(left == right),
        (Compare::Less, Value::Long(left), Value::Long(right))
        | (Compare::Less, Value::Datetime(left), Value::Datetime(right))
        | (Compare::Less, Value::Duration(left), Value::Duration(right))
        | (Compare::DecimalLess, Value::Decimal(left), Value::Decimal(right)) => Some(left < right),
        (Compare::LessEqual, Value::Long(left), Value::Long(right))
        | (Compare::LessEqual, Value::Datetime(left), Value::Datetime(right))
        | (Compare::LessEqual, Value::Duration(left), Value::Duration(right))
        | (Compare::DecimalLessEqual, Value::Decimal(left), Value::Decimal(right)) => {
            Some(left <= right)
        }
        (Compare::In, Value::Entity(child), _) => is_in(child, right, world, space),
        (Compare::Contains, ..) => contains(left, right, space),
        (Compare::ContainsAll | Compare::ContainsAny, ..) => {
            contains_many(what == Compare::ContainsAll, left, right, space)
        }
        (Compare::HasTag, Value::Entity(entity), Value::Text(tag)) => {
            Some(tag_of(entity, tag, world, space) != Value::Missing)
        }
        (Compare::IsInRange, Value::Ip(left), Value::Ip(right)) => {
            Some(space.ip(left)?.is_in_range(space.ip(right)?))
        }
        _ => None,
    }
}

/// Returns whether the set contains the value.
#[inline]
fn contains(set: Value, item: Value, space: &Heap<'_>) -> Option<bool> {
    match set {
        Value::Set(set) => Some(space.items(set).binary_search(&item).is_ok()),
        Value::Flags(kind, bits) => Some(
            item.entity()
                .and_then(enum_bit)
                .is_some_and(|(other, bit)| other == kind && bits & bit != 0),
        ),
        _ => None,
    }
}

/// Returns whether the left set contains all, or any, of the members of the right set.
fn contains_many(all: bool, left: Value, right: Value, space: &Heap<'_>) -> Option<bool> {
    let has = |item: Value| contains(left, item, space) == Some(true);
    match (left, right) {
        (Value::Flags(kind, bits), Value::Flags(other, others)) => {
            let common = if kind == other { bits & others } else { 0 };
            Some(if all { common == others } else { common != 0 })
        }
        (Value::Set(_) | Value::Flags(..), Value::Set(right)) => {
            let mut items = space.items(right).iter().copied();
            Some(if all { items.all(has) } else { items.any(has) })
        }
        (Value::Set(_), Value::Flags(kind, bits)) => {
            let mut items = enum_set_items(kind, bits).map(Value::Entity);
            Some(if all { items.all(has) } else { items.any(has) })
        }
        _ => None,
    }
}

fn is_in<W: EntityStore>(child: u32, right: Value, world: &W, space: &Heap<'_>) -> Option<bool> {
    let below = |ancestor: u32| child == ancestor || descends(child, ancestor, world, space);
    match right {
        Value::Entity(ancestor) => Some(below(ancestor)),
        Value::Flags(kind, bits) => Some(enum_set_items(kind, bits).any(below)),
        Value::Set(set) => {
            let items = space.items(set);
            // A member that is not an entity is an error, even if another member would match.
            let are_entities = items.iter().all(|item| item.entity().is_some());
            are_entities.then(|| items.iter().filter_map(|item| item.entity()).any(below))
        }
        _ => None,
    }
}

fn descends<W: EntityStore>(child: u32, ancestor: u32, world: &W, space: &Heap<'_>) -> bool {
    let guest = &space.scratch.guest;
    if guest.entity == child {
        guest.ancestors.contains(&ancestor)
    } else {
        child < REQUEST_LOCAL && world.is_descendant(child, ancestor)
    }
}

/// Returns the value of the field with this name.
#[inline]
pub(super) fn field(fields: &[(u32, Value)], name: u32) -> Value {
    fields
        .iter()
        .find(|(known, _)| *known == name)
        .map_or(Value::Missing, |(_, value)| *value)
}

/// Returns an attribute of an entity or a record, or [`Value::Poison`] for any other value.
#[inline]
pub(super) fn attribute<W: EntityStore>(
    operand: Value,
    name: u32,
    world: &W,
    space: &mut Heap<'_>,
) -> Value {
    match operand {
        Value::Entity(entity) if space.scratch.guest.entity == entity => {
            field(&space.scratch.guest.attributes, name)
        }
        Value::Entity(entity) if entity < REQUEST_LOCAL => world.attribute(entity, name, space),
        Value::Entity(_) => Value::Missing,
        Value::Record(record) => field(space.fields(record), name),
        _ => Value::Poison,
    }
}

fn tag_of<W: EntityStore>(entity: u32, tag: u32, world: &W, space: &Heap<'_>) -> Value {
    let guest = &space.scratch.guest;
    if guest.entity == entity {
        field(&guest.tags, tag)
    } else if entity < REQUEST_LOCAL {
        world.tag(entity, tag)
    } else {
        Value::Missing
    }
}

/// Computes a value from two values.
pub(super) fn compute<W: EntityStore>(
    what: Arithmetic,
    left: Value,
    right: Value,
    world: &W,
    space: &Heap<'_>,
) -> Option<Value> {
    let (left, right) = (left.ok()?, right.ok()?);
    match (what, left, right) {
        (Arithmetic::Add, Value::Long(a), Value::Long(b)) => a.checked_add(b).map(Value::Long),
        (Arithmetic::Subtract, Value::Long(a), Value::Long(b)) => a.checked_sub(b).map(Value::Long),
        (Arithmetic::Multiply, Value::Long(a), Value::Long(b)) => a.checked_mul(b).map(Value::Long),
        (Arithmetic::GetTag, Value::Entity(entity), Value::Text(tag)) => {
            tag_of(entity, tag, world, space).ok()
        }
        (Arithmetic::Offset, Value::Datetime(time), Value::Duration(by)) => {
            time.checked_add(by).map(Value::Datetime)
        }
        (Arithmetic::DurationSince, Value::Datetime(time), Value::Datetime(since)) => {
            time.checked_sub(since).map(Value::Duration)
        }
        _ => None,
    }
}

/// Computes a value from one value. `construct` reads the texts of extension values.
pub(super) fn apply(
    what: Unary,
    operand: Value,
    space: &mut Heap<'_>,
    construct: Constructor,
) -> Option<Value> {
    match (what, operand.ok()?) {
        (Unary::Negate, Value::Long(value)) => value.checked_neg().map(Value::Long),
        (Unary::IsEmpty, Value::Set(set)) => Some(Value::Bool(space.items(set).is_empty())),
        (Unary::IsEmpty, Value::Flags(..)) => Some(Value::Bool(false)),
        (Unary::IsIpv4, Value::Ip(ip)) => Some(Value::Bool(space.ip(ip)?.address.is_ipv4())),
        (Unary::IsIpv6, Value::Ip(ip)) => Some(Value::Bool(space.ip(ip)?.address.is_ipv6())),
        (Unary::IsLoopback, Value::Ip(ip)) => Some(Value::Bool(space.ip(ip)?.is_loopback())),
        (Unary::IsMulticast, Value::Ip(ip)) => Some(Value::Bool(space.ip(ip)?.is_multicast())),
        (Unary::ToDate, Value::Datetime(time)) => time
            .checked_sub(time.checked_rem_euclid(DAY)?)
            .map(Value::Datetime),
        (Unary::ToTime, Value::Datetime(time)) => time.checked_rem_euclid(DAY).map(Value::Duration),
        (Unary::ToMilliseconds, Value::Duration(length)) => Some(Value::Long(length)),
        (Unary::ToSeconds, Value::Duration(length)) => length.checked_div(1_000).map(Value::Long),
        (Unary::ToMinutes, Value::Duration(length)) => length.checked_div(60_000).map(Value::Long),
        (Unary::ToHours, Value::Duration(length)) => length.checked_div(3_600_000).map(Value::Long),
        (Unary::ToDays, Value::Duration(length)) => length.checked_div(DAY).map(Value::Long),
        (Unary::Decimal | Unary::Datetime | Unary::Duration | Unary::Ip, Value::Text(text)) => {
            Some(construct(what, space.text(text))?.into_value(space))
        }
        _ => None,
    }
}

/// Returns whether a text matches a pattern of characters and wildcards. A wildcard matches any
/// number of characters.
pub(crate) fn is_like(text: &str, pattern: &[Option<char>]) -> bool {
    let (mut rest, mut at) = (text.chars(), 0_usize);
    // The position to return to if the text after the last wildcard does not match.
    let mut back: Option<(std::str::Chars<'_>, usize)> = None;
    loop {
        let mut next = rest.clone();
        match (next.next(), pattern.get(at)) {
            (_, Some(None)) => {
                at = at.saturating_add(1);
                back = Some((rest.clone(), at));
            }
            (Some(found), Some(Some(wanted))) if found == *wanted => {
                rest = next;
                at = at.saturating_add(1);
            }
            (None, None) => return true,
            (None, Some(Some(_))) => return false,
            (Some(_), _) => match &mut back {
                Some((from, after)) => {
                    from.next();
                    rest = from.clone();
                    at = *after;
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn wildcard_matches_any_characters() {
        let matches = |text: &str, pattern: &str| {
            is_like(
                text,
                &pattern
                    .chars()
                    .map(|c| if c == '*' { None } else { Some(c) })
                    .collect::<Vec<_>>(),
            )
        };
        for (text, pattern) in [
            ("", ""),
            ("", "*"),
            ("abc", "abc"),
            ("abc", "a*"),
            ("abc", "*c"),
            ("abc", "*b*"),
            ("aab", "*ab"),
            ("äöü", "*ö*"),
            ("a", "**a**"),
        ] {
            assert!(matches(text, pattern), "{text} like {pattern}");
        }
        for (text, pattern) in [
            ("a", ""),
            ("", "a"),
            ("abc", "ab"),
            ("abc", "*d*"),
            ("ab", "*abc"),
            ("abab", "*aba"),
        ] {
            assert!(!matches(text, pattern), "{text} like {pattern}");
        }
    }
}
