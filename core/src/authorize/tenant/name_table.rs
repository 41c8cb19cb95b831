//! Names numbered in order of insertion, found by one hash look-up.

use crate::directory::HashIndex;
use crate::util::text::same;

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
