//! Checks the names of a catalog against those of the schema.

use std::collections::BTreeSet;

use super::access_level::AccessLevel;
use super::catalog::{Catalog, Meter, MeterKind, SchemaVocabulary};
use crate::util::json_place::Step;
use crate::util::spelling::did_you_mean;

/// A fault of a catalog, with the way to its place in `catalog.json`.
#[derive(Debug)]
pub(crate) struct CatalogFault<'a> {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// The steps to the object or list that has the name.
    pub(crate) steps: Vec<Step<'a>>,
    /// The name, or `None` if it is missing.
    pub(crate) name: Option<&'a str>,
}

/// Checks the parts of one catalog.
struct Check<'a, V> {
    catalog: &'a Catalog,
    schema: &'a V,
    features: &'a BTreeSet<String>,
    meters: &'a BTreeSet<String>,
    faults: Vec<CatalogFault<'a>>,
}

impl Catalog {
    /// Returns a fault for each name that the schema does not declare (L4), and for each declared
    /// name without a label.
    pub(crate) fn check<'a>(
        &'a self,
        schema: &'a impl SchemaVocabulary,
        features: &'a BTreeSet<String>,
        meters: &'a BTreeSet<String>,
    ) -> Vec<CatalogFault<'a>> {
        let mut check = Check {
            catalog: self,
            schema,
            features,
            meters,
            faults: Vec::new(),
        };
        check.labels();
        check.offers();
        check.faults
    }

    /// Returns a warning for each code with words that no answer of the bundle can have. Authors
    /// may remove a shipped policy and keep the words of its code.
    pub(crate) fn unknown_codes<'a>(&'a self, given: &BTreeSet<&str>) -> Vec<CatalogFault<'a>> {
        let unknown = (self.code_words().codes()).filter(|code| !given.contains(code));
        let fault = |code: &'a str| CatalogFault {
            message: format!("the catalog has words for code `{code}`, which no policy gives"),
            help: None,
            steps: vec![Step::Key("codes")],
            name: Some(code),
        };
        unknown.map(fault).collect()
    }
}

impl<'a, V: SchemaVocabulary> Check<'a, V> {
    /// Checks the objects `features` and `meters`.
    fn labels(&mut self) {
        let (catalog, features, meters) = (self.catalog, self.features, self.meters);
        for name in catalog.feature_names() {
            self.feature("the catalog", name, vec![Step::Key("features")]);
        }
        for (name, _) in catalog.meters() {
            self.meter("the catalog", name, vec![Step::Key("meters")]);
        }
        for name in features
            .iter()
            .filter(|name| catalog.feature_words(name).is_none())
        {
            self.missing(
                format!("feature `{name}` has no words in the catalog"),
                format!("add `\"{name}\": \"...\"` to `features` in `catalog.json`"),
                "features",
            );
        }
        for name in meters.iter().filter(|name| catalog.meter(name).is_none()) {
            self.missing(
                format!("meter `{name}` is not in the catalog"),
                format!(
                    "add `\"{name}\": {{\"words\": \"...\", \"kind\": \"...\", \"unit\": \"...\"}}` to `meters` in `catalog.json`"
                ),
                "meters",
            );
        }
        let is_no_stock = |meter: &Meter| meter.counts.is_some() && meter.kind != MeterKind::Stock;
        for (name, _) in catalog.meters().filter(|(_, meter)| is_no_stock(meter)) {
            self.faults.push(CatalogFault {
                message: format!("meter `{name}` has `counts`, but is no stock"),
                help: Some("write `\"kind\": \"stock\"`, or take `counts` away".to_owned()),
                steps: vec![Step::Key("meters")],
                name: Some(name),
            });
        }
    }

    /// Checks the access levels and the packages.
    fn offers(&mut self) {
        let catalog = self.catalog;
        for level in catalog.levels() {
            let owner = format!("access level `{}`", level.id());
            let part = |key| vec![Step::Key("levels"), Step::Id(level.id()), Step::Key(key)];
            for name in level.features() {
                self.feature(&owner, name, part("features"));
            }
            for name in level.limits.keys() {
                self.meter(&owner, name, part("limits"));
            }
        }
        for package in catalog.packages() {
            let owner = format!("package `{}`", package.id());
            let part = |key| {
                vec![
                    Step::Key("packages"),
                    Step::Id(package.id()),
                    Step::Key(key),
                ]
            };
            for name in package.features() {
                self.feature(&owner, name, part("features"));
            }
            for name in package.limits.keys() {
                self.meter(&owner, name, part("limits"));
            }
            for name in package.client_limits.keys() {
                self.meter(&owner, name, part("client_limits"));
            }
            for (name, most) in &package.client_limits_max {
                self.meter(&owner, name, part("client_limits_max"));
                let given = package.client_limits.get(name);
                if given.is_some_and(|given| !given.is_within(*most)) {
                    self.faults.push(CatalogFault {
                        message: format!(
                            "{owner} gives clients more of `{name}` than its `client_limits_max`"
                        ),
                        help: Some("lower `client_limits`, or raise the maximum".to_owned()),
                        steps: part("client_limits"),
                        name: Some(name),
                    });
                }
            }
            if let Some(level) = package.client_level()
                && catalog.level(level).is_none()
            {
                let known = catalog.levels().map(AccessLevel::id);
                self.faults.push(CatalogFault {
                    message: format!(
                        "{owner} names access level `{level}`, which the catalog does not have"
                    ),
                    help: did_you_mean(level, known)
                        .or_else(|| Some("add the level to `levels` in `catalog.json`".to_owned())),
                    steps: part("client_level"),
                    name: None,
                });
            }
        }
    }

    fn feature(&mut self, owner: &str, name: &'a str, steps: Vec<Step<'a>>) {
        if !self.schema.has_feature(name) {
            let help = did_you_mean(name, self.features.iter().map(String::as_str));
            self.unknown(owner, "feature", name, steps, help);
        }
    }

    fn meter(&mut self, owner: &str, name: &'a str, steps: Vec<Step<'a>>) {
        if !self.schema.has_meter(name) {
            let help = did_you_mean(name, self.meters.iter().map(String::as_str));
            self.unknown(owner, "meter", name, steps, help);
        }
    }

    fn unknown(
        &mut self,
        owner: &str,
        what: &str,
        name: &'a str,
        steps: Vec<Step<'a>>,
        help: Option<String>,
    ) {
        self.faults.push(CatalogFault {
            message: format!("{owner} names {what} `{name}`, which the schema does not list"),
            help,
            steps,
            name: Some(name),
        });
    }

    fn missing(&mut self, message: String, help: String, part: &'static str) {
        self.faults.push(CatalogFault {
            message,
            help: Some(help),
            steps: vec![Step::Key(part)],
            name: None,
        });
    }
}
