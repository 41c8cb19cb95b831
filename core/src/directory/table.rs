//! Rows by number and by id. A number is assigned once in a generation and does not change. A row
//! without a record is a name that other records refer to.
//!
//! Rows are stored in chunks, together with their ids and their other texts (a login's e-mail).

use std::sync::Arc;

use super::chunk::{ROWS, RowChunk};
use super::hash_index::HashIndex;
use super::persistent_vec::PersistentVec;

/// Marks the absence of a row.
pub(crate) const NO_ROW: u32 = u32::MAX;
/// Upper bound of row numbers, exclusive. A number below it fits an entity's number together with
/// its kind.
const MAX_ROWS: u32 = (1 << crate::vm::KIND_SHIFT) - 1;
const ROWS_BITS: u32 = ROWS.trailing_zeros();

/// Fixed-size fields of a record; its texts are stored beside the row. The default value stands for
/// no record.
pub(crate) trait TableRow: Copy + Default {
    /// Returns whether the row has a record.
    fn exists(&self) -> bool;
}

/// A table of rows. Cheap to clone; clones share the chunks that neither of them changes.
#[derive(Debug)]
pub(crate) struct Table<R> {
    chunks: PersistentVec<RowChunk<R>>,
    /// Number of ids that have a row number.
    names: u32,
    /// Number of ids that have a record.
    rows: u32,
    index: Arc<HashIndex>,
}

impl<R> Clone for Table<R> {
    fn clone(&self) -> Self {
        Self {
            chunks: self.chunks.clone(),
            names: self.names,
            rows: self.rows,
            index: Arc::clone(&self.index),
        }
    }
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self {
            chunks: PersistentVec::default(),
            names: 0,
            rows: 0,
            index: Arc::default(),
        }
    }
}

/// Returns the chunk of a row number, and the position in the chunk.
#[inline]
fn parts(number: u32) -> (usize, usize) {
    ((number >> ROWS_BITS) as usize, number as usize & (ROWS - 1))
}

impl<R: TableRow> Table<R> {
    #[inline(always)]
    fn place(&self, number: u32) -> Option<(&RowChunk<R>, usize)> {
        let (chunk, at) = parts(number);
        Some((self.chunks.get(chunk)?, at))
    }

    /// Returns whether the row of this number has the given id.
    #[inline(always)]
    pub(crate) fn is(&self, number: u32, id: &str) -> bool {
        self.place(number)
            .and_then(|(chunk, at)| chunk.id(at))
            .is_some_and(|known| crate::util::text::same_bytes(known, id.as_bytes()))
    }

    /// Returns the number of an id, whether or not it has a record.
    #[inline(always)]
    pub(crate) fn number(&self, id: &str) -> Option<u32> {
        self.index.find(self.hash(id), |number| self.is(number, id))
    }

    /// Returns the hash under which an id is indexed.
    #[inline(always)]
    fn hash(&self, id: &str) -> u32 {
        self.index.hash(id.as_bytes())
    }

    /// Returns the hash of an id, and the first slot of that hash.
    #[inline(always)]
    pub(crate) fn hash_slot(&self, id: &str) -> (u32, u64) {
        let hash = self.hash(id);
        (hash, self.index.home_slot(hash))
    }

    /// Like [`Table::number`], with the result of [`Table::hash_slot`].
    #[inline(always)]
    pub(crate) fn row_at_slot(&self, (hash, slot): (u32, u64), id: &str) -> Option<u32> {
        self.index
            .find_from_slot(hash, slot, |number| self.is(number, id))
    }

    /// Returns the number of ids that have a row number.
    pub(crate) fn names(&self) -> u32 {
        self.names
    }

    /// Returns the number of records.
    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// Returns the row of a record, or `None` if the number has no record.
    #[inline(always)]
    pub(crate) fn row(&self, number: u32) -> Option<&R> {
        self.place(number)
            .and_then(|(chunk, at)| chunk.row(at))
            .filter(|row| row.exists())
    }

    /// Returns the number and row of an id, or `None` if the id has no record.
    #[inline]
    pub(crate) fn find(&self, id: &str) -> Option<(u32, &R)> {
        let number = self.number(id)?;
        Some((number, self.row(number)?))
    }

    /// Returns the id of a row number.
    pub(crate) fn id(&self, number: u32) -> Option<&str> {
        let (chunk, at) = self.place(number)?;
        std::str::from_utf8(chunk.id(at)?).ok()
    }

    /// Returns the second text of a row: a login's e-mail.
    pub(crate) fn more(&self, number: u32) -> Option<&str> {
        let (chunk, at) = self.place(number)?;
        std::str::from_utf8(chunk.more(at)?).ok()
    }

    /// Returns the id and the second text as bytes, without UTF-8 validation.
    pub(super) fn bytes(&self, number: u32) -> Option<(&[u8], &[u8])> {
        let (chunk, at) = self.place(number)?;
        Some((chunk.id(at)?, chunk.more(at)?))
    }

    /// Returns the number of an id, and assigns one if it has none. Returns [`NO_ROW`] if no number
    /// is free.
    pub(crate) fn name(&mut self, id: &str) -> u32 {
        self.number(id)
            .unwrap_or_else(|| self.put_new(id, R::default(), ""))
    }

    /// Puts the record of an id. Returns its number and the previous row. The number is [`NO_ROW`]
    /// if none is free.
    pub(super) fn put(&mut self, id: &str, row: R, more: &str) -> (u32, R) {
        match self.number(id) {
            Some(number) => {
                let old = self.row(number).copied().unwrap_or_default();
                self.set(number, row, Some(more));
                (number, old)
            }
            None => (self.put_new(id, row, more), R::default()),
        }
    }

    fn put_new(&mut self, id: &str, row: R, more: &str) -> u32 {
        let number = self.names;
        let (chunk, at) = parts(number);
        if number >= MAX_ROWS {
            return NO_ROW;
        }
        if chunk >= self.chunks.len() {
            self.chunks.push(RowChunk::new());
        }
        let Some(chunk) = self.chunks.get_mut(chunk) else {
            return NO_ROW;
        };
        chunk.put(at, row, id.as_bytes(), more.as_bytes());
        self.names = number.saturating_add(1);
        self.rows = self.rows.saturating_add(u32::from(row.exists()));
        if self.index.is_full() {
            self.index = Arc::new(self.index.grown());
        }
        self.index.insert(self.index.hash(id.as_bytes()), number);
        number
    }

    /// Writes the row of an assigned number. Without `more`, the second text stays.
    pub(super) fn set(&mut self, number: u32, row: R, more: Option<&str>) {
        let Some((id, known)) = self.bytes(number) else {
            return;
        };
        let (id, more) = (
            id.to_vec(),
            more.map_or_else(|| known.to_vec(), |more| more.as_bytes().to_vec()),
        );
        let before = self.row(number).is_some();
        self.rows = self
            .rows
            .saturating_sub(u32::from(before))
            .saturating_add(u32::from(row.exists()));
        let (chunk, at) = parts(number);
        if let Some(chunk) = self.chunks.get_mut(chunk) {
            chunk.put(at, row, &id, &more);
        }
    }

    /// Removes the record of a number; its id stays as a name.
    pub(super) fn remove(&mut self, number: u32) {
        self.set(number, R::default(), Some(""));
    }

    /// Returns every number that has a record.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.names).filter(|number| self.row(*number).is_some())
    }

    /// Returns whether the index should grow or be rebuilt.
    pub(super) fn is_filling(&self) -> bool {
        self.index.needs_growth()
    }

    /// Grows the index. Rebuilds it instead if most of its entries are from failed transactions.
    pub(super) fn make_room(&mut self) {
        if self.index.used() / 2 < self.names as usize {
            self.index = Arc::new(self.index.grown());
            return;
        }
        let fresh = self.index.to_empty(self.names as usize);
        for number in 0..self.names {
            if let Some((id, _)) = self.bytes(number) {
                fresh.insert(fresh.hash(id), number);
            }
        }
        self.index = Arc::new(fresh);
    }

    /// Frees the memory that an import no longer needs.
    pub(super) fn settle(&mut self) {
        for chunk in 0..self.chunks.len() {
            if let Some(chunk) = self
                .chunks
                .get_mut(chunk)
                .filter(|chunk| chunk.is_fragmented())
            {
                chunk.shrink_to_fit();
            }
        }
    }

    /// Returns the number of chunks that this version does not share with `other`.
    #[cfg(test)]
    pub(super) fn apart(&self, other: &Self) -> usize {
        self.chunks.count_unshared(&other.chunks)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    struct Step(Option<u64>);

    impl TableRow for Step {
        fn exists(&self) -> bool {
            self.0.is_some()
        }
    }

    type Model = BTreeMap<String, (u64, String)>;

    /// Rows keep their numbers, and earlier versions keep their rows.
    #[test]
    fn table_agrees_with_map_in_every_version() {
        let (mut table, mut plain) = (Table::<Step>::default(), Model::new());
        let mut numbers = BTreeMap::new();
        let mut seed = 7_u64;
        let mut snapshots: Vec<(Table<Step>, Model)> = Vec::new();
        for step in 0..20_000_u64 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let id = format!("id-{}", (seed >> 33) % 3_000);
            // Every third transaction fails, so its version is dropped.
            let before = seed.is_multiple_of(3).then(|| table.clone());
            if (seed >> 20).is_multiple_of(5) {
                let number = table.name(&id);
                table.remove(number);
            } else {
                let more = "x".repeat(usize::try_from(seed >> 50).expect("few") % 300);
                let (number, _) = table.put(&id, Step(Some(step)), &more);
                if before.is_none() {
                    assert_eq!(*numbers.entry(id.clone()).or_insert(number), number);
                    plain.insert(id.clone(), (step, more));
                }
            }
            match before {
                Some(before) => table = before,
                None if table.find(&id).is_none() => drop(plain.remove(&id)),
                None => {}
            }
            if step.is_multiple_of(4_000) {
                snapshots.push((table.clone(), plain.clone()));
            }
            if table.is_filling() {
                table.make_room();
            }
        }
        table.settle();
        snapshots.push((table, plain));
        for (table, plain) in snapshots {
            assert_eq!(
                (table.numbers().count(), table.rows() as usize),
                (plain.len(), plain.len())
            );
            for (id, (row, more)) in &plain {
                let (number, found) = table.find(id).expect("a row");
                assert_eq!(
                    (found.0, table.id(number), table.more(number)),
                    (Some(*row), Some(id.as_str()), Some(more.as_str()))
                );
            }
            assert!(table.find("nobody").is_none());
        }
    }

    #[test]
    fn texts_are_stored_and_garbage_collected() {
        let mut table = Table::<Step>::default();
        let long = "ü".repeat(500_000);
        let (number, _) = table.put(&long, Step(Some(1)), "a");
        table.put("", Step(Some(2)), &"b".repeat(127));
        for step in 0..1_000_u64 {
            table.set(
                number,
                Step(Some(step)),
                Some(&"c".repeat(usize::try_from(step).expect("few"))),
            );
        }
        let (chunk, _) = table.place(number).expect("a chunk");
        assert!(chunk.size() < 2_100_000, "{}", chunk.size());
        assert_eq!(
            (
                table.find(&long).map(|(_, row)| row.0),
                table.more(number).map(str::len)
            ),
            (Some(Some(999)), Some(999))
        );
        assert_eq!(
            table
                .find("")
                .map(|(number, _)| table.more(number).map(str::len)),
            Some(Some(127))
        );
    }

    #[test]
    fn change_of_large_table_copies_one_chunk() {
        let mut table = Table::<Step>::default();
        for step in 0..50_000_u64 {
            table.put(&format!("id-{step}"), Step(Some(step)), "e");
        }
        let old = table.clone();
        table.put("id-31000", Step(Some(0)), "another text");
        table.put("new", Step(Some(1)), "");
        assert_eq!(table.apart(&old), 2);
        assert_eq!(
            (old.find("new"), old.find("id-31000").map(|(_, row)| row.0)),
            (None, Some(Some(31_000)))
        );
    }
}
