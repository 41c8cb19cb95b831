//! The list of an owner's closed months.

use super::periods::BillingLedger;
use crate::util::error::Error;

impl BillingLedger<'_> {
    /// Returns the names of the closed months, oldest first.
    pub(crate) fn closed_months(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.months()?.closed.into_keys().collect())
    }
}
