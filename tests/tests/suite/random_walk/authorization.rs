//! Requests between the commands. Each is allowed exactly if the model entitles it, and no login of
//! a closed account does anything.

use serde_json::{Value, json};
use sublet_tests::Random;

use super::Sides;
use super::entitlement::request_refusal;
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
    let (mut login, mut host) = world.login(random);
    // Accounts with a status that refuses are rare, so they are asked about more often.
    let refused = world.refused_accounts();
    if !refused.is_empty() && random.once_in(3) {
        login = Login::Account(random.pick(&refused).clone());
        host = world.host_of(&login);
    }
    let ids: Vec<&String> = world.accounts.keys().collect();
    let mut about = (*random.pick(&ids)).clone();
    // Requests about another account are mostly refused.
    if let Some(home) = world.home(&login)
        && !random.once_in(4)
    {
        let clients: Vec<String> = world.clients(&home).into_iter().collect();
        about = if clients.is_empty() || random.once_in(2) {
            home
        } else {
            random.pick(&clients).clone()
        };
    }
    let actor = random_actor(world, random, &login, &about);
    if let Some(actor) = &actor
        && !random.once_in(4)
    {
        host = world.host_of(actor);
    }
    let (action, resource) = if random.once_in(2) {
        let (action, kind) = *random.pick(&INSIDE);
        (action, json!([kind, "k", about]))
    } else {
        (*random.pick(&ITSELF), json!(["Account", about]))
    };
    let session = world.session(random);
    let asked = json!({ "walk": "ask", "by": login.json(), "action": action, "resource": resource, "host": host, "session_start": session, "actor": actor.as_ref().map(Login::json) });
    let code = sides.ask(random, &asked).expect("an answer");
    let refusal = request_refusal(
        world,
        &login,
        actor.as_ref(),
        action,
        &about,
        (host.as_deref(), session),
    );
    // An actor in a client that is disabled for overage only reads (A1).
    let is_overage = (code == "account_overage" || (code == "acting_denied" && actor.is_some()))
        && world.may_be_overage(&login)
        && !action.ends_with(".read");
    assert!(
        (code == "ok") == refusal.is_none() || is_overage,
        "{asked}: {code}, {refusal:?}"
    );
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
    let members = world.members.iter();
    let mut colleagues = members.filter(|(_, member)| member.account == owner && member.confirmed);
    match random.below(9) {
        0 | 1 => Some(Login::Account(owner)),
        2 => Some(Login::Account(about.to_owned())),
        3 => world.members.keys().next().cloned().map(Login::Member),
        4 => colleagues
            .next_back()
            .map(|(id, _)| Login::Member(id.clone())),
        _ => None,
    }
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
