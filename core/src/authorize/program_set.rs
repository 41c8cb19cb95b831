//! A policy set in compiled form, and its evaluation.

use std::cell::RefCell;
use std::collections::HashMap;

use cedar_policy::{PolicyId, PolicySet};

use crate::cedar::authorizer::CedarOutcome;
use crate::cedar::policy_list::{PolicyEffect, PolicyList};
use crate::cedar::request::CedarRequest;
use crate::compiler::policy_index::{IndexBuilder, IndexQuery, PolicyIndex};
use crate::compiler::{self, CompileContext, IrExpr, Lowering, construct, link_template};
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
    let done = SCRATCH.try_with(|scratch| {
        scratch
            .try_borrow_mut()
            .ok()
            .and_then(|mut scratch| lend(&mut scratch))
    });
    match done {
        Ok(Some(done)) => done,
        _ => match lend(&mut RequestArena::default()) {
            Some(done) => done,
            None => unreachable!("the work was not yet taken"),
        },
    }
}

impl ProgramSet {
    /// Compiles every policy. Policies that this compiler does not support are left to Cedar.
    pub(crate) fn new(rules: &PolicyList, known: &mut impl CompileContext) -> Self {
        let mut bodies = Vec::with_capacity(rules.list.len());
        let mut scopes = IndexBuilder::default();
        for (at, rule) in (0_u32..).zip(&rules.list) {
            let body = rules
                .set
                .policy(&PolicyId::new(&rule.id))
                .and_then(compiler::syntax_tree)
                .and_then(|tree| link_template(&tree));
            let body = body.filter(|body| scopes.insert(at, body, known).is_ok());
            if body.is_none() {
                scopes.insert_unscoped(at);
            }
            bodies.push(body);
        }
        let (lists, certain) = scopes.lists();
        let mut nodes = Vec::with_capacity(bodies.len());
        for (at, body) in (0_u32..).zip(bodies) {
            let certain = certain.get(&at).copied();
            let lower = |body| Lowering { known }.condition(&body, certain).ok();
            nodes.push(body.and_then(lower).ok_or(UNKNOWN));
        }
        let mut chunking = ChunkBuilder {
            nodes,
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

/// Number of policies that share a frame.
const POLICIES_PER_CHUNK: usize = 128;
/// Maximum number of lists for which a policy is compiled again with the other policies of the
/// list. A policy in more lists gets a chunk of its own.
const MAX_CHUNK_COPIES: usize = 4;

/// Compiles the lists of the policy index into chunks.
struct ChunkBuilder {
    nodes: Vec<Result<IrExpr, &'static str>>,
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
            match self.nodes.get(*at as usize) {
                Some(Ok(node))
                    if self
                        .counts
                        .get(at)
                        .is_none_or(|count| *count <= MAX_CHUNK_COPIES) =>
                {
                    together.push((*at, node.clone()));
                }
                _ => made.push(self.alone(*at)),
            }
        }
        for part in together.chunks(POLICIES_PER_CHUNK) {
            let nodes: Vec<(u32, &IrExpr)> = part.iter().map(|(at, node)| (*at, node)).collect();
            match compiler::compile(&nodes, 4) {
                Ok(program) => made.push(self.add(ProgramChunk::Program(Box::new(program)))),
                Err(_) => made.extend(part.iter().map(|(at, _)| self.alone(*at))),
            }
        }
        made
    }

    fn add(&mut self, chunk: ProgramChunk) -> u32 {
        self.chunks.push(chunk);
        u32::try_from(self.chunks.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    fn alone(&mut self, at: u32) -> u32 {
        if let Some(chunk) = self.alone.get(&at) {
            return *chunk;
        }
        let node = self.nodes.get(at as usize).cloned().unwrap_or(Err(UNKNOWN));
        let program = node
            .as_ref()
            .map_err(|why| *why)
            .and_then(|node| compiler::compile(&[(at, node)], 4).map_err(|_| TOO_LARGE));
        let chunk = match program {
            Ok(program) => self.add(ProgramChunk::Program(Box::new(program))),
            Err(why) => {
                self.beyond.push((at as usize, why));
                self.add(ProgramChunk::Beyond)
            }
        };
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
            let at = list
                .iter()
                .map(|(at, _)| *at)
                .filter(|at| rules.role_at(*at) == role);
            rules.part(at)
        };
        let (permits, forbids) = (part(PolicyEffect::Permit), part(PolicyEffect::Forbid));
        Self {
            list,
            permits,
            forbids,
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

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Returns the positions of the policies that failed with an error.
    pub(crate) fn erring(&self) -> impl Iterator<Item = usize> {
        self.errors.iter().map(|(at, _)| *at)
    }

    pub(crate) fn verdict(mut self, rules: &PolicyList) -> CedarOutcome {
        // The index selects policies in no order, and possibly more than once.
        for list in [&mut self.permits, &mut self.forbids, &mut self.warnings] {
            list.sort_unstable();
            list.dedup();
        }
        self.errors.sort_unstable();
        self.errors.dedup_by_key(|(at, _)| *at);
        let permitted = !self.permits.is_empty();
        let policies = if self.forbids.is_empty() {
            self.permits
        } else {
            self.forbids
        };
        let allowed = permitted
            && self.errors.is_empty()
            && policies
                .first()
                .and_then(|at| rules.list.get(*at))
                .is_some_and(|rule| rule.role == PolicyEffect::Permit);
        let code = rules.name(&policies, !self.errors.is_empty(), || permitted);
        let warnings = if allowed { self.warnings } else { Vec::new() };
        CedarOutcome {
            allowed,
            code,
            policies,
            warnings,
            errors: self.errors,
        }
    }
}
