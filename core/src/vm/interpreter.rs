//! Runs a program.

use super::arena::{ConstructedValue, Heap, REQUEST_LOCAL};
use super::bytecode::{BranchTest, Op, Program, Unary};
use super::operators;
use super::range_analysis::Tracer;
use super::value::Value;

/// Reads the text of an extension value, as Cedar does.
pub(crate) type Constructor = fn(Unary, &str) -> Option<ConstructedValue>;

/// The entities that a program may read.
pub(crate) trait EntityStore {
    /// Returns an attribute of an entity, or [`Value::Missing`] if the entity or the attribute does
    /// not exist.
    fn attribute(&self, entity: u32, name: u32, space: &mut Heap<'_>) -> Value;
    /// Returns a tag of an entity, or [`Value::Missing`] if the entity or the tag does not exist.
    fn tag(&self, entity: u32, tag: u32) -> Value;
    /// Returns whether `ancestor` is above `child`.
    fn is_descendant(&self, child: u32, ancestor: u32) -> bool;
    /// Returns the number of the type name of the entity.
    fn type_of(&self, entity: u32) -> u32;
}

/// The result of one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyResult {
    Satisfied,
    NotSatisfied,
    Error,
}

/// Runs every policy of the program on the roots: principal, action, resource, context, and the
/// values that the entity store adds. Calls `each` with each result, until `each` returns `false`.
pub(crate) fn run<W: EntityStore>(
    program: &Program,
    roots: &[Value],
    world: &W,
    space: &mut Heap<'_>,
    construct: Constructor,
    mut each: impl FnMut(usize, PolicyResult) -> bool,
) {
    let watch = &mut ();
    with_frame(program, roots, world, space, construct, watch, |frame| {
        for mark in &program.policies {
            if !each(mark.position as usize, frame.run_policy(mark.start)) {
                break;
            }
        }
    });
}

/// Loads the frame of a program, and calls `work`, which may run its policies in any order. Reports
/// each step to `watch`.
pub(crate) fn with_frame<W: EntityStore, T: Tracer, R>(
    program: &Program,
    roots: &[Value],
    world: &W,
    space: &mut Heap<'_>,
    construct: Constructor,
    watch: &mut T,
    work: impl FnOnce(&mut LoadedProgram<'_, '_, W, T>) -> R,
) -> R {
    let mut frame = std::mem::take(&mut space.scratch.frame);
    frame.clear();
    frame.extend_from_slice(roots);
    frame.extend_from_slice(&program.constants);
    for load in &program.loads {
        let from = read_register(&frame, load.from);
        watch.enter(load.from, from);
        let value = operators::attribute(from, load.name, world, space);
        frame.push(value);
    }
    #[cfg(test)]
    super::count_steps(frame.len());
    frame.resize(program.registers.max(frame.len()), Value::Poison);
    watch.begin(frame.len());
    let mut loaded = LoadedProgram {
        program,
        world,
        space,
        construct,
        watch,
        frame,
    };
    let done = work(&mut loaded);
    space.scratch.frame = loaded.frame;
    done
}

#[inline]
fn read_register(frame: &[Value], register: u16) -> Value {
    let value = frame.get(usize::from(register));
    value.copied().unwrap_or(Value::Poison)
}

/// A program with its frame.
pub(crate) struct LoadedProgram<'a, 'b, W, T> {
    program: &'a Program,
    world: &'a W,
    space: &'a mut Heap<'b>,
    construct: Constructor,
    watch: &'a mut T,
    frame: Vec<Value>,
}

impl<W: EntityStore, T: Tracer> LoadedProgram<'_, '_, W, T> {
    /// Returns the result of the policy at a place in the program.
    pub(crate) fn result(&mut self, at: u16) -> Option<PolicyResult> {
        let start = self.program.policies.get(usize::from(at))?.start;
        Some(self.run_policy(start))
    }

    fn run_policy(&mut self, start: u16) -> PolicyResult {
        match self.run(usize::from(start)) {
            Some(true) => PolicyResult::Satisfied,
            Some(false) => PolicyResult::NotSatisfied,
            None => PolicyResult::Error,
        }
    }

    #[inline]
    fn get(&self, register: u16) -> Value {
        read_register(&self.frame, register)
    }

    /// Reads a register whose value an instruction uses as it is.
    #[inline]
    fn read(&mut self, register: u16) -> Value {
        self.watch.read(register);
        self.get(register)
    }

    /// Reads a register from whose value an instruction takes an attribute.
    #[inline]
    fn enter(&mut self, register: u16) -> Value {
        let value = self.read(register);
        self.watch.enter(register, value);
        value
    }

    fn put(&mut self, register: u16, value: Value) {
        if let Some(slot) = self.frame.get_mut(usize::from(register)) {
            *slot = value;
        }
    }

    /// Writes a value that does not depend on the traced input.
    fn write(&mut self, register: u16, value: Value) {
        self.watch.write(register);
        self.put(register, value);
    }

    fn name(&self, at: u16) -> u32 {
        let name = self.program.names.get(usize::from(at));
        name.copied().unwrap_or(u32::MAX)
    }

    /// Runs one policy from its first instruction. Returns `None` for an evaluation error.
    /// Terminates because code only jumps forward.
    #[inline]
    fn run(&mut self, start: usize) -> Option<bool> {
        let mut at = start;
        loop {
            let op = *self.program.code.get(at)?;
            #[cfg(test)]
            super::count_steps(1);
            at = match op {
                Op::End(applies) => return Some(applies),
                Op::Fail => return None,
                Op::Branch { test, yes, no } => {
                    usize::from(if self.holds(test)? { yes } else { no })
                }
                _ => self.value(op, at)?,
            };
        }
    }

    /// Returns whether a test holds.
    #[inline]
    fn holds(&mut self, test: BranchTest) -> Option<bool> {
        match test {
            BranchTest::True(a) => self.read(a).bool(),
            BranchTest::Has(a) => self.get(a).is_present(),
            BranchTest::Compare(what, a, b) => {
                let (left, right) = (self.get(a), self.get(b));
                let held = operators::compare(what, left, right, self.world, self.space)?;
                self.watch.test(what, (a, left), (b, right));
                Some(held)
            }
            BranchTest::HasAttribute(a, name) => self.attribute(a, name)?.is_present(),
            BranchTest::Is(a, name) => {
                let entity = self.read(a).entity()?;
                Some(self.type_of(entity) == self.name(name))
            }
            BranchTest::Like(a, pattern) => {
                let Value::Text(at) = self.read(a) else {
                    return None;
                };
                let pattern = self.program.patterns.get(usize::from(pattern))?;
                Some(operators::is_like(self.space.text(at), pattern))
            }
        }
    }

    /// Returns an attribute of the value in a register.
    #[inline]
    fn attribute(&mut self, register: u16, name: u16) -> Option<Value> {
        let operand = self.enter(register).ok()?;
        let name = self.name(name);
        Some(operators::attribute(operand, name, self.world, self.space))
    }

    /// Runs an instruction that computes a value. Returns the number of the next instruction.
    fn value(&mut self, op: Op, at: usize) -> Option<usize> {
        match op {
            Op::Jump(to) => return Some(usize::from(to)),
            Op::Bool { to, value } => self.write(to, Value::Bool(value)),
            Op::Copy { to, a } => {
                let value = self.get(a).ok()?;
                self.watch.copy(to, a);
                self.put(to, value);
            }
            Op::Attribute { to, a, name } => {
                let value = self.attribute(a, name)?.ok()?;
                self.write(to, value);
            }
            Op::Compute { what, to, a, b } => {
                let (left, right) = (self.get(a), self.get(b));
                let value = operators::compute(what, left, right, self.world, self.space)?;
                self.watch.compute(what, (a, left), (b, right), (to, value));
                self.put(to, value);
            }
            Op::Apply { what, to, a } => {
                let value = operators::apply(what, self.get(a), self.space, self.construct)?;
                self.watch.apply(what, a, (to, value));
                self.put(to, value);
            }
            Op::Set { to, first, count } => {
                let mut items = std::mem::take(&mut self.space.scratch.items);
                items.clear();
                items.extend((0..count).map(|nth| self.read(first.saturating_add(nth))));
                let value = self.space.set(&mut items);
                self.space.scratch.items = items;
                self.write(to, value);
            }
            Op::Record {
                to,
                first,
                count,
                names,
            } => {
                let mut fields = std::mem::take(&mut self.space.scratch.fields);
                fields.clear();
                fields.extend((0..count).map(|nth| {
                    let name = self.name(names.saturating_add(nth));
                    (name, self.read(first.saturating_add(nth)))
                }));
                let value = self.space.record(&mut fields);
                self.space.scratch.fields = fields;
                self.write(to, value);
            }
            _ => return None,
        }
        Some(at.saturating_add(1))
    }

    fn type_of(&self, entity: u32) -> u32 {
        if entity < REQUEST_LOCAL {
            self.world.type_of(entity)
        } else {
            self.space.unknown_entity_type(entity).unwrap_or(u32::MAX)
        }
    }
}
