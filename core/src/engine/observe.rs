//! What each verb tells: the log's events, and how often what was answered. While nobody wants to
//! know, a verb looks at one number and goes on.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use super::event_fields::{
    DirectoryDelta, EventSubject, TicketQueue, counted as with_counts, expiry, latency, reasons,
    version,
};
use super::{Engine, Performed};
use crate::api::decision::{Decision, Login, LoginHosts};
use crate::api::quota::CountReceipt;
use crate::api::request::Environment;
use crate::api::request_ref::RequestRef;
use crate::billing::Payment;
use crate::commands::Command;
use crate::model::reference::EntityRef;
use crate::telemetry::stats::Stats;
use crate::telemetry::{EventKind, LogHandle, LogOptions, Sink};
use crate::util::error::Error;
use crate::util::panic::catch_panic;

impl Engine {
    /// Tells a sink of what happens from now on: each answer, each debit, each change of the
    /// directory and of the policies. Any number of logs may be open at once.
    ///
    /// No verb waits for a sink: events wait in a queue, a thread of the log's own delivers them,
    /// and what finds the queue full is dropped and counted. E-mails and tokens are never told, nor
    /// are values of the context that [`LogOptions::context_fields`] does not name.
    ///
    /// # Errors
    /// [`Error::OptionValue`] for an option that cannot be; [`Error::Stream`] for a file that
    /// cannot be opened.
    ///
    /// # Example: every refusal, on a function
    /// ```
    /// use std::time::Duration;
    /// use sublet::{Engine, LogOptions, Options, RequestRef, Sink};
    /// let engine = Engine::open(Options::default())?;
    /// let sink = Sink::call(|events| events.iter().for_each(|event| assert_eq!(event.text("code"), Some("principal_unknown"))));
    /// let log = engine.log(LogOptions { sample_allowed: 0.0, ..LogOptions::default() }, sink)?;
    /// engine.check(RequestRef::new(("Account", "nobody"), "campaign.read", ("Account", "nobody")))?;
    /// assert!(log.flush(Duration::from_secs(5)));
    /// assert_eq!(log.counts().delivered, 1);
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn log(&self, options: LogOptions, sink: Sink) -> Result<LogHandle, Error> {
        catch_panic(|| self.telemetry.log(options, sink))
    }

    /// Counts answers, and how long they take, from now on; or no more. Read them with
    /// [`Engine::stats`].
    pub fn measure(&self, on: bool) {
        self.telemetry.measure(on);
    }

    /// What was counted since [`Engine::measure`]. The numbers are those of this engine in this
    /// process, and only grow.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (measured, recorder) = self.telemetry.recorded();
        Stats::of(measured, recorder.as_deref(), self.telemetry.counts())
    }

    /// Ends all logs, waiting a little for what is on its way: for hosts that must not wait while
    /// an engine is dropped.
    #[doc(hidden)]
    pub fn _close_logs(&self) {
        self.telemetry.close();
    }

    /// Whether somebody subscribes, or did.
    #[doc(hidden)]
    #[must_use]
    pub fn _is_watched(&self) -> bool {
        !self.telemetry.is_disabled()
    }

    /// The answer to a question, told.
    #[inline]
    pub(super) fn watched(
        &self,
        verb: &'static str,
        question: &RequestRef<'_>,
        work: impl FnOnce() -> Result<Decision, Error>,
    ) -> Result<Decision, Error> {
        if self.telemetry.is_disabled() {
            return work();
        }
        let begun = Instant::now();
        let answer = work();
        self.answered(verb, question, answer.as_ref(), begun.elapsed());
        answer
    }

    #[cold]
    pub(super) fn answered(
        &self,
        verb: &'static str,
        question: &RequestRef<'_>,
        answer: Result<&Decision, &Error>,
        took: Duration,
    ) {
        ignore_panic(|| match answer {
            Ok(decision) => self.decided(verb, &EventSubject::from(question), decision, took),
            Err(error) => self.failed(verb, error),
        });
    }

    /// The answer to many questions at once, told; each took its part of the time.
    pub(super) fn watched_batch<'q>(
        &self,
        verb: &'static str,
        questions: impl Iterator<Item = &'q RequestRef<'q>>,
        work: impl FnOnce() -> Result<Vec<Decision>, Error>,
    ) -> Result<Vec<Decision>, Error> {
        if self.telemetry.is_disabled() {
            return work();
        }
        let begun = Instant::now();
        let answers = self.count_error(verb, work())?;
        let took = begun
            .elapsed()
            .checked_div(u32::try_from(answers.len()).unwrap_or(u32::MAX))
            .unwrap_or_default();
        for (question, decision) in questions.zip(&answers) {
            self.answered(verb, question, Ok(decision), took);
        }
        Ok(answers)
    }

    /// The end of a command, told.
    pub(super) fn watched_command(
        &self,
        (principal, command, with): (&EntityRef, &Command, &Environment),
        about: &OnceCell<EntityRef>,
        work: impl FnOnce() -> Result<(Performed, Option<DirectoryDelta>), Error>,
    ) -> Result<Performed, Error> {
        const VERB: &str = "perform";
        let begun = Instant::now();
        let (done, changed) = self.count_error(VERB, work())?;
        if !self.telemetry.is_disabled() {
            let resource = about.get().map(|about| (about.kind(), about.id()));
            let told = EventSubject {
                command: Some(command.name()),
                resource,
                ..EventSubject::new(principal, with)
            };
            ignore_panic(|| {
                self.decided(VERB, &told, &done.decision, begun.elapsed());
                self.changed(VERB, &told, changed.as_ref());
            });
        }
        Ok(done)
    }

    /// Which desk takes a ticket, told.
    pub(super) fn watched_desk<T>(
        &self,
        verb: &'static str,
        (principal, about, with): (&EntityRef, &crate::api::request::Resource, &Environment),
        read: impl FnOnce(&T) -> (Option<&str>, &Decision),
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.telemetry.is_disabled() {
            return work();
        }
        let begun = Instant::now();
        let found = self.count_error(verb, work())?;
        let took = begun.elapsed();
        ignore_panic(|| {
            let (desk, decision) = read(&found);
            let resource = Some((about.uid.kind(), about.uid.id()));
            let told = EventSubject {
                resource,
                account: about.account.as_deref(),
                desk: Some(TicketQueue(desk)),
                ..EventSubject::new(principal, with)
            };
            self.decided(verb, &told, decision, took);
        });
        Ok(found)
    }

    /// A login, told: without its e-mail, and with whom it names only where it names somebody at
    /// that host.
    pub(super) fn watched_login(
        &self,
        host: &str,
        work: impl FnOnce() -> Result<Login, Error>,
    ) -> Result<Login, Error> {
        const VERB: &str = "login";
        if self.telemetry.is_disabled() {
            return work();
        }
        let begun = Instant::now();
        let found = self.count_error(VERB, work())?;
        let took = begun.elapsed();
        ignore_panic(|| {
            if let Some(recorder) = self.telemetry.recorder() {
                recorder.count_decision(VERB, &found.log_code, took);
            }
            if !self.telemetry.has_subscribers() {
                return;
            }
            let state = self.current.load();
            let principal = found
                .principal
                .as_ref()
                .map(|principal| (principal.kind(), principal.id()));
            let told = EventSubject {
                principal,
                host: Some(host),
                ..EventSubject::default()
            };
            let rest = found.decision.as_ref();
            self.telemetry
                .emit(EventKind::Decision, VERB, found.allowed, |draft| {
                    let draft = told.write_to(draft).field("allowed", Some(found.allowed));
                    let draft = draft
                        .text("code", Some(&found.log_code))
                        .text("public_code", Some(&found.public_code));
                    let draft = match rest {
                        Some(decision) => reasons(draft, decision),
                        None => draft,
                    };
                    let revision = rest
                        .map_or_else(|| state.directory.revision(), |decision| decision.revision);
                    latency(
                        draft
                            .field("revision", Some(revision))
                            .text("bundle", Some(&state.loaded.fingerprint)),
                        took,
                    )
                });
        });
        Ok(found)
    }

    /// Where a login may come in, told.
    pub(super) fn watched_login_hosts(
        &self,
        principal: &EntityRef,
        host: Option<&str>,
        work: impl FnOnce() -> Result<LoginHosts, Error>,
    ) -> Result<LoginHosts, Error> {
        const VERB: &str = "login_hosts";
        if self.telemetry.is_disabled() {
            return work();
        }
        let begun = Instant::now();
        let found = self.count_error(VERB, work())?;
        let told = EventSubject {
            principal: Some((principal.kind(), principal.id())),
            host,
            ..EventSubject::default()
        };
        ignore_panic(|| self.decided(VERB, &told, &found.decision, begun.elapsed()));
        Ok(found)
    }

    /// What was settled or stated of an account's counts, told.
    pub(super) fn emit_debit(
        &self,
        verb: &'static str,
        payer: &str,
        of: Option<u64>,
        counted: &CountReceipt,
    ) {
        if self.telemetry.is_disabled() {
            return;
        }
        ignore_panic(|| self.debit(verb, &EventSubject::default(), Some(payer), of, counted));
    }

    /// Cents that were received of an owner for a month, or given back; an answer of before is not
    /// told again.
    pub(super) fn emit_payment(&self, verb: &'static str, of: Option<u64>, payment: &Payment) {
        if self.telemetry.is_disabled() || payment.replayed {
            return;
        }
        ignore_panic(|| {
            self.telemetry.emit(EventKind::Debit, verb, true, |draft| {
                let draft = draft
                    .text("payer", Some(&payment.statement.owner))
                    .field("operation", Some(payment.payment))
                    .field("of", of);
                draft
                    .text("period", Some(&payment.statement.period))
                    .field("cents", Some(payment.cents))
            });
        });
    }

    /// A change that nobody was asked about, told.
    pub(super) fn emit_change(&self, verb: &'static str, changed: Option<&DirectoryDelta>) {
        if !self.telemetry.is_disabled() {
            ignore_panic(|| self.changed(verb, &EventSubject::default(), changed));
        }
    }

    /// A swap of the policies, told.
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

    /// An error counts, whatever the verb.
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

    /// Whether a change is to be told: then it is kept which records it concerns.
    pub(super) fn is_watched(&self) -> bool {
        !self.telemetry.is_disabled()
    }

    fn failed(&self, verb: &'static str, error: &Error) {
        if let Some(recorder) = self.telemetry.recorder() {
            recorder.count_error(verb, error.code());
        }
    }

    /// A decision, and the debit that goes with it.
    fn decided(
        &self,
        verb: &'static str,
        told: &EventSubject<'_>,
        decision: &Decision,
        took: Duration,
    ) {
        if let Some(recorder) = self.telemetry.recorder() {
            recorder.count_decision(&told.metric_label(verb), &decision.code, took);
        }
        if !self.telemetry.has_subscribers() {
            return;
        }
        self.telemetry
            .emit(EventKind::Decision, verb, decision.allowed, |draft| {
                let draft = told
                    .write_to(draft)
                    .field("allowed", Some(decision.allowed))
                    .text("code", Some(&decision.code));
                let draft = version(reasons(draft, decision), decision);
                let draft = match &decision.counted {
                    Some(counted) => with_counts(draft, counted),
                    None => draft,
                };
                let draft = latency(draft, took);
                match told.context() {
                    Some(context) => self.telemetry.context(draft, context),
                    None => draft,
                }
            });
        if let Some(counted) = &decision.counted {
            let state = self.current.load();
            let payer = told.principal.and_then(|(kind, id)| {
                state.paying_account(crate::api::request_ref::PrincipalRef::Name(kind, id))
            });
            self.debit(
                verb,
                told,
                payer.map(|((_, account), _)| account),
                None,
                counted,
            );
        }
    }

    /// What was recorded; an answer of before is told with its decision alone.
    fn debit(
        &self,
        verb: &'static str,
        told: &EventSubject<'_>,
        payer: Option<&str>,
        of: Option<u64>,
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
            let draft = told
                .write_to(draft)
                .text("payer", payer)
                .field("operation", counted.operation)
                .field("of", of);
            expiry(draft, counted).meters(&counted.quota)
        });
    }

    fn changed(
        &self,
        verb: &'static str,
        told: &EventSubject<'_>,
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
            let draft = told.write_to(draft).field("revision", Some(*revision));
            draft
                .references("put", put)
                .references("removed", removed)
                .field("whole", whole.then_some(true))
        });
    }
}

/// Telling never fails a verb.
fn ignore_panic(work: impl FnOnce()) {
    let _ = catch_panic(|| {
        work();
        Ok(())
    });
}
