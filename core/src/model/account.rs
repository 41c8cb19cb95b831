//! Accounts: main accounts, which the platform bills, and client accounts, which an owner created.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::calendar::{self, Calendar};
use super::email;
use super::flags::AccountFlags;
use super::level_form::LevelForm;
use super::limit::Limits;
use super::named_fields::NamedFields;
use super::pending_email::PendingEmail;
use super::reference::check_id;
use super::transfer::PendingTransfer;
use crate::util::error::Error;

/// A reason for which an account is disabled (C7). An account can have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DisableReason {
    /// The client was drawn for its owner's unpaid excess (B3).
    Overage,
    /// The owner disabled its client.
    ByOwner,
    /// The main account did not pay.
    Unpaid,
    /// The account was used for abuse.
    Abuse,
}

impl DisableReason {
    /// Returns the name in the schema's `DisableReason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overage => "overage",
            Self::ByOwner => "by_owner",
            Self::Unpaid => "unpaid",
            Self::Abuse => "abuse",
        }
    }

    /// Returns whether an account of this kind can have the reason (C7).
    pub(crate) fn fits(self, kind: &AccountKind) -> bool {
        match self {
            Self::Overage | Self::ByOwner => matches!(kind, AccountKind::Client { .. }),
            Self::Unpaid => matches!(kind, AccountKind::Main { .. }),
            Self::Abuse => true,
        }
    }
}

/// The kind of an account: billed by the platform, or owned by another account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountKind {
    /// A main account. The platform bills it.
    Main {
        /// The package that the account bought.
        package: String,
    },
    /// A client account. A whitelabel owner created it.
    Client {
        /// The owner's account.
        owner: String,
        /// The access level. Without a level the client has no features (`access_level_missing`).
        level: Option<String>,
    },
}

/// An entity with its own data, limits and members. The login of an account is a principal.
///
/// # Example: a client account
/// ```
/// use sublet::Record;
/// let record = Record::from_json(
///     r#"{"type": "Account", "id": "bakery", "email": "hello@bakery.example", "owner": "acme"}"#,
/// )?;
/// assert!(matches!(record, Record::Account(account) if account.owner() == Some("acme")));
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "AccountForm")]
pub struct Account {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) kind: AccountKind,
    pub(crate) flags: AccountFlags,
    pub(crate) disabled: BTreeSet<DisableReason>,
    pub(crate) limits: Limits,
    pub(crate) calendar: Option<Calendar>,
    pub(crate) pending: Option<PendingEmail>,
    /// The offer of this client to another owner.
    pub(crate) transfer: Option<PendingTransfer>,
    /// When the account was created, in milliseconds since 1970 UTC, if that is known.
    pub(crate) created: Option<i64>,
    /// When the account was closed, in milliseconds since 1970 UTC, if that is known.
    pub(crate) closed_at: Option<i64>,
    /// The instant before which the login's sessions do not count, in milliseconds since 1970 UTC.
    pub(crate) not_before: Option<i64>,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) named: NamedFields,
}

impl Account {
    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the login's e-mail, normalised (I3).
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Returns whether the account is a main or a client account, with its package or owner.
    #[must_use]
    pub fn kind(&self) -> &AccountKind {
        &self.kind
    }

    /// Returns the owner of a client account.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        match &self.kind {
            AccountKind::Client { owner, .. } => Some(owner),
            AccountKind::Main { .. } => None,
        }
    }

    /// Returns the package of a main account.
    #[must_use]
    pub fn package(&self) -> Option<&str> {
        match &self.kind {
            AccountKind::Main { package } => Some(package),
            AccountKind::Client { .. } => None,
        }
    }

    /// Returns the access level of a client account.
    #[must_use]
    pub fn level(&self) -> Option<&str> {
        match &self.kind {
            AccountKind::Client { level, .. } => level.as_deref(),
            AccountKind::Main { .. } => None,
        }
    }

    /// Returns whether the login's e-mail is confirmed (C4).
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.flags.confirmed
    }

    /// Returns whether the account is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.flags.closed
    }

    /// Returns whether the personal data of the account was erased (C14).
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.flags.erased
    }

    /// Returns the reasons for which the account is disabled. Empty if the account is not disabled.
    pub fn disabled(&self) -> impl Iterator<Item = DisableReason> + '_ {
        self.disabled.iter().copied()
    }

    /// Returns the limits set on this account itself (L6).
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the time zone and the anchor day of the account's windows (Q9). `None` stands for
    /// UTC and the first of the month.
    #[must_use]
    pub fn calendar(&self) -> Option<&Calendar> {
        self.calendar.as_ref()
    }

    /// Returns the e-mail that waits for confirmation, if there is one (I4).
    #[must_use]
    pub fn pending_email(&self) -> Option<&str> {
        self.pending.as_ref().map(|pending| pending.email.as_str())
    }

    /// Returns the owner to whom this client is offered, if there is an offer (see
    /// [`OfferTransfer`](crate::OfferTransfer)).
    #[must_use]
    pub fn offered_to(&self) -> Option<&str> {
        self.transfer.as_ref().map(|offer| offer.to.as_str())
    }

    /// Returns when the account was created, in milliseconds since 1970 UTC, if that is known.
    #[must_use]
    pub fn created(&self) -> Option<i64> {
        self.created
    }

    /// Returns when the account was closed, in milliseconds since 1970 UTC, if that is known (C9).
    #[must_use]
    pub fn closed_at(&self) -> Option<i64> {
        self.closed_at
    }

    /// Returns the instant before which the login's sessions do not count, in milliseconds since
    /// 1970 UTC (I7).
    #[must_use]
    pub fn not_before(&self) -> Option<i64> {
        self.not_before
    }

    /// Returns the attributes that the host stores with the account.
    #[must_use]
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }
}

/// An account as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountForm {
    /// The id, unique among the records of its type.
    id: String,
    /// The e-mail of the login.
    email: String,
    /// The package of a main account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    /// The account that owns a client account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// The access level of a client. Absent in a new record: the level that the package of the
    /// owner names; `null`: none (L7).
    #[serde(default, skip_serializing_if = "LevelForm::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    level: LevelForm,
    /// Whether the e-mail is confirmed. Absent: false (C4).
    #[serde(default)]
    confirmed: bool,
    /// Whether the account is closed. Absent: false.
    #[serde(default)]
    closed: bool,
    /// Whether the personal data of the account was erased. Absent: false (C14).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
    /// The reasons for which the account is disabled. Absent: none (C7).
    #[serde(default)]
    disabled: Vec<DisableReason>,
    /// The limits of the account itself, by meter. They override those of package and level (L6).
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    limits: Limits,
    /// The IANA time zone in which the account's days and months begin. Absent: UTC (Q9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    /// The day from which the account's months are counted, `YYYY-MM-DD`. Absent: the first of the
    /// month (Q9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anchor: Option<String>,
    /// An e-mail that waits to be confirmed (I4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<PendingEmail>,
    /// The offer of a client to another owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transfer: Option<PendingTransfer>,
    /// The instant at which the account was created. RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// The instant at which the account was closed. RFC 3339 (C9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_at: Option<String>,
    /// The instant before which the login's sessions do not count. RFC 3339 (I7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    /// The host's attributes, as the schema's `AccountAttributes` declares them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
}

impl From<Account> for AccountForm {
    fn from(account: Account) -> Self {
        let (package, owner, level) = match account.kind {
            AccountKind::Main { package } => (Some(package), None, LevelForm::Absent),
            AccountKind::Client { owner, level } => (None, Some(owner), LevelForm::from(level)),
        };
        Self {
            id: account.id,
            email: account.email,
            package,
            owner,
            level,
            confirmed: account.flags.confirmed,
            closed: account.flags.closed,
            erased: account.flags.erased,
            disabled: account.disabled.into_iter().collect(),
            limits: account.limits,
            zone: account
                .calendar
                .as_ref()
                .and_then(Calendar::zone)
                .map(str::to_owned),
            anchor: account.calendar.as_ref().and_then(Calendar::anchor),
            pending: account.pending,
            transfer: account.transfer,
            created: account.created.and_then(calendar::instant_text),
            closed_at: account.closed_at.and_then(calendar::instant_text),
            not_before: account.not_before.and_then(calendar::instant_text),
            attributes: account.attributes,
        }
    }
}

impl TryFrom<AccountForm> for Account {
    type Error = Error;

    fn try_from(form: AccountForm) -> Result<Self, Error> {
        // A line of a store or a file may state with `null` that the client has no level.
        let named = if matches!(form.level, LevelForm::None) {
            NamedFields::Stored
        } else {
            NamedFields::Made
        };
        let kind = match (form.package, form.owner, Option::from(form.level)) {
            (Some(package), None, None) => AccountKind::Main { package },
            (None, Some(owner), level) => AccountKind::Client { owner, level },
            _ => return Err(Error::AccountKind { account: form.id }),
        };
        if let Some(reason) = form.disabled.iter().find(|reason| !reason.fits(&kind)) {
            return Err(Error::DisableReason {
                account: form.id,
                reason: reason.as_str().to_owned(),
            });
        }
        if form.transfer.is_some() && matches!(kind, AccountKind::Main { .. }) {
            return Err(Error::NotClient { account: form.id });
        }
        check_id("account", &form.id)?;
        Ok(Self {
            email: email::normalise(&form.email)?,
            id: form.id,
            kind,
            flags: AccountFlags {
                confirmed: form.confirmed,
                closed: form.closed,
                erased: form.erased,
            },
            disabled: form.disabled.into_iter().collect(),
            limits: form.limits,
            calendar: match (form.zone, form.anchor) {
                (None, None) => None,
                (zone, anchor) => Some(Calendar::new(zone.as_deref(), anchor.as_deref())?),
            },
            pending: form.pending,
            transfer: form.transfer,
            created: form
                .created
                .as_deref()
                .map(calendar::parse_instant)
                .transpose()?,
            closed_at: form
                .closed_at
                .as_deref()
                .map(calendar::parse_instant)
                .transpose()?,
            not_before: form
                .not_before
                .as_deref()
                .map(calendar::parse_instant)
                .transpose()?,
            attributes: form.attributes,
            named,
        })
    }
}
