//! `actions`: a question that asks the policies several times.

use std::sync::Arc;

use super::Engine;
use crate::api::request::{Environment, Request, Resource};
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

impl Engine {
    /// The actions that `principal` may do on `resource` now, sorted: for menus and buttons.
    ///
    /// An action whose own context fields are required and not in `with` is left out: it cannot be
    /// answered.
    ///
    /// # Errors
    /// The `input.*` codes, as [`Engine::authorize`].
    pub fn actions(
        &self,
        principal: &EntityRef,
        resource: &Resource,
        with: &Environment,
    ) -> Result<Vec<Arc<str>>, Error> {
        catch_panic(|| {
            let state = self.current()?;
            let mut allowed = Vec::new();
            for action in state
                .loaded
                .actions_for(principal.kind(), resource.uid.kind())
            {
                let name = Arc::from(action.action_name());
                let request = Request {
                    principal: principal.clone(),
                    action,
                    resource: resource.clone(),
                    circumstances: with.clone(),
                };
                match state.check(&(&request).into()) {
                    Ok(true) => allowed.push(name),
                    Ok(false) | Err(Error::Context { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(allowed)
        })
    }
}
