//! The rules of `docs/rules.md` over the model: the reason for which a command or request is
//! refused, or `None` if the caller is entitled. Nothing is read from policies.
//!
//! The model does not know which clients the draw disabled for overage. The walk accepts such a
//! refusal only of a client, after a settlement.

use serde_json::{Value, json};
use sublet_tests::ModelOwner;

use super::world::{Account, Login, MOVED, Words, World, is_in_use};

/// The kinds of action (C8) that the walk asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ActionKind {
    Login,
    Read,
    Write,
    Consume,
    Public,
    Unsubscribe,
    Billing,
    Exit,
    /// The answer to a transfer, an exit that stays open under an owner that is gone (C11).
    Answer,
}

use ActionKind::{
    Answer, Billing, Consume, Exit, Login as LogIn, Public, Read, Unsubscribe, Write,
};

/// A refusal says why. `None` entitles.
pub(crate) type Refusal = Option<&'static str>;

fn unless(holds: bool, reason: &'static str) -> Refusal {
    (!holds).then_some(reason)
}

/// Returns the refusal of a kind of action by the account's status and its owner's (C4, C8). An
/// unconfirmed account only confirms its e-mail. `is_own` says whether the action concerns the
/// account's own data.
fn status(world: &World, account: &Account, kind: ActionKind, is_own: bool) -> Refusal {
    let reads_foreign = kind == Read && !is_own;
    let writes = matches!(kind, Write | Consume);
    let has = |account: &Account, reason: &str| account.disabled.contains(reason);
    unless(!account.closed || kind == Unsubscribe, "closed")
        .or_else(|| unless(!has(account, "abuse") || kind == Unsubscribe, "abuse"))
        .or_else(|| {
            let is_public = matches!(kind, Public | Unsubscribe);
            unless(!has(account, "by_owner") || is_public, "by_owner")
        })
        .or_else(|| {
            let is_refused = has(account, "unpaid") && (writes || reads_foreign);
            unless(!is_refused, "unpaid")
        })
        .or_else(|| {
            let owner = &world.accounts[account.owner.as_ref()?];
            let is_gone = owner.closed || has(owner, "abuse");
            let is_unpaid = has(owner, "unpaid") && (writes || kind == Billing || reads_foreign);
            let is_open = matches!(kind, Unsubscribe | Answer);
            unless(!is_gone || is_open, "owner").or_else(|| unless(!is_unpaid, "owner unpaid"))
        })
}

/// Returns the refusal of a feature: the package, the level, the right to have clients, the grants
/// (L1, C3, M3).
fn feature(world: &World, login: &Login, home: &str, feature: &str) -> Refusal {
    let needs_right = [
        "client_accounts",
        "access_levels",
        "branding",
        "act_as_client",
    ]
    .contains(&feature);
    let account = &world.accounts[home];
    unless(world.features(home).contains(feature), "feature")
        .or_else(|| {
            let has_right = account.owner.is_some() || world.is_whitelabel(&account.package);
            unless(!needs_right || has_right, "right")
        })
        .or_else(|| match login {
            Login::Member(id) => unless(world.members[id].grants.contains(feature), "grant"),
            _ => None,
        })
}

/// Returns the kind and the feature of an action that the walk asks.
fn action(name: &str) -> (ActionKind, Option<&'static str>) {
    match name {
        "campaign.read" => (Read, Some("campaigns")),
        "campaign.edit" => (Write, Some("campaigns")),
        "campaign.send" => (Consume, Some("campaigns")),
        "contact.read" => (Read, Some("contacts")),
        "page.view" => (Public, None),
        "contact.unsubscribe" => (Unsubscribe, None),
        "account.read" => (Read, None),
        "account.edit" => (Write, None),
        "login.password" => (LogIn, None),
        "client.read" => (Read, Some("client_accounts")),
        "client.act_as" => (LogIn, Some("act_as_client")),
        "billing.read" => (Billing, Some("billing")),
        other => panic!("no action {other}"),
    }
}

/// Returns the refusal of a request about an account, or about a resource in it.
pub(crate) fn request_refusal(
    world: &World,
    login: &Login,
    actor: Option<&Login>,
    name: &str,
    about: &str,
    (host, session): (Option<&str>, Option<i64>),
) -> Refusal {
    let (kind, needs) = action(name);
    let is_for_strangers = matches!(kind, Public | Unsubscribe);
    let Some(home) = world.home(login) else {
        return Some("staff");
    };
    let account = &world.accounts[&home];
    let is_itself = matches!(login, Login::Account(_));
    let is_on_client = name.starts_with("client.");
    let target = &world.accounts[about];
    let is_acting_read = actor.is_some() && kind == Read;
    // An actor reads in a client that is unconfirmed or disabled by its owner (A1).
    let mut seen = account.clone();
    if is_acting_read {
        seen.confirmed = true;
        seen.disabled.remove("by_owner");
    }
    unless(
        is_for_strangers || world.admits(actor.unwrap_or(login), host),
        "gate",
    )
    .or_else(|| {
        let is_new = is_for_strangers || kind == LogIn;
        let login = actor.unwrap_or(login);
        unless(
            is_new || world.is_session_good(login, host, session),
            "session",
        )
    })
    .or_else(|| unless(seen.confirmed, "unconfirmed"))
    .or_else(|| match login {
        Login::Member(id) => unless(world.members[id].confirmed, "invited"),
        _ => None,
    })
    .or_else(|| status(world, &seen, kind, about == home))
    .or_else(|| {
        // An owner manages its clients, and never reaches the data in them (C1, C3).
        let is_inside = if is_on_client {
            target.owner.as_deref() == Some(&home)
        } else {
            about == home
        };
        unless(is_inside, "isolation")
    })
    .or_else(|| needs.and_then(|needs| feature(world, login, &home, needs)))
    .or_else(|| {
        let needs_own_login = is_for_strangers || name == "account.edit";
        unless(is_itself || !needs_own_login, "own login")
    })
    .or_else(|| unless(kind != Billing || account.owner.is_none(), "client pays"))
    .or_else(|| {
        let is_gone = target.closed || target.disabled.contains("abuse");
        unless(name != "client.act_as" || !is_gone, "act as closed")
    })
    .or_else(|| {
        // A service account logs in by its key only (I7).
        let is_program = matches!(login, Login::Member(id) if world.members[id].service);
        unless(kind != LogIn || !is_program, "program")
    })
    .or_else(|| acting(world, actor?, account, (kind, needs), is_itself))
}

/// Returns the refusal of an actor in an account (A1).
fn acting(
    world: &World,
    actor: &Login,
    account: &Account,
    (kind, needs): (ActionKind, Option<&str>),
    is_itself: bool,
) -> Refusal {
    let Some(acting) = world.home(actor) else {
        return Some("staff acts");
    };
    let standing = &world.accounts[&acting];
    let is_owner = is_itself && account.owner.as_ref() == Some(&acting);
    let has_right = world.is_whitelabel(&standing.package)
        && world
            .package_features(&standing.package)
            .contains("act_as_client");
    let is_active = standing.confirmed && !standing.closed && standing.disabled.is_empty();
    unless(is_owner, "acts in a foreign account")
        .or_else(|| unless(has_right && is_active, "acts without right"))
        .or_else(|| match actor {
            Login::Member(id) => {
                let member = &world.members[id];
                let is_granted = member.confirmed && member.grants.contains("act_as_client");
                // Acting adds no rights to those of the member (A1).
                let holds = needs.map_or(!matches!(kind, Write | Consume), |needs| {
                    member.grants.contains(needs)
                });
                unless(is_granted && holds, "acts without grant")
            }
            _ => None,
        })
        .or_else(|| {
            unless(
                account.disabled.is_empty() || kind == Read,
                "acts in a disabled account",
            )
        })
        .or_else(|| unless(!matches!(kind, LogIn | Billing), "stays with the client"))
}

fn text<'a>(asked: &'a Value, name: &str) -> &'a str {
    asked[name].as_str().unwrap_or_default()
}

/// Returns the refusal of a command.
pub(crate) fn command_refusal(
    world: &World,
    login: &Login,
    (host, session): (Option<&str>, Option<i64>),
    asked: &Value,
    context: &Value,
) -> Refusal {
    let name = text(asked, "do");
    let target = world.accounts.get(text(asked, "account"));
    if !world.admits(login, host) {
        return Some("gate");
    }
    let is_own = asked["member"].as_str().map_or_else(
        || asked["account"].is_null() || world.home(login).as_deref() == asked["account"].as_str(),
        |id| is_member(login, id),
    );
    let is_confirming = ["confirm_email", "resend_confirmation"].contains(&name) && is_own;
    let is_new = is_confirming || name == "accept_invitation";
    if !is_new && !world.is_session_good(login, host, session) {
        return Some("session");
    }
    let Some(home) = world.home(login) else {
        return staff(world, asked, context, target);
    };
    let account = &world.accounts[&home];
    let kind = match name {
        "resend_confirmation" if !is_own => Write,
        "confirm_email" | "resend_confirmation" | "accept_invitation" => LogIn,
        "change_package" => Billing,
        "close" | "erase_account" => Exit,
        "change_email" | "sign_out" if is_own => Exit,
        "consent_transfer" => Answer,
        "cancel_transfer" if text(asked, "account") == home => Answer,
        _ => Write,
    };
    // Only an account itself confirms while it is unconfirmed.
    let is_first = is_confirming && *login == Login::Account(home.clone());
    let is_client = target.is_some_and(|target| target.owner.as_ref() == Some(&home));
    unless(account.confirmed || is_first, "unconfirmed")
        .or_else(|| match login {
            Login::Member(id) => unless(
                world.members[id].confirmed || name == "accept_invitation",
                "invited",
            ),
            _ => None,
        })
        .or_else(|| status(world, account, kind, true))
        .or_else(|| {
            let is_declined =
                name == "cancel_transfer" && target.is_some() && text(asked, "account") != home;
            command_feature(name, is_client || is_declined)
                .filter(|_| name != "sign_out" || !is_own)
                .and_then(|needs| feature(world, login, &home, needs))
        })
        .or_else(|| {
            unless(
                is_own_target(world, login, &home, asked, target),
                "another's",
            )
        })
        .or_else(|| {
            // Its owner does not change an erased client (C14).
            let is_erased = target.is_some_and(|target| target.erased);
            unless(!(is_client && is_erased), "erased")
        })
        .or_else(|| {
            // A level of another owner cannot be attached (L3).
            let level = text(asked, "level");
            let is_usable = match world.levels.get(level) {
                Some((owner, _)) => *owner == home,
                None => ["basic", "standard", "full", "none"].contains(&level),
            };
            let attaches = ["attach_level", "accept_transfer"].contains(&name);
            unless(!attaches || is_usable, "level")
        })
        .or_else(|| depth(account, name))
        .or_else(|| deletion(world, &home, asked))
        .or_else(|| waiting(world, asked, target))
        .or_else(|| {
            // A service account logs in by its key only (I7).
            let is_program = matches!(login, Login::Member(id) if world.members[id].service);
            unless(kind != LogIn || !is_program, "program")
        })
        .or_else(|| login_record(world, asked))
        .or_else(|| grants(world, login, &home, asked))
        .or_else(|| {
            let has_seat = world
                .seat_limit(&home)
                .is_none_or(|limit| world.seats(&home) < limit);
            let has_expired = world
                .members
                .get(text(asked, "member"))
                .is_some_and(|member| {
                    !member.confirmed
                        && member
                            .token
                            .as_ref()
                            .is_some_and(|(_, until)| *until <= world.now)
                });
            let takes = name == "invite_member" || (name == "resend_invitation" && has_expired);
            unless(!takes || has_seat, "seats")
        })
        .or_else(|| {
            let is_offered = world.is_self_service(text(asked, "package"));
            unless(name != "change_package" || is_offered, "not self-service")
        })
        .or_else(|| {
            let has_room = world.open_claims(&home) < world.setting("claims_max");
            unless(name != "add_domain" || has_room, "claims")
        })
        .or_else(|| stranding(world, asked))
}

/// Returns the refusal of what belongs to main accounts: clients, levels and domains (C5).
fn depth(account: &Account, name: &str) -> Refusal {
    let is_for_owners = [
        "create_client",
        "accept_transfer",
        "create_level",
        "add_domain",
    ]
    .contains(&name);
    unless(!is_for_owners || account.owner.is_none(), "depth")
}

/// Returns the refusal to delete a level: its clients need another level, of the same owner or
/// built-in (L3).
fn deletion(world: &World, home: &str, asked: &Value) -> Refusal {
    if text(asked, "do") != "delete_level" {
        return None;
    }
    let (level, replacement) = (text(asked, "level"), text(asked, "replacement"));
    let is_own = world
        .levels
        .get(replacement)
        .is_none_or(|(owner, _)| owner == home);
    let mut accounts = world.accounts.values();
    let is_used = accounts.any(|account| account.level.as_deref() == Some(level));
    unless(is_own, "level").or_else(|| unless(!is_used || replacement != level, "level in use"))
}

/// Returns the refusal to confirm, or to send a token, if no e-mail waits (I4, M8).
fn waiting(world: &World, asked: &Value, target: Option<&Account>) -> Refusal {
    let member = world.members.get(text(asked, "member"));
    let waits = match text(asked, "do") {
        "confirm_email" | "resend_confirmation" if asked["member"].is_string() => {
            member.is_some_and(|member| member.token.is_some() && member.confirmed)
        }
        "confirm_email" => target.is_some_and(|target| target.token.is_some()),
        "resend_confirmation" => {
            target.is_some_and(|target| target.token.is_some() || !target.confirmed)
        }
        "accept_invitation" => {
            member.is_some_and(|member| member.token.is_some() && !member.confirmed)
        }
        // An erased member has no e-mail (C14).
        "resend_invitation" => member.is_some_and(|member| !member.confirmed && !member.erased),
        _ => true,
    };
    unless(waits, "no e-mail waits")
}

fn is_member(login: &Login, id: &str) -> bool {
    *login == Login::Member(id.to_owned())
}

/// Returns the refusal of a command by the kind of login that it names: a service account has a key
/// and no e-mail (I7), and an accepted invitation is not sent again (M8).
fn login_record(world: &World, asked: &Value) -> Refusal {
    let member = world.members.get(text(asked, "member"))?;
    let is_fit = match text(asked, "do") {
        "edit_service_account" | "rotate_key" | "remove_service_account" => member.service,
        "remove_member" | "change_email" | "confirm_email" | "resend_confirmation" => {
            !member.service
        }
        "accept_invitation" => !member.service,
        "resend_invitation" => !member.confirmed,
        _ => true,
    };
    unless(is_fit, "kind of login")
}

/// Returns whether the state of the records explains an error of an entitled command.
pub(crate) fn is_state_error(world: &World, login: &Login, asked: &Value, code: &str) -> bool {
    let target = world.accounts.get(text(asked, "account"));
    let member = world.members.get(text(asked, "member"));
    let is_valid = |known: Option<&(String, i64)>| {
        known.is_some_and(|(token, until)| {
            token != MOVED && token == text(asked, "token") && world.now < *until
        })
    };
    match (text(asked, "do"), code) {
        ("confirm_email", "directory.token") => match member {
            Some(member) => !member.confirmed || !is_valid(member.token.as_ref()),
            None => !is_valid(target.and_then(|target| target.token.as_ref())),
        },
        ("accept_invitation", "directory.token") => {
            !is_valid(member.and_then(|member| member.token.as_ref()))
        }
        ("verify_domain", "directory.domain_proof") => asked["txt"] == json!([]),
        ("add_domain", "directory.duplicate_domain") => {
            // Claims of other owners do not exclude the caller's (D4).
            let home = world.home(login).unwrap_or_default();
            world.named_domain(text(asked, "domain"), &home).is_some()
        }
        ("record_payment" | "close_month" | "settle_overage", "billing.period") => {
            let period = text(asked, "period");
            bill(world, asked).is_some_and(|bill| {
                let running = bill.running_name();
                bill.month(period).is_none() && running.as_deref() != Some(period)
            })
        }
        ("reverse_payment", "billing.unknown_payment") => {
            let mut known = world.payments.iter();
            !known.any(|(payment, owner, ..)| {
                asked["payment"] == *payment && text(asked, "account") == owner
            })
        }
        // A key is stored until 35 days after its window, and is unknown 35 days later.
        ("revoke_top_up", "quota.idempotency_key_pruned") => top_up_age(world, asked) > Some(35),
        ("revoke_top_up", "quota.unknown_top_up") => {
            top_up_age(world, asked).is_none_or(|days| days > 70)
        }
        _ => false,
    }
}

fn bill<'w>(world: &'w World, asked: &Value) -> Option<&'w ModelOwner> {
    world.bills.get(text(asked, "account"))
}

/// Returns the days since the top-up that a command names.
fn top_up_age(world: &World, asked: &Value) -> Option<i64> {
    let named = (
        text(asked, "account").to_owned(),
        text(asked, "key").to_owned(),
    );
    let at = world.top_ups.get(&named)?;
    Some((world.now - at) / DAY)
}

/// Returns the refusal of a command of the staff (O1).
fn staff(world: &World, asked: &Value, context: &Value, target: Option<&Account>) -> Refusal {
    let may = match text(asked, "do") {
        "create_account" => true,
        "quarantine_domain" => world.domains.contains_key(text(asked, "domain")),
        "recheck_domain" => world
            .domains
            .get(text(asked, "domain"))
            .is_some_and(|(_, state)| is_in_use(state)),
        "close" => target.is_some(),
        // The platform bills and tops up main accounts only, and only they have a package (B1, L6).
        "change_package" | "record_payment" | "reverse_payment" | "close_month"
        | "settle_overage" | "top_up" | "revoke_top_up" => {
            target.is_some_and(|target| target.owner.is_none())
        }
        "erase_member" => world.members.contains_key(text(asked, "member")),
        "change_email" | "resend_confirmation" => target.is_some_and(|target| !target.confirmed),
        "reopen_account" => target.is_some_and(|target| {
            let days = target.closed_at.map(|at| (world.now - at) / DAY);
            !target.closed || days.is_some_and(|days| days < 30)
        }),
        "offer_transfer" => target.is_some_and(|target| {
            let to = &world.accounts[text(asked, "to")];
            let is_other = target.owner.as_deref() != Some(text(asked, "to"));
            is_ownerless(world, target) && !target.closed && to.owner.is_none() && is_other
        }),
        "cancel_transfer" => {
            target.is_some_and(|target| is_ownerless(world, target) && !target.closed)
        }
        "erase_account" => target.is_some_and(|target| target.closed),
        "edit_account" => target.is_some_and(|target| target.owner.is_none()),
        "sign_out" => asked["member"]
            .as_str()
            .is_none_or(|id| world.members.contains_key(id)),
        "disable" | "restore" => {
            // `unpaid` is for main accounts only (C7).
            let reason = text(asked, "reason");
            target.is_some_and(|target| {
                reason == "abuse" || reason == "unpaid" && target.owner.is_none()
            })
        }
        "release_domain" => world
            .domains
            .get(text(asked, "domain"))
            .is_some_and(|(_, state)| *state == "quarantined"),
        _ => false,
    };
    unless(context["reason"] == "asked", "reason")
        .or_else(|| unless(may, "staff"))
        .or_else(|| {
            // The bill of an erased account stays (C14).
            let bill = [
                "record_payment",
                "reverse_payment",
                "close_month",
                "settle_overage",
            ];
            let is_bill = bill.contains(&text(asked, "do"));
            unless(
                is_bill || target.is_none_or(|target| !target.erased),
                "erased",
            )
        })
        .or_else(|| {
            // Only a month that is over is closed (B8).
            let running = bill(world, asked).and_then(ModelOwner::running_name);
            let is_running = running.as_deref() == Some(text(asked, "period"));
            let closes = ["close_month", "settle_overage"].contains(&text(asked, "do"));
            unless(!(closes && is_running), "month runs")
        })
        .or_else(|| unless(text(asked, "domain") != "nobody", "unknown domain"))
        .or_else(|| stranding(world, asked))
}

const DAY: i64 = 86_400_000;

/// Returns whether a client's owner is closed, disabled for abuse, or without the whitelabel right
/// (C11).
fn is_ownerless(world: &World, client: &Account) -> bool {
    client.owner.as_ref().is_some_and(|owner| {
        let owner = &world.accounts[owner];
        owner.closed || owner.disabled.contains("abuse") || !world.is_whitelabel(&owner.package)
    })
}

/// Returns the feature that a command requires of the member and of the account.
fn command_feature(name: &str, is_on_client: bool) -> Option<&'static str> {
    Some(match name {
        "create_client" | "edit_client" | "attach_level" | "offer_transfer" | "accept_transfer" => {
            "client_accounts"
        }
        "disable"
        | "restore"
        | "close"
        | "cancel_transfer"
        | "change_email"
        | "resend_confirmation"
            if is_on_client =>
        {
            "client_accounts"
        }
        "invite_member" | "grant_member" | "edit_member" | "remove_member" | "erase_member"
        | "resend_invitation" | "sign_out" => "team",
        "create_service_account"
        | "edit_service_account"
        | "rotate_key"
        | "remove_service_account" => "api",
        "create_level" | "edit_level" | "delete_level" => "access_levels",
        "add_domain" | "verify_domain" | "remove_domain" => "branding",
        _ => return None,
    })
}

/// Returns the refusal of a command that lets an owner's clients no longer log in, unless the
/// command confirms it (D8, C9).
fn stranding(world: &World, asked: &Value) -> Refusal {
    let strands = match text(asked, "do") {
        "change_package" => {
            !world.clients(text(asked, "account")).is_empty()
                && !world.is_whitelabel(text(asked, "package"))
        }
        "close" | "erase_account" => {
            let account = text(asked, "account");
            world
                .accounts
                .get(account)
                .is_some_and(|found| !found.closed)
                && !world.clients(account).is_empty()
        }
        "remove_domain" | "quarantine_domain" => {
            let domain = text(asked, "domain");
            world.domains.get(domain).is_some_and(|(owner, state)| {
                let others = world.domains.iter().filter(|(name, (of, state))| {
                    *name != domain && of == owner && is_in_use(state)
                });
                is_in_use(state) && others.count() == 0 && !world.clients(owner).is_empty()
            })
        }
        _ => false,
    };
    unless(!strands || asked["confirmed"] == true, "strands clients")
}

/// Returns whether the target of a command belongs to the caller.
fn is_own_target(
    world: &World,
    login: &Login,
    home: &str,
    asked: &Value,
    target: Option<&Account>,
) -> bool {
    let text = |name: &str| text(asked, name);
    let is_itself = text("account") == home && *login == Login::Account(home.to_owned());
    let is_client = target.is_some_and(|target| target.owner.as_deref() == Some(home));
    let offer = target
        .and_then(|target| target.offer.as_ref())
        .filter(|(_, until, _)| world.now < *until);
    let member = || world.members.get(text("member"));
    match text("do") {
        "create_client"
        | "invite_member"
        | "create_level"
        | "add_domain"
        | "create_service_account" => true,
        "sign_out" if asked["member"].is_string() => {
            member().is_some_and(|member| member.account == home)
        }
        "sign_out" => asked["account"].is_null() || is_itself,
        "confirm_email" | "resend_confirmation" | "change_email" if asked["member"].is_string() => {
            is_member(login, text("member"))
        }
        "edit_client" | "attach_level" => is_client,
        "offer_transfer" => {
            is_client
                && target.is_some_and(|target| !target.closed)
                && text("to") != home
                && world
                    .accounts
                    .get(text("to"))
                    .is_some_and(|to| to.owner.is_none())
        }
        "disable" | "restore" => is_client && text("reason") == "by_owner",
        "close" => is_client || is_itself,
        "change_package" => is_itself && target.is_some_and(|target| target.owner.is_none()),
        "confirm_email" | "erase_account" => is_itself,
        // An owner corrects the e-mail of an unconfirmed client (C12).
        "resend_confirmation" | "change_email" => {
            is_itself || is_client && target.is_some_and(|target| !target.confirmed)
        }
        "consent_transfer" => is_itself && offer.is_some_and(|(to, ..)| to == text("to")),
        "accept_transfer" => {
            offer.is_some_and(|(to, _, consented)| to == home && *consented)
                && target.is_some_and(|target| !target.closed)
        }
        // Without an offer this changes nothing.
        "cancel_transfer" => is_client || is_itself || offer.is_some_and(|(to, ..)| to == home),
        "grant_member" | "edit_member" => {
            member().is_some_and(|member| member.account == home)
                && *login != Login::Member(text("member").to_owned())
        }
        "remove_member"
        | "erase_member"
        | "accept_invitation"
        | "resend_invitation"
        | "edit_service_account"
        | "rotate_key"
        | "remove_service_account" => member().is_some_and(|member| member.account == home),
        "edit_level" | "delete_level" => world
            .levels
            .get(text("level"))
            .is_some_and(|(owner, _)| owner == home),
        "verify_domain" | "remove_domain" => {
            let found = world.named_domain(text("domain"), home);
            found.is_some_and(|id| {
                let (owner, state) = &world.domains[&id];
                owner == home && (text("do") == "remove_domain" || *state != "quarantined")
            })
        }
        _ => false,
    }
}

/// Returns the refusal of grants and sub-limits. A member grants, removes or lifts only what the
/// member holds (M5), and an account grants only what it has.
fn grants(world: &World, login: &Login, home: &str, asked: &Value) -> Refusal {
    let grants: Words = asked["grants"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if !grants.is_subset(&world.features(home)) {
        return Some("grants");
    }
    let Login::Member(id) = login else {
        return None;
    };
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
    let is_entitled = match (text(asked, "do"), colleague) {
        ("invite_member" | "create_service_account", _) => holds(&grants) && fits(part),
        ("grant_member", Some(colleague)) => holds(
            &grants
                .symmetric_difference(&colleague.grants)
                .cloned()
                .collect(),
        ),
        ("edit_member", Some(colleague)) => {
            holds(&colleague.grants) && (fits(part) || part == colleague.part)
        }
        (
            "remove_member"
            | "erase_member"
            | "resend_invitation"
            | "edit_service_account"
            | "rotate_key"
            | "remove_service_account",
            Some(colleague),
        ) => holds(&colleague.grants),
        ("sign_out", Some(colleague)) => {
            is_member(login, text(asked, "member")) || holds(&colleague.grants)
        }
        _ => true,
    };
    unless(is_entitled, "exceeds own")
}
