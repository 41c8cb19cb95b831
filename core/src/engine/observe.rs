//! Runs the engine's methods under telemetry: events and metrics. While both are off, a method
//! reads one number and does nothing else.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use super::commands::CommandOutcome;
use super::emit::ignore_panic;
use super::event_fields::{DirectoryDelta, EventSubject, TicketQueue};
use super::{Engine, Performed};
use crate::api::decision::{Decision, Login, LoginHosts};
use crate::api::request::Environment;
use crate::api::request_ref::RequestRef;
use crate::commands::Command;
use crate::model::reference::EntityRef;
use crate::telemetry::stats::Stats;
use crate::telemetry::{LogHandle, LogOptions, Sink};
use crate::util::error::Error;
use crate::util::panic::catch_panic;

impl Engine {
    /// Sends an event to a sink for every decision, debit, change of the directory and policy
    /// reload from now on. Any number of logs may be open at once.
    ///
    /// No method waits for a sink. Events wait in a queue, and a thread of the log delivers them.
    /// Events that arrive at a full queue are dropped and counted. Events never contain e-mail
    /// addresses or tokens. They contain only the context fields listed in
    /// [`LogOptions::context_fields`].
    ///
    /// # Errors
    /// Fails with [`Error::OptionValue`] for an invalid option, and with [`Error::Stream`] if the
    /// file cannot be opened.
    ///
    /// # Example: a function receives every denial
    /// ```
    /// use std::time::Duration;
    /// use sublet::{Engine, LogOptions, Options, RequestRef, Sink};
    /// let engine = Engine::open(Options::default())?;
    /// let sink = Sink::callback(|events| events.iter().for_each(|event| assert_eq!(event.text("code"), Some("principal_unknown"))));
    /// let log = engine.subscribe(LogOptions { sample_allowed: 0.0, ..LogOptions::default() }, sink)?;
    /// engine.check(RequestRef::new(("Account", "nobody"), "campaign.read", ("Account", "nobody")))?;
    /// assert!(log.flush(Duration::from_secs(5)));
    /// assert_eq!(log.counts().delivered, 1);
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn subscribe(&self, options: LogOptions, sink: Sink) -> Result<LogHandle, Error> {
        catch_panic(|| self.telemetry.log(options, sink))
    }

    /// Starts or stops the metrics: the number of decisions and their latency. Read them with
    /// [`Engine::metrics`].
    pub fn enable_metrics(&self, on: bool) {
        self.telemetry.measure(on);
    }

    /// Returns the metrics since the first call of [`Engine::enable_metrics`]. The numbers are
    /// those of this engine in this process, and only grow.
    #[must_use]
    pub fn metrics(&self) -> Stats {
        let (measured, recorder) = self.telemetry.recorded();
        Stats::from_recorder(measured, recorder.as_deref(), self.telemetry.counts())
    }

    /// Ends all logs, with a short wait for queued events. For hosts that must not wait while an
    /// engine is dropped.
    #[doc(hidden)]
    pub fn _close_logs(&self) {
        self.telemetry.close();
    }

    /// Returns whether telemetry is on.
    #[doc(hidden)]
    #[must_use]
    pub fn is_observed(&self) -> bool {
        !self.telemetry.is_disabled()
    }

    /// Runs the work of a method. While telemetry is on, also measures its latency, counts its
    /// error, and passes its result to `emit`.
    #[inline]
    fn observe_result<T>(
        &self,
        verb: &'static str,
        work: impl FnOnce() -> Result<T, Error>,
        emit: impl FnOnce(&T, Duration),
    ) -> Result<T, Error> {
        if self.telemetry.is_disabled() {
            return work();
        }
        let begun = Instant::now();
        let answer = work();
        self.emit_result(verb, answer.as_ref(), begun.elapsed(), emit);
        answer
    }

    #[cold]
    fn emit_result<T>(
        &self,
        verb: &'static str,
        answer: Result<&T, &Error>,
        took: Duration,
        emit: impl FnOnce(&T, Duration),
    ) {
        ignore_panic(|| match answer {
            Ok(found) => emit(found, took),
            Err(error) => self.failed(verb, error),
        });
    }

    /// Runs a decision and emits it.
    #[inline]
    pub(super) fn observe(
        &self,
        verb: &'static str,
        question: &RequestRef<'_>,
        work: impl FnOnce() -> Result<Decision, Error>,
    ) -> Result<Decision, Error> {
        self.observe_result(verb, work, |decision, took| {
            self.emit_decision_event(verb, &EventSubject::from(question), decision, took);
        })
    }

    /// Runs a batch of decisions and emits each. Each decision gets an equal part of the latency.
    pub(super) fn observe_batch<'q>(
        &self,
        verb: &'static str,
        questions: impl Iterator<Item = &'q RequestRef<'q>>,
        work: impl FnOnce() -> Result<Vec<Decision>, Error>,
    ) -> Result<Vec<Decision>, Error> {
        self.observe_result(verb, work, |answers, took| {
            let took = took
                .checked_div(u32::try_from(answers.len()).unwrap_or(u32::MAX))
                .unwrap_or_default();
            for (question, decision) in questions.zip(answers) {
                // A panic about one decision does not stop the events of the others.
                ignore_panic(|| {
                    self.emit_decision_event(verb, &EventSubject::from(question), decision, took);
                });
            }
        })
    }

    /// Runs a command and emits its decision and its change.
    pub(super) fn observe_command(
        &self,
        (principal, command, environment): (&EntityRef, &Command, &Environment),
        about: &OnceCell<EntityRef>,
        work: impl FnOnce() -> Result<(CommandOutcome, Option<DirectoryDelta>), Error>,
    ) -> Result<Performed, Error> {
        const VERB: &str = "perform";
        let observed = self.observe_result(VERB, work, |(outcome, changed), took| {
            let resource = about.get().map(|about| (about.kind(), about.id()));
            let subject = EventSubject {
                command: Some(command.name()),
                resource,
                ..EventSubject::new(principal, environment)
            };
            self.emit_decision_event(VERB, &subject, &outcome.performed.decision, took);
            self.emit_change_event(VERB, &subject, changed.as_ref());
        });
        let (outcome, _) = observed?;
        if let Some(entry) = &outcome.entry {
            self.emit_command_entry(command, entry);
        }
        self.emit_closings(VERB, &outcome.closings);
        Ok(outcome.performed)
    }

    /// Runs a decision about a ticket and emits it with the desk.
    pub(super) fn observe_ticket<T>(
        &self,
        verb: &'static str,
        (principal, about, environment): (&EntityRef, &crate::api::request::Resource, &Environment),
        read: impl FnOnce(&T) -> (Option<&str>, &Decision),
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.observe_result(verb, work, |found, took| {
            let (desk, decision) = read(found);
            let resource = Some((about.uid.kind(), about.uid.id()));
            let subject = EventSubject {
                resource,
                account: about.account.as_deref(),
                desk: Some(TicketQueue(desk)),
                ..EventSubject::new(principal, environment)
            };
            self.emit_decision_event(verb, &subject, decision, took);
        })
    }

    /// Runs a login and emits it without its e-mail. The event has a principal only if the login
    /// belongs to that host.
    pub(super) fn observe_login(
        &self,
        verb: &'static str,
        host: &str,
        work: impl FnOnce() -> Result<Login, Error>,
    ) -> Result<Login, Error> {
        self.observe_result(verb, work, |found, took| {
            self.login_decided(verb, host, found, took);
        })
    }

    /// Runs a look-up of login hosts and emits its decision.
    pub(super) fn observe_login_hosts(
        &self,
        principal: &EntityRef,
        host: Option<&str>,
        work: impl FnOnce() -> Result<LoginHosts, Error>,
    ) -> Result<LoginHosts, Error> {
        const VERB: &str = "login_hosts";
        self.observe_result(VERB, work, |found, took| {
            let subject = EventSubject {
                principal: Some((principal.kind(), principal.id())),
                host,
                ..EventSubject::default()
            };
            self.emit_decision_event(VERB, &subject, &found.decision, took);
        })
    }

    /// Counts the error of a call, if there is one.
    #[inline]
    pub(super) fn count_error<T>(
        &self,
        verb: &'static str,
        answer: Result<T, Error>,
    ) -> Result<T, Error> {
        if let Err(error) = &answer
            && !self.telemetry.is_disabled()
        {
            ignore_panic(|| self.failed(verb, error));
        }
        answer
    }
}
