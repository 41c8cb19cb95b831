//! The registers of a program that are filled before its code runs.

use std::collections::HashMap;

use super::lower::{IrExpr, Unsupported};
use crate::vm::{Register, Value};

/// Registers that are filled before the code runs: roots, constants, loads.
#[derive(Default)]
pub(super) struct RegisterPlan {
    pub(super) roots: usize,
    pub(super) constants: Vec<Value>,
    pub(super) constant_at: HashMap<Value, usize>,
    pub(super) loads: Vec<(u8, Vec<u32>)>,
    pub(super) load_at: HashMap<(u8, Vec<u32>), usize>,
}

impl RegisterPlan {
    pub(super) fn collect(&mut self, node: &IrExpr) -> Result<(), Unsupported> {
        match node {
            IrExpr::Value(value) => self.constant(*value),
            IrExpr::Path(root, names) | IrExpr::HasPath(root, names) => self.load(*root, names),
            IrExpr::Fails => {}
            IrExpr::Has(operand, _)
            | IrExpr::Attribute(operand, _)
            | IrExpr::Not(operand)
            | IrExpr::Apply(_, operand)
            | IrExpr::Like(operand, _)
            | IrExpr::Is(operand, _) => self.collect(operand)?,
            IrExpr::And(left, right)
            | IrExpr::Or(left, right)
            | IrExpr::Compare(_, left, right)
            | IrExpr::Compute(_, left, right) => {
                self.collect(left)?;
                self.collect(right)?;
            }
            IrExpr::If(cond, yes, no) => {
                self.collect(cond)?;
                self.collect(yes)?;
                self.collect(no)?;
            }
            IrExpr::Set(items) => items.iter().try_for_each(|item| self.collect(item))?,
            IrExpr::Record(fields) => fields
                .iter()
                .try_for_each(|(_, value)| self.collect(value))?,
        }
        Ok(())
    }

    fn constant(&mut self, value: Value) {
        let next = self.constants.len();
        if *self.constant_at.entry(value).or_insert(next) == next {
            self.constants.push(value);
        }
    }

    /// Adds the loads of a path and of each of its prefixes.
    fn load(&mut self, root: u8, names: &[u32]) {
        for end in 1..=names.len() {
            let Some(part) = names.get(..end) else {
                continue;
            };
            let next = self.loads.len();
            if *self.load_at.entry((root, part.to_vec())).or_insert(next) == next {
                self.loads.push((root, part.to_vec()));
            }
        }
    }

    pub(super) fn first_free(&self) -> Result<usize, Unsupported> {
        let first = self
            .roots
            .saturating_add(self.constants.len())
            .saturating_add(self.loads.len());
        if first < usize::from(u16::MAX) {
            Ok(first)
        } else {
            Err(Unsupported)
        }
    }

    pub(super) fn constant_register(&self, value: Value) -> Result<Register, Unsupported> {
        let at = self.constant_at.get(&value).ok_or(Unsupported)?;
        u16::try_from(self.roots.saturating_add(*at)).map_err(|_| Unsupported)
    }

    pub(super) fn path_register(&self, root: u8, names: &[u32]) -> Result<Register, Unsupported> {
        if names.is_empty() {
            return Ok(u16::from(root));
        }
        let at = self
            .load_at
            .get(&(root, names.to_vec()))
            .ok_or(Unsupported)?;
        u16::try_from(
            self.roots
                .saturating_add(self.constants.len())
                .saturating_add(*at),
        )
        .map_err(|_| Unsupported)
    }
}
