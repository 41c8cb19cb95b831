//! Index of policies by scope: finds the policies that can apply to a request without a search.
//!
//! A policy is listed under each action or group that its scope names, or under "any action".
//! Within that list its key is the rarest of the other terms of its scope: a type, two types, or an
//! entity. A request looks up its action and the groups of the action. In each of their lists it
//! looks up its types, its principal, its resource, and their ancestors. The term that selected a
//! policy is guaranteed by the look-up, so the policy's program does not test it again.

use std::collections::{BTreeMap, HashMap};

use cedar_policy::pst::{ActionConstraint, EntityUID, Template};

use super::{CompileContext, ScopeConstraint, ScopeGuarantee, Unsupported};

/// Key of a list of policies, within an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum ScopeKey {
    Types(Option<u32>, Option<u32>),
    Principal(u32),
    PrincipalIn(u32),
    Resource(u32),
    ResourceIn(u32),
}

impl ScopeKey {
    /// Returns one bit for each kind of key, so that kinds without lists are not looked up.
    fn bit(self) -> u8 {
        match self {
            Self::Types(None, None) => 1,
            Self::Types(Some(_), None) => 2,
            Self::Types(None, Some(_)) => 4,
            Self::Types(Some(_), Some(_)) => 8,
            Self::Principal(_) => 16,
            Self::PrincipalIn(_) => 32,
            Self::Resource(_) => 64,
            Self::ResourceIn(_) => 128,
        }
    }

    /// Returns what a look-up with this key guarantees.
    fn guarantee(self) -> ScopeGuarantee {
        match self {
            Self::Types(..) => ScopeGuarantee::Types,
            Self::Principal(_) | Self::PrincipalIn(_) => ScopeGuarantee::Principal,
            Self::Resource(_) | Self::ResourceIn(_) => ScopeGuarantee::Resource,
        }
    }
}

/// The actions of a policy: any, one action, or those in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ActionKey {
    Any,
    Equal(u32),
    Within(u32),
}

/// The policies whose scope names one action, one group, or any action.
#[derive(Debug, Default)]
struct ActionIndex {
    lists: hashbrown::HashMap<ScopeKey, Box<[u32]>>,
    /// The kinds of key that have lists, as bits.
    bits: u8,
}

/// A request for policies, as entity numbers: principal, action and resource, each with all its
/// ancestors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexQuery<'a> {
    pub(crate) principal: u32,
    pub(crate) principal_kind: u32,
    pub(crate) principal_above: &'a [u32],
    pub(crate) action: u32,
    pub(crate) action_above: &'a [u32],
    pub(crate) resource: u32,
    pub(crate) resource_kind: u32,
    pub(crate) resource_above: &'a [u32],
}

/// The lists of policies by action and key.
#[derive(Debug, Default)]
pub(crate) struct PolicyIndex {
    any: ActionIndex,
    /// `equal` lists policies that name an action; `within` lists policies that name a group.
    equal: hashbrown::HashMap<u32, ActionIndex>,
    within: hashbrown::HashMap<u32, ActionIndex>,
}

impl PolicyIndex {
    /// Calls `each` for every chunk of policies whose scope can match, until it returns `false`. A
    /// policy that lists several actions may be passed more than once. Returns `false` if `each`
    /// did.
    #[inline]
    pub(crate) fn each(&self, query: &IndexQuery<'_>, mut each: impl FnMut(u32) -> bool) -> bool {
        let equal = self.equal.get(&query.action);
        self.any.each(query, &mut each)
            && equal.is_none_or(|deed| deed.each(query, &mut each))
            && (self.within.is_empty()
                || std::iter::once(&query.action)
                    .chain(query.action_above)
                    .filter_map(|action| self.within.get(action))
                    .all(|deed| deed.each(query, &mut each)))
    }
}

impl ActionIndex {
    #[inline]
    fn each(&self, query: &IndexQuery<'_>, each: &mut impl FnMut(u32) -> bool) -> bool {
        let mut list = |key: ScopeKey| {
            if self.bits & key.bit() == 0 {
                return true;
            }
            let list = self.lists.get(&key);
            list.is_none_or(|list| list.iter().all(|at| each(*at)))
        };
        let (principal, resource) = (Some(query.principal_kind), Some(query.resource_kind));
        let mut principals = query.principal_above.iter();
        let mut resources = query.resource_above.iter();
        list(ScopeKey::Types(None, None))
            && list(ScopeKey::Types(principal, None))
            && list(ScopeKey::Types(None, resource))
            && list(ScopeKey::Types(principal, resource))
            && list(ScopeKey::Principal(query.principal))
            && list(ScopeKey::Resource(query.resource))
            && list(ScopeKey::PrincipalIn(query.principal))
            && list(ScopeKey::ResourceIn(query.resource))
            && (self.bits & 32 == 0 || principals.all(|at| list(ScopeKey::PrincipalIn(*at))))
            && (self.bits & 128 == 0 || resources.all(|at| list(ScopeKey::ResourceIn(*at))))
    }
}

/// The terms in the scope of one policy.
#[derive(Debug)]
struct ScopeTerms {
    at: u32,
    actions: Vec<ActionKey>,
    keys: Vec<ScopeKey>,
}

/// Collects the scopes of all policies, then chooses the list of each policy.
#[derive(Debug, Default)]
pub(crate) struct IndexBuilder {
    named: Vec<ScopeTerms>,
    /// Number of policies for each key.
    counts: HashMap<ScopeKey, usize>,
}

impl IndexBuilder {
    /// Adds the scope of the policy at a position.
    ///
    /// # Errors
    /// [`Unsupported`] if a slot is not linked.
    pub(crate) fn insert(
        &mut self,
        at: u32,
        body: &Template,
        known: &mut impl CompileContext,
    ) -> Result<(), Unsupported> {
        let principal = ScopeConstraint::principal(&body.principal)?;
        let resource = ScopeConstraint::resource(&body.resource)?;
        let mut kind =
            |scope: &ScopeConstraint<'_>| scope.kind.as_ref().map(|kind| known.pool().text(kind));
        let mut keys = vec![ScopeKey::Types(kind(&principal), kind(&resource))];
        let mut number = |uid: &EntityUID| known.entity(&uid.ty.to_string(), &uid.eid);
        keys.extend(principal.entity.map(|entity| match entity {
            (uid, true) => ScopeKey::PrincipalIn(number(uid)),
            (uid, false) => ScopeKey::Principal(number(uid)),
        }));
        keys.extend(resource.entity.map(|entity| match entity {
            (uid, true) => ScopeKey::ResourceIn(number(uid)),
            (uid, false) => ScopeKey::Resource(number(uid)),
        }));
        let actions = match &body.action {
            ActionConstraint::Any => vec![ActionKey::Any],
            ActionConstraint::Eq(uid) => vec![ActionKey::Equal(number(uid))],
            ActionConstraint::In(uids) => {
                let groups = uids.iter().map(|uid| ActionKey::Within(number(uid)));
                groups.collect()
            }
        };
        for key in &keys {
            let count = self.counts.entry(*key).or_default();
            *count = count.saturating_add(1);
        }
        self.named.push(ScopeTerms { at, actions, keys });
        Ok(())
    }

    /// Adds a policy without a known scope. It is selected for every request.
    pub(crate) fn insert_unscoped(&mut self, at: u32) {
        let (actions, keys) = (vec![ActionKey::Any], vec![ScopeKey::Types(None, None)]);
        self.named.push(ScopeTerms { at, actions, keys });
    }

    /// Returns the lists, and what the look-up guarantees for each policy, by position.
    pub(crate) fn lists(self) -> (ChunkLists, HashMap<u32, ScopeGuarantee>) {
        let (mut lists, mut certain) = (ChunkLists::default(), HashMap::new());
        for policy in self.named {
            let rarest = policy.keys.iter().min_by_key(|key| self.counts.get(key));
            let Some(key) = rarest else { continue };
            for action in policy.actions {
                let list = lists.0.entry((action, *key)).or_default();
                if list.last() != Some(&policy.at) {
                    list.push(policy.at);
                }
            }
            certain.insert(policy.at, key.guarantee());
        }
        (lists, certain)
    }
}

/// The lists while they are built, as positions of policies. They are in order, so that the chunks
/// that one request needs are made one after the other and lie close in memory.
#[derive(Debug, Default)]
pub(crate) struct ChunkLists(BTreeMap<(ActionKey, ScopeKey), Vec<u32>>);

impl ChunkLists {
    /// Returns the number of lists that contain each policy.
    pub(crate) fn counts(&self) -> HashMap<u32, usize> {
        let mut counts = HashMap::new();
        for at in self.0.values().flatten() {
            let count: &mut usize = counts.entry(*at).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }

    /// Returns the index, with the policies of each list grouped by `chunks`.
    pub(crate) fn finish(self, mut chunks: impl FnMut(&[u32]) -> Vec<u32>) -> PolicyIndex {
        let mut index = PolicyIndex::default();
        for ((action, key), list) in self.0 {
            let deed = match action {
                ActionKey::Any => &mut index.any,
                ActionKey::Equal(action) => index.equal.entry(action).or_default(),
                ActionKey::Within(group) => index.within.entry(group).or_default(),
            };
            deed.bits |= key.bit();
            deed.lists.insert(key, chunks(&list).into_boxed_slice());
        }
        index
    }
}
