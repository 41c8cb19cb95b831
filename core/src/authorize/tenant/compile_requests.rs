//! Compiles the programs and plans of each kind of request.

use std::sync::Arc;

use super::answer_cache::AnswerCache;
use super::plan_table::SessionPlan;
use super::programs::{InlineRules, SessionPrograms, TenantEvaluator, TypePairPrograms};
use super::scopes::ScopedPolicy;
use super::specialize::{RequestShape, Specializer};
use super::symbolic::allow;
use super::symbols::{self, root};
use crate::cedar::bundle::Bundle;
use crate::cedar::policy_list::PolicyEffect;
use crate::cedar::schema::Action;
use crate::compiler::{self, IrExpr, Lowering};
use crate::directory::Directory;
use crate::vm::Program;

/// Programs, and the policies in them with their conditions.
type CompiledPolicies<'b> = (Vec<Program>, Vec<(&'b ScopedPolicy<'b>, IrExpr)>);

impl TenantEvaluator {
    /// Compiles the programs of one action for each pair of types in its schema.
    pub(super) fn type_pairs(
        &mut self,
        bundle: &Bundle,
        action: &Action,
        (number, feature): (u32, Option<u32>),
        policies: &[&ScopedPolicy<'_>],
        directory: &mut Directory,
    ) -> Result<Vec<TypePairPrograms>, Arc<str>> {
        let mut entries = Vec::new();
        for principal in &action.principals {
            let Some(kind) = symbols::TYPES
                .iter()
                .position(|known| known == principal)
                .and_then(|at| u32::try_from(at).ok())
            else {
                continue;
            };
            for resource in &action.resources {
                let shape = bundle.shapes.get(resource.as_str());
                let inline = InlineRules::new(bundle, action, resource);
                let owned = inline.as_ref().is_some_and(|inline| inline.owned);
                let shape_of = |session, client| RequestShape {
                    principal: kind,
                    action: number,
                    feature,
                    resource,
                    shape,
                    owned,
                    session,
                    metered: false,
                    client,
                    any: false,
                };
                let admitted: Vec<&ScopedPolicy<'_>> = policies
                    .iter()
                    .filter(|policy| policy.admits(principal, number, resource, &self.symbols))
                    .copied()
                    .collect();
                let (any, nodes) = self.nodes(&admitted, directory, shape_of(false, None))?;
                let session_policies: Vec<&ScopedPolicy<'_>> =
                    nodes.iter().map(|(policy, _)| *policy).collect();
                let (main, of_main) = self.session(
                    bundle,
                    &session_policies,
                    directory,
                    shape_of(true, Some(false)),
                    false,
                )?;
                let (client, of_client) = self.session(
                    bundle,
                    &session_policies,
                    directory,
                    shape_of(true, Some(true)),
                    true,
                )?;
                let text = self.pool.text(resource);
                let plain = inline.as_ref().is_none_or(|inline| inline.owned);
                let place = self.kind(resource);
                let ready = if plain && !action.context {
                    self.ready.put(
                        (kind, place, entries.len(), inline.is_some()),
                        [of_main, of_client],
                    )
                } else {
                    None
                };
                let record = symbols::TYPES
                    .iter()
                    .position(|known| known == resource)
                    .and_then(|at| u32::try_from(at).ok())
                    .unwrap_or(u32::MAX);
                let entry = TypePairPrograms {
                    principal: kind,
                    kind: place,
                    text,
                    record,
                    plain,
                    ready,
                    resource: resource.as_str().into(),
                    inline,
                    session: [main, client],
                    any,
                };
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// Compiles the programs of one kind of request. Also returns the policies that can apply to
    /// it.
    fn nodes<'b>(
        &mut self,
        policies: &[&'b ScopedPolicy<'b>],
        directory: &mut Directory,
        request_shape: RequestShape<'_>,
    ) -> Result<CompiledPolicies<'b>, Arc<str>> {
        let mut compiling = Specializer {
            pool: &mut self.pool,
            named: &mut self.symbols,
            hot: directory.tables_mut(),
            request_shape,
        };
        let mut nodes = Vec::new();
        for policy in policies {
            let beyond = |_| Arc::clone(policy.id);
            let node = Lowering {
                known: &mut compiling,
            }
            .policy(&policy.tree)
            .map_err(beyond)?;
            if node != IrExpr::Value(crate::vm::Value::Bool(false)) {
                nodes.push((*policy, compiling.lower(node).map_err(beyond)?));
            }
        }
        let mut programs = Vec::new();
        split(&nodes, &mut programs)?;
        Ok((programs, nodes))
    }

    /// Compiles one kind of session request. Also returns its plan, unless the decision diagram
    /// would be too large.
    fn session(
        &mut self,
        bundle: &Bundle,
        policies: &[&ScopedPolicy<'_>],
        directory: &mut Directory,
        request_shape: RequestShape<'_>,
        client: bool,
    ) -> Result<(SessionPrograms, Option<SessionPlan>), Arc<str>> {
        let (programs, nodes) = self.nodes(policies, directory, request_shape)?;
        let limits = self.limits_only(
            policies,
            &nodes,
            directory,
            RequestShape {
                metered: true,
                ..request_shape
            },
        )?;
        let policies = nodes
            .iter()
            .map(|(policy, node)| (bundle.rules.role_at(policy.at as usize), node));
        let planned = allow(&request_shape, client, &self.pool, policies)
            .ok()
            .and_then(|allowing| {
                let others = allowing
                    .others
                    .into_iter()
                    .map(|node| compiler::compile(&[(0, &node)], root::COUNT));
                let others = others.collect::<Result<Vec<_>, _>>().ok()?;
                Some((
                    SessionPlan {
                        plan: allowing.plan,
                        reads: allowing.reads,
                        answer_cache: AnswerCache::new(allowing.bits, allowing.asks),
                    },
                    others,
                ))
            });
        let (mut permits, mut permitting) = (Vec::new(), nodes);
        permitting
            .retain(|(policy, _)| bundle.rules.role_at(policy.at as usize) != PolicyEffect::Forbid);
        split(&permitting, &mut permits)?;
        let (plan, others) =
            planned.map_or((None, Vec::new()), |(plan, others)| (Some(plan), others));
        Ok((
            SessionPrograms {
                plan_extras: others,
                all: programs,
                permits_only: permits,
                limits,
            },
            plan,
        ))
    }

    /// Compiles the limit policies. Returns `None` if the meter changes the condition of another
    /// policy.
    fn limits_only(
        &mut self,
        policies: &[&ScopedPolicy<'_>],
        without: &[(&ScopedPolicy<'_>, IrExpr)],
        directory: &mut Directory,
        request_shape: RequestShape<'_>,
    ) -> Result<Option<Vec<Program>>, Arc<str>> {
        let (_, mut nodes) = self.nodes(policies, directory, request_shape)?;
        for (known, node) in without {
            let Some(at) = nodes.iter().position(|(policy, _)| policy.at == known.at) else {
                return Ok(None);
            };
            if nodes.remove(at).1 != *node {
                return Ok(None);
            }
        }
        let mut programs = Vec::new();
        split(&nodes, &mut programs)?;
        Ok(Some(programs))
    }
}

/// Compiles the policies into one program, or into programs of halves if they are too many for one.
fn split(nodes: &[(&ScopedPolicy<'_>, IrExpr)], all: &mut Vec<Program>) -> Result<(), Arc<str>> {
    let mut todo = vec![nodes];
    while let Some(part) = todo.pop() {
        let policies: Vec<(u32, &IrExpr)> = part
            .iter()
            .map(|(policy, node)| (policy.at, node))
            .collect();
        match (compiler::compile(&policies, root::COUNT), part) {
            (Ok(program), _) => all.push(program),
            (Err(_), [] | [_]) => {
                return Err(part
                    .first()
                    .map_or_else(|| Arc::from("nothing"), |(policy, _)| Arc::clone(policy.id)));
            }
            (Err(_), _) => {
                let (first, second) = part.split_at(part.len() / 2);
                todo.extend([second, first]);
            }
        }
    }
    Ok(())
}
