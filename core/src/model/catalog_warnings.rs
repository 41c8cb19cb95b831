//! Warnings about a catalog: meters about which a package is silent (L9), built-in levels that do
//! not say what they leave out (L10).

use std::collections::BTreeSet;

use super::catalog::{Catalog, CountedKind};
use super::catalog_check::CatalogFault;
use super::limit::Limits;
use super::package::Package;
use crate::util::json_place::Step;

impl Catalog {
    /// Returns a warning for each list of limits that leaves out meters, because their limit is
    /// then 0 (L9).
    pub(crate) fn silent_packages<'a>(
        &'a self,
        meters: &'a BTreeSet<String>,
    ) -> Vec<CatalogFault<'a>> {
        let mut warnings = Vec::new();
        for package in self.packages() {
            let own = meters.iter().filter(|meter| {
                !package.limits().contains_key(*meter) && !self.is_said_elsewhere(package, meter)
            });
            warnings.extend(silence(package, "limits", own));
            if package.is_whitelabel() {
                let limits = package.client_limits();
                let of_clients = meters
                    .iter()
                    .filter(|meter| self.is_missing_for_client(limits, meter));
                warnings.extend(silence(package, "client_limits", of_clients));
            }
        }
        warnings
    }

    fn counts_clients(&self, meter: &str) -> bool {
        let counts = self.meter(meter).and_then(|meter| meter.counts);
        counts == Some(CountedKind::Clients)
    }

    /// Returns whether the package states the meter as `client_accounts`, or cannot have clients.
    fn is_said_elsewhere(&self, package: &Package, meter: &str) -> bool {
        self.counts_clients(meter)
            && (package.client_accounts().is_some() || !package.is_whitelabel())
    }

    /// Returns whether the limits of clients leave out a meter. Clients have no clients (C5).
    fn is_missing_for_client(&self, limits: &Limits, meter: &str) -> bool {
        !limits.contains_key(meter) && !self.counts_clients(meter)
    }

    /// Returns a warning for each built-in level without words about what it leaves out (L10).
    pub(crate) fn unworded_levels(&self) -> Vec<CatalogFault<'_>> {
        let unworded = self
            .levels()
            .filter(|level| self.level_leaves_out(level.id()).is_none());
        unworded
            .map(|level| CatalogFault {
                message: format!(
                    "access level `{}` does not say what it leaves out",
                    level.id()
                ),
                help: Some("write it in words: `\"leaves_out\": \"...\"`".to_owned()),
                steps: vec![Step::Key("levels"), Step::Id(level.id())],
                name: None,
            })
            .collect()
    }
}

/// Returns the warning about the meters that one list of a package leaves out.
fn silence<'a>(
    package: &'a Package,
    list: &'static str,
    missing: impl Iterator<Item = &'a String>,
) -> Option<CatalogFault<'a>> {
    let missing: Vec<String> = missing.map(|meter| format!("`{meter}`")).collect();
    if missing.is_empty() {
        return None;
    }
    Some(CatalogFault {
        message: format!(
            "package `{}` is silent about {} in `{list}`, so the limit is 0",
            package.id(),
            missing.join(", ")
        ),
        help: None,
        steps: vec![Step::Key("packages"), Step::Id(package.id())],
        name: None,
    })
}
