//! Symbolic evaluation of facts of records: the bit or the variable of each, and the place where the
//! directory stores it.

use super::answer_cache::{AnswerAtoms, MAX_STORED_RECORDS};
use super::atoms::{RecordFact, RecordPath, RecordRead, StoredBit, stored_kind};
use super::bits::{KnownFact, known_fact};
use super::name_table::find_or_push;
use super::own_conditions::OwnCondition;
use super::symbolic::EvalError::NeedsBytecode;
use super::symbolic::{BddResult, EvalResult, FIRST_READ, MAX_READS, SymbolicEvaluator, TriState};
use crate::directory::OwnTest;
use crate::vm::{BddRef, FALSE, TRUE, TooLarge};

impl SymbolicEvaluator<'_> {
    /// Returns the condition that a fact of a record holds. A fact that is no bit of the request
    /// gets a variable of its own.
    pub(super) fn fact(&mut self, record: &RecordPath, fact: RecordFact) -> BddResult<BddRef> {
        match known_fact(record, &fact, &self.request_shape) {
            Some(KnownFact::Always(holds)) => return Ok(if holds { TRUE } else { FALSE }),
            Some(KnownFact::Bit(bit)) => return self.variable(bit),
            Some(KnownFact::NoneOf(bits)) => {
                let mut any = FALSE;
                for bit in bits {
                    let bit = self.variable(bit)?;
                    any = self.diagrams.or(any, bit)?;
                }
                return self.diagrams.not(any);
            }
            None => {}
        }
        let same = |known: &RecordRead| known.path == *record && known.fact == fact;
        let at = match self.reads.iter().position(same) {
            Some(at) => at,
            None if self.reads.len() >= MAX_READS => return Err(TooLarge),
            None => {
                let stored = self.stored_bit(record, &fact);
                self.reads.push(RecordRead {
                    path: record.clone(),
                    fact,
                    stored,
                });
                self.reads.len().saturating_sub(1)
            }
        };
        self.variable(at.saturating_add(usize::from(FIRST_READ)))
    }

    fn variable(&mut self, number: impl TryInto<u16>) -> BddResult<BddRef> {
        let number = number.try_into().map_err(|_| TooLarge)?;
        self.diagrams.variable(number)
    }

    /// Returns where the directory stores a fact of a record.
    fn stored_bit(&mut self, record: &RecordPath, fact: &RecordFact) -> Option<StoredBit> {
        let RecordFact::Own(fact) = fact else {
            return None;
        };
        let bit = self.stored_facts.bit(stored_kind(record.kind)?, fact)?;
        let at = find_or_push(&mut self.stored_records, record, MAX_STORED_RECORDS)?;
        let record = u8::try_from(at).ok()?;
        Some(StoredBit { record, bit })
    }

    /// Evaluates a condition over an attribute that the host defines.
    pub(super) fn own_condition(&mut self, condition: &OwnCondition<'_>) -> EvalResult<TriState> {
        let (record, mut readable) = self.record(condition.path)?;
        let kind = stored_kind(record.kind).ok_or(NeedsBytecode)?;
        if !condition.fits(self.bundle, kind) {
            return Err(NeedsBytecode);
        }
        let exists = self.fact(&record, RecordFact::Exists)?;
        readable = self.diagrams.and(readable, exists)?;
        if condition.fact.test != OwnTest::Exists {
            let has = self.fact(&record, RecordFact::Own(condition.existence()))?;
            readable = self.diagrams.and(readable, has)?;
        }
        let mut yes = self.fact(&record, RecordFact::Own(condition.fact.clone()))?;
        if condition.is_negated {
            yes = self.diagrams.not(yes)?;
        }
        self.read(readable, yes)
    }

    /// Returns the atoms that these variables stand for.
    pub(super) fn answer_atoms(&self, variables: impl IntoIterator<Item = u16>) -> AnswerAtoms {
        let mut atoms = AnswerAtoms {
            words: vec![0; self.stored_records.len()],
            ..AnswerAtoms::default()
        };
        for variable in variables {
            let Some(at) = variable.checked_sub(FIRST_READ) else {
                atoms.bits |= 1_u64.checked_shl(u32::from(variable)).unwrap_or(0);
                continue;
            };
            let read = self.reads.get(usize::from(at));
            let stored = read.and_then(|read| read.stored);
            let word = stored.and_then(|stored| atoms.words.get_mut(usize::from(stored.record)));
            match stored.zip(word) {
                Some((stored, word)) => {
                    *word |= 1_u128.checked_shl(u32::from(stored.bit)).unwrap_or(0);
                }
                None => atoms.further.push(variable),
            }
        }
        atoms
    }
}
