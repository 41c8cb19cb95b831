//! The statement of an owner's month: its shape and its sums. Computes with counts and whole cents,
//! without clock or store.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::draw::{self, DrawRule};
use crate::model::catalog::ExcessOrder;
use crate::model::limit::Limit;
use crate::util::error::Error;

/// The stages of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementStatus {
    /// The month runs. The statement is a preview of the debt if nothing changes (B6).
    Open,
    /// The month is over, but its figures are not fixed yet.
    Ended,
    /// Figures and seed are fixed. No client is disabled for the month yet.
    Closed,
    /// The order of disabling is in force.
    Settled,
}

/// The debt of an owner to the platform for one month, for client accounts over the number in the
/// owner's package (B2 to B6).
///
/// The JSON form is identical in every language. [`verify_draw`] checks a statement without any
/// other data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The owner's account.
    pub owner: String,
    /// The month, `YYYY-MM`. It begins in that month of the owner's calendar. The month after a
    /// change of the calendar is named after the month before its end (B10).
    pub period: String,
    /// The first instant of the month, as RFC 3339 in UTC.
    pub from: String,
    /// The first instant after the month.
    pub until: String,
    /// The first instant at which the month may be settled, after the days of grace (B8).
    #[serde(default)]
    pub settle_from: String,
    /// The stage of the statement.
    pub status: StatementStatus,
    /// The number of client accounts not closed at the month's last instant. While the month is
    /// open, the number now.
    pub clients: i64,
    /// The number of clients that the package includes.
    pub included: Limit,
    /// The number of clients above the included ones (B4).
    pub excess: i64,
    /// The price of one excess client for the month, in cents.
    pub price_cents: i64,
    /// `excess` times `price_cents`.
    pub due_cents: i64,
    /// The cents received for the month, less the cents reversed.
    pub received_cents: i64,
    /// The cents that remain from the payments of earlier months (B9).
    #[serde(default)]
    pub credit_cents: i64,
    /// The number of clients that the received cents and the credit pay for.
    pub paid: i64,
    /// The number of excess clients that are neither paid for nor gone. That many are disabled once
    /// the month is settled.
    pub unpaid: i64,
    /// The rule by which excess clients are disabled.
    pub order: ExcessOrder,
    /// The seed of the random selection, 32 bytes as hexadecimal digits. It is taken from the
    /// operating system when a month is closed, or reused from an earlier unpaid month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// The clients that the owner chose, if the order is the owner's choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choice: Vec<String>,
    /// The creation times of the clients, if the order is newest first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub created: BTreeMap<String, String>,
    /// The clients that were disabled for another reason than overage when the month was closed.
    /// They come last (B12).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disabled_before: Vec<String>,
    /// The rounds of clients that came after the earlier unpaid month whose draw this one
    /// continues. Every other client is in round 0, and rounds come in turn (B11).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rounds: BTreeMap<String, u32>,
    /// Every client of the month in the order in which they are disabled. Empty while the month is
    /// not closed or the order is not known.
    pub draw: Vec<String>,
    /// Clients of the month that were closed or left the owner since. They no longer count, so
    /// fewer clients are unpaid.
    pub departed: Vec<String>,
    /// The clients that are or will be disabled. Every remaining client if some are unpaid and the
    /// order is not known.
    pub at_risk: Vec<String>,
    /// The clients disabled for the month: the first `unpaid` of `draw` that are not gone. Empty
    /// until the month is settled.
    pub disabled: Vec<String>,
}

/// The inputs of a statement.
#[derive(Debug, Clone)]
pub(super) struct StatementInputs<'a> {
    pub(super) owner: &'a str,
    pub(super) period: &'a str,
    /// The fields `from`, `until` and `settle_from`.
    pub(super) bounds: [String; 3],
    pub(super) status: StatementStatus,
    pub(super) clients: &'a [String],
    pub(super) included: Limit,
    pub(super) price: u64,
    pub(super) rule: &'a DrawRule,
    /// Present once the month is closed.
    pub(super) seed: Option<&'a str>,
    pub(super) departed: &'a BTreeSet<String>,
    /// The cents received for the month, and the credit of earlier months.
    pub(super) cents: [i64; 2],
}

/// Returns the number of clients above the included ones.
fn excess_clients(clients: usize, included: Limit) -> i64 {
    match included {
        Limit::Number(included) => i64::try_from(clients)
            .unwrap_or(i64::MAX)
            .saturating_sub(included)
            .max(0),
        Limit::Unlimited => 0,
    }
}

/// Returns the cents that are due for a month (B4).
pub(super) fn due(clients: usize, included: Limit, price: u64) -> i64 {
    let price = i64::try_from(price).unwrap_or(i64::MAX);
    excess_clients(clients, included).saturating_mul(price)
}

/// Returns the number of clients that the received cents pay for (B4). At a price of zero every
/// client is paid for.
fn paid(received: i64, price: i64, excess: i64) -> i64 {
    received.max(0).checked_div(price).unwrap_or(excess)
}

/// Returns the number of remaining clients that are not paid for.
fn unpaid(clients: usize, departed: usize, included: Limit, paid: i64) -> i64 {
    excess_clients(clients.saturating_sub(departed), included)
        .saturating_sub(paid)
        .max(0)
}

/// Returns the first `count` clients that are not gone.
fn first_drawn<'a>(
    draw: &'a [String],
    departed: impl Fn(&String) -> bool + 'a,
    count: i64,
) -> impl Iterator<Item = String> + 'a {
    draw.iter()
        .filter(move |id| !departed(id))
        .take(usize::try_from(count).unwrap_or(0))
        .cloned()
}

impl Statement {
    /// Builds a statement. `draw` is the order in which its clients are disabled, if it is known.
    pub(super) fn new(counts: &StatementInputs<'_>, draw: Option<Vec<String>>) -> Self {
        let StatementInputs {
            clients,
            included,
            rule,
            departed,
            cents: [received, credit],
            ..
        } = *counts;
        let price = i64::try_from(counts.price).unwrap_or(i64::MAX);
        let excess = excess_clients(clients.len(), included);
        let paid = paid(received.saturating_add(credit), price, excess);
        let unpaid = unpaid(clients.len(), departed.len(), included, paid);
        let (fixed, settled) = (
            matches!(
                counts.status,
                StatementStatus::Closed | StatementStatus::Settled
            ),
            counts.status == StatementStatus::Settled,
        );
        let has_departed = |id: &String| departed.contains(id);
        let at_risk: Vec<String> = match (unpaid, &draw) {
            (0, _) => Vec::new(),
            (unpaid, Some(draw)) => first_drawn(draw, has_departed, unpaid).collect(),
            (_, None) => clients
                .iter()
                .filter(|id| !has_departed(id))
                .cloned()
                .collect(),
        };
        let [from, until, settle_from] = counts.bounds.clone();
        Self {
            owner: counts.owner.to_owned(),
            period: counts.period.to_owned(),
            from,
            until,
            settle_from,
            status: counts.status,
            clients: i64::try_from(clients.len()).unwrap_or(i64::MAX),
            included,
            excess,
            price_cents: price,
            due_cents: excess.saturating_mul(price),
            received_cents: received,
            credit_cents: credit,
            paid,
            unpaid,
            order: rule.order,
            seed: counts.seed.map(str::to_owned),
            choice: rule.choice.clone(),
            created: rule.created.clone(),
            disabled_before: rule.disabled_before.iter().cloned().collect(),
            rounds: rule.rounds.clone(),
            draw: draw.filter(|_| fixed).unwrap_or_default(),
            departed: departed.iter().cloned().collect(),
            disabled: if settled { at_risk.clone() } else { Vec::new() },
            at_risk,
        }
    }

    /// Reads a statement from JSON text.
    ///
    /// # Errors
    /// [`Error::Json`] or [`Error::DuplicateKey`] if the text is not a statement.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        crate::util::json::read("statement", text, 4)
    }

    /// Reads a statement from a JSON value.
    ///
    /// # Errors
    /// [`Error::Json`] if the value is not a statement.
    pub fn from_value(value: serde_json::Value) -> Result<Self, Error> {
        serde_json::from_value(value).map_err(|error| Error::Json {
            what: "statement".to_owned(),
            line: 1,
            column: 1,
            reason: error.to_string(),
        })
    }
}

/// Returns whether a statement is consistent (B5). Its sums must be right, its `draw` must follow
/// from its seed, and its disabled clients must follow from its `draw`.
///
/// Anyone can repeat the check by hand. Clients are ordered by HMAC-SHA-256 of their ids, with the
/// bytes of the seed as the key. Before that come the clients of earlier `rounds`, and before that
/// those that are not in `disabled_before`.
///
/// # Example: a statement that was altered
/// ```
/// let text = r#"{
///   "owner": "acme", "period": "2026-10", "from": "2026-10-01T00:00:00Z",
///   "until": "2026-11-01T00:00:00Z", "status": "settled", "clients": 2, "included": 1,
///   "excess": 1, "price_cents": 500, "due_cents": 500, "received_cents": 0, "paid": 0,
///   "unpaid": 1,
///   "order": "random", "seed": "0000000000000000000000000000000000000000000000000000000000000000",
///   "draw": ["bakery", "cafe"], "departed": [], "at_risk": ["bakery"], "disabled": ["bakery"]
/// }"#;
/// let mut statement = sublet::Statement::from_json(text)?;
/// assert!(sublet::verify_draw(&statement));
/// statement.disabled = vec!["cafe".to_owned()];
/// assert!(!sublet::verify_draw(&statement));
/// # Ok::<(), sublet::Error>(())
/// ```
#[must_use]
pub fn verify_draw(statement: &Statement) -> bool {
    let fixed = matches!(
        statement.status,
        StatementStatus::Closed | StatementStatus::Settled
    );
    let (Some(seed), true) = (&statement.seed, fixed) else {
        return false;
    };
    let mut clients = statement.draw.clone();
    clients.sort_unstable();
    let departed: BTreeSet<String> = statement.departed.iter().cloned().collect();
    let rule = DrawRule {
        order: statement.order,
        choice: statement.choice.clone(),
        created: statement.created.clone(),
        disabled_before: statement.disabled_before.iter().cloned().collect(),
        rounds: statement.rounds.clone(),
    };
    let is_known = |id: &String| clients.binary_search(id).is_ok();
    let mut named = departed
        .iter()
        .chain(&rule.choice)
        .chain(rule.created.keys())
        .chain(&rule.disabled_before)
        .chain(rule.rounds.keys());
    if clients
        .windows(2)
        .any(|pair| matches!(pair, [one, other] if one == other))
        || !named.all(is_known)
        || (rule.order != ExcessOrder::NewestFirst && !rule.created.is_empty())
    {
        return false;
    }
    let Ok(price) = u64::try_from(statement.price_cents) else {
        return false;
    };
    let draw = draw::order(&rule, seed, &clients);
    let counts = StatementInputs {
        owner: &statement.owner,
        period: &statement.period,
        bounds: [&statement.from, &statement.until, &statement.settle_from].map(String::clone),
        status: statement.status,
        clients: &clients,
        included: statement.included,
        price,
        rule: &rule,
        seed: Some(seed),
        departed: &departed,
        cents: [statement.received_cents, statement.credit_cents],
    };
    Statement::new(&counts, Some(draw)) == *statement
}
