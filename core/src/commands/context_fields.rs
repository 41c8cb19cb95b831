//! Context fields of commands: the values that a command brings, in the form that policies read,
//! and the facts about limits that Cedar cannot compute because it does not iterate (L8, M5).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{CommandContext, CommandTarget, entity};
use crate::model::email;
use crate::model::limit::{Limit, Limits};
use crate::model::package::Package;

impl CommandTarget {
    /// Adds a field if the command brings it.
    pub(super) fn with_optional<V: Into<Value>>(self, field: &str, value: Option<V>) -> Self {
        match value {
            Some(value) => self.with(field, value.into()),
            None => self,
        }
    }

    /// Adds an e-mail and its host. A malformed e-mail is left out, because the command then fails.
    pub(super) fn with_email(self, text: &str) -> Self {
        let Ok(email) = email::normalise(text) else {
            return self;
        };
        let host = email.rsplit_once('@').map(|(_, host)| host.to_owned());
        self.with_optional("email_host", host)
            .with("email", email.into())
    }

    /// Adds the limits that a command sets for an account, a level or a client.
    pub(super) fn with_limits(self, scene: &CommandContext<'_>, limits: &Limits) -> Self {
        self.with("limits", scene.numbers(limits))
            .with("unlimited", scene.unlimited(limits))
    }

    /// Adds the sub-limits that a command sets for a member.
    pub(super) fn with_sub_limits(self, scene: &CommandContext<'_>, limits: &Limits) -> Self {
        self.with("sub_limits", scene.numbers(limits))
            .with("unlimited", scene.unlimited(limits))
    }

    /// Adds the time zone and the anchor day, if the command brings them.
    pub(super) fn with_calendar(self, zone: Option<&str>, anchor: Option<&str>) -> Self {
        self.with_optional("zone", zone)
            .with_optional("anchor", anchor)
    }

    /// Adds the meters of which a client would get more than the owner's package allows.
    pub(super) fn with_excess(
        self,
        scene: &CommandContext<'_>,
        owner: &str,
        given: &Limits,
    ) -> Self {
        let package = scene.package_of(owner);
        let most = package.map(Package::client_limits_max);
        let exceeds = |meter: &String, limit: &Limit| {
            most.and_then(|most| most.get(meter))
                .is_some_and(|most| !limit.is_within(*most))
        };
        let excess = given
            .iter()
            .filter(|(meter, limit)| exceeds(meter, limit))
            .map(|(meter, _)| meter);
        self.with("limits_beyond_package", scene.meters(excess))
    }
}

impl CommandContext<'_> {
    /// Returns the package of a main account.
    fn package_of(&self, account: &str) -> Option<&Package> {
        let account = self.directory.account(account)?;
        self.directory.package(account.package()?, self.catalog)
    }

    /// Returns the access level of an owner's new clients (L7).
    pub(super) fn client_level(&self, owner: &str) -> Option<&str> {
        self.package_of(owner)?.client_level()
    }

    /// Returns the limits that a client gets: its own, and those of its level for other meters (L6).
    pub(super) fn given_limits(&self, own: &Limits, level: Option<&str>) -> Limits {
        let mut given = self.limits_of_level(level);
        given.extend(own.iter().map(|(meter, limit)| (meter.clone(), *limit)));
        given
    }

    /// Returns the limits of an access level. An unknown level has none.
    pub(super) fn limits_of_level(&self, level: Option<&str>) -> Limits {
        level
            .and_then(|level| self.directory.level(level, self.catalog))
            .map(|level| level.limits().clone())
            .unwrap_or_default()
    }

    /// Returns the limits that are numbers, by meter. The command fails later for an unknown meter.
    fn numbers(&self, limits: &Limits) -> Value {
        let numbers = limits.iter().filter_map(|(meter, limit)| match limit {
            Limit::Number(number) => Some((meter.clone(), Value::from(*number))),
            Limit::Unlimited => None,
        });
        Value::Object(
            numbers
                .filter(|(meter, _)| self.catalog.meter(meter).is_some())
                .collect::<Map<_, _>>(),
        )
    }

    /// Returns the meters whose limit is unlimited.
    fn unlimited(&self, limits: &Limits) -> Value {
        let unlimited = limits
            .iter()
            .filter(|(_, limit)| **limit == Limit::Unlimited);
        self.meters(unlimited.map(|(meter, _)| meter))
    }

    /// Returns the meters that the bundle declares, as a set for the context.
    pub(super) fn meters<'m>(&self, names: impl IntoIterator<Item = &'m String>) -> Value {
        names
            .into_iter()
            .filter(|meter| self.catalog.meter(meter).is_some())
            .map(|meter| entity("Meter", meter))
            .collect::<Vec<_>>()
            .into()
    }

    /// Returns the features that the bundle declares, as a set for the context.
    pub(super) fn features(&self, names: &BTreeSet<String>) -> Value {
        names
            .iter()
            .filter(|name| self.catalog.feature_words(name).is_some())
            .map(|name| entity("Feature", name))
            .collect::<Vec<_>>()
            .into()
    }

    /// Returns the attributes that a command sets, or `None` if it sets none. If the schema requires
    /// attributes that the command does not set, returns all attributes after the command. Returns
    /// `None` if the attributes do not fit the schema, because the command then fails.
    pub(super) fn attributes(
        &self,
        record_type: &str,
        set: &Map<String, Value>,
        after: &Map<String, Value>,
    ) -> Option<Value> {
        if set.is_empty() || !self.is_decided {
            return None;
        }
        let fits = |attributes| self.names.typed(record_type, attributes).is_ok();
        if !fits(after) {
            return None;
        }
        let attributes = if set == after || fits(set) {
            set
        } else {
            after
        };
        Some(Value::Object(attributes.clone()))
    }
}
