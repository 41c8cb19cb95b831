//! Things that are kept once and named by number.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Each distinct item once. Numbers are given in order and never change.
#[derive(Debug)]
pub(crate) struct Interner<T: ?Sized> {
    items: Vec<Box<T>>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<T: ?Sized> Default for Interner<T> {
    fn default() -> Self {
        Self { items: Vec::new(), table: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }
}

impl<T: ?Sized + Hash + Eq> Interner<T> {
    /// The number of an item that is kept.
    #[inline]
    pub(crate) fn find(&self, item: &T) -> Option<u32> {
        if self.items.is_empty() {
            return None;
        }
        self.table.find(self.hasher.hash_one(item), |at| self.get(*at).is_some_and(|kept| kept == item)).copied()
    }

    /// The number of the item, kept from now on.
    pub(crate) fn keep(&mut self, item: &T) -> u32
    where
        for<'a> Box<T>: From<&'a T>,
    {
        if let Some(at) = self.find(item) {
            return at;
        }
        let at = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.items.push(Box::from(item));
        let (items, hasher) = (&self.items, &self.hasher);
        let rehash = |at: &u32| items.get(*at as usize).map_or(0, |kept| hasher.hash_one(kept.as_ref()));
        self.table.insert_unique(hasher.hash_one(item), at, rehash);
        at
    }

    /// The item of that number.
    #[inline]
    pub(crate) fn get(&self, at: u32) -> Option<&T> {
        self.items.get(at as usize).map(AsRef::as_ref)
    }

    pub(crate) fn clear(&mut self) {
        if !self.items.is_empty() {
            self.items.clear();
            self.table.clear();
        }
    }
}
