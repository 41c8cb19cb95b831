//! Symbolic evaluation of policies over atoms. The result is a decision diagram of the requests
//! that the policies allow. It is exact, errors included: a path that leads to no record makes the
//! policy fail where Cedar would read it.
//!
//! An atom is a bit of the request, a fact of a record, or else a condition that needs bytecode.

use super::answer_cache::AnswerAtoms;
use super::atoms::{RecordPath, RecordRead};
use super::name_table::find_or_push;
use super::own_conditions::OwnCondition;
use super::request_shape::RequestShape;
use super::symbolic_paths::attribute_path;
use crate::cedar::bundle::Bundle;
use crate::cedar::policy_list::PolicyEffect;
use crate::compiler::IrExpr;
use crate::directory::StoredFacts;
use crate::vm::{
    BddManager, BddRef, CompiledBdd, ConstantPool, FALSE, TRUE, TooLarge, Unary, Value,
};

/// The conditions under which an expression is true, and under which it fails with an error.
#[derive(Clone, Copy)]
pub(super) struct TriState {
    pub(super) yes: BddRef,
    pub(super) errs: BddRef,
}

impl TriState {
    pub(super) const TRUE: Self = Self::new(TRUE, FALSE);
    pub(super) const FALSE: Self = Self::new(FALSE, FALSE);
    pub(super) const FAILS: Self = Self::new(FALSE, TRUE);

    const fn new(yes: BddRef, errs: BddRef) -> Self {
        Self { yes, errs }
    }
}

pub(super) type BddResult<T> = Result<T, TooLarge>;

/// The reason why an expression has no diagram over bits and facts of records.
pub(super) enum EvalError {
    /// The expression is a condition that needs bytecode.
    NeedsBytecode,
    TooLarge,
}

impl From<TooLarge> for EvalError {
    fn from(_: TooLarge) -> Self {
        Self::TooLarge
    }
}

pub(super) type EvalResult<T> = Result<T, EvalError>;

/// The first variable that stands for a fact of a record, and the first that stands for a condition.
pub(crate) const FIRST_READ: u16 = 64;
pub(crate) const FIRST_CONDITION: u16 = 320;
/// Maximum number of facts of records. A condition over a further fact needs bytecode.
pub(crate) const MAX_READS: usize = (FIRST_CONDITION - FIRST_READ) as usize;

/// Builds the diagram of the requests of one shape.
pub(super) struct SymbolicEvaluator<'a> {
    pub(super) request_shape: RequestShape<'a>,
    /// The constants of the policies.
    pub(super) pool: &'a ConstantPool,
    pub(super) bundle: &'a Bundle,
    /// The distinct facts of records that are not bits of the request. Their variables begin at
    /// [`FIRST_READ`].
    pub(super) reads: Vec<RecordRead>,
    /// The facts that the directory stores with its records, and the records of which the reads
    /// need the word.
    pub(super) stored_facts: &'a StoredFacts,
    pub(super) stored_records: Vec<RecordPath>,
    /// The distinct conditions that need bytecode. Each has two variables (satisfied, error) from
    /// [`FIRST_CONDITION`] on.
    pub(super) conditions: Vec<IrExpr>,
    pub(super) diagrams: BddManager,
}

impl SymbolicEvaluator<'_> {
    /// Returns the condition under which the policies together allow a request, and the atoms that
    /// the policies depend on.
    pub(super) fn allow<'n>(
        &mut self,
        policies: impl Iterator<Item = (PolicyEffect, &'n IrExpr)>,
    ) -> BddResult<(CompiledBdd, AnswerAtoms)> {
        let (mut permitted, mut refused) = (FALSE, FALSE);
        let mut variables = std::collections::BTreeSet::new();
        for (role, node) in policies {
            let TriState { yes, errs } = self.eval(node)?;
            let diagrams = &mut self.diagrams;
            variables.extend(diagrams.support(yes));
            variables.extend(diagrams.support(errs));
            refused = diagrams.or(refused, errs)?;
            match role {
                PolicyEffect::Permit => permitted = diagrams.or(permitted, yes)?,
                PolicyEffect::Forbid => refused = diagrams.or(refused, yes)?,
                PolicyEffect::Warning => {}
            }
        }
        let free = self.diagrams.not(refused)?;
        let allowed = self.diagrams.and(permitted, free)?;
        Ok((self.diagrams.plan(allowed)?, self.answer_atoms(variables)))
    }

    /// Returns a value that fails with an error unless `readable` holds.
    pub(super) fn read(&mut self, readable: BddRef, yes: BddRef) -> EvalResult<TriState> {
        let yes = self.diagrams.and(readable, yes)?;
        let errs = self.diagrams.not(readable)?;
        Ok(TriState { yes, errs })
    }

    /// Evaluates an expression symbolically. Recurses as deep as the expression is nested.
    fn eval(&mut self, node: &IrExpr) -> BddResult<TriState> {
        match node {
            IrExpr::Value(Value::Bool(true)) => Ok(TriState::TRUE),
            IrExpr::Value(Value::Bool(false)) => Ok(TriState::FALSE),
            IrExpr::Value(_) | IrExpr::Fails => Ok(TriState::FAILS),
            IrExpr::Not(operand) => {
                let operand = self.eval(operand)?;
                self.negate(operand)
            }
            IrExpr::And(left, right) => {
                let left = self.eval(left)?;
                if left.yes == FALSE {
                    return Ok(left);
                }
                let right = self.eval(right)?;
                self.or_if(TriState { yes: FALSE, ..left }, left.yes, right)
            }
            IrExpr::Or(left, right) => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                let no = self.no(left)?;
                self.or_if(left, no, right)
            }
            IrExpr::If(cond, yes, no) => {
                let (cond, yes, no) = (self.eval(cond)?, self.eval(yes)?, self.eval(no)?);
                let otherwise = self.no(cond)?;
                let then = self.or_if(TriState { yes: FALSE, ..cond }, cond.yes, yes)?;
                self.or_if(then, otherwise, no)
            }
            leaf => match self.eval_leaf(leaf) {
                Ok(truth) => Ok(truth),
                Err(EvalError::TooLarge) if self.reads.len() < MAX_READS => Err(TooLarge),
                Err(_) => self.opaque_bit(leaf),
            },
        }
    }

    /// Returns the condition under which the operand is false.
    fn no(&mut self, operand: TriState) -> BddResult<BddRef> {
        let either = self.diagrams.or(operand.yes, operand.errs)?;
        self.diagrams.not(either)
    }

    /// Returns `!operand`.
    pub(super) fn negate(&mut self, operand: TriState) -> BddResult<TriState> {
        let yes = self.no(operand)?;
        Ok(TriState { yes, ..operand })
    }

    /// Adds the result of `next` to that of `so_far`, if `goes_on` holds.
    fn or_if(&mut self, so_far: TriState, goes_on: BddRef, next: TriState) -> BddResult<TriState> {
        let yes = self.diagrams.and(goes_on, next.yes)?;
        let errs = self.diagrams.and(goes_on, next.errs)?;
        Ok(TriState {
            yes: self.diagrams.or(so_far.yes, yes)?,
            errs: self.diagrams.or(so_far.errs, errs)?,
        })
    }

    fn opaque_bit(&mut self, node: &IrExpr) -> BddResult<TriState> {
        let first = find_or_push(&mut self.conditions, node, usize::MAX)
            .and_then(|at| u16::try_from(at).ok()?.checked_mul(2))
            .and_then(|first| first.checked_add(FIRST_CONDITION))
            .ok_or(TooLarge)?;
        let yes = self.diagrams.variable(first)?;
        let errs = self.diagrams.variable(first.saturating_add(1))?;
        // A condition that fails is not satisfied.
        let fine = self.diagrams.not(errs)?;
        let yes = self.diagrams.and(fine, yes)?;
        Ok(TriState { yes, errs })
    }

    /// Returns whether `node` is a path to a value that such a request does not contain.
    fn is_absent(&self, node: &IrExpr) -> bool {
        attribute_path(node).is_some_and(|path| self.absent_path(path).is_some())
    }

    /// Returns whether `node` reads a value that such a request does not contain.
    fn reads_absent_value(&self, node: &IrExpr) -> bool {
        match node {
            IrExpr::Compare(_, left, right) | IrExpr::Compute(_, left, right) => {
                self.is_absent(left) || self.is_absent(right)
            }
            IrExpr::Apply(_, operand)
            | IrExpr::Like(operand, _)
            | IrExpr::Is(operand, _)
            | IrExpr::Has(operand, _)
            | IrExpr::Attribute(operand, _) => self.is_absent(operand),
            _ => self.is_absent(node),
        }
    }

    fn eval_leaf(&mut self, node: &IrExpr) -> EvalResult<TriState> {
        if self.reads_absent_value(node) {
            return Ok(TriState::FAILS);
        }
        if let IrExpr::HasPath(from, names) = node
            && let Some(fails) = self.absent_path((*from, names))
        {
            return Ok(TriState::new(FALSE, if fails { TRUE } else { FALSE }));
        }
        if let Some(condition) = OwnCondition::of(node, self.pool) {
            match self.own_condition(&condition) {
                Err(EvalError::NeedsBytecode) => {}
                result => return result,
            }
        }
        match node {
            IrExpr::HasPath(from, names) => self.has((*from, names)),
            IrExpr::Path(from, names) => self.flag_at((*from, names)),
            IrExpr::Compare(what, left, right) => self.comparison(*what, left, right),
            IrExpr::Apply(Unary::IsEmpty, operand) => self.is_empty(operand),
            _ => Err(EvalError::NeedsBytecode),
        }
    }
}
