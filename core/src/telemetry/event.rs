//! What happened, as named values in one order, the same in every language; and what of it a
//! subscription sees.

use std::str::FromStr;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::api::quota::Quota;
use crate::model::calendar;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// What an [`Event`] tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A question was answered by the policies.
    Decision,
    /// Something was recorded in the counts.
    Debit,
    /// The directory changed.
    Change,
    /// The policies were swapped.
    Reload,
    /// So many events were lost, for the queue was full. Everybody is told.
    Dropped,
}

impl EventKind {
    /// All that can be chosen.
    pub const ALL: [Self; 4] = [Self::Decision, Self::Debit, Self::Change, Self::Reload];

    /// The name in every language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Debit => "debit",
            Self::Change => "change",
            Self::Reload => "reload",
            Self::Dropped => "dropped",
        }
    }
}

impl FromStr for EventKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| Error::OptionValue {
            option: "log.events".to_owned(),
            value: crate::util::text::short(text),
        })
    }
}

/// The fields that an event may have, in their order. `context` has what
/// [`LogOptions::context_fields`](super::LogOptions) names.
pub(crate) const FIELDS: [&str; 35] = [
    "event",
    "at",
    "verb",
    "command",
    "principal",
    "actor",
    "action",
    "resource",
    "account",
    "host",
    "channel",
    "desk",
    "allowed",
    "code",
    "public_code",
    "policies",
    "advice",
    "errors",
    "revision",
    "bundle",
    "replaced",
    "payer",
    "operation",
    "of",
    "period",
    "cents",
    "replayed",
    "expires_at",
    "meters",
    "put",
    "removed",
    "whole",
    "count",
    "latency_us",
    "context",
];

/// What stands where a value was to be hidden.
pub(crate) const REDACTED: &str = "[redacted]";

/// Ids and host names may come from strangers: what is longer is cut.
const LONGEST: usize = 256;

/// One thing that happened: named values, in the order of the documentation; what does not apply is
/// not there.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    kind: EventKind,
    fields: Vec<(&'static str, Value)>,
}

impl Event {
    /// What it tells of.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// A field's value, if the event has it.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|(name, _)| *name == field)
            .map(|(_, value)| value)
    }

    /// A field's value, where it is a text.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        self.get(field).and_then(Value::as_str)
    }

    /// All fields, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.fields.iter().map(|(name, value)| (*name, value))
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let mut map = writer.serialize_map(Some(self.fields.len()))?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// An event as it is made where it happens. What costs more waits for the thread that delivers it.
#[derive(Debug, Clone)]
pub(crate) struct EventBuilder {
    kind: EventKind,
    at: i64,
    verb: Option<&'static str>,
    fields: Vec<(&'static str, Value)>,
    /// As far as some subscription names it.
    context: Map<String, Value>,
    /// Where it happened, for who follows one request through the program.
    #[cfg(feature = "tracing")]
    pub(super) span: tracing::Span,
}

impl EventBuilder {
    pub(crate) fn new(kind: EventKind, at: i64, verb: Option<&'static str>) -> Self {
        Self {
            kind,
            at,
            verb,
            fields: Vec::with_capacity(16),
            context: Map::new(),
            #[cfg(feature = "tracing")]
            span: tracing::Span::current(),
        }
    }

    /// The same, with a field more, unless it is nothing. Fields are given in their order.
    pub(crate) fn field<V: Into<Value>>(mut self, name: &'static str, value: Option<V>) -> Self {
        self.fields.extend(value.map(|value| (name, value.into())));
        self
    }

    /// The same, with a text that may come from outside.
    pub(crate) fn text(self, name: &'static str, value: Option<&str>) -> Self {
        self.field(name, value.map(cut))
    }

    /// The same, with a type and an id.
    pub(crate) fn named(self, name: &'static str, value: Option<(&str, &str)>) -> Self {
        self.field(name, value.map(|(kind, id)| json!([cut(kind), cut(id)])))
    }

    /// The same, with types and ids, if there are any.
    pub(crate) fn references(self, name: &'static str, value: &[EntityRef]) -> Self {
        let listed = || {
            value
                .iter()
                .map(|reference| json!([cut(reference.kind()), cut(reference.id())]))
                .collect::<Vec<_>>()
        };
        self.field(name, (!value.is_empty()).then(listed))
    }

    /// The same, with names, if there are any.
    pub(crate) fn names<'n>(
        self,
        name: &'static str,
        value: impl Iterator<Item = &'n str>,
    ) -> Self {
        let names: Vec<Value> = value.map(Value::from).collect();
        self.field(name, (!names.is_empty()).then_some(names))
    }

    /// The same, with how meters stand.
    pub(crate) fn meters(self, quota: &[Quota]) -> Self {
        let of = |quota: &Quota| {
            let mut meter = json!({"meter": &*quota.meter, "amount": quota.amount, "used": quota.used, "limit": quota.limit});
            if let (Some(member), Value::Object(fields)) = (&quota.member, &mut meter) {
                fields.insert(
                    "member".to_owned(),
                    json!({"id": cut(&member.id), "used": member.used, "limit": member.limit}),
                );
            }
            meter
        };
        self.field(
            "meters",
            (!quota.is_empty()).then(|| quota.iter().map(of).collect::<Vec<_>>()),
        )
    }

    /// The same, with what of the context some subscription names.
    pub(crate) fn context(
        mut self,
        context: &Map<String, Value>,
        named: impl Fn(&str) -> bool,
    ) -> Self {
        self.context.extend(
            context
                .iter()
                .filter(|(name, _)| named(name))
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        self
    }
}

/// A text, as much of it as a line of a log has room for.
fn cut(text: &str) -> String {
    let end = text
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| *at >= LONGEST);
    end.and_then(|end| text.get(..end))
        .map_or_else(|| text.to_owned(), |start| format!("{start}..."))
}

/// What of an event a subscription sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventFilter {
    pub(crate) redact: Vec<String>,
    pub(crate) context_fields: Vec<String>,
}

impl EventFilter {
    /// Every field that is to be hidden is one that there is: a name that hides nothing was meant
    /// for another.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let strange = self.redact.iter().find(|name| {
            !FIELDS.contains(&name.as_str()) || ["event", "at", "count"].contains(&name.as_str())
        });
        strange.map_or(Ok(()), |name| {
            Err(Error::OptionValue {
                option: "log.redact".to_owned(),
                value: crate::util::text::short(name),
            })
        })
    }

    /// The event, as it is delivered.
    pub(crate) fn apply(&self, draft: &EventBuilder) -> Event {
        let mut fields = Vec::with_capacity(draft.fields.len().saturating_add(4));
        fields.push(("event", Value::from(draft.kind.as_str())));
        fields.push(("at", Value::from(calendar::millisecond_text(draft.at))));
        fields.extend(draft.verb.map(|verb| ("verb", Value::from(verb))));
        fields.extend(draft.fields.iter().cloned());
        let context = draft
            .context
            .iter()
            .filter(|(name, _)| self.context_fields.contains(name));
        let context: Map<String, Value> = context
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        fields.extend((!context.is_empty()).then_some(("context", Value::Object(context))));
        for (_, value) in fields
            .iter_mut()
            .filter(|(name, _)| self.redact.iter().any(|hidden| hidden == name))
        {
            *value = Value::from(REDACTED);
        }
        Event {
            kind: draft.kind,
            fields,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> EventBuilder {
        let context = json!({"reason": "secret", "disable": "abuse"});
        EventBuilder::new(EventKind::Decision, 1_769_860_800_000, Some("authorize"))
            .named("principal", Some(("Account", "acme")))
            .text("host", None)
            .field("allowed", Some(true))
            .context(context.as_object().expect("an object"), |name| {
                name == "reason" || name == "disable"
            })
    }

    /// Fields have one order, and absent ones are left out.
    #[test]
    fn event_has_only_selected_context_fields() {
        let text = serde_json::to_string(&EventFilter::default().apply(&draft())).expect("JSON");
        assert_eq!(
            text,
            r#"{"event":"decision","at":"2026-01-31T12:00:00.000Z","verb":"authorize","principal":["Account","acme"],"allowed":true}"#
        );
    }

    #[test]
    fn subscription_selects_and_hides_fields() {
        let view = EventFilter {
            redact: vec!["principal".to_owned()],
            context_fields: vec!["disable".to_owned()],
        };
        let event = view.apply(&draft());
        assert_eq!(
            (event.text("principal"), event.get("context")),
            (Some(REDACTED), Some(&json!({"disable": "abuse"})))
        );
        let view = EventFilter {
            redact: vec!["context".to_owned()],
            context_fields: vec!["reason".to_owned()],
        };
        assert_eq!(view.apply(&draft()).text("context"), Some(REDACTED));
    }

    #[test]
    fn hidden_name_must_be_a_field() {
        let view = |name: &str| {
            EventFilter {
                redact: vec![name.to_owned()],
                ..EventFilter::default()
            }
            .check()
            .map_err(|error| error.code())
        };
        assert_eq!(
            (view("host"), view("hosts"), view("event")),
            (Ok(()), Err("input.option"), Err("input.option"))
        );
        assert!("debit".parse::<EventKind>().is_ok() && "dropped".parse::<EventKind>().is_err());
    }

    #[test]
    fn long_name_is_cut_between_characters() {
        let long = "é".repeat(1_000);
        let event = EventFilter::default()
            .apply(&EventBuilder::new(EventKind::Decision, 0, None).text("host", Some(&long)));
        assert_eq!(event.text("host").map(str::len), Some(LONGEST + 3));
    }
}
