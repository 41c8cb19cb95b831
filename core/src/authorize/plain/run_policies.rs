//! Runs the compiled policies of a plain Cedar program on the entities that a request names or
//! brings.

use cedar_policy::EntityUid;

use super::CedarEvaluator;
use super::evaluate::CedarInput;
use crate::api::handle::CachedIndex;
use crate::api::request::Environment;
use crate::api::request_ref::{RequestRef, ResourceRef, ResourceTypeRef};
use crate::authorize::program_set::with_request_arena;
use crate::cedar::request;
use crate::cedar::value_json::{ValueReader, is_type_name};
use crate::compiler::policy_index::IndexQuery;
use crate::util::error::Error;
use crate::util::stack;
use crate::vm::{Heap, InlineEntity, PolicyResult, REQUEST_LOCAL, Value};

impl CedarEvaluator {
    /// Calls `each` for the selected policies, on a request that Cedar has parsed. Returns `None`
    /// if the inline resource would change the ancestors of other entities. Otherwise returns
    /// whether Cedar must evaluate one of the policies.
    pub(super) fn for_each_policy_cedar(
        &self,
        read: &CedarInput,
        each: impl FnMut(usize, PolicyResult) -> bool,
    ) -> Result<Option<bool>, Error> {
        stack::run(request::VALUE_DEPTH, || {
            Ok(with_request_arena(&self.resident.pool, |space| {
                let request = &read.request;
                let mut number = |uid: Option<&EntityUid>| Some(self.resident.uid(uid?, space));
                let roots = [
                    number(request.principal())?,
                    number(request.action())?,
                    number(request.resource())?,
                ];
                let mut fields = Vec::new();
                if let Some(context) = request.context() {
                    for (key, _) in context.clone() {
                        let value = context
                            .get(&key)
                            .map_or(Value::Poison, |value| self.resident.value(&value, space));
                        fields.push((space.text_number(&key), value));
                    }
                }
                if let Some(entity) = &read.inline {
                    let guest = self.resident.inline_entity(entity, space)?;
                    self.place_inline_entity(guest, space)?;
                }
                let context = space.record(&mut fields);
                Some(self.run(roots, context, space, each))
            }))
        })
    }

    /// Calls `each` for the selected policies, on the request itself. Returns `None` if only Cedar
    /// can read the request. Otherwise returns whether Cedar must evaluate one of the policies.
    #[inline]
    pub(super) fn for_each_policy(
        &self,
        question: &RequestRef<'_>,
        each: impl FnMut(usize, PolicyResult) -> bool,
    ) -> Option<bool> {
        let is_tenancy_only = |environment: &Environment| {
            environment.actor.is_some()
                || environment.channel.is_some()
                || environment.realm.is_some()
                || environment.amount.is_some()
        };
        if question.host.is_some() || question.environment.is_some_and(is_tenancy_only) {
            return None;
        }
        let fields = question.environment.map(|environment| &environment.context);
        let fields = fields.filter(|fields| !fields.is_empty());
        with_request_arena(&self.resident.pool, |space| {
            let (principal, action) = (question.principal, question.action);
            let principal = self.entity(principal.place(), principal.name(), space)?;
            let action = self.entity(action.place(), action.name(), space)?;
            let resource = self.resource(&question.resource, space)?;
            if self.validate_requests && !self.check_types(principal, action, resource, space) {
                return None;
            }
            let context = self.context(action, fields, space)?;
            if question.resource.account.is_some() || question.resource.more.is_some() {
                self.load_attributes(&question.resource, resource, space)?;
            }
            Some(self.run([principal, action, resource], context, space, each))
        })
    }

    #[inline]
    fn run(
        &self,
        [principal, action, resource]: [u32; 3],
        context: Value,
        space: &mut Heap<'_>,
        each: impl FnMut(usize, PolicyResult) -> bool,
    ) -> bool {
        let guest = space.scratch.guest.entity;
        // No other entity gets ancestors through the inline entity (see `place_inline_entity`). So
        // only the inline entity's own ancestors differ from the table.
        let mut brought = std::mem::take(&mut space.scratch.above);
        brought.clear();
        brought.extend_from_slice(&space.scratch.guest.ancestors);
        let above = |entity: u32| {
            if entity == guest {
                brought.as_slice()
            } else {
                self.resident.ancestors(entity)
            }
        };
        let query = IndexQuery {
            principal,
            principal_kind: self.type_of(principal, space).unwrap_or(u32::MAX),
            principal_above: above(principal),
            action,
            action_above: above(action),
            resource,
            resource_kind: self.type_of(resource, space).unwrap_or(u32::MAX),
            resource_above: above(resource),
        };
        let [principal, action, resource] = [principal, action, resource].map(Value::Entity);
        let values = [principal, action, resource, context];
        let beyond = self
            .compiled
            .each(&query, values, &self.resident, space, each);
        space.scratch.above = brought;
        beyond
    }

    /// Returns the type of an entity of the table or of the request, as the number of its text.
    #[inline]
    fn type_of(&self, entity: u32, space: &Heap<'_>) -> Option<u32> {
        if entity < REQUEST_LOCAL {
            self.resident.kind(entity)
        } else {
            space.unknown_entity_type(entity)
        }
    }

    /// Returns the number of an entity, or `None` if `kind` cannot be a type name.
    #[inline]
    fn entity(
        &self,
        place: Option<&CachedIndex>,
        (kind, id): (&str, &str),
        space: &mut Heap<'_>,
    ) -> Option<u32> {
        let find = || self.resident.find(kind, id);
        let known = place.map_or_else(find, |place| place.get(self.numbering, find));
        known.or_else(|| self.add_unknown_entity(kind, id, space))
    }

    fn add_unknown_entity(&self, kind: &str, id: &str, space: &mut Heap<'_>) -> Option<u32> {
        let text = self.resident.pool.find_text(kind);
        let text = text.filter(|text| self.resident.is_kind(*text));
        if text.is_none() && !is_type_name(kind) {
            return None;
        }
        let kind = text.unwrap_or_else(|| space.text_number(kind));
        let id = space.text_number(id);
        Some(space.unknown_entity(kind, id))
    }

    #[inline]
    fn resource(&self, on: &ResourceRef<'_>, space: &mut Heap<'_>) -> Option<u32> {
        let known = match on.kind {
            ResourceTypeRef::Name(kind) => self.resident.find(kind, on.id),
            ResourceTypeRef::Handle(handle) => {
                let find = || self.resident.pool.find_text(handle.name());
                let kind = handle.place.get(self.numbering, find);
                kind.and_then(|kind| self.resident.find_of(kind, on.id))
            }
        };
        known.or_else(|| self.add_unknown_entity(on.kind.name(), on.id, space))
    }

    /// Returns whether the schema allows a request of these types. Cedar refuses the others.
    fn check_types(&self, principal: u32, action: u32, resource: u32, space: &Heap<'_>) -> bool {
        let fits = |entity: u32, kinds: &[u32]| {
            self.type_of(entity, space).is_some_and(|kind| {
                kinds.contains(&kind)
                    && (!self.enumerated.contains(&kind) || self.choices.contains(&entity))
            })
        };
        self.admitted.get(&action).is_some_and(|admitted| {
            fits(principal, &admitted.principals) && fits(resource, &admitted.resources)
        })
    }

    #[inline]
    fn context(
        &self,
        action: u32,
        fields: Option<&serde_json::Map<String, serde_json::Value>>,
        space: &mut Heap<'_>,
    ) -> Option<Value> {
        let is_typed = self.schema.is_some() && (self.validate_requests || fields.is_some());
        let ty = if is_typed {
            Some(self.admitted.get(&action)?.context.as_deref()?)
        } else {
            None
        };
        match fields {
            Some(fields) => self.value_reader().record(fields, ty, space),
            None if ty.is_none_or(|ty| ty.required() == 0) => Some(space.record(&mut [])),
            None => None,
        }
    }

    #[inline]
    fn value_reader(&self) -> ValueReader<impl FnMut(&str, &str, &mut Heap<'_>) -> Value> {
        ValueReader::new(|kind: &str, id: &str, space: &mut Heap<'_>| {
            Value::Entity(self.resident.find_or_unknown(kind, id, space))
        })
    }

    /// Loads the inline resource, which replaces the program's entity of that name.
    fn load_attributes(
        &self,
        on: &ResourceRef<'_>,
        entity: u32,
        space: &mut Heap<'_>,
    ) -> Option<()> {
        let kind = on.kind.name();
        let shape = match &self.types {
            Some(_) if self.is_enumerated(kind) => return None,
            Some(types) => Some(types.shape(kind)?),
            None if kind == "Action" || kind.ends_with("::Action") => return None,
            None => None,
        };
        let mut guest = InlineEntity {
            entity,
            ..InlineEntity::default()
        };
        let mut reader = self.value_reader();
        let ty = match shape {
            Some(shape) => Some(shape.attributes.as_deref()?),
            None => None,
        };
        let Some(more) = on.more else {
            if ty.is_some_and(|ty| ty.required() > 0) {
                return None;
            }
            return self.place_inline_entity(guest, space);
        };
        reader.fields(&more.attributes, ty, space, &mut guest.attributes)?;
        for (name, tag) in &more.tags {
            let ty = match shape {
                Some(shape) => Some(shape.tags.as_ref()?),
                None => None,
            };
            let value = reader.read(tag, ty, space)?;
            guest.tags.push((space.text_number(name), value));
        }
        for parent in &more.parents {
            let allowed = shape.is_none_or(|shape| {
                let is_parent = shape.parents.iter().any(|kind| **kind == *parent.kind());
                is_parent && !self.is_enumerated(parent.kind())
            });
            if !allowed || !is_type_name(parent.kind()) {
                return None;
            }
            let parent = (self.resident).find_or_unknown(parent.kind(), parent.id(), space);
            guest.ancestors.push(parent);
        }
        self.place_inline_entity(guest, space)
    }

    fn is_enumerated(&self, kind: &str) -> bool {
        let text = self.resident.pool.find_text(kind);
        text.is_some_and(|text| self.enumerated.contains(&text))
    }

    /// Adds the ancestors of its parents to the inline entity, and stores it in the arena. Returns
    /// `None` if it changes the ancestors of other entities, or is its own ancestor.
    fn place_inline_entity(&self, mut guest: InlineEntity, space: &mut Heap<'_>) -> Option<()> {
        for at in 0..guest.ancestors.len() {
            let parent = guest.ancestors.get(at);
            let above = parent.map(|parent| self.resident.ancestors(*parent));
            guest.ancestors.extend_from_slice(above.unwrap_or_default());
        }
        guest.ancestors.sort_unstable();
        guest.ancestors.dedup();
        let is_cyclic = guest.ancestors.contains(&guest.entity);
        let is_changed = || guest.ancestors != self.resident.ancestors(guest.entity);
        if is_cyclic || (self.resident.has_below(guest.entity) && is_changed()) {
            return None;
        }
        space.scratch.guest = guest;
        Some(())
    }
}
