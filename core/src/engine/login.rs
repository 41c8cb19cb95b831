//! `login` finds the principal of an e-mail at a host, and a code that may be shown to strangers
//! (I1, I2, D5, D7). `login_by_key` does so for the key of a service account (I7).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Engine, Snapshot};
use crate::api::decision::{Decision, Login};
use crate::api::request::Request;
use crate::api::request_ref::ActionRef;
use crate::cedar::bundle::Bundle;
use crate::cedar::schema::Action;
use crate::directory::{Directory, LoginShape, NO_ROW, Realm, RecordKey, RecordKind};
use crate::model::answer_code::AnswerCode;
use crate::model::reference::EntityRef;
use crate::model::service_key::key_hash;
use crate::store;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// Account id of a view that reads the clock only.
const NO_ACCOUNT: &str = "";

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
}

/// A credential flow: an action with the types of login that it accepts (D6).
pub(super) struct CredentialFlow<'a> {
    action: EntityRef,
    schema: &'a Action,
    /// The instant at which a key is checked, if the credential is a key.
    key_now: Option<i64>,
}

impl<'a> CredentialFlow<'a> {
    /// Returns the named flow, or the one that is marked `@asks(verb)`.
    pub(super) fn new(
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
    pub(super) fn accepts(&self, kind: RecordKind) -> bool {
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
    pub(super) fn decide_login(
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
}
