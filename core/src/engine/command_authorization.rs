//! The authorization of a command: the first allowed action that the schema marks for it, and the
//! entry in the history.

use super::Snapshot;
use super::command_entries::{CommandEntry, RecordedEntry};
use super::commands::{CommandRequest, OPERATOR_KEY_SPACE};
use super::quota_request::QuotaTarget;
use crate::api::consume_options::ConsumeOptions;
use crate::api::decision::Decision;
use crate::api::request::{Environment, Request};
use crate::api::request_ref::RequestRef;
use crate::cedar::bundle::Bundle;
use crate::cedar::command_fields::COMMAND_FIELDS;
use crate::commands::CommandTarget;
use crate::model::calendar::Calendar;
use crate::model::reference::EntityRef;
use crate::quota::{self, ConsumeMode, QuotaSubject};
use crate::store::CountTx;
use crate::util::error::Error;

impl Snapshot {
    /// Authorizes a command. Of the actions that the schema marks for the command, returns the
    /// first that is allowed, or the denial that passed the most gates. An allowed command
    /// is recorded in the history, and so is what it brings to the billing ledger or the counts.
    pub(super) fn authorize_command(
        &self,
        command_request: &CommandRequest<'_>,
        target: &CommandTarget,
        idempotency_key: Option<(&str, [u8; 32])>,
        tx: &mut dyn CountTx,
    ) -> Result<(Decision, RecordedEntry), Error> {
        let bundle = self.tenancy("perform")?;
        let marked_actions = bundle.marked_actions(
            command_request.command.name(),
            command_request.principal.kind(),
            target.resource.kind(),
        );
        let mut refusals = Refusals::default();
        for (name, action) in marked_actions {
            let request = build_request(command_request, target, name, bundle);
            // A caller without an account consumes from no account.
            let is_metered = (!action.meters.is_empty() || !action.frees.is_empty())
                && self.paying_account((&request.principal).into()).is_some();
            let decision = if is_metered {
                self.consume_for_command(&request, idempotency_key, tx)?
            } else {
                self.authorize(&RequestRef::from(&request))?
            };
            if !decision.allowed {
                refusals.add(self, decision);
            } else if is_metered {
                // The debit is the entry in the history.
                return Ok((decision, RecordedEntry::default()));
            } else {
                let recorded = self.record_entry(command_request.command, tx)?;
                let entry = recorded.entry.as_ref().and_then(CommandEntry::operation);
                let key = idempotency_key;
                let decision =
                    self.write_history(command_request, target, (key, entry), decision, tx)?;
                return Ok((decision, recorded));
            }
        }
        let refusal = refusals.most_specific().ok_or_else(|| Error::NotAsked {
            command: command_request.command.name().to_owned(),
            principal: command_request.principal.to_string(),
        })?;
        Ok((refusal, RecordedEntry::default()))
    }

    /// Authorizes an action with meters, and debits them if it is allowed.
    fn consume_for_command(
        &self,
        request: &Request,
        idempotency_key: Option<(&str, [u8; 32])>,
        tx: &mut dyn CountTx,
    ) -> Result<Decision, Error> {
        let (request, options) = (RequestRef::from(request), ConsumeOptions::new(1));
        let mode = ConsumeMode::Consume {
            allow_partial: false,
        };
        match self.metered(&request, &options, mode)? {
            QuotaTarget::Account(quota_request) => {
                let quota_request = quota_request.of_command(idempotency_key);
                let (decision, _) = quota_request.take(tx, self, &request, mode, None)?;
                Ok(decision)
            }
            QuotaTarget::Denied(decision) => Ok(*decision),
        }
    }

    /// Records an allowed command in the history. An operator's key is stored in the operators' key
    /// space, so that a retry finds it even if the target no longer exists. `entry` is the operation
    /// that the command recorded beside.
    fn write_history(
        &self,
        command_request: &CommandRequest<'_>,
        target: &CommandTarget,
        (idempotency_key, entry): (Option<(&str, [u8; 32])>, Option<u64>),
        decision: Decision,
        tx: &mut dyn CountTx,
    ) -> Result<Decision, Error> {
        let (book, calendar, keys) = (
            self.history_owner(command_request, target),
            Calendar::default(),
            self.key_space_of(command_request),
        );
        let subject = QuotaSubject {
            account: book.account,
            member: book.member,
            actor: book.actor.as_deref(),
            calendar: &calendar,
        };
        if keys != OPERATOR_KEY_SPACE {
            return quota::record_command(tx, &subject, idempotency_key, entry, decision);
        }
        let decision = quota::record_command(tx, &subject, None, entry, decision)?;
        if let Some(idempotency_key) = idempotency_key {
            quota::record_key(
                tx,
                &QuotaSubject {
                    account: OPERATOR_KEY_SPACE,
                    ..subject
                },
                idempotency_key,
                &decision,
            )?;
        }
        Ok(decision)
    }
}

/// Builds the request of one marked action. Of the target's context, the request contains the
/// fields that the action declares. The caller cannot pass a field that the engine fills.
fn build_request(
    command_request: &CommandRequest<'_>,
    target: &CommandTarget,
    name: EntityRef,
    bundle: &Bundle,
) -> Request {
    let mut environment = Environment {
        amount: None,
        ..command_request.environment.clone()
    };
    let declared = bundle
        .values
        .action(name.kind(), name.id())
        .and_then(|action| action.context.as_deref());
    environment
        .context
        .retain(|field, _| !COMMAND_FIELDS.contains(&field.as_str()));
    environment.context.extend(
        declared
            .map(|declared| declared.declared_part(&target.context))
            .unwrap_or_default(),
    );
    Request {
        principal: command_request.principal.clone(),
        action: name,
        resource: target.resource.clone().into(),
        environment,
    }
}

/// The denials of the actions of one request. The denial that passed the most gates is
/// returned.
#[derive(Default)]
pub(super) struct Refusals(Option<(usize, Decision)>);

impl Refusals {
    pub(super) fn add(&mut self, state: &Snapshot, decision: Decision) {
        // Position, in gate order, of the policy that caused the denial. Denials without a policy
        // sort last.
        let rules = &state.loaded.rules().list;
        let named = decision
            .policies
            .first()
            .and_then(|id| rules.iter().position(|rule| rule.id == *id));
        let gate = named.unwrap_or(rules.len());
        if self.0.as_ref().is_none_or(|(known, _)| gate > *known) {
            self.0 = Some((gate, decision));
        }
    }

    pub(super) fn most_specific(self) -> Option<Decision> {
        self.0.map(|(_, decision)| decision)
    }
}
