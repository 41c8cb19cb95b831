//! The registers of a program that are filled before its code runs.

use super::lower::{IrExpr, Unsupported};
use crate::util::interner::Interner;
use crate::vm::{PathLoad, Register, Value};

/// Registers that are filled before the code runs: roots, constants, loads.
#[derive(Default)]
pub(super) struct RegisterPlan {
    roots: usize,
    constants: Interner<Vec<Value>>,
    /// The loaded paths, each as its root and its names.
    loads: Interner<Vec<u32>>,
}

/// Returns the root and the names of a path as one list.
fn join_path(root: u8, names: &[u32]) -> Vec<u32> {
    [&[u32::from(root)], names].concat()
}

impl RegisterPlan {
    /// Returns the registers of these expressions, after the first `roots` registers.
    pub(super) fn new<'n>(roots: usize, nodes: impl Iterator<Item = &'n IrExpr>) -> Self {
        let mut plan = Self {
            roots,
            ..Self::default()
        };
        nodes.for_each(|node| plan.collect(node));
        plan
    }

    fn collect(&mut self, node: &IrExpr) {
        match node {
            IrExpr::Value(value) => {
                self.constants.intern(&[*value]);
            }
            IrExpr::Path(root, names) | IrExpr::HasPath(root, names) => self.load(*root, names),
            IrExpr::Fails => {}
            IrExpr::Has(operand, _)
            | IrExpr::Attribute(operand, _)
            | IrExpr::Not(operand)
            | IrExpr::Apply(_, operand)
            | IrExpr::Like(operand, _)
            | IrExpr::Is(operand, _) => self.collect(operand),
            IrExpr::And(left, right)
            | IrExpr::Or(left, right)
            | IrExpr::Compare(_, left, right)
            | IrExpr::Compute(_, left, right) => {
                self.collect(left);
                self.collect(right);
            }
            IrExpr::If(cond, yes, no) => {
                self.collect(cond);
                self.collect(yes);
                self.collect(no);
            }
            IrExpr::Set(items) => items.iter().for_each(|item| self.collect(item)),
            IrExpr::Record(fields) => fields.iter().for_each(|(_, value)| self.collect(value)),
        }
    }

    /// Adds the loads of a path and of each of its prefixes.
    fn load(&mut self, root: u8, names: &[u32]) {
        let path = join_path(root, names);
        for part in (2..=path.len()).filter_map(|end| path.get(..end)) {
            self.loads.intern(part);
        }
    }

    pub(super) fn first_free(&self) -> Result<usize, Unsupported> {
        let first = self.first_load().saturating_add(self.loads.len());
        let fits = first < usize::from(u16::MAX);
        fits.then_some(first).ok_or(Unsupported)
    }

    fn first_load(&self) -> usize {
        self.roots.saturating_add(self.constants.len())
    }

    pub(super) fn constant_register(&self, value: Value) -> Result<Register, Unsupported> {
        let at = self.constants.find(&[value]).ok_or(Unsupported)?;
        Ok(u16::try_from(self.roots.saturating_add(at as usize))?)
    }

    pub(super) fn path_register(&self, root: u8, names: &[u32]) -> Result<Register, Unsupported> {
        self.register_of(&join_path(root, names))
    }

    fn register_of(&self, path: &[u32]) -> Result<Register, Unsupported> {
        if let [root] = path {
            return Ok(u16::try_from(*root)?);
        }
        let at = self.loads.find(path).ok_or(Unsupported)?;
        let register = self.first_load().saturating_add(at as usize);
        Ok(u16::try_from(register)?)
    }

    pub(super) fn constants(&self) -> Vec<Value> {
        let constants = (0..).map_while(|at| self.constants.get(at));
        constants.flatten().copied().collect()
    }

    pub(super) fn loads(&self) -> Result<Vec<PathLoad>, Unsupported> {
        let paths = (0..).map_while(|at| self.loads.get(at)?.split_last());
        let load = |(name, before): (&u32, &[u32])| {
            let from = self.register_of(before)?;
            Ok(PathLoad { from, name: *name })
        };
        paths.map(load).collect()
    }
}
