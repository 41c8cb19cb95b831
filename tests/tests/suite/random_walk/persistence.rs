//! Invariant: the stored records equal the model.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Sides;
use super::world::{Words, World};

/// Checks that all engines agree and that the stored records equal the model.
pub(crate) fn check_records(world: &mut World, sides: &mut Sides) -> usize {
    let lines = sides.agree(&json!({ "walk": "export" }));
    let records: Vec<Value> = lines
        .as_str()
        .expect("lines")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let (mut accounts, mut members, mut overage) = (
        BTreeMap::new(),
        BTreeSet::new(),
        BTreeMap::<String, Words>::new(),
    );
    let mut names = BTreeSet::new();
    for record in &records {
        let id = record["id"].as_str().expect("an id").to_owned();
        match record["type"].as_str().expect("a type") {
            "Account" => {
                same_account(world, &id, record);
                if record["disabled"]
                    .as_array()
                    .is_some_and(|reasons| reasons.contains(&json!("overage")))
                    && record["closed"] != true
                {
                    overage
                        .entry(record["owner"].as_str().expect("an owner").to_owned())
                        .or_default()
                        .insert(id.clone());
                }
                accounts.insert(id, ());
            }
            "TeamMember" => {
                let member = world
                    .members
                    .get(&id)
                    .unwrap_or_else(|| panic!("`{id}` is no member"));
                let grants: Words = record["grants"]
                    .as_array()
                    .expect("grants")
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect();
                assert_eq!(
                    (record["account"].as_str(), grants),
                    (Some(member.account.as_str()), member.grants.clone()),
                    "{record}"
                );
                assert_eq!(record["confirmed"], member.confirmed, "{record}");
                assert_eq!(record["service"].is_object(), member.service, "{record}");
                let is_erased = member.erased || world.accounts[&member.account].erased;
                if !member.service {
                    assert_eq!(has_tombstone(record), is_erased, "{record}");
                }
                assert_eq!(
                    record["sub_limits"]["emails"].as_i64(),
                    member.part,
                    "{record}"
                );
                members.insert(id);
            }
            "Domain" if record["kind"] == "whitelabel" => {
                let (owner, state) = &world.domains[&id];
                assert_eq!(
                    (record["owner"].as_str(), record["state"].as_str()),
                    (Some(owner.as_str()), Some(*state))
                );
                let has_end = world.domain_ends.contains_key(&id);
                assert_eq!(record["until"].is_string(), has_end, "{record}");
                assert!(names.insert(id), "two owners: {record}");
            }
            _ => {}
        }
    }
    assert_eq!(
        (accounts.len(), members.len()),
        (world.accounts.len(), world.members.len())
    );
    let missing = world.domains.iter().filter(|(id, _)| !names.contains(*id));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::new());
    let months = super::bill::check_bills(world, sides, &overage);
    for id in world.accounts.keys() {
        check_stock(sides, id, "client_accounts", world.clients(id).len());
        check_stock(sides, id, "members", world.seats(id));
    }
    assert_eq!(sides.agree(&json!({ "do": "verify" }))["faults"], json!([]));
    months
}

/// Returns whether a tombstone stands in place of the login's e-mail.
fn has_tombstone(record: &Value) -> bool {
    let email = record["email"].as_str().expect("an e-mail");
    email.ends_with("@erased.invalid")
}

fn same_account(world: &World, id: &str, record: &Value) {
    let account = world
        .accounts
        .get(id)
        .unwrap_or_else(|| panic!("`{id}` is no account"));
    let disabled: Words = record["disabled"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|reason| *reason != "overage")
        .map(str::to_owned)
        .collect();
    let found = (
        record["owner"].as_str(),
        record["closed"] == true,
        (record["erased"] == true, has_tombstone(record)),
        record["confirmed"] == true,
        disabled,
        record["level"].as_str(),
    );
    assert_eq!(
        found,
        (
            account.owner.as_deref(),
            account.closed,
            (account.erased, account.erased),
            account.confirmed,
            account.disabled.clone(),
            account.level.as_deref()
        ),
        "{record}"
    );
    assert_eq!(
        record["package"].as_str().unwrap_or_default(),
        account.package,
        "{record}"
    );
    assert_eq!(
        record["transfer"]["to"].as_str(),
        account.offer.as_ref().map(|(to, ..)| to.as_str()),
        "{record}"
    );
}

/// Checks that a stock equals the number of its records at every moment. An expired invitation
/// frees its seat.
fn check_stock(sides: &mut Sides, account: &str, meter: &str, count: usize) {
    let used = sides
        .agree(&json!({ "walk": "used", "account": account, "meter": meter }))
        .as_u64()
        .expect("a number");
    assert_eq!(used, count as u64, "{meter} of `{account}`");
}
