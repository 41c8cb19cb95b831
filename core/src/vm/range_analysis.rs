//! Computes how far one number can move before the run of a program changes.
//!
//! The analysis observes a run for one value of one register, the input register. Each register
//! holds either a value that does not depend on the input, or a number that is linear in it. The
//! analysis keeps the slope of each register. A sum, a difference, or a product with an independent
//! value is linear again. A comparison of such numbers keeps its result on one side of a point. So
//! while the input stays in the range that is left after every step,
//!
//! - each comparison has the same result, so the same instructions run in the same order. The proof
//!   is by induction over them, because each reads only linear numbers and independent values.
//! - no sum leaves the 64 bits, because the range was limited for each of them.
//! - the result of the policy, which the last instruction states, is the same.
//!
//! Any other instruction that reads such a number (a set, a record, a product of two of them) ends
//! the proof. Then nothing is known beyond the run itself.
//!
//! A register whose own value differs between requests may be the excluded register. An instruction
//! that reads it also ends the proof, but attributes may be loaded from it before the run. Another
//! register may hold the excluded entity under another name. So reading an attribute of an entity
//! that is not fixed ends the proof.

use std::ops::RangeInclusive;

use super::bytecode::{Arithmetic, Compare, Register, Unary};
use super::value::Value;

/// An observer of each step of a run. A step is reported if it succeeds, because a step that fails
/// ends the policy.
pub(crate) trait Tracer {
    /// The frame is loaded and has this number of registers.
    fn begin(&mut self, _registers: usize) {}
    /// An instruction uses the value of a register as it is.
    fn read(&mut self, _from: Register) {}
    /// An instruction or a load takes an attribute of the value of a register.
    fn enter(&mut self, _from: Register, _of: Value) {}
    /// A register gets a value computed from the registers that its instruction has read.
    fn write(&mut self, _to: Register) {}
    fn copy(&mut self, _to: Register, _from: Register) {}
    fn test(&mut self, _what: Compare, _left: (Register, Value), _right: (Register, Value)) {}
    fn compute(
        &mut self,
        _what: Arithmetic,
        _left: (Register, Value),
        _right: (Register, Value),
        _to: (Register, Value),
    ) {
    }
    fn apply(&mut self, _what: Unary, _from: Register, _to: (Register, Value)) {}
}

/// An observer that ignores every step.
impl Tracer for () {}

/// An observer that computes how far the number in the input register can move.
#[derive(Debug)]
pub(crate) struct LinearRange {
    input_register: Register,
    value: i64,
    excluded_register: Register,
    /// Whether an entity has the same attributes in all requests.
    is_fixed: fn(u32) -> bool,
    /// Change of each register if the input changes by one.
    slopes: Vec<i64>,
    /// Lowest and highest distance that the input can move. 0 is always between them.
    from: i128,
    to: i128,
    /// Whether an instruction read something that ends the proof.
    lost: bool,
}

impl LinearRange {
    /// Creates an analysis of an input register that holds `value`. Only the attributes of the
    /// entity in the excluded register are known, not its value. `is_fixed` states which other
    /// entities have known attributes.
    pub(crate) fn new(
        input_register: Register,
        value: i64,
        excluded_register: Register,
        is_fixed: fn(u32) -> bool,
    ) -> Self {
        let distance = |to: i64| i128::from(to).saturating_sub(i128::from(value));
        Self {
            input_register,
            value,
            excluded_register,
            is_fixed,
            slopes: Vec::new(),
            from: distance(i64::MIN),
            to: distance(i64::MAX),
            lost: false,
        }
    }

    /// Returns the input values for which the run is the same, or `None` if the proof ended.
    pub(crate) fn range(&self) -> Option<RangeInclusive<i64>> {
        if self.lost {
            return None;
        }
        let at = |by: i128| i64::try_from(i128::from(self.value).saturating_add(by)).ok();
        Some(at(self.from)?..=at(self.to)?)
    }

    fn coefficient(&self, of: Register) -> i64 {
        self.slopes.get(usize::from(of)).copied().unwrap_or(0)
    }

    fn set(&mut self, register: Register, slope: Option<i64>) {
        match (self.slopes.get_mut(usize::from(register)), slope) {
            (Some(place), Some(slope)) => *place = slope,
            _ => self.lost = true,
        }
    }

    /// Limits the range so that a number that is now `now`, with this slope, stays at `least` or
    /// above.
    fn require_at_least(&mut self, now: i128, slope: i128, least: i128) {
        let room = now.saturating_sub(least);
        if room < 0 {
            self.lost = true;
            return;
        }
        let distance = room.checked_div(slope.saturating_abs()).unwrap_or(0);
        match slope.signum() {
            1 => self.from = self.from.max(distance.saturating_neg()),
            -1 => self.to = self.to.min(distance),
            _ => {}
        }
    }

    /// Limits the range so that a number that is now `now`, with this slope, stays at `most` or
    /// below.
    fn require_at_most(&mut self, now: i128, slope: i128, most: i128) {
        let [now, slope, most] = [now, slope, most].map(i128::saturating_neg);
        self.require_at_least(now, slope, most);
    }

    /// Records a register that gets a number with this slope, and limits the range so that the
    /// number stays in 64 bits.
    fn settle(&mut self, (to, value): (Register, Value), slope: Option<i64>) {
        self.set(to, slope);
        match (value, slope) {
            (_, None | Some(0)) => {}
            (Value::Long(value), Some(slope)) => {
                let (now, slope) = (i128::from(value), i128::from(slope));
                self.require_at_least(now, slope, i128::from(i64::MIN));
                self.require_at_most(now, slope, i128::from(i64::MAX));
            }
            _ => self.lost = true,
        }
    }
}

impl Tracer for LinearRange {
    fn begin(&mut self, registers: usize) {
        self.slopes.clear();
        self.slopes.resize(registers, 0);
        self.set(self.input_register, Some(1));
    }

    fn read(&mut self, from: Register) {
        self.lost |= from == self.excluded_register || self.coefficient(from) != 0;
    }

    fn enter(&mut self, from: Register, of: Value) {
        self.lost |= from != self.excluded_register
            && of.entity().is_some_and(|entity| !(self.is_fixed)(entity));
    }

    fn write(&mut self, to: Register) {
        self.set(to, Some(0));
    }

    fn copy(&mut self, to: Register, from: Register) {
        self.lost |= from == self.excluded_register;
        self.set(to, Some(self.coefficient(from)));
    }

    fn test(&mut self, what: Compare, (a, left): (Register, Value), (b, right): (Register, Value)) {
        self.lost |= a == self.excluded_register || b == self.excluded_register;
        let slope = i128::from(self.coefficient(b)).saturating_sub(i128::from(self.coefficient(a)));
        if self.coefficient(a) == 0 && self.coefficient(b) == 0 {
            return;
        }
        let (Value::Long(left), Value::Long(right)) = (left, right) else {
            self.lost = true;
            return;
        };
        let gap = i128::from(right).saturating_sub(i128::from(left));
        match what {
            Compare::Less | Compare::Equal if gap > 0 => self.require_at_least(gap, slope, 1),
            Compare::Less => self.require_at_most(gap, slope, 0),
            Compare::LessEqual if gap >= 0 => self.require_at_least(gap, slope, 0),
            Compare::Equal if gap == 0 => {
                self.require_at_least(0, slope, 0);
                self.require_at_most(0, slope, 0);
            }
            Compare::LessEqual | Compare::Equal => self.require_at_most(gap, slope, -1),
            _ => self.lost = true,
        }
    }

    fn compute(
        &mut self,
        what: Arithmetic,
        (a, left): (Register, Value),
        (b, right): (Register, Value),
        to: (Register, Value),
    ) {
        self.lost |= a == self.excluded_register || b == self.excluded_register;
        let (first, second) = (self.coefficient(a), self.coefficient(b));
        let slope = match (what, left, right) {
            _ if first == 0 && second == 0 => Some(0),
            (Arithmetic::Add, ..) => first.checked_add(second),
            (Arithmetic::Subtract, ..) => first.checked_sub(second),
            (Arithmetic::Multiply, _, Value::Long(by)) if second == 0 => first.checked_mul(by),
            (Arithmetic::Multiply, Value::Long(by), _) if first == 0 => second.checked_mul(by),
            _ => None,
        };
        self.settle(to, slope);
    }

    fn apply(&mut self, what: Unary, from: Register, to: (Register, Value)) {
        self.lost |= from == self.excluded_register;
        let slope = match (what, self.coefficient(from)) {
            (_, 0) => Some(0),
            (Unary::Negate, slope) => slope.checked_neg(),
            _ => None,
        };
        self.settle(to, slope);
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
mod tests {
    use super::*;
    use crate::vm::bytecode::{BranchTest, Op, PolicyEntry, Program};
    use crate::vm::{ConstantPool, EntityStore, Heap, PolicyResult, RequestArena, with_frame};

    /// An entity store without entities.
    struct Nobody;

    impl EntityStore for Nobody {
        fn attribute(&self, _: u32, _: u32, _: &mut Heap<'_>) -> Value {
            Value::Missing
        }

        fn tag(&self, _: u32, _: u32) -> Value {
            Value::Missing
        }

        fn is_descendant(&self, _: u32, _: u32) -> bool {
            false
        }

        fn type_of(&self, _: u32) -> u32 {
            0
        }
    }

    const CONSTANTS: [i64; 12] = [
        0,
        1,
        -1,
        2,
        3,
        7,
        100,
        -5,
        i64::MAX,
        i64::MIN,
        i64::MAX / 3,
        i64::MAX - 40,
    ];
    const REGISTERS: u16 = 24;
    const LENGTH: u16 = 30;

    fn next(seed: &mut u64, below: u16) -> u16 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u16::try_from((*seed >> 33) % u64::from(below)).expect("small")
    }

    /// Returns instructions that jump forward, mostly over numbers. Register 0 is the input, and
    /// register 1 is an excluded entity.
    fn program(seed: &mut u64) -> Program {
        let mut code = Vec::new();
        for at in 0..LENGTH {
            let mut random = |below| next(seed, below);
            let (to, a, b) = (
                14 + random(10),
                [0, 2 + random(22)][usize::from(random(3).min(1))],
                2 + random(22),
            );
            let (yes, no) = (at + 1 + random(3), at + 1 + random(5));
            code.push(match random(24) {
                0..=3 => Op::Compute {
                    what: Arithmetic::Add,
                    to,
                    a,
                    b,
                },
                4..=6 => Op::Compute {
                    what: Arithmetic::Subtract,
                    to,
                    a: b,
                    b: a,
                },
                7..=9 => Op::Compute {
                    what: Arithmetic::Multiply,
                    to,
                    a,
                    b,
                },
                10 => Op::Apply {
                    what: Unary::Negate,
                    to,
                    a,
                },
                11 => Op::Copy { to, a },
                12 if random(6) == 0 => Op::Set {
                    to,
                    first: 2 + random(20),
                    count: 1 + random(2),
                },
                13 if random(4) == 0 => Op::Branch {
                    test: BranchTest::Compare(Compare::Equal, 1, b),
                    yes,
                    no,
                },
                14..=15 => Op::Branch {
                    test: BranchTest::Compare(Compare::Equal, a, b),
                    yes,
                    no,
                },
                16..=19 => Op::Branch {
                    test: BranchTest::Compare(Compare::Less, b, a),
                    yes,
                    no,
                },
                _ => Op::Branch {
                    test: BranchTest::Compare(Compare::LessEqual, a, b),
                    yes,
                    no,
                },
            });
        }
        code.extend((0..6).map(|nth| Op::End(nth % 2 == 0)));
        let policies = (0..2)
            .map(|position| PolicyEntry {
                position,
                start: next(seed, 3),
            })
            .collect();
        // Every register that is not written yet also holds a number.
        let constants = CONSTANTS
            .into_iter()
            .chain(0..10)
            .map(Value::Long)
            .collect();
        Program {
            policies,
            code,
            constants,
            registers: usize::from(REGISTERS),
            ..Program::default()
        }
    }

    fn outcomes(program: &Program, value: i64, watch: &mut impl Tracer) -> Vec<PolicyResult> {
        let (pool, mut scratch, mut found) =
            (ConstantPool::default(), RequestArena::default(), Vec::new());
        let mut space = Heap {
            pool: &pool,
            scratch: &mut scratch,
        };
        with_frame(
            program,
            &[Value::Long(value), Value::Entity(5)],
            &Nobody,
            &mut space,
            |_, _| None,
            watch,
            |frame| found.extend((0..).map_while(|at| frame.result(at))),
        );
        found
    }

    #[test]
    fn outcome_is_constant_within_range() {
        let (seed, mut wide, mut ends) = (&mut 5_u64, 0, 0);
        for _ in 0..60_000 {
            let program = program(seed);
            let start = match next(seed, 4) {
                0 => CONSTANTS[usize::from(next(seed, 12))],
                _ => i64::from(next(seed, 120)) - 20,
            };
            let mut reach = LinearRange::new(0, start, 1, |_| true);
            let found = outcomes(&program, start, &mut reach);
            let Some(range) = reach
                .range()
                .filter(|_| !found.contains(&PolicyResult::Error))
            else {
                continue;
            };
            let (low, high) = (*range.start(), *range.end());
            assert!(range.contains(&start));
            let near = (-12..=12).map(|by| start.saturating_add(by));
            let far = (0..12)
                .map(|_| start.saturating_add(i64::from(next(seed, 60_000)) << next(seed, 47)));
            let bounds = [
                low,
                high,
                low.saturating_add(1),
                high.saturating_sub(1),
                low / 2 + high / 2,
            ];
            for value in near
                .chain(far.collect::<Vec<_>>())
                .chain(bounds)
                .filter(|value| range.contains(value))
            {
                assert_eq!(
                    outcomes(&program, value, &mut ()),
                    found,
                    "{start} {value} {range:?} {program:?}"
                );
            }
            wide += usize::from(high > low);
            ends += usize::from(low > i64::MIN || high < i64::MAX);
        }
        assert!(wide > 2_000 && ends > 1_000, "{wide} {ends}");
    }
}
