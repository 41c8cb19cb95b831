//! Symbolic evaluation of comparisons between records, sets and values.

use super::atoms::RecordFact;
use super::symbolic::{BddResult, SymbolicEvaluator, TriState};
use super::symbols::{self, DISABLED, FEATURES, GRANTS, ROLES, STATE_OF};
use crate::vm::{TRUE, Value};

impl SymbolicEvaluator<'_, '_> {
    pub(super) fn contains(
        &mut self,
        from: u8,
        names: &[u32],
        item: u32,
    ) -> BddResult<Option<TriState>> {
        let Some((name, rest)) = names.split_last() else {
            return Ok(None);
        };
        let Some((record, readable)) = self.record(from, rest)? else {
            return Ok(None);
        };
        if set_kind(record.kind, *name) == Some(symbols::parts(item).0) {
            let fact = RecordFact::Contains(*name, item);
            self.fact_read(&record, readable, fact).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Evaluates whether a set contains all of the items, or any of them.
    pub(super) fn contains_many(
        &mut self,
        from: u8,
        names: &[u32],
        items: Value,
        all: bool,
    ) -> BddResult<Option<TriState>> {
        let Some(items) = self.pool.set_items(items).filter(|items| !items.is_empty()) else {
            return Ok(None);
        };
        let mut whole: Option<TriState> = None;
        for item in items {
            let Some(item) = item.entity() else {
                return Ok(None);
            };
            let Some(truth) = self.contains(from, names, item)? else {
                return Ok(None);
            };
            // The items fail together, if the set does not exist.
            whole = Some(match whole {
                None => truth,
                Some(so_far) if all => TriState {
                    yes: self.both(so_far.yes, truth.yes)?,
                    errs: truth.errs,
                },
                Some(so_far) => TriState {
                    yes: self.diagrams.or(so_far.yes, truth.yes)?,
                    errs: truth.errs,
                },
            });
        }
        Ok(whole)
    }

    /// Evaluates whether the record at a path is an element of `set`. Equality is enough, because
    /// directory records have no parents.
    pub(super) fn one_of(
        &mut self,
        from: u8,
        names: &[u32],
        set: Value,
    ) -> BddResult<Option<TriState>> {
        let Some(items) = self.pool.set_items(set) else {
            return Ok(None);
        };
        let entities = items.iter().map(|item| item.entity());
        let Some(mut entities) = entities.collect::<Option<Vec<u32>>>() else {
            return Ok(None);
        };
        entities.sort_unstable();
        let Some((record, readable)) = self.record(from, names)? else {
            return Ok(None);
        };
        let is = self.fact(&record, RecordFact::IsOneOf(entities.into()))?;
        self.read(readable, is).map(Some)
    }

    /// Evaluates whether two paths lead to one record. Equality is enough, because directory
    /// records have no parents.
    pub(super) fn same(
        &mut self,
        one: u8,
        names: &[u32],
        other: u8,
        more: &[u32],
    ) -> BddResult<Option<TriState>> {
        let (Some((left, first)), Some((right, second))) =
            (self.record(one, names)?, self.record(other, more)?)
        else {
            return Ok(None);
        };
        let readable = self.both(first, second)?;
        let yes = if left == right {
            TRUE
        } else {
            self.fact(&left, RecordFact::IsAlso(right))?
        };
        self.read(readable, yes).map(Some)
    }

    /// Evaluates whether the value at a path equals `value`. The path may lead to a domain's state,
    /// a record or a flag.
    pub(super) fn is_value(
        &mut self,
        from: u8,
        names: &[u32],
        value: Value,
    ) -> BddResult<Option<TriState>> {
        match value {
            Value::Entity(entity) => self.is_entity(from, names, entity),
            Value::Bool(true) => self.flag_at(from, names),
            Value::Bool(false) => match self.flag_at(from, names)? {
                Some(truth) => Ok(Some(TriState {
                    yes: self.no(truth)?,
                    errs: truth.errs,
                })),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn is_entity(&mut self, from: u8, names: &[u32], value: u32) -> BddResult<Option<TriState>> {
        if let [rest @ .., STATE_OF] = names {
            let is_state = symbols::parts(value).0 == symbols::STATE;
            return match self.record(from, rest)? {
                Some((record, readable)) if is_state && record.kind == symbols::DOMAIN => {
                    let fact = RecordFact::Contains(STATE_OF, value);
                    self.fact_read(&record, readable, fact).map(Some)
                }
                _ => Ok(None),
            };
        }
        let Some((record, readable)) = self.record(from, names)? else {
            return Ok(None);
        };
        let is = self.fact(&record, RecordFact::IsOneOf([value].into()))?;
        self.read(readable, is).map(Some)
    }

    pub(super) fn is_empty(&mut self, from: u8, names: &[u32]) -> BddResult<Option<TriState>> {
        let Some((name, rest)) = names.split_last() else {
            return Ok(None);
        };
        let Some((record, readable)) = self.record(from, rest)? else {
            return Ok(None);
        };
        if set_kind(record.kind, *name).is_some() {
            let fact = RecordFact::IsEmpty(*name);
            self.fact_read(&record, readable, fact).map(Some)
        } else {
            Ok(None)
        }
    }
}

/// Returns the type of the items in a record's set of that name.
fn set_kind(kind: u32, name: u32) -> Option<u32> {
    match (kind, name) {
        (symbols::ACCOUNT, DISABLED) => Some(symbols::REASON),
        (symbols::OPERATOR, ROLES) => Some(symbols::ROLE),
        (symbols::PACKAGE | symbols::LEVEL, FEATURES) | (symbols::MEMBER, GRANTS) => {
            Some(symbols::FEATURE)
        }
        _ => None,
    }
}
