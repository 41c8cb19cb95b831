//! Fills the registers of a program with the facts of a request.

use super::entities::{KernelEntities, SymbolTable};
use super::fact_records::build_records;
use super::fact_set::{HostFact, NOT_BEFORE};
use super::plan::Plan;
use super::programs::{InlineRules, TenantEvaluator};
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
        let pool = plan.pool.as_ref().unwrap_or(&self.pool);
        let reads_host_name = plan.reads_host_name || (found.is_named && self.reads_host_name);
        with_request_arena(pool, |space| {
            let mut registers = RequestRegisters {
                question,
                found,
                tenants: &tenants,
                space,
                roots: [Value::Missing; root::COUNT],
            };
            registers.put_logins();
            registers.put_action();
            registers.put_resource()?;
            registers.put_context()?;
            registers.put_host(reads_host_name)?;
            registers.put_environment()?;
            registers.put_quota(quota);
            if self.reads_facts_record {
                build_records(&mut registers.roots, registers.space);
            }
            Some(work(&registers.roots, &tenants, registers.space))
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

/// The registers of one request, and what fills them.
struct RequestRegisters<'a, 'q, 'h> {
    question: &'a RequestRef<'q>,
    found: &'a ResolvedRequest<'a>,
    tenants: &'a KernelEntities<'a>,
    space: &'a mut Heap<'h>,
    roots: [Value; root::COUNT],
}

impl RequestRegisters<'_, '_, '_> {
    #[inline]
    fn put(&mut self, at: u8, value: Value) {
        if let Some(register) = self.roots.get_mut(usize::from(at)) {
            *register = value;
        }
    }

    /// Fills consecutive registers.
    #[inline]
    fn put_all(&mut self, first: u8, values: impl IntoIterator<Item = Value>) {
        for (at, value) in (first..).zip(values) {
            self.put(at, value);
        }
    }

    /// Fills the registers of the principal, of the login and of the actor.
    #[inline]
    fn put_logins(&mut self) {
        let (principal, actor) = (self.found.login, self.found.actor);
        let login = actor.unwrap_or(principal);
        let parts = [
            login.account(),
            login.entity_if(symbols::MEMBER),
            login.entity_if(symbols::OPERATOR),
        ];
        self.put(root::PRINCIPAL, principal.value());
        self.put(root::ACCOUNT, principal.account());
        self.put_all(root::LOGIN_ACCOUNT, parts);
        if actor.is_some() {
            self.put(root::ACTOR, Value::Bool(true));
            self.put_all(root::ACTOR_ACCOUNT, parts);
        } else {
            self.put_all(root::ACTOR_ACCOUNT, [Value::Poison; 3]);
        }
    }

    fn put_action(&mut self) {
        let action = self.found.action;
        let feature = action.feature.map_or(Value::Missing, Value::Entity);
        self.put(root::ACTION, Value::Entity(action.number));
        self.put(root::FEATURE, feature);
    }

    /// Fills the register of the resource. An inline resource becomes the inline entity of the
    /// request arena.
    fn put_resource(&mut self) -> Option<()> {
        let (resource, tenants) = (&self.question.resource, self.tenants);
        let ResolvedResource::Inline { account } = self.found.on else {
            let record = self.found.on.entity()?;
            self.put(root::RESOURCE, Value::Entity(record));
            return Some(());
        };
        let inline = self.found.kind.inline.as_ref()?;
        let number = if tenants.guest.is_some() {
            REQUEST_LOCAL
        } else {
            let named = tenants.entity(resource.kind.name(), resource.id, self.space);
            named.entity()?
        };
        let mut guest = InlineEntity {
            entity: number,
            kind: tenants.guest.map(|_| self.found.kind.text),
            ..std::mem::take(&mut self.space.scratch.guest)
        };
        if account != NO_ROW {
            let account = Value::Entity(entity(symbols::ACCOUNT, account));
            guest.attributes.push((symbols::ACCOUNT_OF, account));
        }
        if let Some(more) = resource.more {
            self.load_inline(more, inline, &mut guest)?;
        } else if inline.attributes.as_ref()?.required() > 0 {
            return None;
        }
        self.space.scratch.guest = guest;
        self.put(root::RESOURCE, Value::Entity(number));
        Some(())
    }

    /// Loads the attributes, tags and parents of an inline resource. A parent has no parents of its
    /// own, because the directory stores none of them.
    fn load_inline(
        &mut self,
        more: &Resource,
        inline: &InlineRules,
        guest: &mut InlineEntity,
    ) -> Option<()> {
        let (tenants, space) = (self.tenants, &mut *self.space);
        let mut reader = ValueReader::new(|kind: &str, id: &str, space: &mut Heap<'_>| {
            tenants.entity(kind, id, space)
        });
        let declared = Some(inline.attributes.as_ref()?);
        reader.fields(&more.attributes, declared, space, &mut guest.attributes)?;
        for (name, tag) in &more.tags {
            let value = reader.read(tag, Some(inline.tags.as_ref()?), space)?;
            guest.tags.push((space.text_number(name), value));
        }
        for parent in &more.parents {
            let kind = parent.kind();
            if !inline.parents.iter().any(|known| **known == *kind) || !is_type_name(kind) {
                return None;
            }
            let parent = tenants.entity(kind, parent.id(), space).entity()?;
            guest.ancestors.push(parent);
        }
        (!guest.ancestors.contains(&guest.entity)).then_some(())
    }

    /// Fills the register of the context's own fields, which are a record.
    fn put_context(&mut self) -> Option<()> {
        let (tenants, action) = (self.tenants, self.found.action);
        let environment = self.question.environment;
        let fields = environment.map(|environment| &environment.context);
        let context = match fields.filter(|fields| !fields.is_empty()) {
            None if action.context => return None,
            None => Value::Record(0),
            Some(fields) => {
                let mut reader = ValueReader::new(|kind: &str, id: &str, space: &mut Heap<'_>| {
                    tenants.entity(kind, id, space)
                });
                reader.record(fields, Some(action.fields.as_ref()?), self.space)?
            }
        };
        self.put(root::CONTEXT, context);
        Some(())
    }

    /// Fills the registers of the host and its domain.
    fn put_host(&mut self, reads_name: bool) -> Option<()> {
        let (fact, domain) = (self.found.facts.host(), self.found.domain.number);
        // Most policies only test that a host is present. Its text is loaded only if a policy reads
        // it.
        let name = match (fact, self.question.host) {
            (HostFact::Absent, _) | (_, None) => return Some(()),
            (HostFact::Refused, Some(at)) => {
                let reason = host::normal_form(at.name()).err()?;
                let reason = self.space.text_number(reason);
                self.put(root::HOST_REFUSED, Value::Text(reason));
                return Some(());
            }
            _ if !reads_name => Value::Bool(true),
            (HostFact::Domain, _) => {
                let id = self.tenants.hot.domains.id(domain)?;
                Value::Text(self.space.text_number(name_in_id(id)))
            }
            (HostFact::Unknown, Some(at)) => {
                let name = host::normal_form(at.name()).ok()?;
                Value::Text(self.space.text_number(&name))
            }
        };
        self.put(root::HOST, name);
        if fact == HostFact::Domain {
            self.put(root::DOMAIN, Value::Entity(entity(symbols::DOMAIN, domain)));
        }
        Some(())
    }

    /// Fills the registers of the facts from the environment.
    fn put_environment(&mut self) -> Option<()> {
        let found = self.found;
        let channel = entity(symbols::CHANNEL, found.facts.channel()?);
        self.put(root::CHANNEL, Value::Entity(channel));
        self.put(root::REALM_OWNER, Value::Poison);
        if found.facts.has(NOT_BEFORE) {
            let login = found.actor.unwrap_or(found.login);
            let not_before = login.not_before(self.tenants.hot)?;
            self.put(root::NOT_BEFORE, Value::Long(not_before));
        }
        let Some(environment) = self.question.environment else {
            return Some(());
        };
        if let Some(realm) = &environment.realm {
            let owner = match realm.kind() {
                "Platform" => Value::Missing,
                "Account" => self.tenants.entity("Account", realm.id(), self.space),
                _ => return None,
            };
            self.put(root::REALM, Value::Bool(true));
            self.put(root::REALM_OWNER, owner);
        }
        self.put(root::AMOUNT, long(environment.amount));
        self.put(root::SESSION_START, long(environment.session_start));
        Some(())
    }

    /// Fills the registers of `quota`. Parts of an absent record are poisoned, so that reading them
    /// is an error.
    #[inline]
    fn put_quota(&mut self, facts: Option<&QuotaFacts<'_>>) {
        let Some(facts) = facts else {
            return (root::QUOTA_METER..=root::MEMBER_LIMIT)
                .for_each(|at| self.put(at, Value::Poison));
        };
        let meter = self.tenants.entity("Meter", facts.meter, self.space);
        let amount = Value::Long(facts.amount);
        self.put_all(root::QUOTA, [Value::Bool(true), meter, amount]);
        self.put(root::AMOUNT, amount);
        self.put_all(root::QUOTA_ACCOUNT, counters(facts.account));
        match facts.member {
            Some(member) => self.put_all(root::QUOTA_MEMBER, counters(member)),
            None => self.put_all(root::MEMBER_USED, [Value::Poison; 3]),
        }
    }
}

fn long(value: Option<i64>) -> Value {
    value.map_or(Value::Missing, Value::Long)
}

/// Returns the registers of an account's or a member's counters.
fn counters(count: MeterCount) -> [Value; 4] {
    let MeterCount { used, held, limit } = count;
    let [used, held] = [used, held].map(Value::Long);
    [Value::Bool(true), used, held, long(limit)]
}
