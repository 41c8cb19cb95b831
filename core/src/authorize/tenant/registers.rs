//! Fills the registers of a program with the facts of a request.

use super::entities::{KernelEntities, SymbolTable};
use super::fact_records::build_records;
use super::fact_set::{HostFact, NOT_BEFORE};
use super::plan::Plan;
use super::programs::{ActionPrograms, InlineRules, TenantEvaluator};
use super::resolve::ResolvedRequest;
use super::resolved_resource::ResolvedResource;
use super::symbols::{self, entity, root};
use crate::api::request::Resource;
use crate::api::request_ref::RequestRef;
use crate::authorize::program_set::with_request_arena;
use crate::cedar::value_json::{ValueReader, is_type_name};
use crate::directory::{Directory, NO_ROW, Tables};
use crate::model::domain::name_in_id;
use crate::model::host;
use crate::model::limit::{MeterCount, QuotaFacts};
use crate::model::reference::EntityRef;
use crate::vm::{Heap, InlineEntity, REQUEST_LOCAL, Value};

impl TenantEvaluator {
    /// Calls `work` with the request's facts in registers. Returns `None` if the request is
    /// malformed or only Cedar can evaluate it.
    pub(crate) fn fill_registers<T>(
        &self,
        plan: &Plan,
        question: &RequestRef<'_>,
        directory: &Directory,
        (found, quota): (&ResolvedRequest<'_>, Option<&QuotaFacts<'_>>),
        work: impl FnOnce(&[Value], &KernelEntities<'_>, &mut Heap<'_>) -> T,
    ) -> Option<T> {
        let tenants = KernelEntities {
            hot: directory.tables(),
            named: &self.symbols,
            guest: undeclared_name(question, found, (&self.symbols, directory.tables())),
        };
        let actor = found.actor;
        let pool = plan.pool.as_ref().unwrap_or(&self.pool);
        let reads_host_name = plan.reads_host_name || (found.is_named && self.reads_host_name);
        with_request_arena(pool, |space| {
            let mut roots = [Value::Missing; root::COUNT];
            let mut put = |at: u8, value: Value| {
                if let Some(register) = roots.get_mut(usize::from(at)) {
                    *register = value;
                }
            };
            let (action, principal) = (found.action, found.login);
            let login = actor.unwrap_or(principal);
            put(root::PRINCIPAL, principal.value());
            put(root::ACTION, Value::Entity(action.number));
            put(root::ACCOUNT, principal.account());
            put(root::LOGIN_ACCOUNT, login.account());
            put(root::LOGIN_MEMBER, login.entity_if(symbols::MEMBER));
            put(root::LOGIN_OPERATOR, login.entity_if(symbols::OPERATOR));
            let acting = |value: Value| {
                if actor.is_some() {
                    value
                } else {
                    Value::Poison
                }
            };
            put(root::ACTOR_ACCOUNT, acting(login.account()));
            put(root::ACTOR_MEMBER, acting(login.entity_if(symbols::MEMBER)));
            put(
                root::ACTOR_OPERATOR,
                acting(login.entity_if(symbols::OPERATOR)),
            );
            put(
                root::ACTOR,
                if actor.is_some() {
                    Value::Bool(true)
                } else {
                    Value::Missing
                },
            );
            put(
                root::FEATURE,
                action.feature.map_or(Value::Missing, Value::Entity),
            );
            put(root::RESOURCE, resource(question, found, &tenants, space)?);
            put(root::CONTEXT, context(question, action, &tenants, space)?);
            host(question, found, reads_host_name, &tenants, space, &mut put)?;
            facts(question, found, &tenants, space, &mut put)?;
            quota_facts(quota, &tenants, space, &mut put);
            if self.reads_facts_record {
                build_records(&mut roots, space);
            }
            Some(work(&roots, &tenants, space))
        })
    }
}

/// Returns the resource if it comes inline and no policy names it.
#[inline]
fn undeclared_name<'q>(
    question: &RequestRef<'q>,
    found: &ResolvedRequest<'_>,
    (named, hot): (&SymbolTable, &Tables),
) -> Option<(&'q str, &'q str)> {
    let (kind, id) = (question.resource.kind.name(), question.resource.id);
    let inline = matches!(found.on, ResolvedResource::Inline { .. });
    let is_named = || named.find(hot, kind, Some(found.kind.text), id).is_some();
    (inline && !is_named()).then_some((kind, id))
}

/// Returns the resource's entity. An inline resource becomes the inline entity of the request
/// arena.
fn resource(
    question: &RequestRef<'_>,
    found: &ResolvedRequest<'_>,
    tenants: &KernelEntities<'_>,
    space: &mut Heap<'_>,
) -> Option<Value> {
    let (kind, id) = (question.resource.kind.name(), question.resource.id);
    let account = match found.on {
        ResolvedResource::Inline { account } => account,
        record => return record.entity().map(Value::Entity),
    };
    let inline = found.kind.inline.as_ref()?;
    let number = if tenants.guest.is_some() {
        REQUEST_LOCAL
    } else {
        tenants.entity(kind, id, space).entity()?
    };
    let mut guest = InlineEntity {
        entity: number,
        kind: tenants.guest.map(|_| found.kind.text),
        ..std::mem::take(&mut space.scratch.guest)
    };
    if account != NO_ROW {
        guest.attributes.push((
            symbols::ACCOUNT_OF,
            Value::Entity(entity(symbols::ACCOUNT, account)),
        ));
    }
    if let Some(more) = question.resource.more {
        bring(more, inline, tenants, space, &mut guest)?;
    } else if inline.attributes.as_ref()?.required() > 0 {
        return None;
    }
    space.scratch.guest = guest;
    Some(Value::Entity(number))
}

/// Loads the attributes, tags and parents of an inline resource. A parent has no parents of its
/// own, because the directory stores none of them.
fn bring(
    more: &Resource,
    inline: &InlineRules,
    tenants: &KernelEntities<'_>,
    space: &mut Heap<'_>,
    guest: &mut InlineEntity,
) -> Option<()> {
    let mut reader = ValueReader::new(|kind: &str, id: &str, space: &mut Heap<'_>| {
        tenants.entity(kind, id, space)
    });
    reader.fields(
        &more.attributes,
        Some(inline.attributes.as_ref()?),
        space,
        &mut guest.attributes,
    )?;
    for (name, tag) in &more.tags {
        let value = reader.read(tag, Some(inline.tags.as_ref()?), space)?;
        guest.tags.push((space.text_number(name), value));
    }
    for parent in &more.parents {
        if !inline.parents.iter().any(|kind| **kind == *parent.kind())
            || !is_type_name(parent.kind())
        {
            return None;
        }
        guest
            .ancestors
            .push(tenants.entity(parent.kind(), parent.id(), space).entity()?);
    }
    if guest.ancestors.contains(&guest.entity) {
        None
    } else {
        Some(())
    }
}

/// Returns the context's own fields as a record.
fn context(
    question: &RequestRef<'_>,
    action: &ActionPrograms,
    tenants: &KernelEntities<'_>,
    space: &mut Heap<'_>,
) -> Option<Value> {
    match question
        .environment
        .map(|environment| &environment.context)
        .filter(|fields| !fields.is_empty())
    {
        None if !action.context => Some(Value::Record(0)),
        None => None,
        Some(fields) => {
            let mut reader = ValueReader::new(|kind: &str, id: &str, space: &mut Heap<'_>| {
                tenants.entity(kind, id, space)
            });
            reader.record(fields, Some(action.fields.as_ref()?), space)
        }
    }
}

/// Fills the registers of the host and its domain.
fn host(
    question: &RequestRef<'_>,
    found: &ResolvedRequest<'_>,
    reads_name: bool,
    tenants: &KernelEntities<'_>,
    space: &mut Heap<'_>,
    put: &mut impl FnMut(u8, Value),
) -> Option<()> {
    let fact = found.facts.host();
    // Most policies only test that a host is present. Its text is loaded only if a policy reads it.
    let name = match (fact, question.host) {
        (HostFact::Absent, _) | (_, None) => return Some(()),
        (HostFact::Refused, Some(at)) => {
            let reason = host::normal_form(at.name()).err()?;
            put(root::HOST_REFUSED, Value::Text(space.text_number(reason)));
            return Some(());
        }
        _ if !reads_name => Value::Bool(true),
        (HostFact::Domain, _) => {
            let id = tenants.hot.domains.id(found.domain.number)?;
            Value::Text(space.text_number(name_in_id(id)))
        }
        (HostFact::Unknown, Some(at)) => {
            let name = host::normal_form(at.name()).ok()?;
            Value::Text(space.text_number(&name))
        }
    };
    put(root::HOST, name);
    if fact == HostFact::Domain {
        let domain = entity(symbols::DOMAIN, found.domain.number);
        put(root::DOMAIN, Value::Entity(domain));
    }
    Some(())
}

/// Fills the registers of the facts from the environment.
fn facts(
    question: &RequestRef<'_>,
    found: &ResolvedRequest<'_>,
    tenants: &KernelEntities<'_>,
    space: &mut Heap<'_>,
    put: &mut impl FnMut(u8, Value),
) -> Option<()> {
    let channel = entity(symbols::CHANNEL, found.facts.channel()?);
    put(root::CHANNEL, Value::Entity(channel));
    put(root::REALM_OWNER, Value::Poison);
    if found.facts.has(NOT_BEFORE) {
        let login = found.actor.unwrap_or(found.login);
        let not_before = login.not_before(tenants.hot);
        put(root::NOT_BEFORE, Value::Long(not_before?));
    }
    let Some(environment) = question.environment else {
        return Some(());
    };
    if let Some(realm) = &environment.realm {
        put(root::REALM, Value::Bool(true));
        put(root::REALM_OWNER, realm_owner(realm, tenants, space)?);
    }
    if let Some(amount) = environment.amount {
        put(root::AMOUNT, Value::Long(amount));
    }
    if let Some(session_start) = environment.session_start {
        put(root::SESSION_START, Value::Long(session_start));
    }
    Some(())
}

/// Fills the registers of `quota`. Parts of an absent record are poisoned, so that reading them is
/// an error.
fn quota_facts(
    facts: Option<&QuotaFacts<'_>>,
    tenants: &KernelEntities<'_>,
    space: &mut Heap<'_>,
    put: &mut impl FnMut(u8, Value),
) {
    let Some(facts) = facts else {
        (root::QUOTA_METER..=root::MEMBER_LIMIT).for_each(|at| put(at, Value::Poison));
        return;
    };
    put(root::QUOTA, Value::Bool(true));
    put(
        root::QUOTA_METER,
        tenants.entity("Meter", facts.meter, space),
    );
    put(root::QUOTA_AMOUNT, Value::Long(facts.amount));
    put(root::AMOUNT, Value::Long(facts.amount));
    let mut count = |first: u8, count: MeterCount| {
        let MeterCount { used, held, limit } = count;
        let values = [
            Value::Bool(true),
            Value::Long(used),
            Value::Long(held),
            limit.map_or(Value::Missing, Value::Long),
        ];
        (first..).zip(values).for_each(|(at, value)| put(at, value));
    };
    count(root::QUOTA_ACCOUNT, facts.account);
    match facts.member {
        Some(member) => count(root::QUOTA_MEMBER, member),
        None => (root::MEMBER_USED..=root::MEMBER_LIMIT).for_each(|at| put(at, Value::Poison)),
    }
}

fn realm_owner(
    realm: &EntityRef,
    tenants: &KernelEntities<'_>,
    space: &mut Heap<'_>,
) -> Option<Value> {
    match realm.kind() {
        "Platform" => Some(Value::Missing),
        "Account" => Some(tenants.entity("Account", realm.id(), space)),
        _ => None,
    }
}
