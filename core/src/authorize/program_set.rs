//! A policy set in compiled form, and its evaluation.

use std::cell::RefCell;
use std::collections::HashMap;

use cedar_policy::pst::Template;
use cedar_policy::{PolicyId, PolicySet};

use crate::cedar::authorizer::CedarOutcome;
use crate::cedar::policy_list::{PolicyEffect, PolicyList, PolicyMeta};
use crate::cedar::request::CedarRequest;
use crate::compiler::policy_index::{IndexBuilder, IndexQuery, PolicyIndex};
use crate::compiler::{
    self, CompileContext, IrExpr, Lowering, construct, link_template, syntax_tree,
};
use crate::util::error::Error;
use crate::util::stack::DeepValue;
use crate::vm::{ConstantPool, EntityStore, Heap, PolicyResult, Program, RequestArena, Value, run};

/// A group of policies that the index selects together.
#[derive(Debug)]
enum ProgramChunk {
    Program(Box<Program>),
    /// A policy that Cedar itself evaluates.
    Beyond,
}

/// The compiled policies, and the index that selects them.
#[derive(Debug)]
pub(crate) struct ProgramSet {
    chunks: Vec<ProgramChunk>,
    picks: PolicyIndex,
    pub(crate) beyond: CedarFallback,
}

thread_local! {
    static SCRATCH: RefCell<RequestArena> = RefCell::default();
}

/// Calls `work` with the thread's request arena, cleared. Uses a new arena if that one is in use.
pub(crate) fn with_request_arena<T>(
    pool: &ConstantPool,
    work: impl FnOnce(&mut Heap<'_>) -> T,
) -> T {
    let mut work = Some(work);
    let mut lend = |scratch: &mut RequestArena| {
        scratch.clear();
        work.take().map(|work| work(&mut Heap { pool, scratch }))
    };
    match SCRATCH.try_with(|scratch| lend(&mut *scratch.try_borrow_mut().ok()?)) {
        Ok(Some(done)) => done,
        _ => lend(&mut RequestArena::default())
            .unwrap_or_else(|| unreachable!("the work was not yet taken")),
    }
}

impl ProgramSet {
    /// Compiles every policy. Policies that this compiler does not support are left to Cedar.
    pub(crate) fn new(rules: &PolicyList, known: &mut impl CompileContext) -> Self {
        let mut bodies = Vec::with_capacity(rules.list.len());
        let mut scopes = IndexBuilder::default();
        for (at, rule) in (0_u32..).zip(&rules.list) {
            let body = read_body(rules, rule);
            let body = body.filter(|body| scopes.insert(at, body, known).is_ok());
            if body.is_none() {
                scopes.insert_unscoped(at);
            }
            bodies.push(body);
        }
        let (lists, certain) = scopes.lists();
        let lowered = (0_u32..).zip(bodies).map(|(at, body)| {
            let certain = certain.get(&at).copied();
            Lowering { known }.condition(&body?, certain).ok()
        });
        let mut chunking = ChunkBuilder {
            nodes: lowered.collect(),
            counts: lists.counts(),
            chunks: Vec::new(),
            alone: HashMap::new(),
            beyond: Vec::new(),
        };
        let picks = lists.finish(|list| chunking.list(list));
        chunking.beyond.sort_unstable();
        Self {
            chunks: chunking.chunks,
            picks,
            beyond: CedarFallback::new(rules, chunking.beyond),
        }
    }

    /// Calls `each` with the result of every selected policy, in no order, until it returns
    /// `false`. Returns whether Cedar must evaluate one of the selected policies.
    #[inline]
    pub(crate) fn each<W: EntityStore>(
        &self,
        query: &IndexQuery<'_>,
        roots: [Value; 4],
        world: &W,
        space: &mut Heap<'_>,
        mut each: impl FnMut(usize, PolicyResult) -> bool,
    ) -> bool {
        let mut beyond = false;
        self.picks
            .each(query, |at| match self.chunks.get(at as usize) {
                Some(ProgramChunk::Program(program)) => {
                    let mut more = true;
                    run(program, &roots, world, space, construct, |at, outcome| {
                        more = each(at, outcome);
                        more
                    });
                    more
                }
                Some(ProgramChunk::Beyond) | None => {
                    beyond = true;
                    true
                }
            });
        beyond
    }
}

/// Returns the body of a policy, with a template's slots filled in.
pub(super) fn read_body(rules: &PolicyList, rule: &PolicyMeta) -> Option<Template> {
    let policy = rules.set.policy(&PolicyId::new(&rule.id))?;
    link_template(&syntax_tree(policy)?)
}

/// Number of policies that share a frame.
const POLICIES_PER_CHUNK: usize = 128;
/// Maximum number of lists for which a policy is compiled again with the other policies of the
/// list. A policy in more lists gets a chunk of its own.
const MAX_CHUNK_COPIES: usize = 4;

/// Compiles the lists of the policy index into chunks.
struct ChunkBuilder {
    /// The condition of each policy, or `None` if this compiler does not support it.
    nodes: Vec<Option<IrExpr>>,
    /// For each policy, the number of lists that contain it.
    counts: HashMap<u32, usize>,
    chunks: Vec<ProgramChunk>,
    /// The chunks that contain one policy only, by the policy's position.
    alone: HashMap<u32, u32>,
    beyond: Vec<(usize, &'static str)>,
}

impl ChunkBuilder {
    /// Compiles a list and returns its chunks.
    fn list(&mut self, list: &[u32]) -> Vec<u32> {
        let (mut made, mut together) = (Vec::new(), Vec::new());
        for at in list {
            let copies = self.counts.get(at).copied().unwrap_or_default();
            let node = self.nodes.get(*at as usize).and_then(Option::as_ref);
            if node.is_some() && copies <= MAX_CHUNK_COPIES {
                together.push(*at);
            } else {
                made.push(self.alone(*at));
            }
        }
        for part in together.chunks(POLICIES_PER_CHUNK) {
            match self.compile(part) {
                Ok(chunk) => made.push(self.add(chunk)),
                Err(_) => made.extend(part.iter().map(|at| self.alone(*at))),
            }
        }
        made
    }

    /// Compiles these policies into one program, or returns the reason why that is impossible.
    fn compile(&self, list: &[u32]) -> Result<ProgramChunk, &'static str> {
        let node = |at: &u32| Some((*at, self.nodes.get(*at as usize)?.as_ref()?));
        let nodes: Option<Vec<_>> = list.iter().map(node).collect();
        let program = compiler::compile(&nodes.ok_or(UNKNOWN)?, 4).map_err(|_| TOO_LARGE)?;
        Ok(ProgramChunk::Program(Box::new(program)))
    }

    fn add(&mut self, chunk: ProgramChunk) -> u32 {
        self.chunks.push(chunk);
        u32::try_from(self.chunks.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    fn alone(&mut self, at: u32) -> u32 {
        if let Some(chunk) = self.alone.get(&at) {
            return *chunk;
        }
        let chunk = self.compile(&[at]).unwrap_or_else(|why| {
            self.beyond.push((at as usize, why));
            ProgramChunk::Beyond
        });
        let chunk = self.add(chunk);
        self.alone.insert(at, chunk);
        chunk
    }
}

/// Reasons why a policy is not compiled.
const UNKNOWN: &str = "it uses what this version of the compiler does not know";
const TOO_LARGE: &str =
    "it is too large: more than 65,535 registers, instructions or places to go on";

/// The policies that only Cedar evaluates: positions with the reasons.
#[derive(Debug, Default)]
pub(crate) struct CedarFallback {
    pub(crate) list: Vec<(usize, &'static str)>,
    /// Permits and forbids are separate sets, because Cedar does not report a satisfied permit if a
    /// forbid is satisfied too.
    permits: DeepValue<PolicySet>,
    forbids: DeepValue<PolicySet>,
}

impl CedarFallback {
    pub(crate) fn new(rules: &PolicyList, list: Vec<(usize, &'static str)>) -> Self {
        let part = |role: PolicyEffect| {
            let positions = list.iter().map(|(at, _)| *at);
            rules.part(positions.filter(|at| rules.role_at(*at) == role))
        };
        Self {
            permits: part(PolicyEffect::Permit),
            forbids: part(PolicyEffect::Forbid),
            list,
        }
    }

    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> {
        self.list.iter().map(|(at, _)| *at)
    }

    /// Evaluates these policies with Cedar and adds the results to `tally`.
    pub(crate) fn judge(
        &self,
        rules: &PolicyList,
        question: &CedarRequest,
        tally: &mut OutcomeCollector,
    ) -> Result<(), Error> {
        for set in [&self.permits, &self.forbids] {
            let found = rules.ask(set, question)?;
            for at in found.holding {
                tally.count(rules, at, PolicyResult::Satisfied);
            }
            tally.errors.extend(found.erring);
        }
        Ok(())
    }
}

/// Positions of the satisfied and the failed policies, collected during an evaluation.
#[derive(Debug, Default)]
pub(crate) struct OutcomeCollector {
    permits: Vec<usize>,
    forbids: Vec<usize>,
    warnings: Vec<usize>,
    errors: Vec<(usize, String)>,
}

impl OutcomeCollector {
    pub(crate) fn count(&mut self, rules: &PolicyList, at: usize, outcome: PolicyResult) {
        let Some(rule) = rules.list.get(at) else {
            return;
        };
        match (outcome, rule.role) {
            (PolicyResult::Satisfied, PolicyEffect::Permit) => self.permits.push(at),
            (PolicyResult::Satisfied, PolicyEffect::Forbid) => self.forbids.push(at),
            (PolicyResult::Satisfied, PolicyEffect::Warning) => self.warnings.push(at),
            (PolicyResult::Error, _) => self.errors.push((at, String::new())),
            (PolicyResult::NotSatisfied, _) => {}
        }
    }

    pub(crate) fn verdict(mut self, rules: &PolicyList) -> CedarOutcome {
        // The index selects policies in no order, and possibly more than once.
        for list in [&mut self.permits, &mut self.forbids, &mut self.warnings] {
            list.sort_unstable();
            list.dedup();
        }
        self.errors.sort_unstable();
        self.errors.dedup_by_key(|(at, _)| *at);
        let (permitted, refused) = (!self.permits.is_empty(), !self.forbids.is_empty());
        let allowed = permitted && !refused && self.errors.is_empty();
        let policies = if refused { self.forbids } else { self.permits };
        CedarOutcome {
            allowed,
            code: rules.name(&policies, !self.errors.is_empty(), || permitted),
            policies,
            warnings: if allowed { self.warnings } else { Vec::new() },
            errors: self.errors,
        }
    }
}
