//! Commands: requested changes of the directory.
//!
//! Each command states the request that the policies decide and the records that it changes. Only
//! the policies decide whether it is permitted.

mod account;
mod bill;
mod client;
mod command_context;
mod context_fields;
mod domain;
mod email;
mod erase_member;
mod level;
mod login;
mod member;
mod package;
mod reopen;
mod service_account;
mod transfer;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::account::{
    CloseAccount, CreateAccount, DisableAccount, EraseAccount, RestoreAccount,
};
pub use self::bill::{
    CloseMonth, RecordPayment, ReversePayment, RevokeTopUp, SettleOverage, TopUp,
};
pub use self::client::{AttachLevel, CreateClient};
pub(crate) use self::command_context::CommandContext;
pub use self::domain::{
    AddDomain, QuarantineDomain, RecheckDomain, ReleaseDomain, RemoveDomain, VerifyDomain,
};
pub use self::email::{AcceptInvitation, ChangeEmail, ConfirmEmail, ResendConfirmation};
pub use self::erase_member::EraseMember;
pub use self::level::{CreateLevel, DeleteLevel, EditLevel};
pub use self::login::SignOut;
pub use self::member::{EditMember, GrantMember, InviteMember, RemoveMember, ResendInvitation};
pub use self::package::{ChangePackage, EditAccount};
pub use self::reopen::ReopenAccount;
pub use self::service_account::{
    CreateServiceAccount, EditServiceAccount, RemoveServiceAccount, RotateKey,
};
pub use self::transfer::{AcceptTransfer, CancelTransfer, ConsentTransfer, OfferTransfer};
use crate::directory::Change;
use crate::model::limit::Limits;
use crate::model::reference::EntityRef;
use crate::util::error::Error;
use crate::util::json;

/// Defines the enum of the commands, their names and their effects. In the table, a row has the doc
/// comment, the variant, the struct of the fields, and the name.
macro_rules! commands {
    (
        $(#[$attribute:meta])*
        pub enum $commands:ident {
            $($(#[$doc:meta])* $variant:ident($command:ident) = $name:literal,)*
        }
    ) => {
        $(#[$attribute])*
        pub enum $commands {
            $($(#[$doc])* #[serde(rename = $name)] $variant($command),)*
        }

        impl $commands {
            /// The names of the commands.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// Returns the command's name, which the schema's `@asks` uses.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            fn effect(&self) -> &dyn CommandEffect {
                match self {
                    $(Self::$variant(command) => command,)*
                }
            }
        }
    };
}

commands! {
    /// A requested change of the directory. In JSON it is an object whose `do` field names the
    /// command.
    ///
    /// The policies decide the action that the schema marks with `@asks` and the command's name.
    ///
    /// # Example: a client account from JSON
    /// ```
    /// let command = sublet::Command::from_json(
    ///     r#"{"do": "create_client", "id": "bakery", "email": "hello@bakery.example"}"#,
    /// )?;
    /// assert_eq!(command.name(), "create_client");
    /// # Ok::<(), sublet::Error>(())
    /// ```
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[cfg_attr(
        feature = "schema",
        schemars(description = "A change of the directory that a login asks for.")
    )]
    #[serde(tag = "do")]
    pub enum Command {
        /// Creates a main account, on behalf of the platform's staff. The e-mail is unconfirmed
        /// (C4).
        CreateAccount(CreateAccount) = "create_account",
        /// Changes the package of a main account (B7, D8).
        ChangePackage(ChangePackage) = "change_package",
        /// Edits the limits, time zone and attributes of a main account. Absent entries stay (Q10,
        /// Q11).
        EditAccount(EditAccount) = "edit_account",
        /// Creates a client account of an owner (C3, L7).
        CreateClient(CreateClient) = "create_client",
        /// Edits the limits, time zone and attributes of a client, on behalf of its owner. Absent
        /// entries stay (L6).
        EditClient(EditAccount) = "edit_client",
        /// Gives a client another access level (L1, L3).
        AttachLevel(AttachLevel) = "attach_level",
        /// Disables an account for one more reason (C7).
        Disable(DisableAccount) = "disable",
        /// Removes a reason for which an account is disabled (C7).
        Restore(RestoreAccount) = "restore",
        /// Closes an account. Its data stays, and its e-mails are released (C9, I5).
        Close(CloseAccount) = "close",
        /// Reopens a closed account, on behalf of the platform's staff (C9).
        ReopenAccount(ReopenAccount) = "reopen_account",
        /// Erases the personal data of an account and of its members, on behalf of the account
        /// itself or of the platform's staff. Counts, history and bills stay (C14).
        EraseAccount(EraseAccount) = "erase_account",
        /// Offers a client to another owner, in place of an earlier offer.
        OfferTransfer(OfferTransfer) = "offer_transfer",
        /// Records the client's consent to the present offer.
        ConsentTransfer(ConsentTransfer) = "consent_transfer",
        /// Moves an offered client to the other owner. Counts and history stay.
        AcceptTransfer(AcceptTransfer) = "accept_transfer",
        /// Ends an offer: on behalf of the owner, of the client, or of the other owner.
        CancelTransfer(CancelTransfer) = "cancel_transfer",
        /// Invites a member, who holds a seat from now on (M8).
        InviteMember(InviteMember) = "invite_member",
        /// Sets the features that a member may use (M3, M5).
        GrantMember(GrantMember) = "grant_member",
        /// Edits the sub-limits and attributes of a member. Absent entries stay (M7).
        EditMember(EditMember) = "edit_member",
        /// Removes a member.
        RemoveMember(RemoveMember) = "remove_member",
        /// Erases the personal data of a member. Counts and history stay (C14).
        EraseMember(EraseMember) = "erase_member",
        /// Sends an invitation again, with a new token. The earlier token is no longer valid (M8).
        ResendInvitation(ResendInvitation) = "resend_invitation",
        /// Creates an access level of an owner (L2).
        CreateLevel(CreateLevel) = "create_level",
        /// Edits the features and limits of an access level. Absent entries stay (L2, L5).
        EditLevel(EditLevel) = "edit_level",
        /// Deletes an access level, and gives its clients a replacement (L3).
        DeleteLevel(DeleteLevel) = "delete_level",
        /// Claims a host name for an owner. The claim is pending until it is verified, and expires
        /// (D4).
        AddDomain(AddDomain) = "add_domain",
        /// Verifies a claimed domain: its `domain_proof` must be among the TXT records. All other
        /// claims of the name end (D4).
        VerifyDomain(VerifyDomain) = "verify_domain",
        /// Removes a domain, or the account's claim of it (D4, D8).
        RemoveDomain(RemoveDomain) = "remove_domain",
        /// Takes a domain out of use, on behalf of the platform's staff (D4, D8).
        QuarantineDomain(QuarantineDomain) = "quarantine_domain",
        /// Checks again that the DNS proves a domain, on behalf of the platform's staff. Without
        /// its proof the domain lapses (D4).
        RecheckDomain(RecheckDomain) = "recheck_domain",
        /// Ends the quarantine of a domain, so that anybody can add the name (D4).
        ReleaseDomain(ReleaseDomain) = "release_domain",
        /// Changes an e-mail. The old e-mail stays valid until the new one is confirmed (I4).
        ChangeEmail(ChangeEmail) = "change_email",
        /// Creates a new token for an e-mail that waits to be confirmed. The earlier token is no
        /// longer valid (I4).
        ResendConfirmation(ResendConfirmation) = "resend_confirmation",
        /// Confirms an e-mail with the token that was sent to it (C4, I4, M9).
        ConfirmEmail(ConfirmEmail) = "confirm_email",
        /// Accepts a member's invitation with the token that was sent by e-mail (M8).
        AcceptInvitation(AcceptInvitation) = "accept_invitation",
        /// Records money that an owner paid for a month, on behalf of the platform's staff. In a
        /// settled month each full price enables one client (B4, B5, B13).
        RecordPayment(RecordPayment) = "record_payment",
        /// Reverses a payment, on behalf of the platform's staff. In a settled month the clients
        /// that it had enabled are disabled again (B13).
        ReversePayment(ReversePayment) = "reverse_payment",
        /// Closes a month that is over, on behalf of the platform's staff. Its numbers and its draw
        /// are then fixed, and nobody is disabled yet (B8, B13).
        CloseMonth(CloseMonth) = "close_month",
        /// Closes a month that is over and enforces its draw, on behalf of the platform's staff
        /// (B3, B4, B13).
        SettleOverage(SettleOverage) = "settle_overage",
        /// Adds to the limit of a meter, on behalf of the platform's staff (B14).
        TopUp(TopUp) = "top_up",
        /// Revokes a top-up by its key, on behalf of the platform's staff. The usage stays (B14).
        RevokeTopUp(RevokeTopUp) = "revoke_top_up",
        /// Ends all sessions of a login (I7).
        SignOut(SignOut) = "sign_out",
        /// Creates a service account, a login for programs. The answer has its key, once (I7).
        CreateServiceAccount(CreateServiceAccount) = "create_service_account",
        /// Edits the name, expiry and hosts of a service account. Absent entries stay (I7).
        EditServiceAccount(EditServiceAccount) = "edit_service_account",
        /// Replaces the key of a service account. The answer has the new key, once (I7).
        RotateKey(RotateKey) = "rotate_key",
        /// Removes a service account (I7).
        RemoveServiceAccount(RemoveServiceAccount) = "remove_service_account",
    }
}

/// The effect of one command: the request that the policies decide, and the changes.
trait CommandEffect {
    /// Returns the request that the policies decide.
    fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error>;

    /// Returns the changes that the command makes. None for a command that the engine writes to the
    /// billing ledger or to the counts.
    fn changes(&self, _: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        Ok(Vec::new())
    }
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
    /// The month of the resource's bill that the command closes or settles.
    pub(crate) month: Option<String>,
}

impl CommandTarget {
    fn new(resource: EntityRef, book: &str) -> Self {
        Self {
            resource,
            context: Map::new(),
            counted: Vec::new(),
            book: book.to_owned(),
            month: None,
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

    /// Returns the JSON Schema of a command, as [`Command::from_value`] reads it.
    ///
    /// # Example: the number of commands
    /// ```
    /// let schema = sublet::Command::schema();
    /// assert_eq!(schema["oneOf"].as_array().map(Vec::len), Some(sublet::Command::NAMES.len()));
    /// ```
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn schema() -> Value {
        crate::model::json_schema::schema_of::<Self>()
    }

    /// Returns the request that the policies decide.
    pub(crate) fn target(&self, scene: &CommandContext<'_>) -> Result<CommandTarget, Error> {
        self.effect().target(scene)
    }

    /// Returns the changes that the command makes.
    pub(crate) fn changes(&self, scene: &CommandContext<'_>) -> Result<Vec<Change>, Error> {
        self.effect().changes(scene)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Command::NAMES.iter().collect();
        assert_eq!(names.len(), Command::NAMES.len());
        // Serde knows the name, because the fault, if any, is a missing field and not the variant.
        for name in names {
            match Command::from_value(serde_json::json!({ "do": name })) {
                Ok(command) => assert_eq!(command.name(), *name),
                Err(error) => {
                    let reason = error.to_string();
                    assert!(reason.contains("missing field"), "{name}: {reason}");
                }
            }
        }
    }

    /// The check of bundles warns about every other context field that may be left out.
    #[test]
    fn fields_that_commands_fill_are_listed() {
        let sources = [
            include_str!("account.rs"),
            include_str!("bill.rs"),
            include_str!("client.rs"),
            include_str!("context_fields.rs"),
            include_str!("domain.rs"),
            include_str!("email.rs"),
            include_str!("level.rs"),
            include_str!("login.rs"),
            include_str!("member.rs"),
            include_str!("package.rs"),
            include_str!("reopen.rs"),
            include_str!("service_account.rs"),
            include_str!("transfer.rs"),
        ];
        let calls = sources
            .iter()
            .flat_map(|text| text.split(".with").skip(1))
            .filter_map(|call| call.strip_prefix('(').or(call.strip_prefix("_optional(")));
        let filled: std::collections::BTreeSet<&str> = calls
            .filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next())
            .collect();
        let listed = crate::cedar::command_fields::COMMAND_FIELDS;
        assert_eq!(filled, listed.into_iter().collect());
    }
}
