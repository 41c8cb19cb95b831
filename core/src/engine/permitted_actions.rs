//! `permitted_actions`: one call that decides several actions.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Engine, Snapshot};
use crate::api::request::{Environment, Request, Resource};
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::panic::catch_panic;
use crate::util::text;

impl Engine {
    /// Returns the actions that `principal` may do on `resource` now, sorted, for menus and
    /// buttons.
    ///
    /// Each action gets the context fields that it declares. Leaves out an action if it requires
    /// fields that `environment` does not contain, because such an action cannot be decided.
    ///
    /// # Errors
    /// Fails with the `input.*` codes of [`Engine::authorize`], and with [`Error::Context`] for a
    /// context field that no action declares.
    pub fn permitted_actions(
        &self,
        principal: &EntityRef,
        resource: &Resource,
        environment: &Environment,
    ) -> Result<Vec<Arc<str>>, Error> {
        catch_panic(|| {
            let state = self.current()?;
            state.check_context_fields(&environment.context)?;
            let mut allowed = Vec::new();
            let actions = state
                .evaluator()
                .actions_for(principal.kind(), resource.uid.kind());
            for action in actions {
                let Some(context) = state.context_for(&action, &environment.context) else {
                    continue;
                };
                let name = Arc::from(action.action_name());
                let request = Request {
                    principal: principal.clone(),
                    action,
                    resource: resource.clone(),
                    environment: Environment {
                        context,
                        ..environment.clone()
                    },
                };
                if state.check(&(&request).into())? {
                    allowed.push(name);
                }
            }
            Ok(allowed)
        })
    }
}

impl Snapshot {
    /// Fails if there is a field that no action of the schema declares. An action whose context
    /// cannot be read counts as if it declared all.
    fn check_context_fields(&self, context: &Map<String, Value>) -> Result<(), Error> {
        let Some(types) = self.loaded.types() else {
            return Ok(());
        };
        let is_declared = |field: &str| {
            types.actions().any(|(_, _, action)| {
                let context = action.context.as_ref();
                context.is_none_or(|context| context.field(field).is_some())
            })
        };
        match context.keys().find(|field| !is_declared(field)) {
            Some(field) => Err(Error::Context {
                action: "permitted_actions".to_owned(),
                reason: format!("no action declares the field `{}`", text::short(field)),
            }),
            None => Ok(()),
        }
    }

    /// Returns the fields that the action declares. Returns `None` if a field is missing that the
    /// action requires.
    fn context_for(
        &self,
        action: &EntityRef,
        context: &Map<String, Value>,
    ) -> Option<Map<String, Value>> {
        let declared = self
            .loaded
            .types()
            .and_then(|types| types.action(action.kind(), action.id()))
            .and_then(|action| action.context.as_ref());
        let Some(declared) = declared else {
            return Some(context.clone());
        };
        let is_missing = |name: &str| !context.contains_key(name) && !self.is_given(name);
        if declared.required_names().any(is_missing) {
            return None;
        }
        let fits = context
            .iter()
            .filter(|(name, _)| declared.field(name).is_some());
        Some(
            fits.map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    /// Returns whether the engine itself gives this field of the context.
    fn is_given(&self, field: &str) -> bool {
        self.loaded.is_tenancy() && field == "facts"
    }
}
