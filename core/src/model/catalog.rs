//! The catalog of a bundle: words of codes, labels of features and meters, built-in access levels,
//! packages, and the price of an excess client.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::access_level::AccessLevel;
use super::code_words::{CodeWords, CodeWordsJson};
use super::limit::Limits;
use super::named_fields::NamedFields;
use super::package::Package;
use crate::util::error::Error;
use crate::util::json;
use crate::vm::StoredValue;

/// The kind of a meter: it only grows in its window, or goes down again when something is freed
/// (Q1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterKind {
    /// Only grows in its window.
    Flow,
    /// Goes down again when something is freed.
    Stock,
}

/// The window of a flow (Q9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// Never ends.
    Lifetime,
    /// A calendar day in the account's time zone.
    Day,
    /// A calendar month in the account's time zone.
    Month,
    /// A month that begins on the account's anchor day.
    AnchoredMonth,
}

/// The records of the directory that a stock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedKind {
    /// Clients of an account that are not closed (C6).
    Clients,
    /// Members of an account, including invited ones (M8).
    Members,
}

/// The order in which clients are disabled for an unpaid excess. A setting of the platform (B6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExcessOrder {
    /// By HMAC-SHA-256 of the client's id under the statement's seed (B3, B5).
    #[default]
    Random,
    /// Newest clients first. Clients whose creation time is not known come last.
    NewestFirst,
    /// Clients that the owner named at `settle_overage`, in the given order. The draw orders the
    /// rest.
    OwnersChoice,
}

/// The definition of a meter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// The label that people read.
    pub words: String,
    /// Flow or stock.
    pub kind: MeterKind,
    /// The name of one unit.
    pub unit: String,
    /// The window of a flow. A stock has none.
    #[serde(default)]
    pub window: Option<WindowKind>,
    /// The records that a stock counts. Commands keep the stock equal to their number.
    #[serde(default)]
    pub counts: Option<CountedKind>,
}

/// A built-in access level, with what it leaves out in words (L10).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct BuiltInLevelJson {
    id: String,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    features: BTreeSet<String>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    leaves_out: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogJson {
    #[serde(default)]
    default_language: Option<String>,
    #[serde(default)]
    codes: BTreeMap<String, CodeWordsJson>,
    #[serde(default)]
    features: BTreeMap<String, String>,
    #[serde(default)]
    meters: BTreeMap<String, Meter>,
    #[serde(default)]
    levels: Vec<BuiltInLevelJson>,
    #[serde(default)]
    packages: Vec<Package>,
    #[serde(default)]
    excess_client_cents: u64,
    #[serde(default)]
    excess_order: ExcessOrder,
    #[serde(default)]
    grace_days: u32,
    #[serde(default)]
    reopen_days: u32,
    #[serde(default)]
    claim_days: Option<u16>,
    #[serde(default)]
    lapse_days: Option<u16>,
    #[serde(default)]
    claims_max: Option<u32>,
}

/// Days after which a claim of a domain expires, if the catalog does not say it.
const DEFAULT_CLAIM_DAYS: u16 = 30;
/// Days for which a lapsed domain serves, if the catalog does not say it.
const DEFAULT_LAPSE_DAYS: u16 = 14;
/// Maximum number of open claims of one owner, if the catalog does not say it.
const DEFAULT_CLAIMS_MAX: u32 = 20;

/// The offers of a bundle: features, meters, access levels, packages and prices. Records of the
/// directory refer to them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    codes: CodeWords,
    features: BTreeMap<String, String>,
    meters: BTreeMap<Arc<str>, Meter>,
    levels: BTreeMap<String, AccessLevel>,
    /// The words that say what each built-in level leaves out.
    leaves_out: BTreeMap<String, String>,
    packages: BTreeMap<String, Package>,
    excess_client_cents: u64,
    excess_order: ExcessOrder,
    grace_days: u32,
    reopen_days: u32,
    claim_days: Option<u16>,
    lapse_days: Option<u16>,
    claims_max: Option<u32>,
}

/// The features, meters and record attributes that the schema declares.
pub(crate) trait SchemaVocabulary {
    fn has_feature(&self, name: &str) -> bool;
    fn has_meter(&self, name: &str) -> bool;
    /// Returns the host's attributes of a record, typed by the schema, or a text that says why they
    /// do not fit.
    fn typed(
        &self,
        record_type: &str,
        attributes: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<StoredValue, String>;
    /// Returns all features.
    fn features(&self) -> Vec<&str>;
}

impl Catalog {
    /// Parses `catalog.json`.
    pub(crate) fn parse(text: &str, nesting: usize) -> Result<Self, Error> {
        let form: CatalogJson = json::read("catalog", text, nesting)?;
        let wrong = |reason: String| Error::Json {
            what: "catalog".to_owned(),
            line: 1,
            column: 1,
            reason,
        };
        let (mut levels, mut packages) = (BTreeMap::new(), BTreeMap::new());
        let mut leaves_out = BTreeMap::new();
        for level in form.levels {
            if level.id.is_empty() || level.owner.is_some() {
                return Err(wrong(format!(
                    "built-in access level `{}` must have an id and no owner",
                    level.id
                )));
            }
            leaves_out.extend(level.leaves_out.map(|words| (level.id.clone(), words)));
            let level = AccessLevel {
                id: level.id,
                owner: None,
                features: level.features,
                limits: level.limits,
                named: NamedFields::default(),
            };
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
        let CatalogJson {
            default_language,
            codes,
            features,
            excess_client_cents,
            excess_order,
            grace_days,
            reopen_days,
            claim_days,
            lapse_days,
            claims_max,
            ..
        } = form;
        Ok(Self {
            codes: CodeWords::new(default_language, codes),
            features,
            meters,
            levels,
            leaves_out,
            packages,
            excess_client_cents,
            excess_order,
            grace_days,
            reopen_days,
            claim_days,
            lapse_days,
            claims_max,
        })
    }

    /// Returns a built-in access level.
    #[must_use]
    pub fn level(&self, id: &str) -> Option<&AccessLevel> {
        self.levels.get(id)
    }

    /// Returns in words what a built-in level leaves out (L10).
    #[must_use]
    pub fn level_leaves_out(&self, id: &str) -> Option<&str> {
        self.leaves_out.get(id).map(String::as_str)
    }

    /// Returns all packages.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Package> {
        self.packages.values()
    }

    /// Returns all built-in levels.
    pub(crate) fn levels(&self) -> impl Iterator<Item = &AccessLevel> {
        self.levels.values()
    }

    /// Returns a package.
    #[must_use]
    pub fn package(&self, id: &str) -> Option<&Package> {
        self.packages.get(id)
    }

    /// Returns the words of decision codes and advice (E8).
    pub(crate) fn code_words(&self) -> &CodeWords {
        &self.codes
    }

    /// Returns the features that have a label.
    pub(crate) fn feature_names(&self) -> impl Iterator<Item = &str> {
        self.features.keys().map(String::as_str)
    }

    /// Returns all meters with their names.
    pub(crate) fn meters(&self) -> impl Iterator<Item = (&str, &Meter)> {
        let meters = self.meters.iter();
        meters.map(|(name, meter)| (&**name, meter))
    }

    /// Returns the label of a feature.
    #[must_use]
    pub fn feature_words(&self, feature: &str) -> Option<&str> {
        self.features.get(feature).map(String::as_str)
    }

    /// Returns the definition of a meter.
    #[must_use]
    pub fn meter(&self, meter: &str) -> Option<&Meter> {
        self.meters.get(meter)
    }

    /// Returns the definition of a meter, with its name.
    pub(crate) fn named_meter(&self, meter: &str) -> Option<(&Arc<str>, &Meter)> {
        self.meters.get_key_value(meter)
    }

    /// Returns the stocks that count records.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (&Arc<str>, CountedKind)> {
        self.meters
            .iter()
            .filter_map(|(name, meter)| Some((name, meter.counts?)))
    }

    /// Returns the price of one client account beyond the package's number, in cents a month (B2).
    #[must_use]
    pub fn excess_client_cents(&self) -> u64 {
        self.excess_client_cents
    }

    /// Returns the number of days in which the staff can reopen a closed account (C9).
    #[must_use]
    pub fn reopen_days(&self) -> u32 {
        self.reopen_days
    }

    /// Returns the order in which clients are disabled for an unpaid excess (B6).
    #[must_use]
    pub fn excess_order(&self) -> ExcessOrder {
        self.excess_order
    }

    /// Returns the number of days after the end of a month before which it cannot be settled (B8).
    #[must_use]
    pub fn grace_days(&self) -> u32 {
        self.grace_days
    }

    /// Returns the days after which a claim of a domain expires (D4).
    #[must_use]
    pub fn claim_days(&self) -> u16 {
        self.claim_days.unwrap_or(DEFAULT_CLAIM_DAYS)
    }

    /// Returns the days for which a lapsed domain serves (D4).
    #[must_use]
    pub fn lapse_days(&self) -> u16 {
        self.lapse_days.unwrap_or(DEFAULT_LAPSE_DAYS)
    }

    /// Returns the greatest number of open claims of one owner (D4).
    #[must_use]
    pub fn claims_max(&self) -> u32 {
        self.claims_max.unwrap_or(DEFAULT_CLAIMS_MAX)
    }
}
