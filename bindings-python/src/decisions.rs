//! Decisions about requests and logins.

use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::Engine;
use crate::batch::{BatchRequests, ColumnArgs};
use crate::convert::{OptionalPyArg, text};
use crate::errors::OrRaise;
use crate::gil::to_list;
use crate::request::{
    RequestSlots, decide, environment_args, parse_action, parse_host, parse_reference,
};
use crate::results::{Decision, Explanation, Login, LoginHosts};
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

    /// Decides whether an e-mail may log in at a host, and as which principal; returns the
    /// answer. `action` is the credential flow, by default the password (D6).
    ///
    /// Every refusal has the same `public_code`, and takes the same time whether or not the
    /// e-mail is known. After you have checked the password, `login_hosts` returns the precise
    /// code and the hosts at which the login is admitted (D7).
    ///
    /// Raises a `SubletError` with the code `input.not_a_login`, `input.unknown_action` or
    /// `input.not_tenancy`.
    ///
    /// Example:
    ///
    ///     >>> import sublet
    ///     >>> engine = sublet.Engine.open()
    ///     >>> login = engine.login("app.acme.example", "hello@bakery.example")
    ///     >>> login.allowed, login.public_code  # log_code is for your log alone
    ///     (False, 'login_refused')
    #[pyo3(signature = (host, email, action=None))]
    fn login(
        &self,
        py: Python<'_>,
        host: &Bound<'_, PyAny>,
        email: &Bound<'_, PyAny>,
        action: OptionalPyArg<'_, '_>,
    ) -> PyResult<Login> {
        let (host, email, slots) = (
            parse_host(host.as_borrowed())?,
            text("email", email.as_borrowed())?,
            RequestSlots::default(),
        );
        let flow = action
            .map(|action| parse_action(action.as_borrowed(), &slots))
            .transpose()?;
        wait(py, || self.inner.login(host.name(), email, flow)).map(Login)
    }

    /// Returns the hosts at which a login is admitted, and the precise code of its login at
    /// `host` (D7, D9).
    ///
    /// Call it after you have checked the password, and for links in e-mails. One call checks at
    /// most 50 domains; pass the `next` of its answer as `after` to go on.
    ///
    /// Raises a `SubletError` with the code `input.not_a_login`, `input.unknown_action` or
    /// `input.not_tenancy`.
    #[pyo3(signature = (principal, *, host=None, action=None, after=None))]
    fn login_hosts(
        &self,
        py: Python<'_>,
        principal: &Bound<'_, PyAny>,
        host: OptionalPyArg<'_, '_>,
        action: OptionalPyArg<'_, '_>,
        after: OptionalPyArg<'_, '_>,
    ) -> PyResult<LoginHosts> {
        let (principal, slots) = (
            parse_reference("principal", principal.as_borrowed())?,
            RequestSlots::default(),
        );
        let host = host
            .map(|host| parse_host(host.as_borrowed()))
            .transpose()?;
        let flow = action
            .map(|action| parse_action(action.as_borrowed(), &slots))
            .transpose()?;
        let after = after
            .map(|after| text("after", after.as_borrowed()))
            .transpose()?;
        let host = host.as_ref().map(|host| host.name());
        wait(py, || self.inner.login_hosts(&principal, host, flow, after)).map(LoginHosts)
    }
}
