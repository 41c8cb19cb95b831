//! The months of one owner: closed ones with their bounds and sums, and the first that is not
//! closed. They follow one another without a gap while the owner is not closed (B10).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::calendar::{Calendar, Window};
use crate::util::error::Error;

/// A month of an owner: its name and its bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BillingMonth {
    pub(super) name: String,
    pub(super) start: i64,
    /// The first instant after the month.
    pub(super) end: i64,
}

impl BillingMonth {
    pub(super) fn new((name, window): (String, Window)) -> Self {
        Self {
            name,
            start: window.start,
            end: window.end,
        }
    }

    /// Returns the month after this one. Only a month that is not closed yet follows the present
    /// calendar.
    pub(super) fn next(&self, calendar: &Calendar) -> Result<Self, Error> {
        calendar
            .month_after(self.end, Some(&self.name))
            .map(Self::new)
    }
}

/// The bounds and the sum of a closed month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClosedBounds {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) due: i64,
}

/// The months of an owner. Names sort like instants, because each month's name is greater than the
/// one before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MonthList {
    pub(super) closed: BTreeMap<String, ClosedBounds>,
    /// The first month that is not closed. A closed owner has none.
    pub(super) open: Option<BillingMonth>,
    /// The closed months whose sum was not received when the ledger was written.
    pub(super) owing: BTreeSet<String>,
    /// The cents received for each month, less those reversed.
    pub(super) received: BTreeMap<String, i64>,
}

impl MonthList {
    /// Returns the cents received for a month.
    pub(super) fn received(&self, name: &str) -> i64 {
        self.received.get(name).copied().unwrap_or(0)
    }

    /// Returns the credit that the closed months before `name` leave (B9).
    pub(super) fn credit_before(&self, name: &str) -> i64 {
        self.closed
            .range::<str, _>((std::ops::Bound::Unbounded, std::ops::Bound::Excluded(name)))
            .fold(0, |credit, (month, bounds)| {
                credit_after(credit, self.received(month), bounds.due)
            })
    }

    /// Returns the closed months whose sum is not received, with the credit of earlier ones.
    pub(super) fn find_owing(&self) -> BTreeSet<String> {
        let (mut owing, mut credit) = (BTreeSet::new(), 0);
        for (name, bounds) in &self.closed {
            let received = self.received(name);
            if received.saturating_add(credit) < bounds.due {
                owing.insert(name.clone());
            }
            credit = credit_after(credit, received, bounds.due);
        }
        owing
    }
}

/// Returns the credit after a month: what was received and credited above the sum due.
pub(super) fn credit_after(credit: i64, received: i64, due: i64) -> i64 {
    credit.saturating_add(received).saturating_sub(due).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(months: &[(&str, i64, i64)]) -> MonthList {
        let bounds = |due| ClosedBounds {
            start: 0,
            end: 0,
            due,
        };
        MonthList {
            closed: months
                .iter()
                .map(|(name, due, _)| ((*name).to_owned(), bounds(*due)))
                .collect(),
            received: months
                .iter()
                .map(|(name, _, received)| ((*name).to_owned(), *received))
                .collect(),
            ..MonthList::default()
        }
    }

    #[test]
    fn surplus_is_credit_of_next_month() {
        let months = list(&[
            ("2026-01", 500, 1_700),
            ("2026-02", 500, 0),
            ("2026-03", 1_000, 0),
        ]);
        let credits =
            ["2026-01", "2026-02", "2026-03", "2026-04"].map(|name| months.credit_before(name));
        assert_eq!(credits, [0, 1_200, 700, 0]);
        assert_eq!(months.find_owing(), BTreeSet::from(["2026-03".to_owned()]));
    }

    #[test]
    fn debt_takes_no_later_payment() {
        let months = list(&[("2026-01", 500, 0), ("2026-02", 500, 700)]);
        assert_eq!(months.credit_before("2026-02"), 0);
        assert_eq!(months.find_owing(), BTreeSet::from(["2026-01".to_owned()]));
    }
}
