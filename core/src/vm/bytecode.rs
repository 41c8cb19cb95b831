//! The instructions of a program. Operands are register numbers, and targets are instruction
//! numbers.

use super::value::Value;

/// A register of the frame.
pub(crate) type Register = u16;
/// The number of an instruction.
pub(crate) type JumpTarget = u16;

/// A comparison of two values. Both operands must be readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    Equal,
    Less,
    LessEqual,
    In,
    Contains,
    ContainsAll,
    ContainsAny,
    HasTag,
    IsInRange,
    DecimalLess,
    DecimalLessEqual,
}

/// An operation that computes a value from two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    GetTag,
    Offset,
    DurationSince,
}

/// An operation that computes a value from one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Negate,
    IsEmpty,
    IsIpv4,
    IsIpv6,
    IsLoopback,
    IsMulticast,
    ToDate,
    ToTime,
    ToMilliseconds,
    ToSeconds,
    ToMinutes,
    ToHours,
    ToDays,
    /// Constructors of extension values. Only Cedar defines how their text is read, so the caller
    /// of [`super::run`] supplies the reader.
    Decimal,
    Datetime,
    Duration,
    Ip,
}

/// A test of values in registers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BranchTest {
    /// The register holds `true`. Any value that is not a boolean is an error.
    True(Register),
    Compare(Compare, Register, Register),
    /// The loaded path has a value.
    Has(Register),
    /// The value has the attribute with this number in [`Program::names`].
    HasAttribute(Register, u16),
    /// The entity has the type with this number in [`Program::names`].
    Is(Register, u16),
    /// The text matches the pattern with this number.
    Like(Register, u16),
}

/// One instruction. All except branches and jumps continue at the next one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    /// Ends the policy: it applies, or it does not.
    End(bool),
    /// Ends the policy with an evaluation error.
    Fail,
    Jump(JumpTarget),
    /// Continues at `yes` if the test holds, or else at `no`.
    Branch {
        test: BranchTest,
        yes: JumpTarget,
        no: JumpTarget,
    },
    Bool {
        to: Register,
        value: bool,
    },
    Copy {
        to: Register,
        a: Register,
    },
    Attribute {
        to: Register,
        a: Register,
        name: u16,
    },
    Compute {
        what: Arithmetic,
        to: Register,
        a: Register,
        b: Register,
    },
    Apply {
        what: Unary,
        to: Register,
        a: Register,
    },
    /// Builds the set of `count` registers from `first`.
    Set {
        to: Register,
        first: Register,
        count: u16,
    },
    /// Builds the record of `count` registers from `first`. Their names are the texts from `names`
    /// on in [`Program::names`].
    Record {
        to: Register,
        first: Register,
        count: u16,
        names: u16,
    },
}

/// A path that is loaded before the policies run: an attribute of an earlier register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PathLoad {
    pub(crate) from: Register,
    /// Number of the attribute's name in the pool.
    pub(crate) name: u32,
}

/// The entry point of a policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PolicyEntry {
    /// The policy's position in gate order.
    pub(crate) position: u32,
    pub(crate) start: JumpTarget,
}

/// Policies that are compiled together and share one frame, which is loaded once.
///
/// The frame holds, in this order: the roots (principal, action, resource, context), the constants,
/// the loads, and the computed values.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) policies: Vec<PolicyEntry>,
    pub(crate) code: Vec<Op>,
    pub(crate) constants: Vec<Value>,
    pub(crate) loads: Vec<PathLoad>,
    pub(crate) names: Vec<u32>,
    /// The characters of each pattern. `None` is a wildcard.
    pub(crate) patterns: Vec<Vec<Option<char>>>,
    pub(crate) registers: usize,
}

impl Program {
    /// Returns whether an instruction or a load reads a value from one of these registers. `Has`
    /// does not count, because it only tests for presence.
    pub(crate) fn reads(&self, registers: std::ops::Range<Register>) -> bool {
        let is = |register: Register| registers.contains(&register);
        let in_code = self.code.iter().any(|op| match *op {
            Op::Branch { test, .. } => match test {
                BranchTest::True(a)
                | BranchTest::HasAttribute(a, _)
                | BranchTest::Is(a, _)
                | BranchTest::Like(a, _) => is(a),
                BranchTest::Compare(_, a, b) => is(a) || is(b),
                BranchTest::Has(_) => false,
            },
            Op::Copy { a, .. } | Op::Attribute { a, .. } | Op::Apply { a, .. } => is(a),
            Op::Compute { a, b, .. } => is(a) || is(b),
            Op::End(_)
            | Op::Fail
            | Op::Jump(_)
            | Op::Bool { .. }
            | Op::Set { .. }
            | Op::Record { .. } => false,
        });
        in_code || self.loads.iter().any(|load| is(load.from))
    }
}
