//! What a caller asks.

use serde_json::{Map, Value};

use crate::model::reference::EntityRef;

/// What an action is done to. Types that the directory keeps are named by type and id only; all
/// others are the host's own and come inline, with the account that they belong to and the
/// attributes that the schema declares.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Type and id.
    pub uid: EntityRef,
    /// The account that it belongs to; becomes the attribute `account`.
    pub account: Option<String>,
    /// Attributes in Cedar's JSON form (entities and extension values may be implicit where the
    /// schema tells).
    pub attributes: Map<String, Value>,
    /// Direct parents in the entity hierarchy.
    pub parents: Vec<EntityRef>,
    /// Tags.
    pub tags: Map<String, Value>,
}

impl Resource {
    /// A resource by type and id alone.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        EntityRef::new(kind, id).into()
    }

    /// The same, belonging to an account.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// The same, with one attribute more.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Whether nothing but type and id is given.
    pub(crate) fn is_empty(&self) -> bool {
        self.account.is_none()
            && self.attributes.is_empty()
            && self.parents.is_empty()
            && self.tags.is_empty()
    }
}

impl From<EntityRef> for Resource {
    fn from(uid: EntityRef) -> Self {
        Self {
            uid,
            account: None,
            attributes: Map::new(),
            parents: Vec::new(),
            tags: Map::new(),
        }
    }
}

impl From<(&str, &str)> for Resource {
    fn from((kind, id): (&str, &str)) -> Self {
        Self::new(kind, id)
    }
}

/// What surrounds a request beside who, what and on what.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Environment {
    /// The login that acts as the principal, a client account (A1).
    pub actor: Option<EntityRef>,
    /// The host name that the request came to, as the HTTP header says it.
    pub host: Option<String>,
    /// How it came: `web` (default), `job`, `mail`, `public`.
    pub channel: Option<String>,
    /// The realm that the session belongs to: (`Platform`, id) or (`Account`, the owner's id).
    pub realm: Option<EntityRef>,
    /// How much of what the action is metered by; asked, not taken.
    pub amount: Option<i64>,
    /// The action's own context fields, in Cedar's JSON form.
    pub context: Map<String, Value>,
}

impl Environment {
    /// Whether nothing but a host is given.
    pub(crate) fn is_empty(&self) -> bool {
        self.amount.is_none() && self.has_only_amount()
    }

    /// Whether nothing but a host and an amount is given.
    pub(crate) fn has_only_amount(&self) -> bool {
        self.actor.is_none()
            && self.channel.is_none()
            && self.realm.is_none()
            && self.context.is_empty()
    }
}

/// May `principal` do `action` on `resource`?
///
/// # Example: a request that came to a client's own domain
/// ```
/// use sublet::{Request, Resource};
/// let request = Request::new(("TeamMember", "ann"), "campaign.read", Resource::new("Campaign", "spring").account("acme"))
///     .host("app.brand.example");
/// assert_eq!(request.circumstances.host.as_deref(), Some("app.brand.example"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The login.
    pub principal: EntityRef,
    /// The action: type (`Action`, with its namespace if it has one) and id.
    pub action: EntityRef,
    /// The resource.
    pub resource: Resource,
    /// The rest.
    pub circumstances: Environment,
}

/// An action by its id (type `Action`) or by type and id.
pub trait IntoAction {
    /// The action's type and id.
    fn into_action(self) -> EntityRef;
}

impl IntoAction for &str {
    fn into_action(self) -> EntityRef {
        EntityRef::new("Action", self)
    }
}

impl IntoAction for EntityRef {
    fn into_action(self) -> EntityRef {
        self
    }
}

impl Request {
    /// A request without circumstances.
    pub fn new(
        principal: impl Into<EntityRef>,
        action: impl IntoAction,
        resource: impl Into<Resource>,
    ) -> Self {
        Self {
            principal: principal.into(),
            action: action.into_action(),
            resource: resource.into(),
            circumstances: Environment::default(),
        }
    }

    /// The same, having come to this host.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.circumstances.host = Some(host.into());
        self
    }

    /// The same, with this login acting as the principal (A1).
    #[must_use]
    pub fn actor(mut self, actor: impl Into<EntityRef>) -> Self {
        self.circumstances.actor = Some(actor.into());
        self
    }

    /// The same, on this channel.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<String>) -> Self {
        self.circumstances.channel = Some(channel.into());
        self
    }

    /// The same, in a session of this realm.
    #[must_use]
    pub fn realm(mut self, realm: impl Into<EntityRef>) -> Self {
        self.circumstances.realm = Some(realm.into());
        self
    }

    /// The same, with one context field more.
    #[must_use]
    pub fn context(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.circumstances.context.insert(name.into(), value.into());
        self
    }
}
