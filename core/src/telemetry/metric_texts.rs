//! The descriptions of the metrics that the exporters of Python and Node register.

/// The metrics with their descriptions: those of Prometheus, then those of OpenTelemetry.
const METRIC_TEXTS: &[(&str, &str)] = &[
    ("sublet_changes_total", "Changes of the directory."),
    ("sublet_decision_seconds", "Decisions, and their durations."),
    ("sublet_errors_total", "Calls that failed."),
    ("sublet_log_events_total", "Events of all logs."),
    ("sublet_reloads_total", "Reloads of the policies."),
    ("sublet.changes", "Changes of the directory."),
    (
        "sublet.decision.buckets",
        "Decisions that took at most `le` microseconds.",
    ),
    (
        "sublet.decision.time",
        "The durations of all decisions together.",
    ),
    ("sublet.decisions", "Decisions."),
    ("sublet.errors", "Calls that failed."),
    ("sublet.log.events", "Events of all logs."),
    ("sublet.reloads", "Reloads of the policies."),
];

/// Returns the description of an exported metric.
///
/// # Example: a counter of Prometheus
/// ```
/// assert_eq!(sublet::metric_text("sublet_errors_total"), Some("Calls that failed."));
/// ```
#[must_use]
pub fn metric_text(name: &str) -> Option<&'static str> {
    METRIC_TEXTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}
