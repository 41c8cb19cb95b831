//! An interner: stores each distinct item once and names it by a number.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Items stored one after another in one allocation.
pub(crate) trait FlatStorage: Default {
    type Item: ?Sized + Hash + Eq;

    fn end(&self) -> usize;
    fn part(&self, from: usize, to: usize) -> Option<&Self::Item>;
    fn append(&mut self, item: &Self::Item);
    fn clear(&mut self);
}

impl FlatStorage for String {
    type Item = str;

    fn end(&self) -> usize {
        self.len()
    }

    #[inline]
    fn part(&self, from: usize, to: usize) -> Option<&str> {
        self.get(from..to)
    }

    fn append(&mut self, item: &str) {
        self.push_str(item);
    }

    fn clear(&mut self) {
        self.clear();
    }
}

impl<T: Copy + Hash + Eq> FlatStorage for Vec<T> {
    type Item = [T];

    fn end(&self) -> usize {
        self.len()
    }

    #[inline]
    fn part(&self, from: usize, to: usize) -> Option<&[T]> {
        self.get(from..to)
    }

    fn append(&mut self, item: &[T]) {
        self.extend_from_slice(item);
    }

    fn clear(&mut self) {
        self.clear();
    }
}

/// The number of items that are compared one by one, because that costs less than to hash an item.
/// Most requests bring fewer.
const FEW: usize = 8;

/// An interner of distinct items. Numbers are given in ascending order and never change. `clear`
/// keeps the allocated memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interner<R> {
    rows: R,
    /// End offset of each item.
    ends: Vec<usize>,
    /// The numbers by hash. Empty while there are at most [`FEW`] items.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<R: FlatStorage> Interner<R> {
    /// Returns the number of an item if it is interned.
    #[inline]
    pub(crate) fn find(&self, item: &R::Item) -> Option<u32> {
        if self.ends.len() <= FEW {
            let is = |at: &u32| self.get(*at) == Some(item);
            return (0_u32..).take(self.ends.len()).find(is);
        }
        self.table
            .find(self.hasher.hash_one(item), |at| {
                self.get(*at).is_some_and(|stored| stored == item)
            })
            .copied()
    }

    /// Returns the number of the item, and interns the item if it is new.
    pub(crate) fn intern(&mut self, item: &R::Item) -> u32 {
        if let Some(at) = self.find(item) {
            return at;
        }
        let at = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.rows.append(item);
        self.ends.push(self.rows.end());
        let (rows, ends, hasher) = (&self.rows, &self.ends, &self.hasher);
        let hash = |at: &u32| get(rows, ends, *at).map_or(0, |stored| hasher.hash_one(stored));
        let from = match ends.len() {
            count if count <= FEW => return at,
            count if self.table.is_empty() => 0..u32::try_from(count).unwrap_or(u32::MAX),
            _ => at..at.saturating_add(1),
        };
        for at in from {
            self.table.insert_unique(hash(&at), at, hash);
        }
        at
    }

    /// Returns the item with this number.
    #[inline]
    pub(crate) fn get(&self, at: u32) -> Option<&R::Item> {
        get(&self.rows, &self.ends, at)
    }

    /// Returns the number of items.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn clear(&mut self) {
        if !self.ends.is_empty() {
            self.rows.clear();
            self.ends.clear();
            self.table.clear();
        }
    }
}

#[inline]
fn get<'a, R: FlatStorage>(rows: &'a R, ends: &[usize], at: u32) -> Option<&'a R::Item> {
    let at = at as usize;
    let from = match at.checked_sub(1) {
        Some(before) => *ends.get(before)?,
        None => 0,
    };
    rows.part(from, *ends.get(at)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers stay the same when the items become so many that they are hashed.
    #[test]
    fn few_and_many_items_keep_their_numbers() {
        let mut interner = Interner::<String>::default();
        for _ in 0..2 {
            for at in 0..40_u32 {
                assert_eq!(interner.intern(&format!("item {at}")), at);
                for known in 0..=at {
                    assert_eq!(interner.find(&format!("item {known}")), Some(known));
                }
                assert_eq!(interner.find("another"), None);
            }
            interner.clear();
            assert_eq!((interner.find("item 3"), interner.len()), (None, 0));
        }
    }
}
