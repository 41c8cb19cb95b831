//! Resolves attribute paths to the records that they lead to, for the symbolic evaluator.

use super::atoms::{PathStart, RecordFact, RecordPath, reference_kind};
use super::symbolic::{BddResult, SymbolicEvaluator};
use super::symbols::{self, ACCOUNT_OF, root};
use crate::vm::{BddRef, TRUE};

impl SymbolicEvaluator<'_, '_> {
    /// Returns the record at a path, and the condition under which the path can be read.
    pub(super) fn record(
        &mut self,
        from: u8,
        names: &[u32],
    ) -> BddResult<Option<(RecordPath, BddRef)>> {
        let Some((start, kind, names)) = self.start(from, names) else {
            return Ok(None);
        };
        let mut record = RecordPath {
            start,
            names: Vec::new(),
            kind,
        };
        let mut readable = TRUE;
        for name in names {
            let Some(kind) = reference_kind(record.kind, *name) else {
                return Ok(None);
            };
            let has = self.fact(&record, RecordFact::Names(*name))?;
            readable = self.both(readable, has)?;
            record.names.push(*name);
            record.kind = kind;
            if record.start == PathStart::Member && record.names == [ACCOUNT_OF] {
                record.start = PathStart::Account;
                record.names.clear();
            }
        }
        Ok(Some((record, readable)))
    }

    /// Returns the record at which a path starts, its type, and the names that lead on from it.
    fn start<'n>(&self, from: u8, names: &'n [u32]) -> Option<(PathStart, u32, &'n [u32])> {
        let shape = self.request_shape;
        let acts = shape.facts?.actor().is_some();
        let (start, kind) = match (from, shape.principal) {
            _ if shape.absent(from).is_some() => return None,
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
