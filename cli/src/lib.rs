//! The `sublet` command as a library, so that the wheel and the npm package ship the same command.

mod case_fields;
mod cases;
mod check;
mod explain;
mod failure;
mod report;
mod store;
mod test;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use sublet::{Engine, Error, Options, PolicySource, Validation};

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
        /// Exits with code 1 if a policy that refuses decides no case.
        #[arg(long)]
        strict: bool,
    },
    /// Explains why a request is allowed or denied.
    Explain {
        /// The bundle's folder; without it, the shipped bundle.
        #[arg(long)]
        bundle: Option<PathBuf>,
        /// The directory as JSON lines.
        #[arg(long, required_unless_present = "store", conflicts_with = "store")]
        directory: Option<PathBuf>,
        /// The store with directory and counts, such as `sqlite:/var/lib/app/sublet.db`.
        #[arg(long)]
        store: Option<String>,
        /// Prints every policy that can apply, with its facts.
        #[arg(long, short)]
        verbose: bool,
        /// The language of the words of codes, such as `de`; without it, the bundle's default.
        #[arg(long)]
        language: Option<String>,
        /// The request as JSON: principal, action, resource, host ... With `--directory` also
        /// `given`, `remove` and `usage` of a case.
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
            strict,
        } => {
            let form = test::Form {
                verbose,
                strict,
                json,
            };
            test::test(bundle, cases, form, out)
        }
        Command::Explain {
            bundle,
            directory,
            store,
            verbose,
            language,
            request,
        } => {
            let language = language.as_deref();
            let form = explain::Form {
                language,
                verbose,
                json,
            };
            let records = Records { directory, store };
            explain::explain(bundle, &records, &request, form, out)
        }
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

/// Prints a schema. It is JSON in both output formats.
fn schema(shapes: SchemaKind, out: &mut dyn Write) -> Result<i32, Failure> {
    let schema = match shapes {
        SchemaKind::Commands => sublet::Command::schema(),
        SchemaKind::Records => sublet::Record::schema(),
    };
    writeln!(out, "{schema:#}")?;
    Ok(OK)
}
