//! Runs the compiled policies of a plain Cedar program on the entities that a request names or
//! brings.

use super::CedarEvaluator;
use super::evaluate::CedarInput;
use crate::api::handle::CachedIndex;
use crate::api::request_ref::{RequestRef, ResourceRef};
use crate::authorize::program_set::with_request_arena;
use crate::cedar::request;
use crate::cedar::value_json::{RecordType, ValueReader, is_type_name};
use crate::compiler::policy_index;
use crate::util::error::Error;
use crate::util::stack;
use crate::vm::{Heap, InlineEntity, PolicyResult, REQUEST_LOCAL, Value};

/// The entities of a request, as numbers, and its context.
struct RequestEntities {
    principal: u32,
    action: u32,
    resource: u32,
    context: Value,
}

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
                let name = |uid: Option<&cedar_policy::EntityUid>, space: &mut Heap<'_>| {
                    uid.and_then(|uid| {
                        self.resident
                            .find_or_unknown(
                                &uid.type_name().to_string(),
                                uid.id().unescaped(),
                                space,
                            )
                            .entity()
                    })
                };
                let (principal, action) = (
                    name(read.request.principal(), space)?,
                    name(read.request.action(), space)?,
                );
                let resource = name(read.request.resource(), space)?;
                let mut fields = Vec::new();
                if let Some(context) = read.request.context() {
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
                Some(self.run(
                    &RequestEntities {
                        principal,
                        action,
                        resource,
                        context,
                    },
                    space,
                    each,
                ))
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
        if question.host.is_some() {
            return None;
        }
        let fields = match question.environment {
            Some(environment)
                if environment.actor.is_some()
                    || environment.channel.is_some()
                    || environment.realm.is_some()
                    || environment.amount.is_some() =>
            {
                return None;
            }
            Some(environment) if !environment.context.is_empty() => Some(&environment.context),
            _ => None,
        };
        with_request_arena(&self.resident.pool, |space| {
            let (kind, id) = question.principal.name();
            let principal = self.entity(question.principal.place(), kind, id, space)?;
            let (kind, id) = question.action.name();
            let action = self.entity(question.action.place(), kind, id, space)?;
            let resource = self.resource(&question.resource, space)?;
            if self.validate_requests && !self.check_types(principal, action, resource, space) {
                return None;
            }
            let context = self.context(action, fields, space)?;
            if question.resource.account.is_some() || question.resource.more.is_some() {
                self.load_attributes(&question.resource, resource, space)?;
            }
            Some(self.run(
                &RequestEntities {
                    principal,
                    action,
                    resource,
                    context,
                },
                space,
                each,
            ))
        })
    }

    #[inline]
    fn run(
        &self,
        roots: &RequestEntities,
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
        let kind = |entity: u32| {
            if entity < REQUEST_LOCAL {
                self.resident.kind(entity)
            } else {
                space.unknown_entity_type(entity)
            }
            .unwrap_or(u32::MAX)
        };
        let query = policy_index::IndexQuery {
            principal: roots.principal,
            principal_kind: kind(roots.principal),
            principal_above: above(roots.principal),
            action: roots.action,
            action_above: above(roots.action),
            resource: roots.resource,
            resource_kind: kind(roots.resource),
            resource_above: above(roots.resource),
        };
        let values = [
            Value::Entity(roots.principal),
            Value::Entity(roots.action),
            Value::Entity(roots.resource),
            roots.context,
        ];
        let beyond = self
            .compiled
            .each(&query, values, &self.resident, space, each);
        space.scratch.above = brought;
        beyond
    }

    /// Returns the number of an entity, or `None` if `kind` cannot be a type name.
    #[inline]
    fn entity(
        &self,
        place: Option<&CachedIndex>,
        kind: &str,
        id: &str,
        space: &mut Heap<'_>,
    ) -> Option<u32> {
        let find = || self.resident.find(kind, id);
        let known = match place {
            Some(place) => place.get(self.numbering, find),
            None => find(),
        };
        known.or_else(|| self.add_unknown_entity(kind, id, space))
    }

    fn add_unknown_entity(&self, kind: &str, id: &str, space: &mut Heap<'_>) -> Option<u32> {
        let text = self
            .resident
            .pool
            .find_text(kind)
            .filter(|text| self.resident.is_kind(*text));
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
            crate::api::request_ref::ResourceTypeRef::Name(kind) => self.resident.find(kind, on.id),
            crate::api::request_ref::ResourceTypeRef::Handle(handle) => {
                let kind = handle.place.get(self.numbering, || {
                    self.resident.pool.find_text(handle.name())
                });
                kind.and_then(|kind| self.resident.find_of(kind, on.id))
            }
        };
        known.or_else(|| self.add_unknown_entity(on.kind.name(), on.id, space))
    }

    /// Returns whether the schema allows a request of these types. Cedar refuses the others.
    fn check_types(&self, principal: u32, action: u32, resource: u32, space: &Heap<'_>) -> bool {
        let Some(admitted) = self.admitted.get(&action) else {
            return false;
        };
        let fits = |entity: u32, kinds: &[u32]| {
            let kind = if entity < REQUEST_LOCAL {
                self.resident.kind(entity)
            } else {
                space.unknown_entity_type(entity)
            };
            kind.is_some_and(|kind| {
                kinds.contains(&kind)
                    && (!self.enumerated.contains(&kind) || self.choices.contains(&entity))
            })
        };
        fits(principal, &admitted.principals) && fits(resource, &admitted.resources)
    }

    #[inline]
    fn context(
        &self,
        action: u32,
        fields: Option<&serde_json::Map<String, serde_json::Value>>,
        space: &mut Heap<'_>,
    ) -> Option<Value> {
        let ty: Option<&RecordType> = match (&self.schema, fields) {
            (None, _) => None,
            (Some(_), None) if !self.validate_requests => None,
            (Some(_), _) => Some(self.admitted.get(&action)?.context.as_deref()?),
        };
        match fields {
            None if ty.is_none_or(|ty| ty.required() == 0) => Some(space.record(&mut [])),
            None => None,
            Some(fields) => ValueReader::new(|kind: &str, id: &str, space: &mut Heap<'_>| {
                self.resident.find_or_unknown(kind, id, space)
            })
            .record(fields, ty, space),
        }
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
            Some(types) => Some(
                types
                    .shape(kind)
                    .filter(|shape| shape.kind.choices.is_none())?,
            ),
            None if kind == "Action" || kind.ends_with("::Action") => return None,
            None => None,
        };
        let mut guest = InlineEntity {
            entity,
            ..InlineEntity::default()
        };
        let mut reader = ValueReader::new(|kind: &str, id: &str, space: &mut Heap<'_>| {
            self.resident.find_or_unknown(kind, id, space)
        });
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
                shape.parents.iter().any(|kind| **kind == *parent.kind())
                    && !self.is_enumerated(parent.kind())
            });
            if !allowed || !is_type_name(parent.kind()) {
                return None;
            }
            guest.ancestors.push(
                self.resident
                    .find_or_unknown(parent.kind(), parent.id(), space)
                    .entity()?,
            );
        }
        self.resident.close(&mut guest);
        self.place_inline_entity(guest, space)
    }

    fn is_enumerated(&self, kind: &str) -> bool {
        self.types
            .as_ref()
            .and_then(|types| types.shape(kind))
            .is_some_and(|shape| shape.kind.choices.is_some())
    }

    /// Stores the inline entity in the arena. Returns `None` if it changes the ancestors of other
    /// entities, or is its own ancestor.
    fn place_inline_entity(&self, mut guest: InlineEntity, space: &mut Heap<'_>) -> Option<()> {
        guest.ancestors.sort_unstable();
        guest.ancestors.dedup();
        if guest.ancestors.contains(&guest.entity) {
            return None;
        }
        if self.resident.has_below(guest.entity)
            && guest.ancestors != self.resident.ancestors(guest.entity)
        {
            return None;
        }
        space.scratch.guest = guest;
        Some(())
    }
}
