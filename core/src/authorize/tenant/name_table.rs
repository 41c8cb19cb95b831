//! Names and other items, numbered in order of insertion.

use crate::directory::HashIndex;
use crate::util::text::same;

/// Names, found by one hash look-up.
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

/// Returns the place of an item in a list. Adds the item if the list does not contain it. Returns
/// `None` if the list has `limit` other items.
pub(super) fn find_or_push<T: Clone + PartialEq>(
    list: &mut Vec<T>,
    item: &T,
    limit: usize,
) -> Option<usize> {
    let end = list.len();
    let at = list.iter().position(|known| known == item).unwrap_or(end);
    if at == end && end < limit {
        list.push(item.clone());
    }
    (at < list.len()).then_some(at)
}
