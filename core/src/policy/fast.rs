//! The compiled form of a set of policies, and how it answers.

use std::cell::RefCell;
use std::sync::Arc;

use cedar_policy::{Effect, PolicyId, pst};

use super::compile::{self, Known, Reader, construct};
use super::judge::Verdict;
use super::rules::Rules;
use crate::eval::{Outcome, Pool, Program, Scratch, Space, Value, World, run};

/// One program for each policy, in gate order.
#[derive(Debug)]
pub(crate) struct Compiled {
    programs: Vec<Program>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends the thread's scratch, emptied; a new one should it be in use.
pub(crate) fn with_scratch<T>(pool: &Pool, work: impl FnOnce(&mut Space<'_>) -> T) -> T {
    let mut work = Some(work);
    let mut lend = |scratch: &mut Scratch| {
        scratch.clear();
        work.take().map(|work| work(&mut Space { pool, scratch }))
    };
    let done = SCRATCH.try_with(|scratch| scratch.try_borrow_mut().ok().and_then(|mut scratch| lend(&mut scratch)));
    match done {
        Ok(Some(done)) => done,
        _ => match lend(&mut Scratch::default()) {
            Some(done) => done,
            None => unreachable!("the work was not yet taken"),
        },
    }
}

impl Compiled {
    /// Compiles every policy, or says by its id which one is beyond this version.
    pub(super) fn new(rules: &Rules, known: &mut impl Known) -> Result<Self, Arc<str>> {
        let mut programs = Vec::with_capacity(rules.list.len());
        for (at, rule) in rules.list.iter().enumerate() {
            let beyond = || Arc::clone(&rule.id);
            let policy = rules.set.policy(&PolicyId::new(&rule.id)).ok_or_else(beyond)?;
            let tree = policy.to_pst().ok().and_then(|tree| linked(&tree)).ok_or_else(beyond)?;
            let node = Reader { known }.policy(&tree).map_err(|_| beyond())?;
            let position = u32::try_from(at).map_err(|_| beyond())?;
            programs.push(compile::compile(&[(position, &node)], 4).map_err(|_| beyond())?);
        }
        Ok(Self { programs })
    }

    /// The answer of all policies; messages of those that erred are left empty.
    pub(crate) fn judge(&self, rules: &Rules, roots: [Value; 4], world: &impl World, space: &mut Space<'_>) -> Verdict {
        let mut tally = Tally::default();
        for program in &self.programs {
            run(program, &roots, world, space, construct, |at, outcome| {
                tally.count(rules, at, outcome);
                true
            });
        }
        tally.verdict(rules)
    }
}

/// What the policies said, in gate order.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    permits: Vec<usize>,
    forbids: Vec<usize>,
    errors: Vec<(usize, String)>,
}

impl Tally {
    pub(crate) fn count(&mut self, rules: &Rules, at: usize, outcome: Outcome) {
        let Some(rule) = rules.list.get(at) else { return };
        match (outcome, rule.effect) {
            (Outcome::Applies, Effect::Permit) => self.permits.push(at),
            (Outcome::Applies, Effect::Forbid) => self.forbids.push(at),
            (Outcome::Errs, _) => self.errors.push((at, String::new())),
            (Outcome::DoesNot, _) => {}
        }
    }

    pub(crate) fn verdict(mut self, rules: &Rules) -> Verdict {
        // What is looked up by whom it is about was asked last.
        self.permits.sort_unstable();
        self.forbids.sort_unstable();
        self.errors.sort_unstable();
        let permitted = !self.permits.is_empty();
        let policies = if self.forbids.is_empty() { self.permits } else { self.forbids };
        let allowed =
            permitted && self.errors.is_empty() && policies.first().and_then(|at| rules.list.get(*at)).is_some_and(|rule| rule.effect == Effect::Permit);
        let code = rules.name(&policies, !self.errors.is_empty(), || permitted);
        Verdict { allowed, code, policies, errors: self.errors }
    }
}

/// The body of a policy, a template's slots filled in.
pub(super) fn linked(tree: &pst::Policy) -> Option<pst::Template> {
    match tree {
        pst::Policy::Static(policy) => Some(policy.body().clone()),
        pst::Policy::Linked(link) => link.into_static_policy().ok().map(|policy| policy.body().clone()),
    }
}
