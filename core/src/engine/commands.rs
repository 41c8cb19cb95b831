//! `perform`: a command with its authorization, its debit and its change of the directory, in one
//! transaction.

use std::cell::OnceCell;

use super::books::lock_with_store;
use super::command_entries::CommandEntry;
use super::quota_request::idempotency_digest;
use super::sync::NewSnapshot;
use super::{Engine, Snapshot};
use crate::api::decision::Decision;
use crate::api::request::Environment;
use crate::billing::MonthClosing;
use crate::cedar::bundle::Bundle;
use crate::commands::{Command, CommandContext, CommandTarget};
use crate::directory::{Change, Directory};
use crate::model::reference::EntityRef;
use crate::quota::{self, MeterRequest, QuotaSubject};
use crate::store::{CountTx, TxOutcome};
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// A command request as it comes from the caller.
pub(super) struct CommandRequest<'a> {
    pub(super) principal: &'a EntityRef,
    pub(super) command: &'a Command,
    pub(super) environment: &'a Environment,
    idempotency_key: Option<&'a str>,
    /// The resource of the command, once it is known.
    about: OnceCell<EntityRef>,
}

impl CommandRequest<'_> {
    /// Returns the key with the digest of the request, if the request has a key.
    fn idempotency_digest(&self) -> Result<Option<(&str, [u8; 32])>, Error> {
        let command = self
            .idempotency_key
            .and_then(|_| serde_json::to_string(self.command).ok())
            .unwrap_or_default();
        let actor = self.environment.actor.as_ref();
        let actor = actor.map(ToString::to_string).unwrap_or_default();
        let parts = [self.principal.kind(), self.principal.id(), &actor, &command];
        idempotency_digest(self.idempotency_key, parts.into_iter())
    }
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Performed {
    /// The decision of the policies. Its `operation` is the command's entry in the history.
    pub decision: Decision,
    /// The token to send to the e-mail that waits to be confirmed, for commands that start a
    /// confirmation (I4), or the new key of a service account (I7). It is returned only once, because the directory stores its hash and a
    /// retry does not get it again.
    pub token: Option<String>,
    /// The number of the payment, reversal, top-up or revocation that the command recorded in the
    /// history of the account. Later commands name it, and a retry gets it again.
    pub entry: Option<u64>,
}

impl Engine {
    /// Authorizes a command for `principal` and executes it if it is allowed. The decision, the
    /// debit (a client account, a seat) and the change of the directory are one transaction. A
    /// denied command changes nothing.
    ///
    /// A retry with the same `idempotency_key` changes nothing again and returns the first granted
    /// decision, without its token. The history of the caller's account records the command. For an
    /// operator, it is the history of the account that the command changes. Keys belong to the
    /// caller's account, and all operators share one key space.
    ///
    /// # Errors
    /// Fails with the `directory.*` code of the invariant that the change would break, or of a
    /// named record that does not exist. Fails with `input.command_unasked` if no action of the
    /// schema is marked for the command, and with the codes of keys and of the store. Nothing is
    /// changed then.
    ///
    /// # Example: an owner creates a client account
    /// ```
    /// use sublet::{Environment, Command, Engine, Options, EntityRef};
    /// let engine = Engine::open(Options::default())?;
    /// engine.import(
    ///     br#"{"type": "Platform", "id": "mmio"}
    /// {"type": "Domain", "id": "app.mmio.example", "kind": "platform", "state": "verified"}
    /// {"type": "Account", "id": "acme", "email": "owner@acme.example", "package": "agency", "confirmed": true}
    /// "#.as_slice(),
    ///     None, None,
    /// )?;
    /// let command = Command::from_json(r#"{"do": "create_client", "id": "bakery", "email": "hello@bakery.example"}"#)?;
    /// let environment = Environment {
    ///     host: Some("app.mmio.example".to_owned()),
    ///     ..Environment::default()
    /// };
    /// let done = engine.perform(&EntityRef::new("Account", "acme"), &command, &environment, None)?;
    /// assert!(done.decision.allowed);
    /// assert!(done.token.is_some(), "to be sent to hello@bakery.example");
    /// assert_eq!(engine.usage("acme", None, Some("client_accounts"))?[0].used, 1);
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn perform(
        &self,
        principal: &EntityRef,
        command: &Command,
        environment: &Environment,
        idempotency_key: Option<&str>,
    ) -> Result<Performed, Error> {
        let command_request = CommandRequest {
            principal,
            command,
            environment,
            idempotency_key,
            about: OnceCell::new(),
        };
        self.observe_command(
            (principal, command, environment),
            &command_request.about,
            || {
                let record_bytes = self.caps.record_bytes;
                catch_panic(|| {
                    self.transact(
                        "perform",
                        |state| state.accounts_to_lock(&command_request),
                        |state, tx| state.perform(&command_request, record_bytes, tx),
                    )
                })
            },
        )
    }
}

/// The outcome of a command, with what its events tell.
pub(super) struct CommandOutcome {
    pub(super) performed: Performed,
    /// The entry that the command recorded beside its own.
    pub(super) entry: Option<CommandEntry>,
    /// The months that it closed.
    pub(super) closings: Vec<MonthClosing>,
}

/// Returns the operation that an earlier call of the command recorded beside its own entry.
fn recorded_entry(tx: &mut dyn CountTx, answer: &Decision) -> Result<Option<u64>, Error> {
    let own = answer
        .counted
        .as_ref()
        .and_then(|counted| counted.operation);
    Ok(match own {
        Some(own) => tx.operation(own)?.and_then(|operation| operation.parent),
        None => None,
    })
}

/// The key space of operators, who belong to no account. No account has the empty id.
pub(super) const OPERATOR_KEY_SPACE: &str = "";

/// The account, member and actor of a history entry.
pub(super) struct HistoryEntryOwner<'a> {
    pub(super) account: &'a str,
    pub(super) member: Option<&'a str>,
    pub(super) actor: Option<String>,
}

impl Snapshot {
    /// Returns a new command context. Each run of a transaction has its own context, and so its own
    /// token. Without an instant, the context serves only to find the accounts to lock.
    fn command_context<'s>(
        &'s self,
        command_request: &'s CommandRequest<'_>,
        now: Option<i64>,
    ) -> Result<CommandContext<'s>, Error> {
        let bundle = self.tenancy("perform")?;
        Ok(CommandContext {
            directory: &self.directory,
            catalog: &bundle.catalog,
            names: bundle,
            principal: command_request.principal,
            now: now.unwrap_or(i64::MIN),
            is_decided: now.is_some(),
            token: OnceCell::new(),
        })
    }

    /// Returns the account whose history records the command: the caller's account, or the target
    /// account if the caller is an operator.
    pub(super) fn history_owner<'a>(
        &'a self,
        command_request: &'a CommandRequest<'_>,
        target: &'a CommandTarget,
    ) -> HistoryEntryOwner<'a> {
        match self.paying_account(command_request.principal.into()) {
            Some(((_, account), member)) => HistoryEntryOwner {
                account,
                member: member.map(|(_, member)| member),
                actor: command_request
                    .environment
                    .actor
                    .as_ref()
                    .map(ToString::to_string),
            },
            None => HistoryEntryOwner {
                account: &target.book,
                member: None,
                actor: Some(command_request.principal.to_string()),
            },
        }
    }

    /// Returns the account that owns the caller's keys. A member that removed itself keeps the key
    /// space of its former account.
    pub(super) fn key_space_of(&self, command_request: &CommandRequest<'_>) -> String {
        let account = self
            .paying_account(command_request.principal.into())
            .map(|((_, account), _)| account);
        account
            .or_else(|| self.directory.account_of_removed(command_request.principal))
            .unwrap_or(OPERATOR_KEY_SPACE)
            .to_owned()
    }

    /// Returns the accounts whose counts a command may read or change. The target may no longer
    /// exist, because the call may be a retry.
    fn accounts_to_lock(&self, command_request: &CommandRequest<'_>) -> Result<Vec<String>, Error> {
        let mut accounts = vec![self.key_space_of(command_request)];
        if let Ok(target) = command_request
            .command
            .target(&self.command_context(command_request, None)?)
        {
            accounts.push(
                self.history_owner(command_request, &target)
                    .account
                    .to_owned(),
            );
            // The bill of an owner follows its own record and those of its clients.
            let owner = self.directory.owner_of(target.resource.id());
            accounts.extend(owner.map(str::to_owned));
            accounts.push(target.resource.id().to_owned());
            accounts.extend(target.counted);
        }
        Ok(lock_with_store(accounts))
    }

    fn perform(
        &self,
        command_request: &CommandRequest<'_>,
        record_bytes: usize,
        tx: &mut dyn CountTx,
    ) -> Result<(CommandOutcome, Option<NewSnapshot>, TxOutcome), Error> {
        let unchanged = |decision, entry| {
            let performed = Performed {
                decision,
                token: None,
                entry,
            };
            let outcome = CommandOutcome {
                performed,
                entry: None,
                closings: Vec::new(),
            };
            (outcome, None, TxOutcome::Rollback)
        };
        let (bundle, now) = (self.tenancy("perform")?, tx.now());
        let context = self.command_context(command_request, Some(now))?;
        let idempotency_key = command_request.idempotency_digest()?;
        let target = command_request.command.target(&context);
        if let Ok(target) = &target {
            let _ = command_request.about.set(target.resource.clone());
        }
        if let Some(answer) =
            quota::replay(tx, &self.key_space_of(command_request), idempotency_key)?
        {
            let entry = recorded_entry(tx, &answer)?;
            return Ok(unchanged(answer, entry));
        }
        let target = self.add_month_phase(target?, tx)?;
        sync_stocks(tx, &self.directory, bundle, &target.counted)?;
        let (decision, recorded) =
            self.authorize_command(command_request, &target, idempotency_key, tx)?;
        if !decision.allowed {
            return Ok(unchanged(decision, None));
        }
        let mut changes = command_request.command.changes(&context)?;
        changes.extend(recorded.changes);
        let mut outcome = CommandOutcome {
            performed: Performed {
                decision,
                token: context.token.get().cloned(),
                entry: recorded.entry.as_ref().and_then(CommandEntry::operation),
            },
            entry: recorded.entry,
            closings: recorded.closings,
        };
        if changes.is_empty() {
            // The command changes nothing, so the stocks must equal the number of records again.
            sync_stocks(tx, &self.directory, bundle, &target.counted)?;
            return Ok((outcome, None, TxOutcome::Commit));
        }
        changes
            .iter()
            .try_for_each(|change| change.check_line(record_bytes))?;
        let (snapshot, closings) = self.change_directory(tx, bundle, changes, &target.counted)?;
        outcome.closings.extend(closings);
        Ok((outcome, Some(snapshot), TxOutcome::Commit))
    }

    /// Applies the changes of a permitted command, with those that follow from the overage of the
    /// counted accounts.
    fn change_directory(
        &self,
        tx: &mut dyn CountTx,
        bundle: &Bundle,
        changes: Vec<Change>,
        counted: &[String],
    ) -> Result<(NewSnapshot, Vec<MonthClosing>), Error> {
        let (directory, references, closings) = self.apply_billed(tx, bundle, changes, None)?;
        sync_stocks(tx, &directory, bundle, counted)?;
        let snapshot = (self.with_directory(directory)?, Some(references));
        Ok((snapshot, closings))
    }
}

/// Records stocks that count directory records, for the history. The number itself is read from the
/// directory.
fn sync_stocks(
    tx: &mut dyn CountTx,
    directory: &Directory,
    bundle: &Bundle,
    accounts: &[String],
) -> Result<(), Error> {
    let now = tx.now();
    for account in accounts {
        let Some(number) = directory.account_number(account) else {
            continue;
        };
        let subject = QuotaSubject {
            account,
            member: None,
            actor: None,
            calendar: directory.calendar(number),
        };
        for (meter, what) in bundle.catalog.counted() {
            quota::sync_stock(
                tx,
                &subject,
                &MeterRequest::of_stock(meter, directory.allowance(number, meter, &bundle.catalog)),
                directory.count(number, what, now),
            )?;
        }
    }
    Ok(())
}
