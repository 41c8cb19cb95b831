//! Evaluates requests to a plain Cedar program with its compiled policies. Cedar handles requests
//! that only Cedar can read.

use std::sync::Arc;

use super::CedarEvaluator;
use super::entity_slice::{AccessDepth, entity_slice};
use crate::api::request::Request;
use crate::api::request_ref::RequestRef;
use crate::authorize::program_set::OutcomeCollector;
use crate::cedar::request::{self, CedarQuery, CedarRequest as Cedar, context, inline, uid};
use crate::util::error::Error;
use crate::util::stack;
use crate::vm::PolicyResult;

use crate::cedar::authorizer::CedarOutcome;
use crate::cedar::policy_list::PolicyEffect;

/// A request as Cedar parsed it.
pub(super) struct CedarInput {
    pub(super) request: cedar_policy::Request,
    pub(super) inline: Option<cedar_policy::Entity>,
}

impl CedarEvaluator {
    /// Returns the allow bit. Stops once a denial is certain. An allow needs every policy that can
    /// apply, because a policy that fails with an error denies.
    pub(crate) fn check(&self, question: &RequestRef<'_>) -> Result<bool, Error> {
        let (mut permitted, mut refused) = (false, false);
        let beyond = self.for_each_policy(question, |at, outcome| {
            match outcome {
                PolicyResult::NotSatisfied => {}
                PolicyResult::Satisfied if self.rules.role_at(at) == PolicyEffect::Permit => {
                    permitted = true;
                }
                PolicyResult::Satisfied | PolicyResult::Error => refused = true,
            }
            !refused
        });
        match beyond {
            Some(false) => Ok(permitted && !refused),
            Some(true) if refused => Ok(false),
            _ => Ok(self.judge(question)?.allowed),
        }
    }

    /// Evaluates all policies. Errors of compiled policies have no messages.
    pub(crate) fn judge(&self, question: &RequestRef<'_>) -> Result<CedarOutcome, Error> {
        let mut tally = OutcomeCollector::default();
        let mut count = |at, outcome| {
            tally.count(&self.rules, at, outcome);
            true
        };
        let mut read = None;
        let beyond = if let Some(beyond) = self.for_each_policy(question, &mut count) {
            beyond
        } else {
            let found = self.read(&question.to_owned_request()?)?;
            let Some(beyond) = self.for_each_policy_cedar(&found, &mut count)? else {
                return self.evaluate_with_cedar(found);
            };
            read = Some(found);
            beyond
        };
        if beyond {
            let fallback = &self.compiled.beyond;
            let read = read.map_or_else(|| self.read(&question.to_owned_request()?), Ok)?;
            let question = self.question(read, fallback.positions())?;
            fallback.judge(&self.rules, &question, &mut tally)?;
        }
        Ok(tally.verdict(&self.rules))
    }

    /// Evaluates all policies with Cedar. Needed if the inline resource changes the ancestors of
    /// other entities.
    fn evaluate_with_cedar(&self, read: CedarInput) -> Result<CedarOutcome, Error> {
        let question = self.question(read, 0..self.rules.list.len())?;
        self.rules
            .authorize_with_cedar(&question.request, &question.entities)
    }

    /// Returns the Cedar query for all policies.
    pub(crate) fn build_cedar_query(&self, request: &Request) -> Result<CedarQuery, Error> {
        let read = self.read(request)?;
        Ok(CedarQuery::Query(Box::new(
            self.question(read, 0..self.rules.list.len())?,
        )))
    }

    /// Returns the Cedar request with the entities that the policies at `positions` can read.
    fn question(
        &self,
        read: CedarInput,
        positions: impl Iterator<Item = usize>,
    ) -> Result<Cedar, Error> {
        stack::run(self.rules.depth.max(request::VALUE_DEPTH), || {
            let reach = AccessDepth::from_policies(&self.rules, positions);
            let entities = entity_slice(&self.resident, &reach, &read.request, read.inline)?;
            Ok(Cedar {
                request: read.request,
                entities: Arc::new(entities),
            })
        })
    }

    /// Parses the request with Cedar. Fails with an error for fields that only the tenant kernel
    /// reads.
    fn read(&self, request: &Request) -> Result<CedarInput, Error> {
        let environment = &request.environment;
        let kernel_only = [
            ("actor", environment.actor.is_some()),
            ("host", environment.host.is_some()),
            ("channel", environment.channel.is_some()),
            ("realm", environment.realm.is_some()),
            ("amount", environment.amount.is_some()),
        ];
        if let Some((name, _)) = kernel_only.iter().find(|(_, given)| *given) {
            return Err(Error::NotTenancy {
                verb: (*name).to_owned(),
            });
        }
        stack::run(request::VALUE_DEPTH, || {
            let (schema, is_checked) = (self.schema.as_ref(), self.validate_requests);
            let (principal, action) = (uid(&request.principal)?, uid(&request.action)?);
            let resource = uid(&request.resource.uid)?;
            let context = context(&environment.context, schema, &action, is_checked)?;
            let inline = if request.resource.is_empty() {
                None
            } else {
                Some(inline(&request.resource, None, schema)?)
            };
            let schema = schema.filter(|_| is_checked);
            let request = cedar_policy::Request::new(principal, action, resource, context, schema);
            Ok(CedarInput {
                request: request.map_err(|error| Error::InvalidRequest {
                    reason: error.to_string(),
                })?,
                inline,
            })
        })
    }
}
