//! What an owner owes for a month, and who is disabled for it: shape and sums. Counts and whole
//! cents, no clock, no store.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::draw;
use crate::model::catalog::ExcessOrder;
use crate::model::limit::Limit;
use crate::util::error::Error;

/// How far a statement has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementStatus {
    /// The month runs: a preview of what will be owed if nothing changes (B6).
    Open,
    /// The month is over, and nothing has fixed what it came to.
    Ended,
    /// Numbers and seed are fixed; nobody is disabled for it.
    Closed,
    /// The draw is in force.
    Settled,
}

/// What an owner owes the platform for client accounts over his package's number, in one of his
/// months (B2 to B6).
///
/// The same JSON in every language. [`verify_draw`] re-checks one from nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The owner's account.
    pub owner: String,
    /// The month, `YYYY-MM`: the owner's, which begins in that month of his calendar.
    pub period: String,
    /// Its first instant, as RFC 3339 in UTC.
    pub from: String,
    /// The first instant after it.
    pub until: String,
    /// How far it has come.
    pub status: StatementStatus,
    /// Client accounts not closed at its last instant; now, while it is open.
    pub clients: i64,
    /// How many of them the package includes.
    pub included: Limit,
    /// How many are over that (B4).
    pub excess: i64,
    /// The price of one for the month, in cents.
    pub price_cents: i64,
    /// `excess` times `price_cents`.
    pub due_cents: i64,
    /// What was received for it, less what was reversed.
    pub received_cents: i64,
    /// How many clients that pays for.
    pub paid: i64,
    /// How many are neither paid for nor gone: so many are disabled once it is settled.
    pub unpaid: i64,
    /// Whose turn it is first.
    pub order: ExcessOrder,
    /// What the draw is drawn with, 32 bytes as hexadecimal digits; of the operating system, taken
    /// when it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// Whom the owner named, where that is the order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choice: Vec<String>,
    /// When clients were created, where that is the order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub created: BTreeMap<String, String>,
    /// All its clients in the order in which they are disabled; empty while that is not known.
    pub draw: Vec<String>,
    /// Clients of it that have been closed or have left the owner since: they count no more, and
    /// free whom they pay for.
    pub gone: Vec<String>,
    /// Who is at risk: everybody, while the draw is not known; else who will be disabled, or is.
    pub at_risk: Vec<String>,
    /// Who is disabled for it: the first `unpaid` of `draw` without those that are gone, once it is
    /// settled.
    pub disabled: Vec<String>,
}

/// What a statement is made of.
#[derive(Debug, Clone)]
pub(super) struct StatementInputs<'a> {
    pub(super) owner: &'a str,
    pub(super) period: &'a str,
    pub(super) bounds: [String; 2],
    pub(super) status: StatementStatus,
    pub(super) clients: &'a [String],
    pub(super) created: &'a BTreeMap<String, String>,
    pub(super) included: Limit,
    pub(super) price: u64,
    pub(super) order: ExcessOrder,
    /// From its closing on.
    pub(super) seed: Option<&'a str>,
    pub(super) choice: &'a [String],
    pub(super) gone: &'a BTreeSet<String>,
    pub(super) received: i64,
}

/// How many are over what is included.
fn excess_clients(clients: usize, included: Limit) -> i64 {
    match included {
        Limit::Number(included) => i64::try_from(clients)
            .unwrap_or(i64::MAX)
            .saturating_sub(included)
            .max(0),
        Limit::Unlimited => 0,
    }
}

/// How many clients so much pays for (B4). What costs nothing is paid for.
fn paid(received: i64, price: i64, excess: i64) -> i64 {
    received.max(0).checked_div(price).unwrap_or(excess)
}

/// How many of the clients that are still there are not paid for.
fn unpaid(clients: usize, gone: usize, included: Limit, paid: i64) -> i64 {
    excess_clients(clients.saturating_sub(gone), included)
        .saturating_sub(paid)
        .max(0)
}

/// The first so many that are not gone.
fn first_drawn<'a>(
    draw: &'a [String],
    gone: impl Fn(&String) -> bool + 'a,
    count: i64,
) -> impl Iterator<Item = String> + 'a {
    draw.iter()
        .filter(move |id| !gone(id))
        .take(usize::try_from(count).unwrap_or(0))
        .cloned()
}

impl Statement {
    /// `draw` is the order in which its clients are disabled, where that is known.
    pub(super) fn new(counts: &StatementInputs<'_>, draw: Option<Vec<String>>) -> Self {
        let StatementInputs {
            clients,
            created,
            included,
            order,
            choice,
            gone,
            received,
            ..
        } = *counts;
        let price = i64::try_from(counts.price).unwrap_or(i64::MAX);
        let excess = excess_clients(clients.len(), included);
        let paid = paid(received, price, excess);
        let unpaid = unpaid(clients.len(), gone.len(), included, paid);
        let (fixed, settled) = (
            matches!(
                counts.status,
                StatementStatus::Closed | StatementStatus::Settled
            ),
            counts.status == StatementStatus::Settled,
        );
        let is_gone = |id: &String| gone.contains(id);
        let at_risk: Vec<String> = match (unpaid, &draw) {
            (0, _) => Vec::new(),
            (unpaid, Some(draw)) => first_drawn(draw, is_gone, unpaid).collect(),
            (_, None) => clients.iter().filter(|id| !is_gone(id)).cloned().collect(),
        };
        let [from, until] = counts.bounds.clone();
        Self {
            owner: counts.owner.to_owned(),
            period: counts.period.to_owned(),
            from,
            until,
            status: counts.status,
            clients: i64::try_from(clients.len()).unwrap_or(i64::MAX),
            included,
            excess,
            price_cents: price,
            due_cents: excess.saturating_mul(price),
            received_cents: received,
            paid,
            unpaid,
            order,
            seed: counts.seed.map(str::to_owned),
            choice: choice.to_vec(),
            created: if order == ExcessOrder::NewestFirst {
                created.clone()
            } else {
                BTreeMap::new()
            },
            draw: draw.filter(|_| fixed).unwrap_or_default(),
            gone: gone.iter().cloned().collect(),
            disabled: if settled { at_risk.clone() } else { Vec::new() },
            at_risk,
        }
    }

    /// Reads a statement from JSON text.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::DuplicateKey`] for what is no statement.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        crate::util::json::read("statement", text, 4)
    }

    /// Reads a statement from a JSON value.
    ///
    /// # Errors
    /// [`Error::Json`] for what is no statement.
    pub fn from_value(value: serde_json::Value) -> Result<Self, Error> {
        serde_json::from_value(value).map_err(|found| Error::Json {
            what: "statement".to_owned(),
            line: 1,
            column: 1,
            reason: found.to_string(),
        })
    }
}

/// Whether a statement's sums are right, its draw is the one that its seed gives, and who is
/// disabled is who the draw says (B5).
///
/// Anyone can check it by hand: the order is that of HMAC-SHA-256, keyed with the seed's bytes, of
/// the clients' ids.
///
/// # Example: a statement that somebody has altered
/// ```
/// let text = r#"{
///   "owner": "acme", "period": "2026-10", "from": "2026-10-01T00:00:00Z", "until": "2026-11-01T00:00:00Z", "status": "settled",
///   "clients": 2, "included": 1, "excess": 1, "price_cents": 500, "due_cents": 500, "received_cents": 0, "paid": 0, "unpaid": 1,
///   "order": "random", "seed": "0000000000000000000000000000000000000000000000000000000000000000",
///   "draw": ["bakery", "cafe"], "gone": [], "at_risk": ["bakery"], "disabled": ["bakery"]
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
    let gone: BTreeSet<String> = statement.gone.iter().cloned().collect();
    if clients
        .windows(2)
        .any(|pair| matches!(pair, [one, other] if one == other))
        || !gone.iter().all(|id| clients.binary_search(id).is_ok())
    {
        return false;
    }
    let Ok(price) = u64::try_from(statement.price_cents) else {
        return false;
    };
    let draw = draw::order(
        statement.order,
        seed,
        &clients,
        &statement.created,
        &statement.choice,
    );
    let counts = StatementInputs {
        owner: &statement.owner,
        period: &statement.period,
        bounds: [statement.from.clone(), statement.until.clone()],
        status: statement.status,
        clients: &clients,
        created: &statement.created,
        included: statement.included,
        price,
        order: statement.order,
        seed: Some(seed),
        choice: &statement.choice,
        gone: &gone,
        received: statement.received_cents,
    };
    Statement::new(&counts, Some(draw)) == *statement
}
