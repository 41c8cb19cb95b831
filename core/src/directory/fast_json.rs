//! Fast path for JSON lines of accounts and members without escapes, limits and attributes, which
//! most lines are. All other lines, and invalid ones, are left to
//! [`Record::from_json`](super::Record::from_json), which also produces the errors.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Map;

use super::new_rows::{NewAccount, NewMember};
use crate::model::account::DisableReason;
use crate::model::email;
use crate::model::flags::{AccountFlags, MemberFlags};
use crate::model::limit::Limits;
use crate::model::reference::is_id;

/// A record of one of the two types with many records.
#[derive(Debug)]
pub(super) enum FastRecord<'a> {
    Account(NewAccount<'a>),
    Member(NewMember<'a>),
}

/// Fields of an account that the fast path reads. Serde refuses duplicates and other fields, such as
/// flags that are rarely true.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountJson<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    id: &'a str,
    email: &'a str,
    #[serde(default)]
    package: Option<&'a str>,
    #[serde(default)]
    owner: Option<&'a str>,
    /// An explicit `null` is not read by the fast path.
    #[serde(default, deserialize_with = "not_null")]
    level: Option<&'a str>,
    #[serde(default)]
    confirmed: bool,
    #[serde(default)]
    closed: bool,
    #[serde(default)]
    disabled: ReasonSet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberJson<'a> {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    id: &'a str,
    account: &'a str,
    email: &'a str,
    #[serde(default)]
    confirmed: bool,
    #[serde(default, borrow)]
    grants: GrantNames<'a>,
}

/// One bit for each reason.
#[derive(Default)]
struct ReasonSet(u16);

impl<'de> Deserialize<'de> for ReasonSet {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = ReasonSet;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("reasons")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ReasonSet, A::Error> {
                let mut all = 0;
                while let Some(reason) = items.next_element::<DisableReason>()? {
                    all |= 1_u16
                        .checked_shl(super::rows::reason_bit(reason))
                        .unwrap_or(0);
                }
                Ok(ReasonSet(all))
            }
        }
        reader.deserialize_seq(Each)
    }
}

/// Feature names. The capacity of the list fits the usual length.
#[derive(Default)]
struct GrantNames<'a>(Vec<&'a str>);

impl<'de: 'a, 'a> Deserialize<'de> for GrantNames<'a> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Vec<&'de str>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("features")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut names = Vec::with_capacity(32);
                while let Some(name) = items.next_element()? {
                    names.push(name);
                }
                Ok(names)
            }
        }
        reader.deserialize_seq(Each).map(GrantNames)
    }
}

/// Returns the record of a line, or `None` if the fast path cannot read it.
pub(super) fn read(text: &str) -> Option<FastRecord<'_>> {
    match kind(text)? {
        "Account" => account(&serde_json::from_str(text).ok()?).map(FastRecord::Account),
        "TeamMember" => member(serde_json::from_str(text).ok()?).map(FastRecord::Member),
        _ => None,
    }
}

/// Returns the value of `type`, if it is the first field.
fn kind(text: &str) -> Option<&str> {
    let rest = text
        .trim_start()
        .strip_prefix('{')?
        .trim_start()
        .strip_prefix("\"type\"")?;
    rest.trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?
        .split('"')
        .next()
}

fn not_null<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<&'de str>, D::Error> {
    <&str>::deserialize(value).map(Some)
}

fn account<'a>(line: &AccountJson<'a>) -> Option<NewAccount<'a>> {
    let AccountJson {
        id,
        email,
        package,
        owner,
        level,
        confirmed,
        closed,
        disabled: ReasonSet(disabled),
        ..
    } = *line;
    let only = if owner.is_some() {
        [DisableReason::Overage, DisableReason::ByOwner]
    } else {
        [DisableReason::Unpaid; 2]
    };
    let fits = only
        .into_iter()
        .chain([DisableReason::Abuse])
        .fold(0, |all, reason| {
            all | 1_u16
                .checked_shl(super::rows::reason_bit(reason))
                .unwrap_or(0)
        });
    let right = match (package, owner, level) {
        (Some(_), None, None) | (None, Some(_), _) => disabled & !fits == 0,
        _ => false,
    };
    if !right || !is_id(id) || !email::is_normal(email) {
        return None;
    }
    Some(NewAccount {
        id,
        email,
        owner,
        package,
        level,
        flags: AccountFlags {
            confirmed,
            closed,
            ..AccountFlags::default()
        },
        disabled,
        limits: Limits::new(),
        calendar: None,
        pending: None,
        transfer: None,
        created: None,
        closed_at: None,
        not_before: None,
        attributes: Map::new(),
    })
}

fn member(line: MemberJson<'_>) -> Option<NewMember<'_>> {
    let MemberJson {
        id,
        account,
        email,
        confirmed,
        grants: GrantNames(grants),
        ..
    } = line;
    if !is_id(id) || !is_id(account) || !email::is_normal(email) {
        return None;
    }
    Some(NewMember {
        id,
        account,
        login_name: email,
        flags: MemberFlags {
            confirmed,
            ..MemberFlags::default()
        },
        grants,
        limits: Limits::new(),
        pending: None,
        service: None,
        not_before: None,
        attributes: Map::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::apply::{new_account, new_member};
    use crate::model::record::Record;

    /// Both paths read equal records. A line that the slow path refuses is never read by the fast
    /// one.
    #[test]
    fn fast_and_full_parser_agree() {
        let lines = [
            r#"{"type":"Account","id":"a","email":"o@x.example","package":"p"}"#,
            r#" { "type" : "Account" , "id":"a","email":"o@x.example","owner":"p","level":null,"disabled":["overage","abuse","overage"],"confirmed":true} "#,
            r#"{"type":"Account","id":"a","email":"o@x.example","owner":"p","level":"l","closed":true}"#,
            r#"{"type":"Account","id":"a","email":"o@x.example","package":"p","disabled":["overage"]}"#,
            r#"{"type":"Account","id":"a","email":"o@x.example","owner":"p","disabled":["unpaid"]}"#,
            r#"{"type":"Account","id":"a","email":"o@x.example","package":"p","level":"l"}"#,
            r#"{"type":"Account","id":"a","email":"o@x.example","package":"p","owner":"l"}"#,
            r#"{"type":"Account","id":"","email":"o@x.example","package":"p"}"#,
            r#"{"type":"Account","id":"a","email":"o@X.example","package":"p"}"#,
            r#"{"type":"Account","id":"a","email":"o","package":"p"}"#,
            r#"{"type":"Account","id":"a","id":"a","email":"o@x.example","package":"p"}"#,
            r#"{"type":"Account","type":"Account","id":"a","email":"o@x.example","package":"p"}"#,
            r#"{"type":"Account","id":"a","\u0069d":"a","email":"o@x.example","package":"p"}"#,
            r#"{"type":"Account","id":"a","email":"o@x.example","package":"p","more":[[[]]]}"#,
            r#"{"type":"Account","id":"a","email":"o@x.example","package":"p"} x"#,
            r#"{"type":"Account","id":"a","email":"o@x.example","package":"p","confirmed":1}"#,
            r#"{"type":"Account","id":"a","email":"o@x.example","package":"p","attributes":{}}"#,
            r#"{"type":"TeamMember","id":"m","account":"a","email":"m@x.example"}"#,
            r#"{"type":"TeamMember","id":"m","account":"a","email":"m@x.example","grants":["x","y","x"],"confirmed":true}"#,
            r#"{"type":"TeamMember","id":"m\n","account":"a","email":"m@x.example","grants":[]}"#,
            r#"{"type":"TeamMember","id":"m","account":"","email":"m@x.example"}"#,
            r#"{"type":"TeamMember","id":"m","account":"a","email":"m@x.example","grants":[1]}"#,
            r#"{"type":"TeamMember","id":"m","account":"a","email":"m@x.example","grants":"x"}"#,
            r#"{"type":"TeamMember","id":"m","account":"a","email":"m@x.example","sub_limits":{"emails":1}}"#,
            r#"{"type":"Team\u004dember","id":"m","account":"a","email":"m@x.example"}"#,
            r#"{"id":"m","type":"TeamMember","account":"a","email":"m@x.example"}"#,
            r#"{"type":"TeamMember""#,
            r#"{"type":"TeamMember","#,
            "",
            "[]",
        ];
        let (mut quick, mut careful) = (0, 0);
        for line in lines {
            let right = Record::from_json(line);
            careful += usize::from(right.is_ok());
            let Some(found) = read(line) else { continue };
            quick += 1;
            match (found, right.expect(line)) {
                (FastRecord::Account(new), Record::Account(account)) => assert_eq!(
                    format!("{new:?}"),
                    format!("{:?}", new_account(&account)),
                    "{line}"
                ),
                (FastRecord::Member(mut new), Record::TeamMember(member)) => {
                    new.grants.sort_unstable();
                    new.grants.dedup();
                    assert_eq!(
                        format!("{new:?}"),
                        format!("{:?}", new_member(&member)),
                        "{line}"
                    );
                }
                (found, record) => panic!("{found:?} {record:?}"),
            }
        }
        assert_eq!((quick, careful), (4, 11));
    }
}
