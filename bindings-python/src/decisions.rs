//! Decisions about requests, one at a time or many.

use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::Engine;
use crate::batch::{BatchRequests, ColumnArgs};
use crate::convert::OptionalPyArg;
use crate::errors::OrRaise;
use crate::gil::to_list;
use crate::request::{RequestSlots, decide, environment_args};
use crate::results::{Decision, Explanation};
use crate::waiting::wait;

#[pymethods]
impl Engine {
    /// Decides whether `principal` may do `action` on `resource` now, and returns the decision
    /// with its code and policies. With an `amount` of a metered action, also decides whether
    /// the amount fits, and returns the quota; nothing is consumed.
    ///
    /// Raises a `SubletError` with the code `input.unknown_action`, `input.action_resource`,
    /// `input.amount`, `input.attribute_required` or `input.context`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> spring = ("Campaign", "spring", "acme")
    ///     >>> decision = engine.authorize(("Account", "acme"), "campaign.read", spring)
    ///     >>> decision.allowed, decision.code
    ///     (False, 'principal_unknown')
    #[pyo3(signature = (principal, action, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn authorize(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        amount: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<Decision> {
        let slots = RequestSlots::default();
        let environment = environment_args(actor, host, channel, realm, amount, context);
        let request = environment.request(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &slots,
        )?;
        decide(py, self.files, &request, || self.inner.authorize(request)).map(Decision)
    }

    /// Returns the allow bit of `authorize`. It is fastest with handles, and with a type, an id
    /// and an account for a resource of your own.
    ///
    /// Raises a `SubletError` with the code `input.unknown_action`, `input.action_resource`,
    /// `input.amount`, `input.attribute_required` or `input.context`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> engine.check(("Account", "acme"), "campaign.read", ("Campaign", "spring", "acme"))
    ///     False
    #[pyo3(signature = (principal, action, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn check(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        amount: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<bool> {
        let slots = RequestSlots::default();
        let environment = environment_args(actor, host, channel, realm, amount, context);
        let request = environment.request(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &slots,
        )?;
        decide(py, self.files, &request, || self.inner.check(request))
    }

    /// The baseline of the benchmark: takes the arguments of `check` and does nothing.
    #[pyo3(signature = (principal, action, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(
        clippy::too_many_arguments,
        clippy::unused_self,
        reason = "the arguments of `check`"
    )]
    fn _empty(
        &self,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        amount: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> bool {
        let _ = (
            principal, action, resource, actor, host, channel, realm, amount, context,
        );
        false
    }

    /// Decides many requests, and returns the decisions in their order.
    ///
    /// Takes `requests`, mappings with the arguments of `authorize`, or columns: each a list
    /// with one entry for each row, or one value for all rows. All requests see one version of
    /// policies and directory. The GIL is released.
    ///
    /// Raises a `SubletError` with the code `input.item` or `input.columns`.
    #[pyo3(signature = (requests=None, *, principals=None, actions=None, resources=None, actors=None, hosts=None, channels=None, realms=None, amounts=None, contexts=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn authorize_many<'py>(
        &self,
        py: Python<'py>,
        requests: OptionalPyArg<'_, 'py>,
        principals: OptionalPyArg<'_, 'py>,
        actions: OptionalPyArg<'_, 'py>,
        resources: OptionalPyArg<'_, 'py>,
        actors: OptionalPyArg<'_, 'py>,
        hosts: OptionalPyArg<'_, 'py>,
        channels: OptionalPyArg<'_, 'py>,
        realms: OptionalPyArg<'_, 'py>,
        amounts: OptionalPyArg<'_, 'py>,
        contexts: OptionalPyArg<'_, 'py>,
    ) -> PyResult<Bound<'py, PyList>> {
        let lists = ColumnArgs {
            principal: principals,
            action: actions,
            resource: resources,
            actor: actors,
            host: hosts,
            channel: channels,
            realm: realms,
            amount: amounts,
            context: contexts,
        };
        let answers = BatchRequests::new(py, requests, &lists)?
            .evaluate(py, |questions| self.inner.authorize_many(questions))?;
        to_list(py, answers, |found| {
            Ok(Bound::new(py, Decision(found))?.into_any())
        })
    }

    /// Returns the allow bits of `authorize_many`.
    ///
    /// Takes `requests`, mappings with the arguments of `check`, or columns: each a list with
    /// one entry for each row, or one value for all rows. All requests see one version of
    /// policies and directory. The GIL is released.
    ///
    /// Raises a `SubletError` with the code `input.item` or `input.columns`.
    #[pyo3(signature = (requests=None, *, principals=None, actions=None, resources=None, actors=None, hosts=None, channels=None, realms=None, amounts=None, contexts=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn check_many<'py>(
        &self,
        py: Python<'py>,
        requests: OptionalPyArg<'_, 'py>,
        principals: OptionalPyArg<'_, 'py>,
        actions: OptionalPyArg<'_, 'py>,
        resources: OptionalPyArg<'_, 'py>,
        actors: OptionalPyArg<'_, 'py>,
        hosts: OptionalPyArg<'_, 'py>,
        channels: OptionalPyArg<'_, 'py>,
        realms: OptionalPyArg<'_, 'py>,
        amounts: OptionalPyArg<'_, 'py>,
        contexts: OptionalPyArg<'_, 'py>,
    ) -> PyResult<Vec<bool>> {
        let lists = ColumnArgs {
            principal: principals,
            action: actions,
            resource: resources,
            actor: actors,
            host: hosts,
            channel: channels,
            realm: realms,
            amount: amounts,
            context: contexts,
        };
        BatchRequests::new(py, requests, &lists)?
            .evaluate(py, |questions| self.inner.check_many(questions))
    }

    /// Returns why a decision is as it is: each policy, the facts that it read, the failed
    /// clause.
    ///
    /// Raises a `SubletError` with the code `input.unknown_action` or `input.action_resource`.
    #[pyo3(signature = (principal, action, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn explain(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        amount: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<Explanation> {
        let slots = RequestSlots::default();
        let environment = environment_args(actor, host, channel, realm, amount, context);
        let request = environment.request(
            principal.as_borrowed(),
            action.as_borrowed(),
            resource.as_borrowed(),
            &slots,
        )?;
        let owned = request.to_owned_request().or_raise()?;
        wait(py, || self.inner.explain(&owned)).map(Explanation)
    }

    /// Returns the actions that `principal` may do on `resource` now, sorted.
    ///
    /// Raises a `SubletError` with the code `input.not_tenancy`.
    #[pyo3(signature = (principal, resource, *, actor=None, host=None, channel=None, realm=None, amount=None, context=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn permitted_actions(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        actor: OptionalPyArg<'_, '_>,
        host: OptionalPyArg<'_, '_>,
        channel: OptionalPyArg<'_, '_>,
        realm: OptionalPyArg<'_, '_>,
        amount: OptionalPyArg<'_, '_>,
        context: OptionalPyArg<'_, '_>,
    ) -> PyResult<Vec<String>> {
        let names = self.call_without_action(
            py,
            [principal, resource],
            environment_args(actor, host, channel, realm, amount, context),
            sublet::Engine::permitted_actions,
        )?;
        Ok(names.iter().map(ToString::to_string).collect())
    }
}
