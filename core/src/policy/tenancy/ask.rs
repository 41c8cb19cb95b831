//! A request before its program: names become numbers once, facts become registers.

use super::programs::{Entry, Programs};
use super::words::{self, entity, root};
use super::world::Tenants;
use crate::directory::{Directory, Hot, NONE};
use crate::eval::{Outcome, Space, TEMPORARY, Value, run};
use crate::policy::compile::construct;
use crate::policy::fast::{Tally, with_scratch};
use crate::policy::{Bundle, Verdict};
use crate::{Ref, Request, host};

/// Principal or actor: its kind, its number and that of its account, or [`NONE`].
#[derive(Clone, Copy)]
struct Login {
    kind: u32,
    number: u32,
    account: u32,
}

impl Login {
    fn find(hot: &Hot, reference: &Ref) -> Option<Self> {
        match reference.kind() {
            "Account" => hot.accounts.find(reference.id()).map(|(number, _)| Self { kind: words::ACCOUNT, number, account: number }),
            "TeamMember" => hot.members.find(reference.id()).map(|(number, row)| Self { kind: words::MEMBER, number, account: row.account }),
            "Operator" => hot.operators.find(reference.id()).map(|(number, _)| Self { kind: words::OPERATOR, number, account: NONE }),
            _ => None,
        }
    }

    fn value(self) -> Value {
        Value::Entity(entity(self.kind, self.number))
    }

    fn account(self) -> Value {
        if self.account == NONE { Value::Missing } else { Value::Entity(entity(words::ACCOUNT, self.account)) }
    }

    fn only(self, kind: u32) -> Value {
        if self.kind == kind { self.value() } else { Value::Missing }
    }
}

impl Programs {
    /// The answer, or nothing where the request is malformed, names what nobody has, or brings values of its own: then the
    /// long way is asked, which says so.
    pub(in crate::policy) fn judge(&self, bundle: &Bundle, request: &Request, directory: &Directory) -> Option<Verdict> {
        let mut tally = Tally::default();
        self.each(request, directory, |at, outcome| {
            tally.count(&bundle.rules, at, outcome);
            true
        })?;
        Some(tally.verdict(&bundle.rules))
    }

    /// The allow bit of the answer; stops once it is certain.
    pub(in crate::policy) fn check(&self, bundle: &Bundle, request: &Request, directory: &Directory) -> Option<bool> {
        let (mut permitted, mut refused) = (false, false);
        self.each(request, directory, |at, outcome| {
            match outcome {
                Outcome::DoesNot => {}
                Outcome::Applies if bundle.rules.permits_at(at) => permitted = true,
                Outcome::Applies | Outcome::Errs => refused = true,
            }
            !refused
        })?;
        Some(permitted && !refused)
    }

    /// Tells `each` how each policy stands to the request that can apply to its kind.
    #[inline]
    fn each(&self, request: &Request, directory: &Directory, each: impl FnMut(usize, Outcome) -> bool) -> Option<()> {
        let (hot, with, resource) = (directory.hot(), &request.circumstances, &request.resource);
        let action = self.actions.get(request.action.id()).filter(|_| request.action.kind() == "Action")?;
        let own = with.context.is_empty() && !action.context;
        if !own || !resource.attributes.is_empty() || !resource.parents.is_empty() || !resource.tags.is_empty() || resource.uid.id().is_empty() {
            return None;
        }
        let principal = Login::find(hot, &request.principal)?;
        let entry = action.entries.iter().find(|entry| entry.principal == principal.kind && *entry.resource == *resource.uid.kind())?;
        let account = owner_of(entry, resource, hot)?;
        let actor = with.actor.as_ref().map(|actor| Login::find(hot, actor).ok_or(())).transpose().ok()?;
        with_scratch(&self.pool, |space| {
            let tenants = Tenants { hot, named: &self.named };
            let mut roots = [Value::Missing; root::COUNT];
            let mut put = |at: u8, value: Value| {
                if let Some(register) = roots.get_mut(usize::from(at)) {
                    *register = value;
                }
            };
            let login = actor.unwrap_or(principal);
            put(root::PRINCIPAL, principal.value());
            put(root::ACTION, Value::Entity(action.number));
            put(root::CONTEXT, Value::Record(0));
            put(root::ACCOUNT, principal.account());
            put(root::LOGIN_ACCOUNT, login.account());
            put(root::LOGIN_MEMBER, login.only(words::MEMBER));
            put(root::LOGIN_OPERATOR, login.only(words::OPERATOR));
            let acting = |value: Value| if actor.is_some() { value } else { Value::Poison };
            put(root::ACTOR_ACCOUNT, acting(login.account()));
            put(root::ACTOR_MEMBER, acting(login.only(words::MEMBER)));
            put(root::ACTOR_OPERATOR, acting(login.only(words::OPERATOR)));
            put(root::ACTOR, if actor.is_some() { Value::Bool(true) } else { Value::Missing });
            put(root::FEATURE, action.feature.map_or(Value::Missing, Value::Entity));
            let domain = with.host.as_deref().and_then(|host| hot.domains.find(host));
            let session = domain.is_some() && actor.is_none() && with.realm.is_none() && with.amount.is_none() && with.channel.is_none();
            if let Some((number, _)) = domain {
                put(root::DOMAIN, Value::Entity(entity(words::DOMAIN, number)));
            }
            if let Owned::By(account) = account {
                // Nothing else of this request can be the same entity, unless a policy names it.
                let number = if self.named.others.is_empty() { TEMPORARY } else { tenants.entity(resource.uid.kind(), resource.uid.id(), space).entity()? };
                put(root::RESOURCE, Value::Entity(number));
                space.scratch.guest.entity = number;
                space.scratch.guest.attributes.push((words::ACCOUNT_OF, Value::Entity(entity(words::ACCOUNT, account))));
            } else {
                put(root::RESOURCE, tenants.entity(resource.uid.kind(), resource.uid.id(), space));
            }
            let program = if session {
                let client = hot.accounts.row(principal.account).is_some_and(|row| row.owner != NONE);
                if !entry.reads_host {
                    put(root::HOST, Value::Bool(true));
                } else if let Some(host) = with.host.as_deref() {
                    put(root::HOST, Value::Text(space.text_number(host)));
                }
                entry.session.get(usize::from(client))?
            } else {
                self.facts(request, &tenants, space, &mut put)?;
                &entry.any
            };
            run(program, &roots, &tenants, space, construct, each);
            Some(())
        })
    }

    /// The facts that a session's request does not have.
    fn facts(&self, request: &Request, tenants: &Tenants<'_>, space: &mut Space<'_>, put: &mut impl FnMut(u8, Value)) -> Option<()> {
        let with = &request.circumstances;
        match with.host.as_deref().map(host::normalise) {
            Some(Ok(name)) => {
                if let Some((number, _)) = tenants.hot.domains.find(&name) {
                    put(root::DOMAIN, Value::Entity(entity(words::DOMAIN, number)));
                }
                put(root::HOST, Value::Text(space.text_number(&name)));
            }
            Some(Err(reason)) => put(root::HOST_REFUSED, Value::Text(space.text_number(reason))),
            None => {}
        }
        let channel = with.channel.as_deref().unwrap_or("web");
        let at = self.named.channels.iter().position(|known| **known == *channel)?;
        put(root::CHANNEL, Value::Entity(entity(words::CHANNEL, u32::try_from(at).ok()?)));
        put(root::REALM_OWNER, Value::Poison);
        if let Some(realm) = &with.realm {
            put(root::REALM, Value::Bool(true));
            put(
                root::REALM_OWNER,
                match realm.kind() {
                    "Platform" => Value::Missing,
                    "Account" => tenants.entity("Account", realm.id(), space),
                    _ => return None,
                },
            );
        }
        if let Some(amount) = with.amount {
            if amount < 0 {
                return None;
            }
            put(root::AMOUNT, Value::Long(amount));
        }
        Some(())
    }
}

/// Whose a resource is.
enum Owned {
    /// A record of the directory: its own row says it.
    Record,
    /// Inline, and belongs to the account of that number.
    By(u32),
}

/// Whose the resource is, or nothing where it or its account is not there, or more of it must be read.
fn owner_of(entry: &Entry, resource: &crate::Resource, hot: &Hot) -> Option<Owned> {
    if entry.owned {
        let account = resource.account.as_deref()?;
        return hot.accounts.find(account).map(|(number, _)| Owned::By(number));
    }
    let id = resource.uid.id();
    let there = match resource.uid.kind() {
        "Account" => hot.accounts.find(id).is_some(),
        "TeamMember" => hot.members.find(id).is_some(),
        "Domain" => hot.domains.find(id).is_some(),
        "AccessLevel" => hot.levels.find(id).is_some(),
        "Package" => hot.packages.find(id).is_some(),
        "Operator" => hot.operators.find(id).is_some(),
        "Platform" => hot.platforms.find(id).is_some(),
        _ => false,
    };
    if there && resource.account.is_none() { Some(Owned::Record) } else { None }
}
