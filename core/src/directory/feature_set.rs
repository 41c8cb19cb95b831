//! Features by index: the first 64 are bits of a row, the others are stored in a list.

use std::sync::Arc;

use hashbrown::HashMap;

/// Every feature that a bundle or a record of this directory ever named. An index never changes its
/// meaning.
#[derive(Debug, Clone, Default)]
pub(super) struct FeatureTable {
    names: Vec<Arc<str>>,
    places: HashMap<Arc<str>, u32>,
    /// Features that the current bundle declares.
    declared: FeatureSet,
}

/// A set of features.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FeatureSet {
    /// One bit for each of the first 64 features.
    pub(super) low: u64,
    /// Indexes of the other features, sorted.
    pub(super) more: Vec<u32>,
}

impl FeatureSet {
    fn insert(&mut self, place: u32) {
        match 1_u64.checked_shl(place) {
            Some(bit) => self.low |= bit,
            None => {
                if let Err(at) = self.more.binary_search(&place) {
                    self.more.insert(at, place);
                }
            }
        }
    }
}

/// Returns the indexes of a set, in order.
pub(crate) fn feature_indexes(low: u64, more: &[u32]) -> impl Iterator<Item = u32> + '_ {
    (0..64_u32)
        .filter(move |place| low.checked_shr(*place).unwrap_or(0) & 1 == 1)
        .chain(more.iter().copied())
}

impl FeatureTable {
    pub(super) fn feature_index(&self, name: &str) -> Option<u32> {
        self.places.get(name).copied()
    }

    pub(super) fn name(&self, place: u32) -> Option<&str> {
        self.names.get(place as usize).map(AsRef::as_ref)
    }

    /// Returns the set of these names, or `None` if one is unknown.
    pub(super) fn known<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Option<FeatureSet> {
        let mut set = FeatureSet::default();
        for name in names {
            set.insert(self.feature_index(name)?);
        }
        Some(set)
    }

    /// Returns the set of these names. An undeclared name is given an index too, so that the checks
    /// can report it.
    pub(super) fn set<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> FeatureSet {
        let mut set = FeatureSet::default();
        for name in names {
            let place = self.feature_index(name).unwrap_or_else(|| {
                let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                let name: Arc<str> = Arc::from(name);
                self.names.push(Arc::clone(&name));
                self.places.insert(name, place);
                place
            });
            set.insert(place);
        }
        set
    }

    /// Replaces the declared features by those of a bundle.
    pub(super) fn declare(&mut self, names: &[&str]) {
        self.declared = self.set(names.iter().copied());
    }

    /// Returns the alphabetically first name of the set that the bundle does not declare.
    pub(super) fn undeclared(&self, low: u64, more: &[u32]) -> Option<&str> {
        let beyond = more
            .iter()
            .copied()
            .filter(|place| self.declared.more.binary_search(place).is_err());
        let low = low & !self.declared.low;
        feature_indexes(low, &[])
            .chain(beyond)
            .filter_map(|place| self.name(place))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Features after the first 64 are stored as numbers. Of several undeclared features the first
    /// in alphabetical order is reported.
    #[test]
    fn features_beyond_bits_are_stored() {
        let names: Vec<String> = (0..70).map(|at| format!("f{at:02}")).collect();
        let mut features = FeatureTable::default();
        features.declare(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let set = features.set(["f69", "f03", "f64", "f69"]);
        assert_eq!(
            set,
            FeatureSet {
                low: 8,
                more: vec![64, 69]
            }
        );
        assert_eq!(
            feature_indexes(set.low, &set.more).collect::<Vec<_>>(),
            [3, 64, 69]
        );
        assert_eq!(features.undeclared(set.low, &set.more), None);
        assert_eq!(features.known(["f00", "zz"]), None);
        let set = features.set(["zz", "f00", "aa"]);
        assert_eq!(features.undeclared(set.low, &set.more), Some("aa"));
        features.declare(&["zz", "aa"]);
        assert_eq!(features.undeclared(set.low, &set.more), Some("f00"));
    }
}
