//! What is asked most: an account takes from one meter, for itself, at a domain, without a key. While the policies about limits
//! stay silent, the answer is the one before with other counts.

use super::State;
use crate::api::consume_options::Take;
use crate::api::quota::Counted;
use crate::api::request_ref::Question;
use crate::authorize::Loaded;
use crate::authorize::tenant::limit_policies::{Silence, Single};
use crate::cedar::authorizer::Answer;
use crate::model::limit::QuotaFacts;
use crate::quota::{self, Line, Taking};
use crate::store::{Asked, Ledger};
use crate::util::error::Error;

/// Such a question.
pub(super) struct Known<'s> {
    single: Single<'s>,
    asked: quota::Known<'s>,
}

/// A silence, and of how much of which count it was said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    silence: Silence,
    amount: i64,
    held: i64,
}

impl Heard {
    pub(super) fn of(silence: Silence, facts: &QuotaFacts<'_>) -> Self {
        Self {
            silence,
            amount: facts.amount,
            held: facts.account.held,
        }
    }
}

impl State {
    /// The question, if it is such a one.
    #[inline]
    pub(super) fn known<'s>(
        &'s self,
        question: &Question<'s>,
        take: &Take<'_>,
        taking: Taking,
    ) -> Option<Known<'s>> {
        let plain = self.store.keeps_notes()
            && matches!(taking, Taking::Consume { .. })
            && take.key.is_none()
            && take.amounts.is_empty()
            && take.amount > 0;
        let single = if plain {
            Loaded::single(&self.fast, question, &self.directory)?
        } else {
            return None;
        };
        let (_, account) = question.principal.name();
        let asked = Asked {
            version: self.stamp,
            kind: single.asked,
            domain: single.domain,
            amount: take.amount,
        };
        Some(Known {
            single,
            asked: quota::Known {
                account,
                meter: single.meter,
                kind: single.kind,
                asked,
            },
        })
    }
}

impl Known<'_> {
    pub(super) fn account(&self) -> &str {
        self.asked.account
    }

    /// Takes, if a note says that it is allowed.
    pub(super) fn take<'s>(
        &self,
        ledger: &mut dyn Ledger,
        state: &'s State,
    ) -> Result<Option<(&'s Answer, Box<Counted>)>, Error> {
        quota::take_known(ledger, &self.asked, |place| {
            Loaded::silent(&state.fast, &self.single, place).filter(|answer| answer.allowed)
        })
    }

    /// Notes what was heard while it was taken.
    pub(super) fn note(
        &self,
        ledger: &mut dyn Ledger,
        lines: &[Line<'_>],
        heard: Option<Heard>,
    ) -> Result<(), Error> {
        match (lines, heard) {
            (
                [line],
                Some(Heard {
                    silence: Silence { from, to, place },
                    amount,
                    held,
                }),
            ) if amount == self.asked.asked.amount => {
                quota::note(ledger, &self.asked, line, held, (from, to, place))
            }
            _ => Ok(()),
        }
    }
}
