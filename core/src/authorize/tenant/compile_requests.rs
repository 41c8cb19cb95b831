//! Compiles the plan of a request, at the first request of its kind with its facts.

use super::answer_cache::AnswerCache;
use super::compile_bundle::reads_host_name;
use super::fact_set::FactSet;
use super::plan::{Plan, PlanList, PlanNode};
use super::programs::{ActionPrograms, InlineRules, RequestKind, TenantEvaluator};
use super::request_shape::RequestShape;
use super::scopes::{PolicyAudience, ScopedPolicy};
use super::specialize::Specializer;
use super::symbolic::SymbolicEvaluator;
use super::symbols::{self, root};
use crate::cedar::bundle::Bundle;
use crate::cedar::schema::Action;
use crate::compiler::{self, IrExpr};
use crate::directory::{Directory, StoredFacts};
use crate::util::stack;
use crate::vm::{BddManager, CompiledBdd, ConstantPool, Program, Value};

impl TenantEvaluator {
    /// Returns the kinds of request of one action: one for each pair of types in its schema. Each
    /// comes with the principal's type and the place of the resource type. `named` has the policies
    /// that name a single record.
    pub(super) fn kinds_of(
        &mut self,
        bundle: &Bundle,
        (action, number): (&Action, u32),
        named: &[ScopedPolicy],
    ) -> Vec<(RequestKind, (u32, u32))> {
        let mut kinds = Vec::new();
        for type_name in &action.principals {
            let Some(principal) = symbols::record_type(type_name) else {
                continue;
            };
            for resource in &action.resources {
                let admits = |policy: &&ScopedPolicy| {
                    policy.admits(type_name, number, resource, &self.symbols)
                };
                let (principals, resources): (Vec<_>, Vec<_>) = named
                    .iter()
                    .filter(admits)
                    .filter_map(|policy| policy.alone.as_ref())
                    .partition(|audience| matches!(audience, PolicyAudience::Principal(..)));
                let inline = InlineRules::new(bundle, action, resource, &mut self.pool);
                let needs_values =
                    action.context || inline.as_ref().is_some_and(InlineRules::needs_values);
                let kind = RequestKind {
                    number: self.kind_count,
                    principal,
                    text: self.pool.text(resource),
                    record: symbols::record_type(resource).unwrap_or(u32::MAX),
                    resource: resource.as_str().into(),
                    inline,
                    needs_values,
                    names_principal: !principals.is_empty(),
                    names_resource: !resources.is_empty(),
                    plans: PlanList::default(),
                };
                self.kind_count = self.kind_count.saturating_add(1);
                kinds.push((kind, (principal, self.resource_type(resource))));
            }
        }
        kinds
    }

    /// Compiles the plans that the other evaluator has compiled, so that the first requests after a
    /// reload need not wait.
    pub(crate) fn compile_like(&self, other: &Self, bundle: &Bundle, directory: &Directory) {
        for (name, known) in other.actions.names().zip(&other.list) {
            let place = self.actions.find(name);
            let Some(action) = place.and_then(|at| self.list.get(at as usize)) else {
                continue;
            };
            for known in &known.kinds {
                let same = |kind: &&RequestKind| {
                    kind.principal == known.principal && kind.resource == known.resource
                };
                let Some(kind) = action.kinds.iter().find(same) else {
                    continue;
                };
                let nodes = known.plans.iter();
                for facts in nodes.filter_map(|node| self.translated(node.facts, other)) {
                    self.compile_plan(bundle, action, kind, facts, directory);
                }
            }
        }
    }

    /// Returns a set of facts of another evaluator with the channel's number here.
    fn translated(&self, facts: FactSet, other: &Self) -> Option<FactSet> {
        let channel = facts.channel()? as usize;
        let channel = self.symbols.channel(other.symbols.channels.get(channel)?)?;
        facts.with_channel(channel)
    }

    /// Compiles a plan. If two threads do so at once, the plan of the first stays.
    #[cold]
    pub(super) fn compile_plan<'p>(
        &'p self,
        bundle: &Bundle,
        action: &ActionPrograms,
        kind: &'p RequestKind,
        facts: FactSet,
        directory: &Directory,
    ) -> Option<&'p PlanNode> {
        kind.plans.add(facts, || {
            facts.channel()?;
            let shape = RequestShape {
                principal: kind.principal,
                action: action.number,
                feature: action.feature,
                resource: &kind.resource,
                attributes: bundle.shapes.get(&*kind.resource),
                is_inline: kind.inline.is_some(),
                facts: Some(facts),
            };
            let compile = || Ok(self.compile_shape(bundle, shape, directory));
            stack::run(bundle.rules.depth, compile).ok().flatten()
        })
    }

    /// Compiles the plan of the requests of one shape. Works on copies of the names and constants of
    /// the bundle, which has all names already.
    fn compile_shape(
        &self,
        bundle: &Bundle,
        shape: RequestShape<'_>,
        directory: &Directory,
    ) -> Option<Plan> {
        let (mut pool, mut symbols) = (self.pool.clone(), self.symbols.clone());
        let mut tables = directory.tables().clone();
        let mut specializer = Specializer {
            pool: &mut pool,
            named: &mut symbols,
            hot: &mut tables,
            request_shape: shape,
        };
        let principal = symbols::TYPES.get(shape.principal as usize);
        let principal = principal.copied().unwrap_or_default();
        let mut nodes = Vec::new();
        for policy in self.policies.iter() {
            if policy.admits(principal, shape.action, shape.resource, &self.symbols) {
                let node = specializer.condition(&policy.tree).ok()?;
                if node != IrExpr::Value(Value::Bool(false)) {
                    nodes.push((policy.at, node));
                }
            }
        }
        // INVARIANT: the bundle was compiled for any request, so it has the numbers of all names.
        if !symbols.has_names_of(&self.symbols) {
            return None;
        }
        let policies = compile_halves(&nodes)?;
        let plan = compile_diagram(bundle, shape, &pool, tables.stored_facts(), &nodes);
        let plan = plan.unwrap_or_else(|| Plan {
            allow: CompiledBdd::UNKNOWN,
            ..Plan::default()
        });
        let reads_host_name = self.reads_facts_record
            || reads_host_name(&plan.conditions)
            || policies.iter().any(reads_host_name);
        Some(Plan {
            policies,
            reads_host_name,
            pool: (pool.sizes() != self.pool.sizes()).then_some(pool),
            ..plan
        })
    }
}

/// Returns a plan with the decision diagram of the policies, and with the program of its conditions.
/// Returns `None` if one of them would be too large.
fn compile_diagram(
    bundle: &Bundle,
    request_shape: RequestShape<'_>,
    pool: &ConstantPool,
    stored_facts: &StoredFacts,
    nodes: &[(u32, IrExpr)],
) -> Option<Plan> {
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
    let role = |at: u32| bundle.rules.role_at(at as usize);
    let policies = nodes.iter().map(|(at, node)| (role(*at), node));
    let (allow, depends) = evaluator.allow(policies).ok()?;
    let conditions: Vec<_> = (0..).zip(&evaluator.conditions).collect();
    Some(Plan {
        allow,
        conditions: compiler::compile(&conditions, root::COUNT).ok()?,
        reads: evaluator.reads,
        stored_facts: stored_facts.version(),
        stored_records: evaluator.stored_records,
        cache: AnswerCache::new(depends),
        ..Plan::default()
    })
}

/// Compiles the policies into one program, or into programs of halves if they are too many for one.
fn compile_halves(nodes: &[(u32, IrExpr)]) -> Option<Vec<Program>> {
    let (mut programs, mut todo) = (Vec::new(), vec![nodes]);
    while let Some(part) = todo.pop() {
        let policies: Vec<_> = part.iter().map(|(at, node)| (*at, node)).collect();
        match compiler::compile(&policies, root::COUNT) {
            Ok(program) => programs.push(program),
            Err(_) if part.len() < 2 => return None,
            Err(_) => {
                let (first, second) = part.split_at(part.len() / 2);
                todo.extend([second, first]);
            }
        }
    }
    Some(programs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::tenant::fact_set::{CLIENT, HostFact, RESOURCE_ACCOUNT};

    impl TenantEvaluator {
        /// Compiles the plans of sessions, of jobs and of acting as a client for every kind of request.
        pub(crate) fn compile_sessions(&self, bundle: &Bundle, directory: &Directory) {
            let job = self.symbols.channel("job").expect("the channel of jobs");
            let sessions = [
                self.session,
                self.session
                    .with_host(HostFact::Absent)
                    .with_channel(job)
                    .expect("few channels"),
                self.session.with_actor(symbols::ACCOUNT),
                self.session.with_actor(symbols::MEMBER),
            ];
            for action in &self.list {
                for kind in &action.kinds {
                    let inline = kind.inline.as_ref();
                    let account = inline.is_some_and(|inline| inline.account.is_some());
                    for (facts, client) in sessions
                        .into_iter()
                        .flat_map(|facts| [(facts, false), (facts, true)])
                    {
                        let facts = facts.with(CLIENT, client).with(RESOURCE_ACCOUNT, account);
                        self.compile_plan(bundle, action, kind, facts, directory);
                    }
                }
            }
        }
    }
}
