//! The shape of a request: its kind and its set of facts, which are known at compile time.

use std::collections::BTreeMap;

use super::fact_set::{
    ACCOUNT_LIMIT, AMOUNT, CLIENT, FactSet, HostFact, MEMBER_LIMIT, MORE, NOT_BEFORE, QUOTA,
    QUOTA_MEMBER, REALM, REALM_OWNER, RESOURCE_ACCOUNT, SESSION_START,
};
use super::symbols::{self, root};
use crate::vm::Value;

/// The attributes of a resource type, each with whether it is required.
pub(crate) type AttributeShape = BTreeMap<String, bool>;

/// The channel of a request that names none.
pub(crate) const DEFAULT_CHANNEL: &str = "web";

/// The kind and the facts of a request, which are known when its policies are compiled.
#[derive(Clone, Copy)]
pub(crate) struct RequestShape<'a> {
    pub(crate) principal: u32,
    pub(crate) action: u32,
    pub(crate) feature: Option<u32>,
    pub(crate) resource: &'a str,
    /// The attributes of the resource's type.
    pub(crate) attributes: Option<&'a AttributeShape>,
    /// Whether the resource comes inline.
    pub(crate) is_inline: bool,
    /// The facts of the request. `None` for any request at all, of which nothing is known.
    pub(crate) facts: Option<FactSet>,
}

impl RequestShape<'_> {
    /// The shape of any request.
    pub(crate) const ANY: Self = Self {
        principal: u32::MAX,
        action: u32::MAX,
        feature: None,
        resource: "",
        attributes: None,
        is_inline: false,
        facts: None,
    };

    /// Returns the type of the login: the actor, or else the principal.
    pub(crate) fn login(&self) -> u32 {
        self.facts
            .and_then(FactSet::actor)
            .unwrap_or(self.principal)
    }

    pub(crate) fn is_client(&self) -> bool {
        self.facts.is_some_and(|facts| facts.has(CLIENT))
    }

    /// Returns whether an inline resource brings an attribute of that name. `None` if that depends
    /// on the request.
    pub(crate) fn brings(&self, name: u32) -> Option<bool> {
        let facts = self.facts.filter(|_| self.is_inline)?;
        match name {
            symbols::ACCOUNT_OF => Some(facts.has(RESOURCE_ACCOUNT)),
            _ if facts.has(MORE) => None,
            _ => Some(false),
        }
    }

    /// Returns what a register holds if it holds no value: [`Value::Missing`] for a fact that the
    /// request does not have, [`Value::Poison`] for a part of one.
    pub(crate) fn absent(&self, register: u8) -> Option<Value> {
        let facts = self.facts?;
        let (login, acts) = (self.login(), facts.actor().is_some());
        let host = facts.host();
        let (quota, member) = (facts.has(QUOTA), facts.has(QUOTA_MEMBER));
        // Whether the request has the whole of which the register holds a part, and that part.
        let present = match register {
            root::ACCOUNT => (true, has_account(self.principal)),
            root::LOGIN_ACCOUNT => (true, has_account(login)),
            root::LOGIN_MEMBER => (true, login == symbols::MEMBER),
            root::LOGIN_OPERATOR => (true, login == symbols::OPERATOR),
            root::ACTOR_ACCOUNT => (acts, has_account(login)),
            root::ACTOR_MEMBER => (acts, login == symbols::MEMBER),
            root::ACTOR_OPERATOR => (acts, login == symbols::OPERATOR),
            root::HOST => (true, matches!(host, HostFact::Domain | HostFact::Unknown)),
            root::HOST_REFUSED => (true, host == HostFact::Refused),
            root::DOMAIN => (true, host == HostFact::Domain),
            root::REALM_OWNER => (facts.has(REALM), facts.has(REALM_OWNER)),
            root::FEATURE => (true, self.feature.is_some()),
            root::AMOUNT => (true, facts.has(AMOUNT)),
            root::SESSION_START => (true, facts.has(SESSION_START)),
            root::NOT_BEFORE => (true, facts.has(NOT_BEFORE)),
            root::QUOTA_METER | root::QUOTA_AMOUNT | root::ACCOUNT_USED | root::ACCOUNT_HELD => {
                (quota, true)
            }
            root::ACCOUNT_LIMIT => (quota, facts.has(ACCOUNT_LIMIT)),
            root::MEMBER_USED | root::MEMBER_HELD => (member, true),
            root::MEMBER_LIMIT => (member, facts.has(MEMBER_LIMIT)),
            _ => return None,
        };
        match present {
            (true, true) => None,
            (true, false) => Some(Value::Missing),
            (false, _) => Some(Value::Poison),
        }
    }
}

/// Returns whether a principal of this type has an account.
pub(super) fn has_account(principal: u32) -> bool {
    matches!(principal, symbols::ACCOUNT | symbols::MEMBER)
}
