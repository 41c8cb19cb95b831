//! Chunks of a table: rows and their ids, with the other texts beside them.

use super::table::{NO_ROW, TableRow};

/// Number of rows in a chunk.
pub(super) const ROWS: usize = 128;

/// Maximum length of an id that is stored inline, without an access to the texts.
const SHORT: usize = 31;

/// A short id, stored at the position of its row, so that it is found without reading the row.
#[derive(Debug, Clone, Copy)]
struct InlineId {
    /// Length of the id, or [`LONG`].
    length: u8,
    bytes: [u8; SHORT],
}

/// Marks an id that is stored with the other texts.
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
    /// Offset of the row's texts, or [`NO_ROW`] while the number is not assigned.
    text: u32,
    row: R,
}

/// A chunk of a table. Ids are stored apart from the rows because most rows are read by number.
#[derive(Debug, Clone)]
pub(super) struct RowChunk<R> {
    entries: [ChunkEntry<R>; ROWS],
    ids: [InlineId; ROWS],
    /// Each text as its length and its bytes.
    text: Vec<u8>,
    /// Number of bytes of `text` that are no longer used.
    garbage: usize,
}

impl<R: TableRow> RowChunk<R> {
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

    /// Returns a row, whether or not it has a record.
    #[inline(always)]
    pub(super) fn row(&self, at: usize) -> Option<&R> {
        self.entries.get(at).map(|entry| &entry.row)
    }

    /// Returns the id of a row.
    #[inline(always)]
    pub(super) fn id(&self, at: usize) -> Option<&[u8]> {
        self.ids.get(at)?.get().or_else(|| self.long_id(at))
    }

    #[cold]
    fn long_id(&self, at: usize) -> Option<&[u8]> {
        Some(split(self.texts(at)?)?.0)
    }

    /// Returns the second text of a row.
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

    /// Returns the texts of a row, and all bytes after them.
    fn texts(&self, at: usize) -> Option<&[u8]> {
        self.text.get(self.entries.get(at)?.text as usize..)
    }

    /// Appends the texts of a row. Returns its inline id and the offset of the texts.
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

    /// Writes a row. Replaced texts become garbage; the chunk is compacted when most of it is
    /// garbage.
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

    /// Returns the number of bytes that the texts of a row occupy.
    fn length(&self, at: usize) -> usize {
        let all = self.texts(at).unwrap_or_default();
        all.len().saturating_sub(left(all, self.is_long(at)).len())
    }

    /// Returns the number of bytes that the texts of the chunk occupy.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.text.len()
    }

    /// Returns whether the chunk holds memory that it does not need.
    pub(super) fn is_fragmented(&self) -> bool {
        self.garbage > 0 || self.text.capacity() > self.text.len()
    }

    /// Frees the memory that the chunk does not need.
    pub(super) fn shrink_to_fit(&mut self) {
        if self.garbage > 0 {
            self.compact();
        }
        self.text.shrink_to_fit();
    }

    /// Copies the used texts to a new buffer without spare capacity.
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

/// Returns the bytes after a row's texts. A row has one text, or two if its id is long.
fn left(all: &[u8], long: bool) -> &[u8] {
    let rest = if long {
        split(all).map(|(_, rest)| rest)
    } else {
        Some(all)
    };
    rest.and_then(split).map_or(&[], |(_, left)| left)
}

/// Returns the lowest seven bits.
#[allow(clippy::cast_possible_truncation, reason = "no more are left")]
fn low(length: usize) -> u8 {
    (length & 127) as u8
}

/// Splits the first text from the bytes after it.
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
