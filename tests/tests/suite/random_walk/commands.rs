//! Random commands: the command, the check that an allowed one was entitled, and its effect on the
//! model.

use serde_json::{Value, json};
use sublet_tests::{ModelOwner, Random};

use super::Sides;
use super::entitlement::{command_refusal, is_state_error};
use super::host::ZONES;
use super::world::{Account, FEATURES, Login, MOVED, Member, Words, World, name_of};

/// The names of all commands.
pub(crate) const NAMES: [&str; 45] = [
    "create_account",
    "change_package",
    "edit_account",
    "create_client",
    "edit_client",
    "attach_level",
    "disable",
    "restore",
    "close",
    "reopen_account",
    "erase_account",
    "offer_transfer",
    "consent_transfer",
    "accept_transfer",
    "cancel_transfer",
    "invite_member",
    "grant_member",
    "edit_member",
    "remove_member",
    "erase_member",
    "create_level",
    "edit_level",
    "delete_level",
    "add_domain",
    "verify_domain",
    "remove_domain",
    "quarantine_domain",
    "recheck_domain",
    "release_domain",
    "change_email",
    "resend_confirmation",
    "confirm_email",
    "accept_invitation",
    "record_payment",
    "reverse_payment",
    "close_month",
    "settle_overage",
    "top_up",
    "revoke_top_up",
    "resend_invitation",
    "sign_out",
    "create_service_account",
    "edit_service_account",
    "rotate_key",
    "remove_service_account",
];

/// Commands that are sent more often than the rest, so that there are active clients.
const OFTEN: [&str; 24] = [
    "create_client",
    "create_client",
    "create_client",
    "create_client",
    "confirm_email",
    "confirm_email",
    "confirm_email",
    "confirm_email",
    "restore",
    "restore",
    "restore",
    "offer_transfer",
    "consent_transfer",
    "consent_transfer",
    "accept_transfer",
    "accept_transfer",
    "invite_member",
    "accept_invitation",
    "add_domain",
    "verify_domain",
    "reopen_account",
    "disable",
    "disable",
    "disable",
];

/// Commands that return a token for an e-mail.
const SENDS_TOKEN: [&str; 6] = [
    "create_account",
    "create_client",
    "invite_member",
    "change_email",
    "resend_confirmation",
    "resend_invitation",
];

const WEEK: i64 = 7 * 86_400_000;

fn random_features(random: &mut Random) -> Words {
    FEATURES
        .iter()
        .filter(|_| random.once_in(2))
        .map(|name| (*name).to_owned())
        .collect()
}

/// Returns random grants, mostly with `team`, which members need to manage each other.
fn random_grants(random: &mut Random) -> Words {
    let mut grants = random_features(random);
    if !random.once_in(4) {
        grants.insert("team".to_owned());
    }
    grants
}

fn pick<'a>(random: &mut Random, items: impl Iterator<Item = &'a String>) -> String {
    let items: Vec<&String> = items.collect();
    if items.is_empty() {
        "nobody".to_owned()
    } else {
        (*random.pick(&items)).clone()
    }
}

/// Returns an account that is mostly the login's own or one of its clients.
fn target(world: &World, random: &mut Random, login: &Login) -> String {
    let near = |home: &String| {
        world
            .accounts
            .iter()
            .filter(|(id, account)| *id == home || account.owner.as_ref() == Some(home))
            .map(|(id, _)| id)
            .collect::<Vec<_>>()
    };
    match world.home(login) {
        Some(home) if !random.once_in(5) => (*random.pick(&near(&home))).clone(),
        _ => pick(random, world.accounts.keys()),
    }
}

const REASONS: [&str; 6] = [
    "by_owner", "by_owner", "by_owner", "abuse", "unpaid", "overage",
];

/// Returns a command that removes a reason from a disabled account.
fn restore_command(world: &World, random: &mut Random) -> Option<Value> {
    let disabled: Vec<(&String, &String)> = world
        .accounts
        .iter()
        .flat_map(|(id, found)| found.disabled.iter().map(move |reason| (id, reason)))
        .collect();
    if disabled.is_empty() {
        return None;
    }
    let (account, reason) = random.pick(&disabled);
    Some(json!({ "do": "restore", "account": account, "reason": reason }))
}

/// Returns a random command as JSON.
fn command(world: &mut World, random: &mut Random, login: &Login) -> Value {
    world.next += 1;
    let (id, account) = (format!("x{}", world.next), target(world, random, login));
    let member = |random: &mut Random| pick(random, world.members.keys());
    let level = |random: &mut Random| {
        if random.once_in(2) {
            (*random.pick(&["basic", "standard", "full", "none"])).to_owned()
        } else {
            pick(random, world.levels.keys())
        }
    };
    let main = |random: &mut Random| random.pick(&world.open_mains()).clone();
    let name = if random.once_in(2) {
        random.pick(&OFTEN)
    } else {
        random.pick(&NAMES)
    };
    let mut asked = match *name {
        "create_account" if world.open_mains().len() > 7 => {
            json!({ "do": "restore", "account": account, "reason": "unpaid" })
        }
        "create_account" => {
            json!({ "id": id, "email": format!("{id}@main.example"), "package": "agency" })
        }
        "change_package" => {
            let package = random.pick(&[
                "agency",
                "agency",
                "agency",
                "agency",
                "agency",
                "enterprise",
                "business",
            ]);
            json!({ "account": main(random), "package": package, "confirmed": random.once_in(2) })
        }
        "edit_account" if random.once_in(3) => {
            let day = 1 + random.below(28);
            json!({ "account": main(random), "zone": random.pick(&ZONES).0, "anchor": format!("2026-01-{day:02}") })
        }
        "edit_account" if random.once_in(3) => {
            json!({ "account": main(random), "remove_limits": ["client_accounts"] })
        }
        "edit_account" => {
            json!({ "account": main(random), "limits": { "client_accounts": random.below(6), "members": random.below(6) } })
        }
        "create_client" => json!({ "id": id, "email": format!("{id}@client.example") }),
        "edit_client" => {
            json!({ "account": account, "limits": { "emails": random.below(1_000), "members": random.below(3) } })
        }
        "attach_level" => json!({ "account": account, "level": level(random) }),
        "restore" => restore_command(world, random)
            .unwrap_or_else(|| json!({ "account": account, "reason": random.pick(&REASONS) })),
        "disable" if random.once_in(2) => restore_command(world, random)
            .unwrap_or_else(|| json!({ "account": account, "reason": "by_owner" })),
        "disable" if random.once_in(5) => json!({ "account": main(random), "reason": "unpaid" }),
        "disable" => json!({ "account": account, "reason": random.pick(&REASONS) }),
        // Main accounts are rarely closed.
        "close" if world.accounts[&account].owner.is_none() && !random.once_in(40) => {
            json!({ "do": "change_email", "account": account, "email": format!("{id}@new.example") })
        }
        "close" => json!({ "account": account, "confirmed": random.once_in(2) }),
        "reopen_account" => {
            let is_any = random.once_in(8);
            let closed = world.accounts.iter().filter(|(_, found)| {
                let recently = found.closed_at.is_some_and(|at| world.now - at < 4 * WEEK);
                found.closed && (is_any || recently && !found.erased)
            });
            json!({ "account": pick(random, closed.map(|(id, _)| id)) })
        }
        "erase_account" => {
            let closed = world
                .accounts
                .iter()
                .filter(|(_, found)| found.closed && !found.erased)
                .map(|(id, _)| id);
            let account = if random.once_in(5) {
                account
            } else {
                pick(random, closed)
            };
            json!({ "account": account, "confirmed": random.once_in(2) })
        }
        "offer_transfer" => {
            let confirmed = world
                .accounts
                .iter()
                .filter(|(_, found)| found.owner.is_some() && found.confirmed && !found.closed)
                .map(|(id, _)| id);
            let account = if random.once_in(5) {
                account
            } else {
                pick(random, confirmed)
            };
            json!({ "account": account, "to": main(random), "valid_for": 1 + random.below(2 * 604_800_000) })
        }
        "consent_transfer" => {
            let offered = world
                .accounts
                .iter()
                .filter(|(_, found)| {
                    found
                        .offer
                        .as_ref()
                        .is_some_and(|offer| !offer.2 && offer.1 > world.now)
                })
                .map(|(id, _)| id);
            let account = if random.once_in(5) {
                account
            } else {
                pick(random, offered)
            };
            json!({ "account": account, "to": world.accounts.get(&account).and_then(|found| found.offer.clone()).map_or_else(|| main(random), |offer| offer.0) })
        }
        "accept_transfer" => {
            let offered = world.accounts.iter().filter(|(_, found)| {
                found
                    .offer
                    .as_ref()
                    .is_some_and(|offer| offer.2 && offer.1 > world.now)
            });
            let account = pick(random, offered.map(|(id, _)| id));
            json!({ "account": account, "level": level(random) })
        }
        "resend_confirmation" | "sign_out" if random.once_in(3) => {
            json!({ "member": member(random) })
        }
        "sign_out" if random.once_in(3) => json!({}),
        "cancel_transfer" | "resend_confirmation" | "sign_out" => json!({ "account": account }),
        "resend_invitation" => {
            let invited = world
                .members
                .iter()
                .filter(|(_, found)| !found.confirmed)
                .map(|(id, _)| id);
            json!({ "member": pick(random, invited) })
        }
        "create_service_account" => {
            json!({ "id": id, "name": "a program", "grants": random_grants(random) })
        }
        "edit_service_account" | "rotate_key" | "remove_service_account" => {
            let programs = world.members.iter().filter(|(_, found)| found.service);
            let program = pick(random, programs.map(|(id, _)| id));
            let other = random.once_in(5);
            json!({ "member": if other { member(random) } else { program }, "valid_for": 1_000_000 })
        }
        "invite_member" => {
            let part = if random.once_in(2) {
                json!({ "emails": random.below(50) })
            } else {
                json!({})
            };
            json!({ "id": id, "email": format!("{id}@team.example"), "grants": random_grants(random), "sub_limits": part })
        }
        "grant_member" => json!({ "member": member(random), "grants": random_grants(random) }),
        "edit_member" if random.once_in(4) => {
            json!({ "member": member(random), "remove_sub_limits": ["emails"] })
        }
        "edit_member" => {
            json!({ "member": member(random), "sub_limits": { "emails": random.below(50) } })
        }
        "remove_member" | "erase_member" => json!({ "member": member(random) }),
        "create_level" => json!({ "id": id, "features": random_features(random) }),
        "edit_level" => {
            json!({ "level": pick(random, world.levels.keys()), "features": random_features(random) })
        }
        "delete_level" => {
            json!({ "level": pick(random, world.levels.keys()), "replacement": level(random) })
        }
        "add_domain" => {
            json!({ "domain": format!("{}.example", if random.once_in(3) { "app.o0".to_owned() } else { id }) })
        }
        "verify_domain" => {
            let is_any = random.once_in(4);
            let claims = world.domains.keys();
            let claims = claims.filter(|id| is_any || id.contains('/'));
            json!({ "domain": name_of(&pick(random, claims)), "txt": [] })
        }
        "remove_domain" => {
            // Domains of clients are rarely removed.
            let all = random.once_in(20);
            let id = pick(
                random,
                world
                    .domains
                    .keys()
                    .filter(|name| all || name.starts_with('x')),
            );
            json!({ "domain": name_of(&id), "confirmed": random.once_in(2) })
        }
        "quarantine_domain" => {
            // Domains of the first owners are rarely quarantined, nor are claims.
            let is_any = random.once_in(8);
            let ids = world.domains.keys();
            let ids = ids.filter(|id| is_any || id.starts_with('x') && !id.contains('/'));
            let id = pick(random, ids);
            json!({ "domain": name_of(&id), "confirmed": random.once_in(2) })
        }
        "recheck_domain" => {
            let id = pick(
                random,
                world.domains.keys().filter(|name| name.starts_with('x')),
            );
            let name = name_of(&id);
            let owner = world.domains.get(name).map_or("nobody", |(owner, _)| owner);
            let found = random.once_in(2).then(|| proof(name, owner));
            json!({ "domain": name, "txt": found.into_iter().collect::<Vec<_>>() })
        }
        "release_domain" => {
            let quarantined = world
                .domains
                .iter()
                .filter(|(_, (_, state))| *state == "quarantined")
                .map(|(name, _)| name);
            json!({ "domain": pick(random, quarantined) })
        }
        "change_email" if random.once_in(3) => {
            json!({ "member": member(random), "email": format!("{id}@new.example") })
        }
        "change_email" => json!({ "account": account, "email": format!("{id}@new.example") }),
        "record_payment" | "reverse_payment" | "close_month" | "settle_overage" | "top_up"
        | "revoke_top_up" => money(world, random, name),
        "confirm_email" if random.once_in(4) => {
            let waiting = world
                .members
                .iter()
                .filter(|(_, found)| found.token.is_some() && found.confirmed)
                .map(|(id, _)| id);
            let member = pick(random, waiting);
            json!({ "member": member, "token": token(world.members.get(&member).and_then(|found| found.token.as_ref())) })
        }
        "confirm_email" => {
            let waiting = world
                .accounts
                .iter()
                .filter(|(_, found)| found.token.is_some() && !found.closed)
                .map(|(id, _)| id);
            let account = if random.once_in(5) {
                account
            } else {
                pick(random, waiting)
            };
            json!({ "account": account, "token": token(world.accounts.get(&account).and_then(|found| found.token.as_ref())) })
        }
        _ => {
            let member = member(random);
            json!({ "member": member, "token": token(world.members.get(&member).and_then(|found| found.token.as_ref())) })
        }
    };
    if asked.get("do").is_none() {
        asked["do"] = json!(name);
    }
    if *name == "remove_service_account"
        && let Some(fields) = asked.as_object_mut()
    {
        fields.remove("valid_for");
    }
    asked
}

/// Returns a random command about money.
fn money(world: &World, random: &mut Random, name: &str) -> Value {
    let owner = if random.once_in(8) {
        pick(random, world.accounts.keys())
    } else {
        random.pick(&world.open_mains()).clone()
    };
    let bill = |owner: &String| world.bills.get(owner);
    match name {
        "record_payment" => {
            let running = bill(&owner).and_then(ModelOwner::running_name);
            json!({ "account": owner, "period": running, "cents": 250 * (1 + random.below(4)) })
        }
        "reverse_payment" if world.payments.is_empty() => {
            json!({ "account": owner, "payment": 987_654_321 })
        }
        "reverse_payment" => {
            let (payment, account, ..) = random.pick(&world.payments);
            let account = if random.once_in(8) { &owner } else { account };
            json!({ "account": account, "payment": payment })
        }
        "close_month" | "settle_overage" => {
            let over = bill(&owner).map_or(&[][..], |bill| &bill.over);
            let running = bill(&owner).and_then(ModelOwner::running_name);
            let period = if over.is_empty() || random.once_in(8) {
                running.unwrap_or_else(|| world.month())
            } else {
                let last = over.len() - 1 - random.below(over.len().min(4));
                let at = if random.once_in(3) {
                    random.below(over.len())
                } else {
                    last
                };
                over[at].name()
            };
            json!({ "account": owner, "period": period })
        }
        "top_up" => {
            json!({ "account": owner, "meter": "texts", "amount": 1, "key": format!("charge/{}", world.next) })
        }
        _ => {
            let known = world.top_ups.keys().collect::<Vec<_>>();
            if known.is_empty() || random.once_in(8) {
                json!({ "account": owner, "key": "charge/none" })
            } else {
                let (account, key) = random.pick(&known);
                json!({ "account": account, "key": key })
            }
        }
    }
}

fn token(known: Option<&(String, i64)>) -> String {
    known.map_or_else(|| "none".to_owned(), |(token, _)| token.clone())
}

/// Returns a login that is likely entitled to the command.
fn likely_caller(
    world: &World,
    random: &mut Random,
    asked: &Value,
) -> Option<(Login, Option<String>)> {
    let account = asked["account"].as_str().unwrap_or_default();
    let login = match asked["do"].as_str()? {
        "create_account" | "change_package" | "edit_account" | "quarantine_domain"
        | "recheck_domain" | "release_domain" | "erase_account" | "reopen_account"
        | "record_payment" | "reverse_payment" | "close_month" | "settle_overage" | "top_up"
        | "revoke_top_up" => Login::Operator,
        "confirm_email" | "change_email" | "resend_confirmation" if asked["member"].is_string() => {
            Login::Member(asked["member"].as_str()?.to_owned())
        }
        "offer_transfer" | "resend_confirmation" if random.once_in(4) => Login::Operator,
        "confirm_email" | "change_email" | "resend_confirmation" | "consent_transfer" => {
            Login::Account(account.to_owned())
        }
        "accept_invitation" => Login::Member(asked["member"].as_str()?.to_owned()),
        "accept_transfer" => Login::Account(world.accounts.get(account)?.offer.clone()?.0),
        "verify_domain" | "remove_domain" => {
            let name = asked["domain"].as_str()?;
            let owners: Vec<&String> = world
                .domains
                .iter()
                .filter(|(id, _)| name_of(id) == name)
                .map(|(_, (owner, _))| owner)
                .collect();
            if owners.is_empty() {
                return None;
            }
            Login::Account((*random.pick(&owners)).clone())
        }
        "edit_level" | "delete_level" => {
            Login::Account(world.levels.get(asked["level"].as_str()?)?.0.clone())
        }
        "grant_member"
        | "edit_member"
        | "remove_member"
        | "erase_member"
        | "resend_invitation"
        | "edit_service_account"
        | "rotate_key"
        | "remove_service_account" => {
            let account = &world.members.get(asked["member"].as_str()?)?.account;
            let colleagues: Vec<&String> = world
                .members
                .iter()
                .filter(|(_, found)| found.account == *account && found.confirmed)
                .map(|(id, _)| id)
                .collect();
            if colleagues.is_empty() || random.once_in(2) {
                Login::Account(account.clone())
            } else {
                Login::Member((*random.pick(&colleagues)).clone())
            }
        }
        "disable" | "restore" if asked["reason"] != "by_owner" => Login::Operator,
        "disable" | "restore" | "offer_transfer" | "attach_level" | "edit_client" => {
            Login::Account(world.accounts.get(account)?.owner.clone()?)
        }
        _ => return None,
    };
    let known = match &login {
        Login::Account(id) => world.accounts.contains_key(id),
        Login::Member(id) => world.members.contains_key(id),
        Login::Operator => true,
    };
    (known && !random.once_in(6)).then(|| (login.clone(), world.host_of(&login)))
}

/// Executes one random command and applies its effect to the model.
pub(crate) fn step(world: &mut World, random: &mut Random, sides: &mut Sides) {
    let (login, host) = world.login(random);
    let mut asked = command(world, random, &login);
    let (login, host) = likely_caller(world, random, &asked).unwrap_or((login, host));
    let name = asked["do"].as_str().expect("a name").to_owned();
    if name == "verify_domain" && !random.once_in(4) {
        let domain = asked["domain"].as_str().expect("a name");
        let home = world.home(&login).unwrap_or_default();
        asked["txt"] = json!([proof(domain, &home)]);
    }
    let context = if login == Login::Operator && !random.once_in(10) {
        json!({ "reason": "asked" })
    } else {
        json!({})
    };
    let keyed = if sides.has_kills() { 3 } else { 10 };
    let key = random.once_in(keyed).then(|| format!("key/{}", world.next));
    let session = world.session(random);
    let whole = json!({ "walk": "perform", "by": login.json(), "host": host, "session_start": session, "command": asked, "context": context, "key": key });
    let at = (host.as_deref(), session);
    let refusal = command_refusal(world, &login, at, &asked, &context);
    let answer = match sides.ask(random, &whole) {
        Ok(answer) => answer,
        Err(code) => {
            assert!(
                refusal.is_some() || is_state_error(world, &login, &asked, &code),
                "entitled: {whole}: {code}"
            );
            world.count_refusal(&name, true);
            return;
        }
    };
    let was_killed = sides.was_killed;
    if key.is_some() {
        let again = sides.ask(random, &whole);
        let again = again.map(|again| again["allowed"].clone());
        assert!(
            again == Ok(answer["allowed"].clone()) || answer["allowed"] == false,
            "{whole}: {again:?}"
        );
    }
    if answer["allowed"] != true {
        let is_overage = answer["code"] == "account_overage" && world.may_be_overage(&login);
        assert!(
            refusal.is_some() || is_overage,
            "entitled: {whole}: {answer}"
        );
        world.count_refusal(&name, false);
        return;
    }
    assert_eq!(refusal, None, "{whole}: {answer}");
    if apply_money(world, &asked, &answer) {
        world.count(&name);
        return;
    }
    // A killed call has told the token to nobody.
    let token = answer["token"].as_str();
    let token = token.or(Some(MOVED).filter(|_| was_killed && SENDS_TOKEN.contains(&&*name)));
    apply(world, &login, &asked, token);
    world.sync_bills();
    world.count(&name);
}

/// Returns the DNS record that proves an owner's domain, from the engine's own record, as a host
/// would.
fn proof(domain: &str, owner: &str) -> String {
    let record = json!({ "type": "Domain", "id": domain, "kind": "whitelabel", "owner": owner });
    match sublet::Record::from_value(record) {
        Ok(sublet::Record::Domain(domain)) => domain.proof().unwrap_or_default(),
        _ => String::new(),
    }
}

/// Applies an allowed command about money to the model. Returns whether it is one.
fn apply_money(world: &mut World, asked: &Value, answer: &Value) -> bool {
    let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
    let (owner, period) = (text("account"), text("period"));
    match asked["do"].as_str().expect("a name") {
        "record_payment" => {
            let cents = asked["cents"].as_i64().expect("a number");
            let period = if period.is_empty() {
                world.bills[&owner].payable()
            } else {
                period
            };
            world.receive(&owner, &period, cents);
            let payment = answer["entry"].as_u64().expect("a payment");
            world.payments.push((payment, owner, period, cents));
        }
        "reverse_payment" => {
            let payment = asked["payment"].as_u64().expect("a number");
            let mut all = world.payments.iter();
            let at = all.position(|(known, ..)| *known == payment);
            let (_, owner, period, cents) = world.payments.swap_remove(at.expect("a payment"));
            world.receive(&owner, &period, -cents);
        }
        "settle_overage" => {
            world.settle(&owner, &period);
        }
        "top_up" => drop(world.top_ups.insert((owner, text("key")), world.now)),
        "close_month" | "revoke_top_up" => {}
        _ => return false,
    }
    true
}

/// Applies an allowed command to the model.
fn apply(world: &mut World, login: &Login, asked: &Value, token: Option<&str>) {
    let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
    let grants = |name: &str| -> Words {
        asked[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let (now, home) = (world.now, world.home(login).unwrap_or_default());
    let token = token.map(|token| (token.to_owned(), now + WEEK));
    let id = text("account");
    if asked["do"] == "accept_transfer" {
        let members = world.members.values_mut();
        members
            .filter(|member| member.account == id)
            .filter_map(|member| member.token.as_mut())
            .for_each(|token| MOVED.clone_into(&mut token.0));
    }
    if asked["do"] == "erase_account" {
        // A service account loses its key.
        let members = world.members.values_mut();
        members
            .filter(|member| member.account == id && member.service)
            .for_each(|member| member.erase(now));
    }
    if asked["do"] == "edit_account"
        && let (Some(zone), Some(bill)) = (asked["zone"].as_str(), world.bills.get_mut(&id))
    {
        let known = ZONES.iter().find(|(name, _)| *name == zone);
        bill.offset = known.expect("a zone").1;
        let day = asked["anchor"].as_str().and_then(|day| day.get(8..));
        bill.anchor = day.expect("a day").parse().expect("a number");
    }
    match asked["do"].as_str().expect("a name") {
        "create_account" => drop(world.accounts.insert(
            text("id"),
            Account {
                package: text("package"),
                token,
                ..Account::default()
            },
        )),
        "create_client" => {
            let level = world.usual_level(&world.accounts[&home].package);
            world.accounts.insert(
                text("id"),
                Account {
                    owner: Some(home),
                    level,
                    token,
                    ..Account::default()
                },
            );
        }
        "invite_member" => {
            let part = asked["sub_limits"]["emails"].as_i64();
            world.members.insert(
                text("id"),
                Member {
                    account: home,
                    grants: grants("grants"),
                    part,
                    confirmed: false,
                    erased: false,
                    service: false,
                    token,
                },
            );
        }
        "create_service_account" => drop(world.members.insert(
            text("id"),
            Member {
                account: home,
                grants: grants("grants"),
                part: None,
                confirmed: true,
                erased: false,
                service: true,
                token: None,
            },
        )),
        "rotate_key" => drop(world.signed_out.insert(Login::Member(text("member")), now)),
        "edit_service_account" => {}
        "sign_out" => {
            let ended = match (asked["account"].as_str(), asked["member"].as_str()) {
                (Some(account), _) => Login::Account(account.to_owned()),
                (_, Some(member)) => Login::Member(member.to_owned()),
                _ => login.clone(),
            };
            world.signed_out.insert(ended, now);
        }
        "resend_invitation" => {
            world
                .members
                .get_mut(&text("member"))
                .expect("a member")
                .token = token
        }
        "change_email" | "resend_confirmation" if asked["member"].is_string() => {
            world
                .members
                .get_mut(&text("member"))
                .expect("a member")
                .token = token
        }
        "confirm_email" if asked["member"].is_string() => {
            world
                .members
                .get_mut(&text("member"))
                .expect("a member")
                .token = None
        }
        "edit_member" => {
            world
                .members
                .get_mut(&text("member"))
                .expect("a member")
                .part = asked["sub_limits"]["emails"].as_i64()
        }
        "grant_member" => {
            world
                .members
                .get_mut(&text("member"))
                .expect("a member")
                .grants = grants("grants")
        }
        "erase_member" => {
            let member = world.members.get_mut(&text("member")).expect("a member");
            member.erase(now);
        }
        "remove_member" | "remove_service_account" => {
            world.signed_out.remove(&Login::Member(text("member")));
            world.members.remove(&text("member"));
        }
        "accept_invitation" => {
            let member = world.members.get_mut(&text("member")).expect("a member");
            (member.confirmed, member.token) = (true, None);
        }
        "create_level" => drop(world.levels.insert(text("id"), (home, grants("features")))),
        "edit_level" => {
            world.levels.get_mut(&text("level")).expect("a level").1 = grants("features")
        }
        "delete_level" => {
            world.levels.remove(&text("level"));
            for account in world
                .accounts
                .values_mut()
                .filter(|account| account.level == Some(text("level")))
            {
                account.level = Some(text("replacement"));
            }
        }
        "add_domain" | "verify_domain" | "quarantine_domain" | "recheck_domain"
        | "release_domain" | "remove_domain" => apply_to_domain(world, asked, home),
        name => account(
            world.accounts.get_mut(&id).expect("an account"),
            name,
            asked,
            (token, now, home),
        ),
    }
}

/// Applies an allowed command about a domain to the model.
fn apply_to_domain(world: &mut World, asked: &Value, home: String) {
    let name = asked["domain"].as_str().expect("a name").to_owned();
    let in_days = |world: &World, days: &str| world.now + 86_400_000 * world.setting(days);
    match asked["do"].as_str().expect("a command") {
        "add_domain" => {
            let (id, end) = (format!("{name}/{home}"), in_days(world, "claim_days"));
            world.end_claims(&name, false);
            world.domain_ends.insert(id.clone(), end);
            world.domains.insert(id, (home, "pending"));
        }
        "verify_domain" => {
            world.end_claims(&name, true);
            world.domain_ends.remove(&name);
            world.domains.insert(name, (home, "verified"));
        }
        "recheck_domain" => {
            let end = in_days(world, "lapse_days");
            let (owner, state) = world.domains.get_mut(&name).expect("a domain");
            if asked["txt"] == json!([proof(&name, owner)]) {
                *state = "verified";
                world.domain_ends.remove(&name);
            } else {
                *state = "lapsed";
                world.domain_ends.entry(name).or_insert(end);
            }
        }
        "release_domain" => drop(world.domains.remove(&name)),
        _ => match world.domains.get_mut(&name) {
            Some((_, state)) => {
                *state = "quarantined";
                world.domain_ends.remove(&name);
            }
            None => {
                let id = format!("{name}/{home}");
                world.domain_ends.remove(&id);
                world.domains.remove(&id);
            }
        },
    }
}

/// Applies an allowed command about one account to the model.
fn account(
    account: &mut Account,
    name: &str,
    asked: &Value,
    (token, now, home): (Option<(String, i64)>, i64, String),
) {
    let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
    match name {
        "change_package" => account.package = text("package"),
        "edit_account" | "edit_client" => {
            let included = asked["limits"]["client_accounts"].as_i64();
            if included.is_some() || asked["remove_limits"].is_array() {
                account.included = included;
            }
            if let Some(limit) = asked["limits"]["members"].as_u64() {
                account.seats = Some(usize::try_from(limit).expect("small"));
            }
        }
        "attach_level" => account.level = Some(text("level")),
        "disable" => drop(account.disabled.insert(text("reason"))),
        "restore" => drop(account.disabled.remove(&text("reason"))),
        "close" if !account.closed => (account.closed, account.closed_at) = (true, Some(now)),
        "close" => (),
        "reopen_account" => (account.closed, account.closed_at) = (false, None),
        "erase_account" => {
            if !account.closed {
                (account.closed, account.closed_at) = (true, Some(now));
            }
            account.erased = true;
        }
        "offer_transfer" => {
            account.offer = Some((
                text("to"),
                now + asked["valid_for"].as_i64().expect("a time"),
                false,
            ))
        }
        "consent_transfer" => account.offer.iter_mut().for_each(|offer| offer.2 = true),
        "cancel_transfer" => account.offer = None,
        "accept_transfer" => {
            (account.owner, account.level, account.offer, account.token) =
                (Some(home), Some(text("level")), None, None);
            // The limits of the old owner end.
            account.seats = None;
            account.disabled.remove("by_owner");
        }
        "confirm_email" => (account.confirmed, account.token) = (true, None),
        "change_email" => (account.renamed, account.token) = (true, token),
        "resend_confirmation" => account.token = token,
        other => panic!("no command {other}"),
    }
}
