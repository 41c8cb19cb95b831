//! Resolves attribute paths to the records that they lead to, for the symbolic evaluator.

use super::atoms::{PathStart, RecordFact, RecordPath, reference_kind};
use super::symbolic::EvalError::NeedsBytecode;
use super::symbolic::{EvalResult, SymbolicEvaluator};
use super::symbols::{self, ACCOUNT_OF, root};
use crate::compiler::IrExpr;
use crate::vm::{BddRef, TRUE};

/// A register, and the names that lead on from its value.
pub(super) type AttributePath<'n> = (u8, &'n [u32]);

/// Returns the path that an expression is.
pub(super) fn attribute_path(node: &IrExpr) -> Option<AttributePath<'_>> {
    match node {
        IrExpr::Path(from, names) => Some((*from, names)),
        _ => None,
    }
}

impl SymbolicEvaluator<'_> {
    /// Returns the record whose attribute a path leads to, the condition under which the record can
    /// be read, and the attribute's name.
    pub(super) fn attribute(
        &mut self,
        (from, names): AttributePath<'_>,
    ) -> EvalResult<(RecordPath, BddRef, u32)> {
        let (name, rest) = names.split_last().ok_or(NeedsBytecode)?;
        let (record, readable) = self.record((from, rest))?;
        Ok((record, readable, *name))
    }

    /// Returns the record at a path, and the condition under which the path can be read.
    pub(super) fn record(&mut self, path: AttributePath<'_>) -> EvalResult<(RecordPath, BddRef)> {
        let (start, kind, names) = self.start(path).ok_or(NeedsBytecode)?;
        let mut record = RecordPath {
            start,
            names: Vec::new(),
            kind,
        };
        let mut readable = TRUE;
        for name in names {
            let kind = reference_kind(record.kind, *name).ok_or(NeedsBytecode)?;
            let has = self.fact(&record, RecordFact::Names(*name))?;
            readable = self.diagrams.and(readable, has)?;
            record.names.push(*name);
            record.kind = kind;
            if record.start == PathStart::Member && record.names == [ACCOUNT_OF] {
                record.start = PathStart::Account;
                record.names.clear();
            }
        }
        Ok((record, readable))
    }

    /// Returns the record at which a path starts, its type, and the names that lead on from it.
    fn start<'n>(&self, path: AttributePath<'n>) -> Option<(PathStart, u32, &'n [u32])> {
        let ((from, names), shape) = (path, &self.request_shape);
        let acts = shape.facts?.actor().is_some();
        if shape.absent(from).is_some() {
            return None;
        }
        let (start, kind) = match (from, shape.principal) {
            (root::PRINCIPAL, symbols::ACCOUNT) | (root::ACCOUNT, _) => {
                (PathStart::Account, symbols::ACCOUNT)
            }
            (root::PRINCIPAL, symbols::MEMBER) => (PathStart::Member, symbols::MEMBER),
            (root::PRINCIPAL, symbols::OPERATOR) => (PathStart::Operator, symbols::OPERATOR),
            (root::LOGIN_MEMBER, _) if !acts => (PathStart::Member, symbols::MEMBER),
            (root::LOGIN_ACCOUNT | root::ACTOR_ACCOUNT, _) if acts => {
                (PathStart::ActorsAccount, symbols::ACCOUNT)
            }
            (root::LOGIN_MEMBER | root::ACTOR_MEMBER, _) => {
                (PathStart::ActingMember, symbols::MEMBER)
            }
            (root::REALM_OWNER, _) => (PathStart::RealmOwner, symbols::ACCOUNT),
            (root::DOMAIN, _) => (PathStart::Domain, symbols::DOMAIN),
            (root::RESOURCE, _) if shape.is_inline => {
                let [ACCOUNT_OF, rest @ ..] = names else {
                    return None;
                };
                return Some((PathStart::ResourcesAccount, symbols::ACCOUNT, rest));
            }
            (root::RESOURCE, _) => (PathStart::Resource, symbols::record_type(shape.resource)?),
            _ => return None,
        };
        Some((start, kind, names))
    }
}
