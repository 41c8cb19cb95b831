//! The contexts of commands: policies of an author read what a command brings (L8), and no allowed
//! command meets an error that the directory explains (E7).

use serde_json::{Map, Value, json};
use sublet::{
    Change, Command, Engine, EntityRef, Environment, Error, Options, PolicySource, Record, Request,
    Resource,
};
use sublet_tests::{agency_engine, shipped_files};

use crate::code_words::policy_warnings;

const PLATFORM: &str = "dash.marketingmaster.example";
const ACME: &str = "app.acme.example";

/// Policies of an author, one for each kind of field.
const AUTHOR: &str = r#"
@id("no-big-emails") @code("too_many_emails")
forbid (principal, action in [Action::"client.create", Action::"client.edit"], resource)
when { context has limits.emails && context.limits.emails > 10000 };
@id("no-unlimited") @code("unlimited_denied")
forbid (principal, action in [Action::"client.create", Action::"client.edit", Action::"level.create"], resource)
when { context has unlimited && !context.unlimited.isEmpty() };
@id("no-enterprise") @code("package_denied")
forbid (principal, action == Action::"operator.change_package", resource)
when { context has package && context.package == Package::"enterprise" };
@id("no-mailinator") @code("email_denied")
forbid (principal, action in [Action::"client.create", Action::"member.invite", Action::"account.change_email"], resource)
when { context has email_host && context.email_host == "mailinator.example" };
@id("no-noreply") @code("email_denied")
forbid (principal, action == Action::"client.create", resource)
when { context has email && context.email like "noreply@*" };
@id("only-europe") @code("zone_denied")
forbid (principal, action in [Action::"client.create", Action::"client.edit"], resource)
when { context has zone && !(context.zone like "Europe/*") };
@id("no-late-anchor") @code("anchor_denied")
forbid (principal, action in [Action::"client.create", Action::"client.edit"], resource)
when { context has anchor && context.anchor like "*-31" };
@id("no-full-level") @code("level_denied")
forbid (principal, action in [Action::"client.create", Action::"client.attach_level"], resource)
when { context has level && context.level == AccessLevel::"full" };
@id("no-api-level") @code("feature_denied")
forbid (principal, action in [Action::"level.create", Action::"level.edit"], resource)
when { context has features && context.features.contains(Feature::"api") };
@id("no-trial") @code("attribute_denied")
forbid (principal, action in [Action::"client.create", Action::"client.edit"], resource)
when { context has attributes.trial_grace };
@id("keep-country") @code("attribute_denied")
forbid (principal, action == Action::"client.edit", resource)
when { context has removed_attributes && context.removed_attributes.contains("country") };
@id("keep-limit") @code("limit_kept")
forbid (principal, action == Action::"client.edit", resource)
when { context has removed_limits && context.removed_limits.contains(Meter::"emails") };
@id("small-parts") @code("part_denied")
forbid (principal, action in [Action::"member.invite", Action::"member.edit"], resource)
when { context has sub_limits.emails && context.sub_limits.emails > 100 };
@id("short-invitations") @code("too_long")
forbid (principal, action == Action::"member.invite", resource)
when { context has valid_for && context.valid_for > 86400000 };
@id("no-resumed") @code("resumed_denied")
forbid (principal, action in [Action::"client.create", Action::"member.invite"], resource)
when { context has resumed && context.resumed };
@id("own-names") @code("name_denied")
forbid (principal, action == Action::"domain.add", resource)
unless { context has name && context.name like "*.acme.example" };
@id("id-form") @code("id_denied")
forbid (principal, action == Action::"client.create", resource)
unless { context has id && context.id like "c-*" };
"#;

fn opened(files: Vec<(String, String)>, more: &[Value]) -> Engine {
    let engine = agency_engine(files);
    let records = more
        .iter()
        .map(|record| Record::from_value(record.clone()).expect("a record"));
    engine
        .apply_changes(records.map(Change::Put).collect(), None)
        .expect("a change");
    engine
}

/// Returns the code of a command's decision or error.
fn perform(engine: &Engine, by: &Login, command: &Value) -> Result<String, Error> {
    let command = Command::from_value(command.clone())?;
    let done = engine.perform(&by.principal, &command, &by.environment, None)?;
    Ok(done.decision.code.to_string())
}

/// A caller, with the host, the actor and the reason of its requests.
struct Login {
    principal: EntityRef,
    environment: Environment,
}

fn login(kind: &str, id: &str, host: &str, actor: Option<&str>) -> Login {
    let mut context = Map::new();
    if kind == "Operator" {
        context.insert("reason".to_owned(), json!("asked"));
    }
    Login {
        principal: EntityRef::new(kind, id),
        environment: Environment {
            host: Some(host.to_owned()),
            actor: actor.map(|id| EntityRef::new("Account", id)),
            context,
            ..Environment::default()
        },
    }
}

#[test]
fn author_rules_over_what_commands_bring() {
    let mut all = shipped_files();
    all.push(("79-author.cedar".to_owned(), AUTHOR.to_owned()));
    let engine = opened(all, &[]);
    assert_eq!(policy_warnings(&engine), [], "no field is left out");
    let acme = login("Account", "acme", PLATFORM, None);
    let olga = login("Operator", "olga", PLATFORM, None);
    let bakery = login("Account", "bakery", ACME, None);
    let client = |more: Value| {
        let mut command = json!({ "do": "create_client", "id": "c-new", "email": "a@new.example" });
        command
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        command
    };
    let edit = |more: Value| {
        let mut command = json!({ "do": "edit_client", "account": "bakery" });
        command
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        command
    };
    let refused = [
        (
            &acme,
            client(json!({ "limits": { "emails": 10_001 } })),
            "too_many_emails",
        ),
        (
            &acme,
            client(json!({ "limits": { "emails": "unlimited" } })),
            "unlimited_denied",
        ),
        (
            &acme,
            client(json!({ "email": "x@Mailinator.example" })),
            "email_denied",
        ),
        (
            &acme,
            client(json!({ "email": "noreply@new.example" })),
            "email_denied",
        ),
        (
            &acme,
            client(json!({ "zone": "America/Lima" })),
            "zone_denied",
        ),
        (
            &acme,
            client(json!({ "anchor": "2026-01-31" })),
            "anchor_denied",
        ),
        (&acme, client(json!({ "level": "full" })), "level_denied"),
        (
            &acme,
            client(json!({ "attributes": { "trial_grace": 5 } })),
            "attribute_denied",
        ),
        (&acme, client(json!({ "resumed": true })), "resumed_denied"),
        (&acme, client(json!({ "id": "other" })), "id_denied"),
        (
            &acme,
            edit(json!({ "limits": { "emails": 10_001 } })),
            "too_many_emails",
        ),
        (
            &acme,
            edit(json!({ "remove_limits": ["emails"] })),
            "limit_kept",
        ),
        (&acme, edit(json!({ "zone": "Asia/Tokyo" })), "zone_denied"),
        (
            &acme,
            edit(json!({ "remove_attributes": ["country"] })),
            "attribute_denied",
        ),
        (
            &acme,
            json!({ "do": "attach_level", "account": "bakery", "level": "full" }),
            "level_denied",
        ),
        (
            &acme,
            json!({ "do": "create_level", "id": "l", "features": ["api"] }),
            "feature_denied",
        ),
        (
            &acme,
            json!({ "do": "create_level", "id": "l", "features": [], "limits": { "pages": "unlimited" } }),
            "unlimited_denied",
        ),
        (
            &acme,
            json!({ "do": "edit_level", "level": "silver", "features": ["api"] }),
            "feature_denied",
        ),
        (
            &acme,
            json!({ "do": "invite_member", "id": "m", "email": "m@mailinator.example" }),
            "email_denied",
        ),
        (
            &acme,
            json!({ "do": "invite_member", "id": "m", "email": "m@m.example", "sub_limits": { "emails": 101 } }),
            "part_denied",
        ),
        (
            &acme,
            json!({ "do": "invite_member", "id": "m", "email": "m@m.example", "valid_for": 86_400_001 }),
            "too_long",
        ),
        (
            &acme,
            json!({ "do": "edit_member", "member": "ann", "sub_limits": { "emails": 101 } }),
            "part_denied",
        ),
        (
            &acme,
            json!({ "do": "add_domain", "domain": "Shop.Other.example." }),
            "name_denied",
        ),
        (
            &olga,
            json!({ "do": "change_package", "account": "acme", "package": "enterprise" }),
            "package_denied",
        ),
        (
            &bakery,
            json!({ "do": "change_email", "account": "bakery", "email": "x@mailinator.example" }),
            "email_denied",
        ),
    ];
    for (by, command, code) in &refused {
        assert_eq!(
            perform(&engine, by, command).as_deref(),
            Ok(*code),
            "{command}"
        );
    }
    let allowed = [
        (
            &acme,
            client(
                json!({ "limits": { "emails": 10_000 }, "zone": "Europe/Vienna", "anchor": "2026-01-30" }),
            ),
        ),
        (
            &acme,
            edit(json!({ "limits": { "emails": 10_000 }, "attributes": { "country": "AT" } })),
        ),
        (
            &acme,
            json!({ "do": "attach_level", "account": "bakery", "level": "basic" }),
        ),
        (
            &acme,
            json!({ "do": "create_level", "id": "l", "features": ["pages"], "limits": { "pages": 4 } }),
        ),
        (
            &acme,
            json!({ "do": "invite_member", "id": "m", "email": "m@m.example", "sub_limits": { "emails": 100 }, "valid_for": 1_000 }),
        ),
        (
            &acme,
            json!({ "do": "add_domain", "domain": "Shop.Acme.example." }),
        ),
        (
            &olga,
            json!({ "do": "change_package", "account": "acme", "package": "agency" }),
        ),
    ];
    for (by, command) in &allowed {
        assert_eq!(
            perform(&engine, by, command).as_deref(),
            Ok("ok"),
            "{command}"
        );
    }
}

/// A schema that declares fewer fields, or fewer meters in `Limits`, gets the rest.
#[test]
fn undeclared_fields_are_not_passed() {
    let mut all = shipped_files();
    let (_, schema) = all
        .iter_mut()
        .find(|(name, _)| name == "app.cedarschema")
        .expect("the schema");
    *schema =
        schema
            .replacen("  texts?: Long,\n", "", 1)
            .replacen("  email_host?: String,\n", "", 1);
    let engine = opened(all, &[]);
    let acme = login("Account", "acme", PLATFORM, None);
    let command = json!({ "do": "create_client", "id": "new", "email": "a@new.example", "limits": { "texts": 5, "emails": 5 } });
    assert_eq!(perform(&engine, &acme, &command).as_deref(), Ok("ok"));
}

/// The host cannot pass a fact that the engine computes.
#[test]
fn caller_cannot_pass_facts_of_commands() {
    let engine = opened(shipped_files(), &[]);
    let mut nova = login("Account", "nova", PLATFORM, None);
    for (field, value) in [
        ("client", json!({ "type": "Account", "id": "cafe" })),
        ("offered_to", json!({ "type": "Account", "id": "nova" })),
        ("consented", json!(true)),
    ] {
        nova.environment.context.insert(field.to_owned(), value);
    }
    let accept = json!({ "do": "accept_transfer", "account": "cafe", "level": "full" });
    assert_eq!(
        perform(&engine, &nova, &accept).as_deref(),
        Ok("transfer_not_offered")
    );
}

/// The records beside the sample agency: a level with all features of owners, its client, a level
/// of another owner, a quarantined domain, a closed client, an offer, and a service account.
fn rich_directory() -> Vec<Value> {
    let all: Vec<&str> = vec![
        "campaigns",
        "contacts",
        "team",
        "client_accounts",
        "access_levels",
        "branding",
        "act_as_client",
        "api",
    ];
    vec![
        json!({ "type": "AccessLevel", "id": "wide", "owner": "acme", "features": all }),
        json!({ "type": "AccessLevel", "id": "gold", "owner": "nova", "features": ["campaigns"] }),
        json!({ "type": "AccessLevel", "id": "unused", "owner": "acme", "features": [] }),
        json!({ "type": "Account", "id": "inner", "email": "i@inner.example", "owner": "acme", "level": "wide", "confirmed": true }),
        json!({ "type": "Account", "id": "gone", "email": "g@gone.example", "owner": "acme", "confirmed": true, "closed": true }),
        json!({ "type": "Account", "id": "moving", "email": "m@moving.example", "owner": "acme", "confirmed": true,
                "transfer": { "to": "nova", "until": "2999-01-01T00:00:00Z", "consented": true } }),
        json!({ "type": "TeamMember", "id": "ina", "account": "inner", "email": "ina@inner.example", "confirmed": true, "grants": all }),
        json!({ "type": "TeamMember", "id": "max", "account": "acme", "email": "max@acme.example", "confirmed": true, "grants": all }),
        json!({ "type": "TeamMember", "id": "bot", "account": "acme", "confirmed": true, "grants": ["campaigns"],
                "service": { "hash": format!("{:064x}", 1) } }),
        json!({ "type": "Domain", "id": "old.acme.example", "kind": "whitelabel", "owner": "acme", "state": "quarantined" }),
    ]
}

fn logins() -> Vec<Login> {
    let mut logins = vec![
        login("Operator", "olga", PLATFORM, None),
        login("Account", "bakery", PLATFORM, Some("acme")),
        login("Account", "inner", PLATFORM, Some("acme")),
        login("Account", "edge", "app.nova.example", None),
    ];
    for id in ["acme", "nova", "solo"] {
        logins.push(login("Account", id, PLATFORM, None));
    }
    for id in ["ann", "ben", "max", "cia", "hal", "bot"] {
        logins.push(login("TeamMember", id, PLATFORM, None));
    }
    for id in ["bakery", "inner", "dentist", "moving", "gone"] {
        logins.push(login("Account", id, ACME, None));
    }
    for id in ["dan", "ina"] {
        logins.push(login("TeamMember", id, ACME, None));
    }
    logins
}

/// Returns the commands of one name over all values of their fields.
fn commands(name: &str) -> Vec<Value> {
    let accounts = [
        "acme", "nova", "solo", "bakery", "inner", "dentist", "moving", "gone", "edge",
    ];
    let levels = ["silver", "wide", "gold", "unused", "basic", "ghost"];
    let members = ["ann", "max", "hal", "dan", "ina", "bot"];
    let domains = [
        ACME,
        "new.acme.example",
        "New.Acme.example.",
        "old.acme.example",
        "app.nova.example",
        PLATFORM,
    ];
    let each = |values: &[&str], build: &dyn Fn(&str) -> Value| {
        values.iter().map(|value| build(value)).collect()
    };
    let pairs = |left: &[&str], right: &[&str], build: &dyn Fn(&str, &str) -> Value| {
        let all = left
            .iter()
            .flat_map(|one| right.iter().map(|two| build(one, two)));
        all.collect()
    };
    // A command about each account's own login and each member.
    let logins_with = |more: &Value| -> Vec<Value> {
        let named = |field: &'static str, id: &str| {
            let mut command = more.clone();
            command[field] = json!(id);
            command
        };
        let accounts = accounts.iter().map(|id| named("account", id));
        let members = members.iter().map(|id| named("member", id));
        accounts.chain(members).collect()
    };
    match name {
        "create_account" => each(
            &["agency", "starter"],
            &|package| json!({ "id": "fresh", "email": "f@fresh.example", "package": package }),
        ),
        "change_package" => pairs(
            &accounts,
            &["agency", "starter", "enterprise"],
            &|account, package| json!({ "account": account, "package": package, "confirmed": true }),
        ),
        "edit_account" | "edit_client" => each(
            &accounts,
            &|account| json!({ "account": account, "limits": { "emails": 7 }, "zone": "Europe/Vienna", "attributes": { "trial": true } }),
        ),
        "create_client" => pairs(
            &accounts,
            &levels,
            &|owner, level| json!({ "id": format!("{owner}-{level}"), "email": format!("{level}@{owner}.example"), "owner": owner, "level": level }),
        ),
        "attach_level" => pairs(
            &accounts,
            &levels,
            &|account, level| json!({ "account": account, "level": level }),
        ),
        "disable" | "restore" => pairs(
            &accounts,
            &["by_owner", "overage", "unpaid", "abuse"],
            &|account, reason| json!({ "account": account, "reason": reason }),
        ),
        "close" | "erase_account" | "cancel_transfer" | "reopen_account" => {
            each(&accounts, &|account| json!({ "account": account }))
        }
        "resend_confirmation" => logins_with(&json!({})),
        "sign_out" => {
            let mut all = logins_with(&json!({}));
            all.extend([json!({}), json!({ "operator": "olga" })]);
            all
        }
        "offer_transfer" | "consent_transfer" => pairs(
            &accounts,
            &["acme", "nova", "bakery"],
            &|account, to| json!({ "account": account, "to": to }),
        ),
        "accept_transfer" => pairs(
            &accounts,
            &levels,
            &|account, level| json!({ "account": account, "level": level }),
        ),
        "invite_member" => each(
            &accounts,
            &|account| json!({ "id": format!("at-{account}"), "email": format!("x@at-{account}.example"), "account": account, "grants": ["campaigns"] }),
        ),
        "grant_member" => pairs(
            &members,
            &["campaigns", "team"],
            &|member, grant| json!({ "member": member, "grants": [grant] }),
        ),
        "edit_member" => each(
            &members,
            &|member| json!({ "member": member, "sub_limits": { "emails": 3 } }),
        ),
        "remove_member" | "erase_member" | "remove_service_account" => {
            each(&members, &|member| json!({ "member": member }))
        }
        "resend_invitation" | "rotate_key" => each(
            &members,
            &|member| json!({ "member": member, "valid_for": 1_000 }),
        ),
        "create_service_account" => each(
            &accounts,
            &|account| json!({ "id": format!("of-{account}"), "account": account, "name": "export", "grants": ["campaigns"], "sub_limits": { "emails": 3 }, "hosts": [ACME] }),
        ),
        "edit_service_account" => each(
            &members,
            &|member| json!({ "member": member, "name": "export", "valid_for": 1_000, "hosts": [ACME] }),
        ),
        "create_level" => each(
            &accounts,
            &|owner| json!({ "id": format!("of-{owner}"), "owner": owner, "features": ["campaigns"] }),
        ),
        "edit_level" => each(
            &levels,
            &|level| json!({ "level": level, "features": ["campaigns"] }),
        ),
        "delete_level" => {
            let mut all: Vec<Value> = each(&levels, &|level| json!({ "level": level }));
            let replaced: Vec<Value> = pairs(
                &levels,
                &levels,
                &|level, replacement| json!({ "level": level, "replacement": replacement }),
            );
            all.extend(replaced);
            all
        }
        "add_domain" => each(
            &accounts,
            &|owner| json!({ "domain": format!("x.{owner}.example"), "owner": owner }),
        ),
        "verify_domain" | "recheck_domain" => {
            each(&domains, &|domain| json!({ "domain": domain, "txt": [] }))
        }
        "remove_domain" | "quarantine_domain" => each(
            &domains,
            &|domain| json!({ "domain": domain, "confirmed": true }),
        ),
        "record_payment" => each(
            &accounts,
            &|account| json!({ "account": account, "cents": 100 }),
        ),
        "reverse_payment" => each(
            &accounts,
            &|account| json!({ "account": account, "payment": 1 }),
        ),
        "close_month" | "settle_overage" => each(
            &accounts,
            &|account| json!({ "account": account, "period": "2020-01" }),
        ),
        "top_up" => each(
            &accounts,
            &|account| json!({ "account": account, "meter": "emails", "amount": 5, "key": account }),
        ),
        "revoke_top_up" => each(
            &accounts,
            &|account| json!({ "account": account, "key": "none" }),
        ),
        "release_domain" => each(&domains, &|domain| json!({ "domain": domain })),
        "change_email" => logins_with(&json!({ "email": "n@new.example" })),
        "confirm_email" => logins_with(&json!({ "token": "none" })),
        "accept_invitation" => each(
            &members,
            &|member| json!({ "member": member, "token": "none" }),
        ),
        _ => Vec::new(),
    }
}

/// Errors of malformed commands, unknown ids and duplicates (E1). No state explains them.
const INPUT_ERRORS: [&str; 14] = [
    "input.command_unasked",
    "directory.unknown_account",
    "directory.unknown_record",
    "directory.unknown_level",
    "directory.unknown_package",
    "directory.duplicate_id",
    "directory.duplicate_login",
    "directory.duplicate_domain",
    "directory.transfer_collisions",
    "directory.domain_proof",
    "directory.token",
    "billing.period",
    "billing.unknown_payment",
    "quota.unknown_top_up",
];

/// E7. Every login sends every command; an error is one of the command, never of the state.
#[test]
fn allowed_commands_meet_no_state_error() {
    let (mut wrong, mut allowed) = (Vec::new(), 0);
    for name in Command::NAMES {
        let all = commands(name);
        assert!(!all.is_empty(), "add `{name}` to the commands of this test");
        let engine = opened(shipped_files(), &rich_directory());
        for by in logins() {
            for mut command in all.clone() {
                command["do"] = json!(name);
                // The staff's `reason` is no field of a login's context.
                if by.principal.kind() == "Operator" && *name == "accept_invitation" {
                    continue;
                }
                let done = perform(&engine, &by, &command);
                allowed += usize::from(done.as_deref() == Ok("ok"));
                let Err(error) = done else { continue };
                let text = error.to_string();
                let is_leak = ["edge", "farm", "gus", "cia"].iter().any(|id| {
                    text.contains(&format!("`{id}`")) && !command.to_string().contains(id)
                });
                if is_leak || !INPUT_ERRORS.contains(&error.code()) {
                    wrong.push(format!(
                        "{}: {command}: {} {text}",
                        by.principal,
                        error.code()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(allowed > 150, "only {allowed} commands were allowed");
}

/// L9. The explanation of a limit of 0 that no package states says so.
#[test]
fn silence_of_a_package_is_explained() {
    let mut all = shipped_files();
    let (_, catalog) = all
        .iter_mut()
        .find(|(name, _)| name == "catalog.json")
        .expect("the catalog");
    *catalog = catalog
        .replacen("    \"contacts\": 1000,\n", "", 1)
        .replacen(
            "   \"leaves_out\": \"Everything, team members included\"\n",
            "",
            1,
        )
        .replacen("   \"features\": [],\n", "   \"features\": []\n", 1);
    let engine = opened(all, &[]);
    let warnings = engine.bundle().warnings;
    let found: Vec<_> = warnings
        .iter()
        .map(|warning| (warning.code, warning.message.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (
                "bundle.silent_package",
                "package `starter` is silent about `contacts` in `limits`, so the limit is 0"
            ),
            (
                "bundle.unworded_level",
                "access level `none` does not say what it leaves out"
            ),
        ]
    );
    let resource = Resource::new("Contact", "x").account("solo");
    let mut request = Request::new(("Account", "solo"), "contact.create", resource).host(PLATFORM);
    request.environment.amount = Some(1);
    let detail = engine.explain(&request).expect("an explanation").detail;
    assert_eq!(
        detail.as_deref(),
        Some("the package is silent about `contacts`, so the limit is 0")
    );
}

/// L8. A package whose clients get more than its own maximum does not load.
#[test]
fn package_keeps_its_own_client_maximum() {
    let mut all = shipped_files();
    let (_, catalog) = all
        .iter_mut()
        .find(|(name, _)| name == "catalog.json")
        .expect("the catalog");
    *catalog = catalog.replacen(
        "\"client_level\": \"standard\"",
        "\"client_limits_max\": { \"emails\": 19999 },\n   \"client_level\": \"standard\"",
        1,
    );
    let opened = Engine::open(Options {
        policies: PolicySource::Files(all),
        ..Options::default()
    });
    let Err(error) = opened else {
        panic!("the package gives more than its maximum")
    };
    assert_eq!(
        error.faults()[0].message,
        "package `agency` gives clients more of `emails` than its `client_limits_max`"
    );
}

/// The policies of this bundle allow the command. The invariant of the directory refuses it.
#[test]
fn client_never_has_a_package() {
    let mut all = shipped_files();
    all.retain(|(name, _)| name != "74-clients.cedar");
    let engine = opened(all, &[]);
    let olga = login("Operator", "olga", PLATFORM, None);
    let command = json!({ "do": "change_package", "account": "bakery", "package": "agency" });
    let code = perform(&engine, &olga, &command).map_err(|error| error.code());
    assert_eq!(code, Err("directory.not_main"));
}
