//! A question whose words are borrowed, or handles: what a hot call passes.

use super::handle::{Action, Host, Principal, ResourceType};
use super::request::{Circumstances, Request, Resource};
use crate::model::reference::Ref;
use crate::util::error::Error;
use crate::util::json;

/// A type and an id, or the handle of them.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    /// By type and id.
    Name(&'a str, &'a str),
    /// Looked up once.
    Handle(&'a Principal),
}

/// An action by type and id, or its handle.
#[derive(Debug, Clone, Copy)]
pub enum Does<'a> {
    /// By type and id.
    Name(&'a str, &'a str),
    /// Looked up once.
    Handle(&'a Action),
}

/// A resource type by name, or its handle.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'a> {
    /// By name.
    Name(&'a str),
    /// Looked up once.
    Handle(&'a ResourceType),
}

/// An account's id, or the handle of the account.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// By id.
    Name(&'a str),
    /// Looked up once.
    Handle(&'a Principal),
}

/// A host name, or its handle.
#[derive(Debug, Clone, Copy)]
pub enum At<'a> {
    /// As the HTTP header says it.
    Name(&'a str),
    /// Looked up once.
    Handle(&'a Host),
}

/// What an action is done to.
#[derive(Debug, Clone, Copy)]
pub struct On<'a> {
    /// Its type.
    pub kind: Kind<'a>,
    /// Its id.
    pub id: &'a str,
    /// The account that it belongs to, for a resource of the host's own.
    pub account: Option<Of<'a>>,
    /// Attributes, parents and tags (type, id and account of it are not read).
    pub more: Option<&'a Resource>,
}

/// May this login do this action on this resource, at this host? As [`Request`], but nothing in it is owned.
///
/// # Example: from strings, without an allocation
/// ```
/// use sublet::{Engine, Options, Question};
/// let engine = Engine::open(Options::default())?;
/// let question = Question::new(("Account", "bakery"), "campaign.read", ("Campaign", "spring")).account("bakery").host("app.acme.example");
/// assert!(!engine.check(question)?);
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The login.
    pub principal: Who<'a>,
    /// The action.
    pub action: Does<'a>,
    /// The resource.
    pub resource: On<'a>,
    /// The host name that the request came to.
    pub host: Option<At<'a>>,
    /// What else surrounds it; its own `host` is not read.
    pub with: Option<&'a Circumstances>,
}

impl<'a> Question<'a> {
    /// A question without host and circumstances.
    pub fn new(
        principal: impl Into<Who<'a>>,
        action: impl Into<Does<'a>>,
        resource: impl Into<On<'a>>,
    ) -> Self {
        Self {
            principal: principal.into(),
            action: action.into(),
            resource: resource.into(),
            host: None,
            with: None,
        }
    }

    /// The same, of a resource that belongs to this account.
    #[must_use]
    pub fn account(mut self, account: impl Into<Of<'a>>) -> Self {
        self.resource.account = Some(account.into());
        self
    }

    /// The same, having come to this host.
    #[must_use]
    pub fn host(mut self, host: impl Into<At<'a>>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Whether the values that come with it are no larger than a question's may be.
    pub(crate) fn check_size(&self) -> Result<(), Error> {
        if let Some(with) = self.with {
            json::check_size("context", with.context.iter())?;
        }
        match self.resource.more {
            Some(more) => json::check_size("resource", more.attributes.iter().chain(&more.tags)),
            None => Ok(()),
        }
    }

    /// The same with everything owned.
    ///
    /// # Errors
    /// [`Error::Value`] for a resource that belongs to a handle of no account.
    pub fn to_request(&self) -> Result<Request, Error> {
        let mut resource = self
            .resource
            .more
            .cloned()
            .unwrap_or_else(|| Resource::new("", ""));
        resource.uid = Ref::new(self.resource.kind.name(), self.resource.id);
        resource.account = self
            .resource
            .account
            .map(Of::account)
            .transpose()?
            .map(str::to_owned);
        let mut circumstances = self.with.cloned().unwrap_or_default();
        circumstances.host = self.host.map(|host| host.name().to_owned());
        Ok(Request {
            principal: self.principal.to_ref(),
            action: self.action.to_ref(),
            resource,
            circumstances,
        })
    }
}

impl<'a> Who<'a> {
    /// Type and id.
    #[must_use]
    pub fn name(self) -> (&'a str, &'a str) {
        match self {
            Self::Name(kind, id) => (kind, id),
            Self::Handle(handle) => (handle.reference().kind(), handle.reference().id()),
        }
    }

    pub(crate) fn to_ref(self) -> Ref {
        match self {
            Self::Name(kind, id) => Ref::new(kind, id),
            Self::Handle(handle) => handle.reference().clone(),
        }
    }
}

impl<'a> Does<'a> {
    /// Type and id.
    #[must_use]
    pub fn name(self) -> (&'a str, &'a str) {
        match self {
            Self::Name(kind, id) => (kind, id),
            Self::Handle(handle) => (handle.reference().kind(), handle.reference().id()),
        }
    }

    pub(crate) fn to_ref(self) -> Ref {
        match self {
            Self::Name(kind, id) => Ref::new(kind, id),
            Self::Handle(handle) => handle.reference().clone(),
        }
    }
}

impl<'a> Kind<'a> {
    /// The type's name.
    #[must_use]
    pub fn name(self) -> &'a str {
        match self {
            Self::Name(name) => name,
            Self::Handle(handle) => handle.name(),
        }
    }
}

impl<'a> Of<'a> {
    /// The account's id.
    #[must_use]
    pub fn id(self) -> &'a str {
        match self {
            Self::Name(id) => id,
            Self::Handle(handle) => handle.reference().id(),
        }
    }

    /// The same, if it is one: a handle of another login names no account.
    ///
    /// # Errors
    /// [`Error::Value`] for such a handle.
    pub fn account(self) -> Result<&'a str, Error> {
        match self {
            Self::Name(id) => Ok(id),
            Self::Handle(handle) => handle.reference().account(),
        }
    }
}

impl<'a> At<'a> {
    /// The name as it was given.
    #[must_use]
    pub fn name(self) -> &'a str {
        match self {
            Self::Name(name) => name,
            Self::Handle(handle) => handle.name(),
        }
    }
}

macro_rules! from {
    ($($given:ty => $made:ty, |$name:ident| $body:expr;)*) => {
        $(impl<'a> From<$given> for $made {
            fn from($name: $given) -> Self {
                $body
            }
        })*
    };
}

from! {
    (&'a str, &'a str) => Who<'a>, |name| Self::Name(name.0, name.1);
    &'a Ref => Who<'a>, |name| Self::Name(name.kind(), name.id());
    &'a Principal => Who<'a>, |handle| Self::Handle(handle);
    &'a str => Does<'a>, |name| Self::Name("Action", name);
    (&'a str, &'a str) => Does<'a>, |name| Self::Name(name.0, name.1);
    &'a Ref => Does<'a>, |name| Self::Name(name.kind(), name.id());
    &'a Action => Does<'a>, |handle| Self::Handle(handle);
    &'a str => Of<'a>, |id| Self::Name(id);
    &'a Principal => Of<'a>, |handle| Self::Handle(handle);
    &'a str => At<'a>, |name| Self::Name(name);
    &'a Host => At<'a>, |handle| Self::Handle(handle);
    (&'a str, &'a str) => On<'a>, |name| Self { kind: Kind::Name(name.0), id: name.1, account: None, more: None };
    (&'a ResourceType, &'a str) => On<'a>, |name| Self { kind: Kind::Handle(name.0), id: name.1, account: None, more: None };
    &'a Resource => On<'a>, |resource| Self {
        kind: Kind::Name(resource.uid.kind()),
        id: resource.uid.id(),
        account: resource.account.as_deref().map(Of::Name),
        more: if resource.attributes.is_empty() && resource.parents.is_empty() && resource.tags.is_empty() { None } else { Some(resource) },
    };
    &'a Request => Question<'a>, |request| Self {
        principal: (&request.principal).into(),
        action: (&request.action).into(),
        resource: (&request.resource).into(),
        host: request.circumstances.host.as_deref().map(At::Name),
        with: if request.circumstances.is_bare() { None } else { Some(&request.circumstances) },
    };
    &'a Question<'a> => Question<'a>, |question| *question;
}
