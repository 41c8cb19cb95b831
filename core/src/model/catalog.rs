//! The catalog of a bundle: features and meters in words, built-in access levels, packages, the
//! price of an excess client.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::access_level::AccessLevel;
use super::package::Package;
use crate::util::error::Error;
use crate::util::json;
use crate::vm::StoredValue;

/// Whether a meter only grows in its window, or goes down again when freed (Q1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterKind {
    /// Grows in its window.
    Flow,
    /// Goes down again.
    Stock,
}

/// The window of a flow (Q9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// Never ends.
    Lifetime,
    /// Calendar day in the account's time zone.
    Day,
    /// Calendar month in the account's time zone.
    Month,
    /// A month from an anchor day.
    AnchoredMonth,
}

/// Records of the directory that a stock can be the number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedKind {
    /// An account's clients that are not closed (C6).
    Clients,
    /// An account's members, invited ones too (M8).
    Members,
}

/// Whose turn it is first. A setting of the platform (B6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExcessOrder {
    /// By HMAC-SHA-256 of the client's id under the statement's seed (B3, B5).
    #[default]
    Random,
    /// The client that was created last, first; those of which it is not known, last.
    NewestFirst,
    /// Those that the owner named at `settle`, in his order; then by the draw.
    OwnersChoice,
}

/// What a meter counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// For people.
    pub words: String,
    /// Flow or stock.
    pub kind: MeterKind,
    /// One of what.
    pub unit: String,
    /// A flow's window; a stock has none.
    #[serde(default)]
    pub window: Option<WindowKind>,
    /// Of which records a stock is the number: commands keep it so.
    #[serde(default)]
    pub counts: Option<CountedKind>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(default)]
    features: BTreeMap<String, String>,
    #[serde(default)]
    meters: BTreeMap<String, Meter>,
    #[serde(default)]
    levels: Vec<AccessLevel>,
    #[serde(default)]
    packages: Vec<Package>,
    #[serde(default)]
    excess_client_cents: u64,
    #[serde(default)]
    excess_order: ExcessOrder,
}

/// What a bundle offers; a directory's records refer to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    features: BTreeMap<String, String>,
    meters: BTreeMap<Arc<str>, Meter>,
    levels: BTreeMap<String, AccessLevel>,
    packages: BTreeMap<String, Package>,
    excess_client_cents: u64,
    excess_order: ExcessOrder,
}

/// Which features and meters there are, and whether a record's own attributes fit: the schema
/// knows.
pub(crate) trait SchemaVocabulary {
    fn has_feature(&self, name: &str) -> bool;
    fn has_meter(&self, name: &str) -> bool;
    /// A record's own attributes as the schema types them, or why they do not fit it.
    fn typed(
        &self,
        record_type: &str,
        attributes: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<StoredValue, String>;
    /// All features.
    fn features(&self) -> Vec<&str>;
}

impl Catalog {
    /// Reads `catalog.json`.
    pub(crate) fn parse(text: &str, nesting: usize) -> Result<Self, Error> {
        let form: Form = json::read("catalog", text, nesting)?;
        let wrong = |reason: String| Error::Json {
            what: "catalog".to_owned(),
            line: 1,
            column: 1,
            reason,
        };
        let (mut levels, mut packages) = (BTreeMap::new(), BTreeMap::new());
        for level in form.levels {
            if level.id.is_empty() || level.owner.is_some() {
                return Err(wrong(format!(
                    "built-in access level `{}` must have an id and no owner",
                    level.id
                )));
            }
            if let Some(twin) = levels.insert(level.id.clone(), level) {
                return Err(wrong(format!("access level `{}` stands twice", twin.id)));
            }
        }
        for package in form.packages {
            if package.id.is_empty() {
                return Err(wrong("a package without an id".to_owned()));
            }
            if let Some(twin) = packages.insert(package.id.clone(), package) {
                return Err(wrong(format!("package `{}` stands twice", twin.id)));
            }
        }
        let meters = form
            .meters
            .into_iter()
            .map(|(name, meter)| (Arc::from(name), meter))
            .collect();
        let Form {
            features,
            excess_client_cents,
            excess_order,
            ..
        } = form;
        Ok(Self {
            features,
            meters,
            levels,
            packages,
            excess_client_cents,
            excess_order,
        })
    }

    /// Every name that the schema does not declare (L4), and every declared one without words.
    pub(crate) fn check(
        &self,
        names: &impl SchemaVocabulary,
        features: &BTreeSet<String>,
        meters: &BTreeSet<String>,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        let unknown = |what: &str, name: &str| {
            format!("the catalog names {what} `{name}`, which the schema does not list")
        };
        faults.extend(
            self.features
                .keys()
                .filter(|name| !names.has_feature(name))
                .map(|name| unknown("feature", name)),
        );
        faults.extend(
            self.meters
                .keys()
                .filter(|name| !names.has_meter(name))
                .map(|name| unknown("meter", name)),
        );
        faults.extend(
            features
                .iter()
                .filter(|name| !self.features.contains_key(*name))
                .map(|name| format!("feature `{name}` has no words in the catalog")),
        );
        faults.extend(
            meters
                .iter()
                .filter(|name| !self.meters.contains_key(name.as_str()))
                .map(|name| format!("meter `{name}` is not in the catalog")),
        );
        let flows = self
            .meters
            .iter()
            .filter(|(_, meter)| meter.counts.is_some() && meter.kind != MeterKind::Stock);
        faults
            .extend(flows.map(|(name, _)| format!("meter `{name}` has `counts`, but is no stock")));
        for level in self.levels.values() {
            faults.extend(
                level
                    .features()
                    .filter(|name| !names.has_feature(name))
                    .map(|name| unknown("feature", name)),
            );
            faults.extend(
                level
                    .limits
                    .keys()
                    .filter(|name| !names.has_meter(name))
                    .map(|name| unknown("meter", name)),
            );
        }
        for package in self.packages.values() {
            faults.extend(
                package
                    .features()
                    .filter(|name| !names.has_feature(name))
                    .map(|name| unknown("feature", name)),
            );
            faults.extend(
                package
                    .limits
                    .keys()
                    .chain(package.client_limits.keys())
                    .filter(|name| !names.has_meter(name))
                    .map(|name| unknown("meter", name)),
            );
            if let Some(level) = package
                .client_level()
                .filter(|level| !self.levels.contains_key(*level))
            {
                faults.push(format!(
                    "package `{}` names access level `{level}`, which the catalog does not have",
                    package.id
                ));
            }
        }
        faults
    }

    /// A built-in access level.
    #[must_use]
    pub fn level(&self, id: &str) -> Option<&AccessLevel> {
        self.levels.get(id)
    }

    /// All packages.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// All built-in levels.
    pub(crate) fn levels(&self) -> impl Iterator<Item = &AccessLevel> {
        self.levels.values()
    }

    /// A package.
    #[must_use]
    pub fn package(&self, id: &str) -> Option<&Package> {
        self.packages.get(id)
    }

    /// A feature in words.
    #[must_use]
    pub fn feature_words(&self, feature: &str) -> Option<&str> {
        self.features.get(feature).map(String::as_str)
    }

    /// A meter.
    #[must_use]
    pub fn meter(&self, meter: &str) -> Option<&Meter> {
        self.meters.get(meter)
    }

    /// A meter with its name.
    pub(crate) fn named_meter(&self, meter: &str) -> Option<(&Arc<str>, &Meter)> {
        self.meters.get_key_value(meter)
    }

    /// The stocks that are the number of records.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (&Arc<str>, CountedKind)> {
        self.meters
            .iter()
            .filter_map(|(name, meter)| Some((name, meter.counts?)))
    }

    /// The price of one client account over the package's number, in cents a month (B2).
    #[must_use]
    pub fn excess_client_cents(&self) -> u64 {
        self.excess_client_cents
    }

    /// Whose turn it is first when clients are disabled for what is not paid (B6).
    #[must_use]
    pub fn excess_order(&self) -> ExcessOrder {
        self.excess_order
    }
}
