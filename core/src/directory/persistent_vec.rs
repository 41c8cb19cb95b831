//! A persistent vector: versions share its pieces. A change copies one piece and the nodes above
//! it, whatever the length.

use std::sync::Arc;

/// Number of pieces of one node.
const WIDTH: usize = 128;
const WIDTH_BITS: u32 = WIDTH.trailing_zeros();

/// Pieces by their position. Cheap to clone.
#[derive(Debug)]
pub(super) struct PersistentVec<C> {
    nodes: Arc<[TreeNode<C>]>,
}

type TreeNode<C> = Arc<[Arc<C>]>;

impl<C> Clone for PersistentVec<C> {
    fn clone(&self) -> Self {
        Self {
            nodes: Arc::clone(&self.nodes),
        }
    }
}

impl<C> Default for PersistentVec<C> {
    fn default() -> Self {
        Self {
            nodes: Arc::from([]),
        }
    }
}

impl<C: Clone> PersistentVec<C> {
    #[inline(always)]
    pub(super) fn get(&self, at: usize) -> Option<&C> {
        let piece = self.nodes.get(at >> WIDTH_BITS)?.get(at & (WIDTH - 1))?;
        Some(piece)
    }

    /// Returns a piece for changing. It is copied first if another version shares it.
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut C> {
        let node = Arc::make_mut(&mut self.nodes).get_mut(at >> WIDTH_BITS)?;
        Some(Arc::make_mut(
            Arc::make_mut(node).get_mut(at & (WIDTH - 1))?,
        ))
    }

    pub(super) fn push(&mut self, piece: C) {
        let piece = Arc::new(piece);
        match Arc::make_mut(&mut self.nodes)
            .last_mut()
            .filter(|last| last.len() < WIDTH)
        {
            Some(last) => *last = last.iter().cloned().chain([piece]).collect(),
            None => {
                self.nodes = self
                    .nodes
                    .iter()
                    .cloned()
                    .chain([TreeNode::from([piece])])
                    .collect();
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.last().map_or(0, |last| {
            ((self.nodes.len().saturating_sub(1)) << WIDTH_BITS).saturating_add(last.len())
        })
    }

    /// Returns the number of pieces that this version does not share with `other`.
    #[cfg(test)]
    pub(super) fn count_unshared(&self, other: &Self) -> usize {
        let pieces = |tree: &Self| {
            tree.nodes
                .iter()
                .flat_map(|node| node.iter())
                .cloned()
                .collect::<Vec<_>>()
        };
        let others = pieces(other);
        pieces(self)
            .iter()
            .enumerate()
            .filter(|(at, piece)| {
                others
                    .get(*at)
                    .is_none_or(|other| !Arc::ptr_eq(piece, other))
            })
            .count()
    }
}

/// Number of values in one piece of a column.
const PIECE: usize = 256;
const PIECE_BITS: u32 = PIECE.trailing_zeros();

/// Fixed-size values by number.
#[derive(Debug)]
pub(super) struct PersistentColumn<T> {
    pieces: PersistentVec<[T; PIECE]>,
    len: u32,
}

impl<T> Clone for PersistentColumn<T> {
    fn clone(&self) -> Self {
        Self {
            pieces: self.pieces.clone(),
            len: self.len,
        }
    }
}

impl<T> Default for PersistentColumn<T> {
    fn default() -> Self {
        Self {
            pieces: PersistentVec::default(),
            len: 0,
        }
    }
}

impl<T: Copy> PersistentColumn<T> {
    pub(super) fn get(&self, at: u32) -> Option<T> {
        let at = at as usize;
        self.pieces
            .get(at >> PIECE_BITS)?
            .get(at & (PIECE - 1))
            .copied()
    }

    /// Sets the value at a number. New values between the old end and the number become `rest`.
    pub(super) fn set(&mut self, at: u32, value: T, rest: T) {
        let place = at as usize;
        while self.pieces.len() <= place >> PIECE_BITS {
            self.pieces.push([rest; PIECE]);
        }
        if let Some(slot) = self
            .pieces
            .get_mut(place >> PIECE_BITS)
            .and_then(|piece| piece.get_mut(place & (PIECE - 1)))
        {
            *slot = value;
        }
        self.len = self.len.max(at.saturating_add(1));
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    #[cfg(test)]
    pub(super) fn count_unshared(&self, other: &Self) -> usize {
        self.pieces.count_unshared(&other.pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Earlier versions keep their items.
    #[test]
    fn change_copies_one_chunk() {
        let mut column = PersistentColumn::default();
        for at in 0..100_000_u32 {
            column.set(at, at, 0);
        }
        let old = column.clone();
        column.set(77_777, 1, 0);
        column.set(100_000, 2, 0);
        assert_eq!(
            (
                old.get(77_777),
                column.get(77_777),
                column.get(100_000),
                old.len(),
                column.len()
            ),
            (Some(77_777), Some(1), Some(2), 100_000, 100_001)
        );
        assert_eq!(column.count_unshared(&old), 2);
        assert!(
            (0..100_000)
                .filter(|at| *at != 77_777)
                .all(|at| column.get(at) == Some(at))
        );
    }
}
