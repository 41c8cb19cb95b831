//! The failure of a command: its report, and its exit code.

use std::io::Write;

use serde_json::json;
use sublet::Error;

use crate::{FAULTS, USAGE, report};

/// The reason why a command failed.
pub(crate) enum Failure {
    Engine(Error),
    Words(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Words(error.to_string())
    }
}

impl Failure {
    pub(crate) fn report(&self, json: bool, out: &mut dyn Write, err: &mut dyn Write) -> i32 {
        let (code, faulty) = match self {
            Self::Engine(error) => (error.code(), !error.faults().is_empty()),
            Self::Words(_) => ("input.file", false),
        };
        let _ = match (self, json) {
            (Self::Engine(error), true) => {
                writeln!(
                    out,
                    "{}",
                    json!({"ok": false, "code": code, "message": error.to_string(), "help": error.help(), "faults": error.faults()})
                )
            }
            (Self::Words(words), true) => writeln!(
                out,
                "{}",
                json!({"ok": false, "code": code, "message": words})
            ),
            (Self::Engine(error), false) if faulty => report_faults(error, err),
            (Self::Engine(error), false) => write!(
                err,
                "{}",
                report::error(code, &error.to_string(), error.help())
            ),
            (Self::Words(words), false) => write!(err, "{}", report::error(code, words, None)),
        };
        if faulty { FAULTS } else { USAGE }
    }
}

fn report_faults(error: &Error, err: &mut dyn Write) -> std::io::Result<()> {
    for fault in error.faults() {
        writeln!(err, "{}", report::fault(fault))?;
    }
    match error.faults().len() {
        1 => writeln!(err, "1 fault"),
        many => writeln!(err, "{many} faults"),
    }
}
