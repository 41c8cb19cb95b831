//! Changes that the host makes itself, without a command: imports of an export, records that are
//! put, merged or removed, calendars and packages of owners, and the price.

use serde_json::{Value, json};
use sublet_tests::Random;

use super::Sides;
use super::world::{Account, Login, World};

/// Zones without summer time, with their offsets from UTC.
pub(crate) const ZONES: [(&str, i64); 3] = [
    ("UTC", 0),
    ("Asia/Kathmandu", 20_700_000),
    ("America/Phoenix", -25_200_000),
];
const PRICES: [i64; 3] = [300, 500, 900];

pub(crate) fn step(world: &mut World, random: &mut Random, sides: &mut Sides) {
    let mains = world.mains().into_iter();
    let open: Vec<String> = mains.filter(|id| !world.accounts[id].closed).collect();
    if open.is_empty() {
        return;
    }
    let owner = random.pick(&open).clone();
    match random.below(8) {
        0 => {
            let ((zone, offset), day) = (*random.pick(&ZONES), 1 + random.below(28));
            let merged = json!({ "type": "Account", "id": owner, "zone": zone, "anchor": format!("2026-01-{day:02}") });
            changed(random, sides, &json!({ "merge": [merged] }));
            let bill = world.bills.get_mut(&owner).expect("a bill");
            (bill.offset, bill.anchor) = (offset, i64::try_from(day).expect("small"));
            world.count("host calendar");
        }
        1 => {
            let package = *random.pick(&["agency", "agency", "enterprise", "business"]);
            let merged = json!({ "type": "Account", "id": owner, "package": package });
            changed(random, sides, &json!({ "merge": [merged] }));
            world.accounts.get_mut(&owner).expect("an account").package = package.to_owned();
            world.count("host package");
        }
        2 if random.once_in(4) => {
            world.price = *random.pick(&PRICES);
            sides.reload(world.price);
            world.count("host price");
        }
        2..=4 => change_clients(world, random, sides, &owner),
        _ => import(world, random, sides, &owner),
    }
    world.sync_bills();
}

/// Sends changes of the host to one of the engines.
fn changed(random: &mut Random, sides: &mut Sides, changes: &Value) {
    let mut asked = changes.clone();
    asked["walk"] = json!("change");
    let answer = sides.ask(random, &asked);
    answer.unwrap_or_else(|code| panic!("{asked}: {code}"));
}

/// Returns the record of a new client, which the model then has.
fn add_client(world: &mut World, owner: &str) -> Value {
    world.next += 1;
    put_client(world, &format!("x{}", world.next), owner)
}

fn put_client(world: &mut World, id: &str, owner: &str) -> Value {
    let account = Account {
        owner: Some(owner.to_owned()),
        level: Some("basic".to_owned()),
        confirmed: true,
        ..Account::default()
    };
    world.accounts.insert(id.to_owned(), account);
    json!({ "type": "Account", "id": id, "email": format!("{id}@client.example"), "owner": owner, "level": "basic", "confirmed": true })
}

/// Returns a client of the owner, if it has one. With `alone` the client has no members, so that it
/// can be removed.
fn client(world: &World, random: &mut Random, owner: &str, alone: bool) -> Option<String> {
    let has_members = |id: &String| world.members.values().any(|member| member.account == *id);
    let clients = world.clients(owner).into_iter();
    let clients: Vec<String> = clients.filter(|id| !alone || !has_members(id)).collect();
    (!clients.is_empty()).then(|| random.pick(&clients).clone())
}

/// Forgets a removed client.
fn forget(world: &mut World, id: &str) {
    let account = world.accounts.remove(id).expect("an account");
    // An id comes back only with its e-mail (I5).
    if !account.renamed && !account.erased {
        let owner = account.owner.expect("an owner");
        world.gone.insert(id.to_owned(), owner);
    }
    world.signed_out.remove(&Login::Account(id.to_owned()));
}

/// Closes a client at an unknown instant, so that it cannot be reopened (C9).
fn close(world: &mut World, id: &str) {
    let account = world.accounts.get_mut(id).expect("an account");
    (account.closed, account.closed_at) = (true, None);
}

fn change_clients(world: &mut World, random: &mut Random, sides: &mut Sides, owner: &str) {
    match random.below(3) {
        0 => {
            let clients: Vec<Value> = (0..=random.below(2))
                .map(|_| add_client(world, owner))
                .collect();
            changed(random, sides, &json!({ "put": clients }));
            world.count("host put");
        }
        1 => {
            let Some(id) = client(world, random, owner, true) else {
                return;
            };
            changed(random, sides, &json!({ "remove": [["Account", id]] }));
            forget(world, &id);
            world.count("host remove");
        }
        _ => {
            let Some(id) = client(world, random, owner, false) else {
                return;
            };
            let merged = json!({ "type": "Account", "id": id, "closed": true });
            changed(random, sides, &json!({ "merge": [merged] }));
            close(world, &id);
            world.count("host close");
        }
    }
}

/// Imports an export, with a few clients of an owner added, removed and closed.
fn import(world: &mut World, random: &mut Random, sides: &mut Sides, owner: &str) {
    let (mut removed, mut closed, mut added) = (Vec::new(), Vec::new(), Vec::new());
    if random.once_in(2) {
        removed.extend(client(world, random, owner, true));
    }
    removed.iter().for_each(|id| forget(world, id));
    if random.once_in(2) {
        closed.extend(client(world, random, owner, false));
    }
    closed.iter().for_each(|id| close(world, id));
    if random.once_in(2) {
        added.push(add_client(world, owner));
    }
    // A client that was removed comes back to its owner (I5).
    let gone: Vec<String> = world.gone.keys().cloned().collect();
    if random.once_in(2)
        && let Some(id) = gone.first()
    {
        let owner = world.gone.remove(id).expect("an owner");
        if !world.accounts[&owner].closed {
            added.push(put_client(world, id, &owner));
        }
    }
    let asked = json!({ "walk": "reimport", "remove": removed, "close": closed, "add": added, "lift": random.once_in(4) });
    let answer = sides.ask(random, &asked);
    answer.unwrap_or_else(|code| panic!("{asked}: {code}"));
    world.count("host import");
}
