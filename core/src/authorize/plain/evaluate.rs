//! How a plain Cedar program answers: compiled, from what a question names and brings; through Cedar where only Cedar can
//! read it.

use std::sync::Arc;

use super::Plain;
use super::entity_slice::{Reach, few};
use crate::api::handle::Place;
use crate::api::request::Request;
use crate::api::request_ref::{Does, On, Question, Who};
use crate::authorize::program_set::{Tally, with_scratch};
use crate::cedar::request::{self, Asked, Question as Cedar, context, inline, uid};
use crate::cedar::value_json::{Reader, Record, is_type_name};
use crate::compiler::policy_index;
use crate::util::error::Error;
use crate::util::stack;
use crate::vm::{Guest, Outcome, Space, TEMPORARY, Value};

use crate::cedar::authorizer::Verdict;
use crate::cedar::policy_list::Role;

/// What Cedar made of a request that only it can read.
struct Read {
    request: cedar_policy::Request,
    inline: Option<cedar_policy::Entity>,
}

/// Who is asked about, as numbers.
struct Roots {
    principal: u32,
    action: u32,
    resource: u32,
    context: Value,
}

impl Plain {
    /// The allow bit. Stops once a denial is certain; an allow needs every policy that can apply, since one that errs denies.
    pub(crate) fn check(&self, question: &Question<'_>) -> Result<bool, Error> {
        let (mut permitted, mut refused) = (false, false);
        let beyond = self.each(question, |at, outcome| {
            match outcome {
                Outcome::DoesNot => {}
                Outcome::Applies if self.rules.role_at(at) == Role::Permit => permitted = true,
                Outcome::Applies | Outcome::Errs => refused = true,
            }
            !refused
        });
        match beyond {
            Some(false) => Ok(permitted && !refused),
            Some(true) if refused => Ok(false),
            _ => Ok(self.judge(question)?.allowed),
        }
    }

    /// The answer of all policies.
    pub(crate) fn judge(&self, question: &Question<'_>) -> Result<Verdict, Error> {
        let mut tally = Tally::default();
        let mut count = |at, outcome| {
            tally.count(&self.rules, at, outcome);
            true
        };
        let mut read = None;
        let beyond = if let Some(beyond) = self.each(question, &mut count) {
            beyond
        } else {
            let found = self.read(&question.to_request()?)?;
            let Some(beyond) = self.each_read(&found, &mut count)? else {
                return self.judge_whole(found);
            };
            read = Some(found);
            beyond
        };
        if !beyond && !tally.has_errors() {
            return Ok(tally.verdict(&self.rules));
        }
        let found = read.map_or_else(|| self.read(&question.to_request()?), Ok)?;
        self.judge_rest(found, beyond, tally)
    }

    /// What Cedar adds: its answer for policies that only it answers, and its words for errors.
    fn judge_rest(&self, read: Read, beyond: bool, mut tally: Tally) -> Result<Verdict, Error> {
        let positions = tally
            .erring()
            .chain(self.compiled.beyond.positions().filter(|_| beyond))
            .collect::<Vec<_>>();
        let question = self.question(read, positions.into_iter())?;
        if beyond {
            self.compiled
                .beyond
                .judge(&self.rules, &question, &mut tally)?;
        }
        let mut verdict = tally.verdict(&self.rules);
        let wordless = || {
            verdict
                .errors
                .iter()
                .filter(|(_, words)| words.is_empty())
                .map(|(at, _)| *at)
        };
        let found = self.rules.ask(&self.rules.part(wordless()), &question)?;
        for (at, words) in verdict
            .errors
            .iter_mut()
            .filter(|(_, words)| words.is_empty())
        {
            let judged = found.erring.iter().find(|(known, _)| known == at);
            *words = judged.map_or_else(
                || "evaluation failed".to_owned(),
                |(_, words)| words.clone(),
            );
        }
        Ok(verdict)
    }

    /// Cedar's own answer: what came with the request changes what is above other entities.
    fn judge_whole(&self, read: Read) -> Result<Verdict, Error> {
        let question = self.question(read, 0..self.rules.list.len())?;
        self.rules.judge(&question.request, &question.entities)
    }

    /// The Cedar question, for all policies.
    pub(crate) fn asked(&self, request: &Request) -> Result<Asked, Error> {
        let read = self.read(request)?;
        Ok(Asked::Cedar(Box::new(
            self.question(read, 0..self.rules.list.len())?,
        )))
    }

    /// With the entities that the policies of those positions can read.
    fn question(&self, read: Read, positions: impl Iterator<Item = usize>) -> Result<Cedar, Error> {
        stack::run(self.rules.depth.max(request::VALUE_DEPTH), || {
            let reach = Reach::of(&self.rules, positions);
            let entities = few(&self.resident, &reach, &read.request, read.inline)?;
            Ok(Cedar {
                request: read.request,
                entities: Arc::new(entities),
            })
        })
    }

    /// The request as Cedar reads it, or its errors.
    fn read(&self, request: &Request) -> Result<Read, Error> {
        let with = &request.circumstances;
        let kernel_only = [
            ("actor", with.actor.is_some()),
            ("host", with.host.is_some()),
            ("channel", with.channel.is_some()),
            ("realm", with.realm.is_some()),
            ("amount", with.amount.is_some()),
        ];
        if let Some((name, _)) = kernel_only.iter().find(|(_, given)| *given) {
            return Err(Error::NotTenancy {
                verb: (*name).to_owned(),
            });
        }
        stack::run(request::VALUE_DEPTH, || {
            let (principal, action, resource) = (
                uid(&request.principal)?,
                uid(&request.action)?,
                uid(&request.resource.uid)?,
            );
            let context = context(
                &with.context,
                self.schema.as_ref(),
                &action,
                self.validate_requests,
            )?;
            let schema = self.schema.as_ref().filter(|_| self.validate_requests);
            let bare = request.resource.is_bare();
            let inline = if bare {
                None
            } else {
                Some(inline(&request.resource, None, self.schema.as_ref())?)
            };
            let request = cedar_policy::Request::new(principal, action, resource, context, schema);
            Ok(Read {
                request: request.map_err(|found| Error::InvalidRequest {
                    reason: found.to_string(),
                })?,
                inline,
            })
        })
    }

    /// The picked policies, asked about what Cedar has read. Nothing where other entities would have to change.
    fn each_read(
        &self,
        read: &Read,
        each: impl FnMut(usize, Outcome) -> bool,
    ) -> Result<Option<bool>, Error> {
        stack::run(request::VALUE_DEPTH, || {
            Ok(with_scratch(&self.resident.pool, |space| {
                let name = |uid: Option<&cedar_policy::EntityUid>, space: &mut Space<'_>| {
                    uid.and_then(|uid| {
                        self.resident
                            .asked(&uid.type_name().to_string(), uid.id().unescaped(), space)
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
                    let guest = self.resident.guest(entity, space)?;
                    self.seat(guest, space)?;
                }
                let context = space.record(&mut fields);
                Some(self.run(
                    &Roots {
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

    /// The picked policies, asked about the question as it stands. Nothing where only Cedar can read it. Gives back whether
    /// one of them is for Cedar to answer.
    #[inline]
    fn each(
        &self,
        question: &Question<'_>,
        each: impl FnMut(usize, Outcome) -> bool,
    ) -> Option<bool> {
        if question.host.is_some() {
            return None;
        }
        let fields = match question.with {
            Some(with)
                if with.actor.is_some()
                    || with.channel.is_some()
                    || with.realm.is_some()
                    || with.amount.is_some() =>
            {
                return None;
            }
            Some(with) if !with.context.is_empty() => Some(&with.context),
            _ => None,
        };
        with_scratch(&self.resident.pool, |space| {
            let principal = match question.principal {
                Who::Name(kind, id) => self.entity(None, kind, id, space)?,
                Who::Handle(handle) => self.entity(
                    Some(&handle.place),
                    handle.reference().kind(),
                    handle.reference().id(),
                    space,
                )?,
            };
            let action = match question.action {
                Does::Name(kind, id) => self.entity(None, kind, id, space)?,
                Does::Handle(handle) => self.entity(
                    Some(&handle.place),
                    handle.reference().kind(),
                    handle.reference().id(),
                    space,
                )?,
            };
            let resource = self.resource(&question.resource, space)?;
            if self.validate_requests && !self.admit(principal, action, resource, space) {
                return None;
            }
            let context = self.context(action, fields, space)?;
            if question.resource.account.is_some() || question.resource.more.is_some() {
                self.bring(&question.resource, resource, space)?;
            }
            Some(self.run(
                &Roots {
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
        roots: &Roots,
        space: &mut Space<'_>,
        each: impl FnMut(usize, Outcome) -> bool,
    ) -> bool {
        let guest = space.scratch.guest.entity;
        // What came with the request is above nothing that the program has: its own ancestors are told here.
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
            if entity < TEMPORARY {
                self.resident.kind(entity)
            } else {
                space.stranger_type(entity)
            }
            .unwrap_or(u32::MAX)
        };
        let asked = policy_index::Asked {
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
            .each(&asked, values, &self.resident, space, each);
        space.scratch.above = brought;
        beyond
    }

    /// The number of an entity; nothing where its type may be no type's name.
    #[inline]
    fn entity(
        &self,
        place: Option<&Place>,
        kind: &str,
        id: &str,
        space: &mut Space<'_>,
    ) -> Option<u32> {
        let find = || self.resident.find(kind, id);
        let known = match place {
            Some(place) => place.get(self.numbering, find),
            None => find(),
        };
        known.or_else(|| self.stranger(kind, id, space))
    }

    fn stranger(&self, kind: &str, id: &str, space: &mut Space<'_>) -> Option<u32> {
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
        Some(space.stranger(kind, id))
    }

    #[inline]
    fn resource(&self, on: &On<'_>, space: &mut Space<'_>) -> Option<u32> {
        let known = match on.kind {
            crate::api::request_ref::Kind::Name(kind) => self.resident.find(kind, on.id),
            crate::api::request_ref::Kind::Handle(handle) => {
                let kind = handle.place.get(self.numbering, || {
                    self.resident.pool.find_text(handle.name())
                });
                kind.and_then(|kind| self.resident.find_of(kind, on.id))
            }
        };
        known.or_else(|| self.stranger(on.kind.name(), on.id, space))
    }

    /// Whether the schema has such requests; what it has not is for Cedar to refuse.
    fn admit(&self, principal: u32, action: u32, resource: u32, space: &Space<'_>) -> bool {
        let Some(admitted) = self.admitted.get(&action) else {
            return false;
        };
        let fits = |entity: u32, kinds: &[u32]| {
            let kind = if entity < TEMPORARY {
                self.resident.kind(entity)
            } else {
                space.stranger_type(entity)
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
        space: &mut Space<'_>,
    ) -> Option<Value> {
        let ty: Option<&Record> = match (&self.schema, fields) {
            (None, _) => None,
            (Some(_), None) if !self.validate_requests => None,
            (Some(_), _) => Some(self.admitted.get(&action)?.context.as_deref()?),
        };
        match fields {
            None if ty.is_none_or(|ty| ty.required() == 0) => Some(space.record(&mut [])),
            None => None,
            Some(fields) => Reader::new(|kind: &str, id: &str, space: &mut Space<'_>| {
                self.resident.asked(kind, id, space)
            })
            .record(fields, ty, space),
        }
    }

    /// Puts what comes with the resource before what the program has of it.
    fn bring(&self, on: &On<'_>, entity: u32, space: &mut Space<'_>) -> Option<()> {
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
        let mut guest = Guest {
            entity,
            ..Guest::default()
        };
        let mut reader = Reader::new(|kind: &str, id: &str, space: &mut Space<'_>| {
            self.resident.asked(kind, id, space)
        });
        let ty = match shape {
            Some(shape) => Some(shape.attributes.as_deref()?),
            None => None,
        };
        let Some(more) = on.more else {
            if ty.is_some_and(|ty| ty.required() > 0) {
                return None;
            }
            return self.seat(guest, space);
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
                    .asked(parent.kind(), parent.id(), space)
                    .entity()?,
            );
        }
        self.resident.close(&mut guest);
        self.seat(guest, space)
    }

    fn is_enumerated(&self, kind: &str) -> bool {
        self.types
            .as_ref()
            .and_then(|types| types.shape(kind))
            .is_some_and(|shape| shape.kind.choices.is_some())
    }

    /// Takes the guest in, unless that changes what is above others, or it would be above itself.
    fn seat(&self, mut guest: Guest, space: &mut Space<'_>) -> Option<()> {
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
