//! Rows by number and by id: a large part that never changes, and a small one that each change copies.
//!
//! Readers look into flat arrays. A change touches only the small part; once that has grown, both become a new large
//! part, which costs in proportion to the table but comes as rarely as the table is large.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap};

/// Stands for "no row".
pub(crate) const NONE: u32 = u32::MAX;
/// The small part is merged when it has this many rows, or a sixteenth of the large part's, but never more than `MOST`.
const LEAST: usize = 256;
const MOST: usize = 4096;

/// An id and what is kept of it. A row without a record is a name that others refer to.
#[derive(Debug, Clone)]
struct Entry<R> {
    id: Arc<str>,
    row: Option<R>,
}

/// Rows in the order of their numbers, from `first` on, and where to find them by id.
#[derive(Debug, Clone)]
struct Part<R> {
    entries: Vec<Entry<R>>,
    /// Open addressing: the hash's upper half, and the place in `entries` plus one.
    slots: Vec<(u32, u32)>,
}

impl<R> Default for Part<R> {
    fn default() -> Self {
        Self { entries: Vec::new(), slots: Vec::new() }
    }
}

impl<R> Part<R> {
    #[inline]
    fn find(&self, hash: u64, id: &str) -> Option<usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let (tag, mut at) = halves(hash);
        loop {
            at &= mask;
            let (known, place) = *self.slots.get(at)?;
            let place = (place as usize).checked_sub(1)?;
            if known == tag && self.entries.get(place).is_some_and(|entry| *entry.id == *id) {
                return Some(place);
            }
            at = at.wrapping_add(1);
        }
    }

    fn push(&mut self, entry: Entry<R>, hasher: &DefaultHashBuilder) -> usize {
        let place = self.entries.len();
        let hash = hasher.hash_one(&*entry.id);
        self.entries.push(entry);
        if self.entries.len().saturating_mul(2) > self.slots.len() {
            self.rehash(hasher);
        } else {
            self.occupy(hash, place);
        }
        place
    }

    fn rehash(&mut self, hasher: &DefaultHashBuilder) {
        let size = self.entries.len().saturating_mul(4).max(16).next_power_of_two();
        self.slots = vec![(0, 0); size];
        for place in 0..self.entries.len() {
            let hash = self.entries.get(place).map_or(0, |entry| hasher.hash_one(&*entry.id));
            self.occupy(hash, place);
        }
    }

    fn occupy(&mut self, hash: u64, place: usize) {
        let mask = self.slots.len().wrapping_sub(1);
        let (tag, mut at) = halves(hash);
        while let Some(slot) = self.slots.get_mut(at & mask) {
            if slot.1 == 0 {
                *slot = (tag, u32::try_from(place.saturating_add(1)).unwrap_or(0));
                return;
            }
            at = at.wrapping_add(1);
        }
    }
}

/// What a slot remembers of a hash, and where to look first.
#[allow(clippy::cast_possible_truncation, reason = "each half is meant")]
fn halves(hash: u64) -> (u32, usize) {
    ((hash >> 32) as u32, (hash & 0xFFFF_FFFF) as usize)
}

/// A table. Numbers are given once and stay.
#[derive(Debug, Clone)]
pub(crate) struct Table<R> {
    large: Arc<Part<R>>,
    /// Rows that are new, and newer versions of rows of the large part.
    small: Arc<Small<R>>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug, Clone)]
struct Small<R> {
    part: Part<R>,
    /// The number of each entry of the part, and back.
    numbers: Vec<u32>,
    places: HashMap<u32, u32>,
    /// How many rows there are in all.
    len: u32,
}

impl<R> Small<R> {
    fn push(&mut self, number: u32, entry: Entry<R>, hasher: &DefaultHashBuilder) {
        let place = self.part.push(entry, hasher);
        self.numbers.push(number);
        self.places.insert(number, u32::try_from(place).unwrap_or(0));
    }
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self {
            large: Arc::default(),
            small: Arc::new(Small { part: Part::default(), numbers: Vec::new(), places: HashMap::new(), len: 0 }),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl<R: Clone> Table<R> {
    /// The number of an id that has one, whether or not there is a record.
    #[inline]
    pub(crate) fn number(&self, id: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        if !self.small.numbers.is_empty()
            && let Some(place) = self.small.part.find(hash, id)
        {
            return self.small.numbers.get(place).copied();
        }
        self.large.find(hash, id).and_then(|place| u32::try_from(place).ok())
    }

    #[inline]
    fn entry(&self, number: u32) -> Option<&Entry<R>> {
        if !self.small.numbers.is_empty()
            && let Some(place) = self.small.places.get(&number)
        {
            return self.small.part.entries.get(*place as usize);
        }
        self.large.entries.get(number as usize)
    }

    /// How many ids have a number.
    pub(crate) fn names(&self) -> u32 {
        self.small.len
    }

    /// The record of that number.
    #[inline]
    pub(crate) fn row(&self, number: u32) -> Option<&R> {
        self.entry(number)?.row.as_ref()
    }

    /// The id of that number.
    pub(crate) fn id(&self, number: u32) -> Option<&Arc<str>> {
        self.entry(number).map(|entry| &entry.id)
    }

    /// The number and record of an id that has a record.
    #[inline]
    pub(crate) fn find(&self, id: &str) -> Option<(u32, &R)> {
        let number = self.number(id)?;
        Some((number, self.row(number)?))
    }

    /// The number of an id, given to it now if it had none.
    pub(crate) fn name(&mut self, id: &str) -> u32 {
        if let Some(number) = self.number(id) {
            return number;
        }
        let hasher = self.hasher.clone();
        let small = Arc::make_mut(&mut self.small);
        let number = small.len;
        small.len = small.len.saturating_add(1);
        small.push(number, Entry { id: Arc::from(id), row: None }, &hasher);
        self.merge_when_grown();
        number
    }

    /// Puts the record of that number, or takes it away.
    pub(crate) fn put(&mut self, number: u32, row: Option<R>) {
        let Some(id) = self.id(number).cloned() else { return };
        let hasher = self.hasher.clone();
        let small = Arc::make_mut(&mut self.small);
        let place = small.places.get(&number).copied();
        if let Some(entry) = place.and_then(|place| small.part.entries.get_mut(place as usize)) {
            entry.row = row;
        } else {
            small.push(number, Entry { id, row }, &hasher);
            self.merge_when_grown();
        }
    }

    /// Every number with a record.
    #[cfg(test)]
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.small.len).filter(|number| self.row(*number).is_some())
    }

    fn merge_when_grown(&mut self) {
        if self.small.numbers.len() > (self.large.entries.len() / 16).clamp(LEAST, MOST) {
            self.merge();
        }
    }

    fn merge(&mut self) {
        let large = Arc::make_mut(&mut self.large);
        let small = Arc::make_mut(&mut self.small);
        let part = std::mem::take(&mut small.part);
        small.places.clear();
        let mut rows: Vec<(u32, Entry<R>)> = std::mem::take(&mut small.numbers).into_iter().zip(part.entries).collect();
        rows.sort_by_key(|(number, _)| *number);
        for (number, entry) in rows {
            match large.entries.get_mut(number as usize) {
                Some(known) => *known = entry,
                None => drop(large.push(entry, &self.hasher)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_a_map_whose_numbers_stay_and_whose_old_versions_stay_as_they_were() {
        let (mut table, mut plain) = (Table::<u64>::default(), std::collections::BTreeMap::new());
        let mut numbers = std::collections::BTreeMap::new();
        let mut seed = 7_u64;
        let mut kept: Vec<(Table<u64>, std::collections::BTreeMap<String, u64>)> = Vec::new();
        for step in 0..20_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = format!("id-{}", (seed >> 33) % 3_000);
            let number = table.name(&id);
            assert_eq!(*numbers.entry(id.clone()).or_insert(number), number);
            if seed.is_multiple_of(5) {
                table.put(number, None);
                plain.remove(&id);
            } else {
                table.put(number, Some(step));
                plain.insert(id, step);
            }
            if step.is_multiple_of(4_000) {
                kept.push((table.clone(), plain.clone()));
            }
        }
        kept.push((table, plain));
        for (table, plain) in kept {
            assert_eq!(table.numbers().count(), plain.len());
            for (id, row) in &plain {
                assert_eq!(table.find(id).map(|(_, row)| row), Some(row));
            }
            assert!(table.find("nobody").is_none());
        }
    }
}
