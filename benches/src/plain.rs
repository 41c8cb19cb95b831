//! The peer: the rules that the workload meets, written by hand over interned facts. Strings are looked up once for each
//! question; the rest is integers and bits. It allocates nothing and knows nothing that the questions do not need.

use rustc_hash::FxHashMap as Map;
use serde_json::Value;

use crate::agency::{KEPT, OTHERS, Question};

const NONE: u32 = u32::MAX;
const CLOSED: u8 = 1;
const ABUSE: u8 = 2;
const BY_OWNER: u8 = 4;
const OVERAGE: u8 = 8;
const UNPAID: u8 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Login,
    Read,
    Write,
    Ticket,
}

/// What only some actions ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Special {
    Nothing,
    OnClient,
    ToOwner,
    ToPlatform,
}

#[derive(Debug, Clone, Copy)]
struct Action {
    kind: Kind,
    special: Special,
    /// The feature's bit, or 0.
    feature: u64,
}

#[derive(Debug, Clone, Copy)]
struct Account {
    owner: u32,
    /// The package's features (a main account's), or the level's (a client's).
    features: u64,
    whitelabel: bool,
    confirmed: bool,
    status: u8,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    account: u32,
    grants: u64,
    confirmed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Domain {
    owner: u32,
    verified: bool,
}

/// The interned facts.
#[derive(Debug, Default)]
pub struct Plain {
    accounts: Vec<Account>,
    members: Vec<Member>,
    by_account: Map<Box<str>, u32>,
    by_member: Map<Box<str>, u32>,
    domains: Map<Box<str>, Domain>,
    actions: Map<Box<str>, Action>,
}

fn bits(value: &Value, names: &Map<&str, u64>) -> u64 {
    value.as_array().into_iter().flatten().filter_map(|name| names.get(name.as_str()?)).fold(0, |all, bit| all | bit)
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

impl Plain {
    /// Interns the directory of JSON lines.
    ///
    /// # Panics
    /// On lines that are none.
    #[must_use]
    pub fn new(lines: &str) -> Self {
        let names: Map<&str, u64> = KEPT.iter().map(|(feature, ..)| *feature).chain(OTHERS).enumerate().map(|(at, name)| (name, 1 << at)).collect();
        let mut plain = Self::default();
        let (mut packages, mut levels): (Map<String, (u64, bool)>, Map<String, u64>) = (Map::default(), Map::default());
        for line in lines.lines() {
            let record: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}"));
            let id = text(&record, "id");
            match text(&record, "type") {
                "Package" => drop(packages.insert(id.to_owned(), (bits(&record["features"], &names), record["whitelabel"] == true))),
                "AccessLevel" => drop(levels.insert(id.to_owned(), bits(&record["features"], &names))),
                "Account" => plain.account(&record, &packages, &levels),
                "TeamMember" => {
                    let at = u32::try_from(plain.members.len()).unwrap_or(NONE);
                    plain.by_member.insert(id.into(), at);
                    let account = plain.by_account.get(text(&record, "account")).copied().unwrap_or(NONE);
                    plain.members.push(Member { account, grants: bits(&record["grants"], &names), confirmed: record["confirmed"] == true });
                }
                "Domain" => {
                    let owner = plain.by_account.get(text(&record, "owner")).copied().unwrap_or(NONE);
                    plain.domains.insert(id.into(), Domain { owner, verified: record["state"] == "verified" });
                }
                _ => {}
            }
        }
        plain.actions(&names);
        plain
    }

    fn account(&mut self, record: &Value, packages: &Map<String, (u64, bool)>, levels: &Map<String, u64>) {
        let at = u32::try_from(self.accounts.len()).unwrap_or(NONE);
        self.by_account.insert(text(record, "id").into(), at);
        let owner = self.by_account.get(text(record, "owner")).copied().unwrap_or(NONE);
        let (features, whitelabel) = packages.get(text(record, "package")).copied().unwrap_or_default();
        let level = levels.get(text(record, "level")).copied().unwrap_or_default();
        let reasons = [("abuse", ABUSE), ("by_owner", BY_OWNER), ("overage", OVERAGE), ("unpaid", UNPAID)];
        let disabled = record["disabled"].as_array().into_iter().flatten().filter_map(|reason| reasons.iter().find(|(name, _)| reason == name));
        let status = disabled.fold(u8::from(record["closed"] == true) * CLOSED, |all, (_, bit)| all | bit);
        self.accounts.push(Account { owner, features: features | level, whitelabel, confirmed: record["confirmed"] == true, status });
    }

    fn actions(&mut self, names: &Map<&str, u64>) {
        let mut put = |name: String, kind, special, feature: &str| {
            self.actions.insert(name.into(), Action { kind, special, feature: names.get(feature).copied().unwrap_or(0) });
        };
        for (feature, prefix, _) in KEPT {
            put(format!("{prefix}.read"), Kind::Read, Special::Nothing, feature);
            put(format!("{prefix}.edit"), Kind::Write, Special::Nothing, feature);
            put(format!("{prefix}.delete"), Kind::Write, Special::Nothing, feature);
        }
        put("login.password".to_owned(), Kind::Login, Special::Nothing, "");
        put("member.list".to_owned(), Kind::Read, Special::Nothing, "team");
        put("client.edit".to_owned(), Kind::Write, Special::OnClient, "client_accounts");
        put("ticket.to_owner".to_owned(), Kind::Ticket, Special::ToOwner, "");
        put("ticket.to_platform".to_owned(), Kind::Ticket, Special::ToPlatform, "");
    }

    /// The code of the answer: `ok`, or why not.
    #[must_use]
    #[inline]
    pub fn ask(&self, question: &Question) -> &'static str {
        let Some(action) = self.actions.get(question.action.as_str()) else { return "input.unknown_action" };
        let (mine, member) = if question.principal.0 == "TeamMember" {
            let Some(at) = self.by_member.get(question.principal.1.as_str()) else { return "principal_unknown" };
            let member = &self.members[*at as usize];
            (member.account, Some(member))
        } else {
            let Some(at) = self.by_account.get(question.principal.1.as_str()) else { return "principal_unknown" };
            (*at, None)
        };
        let named = question.account.as_deref().unwrap_or(question.resource.1.as_str());
        let Some(resource) = self.by_account.get(named) else { return "account_unknown" };
        let account = &self.accounts[mine as usize];
        let refused = self.domain(account, mine, &question.host);
        let refused = refused.or_else(|| if account.confirmed && member.is_none_or(|member| member.confirmed) { None } else { Some("email_unconfirmed") });
        let refused = refused.or_else(|| self.status(account, action, *resource == mine));
        let refused = refused.or_else(|| self.isolation(mine, *resource, action, question.account.is_some()));
        let refused = refused.or_else(|| self.feature(account, member, action));
        refused.or_else(|| self.rest(account, mine, *resource, action)).unwrap_or("ok")
    }

    fn domain(&self, account: &Account, mine: u32, host: &str) -> Option<&'static str> {
        let Some(domain) = self.domains.get(host) else { return Some("domain_unknown") };
        if !domain.verified {
            return Some("domain_unverified");
        }
        match (domain.owner, account.owner) {
            (NONE, NONE) => None,
            (NONE, _) => Some("domain_platform_forbidden"),
            (owner, NONE) if owner == mine => None,
            (owner, client_of) if owner == client_of => None,
            _ => Some("domain_other_owner"),
        }
    }

    fn status(&self, account: &Account, action: &Action, own: bool) -> Option<&'static str> {
        let reads_other = action.kind == Kind::Read && !own;
        let changes = action.kind == Kind::Write;
        if account.status != 0 {
            match account.status {
                status if status & CLOSED != 0 => return Some("account_closed"),
                status if status & ABUSE != 0 && action.kind != Kind::Ticket => return Some("account_abuse"),
                status if status & BY_OWNER != 0 && action.kind != Kind::Ticket => return Some("account_by_owner"),
                status if status & OVERAGE != 0 && (changes || reads_other) => return Some("account_overage"),
                status if status & UNPAID != 0 && (changes || reads_other) => return Some("account_unpaid"),
                _ => {}
            }
        }
        let owner = if account.owner == NONE { return None } else { &self.accounts[account.owner as usize] };
        match owner.status {
            0 => None,
            status if status & CLOSED != 0 && action.kind != Kind::Ticket => Some("owner_closed"),
            status if status & ABUSE != 0 && action.kind != Kind::Ticket => Some("owner_abuse"),
            status if status & UNPAID != 0 && (changes || reads_other) => Some("owner_unpaid"),
            _ => None,
        }
    }

    fn isolation(&self, mine: u32, resource: u32, action: &Action, inline: bool) -> Option<&'static str> {
        let is_owner = self.accounts[resource as usize].owner == mine;
        match action.special {
            Special::OnClient if !is_owner => Some("not_your_client"),
            Special::ToOwner | Special::ToPlatform if !inline && resource != mine && !is_owner => Some("not_your_client"),
            Special::Nothing if resource != mine => Some("other_account"),
            _ => None,
        }
    }

    fn feature(&self, account: &Account, member: Option<&Member>, action: &Action) -> Option<&'static str> {
        if action.feature == 0 {
            return None;
        }
        if account.owner == NONE {
            if account.features & action.feature == 0 || (action.special == Special::OnClient && !account.whitelabel) {
                return Some("feature_not_in_package");
            }
        } else {
            let owner = &self.accounts[account.owner as usize];
            if owner.features & action.feature == 0 {
                return Some("feature_not_in_package");
            }
            if account.features & action.feature == 0 {
                return Some("feature_not_in_level");
            }
        }
        member.filter(|member| member.grants & action.feature == 0).map(|_| "feature_not_granted")
    }

    fn rest(&self, account: &Account, mine: u32, resource: u32, action: &Action) -> Option<&'static str> {
        let client = account.owner != NONE;
        let owner_away = client && (self.accounts[account.owner as usize].status != 0 || account.status & ABUSE != 0);
        match action.special {
            Special::OnClient if client => Some("client_depth"),
            Special::ToPlatform if client && !owner_away => Some("ticket_platform_forbidden"),
            Special::ToOwner if client && owner_away => Some("ticket_owner_unavailable"),
            Special::ToOwner if !client || resource != mine => Some("not_permitted"),
            _ => None,
        }
    }
}
