//! Plans: what answers the requests of one kind that have the same facts.

use once_cell::race::OnceBox;

use super::answer_cache::AnswerCache;
use super::atoms::{RecordPath, RecordRead};
use super::fact_set::FactSet;
use crate::vm::{CompiledBdd, ConstantPool, Program};

/// Maximum number of plans of one kind of request. Cedar answers requests with further sets of
/// facts.
const MAX_PLANS: u16 = 64;

/// The policies of one kind of request, compiled for one set of facts.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The condition under which the policies allow a request. It is over the bits of the request,
    /// then over `reads`, then over `conditions`.
    pub(crate) allow: CompiledBdd,
    pub(crate) reads: Vec<RecordRead>,
    /// The version of the stored facts that the reads refer to, and the records whose words they
    /// need.
    pub(crate) stored_facts: u32,
    pub(crate) stored_records: Vec<RecordPath>,
    /// The conditions that need bytecode, as one program.
    pub(crate) conditions: Program,
    pub(crate) cache: AnswerCache,
    /// The policies themselves, which name the policies that decided.
    pub(crate) policies: Vec<Program>,
    /// Whether a program reads the text of the host's name, not only whether it is present.
    pub(crate) reads_host_name: bool,
    /// The constants of the programs, if the plan has others than the bundle.
    pub(crate) pool: Option<ConstantPool>,
}

/// The plans of one kind of request, in the order of their first requests. A plan never moves.
#[derive(Debug, Default)]
pub(crate) struct PlanList(OnceBox<PlanNode>);

#[derive(Debug)]
pub(crate) struct PlanNode {
    pub(crate) facts: FactSet,
    /// The place in the list.
    pub(crate) number: u16,
    /// `None` if only Cedar can evaluate these requests.
    pub(crate) plan: Option<Plan>,
    next: PlanList,
}

impl PlanList {
    /// Returns the plan of these facts, if one was compiled.
    #[inline(always)]
    pub(crate) fn find(&self, facts: FactSet) -> Option<&PlanNode> {
        let mut list = self;
        loop {
            let node = list.0.get()?;
            if node.facts == facts {
                return Some(node);
            }
            list = &node.next;
        }
    }

    /// Returns the plan with this number.
    pub(crate) fn by_number(&self, number: u16) -> Option<&PlanNode> {
        self.iter().find(|node| node.number == number)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &PlanNode> {
        std::iter::successors(self.0.get(), |node| node.next.0.get())
    }

    /// Adds the plan of these facts, unless another thread has added it. Returns `None` if the list
    /// is full.
    pub(crate) fn add(
        &self,
        facts: FactSet,
        plan: impl FnOnce() -> Option<Plan>,
    ) -> Option<&PlanNode> {
        if let Some(known) = self.find(facts) {
            return Some(known);
        }
        if self.iter().count() >= usize::from(MAX_PLANS) {
            return None;
        }
        let mut node = Box::new(PlanNode {
            facts,
            number: 0,
            plan: plan(),
            next: Self::default(),
        });
        let mut list = self;
        while node.number < MAX_PLANS {
            let refused = list.0.set(node);
            let known = list.0.get()?;
            // Another thread may have added a node here. Then the search goes on behind it.
            match refused {
                Err(refused) if known.facts != facts => node = refused,
                _ => return Some(known),
            }
            node.number = node.number.saturating_add(1);
            list = &known.next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_one_plan_for_equal_facts() {
        let plans = PlanList::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for channel in 0..100 {
                        let facts = FactSet::of_session(Some(channel));
                        let node = plans.add(facts, || None);
                        assert_eq!(
                            node.map(|node| node.facts),
                            plans.find(facts).map(|_| facts)
                        );
                    }
                });
            }
        });
        let numbers: Vec<u16> = plans.iter().map(|node| node.number).collect();
        assert_eq!(numbers, (0..MAX_PLANS).collect::<Vec<_>>());
        for node in plans.iter() {
            assert_eq!(
                plans.by_number(node.number).map(|found| found.facts),
                Some(node.facts)
            );
        }
    }
}
