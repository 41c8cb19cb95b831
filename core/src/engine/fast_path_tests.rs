//! Tests that keep the shipped bundle on the fast path.
//!
//! Each kind of request in a session, in a job or while acting as a client must be decided by the atoms of its plan, without
//! bytecode, and recalled by them. No decision may take more evaluator steps than this file states.
//! The comparison with Cedar finds a wrong decision, but only these tests find a slow one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Engine;
use super::options::Options;
use crate::api::consume_options::ConsumeOptions;
use crate::api::request::{Request, Resource};
use crate::authorize::tenant::fact_set::CLIENT;
use crate::authorize::tenant::{TenantEvaluator, symbols};
use crate::authorize::{LoadedPolicies, PolicyEngine, load};
use crate::cedar::bundle::Bundle;
use crate::cedar::options::Validation;
use crate::cedar::source::PolicySource;
use crate::directory::Directory;
use crate::model::catalog::Catalog;
use crate::model::reference::EntityRef;
use crate::util::parse_limits::ParseLimits;
use crate::vm::steps_of;

/// The greatest number of evaluator steps of one check: tests of a diagram, record reads and
/// program instructions.
const CHECK: u64 = 12;
/// The greatest number of steps of `authorize`, which caches its answer.
const AUTHORIZE: u64 = 4;
/// The greatest number of steps of a check or of `authorize` while somebody acts as a client.
const ACTING: u64 = 40;
/// The greatest number of steps of `authorize` with a condition that needs bytecode.
const CONDITION: u64 = 100;

/// Rules that an author may add. Each reads one fact of a record at the end of a path.
const AUTHORS_RULES: &str = r#"
@id("x1") @code("x1") forbid (principal, action, resource)
when { context.facts has domain.owner && (context.facts.domain.owner.closed || !context.facts.domain.owner.disabled.isEmpty()) };
@id("x2") @code("x2") forbid (principal, action, resource)
when { context.facts has domain.owner && !context.facts.domain.owner.confirmed };
@id("x3") @code("x3") forbid (principal, action, resource)
when { context.facts has domain.owner.package.features && !context.facts.domain.owner.package.features.contains(Feature::"branding") };
@id("x4") @code("x4") forbid (principal, action, resource)
when { context.facts has domain.owner.package && context.facts.domain.owner.package == Package::"starter" };
@id("x5") @code("x5") forbid (principal, action, resource)
when { context.facts has account.owner.package.features && !context.facts.account.owner.package.features.containsAny([Feature::"team", Feature::"api"]) };
@id("x6") @code("x6") forbid (principal, action, resource)
when { context.facts has account.level && [AccessLevel::"basic", AccessLevel::"silver"].contains(context.facts.account.level) };
@id("x7") @code("x7") forbid (principal, action, resource)
when { context.facts has account.level.owner && context.facts has domain.owner && context.facts.account.level.owner != context.facts.domain.owner };
@id("x8") @code("x8") forbid (principal is TeamMember, action, resource)
when { !principal.grants.contains(Feature::"team") && context.facts.channel == Channel::"web" };
@id("x9") @code("x9") forbid (principal, action, resource)
when { context.facts has domain.owner.attributes.trial && context.facts.domain.owner.attributes.trial };
@id("x10") @code("x10") forbid (principal, action, resource)
when { context.facts has account.attributes.country && context.facts.account.attributes.country == "dk" };
@id("x11") @code("x11") forbid (principal, action, resource)
when { context.facts has account && context.facts.account.disabled.containsAll([DisableReason::"overage", DisableReason::"abuse"]) };
@id("x12") @code("x12") forbid (principal, action, resource is Account)
when { resource has owner.package && !resource.owner.package.whitelabel };
"#;

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

/// The start of the type of accounts' attributes in the shipped schema.
pub(super) const ATTRIBUTES: &str = "type AccountAttributes = {";

/// Returns the shipped files together with further rules.
pub(super) fn files(extra: &str) -> PolicySource {
    files_with(extra, ATTRIBUTES)
}

/// Like [`files`], with another start of the type of accounts' attributes.
pub(super) fn files_with(extra: &str, attributes: &str) -> PolicySource {
    let mut files = vec![("77-extra.cedar".to_owned(), extra.to_owned())];
    for entry in std::fs::read_dir(policies())
        .expect("the folder")
        .flatten()
        .filter(|entry| entry.path().is_file())
    {
        let text = std::fs::read_to_string(entry.path()).expect("a text");
        let name = entry.file_name().to_string_lossy().into_owned();
        files.push((name, text.replace(ATTRIBUTES, attributes)));
    }
    PolicySource::Files(files)
}

pub(super) fn compiled(files: &PolicySource) -> (Arc<LoadedPolicies>, TenantEvaluator, Directory) {
    let loaded = load(files, Validation::default(), &ParseLimits::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let bundle = bundle_of(&loaded);
    let mut directory = Directory::default()
        .bind_catalog(&bundle.catalog, &Catalog::default(), bundle, false)
        .expect("an empty directory");
    let programs = TenantEvaluator::new(bundle, &mut directory)
        .unwrap_or_else(|policy| panic!("{policy} is not compiled"));
    (loaded, programs, directory)
}

pub(super) fn bundle_of(loaded: &LoadedPolicies) -> &Bundle {
    match &loaded.kind {
        PolicyEngine::Tenancy(bundle) => bundle,
        PolicyEngine::Plain(_) => panic!("no kernel"),
    }
}

/// The requests whose policies compare the sets of two records. Such a comparison is not a bit but
/// one program, whose result is recalled with the answer.
const COMPARING: [&str; 9] = [
    "member.edit of TeamMember on TeamMember",
    "member.erase of TeamMember on TeamMember",
    "member.remove of TeamMember on TeamMember",
    "member.renew_invitation of TeamMember on TeamMember",
    "member.resend_invitation of TeamMember on TeamMember",
    "member.sign_out of TeamMember on TeamMember",
    "service_account.edit of TeamMember on TeamMember",
    "service_account.remove of TeamMember on TeamMember",
    "service_account.rotate_key of TeamMember on TeamMember",
];

/// Lists each kind of request in a session, in a job or while acting as a client that needs
/// bytecode, with the reason.
pub(super) fn off_the_fast_path(files: &PolicySource) -> String {
    let (loaded, programs, directory) = compiled(files);
    let bundle = bundle_of(&loaded);
    programs.compile_sessions(bundle, &directory);
    let (mut off, mut kinds) = (String::new(), 0);
    for ((name, _), action) in bundle.names.actions.iter().zip(&programs.list) {
        for kind in action.kinds.iter().filter(|kind| !kind.needs_values) {
            kinds = usize::saturating_add(kinds, 1);
            let of = format!(
                "{name} of {} on {}",
                symbols::TYPES[kind.principal as usize],
                kind.resource
            );
            let compares = usize::from(COMPARING.contains(&of.as_str()));
            for node in kind.plans.iter() {
                let (host, client) = (node.facts.host(), node.facts.has(CLIENT));
                let about = format!("{of}, {host:?}, client={client}");
                let Some(plan) = &node.plan else {
                    let _ = writeln!(off, "{about}: only Cedar evaluates it");
                    continue;
                };
                let conditions = plan.conditions.policies.len();
                if plan.allow.is_unknown() || conditions > compares || !plan.cache.is_enabled() {
                    let _ = writeln!(
                        off,
                        "{about}: {conditions} conditions need bytecode, recalled={}",
                        plan.cache.is_enabled()
                    );
                }
            }
        }
    }
    assert!(kinds > 250, "{kinds}");
    off
}

#[test]
fn shipped_bundle_stays_on_the_fast_path() {
    let off = off_the_fast_path(&files(""));
    assert!(off.is_empty(), "off the fast path:\n{off}");
}

#[test]
fn facts_of_records_stay_on_the_fast_path() {
    let off = off_the_fast_path(&files(AUTHORS_RULES));
    assert!(off.is_empty(), "off the fast path:\n{off}");
}

/// A condition on the text of the host is not a fact of a record. Its program becomes one more bit,
/// and the answer is still recalled.
#[test]
fn programs_are_bits_of_cached_answers() {
    let rule = r#"@id("late") @code("late") forbid (principal is Account, action == Action::"campaign.read", resource)
        when { context.facts has host && context.facts.host like "app.*" && resource == Campaign::"k" };"#;
    let engine = agency(rule);
    for (id, code) in [("k", "late"), ("m", "ok"), ("k", "late"), ("m", "ok")] {
        let request = Request::new(
            ("Account", "bakery"),
            "campaign.read",
            Resource::new("Campaign", id).account("bakery"),
        )
        .host("app.acme.example");
        let warm = engine.authorize(&request).expect("an answer");
        let (steps, again) = steps_of(|| engine.authorize(&request).expect("an answer"));
        assert_eq!((&*warm.code, &warm), (code, &again));
        assert!(steps < CONDITION, "{steps}");
    }
}

pub(super) fn agency(extra: &str) -> Engine {
    agency_at(extra, Options::default().store)
}

/// Returns an engine of the sample agency on this store.
fn agency_at(extra: &str, store: String) -> Engine {
    let engine = Engine::open(Options {
        policies: files(extra),
        store,
        ..Options::default()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    engine
        .import(
            &std::fs::read(policies().join("tests/agency.jsonl")).expect("the agency")[..],
            None,
            None,
        )
        .expect("the agency");
    engine
}

#[test]
fn decisions_take_no_more_steps() {
    let engine = agency("");
    let hosts = [
        ("platform", Some("dash.marketingmaster.example")),
        ("whitelabel", Some("app.acme.example")),
        ("job", None),
    ];
    let logins = [
        ("account", "Account", "acme", "acme"),
        ("member", "TeamMember", "ann", "acme"),
        ("client", "Account", "bakery", "bakery"),
        ("member of a client", "TeamMember", "dan", "bakery"),
        ("operator", "Operator", "olga", "mmio"),
    ];
    let (mut lines, mut over) = (String::new(), false);
    for (host_kind, host) in hosts {
        for (login, kind, id, account) in logins {
            let request = if kind == "Operator" {
                Request::new(
                    (kind, id),
                    "login.password",
                    Resource::new("Platform", account),
                )
            } else {
                Request::new(
                    (kind, id),
                    "campaign.edit",
                    Resource::new("Campaign", "spring").account(account),
                )
            };
            let request = host.map_or_else(
                || request.clone().channel("job"),
                |host| request.clone().host(host),
            );
            let allowed = engine.authorize(&request).expect("an answer").allowed;
            let (check, _) = steps_of(|| engine.check(&request).expect("an answer"));
            let (authorize, _) = steps_of(|| engine.authorize(&request).expect("an answer"));
            over |= check > CHECK || authorize > AUTHORIZE;
            let _ = writeln!(
                lines,
                "{host_kind}, {login}: allowed={allowed} check {check} of {CHECK}, authorize {authorize} of {AUTHORIZE}"
            );
        }
    }
    assert!(!over, "more steps than stated:\n{lines}");
}

#[test]
fn granted_amounts_take_no_steps() {
    let engine = agency("");
    let request = |amount| {
        let request = Request::new(
            ("Account", "acme"),
            "campaign.send",
            Resource::new("Campaign", "spring").account("acme"),
        );
        let mut request = request.host("dash.marketingmaster.example");
        request.environment.amount = amount;
        request
    };
    let take = |key| {
        let options = ConsumeOptions {
            idempotency_key: key,
            ..ConsumeOptions::new(1)
        };
        let answer = engine.consume(&request(None), &options);
        assert!(answer.expect("an answer").allowed);
    };
    let ask = || assert!(engine.check(&request(Some(1))).expect("an answer"));
    let tell = || {
        assert!(
            engine
                .authorize(&request(Some(1)))
                .expect("an answer")
                .allowed
        );
    };
    // The first question finds no bucket, and the first consume opens one.
    ask();
    assert_eq!((steps_of(ask).0, steps_of(tell).0), (0, 0));
    assert_eq!(steps_of(|| take(Some("a"))).0, 0);
    take(None);
    let keyed = steps_of(|| take(Some("b"))).0;
    let plain = steps_of(|| take(None)).0;
    assert_eq!((keyed, plain), (0, 0));
    assert_eq!((steps_of(ask).0, steps_of(tell).0), (0, 0));
}

/// Another engine that counts in the same file does not end a grant.
#[test]
fn granted_amounts_in_files_take_no_steps() {
    let folder = std::env::temp_dir().join(format!("sublet-grants-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let store = format!("sqlite:{}", folder.join("sublet.db").display());
    let engines = [(); 2].map(|()| agency_at("", store.clone()));
    let campaign = Resource::new("Campaign", "spring").account("acme");
    let request = Request::new(("Account", "acme"), "campaign.send", campaign);
    let request = request.host("dash.marketingmaster.example");
    let take = |engine: &Engine, key| {
        let options = ConsumeOptions {
            idempotency_key: key,
            ..ConsumeOptions::new(1)
        };
        let answer = engine.consume(&request, &options).expect("an answer");
        assert!(answer.allowed);
    };
    let [one, other] = &engines;
    // A grant is cached by the second consume that looked for it.
    for _ in 0..2 {
        assert!(steps_of(|| take(one, None)).0 > 0);
        assert!(steps_of(|| take(other, None)).0 > 0);
    }
    for key in ["a", "b"] {
        assert_eq!(steps_of(|| take(one, Some(key))).0, 0);
        assert_eq!(steps_of(|| take(other, None)).0, 0);
    }
    let mut question = request.clone();
    question.environment.amount = Some(1);
    let ask = || assert!(one.check(&question).expect("an answer"));
    // After a count, the first question reads the file, and the second caches a grant.
    let steps = [(); 4].map(|()| steps_of(ask).0);
    assert!(
        matches!(steps, [first, second, 0, 0] if first > 0 && second > 0),
        "{steps:?}"
    );
    take(other, None);
    assert!(steps_of(ask).0 > 0);
    let usage = one.usage("acme", None, Some("emails")).expect("usage");
    assert_eq!(usage.first().map(|quota| quota.used), Some(9));
    drop(engines);
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn acting_takes_no_more_steps() {
    let engine = agency("");
    let request = |actor: EntityRef| {
        let campaign = Resource::new("Campaign", "spring").account("bakery");
        let request = Request::new(("Account", "bakery"), "campaign.edit", campaign);
        let mut request = request.host("dash.marketingmaster.example");
        request.environment.actor = Some(actor);
        request
    };
    for (kind, id, code) in [
        ("Account", "acme", "ok"),
        ("TeamMember", "ben", "feature_not_granted"),
    ] {
        let request = request(EntityRef::new(kind, id));
        let warm = engine.authorize(&request).expect("an answer");
        let (check, allowed) = steps_of(|| engine.check(&request).expect("an answer"));
        let (authorize, _) = steps_of(|| engine.authorize(&request).expect("an answer"));
        assert_eq!((&*warm.code, warm.allowed), (code, allowed));
        assert!(
            check <= ACTING && authorize <= ACTING,
            "{id}: check {check}, authorize {authorize}"
        );
    }
}

#[test]
fn engines_with_equal_texts_share_policies() {
    let shared = |extra| {
        let caps = ParseLimits::default();
        load(&files(extra), Validation::Strict, &caps).unwrap_or_else(|error| panic!("{error}"))
    };
    // Another test may load other policies in between.
    let is_shared = |_| Arc::ptr_eq(&shared("// one"), &shared("// one"));
    assert!((0..20).any(is_shared));
    let (one, other) = (shared("// one"), shared("// other"));
    assert!(!Arc::ptr_eq(&one, &other));
    let mut relaxed = ParseLimits::default();
    relaxed.nesting += 1;
    let third = load(&files("// other"), Validation::Strict, &relaxed).expect("the bundle");
    assert!(!Arc::ptr_eq(&other, &third) && other.fingerprint == third.fingerprint);
}
