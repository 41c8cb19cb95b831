//! Converts a policy to a small expression tree, and folds the parts that are known at load.

use std::sync::Arc;

use cedar_policy::pst::{
    self, ActionConstraint, Clause, EntityUID, Expr, Literal, PatternElem, Var,
};

use super::fold::{and, not};
use super::scope::ScopeConstraint;
use crate::vm::{Arithmetic, Compare, ConstantPool, Unary, Value};

/// An expression of the intermediate representation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum IrExpr {
    Value(Value),
    /// An expression that always fails.
    Fails,
    /// A root (0 principal, 1 action, 2 resource, 3 context) and an attribute path from it.
    Path(u8, Vec<u32>),
    /// Whether a path has a value.
    HasPath(u8, Vec<u32>),
    Has(Box<IrExpr>, u32),
    Attribute(Box<IrExpr>, u32),
    Not(Box<IrExpr>),
    And(Box<IrExpr>, Box<IrExpr>),
    Or(Box<IrExpr>, Box<IrExpr>),
    If(Box<IrExpr>, Box<IrExpr>, Box<IrExpr>),
    Compare(Compare, Box<IrExpr>, Box<IrExpr>),
    Compute(Arithmetic, Box<IrExpr>, Box<IrExpr>),
    Apply(Unary, Box<IrExpr>),
    Like(Box<IrExpr>, Vec<Option<char>>),
    Is(Box<IrExpr>, u32),
    Set(Vec<IrExpr>),
    Record(Vec<(u32, IrExpr)>),
}

impl IrExpr {
    /// Returns whether the expression is a boolean if it does not fail.
    pub(crate) fn is_test(&self) -> bool {
        matches!(
            self,
            Self::Value(Value::Bool(_))
                | Self::Fails
                | Self::HasPath(..)
                | Self::Has(..)
                | Self::Not(_)
                | Self::And(..)
                | Self::Or(..)
                | Self::Compare(..)
                | Self::Like(..)
                | Self::Is(..)
                | Self::Apply(
                    Unary::IsEmpty
                        | Unary::IsIpv4
                        | Unary::IsIpv6
                        | Unary::IsLoopback
                        | Unary::IsMulticast,
                    _
                )
        )
    }
}

/// Facts known at load: numbers of entities, and values of paths.
pub(crate) trait CompileContext {
    /// Returns the number of an entity that a policy names.
    fn entity(&mut self, kind: &str, id: &str) -> u32;
    /// Returns the pool of the policies' constants.
    fn pool(&mut self) -> &mut ConstantPool;
    /// Returns the value of a path, if it is known.
    fn path(&mut self, _root: u8, _names: &[u32]) -> Option<Value> {
        None
    }
    /// Returns whether a path has a value, if that is known.
    fn has(&mut self, _root: u8, _names: &[u32]) -> Option<bool> {
        None
    }
    /// Returns the type of the entity at a path, if it is known.
    fn type_of(&mut self, _root: u8, _names: &[u32]) -> Option<u32> {
        None
    }
    /// Returns whether one entity is in another, if that is known.
    fn is_in(&mut self, _child: u32, _ancestor: u32) -> Option<bool> {
        None
    }
}

/// Lowers policies to expressions.
pub(crate) struct Lowering<'a, K> {
    pub(crate) known: &'a mut K,
}

/// Constraints of a policy's scope that are known to hold. For principal and resource: the type,
/// and the entity.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ScopeGuarantees {
    pub(crate) principal: (bool, bool),
    pub(crate) action: bool,
    pub(crate) resource: (bool, bool),
}

/// Error for a construct that this version does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsupported;

pub(super) type LowerResult = Result<IrExpr, Unsupported>;

impl<K: CompileContext> Lowering<'_, K> {
    /// Returns the condition under which a policy applies: its scope, then its clauses.
    pub(crate) fn policy(&mut self, body: &pst::Template) -> LowerResult {
        self.condition(body, ScopeGuarantees::default())
    }

    /// Like [`Lowering::policy`], without the constraints that are known to hold for the requests.
    pub(crate) fn condition(
        &mut self,
        body: &pst::Template,
        certain: ScopeGuarantees,
    ) -> LowerResult {
        let mut whole = self.scope(
            0,
            &ScopeConstraint::principal(&body.principal)?.drop_known(certain.principal),
        );
        if !certain.action {
            whole = self.and(whole, |reader| Ok(reader.action(&body.action)))?;
        }
        let resource = ScopeConstraint::resource(&body.resource)?.drop_known(certain.resource);
        whole = self.and(whole, |reader| Ok(reader.scope(2, &resource)))?;
        for clause in body.clauses() {
            whole = self.and(whole, |reader| match clause {
                Clause::When(expr) => reader.expr(expr),
                Clause::Unless(expr) => reader.expr(expr).map(not),
            })?;
        }
        Ok(whole)
    }

    pub(super) fn and(
        &mut self,
        left: IrExpr,
        right: impl FnOnce(&mut Self) -> LowerResult,
    ) -> LowerResult {
        if left == IrExpr::Value(Value::Bool(false)) {
            Ok(left)
        } else {
            Ok(and(left, right(self)?))
        }
    }

    fn uid(&mut self, uid: &EntityUID) -> Value {
        Value::Entity(self.known.entity(&uid.ty.to_string(), &uid.eid))
    }

    fn scope(&mut self, root: u8, scope: &ScopeConstraint<'_>) -> IrExpr {
        let var = self.path(root, Vec::new());
        let mut whole = IrExpr::Value(Value::Bool(true));
        if let Some(kind) = &scope.kind {
            let kind = self.known.pool().text(kind);
            whole = self.is(var.clone(), kind);
        }
        let rest = match scope.entity {
            Some((uid, true)) => {
                let uid = self.uid(uid);
                self.compare(Compare::In, var, IrExpr::Value(uid))
            }
            Some((uid, false)) => {
                let uid = self.uid(uid);
                self.compare(Compare::Equal, var, IrExpr::Value(uid))
            }
            None => IrExpr::Value(Value::Bool(true)),
        };
        and(whole, rest)
    }

    fn action(&mut self, constraint: &ActionConstraint) -> IrExpr {
        let var = self.path(1, Vec::new());
        match constraint {
            ActionConstraint::Any => IrExpr::Value(Value::Bool(true)),
            ActionConstraint::Eq(uid) => {
                let uid = self.uid(uid);
                self.compare(Compare::Equal, var, IrExpr::Value(uid))
            }
            ActionConstraint::In(uids) => {
                let uids = uids.iter().map(|uid| self.uid(uid)).collect();
                let set = self.known.pool().set(uids);
                self.in_set(var, set)
            }
        }
    }

    fn path(&mut self, root: u8, names: Vec<u32>) -> IrExpr {
        self.known
            .path(root, &names)
            .map_or(IrExpr::Path(root, names), IrExpr::Value)
    }

    /// Lowers an expression. Recurses as deep as the expression nests.
    pub(crate) fn expr(&mut self, expr: &Expr) -> LowerResult {
        Ok(match expr {
            Expr::Literal(Literal::Bool(value)) => IrExpr::Value(Value::Bool(*value)),
            Expr::Literal(Literal::Long(value)) => IrExpr::Value(Value::Long(*value)),
            Expr::Literal(Literal::String(text)) => {
                IrExpr::Value(Value::Text(self.known.pool().text(text)))
            }
            Expr::Literal(Literal::EntityUID(uid)) => IrExpr::Value(self.uid(uid)),
            Expr::Var(var) => self.path(root(var), Vec::new()),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr)?,
            Expr::BinaryOp { op, left, right } => self.binary(*op, left, right)?,
            Expr::GetAttr { expr, attr } => {
                let operand = self.expr(expr)?;
                let name = self.known.pool().text(attr);
                self.attribute(operand, name)
            }
            Expr::HasAttr { expr, attrs } => self.has(expr, attrs.iter().map(AsRef::as_ref))?,
            Expr::Like { expr, pattern } => {
                let characters = pattern.iter().map(|part| match part {
                    PatternElem::Char(c) => Some(*c),
                    PatternElem::Wildcard => None,
                });
                IrExpr::Like(Box::new(self.expr(expr)?), characters.collect())
            }
            Expr::Is {
                expr,
                entity_type,
                in_expr,
            } => {
                let operand = self.expr(expr)?;
                let kind = self.known.pool().text(&entity_type.to_string());
                let is = self.is(operand.clone(), kind);
                match in_expr {
                    Some(ancestor) => self.and(is, |reader| {
                        let ancestor = reader.expr(ancestor)?;
                        Ok(reader.compare(Compare::In, operand, ancestor))
                    })?,
                    None => is,
                }
            }
            Expr::IfThenElse {
                cond,
                then_expr,
                else_expr,
            } => match self.expr(cond)? {
                IrExpr::Value(Value::Bool(true)) => self.expr(then_expr)?,
                IrExpr::Value(Value::Bool(false)) => self.expr(else_expr)?,
                cond => IrExpr::If(
                    Box::new(cond),
                    Box::new(self.expr(then_expr)?),
                    Box::new(self.expr(else_expr)?),
                ),
            },
            Expr::Set(items) => self.set(items)?,
            Expr::Record(fields) => {
                let mut named = Vec::new();
                for (name, value) in fields {
                    named.push((self.known.pool().text(name), self.expr(value)?));
                }
                IrExpr::Record(named)
            }
            _ => return Err(Unsupported),
        })
    }

    fn set(&mut self, items: &[Arc<Expr>]) -> LowerResult {
        let items = items
            .iter()
            .map(|item| self.expr(item))
            .collect::<Result<Vec<_>, _>>()?;
        let constants: Option<Vec<Value>> = items
            .iter()
            .map(|item| {
                if let IrExpr::Value(value) = item {
                    Some(*value)
                } else {
                    None
                }
            })
            .collect();
        Ok(match constants {
            Some(values) => IrExpr::Value(self.known.pool().set(values)),
            None => IrExpr::Set(items),
        })
    }

    fn has<'b>(&mut self, expr: &Expr, names: impl Iterator<Item = &'b str>) -> LowerResult {
        let mut operand = self.expr(expr)?;
        let mut whole = IrExpr::Value(Value::Bool(true));
        for name in names {
            let name = self.known.pool().text(name);
            let step = match &operand {
                IrExpr::Path(root, path) => {
                    let path: Vec<u32> = path.iter().copied().chain([name]).collect();
                    self.known
                        .has(*root, &path)
                        .map_or(IrExpr::HasPath(*root, path), |has| {
                            IrExpr::Value(Value::Bool(has))
                        })
                }
                other => IrExpr::Has(Box::new(other.clone()), name),
            };
            whole = and(whole, step);
            if whole == IrExpr::Value(Value::Bool(false)) {
                break;
            }
            operand = self.attribute(operand, name);
        }
        Ok(whole)
    }

    fn attribute(&mut self, operand: IrExpr, name: u32) -> IrExpr {
        match operand {
            IrExpr::Path(root, mut names) => {
                names.push(name);
                self.path(root, names)
            }
            IrExpr::Fails => IrExpr::Fails,
            other => IrExpr::Attribute(Box::new(other), name),
        }
    }

    fn is(&mut self, operand: IrExpr, kind: u32) -> IrExpr {
        let known = if let IrExpr::Path(root, names) = &operand {
            self.known.type_of(*root, names)
        } else {
            None
        };
        match known {
            Some(known) => IrExpr::Value(Value::Bool(known == kind)),
            None => IrExpr::Is(Box::new(operand), kind),
        }
    }
}

fn root(var: &Var) -> u8 {
    match var {
        Var::Principal => 0,
        Var::Action => 1,
        Var::Resource => 2,
        Var::Context => 3,
    }
}
