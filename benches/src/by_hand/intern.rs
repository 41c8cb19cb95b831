//! Interns the directory of the workload, and its actions.

use rustc_hash::FxHashMap as Map;
use serde_json::Value;

use super::authors::{of_account, of_action, of_member};
use super::{
    ABUSE, Account, Action, BY_OWNER, CLOSED, Domain, HandWrittenRules, Kind, Member, NONE,
    OVERAGE, Special, UNPAID,
};
use crate::agency::{KEPT, OTHERS};
use crate::key_table::Table;

/// Features that come with the whitelabel right.
const WHITELABEL: [&str; 4] = [
    "client_accounts",
    "access_levels",
    "branding",
    "act_as_client",
];

/// Actions without a resource of their own: name, kind, condition and feature.
const ACCOUNT_ACTIONS: [(&str, Kind, Special, &str); 5] = [
    ("login.password", Kind::Login, Special::Nothing, ""),
    ("member.list", Kind::Read, Special::Nothing, "team"),
    (
        "client.edit",
        Kind::Write,
        Special::OnClient,
        "client_accounts",
    ),
    ("ticket.to_owner", Kind::Ticket, Special::ToOwner, ""),
    ("ticket.to_platform", Kind::Ticket, Special::ToPlatform, ""),
];

/// The feature sets that accounts refer to, by the ids of their records.
#[derive(Default)]
struct FeatureSets {
    /// The features of a package, and whether it has the whitelabel right.
    packages: Map<String, (u64, bool)>,
    levels: Map<String, u64>,
}

/// The bit of each feature.
struct FeatureBits(Map<&'static str, u64>);

impl FeatureBits {
    fn new() -> Self {
        let features = KEPT.iter().map(|(feature, ..)| *feature).chain(OTHERS);
        Self(
            features
                .enumerate()
                .map(|(index, name)| (name, 1 << index))
                .collect(),
        )
    }

    /// Returns the bit of a feature, or 0.
    fn bit(&self, feature: &str) -> u64 {
        self.0.get(feature).copied().unwrap_or(0)
    }

    /// Returns the bits of a list of features.
    fn bits(&self, features: &Value) -> u64 {
        let names = features.as_array().into_iter().flatten();
        names.fold(0, |bits, name| {
            bits | self.bit(name.as_str().unwrap_or_default())
        })
    }
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

/// Returns the status bits of an account.
fn status(account: &Value) -> u8 {
    let reasons = [
        ("abuse", ABUSE),
        ("by_owner", BY_OWNER),
        ("overage", OVERAGE),
        ("unpaid", UNPAID),
    ];
    let closed = u8::from(account["closed"] == true) * CLOSED;
    let disabled = account["disabled"].as_array().into_iter().flatten();
    disabled
        .filter_map(|reason| reasons.iter().find(|(name, _)| reason == name))
        .fold(closed, |status, (_, bit)| status | bit)
}

/// Returns the kinds of action on an account's own resources that such a status forbids. Actions on
/// others are writes.
fn blocked(own: u8, of_owner: u8) -> u8 {
    let all = Kind::Login as u8 | Kind::Read as u8 | Kind::Write as u8;
    let closed = if own & CLOSED != 0 {
        all | Kind::Ticket as u8
    } else {
        0
    };
    let away = if own & (ABUSE | BY_OWNER) != 0 || of_owner & (CLOSED | ABUSE) != 0 {
        all
    } else {
        0
    };
    let unpaid = if own & (OVERAGE | UNPAID) != 0 || of_owner & UNPAID != 0 {
        Kind::Write as u8
    } else {
        0
    };
    closed | away | unpaid
}

/// Returns the number of records of a type.
fn count(lines: &str, record_type: &str) -> usize {
    let is_of_type = |line: &&str| {
        line.strip_prefix(r#"{"type":""#)
            .is_some_and(|rest| rest.starts_with(record_type))
    };
    lines.lines().filter(is_of_type).count()
}

impl HandWrittenRules {
    /// Interns the directory of JSON lines.
    ///
    /// # Panics
    /// If a line is not JSON.
    #[must_use]
    pub fn new(lines: &str) -> Self {
        let features = FeatureBits::new();
        let mut rules = Self {
            accounts: Table::of(count(lines, "Account")),
            members: Table::of(count(lines, "TeamMember")),
            domains: Table::of(count(lines, "Domain")),
            actions: Table::of(256),
        };
        let mut sets = FeatureSets::default();
        for line in lines.lines() {
            let record: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            rules.intern(&record, &mut sets, &features);
        }
        rules.intern_actions(&features);
        rules
    }

    /// Interns one record.
    fn intern(&mut self, record: &Value, sets: &mut FeatureSets, features: &FeatureBits) {
        let id = text(record, "id");
        match text(record, "type") {
            "Package" => {
                let package = (
                    features.bits(&record["features"]),
                    record["whitelabel"] == true,
                );
                sets.packages.insert(id.to_owned(), package);
            }
            "AccessLevel" => {
                sets.levels
                    .insert(id.to_owned(), features.bits(&record["features"]));
            }
            "Account" => self.intern_account(record, sets, features),
            "TeamMember" => {
                let member = Member {
                    account: self.account_number(text(record, "account")),
                    grants: features.bits(&record["grants"]),
                    confirmed: record["confirmed"] == true,
                    rules: of_member(id, &record["attributes"]),
                };
                self.members.push(id, member);
            }
            "Domain" => {
                let domain = Domain {
                    owner: self.account_number(text(record, "owner")),
                    verified: record["state"] == "verified",
                };
                self.domains.push(id, domain);
            }
            _ => {}
        }
    }

    /// Returns the number of an account, or `NONE`.
    fn account_number(&self, id: &str) -> u32 {
        self.accounts.find(id).map_or(NONE, |(number, _)| number)
    }

    /// Interns an account, with all that depends on it alone.
    fn intern_account(&mut self, record: &Value, sets: &FeatureSets, features: &FeatureBits) {
        let number = u32::try_from(self.accounts.len()).unwrap_or(NONE);
        let owner = self
            .accounts
            .find(text(record, "owner"))
            .map(|(number, row)| (number, *row));
        let package = sets.packages.get(text(record, "package")).copied();
        let level = sets.levels.get(text(record, "level")).copied();
        let (of_package, whitelabel) = package.unwrap_or_default();
        let account_features = of_package | level.unwrap_or_default();
        let in_force = match owner {
            Some((_, owner)) => account_features & owner.features,
            None if whitelabel => account_features,
            None => {
                account_features
                    & !WHITELABEL
                        .map(|name| features.bit(name))
                        .iter()
                        .sum::<u64>()
            }
        };
        let (status, owner_status) = (status(record), owner.map_or(0, |(_, owner)| owner.status));
        let row = Account {
            owner: owner.map_or(NONE, |(number, _)| number),
            realm: owner.map_or(number, |(number, _)| number),
            features: account_features,
            in_force,
            whitelabel,
            confirmed: record["confirmed"] == true,
            status,
            blocked: blocked(status, owner_status),
            owner_away: owner.is_some() && (owner_status != 0 || status & ABUSE != 0),
            rules: of_account(text(record, "id"), &record["attributes"]),
        };
        self.accounts.push(text(record, "id"), row);
    }

    /// Interns the actions of the workload.
    fn intern_actions(&mut self, features: &FeatureBits) {
        for (feature, prefix, resource) in KEPT {
            for (verb, kind) in [
                ("read", Kind::Read),
                ("edit", Kind::Write),
                ("delete", Kind::Write),
            ] {
                let name = format!("{prefix}.{verb}");
                let action = Action {
                    kind,
                    special: Special::Nothing,
                    feature: features.bit(feature),
                    resource,
                    rules: of_action(&name, kind, resource),
                };
                self.actions.push(&name, action);
            }
        }
        for (name, kind, special, feature) in ACCOUNT_ACTIONS {
            let action = Action {
                kind,
                special,
                feature: features.bit(feature),
                resource: "Account",
                rules: of_action(name, kind, "Account"),
            };
            self.actions.push(name, action);
        }
    }
}
