//! Problems of loaded files: a message with a stable code, and often a position and a help text.

use std::fmt::{self, Write};

use super::error::Error;
use super::printable::Printable;

/// The position of a [`Diagnostic`] in a file, counted from 1. Columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SourceSpan {
    /// The file's name inside the bundle, or the name of the argument with the text.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The number of marked characters of the line, at least 1.
    pub width: u32,
    /// The text of the line, cut to a length that a terminal can show.
    pub text: String,
    /// The number of characters of `text` before the caret (`column - 1`, unless the line was cut).
    pub indent: u32,
}

/// One problem in a file that was loaded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Diagnostic {
    /// The stable code, `family.name`.
    pub code: &'static str,
    /// The problem, with the name of the thing.
    pub message: String,
    /// The position, if the problem has a position in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<SourceSpan>,
    /// Advice on the next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// Returns the problem with this advice, if there is any, in place of the advice of its code.
    pub(crate) fn with_help(self, help: Option<String>) -> Self {
        Self {
            help: help.or(self.help),
            ..self
        }
    }
}

/// Characters of the file and of the message are escaped if a terminal would not show them as they
/// are.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Printable {
            to: f,
            has_lines: true,
        };
        if let Some(place) = &self.place {
            let gutter = place.line.to_string();
            let pad = " ".repeat(gutter.len());
            let before = " ".repeat(place.indent as usize);
            let caret = "^".repeat(place.width.max(1) as usize);
            writeln!(f, "{}: {} [{}]", Location(place), self.message, self.code)?;
            writeln!(f, " {pad} |\n {gutter} | {}", place.text)?;
            write!(f, " {pad} | {before}{caret}")?;
        } else {
            write!(f, "{} [{}]", self.message, self.code)?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

struct Location<'a>(&'a SourceSpan);

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.0.file, self.0.line, self.0.column)
    }
}

/// The problems of the first stage of loading that failed. Never empty.
///
/// # Example: a policy with a syntax error
/// ```
/// use sublet::{CedarProgram, Engine, Options, PolicySource};
/// let policies = "permit (principal, action, resource".to_owned();
/// let program = CedarProgram { policies, ..CedarProgram::default() };
/// let options = Options { policies: PolicySource::Cedar(program), ..Options::default() };
/// let error = Engine::open(options).unwrap_err();
/// assert_eq!(error.code(), "bundle.syntax");
/// assert!(!error.faults().is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics(pub(super) Vec<Diagnostic>);

impl Diagnostics {
    /// Returns the problems as an error, or `Ok` if there are none. Errors come before warnings,
    /// and the problems of one file in the order of its text.
    ///
    /// # Errors
    /// [`Error::Bundle`] with these problems, if there are any.
    pub fn into_result(mut faults: Vec<Diagnostic>) -> Result<(), Error> {
        for fault in &mut faults {
            fault.message = fault
                .message
                .split('\n')
                .map(super::printable::printable)
                .collect::<Vec<_>>()
                .join("\n");
        }
        let mut files: Vec<String> = Vec::new();
        faults.sort_by_cached_key(|fault| {
            let (file, line, column) = fault.place.as_ref().map_or(("", 0, 0), |place| {
                (place.file.as_str(), place.line, place.column)
            });
            let nth = files
                .iter()
                .position(|known| known == file)
                .unwrap_or_else(|| {
                    files.push(file.to_owned());
                    files.len().saturating_sub(1)
                });
            (fault.code == "bundle.warning", nth, line, column)
        });
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Error::Bundle(Self(faults)))
        }
    }

    /// Returns the problems, in the order of the files and of their text.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }
}

impl From<Diagnostic> for Error {
    fn from(fault: Diagnostic) -> Self {
        Self::Bundle(Diagnostics(vec![fault]))
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, fault) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(fault, f)?;
        }
        Ok(())
    }
}
