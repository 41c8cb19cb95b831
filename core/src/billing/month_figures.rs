//! The figures of a month that is not closed, and the rule of its draw.

use std::collections::{BTreeMap, BTreeSet};

use super::draw::DrawRule;
use super::month_list::BillingMonth;
use super::periods::{BillingLedger, ClosedMonth};
use super::statement;
use crate::model::calendar::instant_text;
use crate::model::catalog::{CountedKind as Counted, ExcessOrder};
use crate::model::clock::DAY;
use crate::model::limit::{EffectiveLimit, Limit};
use crate::quota::{self, MeterRequest, QuotaSubject};
use crate::util::error::Error;

/// The figures of a month.
pub(super) struct MonthFigures {
    pub(super) clients: Vec<String>,
    pub(super) included: Limit,
    pub(super) price: u64,
    pub(super) order: ExcessOrder,
    pub(super) settle_from: i64,
}

impl MonthFigures {
    /// Returns the cents that are due.
    pub(super) fn due(&self) -> i64 {
        statement::due(self.clients.len(), self.included, self.price)
    }
}

impl BillingLedger<'_> {
    /// Returns the figures of a month that is not closed: those of its last instant, or the present
    /// ones of the month that runs.
    ///
    /// This is exact. Each change of the owner's records closes the months that are over, and
    /// figures of the catalog and of packages are kept with the instant from which they hold (B8).
    pub(super) fn figures(&mut self, month: &BillingMonth) -> Result<MonthFigures, Error> {
        let last = month.end.saturating_sub(1).min(self.tx.now());
        let catalog = self.history.catalog_at(last);
        Ok(MonthFigures {
            clients: self.directory.clients_of(self.number),
            included: self.included(last)?,
            price: catalog.price,
            order: catalog.order,
            settle_from: self.settle_from(month),
        })
    }

    /// Returns the first instant at which a month may be settled, by the days of grace that are in
    /// force at its end.
    pub(super) fn settle_from(&self, month: &BillingMonth) -> i64 {
        let last = month.end.saturating_sub(1).min(self.tx.now());
        let grace = i64::from(self.history.catalog_at(last).grace_days);
        month.end.saturating_add(grace.saturating_mul(DAY))
    }

    /// Returns the number of clients that the package includes, which is the limit of the stock
    /// that counts clients.
    fn included(&mut self, at: i64) -> Result<Limit, Error> {
        let Some((meter, _)) = self
            .catalog
            .counted()
            .find(|(_, what)| *what == Counted::Clients)
        else {
            return Ok(Limit::Unlimited);
        };
        let package = self.directory.package_of(self.number);
        let allowance = EffectiveLimit {
            base: package.and_then(|package| self.history.included_at(package, at)),
            ..self.directory.allowance(self.number, meter, self.catalog)
        };
        let line = MeterRequest::of_stock(meter, allowance);
        let subject = QuotaSubject {
            account: self.owner,
            member: None,
            actor: None,
            calendar: self.directory.calendar(self.number),
        };
        quota::limit_of(self.tx, &subject, &line)
    }

    /// Returns the rule of a month's draw, and the seed if it continues an earlier draw.
    pub(super) fn draw_rule(
        &mut self,
        figures: &MonthFigures,
    ) -> Result<(DrawRule, Option<String>), Error> {
        let clients = &figures.clients;
        let disabled_before: BTreeSet<String> = clients
            .iter()
            .filter(|id| !self.directory.is_working(id))
            .cloned()
            .collect();
        let mut created = BTreeMap::new();
        if figures.order == ExcessOrder::NewestFirst {
            let known = |id: &String| {
                let at = self.directory.created(id).and_then(instant_text)?;
                Some((id.clone(), at))
            };
            created.extend(clients.iter().filter_map(known));
        }
        let earlier = self.continued_month()?;
        let rounds = earlier
            .as_ref()
            .map(|earlier| next_rounds(earlier, clients, &disabled_before))
            .unwrap_or_default();
        let rule = DrawRule {
            order: figures.order,
            choice: Vec::new(),
            created,
            disabled_before,
            rounds,
        };
        Ok((rule, earlier.map(|earlier| earlier.seed)))
    }

    /// Returns the month whose draw a newly closed month continues (B11): the last closed month
    /// that shares the seed of the last month that is not paid.
    fn continued_month(&mut self) -> Result<Option<ClosedMonth>, Error> {
        let Some(unpaid) = self.months.owing.last().cloned() else {
            return Ok(None);
        };
        let unpaid = self.closed(&unpaid)?;
        let last = self.months.closed.keys().next_back().cloned();
        let last = match last {
            Some(last) => self.closed(&last)?,
            None => None,
        };
        let shares_seed = |last: &ClosedMonth| {
            let known = unpaid.as_ref();
            known.is_some_and(|unpaid| unpaid.seed == last.seed)
        };
        Ok(last.filter(shares_seed).or(unpaid))
    }
}

/// Returns the rounds of the clients in a draw that continues an earlier one. New clients, and
/// those that were disabled for another reason then, come after the clients of the earlier draw. So the disabled
/// clients of two unpaid months are no more than the larger number (B11).
fn next_rounds(
    earlier: &ClosedMonth,
    clients: &[String],
    disabled_before: &BTreeSet<String>,
) -> BTreeMap<String, u32> {
    let known = &earlier.rule.rounds;
    let next = known
        .values()
        .max()
        .map_or(1, |last| last.saturating_add(1));
    let drawn: BTreeSet<&String> = earlier.draw.iter().collect();
    let round = |id: &String| {
        let is_back = earlier.rule.disabled_before.contains(id) && !disabled_before.contains(id);
        if !drawn.contains(id) || is_back {
            return Some(next);
        }
        known.get(id).copied()
    };
    let rounds = clients
        .iter()
        .filter_map(|id| Some((id.clone(), round(id)?)));
    rounds.collect()
}
