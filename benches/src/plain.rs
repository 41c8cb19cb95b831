//! The peer: the rules that the workload meets, written by hand over interned facts, to win.
//! Strings are looked up once for each question; the rest is integers and bits. It allocates
//! nothing and knows nothing that the questions do not need.
//!
//! [`CedarEvaluator::ask`] gives the code, as plainly as it can be written.
//! [`CedarEvaluator::allows`] gives the allow bit, as fast as it can be had: what depends on one
//! account alone is worked out when the facts are interned.

use rustc_hash::FxHashMap as Map;
use serde_json::Value;

use crate::agency::{Asked, KEPT, OTHERS};
use crate::key_table::Table;

const NONE: u32 = u32::MAX;
const CLOSED: u8 = 1;
const ABUSE: u8 = 2;
const BY_OWNER: u8 = 4;
const OVERAGE: u8 = 8;
const UNPAID: u8 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Login = 1,
    Read = 2,
    Write = 4,
    Ticket = 8,
}

/// A condition of some actions only.
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
    /// The type of what it is done to.
    resource: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct Account {
    owner: u32,
    /// The account at whose domains its logins arrive: the owner, or the account itself.
    realm: u32,
    /// The package's features (a main account's), or the level's (a client's).
    features: u64,
    /// Those in force: a client's owner must have them too.
    in_force: u64,
    whitelabel: bool,
    confirmed: bool,
    status: u8,
    /// The kinds of action that its status, or its owner's, forbids on its own.
    blocked: u8,
    /// A client whose owner is away: the platform takes its tickets.
    owner_away: bool,
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
#[derive(Debug)]
pub struct Plain {
    accounts: Table<Account>,
    members: Table<Member>,
    domains: Table<Domain>,
    actions: Table<Action>,
}

fn bits(value: &Value, names: &Map<&str, u64>) -> u64 {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| names.get(name.as_str()?))
        .fold(0, |all, bit| all | bit)
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

/// Features that come with the whitelabel right.
const WHITELABEL: [&str; 4] = [
    "client_accounts",
    "access_levels",
    "branding",
    "act_as_client",
];

/// The kinds of action on one's own that such a status forbids. (Those on others are writes.)
fn blocked(own: u8, of_owner: u8) -> u8 {
    let all = Kind::Login as u8 | Kind::Read as u8 | Kind::Write as u8;
    let closed = if own & CLOSED != 0 {
        all | Kind::Ticket as u8
    } else {
        0
    };
    let away = if own & (ABUSE | BY_OWNER) != 0 || of_owner & (CLOSED | ABUSE) != 0 {
        all
    } else {
        0
    };
    let unpaid = if own & (OVERAGE | UNPAID) != 0 || of_owner & UNPAID != 0 {
        Kind::Write as u8
    } else {
        0
    };
    closed | away | unpaid
}

impl Plain {
    /// Interns the directory of JSON lines.
    ///
    /// # Panics
    /// On lines that are none.
    #[must_use]
    pub fn new(lines: &str) -> Self {
        let names: Map<&str, u64> = KEPT
            .iter()
            .map(|(feature, ..)| *feature)
            .chain(OTHERS)
            .enumerate()
            .map(|(at, name)| (name, 1 << at))
            .collect();
        let count = |kind: &str| {
            lines
                .lines()
                .filter(|line| {
                    line.strip_prefix(r#"{"type":""#)
                        .is_some_and(|rest| rest.starts_with(kind))
                })
                .count()
        };
        let mut plain = Self {
            accounts: Table::of(count("Account")),
            members: Table::of(count("TeamMember")),
            domains: Table::of(count("Domain")),
            actions: Table::of(256),
        };
        let (mut packages, mut levels): (Map<String, (u64, bool)>, Map<String, u64>) =
            (Map::default(), Map::default());
        for line in lines.lines() {
            let record: Value =
                serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}"));
            let id = text(&record, "id");
            let found = |key: &str| {
                plain
                    .accounts
                    .find(text(&record, key))
                    .map_or(NONE, |(at, _)| at)
            };
            match text(&record, "type") {
                "Package" => drop(packages.insert(
                    id.to_owned(),
                    (
                        bits(&record["features"], &names),
                        record["whitelabel"] == true,
                    ),
                )),
                "AccessLevel" => {
                    levels.insert(id.to_owned(), bits(&record["features"], &names));
                }
                "Account" => plain.account(&record, &packages, &levels, &names),
                "TeamMember" => {
                    let member = Member {
                        account: found("account"),
                        grants: bits(&record["grants"], &names),
                        confirmed: record["confirmed"] == true,
                    };
                    plain.members.push(id, member);
                }
                "Domain" => {
                    let domain = Domain {
                        owner: found("owner"),
                        verified: record["state"] == "verified",
                    };
                    plain.domains.push(id, domain);
                }
                _ => {}
            }
        }
        plain.actions(&names);
        plain
    }

    fn account(
        &mut self,
        record: &Value,
        packages: &Map<String, (u64, bool)>,
        levels: &Map<String, u64>,
        names: &Map<&str, u64>,
    ) {
        let at = u32::try_from(self.accounts.len()).unwrap_or(NONE);
        let owner = self
            .accounts
            .find(text(record, "owner"))
            .map(|(at, row)| (at, *row));
        let (features, whitelabel) = packages
            .get(text(record, "package"))
            .copied()
            .unwrap_or_default();
        let features = features
            | levels
                .get(text(record, "level"))
                .copied()
                .unwrap_or_default();
        let reasons = [
            ("abuse", ABUSE),
            ("by_owner", BY_OWNER),
            ("overage", OVERAGE),
            ("unpaid", UNPAID),
        ];
        let disabled = record["disabled"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|reason| reasons.iter().find(|(name, _)| reason == name));
        let status = disabled.fold(
            u8::from(record["closed"] == true) * CLOSED,
            |all, (_, bit)| all | bit,
        );
        let in_force = match owner {
            Some((_, owner)) => features & owner.features,
            None if whitelabel => features,
            None => {
                features
                    & !WHITELABEL
                        .iter()
                        .filter_map(|name| names.get(name))
                        .sum::<u64>()
            }
        };
        let of_owner = owner.map_or(0, |(_, owner)| owner.status);
        let row = Account {
            owner: owner.map_or(NONE, |(at, _)| at),
            realm: owner.map_or(at, |(at, _)| at),
            features,
            in_force,
            whitelabel,
            confirmed: record["confirmed"] == true,
            status,
            blocked: blocked(status, of_owner),
            owner_away: owner.is_some() && (of_owner != 0 || status & ABUSE != 0),
        };
        self.accounts.push(text(record, "id"), row);
    }

    fn actions(&mut self, names: &Map<&str, u64>) {
        let mut put = |name: &str, kind, special, feature: &str, resource| {
            self.actions.push(
                name,
                Action {
                    kind,
                    special,
                    feature: names.get(feature).copied().unwrap_or(0),
                    resource,
                },
            );
        };
        for (feature, prefix, resource) in KEPT {
            put(
                &format!("{prefix}.read"),
                Kind::Read,
                Special::Nothing,
                feature,
                resource,
            );
            put(
                &format!("{prefix}.edit"),
                Kind::Write,
                Special::Nothing,
                feature,
                resource,
            );
            put(
                &format!("{prefix}.delete"),
                Kind::Write,
                Special::Nothing,
                feature,
                resource,
            );
        }
        put(
            "login.password",
            Kind::Login,
            Special::Nothing,
            "",
            "Account",
        );
        put(
            "member.list",
            Kind::Read,
            Special::Nothing,
            "team",
            "Account",
        );
        put(
            "client.edit",
            Kind::Write,
            Special::OnClient,
            "client_accounts",
            "Account",
        );
        put(
            "ticket.to_owner",
            Kind::Ticket,
            Special::ToOwner,
            "",
            "Account",
        );
        put(
            "ticket.to_platform",
            Kind::Ticket,
            Special::ToPlatform,
            "",
            "Account",
        );
    }

    /// Whether the answer is `ok`.
    #[must_use]
    #[inline(always)]
    pub fn allows(&self, asked: &Asked<'_>) -> bool {
        let Some((_, action)) = self.actions.find(asked.action) else {
            return false;
        };
        let (mine, grants) = if asked.principal.0 == "TeamMember" {
            let Some((_, member)) = self.members.find(asked.principal.1) else {
                return false;
            };
            (
                member.account,
                if member.confirmed {
                    member.grants
                } else {
                    return false;
                },
            )
        } else {
            let Some((at, _)) = self.accounts.find(asked.principal.1) else {
                return false;
            };
            (at, u64::MAX)
        };
        let Some((_, domain)) = self.domains.find(asked.host) else {
            return false;
        };
        let account = self.accounts.row(mine);
        let comes_in = domain.verified
            & ((domain.owner == account.realm)
                | ((domain.owner == NONE) & (account.owner == NONE)));
        let has = account.in_force & grants & action.feature == action.feature;
        let may = comes_in
            & has
            & account.confirmed
            & (account.blocked & action.kind as u8 == 0)
            & (action.resource == asked.resource.0);
        may && self.reaches(
            asked.account.unwrap_or(asked.resource.1),
            mine,
            account,
            action.special,
        )
    }

    /// Whether the named account is one that such an action may be done in, or to.
    #[inline(always)]
    fn reaches(&self, named: &str, mine: u32, account: &Account, special: Special) -> bool {
        let own = self.accounts.is(mine, named);
        let client = account.owner != NONE;
        let of_mine = || {
            self.accounts
                .find(named)
                .is_some_and(|(_, other)| other.owner == mine)
        };
        match special {
            Special::Nothing => own,
            Special::OnClient => !client && of_mine(),
            Special::ToOwner => own && client && !account.owner_away,
            Special::ToPlatform => (!client || account.owner_away) && (own || of_mine()),
        }
    }

    /// The code of the answer: `ok`, or why not.
    #[must_use]
    #[inline]
    pub fn ask(&self, asked: &Asked<'_>) -> &'static str {
        let Some((_, action)) = self.actions.find(asked.action) else {
            return "input.unknown_action";
        };
        let (mine, member) = if asked.principal.0 == "TeamMember" {
            let Some((_, member)) = self.members.find(asked.principal.1) else {
                return "principal_unknown";
            };
            (member.account, Some(member))
        } else {
            let Some((at, _)) = self.accounts.find(asked.principal.1) else {
                return "principal_unknown";
            };
            (at, None)
        };
        let Some((resource, _)) = self
            .accounts
            .find(asked.account.unwrap_or(asked.resource.1))
        else {
            return "account_unknown";
        };
        let account = self.accounts.row(mine);
        let refused = self.domain(account, mine, asked.host);
        let refused = refused.or_else(|| {
            if account.confirmed && member.is_none_or(|member| member.confirmed) {
                None
            } else {
                Some("email_unconfirmed")
            }
        });
        let refused = refused.or_else(|| self.status(account, action, resource == mine));
        let refused =
            refused.or_else(|| self.isolation(mine, resource, action, asked.account.is_some()));
        let refused = refused.or_else(|| self.feature(account, member, action));
        refused
            .or_else(|| self.rest(account, mine, resource, action))
            .unwrap_or("ok")
    }

    fn domain(&self, account: &Account, mine: u32, host: &str) -> Option<&'static str> {
        let Some((_, domain)) = self.domains.find(host) else {
            return Some("domain_unknown");
        };
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
                status if status & ABUSE != 0 && action.kind != Kind::Ticket => {
                    return Some("account_abuse");
                }
                status if status & BY_OWNER != 0 && action.kind != Kind::Ticket => {
                    return Some("account_by_owner");
                }
                status if status & OVERAGE != 0 && (changes || reads_other) => {
                    return Some("account_overage");
                }
                status if status & UNPAID != 0 && (changes || reads_other) => {
                    return Some("account_unpaid");
                }
                _ => {}
            }
        }
        let owner = if account.owner == NONE {
            return None;
        } else {
            self.accounts.row(account.owner)
        };
        match owner.status {
            0 => None,
            status if status & CLOSED != 0 && action.kind != Kind::Ticket => Some("owner_closed"),
            status if status & ABUSE != 0 && action.kind != Kind::Ticket => Some("owner_abuse"),
            status if status & UNPAID != 0 && (changes || reads_other) => Some("owner_unpaid"),
            _ => None,
        }
    }

    fn isolation(
        &self,
        mine: u32,
        resource: u32,
        action: &Action,
        inline: bool,
    ) -> Option<&'static str> {
        let is_owner = self.accounts.row(resource).owner == mine;
        match action.special {
            Special::OnClient if !is_owner => Some("not_your_client"),
            Special::ToOwner | Special::ToPlatform if !inline && resource != mine && !is_owner => {
                Some("not_your_client")
            }
            Special::Nothing if resource != mine => Some("other_account"),
            _ => None,
        }
    }

    fn feature(
        &self,
        account: &Account,
        member: Option<&Member>,
        action: &Action,
    ) -> Option<&'static str> {
        if action.feature == 0 {
            return None;
        }
        if account.owner == NONE {
            if account.features & action.feature == 0
                || (action.special == Special::OnClient && !account.whitelabel)
            {
                return Some("feature_not_in_package");
            }
        } else {
            let owner = self.accounts.row(account.owner);
            if owner.features & action.feature == 0 {
                return Some("feature_not_in_package");
            }
            if account.features & action.feature == 0 {
                return Some("feature_not_in_level");
            }
        }
        member
            .filter(|member| member.grants & action.feature == 0)
            .map(|_| "feature_not_granted")
    }

    fn rest(
        &self,
        account: &Account,
        mine: u32,
        resource: u32,
        action: &Action,
    ) -> Option<&'static str> {
        let client = account.owner != NONE;
        let owner_away =
            client && (self.accounts.row(account.owner).status != 0 || account.status & ABUSE != 0);
        match action.special {
            Special::OnClient if client => Some("client_depth"),
            Special::ToPlatform if client && !owner_away => Some("ticket_platform_forbidden"),
            Special::ToOwner if client && owner_away => Some("ticket_owner_unavailable"),
            Special::ToOwner if !client || resource != mine => Some("not_permitted"),
            _ => None,
        }
    }
}
