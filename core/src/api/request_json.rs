//! Requests as JSON, for case files, the command line, and bindings that pass text.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::request::{Environment, Request, Resource};
use crate::model::calendar;
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::json;

/// An action, by name or by type and id.
#[derive(Deserialize)]
#[serde(untagged)]
enum ActionForm {
    Name(String),
    Typed(EntityRef),
}

/// An account, by id or by type and id. The type must be `Account`.
#[derive(Deserialize)]
#[serde(untagged)]
enum AccountField {
    Id(String),
    Typed(EntityRef),
}

impl AccountField {
    fn id(self) -> Result<String, Error> {
        match self {
            Self::Id(id) => Ok(id),
            Self::Typed(uid) => uid.account().map(str::to_owned),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InlineForm {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    #[serde(default)]
    account: Option<AccountField>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    parents: Vec<EntityRef>,
    #[serde(default)]
    tags: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ResourceForm {
    Bare(EntityRef),
    Inline(InlineForm),
}

impl TryFrom<ResourceForm> for Resource {
    type Error = Error;

    fn try_from(form: ResourceForm) -> Result<Self, Error> {
        Ok(match form {
            ResourceForm::Bare(uid) => uid.into(),
            ResourceForm::Inline(InlineForm {
                kind,
                id,
                account,
                attributes,
                parents,
                tags,
            }) => Self {
                uid: EntityRef::new(kind, id),
                account: account.map(AccountField::id).transpose()?,
                attributes,
                parents,
                tags,
            },
        })
    }
}

/// A request, with or without an action. Calls such as `permitted_actions` and `route_ticket` take
/// none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestForm {
    principal: EntityRef,
    #[serde(default)]
    action: Option<ActionForm>,
    resource: ResourceForm,
    #[serde(default)]
    actor: Option<EntityRef>,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    realm: Option<EntityRef>,
    #[serde(default)]
    session_start: Option<String>,
    #[serde(default)]
    amount: Option<Value>,
    #[serde(default)]
    context: Map<String, Value>,
}

/// Maximum nesting of a request's JSON. Values are inside `context` or `resource.attributes`.
const NESTING: usize = 70;

impl Request {
    /// Reads a request from JSON: an object with `principal`, `action`, `resource` and the fields
    /// of [`Environment`].
    ///
    /// - A login is `[type, id]`.
    /// - The action is a name or `[type, id]`.
    /// - The resource is `[type, id]`, or an object with `type`, `id`, `account` (its id, or
    ///   `["Account", id]`), `attributes`, `parents`, `tags`.
    ///
    /// Unknown fields and duplicate keys are refused.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::DuplicateKey`] or [`Error::Nesting`] for a text that cannot be
    /// read, [`Error::Amount`] for an invalid `amount`, and [`Error::Value`] for an `account` that
    /// is not one.
    ///
    /// # Example: the form of the case files
    /// ```
    /// let request = sublet::Request::from_json(r#"{
    ///     "principal": ["TeamMember", "ann"], "action": "campaign.read", "host": "brand.example",
    ///     "resource": {"type": "Campaign", "id": "spring", "account": "acme"}}"#)?;
    /// assert_eq!(request.action.id(), "campaign.read");
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let form: RequestForm = json::read("request", text, NESTING)?;
        Self::from_form(form)
    }

    /// Reads a list of requests, each in the form of [`Request::from_json`].
    ///
    /// # Errors
    /// [`Error::Item`] with the index of a request that has an invalid field. Otherwise the errors
    /// of [`Request::from_json`].
    pub fn list_from_json(text: &str) -> Result<Vec<Self>, Error> {
        let forms: Vec<RequestForm> = json::read("requests", text, NESTING)?;
        let item = |(index, form)| {
            Self::from_form(form).map_err(|error| Error::Item {
                index,
                code: error.code(),
                reason: error.to_string(),
            })
        };
        forms.into_iter().enumerate().map(item).collect()
    }

    fn from_form(form: RequestForm) -> Result<Self, Error> {
        let action = match form.action {
            Some(ActionForm::Name(name)) => EntityRef::new("Action", name),
            Some(ActionForm::Typed(uid)) => uid,
            None => EntityRef::new("Action", ""),
        };
        let amount = form
            .amount
            .map(|value| {
                value
                    .as_i64()
                    .filter(|amount| *amount >= 0)
                    .ok_or_else(|| Error::Amount {
                        amount: crate::util::text::short(&value.to_string()),
                    })
            })
            .transpose()?;
        let environment = Environment {
            actor: form.actor,
            host: form.host,
            channel: form.channel,
            realm: form.realm,
            session_start: form
                .session_start
                .as_deref()
                .map(calendar::parse_instant)
                .transpose()?,
            amount,
            context: form.context,
        };
        Ok(Self {
            principal: form.principal,
            action,
            resource: form.resource.try_into()?,
            environment,
        })
    }
}
