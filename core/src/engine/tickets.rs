//! Support tickets: which desk resolves them, at opening and at each reply (T1 to T4). The host
//! stores the tickets and the policies decide. This module only orders the requests.

use std::sync::Arc;

use super::command_authorization::Refusals;
use super::{Engine, Snapshot};
use crate::api::decision::{Decision, TicketOutcome, TicketRoute};
use crate::api::request::{Environment, Request, Resource};
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// The principal, the ticket or the subject of a new one, and the environment.
type TicketRequest<'a> = (&'a EntityRef, &'a Resource, &'a Environment);

impl Engine {
    /// Returns the desk that resolves a ticket of `principal` about `about` (T1 to T4). Decides one
    /// action for each desk, in order.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::authorize`].
    pub fn route_ticket(
        &self,
        principal: &EntityRef,
        about: &Resource,
        environment: &Environment,
    ) -> Result<TicketRoute, Error> {
        self.observe_ticket(
            "route_ticket",
            (principal, about, environment),
            |found: &TicketRoute| (found.desk.as_deref(), &found.decision),
            || catch_panic(|| self.current()?.route_ticket(principal, about, environment)),
        )
    }

    /// Returns the route of a ticket that `principal` opens about `about` (T1, T2, T4). `about` is
    /// the principal's account, or a client of the owner.
    ///
    /// The host stores the ticket as a resource of type `Ticket`. The resource's account is
    /// [`TicketOutcome::ticket_account`], and its attribute `desk` is the desk of the route.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::authorize`].
    ///
    /// # Example: a client's ticket goes to its owner
    /// ```
    /// use sublet::{Environment, Engine, Options, EntityRef};
    /// let engine = Engine::open(Options::default())?;
    /// engine.import(
    ///     br#"{"type": "Platform", "id": "mmio"}
    /// {"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": true}
    /// {"type": "Account", "id": "bakery", "email": "hello@bakery.example", "owner": "acme", "confirmed": true}
    /// "#.as_slice(),
    ///     None, None,
    /// )?;
    /// let by_mail = Environment {
    ///     channel: Some("mail".to_owned()),
    ///     ..Environment::default()
    /// };
    /// let route = engine.open_ticket(&EntityRef::new("Account", "bakery"), &("Account", "bakery").into(), &by_mail)?;
    /// assert_eq!((route.desk.as_deref(), route.account.as_deref()), (Some("owner"), Some("acme")));
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn open_ticket(
        &self,
        principal: &EntityRef,
        about: &Resource,
        environment: &Environment,
    ) -> Result<TicketOutcome, Error> {
        let request = (principal, about, environment);
        self.observe_outcome("open_ticket", request, Snapshot::open_ticket)
    }

    /// Decides whether `principal` may reply to `ticket`, and returns its present route (T3).
    ///
    /// First decides the action marked `@asks("reply_ticket")`. Then decides the desks again, for
    /// the ticket's account and as by mail, which needs no login.
    ///
    /// The previous route is in the ticket's attributes `desk` and, if the host stores it,
    /// `desk_account`. They determine `rerouted`.
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::authorize`], and with [`Error::NotAsked`] if no action is
    /// marked for it.
    pub fn reply_ticket(
        &self,
        principal: &EntityRef,
        ticket: &Resource,
        environment: &Environment,
    ) -> Result<TicketOutcome, Error> {
        let request = (principal, ticket, environment);
        self.observe_outcome("reply_ticket", request, Snapshot::reply_ticket)
    }

    /// Returns the route of a ticket that `principal` opens for its own account because it cannot
    /// resolve its client's `ticket` (T4).
    ///
    /// First decides the action marked `@asks("escalate_ticket")` on the client's ticket, and then
    /// the desks for the new ticket. The new ticket is linked to the client's by id and contains
    /// nothing else of it (B1).
    ///
    /// # Errors
    /// Fails with the errors of [`Engine::reply_ticket`].
    pub fn escalate_ticket(
        &self,
        principal: &EntityRef,
        ticket: &Resource,
        environment: &Environment,
    ) -> Result<TicketOutcome, Error> {
        let request = (principal, ticket, environment);
        self.observe_outcome("escalate_ticket", request, Snapshot::escalate_ticket)
    }

    /// Runs a call that returns the outcome of a ticket, catches its panics and reports it.
    fn observe_outcome(
        &self,
        verb: &'static str,
        request: TicketRequest<'_>,
        work: fn(&Snapshot, TicketRequest<'_>) -> Result<TicketOutcome, Error>,
    ) -> Result<TicketOutcome, Error> {
        self.observe_ticket(
            verb,
            request,
            |outcome: &TicketOutcome| (outcome.desk.as_deref(), &outcome.decision),
            || {
                catch_panic(|| {
                    let snapshot = self.current()?;
                    work(&snapshot, request)
                })
            },
        )
    }
}

impl TicketOutcome {
    /// Returns the outcome with the decision on the action, if a desk takes the ticket. Otherwise
    /// the decision stays that on the last desk.
    fn with_decision(self, decision: Decision) -> Self {
        if self.desk.is_some() {
            Self { decision, ..self }
        } else {
            self
        }
    }

    /// Returns a denied outcome, without a desk.
    fn refused(ticket_account: Option<&str>, decision: Decision) -> Self {
        let code = Arc::clone(&decision.code);
        Self {
            desk: None,
            account: None,
            ticket_account: ticket_account.map(Arc::from),
            on_behalf_of: None,
            linked: None,
            rerouted: false,
            code,
            decision,
        }
    }
}

impl Snapshot {
    fn open_ticket(
        &self,
        (principal, about, environment): TicketRequest<'_>,
    ) -> Result<TicketOutcome, Error> {
        let desk = self.route_ticket(principal, about, environment)?;
        Ok(self.route(self.directory.account_id_of(principal), desk))
    }

    fn reply_ticket(
        &self,
        (principal, ticket, environment): TicketRequest<'_>,
    ) -> Result<TicketOutcome, Error> {
        let reply =
            self.authorize_first_permitted("reply_ticket", principal, ticket, environment)?;
        let ticket_account = ticket.account.as_deref();
        let Some(account) = ticket_account.filter(|_| reply.allowed) else {
            return Ok(TicketOutcome::refused(ticket_account, reply));
        };
        let by_mail = Environment {
            channel: Some("mail".to_owned()),
            ..Environment::default()
        };
        let desk = self.route_ticket(&EntityRef::new("Account", account), ticket, &by_mail)?;
        let route = self.route(ticket_account, desk);
        let differs = |attribute: &str, now: &Option<Arc<str>>| {
            let stored = ticket
                .attributes
                .get(attribute)
                .and_then(serde_json::Value::as_str);
            stored.is_some_and(|stored| now.as_deref() != Some(stored))
        };
        Ok(TicketOutcome {
            rerouted: differs("desk", &route.desk) || differs("desk_account", &route.account),
            ..route.with_decision(reply)
        })
    }

    fn escalate_ticket(
        &self,
        (principal, ticket, environment): TicketRequest<'_>,
    ) -> Result<TicketOutcome, Error> {
        let escalation =
            self.authorize_first_permitted("escalate_ticket", principal, ticket, environment)?;
        let own = self
            .directory
            .account_id_of(principal)
            .filter(|_| escalation.allowed);
        let Some(own) = own else {
            return Ok(TicketOutcome::refused(None, escalation));
        };
        let plain = Environment {
            context: serde_json::Map::new(),
            ..environment.clone()
        };
        let desk = self.route_ticket(principal, &Resource::new("Account", own), &plain)?;
        Ok(TicketOutcome {
            linked: Some(Arc::from(ticket.uid.id())),
            ..self.route(Some(own), desk).with_decision(escalation)
        })
    }

    fn route_ticket(
        &self,
        principal: &EntityRef,
        about: &Resource,
        environment: &Environment,
    ) -> Result<TicketRoute, Error> {
        let bundle = self.tenancy("route_ticket")?;
        let mut refused = None;
        for (name, action) in bundle.desks() {
            let request = Request {
                principal: principal.clone(),
                action,
                resource: about.clone(),
                environment: environment.clone(),
            };
            let decision = self.authorize(&(&request).into())?;
            if decision.allowed {
                let account = if name == "owner" {
                    self.owner_of(self.directory.account_id_of(principal))
                } else {
                    None
                };
                return Ok(TicketRoute {
                    desk: Some(Arc::from(name)),
                    account,
                    code: Arc::clone(&decision.code),
                    decision,
                });
            }
            refused = Some(decision);
        }
        let decision = refused.ok_or_else(|| Error::UnknownAction {
            action: "@desk".to_owned(),
        })?;
        Ok(TicketRoute {
            desk: None,
            account: None,
            code: Arc::clone(&decision.code),
            decision,
        })
    }

    /// Returns the route of a ticket of this account to this desk.
    fn route(&self, ticket_account: Option<&str>, desk: TicketRoute) -> TicketOutcome {
        let TicketRoute {
            desk,
            account,
            code,
            decision,
        } = desk;
        let on_behalf_of = desk.as_ref().and_then(|_| self.owner_of(ticket_account));
        TicketOutcome {
            desk,
            account,
            on_behalf_of,
            code,
            ..TicketOutcome::refused(ticket_account, decision)
        }
    }

    /// Decides the actions that the schema marks for a call. Returns the first that is allowed, or
    /// the denial that passed the most gates.
    pub(super) fn authorize_first_permitted(
        &self,
        verb: &str,
        principal: &EntityRef,
        resource: &Resource,
        environment: &Environment,
    ) -> Result<Decision, Error> {
        let mut refusals = Refusals::default();
        for (action, _) in
            self.tenancy(verb)?
                .marked_actions(verb, principal.kind(), resource.uid.kind())
        {
            let request = Request {
                principal: principal.clone(),
                action,
                resource: resource.clone(),
                environment: environment.clone(),
            };
            let decision = self.authorize(&(&request).into())?;
            if decision.allowed {
                return Ok(decision);
            }
            refusals.add(self, decision);
        }
        refusals.most_specific().ok_or_else(|| Error::NotAsked {
            command: verb.to_owned(),
            principal: principal.to_string(),
        })
    }

    /// Returns the owner of a client account.
    fn owner_of(&self, account: Option<&str>) -> Option<Arc<str>> {
        let accounts = &self.directory.tables().accounts;
        let (_, row) = accounts.find(account?)?;
        accounts.id(row.owner).map(Arc::from)
    }
}
