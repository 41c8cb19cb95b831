//! Trees joined, with what is already known folded in.

use super::lower::Node;
use crate::vm::Value;

/// `!of`.
pub(crate) fn not(of: Node) -> Node {
    match of {
        Node::Value(Value::Bool(value)) => Node::Value(Value::Bool(!value)),
        other => Node::Not(Box::new(other)),
    }
}

/// `left && right`; `left` is no constant `false`.
pub(crate) fn and(left: Node, right: Node) -> Node {
    match left {
        Node::Value(Value::Bool(false)) => left,
        Node::Value(Value::Bool(true)) if right.is_test() => right,
        left => Node::And(Box::new(left), Box::new(right)),
    }
}
