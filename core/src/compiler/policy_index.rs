//! Index of policies by scope: finds the policies that can apply to a request without a search.
//!
//! A policy is listed under each action or group that its scope names, or under "any action".
//! Within that list its key is the rarest of the other terms of its scope: a type, two types, or an
//! entity. A request looks up its action and the groups of the action. In each of their lists it
//! looks up its types, its principal, its resource, and their ancestors. The term that selected a
//! policy is guaranteed by the look-up, so the policy's program does not test it again.

use std::collections::HashMap;

use cedar_policy::pst::{ActionConstraint, Template};

use super::{CompileContext, ScopeConstraint, ScopeGuarantees, Unsupported};

/// Key of a list of policies, within an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
        self.any.each(query, &mut each)
            && (self.equal.is_empty()
                || self
                    .equal
                    .get(&query.action)
                    .is_none_or(|deed| deed.each(query, &mut each)))
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
            self.lists
                .get(&key)
                .is_none_or(|list| list.iter().all(|at| each(*at)))
        };
        let (principal, resource) = (Some(query.principal_kind), Some(query.resource_kind));
        list(ScopeKey::Types(None, None))
            && list(ScopeKey::Types(principal, None))
            && list(ScopeKey::Types(None, resource))
            && list(ScopeKey::Types(principal, resource))
            && list(ScopeKey::Principal(query.principal))
            && list(ScopeKey::Resource(query.resource))
            && list(ScopeKey::PrincipalIn(query.principal))
            && list(ScopeKey::ResourceIn(query.resource))
            && (self.bits & 32 == 0
                || query
                    .principal_above
                    .iter()
                    .all(|above| list(ScopeKey::PrincipalIn(*above))))
            && (self.bits & 128 == 0
                || query
                    .resource_above
                    .iter()
                    .all(|above| list(ScopeKey::ResourceIn(*above))))
    }
}

/// The terms in the scope of one policy.
#[derive(Debug)]
struct ScopeTerms {
    at: u32,
    /// `None` for any action; else the actions, and whether actions in them match too.
    actions: Option<(Vec<u32>, bool)>,
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
        let (principal, resource) = (
            ScopeConstraint::principal(&body.principal)?,
            ScopeConstraint::resource(&body.resource)?,
        );
        let mut kind =
            |scope: &ScopeConstraint<'_>| scope.kind.as_ref().map(|kind| known.pool().text(kind));
        let mut keys = vec![ScopeKey::Types(kind(&principal), kind(&resource))];
        let mut entity = |scope: &ScopeConstraint<'_>| {
            scope
                .entity
                .map(|(uid, inside)| (known.entity(&uid.ty.to_string(), &uid.eid), inside))
        };
        keys.extend(entity(&principal).map(|(entity, inside)| {
            if inside {
                ScopeKey::PrincipalIn(entity)
            } else {
                ScopeKey::Principal(entity)
            }
        }));
        keys.extend(entity(&resource).map(|(entity, inside)| {
            if inside {
                ScopeKey::ResourceIn(entity)
            } else {
                ScopeKey::Resource(entity)
            }
        }));
        let mut number = |uids: &[cedar_policy::pst::EntityUID]| {
            uids.iter()
                .map(|uid| known.entity(&uid.ty.to_string(), &uid.eid))
                .collect::<Vec<_>>()
        };
        let actions = match &body.action {
            ActionConstraint::Any => None,
            ActionConstraint::Eq(uid) => Some((number(std::slice::from_ref(uid)), false)),
            ActionConstraint::In(uids) => Some((number(uids), true)),
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
        self.named.push(ScopeTerms {
            at,
            actions: None,
            keys: vec![ScopeKey::Types(None, None)],
        });
    }

    /// Returns the lists, and what the look-up guarantees for each policy, by position.
    pub(crate) fn lists(self) -> (ChunkLists, HashMap<u32, ScopeGuarantees>) {
        let (mut lists, mut certain) = (ChunkLists::default(), HashMap::new());
        for policy in &self.named {
            let Some(key) = policy
                .keys
                .iter()
                .min_by_key(|key| self.counts.get(key))
                .copied()
            else {
                continue;
            };
            lists.add(policy, key);
            let of = |kind: bool, entity: bool| (kind, entity);
            let (principal, resource) = match key {
                ScopeKey::Types(..) => (of(true, false), of(true, false)),
                ScopeKey::Principal(_) | ScopeKey::PrincipalIn(_) => {
                    (of(false, true), of(false, false))
                }
                ScopeKey::Resource(_) | ScopeKey::ResourceIn(_) => {
                    (of(false, false), of(false, true))
                }
            };
            certain.insert(
                policy.at,
                ScopeGuarantees {
                    principal,
                    action: true,
                    resource,
                },
            );
        }
        (lists, certain)
    }
}

type GrowingIndex = HashMap<ScopeKey, Vec<u32>>;

/// The lists while they are built, as positions of policies.
#[derive(Debug, Default)]
pub(crate) struct ChunkLists {
    any: GrowingIndex,
    equal: HashMap<u32, GrowingIndex>,
    within: HashMap<u32, GrowingIndex>,
}

impl ChunkLists {
    fn add(&mut self, policy: &ScopeTerms, key: ScopeKey) {
        let put = |lists: &mut GrowingIndex| {
            let list = lists.entry(key).or_default();
            if list.last() != Some(&policy.at) {
                list.push(policy.at);
            }
        };
        match &policy.actions {
            None => put(&mut self.any),
            Some((actions, inside)) => {
                let by = if *inside {
                    &mut self.within
                } else {
                    &mut self.equal
                };
                for action in actions {
                    put(by.entry(*action).or_default());
                }
            }
        }
    }

    /// Returns the number of lists that contain each policy.
    pub(crate) fn counts(&self) -> HashMap<u32, usize> {
        let mut counts = HashMap::new();
        let lists = std::iter::once(&self.any)
            .chain(self.equal.values())
            .chain(self.within.values());
        for at in lists.flat_map(HashMap::values).flatten() {
            let count: &mut usize = counts.entry(*at).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }

    /// Returns the index, with the policies of each list grouped by `chunks`.
    pub(crate) fn finish(self, mut chunks: impl FnMut(&[u32]) -> Vec<u32>) -> PolicyIndex {
        let mut deed = |lists: GrowingIndex| ActionIndex {
            bits: lists.keys().fold(0, |bits, key| bits | key.bit()),
            lists: lists
                .into_iter()
                .map(|(key, list)| (key, chunks(&list).into_boxed_slice()))
                .collect(),
        };
        let any = deed(self.any);
        let mut deeds = |by: HashMap<u32, GrowingIndex>| {
            by.into_iter()
                .map(|(action, lists)| (action, deed(lists)))
                .collect()
        };
        let (equal, within) = (deeds(self.equal), deeds(self.within));
        PolicyIndex { any, equal, within }
    }
}
