//! The rules of `benches/authors/`. Each is a bit. When the facts are interned, each account,
//! member and action gets the rules that concern it. A request meets the rules that concern all
//! that it names. Few of them then read its context.

use std::net::IpAddr;

use serde_json::Value;

use super::Kind;
use crate::agency::Asked;
use crate::authors::{DAY_MS, SERVED};
use crate::details::Details;

const TRIAL: u16 = 1;
const TEXTS: u16 = 1 << 1;
const SUPPORT: u16 = 1 << 2;
const SENIORITY: u16 = 1 << 3;
const OFFICES: u16 = 1 << 4;
const NIGHT: u16 = 1 << 5;
const FACTOR: u16 = 1 << 6;
const STAGE: u16 = 1 << 7;
const REVIEW: u16 = 1 << 8;
const HOLD: u16 = 1 << 9;
const AUDITOR: u16 = 1 << 10;
const LOCKED: u16 = 1 << 11;

/// The rules that a request can satisfy by what it brings. The others refuse all that they concern.
const BY_DETAILS: u16 = OFFICES | NIGHT | FACTOR | STAGE | LOCKED;

/// The codes, in the order of the rules.
const CODES: [&str; 12] = [
    "on_trial",
    "country_without_texts",
    "department_reads_only",
    "seniority_too_low",
    "outside_offices",
    "frozen_at_night",
    "second_factor_missing",
    "campaign_no_draft",
    "under_review",
    "on_hold",
    "auditor_reads_only",
    "file_locked",
];

/// Accounts that the platform reviews.
const REVIEWED: [&str; 5] = [
    "client-00000-03",
    "client-00000-11",
    "client-00001-07",
    "main-00002",
    "client-00040-00",
];

/// Members on hold.
const HELD: [&str; 3] = [
    "main-00000-member-2",
    "client-00000-05-member-1",
    "client-00001-05-member-1",
];

/// Those of the rules whose condition is given.
fn rules_of<const N: usize>(rules: [(u16, bool); N]) -> u16 {
    let given = rules.iter().filter(|(_, concerns)| *concerns);
    given.fold(0, |all, (rule, _)| all | rule)
}

/// Returns the rules that concern an account with these attributes.
pub(super) fn of_account(id: &str, attributes: &Value) -> u16 {
    let flag = |name: &str| attributes[name] == true;
    let country = attributes["country"].as_str();
    rules_of([
        (TRIAL, flag("trial")),
        (
            TEXTS,
            country.is_none_or(|country| !SERVED.contains(&country)),
        ),
        (OFFICES, flag("office_only")),
        (NIGHT, flag("frozen_at_night")),
        (FACTOR, flag("second_factor")),
        (REVIEW, REVIEWED.contains(&id)),
        (LOCKED, true),
    ])
}

/// Returns the rules that concern a member with these attributes.
pub(super) fn of_member(id: &str, attributes: &Value) -> u16 {
    let seniority = attributes["seniority"].as_i64();
    rules_of([
        (SUPPORT, attributes["department"] == "support"),
        (SENIORITY, seniority.is_none_or(|seniority| seniority < 2)),
        (STAGE, true),
        (HOLD, HELD.contains(&id)),
        (AUDITOR, attributes["auditor"] == true),
    ])
}

/// Returns the rules that concern an action.
pub(super) fn of_action(name: &str, kind: Kind, resource: &str) -> u16 {
    let (prefix, verb) = name.split_once('.').unwrap_or((name, ""));
    let writes = kind == Kind::Write;
    let looks = matches!(kind, Kind::Login | Kind::Read);
    let shared = [
        "automation",
        "funnel",
        "page",
        "product",
        "segment",
        "template",
    ];
    let sensitive = ["sending_domain", "integration", "client"];
    rules_of([
        (TRIAL, writes && ["api_key", "webhook"].contains(&prefix)),
        (TEXTS, writes && resource == "TextMessage"),
        (SUPPORT, writes),
        (SENIORITY, verb == "delete" && shared.contains(&prefix)),
        (OFFICES, looks),
        (NIGHT, writes),
        (FACTOR, writes && sensitive.contains(&prefix)),
        (STAGE, writes && prefix == "campaign"),
        (REVIEW, writes),
        (HOLD, writes),
        (AUDITOR, !looks),
        (LOCKED, writes && prefix == "file"),
    ])
}

/// Returns those of the concerned rules that refuse the request.
#[inline(always)]
pub(super) fn refusing(concerned: u16, request: &Asked<'_>) -> u16 {
    if concerned & BY_DETAILS == 0 {
        return concerned;
    }
    match request.details {
        Some(details) => concerned & !satisfied(concerned, details),
        None => concerned,
    }
}

/// Returns the code of the first rule that refuses the request.
pub(super) fn code_of(concerned: u16, request: &Asked<'_>) -> Option<&'static str> {
    let first = refusing(concerned, request).trailing_zeros();
    CODES.get(first as usize).copied()
}

/// Returns those of the concerned rules that the details satisfy.
fn satisfied(concerned: u16, details: &Details) -> u16 {
    let mut satisfied = 0;
    if concerned & OFFICES != 0 && details.ip.is_some_and(is_office) {
        satisfied |= OFFICES;
    }
    if concerned & NIGHT != 0 && details.now.is_some_and(is_day) {
        satisfied |= NIGHT;
    }
    if concerned & FACTOR != 0 && details.second_factor == Some(true) {
        satisfied |= FACTOR;
    }
    if concerned & STAGE != 0 && details.stage == Some("draft") {
        satisfied |= STAGE;
    }
    let unlocked = |name: &str| !name.ends_with(".locked");
    if concerned & LOCKED != 0 && details.name.as_deref().is_some_and(unlocked) {
        satisfied |= LOCKED;
    }
    satisfied
}

fn is_office(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets(), [10, ..] | [203, 0, 113, _]),
        IpAddr::V6(address) => matches!(address.segments(), [0x2001, 0xdb8, ..]),
    }
}

/// Whether it is between 6:00 and 22:00 (UTC).
fn is_day(now: i64) -> bool {
    const HOUR: i64 = DAY_MS / 24;
    (6 * HOUR..22 * HOUR).contains(&now.rem_euclid(DAY_MS))
}
