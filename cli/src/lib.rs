//! The `sublet` command as a library, so that the wheel and the npm package ship the same command.

mod cases;
mod check;
mod failure;
mod report;
mod store;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use serde_json::{Value, json};
use sublet::{Engine, Error, Options, PolicySource, Request, Validation};

pub use cases::{CaseResult, run as run_cases};
use check::{Records, Strictness};
use failure::Failure;

/// The exit code of success.
pub const OK: i32 = 0;
/// The exit code of a negative result: a case failed, or a bundle has faults.
pub const FAULTS: i32 = 1;
/// The exit code of a wrong command line or input.
pub const USAGE: i32 = 2;
/// The exit code of `explain` if the request is denied.
pub const DENIED: i32 = 3;

/// Checks, tests and explains policy bundles, and inspects stores.
#[derive(Parser)]
#[command(name = "sublet", version, about)]
struct Arguments {
    /// The output format.
    #[arg(long, value_enum, default_value_t = Format::Human, global = true)]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum SchemaKind {
    Commands,
    Records,
}

#[derive(Subcommand)]
enum Command {
    /// Loads a bundle and prints its faults.
    Check {
        /// The bundle's folder; without it, the shipped bundle.
        bundle: Option<PathBuf>,
        /// How strictly policies are validated.
        #[arg(long, value_enum, default_value_t = Strictness::Strict)]
        validation: Strictness,
        /// Lists the policies in gate order.
        #[arg(long, short)]
        verbose: bool,
        /// Checks that the bundle accepts this directory of JSON lines, as `import` and `reload`
        /// would.
        #[arg(long)]
        directory: Option<PathBuf>,
        /// Checks that the bundle accepts the directory of this store, as `open` and `reload`
        /// would.
        #[arg(long)]
        store: Option<String>,
        /// Exits with code 1 if there are warnings.
        #[arg(long)]
        deny_warnings: bool,
    },
    /// Runs the cases beside the policies.
    Test {
        /// The bundle's folder; without it, the shipped bundle.
        bundle: Option<PathBuf>,
        /// A file or folder of cases; without it, `tests` in the bundle's folder.
        #[arg(long)]
        cases: Option<PathBuf>,
        /// Lists the cases that passed too.
        #[arg(long, short)]
        verbose: bool,
    },
    /// Explains why a request is allowed or denied.
    Explain {
        /// The bundle's folder; without it, the shipped bundle.
        #[arg(long)]
        bundle: Option<PathBuf>,
        /// The directory as JSON lines.
        #[arg(long)]
        directory: PathBuf,
        /// The request as JSON: principal, action, resource, host ...
        request: String,
    },
    /// Prints the JSON Schema of commands or records, to validate files with.
    Schema {
        /// The commands of `perform`, or the records of a directory.
        #[arg(value_enum)]
        shapes: SchemaKind,
    },
    #[command(flatten)]
    Store(store::Verb),
}

/// Runs the command line `arguments` (the program's name first), prints to `out` and `err`, and
/// returns the exit code.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> i32 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let help = !error.use_stderr();
            let _ = if help {
                write!(out, "{error}")
            } else {
                write!(err, "{error}")
            };
            return if help { OK } else { USAGE };
        }
    };
    let json = arguments.format == Format::Json;
    let done = match arguments.command {
        Command::Check {
            bundle,
            validation,
            verbose,
            directory,
            store,
            deny_warnings,
        } => check::check(
            bundle,
            validation,
            verbose,
            &Records { directory, store },
            json,
            out,
        )
        .map(|info| {
            if deny_warnings && !info.warnings.is_empty() {
                FAULTS
            } else {
                OK
            }
        }),
        Command::Test {
            bundle,
            cases,
            verbose,
        } => test(bundle, cases, verbose, json, out),
        Command::Explain {
            bundle,
            directory,
            request,
        } => explain(bundle, &directory, &request, json, out),
        Command::Schema { shapes } => schema(shapes, out),
        Command::Store(verb) => store::run(verb, json, out, err),
    };
    done.unwrap_or_else(|failure| failure.report(json, out, err))
}

fn source(bundle: Option<PathBuf>) -> PolicySource {
    bundle.map_or(PolicySource::Shipped, PolicySource::Folder)
}

fn open(bundle: Option<PathBuf>, validation: Validation) -> Result<Engine, Error> {
    Engine::open(Options {
        policies: source(bundle),
        validation,
        ..Options::default()
    })
}

fn test(
    bundle: Option<PathBuf>,
    cases: Option<PathBuf>,
    verbose: bool,
    json: bool,
    out: &mut dyn Write,
) -> Result<i32, Failure> {
    let cases = cases.or_else(|| bundle.as_ref().map(|folder| folder.join("tests")));
    let cases = cases.ok_or_else(|| {
        Failure::Words("name the cases: `--cases PATH`, or a bundle's folder".to_owned())
    })?;
    let engine = open(bundle, Validation::Strict)?;
    let results = run_cases(&engine, &cases).map_err(Failure::Words)?;
    if results.is_empty() {
        return Err(Failure::Words(format!("{}: no cases", cases.display())));
    }
    let failed = results
        .iter()
        .filter(|result| result.failure.is_some())
        .count();
    if json {
        writeln!(out, "{}", json!({"ok": failed == 0, "cases": results}))?;
    } else {
        for result in &results {
            match &result.failure {
                Some(failure) => writeln!(
                    out,
                    "FAILED  {}: {}\n        {failure}",
                    result.file, result.description
                )?,
                None if verbose => {
                    writeln!(out, "passed  {}: {}", result.file, result.description)?;
                }
                None => {}
            }
        }
        writeln!(
            out,
            "{} passed, {failed} failed",
            results.len().saturating_sub(failed)
        )?;
    }
    Ok(if failed == 0 { OK } else { FAULTS })
}

fn explain(
    bundle: Option<PathBuf>,
    directory: &std::path::Path,
    request: &str,
    json: bool,
    out: &mut dyn Write,
) -> Result<i32, Failure> {
    let request = Request::from_json(request)?;
    let engine = open(bundle, Validation::Strict)?;
    let file = std::fs::File::open(directory)
        .map_err(|why| Failure::Words(format!("{}: {why}", directory.display())))?;
    engine.import(std::io::BufReader::new(file), None, None)?;
    let explanation = engine.explain(&request)?;
    if json {
        let value: Value = serde_json::to_value(&explanation).unwrap_or_default();
        writeln!(out, "{value}")?;
    } else {
        write!(out, "{explanation}")?;
    }
    Ok(if explanation.decision.allowed {
        OK
    } else {
        DENIED
    })
}

/// Prints a schema. It is JSON in both output formats.
fn schema(shapes: SchemaKind, out: &mut dyn Write) -> Result<i32, Failure> {
    let schema = match shapes {
        SchemaKind::Commands => sublet::Command::schema(),
        SchemaKind::Records => sublet::Record::schema(),
    };
    writeln!(out, "{schema:#}")?;
    Ok(OK)
}
