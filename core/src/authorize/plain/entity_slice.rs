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
use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Template};
use cedar_policy::{
    Entities, Entity, EntityId, EntityTypeName, EntityUid, EvalResult, RestrictedExpression,
};

use super::entity_table::{EntityTable, FieldSpan};
use crate::authorize::program_set::read_body;
use crate::cedar::accessed_paths::operands;
use crate::cedar::policy_list::PolicyList;
use crate::cedar::request::causes;
use crate::util::error::Error;
use crate::vm::Value;

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
            let body = read_body(rules, rule);
            for clause in body.iter().flat_map(Template::clauses) {
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
            if let Expr::Literal(Literal::EntityUID(uid)) = expr {
                self.named.push((uid.ty.to_string(), uid.eid.to_string()));
            }
            // The name of a tag counts as if it were read through the tag, so `steps` may be larger
            // than needed.
            let further = match expr {
                Expr::GetAttr { .. }
                | Expr::BinaryOp {
                    op: BinaryOp::GetTag | BinaryOp::HasTag,
                    ..
                } => 1,
                Expr::HasAttr { attrs, .. } => attrs.len(),
                _ => 0,
            };
            let steps = steps.saturating_add(further);
            let operands = operands(expr).unwrap_or_default();
            todo.extend(operands.into_iter().map(|expr| (expr, steps)));
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
    let find = |uid: &EntityUid| resident.find(&uid.type_name().to_string(), uid.id().unescaped());
    let named = reach.named.iter();
    let named = named.filter_map(|(kind, id)| resident.find(kind, id));
    let mut builder = SliceBuilder {
        resident,
        whole: inline.is_some(),
        kinds: HashMap::new(),
        seen: HashSet::new(),
        next: seeds.iter().filter_map(find).chain(named).collect(),
        made: Vec::new(),
    };
    for _ in 0..=reach.steps {
        builder.make_next()?;
    }
    if inline.is_some() {
        let above = builder.seen.iter().flat_map(|at| resident.ancestors(*at));
        builder.next = above.copied().collect();
        builder.make_next()?;
    }
    let entities = Entities::from_entities(builder.made, None);
    let entities = entities.map_err(|error| Error::InvalidRequest {
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
    let roots = [request.principal(), request.action(), request.resource()];
    let mut seeds: Vec<EntityUid> = roots.into_iter().flatten().cloned().collect();
    let context = request.context().into_iter().flat_map(|context| {
        let names = context.clone().into_iter();
        names.filter_map(|(name, _)| context.get(&name))
    });
    let brought = inline
        .into_iter()
        .flat_map(|entity| entity.attrs().chain(entity.tags()));
    for value in context.chain(brought.filter_map(|(_, value)| value.ok())) {
        referred(&value, &mut seeds);
    }
    let parents = inline.map(|entity| entity.clone().into_inner().2);
    seeds.extend(parents.into_iter().flatten());
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
    /// Whether only direct parents are set, because the ancestors are built too.
    whole: bool,
    kinds: HashMap<u32, EntityTypeName>,
    seen: HashSet<u32>,
    /// The entities to build next.
    next: Vec<u32>,
    made: Vec<Entity>,
}

impl SliceBuilder<'_> {
    /// Builds the entities in `next`, and replaces them by those that they refer to.
    fn make_next(&mut self) -> Result<(), Error> {
        let mut level = std::mem::take(&mut self.next).into_iter();
        let made = level.try_for_each(|at| self.make(at));
        made.ok_or_else(|| Error::InvalidRequest {
            reason: "an entity cannot be made anew".to_owned(),
        })
    }

    /// Builds the entity if the program's data contains it and it is not built yet. Adds the
    /// entities that it refers to to `next`.
    fn make(&mut self, at: u32) -> Option<()> {
        let is_new = self.seen.insert(at);
        let fields = is_new.then(|| self.resident.fields_of(at)).flatten();
        let Some((attributes, tags)) = fields else {
            return Some(());
        };
        let above = if self.whole {
            self.resident.parents(at)
        } else {
            self.resident.ancestors(at)
        };
        let uid = self.uid(at)?;
        let parents: Option<Vec<_>> = above.iter().map(|at| self.uid(*at)).collect();
        let (attributes, tags) = (self.fields(attributes)?, self.fields(tags)?);
        self.made
            .push(Entity::new_with_tags(uid, attributes, parents?, tags).ok()?);
        Some(())
    }

    fn fields(&mut self, fields: FieldSpan) -> Option<Vec<(String, RestrictedExpression)>> {
        fields
            .into_iter()
            .map(|(name, value)| Some((self.text(name), self.value(value)?)))
            .collect()
    }

    fn text(&self, at: u32) -> String {
        let text = self.resident.pool.text_of(at);
        text.unwrap_or_default().to_owned()
    }

    fn uid(&mut self, at: u32) -> Option<EntityUid> {
        let (kind, id) = self.resident.name(at)?;
        if !self.kinds.contains_key(&kind) {
            let name = EntityTypeName::from_str(&self.text(kind)).ok()?;
            self.kinds.insert(kind, name);
        }
        let kind = self.kinds.get(&kind)?.clone();
        Some(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
    }

    /// Converts a value to a Cedar expression. Recurses as deep as the value is nested, which is
    /// limited at load.
    fn value(&mut self, value: Value) -> Option<RestrictedExpression> {
        Some(match value {
            Value::Bool(value) => RestrictedExpression::new_bool(value),
            Value::Long(value) => RestrictedExpression::new_long(value),
            Value::Text(text) => RestrictedExpression::new_string(self.text(text)),
            Value::Entity(entity) => {
                self.next.push(entity);
                RestrictedExpression::new_entity_uid(self.uid(entity)?)
            }
            Value::Set(_) | Value::Flags(..) => {
                // No policy can read through a set.
                let known = self.next.len();
                let items = self.resident.pool.set_items(value)?.into_iter();
                let items: Option<Vec<_>> = items.map(|item| self.value(item)).collect();
                self.next.truncate(known);
                RestrictedExpression::new_set(items?)
            }
            Value::Record(record) => {
                let fields = self.resident.pool.record_fields(record)?.to_vec();
                RestrictedExpression::new_record(self.fields(fields)?).ok()?
            }
            Value::Decimal(_) | Value::Datetime(_) | Value::Duration(_) | Value::Ip(_) => {
                extension(self.resident.written.get(&value)?)?
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
    let decimal = argument("decimal").map(RestrictedExpression::new_decimal);
    decimal
        .or_else(|| argument("ip").map(RestrictedExpression::new_ip))
        .or_else(|| RestrictedExpression::from_str(written).ok())
}
