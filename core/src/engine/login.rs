//! `login`: which principal an e-mail names at a host, and what the outside may be told (I1, I2, D5, D7).

use std::sync::Arc;

use super::{Engine, State, guard};
use crate::decision::{Decision, Login};
use crate::directory::Realm;
use crate::{Error, Ref, Request};

/// What the outside is told of a wrong domain and of an unknown login alike (D7).
const LOGIN_REFUSED: &str = "login_refused";

impl Engine {
    /// Whether the login with this e-mail may come in at this host, and as whom (I2, D1, D5, D7). Checks no password.
    ///
    /// # Errors
    /// [`Error::NotTenancy`]; a host or e-mail that is none is a refusal: both come from strangers.
    pub fn login(&self, host: &str, email: &str) -> Result<Login, Error> {
        guard(|| {
            let state = self.state.load_full();
            let action = state.tenancy("login")?.asked_by("login")?;
            state.login(&action, host, email)
        })
    }
}

/// A realm that a host asks (I2).
enum Asked<'a> {
    /// All logins of a realm.
    Whole(Realm),
    /// The platform's realm, but only this owner and his members.
    OwnersOwn(&'a str),
}

impl State {
    fn login(&self, action: &Ref, host: &str, email: &str) -> Result<Login, Error> {
        let email = crate::email::normalise(email).ok();
        let logins: Vec<(Realm, Ref)> = email.iter().flat_map(|email| self.directory.logins(email)).collect();
        let name = crate::host::normalise(host).ok();
        for asked in self.realms(name.as_deref()) {
            if let Some((_, principal)) = logins.iter().find(|(realm, principal)| self.holds(&asked, realm, principal)) {
                let decision = self.ask_login(action, principal, host)?;
                return Ok(self.answer(principal, decision));
            }
        }
        // Other realms are read only for the log's code, and for where to go once the password is checked (I2, D7).
        let mut log_code: Arc<str> = Arc::from("principal_unknown");
        if let Some((_, principal)) = logins.first() {
            let decision = self.ask_login(action, principal, host)?;
            if !decision.allowed {
                log_code = decision.code;
            }
        }
        let elsewhere = self.elsewhere(action, &logins)?;
        Ok(Login { allowed: false, public_code: Arc::from(LOGIN_REFUSED), log_code, principal: None, elsewhere, decision: None })
    }

    /// I2: at a platform domain the platform's realm; at an owner's verified domain that owner's realm first, then the
    /// platform's, restricted to that owner and his members.
    fn realms<'a>(&'a self, host: Option<&str>) -> Vec<Asked<'a>> {
        let Some(domain) = host.and_then(|name| self.directory.domain(name)).filter(|domain| domain.is_verified()) else { return Vec::new() };
        match domain.owner() {
            None => vec![Asked::Whole(Realm::Platform)],
            Some(owner) => vec![Asked::Whole(Realm::Owner(owner.into())), Asked::OwnersOwn(owner)],
        }
    }

    fn holds(&self, asked: &Asked<'_>, realm: &Realm, principal: &Ref) -> bool {
        match asked {
            Asked::Whole(wanted) => wanted == realm,
            Asked::OwnersOwn(owner) => *realm == Realm::Platform && self.directory.account_of(principal).is_some_and(|account| account.id() == *owner),
        }
    }

    fn ask_login(&self, action: &Ref, principal: &Ref, host: &str) -> Result<Decision, Error> {
        let account = self.directory.account_of(principal).map(|account| Ref::new("Account", account.id()));
        let home = account.or_else(|| self.directory.platform().map(|platform| Ref::new("Platform", platform.id())));
        self.authorize(&(&Request::new(principal.clone(), action.clone(), home.unwrap_or_else(|| principal.clone())).host(host)).into())
    }

    /// Where these logins may come in: their realm's verified domains, as far as the policies allow.
    fn elsewhere(&self, action: &Ref, logins: &[(Realm, Ref)]) -> Result<Vec<Arc<str>>, Error> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for (realm, principal) in logins {
            let own = self.directory.account_of(principal).map(crate::account::Account::id);
            let owners = match realm {
                Realm::Owner(owner) => vec![Some(owner.as_ref())],
                Realm::Platform => vec![None, own],
            };
            for name in owners.into_iter().flat_map(|owner| self.directory.domains_of(owner)) {
                if !names.contains(&name) && self.ask_login(action, principal, &name)?.allowed {
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
