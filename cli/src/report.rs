//! Reports of faults for people: file, line, column, the source line with a caret, and help.

use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, Severity,
    SourceCode, SpanContents,
};
use sublet::{Diagnostic, SourceSpan};

/// The width of a report. It holds a policy's line, and the engine cuts longer texts.
const COLUMNS: usize = 120;

/// Returns the report of a fault, which ends with a line break. It has no colours, so that a log
/// and a terminal show the same text.
pub(crate) fn fault(fault: &Diagnostic) -> String {
    render(&shown(fault))
}

/// Returns the report of a warning.
pub(crate) fn warning(fault: &Diagnostic) -> String {
    render(&Shown {
        severity: Severity::Warning,
        ..shown(fault)
    })
}

/// Returns the report of an error that belongs to no file.
pub(crate) fn error(code: &str, message: &str, help: Option<&str>) -> String {
    render(&Shown {
        severity: Severity::Error,
        code,
        message,
        help,
        line: None,
    })
}

fn shown(fault: &Diagnostic) -> Shown<'_> {
    let line = fault.place.as_ref().map(Line);
    Shown {
        severity: Severity::Error,
        code: fault.code,
        message: &fault.message,
        help: fault.help.as_deref(),
        line,
    }
}

fn render(shown: &Shown<'_>) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(COLUMNS)
        .with_links(false)
        .with_context_lines(0);
    match handler.render_report(&mut text, shown) {
        Ok(()) => text,
        Err(_) => format!("{} [{}]\n", shown.message, shown.code),
    }
}

#[derive(Debug)]
struct Shown<'a> {
    severity: Severity,
    code: &'a str,
    message: &'a str,
    help: Option<&'a str>,
    line: Option<Line<'a>>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.help
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.line.as_ref().map(|line| line as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let line = self.line.as_ref()?;
        Some(Box::new(std::iter::once(
            LabeledSpan::new_primary_with_span(None, line.blamed()),
        )))
    }
}

/// The source line that a fault carries.
#[derive(Debug)]
struct Line<'a>(&'a SourceSpan);

impl Line<'_> {
    fn blamed(&self) -> miette::SourceSpan {
        let bytes = |from: u32, count: u32| {
            self.0
                .text
                .chars()
                .skip(from as usize)
                .take(count as usize)
                .map(char::len_utf8)
                .sum::<usize>()
        };
        (
            bytes(0, self.0.indent),
            bytes(self.0.indent, self.0.width.max(1)),
        )
            .into()
    }
}

impl SourceCode for Line<'_> {
    fn read_span<'b>(
        &'b self,
        _: &miette::SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        let place = self.0;
        let (line, column) = (
            place.line.saturating_sub(1) as usize,
            place.column.saturating_sub(1) as usize,
        );
        let whole = (0, place.text.len()).into();
        Ok(Box::new(MietteSpanContents::new_named(
            place.file.clone(),
            place.text.as_bytes(),
            whole,
            line,
            column,
            1,
        )))
    }
}
