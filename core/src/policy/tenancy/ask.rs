//! A question before its program: names become numbers once, facts become bits or registers.

use super::bits::Session;
use super::programs::{ActionEntry, Alone, Entry, Programs};
use super::words::{self, entity, parts, root};
use super::world::Tenants;
use crate::directory::{Directory, Hot, NONE};
use crate::eval::{Outcome, Space, TEMPORARY, Value, run};
use crate::policy::compile::construct;
use crate::policy::fast::{Tally, with_scratch};
use crate::policy::{Bundle, Verdict};
use crate::question::{At, Does, Kind, Of, Question, Who};
use crate::{Circumstances, Ref, host};

/// Principal or actor: its kind, its number and that of its account, or [`NONE`].
#[derive(Clone, Copy)]
pub(super) struct Login {
    pub(super) kind: u32,
    pub(super) number: u32,
    pub(super) account: u32,
}

/// What the action is done to: the host's own, of an account, or a record of the directory.
#[derive(Clone, Copy)]
pub(super) enum On {
    Inline { account: u32 },
    Record { kind: u32, number: u32 },
}

/// A question's names as numbers.
struct Found<'p> {
    action: &'p ActionEntry,
    entry: &'p Entry,
    principal: Login,
    on: On,
    /// The policies that are about this principal, and about this resource, alone.
    alone: [&'p [u32]; 2],
}

impl Login {
    #[inline]
    fn find(directory: &Directory, who: Who<'_>) -> Option<Self> {
        let hot = directory.hot();
        let by_name = |kind: &str, id: &str| match kind {
            "Account" => Some(entity(words::ACCOUNT, hot.accounts.number(id)?)),
            "TeamMember" => Some(entity(words::MEMBER, hot.members.number(id)?)),
            "Operator" => Some(entity(words::OPERATOR, hot.operators.number(id)?)),
            _ => None,
        };
        let found = match who {
            Who::Name(kind, id) => by_name(kind, id)?,
            Who::Handle(handle) => handle.place.get(directory.numbering(), || by_name(handle.reference().kind(), handle.reference().id()))?,
        };
        Self::of(hot, found)
    }

    #[inline]
    fn of(hot: &Hot, found: u32) -> Option<Self> {
        let (kind, number) = parts(found);
        let account = match kind {
            words::ACCOUNT => hot.accounts.row(number).map(|_| number)?,
            words::MEMBER => hot.members.row(number)?.account,
            words::OPERATOR => hot.operators.row(number).map(|_| NONE)?,
            _ => return None,
        };
        Some(Self { kind, number, account })
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

/// The number of a host that is a domain's name as it stands.
#[inline]
fn domain_of(directory: &Directory, at: At<'_>) -> Option<u32> {
    let hot = directory.hot();
    let exactly = |name: &str| hot.domains.number(name).filter(|number| hot.domains.row(*number).is_some());
    match at {
        At::Name(name) => exactly(name),
        At::Handle(handle) => {
            let number = handle.place.get(directory.numbering(), || exactly(handle.name()).or_else(|| exactly(&host::normalise(handle.name()).ok()?)))?;
            hot.domains.row(number).map(|_| number)
        }
    }
}

impl Programs {
    /// The answer, or nothing where the question is malformed, names what nobody has, or brings values of its own: then the
    /// long way is asked, which says so.
    pub(in crate::policy) fn judge(&self, bundle: &Bundle, question: &Question<'_>, directory: &Directory) -> Option<Verdict> {
        let mut tally = Tally::default();
        self.each(question, directory, |at, outcome| {
            tally.count(&bundle.rules, at, outcome);
            true
        })?;
        Some(tally.verdict(&bundle.rules))
    }

    /// The allow bit of the answer, for what no plan says; stops once it is certain.
    pub(in crate::policy) fn check(&self, bundle: &Bundle, question: &Question<'_>, directory: &Directory) -> Option<bool> {
        let (mut permitted, mut refused) = (false, false);
        self.each(question, directory, |at, outcome| {
            match outcome {
                Outcome::DoesNot => {}
                Outcome::Applies if bundle.rules.permits_at(at) => permitted = true,
                Outcome::Applies | Outcome::Errs => refused = true,
            }
            !refused
        })?;
        Some(permitted && !refused)
    }

    /// The allow bit from the bits of a session's request, where they say it.
    #[inline]
    pub(in crate::policy) fn planned(&self, question: &Question<'_>, directory: &Directory) -> Option<bool> {
        if question.with.is_some() {
            return None;
        }
        let found = self.find(question, directory)?;
        if !found.alone.iter().all(|alone| alone.is_empty()) {
            return None;
        }
        let domain = domain_of(directory, question.host?)?;
        let session = Session { principal: found.principal, on: found.on, domain, feature: found.action.feature_place };
        let (bits, client) = session.bits(directory.hot())?;
        let sessions = found.entry.session.get(usize::from(client))?;
        sessions.plan.as_ref()?.holds(bits, |asked| {
            let program = sessions.others.get(usize::from(asked >> 1))?;
            let mut outcome = None;
            self.with_roots(question, directory, &found, |roots, tenants, space| {
                run(program, roots, tenants, space, construct, |_, found| {
                    outcome = Some(found);
                    true
                });
            })?;
            Some(outcome? == if asked & 1 == 0 { Outcome::Applies } else { Outcome::Errs })
        })
    }

    #[inline]
    fn find<'p>(&'p self, question: &Question<'_>, directory: &Directory) -> Option<Found<'p>> {
        let (hot, resource) = (directory.hot(), &question.resource);
        if resource.more.is_some() || resource.id.is_empty() {
            return None;
        }
        let action = match question.action {
            Does::Name("Action", id) => *self.actions.get(id)?,
            Does::Name(..) => return None,
            Does::Handle(handle) => {
                let named = || self.actions.get(handle.reference().id()).copied().filter(|_| handle.reference().kind() == "Action");
                handle.place.get(self.numbering, named)?
            }
        };
        let action = self.list.get(action as usize).filter(|action| !action.context)?;
        let principal = Login::find(directory, question.principal)?;
        let entry = match resource.kind {
            Kind::Name(name) => action.entries.iter().find(|entry| entry.principal == principal.kind && *entry.resource == *name)?,
            Kind::Handle(handle) => {
                let named = || u32::try_from(self.kinds.iter().position(|kind| **kind == *handle.name())?).ok();
                let kind = handle.place.get(self.numbering, named)?;
                action.entries.iter().find(|entry| entry.principal == principal.kind && entry.kind == kind)?
            }
        };
        let on = match (entry.owned, resource.account) {
            (true, Some(account)) => {
                let number = match account {
                    Of::Name(id) => hot.accounts.number(id)?,
                    Of::Handle(handle) if handle.reference().kind() == "Account" => {
                        parts(
                            handle
                                .place
                                .get(directory.numbering(), || hot.accounts.number(handle.reference().id()).map(|number| entity(words::ACCOUNT, number)))?,
                        )
                        .1
                    }
                    Of::Handle(_) => return None,
                };
                hot.accounts.row(number)?;
                On::Inline { account: number }
            }
            (false, None) => {
                let (kind, number) = parts(super::world::record(hot, &entry.resource, resource.id)?);
                if !there(hot, kind, number) {
                    return None;
                }
                On::Record { kind, number }
            }
            _ => return None,
        };
        let about = |map: &'p Alone, whom: u32| map.get(&whom).map_or(&[][..], Vec::as_slice);
        let whose = if self.principals.is_empty() { &[][..] } else { about(&self.principals, entity(principal.kind, principal.number)) };
        let on_what = if self.resources.is_empty() {
            &[][..]
        } else {
            match on {
                On::Record { kind, number } => about(&self.resources, entity(kind, number)),
                On::Inline { .. } => self.named.others.find(entry.text, resource.id).map_or(&[][..], |at| about(&self.resources, entity(words::NAMED, at))),
            }
        };
        Some(Found { action, entry, principal, on, alone: [whose, on_what] })
    }

    /// Tells `each` how each policy stands to the request that can apply to its kind.
    fn each(&self, question: &Question<'_>, directory: &Directory, mut each: impl FnMut(usize, Outcome) -> bool) -> Option<()> {
        if question.with.is_some_and(|with| !with.context.is_empty()) {
            return None;
        }
        let found = self.find(question, directory)?;
        let session = question.with.is_none() && question.host.and_then(|host| domain_of(directory, host)).is_some();
        let programs = if session {
            let client = directory.hot().accounts.row(found.principal.account).is_some_and(|row| row.owner != NONE);
            &found.entry.session.get(usize::from(client))?.programs
        } else {
            &found.entry.any
        };
        let alone = found.alone.iter().copied().flatten().filter_map(|at| self.alone.get(*at as usize));
        self.with_roots(question, directory, &found, |roots, tenants, space| {
            let mut go_on = true;
            for program in programs.iter().chain(alone) {
                run(program, roots, tenants, space, construct, |at, outcome| {
                    go_on = each(at, outcome);
                    go_on
                });
                if !go_on {
                    break;
                }
            }
        })
    }

    /// Lends the request's facts as registers.
    fn with_roots<T>(
        &self,
        question: &Question<'_>,
        directory: &Directory,
        found: &Found<'_>,
        work: impl FnOnce(&[Value], &Tenants<'_>, &mut Space<'_>) -> T,
    ) -> Option<T> {
        let tenants = Tenants { hot: directory.hot(), named: &self.named };
        let actor = question.with.and_then(|with| with.actor.as_ref());
        let actor = actor.map(|actor| Login::find(directory, actor.into()).ok_or(())).transpose().ok()?;
        with_scratch(&self.pool, |space| {
            let mut roots = [Value::Missing; root::COUNT];
            let mut put = |at: u8, value: Value| {
                if let Some(register) = roots.get_mut(usize::from(at)) {
                    *register = value;
                }
            };
            let Found { action, principal, .. } = found;
            let login = actor.unwrap_or(*principal);
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
            put(root::RESOURCE, resource(question, found, &tenants, space)?);
            facts(question, directory, &tenants, space, &mut put)?;
            if self.whole {
                wholes(&mut roots, space);
            }
            Some(work(&roots, &tenants, space))
        })
    }
}

/// The resource's number; what comes inline becomes the request's guest.
fn resource(question: &Question<'_>, found: &Found<'_>, tenants: &Tenants<'_>, space: &mut Space<'_>) -> Option<Value> {
    let (kind, id) = (question.resource.kind.name(), question.resource.id);
    Some(match found.on {
        On::Inline { account } => {
            // Nothing else of this request can be the same entity, unless a policy names it.
            let number = if tenants.named.others.is_empty() { TEMPORARY } else { tenants.entity(kind, id, space).entity()? };
            space.scratch.guest.entity = number;
            space.scratch.guest.attributes.push((words::ACCOUNT_OF, Value::Entity(entity(words::ACCOUNT, account))));
            Value::Entity(number)
        }
        On::Record { kind, number } => Value::Entity(entity(kind, number)),
    })
}

/// The facts that come from host and circumstances.
fn facts(question: &Question<'_>, directory: &Directory, tenants: &Tenants<'_>, space: &mut Space<'_>, put: &mut impl FnMut(u8, Value)) -> Option<()> {
    let nothing = Circumstances::default();
    let with = question.with.unwrap_or(&nothing);
    match question.host.map(|host| (host, domain_of(directory, host))) {
        Some((_, Some(number))) => {
            put(root::DOMAIN, Value::Entity(entity(words::DOMAIN, number)));
            let name = space.text_number(tenants.hot.domains.id(number)?.as_ref());
            put(root::HOST, Value::Text(name));
        }
        Some((host, None)) => match host::normalise(host.name()) {
            Ok(name) => {
                if let Some((number, _)) = tenants.hot.domains.find(&name) {
                    put(root::DOMAIN, Value::Entity(entity(words::DOMAIN, number)));
                }
                put(root::HOST, Value::Text(space.text_number(&name)));
            }
            Err(reason) => put(root::HOST_REFUSED, Value::Text(space.text_number(reason))),
        },
        None => {}
    }
    let channel = with.channel.as_deref().unwrap_or("web");
    let at = tenants.named.channels.iter().position(|known| **known == *channel)?;
    put(root::CHANNEL, Value::Entity(entity(words::CHANNEL, u32::try_from(at).ok()?)));
    put(root::REALM_OWNER, Value::Poison);
    if let Some(realm) = &with.realm {
        put(root::REALM, Value::Bool(true));
        put(root::REALM_OWNER, realm_owner(realm, tenants, space)?);
    }
    if let Some(amount) = with.amount {
        if amount < 0 {
            return None;
        }
        put(root::AMOUNT, Value::Long(amount));
    }
    Some(())
}

/// The facts as records, from their registers.
fn wholes(roots: &mut [Value; root::COUNT], space: &mut Space<'_>) {
    let get = |roots: &[Value; root::COUNT], at: u8| roots.get(usize::from(at)).copied().unwrap_or(Value::Missing);
    let record = |roots: &[Value; root::COUNT], fields: &[(u32, u8)], space: &mut Space<'_>| {
        let mut fields: Vec<(u32, Value)> =
            fields.iter().map(|(name, at)| (*name, get(roots, *at))).filter(|(_, value)| !matches!(value, Value::Missing | Value::Poison)).collect();
        space.record(&mut fields)
    };
    let login =
        record(roots, &[(words::ACCOUNT_OF, root::LOGIN_ACCOUNT), (words::MEMBER_OF, root::LOGIN_MEMBER), (words::OPERATOR_OF, root::LOGIN_OPERATOR)], space);
    let actor =
        record(roots, &[(words::ACCOUNT_OF, root::ACTOR_ACCOUNT), (words::MEMBER_OF, root::ACTOR_MEMBER), (words::OPERATOR_OF, root::ACTOR_OPERATOR)], space);
    let realm = record(roots, &[(words::OWNER, root::REALM_OWNER)], space);
    let there = |at: u8, whole: Value| if get(roots, at) == Value::Missing { Value::Missing } else { whole };
    let (actor, realm) = (there(root::ACTOR, actor), there(root::REALM, realm));
    let mut put = |at: u8, value: Value| {
        if let Some(register) = roots.get_mut(usize::from(at)) {
            *register = value;
        }
    };
    put(root::WHOLE_LOGIN, login);
    put(root::WHOLE_ACTOR, actor);
    put(root::WHOLE_REALM, realm);
    let facts = record(
        roots,
        &[
            (words::LOGIN, root::WHOLE_LOGIN),
            (words::ACTOR, root::WHOLE_ACTOR),
            (words::REALM, root::WHOLE_REALM),
            (words::ACCOUNT_OF, root::ACCOUNT),
            (words::HOST, root::HOST),
            (words::HOST_REFUSED, root::HOST_REFUSED),
            (words::DOMAIN_OF, root::DOMAIN),
            (words::CHANNEL_OF, root::CHANNEL),
            (words::FEATURE_OF, root::FEATURE),
            (words::AMOUNT, root::AMOUNT),
        ],
        space,
    );
    let context = space.record(&mut [(words::FACTS, facts)]);
    for (at, value) in [(root::WHOLE_FACTS, facts), (root::WHOLE_CONTEXT, context)] {
        if let Some(register) = roots.get_mut(usize::from(at)) {
            *register = value;
        }
    }
}

fn realm_owner(realm: &Ref, tenants: &Tenants<'_>, space: &mut Space<'_>) -> Option<Value> {
    match realm.kind() {
        "Platform" => Some(Value::Missing),
        "Account" => Some(tenants.entity("Account", realm.id(), space)),
        _ => None,
    }
}

/// Whether there is a record of that number.
fn there(hot: &Hot, kind: u32, number: u32) -> bool {
    match kind {
        words::ACCOUNT => hot.accounts.row(number).is_some(),
        words::MEMBER => hot.members.row(number).is_some(),
        words::DOMAIN => hot.domains.row(number).is_some(),
        words::LEVEL => hot.levels.row(number).is_some(),
        words::PACKAGE => hot.packages.row(number).is_some(),
        words::OPERATOR => hot.operators.row(number).is_some(),
        words::PLATFORM => hot.platforms.row(number).is_some(),
        _ => false,
    }
}
