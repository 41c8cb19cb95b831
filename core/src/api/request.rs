//! Requests that own their parts.

use serde_json::{Map, Value};

use crate::model::reference::EntityRef;

/// The resource of an action.
///
/// A resource that is a record of the directory is named by type and id only. All others belong to
/// the host and come inline, with their account and the attributes that the schema declares.
///
/// # Example: a support ticket with its attribute
/// ```
/// use sublet::Resource;
/// let ticket = Resource::new("Ticket", "t-1").account("bakery").attribute("desk", "owner");
/// assert_eq!(ticket.account.as_deref(), Some("bakery"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// The type and the id.
    pub uid: EntityRef,
    /// The account that the resource belongs to. It becomes the attribute `account`.
    pub account: Option<String>,
    /// Attributes in Cedar's JSON form. Entities and extension values may be implicit if the schema
    /// declares their types.
    pub attributes: Map<String, Value>,
    /// Direct parents in the entity hierarchy.
    pub parents: Vec<EntityRef>,
    /// Tags.
    pub tags: Map<String, Value>,
}

impl Resource {
    /// Creates a resource from a type and an id.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        EntityRef::new(kind, id).into()
    }

    /// Sets the account that the resource belongs to.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// Adds one attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Returns whether only type and id are given.
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

/// The environment of a request: everything besides principal, action and resource.
///
/// # Example: a request of a background job
/// ```
/// use sublet::Environment;
/// let env = Environment { channel: Some("job".to_owned()), ..Environment::default() };
/// assert!(env.host.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Environment {
    /// The login that acts as the principal, which is a client account (A1).
    pub actor: Option<EntityRef>,
    /// The host name that the request came to, as in the HTTP header.
    pub host: Option<String>,
    /// The channel of the request: `web` (default), `job`, `mail`, `public`.
    pub channel: Option<String>,
    /// The realm that the session belongs to: (`Platform`, id) or (`Account`, the owner's id).
    pub realm: Option<EntityRef>,
    /// When the caller's session began, in milliseconds since 1970 UTC. After a login signed out
    /// everywhere, a request with a host needs it (I7).
    pub session_start: Option<i64>,
    /// The amount of the action's meters. It is checked, but not taken.
    pub amount: Option<i64>,
    /// The context fields of the action, in Cedar's JSON form.
    pub context: Map<String, Value>,
}

impl Environment {
    /// Returns whether at most a host is given.
    pub(crate) fn is_empty(&self) -> bool {
        self.amount.is_none() && self.has_only_amount()
    }

    /// Returns whether at most a host and an amount are given.
    pub(crate) fn has_only_amount(&self) -> bool {
        self.actor.is_none()
            && self.channel.is_none()
            && self.realm.is_none()
            && self.session_start.is_none()
            && self.context.is_empty()
    }
}

/// A request: may `principal` do `action` on `resource`?
///
/// # Example: a request that came to a client's own domain
/// ```
/// use sublet::{Request, Resource};
/// let campaign = Resource::new("Campaign", "spring").account("acme");
/// let request = Request::new(("TeamMember", "ann"), "campaign.read", campaign)
///     .host("app.brand.example");
/// assert_eq!(request.environment.host.as_deref(), Some("app.brand.example"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The login.
    pub principal: EntityRef,
    /// The action: type (`Action`, with its namespace if it has one) and id.
    pub action: EntityRef,
    /// The resource.
    pub resource: Resource,
    /// The environment.
    pub environment: Environment,
}

/// A conversion into an action, from its id (type `Action`) or from type and id.
pub trait IntoAction {
    /// Returns the action's type and id.
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
    /// Creates a request with an empty environment.
    pub fn new(
        principal: impl Into<EntityRef>,
        action: impl IntoAction,
        resource: impl Into<Resource>,
    ) -> Self {
        Self {
            principal: principal.into(),
            action: action.into_action(),
            resource: resource.into(),
            environment: Environment::default(),
        }
    }

    /// Sets the host that the request came to.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.environment.host = Some(host.into());
        self
    }

    /// Sets the login that acts as the principal (A1).
    #[must_use]
    pub fn actor(mut self, actor: impl Into<EntityRef>) -> Self {
        self.environment.actor = Some(actor.into());
        self
    }

    /// Sets the channel.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<String>) -> Self {
        self.environment.channel = Some(channel.into());
        self
    }

    /// Sets the realm of the session.
    #[must_use]
    pub fn realm(mut self, realm: impl Into<EntityRef>) -> Self {
        self.environment.realm = Some(realm.into());
        self
    }

    /// Sets the instant at which the session began, in milliseconds since 1970 UTC (I7).
    #[must_use]
    pub fn session_start(mut self, session_start: i64) -> Self {
        self.environment.session_start = Some(session_start);
        self
    }

    /// Adds one context field.
    #[must_use]
    pub fn context(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.environment.context.insert(name.into(), value.into());
        self
    }
}
