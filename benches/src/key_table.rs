//! A map from short strings to rows, for the peer: one hash, one probe, one comparison. The key
//! stands in the row, so that a look-up in a large directory waits for memory twice: for the slot,
//! and for the row.

use std::hash::Hasher;

use rustc_hash::FxHasher;

/// The longest key.
const LONGEST: usize = 31;
const FREE: u32 = u32::MAX;

/// A row with its key before it.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Keyed<T> {
    length: u8,
    key: [u8; LONGEST],
    row: T,
}

/// Half of the hash, and where the row is.
#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    at: u32,
}

/// Rows by key, filled once.
#[derive(Debug)]
pub struct Table<T> {
    slots: Box<[Slot]>,
    rows: Vec<Keyed<T>>,
}

#[inline(always)]
fn hash(key: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(key.as_bytes());
    hasher.finish()
}

#[allow(clippy::cast_possible_truncation, reason = "the upper half is meant")]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

impl<T: Copy> Table<T> {
    /// For so many rows.
    #[must_use]
    pub fn of(rows: usize) -> Self {
        let slots = (rows * 2).next_power_of_two().max(8);
        Self {
            slots: vec![Slot { tag: 0, at: FREE }; slots].into(),
            rows: Vec::with_capacity(rows),
        }
    }

    /// One more row; gives its number.
    ///
    /// # Panics
    /// If the key is longer than the workload's, or there are more rows than was said.
    pub fn push(&mut self, key: &str, row: T) -> u32 {
        assert!(
            key.len() <= LONGEST && self.rows.len() * 2 < self.slots.len(),
            "{key}"
        );
        let at = u32::try_from(self.rows.len()).expect("a number");
        let mut keyed = Keyed {
            length: u8::try_from(key.len()).expect("a length"),
            key: [0; LONGEST],
            row,
        };
        keyed.key[..key.len()].copy_from_slice(key.as_bytes());
        self.rows.push(keyed);
        let hash = hash(key);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot].at != FREE {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = Slot { tag: tag(hash), at };
        at
    }

    /// The number and the row of that key.
    #[inline(always)]
    pub fn find(&self, key: &str) -> Option<(u32, &T)> {
        let hash = hash(key);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let Slot { tag: known, at } = self.slots[slot];
            if at == FREE {
                return None;
            }
            if known == tag(hash) {
                let keyed = &self.rows[at as usize];
                if keyed.length as usize == key.len()
                    && keyed.key[..key.len().min(LONGEST)] == *key.as_bytes()
                {
                    return Some((at, &keyed.row));
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The row of that number, whose key is this.
    #[inline(always)]
    pub fn is(&self, at: u32, key: &str) -> bool {
        let keyed = &self.rows[at as usize];
        keyed.length as usize == key.len() && keyed.key[..key.len().min(LONGEST)] == *key.as_bytes()
    }

    /// The row of that number.
    #[inline(always)]
    pub fn row(&self, at: u32) -> &T {
        &self.rows[at as usize].row
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
