//! Compiles the programs and plans of a kind of request, at the first request of the kind.

use std::sync::Arc;

use once_cell::race::OnceBox;

use super::answer_cache::AnswerCache;
use super::entities::SymbolTable;
use super::plan_table::SessionPlan;
use super::programs::{
    ActionPrograms, InlineRules, KindPrograms, SessionPrograms, TenantEvaluator, TypePairPrograms,
};
use super::resolve::ResolvedRequest;
use super::scopes::ScopedPolicy;
use super::specialize::{RequestShape, Specializer};
use super::symbolic::allow;
use super::symbols::{self, root};
use crate::cedar::bundle::Bundle;
use crate::cedar::policy_list::PolicyEffect;
use crate::cedar::schema::Action;
use crate::compiler::{self, IrExpr, Lowering};
use crate::directory::{Directory, Tables};
use crate::util::stack;
use crate::vm::{ConstantPool, Program};

/// Programs, and the policies in them with their conditions.
type CompiledPolicies<'b> = (Vec<Program>, Vec<(&'b ScopedPolicy, IrExpr)>);

impl TenantEvaluator {
    /// Returns the kinds of request of one action: one for each pair of types in its schema.
    pub(super) fn type_pairs(&mut self, bundle: &Bundle, action: &Action) -> Vec<TypePairPrograms> {
        let mut entries = Vec::new();
        for principal in &action.principals {
            let Some(kind) = record_type(principal) else {
                continue;
            };
            for resource in &action.resources {
                let inline = InlineRules::new(bundle, action, resource);
                let text = self.pool.text(resource);
                let plain = inline.as_ref().is_none_or(|inline| inline.owned);
                let place = self.kind(resource);
                let ready = if plain && !action.context {
                    self.ready
                        .put((kind, place, entries.len(), inline.is_some()))
                } else {
                    None
                };
                entries.push(TypePairPrograms {
                    principal: kind,
                    kind: place,
                    text,
                    record: record_type(resource).unwrap_or(u32::MAX),
                    plain,
                    ready,
                    resource: resource.as_str().into(),
                    inline,
                    programs: OnceBox::new(),
                });
            }
        }
        entries
    }

    /// Returns the programs of a request's kind. The first request of the kind compiles them.
    /// Returns `None` if only Cedar can evaluate the kind.
    #[inline]
    pub(super) fn programs_of<'p>(
        &'p self,
        bundle: &Bundle,
        found: &ResolvedRequest<'p>,
        directory: &Directory,
    ) -> Option<&'p KindPrograms> {
        if let Some(programs) = found.entry.programs.get() {
            return programs.as_ref();
        }
        self.compile_kind(bundle, found.action, found.entry, directory)
    }

    /// Compiles the kinds of request that the other evaluator has compiled, so that the first
    /// requests after a reload need not wait.
    pub(crate) fn compile_like(&self, other: &Self, bundle: &Bundle, directory: &Directory) {
        for (action, known) in other.actions.names().zip(&other.list) {
            let Some(here) = self
                .actions
                .find(action)
                .and_then(|at| self.list.get(at as usize))
            else {
                continue;
            };
            for known in known
                .entries
                .iter()
                .filter(|known| known.compiled().is_some())
            {
                let same = |entry: &&TypePairPrograms| {
                    entry.principal == known.principal && entry.resource == known.resource
                };
                if let Some(entry) = here.entries.iter().find(same) {
                    self.compile_kind(bundle, here, entry, directory);
                }
            }
        }
    }

    /// Compiles every kind of request.
    #[cfg(test)]
    pub(crate) fn compile_all(&self, bundle: &Bundle, directory: &Directory) {
        for action in &self.list {
            for entry in &action.entries {
                self.compile_kind(bundle, action, entry, directory);
            }
        }
    }

    /// Compiles a kind of request. If two threads do so at once, the programs of the first stay.
    #[cold]
    fn compile_kind<'p>(
        &'p self,
        bundle: &Bundle,
        action: &ActionPrograms,
        entry: &'p TypePairPrograms,
        directory: &Directory,
    ) -> Option<&'p KindPrograms> {
        let compiled = stack::run(bundle.rules.depth, || {
            Ok(KindCompiler::new(self, bundle, action, entry, directory)
                .compile()
                .ok())
        });
        let (programs, plans) = match compiled {
            Ok(Some((programs, plans))) => (Some(programs), plans),
            Ok(None) | Err(_) => (None, [None, None]),
        };
        if entry.programs.set(Box::new(programs)).is_ok()
            && let Some(place) = entry.ready
        {
            self.ready.set_plans(place, plans);
        }
        entry.compiled()
    }

    /// Returns the constants of a kind of request.
    #[inline]
    pub(super) fn pool_of<'p>(&'p self, entry: &'p TypePairPrograms) -> &'p ConstantPool {
        let own = entry.compiled().and_then(|programs| programs.pool.as_ref());
        own.unwrap_or(&self.pool)
    }
}

/// Returns the number of a record type.
fn record_type(name: &str) -> Option<u32> {
    let at = symbols::TYPES.iter().position(|known| *known == name)?;
    u32::try_from(at).ok()
}

/// Compiles one kind of request. Works on copies of the names and constants of the bundle, which
/// has all names already.
struct KindCompiler<'a> {
    programs: &'a TenantEvaluator,
    bundle: &'a Bundle,
    principal: u32,
    /// The kind's shape, for any request of the kind.
    shape: RequestShape<'a>,
    pool: ConstantPool,
    named: SymbolTable,
    tables: Tables,
}

impl<'a> KindCompiler<'a> {
    fn new(
        programs: &'a TenantEvaluator,
        bundle: &'a Bundle,
        action: &ActionPrograms,
        entry: &'a TypePairPrograms,
        directory: &Directory,
    ) -> Self {
        let shape = RequestShape {
            principal: entry.principal,
            action: action.number,
            feature: action.feature,
            resource: &entry.resource,
            shape: bundle.shapes.get(&*entry.resource),
            owned: entry.inline.as_ref().is_some_and(|inline| inline.owned),
            session: false,
            metered: false,
            client: None,
            any: false,
        };
        Self {
            programs,
            bundle,
            principal: entry.principal,
            shape,
            pool: programs.pool.clone(),
            named: programs.symbols.clone(),
            tables: directory.tables().clone(),
        }
    }

    /// Compiles the programs, and the plans of main accounts and of clients.
    fn compile(mut self) -> Result<(KindPrograms, [Option<SessionPlan>; 2]), Arc<str>> {
        let principal = symbols::TYPES
            .get(self.principal as usize)
            .copied()
            .unwrap_or_default();
        let RequestShape {
            action, resource, ..
        } = self.shape;
        let admitted: Vec<&ScopedPolicy> = self
            .programs
            .policies
            .iter()
            .filter(|policy| policy.admits(principal, action, resource, &self.named))
            .collect();
        let (any, nodes) = self.nodes(&admitted, self.shape)?;
        let policies: Vec<&ScopedPolicy> = nodes.iter().map(|(policy, _)| *policy).collect();
        let (main, of_main) = self.session(&policies, false)?;
        let (client, of_client) = self.session(&policies, true)?;
        // INVARIANT: the bundle was compiled for any request, so it has the numbers of all names.
        if !self.named.has_names_of(&self.programs.symbols) {
            return Err(Arc::from("a name without a number"));
        }
        let grown = self.pool.len() != self.programs.pool.len();
        let programs = KindPrograms {
            pool: grown.then_some(self.pool),
            session: [main, client],
            any,
        };
        Ok((programs, [of_main, of_client]))
    }

    /// Compiles the programs for requests of this shape. Also returns the policies that can apply
    /// to them.
    fn nodes(
        &mut self,
        policies: &[&'a ScopedPolicy],
        request_shape: RequestShape<'_>,
    ) -> Result<CompiledPolicies<'a>, Arc<str>> {
        let mut compiling = Specializer {
            pool: &mut self.pool,
            named: &mut self.named,
            hot: &mut self.tables,
            request_shape,
        };
        let mut nodes = Vec::new();
        for policy in policies {
            let beyond = |_| Arc::clone(&policy.id);
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

    /// Compiles the session requests of main accounts and operators, or of clients. Also returns
    /// their plan, unless the decision diagram would be too large.
    fn session(
        &mut self,
        policies: &[&'a ScopedPolicy],
        client: bool,
    ) -> Result<(SessionPrograms, Option<SessionPlan>), Arc<str>> {
        let shape = RequestShape {
            session: true,
            client: Some(client),
            ..self.shape
        };
        let (programs, nodes) = self.nodes(policies, shape)?;
        let metered = RequestShape {
            metered: true,
            ..shape
        };
        let limits = self.limits_only(policies, &nodes, metered)?;
        let (plan, plan_extras) = self
            .plan(&nodes, shape, client)
            .map_or((None, Vec::new()), |(plan, extras)| (Some(plan), extras));
        let rules = &self.bundle.rules;
        let (mut permits, mut permitting) = (Vec::new(), nodes);
        permitting.retain(|(policy, _)| rules.role_at(policy.at as usize) != PolicyEffect::Forbid);
        split(&permitting, &mut permits)?;
        let programs = SessionPrograms {
            plan_extras,
            all: programs,
            permits_only: permits,
            limits,
        };
        Ok((programs, plan))
    }

    /// Makes the plan of session requests, with the programs for conditions that are not bits.
    /// Returns `None` if the decision diagram would be too large.
    fn plan(
        &self,
        nodes: &[(&ScopedPolicy, IrExpr)],
        shape: RequestShape<'_>,
        client: bool,
    ) -> Option<(SessionPlan, Vec<Program>)> {
        let policies = nodes
            .iter()
            .map(|(policy, node)| (self.bundle.rules.role_at(policy.at as usize), node));
        let allowing = allow(&shape, client, &self.pool, policies).ok()?;
        let others = allowing
            .others
            .into_iter()
            .map(|node| compiler::compile(&[(0, &node)], root::COUNT));
        let others = others.collect::<Result<Vec<_>, _>>().ok()?;
        let plan = SessionPlan {
            plan: allowing.plan,
            reads: allowing.reads,
            answer_cache: AnswerCache::new(allowing.bits, allowing.asks),
        };
        Some((plan, others))
    }

    /// Compiles the limit policies. Returns `None` if the meter changes the condition of another
    /// policy.
    fn limits_only(
        &mut self,
        policies: &[&'a ScopedPolicy],
        without: &[(&ScopedPolicy, IrExpr)],
        metered: RequestShape<'_>,
    ) -> Result<Option<Vec<Program>>, Arc<str>> {
        let (_, mut nodes) = self.nodes(policies, metered)?;
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
fn split(nodes: &[(&ScopedPolicy, IrExpr)], all: &mut Vec<Program>) -> Result<(), Arc<str>> {
    let mut todo = vec![nodes];
    while let Some(part) = todo.pop() {
        let policies: Vec<(u32, &IrExpr)> = part
            .iter()
            .map(|(policy, node)| (policy.at, node))
            .collect();
        match (compiler::compile(&policies, root::COUNT), part) {
            (Ok(program), _) => all.push(program),
            (Err(_), [] | [_]) => {
                return Err(part.first().map_or_else(
                    || Arc::from("nothing"),
                    |(policy, _)| Arc::clone(&policy.id),
                ));
            }
            (Err(_), _) => {
                let (first, second) = part.split_at(part.len() / 2);
                todo.extend([second, first]);
            }
        }
    }
    Ok(())
}
