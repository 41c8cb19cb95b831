//! Symbolic evaluation of policies over atoms. The result is a decision diagram of the requests
//! that the policies allow. It is exact, errors included: a path that leads to no record makes the
//! policy fail where Cedar would read it.
//!
//! An atom is a bit of the request, a fact of a record, or else a condition that needs bytecode.

use super::answer_cache::AnswerAtoms;
use super::atoms::{RecordPath, RecordRead};
use super::fact_set::CONTEXT;
use super::own_conditions::OwnCondition;
use super::request_shape::RequestShape;
use super::symbols::root;
use crate::cedar::bundle::Bundle;
use crate::cedar::policy_list::PolicyEffect;
use crate::compiler::IrExpr;
use crate::directory::StoredFacts;
use crate::vm::{
    BddManager, BddRef, Compare, CompiledBdd, ConstantPool, FALSE, TRUE, TooLarge, Unary, Value,
};

/// The conditions under which an expression is true, and under which it fails with an error.
#[derive(Clone, Copy)]
pub(super) struct TriState {
    pub(super) yes: BddRef,
    pub(super) errs: BddRef,
}

pub(super) type BddResult<T> = Result<T, TooLarge>;

/// The first variable that stands for a fact of a record, and the first that stands for a condition.
pub(crate) const FIRST_READ: u16 = 64;
pub(crate) const FIRST_CONDITION: u16 = 320;
/// Maximum number of facts of records. A condition over a further fact needs bytecode.
pub(crate) const MAX_READS: usize = (FIRST_CONDITION - FIRST_READ) as usize;

/// Builds the diagram of the requests of one shape.
pub(crate) struct SymbolicEvaluator<'a, 'b> {
    pub(crate) request_shape: &'a RequestShape<'b>,
    /// The constants of the policies.
    pub(crate) pool: &'a ConstantPool,
    pub(super) bundle: &'a Bundle,
    /// The distinct facts of records that are not bits of the request. Their variables begin at
    /// [`FIRST_READ`].
    pub(crate) reads: Vec<RecordRead>,
    /// The facts that the directory stores with its records, and the records of which the reads
    /// need the word.
    pub(super) stored_facts: &'a StoredFacts,
    pub(super) stored_records: Vec<RecordPath>,
    /// The distinct conditions that need bytecode. Each has two variables (satisfied, error) from
    /// [`FIRST_CONDITION`] on.
    pub(crate) conditions: Vec<IrExpr>,
    pub(super) diagrams: BddManager,
}

/// The condition under which the permits and forbids together allow a request.
pub(crate) struct AllowCondition {
    pub(crate) allow: CompiledBdd,
    /// The facts of records, and the conditions, that the diagram may need.
    pub(crate) reads: Vec<RecordRead>,
    pub(crate) stored_records: Vec<RecordPath>,
    pub(crate) conditions: Vec<IrExpr>,
    /// The atoms that the policies depend on.
    pub(crate) depends: AnswerAtoms,
}

/// Returns the condition under which the policies together allow a request.
pub(crate) fn allow<'n>(
    request_shape: &RequestShape<'_>,
    pool: &ConstantPool,
    (bundle, stored_facts): (&Bundle, &StoredFacts),
    policies: impl Iterator<Item = (PolicyEffect, &'n IrExpr)>,
) -> BddResult<AllowCondition> {
    let mut evaluator = SymbolicEvaluator {
        request_shape,
        pool,
        bundle,
        reads: Vec::new(),
        stored_facts,
        stored_records: Vec::new(),
        conditions: Vec::new(),
        diagrams: BddManager::default(),
    };
    let (mut permitted, mut refused) = (FALSE, FALSE);
    let mut variables = std::collections::BTreeSet::new();
    for (role, node) in policies {
        let truth = evaluator.eval(node)?;
        let diagrams = &mut evaluator.diagrams;
        variables.extend(
            diagrams
                .support(truth.yes)
                .into_iter()
                .chain(diagrams.support(truth.errs)),
        );
        refused = diagrams.or(refused, truth.errs)?;
        let side = match role {
            PolicyEffect::Permit => &mut permitted,
            PolicyEffect::Forbid => &mut refused,
            PolicyEffect::Warning => continue,
        };
        *side = diagrams.or(*side, truth.yes)?;
    }
    let diagrams = &mut evaluator.diagrams;
    let free = diagrams.not(refused)?;
    let allowed = diagrams.and(permitted, free)?;
    let allow = diagrams.plan(allowed)?;
    let depends = evaluator.answer_atoms(variables);
    Ok(AllowCondition {
        allow,
        reads: evaluator.reads,
        stored_records: evaluator.stored_records,
        conditions: evaluator.conditions,
        depends,
    })
}

impl SymbolicEvaluator<'_, '_> {
    pub(super) fn both(&mut self, left: BddRef, right: BddRef) -> BddResult<BddRef> {
        self.diagrams.and(left, right)
    }

    pub(super) fn bit(&mut self, bit: u32) -> BddResult<BddRef> {
        self.diagrams
            .variable(u16::try_from(bit).map_err(|_| TooLarge)?)
    }

    /// Returns a value that fails with an error unless `readable` holds.
    pub(super) fn read(&mut self, readable: BddRef, yes: BddRef) -> BddResult<TriState> {
        Ok(TriState {
            yes: self.both(readable, yes)?,
            errs: self.diagrams.not(readable)?,
        })
    }

    /// Evaluates an expression symbolically. Recurses as deep as the expression is nested.
    fn eval(&mut self, node: &IrExpr) -> BddResult<TriState> {
        match node {
            IrExpr::Value(Value::Bool(true)) => Ok(TriState {
                yes: TRUE,
                errs: FALSE,
            }),
            IrExpr::Value(Value::Bool(false)) => Ok(TriState {
                yes: FALSE,
                errs: FALSE,
            }),
            IrExpr::Value(_) | IrExpr::Fails => Ok(TriState {
                yes: FALSE,
                errs: TRUE,
            }),
            IrExpr::Not(operand) => {
                let operand = self.eval(operand)?;
                Ok(TriState {
                    yes: self.no(operand)?,
                    errs: operand.errs,
                })
            }
            IrExpr::And(left, right) => {
                let left = self.eval(left)?;
                if left.yes == FALSE {
                    return Ok(left);
                }
                let right = self.eval(right)?;
                self.and_then(
                    left,
                    left.yes,
                    TriState {
                        yes: FALSE,
                        errs: FALSE,
                    },
                    right,
                )
            }
            IrExpr::Or(left, right) => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                let no = self.no(left)?;
                self.and_then(
                    left,
                    no,
                    TriState {
                        yes: left.yes,
                        errs: FALSE,
                    },
                    right,
                )
            }
            IrExpr::If(cond, yes, no) => {
                let (cond, yes, no) = (self.eval(cond)?, self.eval(yes)?, self.eval(no)?);
                let otherwise = self.no(cond)?;
                let (yes_yes, no_yes) =
                    (self.both(cond.yes, yes.yes)?, self.both(otherwise, no.yes)?);
                let (yes_errs, no_errs) = (
                    self.both(cond.yes, yes.errs)?,
                    self.both(otherwise, no.errs)?,
                );
                let errs = self.diagrams.or(yes_errs, no_errs)?;
                Ok(TriState {
                    yes: self.diagrams.or(yes_yes, no_yes)?,
                    errs: self.diagrams.or(cond.errs, errs)?,
                })
            }
            leaf => match self.eval_leaf(leaf) {
                Ok(Some(truth)) => Ok(truth),
                Ok(None) => self.opaque_bit(leaf),
                Err(TooLarge) if self.reads.len() >= MAX_READS => self.opaque_bit(leaf),
                Err(TooLarge) => Err(TooLarge),
            },
        }
    }

    pub(super) fn no(&mut self, operand: TriState) -> BddResult<BddRef> {
        let either = self.diagrams.or(operand.yes, operand.errs)?;
        self.diagrams.not(either)
    }

    /// Joins two expressions. If `goes_on` holds, the result of `second` is added to that of
    /// `first` and `so_far`.
    fn and_then(
        &mut self,
        first: TriState,
        goes_on: BddRef,
        so_far: TriState,
        second: TriState,
    ) -> BddResult<TriState> {
        let (yes, errs) = (
            self.both(goes_on, second.yes)?,
            self.both(goes_on, second.errs)?,
        );
        Ok(TriState {
            yes: self.diagrams.or(so_far.yes, yes)?,
            errs: self.diagrams.or(first.errs, errs)?,
        })
    }

    fn opaque_bit(&mut self, node: &IrExpr) -> BddResult<TriState> {
        let at = self
            .conditions
            .iter()
            .position(|known| known == node)
            .unwrap_or_else(|| {
                self.conditions.push(node.clone());
                self.conditions.len().saturating_sub(1)
            });
        let first = u16::try_from(at)
            .ok()
            .and_then(|at| at.checked_mul(2)?.checked_add(FIRST_CONDITION))
            .ok_or(TooLarge)?;
        let (yes, errs) = (
            self.diagrams.variable(first)?,
            self.diagrams.variable(first.saturating_add(1))?,
        );
        // A condition that fails is not satisfied.
        let fine = self.diagrams.not(errs)?;
        Ok(TriState {
            yes: self.both(fine, yes)?,
            errs,
        })
    }

    /// Returns whether `node` is a path to a value that such a request does not contain.
    fn is_absent(&self, node: &IrExpr) -> bool {
        let IrExpr::Path(from, names) = node else {
            return false;
        };
        match (*from, names.first()) {
            (root::CONTEXT, Some(_)) => self.has_no_context(),
            (root::RESOURCE, Some(name)) => self.request_shape.brings(*name) == Some(false),
            (register, _) => self.request_shape.absent(register).is_some(),
        }
    }

    /// Returns whether the request has no context fields of its own.
    pub(super) fn has_no_context(&self) -> bool {
        self.request_shape
            .facts
            .is_some_and(|facts| !facts.has(CONTEXT))
    }

    fn eval_leaf(&mut self, node: &IrExpr) -> BddResult<Option<TriState>> {
        let reads = match node {
            IrExpr::Compare(_, left, right) | IrExpr::Compute(_, left, right) => {
                [Some(left.as_ref()), Some(right.as_ref())]
            }
            IrExpr::Apply(_, operand)
            | IrExpr::Like(operand, _)
            | IrExpr::Is(operand, _)
            | IrExpr::Has(operand, _)
            | IrExpr::Attribute(operand, _) => [Some(operand.as_ref()), None],
            _ => [Some(node), None],
        };
        if reads.into_iter().flatten().any(|node| self.is_absent(node)) {
            return Ok(Some(TriState {
                yes: FALSE,
                errs: TRUE,
            }));
        }
        if let IrExpr::HasPath(from, names) = node
            && let Some(fails) = self.absent_path(*from, names)
        {
            return Ok(Some(TriState {
                yes: FALSE,
                errs: if fails { TRUE } else { FALSE },
            }));
        }
        if let Some(condition) = OwnCondition::of(node, self.pool)
            && let Some(truth) = self.own_condition(&condition)?
        {
            return Ok(Some(truth));
        }
        match node {
            IrExpr::HasPath(from, names) => self.has(*from, names),
            IrExpr::Path(from, names) => self.flag_at(*from, names),
            IrExpr::Compare(Compare::Contains, set, item) => match (set.as_ref(), item.as_ref()) {
                (IrExpr::Path(from, names), IrExpr::Value(Value::Entity(item))) => {
                    self.contains(*from, names, *item)
                }
                (IrExpr::Value(set), IrExpr::Path(from, names)) => self.one_of(*from, names, *set),
                _ => Ok(None),
            },
            IrExpr::Compare(what @ (Compare::ContainsAny | Compare::ContainsAll), set, items) => {
                match (set.as_ref(), items.as_ref()) {
                    (IrExpr::Path(from, names), IrExpr::Value(items)) => {
                        self.contains_many(*from, names, *items, *what == Compare::ContainsAll)
                    }
                    _ => Ok(None),
                }
            }
            IrExpr::Compare(what @ (Compare::Equal | Compare::In), left, right) => {
                match (left.as_ref(), right.as_ref()) {
                    (IrExpr::Path(one, names), IrExpr::Path(other, more)) => {
                        self.same(*one, names, *other, more)
                    }
                    (
                        IrExpr::Path(from, names),
                        IrExpr::Value(set @ (Value::Set(_) | Value::Flags(..))),
                    ) if *what == Compare::In => self.one_of(*from, names, *set),
                    (IrExpr::Path(from, names), IrExpr::Value(value))
                    | (IrExpr::Value(value), IrExpr::Path(from, names)) => {
                        self.is_value(*from, names, *value)
                    }
                    _ => Ok(None),
                }
            }
            IrExpr::Apply(Unary::IsEmpty, operand) => match operand.as_ref() {
                IrExpr::Path(from, names) => self.is_empty(*from, names),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }
}
