//! Decisions about requests, one at a time or many.

use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::convert::read_str;
use crate::engine::Engine;
use crate::errors::OrRaise;
use crate::gil::to_list;
use crate::methods::{batch_methods, request_methods};
use crate::request::decide;
use crate::results::{Decision, Explanation};
use crate::slots::RequestSlots;
use crate::waiting::wait;

request_methods! {
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
    fn authorize(
        &self, py, principal, action, resource, *, [amount], ..environment
    ) -> PyResult<Decision> {
        let (slots, environment) = (RequestSlots::default(), environment.with_amount(amount));
        let request = environment.request(principal, action, resource, &slots)?;
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
    fn check(
        &self, py, principal, action, resource, *, [amount], ..environment
    ) -> PyResult<bool> {
        let (slots, environment) = (RequestSlots::default(), environment.with_amount(amount));
        let request = environment.request(principal, action, resource, &slots)?;
        decide(py, self.files, &request, || self.inner.check(request))
    }

    /// Returns why a decision is as it is: the code in words, the policy that decided, the facts
    /// that it read and what would have to change. Then what else gives the same answer, and
    /// every policy (E8). The words are in `language`, such as `de`, or in the bundle's default
    /// one.
    ///
    /// Raises a `SubletError` with the code `input.unknown_action` or `input.action_resource`.
    fn explain(
        &self, py, principal, action, resource, *, [amount], [language], ..environment
    ) -> PyResult<Explanation> {
        let (slots, environment) = (RequestSlots::default(), environment.with_amount(amount));
        let request = environment.request(principal, action, resource, &slots)?;
        let request = request.to_owned_request().or_raise()?;
        let language = language
            .map(|argument| read_str("language", argument.as_borrowed()))
            .transpose()?;
        wait(py, || self.inner.explain_in(&request, language)).map(Explanation)
    }

    /// Returns the actions that `principal` may do on `resource` now, sorted. Each action gets
    /// the fields of `context` that it declares. It is left out if it requires a field that is
    /// missing.
    ///
    /// Raises a `SubletError` with the code `input.context` or `input.not_tenancy`.
    fn permitted_actions(
        &self, py, principal, resource, *, [amount], ..environment
    ) -> PyResult<Vec<String>> {
        let environment = environment.with_amount(amount);
        let find = sublet::Engine::permitted_actions;
        let names = self.call_without_action(py, [principal, resource], environment, find)?;
        Ok(names.iter().map(ToString::to_string).collect())
    }
}
}

batch_methods! {
#[pymethods]
impl Engine {
    /// Decides many requests, and returns the decisions in their order.
    ///
    /// Takes `requests`, mappings with the arguments of `authorize`, or columns: each a list
    /// with one entry for each row, or one value for all rows. All requests see one version of
    /// policies and directory. The GIL is released.
    ///
    /// Raises a `SubletError` with the code `input.item` or `input.columns`.
    fn authorize_many(&self, py, ..requests) -> PyResult<Bound<'py, PyList>> {
        let decisions = requests.evaluate(py, |requests| self.inner.authorize_many(requests))?;
        to_list(py, decisions, |decision| {
            Ok(Bound::new(py, Decision(decision))?.into_any())
        })
    }

    /// Returns the allow bits of `authorize_many`.
    ///
    /// Takes `requests`, mappings with the arguments of `check`, or columns: each a list with
    /// one entry for each row, or one value for all rows. All requests see one version of
    /// policies and directory. The GIL is released.
    ///
    /// Raises a `SubletError` with the code `input.item` or `input.columns`.
    fn check_many(&self, py, ..requests) -> PyResult<Vec<bool>> {
        requests.evaluate(py, |requests| self.inner.check_many(requests))
    }
}
}
