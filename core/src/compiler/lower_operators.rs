//! Lowers operators to expressions, and folds those whose operands are known at load.

use cedar_policy::pst::{BinaryOp, Expr, Literal, UnaryOp};

use super::extension::construct;
use super::lower::{CompileContext, IrExpr, LowerResult, Lowering, Unsupported, not};
use crate::vm::{Arithmetic, Compare, Unary, Value};

impl<K: CompileContext> Lowering<'_, K> {
    pub(super) fn unary(&mut self, op: UnaryOp, expr: &Expr) -> LowerResult {
        let operand = self.expr(expr)?;
        let what = match op {
            UnaryOp::Not => return Ok(not(operand)),
            UnaryOp::Neg => Unary::Negate,
            UnaryOp::IsEmpty => Unary::IsEmpty,
            UnaryOp::Datetime => Unary::Datetime,
            UnaryOp::Decimal => Unary::Decimal,
            UnaryOp::Duration => Unary::Duration,
            UnaryOp::Ip => Unary::Ip,
            UnaryOp::IsIPv4 => Unary::IsIpv4,
            UnaryOp::IsIPV6 => Unary::IsIpv6,
            UnaryOp::IsLoopback => Unary::IsLoopback,
            UnaryOp::IsMulticast => Unary::IsMulticast,
            UnaryOp::ToDate => Unary::ToDate,
            UnaryOp::ToTime => Unary::ToTime,
            UnaryOp::ToMilliseconds => Unary::ToMilliseconds,
            UnaryOp::ToSeconds => Unary::ToSeconds,
            UnaryOp::ToMinutes => Unary::ToMinutes,
            UnaryOp::ToHours => Unary::ToHours,
            UnaryOp::ToDays => Unary::ToDays,
            _ => return Err(Unsupported),
        };
        // Evaluate a constructor of a constant text once, at load.
        let known = match (what, expr, &operand) {
            (
                Unary::Datetime | Unary::Decimal | Unary::Duration | Unary::Ip,
                Expr::Literal(Literal::String(text)),
                _,
            ) => construct(what, text).map(|made| made.into_constant(self.known.pool())),
            (Unary::Negate, _, IrExpr::Value(Value::Long(value))) => {
                value.checked_neg().map(Value::Long)
            }
            _ => return Ok(IrExpr::Apply(what, Box::new(operand))),
        };
        Ok(known.map_or(IrExpr::Fails, IrExpr::Value))
    }

    pub(super) fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> LowerResult {
        let left = self.expr(left)?;
        match op {
            BinaryOp::And => return self.and(left, |reader| reader.expr(right)),
            BinaryOp::Or => return self.or(left, right),
            _ => {}
        }
        let right = self.expr(right)?;
        let compute = |what, left, right| IrExpr::Compute(what, Box::new(left), Box::new(right));
        Ok(match op {
            BinaryOp::Eq => self.compare(Compare::Equal, left, right),
            BinaryOp::NotEq => not(self.compare(Compare::Equal, left, right)),
            BinaryOp::Less => self.compare(Compare::Less, left, right),
            BinaryOp::LessEq => self.compare(Compare::LessEqual, left, right),
            BinaryOp::Greater => not(self.compare(Compare::LessEqual, left, right)),
            BinaryOp::GreaterEq => not(self.compare(Compare::Less, left, right)),
            BinaryOp::In => self.compare(Compare::In, left, right),
            BinaryOp::Contains => self.compare(Compare::Contains, left, right),
            BinaryOp::ContainsAll => self.compare(Compare::ContainsAll, left, right),
            BinaryOp::ContainsAny => self.compare(Compare::ContainsAny, left, right),
            BinaryOp::HasTag => self.compare(Compare::HasTag, left, right),
            BinaryOp::IsInRange => self.compare(Compare::IsInRange, left, right),
            BinaryOp::DecimalLessThan => self.compare(Compare::DecimalLess, left, right),
            BinaryOp::DecimalLessEq => self.compare(Compare::DecimalLessEqual, left, right),
            BinaryOp::DecimalGreater => self.compare(Compare::DecimalLess, right, left),
            BinaryOp::DecimalGreaterEq => self.compare(Compare::DecimalLessEqual, right, left),
            BinaryOp::Add => compute(Arithmetic::Add, left, right),
            BinaryOp::Sub => compute(Arithmetic::Subtract, left, right),
            BinaryOp::Mul => compute(Arithmetic::Multiply, left, right),
            BinaryOp::GetTag => compute(Arithmetic::GetTag, left, right),
            BinaryOp::Offset => compute(Arithmetic::Offset, left, right),
            BinaryOp::DurationSince => compute(Arithmetic::DurationSince, left, right),
            _ => return Err(Unsupported),
        })
    }

    fn or(&mut self, left: IrExpr, right: &Expr) -> LowerResult {
        if left == IrExpr::TRUE {
            return Ok(left);
        }
        let right = self.expr(right)?;
        Ok(match left {
            IrExpr::Value(Value::Bool(false)) if right.is_test() => right,
            left => IrExpr::Or(Box::new(left), Box::new(right)),
        })
    }

    pub(super) fn compare(&mut self, what: Compare, left: IrExpr, right: IrExpr) -> IrExpr {
        let known = match (what, left.constant(), right.constant()) {
            (Compare::Equal, Some(left), Some(right)) => Some(left == right),
            (Compare::In, Some(Value::Entity(child)), Some(Value::Entity(ancestor))) => {
                self.known.is_in(child, ancestor)
            }
            (Compare::In, Some(Value::Entity(child)), Some(set)) => self.in_any(child, set),
            (Compare::Contains, Some(set), Some(item)) => {
                let items = self.known.pool().set_items(set);
                items.map(|items| items.contains(&item))
            }
            _ => None,
        };
        match known {
            Some(known) => IrExpr::Value(Value::Bool(known)),
            None => IrExpr::Compare(what, Box::new(left), Box::new(right)),
        }
    }

    fn in_any(&mut self, child: u32, set: Value) -> Option<bool> {
        let mut items = self.known.pool().set_items(set)?.into_iter();
        items.try_fold(false, |any, item| {
            Some(self.known.is_in(child, item.entity()?)? || any)
        })
    }
}
