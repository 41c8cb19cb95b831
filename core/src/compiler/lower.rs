//! Converts a policy to a small expression tree, and folds the parts that are known at load.

use std::num::TryFromIntError;
use std::sync::Arc;

use cedar_policy::pst::{
    self, ActionConstraint, Clause, EntityUID, Expr, Literal, PatternElem, Var,
};

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
    pub(super) const TRUE: Self = Self::Value(Value::Bool(true));
    pub(super) const FALSE: Self = Self::Value(Value::Bool(false));

    /// Returns whether the expression is a boolean if it does not fail.
    pub(crate) fn is_test(&self) -> bool {
        match self {
            Self::Value(value) => value.bool().is_some(),
            Self::Apply(what, _) => matches!(
                what,
                Unary::IsEmpty
                    | Unary::IsIpv4
                    | Unary::IsIpv6
                    | Unary::IsLoopback
                    | Unary::IsMulticast
            ),
            Self::Fails
            | Self::HasPath(..)
            | Self::Has(..)
            | Self::Not(_)
            | Self::And(..)
            | Self::Or(..)
            | Self::Compare(..)
            | Self::Like(..)
            | Self::Is(..) => true,
            _ => false,
        }
    }

    /// Returns the value, if it is known.
    pub(super) fn constant(&self) -> Option<Value> {
        match self {
            Self::Value(value) => Some(*value),
            _ => None,
        }
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

/// The constraints of a policy's scope that are known to hold, besides its action: the types, or
/// the entity of principal or resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScopeGuarantee {
    Types,
    Principal,
    Resource,
}

/// Error for a construct that this version does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsupported;

/// A number that does not fit is the sign of a program that is too large.
impl From<TryFromIntError> for Unsupported {
    fn from(_: TryFromIntError) -> Self {
        Self
    }
}

pub(super) type LowerResult = Result<IrExpr, Unsupported>;

impl<K: CompileContext> Lowering<'_, K> {
    /// Returns the condition under which a policy applies: its scope, then its clauses. Omits the
    /// constraints that are known to hold for the requests.
    pub(crate) fn condition(
        &mut self,
        body: &pst::Template,
        certain: Option<ScopeGuarantee>,
    ) -> LowerResult {
        let is = |part| certain == Some(part);
        let types = is(ScopeGuarantee::Types);
        let principal = ScopeConstraint::principal(&body.principal)?
            .drop_known(types, is(ScopeGuarantee::Principal));
        let resource = ScopeConstraint::resource(&body.resource)?
            .drop_known(types, is(ScopeGuarantee::Resource));
        let mut whole = self.scope(0, &principal);
        if certain.is_none() {
            whole = self.and(whole, |reader| Ok(reader.action(&body.action)))?;
        }
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
        if left == IrExpr::FALSE {
            return Ok(left);
        }
        Ok(and(left, right(self)?))
    }

    fn uid(&mut self, uid: &EntityUID) -> Value {
        Value::Entity(self.known.entity(&uid.ty.to_string(), &uid.eid))
    }

    fn scope(&mut self, root: u8, scope: &ScopeConstraint<'_>) -> IrExpr {
        let var = self.path(root, Vec::new());
        let mut whole = IrExpr::TRUE;
        if let Some(kind) = &scope.kind {
            let kind = self.known.pool().text(kind);
            whole = self.is(var.clone(), kind);
        }
        let rest = scope.entity.map_or(IrExpr::TRUE, |(uid, inside)| {
            let what = if inside { Compare::In } else { Compare::Equal };
            let uid = self.uid(uid);
            self.compare(what, var, IrExpr::Value(uid))
        });
        and(whole, rest)
    }

    fn action(&mut self, constraint: &ActionConstraint) -> IrExpr {
        let (what, value) = match constraint {
            ActionConstraint::Any => return IrExpr::TRUE,
            ActionConstraint::Eq(uid) => (Compare::Equal, self.uid(uid)),
            ActionConstraint::In(uids) => {
                let uids = uids.iter().map(|uid| self.uid(uid)).collect();
                (Compare::In, self.known.pool().set(uids))
            }
        };
        let var = self.path(1, Vec::new());
        self.compare(what, var, IrExpr::Value(value))
    }

    fn path(&mut self, root: u8, names: Vec<u32>) -> IrExpr {
        self.known
            .path(root, &names)
            .map_or(IrExpr::Path(root, names), IrExpr::Value)
    }

    /// Lowers an expression. Recurses as deep as the expression nests.
    pub(crate) fn expr(&mut self, expr: &Expr) -> LowerResult {
        Ok(match expr {
            Expr::Literal(literal) => IrExpr::Value(match literal {
                Literal::Bool(value) => Value::Bool(*value),
                Literal::Long(value) => Value::Long(*value),
                Literal::String(text) => Value::Text(self.known.pool().text(text)),
                Literal::EntityUID(uid) => self.uid(uid),
                _ => return Err(Unsupported),
            }),
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
                cond => {
                    let (yes, no) = (self.expr(then_expr)?, self.expr(else_expr)?);
                    IrExpr::If(Box::new(cond), Box::new(yes), Box::new(no))
                }
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
        let items = items.iter().map(|item| self.expr(item));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        Ok(match items.iter().map(IrExpr::constant).collect() {
            Some(values) => IrExpr::Value(self.known.pool().set(values)),
            None => IrExpr::Set(items),
        })
    }

    fn has<'b>(&mut self, expr: &Expr, names: impl Iterator<Item = &'b str>) -> LowerResult {
        let mut operand = self.expr(expr)?;
        let mut whole = IrExpr::TRUE;
        for name in names {
            let name = self.known.pool().text(name);
            let step = match &operand {
                IrExpr::Path(root, path) => {
                    let path: Vec<u32> = path.iter().copied().chain([name]).collect();
                    match self.known.has(*root, &path) {
                        Some(has) => IrExpr::Value(Value::Bool(has)),
                        None => IrExpr::HasPath(*root, path),
                    }
                }
                other => IrExpr::Has(Box::new(other.clone()), name),
            };
            whole = and(whole, step);
            if whole == IrExpr::FALSE {
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
        let known = match &operand {
            IrExpr::Path(root, names) => self.known.type_of(*root, names),
            _ => None,
        };
        match known {
            Some(known) => IrExpr::Value(Value::Bool(known == kind)),
            None => IrExpr::Is(Box::new(operand), kind),
        }
    }
}

/// Returns `!operand`.
pub(super) fn not(operand: IrExpr) -> IrExpr {
    match operand {
        IrExpr::Value(Value::Bool(value)) => IrExpr::Value(Value::Bool(!value)),
        other => IrExpr::Not(Box::new(other)),
    }
}

/// Returns `left && right`, folded if `left` is a constant.
fn and(left: IrExpr, right: IrExpr) -> IrExpr {
    match left {
        IrExpr::Value(Value::Bool(false)) => left,
        IrExpr::Value(Value::Bool(true)) if right.is_test() => right,
        left => IrExpr::And(Box::new(left), Box::new(right)),
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
