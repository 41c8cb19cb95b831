//! `login` finds the principal of an e-mail at a host, and a code that may be shown to strangers
//! (I1, I2, D5, D7). `login_by_key` does so for the key of a service account (I7). `login_hosts`
//! lists the hosts at which a login is allowed, and `hosts_of` those of an account (D9).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Engine, Snapshot};
use crate::api::decision::{AccountHosts, Decision, Login, LoginHosts};
use crate::api::request::Request;
use crate::api::request_ref::ActionRef;
use crate::cedar::bundle::Bundle;
use crate::cedar::request::CedarQuery;
use crate::cedar::schema::Action;
use crate::directory::{Directory, LoginShape, NO_ROW, Realm, RecordKey, RecordKind};
use crate::model::answer_code::AnswerCode;
use crate::model::reference::EntityRef;
use crate::model::service_key::key_hash;
use crate::store;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// The greatest number of domains that one call of `login_hosts` checks.
const MAX_LOGIN_HOSTS: usize = 50;
/// Account id of a view that reads the clock only.
const NO_ACCOUNT: &str = "";

/// The greatest number of hosts that one call of `hosts_of` returns.
const MAX_ACCOUNT_HOSTS: usize = 1_000;

impl Engine {
    /// Decides whether the login with this e-mail may log in at this host, and as which principal
    /// (I2, D1, D5, D7). Checks no password.
    ///
    /// Every denial has the same [`Login::public_code`], and takes the same time whether or not the
    /// e-mail is known. After you have checked the password, [`Engine::login_hosts`] returns the
    /// precise code and the hosts at which the login is allowed.
    ///
    /// `flow` is the action of the credential flow: a reset, a magic link, an OAuth return (D6).
    /// The default is the action marked `@asks("login")`. A login whose type the flow does not
    /// accept counts as unknown.
    ///
    /// # Errors
    /// Fails with [`Error::NotTenancy`], and with [`Error::UnknownAction`] or [`Error::NoFlow`] for
    /// an invalid flow. An invalid host or e-mail is a denial, because both come from strangers.
    ///
    /// # Example: the link of a reset came to a host
    /// ```
    /// use sublet::{Engine, Options};
    /// let engine = Engine::open(Options::default())?;
    /// let login = engine.login("app.acme.example", "hello@bakery.example", Some("login.reset".into()))?;
    /// assert_eq!(&*login.public_code, "login_refused");
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn login(
        &self,
        host: &str,
        email: &str,
        flow: Option<ActionRef<'_>>,
    ) -> Result<Login, Error> {
        self.observe_login("login", host, || {
            catch_panic(|| {
                let state = self.current()?;
                let bundle = state.tenancy("login")?;
                let flow = CredentialFlow::new(bundle, flow, "login")?;
                let email = crate::model::email::normalise(email).ok();
                state.login(&flow, host, email.as_deref())
            })
        })
    }

    /// Decides whether a program with this key may log in at this host, and as which service
    /// account (I7). The policies check the expiry of the key and its hosts.
    ///
    /// A key is found by its hash. Every denial has the same [`Login::public_code`], and takes the
    /// same time whether or not the key is known, as with [`Engine::login`]. The action is the one
    /// marked `@asks("login_by_key")`. The last use of a key is in the events: the event of each call
    /// has the principal and the instant. A call writes nothing.
    ///
    /// Call this for each request of a program, or exchange the key for a session that ends no
    /// later than the key.
    ///
    /// # Errors
    /// Fails with [`Error::NotTenancy`], with [`Error::UnknownAction`] if no action is marked, and
    /// with the codes of the store. An invalid host or key is a denial.
    ///
    /// # Example: a key that nobody has
    /// ```
    /// use sublet::{Engine, Options};
    /// let engine = Engine::open(Options::default())?;
    /// let login = engine.login_by_key("app.acme.example", "0123456789abcdef")?;
    /// assert_eq!((&*login.public_code, login.principal), ("login_refused", None));
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn login_by_key(&self, host: &str, key: &str) -> Result<Login, Error> {
        self.observe_login("login_by_key", host, || {
            catch_panic(|| {
                let state = self.current()?;
                let bundle = state.tenancy("login_by_key")?;
                let now = store::view(&*state.store, NO_ACCOUNT, |tx| Ok(tx.now()))?;
                let flow = CredentialFlow {
                    key_now: Some(now),
                    ..CredentialFlow::new(bundle, None, "login_by_key")?
                };
                state.login(&flow, host, Some(&key_hash(key)))
            })
        })
    }

    /// Returns the hosts at which this login is allowed, and the precise code of its login at
    /// `host` (D7, D9). Call it after you have checked the password, or for links in e-mails. It
    /// reveals facts that a stranger must not know.
    ///
    /// One call checks at most 50 domains, in the order of their names. [`LoginHosts::next`] is the
    /// last of them; pass it as `after` to continue. `flow` is as in [`Engine::login`]. Without
    /// `host`, the code is that of a request without a host.
    ///
    /// # Errors
    /// Fails with [`Error::NotTenancy`], and with [`Error::UnknownAction`] or [`Error::NoFlow`] for
    /// an invalid flow. An unknown login is a denial, `principal_unknown`, and has no hosts.
    ///
    /// # Example: a client tried to log in at another owner's host
    /// ```
    /// use sublet::{Engine, Options, EntityRef};
    /// let engine = Engine::open(Options::default())?;
    /// engine.import(
    ///     br#"{"type": "Platform", "id": "mmio"}
    /// {"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": true}
    /// {"type": "Account", "id": "bakery", "email": "hello@bakery.example", "owner": "acme", "confirmed": true}
    /// {"type": "Domain", "id": "app.acme.example", "kind": "whitelabel", "owner": "acme", "state": "verified"}
    /// "#.as_slice(),
    ///     None, None,
    /// )?;
    /// let found = engine.login_hosts(&EntityRef::new("Account", "bakery"), Some("app.nova.example"), None, None)?;
    /// assert_eq!((&*found.code, &*found.hosts[0]), ("domain_unknown", "app.acme.example"));
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn login_hosts(
        &self,
        principal: &EntityRef,
        host: Option<&str>,
        flow: Option<ActionRef<'_>>,
        after: Option<&str>,
    ) -> Result<LoginHosts, Error> {
        self.observe_login_hosts(principal, host, || {
            catch_panic(|| {
                let state = self.current()?;
                let bundle = state.tenancy("login_hosts")?;
                state.login_hosts(
                    &CredentialFlow::new(bundle, flow, "login")?,
                    principal,
                    host,
                    after.unwrap_or_default(),
                )
            })
        })
    }
}

impl Engine {
    /// Returns the hosts at which the logins of an account come in, for links in e-mails (D9). A
    /// client has the domains of its owner, a main account those of the platform and its own. Only
    /// domains in use are returned: verified ones, and lapsed ones in their last days.
    ///
    /// No policy is asked. So an account that is unconfirmed or disabled has hosts, too, at which a
    /// confirmation or an answer can be read. [`Engine::login_hosts`] says where a login is allowed.
    ///
    /// One call returns at most `limit` hosts, and never more than 1,000, in the order of their
    /// names. Pass [`AccountHosts::next`] as `after` to continue.
    ///
    /// # Errors
    /// Fails with [`Error::UnknownAccount`], and with [`Error::NotTenancy`] for a plain Cedar
    /// program.
    ///
    /// # Example: the link in the first e-mail to a client
    /// ```
    /// use sublet::{Engine, Options};
    /// let engine = Engine::open(Options::default())?;
    /// engine.import(
    ///     br#"{"type": "Platform", "id": "mmio"}
    /// {"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": true}
    /// {"type": "Account", "id": "bakery", "email": "hello@bakery.example", "owner": "acme"}
    /// {"type": "Domain", "id": "app.acme.example", "kind": "whitelabel", "owner": "acme", "state": "verified"}
    /// "#.as_slice(),
    ///     None, None,
    /// )?;
    /// assert_eq!(&*engine.hosts_of("bakery", None, 1)?.hosts[0], "app.acme.example");
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn hosts_of(
        &self,
        account: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<AccountHosts, Error> {
        let found = catch_panic(|| {
            let state = self.current()?;
            state.tenancy("hosts_of")?;
            let number = state.directory.account_number(account);
            let number = number.ok_or_else(|| Error::UnknownAccount {
                account: crate::util::text::short(account),
            })?;
            let (after, limit) = (after.unwrap_or_default(), limit.min(MAX_ACCOUNT_HOSTS));
            Ok(state.hosts_page(RecordKind::Account.key(number), after, limit))
        });
        self.count_error("hosts_of", found)
    }
}

/// A credential flow: an action with the types of login that it accepts (D6).
struct CredentialFlow<'a> {
    action: EntityRef,
    schema: &'a Action,
    /// The instant at which a key is checked, if the credential is a key.
    key_now: Option<i64>,
}

impl<'a> CredentialFlow<'a> {
    /// Returns the named flow, or the one that is marked `@asks(verb)`.
    fn new(
        bundle: &'a Bundle,
        named: Option<ActionRef<'_>>,
        verb: &'static str,
    ) -> Result<Self, Error> {
        let (action, schema) = bundle.flow(named.map(ActionRef::name), verb)?;
        Ok(Self {
            action,
            schema,
            key_now: None,
        })
    }

    /// Returns whether the flow accepts logins of this type. Only members have keys.
    fn accepts(&self, kind: RecordKind) -> bool {
        self.schema.principals.contains(kind.name())
            && (self.key_now.is_none() || kind == RecordKind::TeamMember)
    }

    /// Returns the context fields of the flow's action: those of a key that it declares, or none.
    fn context(&self, directory: &Directory, login: RecordKey) -> Map<String, Value> {
        let Some(now) = self.key_now else {
            return Map::new();
        };
        let key = directory.service_key(login);
        let hosts = key.map(|key| key.hosts.iter().cloned().collect::<Value>());
        let mut context = Map::from_iter([
            ("now".to_owned(), now.into()),
            (
                "hosts".to_owned(),
                hosts.unwrap_or_else(|| Value::Array(Vec::new())),
            ),
        ]);
        if let Some(expires_at) = key.and_then(|key| key.expires_at) {
            context.insert("expires_at".to_owned(), expires_at.into());
        }
        context.retain(|field, _| self.schema.fields.contains(field));
        context
    }
}

/// A realm in which a host looks up logins (I2).
enum RealmLookup {
    /// Every login of a realm.
    Whole(Realm),
    /// The owner with this number and the owner's members, in the platform's realm.
    OwnersOwn(u32),
}

impl Snapshot {
    /// Decides the login that is found by this name: its e-mail, or the hash of its key.
    fn login(
        &self,
        flow: &CredentialFlow<'_>,
        host: &str,
        name: Option<&str>,
    ) -> Result<Login, Error> {
        let logins = name
            .into_iter()
            .flat_map(|name| self.directory.logins(name))
            .filter(|(_, login)| flow.accepts(login.kind()));
        let logins: Vec<(Realm, RecordKey)> = logins.collect();
        let name = crate::model::host::normalise(host).ok();
        let served = |lookup: RealmLookup| {
            logins
                .iter()
                .find(|(realm, login)| self.holds(&lookup, *realm, *login))
        };
        let served = self.realms(name.as_deref()).into_iter().find_map(served);
        // Other realms are read only for the code of the log (I2, D7).
        let known = served.or(logins.first()).map(|(_, login)| *login);
        let decision = self.decide_in_equal_time(flow, known, host)?;
        let allowed =
            served.is_some() && decision.as_ref().is_some_and(|decision| decision.allowed);
        // An allowed login of another realm is still unknown at this host.
        let code = decision
            .as_ref()
            .filter(|decision| allowed || !decision.allowed)
            .map(|decision| Arc::clone(&decision.code));
        let log_code = code.unwrap_or_else(|| AnswerCode::PrincipalUnknown.into());
        let public_code = if allowed {
            Arc::clone(&log_code)
        } else {
            AnswerCode::LoginRefused.into()
        };
        let principal = served.map(|(_, login)| self.directory.reference(*login));
        Ok(Login {
            allowed,
            public_code,
            log_code,
            principal,
            decision: decision.filter(|_| served.is_some()),
        })
    }

    /// Returns the realms of a host (I2). At a platform domain it is the platform's realm. At an
    /// owner's verified domain it is the owner's realm, then the platform's realm restricted to
    /// that owner and its members.
    fn realms(&self, host: Option<&str>) -> Vec<RealmLookup> {
        match host.and_then(|name| self.directory.owner_of_host(name)) {
            None => Vec::new(),
            Some(NO_ROW) => vec![RealmLookup::Whole(Realm::Platform)],
            Some(owner) => vec![
                RealmLookup::Whole(Realm::Owner(owner)),
                RealmLookup::OwnersOwn(owner),
            ],
        }
    }

    fn holds(&self, lookup: &RealmLookup, realm: Realm, login: RecordKey) -> bool {
        match lookup {
            RealmLookup::Whole(wanted) => *wanted == realm,
            RealmLookup::OwnersOwn(owner) => {
                realm == Realm::Platform && self.directory.account_of(login) == Some(*owner)
            }
        }
    }

    /// Decides the known login. The policies decide a login of each shape, whether or not one is
    /// known. So the time does not reveal which e-mails are known (D7).
    fn decide_in_equal_time(
        &self,
        flow: &CredentialFlow<'_>,
        known: Option<RecordKey>,
        host: &str,
    ) -> Result<Option<Decision>, Error> {
        let shape_of_known = known.and_then(|login| self.directory.login_shape(login));
        let mut answer = Ok(None);
        for shape in LoginShape::ALL
            .into_iter()
            .filter(|shape| flow.accepts(shape.kind()))
        {
            // The search runs in any case, because it takes time too.
            let stand_in = self.directory.find_decoy(shape);
            let is_known = shape_of_known == Some(shape);
            let Some(login) = known.filter(|_| is_known).or(stand_in) else {
                continue;
            };
            let decision = self.decide_login(flow, login, Some(host));
            if is_known {
                answer = decision.map(Some);
            }
        }
        answer
    }

    /// Decides a login without the answer cache, because a cached answer would come sooner.
    fn decide_login(
        &self,
        flow: &CredentialFlow<'_>,
        login: RecordKey,
        host: Option<&str>,
    ) -> Result<Decision, Error> {
        let principal = self.directory.reference(login);
        let account = self
            .directory
            .account_of(login)
            .map(|account| self.directory.reference(RecordKind::Account.key(account)));
        let home = account.or_else(|| {
            self.directory
                .platform()
                .map(|platform| EntityRef::new("Platform", platform.id()))
        });
        let home = home.unwrap_or_else(|| principal.clone());
        let mut request = Request::new(principal, flow.action.clone(), home);
        request.environment.host = host.map(str::to_owned);
        request.environment.context = flow.context(&self.directory, login);
        self.decide_uncached(&(&request).into())
    }

    /// Returns one page of the domains in use that serve the realm of a login, and, for a main
    /// account, its own.
    fn hosts_page(&self, login: RecordKey, after: &str, limit: usize) -> AccountHosts {
        let owners = match self.directory.realm(login) {
            Some(Realm::Owner(owner)) => vec![owner],
            // A login of the platform's staff has no account.
            Some(Realm::Platform) | None => [Some(NO_ROW), self.directory.account_of(login)]
                .into_iter()
                .flatten()
                .collect(),
        };
        let most = limit.saturating_add(1);
        let mut hosts = self.directory.hosts_in_use(&owners, after, most);
        let has_more = hosts.len() > limit;
        hosts.truncate(limit);
        let next = hosts.last().filter(|_| has_more).cloned();
        AccountHosts { hosts, next }
    }

    fn login_hosts(
        &self,
        flow: &CredentialFlow<'_>,
        principal: &EntityRef,
        host: Option<&str>,
        after: &str,
    ) -> Result<LoginHosts, Error> {
        let login = self
            .directory
            .login_key(principal)
            .filter(|login| flow.accepts(login.kind()));
        let Some(login) = login else {
            let decision =
                self.decide_query(None, &CedarQuery::Denied(AnswerCode::PrincipalUnknown))?;
            return Ok(LoginHosts {
                code: Arc::clone(&decision.code),
                hosts: Vec::new(),
                next: None,
                decision,
            });
        };
        let decision = self.decide_login(flow, login, host)?;
        let AccountHosts { hosts, next } = self.hosts_page(login, after, MAX_LOGIN_HOSTS);
        let mut allowed = Vec::with_capacity(hosts.len());
        for host in hosts {
            if self.decide_login(flow, login, Some(&host))?.allowed {
                allowed.push(host);
            }
        }
        Ok(LoginHosts {
            code: Arc::clone(&decision.code),
            hosts: allowed,
            next,
            decision,
        })
    }
}
