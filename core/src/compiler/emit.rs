//! Emits expression trees as jumps and registers.

use super::lower::{IrExpr, Unsupported};
use super::register_plan::RegisterPlan;
use crate::vm::{Compare, Op, PathLoad, PolicyEntry, Program, Register, Value};

/// A jump target, replaced by an instruction address when the program is finished.
type JumpLabel = usize;

/// Compiles policies, with their positions in gate order, to one program. The first `roots`
/// registers are filled by the caller.
///
/// # Errors
/// [`Unsupported`] if the program needs too many registers or instructions.
pub(crate) fn compile(policies: &[(u32, &IrExpr)], roots: usize) -> Result<Program, Unsupported> {
    let mut paths = RegisterPlan {
        roots,
        ..RegisterPlan::default()
    };
    for (_, node) in policies {
        paths.collect(node)?;
    }
    let first = paths.first_free()?;
    let mut emitter = Emitter {
        program: Program::default(),
        paths,
        places: Vec::new(),
        free: first,
        most: first,
    };
    for (position, node) in policies {
        let start = emitter.here()?;
        let (yes, no) = (emitter.label(), emitter.label());
        emitter.test(node, yes, no)?;
        emitter.place(yes)?;
        emitter.push(Op::End(true))?;
        emitter.place(no)?;
        emitter.push(Op::End(false))?;
        emitter.program.policies.push(PolicyEntry {
            position: *position,
            start,
        });
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
        u16::try_from(self.program.code.len()).map_err(|_| Unsupported)
    }

    fn push(&mut self, op: Op) -> Result<(), Unsupported> {
        self.here()?;
        self.program.code.push(op);
        Ok(())
    }

    fn label(&mut self) -> JumpLabel {
        self.places.push(None);
        self.places.len().saturating_sub(1)
    }

    fn place(&mut self, label: JumpLabel) -> Result<(), Unsupported> {
        let here = self.here()?;
        if let Some(place) = self.places.get_mut(label) {
            *place = Some(here);
        }
        Ok(())
    }

    fn target(label: JumpLabel) -> Result<u16, Unsupported> {
        u16::try_from(label).map_err(|_| Unsupported)
    }

    fn register(&mut self) -> Result<Register, Unsupported> {
        let register = u16::try_from(self.free).map_err(|_| Unsupported)?;
        self.free = self.free.saturating_add(1);
        self.most = self.most.max(self.free);
        Ok(register)
    }

    fn name(&mut self, name: u32) -> Result<u16, Unsupported> {
        let at = self
            .program
            .names
            .iter()
            .position(|known| *known == name)
            .unwrap_or_else(|| {
                self.program.names.push(name);
                self.program.names.len().saturating_sub(1)
            });
        u16::try_from(at).map_err(|_| Unsupported)
    }

    /// Emits the expression as a test that continues at `yes` or `no`.
    fn test(&mut self, node: &IrExpr, yes: JumpLabel, no: JumpLabel) -> Result<(), Unsupported> {
        let before = self.free;
        let (to_yes, to_no) = (Self::target(yes)?, Self::target(no)?);
        match node {
            IrExpr::Value(Value::Bool(value)) => self.push(Op::Jump {
                to: if *value { to_yes } else { to_no },
            })?,
            IrExpr::Fails => self.push(Op::Fail)?,
            IrExpr::Not(operand) => self.test(operand, no, yes)?,
            IrExpr::And(left, right) => {
                let then = self.label();
                self.test(left, then, no)?;
                self.place(then)?;
                self.test(right, yes, no)?;
            }
            IrExpr::Or(left, right) => {
                let otherwise = self.label();
                self.test(left, yes, otherwise)?;
                self.place(otherwise)?;
                self.test(right, yes, no)?;
            }
            IrExpr::If(cond, then, otherwise) => {
                let (on_yes, on_no) = (self.label(), self.label());
                self.test(cond, on_yes, on_no)?;
                self.place(on_yes)?;
                self.test(then, yes, no)?;
                self.place(on_no)?;
                self.test(otherwise, yes, no)?;
            }
            leaf => self.test_leaf(leaf, to_yes, to_no)?,
        }
        self.free = before;
        Ok(())
    }

    /// Emits the test of an expression without branches of its own.
    fn test_leaf(&mut self, node: &IrExpr, to_yes: u16, to_no: u16) -> Result<(), Unsupported> {
        match node {
            IrExpr::HasPath(root, names) => {
                let a = self.paths.path_register(*root, names)?;
                self.push(Op::Has {
                    a,
                    yes: to_yes,
                    no: to_no,
                })?;
            }
            IrExpr::Has(operand, name) => {
                let (a, name) = (self.value(operand)?, self.name(*name)?);
                self.push(Op::HasAttribute {
                    a,
                    name,
                    yes: to_yes,
                    no: to_no,
                })?;
            }
            IrExpr::Compare(what, left, right) => {
                self.compare(*what, left, right, to_yes, to_no)?;
            }
            IrExpr::Like(operand, pattern) => {
                let a = self.value(operand)?;
                let at = u16::try_from(self.program.patterns.len()).map_err(|_| Unsupported)?;
                self.program.patterns.push(pattern.clone());
                self.push(Op::Like {
                    a,
                    pattern: at,
                    yes: to_yes,
                    no: to_no,
                })?;
            }
            IrExpr::Is(operand, kind) => {
                let (a, name) = (self.value(operand)?, self.name(*kind)?);
                self.push(Op::Is {
                    a,
                    name,
                    yes: to_yes,
                    no: to_no,
                })?;
            }
            other => {
                let a = self.value(other)?;
                self.push(Op::True {
                    a,
                    yes: to_yes,
                    no: to_no,
                })?;
            }
        }
        Ok(())
    }

    fn compare(
        &mut self,
        what: Compare,
        left: &IrExpr,
        right: &IrExpr,
        yes: u16,
        no: u16,
    ) -> Result<(), Unsupported> {
        let (a, b) = (self.value(left)?, self.value(right)?);
        self.push(Op::Test {
            what,
            a,
            b,
            yes,
            no,
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
                let (a, b) = (self.value(left)?, self.value(right)?);
                self.push(Op::Compute {
                    what: *what,
                    to,
                    a,
                    b,
                })
            }
            IrExpr::Apply(what, operand) => {
                let a = self.value(operand)?;
                self.push(Op::Apply { what: *what, to, a })
            }
            IrExpr::If(cond, then, otherwise) => {
                let (on_yes, on_no, end) = (self.label(), self.label(), self.label());
                self.test(cond, on_yes, on_no)?;
                self.place(on_yes)?;
                self.into(then, to)?;
                self.push(Op::Jump {
                    to: Self::target(end)?,
                })?;
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
                let names = u16::try_from(self.program.names.len()).map_err(|_| Unsupported)?;
                self.program
                    .names
                    .extend(fields.iter().map(|(name, _)| *name));
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
        let count = u16::try_from(nodes.len()).map_err(|_| Unsupported)?;
        let first = u16::try_from(self.free).map_err(|_| Unsupported)?;
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
        let (yes, no, end) = (self.label(), self.label(), self.label());
        self.test(test, yes, no)?;
        for (label, value) in [(yes, true), (no, false)] {
            self.place(label)?;
            self.push(Op::Bool { to, value })?;
            self.push(Op::Jump {
                to: Self::target(end)?,
            })?;
        }
        self.place(end)
    }

    fn finish(mut self) -> Result<Program, Unsupported> {
        let place = |label: u16| {
            self.places
                .get(usize::from(label))
                .copied()
                .flatten()
                .ok_or(Unsupported)
        };
        for op in &mut self.program.code {
            match op {
                Op::True { yes, no, .. }
                | Op::Test { yes, no, .. }
                | Op::Has { yes, no, .. }
                | Op::HasAttribute { yes, no, .. }
                | Op::Is { yes, no, .. }
                | Op::Like { yes, no, .. } => (*yes, *no) = (place(*yes)?, place(*no)?),
                Op::Jump { to } => *to = place(*to)?,
                _ => {}
            }
        }
        let mut loads = Vec::new();
        for (root, names) in &self.paths.loads {
            let (name, before) = names.split_last().ok_or(Unsupported)?;
            loads.push(PathLoad {
                from: self.paths.path_register(*root, before)?,
                name: *name,
            });
        }
        self.program.loads = loads;
        self.program.constants = self.paths.constants;
        self.program.registers = self.most;
        Ok(self.program)
    }
}
