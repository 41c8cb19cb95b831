//! Says in words what would have to change for a part of a condition to have another value.

use cedar_policy::pst::{BinaryOp, Expr, Literal, UnaryOp, Var};

use super::{ExplainRequest, PolicyPart, conjuncts};
use crate::cedar::accessed_paths::{accessed_paths, operands};

/// The fact that has the meter of the request's action.
const METER: &str = "context.facts.quota.meter";

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
            Expr::IfThenElse {
                cond,
                then_expr,
                else_expr,
            } => match self.value(cond) {
                Some(true) => self.changes(then_expr, wanted),
                Some(false) => self.changes(else_expr, wanted),
                None => Vec::new(),
            },
            _ => self.of_atom(expr, wanted).into_iter().collect(),
        }
    }

    /// Returns the changes of all parts, if one of the parts is enough. Guards are left out if
    /// other changes remain. If only guards remain, the first one that can change is enough.
    pub(super) fn any(&self, parts: &[&Expr], wanted: bool) -> Vec<String> {
        let others: Vec<String> = parts
            .iter()
            .filter(|part| !is_guard(part))
            .flat_map(|part| self.changes(part, wanted))
            .collect();
        if others.is_empty() {
            let mut changes = parts.iter().map(|part| self.changes(part, wanted));
            return changes.find(|found| !found.is_empty()).unwrap_or_default();
        }
        others
    }

    /// Returns one change of all parts that have another value. A part without plain words is left
    /// out. Returns nothing if the action alone gives a part another value.
    fn all(&self, parts: &[&Expr], wanted: bool) -> Vec<String> {
        let (mut words, mut presence) = (Vec::new(), Vec::new());
        for part in parts {
            if self.value(part) == Some(wanted) {
                continue;
            }
            if reads_only_action(part) {
                return Vec::new();
            }
            let ways = self.changes(part, wanted);
            match part {
                _ if ways.is_empty() => {}
                Expr::HasAttr { .. } => presence.extend(ways),
                _ => words.push(ways.join(" or ")),
            }
        }
        // A fact with the wanted value is present.
        presence.retain(|way: &String| {
            let subject = way.strip_suffix("is present").unwrap_or(way);
            let mut words = words.iter();
            !words.any(|word| word.starts_with(subject) && !word.contains("` is not "))
        });
        presence.extend(words);
        if presence.is_empty() {
            return presence;
        }
        vec![presence.join(", and ")]
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

    /// Returns the value of an operand, with the fact that has it. A computed value has no fact.
    fn named(&self, expr: &Expr) -> String {
        if is_constant(expr) {
            return expr.to_string();
        }
        match self.ask(&PolicyPart::new(expr.to_string())) {
            Ok(value) => {
                let value = crate::util::text::short(&value.to_string());
                match expr {
                    Expr::BinaryOp { .. } | Expr::UnaryOp { .. } => value,
                    _ => format!("{value}, the value of `{expr}`"),
                }
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

/// Returns whether the expression mostly guards the parts beside it: a test for presence, or for an
/// amount of more than 0.
pub(super) fn is_guard(expr: &Expr) -> bool {
    let is_positive = match expr {
        Expr::BinaryOp {
            op: BinaryOp::Greater,
            right,
            ..
        } => matches!(right.as_ref(), Expr::Literal(Literal::Long(0))),
        _ => false,
    };
    is_positive || is_presence(expr)
}

/// Returns whether the expression has no variable.
fn is_constant(expr: &Expr) -> bool {
    variables(expr).is_some_and(|found| found.is_empty())
}

/// Returns whether the expression depends on the action alone, or on the meter that the action has.
pub(super) fn reads_only_action(expr: &Expr) -> bool {
    let paths = accessed_paths(expr);
    if !paths.is_empty() && paths.iter().all(|path| path == METER) {
        return true;
    }
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
