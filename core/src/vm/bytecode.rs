//! The instructions of a program. Operands and targets are numbers of registers and of
//! instructions.

use super::value::Value;

/// A register of the frame.
pub(crate) type Register = u16;
/// An instruction of the program.
pub(crate) type JumpTarget = u16;

/// What is compared; both operands must be readable.
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

/// What gives a value from two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    GetTag,
    Offset,
    DurationSince,
}

/// What gives a value from one.
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
    /// Constructors: the text is Cedar's to read, so the caller of [`super::run`] lends a
    /// reader.
    Decimal,
    Datetime,
    Duration,
    Ip,
}

/// One instruction. Tests go on at `yes` or `no`; all others at the next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    /// The policy applies, or does not.
    End(bool),
    /// Evaluating this is an error.
    Fail,
    Jump {
        to: JumpTarget,
    },
    /// The register holds `true`; anything but a boolean is an error.
    True {
        a: Register,
        yes: JumpTarget,
        no: JumpTarget,
    },
    Test {
        what: Compare,
        a: Register,
        b: Register,
        yes: JumpTarget,
        no: JumpTarget,
    },
    /// Whether the loaded path leads to something.
    Has {
        a: Register,
        yes: JumpTarget,
        no: JumpTarget,
    },
    /// Whether the value has the attribute of that number in [`Program::names`].
    HasAttribute {
        a: Register,
        name: u16,
        yes: JumpTarget,
        no: JumpTarget,
    },
    /// Whether the entity is of the type of that number in [`Program::names`].
    Is {
        a: Register,
        name: u16,
        yes: JumpTarget,
        no: JumpTarget,
    },
    /// Whether the text matches the pattern of that number.
    Like {
        a: Register,
        pattern: u16,
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
    /// The set of `count` registers from `first`.
    Set {
        to: Register,
        first: Register,
        count: u16,
    },
    /// The record of `count` registers from `first`, named by the texts from `names` on in
    /// [`Program::names`].
    Record {
        to: Register,
        first: Register,
        count: u16,
        names: u16,
    },
}

/// A path that is loaded before the policies run: an attribute of an earlier register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Load {
    pub(crate) from: Register,
    /// The text's number in the pool.
    pub(crate) name: u32,
}

/// Where a policy begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PolicyEntry {
    /// The policy's position in gate order.
    pub(crate) position: u32,
    pub(crate) start: JumpTarget,
}

/// Policies compiled together: one frame, loaded once.
///
/// The frame holds the roots (principal, action, resource, context), the constants, the loads, then
/// what is computed.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) policies: Vec<PolicyEntry>,
    pub(crate) code: Vec<Op>,
    pub(crate) constants: Vec<Value>,
    pub(crate) loads: Vec<Load>,
    pub(crate) names: Vec<u32>,
    /// A pattern's characters; nothing is a wildcard.
    pub(crate) patterns: Vec<Vec<Option<char>>>,
    pub(crate) registers: usize,
}

impl Program {
    /// Whether any instruction or load reads what stands in one of these registers, not only
    /// whether something does.
    pub(crate) fn reads(&self, registers: std::ops::Range<Register>) -> bool {
        let is = |register: Register| registers.contains(&register);
        let in_code = self.code.iter().any(|op| match *op {
            Op::True { a, .. }
            | Op::HasAttribute { a, .. }
            | Op::Is { a, .. }
            | Op::Like { a, .. }
            | Op::Copy { a, .. }
            | Op::Attribute { a, .. }
            | Op::Apply { a, .. } => is(a),
            Op::Test { a, b, .. } | Op::Compute { a, b, .. } => is(a) || is(b),
            Op::Has { .. }
            | Op::End(_)
            | Op::Fail
            | Op::Jump { .. }
            | Op::Bool { .. }
            | Op::Set { .. }
            | Op::Record { .. } => false,
        });
        in_code || self.loads.iter().any(|load| is(load.from))
    }
}
