//! Decisions as numbers: JavaScript learns each string once.

use std::collections::HashMap;
use std::sync::Arc;

use sublet::Decision;

/// Strings by number. `fresh` are those that JavaScript has not learnt yet.
#[derive(Default)]
pub(crate) struct Strings {
    known: HashMap<Arc<str>, u32>,
    fresh: Vec<Arc<str>>,
}

/// How many strings are remembered; then all are forgotten, here and in JavaScript.
const MOST: usize = 4096;

impl Strings {
    /// Forgets all if they are too many. Says whether it did.
    pub(crate) fn forget(&mut self) -> bool {
        let full = self.known.len() > MOST;
        if full {
            *self = Self::default();
        }
        full
    }

    fn number(&mut self, text: &Arc<str>) -> u32 {
        if let Some(number) = self.known.get(text) {
            return *number;
        }
        let number = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.known.insert(Arc::clone(text), number);
        self.fresh.push(Arc::clone(text));
        number
    }

    /// The strings that got their number since this was asked, in order of their numbers.
    pub(crate) fn learn(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.fresh)
    }

    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Adds a decision to `words`: allowed, revision (low, high), code, bundle, how many policies and advice, their
    /// numbers. False, and nothing is added, if it has more to say than numbers can.
    pub(crate) fn say(&mut self, decision: &Decision, words: &mut Vec<u32>) -> bool {
        if !decision.errors.is_empty() || decision.actor.is_some() || decision.counted.is_some() {
            return false;
        }
        let (Ok(policies), Ok(advice)) = (u32::try_from(decision.policies.len()), u32::try_from(decision.advice.len())) else { return false };
        #[allow(clippy::cast_possible_truncation, reason = "the halves are meant")]
        let (low, high) = (decision.revision as u32, (decision.revision >> 32) as u32);
        let (code, bundle) = (self.number(&decision.code), self.number(&decision.bundle));
        words.extend([u32::from(decision.allowed), low, high, code, bundle, policies, advice]);
        words.extend(decision.policies.iter().chain(&decision.advice).map(|text| self.number(text)));
        true
    }
}
