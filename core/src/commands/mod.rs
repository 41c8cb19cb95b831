//! Commands: requested changes of the directory.
//!
//! Each command states the request that the policies decide and the records that it changes. Only
//! the policies decide whether it is permitted.

mod account;
mod client;
mod domain;
mod email;
mod level;
mod member;
mod package;
mod transfer;

use std::cell::OnceCell;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::account::{CloseAccount, CreateAccount, DisableAccount, RestoreAccount};
pub use self::client::{AttachLevel, CreateClient};
pub use self::domain::{AddDomain, QuarantineDomain, ReleaseDomain, RemoveDomain, VerifyDomain};
pub use self::email::{AcceptInvitation, ChangeEmail, ConfirmEmail, ResendConfirmation};
pub use self::level::{CreateLevel, DeleteLevel, EditLevel};
pub use self::member::{EditMember, GrantMember, InviteMember, RemoveMember};
pub use self::package::{ChangePackage, EditAccount};
pub use self::transfer::{AcceptTransfer, CancelTransfer, ConsentTransfer, OfferTransfer};
use crate::directory::{Change, Directory};
use crate::model::catalog::Catalog;
use crate::model::limit::Limits;
use crate::model::pending_email;
use crate::model::reference::{EntityRef, check_id};
use crate::util::error::Error;
use crate::util::json;

/// A requested change of the directory. In JSON it is an object whose `do` field names the command.
///
/// The policies decide the action that the schema marks with `@asks` and the command's name.
///
/// # Example: a client account from JSON
/// ```
/// let command = sublet::Command::from_json(r#"{"do": "create_client", "id": "bakery", "email": "hello@bakery.example"}"#)?;
/// assert_eq!(command.name(), "create_client");
/// # Ok::<(), sublet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Creates a main account, by the platform's staff.
    CreateAccount(CreateAccount),
    /// Changes the package of an account (B7, D8).
    ChangePackage(ChangePackage),
    /// Edits an account's own limits, time zone and attributes (Q10, Q11).
    EditAccount(EditAccount),
    /// Creates a client account of an owner (C3).
    CreateClient(CreateClient),
    /// Edits a client's limits, time zone and attributes, by its owner (L6).
    EditClient(EditAccount),
    /// Attaches another access level to a client (L1, L3).
    AttachLevel(AttachLevel),
    /// Adds a reason for which an account is disabled (C7).
    Disable(DisableAccount),
    /// Removes a reason for which an account is disabled.
    Restore(RestoreAccount),
    /// Closes an account. Its data stays.
    Close(CloseAccount),
    /// Offers a client to another owner.
    OfferTransfer(OfferTransfer),
    /// Records the client's consent to the offer.
    ConsentTransfer(ConsentTransfer),
    /// Moves the client to the other owner.
    AcceptTransfer(AcceptTransfer),
    /// Ends the offer.
    CancelTransfer(CancelTransfer),
    /// Invites a member, who holds a seat from now on (M8).
    InviteMember(InviteMember),
    /// Sets the features that a member may use (M3, M5).
    GrantMember(GrantMember),
    /// Edits a member's part of the limits, and the member's attributes (M7).
    EditMember(EditMember),
    /// Removes a member.
    RemoveMember(RemoveMember),
    /// Creates an access level of an owner (L2).
    CreateLevel(CreateLevel),
    /// Edits a level's features and limits (L2, L5).
    EditLevel(EditLevel),
    /// Deletes a level and gives its clients a replacement (L3).
    DeleteLevel(DeleteLevel),
    /// Adds a whitelabel domain, which is pending (D4).
    AddDomain(AddDomain),
    /// Verifies a domain by its DNS records (D4).
    VerifyDomain(VerifyDomain),
    /// Removes a domain (D4, D8).
    RemoveDomain(RemoveDomain),
    /// Takes a domain out of use (D4, D8).
    QuarantineDomain(QuarantineDomain),
    /// Ends a domain's quarantine (D4).
    ReleaseDomain(ReleaseDomain),
    /// Changes an e-mail, which waits to be confirmed (I4).
    ChangeEmail(ChangeEmail),
    /// Creates a new token for an e-mail that waits to be confirmed (I4).
    ResendConfirmation(ResendConfirmation),
    /// Confirms an account's e-mail with its token (C4, I4).
    ConfirmEmail(ConfirmEmail),
    /// Accepts a member's invitation with its token (M8).
    AcceptInvitation(AcceptInvitation),
}

/// The request that the policies decide for a command.
pub(crate) struct CommandTarget {
    pub(crate) resource: EntityRef,
    /// Values of the command for the action's context. The policies see those that the action's
    /// context declares.
    pub(crate) context: Map<String, Value>,
    /// The accounts whose stocks the command may change.
    pub(crate) counted: Vec<String>,
    /// The account whose history records the command if the caller has no account.
    pub(crate) book: String,
}

impl CommandTarget {
    fn new(resource: EntityRef, book: &str) -> Self {
        Self {
            resource,
            context: Map::new(),
            counted: Vec::new(),
            book: book.to_owned(),
        }
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        self.context.insert(field.to_owned(), value);
        self
    }

    fn lock_account(mut self, account: &str) -> Self {
        self.counted.push(account.to_owned());
        self
    }
}

/// The context of a command: the directory, the catalog and the caller.
pub(crate) struct CommandContext<'s> {
    pub(crate) directory: &'s Directory,
    pub(crate) catalog: &'s Catalog,
    pub(crate) principal: &'s EntityRef,
    /// The transaction's instant.
    pub(crate) now: i64,
    /// The token to send by e-mail, created when a command needs it.
    pub(crate) token: OnceCell<String>,
}

impl CommandContext<'_> {
    /// Returns the named account, or the caller's own account if none is named.
    fn named_or_own<'a>(&'a self, named: Option<&'a str>) -> Result<&'a str, Error> {
        let own = || self.directory.account_id_of(self.principal);
        named.or_else(own).ok_or_else(|| Error::UnknownAccount {
            account: crate::util::text::short(self.principal.id()),
        })
    }

    fn account(&self, id: &str) -> Result<crate::model::account::Account, Error> {
        self.directory
            .account(id)
            .ok_or_else(|| Error::UnknownAccount {
                account: crate::util::text::short(id),
            })
    }

    fn member(&self, id: &str) -> Result<crate::model::member::TeamMember, Error> {
        self.directory
            .member(id)
            .ok_or_else(|| Error::UnknownRecord {
                record: EntityRef::new("TeamMember", id).to_string(),
            })
    }

    /// Returns the owner in whose realm an account's logins are, or `None` for the platform's realm
    /// (I1).
    fn realm_of(&self, account: &str) -> Option<&str> {
        self.directory.owner_of(account)
    }

    fn token(&self) -> Result<&str, Error> {
        if let Some(token) = self.token.get() {
            return Ok(token);
        }
        let token = pending_email::token()?;
        Ok(self.token.get_or_init(|| token))
    }

    /// Checks that no record has or had the id. A former id is allowed if the record of the same
    /// owner or account has come back with it (I5). In that case returns the change that resumes
    /// the record.
    fn new_id(
        &self,
        kind: &str,
        id: &str,
        of: Option<&str>,
        resumed: bool,
    ) -> Result<Option<Change>, Error> {
        check_id(kind, id)?;
        let reference = EntityRef::new(kind, id);
        if self.directory.has(&reference) {
            return Err(Error::DuplicateId {
                record: reference.to_string(),
            });
        }
        match self.directory.was_used_by(&reference, of) {
            None => Ok(None),
            Some(true) if resumed => Ok(Some(Change::Resume(reference))),
            Some(_) => Err(Error::IdUsed {
                record: reference.to_string(),
            }),
        }
    }
}

/// The greatest nesting of a command's JSON. The host's attributes are two levels inside it.
const NESTING: usize = 66;

impl Command {
    /// Reads a command from JSON text.
    ///
    /// # Errors
    /// Fails with [`Error::Command`] for a wrong shape, an unknown command or an unknown field, and
    /// with [`Error::DuplicateKey`].
    pub fn from_json(text: &str) -> Result<Self, Error> {
        json::check("command", text, NESTING)?;
        serde_json::from_str(text).map_err(|found| Error::Command {
            reason: found.to_string(),
        })
    }

    /// Reads a command from a JSON value.
    ///
    /// # Errors
    /// Fails with the same errors as [`Command::from_json`].
    pub fn from_value(value: Value) -> Result<Self, Error> {
        serde_json::from_value(value).map_err(|found| Error::Command {
            reason: found.to_string(),
        })
    }

    /// Returns the command's name, which the schema's `@asks` uses.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateAccount(_) => "create_account",
            Self::ChangePackage(_) => "change_package",
            Self::EditAccount(_) => "edit_account",
            Self::CreateClient(_) => "create_client",
            Self::EditClient(_) => "edit_client",
            Self::AttachLevel(_) => "attach_level",
            Self::Disable(_) => "disable",
            Self::Restore(_) => "restore",
            Self::Close(_) => "close",
            Self::OfferTransfer(_) => "offer_transfer",
            Self::ConsentTransfer(_) => "consent_transfer",
            Self::AcceptTransfer(_) => "accept_transfer",
            Self::CancelTransfer(_) => "cancel_transfer",
            Self::InviteMember(_) => "invite_member",
            Self::GrantMember(_) => "grant_member",
            Self::EditMember(_) => "edit_member",
            Self::RemoveMember(_) => "remove_member",
            Self::CreateLevel(_) => "create_level",
            Self::EditLevel(_) => "edit_level",
            Self::DeleteLevel(_) => "delete_level",
            Self::AddDomain(_) => "add_domain",
            Self::VerifyDomain(_) => "verify_domain",
            Self::RemoveDomain(_) => "remove_domain",
            Self::QuarantineDomain(_) => "quarantine_domain",
            Self::ReleaseDomain(_) => "release_domain",
            Self::ChangeEmail(_) => "change_email",
            Self::ResendConfirmation(_) => "resend_confirmation",
            Self::ConfirmEmail(_) => "confirm_email",
            Self::AcceptInvitation(_) => "accept_invitation",
        }
    }

    pub(crate) fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        match self {
            Self::CreateAccount(command) => Ok(command.target(scene)),
            Self::ChangePackage(command) => command.target(scene),
            Self::EditAccount(command) | Self::EditClient(command) => command.target(scene),
            Self::CreateClient(command) => command.target(scene),
            Self::AttachLevel(command) => command.target(scene),
            Self::Disable(DisableAccount { account, reason })
            | Self::Restore(RestoreAccount { account, reason }) => {
                scene.account(account)?;
                Ok(
                    CommandTarget::new(EntityRef::new("Account", account), account)
                        .with("disable", entity("DisableReason", reason.as_str())),
                )
            }
            Self::Close(command) => command.target(scene),
            Self::OfferTransfer(command) => command.target(scene),
            Self::ConsentTransfer(command) => command.target(scene),
            Self::AcceptTransfer(command) => command.target(scene),
            Self::CancelTransfer(command) => command.target(scene),
            Self::InviteMember(command) => command.target(scene),
            Self::GrantMember(command) => command.target(scene),
            Self::EditMember(command) => command.target(scene),
            Self::RemoveMember(command) => command.target(scene),
            Self::CreateLevel(command) => command.target(scene),
            Self::EditLevel(command) => command.target(scene),
            Self::DeleteLevel(command) => command.target(scene),
            Self::AddDomain(command) => command.target(scene),
            Self::VerifyDomain(command) => command.target(scene),
            Self::RemoveDomain(command) => command.target(scene),
            Self::QuarantineDomain(command) => command.target(scene),
            Self::ReleaseDomain(command) => command.target(scene),
            Self::ChangeEmail(command) => command.target(scene),
            Self::ResendConfirmation(command) => command.target(scene),
            Self::ConfirmEmail(command) => command.target(scene),
            Self::AcceptInvitation(command) => command.target(scene),
        }
    }

    /// Returns the changes that the command makes.
    pub(crate) fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        match self {
            Self::CreateAccount(command) => command.changes(scene),
            Self::ChangePackage(command) => command.changes(scene),
            Self::EditAccount(command) | Self::EditClient(command) => command.changes(scene),
            Self::CreateClient(command) => command.changes(scene),
            Self::AttachLevel(command) => command.changes(scene),
            Self::Disable(command) => command.changes(scene),
            Self::Restore(command) => command.changes(scene),
            Self::Close(command) => command.changes(scene),
            Self::OfferTransfer(command) => command.changes(scene),
            Self::ConsentTransfer(command) => command.changes(scene),
            Self::AcceptTransfer(command) => command.changes(scene),
            Self::CancelTransfer(command) => command.changes(scene),
            Self::InviteMember(command) => command.changes(scene),
            Self::GrantMember(command) => command.changes(scene),
            Self::EditMember(command) => command.changes(scene),
            Self::RemoveMember(command) => command.changes(scene),
            Self::CreateLevel(command) => command.changes(scene),
            Self::EditLevel(command) => command.changes(scene),
            Self::DeleteLevel(command) => command.changes(scene),
            Self::AddDomain(command) => command.changes(scene),
            Self::VerifyDomain(command) => command.changes(scene),
            Self::RemoveDomain(command) => command.changes(scene),
            Self::QuarantineDomain(command) => command.changes(scene),
            Self::ReleaseDomain(command) => command.changes(scene),
            Self::ChangeEmail(command) => command.changes(scene),
            Self::ResendConfirmation(command) => command.changes(scene),
            Self::ConfirmEmail(command) => command.changes(scene),
            Self::AcceptInvitation(command) => command.changes(scene),
        }
    }
}

/// Applies an edit: inserts or replaces the limits in `set`, removes the meters in `remove`, and
/// leaves all others.
fn edit_limits(limits: &mut Limits, set: &Limits, remove: &[String]) {
    limits.retain(|meter, _| !remove.contains(meter));
    limits.extend(set.iter().map(|(meter, limit)| (meter.clone(), *limit)));
}

/// Applies an edit to attributes, as [`edit_limits`] does to limits.
fn edit_attributes(
    attributes: &mut Map<String, Value>,
    set: &Map<String, Value>,
    remove: &[String],
) {
    attributes.retain(|name, _| !remove.contains(name));
    attributes.extend(
        set.iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "what `skip_serializing_if` gives"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// Returns the JSON of an entity for a context: a record, or a value of an enumeration.
fn entity(kind: &str, id: &str) -> Value {
    serde_json::json!({ "__entity": { "type": kind, "id": id } })
}
