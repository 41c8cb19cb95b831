//! Emits expression trees as jumps and registers.

use super::lower::{IrExpr, Unsupported};
use super::register_plan::RegisterPlan;
use crate::vm::{BranchTest, Op, PolicyEntry, Program, Register, Value};

/// A jump target, replaced by an instruction address when the program is finished.
type JumpLabel = u16;

/// Compiles policies, with their positions in gate order, to one program. The first `roots`
/// registers are filled by the caller.
///
/// # Errors
/// [`Unsupported`] if the program needs too many registers or instructions.
pub(crate) fn compile(policies: &[(u32, &IrExpr)], roots: usize) -> Result<Program, Unsupported> {
    let paths = RegisterPlan::new(roots, policies.iter().map(|(_, node)| *node));
    let first = paths.first_free()?;
    let mut emitter = Emitter {
        program: Program::default(),
        paths,
        places: Vec::new(),
        free: first,
        most: first,
    };
    for &(position, node) in policies {
        let start = emitter.here()?;
        let (yes, no) = (emitter.label()?, emitter.label()?);
        emitter.test(node, yes, no)?;
        emitter.place(yes)?;
        emitter.push(Op::End(true))?;
        emitter.place(no)?;
        emitter.push(Op::End(false))?;
        let entry = PolicyEntry { position, start };
        emitter.program.policies.push(entry);
    }
    emitter.finish()
}

struct Emitter {
    program: Program,
    paths: RegisterPlan,
    /// Addresses of the labels.
    places: Vec<Option<u16>>,
    /// The first free register.
    free: usize,
    most: usize,
}

impl Emitter {
    fn here(&self) -> Result<u16, Unsupported> {
        Ok(u16::try_from(self.program.code.len())?)
    }

    fn push(&mut self, op: Op) -> Result<(), Unsupported> {
        self.here()?;
        self.program.code.push(op);
        Ok(())
    }

    fn label(&mut self) -> Result<JumpLabel, Unsupported> {
        let label = u16::try_from(self.places.len())?;
        self.places.push(None);
        Ok(label)
    }

    fn place(&mut self, label: JumpLabel) -> Result<(), Unsupported> {
        let here = self.here()?;
        if let Some(place) = self.places.get_mut(usize::from(label)) {
            *place = Some(here);
        }
        Ok(())
    }

    fn register(&mut self) -> Result<Register, Unsupported> {
        let register = u16::try_from(self.free)?;
        self.free = self.free.saturating_add(1);
        self.most = self.most.max(self.free);
        Ok(register)
    }

    fn name(&mut self, name: u32) -> Result<u16, Unsupported> {
        let names = &mut self.program.names;
        let known = names.iter().position(|known| *known == name);
        let at = known.unwrap_or_else(|| {
            names.push(name);
            names.len().saturating_sub(1)
        });
        Ok(u16::try_from(at)?)
    }

    /// Emits the expression as a test that continues at `yes` or `no`.
    fn test(&mut self, node: &IrExpr, yes: JumpLabel, no: JumpLabel) -> Result<(), Unsupported> {
        let before = self.free;
        match node {
            IrExpr::Value(Value::Bool(value)) => {
                self.push(Op::Jump(if *value { yes } else { no }))?;
            }
            IrExpr::Fails => self.push(Op::Fail)?,
            IrExpr::Not(operand) => self.test(operand, no, yes)?,
            IrExpr::And(left, right) => {
                let then = self.label()?;
                self.test(left, then, no)?;
                self.place(then)?;
                self.test(right, yes, no)?;
            }
            IrExpr::Or(left, right) => {
                let otherwise = self.label()?;
                self.test(left, yes, otherwise)?;
                self.place(otherwise)?;
                self.test(right, yes, no)?;
            }
            IrExpr::If(cond, then, otherwise) => {
                let (on_yes, on_no) = (self.label()?, self.label()?);
                self.test(cond, on_yes, on_no)?;
                self.place(on_yes)?;
                self.test(then, yes, no)?;
                self.place(on_no)?;
                self.test(otherwise, yes, no)?;
            }
            leaf => {
                let test = self.test_leaf(leaf)?;
                self.push(Op::Branch { test, yes, no })?;
            }
        }
        self.free = before;
        Ok(())
    }

    /// Returns the test of an expression without branches of its own.
    fn test_leaf(&mut self, node: &IrExpr) -> Result<BranchTest, Unsupported> {
        Ok(match node {
            IrExpr::HasPath(root, names) => {
                BranchTest::Has(self.paths.path_register(*root, names)?)
            }
            IrExpr::Has(operand, name) => {
                BranchTest::HasAttribute(self.value(operand)?, self.name(*name)?)
            }
            IrExpr::Compare(what, left, right) => {
                BranchTest::Compare(*what, self.value(left)?, self.value(right)?)
            }
            IrExpr::Like(operand, pattern) => {
                let a = self.value(operand)?;
                let at = u16::try_from(self.program.patterns.len())?;
                self.program.patterns.push(pattern.clone());
                BranchTest::Like(a, at)
            }
            IrExpr::Is(operand, kind) => BranchTest::Is(self.value(operand)?, self.name(*kind)?),
            other => BranchTest::True(self.value(other)?),
        })
    }

    /// Returns the register with the expression's value.
    fn value(&mut self, node: &IrExpr) -> Result<Register, Unsupported> {
        match node {
            IrExpr::Value(value) => return self.paths.constant_register(*value),
            IrExpr::Path(root, names) => return self.paths.path_register(*root, names),
            _ => {}
        }
        let to = self.register()?;
        self.into(node, to)?;
        self.free = usize::from(to).saturating_add(1);
        Ok(to)
    }

    /// Emits code that stores the expression's value in a given register.
    fn into(&mut self, node: &IrExpr, to: Register) -> Result<(), Unsupported> {
        match node {
            IrExpr::Value(_) | IrExpr::Path(..) => {
                let a = self.value(node)?;
                self.push(Op::Copy { to, a })
            }
            IrExpr::Attribute(operand, name) => {
                let (a, name) = (self.value(operand)?, self.name(*name)?);
                self.push(Op::Attribute { to, a, name })
            }
            IrExpr::Compute(what, left, right) => {
                let (what, a, b) = (*what, self.value(left)?, self.value(right)?);
                self.push(Op::Compute { what, to, a, b })
            }
            IrExpr::Apply(what, operand) => {
                let a = self.value(operand)?;
                self.push(Op::Apply { what: *what, to, a })
            }
            IrExpr::If(cond, then, otherwise) => {
                let (on_yes, on_no, end) = (self.label()?, self.label()?, self.label()?);
                self.test(cond, on_yes, on_no)?;
                self.place(on_yes)?;
                self.into(then, to)?;
                self.push(Op::Jump(end))?;
                self.place(on_no)?;
                self.into(otherwise, to)?;
                self.place(end)
            }
            IrExpr::Set(items) => {
                let (first, count) = self.emit_list(items.iter())?;
                self.push(Op::Set { to, first, count })
            }
            IrExpr::Record(fields) => {
                let (first, count) = self.emit_list(fields.iter().map(|(_, value)| value))?;
                let names = u16::try_from(self.program.names.len())?;
                let all = fields.iter().map(|(name, _)| *name);
                self.program.names.extend(all);
                self.push(Op::Record {
                    to,
                    first,
                    count,
                    names,
                })
            }
            test => self.emit_bool(test, to),
        }
    }

    /// Stores the values of expressions in consecutive registers. Returns the first register and
    /// the count.
    fn emit_list<'a>(
        &mut self,
        nodes: impl ExactSizeIterator<Item = &'a IrExpr>,
    ) -> Result<(Register, u16), Unsupported> {
        let count = u16::try_from(nodes.len())?;
        let first = u16::try_from(self.free)?;
        for _ in 0..count {
            self.register()?;
        }
        for (at, node) in (first..).zip(nodes) {
            let before = self.free;
            self.into(node, at)?;
            self.free = before;
        }
        Ok((first, count))
    }

    /// Emits code that stores a test's result as a boolean.
    fn emit_bool(&mut self, test: &IrExpr, to: Register) -> Result<(), Unsupported> {
        let (yes, no, end) = (self.label()?, self.label()?, self.label()?);
        self.test(test, yes, no)?;
        for (label, value) in [(yes, true), (no, false)] {
            self.place(label)?;
            self.push(Op::Bool { to, value })?;
            self.push(Op::Jump(end))?;
        }
        self.place(end)
    }

    fn finish(mut self) -> Result<Program, Unsupported> {
        let place = |label: JumpLabel| {
            let place = self.places.get(usize::from(label));
            place.copied().flatten().ok_or(Unsupported)
        };
        for op in &mut self.program.code {
            match op {
                Op::Branch { yes, no, .. } => (*yes, *no) = (place(*yes)?, place(*no)?),
                Op::Jump(to) => *to = place(*to)?,
                _ => {}
            }
        }
        self.program.constants = self.paths.constants();
        self.program.loads = self.paths.loads()?;
        self.program.registers = self.most;
        Ok(self.program)
    }
}
