//! `login`: which principal an e-mail names at a host, and what the outside may be told (I1, I2, D5, D7).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Engine, State, guard};
use crate::decision::{Decision, Login};
use crate::directory::{Key, Kind, NONE, Realm};
use crate::{Does, Error, Ref, Request};

/// What the outside is told of a wrong domain and of an unknown login alike (D7).
const LOGIN_REFUSED: &str = "login_refused";

impl Engine {
    /// Whether the login with this e-mail may come in at this host, and as whom (I2, D1, D5, D7). Checks no password.
    ///
    /// `flow` is the action of the credential flow: a reset, a magic link, an OAuth return (D6); without it, the one marked
    /// `@asks("login")`. A login of a type that the flow is not for is as good as none.
    ///
    /// # Errors
    /// [`Error::NotTenancy`]; [`Error::UnknownAction`] and [`Error::NoFlow`] for a flow that is none; a host or e-mail that is none is a
    /// refusal: both come from strangers.
    ///
    /// # Example: the link of a reset came to a host
    /// ```
    /// use sublet::{Engine, Options};
    /// let engine = Engine::open(Options::default())?;
    /// let login = engine.login("app.acme.example", "hello@bakery.example", Some("login.reset".into()))?;
    /// assert_eq!(&*login.public_code, "login_refused");
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn login(&self, host: &str, email: &str, flow: Option<Does<'_>>) -> Result<Login, Error> {
        self.watched_login(host, || {
            guard(|| {
                let state = self.current()?;
                let bundle = state.tenancy("login")?;
                let (action, types) = bundle.flow(flow.map(Does::name))?;
                state.login(&Flow { action, types }, host, email)
            })
        })
    }
}

/// A credential flow, and the types of login that it is for (D6).
struct Flow<'a> {
    action: Ref,
    types: &'a BTreeSet<String>,
}

/// A realm that a host asks (I2).
enum Asked {
    /// All logins of a realm.
    Whole(Realm),
    /// The platform's realm, but only the owner of this number and his members.
    OwnersOwn(u32),
}

impl State {
    fn login(&self, flow: &Flow<'_>, host: &str, email: &str) -> Result<Login, Error> {
        let email = crate::email::normalise(email).ok();
        let is_for = |login: Key| flow.types.contains(self.directory.reference(login).kind());
        let logins = email.iter().flat_map(|email| self.directory.logins(email)).filter(|(_, login)| is_for(*login));
        let logins: Vec<(Realm, Key)> = logins.collect();
        let action = &flow.action;
        let name = crate::host::normalise(host).ok();
        for asked in self.realms(name.as_deref()) {
            if let Some((_, login)) = logins.iter().find(|(realm, login)| self.holds(&asked, *realm, *login)) {
                let decision = self.ask_login(action, *login, host)?;
                return Ok(self.answer(&self.directory.reference(*login), decision));
            }
        }
        // Other realms are read only for the log's code, and for where to go once the password is checked (I2, D7).
        let mut log_code: Arc<str> = Arc::from("principal_unknown");
        if let Some((_, login)) = logins.first() {
            let decision = self.ask_login(action, *login, host)?;
            if !decision.allowed {
                log_code = decision.code;
            }
        }
        let elsewhere = self.elsewhere(action, &logins)?;
        Ok(Login { allowed: false, public_code: Arc::from(LOGIN_REFUSED), log_code, principal: None, elsewhere, decision: None })
    }

    /// I2: at a platform domain the platform's realm; at an owner's verified domain that owner's realm first, then the
    /// platform's, restricted to that owner and his members.
    fn realms(&self, host: Option<&str>) -> Vec<Asked> {
        match host.and_then(|name| self.directory.verified(name)) {
            None => Vec::new(),
            Some(NONE) => vec![Asked::Whole(Realm::Platform)],
            Some(owner) => vec![Asked::Whole(Realm::Owner(owner)), Asked::OwnersOwn(owner)],
        }
    }

    fn holds(&self, asked: &Asked, realm: Realm, login: Key) -> bool {
        match asked {
            Asked::Whole(wanted) => *wanted == realm,
            Asked::OwnersOwn(owner) => realm == Realm::Platform && self.directory.account_of(login) == Some(*owner),
        }
    }

    fn ask_login(&self, action: &Ref, login: Key, host: &str) -> Result<Decision, Error> {
        let principal = self.directory.reference(login);
        let account = self.directory.account_of(login).map(|account| self.directory.reference(Kind::Account.key(account)));
        let home = account.or_else(|| self.directory.platform().map(|platform| Ref::new("Platform", platform.id())));
        let home = home.unwrap_or_else(|| principal.clone());
        self.authorize(&(&Request::new(principal, action.clone(), home).host(host)).into())
    }

    /// Where these logins may come in: their realm's verified domains, as far as the policies allow.
    fn elsewhere(&self, action: &Ref, logins: &[(Realm, Key)]) -> Result<Vec<Arc<str>>, Error> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for (realm, login) in logins {
            let owners = match realm {
                Realm::Owner(owner) => vec![Some(*owner)],
                Realm::Platform => vec![None, self.directory.account_of(*login)],
            };
            for name in owners.into_iter().flat_map(|owner| self.directory.domains_of(owner)) {
                if !names.contains(&name) && self.ask_login(action, *login, &name)?.allowed {
                    names.push(name);
                }
            }
        }
        names.sort();
        Ok(names)
    }

    fn answer(&self, principal: &Ref, decision: Decision) -> Login {
        let rules = &self.loaded.rules().list;
        let deciding = decision.policies.first().and_then(|id| rules.iter().find(|rule| rule.id == *id));
        let public = deciding.filter(|_| !decision.allowed).and_then(|rule| rule.public.clone());
        Login {
            allowed: decision.allowed,
            public_code: public.unwrap_or_else(|| Arc::clone(&decision.code)),
            log_code: Arc::clone(&decision.code),
            principal: Some(principal.clone()),
            elsewhere: Vec::new(),
            decision: Some(decision),
        }
    }
}
