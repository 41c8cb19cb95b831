//! Entity slicing: the entities that some policies can read for one request, built as Cedar
//! entities from the entity table. Used for error messages, for explanations, and for policies that
//! only Cedar evaluates. So Sublet stores no second copy of all entities.
//!
//! Cedar returns the same result for this slice as for all entities. A policy can only reach
//! entities that the request or its own text names, and those that attribute and tag accesses lead
//! to. An access chain is at most as long as such accesses are nested in the text. `in` needs an
//! entity's ancestors, which each entity of the slice lists.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::entities_errors::EntitiesError;
use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal};
use cedar_policy::{
    Entities, Entity, EntityId, EntityTypeName, EntityUid, EvalResult, PolicyId,
    RestrictedExpression,
};

use super::entity_table::EntityTable;
use crate::cedar::accessed_paths::operands;
use crate::cedar::policy_list::PolicyList;
use crate::cedar::request::causes;
use crate::compiler::{link_template, syntax_tree};
use crate::util::error::Error;
use crate::vm::{Heap, RequestArena, Value};

/// The entities that policies can reach beyond those that a request names.
#[derive(Debug, Default)]
pub(crate) struct AccessDepth {
    /// Type and id of the entities that the conditions name.
    named: Vec<(String, String)>,
    /// The maximum nesting of attribute and tag accesses.
    steps: usize,
}

impl AccessDepth {
    /// Computes the access depth of the policies at `positions`.
    pub(crate) fn from_policies(
        rules: &PolicyList,
        positions: impl Iterator<Item = usize>,
    ) -> Self {
        let mut reach = Self::default();
        for rule in positions.filter_map(|at| rules.list.get(at)) {
            let tree = rules
                .set
                .policy(&PolicyId::new(&rule.id))
                .and_then(syntax_tree);
            let Some(body) = tree.and_then(|tree| link_template(&tree)) else {
                continue;
            };
            for clause in body.clauses() {
                let (Clause::When(expr) | Clause::Unless(expr)) = clause;
                reach.walk(expr);
            }
        }
        reach
    }

    fn walk(&mut self, expr: &Expr) {
        let mut todo = vec![(expr, 0_usize)];
        while let Some((expr, steps)) = todo.pop() {
            self.steps = self.steps.max(steps);
            let further = |by: usize| steps.saturating_add(by);
            match expr {
                Expr::Literal(Literal::EntityUID(uid)) => {
                    self.named.push((uid.ty.to_string(), uid.eid.to_string()));
                }
                Expr::GetAttr { expr, .. } => todo.push((expr, further(1))),
                Expr::HasAttr { expr, attrs } => todo.push((expr, further(attrs.len()))),
                Expr::BinaryOp {
                    op: BinaryOp::GetTag | BinaryOp::HasTag,
                    left,
                    right,
                } => todo.extend([(left.as_ref(), further(1)), (right, steps)]),
                other => {
                    let operands = operands(other).unwrap_or_default();
                    todo.extend(operands.into_iter().map(|expr| (expr, steps)));
                }
            }
        }
    }
}

/// Returns the entities that policies of this access depth can read for a request. `inline` came
/// with the request and replaces the program's entity of that name. The descendants of `inline`
/// then also descend from its parents.
pub(crate) fn entity_slice(
    resident: &EntityTable,
    reach: &AccessDepth,
    request: &cedar_policy::Request,
    inline: Option<Entity>,
) -> Result<Entities, Error> {
    let seeds = seeds(request, inline.as_ref());
    let whole = inline.is_some();
    let found = seeds
        .iter()
        .map(|uid| (uid.type_name().to_string(), uid.id().unescaped().to_owned()))
        .chain(reach.named.iter().cloned());
    let mut level: Vec<u32> = found
        .filter_map(|(kind, id)| resident.find(&kind, &id))
        .collect();
    let mut seen = HashSet::new();
    let mut builder = SliceBuilder {
        resident,
        scratch: RequestArena::default(),
        kinds: HashMap::new(),
        made: Vec::new(),
    };
    for _ in 0..=reach.steps {
        let mut next = Vec::new();
        for at in level {
            if seen.insert(at) {
                builder.make(at, whole, &mut next)?;
            }
        }
        level = next;
    }
    if whole {
        let above: Vec<u32> = seen
            .iter()
            .flat_map(|at| resident.ancestors(*at))
            .copied()
            .collect();
        for at in above {
            if seen.insert(at) {
                builder.make(at, whole, &mut Vec::new())?;
            }
        }
    }
    let entities =
        Entities::from_entities(builder.made, None).map_err(|error| Error::InvalidRequest {
            reason: causes(&error),
        })?;
    match inline {
        Some(entity) => add_inline(entities, entity),
        None => Ok(entities),
    }
}

/// Returns the entities that the request names, in its principal, action, resource and context, and
/// in the attributes, tags and parents of the resource that it brings.
fn seeds(request: &cedar_policy::Request, inline: Option<&Entity>) -> Vec<EntityUid> {
    let mut seeds: Vec<EntityUid> = [request.principal(), request.action(), request.resource()]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    for (name, _) in request.context().into_iter().flat_map(Clone::clone) {
        if let Some(value) = request.context().and_then(|context| context.get(&name)) {
            referred(&value, &mut seeds);
        }
    }
    for (_, value) in inline
        .into_iter()
        .flat_map(|entity| entity.attrs().chain(entity.tags()))
    {
        if let Ok(value) = value {
            referred(&value, &mut seeds);
        }
    }
    seeds.extend(
        inline
            .into_iter()
            .flat_map(|entity| entity.clone().into_inner().2),
    );
    seeds
}

/// Adds the resource that the request brings.
fn add_inline(entities: Entities, entity: Entity) -> Result<Entities, Error> {
    let resource = entity.uid().to_string();
    entities.upsert_entities([entity], None).map_err(|error| {
        // Cedar names an arbitrary entity of the cycle, not always the same one.
        let circle = matches!(error, EntitiesError::TransitiveClosureError(_));
        let reason = if circle {
            "its parents are below it".to_owned()
        } else {
            causes(&error)
        };
        Error::Resource { resource, reason }
    })
}

/// Collects the entities that a value refers to, except those in sets. No policy can read through a
/// set.
fn referred(value: &EvalResult, to: &mut Vec<EntityUid>) {
    match value {
        EvalResult::EntityUid(uid) => to.push(uid.clone()),
        EvalResult::Record(record) => record.iter().for_each(|(_, value)| referred(value, to)),
        _ => {}
    }
}

struct SliceBuilder<'a> {
    resident: &'a EntityTable,
    scratch: RequestArena,
    kinds: HashMap<u32, EntityTypeName>,
    made: Vec<Entity>,
}

impl SliceBuilder<'_> {
    /// Builds the entity if the program's data contains it, and adds the entities that it refers to
    /// to `next`. With `whole`, only direct parents are set, because the ancestors are built too.
    fn make(&mut self, at: u32, whole: bool, next: &mut Vec<u32>) -> Result<(), Error> {
        let Some((attributes, tags)) = self.resident.fields_of(at) else {
            return Ok(());
        };
        let lost = || Error::InvalidRequest {
            reason: "an entity cannot be made anew".to_owned(),
        };
        let uid = self.uid(at).ok_or_else(lost)?;
        let above = if whole {
            self.resident.parents(at)
        } else {
            self.resident.ancestors(at)
        };
        let parents = above
            .iter()
            .map(|at| self.uid(*at))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(lost)?;
        let mut fields =
            |fields: Vec<(u32, Value)>| -> Option<Vec<(String, RestrictedExpression)>> {
                fields
                    .into_iter()
                    .map(|(name, value)| Some((self.text(name), self.value(value, Some(next))?)))
                    .collect()
            };
        let (attributes, tags) = (
            fields(attributes).ok_or_else(lost)?,
            fields(tags).ok_or_else(lost)?,
        );
        self.made
            .push(Entity::new_with_tags(uid, attributes, parents, tags).map_err(|_| lost())?);
        Ok(())
    }

    fn space(&mut self) -> Heap<'_> {
        Heap {
            pool: &self.resident.pool,
            scratch: &mut self.scratch,
        }
    }

    fn text(&mut self, at: u32) -> String {
        self.space().text(at).to_owned()
    }

    fn uid(&mut self, at: u32) -> Option<EntityUid> {
        let (kind, id) = self.resident.name(at)?;
        if !self.kinds.contains_key(&kind) {
            let name = EntityTypeName::from_str(&self.text(kind)).ok()?;
            self.kinds.insert(kind, name);
        }
        Some(EntityUid::from_type_name_and_id(
            self.kinds.get(&kind)?.clone(),
            EntityId::new(id),
        ))
    }

    /// Converts a value to a Cedar expression. Recurses as deep as the value is nested, which is
    /// limited at load.
    fn value(
        &mut self,
        value: Value,
        mut next: Option<&mut Vec<u32>>,
    ) -> Option<RestrictedExpression> {
        Some(match value {
            Value::Bool(value) => RestrictedExpression::new_bool(value),
            Value::Long(value) => RestrictedExpression::new_long(value),
            Value::Text(text) => RestrictedExpression::new_string(self.text(text)),
            Value::Entity(entity) => {
                if let Some(next) = next {
                    next.push(entity);
                }
                RestrictedExpression::new_entity_uid(self.uid(entity)?)
            }
            Value::Set(_) | Value::Flags(..) => {
                let items = self.resident.pool.set_items(value)?;
                RestrictedExpression::new_set(
                    items
                        .into_iter()
                        .map(|item| self.value(item, None))
                        .collect::<Option<Vec<_>>>()?,
                )
            }
            Value::Record(record) => {
                let mut fields = Vec::new();
                for (name, value) in self.space().fields(record).to_vec() {
                    fields.push((self.text(name), self.value(value, next.as_deref_mut())?));
                }
                RestrictedExpression::new_record(fields).ok()?
            }
            Value::Decimal(_) | Value::Datetime(_) | Value::Duration(_) | Value::Ip(_) => {
                extension(self.resident.written(value)?)?
            }
            Value::Missing | Value::Poison => return None,
        })
    }
}

/// Parses an extension value from its source text.
fn extension(written: &str) -> Option<RestrictedExpression> {
    let argument = |name: &str| {
        written
            .strip_prefix(name)?
            .strip_prefix("(\"")?
            .strip_suffix("\")")
            .filter(|text| !text.contains(['"', '\\']))
    };
    if let Some(text) = argument("decimal") {
        Some(RestrictedExpression::new_decimal(text))
    } else if let Some(text) = argument("ip") {
        Some(RestrictedExpression::new_ip(text))
    } else {
        RestrictedExpression::from_str(written).ok()
    }
}
