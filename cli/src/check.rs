//! The subcommand `check`: loads a bundle, and prints its faults, warnings and policies.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::json;
use sublet::{BundleInfo, Engine, Options, Validation};

use crate::failure::Failure;
use crate::{open, report, source, store};

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Strictness {
    Strict,
    Errors,
    Off,
}

/// The records that a bundle is checked against.
pub(crate) struct Records {
    pub(crate) directory: Option<PathBuf>,
    pub(crate) store: Option<String>,
}

/// Opens the bundle with the directory, in memory, or with the store. If both are given, checks the
/// directory first.
fn open_over(
    bundle: Option<PathBuf>,
    validation: Validation,
    records: &Records,
) -> Result<Engine, Failure> {
    let engine = open(bundle.clone(), validation)?;
    if let Some(path) = &records.directory {
        let file = std::fs::File::open(path)
            .map_err(|why| Failure::Words(format!("{}: {why}", path.display())))?;
        engine.import(std::io::BufReader::new(file), None, None)?;
    }
    match &records.store {
        Some(store) => Ok(Engine::open(Options {
            policies: source(bundle),
            validation,
            store: store::there(store),
            ..Options::default()
        })?),
        None => Ok(engine),
    }
}

pub(crate) fn check(
    bundle: Option<PathBuf>,
    validation: Strictness,
    verbose: bool,
    records: &Records,
    json: bool,
    out: &mut dyn Write,
) -> Result<BundleInfo, Failure> {
    let validation = match validation {
        Strictness::Strict => Validation::Strict,
        Strictness::Errors => Validation::Errors,
        Strictness::Off => Validation::Off,
    };
    let info = open_over(bundle, validation, records)?.bundle();
    if json {
        writeln!(out, "{}", json!({"ok": true, "bundle": info}))?;
        return Ok(info);
    }
    for warning in &info.warnings {
        writeln!(out, "{}", report::warning(warning))?;
    }
    writeln!(
        out,
        "bundle {}: {} policies, {} actions, {} codes, no faults{}",
        info.fingerprint,
        info.policies.len(),
        info.actions.len(),
        info.codes.len(),
        warned(info.warnings.len())
    )?;
    report_fallback(&info, verbose, out)?;
    for policy in info.policies.iter().filter(|_| verbose) {
        let place = policy
            .place
            .as_ref()
            .map(|(file, line)| format!("{file}:{line}"))
            .unwrap_or_default();
        writeln!(
            out,
            "  {place:<26} {:<6} {:<36} {}",
            policy.effect,
            policy.id,
            policy.code.as_deref().unwrap_or_default()
        )?;
    }
    Ok(info)
}

fn warned(warnings: usize) -> String {
    match warnings {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        many => format!(", {many} warnings"),
    }
}

/// Prints the policies that Cedar itself evaluates, with the reason. Names only a few of them
/// unless `verbose`.
fn report_fallback(info: &BundleInfo, verbose: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let mut reasons: Vec<&str> = info
        .fallback
        .iter()
        .map(|policy| policy.why.as_ref())
        .collect();
    reasons.sort_unstable();
    reasons.dedup();
    for why in &reasons {
        let named: Vec<String> = info
            .fallback
            .iter()
            .filter(|policy| policy.why.as_ref() == *why)
            .map(|policy| format!("`{}`", policy.policy))
            .collect();
        let shown = if verbose {
            named.len()
        } else {
            3.min(named.len())
        };
        let more = match named.len().saturating_sub(shown) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let list = named
            .iter()
            .take(shown)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        writeln!(out, "answered by Cedar itself, slower: {list}{more}: {why}")?;
    }
    match info.fallback.len() {
        _ if !verbose => Ok(()),
        0 => writeln!(out, "all policies are compiled"),
        beyond => writeln!(
            out,
            "{} of {} policies are compiled",
            info.policies.len().saturating_sub(beyond),
            info.policies.len()
        ),
    }
}
