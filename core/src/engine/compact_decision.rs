//! Decisions in a form that is cheap to move.

use std::sync::Arc;

use super::Snapshot;
use crate::api::decision::{Decision, PolicyAnswer};
use crate::api::quota::CountReceipt;
use crate::model::fingerprint::Fingerprint;

/// A decision on its way out of a transaction and of the guard against panics. It has half the size
/// of a [`Decision`], which is built after that.
pub(super) enum CompactDecision {
    /// A decision without errors, for a login that acts for itself.
    Plain {
        answer: Arc<PolicyAnswer>,
        revision: u64,
        bundle: Fingerprint,
        counted: Option<Box<CountReceipt>>,
    },
    Whole(Box<Decision>),
}

impl CompactDecision {
    #[inline(always)]
    pub(super) fn into_decision(self) -> Decision {
        match self {
            Self::Plain {
                answer,
                revision,
                bundle,
                counted,
            } => Decision {
                answer,
                errors: Vec::new(),
                actor: None,
                subject: None,
                revision,
                bundle,
                counted,
            },
            Self::Whole(decision) => *decision,
        }
    }
}

impl Snapshot {
    /// Returns the decision of this version with this answer and receipt.
    #[inline(always)]
    pub(super) fn compact_decision(
        &self,
        answer: Arc<PolicyAnswer>,
        counted: Option<Box<CountReceipt>>,
    ) -> CompactDecision {
        CompactDecision::Plain {
            answer,
            revision: self.directory.revision(),
            bundle: self.loaded.fingerprint,
            counted,
        }
    }

    /// Returns the decision of this version with this answer.
    pub(super) fn to_decision(&self, answer: Arc<PolicyAnswer>) -> Decision {
        self.compact_decision(answer, None).into_decision()
    }
}
