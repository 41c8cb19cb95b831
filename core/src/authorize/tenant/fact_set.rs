//! The set of facts that a request has. Requests of one kind that have the same facts share a plan,
//! in which the absence or presence of each fact is folded in.

/// The thing to which the host of a request leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostFact {
    /// The request names no host.
    Absent = 0,
    /// The host is not a host name.
    Refused = 1,
    /// No domain has that name.
    Unknown = 2,
    /// A domain of the directory.
    Domain = 3,
}

/// A place in a [`FactSet`]: the first bit, and the mask of the value.
#[derive(Clone, Copy)]
pub(crate) struct Fact(u32, u32);

/// Whether the account of the principal is a client.
pub(crate) const CLIENT: Fact = Fact(0, 1);
/// Whether an inline resource has an account.
pub(crate) const RESOURCE_ACCOUNT: Fact = Fact(1, 1);
const HOST: Fact = Fact(2, 3);
/// The entity type of the actor. It is never zero.
const ACTOR: Fact = Fact(4, 7);
pub(crate) const AMOUNT: Fact = Fact(8, 1);
/// Whether the request consumes from a meter. The next three say more about it.
pub(crate) const QUOTA: Fact = Fact(9, 1);
pub(crate) const QUOTA_MEMBER: Fact = Fact(10, 1);
pub(crate) const ACCOUNT_LIMIT: Fact = Fact(11, 1);
pub(crate) const MEMBER_LIMIT: Fact = Fact(12, 1);
/// Whether the request has context fields of its own.
pub(crate) const CONTEXT: Fact = Fact(13, 1);
/// Whether an inline resource has attributes other than its account, tags or parents.
pub(crate) const MORE: Fact = Fact(14, 1);
const CHANNEL: Fact = Fact(16, 0xFF);
/// Whether the request says when the caller's session began.
pub(crate) const SESSION_START: Fact = Fact(24, 1);
/// Whether older sessions of the login do not count.
pub(crate) const NOT_BEFORE: Fact = Fact(25, 1);
/// Whether the caller gave a realm, and whether it is the realm of an account.
pub(crate) const REALM: Fact = Fact(26, 1);
pub(crate) const REALM_OWNER: Fact = Fact(27, 1);

/// The facts of a request, packed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FactSet(u32);

impl FactSet {
    /// Returns the set of a request that comes to a domain by this channel, and has no other fact.
    /// Returns a set that no plan has for a channel that does not exist.
    pub(crate) fn of_session(channel: Option<u32>) -> Self {
        Self(0)
            .with(HOST, HostFact::Domain as u32)
            .with(CHANNEL, channel.unwrap_or(u32::MAX))
    }

    #[inline(always)]
    pub(crate) fn with(self, Fact(first, mask): Fact, value: impl Into<u32>) -> Self {
        Self(self.0 & !(mask << first) | (value.into() & mask) << first)
    }

    const fn get(self, Fact(first, mask): Fact) -> u32 {
        self.0 >> first & mask
    }

    #[inline(always)]
    pub(crate) const fn has(self, fact: Fact) -> bool {
        self.get(fact) != 0
    }

    #[inline(always)]
    pub(crate) fn with_host(self, host: HostFact) -> Self {
        self.with(HOST, host as u32)
    }

    pub(crate) fn host(self) -> HostFact {
        match self.get(HOST) {
            0 => HostFact::Absent,
            1 => HostFact::Refused,
            2 => HostFact::Unknown,
            _ => HostFact::Domain,
        }
    }

    /// Adds an actor of this entity type.
    pub(crate) fn with_actor(self, kind: u32) -> Self {
        self.with(ACTOR, kind)
    }

    /// Returns the entity type of the actor.
    pub(crate) fn actor(self) -> Option<u32> {
        Some(self.get(ACTOR)).filter(|kind| *kind != 0)
    }

    /// Sets the channel. Returns `None` if the bundle has more channels than fit here.
    pub(crate) fn with_channel(self, channel: u32) -> Option<Self> {
        (channel < CHANNEL.1).then(|| self.with(CHANNEL, channel))
    }

    /// Returns the place of the channel among those of the bundle.
    pub(crate) fn channel(self) -> Option<u32> {
        Some(self.get(CHANNEL)).filter(|channel| *channel < CHANNEL.1)
    }

    /// Returns whether the request has values whose types must be checked before anything is
    /// decided.
    #[inline(always)]
    pub(crate) const fn has_values(self) -> bool {
        self.0 & (CONTEXT.1 << CONTEXT.0 | MORE.1 << MORE.0) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::tenant::symbols::{ACCOUNT, MEMBER, OPERATOR};

    #[test]
    fn facts_do_not_overlap() {
        let all = [
            CLIENT,
            RESOURCE_ACCOUNT,
            HOST,
            ACTOR,
            AMOUNT,
            QUOTA,
            QUOTA_MEMBER,
            ACCOUNT_LIMIT,
            MEMBER_LIMIT,
            CONTEXT,
            MORE,
            CHANNEL,
            SESSION_START,
            NOT_BEFORE,
            REALM,
            REALM_OWNER,
        ];
        let mut taken = 0_u32;
        for Fact(first, mask) in all {
            assert_eq!(taken & mask << first, 0);
            taken |= mask << first;
        }
    }

    #[test]
    fn facts_read_back() {
        let set = FactSet::of_session(Some(2))
            .with_host(HostFact::Refused)
            .with(REALM, true)
            .with(QUOTA, true)
            .with(MORE, true);
        assert_eq!((set.host(), set.channel()), (HostFact::Refused, Some(2)));
        assert!(set.has(REALM) && !set.has(REALM_OWNER) && set.actor().is_none());
        for login in [ACCOUNT, MEMBER, OPERATOR] {
            assert_eq!(set.with_actor(login).actor(), Some(login));
        }
        assert!(set.has(QUOTA) && set.has_values() && !set.has(CONTEXT) && !set.has(CLIENT));
        assert_eq!(FactSet::of_session(None).channel(), None);
        assert_eq!(set.with_channel(255), None);
    }
}
