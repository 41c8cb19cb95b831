//! Requests between the commands. No login acts inside another account, and no login of a closed
//! account does anything.

use serde_json::{Value, json};
use sublet_tests::Random;

use super::Sides;
use super::world::{Login, World};

/// Actions inside an account, with the type of the resource.
const INSIDE: [(&str, &str); 6] = [
    ("campaign.read", "Campaign"),
    ("campaign.edit", "Campaign"),
    ("campaign.send", "Campaign"),
    ("contact.read", "Contact"),
    ("page.view", "Page"),
    ("contact.unsubscribe", "Contact"),
];
const ITSELF: [&str; 6] = [
    "account.read",
    "account.edit",
    "login.password",
    "client.read",
    "client.act_as",
    "billing.read",
];

pub(crate) fn step(world: &World, random: &mut Random, sides: &mut Sides) {
    let (login, host) = world.login(random);
    if random.once_in(3) {
        check_own_access(world, random, sides, &login);
        return;
    }
    let ids: Vec<&String> = world.accounts.keys().collect();
    let about = (*random.pick(&ids)).clone();
    let actor = random_actor(world, random, &login, &about);
    let (action, resource) = if random.once_in(2) {
        let (action, kind) = *random.pick(&INSIDE);
        (action, json!([kind, "k", about]))
    } else {
        (*random.pick(&ITSELF), json!(["Account", about]))
    };
    let asked = json!({ "walk": "ask", "by": login.json(), "action": action, "resource": resource, "host": host, "actor": actor.as_ref().map(Login::json) });
    // An action that does not apply to such a login is an error.
    if let Ok(code) = sides.ask(random, &asked)
        && code == "ok"
    {
        check_isolation(
            world,
            &login,
            actor.as_ref(),
            action,
            &about,
            host.as_deref(),
            &asked,
        );
    }
    if random.once_in(20) {
        check_closed_account(world, random, sides);
    }
}

/// Returns a random actor for the login, in some cases.
fn random_actor(world: &World, random: &mut Random, login: &Login, about: &str) -> Option<Login> {
    let Login::Account(id) = login else {
        return None;
    };
    let owner = world.accounts[id].owner.clone()?;
    match random.below(6) {
        0 => Some(Login::Account(owner)),
        1 => Some(Login::Account(about.to_owned())),
        2 => world.members.keys().next().cloned().map(Login::Member),
        _ => None,
    }
}

/// Checks that an allowed request is inside the account of the login, or is an owner's access to a
/// client.
fn check_isolation(
    world: &World,
    login: &Login,
    actor: Option<&Login>,
    action: &str,
    about: &str,
    host: Option<&str>,
    asked: &Value,
) {
    let Some(home) = world.home(login) else {
        panic!("{asked}")
    };
    let account = &world.accounts[&home];
    let is_for_strangers = ["page.view", "contact.unsubscribe"].contains(&action);
    if let Some(actor) = actor {
        let acting = world.home(actor).expect("an account");
        assert_eq!(account.owner.as_ref(), Some(&acting), "acting: {asked}");
        let standing = &world.accounts[&acting];
        assert!(
            standing.confirmed
                && !standing.closed
                && standing.disabled.is_empty()
                && world.is_whitelabel(&standing.package),
            "acting: {asked}"
        );
        if let Login::Member(id) = actor {
            assert!(
                world.members[id].confirmed && world.members[id].grants.contains("act_as_client"),
                "acting: {asked}"
            );
        }
        assert!(
            account.confirmed && account.disabled.is_empty()
                || action.ends_with(".read")
                || is_for_strangers,
            "read only: {asked}"
        );
    }
    let comes = actor.unwrap_or(login);
    assert!(
        is_for_strangers || world.admits(comes, host),
        "the gate: {asked}"
    );
    let is_client = world.accounts[about].owner.as_ref() == Some(&home);
    assert!(
        about == home || (is_client && ["client.read", "client.act_as"].contains(&action)),
        "isolation: {asked}"
    );
    assert!(
        !account.closed || action == "contact.unsubscribe",
        "closed: {asked}"
    );
    assert!(account.confirmed || actor.is_some(), "unconfirmed: {asked}");
}

/// Checks that an active account can use its own data. Without this check, an engine that refuses
/// everything would pass.
fn check_own_access(world: &World, random: &mut Random, sides: &mut Sides, login: &Login) {
    let (Login::Account(id), host) = (login, world.host_of(login)) else {
        return;
    };
    let (account, features) = (&world.accounts[id], world.features(id));
    let owner = account.owner.as_ref().map(|owner| &world.accounts[owner]);
    let stands = |account: &super::world::Account| {
        account.confirmed && !account.closed && account.disabled.is_empty()
    };
    if !stands(account)
        || owner.is_some_and(|owner| !stands(owner))
        || !features.contains("campaigns")
        || !world.admits(login, host.as_deref())
    {
        return;
    }
    let asked = json!({ "walk": "ask", "by": login.json(), "action": "campaign.read", "resource": ["Campaign", "k", id], "host": host });
    // A client that is disabled for overage may read its own data, too.
    assert_eq!(sides.ask(random, &asked), Ok(json!("ok")), "{asked}");
}

/// Checks that a login of a closed account can only unsubscribe contacts.
fn check_closed_account(world: &World, random: &mut Random, sides: &mut Sides) {
    let gone: Vec<&String> = world
        .accounts
        .iter()
        .filter(|(_, account)| account.closed)
        .map(|(id, _)| id)
        .collect();
    if gone.is_empty() {
        return;
    }
    let id = (*random.pick(&gone)).clone();
    let member = world
        .members
        .iter()
        .find(|(_, member)| member.account == id)
        .map(|(member, _)| Login::Member(member.clone()));
    let login = member
        .filter(|_| random.once_in(2))
        .unwrap_or(Login::Account(id.clone()));
    let host = world.host_of(&login);
    for (kind, allowed) in [
        ("Account", false),
        ("Contact", true),
        ("Campaign", false),
        ("Page", false),
    ] {
        let account = if kind == "Account" {
            Value::Null
        } else {
            json!(id)
        };
        let resource = json!([
            kind,
            if kind == "Account" { id.as_str() } else { "k" },
            account
        ]);
        let asked =
            json!({ "walk": "actions", "by": login.json(), "resource": resource, "host": host });
        let found = sides.ask(random, &asked).expect("an answer");
        let found = found.as_array().expect("a list");
        assert!(
            found.is_empty() || (allowed && *found == [json!("contact.unsubscribe")]),
            "{asked}: {found:?}"
        );
    }
}
