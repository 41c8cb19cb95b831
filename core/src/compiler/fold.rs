//! Constructors of boolean expressions that fold constants.

use super::lower::IrExpr;
use crate::vm::Value;

/// Returns `!of`.
pub(crate) fn not(operand: IrExpr) -> IrExpr {
    match operand {
        IrExpr::Value(Value::Bool(value)) => IrExpr::Value(Value::Bool(!value)),
        other => IrExpr::Not(Box::new(other)),
    }
}

/// Returns `left && right`, folded if `left` is a constant.
pub(crate) fn and(left: IrExpr, right: IrExpr) -> IrExpr {
    match left {
        IrExpr::Value(Value::Bool(false)) => left,
        IrExpr::Value(Value::Bool(true)) if right.is_test() => right,
        left => IrExpr::And(Box::new(left), Box::new(right)),
    }
}
