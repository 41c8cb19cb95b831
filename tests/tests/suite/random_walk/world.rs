//! The model: accounts, members, levels and domains in plain maps. It knows the features of the
//! catalog, and no policies.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sublet::parse_instant;
use sublet_tests::{ModelOwner, Random, month_name};

pub(crate) const PLATFORM: &str = "dash.mmio.example";
/// The features that the walk grants and enables.
pub(crate) const FEATURES: [&str; 11] = [
    "campaigns",
    "contacts",
    "automations",
    "team",
    "client_accounts",
    "access_levels",
    "branding",
    "act_as_client",
    "pages",
    "billing",
    "api",
];

/// Methods of the host that a long walk must have called.
const HOST_CHANGES: [&str; 12] = [
    "host settle",
    "host pay",
    "host reverse",
    "host close_month",
    "host close_due",
    "host calendar",
    "host package",
    "host price",
    "host put",
    "host remove",
    "host close",
    "host import",
];

/// A token that nobody has: the account has moved to another realm, where no token of before holds,
/// or the call that returned the token was killed.
pub(crate) const MOVED: &str = "moved";

pub(crate) type Words = BTreeSet<String>;

#[derive(Clone, Default, Debug)]
pub(crate) struct Account {
    pub(crate) owner: Option<String>,
    pub(crate) package: String,
    pub(crate) level: Option<String>,
    pub(crate) confirmed: bool,
    pub(crate) closed: bool,
    pub(crate) closed_at: Option<i64>,
    pub(crate) erased: bool,
    /// Whether the account asked for another e-mail than its first one.
    pub(crate) renamed: bool,
    /// Without `overage`, which belongs to the bill.
    pub(crate) disabled: Words,
    /// The account's own limit of client accounts.
    pub(crate) included: Option<i64>,
    /// The account's own limit of seats.
    pub(crate) seats: Option<usize>,
    pub(crate) token: Option<(String, i64)>,
    /// The recipient of the offer, its expiry, and whether the client consents.
    pub(crate) offer: Option<(String, i64, bool)>,
}

#[derive(Clone, Default, Debug)]
pub(crate) struct Member {
    pub(crate) account: String,
    pub(crate) grants: Words,
    /// The sub-limit of e-mails. `None` means the whole limit of the account.
    pub(crate) part: Option<i64>,
    pub(crate) confirmed: bool,
    pub(crate) erased: bool,
    /// Whether this is a service account, which holds no seat.
    pub(crate) service: bool,
    /// The token of the invitation or of a changed e-mail, with its expiry.
    pub(crate) token: Option<(String, i64)>,
}

impl Member {
    pub(crate) fn erase(&mut self, now: i64) {
        (self.confirmed, self.erased, self.service) = (false, true, false);
        self.part = None;
        self.grants.clear();
        self.token = Some(("none".to_owned(), now));
    }
}

/// The caller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Login {
    Account(String),
    Member(String),
    Operator,
}

impl Login {
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Account(id) => json!(["Account", id]),
            Self::Member(id) => json!(["TeamMember", id]),
            Self::Operator => json!(["Operator", "olga"]),
        }
    }
}

/// The seed and the order of a month that was closed.
type Draw = (Option<String>, Vec<String>);

pub(crate) struct World {
    pub(crate) now: i64,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) members: BTreeMap<String, Member>,
    /// The owner and the enabled features of each level.
    pub(crate) levels: BTreeMap<String, (String, Words)>,
    /// The instant before which the sessions of a login do not count.
    pub(crate) signed_out: BTreeMap<Login, i64>,
    /// The owner and the state of each domain and claim, by the id of its record.
    pub(crate) domains: BTreeMap<String, (String, &'static str)>,
    /// The ends of claims and lapses.
    pub(crate) domain_ends: BTreeMap<String, i64>,
    /// The price of a client over the package's number.
    pub(crate) price: i64,
    pub(crate) bills: BTreeMap<String, ModelOwner>,
    /// The instants at which the billing of an owner began again.
    pub(crate) reopenings: BTreeMap<String, BTreeSet<i64>>,
    /// The draws of closed months, by owner and month.
    pub(crate) draws: BTreeMap<(String, String), Draw>,
    pub(crate) payments: Vec<(u64, String, String, i64)>,
    /// The owners of removed clients that can come back.
    pub(crate) gone: BTreeMap<String, String>,
    /// The instant of each top-up, by account and key.
    pub(crate) top_ups: BTreeMap<(String, String), i64>,
    /// The number of executions of each command.
    pub(crate) counts: BTreeMap<String, usize>,
    /// The number of refusals and of errors of each command.
    pub(crate) refusals: BTreeMap<String, [usize; 2]>,
    pub(crate) next: usize,
    catalog: Value,
}

/// Returns the host name in the id of a domain or claim.
pub(crate) fn name_of(id: &str) -> &str {
    id.split('/').next().unwrap_or(id)
}

/// Returns whether a domain in this state serves logins.
pub(crate) fn is_in_use(state: &str) -> bool {
    ["verified", "lapsed"].contains(&state)
}

impl World {
    pub(crate) fn new(instant: &str) -> Self {
        let catalog = serde_json::from_str(include_str!("../../../../policies/catalog.json"))
            .expect("the catalog");
        let mut accounts = BTreeMap::new();
        let mut domains = BTreeMap::new();
        for (id, package) in [
            ("o0", "agency"),
            ("o1", "agency"),
            ("o2", "enterprise"),
            ("o3", "business"),
        ] {
            accounts.insert(
                id.to_owned(),
                Account {
                    package: package.to_owned(),
                    confirmed: true,
                    ..Account::default()
                },
            );
            if id != "o3" {
                domains.insert(format!("app.{id}.example"), (id.to_owned(), "verified"));
            }
        }
        let mut world = Self {
            now: parse_instant(instant).expect("an instant"),
            accounts,
            members: BTreeMap::new(),
            levels: BTreeMap::new(),
            signed_out: BTreeMap::new(),
            domains,
            domain_ends: BTreeMap::new(),
            price: 0,
            bills: BTreeMap::new(),
            reopenings: BTreeMap::new(),
            draws: BTreeMap::new(),
            payments: Vec::new(),
            gone: BTreeMap::new(),
            top_ups: BTreeMap::new(),
            counts: BTreeMap::new(),
            refusals: BTreeMap::new(),
            next: 0,
            catalog,
        };
        world.price = world.setting("excess_client_cents");
        world.sync_bills();
        world
    }

    /// Brings the bills in step with the accounts, after a change. Months that are over keep their
    /// figures.
    pub(crate) fn sync_bills(&mut self) {
        let (mut clients, now) = (BTreeMap::<&String, Words>::new(), self.now);
        for (id, account) in &self.accounts {
            if let Some(owner) = account.owner.as_ref().filter(|_| !account.closed) {
                clients.entry(owner).or_default().insert(id.clone());
            }
        }
        for owner in self.mains() {
            let included = self.included(&owner);
            let new = || ModelOwner::new(now, included, self.price);
            let bill = self.bills.entry(owner.clone()).or_insert_with(new);
            match (self.accounts[&owner].closed, bill.running) {
                (true, Some(_)) => bill.close(now),
                (false, None) => {
                    bill.reopen(now);
                    let reopened = self.reopenings.entry(owner.clone()).or_default();
                    reopened.extend(bill.running.map(|(_, start, _)| start));
                }
                _ => {}
            }
            bill.clients = clients.remove(&owner).unwrap_or_default();
            (bill.included, bill.price) = (included, self.price);
        }
    }

    /// Records that a month is settled.
    pub(crate) fn settle(&mut self, owner: &str, period: &str) {
        let bill = self.bills.get_mut(owner).expect("a bill");
        let mut months = bill.over.iter_mut();
        let month = months.find(|month| month.name() == period);
        month.expect("a month that is over").settled = true;
    }

    /// Records that cents were received for a month, or taken back.
    pub(crate) fn receive(&mut self, owner: &str, period: &str, cents: i64) {
        let bill = self.bills.get_mut(owner).expect("a bill");
        *bill.received.entry(period.to_owned()).or_default() += cents;
    }

    /// Returns the number of settled months.
    pub(crate) fn settled(&self) -> usize {
        let months = self.bills.values().flat_map(|bill| &bill.over);
        months.filter(|month| month.settled).count()
    }

    /// Returns the first records.
    pub(crate) fn lines(&self) -> String {
        let mut lines = vec![
            json!({ "type": "Platform", "id": "mmio" }),
            json!({ "type": "Operator", "id": "olga", "email": "olga@mmio.example", "roles": ["admin"] }),
        ];
        lines.push(
            json!({ "type": "Domain", "id": PLATFORM, "kind": "platform", "state": "verified" }),
        );
        for (id, account) in &self.accounts {
            lines.push(json!({ "type": "Account", "id": id, "email": format!("{id}@main.example"), "package": account.package, "confirmed": true }));
        }
        for (name, (owner, state)) in &self.domains {
            lines.push(json!({ "type": "Domain", "id": name, "kind": "whitelabel", "owner": owner, "state": state }));
        }
        lines.iter().map(|line| line.to_string() + "\n").collect()
    }

    fn offer(&self, list: &str, id: &str) -> &Value {
        self.catalog[list]
            .as_array()
            .expect("a list")
            .iter()
            .find(|offer| offer["id"] == id)
            .unwrap_or(&Value::Null)
    }

    pub(crate) fn is_whitelabel(&self, package: &str) -> bool {
        self.offer("packages", package)["whitelabel"] == true
    }

    /// Returns whether an account may choose the package itself (B13).
    pub(crate) fn is_self_service(&self, package: &str) -> bool {
        self.offer("packages", package)["self_service"] == true
    }

    fn words(offer: &Value) -> Words {
        offer["features"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn package_features(&self, package: &str) -> Words {
        Self::words(self.offer("packages", package))
    }

    pub(crate) fn level_features(&self, level: &str) -> Words {
        self.levels.get(level).map_or_else(
            || Self::words(self.offer("levels", level)),
            |(_, features)| features.clone(),
        )
    }

    /// Returns the level that a new client gets.
    pub(crate) fn usual_level(&self, package: &str) -> Option<String> {
        self.offer("packages", package)["client_level"]
            .as_str()
            .map(str::to_owned)
    }

    /// Returns the features that an account may use (L1).
    pub(crate) fn features(&self, id: &str) -> Words {
        let account = &self.accounts[id];
        match &account.owner {
            None => self.package_features(&account.package),
            Some(owner) => {
                let level = account
                    .level
                    .as_deref()
                    .map(|level| self.level_features(level))
                    .unwrap_or_default();
                self.package_features(&self.accounts[owner].package)
                    .intersection(&level)
                    .cloned()
                    .collect()
            }
        }
    }

    pub(crate) fn home(&self, login: &Login) -> Option<String> {
        match login {
            Login::Account(id) => Some(id.clone()),
            Login::Member(id) => Some(self.members[id].account.clone()),
            Login::Operator => None,
        }
    }

    /// Returns the clients of an owner that are not closed.
    pub(crate) fn clients(&self, owner: &str) -> Words {
        let own = |account: &Account| account.owner.as_deref() == Some(owner) && !account.closed;
        self.accounts
            .iter()
            .filter(|(_, account)| own(account))
            .map(|(id, _)| id.clone())
            .collect()
    }

    pub(crate) fn mains(&self) -> Vec<String> {
        self.accounts
            .iter()
            .filter(|(_, account)| account.owner.is_none())
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Returns the main accounts that are not closed, or all of them if there is none.
    pub(crate) fn open_mains(&self) -> Vec<String> {
        let (mut mains, all) = (self.mains(), self.mains());
        mains.retain(|id| !self.accounts[id].closed);
        if mains.is_empty() { all } else { mains }
    }

    /// Returns the number of included clients, or `None` if it is unlimited.
    pub(crate) fn included(&self, owner: &str) -> Option<i64> {
        let account = &self.accounts[owner];
        let stated = &self.offer("packages", &account.package)["client_accounts"];
        account.included.or_else(|| {
            if stated == "unlimited" {
                None
            } else {
                Some(stated.as_i64().unwrap_or(0))
            }
        })
    }

    /// Returns a domain in use of the owner.
    pub(crate) fn domain_of(&self, owner: &str) -> Option<String> {
        self.domains
            .iter()
            .find(|(_, (of, state))| of == owner && is_in_use(state))
            .map(|(name, _)| name.clone())
    }

    /// Returns the id of the record that a command names: the domain, or the open claim of the
    /// caller's account.
    pub(crate) fn named_domain(&self, name: &str, home: &str) -> Option<String> {
        let claim = format!("{name}/{home}");
        let is_open = self
            .domain_ends
            .get(&claim)
            .is_some_and(|end| self.now < *end);
        if self.domains.contains_key(name) {
            Some(name.to_owned())
        } else {
            is_open.then_some(claim)
        }
    }

    /// Returns the number of open claims of an owner.
    pub(crate) fn open_claims(&self, owner: &str) -> i64 {
        let open = self.domains.iter().filter(|(id, (of, state))| {
            of == owner && *state == "pending" && self.now < self.domain_ends[*id]
        });
        i64::try_from(open.count()).expect("few claims")
    }

    /// Removes the claims of a name, all or the expired ones.
    pub(crate) fn end_claims(&mut self, name: &str, all: bool) {
        let claims = format!("{name}/");
        let (now, ends) = (self.now, &mut self.domain_ends);
        self.domains
            .retain(|id, _| !id.starts_with(&claims) || !all && now < ends[id]);
        ends.retain(|id, end| !id.starts_with(&claims) || !all && now < *end);
    }

    /// Returns a number of the catalog.
    pub(crate) fn setting(&self, name: &str) -> i64 {
        self.catalog[name].as_i64().expect("a number")
    }

    /// Returns the seats of an account: members, and invitations that have not expired.
    pub(crate) fn seats(&self, account: &str) -> usize {
        let holds = |member: &Member| {
            member.account == account
                && !member.service
                && (member.confirmed
                    || member
                        .token
                        .as_ref()
                        .is_some_and(|(_, until)| self.now < *until))
        };
        self.members.values().filter(|member| holds(member)).count()
    }

    /// Returns the number of seats that an account may have, or `None` if it is unlimited (L6).
    pub(crate) fn seat_limit(&self, id: &str) -> Option<usize> {
        let account = &self.accounts[id];
        if account.seats.is_some() {
            return account.seats;
        }
        let limits = match &account.owner {
            Some(owner) => &self.offer("packages", &self.accounts[owner].package)["client_limits"],
            None => &self.offer("packages", &account.package)["limits"],
        };
        if limits["members"] == "unlimited" {
            return None;
        }
        let limit = limits["members"].as_u64().unwrap_or(0);
        Some(usize::try_from(limit).expect("small"))
    }

    /// Returns whether the draw may have disabled the account for overage. The model does not know
    /// which clients it chose.
    pub(crate) fn may_be_overage(&self, login: &Login) -> bool {
        let owner = self
            .home(login)
            .and_then(|home| self.accounts[&home].owner.clone());
        owner.is_some_and(|owner| self.bills[&owner].has_overage())
    }

    /// Returns the accounts that are disabled, or have a disabled or closed owner.
    pub(crate) fn refused_accounts(&self) -> Vec<String> {
        let is_refused = |account: &Account| {
            let owner = account.owner.as_ref().map(|owner| &self.accounts[owner]);
            !account.disabled.is_empty()
                || owner.is_some_and(|owner| owner.closed || !owner.disabled.is_empty())
        };
        let accounts = self.accounts.iter();
        accounts
            .filter(|(_, account)| is_refused(account))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Returns a random login and a host, which mostly fits the login.
    pub(crate) fn login(&self, random: &mut Random) -> (Login, Option<String>) {
        let open: Vec<&String> = self
            .accounts
            .iter()
            .filter(|(_, account)| !account.closed)
            .map(|(id, _)| id)
            .collect();
        let all: Vec<&String> = self.accounts.keys().collect();
        let members: Vec<&String> = self.members.keys().collect();
        let login = match random.below(10) {
            0 => Login::Operator,
            1 | 2 if !members.is_empty() => Login::Member((*random.pick(&members)).clone()),
            3 => Login::Account((*random.pick(&all)).clone()),
            4..=6 => Login::Account(random.pick(&self.open_mains()).clone()),
            _ => Login::Account((*random.pick(&open)).clone()),
        };
        let host = if random.once_in(12) {
            self.any_host(random)
        } else {
            self.host_of(&login)
        };
        (login, host)
    }

    pub(crate) fn host_of(&self, login: &Login) -> Option<String> {
        let home = self.home(login);
        match home.and_then(|home| self.accounts[&home].owner.clone()) {
            Some(owner) => self.domain_of(&owner),
            None => Some(PLATFORM.to_owned()),
        }
    }

    fn any_host(&self, random: &mut Random) -> Option<String> {
        let names: Vec<&String> = self.domains.keys().collect();
        match random.below(4) {
            0 => None,
            1 => Some("nowhere.example".to_owned()),
            2 => Some(PLATFORM.to_owned()),
            _ if names.is_empty() => None,
            _ => Some(name_of(random.pick::<&String>(&names)).to_owned()),
        }
    }

    /// Returns whether the login may enter at the host at all (D1, D3, D4, D5, D8).
    pub(crate) fn admits(&self, login: &Login, host: Option<&str>) -> bool {
        let Some(host) = host else { return false };
        let owner = self
            .home(login)
            .map(|home| self.accounts[&home].owner.clone().unwrap_or(home));
        let is_client = self
            .home(login)
            .is_some_and(|home| self.accounts[&home].owner.is_some());
        if host == PLATFORM {
            return !is_client;
        }
        match (self.domains.get(host), owner) {
            (Some((of, "verified" | "lapsed")), Some(owner)) => {
                *of == owner && self.is_whitelabel(&self.accounts[&owner].package)
            }
            _ => false,
        }
    }

    /// Returns when the session of a request began, if the request says it. Most sessions are new.
    pub(crate) fn session(&self, random: &mut Random) -> Option<i64> {
        match random.below(20) {
            0 => None,
            1 => Some(self.now - 604_800_000),
            _ => Some(self.now),
        }
    }

    /// Returns whether a session of the login that began then still counts (I7). Without a host
    /// there is no session.
    pub(crate) fn is_session_good(
        &self,
        login: &Login,
        host: Option<&str>,
        session: Option<i64>,
    ) -> bool {
        let Some(ended) = self.signed_out.get(login) else {
            return true;
        };
        session.map_or(host.is_none(), |began| began >= *ended)
    }

    /// Advances the clock. Months that end keep the present figures.
    pub(crate) fn advance(&mut self, time: i64) {
        self.now += time;
        let now = self.now;
        self.bills.values_mut().for_each(|bill| bill.advance(now));
        for (id, (_, state)) in &mut self.domains {
            if *state == "lapsed" && self.domain_ends[id] <= self.now {
                *state = "quarantined";
                self.domain_ends.remove(id);
            }
        }
    }

    /// Returns the current month.
    pub(crate) fn month(&self) -> String {
        month_name(self.now)
    }

    pub(crate) fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    /// Counts a command that was refused, or that an error refused.
    pub(crate) fn count_refusal(&mut self, what: &str, is_error: bool) {
        self.refusals.entry(what.to_owned()).or_default()[usize::from(is_error)] += 1;
    }

    /// Checks that a long walk has executed every command.
    pub(crate) fn check_coverage(&self, steps: usize) {
        let every = super::commands::NAMES.iter().chain(&HOST_CHANGES);
        let missing: Vec<&&str> = every
            .filter(|name| !self.counts.contains_key(**name))
            .collect();
        assert!(
            steps < 20_000 || missing.is_empty(),
            "never obeyed: {missing:?} of {:?}",
            self.counts
        );
    }
}
