//! Rows by number and by id. Numbers are given once in a numbering and stay; a row without a record is a name that others
//! refer to.
//!
//! Rows lie in chunks, each beside the texts of its rows: an id, and what else is read with it (a login's e-mail).

use std::sync::Arc;

use super::index::Index;
use super::tree::Tree;

/// Stands for "no number".
pub(crate) const NONE: u32 = u32::MAX;
/// Numbers stay below this: with its kind, each fits an entity's number.
const MOST: u32 = (1 << crate::eval::KIND_SHIFT) - 1;
/// Rows of a chunk.
const ROWS: usize = 128;
const ROWS_BITS: u32 = ROWS.trailing_zeros();

/// What is kept of a record, beside its texts. The default stands for none.
pub(crate) trait Row: Copy + Default {
    /// Whether there is a record.
    fn exists(&self) -> bool;
}

#[derive(Debug, Clone, Copy)]
struct Entry<R> {
    /// Where its texts begin, or [`NONE`] while the number is not given.
    text: u32,
    row: R,
}

#[derive(Debug, Clone)]
struct Chunk<R> {
    entries: [Entry<R>; ROWS],
    /// For each text its length and its bytes.
    text: Vec<u8>,
    /// How many bytes of it nobody reads any more.
    garbage: usize,
}

impl<R: Row> Chunk<R> {
    fn new() -> Self {
        Self { entries: [Entry { text: NONE, row: R::default() }; ROWS], text: Vec::new(), garbage: 0 }
    }

    /// Both texts of a row.
    #[inline]
    fn texts(&self, entry: &Entry<R>) -> Option<(&[u8], &[u8])> {
        let (id, rest) = split(self.text.get(entry.text as usize..)?)?;
        Some((id, rest))
    }

    /// Writes both texts of a row, and says where.
    fn write(&mut self, id: &[u8], more: &[u8]) -> u32 {
        let needed = id.len().saturating_add(more.len()).saturating_add(20);
        if self.text.capacity().saturating_sub(self.text.len()) < needed {
            self.text.reserve_exact(needed.max(self.text.len() / 8));
        }
        let at = u32::try_from(self.text.len()).unwrap_or(NONE);
        for text in [id, more] {
            let mut length = text.len();
            while length > 127 {
                self.text.push(low(length) | 128);
                length >>= 7;
            }
            self.text.push(low(length));
            self.text.extend_from_slice(text);
        }
        at
    }

    /// Writes a row anew. Its old texts become garbage, which goes when it is most of the chunk.
    fn put(&mut self, at: usize, row: R, id: &[u8], more: &[u8]) {
        let Some(old) = self.entries.get(at).copied() else { return };
        let same = self.texts(&old).is_some_and(|(known, rest)| known == id && split(rest).is_some_and(|(known, _)| known == more));
        let text = if same {
            old.text
        } else {
            self.garbage = self.garbage.saturating_add(self.length(&old));
            self.write(id, more)
        };
        if let Some(entry) = self.entries.get_mut(at) {
            *entry = Entry { text, row };
        }
        if self.garbage > self.text.len() / 2 {
            self.sweep();
        }
    }

    /// How many bytes the texts of a row take.
    fn length(&self, entry: &Entry<R>) -> usize {
        let all = self.text.get(entry.text as usize..).unwrap_or_default();
        let left = split(all).and_then(|(_, rest)| split(rest)).map_or(0, |(_, left)| left.len());
        all.len().saturating_sub(left)
    }

    /// Leaves what is read, and no room to spare.
    fn sweep(&mut self) {
        let old = std::mem::take(&mut self.text);
        self.text.reserve_exact(old.len().saturating_sub(self.garbage));
        for entry in &mut self.entries {
            let Some(all) = old.get(entry.text as usize..) else { continue };
            let left = split(all).and_then(|(_, rest)| split(rest)).map_or(0, |(_, left)| left.len());
            entry.text = u32::try_from(self.text.len()).unwrap_or(NONE);
            self.text.extend_from_slice(all.get(..all.len().saturating_sub(left)).unwrap_or_default());
        }
        self.garbage = 0;
    }
}

/// The lowest seven bits.
#[allow(clippy::cast_possible_truncation, reason = "no more are left")]
fn low(length: usize) -> u8 {
    (length & 127) as u8
}

/// The first text, and what follows it.
#[inline]
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = text.split_first()?;
    if *first < 128 { rest.split_at_checked(usize::from(*first)) } else { split_long(text) }
}

#[cold]
fn split_long(mut text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut length, mut shift) = (0_usize, 0_u32);
    loop {
        let (byte, rest) = text.split_first()?;
        length |= usize::from(byte & 127).checked_shl(shift)?;
        text = rest;
        if *byte < 128 {
            return text.split_at_checked(length);
        }
        shift = shift.checked_add(7)?;
    }
}

/// A table. Cheap to clone; clones share what neither changes.
#[derive(Debug)]
pub(crate) struct Table<R> {
    chunks: Tree<Chunk<R>>,
    /// How many ids have a number.
    names: u32,
    /// How many of them have a record.
    rows: u32,
    index: Arc<Index>,
}

impl<R> Clone for Table<R> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone(), names: self.names, rows: self.rows, index: Arc::clone(&self.index) }
    }
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { chunks: Tree::default(), names: 0, rows: 0, index: Arc::default() }
    }
}

/// Chunk and place in it.
#[inline]
fn parts(number: u32) -> (usize, usize) {
    ((number >> ROWS_BITS) as usize, number as usize & (ROWS - 1))
}

impl<R: Row> Table<R> {
    #[inline]
    fn entry(&self, number: u32) -> Option<(&Chunk<R>, &Entry<R>)> {
        let (chunk, at) = parts(number);
        let chunk = self.chunks.get(chunk)?;
        Some((chunk, chunk.entries.get(at)?))
    }

    /// Whether that number is the id's.
    #[inline]
    pub(crate) fn is(&self, number: u32, id: &str) -> bool {
        self.entry(number).and_then(|(chunk, entry)| chunk.texts(entry)).is_some_and(|(known, _)| crate::id::same_bytes(known, id.as_bytes()))
    }

    /// The number of an id that has one, whether or not there is a record.
    #[inline]
    pub(crate) fn number(&self, id: &str) -> Option<u32> {
        self.number_of(self.hash(id), id)
    }

    /// What an id is looked up by. Hashing several ids before the first is looked up lets their texts arrive together.
    #[inline]
    pub(crate) fn hash(&self, id: &str) -> u32 {
        self.index.hash(id.as_bytes())
    }

    /// [`Table::number`], of an id whose hash is known.
    #[inline]
    pub(crate) fn number_of(&self, hash: u32, id: &str) -> Option<u32> {
        self.index.find(hash, |number| self.is(number, id))
    }

    /// How many ids have a number.
    pub(crate) fn names(&self) -> u32 {
        self.names
    }

    /// How many records there are.
    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// The record of that number.
    #[inline]
    pub(crate) fn row(&self, number: u32) -> Option<&R> {
        self.entry(number).map(|(_, entry)| &entry.row).filter(|row| row.exists())
    }

    /// The number and record of an id that has a record.
    #[inline]
    pub(crate) fn find(&self, id: &str) -> Option<(u32, &R)> {
        let number = self.number(id)?;
        Some((number, self.row(number)?))
    }

    /// The id of that number.
    pub(crate) fn id(&self, number: u32) -> Option<&str> {
        let (chunk, entry) = self.entry(number)?;
        std::str::from_utf8(chunk.texts(entry)?.0).ok()
    }

    /// What else is kept in words: a login's e-mail.
    pub(crate) fn more(&self, number: u32) -> Option<&str> {
        let (chunk, entry) = self.entry(number)?;
        std::str::from_utf8(split(chunk.texts(entry)?.1)?.0).ok()
    }

    /// The same, as bytes that were not looked at.
    pub(super) fn bytes(&self, number: u32) -> Option<(&[u8], &[u8])> {
        let (chunk, entry) = self.entry(number)?;
        let (id, rest) = chunk.texts(entry)?;
        Some((id, split(rest)?.0))
    }

    /// The number of an id, given to it now if it had none; [`NONE`] when there are no more numbers.
    pub(crate) fn name(&mut self, id: &str) -> u32 {
        self.number(id).unwrap_or_else(|| self.put_new(id, R::default(), ""))
    }

    /// Puts the record of that id. Its number, or [`NONE`] when there are no more numbers; and the row that was there.
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
        if number >= MOST {
            return NONE;
        }
        if chunk >= self.chunks.len() {
            self.chunks.push(Chunk::new());
        }
        let Some(chunk) = self.chunks.get_mut(chunk) else { return NONE };
        chunk.put(at, row, id.as_bytes(), more.as_bytes());
        self.names = number.saturating_add(1);
        self.rows = self.rows.saturating_add(u32::from(row.exists()));
        if self.index.is_full() {
            self.index = Arc::new(self.index.grown());
        }
        self.index.insert(self.index.hash(id.as_bytes()), number);
        number
    }

    /// Writes the row of a number that is given; without `more`, that stays.
    pub(super) fn set(&mut self, number: u32, row: R, more: Option<&str>) {
        let Some((id, known)) = self.bytes(number) else { return };
        let (id, more) = (id.to_vec(), more.map_or_else(|| known.to_vec(), |more| more.as_bytes().to_vec()));
        let before = self.row(number).is_some();
        self.rows = self.rows.saturating_sub(u32::from(before)).saturating_add(u32::from(row.exists()));
        let (chunk, at) = parts(number);
        if let Some(chunk) = self.chunks.get_mut(chunk) {
            chunk.put(at, row, &id, &more);
        }
    }

    /// Takes the record of a number away; the name stays.
    pub(super) fn remove(&mut self, number: u32) {
        self.set(number, R::default(), Some(""));
    }

    /// Every number with a record.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.names).filter(|number| self.row(*number).is_some())
    }

    /// Whether the index should grow, or is mostly what failed transactions left.
    pub(super) fn is_filling(&self) -> bool {
        self.index.is_filling()
    }

    /// Makes room in the index.
    pub(super) fn make_room(&mut self) {
        if self.index.used() / 2 < self.names as usize {
            self.index = Arc::new(self.index.grown());
            return;
        }
        let fresh = self.index.emptied(self.names as usize);
        for number in 0..self.names {
            if let Some((id, _)) = self.bytes(number) {
                fresh.insert(fresh.hash(id), number);
            }
        }
        self.index = Arc::new(fresh);
    }

    /// Gives back what loading left over.
    pub(super) fn settle(&mut self) {
        for chunk in 0..self.chunks.len() {
            if let Some(chunk) = self.chunks.get_mut(chunk).filter(|chunk| chunk.garbage > 0 || chunk.text.capacity() > chunk.text.len()) {
                if chunk.garbage > 0 {
                    chunk.sweep();
                }
                chunk.text.shrink_to_fit();
            }
        }
    }

    /// How many chunks of this version the other does not have.
    #[cfg(test)]
    pub(super) fn apart(&self, other: &Self) -> usize {
        self.chunks.apart(&other.chunks)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Clone, Copy, Default, PartialEq)]
    struct Step(Option<u64>);

    impl Row for Step {
        fn exists(&self) -> bool {
            self.0.is_some()
        }
    }

    type Model = BTreeMap<String, (u64, String)>;

    #[test]
    fn a_table_is_a_map_whose_numbers_stay_and_whose_old_versions_stay_as_they_were() {
        let (mut table, mut plain) = (Table::<Step>::default(), Model::new());
        let mut numbers = BTreeMap::new();
        let mut seed = 7_u64;
        let mut kept: Vec<(Table<Step>, Model)> = Vec::new();
        for step in 0..20_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = format!("id-{}", (seed >> 33) % 3_000);
            // Every third transaction fails: its version is dropped.
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
                kept.push((table.clone(), plain.clone()));
            }
            if table.is_filling() {
                table.make_room();
            }
        }
        table.settle();
        kept.push((table, plain));
        for (table, plain) in kept {
            assert_eq!((table.numbers().count(), table.rows() as usize), (plain.len(), plain.len()));
            for (id, (row, more)) in &plain {
                let (number, found) = table.find(id).expect("a row");
                assert_eq!((found.0, table.id(number), table.more(number)), (Some(*row), Some(id.as_str()), Some(more.as_str())));
            }
            assert!(table.find("nobody").is_none());
        }
    }

    #[test]
    fn texts_of_any_length_are_kept_and_their_garbage_goes() {
        let mut table = Table::<Step>::default();
        let long = "ü".repeat(500_000);
        let (number, _) = table.put(&long, Step(Some(1)), "a");
        table.put("", Step(Some(2)), &"b".repeat(127));
        for step in 0..1_000_u64 {
            table.set(number, Step(Some(step)), Some(&"c".repeat(usize::try_from(step).expect("few"))));
        }
        let (chunk, _) = table.entry(number).expect("a chunk");
        assert!(chunk.text.len() < 2_100_000, "{}", chunk.text.len());
        assert_eq!((table.find(&long).map(|(_, row)| row.0), table.more(number).map(str::len)), (Some(Some(999)), Some(999)));
        assert_eq!(table.find("").map(|(number, _)| table.more(number).map(str::len)), Some(Some(127)));
    }

    #[test]
    fn a_change_of_a_large_table_copies_one_chunk() {
        let mut table = Table::<Step>::default();
        for step in 0..50_000_u64 {
            table.put(&format!("id-{step}"), Step(Some(step)), "e");
        }
        let old = table.clone();
        table.put("id-31000", Step(Some(0)), "another text");
        table.put("new", Step(Some(1)), "");
        assert_eq!(table.apart(&old), 2);
        assert_eq!((old.find("new"), old.find("id-31000").map(|(_, row)| row.0)), (None, Some(Some(31_000))));
    }
}
