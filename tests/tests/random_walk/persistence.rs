//! Invariants: only entitled commands are allowed, and the stored records equal the model.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Sides;
use super::world::{Account, Login, Words, World};

/// Returns the feature that a command requires of the member and of the account.
fn feature(name: &str) -> Option<&'static str> {
    Some(match name {
        "create_client" | "edit_client" | "attach_level" | "offer_transfer" | "accept_transfer" => {
            "client_accounts"
        }
        "invite_member" | "grant_member" | "edit_member" | "remove_member" => "team",
        "create_level" | "edit_level" | "delete_level" => "access_levels",
        "add_domain" | "verify_domain" | "remove_domain" => "branding",
        _ => return None,
    })
}

/// Checks that an allowed command was entitled, by rules that are written here and not read from
/// policies.
pub(crate) fn check_entitlement(world: &World, login: &Login, asked: &Value, context: &Value) {
    let name = asked["do"].as_str().expect("a name");
    let text = |name: &str| asked[name].as_str().unwrap_or_default();
    let told = || format!("{login:?}: {asked}");
    let target = world.accounts.get(text("account"));
    let Some(home) = world.home(login) else {
        assert!(context["reason"] == "asked", "{}", told());
        let staff = match name {
            "create_account" | "change_package" => true,
            "edit_account" => target.is_some_and(|target| target.owner.is_none()),
            "disable" | "restore" => ["abuse", "unpaid"].contains(&text("reason")),
            "close" | "quarantine_domain" => true,
            "release_domain" => world
                .domains
                .get(text("domain"))
                .is_some_and(|(_, state)| *state == "quarantined"),
            _ => false,
        };
        assert!(staff, "{}", told());
        check_client_right(world, asked, target);
        return;
    };
    let account = &world.accounts[&home];
    assert!(!account.closed, "closed: {}", told());
    let confirming = ["confirm_email", "resend_confirmation"].contains(&name);
    assert!(account.confirmed || confirming, "unconfirmed: {}", told());
    assert!(
        !account.disabled.contains("abuse") && !account.disabled.contains("by_owner"),
        "disabled: {}",
        told()
    );
    assert!(
        !account.disabled.contains("unpaid")
            || confirming
            || ["change_package", "accept_invitation"].contains(&name),
        "unpaid: {}",
        told()
    );
    if let Some(owner) = account.owner.as_ref().map(|owner| &world.accounts[owner]) {
        assert!(
            !owner.closed && !owner.disabled.contains("abuse"),
            "owner: {}",
            told()
        );
        assert!(
            !owner.disabled.contains("unpaid") || confirming || name == "accept_invitation",
            "owner unpaid: {}",
            told()
        );
    }
    if let Some(feature) = feature(name) {
        assert!(
            world.features(&home).contains(feature),
            "feature: {}",
            told()
        );
        assert!(
            feature == "team" || world.is_whitelabel(&account.package),
            "right: {}",
            told()
        );
    }
    if let Login::Member(id) = login {
        let member = &world.members[id];
        assert!(
            member.confirmed || name == "accept_invitation",
            "invited: {}",
            told()
        );
        assert!(
            feature(name).is_none_or(|feature| member.grants.contains(feature)),
            "grant: {}",
            told()
        );
    }
    assert!(
        is_own_target(world, login, &home, asked, target),
        "another's: {}",
        told()
    );
    check_grants(world, login, &home, asked);
    check_client_right(world, asked, target);
}

/// D8: an account with clients does not lose the right to have them, unless the command confirms
/// it.
fn check_client_right(world: &World, asked: &Value, target: Option<&Account>) {
    if asked["do"] == "change_package" && asked["confirmed"] != true && target.is_some() {
        let id = asked["account"].as_str().expect("an account");
        assert!(
            world.clients(id).is_empty()
                || world.is_whitelabel(asked["package"].as_str().expect("a package")),
            "{asked}"
        );
    }
}

/// Returns whether the target of a command belongs to the caller.
fn is_own_target(
    world: &World,
    login: &Login,
    home: &str,
    asked: &Value,
    target: Option<&Account>,
) -> bool {
    let text = |name: &str| asked[name].as_str().unwrap_or_default();
    let is_itself = text("account") == home && *login == Login::Account(home.to_owned());
    let is_client = target.is_some_and(|target| target.owner.as_deref() == Some(home));
    let offer = target
        .and_then(|target| target.offer.as_ref())
        .filter(|(_, until, _)| world.now < *until);
    let member = || world.members.get(text("member"));
    match asked["do"].as_str().expect("a name") {
        "create_client" | "invite_member" | "create_level" | "add_domain" => true,
        "edit_client" | "attach_level" | "offer_transfer" => is_client,
        "disable" | "restore" => is_client && text("reason") == "by_owner",
        "close" => is_client || is_itself,
        "change_package" | "confirm_email" | "resend_confirmation" | "change_email" => is_itself,
        "consent_transfer" => is_itself && offer.is_some_and(|(to, ..)| to == text("to")),
        "accept_transfer" => {
            offer.is_some_and(|(to, _, consented)| to == home && *consented)
                && target.is_some_and(|target| !target.closed)
        }
        "cancel_transfer" => is_client || is_itself || offer.is_some_and(|(to, ..)| to == home),
        "grant_member" | "edit_member" => {
            member().is_some_and(|member| member.account == home)
                && *login != Login::Member(text("member").to_owned())
        }
        "remove_member" => member().is_some_and(|member| member.account == home),
        "accept_invitation" => member().is_some_and(|member| member.account == home),
        "edit_level" | "delete_level" => world
            .levels
            .get(text("level"))
            .is_some_and(|(owner, _)| owner == home),
        "verify_domain" => world
            .domains
            .get(text("domain"))
            .is_some_and(|(owner, state)| owner == home && *state != "quarantined"),
        "remove_domain" => world
            .domains
            .get(text("domain"))
            .is_some_and(|(owner, _)| owner == home),
        _ => false,
    }
}

/// Checks that a member grants, removes or lifts only what the member holds (M5), and that an
/// account grants only what it has.
fn check_grants(world: &World, login: &Login, home: &str, asked: &Value) {
    let name = asked["do"].as_str().expect("a name");
    let grants: Words = asked["grants"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    assert!(
        grants.is_subset(&world.features(home)),
        "{login:?}: {asked}"
    );
    let Login::Member(id) = login else { return };
    let (own, colleague) = (
        &world.members[id],
        asked["member"]
            .as_str()
            .and_then(|id| world.members.get(id)),
    );
    let holds = |words: &Words| words.is_subset(&own.grants);
    let fits = |part: Option<i64>| {
        own.part
            .is_none_or(|own| part.is_some_and(|part| part <= own))
    };
    let part = asked["sub_limits"]["emails"].as_i64();
    let is_entitled = match (name, colleague) {
        ("invite_member", _) => holds(&grants) && fits(part),
        ("grant_member", Some(colleague)) => holds(
            &grants
                .symmetric_difference(&colleague.grants)
                .cloned()
                .collect(),
        ),
        ("edit_member", Some(colleague)) => {
            holds(&colleague.grants) && (fits(part) || part == colleague.part)
        }
        ("remove_member", Some(colleague)) => holds(&colleague.grants),
        _ => true,
    };
    assert!(
        is_entitled,
        "{login:?} with {own:?}: {asked} of {colleague:?}"
    );
}

/// Checks that all engines agree and that the stored records equal the model.
pub(crate) fn check_records(world: &World, sides: &mut Sides) {
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
                assert!(names.insert(id), "two owners: {record}");
            }
            _ => {}
        }
    }
    assert_eq!(
        (accounts.len(), members.len(), names.len()),
        (
            world.accounts.len(),
            world.members.len(),
            world.domains.len()
        )
    );
    super::bill::check_overage(world, sides, &overage);
    for id in world.accounts.keys() {
        check_stock(sides, id, "client_accounts", world.clients(id).len());
        check_stock(sides, id, "members", world.seats(id));
    }
    assert_eq!(sides.agree(&json!({ "do": "verify" }))["faults"], json!([]));
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
        record["confirmed"] == true,
        disabled,
        record["level"].as_str(),
    );
    assert_eq!(
        found,
        (
            account.owner.as_deref(),
            account.closed,
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
