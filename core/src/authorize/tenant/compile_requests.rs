//! Compiles the plan of a request, at the first request of its kind with its facts.

use std::sync::Arc;

use super::answer_cache::AnswerCache;
use super::compile_bundle::reads_host_name;
use super::entities::SymbolTable;
use super::fact_set::FactSet;
use super::plan::{Plan, PlanList, PlanNode};
use super::programs::{ActionPrograms, InlineRules, RequestKind, TenantEvaluator};
use super::request_shape::RequestShape;
use super::scopes::{PolicyAudience, ScopedPolicy};
use super::specialize::Specializer;
use super::symbolic::{AllowCondition, allow};
use super::symbols::{self, root};
use crate::cedar::bundle::Bundle;
use crate::cedar::schema::Action;
use crate::compiler::{self, IrExpr, Lowering};
use crate::directory::{Directory, Tables};
use crate::util::stack;
use crate::vm::{CompiledBdd, ConstantPool, Program, Value};

impl TenantEvaluator {
    /// Returns the kinds of request of one action: one for each pair of types in its schema. Each
    /// comes with the principal's type and the place of the resource type. `named` has the policies
    /// that name a single record.
    pub(super) fn kinds_of(
        &mut self,
        bundle: &Bundle,
        (action, number): (&Action, u32),
        named: &[&ScopedPolicy],
    ) -> Vec<(RequestKind, (u32, u32))> {
        let mut kinds = Vec::new();
        for type_name in &action.principals {
            let Some(principal) = symbols::record_type(type_name) else {
                continue;
            };
            for resource in &action.resources {
                let admitted = named
                    .iter()
                    .filter(|policy| policy.admits(type_name, number, resource, &self.symbols));
                let (mut names_principal, mut names_resource) = (false, false);
                for audience in admitted.filter_map(|policy| policy.alone.as_ref()) {
                    match audience {
                        PolicyAudience::Principal(..) => names_principal = true,
                        PolicyAudience::Resource(..) => names_resource = true,
                    }
                }
                let inline = InlineRules::new(bundle, action, resource, &mut self.pool);
                let needs_values =
                    action.context || inline.as_ref().is_some_and(InlineRules::needs_values);
                let place = self.kind_count;
                self.kind_count = place.saturating_add(1);
                let kind = RequestKind {
                    number: place,
                    principal,
                    text: self.pool.text(resource),
                    record: symbols::record_type(resource).unwrap_or(u32::MAX),
                    resource: resource.as_str().into(),
                    inline,
                    needs_values,
                    names_principal,
                    names_resource,
                    plans: PlanList::default(),
                };
                kinds.push((kind, (principal, self.resource_type(resource))));
            }
        }
        kinds
    }

    /// Compiles the plans that the other evaluator has compiled, so that the first requests after a
    /// reload need not wait.
    pub(crate) fn compile_like(&self, other: &Self, bundle: &Bundle, directory: &Directory) {
        for (name, known) in other.actions.names().zip(&other.list) {
            let Some(action) = self
                .actions
                .find(name)
                .and_then(|at| self.list.get(at as usize))
            else {
                continue;
            };
            for known in &known.kinds {
                let same = |kind: &&RequestKind| {
                    kind.principal == known.principal && kind.resource == known.resource
                };
                let Some(kind) = action.kinds.iter().find(same) else {
                    continue;
                };
                for node in known.plans.iter() {
                    if let Some(facts) = self.translated(node.facts, other) {
                        self.compile_plan(bundle, action, kind, facts, directory);
                    }
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

    /// Compiles the plans of sessions, of jobs and of acting as a client for every kind of request.
    #[cfg(test)]
    pub(crate) fn compile_sessions(&self, bundle: &Bundle, directory: &Directory) {
        use super::fact_set::{CLIENT, HostFact, RESOURCE_ACCOUNT};
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
            let compiled = stack::run(bundle.rules.depth, || {
                let compiler = PlanCompiler::new(self, bundle, (action, kind, facts), directory);
                Ok(compiler.compile().ok())
            });
            compiled.ok().flatten()
        })
    }
}

/// Compiles one plan. Works on copies of the names and constants of the bundle, which has all names
/// already.
struct PlanCompiler<'a> {
    programs: &'a TenantEvaluator,
    bundle: &'a Bundle,
    shape: RequestShape<'a>,
    pool: ConstantPool,
    named: SymbolTable,
    tables: Tables,
}

impl<'a> PlanCompiler<'a> {
    fn new(
        programs: &'a TenantEvaluator,
        bundle: &'a Bundle,
        (action, kind, facts): (&ActionPrograms, &'a RequestKind, FactSet),
        directory: &Directory,
    ) -> Self {
        let shape = RequestShape {
            principal: kind.principal,
            action: action.number,
            feature: action.feature,
            resource: &kind.resource,
            attributes: bundle.shapes.get(&*kind.resource),
            is_inline: kind.inline.is_some(),
            facts: Some(facts),
        };
        Self {
            programs,
            bundle,
            shape,
            pool: programs.pool.clone(),
            named: programs.symbols.clone(),
            tables: directory.tables().clone(),
        }
    }

    fn compile(mut self) -> Result<Plan, Arc<str>> {
        let nodes = self.nodes()?;
        // INVARIANT: the bundle was compiled for any request, so it has the numbers of all names.
        if !self.named.has_names_of(&self.programs.symbols) {
            return Err(Arc::from("a name without a number"));
        }
        let mut policies = Vec::new();
        split(&nodes, &mut policies)?;
        let plan = match self.diagram(&nodes) {
            Some((condition, conditions)) => Plan {
                allow: condition.allow,
                reads: condition.reads,
                stored_facts: self.tables.stored_facts().version(),
                stored_records: condition.stored_records,
                conditions,
                cache: AnswerCache::new(condition.depends),
                policies,
                reads_host_name: false,
                pool: None,
            },
            None => Plan {
                allow: CompiledBdd::UNKNOWN,
                reads: Vec::new(),
                stored_facts: 0,
                stored_records: Vec::new(),
                conditions: Program::default(),
                cache: AnswerCache::default(),
                policies,
                reads_host_name: false,
                pool: None,
            },
        };
        let grown = self.pool.sizes() != self.programs.pool.sizes();
        let reads_host_name = self.programs.reads_facts_record
            || reads_host_name(&plan.conditions)
            || plan.policies.iter().any(reads_host_name);
        Ok(Plan {
            reads_host_name,
            pool: grown.then_some(self.pool),
            ..plan
        })
    }

    /// Returns the policies that can apply to the requests, with their conditions.
    fn nodes(&mut self) -> Result<Vec<(&'a ScopedPolicy, IrExpr)>, Arc<str>> {
        let RequestShape {
            principal,
            action,
            resource,
            ..
        } = self.shape;
        let principal = symbols::TYPES
            .get(principal as usize)
            .copied()
            .unwrap_or_default();
        let mut nodes = Vec::new();
        let programs = self.programs;
        for policy in programs.policies.iter() {
            if !policy.admits(principal, action, resource, &self.named) {
                continue;
            }
            let beyond = |_| Arc::clone(&policy.id);
            let mut compiling = Specializer {
                pool: &mut self.pool,
                named: &mut self.named,
                hot: &mut self.tables,
                request_shape: self.shape,
            };
            let node = Lowering {
                known: &mut compiling,
            }
            .condition(&policy.tree, None)
            .map_err(beyond)?;
            if node != IrExpr::Value(Value::Bool(false)) {
                nodes.push((policy, compiling.lower(node).map_err(beyond)?));
            }
        }
        Ok(nodes)
    }

    /// Returns the decision diagram, and the program of its conditions. Returns `None` if one of
    /// them would be too large.
    fn diagram(&self, nodes: &[(&ScopedPolicy, IrExpr)]) -> Option<(AllowCondition, Program)> {
        let policies = nodes
            .iter()
            .map(|(policy, node)| (self.bundle.rules.role_at(policy.at as usize), node));
        let condition = allow(
            &self.shape,
            &self.pool,
            (self.bundle, self.tables.stored_facts()),
            policies,
        )
        .ok()?;
        let numbered: Vec<(u32, &IrExpr)> = (0..).zip(&condition.conditions).collect();
        let program = compiler::compile(&numbered, root::COUNT).ok()?;
        Some((condition, program))
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
