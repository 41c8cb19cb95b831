//! Requests that borrow their parts or use handles, for hot paths.

use super::consume_options::check_amount;
use super::handle::{Action, CachedIndex, Host, Principal, ResourceType};
use super::request::{Environment, Request, Resource};
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::json;

macro_rules! entity_references {
    ($($(#[$about:meta])* $reference:ident by $handle:ident;)*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy)]
        pub enum $reference<'a> {
            /// The type and the id.
            Name(&'a str, &'a str),
            /// A handle, which is looked up once.
            Handle(&'a $handle),
        }

        impl<'a> $reference<'a> {
            /// Returns the type and the id.
            #[must_use]
            pub fn name(self) -> (&'a str, &'a str) {
                match self {
                    Self::Name(kind, id) => (kind, id),
                    Self::Handle(handle) => (handle.reference().kind(), handle.reference().id()),
                }
            }

            pub(crate) fn to_ref(self) -> EntityRef {
                match self {
                    Self::Name(kind, id) => EntityRef::new(kind, id),
                    Self::Handle(handle) => handle.reference().clone(),
                }
            }

            /// Returns where an engine keeps the place of a handle.
            pub(crate) fn place(self) -> Option<&'a CachedIndex> {
                match self {
                    Self::Name(..) => None,
                    Self::Handle(handle) => Some(&handle.place),
                }
            }
        }
    )*};
}

macro_rules! name_references {
    ($($(#[$about:meta])* $reference:ident by $handle:ident;)*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy)]
        pub enum $reference<'a> {
            /// The name, as the host has it.
            Name(&'a str),
            /// A handle, which is looked up once.
            Handle(&'a $handle),
        }

        impl<'a> $reference<'a> {
            /// Returns the name as it was given.
            #[must_use]
            pub fn name(self) -> &'a str {
                match self {
                    Self::Name(name) => name,
                    Self::Handle(handle) => handle.name(),
                }
            }
        }
    )*};
}

entity_references! {
    /// A principal, by type and id or by handle.
    PrincipalRef by Principal;
    /// An action, by type and id or by handle.
    ActionRef by Action;
}

name_references! {
    /// A resource type, by name or by handle.
    ResourceTypeRef by ResourceType;
    /// A host, by the name of the HTTP header or by handle.
    HostRef by Host;
}

/// An account, by id or by handle.
#[derive(Debug, Clone, Copy)]
pub enum AccountRef<'a> {
    /// The id.
    Name(&'a str),
    /// A handle, which is looked up once.
    Handle(&'a Principal),
}

/// The resource of an action.
#[derive(Debug, Clone, Copy)]
pub struct ResourceRef<'a> {
    /// The type.
    pub kind: ResourceTypeRef<'a>,
    /// The id.
    pub id: &'a str,
    /// The account that the resource belongs to, if the resource is not a record of the directory.
    pub account: Option<AccountRef<'a>>,
    /// Attributes, parents and tags. The type, the id and the account of this value are ignored.
    pub more: Option<&'a Resource>,
}

/// A request that borrows its parts, unlike [`Request`]: may this login do this action on this
/// resource, at this host?
///
/// # Example: from strings, without an allocation
/// ```
/// use sublet::{Engine, Options, RequestRef};
/// let engine = Engine::open(Options::default())?;
/// let request = RequestRef::new(("Account", "bakery"), "campaign.read", ("Campaign", "spring"));
/// let request = request.account("bakery").host("app.acme.example");
/// assert!(!engine.check(request)?);
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RequestRef<'a> {
    /// The login.
    pub principal: PrincipalRef<'a>,
    /// The action.
    pub action: ActionRef<'a>,
    /// The resource.
    pub resource: ResourceRef<'a>,
    /// The host name that the request came to.
    pub host: Option<HostRef<'a>>,
    /// The rest of the environment. Its own `host` is ignored.
    pub environment: Option<&'a Environment>,
}

impl<'a> RequestRef<'a> {
    /// Creates a request without a host and with an empty environment.
    pub fn new(
        principal: impl Into<PrincipalRef<'a>>,
        action: impl Into<ActionRef<'a>>,
        resource: impl Into<ResourceRef<'a>>,
    ) -> Self {
        Self {
            principal: principal.into(),
            action: action.into(),
            resource: resource.into(),
            host: None,
            environment: None,
        }
    }

    /// Sets the account that the resource belongs to.
    #[must_use]
    pub fn account(mut self, account: impl Into<AccountRef<'a>>) -> Self {
        self.resource.account = Some(account.into());
        self
    }

    /// Sets the host that the request came to.
    #[must_use]
    pub fn host(mut self, host: impl Into<HostRef<'a>>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Returns whether the request brings no values, and has no amount and no actor. Then nothing
    /// is to be validated, and the answer names no other login.
    #[inline(always)]
    pub(crate) fn is_simple(&self) -> bool {
        let is_plain = |environment: &Environment| {
            environment.amount.is_none()
                && environment.actor.is_none()
                && environment.context.is_empty()
        };
        self.resource.more.is_none() && self.environment.is_none_or(is_plain)
    }

    /// Fails with [`Error::Value`] if the resource's account is the handle of a login that is not an
    /// account, and with the errors of [`RequestRef::check_values`].
    #[inline]
    pub(crate) fn validate(&self) -> Result<(), Error> {
        self.resource.account.map(AccountRef::account).transpose()?;
        self.check_values()
    }

    /// Fails with [`Error::Amount`] if the amount is negative (Q2), and with [`Error::ValueSize`] if
    /// the values of the request are larger than a request may have.
    pub(crate) fn check_values(&self) -> Result<(), Error> {
        if let Some(environment) = self.environment {
            environment.amount.map_or(Ok(()), check_amount)?;
            json::check_size("context", environment.context.iter())?;
        }
        match self.resource.more {
            Some(more) => json::check_size("resource", more.attributes.iter().chain(&more.tags)),
            None => Ok(()),
        }
    }

    /// Returns a request that owns its parts. Allocates.
    ///
    /// # Errors
    /// [`Error::Value`] if the resource's account is the handle of a login that is not an account.
    pub fn to_owned_request(&self) -> Result<Request, Error> {
        let mut resource = self
            .resource
            .more
            .cloned()
            .unwrap_or_else(|| Resource::new("", ""));
        resource.uid = EntityRef::new(self.resource.kind.name(), self.resource.id);
        resource.account = self
            .resource
            .account
            .map(AccountRef::account)
            .transpose()?
            .map(str::to_owned);
        let mut environment = self.environment.cloned().unwrap_or_default();
        environment.host = self.host.map(|host| host.name().to_owned());
        Ok(Request {
            principal: self.principal.to_ref(),
            action: self.action.to_ref(),
            resource,
            environment,
        })
    }
}

impl<'a> AccountRef<'a> {
    /// Returns the id of the account.
    #[must_use]
    pub fn id(self) -> &'a str {
        match self {
            Self::Name(id) => id,
            Self::Handle(handle) => handle.reference().id(),
        }
    }

    /// Returns the id of the account, and checks that a handle is of an account.
    ///
    /// # Errors
    /// [`Error::Value`] if the handle is of a login that is not an account.
    pub fn account(self) -> Result<&'a str, Error> {
        match self {
            Self::Name(id) => Ok(id),
            Self::Handle(handle) => handle.reference().account(),
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
    (&'a str, &'a str) => PrincipalRef<'a>, |name| Self::Name(name.0, name.1);
    &'a EntityRef => PrincipalRef<'a>, |name| Self::Name(name.kind(), name.id());
    &'a Principal => PrincipalRef<'a>, |handle| Self::Handle(handle);
    &'a str => ActionRef<'a>, |name| Self::Name("Action", name);
    (&'a str, &'a str) => ActionRef<'a>, |name| Self::Name(name.0, name.1);
    &'a EntityRef => ActionRef<'a>, |name| Self::Name(name.kind(), name.id());
    &'a Action => ActionRef<'a>, |handle| Self::Handle(handle);
    &'a str => AccountRef<'a>, |id| Self::Name(id);
    &'a Principal => AccountRef<'a>, |handle| Self::Handle(handle);
    &'a str => HostRef<'a>, |name| Self::Name(name);
    &'a Host => HostRef<'a>, |handle| Self::Handle(handle);
    (&'a str, &'a str) => ResourceRef<'a>, |name| Self { kind: ResourceTypeRef::Name(name.0), id: name.1, account: None, more: None };
    (&'a ResourceType, &'a str) => ResourceRef<'a>, |name| Self { kind: ResourceTypeRef::Handle(name.0), id: name.1, account: None, more: None };
    &'a Resource => ResourceRef<'a>, |resource| Self {
        kind: ResourceTypeRef::Name(resource.uid.kind()),
        id: resource.uid.id(),
        account: resource.account.as_deref().map(AccountRef::Name),
        more: if resource.attributes.is_empty() && resource.parents.is_empty() && resource.tags.is_empty() { None } else { Some(resource) },
    };
    &'a Request => RequestRef<'a>, |request| Self {
        principal: (&request.principal).into(),
        action: (&request.action).into(),
        resource: (&request.resource).into(),
        host: request.environment.host.as_deref().map(HostRef::Name),
        environment: if request.environment.is_empty() { None } else { Some(&request.environment) },
    };
    &'a RequestRef<'a> => RequestRef<'a>, |question| *question;
}
