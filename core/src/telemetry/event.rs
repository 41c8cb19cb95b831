//! Events: named values in one order that is the same in every language, and the filter of a
//! subscription.

use std::str::FromStr;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::api::quota::Quota;
use crate::model::calendar;
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// The kind of an [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The policies decided a request.
    Decision,
    /// An operation was recorded in the counts.
    Debit,
    /// The directory changed.
    Change,
    /// A month of an owner was closed (B8).
    Closing,
    /// The policies were replaced.
    Reload,
    /// Events were lost because the queue was full. Every subscription receives this event.
    Dropped,
}

impl EventKind {
    /// The kinds that a subscription can choose.
    pub const ALL: [Self; 5] = [
        Self::Decision,
        Self::Debit,
        Self::Change,
        Self::Reload,
        Self::Closing,
    ];

    /// Returns the name of the kind, which is the same in every language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Debit => "debit",
            Self::Change => "change",
            Self::Closing => "closing",
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

/// The fields that an event may have, in their order. `context` contains the fields that
/// [`LogOptions::context_fields`](super::LogOptions) names.
pub(crate) const FIELDS: [&str; 37] = [
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
    "parent",
    "period",
    "cents",
    "at_risk",
    "settle_from",
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

/// The replacement for a hidden value.
pub(crate) const REDACTED: &str = "[redacted]";

/// The greatest length of a text. Ids and host names may come from strangers, so longer ones are
/// cut.
const LONGEST: usize = 256;

/// An event: named values in the order of the documentation. Fields that do not apply are absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    kind: EventKind,
    fields: Vec<(&'static str, Value)>,
}

impl Event {
    /// Returns the kind of the event.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// Returns a field's value, or `None` if the event does not have the field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|(name, _)| *name == field)
            .map(|(_, value)| value)
    }

    /// Returns a field's value if it is a text.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        self.get(field).and_then(Value::as_str)
    }

    /// Returns all fields in their order.
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

/// An event under construction, made where it happens. The delivering thread does the more
/// expensive work.
#[derive(Debug, Clone)]
pub(crate) struct EventBuilder {
    kind: EventKind,
    at: i64,
    verb: Option<&'static str>,
    fields: Vec<(&'static str, Value)>,
    /// The context fields that some subscription names.
    context: Map<String, Value>,
    /// The span in which the event happened, so that one request can be followed through the
    /// program.
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

    /// Adds a field, unless its value is `None`. The caller adds fields in their order.
    pub(crate) fn field<V: Into<Value>>(mut self, name: &'static str, value: Option<V>) -> Self {
        self.fields.extend(value.map(|value| (name, value.into())));
        self
    }

    /// Adds a text that may come from outside, cut to the greatest length.
    pub(crate) fn text(self, name: &'static str, value: Option<&str>) -> Self {
        self.field(name, value.map(cut))
    }

    /// Adds the type and the id of a record.
    pub(crate) fn named(self, name: &'static str, value: Option<(&str, &str)>) -> Self {
        self.field(name, value.map(|(kind, id)| json!([cut(kind), cut(id)])))
    }

    /// Adds the types and ids of records, if there are any.
    pub(crate) fn references(self, name: &'static str, value: &[EntityRef]) -> Self {
        let listed = || {
            value
                .iter()
                .map(|reference| json!([cut(reference.kind()), cut(reference.id())]))
                .collect::<Vec<_>>()
        };
        self.field(name, (!value.is_empty()).then(listed))
    }

    /// Adds names, if there are any.
    pub(crate) fn names<'n>(
        self,
        name: &'static str,
        value: impl Iterator<Item = &'n str>,
    ) -> Self {
        let names: Vec<Value> = value.map(Value::from).collect();
        self.field(name, (!names.is_empty()).then_some(names))
    }

    /// Adds the usage and limits of meters, if there are any.
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

    /// Adds the fields of the context that some subscription names.
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

/// Cuts a text to `LONGEST` bytes.
fn cut(text: &str) -> String {
    let end = text
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| *at >= LONGEST);
    end.and_then(|end| text.get(..end))
        .map_or_else(|| text.to_owned(), |start| format!("{start}..."))
}

/// The filter of a subscription: the hidden fields and the visible context fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventFilter {
    pub(crate) redact: Vec<String>,
    pub(crate) context_fields: Vec<String>,
}

impl EventFilter {
    /// Checks that every hidden field exists. A name that hides nothing is a mistake for another
    /// name.
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

    /// Builds the event as the subscription receives it.
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
