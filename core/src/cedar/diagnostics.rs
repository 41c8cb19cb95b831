//! Converts Cedar's diagnostics to our diagnostics with file, line, column and caret.

use super::source::File;
use crate::util::error::{Diagnostic, fault_help};

/// Returns a diagnostic and its related diagnostics. Each is placed in `file` at the span that it
/// names, else at `fallback` (start and length in bytes), else without a place.
pub(crate) fn faults(
    code: &'static str,
    found: &dyn miette::Diagnostic,
    file: Option<&File>,
    fallback: Option<(usize, usize)>,
) -> Vec<Diagnostic> {
    let mut faults = vec![fault(code, found, file, fallback)];
    for relative in found.related().into_iter().flatten() {
        faults.push(fault(code, relative, file, fallback));
    }
    faults
}

fn fault(
    code: &'static str,
    found: &dyn miette::Diagnostic,
    file: Option<&File>,
    fallback: Option<(usize, usize)>,
) -> Diagnostic {
    let label = found.labels().and_then(|mut labels| labels.next());
    let span = label
        .as_ref()
        .map(|label| (label.offset(), label.len()))
        .or(fallback);
    let mut message = one_line(&chain(found));
    if let Some(text) = label.as_ref().and_then(|label| label.label())
        && !message.contains(text)
    {
        message = format!("{message}: {}", one_line(text));
    }
    Diagnostic {
        code,
        message,
        place: file
            .zip(span)
            .map(|(file, (start, len))| file.place(start, len)),
        help: found
            .help()
            .map(|help| one_line(&help.to_string()))
            .or_else(|| fault_help(code)),
    }
}

/// Returns the message with the messages of its causes, because Cedar often puts the important part
/// into the cause.
fn chain(found: &dyn miette::Diagnostic) -> String {
    let mut message = found.to_string();
    let mut cause = std::error::Error::source(found);
    for _ in 0..8 {
        let Some(next) = cause else { break };
        let text = next.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = next.source();
    }
    message
}

/// Maximum length of a message in characters; longer ones are cut.
const LIMIT: usize = 600;

fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > LIMIT {
        line = line.chars().take(LIMIT).collect();
        line.push('…');
    }
    line
}
