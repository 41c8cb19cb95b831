//! The plan table: the plans that compute the allow bit of session requests. The data that answers
//! one kind of request is stored together, so that a look-up waits for memory once or twice.

use once_cell::race::OnceBox;

use super::answer_cache::AnswerCache;
use super::atoms::RecordRead;
use crate::directory::HashIndex;
use crate::util::text::same;
use crate::vm::CompiledBdd;

/// Names numbered in order of insertion, found by one hash look-up.
#[derive(Debug, Default)]
pub(crate) struct NameTable {
    index: HashIndex,
    list: Vec<Box<str>>,
}

impl NameTable {
    /// Adds a name that is not in the table yet, and returns its number.
    pub(crate) fn push(&mut self, name: &str) -> u32 {
        if self.index.is_full() {
            self.index = self.index.grown();
        }
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.index.insert(self.index.hash(name.as_bytes()), number);
        self.list.push(name.into());
        number
    }

    /// Returns the names in order of their numbers.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|name| &**name)
    }

    #[inline(always)]
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.index.find(self.index.hash(name.as_bytes()), |number| {
            self.list
                .get(number as usize)
                .is_some_and(|known| same(known, name))
        })
    }
}

/// The kinds of request of one action, as a range of [`PlanTable::keys`].
#[derive(Debug, Clone, Copy)]
pub(super) struct ActionRange {
    pub(super) first: u32,
    pub(super) end: u32,
    /// The bit of the action's feature. Zero if the action has no feature.
    pub(super) feature_bit: u64,
}

/// Distinguishes the kinds of request of an action.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestKind {
    pub(super) action: u32,
    pub(super) principal: u32,
    /// The resource type's place in [`TenantEvaluator::kinds`].
    pub(super) kind: u32,
    /// The place among the entries of the action.
    pub(super) entry: usize,
    /// Whether the resource comes inline, with an account and nothing else.
    pub(super) inline: bool,
}

/// Answers one kind of request from the bits of a session.
#[derive(Debug)]
pub(crate) struct SessionPlan {
    /// Computes the allow bit.
    pub(crate) plan: CompiledBdd,
    /// The facts of records that the diagram may need.
    pub(crate) reads: Vec<RecordRead>,
    /// The cache of full answers.
    pub(crate) answer_cache: AnswerCache,
}

/// The plans for each action and pair of types that session bits can answer. Each entry has one
/// plan for main accounts and operators, and one for clients. A plan is made at the first request
/// of its kind.
#[derive(Debug, Default)]
pub(crate) struct PlanTable {
    /// Ranges of `keys`, by the action's place.
    pub(super) spans: Vec<ActionRange>,
    pub(super) keys: Vec<RequestKind>,
    plans: Vec<[OnceBox<SessionPlan>; 2]>,
}

impl PlanTable {
    /// Begins the next action. The kinds of request added from now on belong to it.
    pub(crate) fn action(&mut self, feature_bit: u64) {
        let first = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.spans.push(ActionRange {
            first,
            end: first,
            feature_bit,
        });
    }

    /// Adds a kind of request to the last action. The key holds the principal type, the resource
    /// type, the place among the action's entries, and whether the resource comes inline. Returns
    /// the new place.
    pub(crate) fn put(
        &mut self,
        (principal, kind, entry, inline): (u32, u32, usize, bool),
    ) -> Option<u32> {
        let at = u32::try_from(self.keys.len()).ok()?;
        self.spans.last_mut()?.end = at.checked_add(1)?;
        let action = u32::try_from(self.spans.len().checked_sub(1)?).ok()?;
        self.keys.push(RequestKind {
            action,
            principal,
            kind,
            entry,
            inline,
        });
        self.plans.push(Default::default());
        Some(at)
    }

    /// Sets the plans of a kind of request, unless another thread has set them.
    pub(crate) fn set_plans(&self, at: u32, plans: [Option<SessionPlan>; 2]) {
        for (slot, plan) in self.plans.get(at as usize).into_iter().flatten().zip(plans) {
            if let Some(plan) = plan {
                let _ = slot.set(Box::new(plan));
            }
        }
    }

    #[inline(always)]
    pub(crate) fn planned(&self, at: u32, client: bool) -> Option<&SessionPlan> {
        self.plans.get(at as usize)?.get(usize::from(client))?.get()
    }
}
