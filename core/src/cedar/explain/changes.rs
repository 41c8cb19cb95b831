//! Says in words what would have to change for a part of a condition to have another value.

use cedar_policy::pst::{BinaryOp, Expr, UnaryOp, Var};

use super::{ExplainRequest, PolicyPart, conjuncts};
use crate::cedar::accessed_paths::operands;

impl ExplainRequest<'_> {
    /// Returns the value of a condition, or `None` if it cannot be evaluated.
    pub(super) fn value(&self, expr: &Expr) -> Option<bool> {
        self.holds(&PolicyPart::new(expr.to_string())).ok()
    }

    /// Returns changes in words, each a way in which `expr` would have the value `wanted`. Returns
    /// nothing if `expr` has it already, or if there are no plain words.
    pub(super) fn changes(&self, expr: &Expr, wanted: bool) -> Vec<String> {
        if self.value(expr) == Some(wanted) || reads_only_action(expr) {
            return Vec::new();
        }
        match expr {
            Expr::UnaryOp {
                op: UnaryOp::Not,
                expr,
            } => self.changes(expr, !wanted),
            Expr::BinaryOp {
                op: BinaryOp::And, ..
            } if wanted => self.all(&conjuncts(expr), wanted),
            Expr::BinaryOp {
                op: BinaryOp::And, ..
            } => {
                // Guards mostly stand first, and the part that decides stands last.
                let mut parts = conjuncts(expr);
                parts.reverse();
                self.any(&parts, wanted)
            }
            Expr::BinaryOp {
                op: BinaryOp::Or,
                left,
                right,
            } if wanted => self.any(&[left.as_ref(), right.as_ref()], wanted),
            Expr::BinaryOp {
                op: BinaryOp::Or,
                left,
                right,
            } => self.all(&[left.as_ref(), right.as_ref()], wanted),
            _ => self.of_atom(expr, wanted).into_iter().collect(),
        }
    }

    /// Returns the changes of all parts, if one of the parts is enough. Tests of presence are left
    /// out if other changes remain, because they mostly guard the other parts.
    pub(super) fn any(&self, parts: &[&Expr], wanted: bool) -> Vec<String> {
        let found = |parts: &mut dyn Iterator<Item = &&Expr>| -> Vec<String> {
            parts.flat_map(|part| self.changes(part, wanted)).collect()
        };
        let others = found(&mut parts.iter().filter(|part| !is_presence(part)));
        if others.is_empty() {
            return found(&mut parts.iter());
        }
        others
    }

    /// Returns one change of all parts that have another value. A part without plain words is left
    /// out. Returns nothing if the action alone gives a part another value.
    fn all(&self, parts: &[&Expr], wanted: bool) -> Vec<String> {
        let mut words = Vec::new();
        for part in parts {
            if self.value(part) == Some(wanted) {
                continue;
            }
            if reads_only_action(part) {
                return Vec::new();
            }
            let ways = self.changes(part, wanted);
            if !ways.is_empty() {
                words.push(ways.join(" or "));
            }
        }
        if words.is_empty() {
            return words;
        }
        vec![words.join(", and ")]
    }

    fn of_atom(&self, expr: &Expr, wanted: bool) -> Option<String> {
        match expr {
            Expr::HasAttr { expr: base, attrs } => {
                let names: Vec<&str> = attrs.iter().map(AsRef::as_ref).collect();
                let state = if wanted { "present" } else { "absent" };
                Some(format!("`{base}.{}` is {state}", names.join(".")))
            }
            Expr::GetAttr { .. } => Some(format!("`{expr}` is {wanted}")),
            Expr::UnaryOp {
                op: UnaryOp::IsEmpty,
                expr: set,
            } => {
                let not = if wanted { "" } else { "not " };
                Some(format!("`{set}` is {not}empty"))
            }
            Expr::BinaryOp { op, left, right } => self.of_comparison(*op, left, right, wanted),
            _ => None,
        }
    }

    fn of_comparison(
        &self,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        wanted: bool,
    ) -> Option<String> {
        let relation = match (op, wanted) {
            (BinaryOp::Eq, true) | (BinaryOp::NotEq, false) => "is",
            (BinaryOp::Eq, false) | (BinaryOp::NotEq, true) => "is not",
            (BinaryOp::Less, true) | (BinaryOp::GreaterEq, false) => "is less than",
            (BinaryOp::Less, false) | (BinaryOp::GreaterEq, true) => "is at least",
            (BinaryOp::LessEq, true) | (BinaryOp::Greater, false) => "is at most",
            (BinaryOp::LessEq, false) | (BinaryOp::Greater, true) => "is more than",
            (BinaryOp::In, true) => "is in",
            (BinaryOp::In, false) => "is not in",
            (BinaryOp::Contains, _) if matches!(left, Expr::Set(_)) => {
                let among = if wanted { "is one of" } else { "is none of" };
                return Some(format!("`{right}` {among} {left}"));
            }
            (BinaryOp::Contains, true) => "contains",
            (BinaryOp::Contains, false) => "does not contain",
            (BinaryOp::ContainsAll, true) => "contains all of",
            (BinaryOp::ContainsAll, false) => "does not contain all of",
            (BinaryOp::ContainsAny, true) => "contains one of",
            (BinaryOp::ContainsAny, false) => "contains none of",
            _ => return None,
        };
        // Reads better from the fact to the value.
        let (subject, object) = match op {
            BinaryOp::Eq | BinaryOp::NotEq if is_constant(left) => (right, left),
            _ => (left, right),
        };
        Some(format!("`{subject}` {relation} {}", self.named(object)))
    }

    /// Returns the value of an operand, with the text that has it.
    fn named(&self, expr: &Expr) -> String {
        if is_constant(expr) {
            return expr.to_string();
        }
        match self.ask(&PolicyPart::new(expr.to_string())) {
            Ok(value) => {
                let value = crate::util::text::short(&value.to_string());
                format!("{value}, the value of `{expr}`")
            }
            Err(_) => format!("`{expr}`"),
        }
    }
}

/// Returns whether the expression only tests for presence or absence.
pub(super) fn is_presence(expr: &Expr) -> bool {
    match expr {
        Expr::HasAttr { .. } => true,
        Expr::UnaryOp {
            op: UnaryOp::Not,
            expr,
        } => matches!(expr.as_ref(), Expr::HasAttr { .. }),
        _ => false,
    }
}

/// Returns whether the expression has no variable.
fn is_constant(expr: &Expr) -> bool {
    variables(expr).is_some_and(|found| found.is_empty())
}

/// Returns whether the expression depends on the action alone.
pub(super) fn reads_only_action(expr: &Expr) -> bool {
    variables(expr).is_some_and(|found| {
        !found.is_empty() && found.iter().all(|var| matches!(var, Var::Action))
    })
}

/// Returns the variables of an expression, or `None` if the expression has a part that is not known
/// here. The search is iterative, so it needs no deep stack.
fn variables(expr: &Expr) -> Option<Vec<&Var>> {
    let mut found = Vec::new();
    let mut todo = vec![expr];
    while let Some(expr) = todo.pop() {
        if let Expr::Var(var) = expr {
            found.push(var);
        }
        todo.extend(operands(expr)?);
    }
    Some(found)
}
