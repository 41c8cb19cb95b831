//! The words of a bundle: its actions, features and meters, and the types of its attributes.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::bundle::Bundle;
use super::schema::Action;
use super::tenant_facts::{entity, flags};
use super::value_fault;
use super::value_json::CedarType;
use crate::compiler::stored_value;
use crate::model::catalog::SchemaVocabulary;
use crate::model::flags::{AccountFlags, MemberFlags};
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::vm::StoredValue;

impl Bundle {
    /// Returns the actions that can be requested, sorted.
    pub(crate) fn action_names(&self) -> Vec<Arc<str>> {
        self.names
            .actions
            .keys()
            .map(|name| Arc::from(name.as_str()))
            .collect()
    }

    /// Returns the features with their labels.
    pub(crate) fn features_in_words(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.names
            .features
            .iter()
            .map(|name| {
                (
                    Arc::from(name.as_str()),
                    Arc::from(self.catalog.feature_words(name).unwrap_or(name)),
                )
            })
            .collect()
    }

    /// Returns the action of a credential flow. Without a named action it is the first by name with
    /// `@asks(verb)`.
    pub(crate) fn flow(
        &self,
        named: Option<(&str, &str)>,
        verb: &str,
    ) -> Result<(EntityRef, &Action), Error> {
        let known = |(kind, name): (&str, &str)| {
            self.names
                .actions
                .get_key_value(name)
                .filter(|_| kind == "Action")
        };
        let found = match named {
            Some(named) => known(named),
            None => self
                .names
                .actions
                .iter()
                .find(|(_, action)| action.asks.iter().any(|asks| asks == verb)),
        };
        let (name, action) = found.ok_or_else(|| Error::UnknownAction {
            action: match named {
                Some((_, name)) => crate::util::text::short(name),
                None => format!("@asks({verb})"),
            },
        })?;
        if action.kind != "login" {
            return Err(Error::NoFlow {
                action: name.clone(),
            });
        }
        Ok((EntityRef::new("Action", name), action))
    }

    /// Returns the actions with `@asks(verb)` that this type of login can request on that type of
    /// resource, by name.
    pub(crate) fn marked_actions(
        &self,
        verb: &str,
        principal: &str,
        resource: &str,
    ) -> Vec<(EntityRef, &Action)> {
        let is_marked = |action: &&Action| {
            action.asks.iter().any(|asks| asks == verb)
                && action.principals.contains(principal)
                && action.resources.contains(resource)
        };
        self.names
            .actions
            .iter()
            .filter(|(_, action)| is_marked(action))
            .map(|(name, action)| (EntityRef::new("Action", name), action))
            .collect()
    }

    /// Returns the desks and the actions that route tickets to them, by action name.
    pub(crate) fn desks(&self) -> Vec<(&str, EntityRef)> {
        self.names
            .actions
            .iter()
            .filter_map(|(name, action)| {
                Some((action.desk.as_deref()?, EntityRef::new("Action", name)))
            })
            .collect()
    }
}

impl Bundle {
    /// Returns what is wrong with the host's attributes of a record, if it can be found.
    fn attribute_fault(
        &self,
        record_type: &str,
        attributes: &Map<String, Value>,
    ) -> Option<String> {
        let record = self.values.shape(record_type)?.attributes.as_deref()?;
        let CedarType::Record(declared) = &record.field("attributes")?.ty else {
            return None;
        };
        let name = declared.name().unwrap_or("attributes");
        value_fault::of_fields("attribute", attributes, declared, &format!("`{name}`"))
    }
}

/// Returns the reason of an error about a made-up record, which the caller does not know.
fn reason_of(error: &Error) -> String {
    match error {
        Error::Resource { reason, .. } => format!("attributes do not fit the schema: {reason}"),
        other => other.to_string(),
    }
}

impl SchemaVocabulary for Bundle {
    fn has_feature(&self, name: &str) -> bool {
        self.names.features.contains(name)
    }

    fn has_meter(&self, name: &str) -> bool {
        self.names.meters.contains(name)
    }

    fn features(&self) -> Vec<&str> {
        self.names.features.iter().map(String::as_str).collect()
    }

    fn typed(
        &self,
        record_type: &str,
        attributes: &Map<String, Value>,
    ) -> Result<StoredValue, String> {
        crate::util::json::check_value(
            "attributes",
            &Value::Object(attributes.clone()),
            super::request::NESTING,
        )
        .map_err(|error| error.to_string())?;
        let mut whole = match record_type {
            "Account" => {
                let mut fields = flags(AccountFlags::NAMES, 0);
                fields.insert("disabled".to_owned(), json!([]));
                fields
            }
            "TeamMember" => {
                let mut fields = flags(MemberFlags::NAMES, 0);
                fields.insert("account".to_owned(), entity("Account", "x"));
                fields.insert("grants".to_owned(), json!([]));
                fields
            }
            _ => return Ok(StoredValue::Record(Vec::new())),
        };
        whole.insert("attributes".to_owned(), json!(attributes));
        let typed = || {
            let entity = self.record_entity(&EntityRef::new(record_type, "x"), &whole)?;
            Ok(entity
                .attr("attributes")
                .and_then(Result::ok)
                .and_then(|value| stored_value(&value)))
        };
        let depth = 80;
        let typed = crate::util::stack::run(depth, typed).map_err(|error| {
            let found = self.attribute_fault(record_type, attributes);
            found.unwrap_or_else(|| reason_of(&error))
        })?;
        typed.ok_or_else(|| "a value that is none".to_owned())
    }
}
