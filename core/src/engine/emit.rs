//! Emits the events of decisions, debits, changes of the directory and reloads, and counts them.

use std::time::Duration;

use super::Engine;
use super::command_entries::CommandEntry;
use super::event_fields::{
    DirectoryDelta, EventSubject, add_receipt, expiry, latency, reasons, version,
};
use crate::api::decision::{Decision, Login};
use crate::api::quota::CountReceipt;
use crate::billing::{MonthClosing, Payment};
use crate::commands::{Command, RevokeTopUp, TopUp};
use crate::telemetry::EventKind;
use crate::util::error::Error;
use crate::util::panic::catch_panic;

impl Engine {
    /// Emits a debit that has no decision: a follow-up of an operation, or an adjustment of an
    /// account's counts.
    pub(super) fn emit_debit(
        &self,
        verb: &'static str,
        payer: &str,
        parent: Option<u64>,
        counted: &CountReceipt,
    ) {
        if self.telemetry.is_disabled() {
            return;
        }
        ignore_panic(|| {
            self.emit_debit_event(verb, &EventSubject::default(), Some(payer), parent, counted);
        });
    }

    /// Emits a payment of an owner for a month, or its reversal. A replayed answer is not emitted
    /// again.
    pub(super) fn emit_payment(&self, verb: &'static str, parent: Option<u64>, payment: &Payment) {
        if self.telemetry.is_disabled() || payment.replayed {
            return;
        }
        ignore_panic(|| {
            self.telemetry.emit(EventKind::Debit, verb, true, |draft| {
                let draft = draft
                    .text("payer", Some(&payment.statement.owner))
                    .field("operation", Some(payment.payment))
                    .field("parent", parent);
                draft
                    .text("period", Some(&payment.statement.period))
                    .field("cents", Some(payment.cents))
            });
        });
    }

    /// Emits what a command recorded, as the method of that name does.
    pub(super) fn emit_command_entry(&self, command: &Command, entry: &CommandEntry) {
        let (verb, parent) = match command {
            Command::ReversePayment(reversal) => (command.name(), Some(reversal.payment)),
            _ => (command.name(), None),
        };
        match (entry, command) {
            (CommandEntry::Payment(payment), _) => self.emit_payment(verb, parent, payment),
            (
                CommandEntry::Count(receipt),
                Command::TopUp(TopUp { account, .. })
                | Command::RevokeTopUp(RevokeTopUp { account, .. }),
            ) => self.emit_debit(verb, account, parent, receipt),
            (CommandEntry::Count(_), _) => {}
        }
    }

    /// Emits the months that were closed. The event names the owner, and no client (B1).
    pub(super) fn emit_closings(&self, verb: &'static str, closings: &[MonthClosing]) {
        if self.telemetry.is_disabled() {
            return;
        }
        ignore_panic(|| {
            for closing in closings {
                self.telemetry
                    .emit(EventKind::Closing, verb, true, |draft| {
                        draft
                            .text("payer", Some(&closing.owner))
                            .text("period", Some(&closing.period))
                            .field("cents", Some(closing.due_cents))
                            .field("at_risk", Some(closing.at_risk))
                            .text("settle_from", Some(&closing.settle_from))
                    });
            }
        });
    }

    /// Emits a change without a decision.
    pub(super) fn emit_change(&self, verb: &'static str, changed: Option<&DirectoryDelta>) {
        if !self.telemetry.is_disabled() {
            ignore_panic(|| self.emit_change_event(verb, &EventSubject::default(), changed));
        }
    }

    /// Emits a reload of the policies.
    pub(super) fn emit_reload(&self, replaced: &str, fingerprint: &str) {
        if self.telemetry.is_disabled() {
            return;
        }
        ignore_panic(|| {
            if let Some(recorder) = self.telemetry.recorder() {
                recorder.reloaded();
            }
            self.telemetry
                .emit(EventKind::Reload, "reload", true, |draft| {
                    draft
                        .text("bundle", Some(fingerprint))
                        .text("replaced", Some(replaced))
                });
        });
    }

    pub(super) fn failed(&self, verb: &'static str, error: &Error) {
        if let Some(recorder) = self.telemetry.recorder() {
            recorder.count_error(verb, error.code());
        }
    }

    /// Emits a decision, and its debit if there is one.
    pub(super) fn emit_decision_event(
        &self,
        verb: &'static str,
        subject: &EventSubject<'_>,
        decision: &Decision,
        took: Duration,
    ) {
        if let Some(recorder) = self.telemetry.recorder() {
            recorder.count_decision(&subject.metric_label(verb), &decision.code, took);
        }
        if !self.telemetry.has_subscribers() {
            return;
        }
        self.telemetry
            .emit(EventKind::Decision, verb, decision.allowed, |draft| {
                let draft = subject
                    .write_to(draft)
                    .field("allowed", Some(decision.allowed))
                    .text("code", Some(&decision.code));
                let draft = version(reasons(draft, decision), decision);
                let draft = match &decision.counted {
                    Some(counted) => add_receipt(draft, counted),
                    None => draft,
                };
                let draft = latency(draft, took);
                match subject.context() {
                    Some(context) => self.telemetry.context(draft, context),
                    None => draft,
                }
            });
        if let Some(counted) = &decision.counted {
            let state = self.current.load();
            let payer = subject.principal.and_then(|(kind, id)| {
                state.paying_account(crate::api::request_ref::PrincipalRef::Name(kind, id))
            });
            self.emit_debit_event(
                verb,
                subject,
                payer.map(|((_, account), _)| account),
                None,
                counted,
            );
        }
    }

    /// Emits a login.
    pub(super) fn login_decided(
        &self,
        verb: &'static str,
        host: &str,
        found: &Login,
        took: Duration,
    ) {
        if let Some(recorder) = self.telemetry.recorder() {
            recorder.count_decision(verb, &found.log_code, took);
        }
        if !self.telemetry.has_subscribers() {
            return;
        }
        let state = self.current.load();
        let principal = found
            .principal
            .as_ref()
            .map(|principal| (principal.kind(), principal.id()));
        let subject = EventSubject {
            principal,
            host: Some(host),
            ..EventSubject::default()
        };
        let rest = found.decision.as_ref();
        self.telemetry
            .emit(EventKind::Decision, verb, found.allowed, |draft| {
                let draft = subject
                    .write_to(draft)
                    .field("allowed", Some(found.allowed));
                let draft = draft
                    .text("code", Some(&found.log_code))
                    .text("public_code", Some(&found.public_code));
                let draft = match rest {
                    Some(decision) => reasons(draft, decision),
                    None => draft,
                };
                let revision =
                    rest.map_or_else(|| state.directory.revision(), |decision| decision.revision);
                latency(
                    draft
                        .field("revision", Some(revision))
                        .text("bundle", Some(&state.loaded.fingerprint)),
                    took,
                )
            });
    }

    /// Emits a debit. A replayed answer has an event for its decision only.
    fn emit_debit_event(
        &self,
        verb: &'static str,
        subject: &EventSubject<'_>,
        payer: Option<&str>,
        parent: Option<u64>,
        counted: &CountReceipt,
    ) {
        if counted.operation.is_none()
            || counted.replayed
            || counted.quota.is_empty()
            || !self.telemetry.has_subscribers()
        {
            return;
        }
        self.telemetry.emit(EventKind::Debit, verb, true, |draft| {
            let draft = subject
                .write_to(draft)
                .text("payer", payer)
                .field("operation", counted.operation)
                .field("parent", parent);
            expiry(draft, counted).meters(&counted.quota)
        });
    }

    pub(super) fn emit_change_event(
        &self,
        verb: &'static str,
        subject: &EventSubject<'_>,
        changed: Option<&DirectoryDelta>,
    ) {
        let Some(DirectoryDelta {
            revision,
            put,
            removed,
            whole,
        }) = changed
        else {
            return;
        };
        if let Some(recorder) = self.telemetry.recorder() {
            recorder.count_change();
        }
        self.telemetry.emit(EventKind::Change, verb, true, |draft| {
            let draft = subject.write_to(draft).field("revision", Some(*revision));
            draft
                .references("put", put)
                .references("removed", removed)
                .field("whole", whole.then_some(true))
        });
    }
}

/// Runs telemetry code. Its panics never fail a call.
pub(super) fn ignore_panic(work: impl FnOnce()) {
    let _ = catch_panic(|| {
        work();
        Ok(())
    });
}
