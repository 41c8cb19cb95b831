//! The scopes of policies, read before anything is compiled. A scope says which kinds of request a
//! policy can apply to, and which single record it names.

use std::sync::Arc;

use cedar_policy::pst::{self, ActionConstraint};
use cedar_policy::{Policy, PolicyId};

use super::entities::SymbolTable;
use super::symbols;
use crate::cedar::bundle::Bundle;
use crate::compiler::{ScopeConstraint, link_template, syntax_tree};
use crate::directory::Tables;

/// A policy, its place in gate order, and its scope.
#[derive(Debug)]
pub(crate) struct ScopedPolicy {
    pub(crate) at: u32,
    pub(crate) id: Arc<str>,
    pub(crate) tree: pst::Template,
    principal: Option<String>,
    resource: Option<String>,
    /// The actions that the policy names. Each stands for itself and for its descendants. `None`
    /// means every action.
    actions: Option<Vec<u32>>,
    /// The single principal, or else the single resource, that the policy names. For records `in`
    /// equals `==`, because no record has a parent.
    pub(crate) alone: Option<PolicyAudience>,
}

/// The single record that a policy names in its scope.
#[derive(Debug)]
pub(crate) enum PolicyAudience {
    Principal(String, String),
    Resource(String, String),
}

impl ScopedPolicy {
    /// Returns every policy of the bundle. Fails with the id of a policy that has no syntax tree.
    pub(crate) fn all(
        bundle: &Bundle,
        named: &SymbolTable,
        hot: &Tables,
    ) -> Result<Vec<Self>, Arc<str>> {
        let rules = bundle.rules.list.iter().zip(0..);
        let scoped = rules.map(|(rule, at)| {
            let policy = bundle.rules.set.policy(&PolicyId::new(&rule.id));
            let scoped = policy.and_then(|policy| Self::new(at, &rule.id, policy, named, hot));
            scoped.ok_or_else(|| Arc::clone(&rule.id))
        });
        scoped.collect()
    }

    fn new(
        at: u32,
        id: &Arc<str>,
        policy: &Policy,
        named: &SymbolTable,
        hot: &Tables,
    ) -> Option<Self> {
        let tree = link_template(&syntax_tree(policy)?)?;
        let principal = ScopeConstraint::principal(&tree.principal).ok()?;
        let resource = ScopeConstraint::resource(&tree.resource).ok()?;
        let record = |scope: &ScopeConstraint<'_>| {
            let (uid, _) = scope.entity?;
            Some((uid.ty.to_string(), uid.eid.to_string()))
        };
        let kind = |scope: &ScopeConstraint<'_>| {
            let exact = scope.entity.filter(|(_, inside)| !inside);
            let exact = || exact.map(|(uid, _)| uid.ty.to_string());
            scope.kind.clone().or_else(exact)
        };
        let alone = record(&principal)
            .map(|(kind, id)| PolicyAudience::Principal(kind, id))
            .or_else(|| record(&resource).map(|(kind, id)| PolicyAudience::Resource(kind, id)));
        let (principal, resource) = (kind(&principal), kind(&resource));
        let number = |uid: &pst::EntityUID| {
            let number = named.find(hot, "Action", None, &uid.eid);
            number.unwrap_or(u32::MAX)
        };
        let actions = match &tree.action {
            ActionConstraint::Any => None,
            ActionConstraint::Eq(uid) => Some(vec![number(uid)]),
            ActionConstraint::In(uids) => Some(uids.iter().map(number).collect()),
        };
        Some(Self {
            at,
            id: Arc::clone(id),
            tree,
            principal,
            resource,
            actions,
            alone,
        })
    }

    /// Returns whether the scope admits requests of these types with this action.
    pub(crate) fn admits(
        &self,
        principal: &str,
        action: u32,
        resource: &str,
        named: &SymbolTable,
    ) -> bool {
        let above = named.above.get(symbols::parts(action).1 as usize);
        let is_descendant = |of: &u32| above.is_some_and(|above| above.binary_search(of).is_ok());
        let is = |scope: &Option<String>, kind: &str| scope.as_ref().is_none_or(|of| of == kind);
        let is_action = |known: &u32| *known == action || is_descendant(known);
        let mut actions = self.actions.iter().flatten();
        is(&self.principal, principal)
            && is(&self.resource, resource)
            && (self.actions.is_none() || actions.any(is_action))
    }
}
