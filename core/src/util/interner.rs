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

/// An interner of distinct items. Numbers are given in ascending order and never change. `clear`
/// keeps the allocated memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interner<R> {
    rows: R,
    /// End offset of each item.
    ends: Vec<usize>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<R: FlatStorage> Interner<R> {
    /// Returns the number of an item if it is interned.
    #[inline]
    pub(crate) fn find(&self, item: &R::Item) -> Option<u32> {
        if self.ends.is_empty() {
            return None;
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
        let rehash = |at: &u32| get(rows, ends, *at).map_or(0, |stored| hasher.hash_one(stored));
        self.table.insert_unique(hasher.hash_one(item), at, rehash);
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
