//! Symbolic evaluation of comparisons between records, sets and values.

use super::atoms::RecordFact;
use super::symbolic::EvalError::NeedsBytecode;
use super::symbolic::{EvalResult, SymbolicEvaluator, TriState};
use super::symbolic_paths::{AttributePath, attribute_path};
use super::symbols::{self, DISABLED, FEATURES, GRANTS, ROLES, STATE_OF};
use crate::compiler::IrExpr;
use crate::vm::{Compare, FALSE, TRUE, Value};

impl SymbolicEvaluator<'_> {
    /// Evaluates a comparison of a path with a literal or with another path.
    pub(super) fn comparison(
        &mut self,
        what: Compare,
        left: &IrExpr,
        right: &IrExpr,
    ) -> EvalResult<TriState> {
        match (what, left, right) {
            (Compare::Contains, IrExpr::Path(from, names), IrExpr::Value(Value::Entity(item))) => {
                self.contains((*from, names), *item)
            }
            (Compare::Contains, IrExpr::Value(set), IrExpr::Path(from, names))
            | (
                Compare::In,
                IrExpr::Path(from, names),
                IrExpr::Value(set @ (Value::Set(_) | Value::Flags(..))),
            ) => self.one_of((*from, names), *set),
            (Compare::ContainsAny, IrExpr::Path(from, names), IrExpr::Value(items)) => {
                self.contains_many((*from, names), *items, false)
            }
            (Compare::ContainsAll, IrExpr::Path(from, names), IrExpr::Value(items)) => {
                self.contains_many((*from, names), *items, true)
            }
            (Compare::Equal | Compare::In, IrExpr::Path(from, names), IrExpr::Value(value))
            | (Compare::Equal | Compare::In, IrExpr::Value(value), IrExpr::Path(from, names)) => {
                self.is_value((*from, names), *value)
            }
            (Compare::Equal | Compare::In, IrExpr::Path(one, names), IrExpr::Path(other, more)) => {
                self.same((*one, names), (*other, more))
            }
            _ => Err(NeedsBytecode),
        }
    }

    fn contains(&mut self, path: AttributePath<'_>, item: u32) -> EvalResult<TriState> {
        let (record, readable, name) = self.attribute(path)?;
        if set_kind(record.kind, name) != Some(symbols::parts(item).0) {
            return Err(NeedsBytecode);
        }
        self.fact_read(&record, readable, RecordFact::Contains(name, item))
    }

    /// Evaluates whether a set contains all of the items, or any of them.
    fn contains_many(
        &mut self,
        path: AttributePath<'_>,
        items: Value,
        all: bool,
    ) -> EvalResult<TriState> {
        let (mut yes, mut errs) = (if all { TRUE } else { FALSE }, None);
        for item in self.pool.set_items(items).ok_or(NeedsBytecode)? {
            let truth = self.contains(path, item.entity().ok_or(NeedsBytecode)?)?;
            yes = if all {
                self.diagrams.and(yes, truth.yes)?
            } else {
                self.diagrams.or(yes, truth.yes)?
            };
            // The items fail together, if the set does not exist.
            errs = Some(truth.errs);
        }
        let errs = errs.ok_or(NeedsBytecode)?;
        Ok(TriState { yes, errs })
    }

    /// Evaluates whether the record at a path is an element of `set`.
    fn one_of(&mut self, path: AttributePath<'_>, set: Value) -> EvalResult<TriState> {
        let items = self.pool.set_items(set).ok_or(NeedsBytecode)?;
        let entities: Option<Vec<u32>> = items.iter().map(|item| item.entity()).collect();
        let mut entities = entities.ok_or(NeedsBytecode)?;
        entities.sort_unstable();
        self.is_one_of(path, entities.into())
    }

    /// Evaluates whether the record at a path is one of these entities, which are sorted. Equality
    /// is enough, because directory records have no parents.
    fn is_one_of(&mut self, path: AttributePath<'_>, list: Box<[u32]>) -> EvalResult<TriState> {
        let (record, readable) = self.record(path)?;
        let is = self.fact(&record, RecordFact::IsOneOf(list))?;
        self.read(readable, is)
    }

    /// Evaluates whether two paths lead to one record. Equality is enough, because directory
    /// records have no parents.
    fn same(&mut self, one: AttributePath<'_>, other: AttributePath<'_>) -> EvalResult<TriState> {
        let (left, first) = self.record(one)?;
        let (right, second) = self.record(other)?;
        let readable = self.diagrams.and(first, second)?;
        let yes = if left == right {
            TRUE
        } else {
            self.fact(&left, RecordFact::IsAlso(right))?
        };
        self.read(readable, yes)
    }

    /// Evaluates whether the value at a path equals `value`. The path may lead to a domain's state,
    /// a record or a flag.
    fn is_value(&mut self, path: AttributePath<'_>, value: Value) -> EvalResult<TriState> {
        match value {
            Value::Entity(entity) => self.is_entity(path, entity),
            Value::Bool(true) => self.flag_at(path),
            Value::Bool(false) => {
                let truth = self.flag_at(path)?;
                Ok(self.negate(truth)?)
            }
            _ => Err(NeedsBytecode),
        }
    }

    fn is_entity(&mut self, path: AttributePath<'_>, value: u32) -> EvalResult<TriState> {
        let (from, [rest @ .., STATE_OF]) = path else {
            return self.is_one_of(path, [value].into());
        };
        let (record, readable) = self.record((from, rest))?;
        if symbols::parts(value).0 != symbols::STATE || record.kind != symbols::DOMAIN {
            return Err(NeedsBytecode);
        }
        self.fact_read(&record, readable, RecordFact::Contains(STATE_OF, value))
    }

    pub(super) fn is_empty(&mut self, operand: &IrExpr) -> EvalResult<TriState> {
        let (record, readable, name) =
            self.attribute(attribute_path(operand).ok_or(NeedsBytecode)?)?;
        set_kind(record.kind, name).ok_or(NeedsBytecode)?;
        self.fact_read(&record, readable, RecordFact::IsEmpty(name))
    }
}

/// Returns the type of the items in a record's set of that name.
pub(super) fn set_kind(kind: u32, name: u32) -> Option<u32> {
    match (kind, name) {
        (symbols::ACCOUNT, DISABLED) => Some(symbols::REASON),
        (symbols::OPERATOR, ROLES) => Some(symbols::ROLE),
        (symbols::PACKAGE | symbols::LEVEL, FEATURES) | (symbols::MEMBER, GRANTS) => {
            Some(symbols::FEATURE)
        }
        _ => None,
    }
}
