//! Decisions as numbers: JavaScript learns each string once. `said.js` reads what is written here.

use std::array::from_fn;
use std::collections::HashMap;
use std::sync::Arc;

use sublet::{CountReceipt, Decision, Limit, Quota, instant_text};

/// How many strings, and how many instants, are found without the map.
const NEAR: usize = 256;

/// What was asked for lately, each with its number in its place.
type Near<T> = Box<[Option<(T, u32)>; NEAR]>;

/// Strings by number. `fresh` are those that JavaScript has not learnt yet.
pub(crate) struct Strings {
    known: HashMap<Arc<str>, u32>,
    fresh: Vec<Arc<str>>,
    /// All were forgotten, and JavaScript was not told yet.
    forgotten: bool,
    near: Near<Arc<str>>,
    instants: Near<i64>,
}

/// How many strings are remembered; then all are forgotten, here and in JavaScript.
const MOST: usize = 4096;

/// Says in the first word of a decision that it was counted; the lowest bit is the allow bit.
const COUNTED: u32 = 4;
/// What is true of what was counted.
const REPLAYED: u32 = 1;
const RECORDED: u32 = 2;
/// How a limit is said: what is none is 0.
const NUMBER: u32 = 1;
const UNLIMITED: u32 = 2;
/// Instants differ by quarters of an hour, in milliseconds.
const QUARTER: i64 = 900_000;

impl Default for Strings {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            fresh: Vec::new(),
            forgotten: false,
            near: Box::new(from_fn(|_| None)),
            instants: Box::new([None; NEAR]),
        }
    }
}

/// Where a string stands among the near ones.
fn place(text: &str) -> usize {
    let bytes = text.as_bytes();
    let at = |index: usize| usize::from(bytes.get(index).copied().unwrap_or_default());
    let [first, middle, last] = [
        at(0),
        at(bytes.len() / 2),
        at(bytes.len().saturating_sub(1)),
    ];
    (first.wrapping_mul(3)
        ^ middle.wrapping_mul(31)
        ^ last.wrapping_mul(127)
        ^ bytes.len().wrapping_mul(5))
        % NEAR
}

/// An integer as two words: its low half, then its high one.
fn halves(integer: u64) -> [u32; 2] {
    #[allow(clippy::cast_possible_truncation, reason = "the halves are meant")]
    [integer as u32, (integer >> 32) as u32]
}

fn signed(integer: i64) -> [u32; 2] {
    halves(integer.cast_unsigned())
}

/// How a limit is said, and its number.
fn limit(limit: Option<Limit>) -> (u32, i64) {
    match limit {
        None => (0, 0),
        Some(Limit::Number(number)) => (NUMBER, number),
        Some(Limit::Unlimited) => (UNLIMITED, 0),
    }
}

/// Whether numbers can say it to who asks: a member's id is his, and so known there. Those of
/// others, and the instants at which reservations expire, are too many to be remembered.
fn is_plain(counted: &CountReceipt, asker: Option<&str>) -> bool {
    let known = |quota: &Quota| {
        quota
            .member
            .as_ref()
            .is_none_or(|member| Some(&*member.id) == asker)
    };
    counted.expires_at.is_none() && counted.quota.iter().all(known)
}

impl Strings {
    /// Forgets all if they are too many.
    pub(crate) fn forget(&mut self) {
        if self.known.len() > MOST {
            *self = Self {
                forgotten: true,
                ..Self::default()
            };
        }
    }

    /// What JavaScript has to do before it reads: 2 to forget all and to learn, 1 to learn, 0
    /// nothing.
    pub(crate) fn news(&mut self) -> u32 {
        if std::mem::take(&mut self.forgotten) {
            2
        } else {
            u32::from(!self.fresh.is_empty())
        }
    }

    fn number(&mut self, text: &str) -> u32 {
        let place = place(text);
        match self.near.get(place) {
            Some(Some((near, number))) if **near == *text => *number,
            _ => self.look_up(text, place),
        }
    }

    #[cold]
    fn look_up(&mut self, text: &str, place: usize) -> u32 {
        let (own, number) = if let Some((own, number)) = self.known.get_key_value(text) {
            (Arc::clone(own), *number)
        } else {
            let (own, number) = (
                Arc::<str>::from(text),
                u32::try_from(self.known.len()).unwrap_or(u32::MAX),
            );
            self.known.insert(Arc::clone(&own), number);
            self.fresh.push(Arc::clone(&own));
            (own, number)
        };
        if let Some(near) = self.near.get_mut(place) {
            *near = Some((own, number));
        }
        number
    }

    /// One more than the number of an instant's text; 0 for none.
    fn instant(&mut self, at: Option<i64>) -> u32 {
        let Some(at) = at else { return 0 };
        let place = usize::try_from((at / QUARTER).rem_euclid(NEAR as i64)).unwrap_or_default();
        match self.instants.get(place) {
            Some(Some((near, number))) if *near == at => *number,
            _ => {
                let number =
                    instant_text(at).map_or(0, |text| self.number(&text).saturating_add(1));
                if let Some(near) = self.instants.get_mut(place) {
                    *near = Some((at, number));
                }
                number
            }
        }
    }

    /// The strings that got their number since this was asked, in order of their numbers.
    pub(crate) fn learn(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.fresh)
    }

    /// Adds a decision to `words`: allowed and counted, revision (low, high), code, bundle, how
    /// many policies and advice, their numbers, what was counted. False, and nothing is added, if
    /// it has more to say than numbers can to the member of this id.
    pub(crate) fn say(
        &mut self,
        decision: &Decision,
        asker: Option<&str>,
        words: &mut Vec<u32>,
    ) -> bool {
        let counted = decision.counted.as_deref();
        if !decision.errors.is_empty()
            || decision.actor.is_some()
            || counted.is_some_and(|counted| !is_plain(counted, asker))
        {
            return false;
        }
        let (Ok(policies), Ok(advice)) = (
            u32::try_from(decision.policies.len()),
            u32::try_from(decision.advice.len()),
        ) else {
            return false;
        };
        let [low, high] = halves(decision.revision);
        let (code, bundle) = (self.number(&decision.code), self.number(&decision.bundle));
        let first = u32::from(decision.allowed) | if counted.is_some() { COUNTED } else { 0 };
        words.extend([first, low, high, code, bundle, policies, advice]);
        words.extend(
            decision
                .policies
                .iter()
                .chain(&decision.advice)
                .map(|text| self.number(text)),
        );
        if let Some(counted) = counted {
            self.say_counted(counted, words);
        }
        true
    }

    /// How many quotas, what is true of it, the operation; each quota.
    fn say_counted(&mut self, counted: &CountReceipt, words: &mut Vec<u32>) {
        let [low, high] = halves(counted.operation.unwrap_or_default());
        let is = if counted.replayed { REPLAYED } else { 0 }
            | if counted.operation.is_some() {
                RECORDED
            } else {
                0
            };
        words.extend([
            u32::try_from(counted.quota.len()).unwrap_or_default(),
            is,
            low,
            high,
        ]);
        for quota in &counted.quota {
            self.say_quota(quota, words);
        }
    }

    /// Meter, source, the next window, how its limits are said; amount, used, held, limit, base,
    /// override, top-up and what remains, of two words each; used, held, limit and what remains of
    /// the member's.
    fn say_quota(&mut self, quota: &Quota, words: &mut Vec<u32>) {
        let limits = [
            Some(quota.limit),
            quota.base,
            quota.over,
            Some(quota.remaining),
        ]
        .map(limit);
        let [
            (of_limit, most),
            (of_base, base),
            (of_over, over),
            (of_rest, rest),
        ] = limits;
        let member = quota.member.as_ref().map(|member| {
            (
                member,
                [Some(member.limit), Some(member.remaining)].map(limit),
            )
        });
        let of_member = member.map_or(0, |(_, [(of_limit, _), (of_rest, _)])| {
            of_limit | of_rest << 2
        });
        let how = of_limit | of_base << 2 | of_over << 4 | of_rest << 6 | of_member << 8;
        words.extend([
            self.number(&quota.meter),
            self.number(quota.source.as_str()),
            self.instant(quota.resets_at),
            how,
        ]);
        for integer in [
            quota.amount,
            quota.used,
            quota.held,
            most,
            base,
            over,
            quota.top_up,
            rest,
        ] {
            words.extend(signed(integer));
        }
        if let Some((member, [(_, most), (_, rest)])) = member {
            for integer in [member.used, member.held, most, rest] {
                words.extend(signed(integer));
            }
        }
    }
}
