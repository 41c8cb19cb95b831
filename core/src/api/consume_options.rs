//! How much is taken, and under which key.

use crate::util::error::Error;

/// What [`Engine::consume`](crate::Engine::consume) takes.
///
/// # Example: two hundred e-mails, once
/// ```
/// use sublet::ConsumeOptions;
/// let take = ConsumeOptions::new(200).key("campaign-17/batch-3");
/// assert_eq!(take.key, Some("campaign-17/batch-3"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct ConsumeOptions<'a> {
    /// How much of each of the action's meters.
    pub amount: i64,
    /// How much of single meters, where they differ.
    pub amounts: Vec<(&'a str, i64)>,
    /// A retry with the same key gives the first granted answer (Q7); unique in the account.
    pub key: Option<&'a str>,
    /// Whether what is left is granted where all is too much (Q5).
    pub up_to: bool,
}

impl<'a> ConsumeOptions<'a> {
    /// So much of each of the action's meters.
    #[must_use]
    pub fn new(amount: i64) -> Self {
        Self {
            amount,
            ..Self::default()
        }
    }

    /// The same, but so much of this meter.
    #[must_use]
    pub fn meter(mut self, meter: &'a str, amount: i64) -> Self {
        self.amounts.push((meter, amount));
        self
    }

    /// The same, under a key.
    #[must_use]
    pub fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }

    /// The same, or what is left.
    #[must_use]
    pub fn allow_partial(mut self) -> Self {
        self.up_to = true;
        self
    }

    /// Q2: amounts are from 0 on.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let bad = std::iter::once(self.amount)
            .chain(self.amounts.iter().map(|(_, amount)| *amount))
            .find(|amount| *amount < 0);
        bad.map_or(Ok(()), |amount| {
            Err(Error::Amount {
                amount: amount.to_string(),
            })
        })
    }

    /// How much of a meter.
    pub(crate) fn of(&self, meter: &str) -> i64 {
        self.amounts
            .iter()
            .find(|(name, _)| *name == meter)
            .map_or(self.amount, |(_, amount)| *amount)
    }
}
