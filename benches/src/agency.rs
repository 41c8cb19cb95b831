//! Workload "agency": n main accounts, each with 5 members, 1 domain, 4 access levels and 20
//! clients with 3 members each: 86 principals for each main account.

use std::fmt::Write;

use sublet::{AccountRef, EntityRef, HostRef, Request, RequestRef, Resource};

use crate::details::Details;
use crate::random::Random;

/// A feature, the prefix of its actions, and the type of what they are done to.
pub const KEPT: [(&str, &str, &str); 22] = [
    ("campaigns", "campaign", "Campaign"),
    ("broadcasts", "broadcast", "Broadcast"),
    ("automations", "automation", "Automation"),
    ("contacts", "contact", "Contact"),
    ("segments", "segment", "Segment"),
    ("tags", "tag", "Tag"),
    ("forms", "form", "Form"),
    ("popups", "popup", "Popup"),
    ("pages", "page", "Page"),
    ("templates", "template", "EmailTemplate"),
    ("ab_tests", "ab_test", "AbTest"),
    ("sms", "sms", "TextMessage"),
    ("webhooks", "webhook", "Webhook"),
    ("api", "api_key", "ApiKey"),
    ("integrations", "integration", "Integration"),
    ("surveys", "survey", "Survey"),
    ("events", "event", "Event"),
    ("products", "product", "Product"),
    ("files", "file", "File"),
    ("custom_fields", "custom_field", "CustomField"),
    ("sending_domains", "sending_domain", "SendingDomain"),
    ("funnels", "funnel", "Funnel"),
];
/// The features that are not about what an account keeps.
pub const OTHERS: [&str; 9] = [
    "imports",
    "exports",
    "reports",
    "transactional",
    "team",
    "client_accounts",
    "access_levels",
    "branding",
    "act_as_client",
];
/// The number of features in `KEPT` that the package has: all but `funnels`. With `OTHERS` they
/// are 30.
pub const INCLUDED: usize = 21;
/// The verbs of the actions on resources in `KEPT`.
const VERBS: [&str; 3] = ["read", "edit", "delete"];
/// Principals for each main account.
pub const PRINCIPALS: usize = 86;
/// The host of the platform.
pub const PLATFORM: &str = "dash.platform.example";

/// A login, as the host's session knows it.
#[derive(Debug, Clone)]
pub struct Login {
    /// `Account` or `TeamMember`.
    pub kind: &'static str,
    pub id: String,
    pub account: String,
    /// The owner, for a client and its members.
    pub owner: Option<String>,
    pub features: u64,
    pub host: String,
}

/// One question.
#[derive(Debug, Clone)]
pub struct Question {
    pub principal: (&'static str, String),
    pub action: String,
    pub resource: (&'static str, String),
    /// The account that an inline resource belongs to.
    pub account: Option<String>,
    pub host: Option<String>,
    /// The context, and more of the resource.
    pub details: Option<Box<Details>>,
}

/// A question whose words are borrowed: what the engine and the peers are asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub principal: (&'a str, &'a str),
    pub action: &'a str,
    pub resource: (&'a str, &'a str),
    pub account: Option<&'a str>,
    pub host: Option<&'a str>,
    pub details: Option<&'a Details>,
}

impl<'a> Asked<'a> {
    /// Returns the request as the engine takes it.
    #[must_use]
    #[inline]
    pub fn question(&self) -> RequestRef<'a> {
        let mut question = RequestRef::new(self.principal, self.action, self.resource);
        question.host = self.host.map(HostRef::Name);
        question.resource.account = self.account.map(AccountRef::Name);
        if let Some(details) = self.details {
            details.add_to(&mut question);
        }
        question
    }

    /// Returns whether a background job asks.
    #[must_use]
    #[inline]
    pub fn is_job(&self) -> bool {
        self.details.is_some_and(|details| details.job)
    }
}

impl Question {
    /// Returns the request, borrowed.
    #[must_use]
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            principal: (self.principal.0, &self.principal.1),
            action: &self.action,
            resource: (self.resource.0, &self.resource.1),
            account: self.account.as_deref(),
            host: self.host.as_deref(),
            details: self.details.as_deref(),
        }
    }

    /// Returns the request as the engine takes it, owned.
    #[must_use]
    pub fn request(&self) -> Request {
        let details = self.details.as_deref();
        let given = details.and_then(|details| details.resource.clone());
        let mut resource = given.unwrap_or_else(|| Resource::new("", ""));
        resource.uid = EntityRef::new(self.resource.0, self.resource.1.as_str());
        resource.account.clone_from(&self.account);
        let principal = (self.principal.0, self.principal.1.as_str());
        let mut request = Request::new(principal, self.action.as_str(), resource);
        let given = details.and_then(|details| details.environment.as_deref().cloned());
        request.environment = given.unwrap_or_default();
        request.environment.host.clone_from(&self.host);
        request
    }
}

/// The directory and the questions.
#[derive(Debug)]
pub struct Agency {
    /// JSON lines for `Engine::import`.
    pub lines: String,
    pub questions: Vec<Question>,
}

fn feature(at: usize) -> &'static str {
    KEPT.get(at)
        .map_or_else(|| OTHERS[at - KEPT.len()], |(feature, _, _)| feature)
}

fn named(bits: u64) -> String {
    let names: Vec<String> = (0..KEPT.len() + OTHERS.len())
        .filter(|at| bits >> at & 1 == 1)
        .map(|at| format!("\"{}\"", feature(at)))
        .collect();
    names.join(",")
}

/// The bits of the package's features.
#[must_use]
pub fn package() -> u64 {
    ((1 << INCLUDED) - 1) | (((1 << OTHERS.len()) - 1) << KEPT.len())
}

/// Most features of `all`.
fn most(random: &mut Random, all: u64) -> u64 {
    random.number() & all | random.number() & all
}

/// The agency of `n` main accounts, and `asked` questions.
#[must_use]
pub fn agency(n: usize, asked: usize, seed: u64) -> Agency {
    let random = &mut Random::new(seed);
    let (lines, logins) = directory(n, random);
    let questions = (0..asked).map(|_| question(random, &logins)).collect();
    Agency { lines, questions }
}

/// The records of `n` main accounts, and their logins.
///
/// # Panics
/// Never: writing to a `String` does not fail.
pub(crate) fn directory(n: usize, random: &mut Random) -> (String, Vec<Login>) {
    let mut lines = String::with_capacity(n * PRINCIPALS * 180);
    let _ = writeln!(lines, r#"{{"type":"Platform","id":"platform"}}"#);
    let _ = writeln!(
        lines,
        r#"{{"type":"Domain","id":"{PLATFORM}","kind":"platform","state":"verified"}}"#
    );
    let _ = writeln!(
        lines,
        r#"{{"type":"Package","id":"bench","features":[{}],"whitelabel":true}}"#,
        named(package())
    );
    let mut logins: Vec<Login> = Vec::with_capacity(n * PRINCIPALS);
    for main in 0..n {
        one(main, random, &mut lines, &mut logins);
    }
    (lines, logins)
}

fn one(main: usize, random: &mut Random, lines: &mut String, logins: &mut Vec<Login>) {
    let (account, host) = (
        format!("main-{main:05}"),
        format!("app.agency-{main:05}.example"),
    );
    let _ = writeln!(
        lines,
        r#"{{"type":"Account","id":"{account}","email":"owner@{account}.example","package":"bench","confirmed":true}}"#
    );
    let _ = writeln!(
        lines,
        r#"{{"type":"Domain","id":"{host}","kind":"whitelabel","owner":"{account}","state":"verified"}}"#
    );
    let levels: Vec<u64> = (0..4).map(|_| most(random, package())).collect();
    for (nth, level) in levels.iter().enumerate() {
        let _ = writeln!(
            lines,
            r#"{{"type":"AccessLevel","id":"{account}-level-{nth}","owner":"{account}","features":[{}]}}"#,
            named(*level)
        );
    }
    logins.push(Login {
        kind: "Account",
        id: account.clone(),
        account: account.clone(),
        owner: None,
        features: package(),
        host: host.clone(),
    });
    members(5, &account, None, package(), &host, random, lines, logins);
    for nth in 0..20 {
        let client = format!("client-{main:05}-{nth:02}");
        let level = random.below(4);
        let disabled = if random.happens(2) {
            r#""overage""#
        } else {
            ""
        };
        let _ = writeln!(
            lines,
            r#"{{"type":"Account","id":"{client}","email":"hello@{client}.example","owner":"{account}","level":"{account}-level-{level}","confirmed":true,"disabled":[{disabled}]}}"#
        );
        let features = levels[level];
        logins.push(Login {
            kind: "Account",
            id: client.clone(),
            account: client.clone(),
            owner: Some(account.clone()),
            features,
            host: host.clone(),
        });
        members(
            3,
            &client,
            Some(&account),
            features,
            &host,
            random,
            lines,
            logins,
        );
    }
}

#[allow(clippy::too_many_arguments, reason = "one member is all of these")]
fn members(
    count: usize,
    account: &str,
    owner: Option<&str>,
    features: u64,
    host: &str,
    random: &mut Random,
    lines: &mut String,
    logins: &mut Vec<Login>,
) {
    for nth in 0..count {
        let grants = most(random, features);
        let id = format!("{account}-member-{nth}");
        let _ = writeln!(
            lines,
            r#"{{"type":"TeamMember","id":"{id}","account":"{account}","email":"{id}@mail.example","confirmed":true,"grants":[{}]}}"#,
            named(grants)
        );
        let owner = owner.map(str::to_owned);
        logins.push(Login {
            kind: "TeamMember",
            id,
            account: account.to_owned(),
            owner,
            features: grants,
            host: host.to_owned(),
        });
    }
}

/// 70% own, 10% lacking the feature, 10% of another account, 5% logins, 5% tickets and
/// administration.
pub(crate) fn question(random: &mut Random, logins: &[Login]) -> Question {
    let login = random.one(logins).clone();
    let host = Some(if login.owner.is_none() && random.happens(50) {
        PLATFORM.to_owned()
    } else {
        login.host.clone()
    });
    let details = None;
    let principal = (login.kind, login.id.clone());
    let own = ("Account", login.account.clone());
    match random.below(100) {
        0..90 => {
            let kind = random.below(100) * 90 / 100;
            let lacking = kind < 10;
            let at = pick(random, login.features, !lacking);
            let (_, prefix, resource) = KEPT[at];
            let account = if (10..20).contains(&kind) {
                random.one(logins).account.clone()
            } else {
                login.account.clone()
            };
            let action = format!("{prefix}.{}", random.one(&VERBS));
            Question {
                principal,
                action,
                resource: (resource, format!("{prefix}-{}", random.below(1_000_000))),
                account: Some(account),
                host,
                details,
            }
        }
        90..95 => Question {
            principal,
            action: "login.password".to_owned(),
            resource: own,
            account: None,
            host,
            details,
        },
        _ => {
            let other = ("Account", random.one(logins).account.clone());
            let (action, resource) = match random.below(5) {
                0 => ("ticket.to_owner", own),
                1 => ("ticket.to_platform", own),
                2 => ("member.list", own),
                3 => ("client.edit", other),
                _ => {
                    let main = login
                        .owner
                        .as_deref()
                        .unwrap_or(&login.account)
                        .trim_start_matches("main-");
                    (
                        "client.edit",
                        ("Account", format!("client-{main}-{:02}", random.below(20))),
                    )
                }
            };
            Question {
                principal,
                action: action.to_owned(),
                resource,
                account: None,
                host,
                details,
            }
        }
    }
}

/// A kept feature that the login has, or lacks.
fn pick(random: &mut Random, features: u64, has: bool) -> usize {
    for _ in 0..64 {
        let at = random.below(KEPT.len());
        if (features >> at & 1 == 1) == has {
            return at;
        }
    }
    KEPT.len() - 1
}
