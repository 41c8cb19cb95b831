//! Commands: what changes the directory by somebody's will. Each says which question the policies
//! are asked of it, and which records it changes; whether it may, they alone decide.

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

/// A change of the directory that somebody asks for; as JSON an object whose `do` names it.
///
/// The policies are asked the action that the schema marks with `@asks` of that name.
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
    /// A main account, by the platform's staff.
    CreateAccount(CreateAccount),
    /// Another package (B7, D8).
    ChangePackage(ChangePackage),
    /// An account's own limits, time zone and attributes (Q10, Q11).
    EditAccount(EditAccount),
    /// A client account of an owner (C3).
    CreateClient(CreateClient),
    /// The same of a client, by its owner (L6).
    EditClient(EditAccount),
    /// Another access level for a client (L1, L3).
    AttachLevel(AttachLevel),
    /// One more reason for which an account is disabled (C7).
    Disable(DisableAccount),
    /// One reason less.
    Restore(RestoreAccount),
    /// The end of an account; its data stays.
    Close(CloseAccount),
    /// A client, offered to another owner.
    OfferTransfer(OfferTransfer),
    /// The client's consent to it.
    ConsentTransfer(ConsentTransfer),
    /// The client, taken by the other owner.
    AcceptTransfer(AcceptTransfer),
    /// The end of the offer.
    CancelTransfer(CancelTransfer),
    /// A member, invited: he holds a seat from now on (M8).
    InviteMember(InviteMember),
    /// The features that a member may use (M3, M5).
    GrantMember(GrantMember),
    /// A member's part of the limits, and its attributes (M7).
    EditMember(EditMember),
    /// The end of a membership.
    RemoveMember(RemoveMember),
    /// An access level of an owner's own (L2).
    CreateLevel(CreateLevel),
    /// What a level enables (L2, L5).
    EditLevel(EditLevel),
    /// The end of a level, and what its clients have instead (L3).
    DeleteLevel(DeleteLevel),
    /// A whitelabel domain, pending (D4).
    AddDomain(AddDomain),
    /// What the DNS says of a domain (D4).
    VerifyDomain(VerifyDomain),
    /// Gives a domain up (D4, D8).
    RemoveDomain(RemoveDomain),
    /// Takes a domain out of use (D4, D8).
    QuarantineDomain(QuarantineDomain),
    /// The end of a domain's quarantine (D4).
    ReleaseDomain(ReleaseDomain),
    /// Another e-mail, which waits to be confirmed (I4).
    ChangeEmail(ChangeEmail),
    /// Another token for what waits to be confirmed (I4).
    ResendConfirmation(ResendConfirmation),
    /// The token that was sent to an account's e-mail (C4, I4).
    ConfirmEmail(ConfirmEmail),
    /// The token that was sent to an invited member (M8).
    AcceptInvitation(AcceptInvitation),
}

/// What the policies are asked of a command.
pub(crate) struct CommandTarget {
    pub(crate) resource: EntityRef,
    /// What the command says that policies may read in the action's context, where the action has
    /// such a field.
    pub(crate) context: Map<String, Value>,
    /// The accounts whose stocks it may move.
    pub(crate) counted: Vec<String>,
    /// The account in whose history it stands, if whoever asks has none.
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

/// Where a command comes to: the directory, what the bundle offers, and who asks.
pub(crate) struct CommandContext<'s> {
    pub(crate) directory: &'s Directory,
    pub(crate) catalog: &'s Catalog,
    pub(crate) principal: &'s EntityRef,
    /// The transaction's instant.
    pub(crate) now: i64,
    /// What is sent by mail: made where a command needs it.
    pub(crate) token: OnceCell<String>,
}

impl CommandContext<'_> {
    /// The account that is named, or that in which whoever asks works.
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

    /// The owner in whose realm an account's logins are; nobody where it is the platform's (I1).
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

    /// An id that nothing has, nor had: unless a record of the same owner or account has come back
    /// with it (I5). Says so.
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
        match self.directory.used_by(&reference, of) {
            None => Ok(None),
            Some(true) if resumed => Ok(Some(Change::Resume(reference))),
            Some(_) => Err(Error::IdUsed {
                record: reference.to_string(),
            }),
        }
    }
}

/// Nesting of a command's JSON: the host's attributes stand two levels inside it.
const NESTING: usize = 66;

impl Command {
    /// Reads a command from JSON text.
    ///
    /// # Errors
    /// [`Error::Command`] for a wrong shape, an unknown command or field; [`Error::DuplicateKey`].
    pub fn from_json(text: &str) -> Result<Self, Error> {
        json::check("command", text, NESTING)?;
        serde_json::from_str(text).map_err(|found| Error::Command {
            reason: found.to_string(),
        })
    }

    /// Reads a command from a JSON value.
    ///
    /// # Errors
    /// As [`Command::from_json`].
    pub fn from_value(value: Value) -> Result<Self, Error> {
        serde_json::from_value(value).map_err(|found| Error::Command {
            reason: found.to_string(),
        })
    }

    /// The command's name, which the schema's `@asks` says.
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

    /// The records as they are after it.
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

/// Limits after an edit: what is named is set, what is to go goes, the rest stays.
fn edit_limits(limits: &mut Limits, set: &Limits, remove: &[String]) {
    limits.retain(|meter, _| !remove.contains(meter));
    limits.extend(set.iter().map(|(meter, limit)| (meter.clone(), *limit)));
}

/// The same of attributes.
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

/// A record of the directory, or a word of an enumeration, as a context's JSON names it.
fn entity(kind: &str, id: &str) -> Value {
    serde_json::json!({ "__entity": { "type": kind, "id": id } })
}
