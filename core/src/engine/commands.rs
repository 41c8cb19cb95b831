//! `perform`: a command with its authorization, its debit and its change of the directory, in one
//! transaction.

use std::cell::OnceCell;

use serde_json::Map;

use super::quota_request::{QuotaTarget, idempotency_digest};
use super::sync::NewSnapshot;
use super::{Engine, Snapshot};
use crate::api::consume_options::ConsumeOptions;
use crate::api::decision::Decision;
use crate::api::request::{Environment, Request};
use crate::api::request_ref::RequestRef;
use crate::cedar::bundle::Bundle;
use crate::commands::{Command, CommandContext, CommandTarget};
use crate::directory::Directory;
use crate::model::calendar::Calendar;
use crate::model::reference::EntityRef;
use crate::quota::{self, ConsumeMode, MeterRequest, QuotaSubject};
use crate::store::{CountTx, TxOutcome};
use crate::util::error::Error;
use crate::util::panic::catch_panic;

/// A command request as it comes from the caller.
struct CommandRequest<'a> {
    principal: &'a EntityRef,
    command: &'a Command,
    with: &'a Environment,
    key: Option<&'a str>,
    /// The resource of the command, once it is known.
    about: OnceCell<EntityRef>,
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Performed {
    /// The decision of the policies. Its `operation` is the command's entry in the history.
    pub decision: Decision,
    /// The token to send to the e-mail that waits to be confirmed, for commands that start a
    /// confirmation (I4). It is returned only once, because the directory stores its hash and a
    /// retry does not get it again.
    pub token: Option<String>,
}

impl Engine {
    /// Authorizes a command for `principal` and executes it if it is allowed. The decision, the
    /// debit (a client account, a seat) and the change of the directory are one transaction. A
    /// denied command changes nothing.
    ///
    /// A retry with the same `key` changes nothing again and returns the first granted decision,
    /// without its token. The history of the caller's account records the command. For an operator,
    /// it is the history of the account that the command changes. Keys belong to the caller's
    /// account, and all operators share one key space.
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
    /// let with = Environment {
    ///     host: Some("app.mmio.example".to_owned()),
    ///     ..Environment::default()
    /// };
    /// let done = engine.perform(&EntityRef::new("Account", "acme"), &command, &with, None)?;
    /// assert!(done.decision.allowed);
    /// assert!(done.token.is_some(), "to be sent to hello@bakery.example");
    /// assert_eq!(engine.usage("acme", None, Some("client_accounts"))?[0].used, 1);
    /// # Ok::<(), sublet::Error>(())
    /// ```
    pub fn perform(
        &self,
        principal: &EntityRef,
        command: &Command,
        with: &Environment,
        key: Option<&str>,
    ) -> Result<Performed, Error> {
        let order = CommandRequest {
            principal,
            command,
            with,
            key,
            about: OnceCell::new(),
        };
        self.observe_command((principal, command, with), &order.about, || {
            let record_bytes = self.caps.record_bytes;
            catch_panic(|| {
                self.transact(
                    "perform",
                    |state| state.accounts_to_lock(&order),
                    |state, ledger| state.perform(&order, record_bytes, ledger),
                )
            })
        })
    }
}

/// The key space of operators, who belong to no account. No account has the empty id.
const OPERATOR_KEY_SPACE: &str = "";

/// The account, member and actor of a history entry.
struct HistoryEntryOwner<'a> {
    account: &'a str,
    member: Option<&'a str>,
    actor: Option<String>,
}

impl Snapshot {
    /// Returns a new command context. Each run of a transaction has its own context, and so its own
    /// token.
    fn command_context<'s>(
        &'s self,
        order: &'s CommandRequest<'_>,
        now: i64,
    ) -> Result<CommandContext<'s>, Error> {
        Ok(CommandContext {
            directory: &self.directory,
            catalog: &self.tenancy("perform")?.catalog,
            principal: order.principal,
            now,
            token: OnceCell::new(),
        })
    }

    /// Returns the account whose history records the command: the caller's account, or the target
    /// account if the caller is an operator.
    fn book<'a>(
        &'a self,
        order: &'a CommandRequest<'_>,
        target: &'a CommandTarget,
    ) -> HistoryEntryOwner<'a> {
        match self.paying_account(order.principal.into()) {
            Some(((_, account), member)) => HistoryEntryOwner {
                account,
                member: member.map(|(_, member)| member),
                actor: order.with.actor.as_ref().map(ToString::to_string),
            },
            None => HistoryEntryOwner {
                account: &target.book,
                member: None,
                actor: Some(order.principal.to_string()),
            },
        }
    }

    /// Returns the account that owns the caller's keys. A member that removed itself keeps the key
    /// space of its former account.
    fn key_space_of(&self, order: &CommandRequest<'_>) -> String {
        let account = self
            .paying_account(order.principal.into())
            .map(|((_, account), _)| account);
        account
            .or_else(|| self.directory.account_of_removed(order.principal))
            .unwrap_or(OPERATOR_KEY_SPACE)
            .to_owned()
    }

    /// Returns the accounts whose counts a command may read or change. The target may no longer
    /// exist, because the call may be a retry.
    fn accounts_to_lock(&self, order: &CommandRequest<'_>) -> Result<Vec<String>, Error> {
        let mut accounts = vec![self.key_space_of(order)];
        if let Ok(target) = order
            .command
            .target(&self.command_context(order, i64::MIN)?)
        {
            accounts.push(self.book(order, &target).account.to_owned());
            accounts.extend(target.counted);
        }
        Ok(accounts)
    }

    fn perform(
        &self,
        order: &CommandRequest<'_>,
        record_bytes: usize,
        ledger: &mut dyn CountTx,
    ) -> Result<(Performed, Option<NewSnapshot>, TxOutcome), Error> {
        let unsent = |decision| Performed {
            decision,
            token: None,
        };
        let (bundle, now) = (self.tenancy("perform")?, ledger.now());
        let scene = self.command_context(order, now)?;
        let said = order
            .key
            .and_then(|_| serde_json::to_string(order.command).ok())
            .unwrap_or_default();
        let actor = order
            .with
            .actor
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let key = idempotency_digest(
            order.key,
            [order.principal.kind(), order.principal.id(), &actor, &said].into_iter(),
        )?;
        let target = order.command.target(&scene);
        if let Ok(target) = &target {
            let _ = order.about.set(target.resource.clone());
        }
        if let Some(answer) = quota::replay(ledger, &self.key_space_of(order), key)? {
            return Ok((unsent(answer), None, TxOutcome::Rollback));
        }
        let target = target?;
        sync_stocks(ledger, &self.directory, bundle, &target.counted)?;
        let decision = self.authorize_command(order, &target, key, ledger)?;
        if !decision.allowed {
            return Ok((unsent(decision), None, TxOutcome::Rollback));
        }
        let mut changes = order.command.changes(&scene)?;
        if changes.is_empty() {
            // The command changes nothing, so the stocks must equal the number of records again.
            sync_stocks(ledger, &self.directory, bundle, &target.counted)?;
            return Ok((
                Performed {
                    decision,
                    token: scene.token.into_inner(),
                },
                None,
                TxOutcome::Commit,
            ));
        }
        changes
            .iter()
            .try_for_each(|change| change.check_line(record_bytes))?;
        self.close_books(ledger, &target.counted)?;
        let mut directory = self
            .directory
            .apply(changes.clone(), &bundle.catalog, bundle, None)?;
        if let Some(all) = self.with_overage(ledger, &changes, &directory, &target.counted)? {
            changes = all;
            directory = self
                .directory
                .apply(changes.clone(), &bundle.catalog, bundle, None)?;
        }
        directory.check_ids(&self.directory, &changes)?;
        let references = self.directory.references(&changes);
        sync_stocks(ledger, &directory, bundle, &target.counted)?;
        let performed = Performed {
            decision,
            token: scene.token.into_inner(),
        };
        Ok((
            performed,
            Some((self.with_directory(directory)?, Some(references))),
            TxOutcome::Commit,
        ))
    }

    /// Authorizes a command. Of the actions that the schema marks for the command, returns the
    /// first that is allowed, or the denial that passed the most gates. An allowed command
    /// is recorded in the history.
    fn authorize_command(
        &self,
        order: &CommandRequest<'_>,
        target: &CommandTarget,
        key: Option<(&str, [u8; 32])>,
        ledger: &mut dyn CountTx,
    ) -> Result<Decision, Error> {
        let (bundle, is_staff) = (
            self.tenancy("perform")?,
            self.paying_account(order.principal.into()).is_none(),
        );
        let mut refusals = Refusals::default();
        for (action, declared) in bundle.all_asked_by(
            order.command.name(),
            order.principal.kind(),
            target.resource.kind(),
        ) {
            let fields = target
                .context
                .iter()
                .filter(|(name, _)| declared.fields.contains(*name))
                .map(|(name, value)| (name.clone(), value.clone()));
            let context: Map<_, _> = order
                .with
                .context
                .clone()
                .into_iter()
                .chain(fields)
                .collect();
            let circumstances = Environment {
                context,
                amount: None,
                ..order.with.clone()
            };
            let request = Request {
                principal: order.principal.clone(),
                action,
                resource: target.resource.clone().into(),
                circumstances,
            };
            let question = RequestRef::from(&request);
            // A caller without an account consumes from no account.
            let metered = !is_staff
                && declared
                    .meters
                    .iter()
                    .chain(&declared.frees)
                    .next()
                    .is_some();
            let decision = if metered {
                let (take, taking) = (
                    ConsumeOptions::new(1),
                    ConsumeMode::Consume { up_to: false },
                );
                match self.metered(&question, &take, taking)? {
                    QuotaTarget::Account(metered) => {
                        metered
                            .of_command(key)
                            .take(ledger, self, &question, taking, None)?
                            .0
                    }
                    QuotaTarget::Denied(decision) => *decision,
                }
            } else {
                self.authorize(&question)?
            };
            if decision.allowed {
                return if metered {
                    Ok(decision)
                } else {
                    self.write_history(order, target, key, decision, ledger)
                };
            }
            refusals.add(self, decision);
        }
        refusals.most_specific().ok_or_else(|| Error::NotAsked {
            command: order.command.name().to_owned(),
            principal: order.principal.to_string(),
        })
    }

    /// Records an allowed command in the history. An operator's key is stored in the operators' key
    /// space, so that a retry finds it even if the target no longer exists.
    fn write_history(
        &self,
        order: &CommandRequest<'_>,
        target: &CommandTarget,
        key: Option<(&str, [u8; 32])>,
        decision: Decision,
        ledger: &mut dyn CountTx,
    ) -> Result<Decision, Error> {
        let (book, calendar, keys) = (
            self.book(order, target),
            Calendar::default(),
            self.key_space_of(order),
        );
        let subject = QuotaSubject {
            account: book.account,
            member: book.member,
            actor: book.actor.as_deref(),
            calendar: &calendar,
        };
        if keys != OPERATOR_KEY_SPACE {
            return quota::record_command(ledger, &subject, key, decision);
        }
        let decision = quota::record_command(ledger, &subject, None, decision)?;
        if let Some(key) = key {
            quota::record_key(
                ledger,
                &QuotaSubject {
                    account: OPERATOR_KEY_SPACE,
                    ..subject
                },
                key,
                &decision,
            )?;
        }
        Ok(decision)
    }
}

/// The denials of the actions of one request. The denial that passed the most gates is
/// returned.
#[derive(Default)]
pub(super) struct Refusals(Option<(usize, Decision)>);

impl Refusals {
    pub(super) fn add(&mut self, state: &Snapshot, decision: Decision) {
        // Position, in gate order, of the policy that caused the denial. Denials without a policy
        // sort last.
        let rules = &state.loaded.rules().list;
        let named = decision
            .policies
            .first()
            .and_then(|id| rules.iter().position(|rule| rule.id == *id));
        let gate = named.unwrap_or(rules.len());
        if self.0.as_ref().is_none_or(|(known, _)| gate > *known) {
            self.0 = Some((gate, decision));
        }
    }

    pub(super) fn most_specific(self) -> Option<Decision> {
        self.0.map(|(_, decision)| decision)
    }
}

/// Records stocks that count directory records, for the history. The number itself is read from the
/// directory.
fn sync_stocks(
    ledger: &mut dyn CountTx,
    directory: &Directory,
    bundle: &Bundle,
    accounts: &[String],
) -> Result<(), Error> {
    let now = ledger.now();
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
                ledger,
                &subject,
                &MeterRequest::of_stock(meter, directory.allowance(number, meter, &bundle.catalog)),
                directory.count(number, what, now),
            )?;
        }
    }
    Ok(())
}
