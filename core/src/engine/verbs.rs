//! `actions` and `desk`: questions that ask the policies several times.

use std::sync::Arc;

use super::{Engine, State, guard};
use crate::decision::Desk;
use crate::{Circumstances, Error, Ref, Request, Resource};

impl Engine {
    /// The actions that `principal` may do on `resource` now, sorted: for menus and buttons.
    ///
    /// An action whose own context fields are required and not in `with` is left out: it cannot be answered.
    ///
    /// # Errors
    /// The `input.*` codes, as [`Engine::authorize`].
    pub fn actions(&self, principal: &Ref, resource: &Resource, with: &Circumstances) -> Result<Vec<Arc<str>>, Error> {
        guard(|| {
            let state = self.current()?;
            let mut allowed = Vec::new();
            for action in state.loaded.actions_for(principal.kind(), resource.uid.kind()) {
                let name = Arc::from(action.action_name());
                let request = Request { principal: principal.clone(), action, resource: resource.clone(), circumstances: with.clone() };
                match state.check(&(&request).into()) {
                    Ok(true) => allowed.push(name),
                    Ok(false) | Err(Error::Context { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(allowed)
        })
    }

    /// Who resolves a ticket of `principal` about `about` (T1 to T4): asks one action for each desk, in order.
    ///
    /// # Errors
    /// As [`Engine::authorize`].
    pub fn desk(&self, principal: &Ref, about: &Resource, with: &Circumstances) -> Result<Desk, Error> {
        self.watched_desk((principal, about, with), || {
            guard(|| {
                let state = self.current()?;
                let bundle = state.tenancy("desk")?;
                let mut refused = None;
                for (name, action) in bundle.desks() {
                    let request = Request { principal: principal.clone(), action, resource: about.clone(), circumstances: with.clone() };
                    let decision = state.authorize(&(&request).into())?;
                    if decision.allowed {
                        let account = if name == "owner" { state.owner_of(principal) } else { None };
                        return Ok(Desk { desk: Some(Arc::from(name)), account, code: Arc::clone(&decision.code), decision });
                    }
                    refused = Some(decision);
                }
                let decision = refused.ok_or_else(|| Error::UnknownAction { action: "@desk".to_owned() })?;
                Ok(Desk { desk: None, account: None, code: Arc::clone(&decision.code), decision })
            })
        })
    }
}

impl State {
    fn owner_of(&self, principal: &Ref) -> Option<Arc<str>> {
        let accounts = &self.directory.hot().accounts;
        let (_, row) = accounts.find(self.directory.account_id_of(principal)?)?;
        accounts.id(row.owner).map(Arc::from)
    }
}
