//! Encodes decisions as numbers, so that each string crosses to JavaScript once.
//! `decision_codec.js` decodes them.

use std::array::from_fn;
use std::collections::HashMap;
use std::sync::Arc;

use sublet::{CountReceipt, Decision, Limit, Quota, instant_text};

/// Entries of each cache in front of the map.
const INSTANT_CACHE_SLOTS: usize = 256;

/// A direct-mapped cache of recent keys with their numbers.
type RecentCache<T> = Box<[Option<(T, u32)>; INSTANT_CACHE_SLOTS]>;

/// Strings by number. `fresh` holds the strings that JavaScript has not received yet.
pub(crate) struct StringTable {
    known: HashMap<Arc<str>, u32>,
    fresh: Vec<Arc<str>>,
    /// Whether the table was cleared and JavaScript has not been notified yet.
    forgotten: bool,
    recent: RecentCache<Arc<str>>,
    instants: RecentCache<i64>,
}

/// Size at which the table is cleared, here and in JavaScript.
const MAX_STRINGS: usize = 4096;

/// Flag in the first word of a decision: it has a receipt. The lowest bit is the allow bit.
const COUNTED: u32 = 4;
/// Flags of a receipt.
const REPLAYED: u32 = 1;
const RECORDED: u32 = 2;
/// Kinds of a limit; 0 is no limit.
const NUMBER: u32 = 1;
const UNLIMITED: u32 = 2;
/// Granularity of the instants at which windows end.
const QUARTER_HOUR_MS: i64 = 900_000;

impl Default for StringTable {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            fresh: Vec::new(),
            forgotten: false,
            recent: Box::new(from_fn(|_| None)),
            instants: Box::new([None; INSTANT_CACHE_SLOTS]),
        }
    }
}

/// Returns the cache slot of a string.
fn string_slot(text: &str) -> usize {
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
        % INSTANT_CACHE_SLOTS
}

/// Splits an integer into two words: its low half, then its high half.
fn halves(integer: u64) -> [u32; 2] {
    #[allow(clippy::cast_possible_truncation, reason = "the halves are wanted")]
    [integer as u32, (integer >> 32) as u32]
}

fn signed(integer: i64) -> [u32; 2] {
    halves(integer.cast_unsigned())
}

/// Returns the kind of a limit and its number.
fn encode_limit(limit: Option<Limit>) -> (u32, i64) {
    match limit {
        None => (0, 0),
        Some(Limit::Number(number)) => (NUMBER, number),
        Some(Limit::Unlimited) => (UNLIMITED, 0),
    }
}

/// Returns whether the numbers of a receipt say all but its member's id and its expiry. The id is
/// left out, so it must be this one, which JavaScript knows.
fn is_encodable(counted: &CountReceipt, member_id: Option<&str>) -> bool {
    let known = |quota: &Quota| {
        quota
            .member
            .as_ref()
            .is_none_or(|member| Some(&*member.id) == member_id)
    };
    counted.quota.iter().all(known)
}

/// Returns the instant at which the reservation of a decision expires. Its numbers leave it out,
/// because such instants are too many for the table.
pub(crate) fn expiry(decision: &Decision) -> Option<i64> {
    decision.counted.as_deref()?.expires_at
}

impl StringTable {
    /// Clears the table if it is full.
    pub(crate) fn forget_if_full(&mut self) {
        if self.known.len() > MAX_STRINGS {
            *self = Self {
                forgotten: true,
                ..Self::default()
            };
        }
    }

    /// Returns how JavaScript must update its table before it decodes: 2 clears and fetches, 1
    /// fetches, 0 does nothing.
    pub(crate) fn table_update(&mut self) -> u32 {
        if std::mem::take(&mut self.forgotten) {
            2
        } else {
            u32::from(!self.fresh.is_empty())
        }
    }

    fn number(&mut self, text: &str) -> u32 {
        let slot = string_slot(text);
        match self.recent.get(slot) {
            Some(Some((recent, number))) if **recent == *text => *number,
            _ => self.look_up(text, slot),
        }
    }

    #[cold]
    fn look_up(&mut self, text: &str, slot: usize) -> u32 {
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
        if let Some(recent) = self.recent.get_mut(slot) {
            *recent = Some((own, number));
        }
        number
    }

    /// Returns one more than the number of an instant's text, or 0 for `None`.
    fn instant(&mut self, at: Option<i64>) -> u32 {
        let Some(at) = at else { return 0 };
        let slot = usize::try_from((at / QUARTER_HOUR_MS).rem_euclid(INSTANT_CACHE_SLOTS as i64))
            .unwrap_or_default();
        match self.instants.get(slot) {
            Some(Some((recent, number))) if *recent == at => *number,
            _ => {
                let number =
                    instant_text(at).map_or(0, |text| self.number(&text).saturating_add(1));
                if let Some(recent) = self.instants.get_mut(slot) {
                    *recent = Some((at, number));
                }
                number
            }
        }
    }

    /// Returns the strings that were numbered since the last call, in order of their numbers.
    pub(crate) fn take_new_strings(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.fresh)
    }

    /// Appends a decision to `words`: flags, revision (low, high), code, bundle, the numbers of
    /// policies and advice, their strings, the receipt. Returns false, and appends nothing, if
    /// numbers cannot encode the decision for this principal.
    pub(crate) fn encode(
        &mut self,
        decision: &Decision,
        principal_id: Option<&str>,
        words: &mut Vec<u32>,
    ) -> bool {
        let counted = decision.counted.as_deref();
        if !decision.errors.is_empty()
            || decision.actor.is_some()
            || counted.is_some_and(|counted| !is_encodable(counted, principal_id))
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
            self.append_receipt(counted, words);
        }
        true
    }

    /// Appends a receipt to `words`. Returns false, and appends nothing, if numbers cannot encode
    /// it with this member.
    pub(crate) fn encode_receipt(
        &mut self,
        counted: &CountReceipt,
        member_id: Option<&str>,
        words: &mut Vec<u32>,
    ) -> bool {
        let is_whole = counted.expires_at.is_none() && is_encodable(counted, member_id);
        if is_whole {
            self.append_receipt(counted, words);
        }
        is_whole
    }

    /// Appends the number of quotas, the flags, the operation, and each quota.
    fn append_receipt(&mut self, counted: &CountReceipt, words: &mut Vec<u32>) {
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
            self.encode_quota(quota, words);
        }
    }

    /// Appends meter, source, next window and the kinds of the limits; then amount, used, held,
    /// limit, base, override, top-up and remaining of two words each; then used, held, limit and
    /// remaining of the member.
    fn encode_quota(&mut self, quota: &Quota, words: &mut Vec<u32>) {
        let limits = [
            Some(quota.limit),
            quota.base,
            quota.over,
            Some(quota.remaining),
        ]
        .map(encode_limit);
        let [
            (of_limit, most),
            (of_base, base),
            (of_over, over),
            (of_rest, rest),
        ] = limits;
        let member = quota.member.as_ref().map(|member| {
            (
                member,
                [Some(member.limit), Some(member.remaining)].map(encode_limit),
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
