//! The figures that all owners share, each with the instant from which it holds (B8): price, order,
//! days of grace, and the included clients of each package.
//!
//! They are one document of the store. So all processes compute with equal figures, whichever
//! bundle they have loaded: those of the bundle that a process opened or reloaded last.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::model::catalog::{Catalog, CountedKind, ExcessOrder};
use crate::model::limit::Limit;
use crate::model::package::Package;
use crate::store::CountTx;
use crate::util::error::Error;

/// The account whose documents belong to the store as a whole. No account has the empty id.
pub(crate) const STORE_ACCOUNT: &str = "";

const DOCUMENT: &str = "billing_figures";

/// The number of changes that are kept of each figure. Older months take the oldest one kept.
const MAX_CHANGES: usize = 120;

/// Figures with the instant from which they hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct DatedFigures<T> {
    from: i64,
    figures: T,
}

/// The figures of a catalog.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct CatalogFigures {
    pub(super) price: u64,
    pub(super) order: ExcessOrder,
    pub(super) grace_days: u32,
    included: BTreeMap<String, Limit>,
}

/// The figures of a package record of the directory, which precedes a package of the catalog.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct PackageFigures {
    exists: bool,
    included: Option<Limit>,
}

/// The figures that all owners share, with their changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FigureHistory {
    /// The instant at which the store began to keep the figures.
    pub(super) since: i64,
    catalogs: Vec<DatedFigures<CatalogFigures>>,
    packages: BTreeMap<String, Vec<DatedFigures<PackageFigures>>>,
}

/// Returns the figures at an instant, or the oldest ones.
fn figures_at<T>(dated: &[DatedFigures<T>], at: i64) -> Option<&T> {
    let known = dated.iter().rev().find(|known| known.from <= at);
    known.or_else(|| dated.first()).map(|known| &known.figures)
}

/// Adds figures, unless the last ones are equal. Returns whether it did.
fn add_figures<T: PartialEq>(dated: &mut Vec<DatedFigures<T>>, from: i64, figures: T) -> bool {
    if dated.last().is_some_and(|last| last.figures == figures) {
        return false;
    }
    dated.push(DatedFigures { from, figures });
    let surplus = dated.len().saturating_sub(MAX_CHANGES);
    drop(dated.drain(..surplus));
    true
}

impl FigureHistory {
    /// Returns the history that begins now with the present figures.
    pub(crate) fn begin(catalog: &Catalog, directory: &Directory, now: i64) -> Self {
        let mut history = Self {
            since: now,
            catalogs: Vec::new(),
            packages: BTreeMap::new(),
        };
        history.add_catalog(catalog, now);
        history.add_packages(catalog, directory, now);
        history
    }

    /// Reads the history of the store.
    pub(crate) fn read(tx: &mut dyn CountTx) -> Result<Option<Self>, Error> {
        let Some(text) = tx.document(STORE_ACCOUNT, DOCUMENT)? else {
            return Ok(None);
        };
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|error| Error::StoreCorrupt {
            store: "billing".to_owned(),
            reason: format!("`{DOCUMENT}`: {error}"),
        })
    }

    /// Writes the history to the store.
    pub(crate) fn write(&self, tx: &mut dyn CountTx) -> Result<(), Error> {
        let text = serde_json::to_string(self).map_err(|error| Error::Stream {
            reason: error.to_string(),
        })?;
        tx.write_document(STORE_ACCOUNT, DOCUMENT, &text)
    }

    /// Adds the figures of a catalog. Returns whether they are new.
    pub(crate) fn add_catalog(&mut self, catalog: &Catalog, now: i64) -> bool {
        let included = |package: &Package| {
            let limit = package.limit(clients_meter(catalog)?)?;
            Some((package.id().to_owned(), limit))
        };
        let figures = CatalogFigures {
            price: catalog.excess_client_cents(),
            order: catalog.excess_order(),
            grace_days: catalog.grace_days(),
            included: catalog.packages().filter_map(included).collect(),
        };
        add_figures(&mut self.catalogs, now, figures)
    }

    /// Adds the figures of the directory's packages. Returns whether some are new.
    pub(crate) fn add_packages(
        &mut self,
        catalog: &Catalog,
        directory: &Directory,
        now: i64,
    ) -> bool {
        let mut present: BTreeMap<&str, PackageFigures> = self
            .packages
            .keys()
            .map(|id| (id.as_str(), PackageFigures::default()))
            .collect();
        for package in directory.own_packages() {
            let included = clients_meter(catalog).and_then(|meter| package.limit(meter));
            let exists = true;
            present.insert(package.id(), PackageFigures { exists, included });
        }
        let present: Vec<(String, PackageFigures)> = present
            .into_iter()
            .map(|(id, figures)| (id.to_owned(), figures))
            .collect();
        let mut is_new = false;
        for (id, figures) in present {
            // A package that is new stood in the catalog before, or nowhere.
            let dated = self.packages.entry(id).or_insert_with(|| {
                vec![DatedFigures {
                    from: i64::MIN,
                    figures: PackageFigures::default(),
                }]
            });
            is_new |= add_figures(dated, now, figures);
        }
        is_new
    }

    /// Returns the figures of the catalog at an instant.
    pub(super) fn catalog_at(&self, at: i64) -> CatalogFigures {
        figures_at(&self.catalogs, at).cloned().unwrap_or_default()
    }

    /// Returns the clients that a package includes at an instant, if it states a number.
    pub(super) fn included_at(&self, package: &str, at: i64) -> Option<Limit> {
        let own = self.packages.get(package);
        let own = own.and_then(|dated| figures_at(dated, at));
        match own.filter(|figures| figures.exists) {
            Some(figures) => figures.included,
            None => figures_at(&self.catalogs, at)?
                .included
                .get(package)
                .copied(),
        }
    }
}

/// Returns the stock that counts clients.
fn clients_meter(catalog: &Catalog) -> Option<&str> {
    let mut counted = catalog.counted();
    counted
        .find(|(_, what)| *what == CountedKind::Clients)
        .map(|(meter, _)| &**meter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_hold_from_their_instant() {
        let mut dated = Vec::new();
        assert!(add_figures(&mut dated, 10, 'a') && !add_figures(&mut dated, 20, 'a'));
        assert!(add_figures(&mut dated, 30, 'b'));
        let found = [0, 10, 29, 30, 99].map(|at| figures_at(&dated, at).copied());
        assert_eq!(found, ['a', 'a', 'a', 'b', 'b'].map(Some));
    }

    #[test]
    fn number_of_figures_is_bounded() {
        let mut dated = Vec::new();
        for at in 0..1_000 {
            add_figures(&mut dated, at, at);
        }
        assert_eq!(dated.len(), MAX_CHANGES);
        assert_eq!(figures_at(&dated, 0), Some(&880));
    }
}
