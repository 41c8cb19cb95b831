//! Facts about the attributes that the host defines for accounts and members. Policies name them,
//! and each is a bit of the record's word. A word is computed when its record changes, so a request
//! reads one word of a record and none of its attributes.

use std::sync::Arc;

use super::persistent_vec::PersistentColumn;
use super::record_key::{RecordKey, RecordKind};
use super::tables::Tables;
use crate::util::generation::numbering;
use crate::util::text::same;
use crate::vm::{StoredValue, is_like};

/// The number of facts of one type of record that are stored. A fact beyond them is read from the
/// attributes.
const MAX_FACTS: usize = 128;

/// The attributes that the host defines for one record.
pub(crate) type OwnFields<'h> = &'h [(Box<str>, StoredValue)];

/// A literal that an attribute is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OwnLiteral {
    Bool(bool),
    Long(i64),
    Text(Box<str>),
}

impl OwnLiteral {
    fn equals(&self, value: &StoredValue) -> bool {
        match (self, value) {
            (Self::Bool(literal), StoredValue::Bool(value)) => literal == value,
            (Self::Long(literal), StoredValue::Long(value)) => literal == value,
            (Self::Text(literal), StoredValue::Text(value)) => literal == value,
            _ => false,
        }
    }
}

/// A test of an attribute's value. An attribute that the record does not have passes no test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OwnTest {
    Exists,
    Equals(OwnLiteral),
    IsOneOf(Box<[OwnLiteral]>),
    IsTrue,
    /// The value is an integer less than this one.
    IsLess(i64),
    /// The value is a text that matches the pattern, in which `None` is a wildcard.
    IsLike(Box<[Option<char>]>),
    /// The value is a set that contains the literal.
    Contains(OwnLiteral),
}

/// One fact of one attribute that the host defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnFact {
    pub(crate) name: Box<str>,
    pub(crate) test: OwnTest,
}

impl OwnFact {
    /// Returns whether the fact holds for a record with these attributes.
    pub(crate) fn holds(&self, fields: OwnFields<'_>) -> bool {
        let mut named = fields.iter().filter(|(name, _)| same(name, &self.name));
        let Some((_, value)) = named.next() else {
            return false;
        };
        match (&self.test, value) {
            (OwnTest::Exists, _) | (OwnTest::IsTrue, StoredValue::Bool(true)) => true,
            (OwnTest::Equals(literal), value) => literal.equals(value),
            (OwnTest::IsOneOf(literals), value) => {
                literals.iter().any(|literal| literal.equals(value))
            }
            (OwnTest::IsLess(bound), StoredValue::Long(value)) => value < bound,
            (OwnTest::IsLike(pattern), StoredValue::Text(text)) => is_like(text, pattern),
            (OwnTest::Contains(literal), StoredValue::Set(items)) => {
                items.iter().any(|item| literal.equals(item))
            }
            _ => false,
        }
    }
}

/// Returns the attributes that the host defines for a record with these typed attributes.
pub(crate) fn own_fields(own: Option<&StoredValue>) -> OwnFields<'_> {
    match own {
        Some(StoredValue::Record(fields)) => fields,
        _ => &[],
    }
}

/// The stored facts of one type of record, and the word of each record.
#[derive(Debug, Clone, Default)]
struct FactColumn {
    facts: Arc<[OwnFact]>,
    words: PersistentColumn<u128>,
}

impl FactColumn {
    fn new(facts: &[OwnFact]) -> Self {
        Self {
            facts: facts.iter().take(MAX_FACTS).cloned().collect(),
            words: PersistentColumn::default(),
        }
    }

    /// Computes the word of a record with these attributes. A column that is never written costs no
    /// memory.
    fn update(&mut self, number: u32, fields: OwnFields<'_>) {
        let mut word = 0;
        for (fact, at) in self.facts.iter().zip(0_u32..) {
            word |= u128::from(fact.holds(fields)).checked_shl(at).unwrap_or(0);
        }
        if self.words.get(number).unwrap_or(0) != word {
            self.words.set(number, word, 0);
        }
    }
}

/// The stored facts of all records.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredFacts {
    /// Identifies the lists of facts, so that nobody reads a bit that stands for another fact. Zero
    /// if there are no facts.
    version: u32,
    accounts: FactColumn,
    members: FactColumn,
}

impl StoredFacts {
    fn column(&self, kind: RecordKind) -> Option<&FactColumn> {
        match kind {
            RecordKind::Account => Some(&self.accounts),
            RecordKind::TeamMember => Some(&self.members),
            _ => None,
        }
    }

    /// Returns the number that identifies the lists of facts.
    #[inline]
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// Returns the bit of a fact in the words of a type of record, if it is stored.
    pub(crate) fn bit(&self, kind: RecordKind, fact: &OwnFact) -> Option<u8> {
        let facts = &self.column(kind)?.facts;
        u8::try_from(facts.iter().position(|known| known == fact)?).ok()
    }

    /// Returns the word of a record.
    #[inline]
    pub(crate) fn word(&self, kind: RecordKind, number: u32) -> u128 {
        self.column(kind)
            .and_then(|column| column.words.get(number))
            .unwrap_or(0)
    }

    /// Computes the word of a record with these typed attributes.
    pub(super) fn update(&mut self, key: RecordKey, own: Option<&StoredValue>) {
        let column = match key.kind() {
            RecordKind::Account => &mut self.accounts,
            RecordKind::TeamMember => &mut self.members,
            _ => return,
        };
        if !column.facts.is_empty() {
            column.update(key.number(), own_fields(own));
        }
    }
}

impl Tables {
    /// Stores these facts of accounts and of members from now on, and computes the words of all
    /// records. Does nothing if they are stored already.
    pub(crate) fn store_facts(&mut self, accounts: &[OwnFact], members: &[OwnFact]) {
        let (accounts, members) = (FactColumn::new(accounts), FactColumn::new(members));
        let known = &self.stored_facts;
        if known.accounts.facts == accounts.facts && known.members.facts == members.facts {
            return;
        }
        let version = numbering();
        self.compute_facts(StoredFacts {
            version,
            accounts,
            members,
        });
    }

    /// Stores the same facts as other tables.
    pub(crate) fn store_facts_of(&mut self, other: &Self) {
        let facts = &other.stored_facts;
        if self.stored_facts.version != facts.version {
            self.compute_facts(StoredFacts {
                version: facts.version,
                accounts: FactColumn::new(&facts.accounts.facts),
                members: FactColumn::new(&facts.members.facts),
            });
        }
    }

    fn compute_facts(&mut self, empty: StoredFacts) {
        self.stored_facts = empty;
        for (key, extras) in &self.cold {
            let key = RecordKey(*key);
            self.stored_facts.update(key, extras.own.as_ref());
        }
    }

    /// Returns the facts that are stored with the records.
    #[inline]
    pub(crate) fn stored_facts(&self) -> &StoredFacts {
        &self.stored_facts
    }
}
