//! The pieces of a table: rows, their ids, and beside them the other texts.

use super::table::{NO_ROW, Row};

/// Rows of a chunk.
pub(super) const ROWS: usize = 128;

/// The longest id that needs no look at the texts.
const SHORT: usize = 31;

/// A short id, in the place of its row: it is found without a look at the row.
#[derive(Debug, Clone, Copy)]
struct InlineId {
    /// Or [`LONG`].
    length: u8,
    bytes: [u8; SHORT],
}

/// The id stands with the other texts.
const LONG: u8 = u8::MAX;

impl InlineId {
    const LONG: Self = Self {
        length: LONG,
        bytes: [0; SHORT],
    };

    fn new(id: &[u8]) -> Self {
        let mut short = Self::LONG;
        if let (Some(place), Ok(length)) = (short.bytes.get_mut(..id.len()), u8::try_from(id.len()))
        {
            place.copy_from_slice(id);
            short.length = length;
        }
        short
    }

    #[inline(always)]
    fn get(&self) -> Option<&[u8]> {
        self.bytes.get(..usize::from(self.length))
    }
}

#[derive(Debug, Clone, Copy)]
struct ChunkEntry<R> {
    /// Where its other texts begin, or [`NO_ROW`] while the number is not given.
    text: u32,
    row: R,
}

/// A piece of a table. Ids stand apart from rows: most rows are read by number.
#[derive(Debug, Clone)]
pub(super) struct Chunk<R> {
    entries: [ChunkEntry<R>; ROWS],
    ids: [InlineId; ROWS],
    /// For each text its length and its bytes.
    text: Vec<u8>,
    /// How many bytes of it nobody reads any more.
    garbage: usize,
}

impl<R: Row> Chunk<R> {
    pub(super) fn new() -> Self {
        Self {
            entries: [ChunkEntry {
                text: NO_ROW,
                row: R::default(),
            }; ROWS],
            ids: [InlineId::LONG; ROWS],
            text: Vec::new(),
            garbage: 0,
        }
    }

    /// A row, whether or not there is a record.
    #[inline(always)]
    pub(super) fn row(&self, at: usize) -> Option<&R> {
        self.entries.get(at).map(|entry| &entry.row)
    }

    /// The id of a row.
    #[inline(always)]
    pub(super) fn id(&self, at: usize) -> Option<&[u8]> {
        self.ids.get(at)?.get().or_else(|| self.long_id(at))
    }

    #[cold]
    fn long_id(&self, at: usize) -> Option<&[u8]> {
        Some(split(self.texts(at)?)?.0)
    }

    /// What else is kept in words of a row.
    pub(super) fn more(&self, at: usize) -> Option<&[u8]> {
        let texts = self.texts(at)?;
        let text = if self.is_long(at) {
            split(texts)?.1
        } else {
            texts
        };
        Some(split(text)?.0)
    }

    fn is_long(&self, at: usize) -> bool {
        self.ids.get(at).is_none_or(|id| id.length == LONG)
    }

    /// The texts of a row, and whatever follows.
    fn texts(&self, at: usize) -> Option<&[u8]> {
        self.text.get(self.entries.get(at)?.text as usize..)
    }

    /// Writes the texts of a row, and says where.
    fn write(&mut self, id: &[u8], more: &[u8]) -> (InlineId, u32) {
        let short = InlineId::new(id);
        let id = if short.length == LONG { Some(id) } else { None };
        let needed = id
            .map_or(0, <[u8]>::len)
            .saturating_add(more.len())
            .saturating_add(20);
        if self.text.capacity().saturating_sub(self.text.len()) < needed {
            self.text.reserve_exact(needed.max(self.text.len() / 8));
        }
        let at = u32::try_from(self.text.len()).unwrap_or(NO_ROW);
        for text in id.into_iter().chain([more]) {
            let mut length = text.len();
            while length > 127 {
                self.text.push(low(length) | 128);
                length >>= 7;
            }
            self.text.push(low(length));
            self.text.extend_from_slice(text);
        }
        (short, at)
    }

    /// Writes a row anew. Its old texts become garbage, which goes when it is most of the chunk.
    pub(super) fn put(&mut self, at: usize, row: R, id: &[u8], more: &[u8]) {
        if self.id(at) != Some(id) || self.more(at) != Some(more) {
            self.garbage = self.garbage.saturating_add(self.length(at));
            let (short, text) = self.write(id, more);
            if let (Some(id), Some(entry)) = (self.ids.get_mut(at), self.entries.get_mut(at)) {
                *id = short;
                entry.text = text;
            }
        }
        if let Some(entry) = self.entries.get_mut(at) {
            entry.row = row;
        }
        if self.garbage > self.text.len() / 2 {
            self.compact();
        }
    }

    /// How many bytes the texts of a row take.
    fn length(&self, at: usize) -> usize {
        let all = self.texts(at).unwrap_or_default();
        all.len().saturating_sub(left(all, self.is_long(at)).len())
    }

    /// How many bytes its texts take.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.text.len()
    }

    /// Whether it keeps bytes that it does not need.
    pub(super) fn is_fragmented(&self) -> bool {
        self.garbage > 0 || self.text.capacity() > self.text.len()
    }

    /// Gives back what it does not need.
    pub(super) fn shrink_to_fit(&mut self) {
        if self.garbage > 0 {
            self.compact();
        }
        self.text.shrink_to_fit();
    }

    /// Leaves what is read, and no room to spare.
    fn compact(&mut self) {
        let old = std::mem::take(&mut self.text);
        self.text
            .reserve_exact(old.len().saturating_sub(self.garbage));
        for (entry, id) in self.entries.iter_mut().zip(&self.ids) {
            let Some(all) = old.get(entry.text as usize..) else {
                continue;
            };
            let left = left(all, id.length == LONG).len();
            entry.text = u32::try_from(self.text.len()).unwrap_or(NO_ROW);
            self.text.extend_from_slice(
                all.get(..all.len().saturating_sub(left))
                    .unwrap_or_default(),
            );
        }
        self.garbage = 0;
    }
}

/// What follows a row's texts: one, or two with a long id.
fn left(all: &[u8], long: bool) -> &[u8] {
    let rest = if long {
        split(all).map(|(_, rest)| rest)
    } else {
        Some(all)
    };
    rest.and_then(split).map_or(&[], |(_, left)| left)
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
    if *first < 128 {
        rest.split_at_checked(usize::from(*first))
    } else {
        split_long(text)
    }
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
