//! The fields of events: request, decision and change.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::api::decision::Decision;
use crate::api::quota::CountReceipt;
use crate::api::request::Environment;
use crate::api::request_ref::RequestRef;
use crate::directory::Directory;
use crate::model::calendar;
use crate::model::reference::EntityRef;
use crate::telemetry::EventBuilder;

/// The desk that receives a ticket, or `None` if no desk does.
#[derive(Debug, Clone, Copy)]
pub(super) struct TicketQueue<'a>(pub(super) Option<&'a str>);

/// The subject of an event: the caller and the request, as far as events contain them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EventSubject<'a> {
    pub(super) command: Option<&'a str>,
    pub(super) principal: Option<(&'a str, &'a str)>,
    pub(super) action: Option<(&'a str, &'a str)>,
    pub(super) resource: Option<(&'a str, &'a str)>,
    pub(super) account: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    pub(super) environment: Option<&'a Environment>,
    pub(super) desk: Option<TicketQueue<'a>>,
}

impl<'a> From<&RequestRef<'a>> for EventSubject<'a> {
    fn from(question: &RequestRef<'a>) -> Self {
        let resource = &question.resource;
        Self {
            command: None,
            principal: Some(question.principal.name()),
            action: Some(question.action.name()),
            resource: Some((resource.kind.name(), resource.id)),
            account: resource
                .account
                .map(crate::api::request_ref::AccountRef::id),
            host: question.host.map(crate::api::request_ref::HostRef::name),
            environment: question.environment,
            desk: None,
        }
    }
}

impl<'a> EventSubject<'a> {
    /// Returns the subject for a principal in an environment.
    pub(super) fn new(principal: &'a EntityRef, environment: &'a Environment) -> Self {
        Self {
            principal: Some((principal.kind(), principal.id())),
            host: environment.host.as_deref(),
            environment: Some(environment),
            ..Self::default()
        }
    }

    /// Returns the label of the metrics.
    pub(super) fn metric_label(&self, verb: &'a str) -> Cow<'a, str> {
        match (self.action, self.command) {
            (Some(("Action", name)), _) | (None, Some(name)) => Cow::Borrowed(name),
            (Some((kind, name)), _) => Cow::Owned(format!("{kind}::{name}")),
            (None, None) => Cow::Borrowed(verb),
        }
    }

    pub(super) fn write_to(&self, draft: EventBuilder) -> EventBuilder {
        let named = |reference: Option<&'a EntityRef>| {
            reference.map(|reference| (reference.kind(), reference.id()))
        };
        let action = self.action.map(|_| self.metric_label(""));
        draft
            .text("command", self.command)
            .named("principal", self.principal)
            .named(
                "actor",
                named(
                    self.environment
                        .and_then(|environment| environment.actor.as_ref()),
                ),
            )
            .text("action", action.as_deref())
            .named("resource", self.resource)
            .text("account", self.account)
            .text("host", self.host)
            .text(
                "channel",
                self.environment
                    .and_then(|environment| environment.channel.as_deref()),
            )
            .field("desk", self.desk.map(|desk| Value::from(desk.0)))
    }

    pub(super) fn context(&self) -> Option<&'a Map<String, Value>> {
        self.environment
            .map(|environment| &environment.context)
            .filter(|context| !context.is_empty())
    }
}

/// A change of the directory for an event.
#[derive(Debug, Default)]
pub(super) struct DirectoryDelta {
    pub(super) revision: u64,
    pub(super) put: Vec<EntityRef>,
    pub(super) removed: Vec<EntityRef>,
    /// Whether the whole directory was replaced.
    pub(super) whole: bool,
}

impl DirectoryDelta {
    /// Builds the change of these records, or of the whole directory if `references` is `None`.
    pub(super) fn from_references(
        directory: &Directory,
        references: Option<Vec<EntityRef>>,
    ) -> Self {
        let (revision, whole) = (directory.revision(), references.is_none());
        let (put, removed) = references
            .unwrap_or_default()
            .into_iter()
            .partition(|reference| directory.has(reference));
        Self {
            revision,
            put,
            removed,
            whole,
        }
    }
}

/// Adds the policies that determined a decision, its advice, and the policies that failed, all by
/// id. The error messages are left out because they may contain values.
pub(super) fn reasons(draft: EventBuilder, decision: &Decision) -> EventBuilder {
    let draft = draft.names("policies", decision.policies.iter().map(AsRef::as_ref));
    let draft = draft.names("advice", decision.advice.iter().map(AsRef::as_ref));
    draft.names(
        "errors",
        decision
            .errors
            .iter()
            .map(|failure| failure.policy.as_ref()),
    )
}

pub(super) fn version(draft: EventBuilder, decision: &Decision) -> EventBuilder {
    draft
        .field("revision", Some(decision.revision))
        .text("bundle", Some(&decision.bundle))
}

pub(super) fn add_receipt(draft: EventBuilder, counted: &CountReceipt) -> EventBuilder {
    let draft = draft
        .field("operation", counted.operation)
        .field("replayed", counted.replayed.then_some(true));
    expiry(draft, counted).meters(&counted.quota)
}

pub(super) fn expiry(draft: EventBuilder, counted: &CountReceipt) -> EventBuilder {
    draft.field(
        "expires_at",
        counted.expires_at.and_then(calendar::instant_text),
    )
}

pub(super) fn latency(draft: EventBuilder, took: Duration) -> EventBuilder {
    draft.field(
        "latency_us",
        Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
    )
}
