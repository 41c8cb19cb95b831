//! A question before its program: names become numbers once, and what is asked most becomes bits.

use super::bits::Session;
use super::programs::{ActionEntry, Alone, Entry, Programs, Sessions};
use super::words::{self, entity, parts};
use crate::directory::{Directory, Hot, NONE};
use crate::eval::{Outcome, Program, Value, run};
use crate::host;
use crate::policy::compile::construct;
use crate::policy::fast::Tally;
use crate::policy::{Bundle, Verdict};
use crate::question::{At, Does, Kind, Of, Question, Who};

/// Principal or actor: its kind, its number and that of its account, or [`NONE`].
#[derive(Clone, Copy)]
pub(super) struct Login {
    pub(super) kind: u32,
    pub(super) number: u32,
    pub(super) account: u32,
}

/// What the action is done to: the host's own, of an account, or a record of the directory.
#[derive(Clone, Copy)]
pub(super) enum On {
    Inline { account: u32 },
    Record { kind: u32, number: u32 },
}

/// A question's names as numbers.
pub(super) struct Found<'p> {
    pub(super) action: &'p ActionEntry,
    pub(super) entry: &'p Entry,
    pub(super) principal: Login,
    pub(super) on: On,
    /// The policies that are about this principal, and about this resource, alone.
    alone: [&'p [u32]; 2],
}

impl Found<'_> {
    /// Whether no policy is about its records alone, and nothing must come with the resource but its account.
    fn is_plain(&self) -> bool {
        self.alone.iter().all(|alone| alone.is_empty()) && self.entry.inline.as_ref().is_none_or(|inline| inline.owned)
    }
}

impl Login {
    #[inline]
    pub(super) fn find(directory: &Directory, who: Who<'_>) -> Option<Self> {
        let hot = directory.hot();
        let by_name = |kind: &str, id: &str| match kind {
            "Account" => Some(entity(words::ACCOUNT, hot.accounts.number(id)?)),
            "TeamMember" => Some(entity(words::MEMBER, hot.members.number(id)?)),
            "Operator" => Some(entity(words::OPERATOR, hot.operators.number(id)?)),
            _ => None,
        };
        let found = match who {
            Who::Name(kind, id) => by_name(kind, id)?,
            Who::Handle(handle) => handle.place.get(directory.numbering(), || by_name(handle.reference().kind(), handle.reference().id()))?,
        };
        Self::of(hot, found)
    }

    #[inline]
    fn of(hot: &Hot, found: u32) -> Option<Self> {
        let (kind, number) = parts(found);
        let account = match kind {
            words::ACCOUNT => hot.accounts.row(number).map(|_| number)?,
            words::MEMBER => hot.members.row(number)?.account,
            words::OPERATOR => hot.operators.row(number).map(|_| NONE)?,
            _ => return None,
        };
        Some(Self { kind, number, account })
    }

    pub(super) fn value(self) -> Value {
        Value::Entity(entity(self.kind, self.number))
    }

    pub(super) fn account(self) -> Value {
        if self.account == NONE { Value::Missing } else { Value::Entity(entity(words::ACCOUNT, self.account)) }
    }

    pub(super) fn only(self, kind: u32) -> Value {
        if self.kind == kind { self.value() } else { Value::Missing }
    }
}

/// The number of a host that is a domain's name as it stands.
#[inline]
pub(super) fn domain_of(directory: &Directory, at: At<'_>) -> Option<u32> {
    let hot = directory.hot();
    let exactly = |name: &str| hot.domains.number(name).filter(|number| hot.domains.row(*number).is_some());
    match at {
        At::Name(name) => exactly(name),
        At::Handle(handle) => {
            let number = handle.place.get(directory.numbering(), || exactly(handle.name()).or_else(|| exactly(&host::normalise(handle.name()).ok()?)))?;
            hot.domains.row(number).map(|_| number)
        }
    }
}

impl Programs {
    /// The answer, or nothing where the question is malformed, names what nobody has, or brings what only Cedar reads: then
    /// the long way is asked, which says so.
    pub(in crate::policy) fn judge(&self, bundle: &Bundle, question: &Question<'_>, directory: &Directory) -> Option<Verdict> {
        let found = self.find(question, directory)?;
        let mut tally = Tally::default();
        let mut count = |at, outcome| {
            tally.count(&bundle.rules, at, outcome);
            true
        };
        match self.in_session(question, directory, &found) {
            Some((sessions, Some(true))) => self.run(&sessions.permits, question, directory, &found, &mut count)?,
            Some((sessions, _)) => self.run(&sessions.programs, question, directory, &found, &mut count)?,
            None => self.run(&found.entry.any, question, directory, &found, &mut count)?,
        }
        Some(tally.verdict(&bundle.rules))
    }

    /// The allow bit of the answer, for what no plan says; stops once it is certain.
    pub(in crate::policy) fn check(&self, bundle: &Bundle, question: &Question<'_>, directory: &Directory) -> Option<bool> {
        let found = self.find(question, directory)?;
        let programs = match self.in_session(question, directory, &found) {
            Some((_, Some(allowed))) => return Some(allowed),
            Some((sessions, None)) => &sessions.programs,
            None => &found.entry.any,
        };
        let (mut permitted, mut refused) = (false, false);
        self.run(programs, question, directory, &found, &mut |at, outcome| {
            match outcome {
                Outcome::DoesNot => {}
                Outcome::Applies if bundle.rules.permits_at(at) => permitted = true,
                Outcome::Applies | Outcome::Errs => refused = true,
            }
            !refused
        })?;
        Some(permitted && !refused)
    }

    /// The allow bit from the bits of a session's request, where they say it.
    #[inline]
    pub(in crate::policy) fn planned(&self, question: &Question<'_>, directory: &Directory) -> Option<bool> {
        let found = self.find(question, directory)?;
        self.in_session(question, directory, &found)?.1
    }

    /// What answers a session's request, and the allow bit where the plan says it; nothing for other requests.
    #[inline]
    fn in_session<'p>(&self, question: &Question<'_>, directory: &Directory, found: &Found<'p>) -> Option<(&'p Sessions, Option<bool>)> {
        if question.with.is_some() || question.resource.more.is_some() || found.action.context {
            return None;
        }
        let domain = domain_of(directory, question.host?)?;
        let session = Session { principal: found.principal, on: found.on, domain, feature: found.action.feature_place };
        let (bits, client) = session.bits(directory.hot())?;
        let sessions = found.entry.session.get(usize::from(client))?;
        let plan = sessions.plan.as_ref().filter(|_| found.is_plain());
        Some((sessions, plan.and_then(|plan| plan.holds(bits, |asked| self.other(sessions, asked, question, directory, found)))))
    }

    /// Whether a condition that is no bit holds, or errs.
    #[cold]
    fn other(&self, sessions: &Sessions, asked: u16, question: &Question<'_>, directory: &Directory, found: &Found<'_>) -> Option<bool> {
        let program = sessions.others.get(usize::from(asked >> 1))?;
        let mut outcome = None;
        self.with_roots(question, directory, found, |roots, tenants, space| {
            run(program, roots, tenants, space, construct, |_, found| {
                outcome = Some(found);
                true
            });
        })?;
        Some(outcome? == if asked & 1 == 0 { Outcome::Applies } else { Outcome::Errs })
    }

    /// Tells `each` how each policy stands to the request: those of the programs, and those about its records alone.
    fn run(
        &self,
        programs: &[Program],
        question: &Question<'_>,
        directory: &Directory,
        found: &Found<'_>,
        each: &mut impl FnMut(usize, Outcome) -> bool,
    ) -> Option<()> {
        self.with_roots(question, directory, found, |roots, tenants, space| {
            let above: Vec<u32> = if self.resources.is_empty() { Vec::new() } else { space.scratch.guest.ancestors.clone() };
            let above = above.iter().filter_map(|above| self.resources.get(above)).flatten();
            let alone = found.alone.iter().copied().flatten().chain(above).filter_map(|at| self.alone.get(*at as usize));
            let mut go_on = true;
            for program in programs.iter().chain(alone) {
                run(program, roots, tenants, space, construct, |at, outcome| {
                    go_on = each(at, outcome);
                    go_on
                });
                if !go_on {
                    break;
                }
            }
        })
    }

    #[inline]
    fn find<'p>(&'p self, question: &Question<'_>, directory: &Directory) -> Option<Found<'p>> {
        let (hot, resource) = (directory.hot(), &question.resource);
        if resource.id.is_empty() {
            return None;
        }
        let action = match question.action {
            Does::Name("Action", id) => *self.actions.get(id)?,
            Does::Name(..) => return None,
            Does::Handle(handle) => {
                let named = || self.actions.get(handle.reference().id()).copied().filter(|_| handle.reference().kind() == "Action");
                handle.place.get(self.numbering, named)?
            }
        };
        let action = self.list.get(action as usize)?;
        let principal = Login::find(directory, question.principal)?;
        let entry = match resource.kind {
            Kind::Name(name) => action.entries.iter().find(|entry| entry.principal == principal.kind && *entry.resource == *name)?,
            Kind::Handle(handle) => {
                let named = || u32::try_from(self.kinds.iter().position(|kind| **kind == *handle.name())?).ok();
                let kind = handle.place.get(self.numbering, named)?;
                action.entries.iter().find(|entry| entry.principal == principal.kind && entry.kind == kind)?
            }
        };
        let on = match (&entry.inline, resource.account) {
            (Some(inline), Some(account)) => {
                inline.account?;
                let number = match account {
                    Of::Name(id) => hot.accounts.number(id)?,
                    Of::Handle(handle) if handle.reference().kind() == "Account" => {
                        let named = || hot.accounts.number(handle.reference().id()).map(|number| entity(words::ACCOUNT, number));
                        parts(handle.place.get(directory.numbering(), named)?).1
                    }
                    Of::Handle(_) => return None,
                };
                hot.accounts.row(number)?;
                On::Inline { account: number }
            }
            (Some(inline), None) if inline.account != Some(true) => On::Inline { account: NONE },
            (None, None) if resource.more.is_none() => {
                let (kind, number) = parts(super::world::record(hot, &entry.resource, resource.id)?);
                if !there(hot, kind, number) {
                    return None;
                }
                On::Record { kind, number }
            }
            _ => return None,
        };
        let about = |map: &'p Alone, whom: u32| map.get(&whom).map_or(&[][..], Vec::as_slice);
        let whose = if self.principals.is_empty() { &[][..] } else { about(&self.principals, entity(principal.kind, principal.number)) };
        let on_what = if self.resources.is_empty() {
            &[][..]
        } else {
            match on {
                On::Record { kind, number } => about(&self.resources, entity(kind, number)),
                On::Inline { .. } => self.named.others.find(entry.text, resource.id).map_or(&[][..], |at| about(&self.resources, entity(words::NAMED, at))),
            }
        };
        Some(Found { action, entry, principal, on, alone: [whose, on_what] })
    }
}

/// Whether there is a record of that number.
fn there(hot: &Hot, kind: u32, number: u32) -> bool {
    match kind {
        words::ACCOUNT => hot.accounts.row(number).is_some(),
        words::MEMBER => hot.members.row(number).is_some(),
        words::DOMAIN => hot.domains.row(number).is_some(),
        words::LEVEL => hot.levels.row(number).is_some(),
        words::PACKAGE => hot.packages.row(number).is_some(),
        words::OPERATOR => hot.operators.row(number).is_some(),
        words::PLATFORM => hot.platforms.row(number).is_some(),
        _ => false,
    }
}
