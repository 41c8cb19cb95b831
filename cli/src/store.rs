//! The subcommands for a store: usage, inspection, verification, the clock, and import and export
//! of the directory.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use sublet::{Engine, ImportProgress, Inspection, Limit, Options, Quota};

use crate::failure::Failure;
use crate::{FAULTS, OK, source};

/// A subcommand for a store.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Shows the usage of an account for every meter: used, held, limit and the source of the
    /// limit.
    Usage {
        /// The store, such as `sqlite:/var/lib/app/sublet.db`.
        store: String,
        /// The account's id.
        account: String,
        /// Also shows the part of this member.
        #[arg(long)]
        member: Option<String>,
        /// Shows this meter only.
        #[arg(long)]
        meter: Option<String>,
        /// The bundle's folder; without it, the shipped bundle.
        #[arg(long)]
        bundle: Option<PathBuf>,
    },
    /// Inspects a store that may be in use. Needs no bundle, writes nothing and blocks no other
    /// process.
    Inspect {
        /// The store, such as `sqlite:/var/lib/app/sublet.db`.
        store: String,
        /// Also shows the counts of this account.
        account: Option<String>,
    },
    /// Compares every count with the sum of its operations, and checks the file.
    Verify {
        /// The store, such as `sqlite:/var/lib/app/sublet.db`.
        store: String,
    },
    /// Accepts the system clock after `store.clock_jump`, which follows a downtime of more than a
    /// day and a new boot.
    AcceptClock {
        /// The store, such as `sqlite:/var/lib/app/sublet.db`.
        store: String,
    },
    /// Replaces the directory by the records of a JSON lines file. Creates the store if it is
    /// missing.
    Import {
        /// The store, such as `sqlite:/var/lib/app/sublet.db`.
        store: String,
        /// The file, or `-` for the standard input.
        file: PathBuf,
        /// Imports only if the directory is at this revision. Revision 0 is a store in which
        /// nothing was ever written.
        #[arg(long)]
        expected_revision: Option<u64>,
        /// The bundle's folder; without it, the shipped bundle.
        #[arg(long)]
        bundle: Option<PathBuf>,
    },
    /// Imports a JSON lines file if nothing was ever written to the directory. Creates the store if
    /// it is missing.
    Seed {
        /// The store, such as `sqlite:/var/lib/app/sublet.db`.
        store: String,
        /// The file, or `-` for the standard input.
        file: PathBuf,
        /// The bundle's folder; without it, the shipped bundle.
        #[arg(long)]
        bundle: Option<PathBuf>,
    },
    /// Writes the directory as JSON lines.
    Export {
        /// The store, such as `sqlite:/var/lib/app/sublet.db`.
        store: String,
        /// The output file; without it, the standard output.
        #[arg(long)]
        to: Option<PathBuf>,
        /// The bundle's folder; without it, the shipped bundle.
        #[arg(long)]
        bundle: Option<PathBuf>,
    },
}

pub(crate) fn run(
    verb: Verb,
    json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<i32, Failure> {
    match verb {
        Verb::Usage {
            store,
            account,
            member,
            meter,
            bundle,
        } => {
            let engine = open(&there(&store), bundle)?;
            usage(
                &engine.usage(&account, member.as_deref(), meter.as_deref())?,
                json,
                out,
            )
        }
        Verb::Inspect { store, account } => inspect(
            &sublet::inspect_store(&store, account.as_deref())?,
            account.as_deref(),
            json,
            out,
        ),
        Verb::Verify { store } => verify(&sublet::verify_store(&store)?, json, out),
        Verb::AcceptClock { store } => {
            let now = sublet::accept_clock(&there(&store))?;
            if json {
                writeln!(out, "{}", json!({ "ok": true, "now": now }))?;
            } else {
                writeln!(out, "counting goes on at {now}")?;
            }
            Ok(OK)
        }
        Verb::Import {
            store,
            file,
            expected_revision,
            bundle,
        } => import(
            &open(&store, bundle)?,
            &file,
            expected_revision,
            json,
            (out, err),
        ),
        Verb::Seed {
            store,
            file,
            bundle,
        } => seed(&open(&store, bundle)?, &file, json, out),
        Verb::Export { store, to, bundle } => export(&open(&there(&store), bundle)?, to, json, out),
    }
}

fn open(store: &str, bundle: Option<PathBuf>) -> Result<Engine, Failure> {
    Ok(Engine::open(Options {
        policies: source(bundle),
        store: store.to_owned(),
        ..Options::default()
    })?)
}

/// Returns the store URL with `create=no`, so that a mistyped path is an error.
pub(crate) fn there(store: &str) -> String {
    let sign = if store.contains('?') { '&' } else { '?' };
    if store.starts_with("sqlite:") {
        format!("{store}{sign}create=no")
    } else {
        store.to_owned()
    }
}

fn limit(limit: Limit) -> String {
    match limit {
        Limit::Number(number) => number.to_string(),
        Limit::Unlimited => "unlimited".to_owned(),
    }
}

fn usage(quotas: &[Quota], json: bool, out: &mut dyn Write) -> Result<i32, Failure> {
    if json {
        writeln!(out, "{}", json!({ "ok": true, "usage": quotas }))?;
        return Ok(OK);
    }
    writeln!(
        out,
        "{:<20} {:>12} {:>10} {:>12} {:>12}  from",
        "meter", "used", "held", "limit", "remaining"
    )?;
    for quota in quotas {
        let (most, remaining) = (limit(quota.limit), limit(quota.remaining));
        writeln!(
            out,
            "{:<20} {:>12} {:>10} {most:>12} {remaining:>12}  {}",
            quota.meter,
            quota.used,
            quota.held,
            quota.source.as_str()
        )?;
        if let Some(member) = &quota.member {
            let (most, remaining) = (limit(member.limit), limit(member.remaining));
            writeln!(
                out,
                "  {:<18} {:>12} {:>10} {most:>12} {remaining:>12}",
                member.id, member.used, member.held
            )?;
        }
    }
    Ok(OK)
}

fn inspect(
    found: &Inspection,
    account: Option<&str>,
    json: bool,
    out: &mut dyn Write,
) -> Result<i32, Failure> {
    if json {
        writeln!(out, "{}", json!({ "ok": true, "store": found }))?;
        return Ok(OK);
    }
    let records: Vec<String> = found
        .records
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let records = if records.is_empty() {
        "nothing".to_owned()
    } else {
        records.join(", ")
    };
    writeln!(
        out,
        "{}\n  version {}, named {}",
        found.store, found.version, found.id
    )?;
    writeln!(out, "  directory at revision {}: {records}", found.revision)?;
    writeln!(
        out,
        "  {} accounts counted in {} counts; {} operations, {} idempotency keys, {} reservations",
        found.accounts, found.buckets, found.operations, found.keys, found.reservations
    )?;
    if let (Some(oldest), Some(newest)) = (&found.oldest, &found.newest) {
        writeln!(out, "  operations from {oldest} to {newest}")?;
    }
    writeln!(
        out,
        "  {} bytes, and {} of log",
        found.bytes, found.log_bytes
    )?;
    if let Some(account) = account {
        report_counts(found, account, out)?;
    }
    Ok(OK)
}

/// Prints the counts of an account as a table.
fn report_counts(found: &Inspection, account: &str, out: &mut dyn Write) -> std::io::Result<()> {
    if found.counts.is_empty() {
        return writeln!(out, "nothing was counted for `{account}`");
    }
    writeln!(
        out,
        "{:<20} {:>12} {:>10} {:>10}  {:<22} until",
        "meter", "used", "held", "top-up", "from"
    )?;
    for count in &found.counts {
        let name = count.member.as_ref().map_or_else(
            || count.meter.clone(),
            |member| format!("  {} of {member}", count.meter),
        );
        let (begins, ends) = (
            count.begins.as_deref().unwrap_or("always"),
            count.ends.as_deref().unwrap_or("always"),
        );
        writeln!(
            out,
            "{name:<20} {:>12} {:>10} {:>10}  {begins:<22} {ends}",
            count.used, count.held, count.top_up
        )?;
    }
    Ok(())
}

fn verify(found: &sublet::Verification, json: bool, out: &mut dyn Write) -> Result<i32, Failure> {
    let clean = found.faults.is_empty();
    if json {
        writeln!(out, "{}", json!({ "ok": clean, "verification": found }))?;
    } else {
        for fault in &found.faults {
            writeln!(out, "FAULT  {fault}")?;
        }
        writeln!(
            out,
            "{} counts compared with {} operations: {} faults",
            found.buckets,
            found.operations,
            found.faults.len()
        )?;
    }
    Ok(if clean { OK } else { FAULTS })
}

/// Returns the lines of a file or of the standard input.
fn lines_of(file: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let lines =
        File::open(file).map_err(|why| Failure::Words(format!("{}: {why}", file.display())))?;
    Ok(Box::new(BufReader::new(lines)))
}

fn import(
    engine: &Engine,
    file: &Path,
    expected: Option<u64>,
    json: bool,
    (out, err): (&mut dyn Write, &mut dyn Write),
) -> Result<i32, Failure> {
    let mut so_far = ImportProgress {
        records: 0,
        bytes: 0,
    };
    let shows = std::io::stderr().is_terminal() && !json;
    let mut tell = |progress: ImportProgress| {
        so_far = progress;
        if shows {
            let _ = write!(err, "\r{} records", progress.records);
        }
        true
    };
    let revision = engine.import(lines_of(file)?, expected, Some(&mut tell))?;
    if shows {
        let _ = writeln!(err);
    }
    if json {
        writeln!(
            out,
            "{}",
            json!({ "ok": true, "records": so_far.records, "revision": revision })
        )?;
    } else {
        writeln!(out, "{} records, revision {revision}", so_far.records)?;
    }
    Ok(OK)
}

fn seed(engine: &Engine, file: &Path, json: bool, out: &mut dyn Write) -> Result<i32, Failure> {
    let seeded = engine.seed(lines_of(file)?)?;
    let revision = engine.revision();
    if json {
        writeln!(
            out,
            "{}",
            json!({ "ok": true, "seeded": seeded, "revision": revision })
        )?;
    } else if seeded {
        writeln!(out, "seeded, revision {revision}")?;
    } else {
        writeln!(out, "left as it is, revision {revision}")?;
    }
    Ok(OK)
}

fn export(
    engine: &Engine,
    to: Option<PathBuf>,
    json: bool,
    out: &mut dyn Write,
) -> Result<i32, Failure> {
    let Some(path) = to else {
        engine.export(out)?;
        return Ok(OK);
    };
    let file =
        File::create(&path).map_err(|why| Failure::Words(format!("{}: {why}", path.display())))?;
    let revision = engine.export(BufWriter::new(file))?;
    if json {
        writeln!(out, "{}", json!({ "ok": true, "revision": revision }))?;
    } else {
        writeln!(out, "revision {revision}")?;
    }
    Ok(OK)
}
