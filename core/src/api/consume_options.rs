//! Options of a call that consumes: amounts, idempotency key, and partial grants.

use crate::util::error::Error;

/// Amount that a caller of a binding consumes without an amount of its own.
pub const DEFAULT_AMOUNT: i64 = 1;

/// The options of [`Engine::consume`](crate::Engine::consume).
///
/// # Example: two hundred e-mails, once
/// ```
/// use sublet::ConsumeOptions;
/// let options = ConsumeOptions::new(200).idempotency_key("campaign-17/batch-3");
/// assert_eq!(options.idempotency_key, Some("campaign-17/batch-3"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct ConsumeOptions<'a> {
    /// The amount for each meter of the action.
    pub amount: i64,
    /// Amounts for single meters, by meter. They replace `amount`.
    pub amounts: Vec<(&'a str, i64)>,
    /// The idempotency key, unique in the account. A retry with the same key returns the first
    /// granted answer (Q7).
    pub idempotency_key: Option<&'a str>,
    /// Whether to grant the remainder if the limit does not allow the full amount (Q5).
    pub allow_partial: bool,
}

impl<'a> ConsumeOptions<'a> {
    /// Creates options that take this amount of each meter of the action.
    #[must_use]
    pub fn new(amount: i64) -> Self {
        Self {
            amount,
            ..Self::default()
        }
    }

    /// Sets the amount of one meter.
    #[must_use]
    pub fn meter(mut self, meter: &'a str, amount: i64) -> Self {
        self.amounts.push((meter, amount));
        self
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn idempotency_key(mut self, key: &'a str) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    /// Grants the remainder if the limit does not allow the full amount.
    #[must_use]
    pub fn allow_partial(mut self) -> Self {
        self.allow_partial = true;
        self
    }

    /// Fails with [`Error::Amount`] if an amount is negative (Q2).
    pub(crate) fn check(&self) -> Result<(), Error> {
        std::iter::once(self.amount)
            .chain(self.amounts.iter().map(|(_, amount)| *amount))
            .try_for_each(check_amount)
    }

    /// Returns the amount for a meter.
    pub(crate) fn amount_of(&self, meter: &str) -> i64 {
        self.amounts
            .iter()
            .find(|(name, _)| *name == meter)
            .map_or(self.amount, |(_, amount)| *amount)
    }
}

/// Fails with [`Error::Amount`] if the amount is negative (Q2).
pub(crate) fn check_amount(amount: i64) -> Result<(), Error> {
    if amount >= 0 {
        return Ok(());
    }
    Err(Error::Amount {
        amount: amount.to_string(),
    })
}
