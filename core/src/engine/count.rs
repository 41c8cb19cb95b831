//! The verbs that count: a decision and its debit in one step.

use sha2::{Digest, Sha256};

use super::{Engine, State, guard};
use crate::catalog::{MeterKind, WindowKind};
use crate::decision::Decision;
use crate::limit::QuotaFacts;
use crate::policy::Bundle;
use crate::question::Who;
use crate::quota::{self, Counted, HistoryEntry, Line, Quota, Settling, Statement, Subject, Taking};
use crate::store::{Keep, Verification};
use crate::{Circumstances, Error, Question, Take};

/// How long a key may be, in bytes.
const KEY_BYTES: usize = 255;

impl Engine {
    /// Asks, and if it is allowed takes: one step, between whose parts nothing comes. What is denied takes nothing (Q13).
    ///
    /// An action that frees (`@frees`) gives back. With [`Take::up_to`] what is left is granted where all is too much.
    ///
    /// # Errors
    /// The `input.*` codes of [`Engine::authorize`]; `quota.not_metered` for an action without a meter, the `quota.*` codes
    /// of keys, and the `store.*` codes: then nothing was taken.
    pub fn consume<'a>(&self, question: impl Into<Question<'a>>, take: &Take<'_>) -> Result<Decision, Error> {
        self.take(&question.into(), take, Taking::Consume { up_to: take.up_to })
    }

    /// Asks, and if it is allowed holds the amount for so many milliseconds: until then it is committed or released.
    ///
    /// # Errors
    /// As [`Engine::consume`]; [`Error::Ttl`] unless it is from 1 to 366 days.
    pub fn reserve<'a>(&self, question: impl Into<Question<'a>>, take: &Take<'_>, ttl: i64) -> Result<Decision, Error> {
        if !(1..=MOST_TTL).contains(&ttl) {
            return Err(Error::Ttl { ttl: ttl.to_string() });
        }
        self.take(&question.into(), take, Taking::Reserve { ttl })
    }

    /// Makes the amount the count of the action's stocks: more only as far as the policies allow it, less always.
    ///
    /// # Errors
    /// As [`Engine::consume`]; `quota.not_a_stock`.
    pub fn set<'a>(&self, question: impl Into<Question<'a>>, take: &Take<'_>) -> Result<Decision, Error> {
        self.take(&question.into(), take, Taking::Set)
    }

    /// Takes what a reservation holds, or so much of it of each meter, and gives back the rest.
    ///
    /// # Errors
    /// `quota.hold_expired`, `quota.hold_settled`, `quota.commit_too_much`, `quota.unknown_operation`; the codes of keys and
    /// of the store.
    pub fn commit(&self, reservation: u64, amount: Option<i64>, key: Option<&str>) -> Result<Counted, Error> {
        self.settle("commit", reservation, Settling::Commit(amount), amount, key)
    }

    /// Gives back what a reservation holds.
    ///
    /// # Errors
    /// As [`Engine::commit`].
    pub fn release(&self, reservation: u64, key: Option<&str>) -> Result<Counted, Error> {
        self.settle("release", reservation, Settling::Release, None, key)
    }

    /// Gives back so much of each meter that an operation took, in the window that it took it from; all that is left of it,
    /// if it is not said.
    ///
    /// # Errors
    /// `quota.refund_too_much`, `quota.not_refundable`, `quota.unknown_operation`; the codes of keys and of the store.
    pub fn refund(&self, operation: u64, amount: Option<i64>, key: Option<&str>) -> Result<Counted, Error> {
        self.settle("refund", operation, Settling::Refund(amount), amount, key)
    }

    /// Adds to the limit of an account's meter for its present window; of a stock, for good.
    ///
    /// # Errors
    /// `directory.unknown_account`, `quota.unknown_meter`; the codes of keys and of the store.
    pub fn top_up(&self, account: &str, meter: &str, amount: i64, key: Option<&str>) -> Result<Counted, Error> {
        self.state_of("top_up", (account, None), meter, amount, key, Statement::TopUp(amount))
    }

    /// Counts what an account, or a member of it, used in this window before Sublet counted. No limit is asked.
    ///
    /// # Errors
    /// As [`Engine::top_up`].
    pub fn carry_over(&self, account: &str, member: Option<&str>, meter: &str, amount: i64, key: Option<&str>) -> Result<Counted, Error> {
        self.state_of("carry_over", (account, member), meter, amount, key, Statement::CarryOver(amount))
    }

    /// How an account stands: every meter, or one; with the member's own part, if one is named (Q11).
    ///
    /// # Errors
    /// `directory.unknown_account`, `directory.unknown_record` for a member that is not of it, `quota.unknown_meter`; the
    /// codes of the store.
    pub fn usage(&self, account: &str, member: Option<&str>, meter: Option<&str>) -> Result<Vec<Quota>, Error> {
        guard(|| {
            let state = self.state.load_full();
            let counting = Counting::new(&state, "usage", account, member)?;
            let meters: Vec<&str> = match meter {
                Some(meter) => vec![meter],
                None => counting.bundle.names.meters.iter().map(String::as_str).collect(),
            };
            let lines = meters.into_iter().map(|meter| counting.line(meter, 0)).collect::<Result<Vec<_>, _>>()?;
            let mut found = Vec::new();
            state.store.read(account, &mut |ledger| {
                found = quota::usage(ledger, &counting.subject(), &lines)?;
                Ok(Keep::No)
            })?;
            Ok(found)
        })
    }

    /// What was done to an account's counts, the newest first: at most so many, older than the operation `before`.
    ///
    /// # Errors
    /// The codes of the store.
    pub fn history(&self, account: &str, before: Option<u64>, most: usize) -> Result<Vec<HistoryEntry>, Error> {
        guard(|| {
            let mut found = Vec::new();
            self.state.load().store.read(account, &mut |ledger| {
                found = quota::history(ledger, account, before, most)?;
                Ok(Keep::No)
            })?;
            Ok(found)
        })
    }

    /// Compares every count with the sum of its operations.
    ///
    /// # Errors
    /// The codes of the store.
    pub fn verify(&self) -> Result<Verification, Error> {
        guard(|| self.state.load().store.verify())
    }

    /// Takes the clock's word for it after `store.clock_jump`: so much time has passed.
    ///
    /// # Errors
    /// The codes of the store.
    pub fn accept_clock(&self) -> Result<(), Error> {
        guard(|| self.state.load().store.accept_clock())
    }

    /// Forgets every count and every key of a store in memory: for tests, between one case and the next.
    ///
    /// # Errors
    /// The codes of the store.
    pub fn forget_counts(&self) -> Result<(), Error> {
        guard(|| self.state.load().store.clear())
    }

    /// Takes all of a list, or nothing: the decisions, in their order. Nothing was taken if one of them refuses.
    ///
    /// # Errors
    /// [`Error::Item`] with the index of the first that is malformed; the codes of the store.
    pub fn batch(&self, items: &[(Question<'_>, Take<'_>)]) -> Result<Vec<Decision>, Error> {
        guard(|| self.with_latest(|state| state.batch(items, || self.is_latest(state))))
    }

    /// Does the work with the version that is in force when it runs: again, if another came before the store's turn.
    fn with_latest<T>(&self, work: impl Fn(&State) -> Result<Option<T>, Error>) -> Result<T, Error> {
        for _ in 0..VERSIONS {
            if let Some(answer) = work(&self.state.load())? {
                return Ok(answer);
            }
        }
        Err(lost())
    }

    fn is_latest(&self, state: &State) -> bool {
        std::ptr::eq(&raw const **self.state.load(), state)
    }

    fn take(&self, question: &Question<'_>, take: &Take<'_>, taking: Taking) -> Result<Decision, Error> {
        guard(|| {
            self.with_latest(|state| {
                let metered = match state.metered(question, take, taking)? {
                    Metered::By(metered) => metered,
                    Metered::Denied(decision) => return Ok(Some(*decision)),
                };
                let mut answer = None;
                state.store.write(&[metered.counting.account], &mut |ledger| {
                    if !self.is_latest(state) {
                        return Ok(Keep::No);
                    }
                    let (decision, keep) = metered.take(ledger, state, question, taking)?;
                    answer = Some(decision);
                    Ok(keep)
                })?;
                Ok(answer)
            })
        })
    }

    fn settle(&self, verb: &str, operation: u64, how: Settling, amount: Option<i64>, key: Option<&str>) -> Result<Counted, Error> {
        guard(|| {
            let state = self.state.load();
            if let Some(amount) = amount.filter(|amount| *amount < 0) {
                return Err(Error::Amount { amount: amount.to_string() });
            }
            let account = state.store.account_of(operation)?.ok_or(Error::UnknownOperation { operation })?;
            let parts = [verb.to_owned(), operation.to_string(), amount.map(|amount| amount.to_string()).unwrap_or_default()];
            let key = keyed(key, parts.iter().map(String::as_str))?;
            let counting = Counting::new(&state, verb, &account, None)?;
            let lines = |meter: &str, member: Option<&str>| counting.of(member, meter).ok();
            let asked = quota::SettlingAsked { operation, key, lines: &lines };
            let mut answer = None;
            state.store.write(&[account.as_str()], &mut |ledger| {
                let (counted, keep) = quota::settle(ledger, &asked, how)?;
                answer = Some(counted);
                Ok(keep)
            })?;
            answer.ok_or_else(lost)
        })
    }

    fn state_of(&self, verb: &str, whose: (&str, Option<&str>), meter: &str, amount: i64, key: Option<&str>, what: Statement) -> Result<Counted, Error> {
        guard(|| {
            let state = self.state.load();
            if amount < 0 {
                return Err(Error::Amount { amount: amount.to_string() });
            }
            let (account, member) = whose;
            let counting = Counting::new(&state, verb, account, member)?;
            let line = counting.line(meter, amount)?;
            let key = keyed(key, [verb, account, member.unwrap_or_default(), meter, &amount.to_string()].into_iter())?;
            let mut answer = None;
            state.store.write(&[account], &mut |ledger| {
                let (counted, keep) = quota::state(ledger, &counting.subject(), &line, key, what)?;
                answer = Some(counted);
                Ok(keep)
            })?;
            answer.ok_or_else(lost)
        })
    }
}

/// How many versions may pass by before a verb gives up: more than can.
const VERSIONS: usize = 1_000_000;

/// The longest that a reservation may hold: 366 days, in milliseconds.
const MOST_TTL: i64 = 366 * 86_400_000;

fn lost() -> Error {
    Error::Panic { reason: "a transaction gave no answer".to_owned() }
}

/// A key with the digest of what was asked with it. Each text stands with its length, so that none runs into the next.
fn keyed<'k>(key: Option<&'k str>, asked: impl Iterator<Item = impl AsRef<str>>) -> Result<Option<(&'k str, [u8; 32])>, Error> {
    let Some(key) = key else { return Ok(None) };
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(Error::Key { length: key.len() });
    }
    let mut digest = Sha256::new();
    for text in asked {
        digest.update(text.as_ref().len().to_le_bytes());
        digest.update(text.as_ref().as_bytes());
    }
    Ok(Some((key, digest.finalize().into())))
}

/// An account whose counts are asked of, as the directory says it.
struct Counting<'s> {
    state: &'s State,
    bundle: &'s Bundle,
    account: &'s str,
    number: u32,
    member: Option<(u32, &'s str)>,
    actor: Option<String>,
}

impl<'s> Counting<'s> {
    fn new(state: &'s State, verb: &str, account: &'s str, member: Option<&'s str>) -> Result<Self, Error> {
        let bundle = state.tenancy(verb)?;
        let number = state.directory.account_number(account).ok_or_else(|| Error::UnknownAccount { account: crate::id::short(account) })?;
        let known = |id| state.directory.member_number(id).filter(|(_, of)| *of == number).map(|(member, _)| (member, id));
        let unknown = |id| Error::UnknownRecord { record: format!("TeamMember `{}` of account `{}`", crate::id::short(id), crate::id::short(account)) };
        let member = member.map(|id| known(id).ok_or_else(|| unknown(id))).transpose()?;
        Ok(Self { state, bundle, account, number, member, actor: None })
    }

    fn subject(&self) -> Subject<'_> {
        let calendar = self.state.directory.calendar(self.number);
        Subject { account: self.account, member: self.member.map(|(_, id)| id), actor: self.actor.as_deref(), calendar }
    }

    fn line(&self, meter: &str, amount: i64) -> Result<Line<'s>, Error> {
        Ok(Line { amount, ..self.of_number(self.member.map(|(number, _)| number), meter)? })
    }

    fn of(&self, member: Option<&str>, meter: &str) -> Result<Line<'s>, Error> {
        self.of_number(member.and_then(|id| self.state.directory.member_number(id)).map(|(number, _)| number), meter)
    }

    fn of_number(&self, member: Option<u32>, meter: &str) -> Result<Line<'s>, Error> {
        let catalog = &self.bundle.catalog;
        let (meter, declared) = catalog.named_meter(meter).ok_or_else(|| Error::NoMeter { meter: crate::id::short(meter) })?;
        let directory = &self.state.directory;
        Ok(Line {
            meter,
            kind: declared.kind,
            window: declared.window.unwrap_or(WindowKind::Lifetime),
            frees: false,
            amount: 0,
            allowance: directory.allowance(self.number, meter, catalog),
            sub_limit: member.and_then(|member| directory.sub_limit(member, meter)),
        })
    }
}

/// What is asked of the counts of an account.
struct Asked<'s> {
    counting: Counting<'s>,
    lines: Vec<Line<'s>>,
    key: Option<(&'s str, [u8; 32])>,
    /// What an action that only frees is asked with.
    with: Option<Circumstances>,
}

/// A question about meters, or the answer where there is nobody whose they are.
enum Metered<'s> {
    By(Box<Asked<'s>>),
    Denied(Box<Decision>),
}

impl Asked<'_> {
    fn take(&self, ledger: &mut dyn crate::store::Ledger, state: &State, question: &Question<'_>, taking: Taking) -> Result<(Decision, Keep), Error> {
        let asked = quota::Asked { subject: self.counting.subject(), lines: &self.lines, key: self.key };
        quota::take(ledger, &asked, taking, &mut |facts| self.decide(state, question, facts))
    }

    fn decide(&self, state: &State, question: &Question<'_>, facts: Option<&QuotaFacts<'_>>) -> Result<Decision, Error> {
        match &self.with {
            Some(with) if facts.is_none() => state.decided(&Question { with: Some(with), ..*question }, None),
            _ => state.decided(question, facts),
        }
    }
}

impl State {
    /// What a question asks of which counts.
    fn metered<'s>(&'s self, question: &'s Question<'_>, take: &'s Take<'_>, taking: Taking) -> Result<Metered<'s>, Error> {
        let bundle = self.tenancy("consume")?;
        take.check()?;
        let (kind, name) = question.action.name();
        let action = bundle.names.actions.get(name).filter(|_| kind == "Action").ok_or_else(|| Error::UnknownAction { action: crate::id::short(name) })?;
        if action.meters.is_empty() && action.frees.is_empty() {
            return Err(Error::NotMetered { action: crate::id::short(name) });
        }
        let Some((account, member)) = self.whose(question.principal) else {
            return Ok(Metered::Denied(Box::new(self.decided(question, None)?)));
        };
        let mut counting = Counting::new(self, "consume", account, member)?;
        counting.actor = question.with.and_then(|with| with.actor.as_ref()).map(ToString::to_string);
        let mut lines = Vec::with_capacity(action.meters.len().saturating_add(action.frees.len()));
        for (meter, frees) in action.meters.iter().map(|meter| (meter, false)).chain(action.frees.iter().map(|meter| (meter, true))) {
            let line = Line { frees, ..counting.line(meter, take.of(meter))? };
            if taking == Taking::Set && line.kind != MeterKind::Stock {
                return Err(Error::NotStock { meter: meter.clone() });
            }
            lines.push(line);
        }
        take.names_only(&lines)?;
        let with =
            action.meters.is_empty().then(|| Circumstances { amount: lines.first().map(|line| line.amount), ..question.with.cloned().unwrap_or_default() });
        let key = match take.key {
            None => None,
            key => keyed(key, digested(question, take, taking, &lines, counting.actor.as_deref()).iter())?,
        };
        Ok(Metered::By(Box::new(Asked { counting, lines, key, with })))
    }

    /// The account that pays, and the member who asks.
    fn whose<'s>(&'s self, principal: Who<'s>) -> Option<(&'s str, Option<&'s str>)> {
        let (kind, id) = principal.name();
        match kind {
            "Account" => self.directory.account_number(id).map(|_| (id, None)),
            "TeamMember" => {
                let (_, account) = self.directory.member_number(id)?;
                Some((self.directory.account_id(account)?, Some(id)))
            }
            _ => None,
        }
    }

    /// The decision on so much of each meter, where the question says an amount and its action is metered; takes nothing.
    pub(super) fn counted(&self, question: &Question<'_>) -> Result<Option<Decision>, Error> {
        let Some(amount) = question.with.and_then(|with| with.amount) else { return Ok(None) };
        let crate::policy::Kind::Tenancy(bundle) = &self.loaded.kind else { return Ok(None) };
        let (kind, name) = question.action.name();
        if bundle.names.actions.get(name).is_none_or(|action| kind != "Action" || action.meters.is_empty()) {
            return Ok(None);
        }
        let take = Take::new(amount);
        let Metered::By(metered) = self.metered(question, &take, Taking::Consume { up_to: false })? else { return Ok(None) };
        let asked = quota::Asked { subject: metered.counting.subject(), lines: &metered.lines, key: None };
        let mut answer = None;
        self.store.read(metered.counting.account, &mut |ledger| {
            answer = Some(quota::count(ledger, &asked, &mut |facts| metered.decide(self, question, facts))?);
            Ok(Keep::No)
        })?;
        Ok(answer)
    }

    fn batch(&self, items: &[(Question<'_>, Take<'_>)], is_latest: impl Fn() -> bool) -> Result<Option<Vec<Decision>>, Error> {
        let mut metered = Vec::with_capacity(items.len());
        for (index, (question, take)) in items.iter().enumerate() {
            let item = |error: Error| Error::Item { index, code: error.code(), reason: error.to_string() };
            metered.push(self.metered(question, take, Taking::Consume { up_to: take.up_to }).map_err(item)?);
        }
        let accounts: Vec<&str> = metered.iter().filter_map(|item| if let Metered::By(by) = item { Some(by.counting.account) } else { None }).collect();
        let mut done = None;
        self.store.write(&accounts, &mut |ledger| {
            if !is_latest() {
                return Ok(Keep::No);
            }
            let mut answers = Vec::with_capacity(items.len());
            let mut keep = Keep::Yes;
            for ((question, take), metered) in items.iter().zip(&metered) {
                let decision = match metered {
                    Metered::Denied(decision) => decision.as_ref().clone(),
                    Metered::By(metered) => metered.take(ledger, self, question, Taking::Consume { up_to: take.up_to })?.0,
                };
                if !decision.allowed {
                    keep = Keep::No;
                }
                answers.push(decision);
            }
            if keep == Keep::No {
                // What was allowed is not taken.
                answers.iter_mut().filter_map(|decision| decision.counted.as_mut()).for_each(|counted| counted.operation = None);
            }
            done = Some(answers);
            Ok(keep)
        })?;
        Ok(done)
    }
}

/// All that makes two requests with one key the same.
fn digested(question: &Question<'_>, take: &Take<'_>, taking: Taking, lines: &[Line<'_>], actor: Option<&str>) -> Vec<String> {
    let (principal, action) = (question.principal.name(), question.action.name());
    let resource = &question.resource;
    let texts = [principal.0, principal.1, action.1, resource.kind.name(), resource.id, resource.account.map_or("", crate::Of::id), actor.unwrap_or_default()];
    let mut asked: Vec<String> = texts.into_iter().map(str::to_owned).collect();
    asked.push(format!("{taking:?} {}", take.up_to));
    asked.extend(lines.iter().map(|line| format!("{} {}", line.meter, line.amount)));
    asked
}
