//! The allow bit of a session's request, straight from the rows: what most checks are. All that the answer to one kind of
//! request needs stands together, so that finding it waits for memory once or twice; and nothing is built on the way.

use super::ask::{Login, domain_of, host_sought};
use super::bits::{self, Session, is_client};
use super::memo::Memo;
use super::programs::Programs;
use super::words;
use crate::directory::{Directory, Index};
use crate::eval::{Outcome, Plan, run};
use crate::id::same;
use crate::limit::QuotaFacts;
use crate::policy::Answer;
use crate::policy::compile::construct;
use crate::question::{Kind, Question};

/// Names by number, found by one look-up.
#[derive(Debug, Default)]
pub(super) struct Names {
    index: Index,
    list: Vec<Box<str>>,
}

impl Names {
    /// The next number, for a name that has none yet.
    pub(super) fn push(&mut self, name: &str) -> u32 {
        if self.index.is_full() {
            self.index = self.index.grown();
        }
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.index.insert(self.index.hash(name.as_bytes()), number);
        self.list.push(name.into());
        number
    }

    #[inline(always)]
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.index.find(self.index.hash(name.as_bytes()), |number| self.list.get(number as usize).is_some_and(|known| same(known, name)))
    }
}

/// The kinds of request of one action: a range of the keys.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: u32,
    end: u32,
    /// The place of its feature, or any.
    feature: u32,
}

/// What tells the kinds of request of an action apart.
#[derive(Debug, Clone, Copy)]
struct Key {
    principal: u32,
    /// The resource type's place in [`Programs::kinds`].
    kind: u32,
    /// Its place among the entries of its action.
    entry: usize,
    /// Whether the resource is the host's own, and brings an account and nothing else.
    inline: bool,
    /// Whether its answers can be recalled.
    recalls: bool,
}

/// How the bits of a kind of request answer it.
#[derive(Debug)]
pub(super) struct Planned {
    /// The allow bit.
    pub(super) plan: Plan,
    /// All of the answer, where it was given before.
    pub(super) memo: Memo,
}

/// What is known of the answer to a request about a meter.
pub(in crate::policy) enum Metered<'p> {
    Answer(&'p Answer),
    /// It is the one without a meter, which was not given yet.
    Unknown,
    /// All policies are to be asked.
    Beyond,
}

/// A session's request as its bits.
#[derive(Clone, Copy)]
struct Gathered {
    at: u32,
    client: bool,
    bits: u64,
}

/// For each action and pair of types that bits can answer, its plans: of a main account or operator, and of a client.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// By the action's place.
    spans: Vec<Span>,
    keys: Vec<Key>,
    plans: Vec<[Option<Planned>; 2]>,
}

impl Ready {
    /// The next action; the kinds put from now on are its.
    pub(super) fn action(&mut self, feature: u32) {
        let first = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.spans.push(Span { first, end: first, feature });
    }

    /// A kind of request of the last action, by principal, resource type, place among its entries and whether the resource is
    /// the host's own; gives its place here.
    pub(super) fn put(&mut self, (principal, kind, entry, inline): (u32, u32, usize, bool), plans: [Option<Planned>; 2]) -> Option<u32> {
        let at = u32::try_from(self.keys.len()).ok()?;
        self.spans.last_mut()?.end = at.checked_add(1)?;
        let recalls = plans.iter().flatten().any(|planned| planned.memo.is_open());
        self.keys.push(Key { principal, kind, entry, inline, recalls });
        self.plans.push(plans);
        Some(at)
    }

    #[inline(always)]
    pub(super) fn planned(&self, at: u32, client: bool) -> Option<&Planned> {
        self.plans.get(at as usize)?.get(usize::from(client))?.as_ref()
    }
}

impl Programs {
    /// The allow bit from the bits of a session's request, where they say it.
    #[inline]
    pub(in crate::policy) fn planned(&self, question: &Question<'_>, directory: &Directory) -> Option<bool> {
        let Gathered { at, client, bits } = self.gathered(question, directory, |_| true)?;
        self.ready.planned(at, client)?.plan.holds(bits, |asked| self.other_of(client, asked, question, directory))
    }

    /// The whole answer, where the same bits were answered before.
    #[inline]
    pub(in crate::policy) fn recalled(&self, question: &Question<'_>, directory: &Directory) -> Option<&Answer> {
        let Gathered { at, client, bits } = self.gathered(question, directory, |key| key.recalls)?;
        self.ready.planned(at, client)?.memo.recall(bits)
    }

    /// The answer to a session's request about a meter: the one without, where that was given before and no policy about
    /// limits has anything to say.
    pub(in crate::policy) fn metered<'p>(&'p self, question: &Question<'_>, directory: &Directory, quota: &'p QuotaFacts<'p>) -> Metered<'p> {
        let Some(Gathered { at, client, bits }) = self.gathered(question, directory, |key| key.recalls) else { return Metered::Beyond };
        let Some(planned) = self.ready.planned(at, client).filter(|planned| planned.memo.is_open()) else { return Metered::Beyond };
        match (planned.memo.recall(bits), self.is_silent(question, directory, client, quota)) {
            (_, None | Some(false)) => Metered::Beyond,
            (Some(answer), Some(true)) => Metered::Answer(answer),
            (None, Some(true)) => Metered::Unknown,
        }
    }

    /// Whether no policy about limits has anything to say; nothing where that is not known.
    fn is_silent<'p>(&'p self, question: &Question<'_>, directory: &Directory, client: bool, quota: &'p QuotaFacts<'p>) -> Option<bool> {
        let found = self.found(question, directory, quota)?;
        let limits = found.entry.session.get(usize::from(client))?.limits.as_ref()?;
        let mut silent = true;
        self.with_roots(question, directory, &found, |roots, tenants, space| {
            for program in limits {
                run(program, roots, tenants, space, construct, |_, outcome| {
                    silent &= outcome == Outcome::DoesNot;
                    silent
                });
            }
        })?;
        Some(silent)
    }

    /// Keeps an answer for the next question of the same bits.
    #[cold]
    pub(in crate::policy) fn keep(&self, question: &Question<'_>, directory: &Directory, answer: impl FnOnce() -> Answer) {
        if let Some(Gathered { at, client, bits }) = self.gathered(question, directory, |key| key.recalls)
            && let Some(planned) = self.ready.planned(at, client)
        {
            planned.memo.keep(bits, answer);
        }
    }

    /// The bits of a session's request of a kind that is wanted, unless more than bits may count.
    #[inline(always)]
    fn gathered(&self, question: &Question<'_>, directory: &Directory, wanted: impl Fn(&Key) -> bool) -> Option<Gathered> {
        let (hot, resource) = (directory.hot(), &question.resource);
        if question.with.is_some() || resource.more.is_some() || resource.id.is_empty() {
            return None;
        }
        // All texts that are looked up are asked of memory before the first answer is waited for.
        let sought = Login::sought(hot, question.principal);
        let at_host = question.host?;
        let host_at = host_sought(directory, at_host);
        let action = self.action_of(question.action)? as usize;
        let span = *self.ready.spans.get(action)?;
        let (login, account, member) = Login::rows(directory, question.principal, sought)?;
        let at = self.kind_in(span, login.kind, resource.kind)?;
        let key = self.ready.keys.get(at as usize).filter(|key| wanted(key))?;
        let resource_bits = if key.inline {
            bits::same(bits::RESOURCES_ACCOUNT_IS_ACCOUNT, Self::account_of(resource.account?, login.account, directory)?, login.account)
        } else {
            let entry = self.list.get(action)?.entries.get(key.entry)?;
            Self::on(entry, login.account, question, directory)?.bits(login)
        };
        if self.stands_alone(login, resource.id) {
            return None;
        }
        let domain = *hot.domains.row(domain_of(directory, at_host, host_at)?)?;
        let client = is_client(&account);
        let bits = Session { login, account, member, domain, feature: span.feature }.bits(hot) | resource_bits;
        Some(Gathered { at, client, bits })
    }

    /// The place of a kind of request among those of its action.
    #[inline(always)]
    fn kind_in(&self, span: Span, principal: u32, kind: Kind<'_>) -> Option<u32> {
        let keys = self.ready.keys.get(span.first as usize..span.end as usize)?;
        let mut numbered = (span.first..).zip(keys).filter(|(_, key)| key.principal == principal);
        let found = match kind {
            Kind::Handle(handle) => {
                let kind = self.kind_of(handle)?;
                numbered.find(|(_, key)| key.kind == kind)
            }
            Kind::Name(name) => numbered.find(|(_, key)| self.kinds.get(key.kind as usize).is_some_and(|known| same(known, name))),
        };
        Some(found?.0)
    }

    /// Whether a policy may be about these records alone.
    #[inline(always)]
    fn stands_alone(&self, login: Login, id: &str) -> bool {
        self.sieves[0].may_hold_number(words::entity(login.kind, login.number)) || self.sieves[1].may_hold_text(id)
    }
}
