//! The facts that an expression reads: the longest attribute paths that start at a variable. The
//! search is iterative, so it needs no deep stack.

use std::collections::BTreeSet;

use cedar_policy::pst::{Expr, Id, Var};

/// Returns the attribute paths that `expr` reads, as Cedar expressions, sorted.
pub(crate) fn accessed_paths(expr: &Expr) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut todo = vec![expr];
    while let Some(expr) = todo.pop() {
        match expr {
            Expr::GetAttr { expr: base, .. } => match path(expr) {
                Some(text) => {
                    found.insert(text);
                }
                None => todo.push(base),
            },
            Expr::HasAttr { expr: base, attrs } => match path(base) {
                Some(text) => {
                    found.insert(attrs.iter().fold(text, |text, attr| step(&text, attr)));
                }
                None => todo.push(base),
            },
            _ => todo.extend(operands(expr).unwrap_or_default()),
        }
    }
    found
}

/// Returns the parts of an expression that are expressions. Returns `None` for an expression that
/// this version does not know.
pub(crate) fn operands(expr: &Expr) -> Option<Vec<&Expr>> {
    Some(match expr {
        Expr::Var(_) | Expr::Literal(_) => Vec::new(),
        Expr::GetAttr { expr, .. }
        | Expr::HasAttr { expr, .. }
        | Expr::UnaryOp { expr, .. }
        | Expr::Like { expr, .. } => vec![expr],
        Expr::BinaryOp { left, right, .. } => vec![left, right],
        Expr::Is { expr, in_expr, .. } => std::iter::once(expr.as_ref())
            .chain(in_expr.as_deref())
            .collect(),
        Expr::IfThenElse {
            cond,
            then_expr,
            else_expr,
        } => vec![cond, then_expr, else_expr],
        Expr::Set(items) => items.iter().map(AsRef::as_ref).collect(),
        Expr::Record(fields) => fields.values().map(AsRef::as_ref).collect(),
        _ => return None,
    })
}

/// Returns the text, such as `principal.account.owner`, of an attribute chain that starts at a
/// variable.
fn path(expr: &Expr) -> Option<String> {
    let mut names = Vec::new();
    let mut rest = expr;
    while let Expr::GetAttr { expr, attr } = rest {
        names.push(attr);
        rest = expr;
    }
    let Expr::Var(var) = rest else { return None };
    let start = match var {
        Var::Principal => "principal",
        Var::Action => "action",
        Var::Resource => "resource",
        Var::Context => "context",
    };
    Some(
        names
            .iter()
            .rev()
            .fold(start.to_owned(), |text, name| step(&text, name)),
    )
}

fn step(text: &str, attr: &str) -> String {
    if Id::new(attr).is_ok() {
        format!("{text}.{attr}")
    } else {
        format!("{text}[\"{}\"]", attr.escape_default())
    }
}
