//! The hosts at which logins come in: `login_hosts` lists those at which a login is allowed, and
//! `hosts_of` those of an account (D7, D9).

use std::sync::Arc;

use super::login::CredentialFlow;
use super::{Engine, Snapshot};
use crate::api::decision::{AccountHosts, LoginHosts};
use crate::api::request_ref::ActionRef;
use crate::cedar::request::CedarQuery;
use crate::directory::{NO_ROW, Realm, RecordKey, RecordKind};
use crate::model::answer_code::AnswerCode;
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// The greatest number of domains that one call of `login_hosts` checks.
const MAX_LOGIN_HOSTS: usize = 50;

/// The greatest number of hosts that one call of `hosts_of` returns.
const MAX_ACCOUNT_HOSTS: usize = 1_000;

impl Engine {
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

impl Snapshot {
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
