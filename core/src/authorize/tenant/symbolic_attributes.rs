//! Symbolic evaluation of attributes: whether a path leads to a value, and the value of a flag.

use super::atoms::{RecordFact, RecordPath, reference_kind};
use super::symbolic::{BddResult, SymbolicEvaluator, TriState};
use super::symbols::{
    self, ATTRIBUTES, DISABLED, FEATURES, GRANTS, PLATFORM_OF, ROLES, STATE_OF, flag_place, root,
};
use crate::vm::{BddRef, FALSE, TRUE, Value};

impl SymbolicEvaluator<'_, '_> {
    /// Evaluates a fact that fails with an error unless `readable` holds and the record exists.
    pub(super) fn fact_read(
        &mut self,
        record: &RecordPath,
        readable: BddRef,
        fact: RecordFact,
    ) -> BddResult<TriState> {
        let exists = self.fact(record, RecordFact::Exists)?;
        let yes = self.fact(record, fact)?;
        let readable = self.both(readable, exists)?;
        self.read(readable, yes)
    }

    /// Evaluates the boolean attribute at a path.
    pub(super) fn flag_at(&mut self, from: u8, names: &[u32]) -> BddResult<Option<TriState>> {
        let Some((name, rest)) = names.split_last() else {
            return Ok(None);
        };
        let Some((record, readable)) = self.record(from, rest)? else {
            return Ok(None);
        };
        let is_flag = flag_place(record.kind, *name).is_some()
            || (record.kind, *name) == (symbols::DOMAIN, PLATFORM_OF);
        if is_flag {
            let fact = RecordFact::Flag(*name);
            self.fact_read(&record, readable, fact).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Evaluates whether a path leads to a value.
    pub(super) fn has(&mut self, from: u8, names: &[u32]) -> BddResult<Option<TriState>> {
        let Some((name, rest)) = names.split_last() else {
            let record = self.record(from, names)?;
            return Ok(record.map(|_| TriState {
                yes: TRUE,
                errs: FALSE,
            }));
        };
        let Some((record, readable)) = self.record(from, rest)? else {
            return Ok(None);
        };
        let fact = match (record.kind, *name) {
            (kind, name) if reference_kind(kind, name).is_some() => RecordFact::Names(name),
            (kind, name) if flag_place(kind, name).is_some() => RecordFact::Exists,
            (symbols::ACCOUNT, DISABLED | ATTRIBUTES)
            | (symbols::MEMBER, GRANTS | ATTRIBUTES)
            | (symbols::PACKAGE | symbols::LEVEL, FEATURES)
            | (symbols::OPERATOR, ROLES)
            | (symbols::DOMAIN, PLATFORM_OF | STATE_OF) => RecordFact::Exists,
            _ => return Ok(None),
        };
        let has = self.fact(&record, fact)?;
        self.read(readable, has).map(Some)
    }

    /// Returns whether a test for the value of a path fails, if the request has no such value.
    pub(super) fn absent_path(&self, from: u8, names: &[u32]) -> Option<bool> {
        match (from, names) {
            (root::CONTEXT, [_, deeper @ ..]) => {
                self.has_no_context().then_some(!deeper.is_empty())
            }
            (root::RESOURCE, [name, deeper @ ..]) => {
                let brings = self.request_shape.brings(*name);
                (brings == Some(false)).then_some(!deeper.is_empty())
            }
            (register, _) => {
                let absent = self.request_shape.absent(register)?;
                Some(absent == Value::Poison || !names.is_empty())
            }
        }
    }
}
