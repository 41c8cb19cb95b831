//! Symbolic evaluation of attributes: whether a path leads to a value, and the value of a flag.

use super::atoms::{RecordFact, RecordPath, reference_kind};
use super::fact_set::CONTEXT;
use super::symbolic::EvalError::NeedsBytecode;
use super::symbolic::{EvalResult, SymbolicEvaluator, TriState};
use super::symbolic_comparisons::set_kind;
use super::symbolic_paths::AttributePath;
use super::symbols::{self, ATTRIBUTES, PLATFORM_OF, STATE_OF, flag_place, root};
use crate::vm::{BddRef, Value};

impl SymbolicEvaluator<'_> {
    /// Evaluates a fact that fails with an error unless `readable` holds and the record exists.
    pub(super) fn fact_read(
        &mut self,
        record: &RecordPath,
        readable: BddRef,
        fact: RecordFact,
    ) -> EvalResult<TriState> {
        let exists = self.fact(record, RecordFact::Exists)?;
        let yes = self.fact(record, fact)?;
        let readable = self.diagrams.and(readable, exists)?;
        self.read(readable, yes)
    }

    /// Evaluates the boolean attribute at a path.
    pub(super) fn flag_at(&mut self, path: AttributePath<'_>) -> EvalResult<TriState> {
        let (record, readable, name) = self.attribute(path)?;
        let is_platform = (record.kind, name) == (symbols::DOMAIN, PLATFORM_OF);
        if !is_platform && flag_place(record.kind, name).is_none() {
            return Err(NeedsBytecode);
        }
        self.fact_read(&record, readable, RecordFact::Flag(name))
    }

    /// Evaluates whether a path leads to a value.
    pub(super) fn has(&mut self, path: AttributePath<'_>) -> EvalResult<TriState> {
        if path.1.is_empty() {
            return self.record(path).map(|_| TriState::TRUE);
        }
        let (record, readable, name) = self.attribute(path)?;
        let kind = record.kind;
        let fact = match (kind, name) {
            _ if reference_kind(kind, name).is_some() => RecordFact::Names(name),
            _ if flag_place(kind, name).or(set_kind(kind, name)).is_some() => RecordFact::Exists,
            (symbols::ACCOUNT | symbols::MEMBER, ATTRIBUTES)
            | (symbols::DOMAIN, PLATFORM_OF | STATE_OF) => RecordFact::Exists,
            _ => return Err(NeedsBytecode),
        };
        let has = self.fact(&record, fact)?;
        self.read(readable, has)
    }

    /// Returns whether a test for the value of a path fails, if the request has no such value.
    pub(super) fn absent_path(&self, (from, names): AttributePath<'_>) -> Option<bool> {
        let shape = &self.request_shape;
        let is_absent = match (from, names) {
            (root::CONTEXT, [_, ..]) => !shape.facts?.has(CONTEXT),
            (root::RESOURCE, [name, ..]) => shape.brings(*name) == Some(false),
            (register, _) => {
                let absent = shape.absent(register)?;
                return Some(absent == Value::Poison || !names.is_empty());
            }
        };
        is_absent.then_some(names.len() > 1)
    }
}
