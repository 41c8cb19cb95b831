//! Commands of the staff that record money: payments, settlements and top-ups (B13, B14).
//!
//! They change no record themselves. The engine writes them to the billing ledger or to the counts
//! of the account, in the transaction of the command.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CommandContext, CommandEffect, CommandTarget, entity};
use crate::model::reference::EntityRef;
use crate::util::error::Error;

/// Records that money of an owner was received for a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecordPayment {
    /// The id of the owner.
    pub account: String,
    /// The month that is paid, `YYYY-MM`. Default: the oldest month that is not paid (B9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// The amount in cents, at least 1.
    pub cents: i64,
}

/// Reverses a whole payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReversePayment {
    /// The id of the owner.
    pub account: String,
    /// The number of the payment.
    pub payment: u64,
}

/// Closes a month of an owner that is over: fixes its numbers and its draw. Disables nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CloseMonth {
    /// The id of the owner.
    pub account: String,
    /// The month that is closed, `YYYY-MM`.
    pub period: String,
}

/// Settles a month of an owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SettleOverage {
    /// The id of the owner.
    pub account: String,
    /// The month that is settled, `YYYY-MM`.
    pub period: String,
    /// The clients to disable first, if the catalog leaves the order to the owner (B6).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choice: Vec<String>,
}

/// Adds to the limit of a main account's meter for its present window, or permanently for a stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TopUp {
    /// The id of the account.
    pub account: String,
    /// The meter.
    pub meter: String,
    /// The amount by which the limit rises.
    pub amount: i64,
    /// The key by which the top-up can be revoked, such as the id of the charge. A second top-up
    /// with this key counts once (B14).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Revokes a top-up, for example after a charge-back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevokeTopUp {
    /// The id of the account.
    pub account: String,
    /// The key of the top-up.
    pub key: String,
}

/// Returns a target that is an existing account.
fn about_account(scene: &CommandContext<'_>, account: &str) -> Result<CommandTarget, Error> {
    scene.account(account)?;
    Ok(CommandTarget::new(
        EntityRef::new("Account", account),
        account,
    ))
}

impl CommandTarget {
    /// Adds the month that a command closes or settles.
    fn with_month(self, period: &str) -> Self {
        Self {
            month: Some(period.to_owned()),
            ..self.with("period", Value::from(period))
        }
    }

    /// Adds whether the month of the command is over, and whether its days of grace are. Only the
    /// billing ledger knows both.
    pub(crate) fn with_month_phase(self, is_over: bool, is_grace_over: bool) -> Self {
        self.with("month_over", is_over.into())
            .with("grace_over", is_grace_over.into())
    }
}

impl CommandEffect for RecordPayment {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let target = about_account(scene, &self.account)?.with("cents", Value::from(self.cents));
        Ok(match &self.period {
            Some(period) => target.with("period", Value::from(period.as_str())),
            None => target,
        })
    }
}

impl CommandEffect for ReversePayment {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let unknown = |_| Error::UnknownPayment {
            payment: self.payment,
        };
        let payment = i64::try_from(self.payment).map_err(unknown)?;
        Ok(about_account(scene, &self.account)?.with("payment", Value::from(payment)))
    }
}

impl CommandEffect for CloseMonth {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        Ok(about_account(scene, &self.account)?.with_month(&self.period))
    }
}

impl CommandEffect for SettleOverage {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let choice = self.choice.iter().map(|client| entity("Account", client));
        Ok(about_account(scene, &self.account)?
            .with_month(&self.period)
            .with("choice", choice.collect()))
    }
}

impl CommandEffect for TopUp {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        let target = about_account(scene, &self.account)?;
        if scene.catalog.meter(&self.meter).is_none() {
            return Err(Error::NoMeter {
                meter: crate::util::text::short(&self.meter),
            });
        }
        if self.amount < 0 {
            return Err(Error::Amount {
                amount: self.amount.to_string(),
            });
        }
        let target = target
            .with("meter", entity("Meter", &self.meter))
            .with("amount", Value::from(self.amount));
        Ok(match &self.key {
            Some(key) => target.with("key", Value::from(key.as_str())),
            None => target,
        })
    }
}

impl CommandEffect for RevokeTopUp {
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        Ok(about_account(scene, &self.account)?.with("key", Value::from(self.key.as_str())))
    }
}
