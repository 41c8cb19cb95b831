//! One record of the directory, typed and checked when it is created.

use std::collections::BTreeMap;
use std::io;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access_level::AccessLevel;
use super::account::{Account, AccountForm, AccountKind};
use super::domain::{Domain, DomainForm};
use super::member::{MemberForm, TeamMember};
use super::named_fields::NamedFields;
use super::operator::{Operator, OperatorForm, Platform};
use super::package::Package;
use super::reference::{EntityRef, check_id};
use crate::util::error::Error;
use crate::util::json;

/// One record. In JSON it is an object with its `type`.
///
/// # Example: an account from JSON
/// ```
/// let record = sublet::Record::from_json(
///     r#"{"type": "Account", "id": "acme", "email": "o@acme.example", "package": "agency"}"#,
/// )?;
/// assert_eq!(record.reference(), sublet::EntityRef::new("Account", "acme"));
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(description = "A record of the directory.")
)]
#[serde(tag = "type")]
pub enum Record {
    /// The vendor. A directory has one.
    Platform(Platform),
    /// A login of the platform's staff.
    Operator(#[cfg_attr(feature = "schema", schemars(with = "OperatorForm"))] Operator),
    /// A package that main accounts buy, beside those of the bundle's catalog.
    Package(Package),
    /// A named set of enabled features, of one owner (L2).
    AccessLevel(AccessLevel),
    /// A main account, which has a `package`, or a client account, which has an `owner` and a
    /// `level`.
    Account(#[cfg_attr(feature = "schema", schemars(with = "AccountForm"))] Account),
    /// A login that works inside one account (M1).
    TeamMember(#[cfg_attr(feature = "schema", schemars(with = "MemberForm"))] TeamMember),
    /// A host name. Its id is the name (D4).
    Domain(#[cfg_attr(feature = "schema", schemars(with = "DomainForm"))] Domain),
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum RecordJson {
    Platform(Platform),
    Operator(OperatorForm),
    Package(Package),
    AccessLevel(AccessLevel),
    Account(AccountForm),
    TeamMember(MemberForm),
    Domain(DomainForm),
}

/// A buffer for one line, with a maximum length.
struct LineBuffer {
    text: Vec<u8>,
    most: usize,
}

impl io::Write for LineBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len().saturating_add(bytes.len()) > self.most {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Maximum nesting of a record's JSON. The host's attributes are two levels inside it.
pub(crate) const NESTING: usize = 66;

#[allow(clippy::needless_pass_by_value, reason = "what `map_err` gives")]
fn fault(found: serde_json::Error) -> Error {
    Error::Record {
        line: 1,
        reason: found.to_string(),
    }
}

impl Record {
    /// The types that a record can have.
    pub const TYPES: [&str; 7] = [
        "Platform",
        "Operator",
        "Package",
        "AccessLevel",
        "Account",
        "TeamMember",
        "Domain",
    ];

    /// Reads a record from JSON text.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::DuplicateKey`] or [`Error::Nesting`] for a text that cannot be
    /// read. [`Error::Record`] for a wrong shape or an unknown field. The error of the field if a
    /// value is not valid, such as [`Error::Email`].
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let mut record = Self::read(text)?;
        #[expect(
            clippy::zero_sized_map_values,
            reason = "serde reads an object as a map"
        )]
        let fields: BTreeMap<String, IgnoredAny> = serde_json::from_str(text).map_err(fault)?;
        record.set_named(fields.into_keys().collect());
        Ok(record)
    }

    /// Reads a record that replaces no other, so its named fields are not tracked.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        json::check("record", text, NESTING)?;
        Self::checked(serde_json::from_str(text).map_err(fault)?)
    }

    /// Reads a record from a JSON value.
    ///
    /// # Errors
    /// [`Error::Record`] for a wrong shape or an unknown field, and the error of a field whose
    /// value is not valid, such as [`Error::Email`].
    pub fn from_value(value: Value) -> Result<Self, Error> {
        let named = value
            .as_object()
            .map(|fields| fields.keys().cloned().collect())
            .unwrap_or_default();
        let mut record = Self::checked(serde_json::from_value(value).map_err(fault)?)?;
        record.set_named(named);
        Ok(record)
    }

    fn set_named(&mut self, fields: NamedFields) {
        match self {
            Self::Package(package) => package.named = fields,
            Self::AccessLevel(level) => level.named = fields,
            Self::Account(account) => account.named = fields,
            Self::TeamMember(member) => member.named = fields,
            Self::Domain(domain) => domain.named = fields,
            Self::Operator(operator) => operator.named = fields,
            // All its fields are required.
            Self::Platform(_) => {}
        }
    }

    /// Returns the fields that this record names. A record that replaces another removes only
    /// these.
    pub(crate) fn named(&self) -> NamedFields {
        match self {
            Self::Package(package) => package.named.clone(),
            Self::AccessLevel(level) => level.named.clone(),
            Self::Account(account) => account.named.clone(),
            Self::TeamMember(member) => member.named.clone(),
            Self::Domain(domain) => domain.named.clone(),
            Self::Operator(operator) => operator.named.clone(),
            Self::Platform(_) => NamedFields::default(),
        }
    }

    /// Returns whether the record is a client that states that it has no level. Such a client does
    /// not get the level of its owner's package.
    pub(crate) fn has_no_level(&self) -> bool {
        matches!(self, Self::Account(account) if account.named.is_said("level") && matches!(account.kind(), AccountKind::Client { level: None, .. }))
    }

    /// Returns the record as one that names all its fields, so that it removes every field that it
    /// lacks.
    pub(crate) fn naming_all(mut self) -> Self {
        self.set_named(NamedFields::Stored);
        self
    }

    fn checked(form: RecordJson) -> Result<Self, Error> {
        let record = match form {
            RecordJson::Platform(platform) => Self::Platform(platform),
            RecordJson::Operator(form) => Self::Operator(form.try_into()?),
            RecordJson::Package(package) => Self::Package(package),
            RecordJson::AccessLevel(level) => Self::AccessLevel(level),
            RecordJson::Account(form) => Self::Account(form.try_into()?),
            RecordJson::TeamMember(form) => Self::TeamMember(form.try_into()?),
            RecordJson::Domain(form) => Self::Domain(form.try_into()?),
        };
        check_id(record.kind(), record.id())?;
        for (what, id) in record.named_ids() {
            check_id(what, id)?;
        }
        Ok(record)
    }

    /// Returns the ids of other records that this record names, each with the kind of the id.
    fn named_ids(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let named = match self {
            Self::Platform(_) | Self::Operator(_) => [None; 2],
            Self::Package(package) => [
                package.client_level().map(|level| ("access level", level)),
                None,
            ],
            Self::AccessLevel(level) => [level.owner().map(|owner| ("owner", owner)), None],
            Self::Account(account) => match account.kind() {
                AccountKind::Main { package } => [Some(("package", package.as_str())), None],
                AccountKind::Client { owner, level } => [
                    Some(("owner", owner.as_str())),
                    level.as_deref().map(|level| ("access level", level)),
                ],
            },
            Self::TeamMember(member) => [Some(("account", member.account())), None],
            Self::Domain(domain) => [domain.owner().map(|owner| ("owner", owner)), None],
        };
        named.into_iter().flatten()
    }

    /// Checks that [`Engine::import`](crate::Engine::import) accepts the line that an export writes
    /// for this record. The line has at most `most` bytes, and its values can be read.
    pub(crate) fn check_line(&self, most: usize) -> Result<(), Error> {
        let mut line = LineBuffer {
            text: Vec::new(),
            most,
        };
        let refused = |_| Error::Record {
            line: 1,
            reason: format!("it has more than {most} bytes"),
        };
        serde_json::to_writer(&mut line, self).map_err(refused)?;
        json::check("record", &String::from_utf8_lossy(&line.text), NESTING)
    }

    /// Returns the record's type.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Platform(_) => "Platform",
            Self::Operator(_) => "Operator",
            Self::Package(_) => "Package",
            Self::AccessLevel(_) => "AccessLevel",
            Self::Account(_) => "Account",
            Self::TeamMember(_) => "TeamMember",
            Self::Domain(_) => "Domain",
        }
    }

    /// Returns the record's id. The id of a domain is its normalised name, or `NAME/OWNER` for a
    /// claim.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Platform(platform) => platform.id(),
            Self::Operator(operator) => operator.id(),
            Self::Package(package) => package.id(),
            Self::AccessLevel(level) => level.id(),
            Self::Account(account) => account.id(),
            Self::TeamMember(member) => member.id(),
            Self::Domain(domain) => domain.id(),
        }
    }

    /// Returns the record's type and id.
    #[must_use]
    pub fn reference(&self) -> EntityRef {
        EntityRef::new(self.kind(), self.id())
    }
}
