//! `permitted_actions`: one call that decides several actions.

use std::sync::Arc;

use super::Engine;
use crate::api::request::{Environment, Request, Resource};
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

impl Engine {
    /// Returns the actions that `principal` may do on `resource` now, sorted, for menus and
    /// buttons.
    ///
    /// Leaves out an action if the action requires context fields that `environment` does not
    /// contain, because such an action cannot be decided.
    ///
    /// # Errors
    /// Fails with the `input.*` codes of [`Engine::authorize`].
    pub fn permitted_actions(
        &self,
        principal: &EntityRef,
        resource: &Resource,
        environment: &Environment,
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
                    environment: environment.clone(),
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
