//! A model of the months of one owner's bill (B4, B8, B9, B10), by plain lists. It shares no code
//! with the engine.

use std::collections::{BTreeMap, BTreeSet};

use crate::civil::{first_day, month_of};

const DAY: i64 = 86_400_000;
const SHORTEST_MONTH: i64 = 14 * DAY;

/// The figures of a month that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelMonth {
    /// The number of the month, counted from January of the year 0.
    pub month: i64,
    pub start: i64,
    pub end: i64,
    pub clients: BTreeSet<String>,
    /// The number of included clients, or `None` if it is unlimited.
    pub included: Option<i64>,
    pub price: i64,
    pub settled: bool,
}

impl ModelMonth {
    /// Returns the name of the month, `YYYY-MM`.
    #[must_use]
    pub fn name(&self) -> String {
        name(self.month)
    }

    /// Returns the number of clients over the included ones.
    #[must_use]
    pub fn excess(&self) -> i64 {
        excess(self.clients.len(), self.included)
    }

    /// Returns the cents that are due.
    #[must_use]
    pub fn due(&self) -> i64 {
        self.excess() * self.price
    }
}

/// An owner with its bill.
#[derive(Debug, Clone)]
pub struct ModelOwner {
    /// The anchor day, at most 28.
    pub anchor: i64,
    /// The offset of the zone from UTC, in milliseconds. It never changes.
    pub offset: i64,
    pub clients: BTreeSet<String>,
    pub included: Option<i64>,
    pub price: i64,
    pub over: Vec<ModelMonth>,
    /// The month that runs: its number and its bounds. A closed owner has none.
    pub running: Option<(i64, i64, i64)>,
    pub received: BTreeMap<String, i64>,
}

fn name(month: i64) -> String {
    format!(
        "{:04}-{:02}",
        month.div_euclid(12),
        month.rem_euclid(12) + 1
    )
}

fn excess(clients: usize, included: Option<i64>) -> i64 {
    included.map_or(0, |included| {
        (i64::try_from(clients).expect("small") - included).max(0)
    })
}

impl ModelOwner {
    /// Returns an owner that came at an instant, in UTC and without clients.
    #[must_use]
    pub fn new(now: i64, included: Option<i64>, price: i64) -> Self {
        let month = month_of(now);
        Self {
            anchor: 1,
            offset: 0,
            clients: BTreeSet::new(),
            included,
            price,
            over: Vec::new(),
            running: Some((month, first_day(month) * DAY, first_day(month + 1) * DAY)),
            received: BTreeMap::new(),
        }
    }

    /// Returns the instant at which a month of the present calendar begins.
    fn bound(&self, month: i64) -> i64 {
        (first_day(month) + self.anchor - 1) * DAY - self.offset
    }

    fn next(&self, start: i64) -> (i64, i64, i64) {
        let mut month = month_of(start) - 2;
        while self.bound(month + 1) <= start {
            month += 1;
        }
        let last = self.running.map(|(month, ..)| month);
        let last = last.or(self.over.last().map(|month| month.month));
        month = month.max(last.map_or(month, |last| last + 1));
        while self.bound(month + 1) - start < SHORTEST_MONTH {
            month += 1;
        }
        (month, start, self.bound(month + 1))
    }

    fn end_month(&mut self, (month, start, end): (i64, i64, i64)) {
        self.over.push(ModelMonth {
            month,
            start,
            end,
            clients: self.clients.clone(),
            included: self.included,
            price: self.price,
            settled: false,
        });
    }

    /// Lets the time come. Nothing else changes until then.
    pub fn advance(&mut self, now: i64) {
        while let Some(running) = self.running.filter(|running| running.2 <= now) {
            self.end_month(running);
            self.running = Some(self.next(running.2));
        }
    }

    /// Closes the owner.
    pub fn close(&mut self, now: i64) {
        if let Some((month, start, _)) = self.running.take().filter(|running| running.1 < now) {
            self.end_month((month, start, now));
        }
    }

    /// Reopens the owner.
    pub fn reopen(&mut self, now: i64) {
        self.running = Some(self.next(now));
    }

    /// Returns the name of the month that runs.
    #[must_use]
    pub fn running_name(&self) -> Option<String> {
        self.running.map(|(month, ..)| name(month))
    }

    /// Returns a month that is over.
    #[must_use]
    pub fn month(&self, period: &str) -> Option<&ModelMonth> {
        self.over.iter().find(|month| month.name() == period)
    }

    /// Returns whether clients are disabled for a settled month.
    #[must_use]
    pub fn has_overage(&self) -> bool {
        let mut settled = self.over.iter().filter(|month| month.settled);
        settled.any(|month| self.unpaid(month) > 0)
    }

    /// Returns the name of the month that a payment without a month belongs to.
    #[must_use]
    pub fn payable(&self) -> String {
        let oldest = self
            .over
            .iter()
            .find(|month| self.received(&month.name()) + self.credit(month.month) < month.due());
        oldest
            .map(ModelMonth::name)
            .or_else(|| self.running_name())
            .or(self.over.last().map(ModelMonth::name))
            .expect("a month")
    }

    /// Returns the cents received for a month.
    #[must_use]
    pub fn received(&self, period: &str) -> i64 {
        self.received.get(period).copied().unwrap_or(0)
    }

    /// Returns the credit that the months before `month` leave.
    #[must_use]
    pub fn credit(&self, month: i64) -> i64 {
        let before = self.over.iter().filter(|before| before.month < month);
        before.fold(0, |credit, before| {
            (credit + self.received(&before.name()) - before.due()).max(0)
        })
    }

    /// Returns the number of clients of a month that are neither paid for nor gone.
    #[must_use]
    pub fn unpaid(&self, month: &ModelMonth) -> i64 {
        let there = month.clients.intersection(&self.clients).count();
        let cents = self.received(&month.name()) + self.credit(month.month);
        (excess(there, month.included) - cents / month.price).max(0)
    }
}
