//! The policies in gate order, which determines the code of a denial (E1).

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Template};

use super::explain::ExplainedPolicies;
use super::source::File;
use crate::util::stack::DeepValue;

/// A policy or template as read from a file, not yet in the set.
pub(crate) enum PolicyBody {
    Static(Policy),
    Template(Template),
}

impl PolicyBody {
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        match self {
            Self::Static(policy) => annotation(policy.annotations(), key),
            Self::Template(template) => annotation(template.annotations(), key),
        }
    }

    pub(crate) fn effect(&self) -> Effect {
        match self {
            Self::Static(policy) => policy.effect(),
            Self::Template(template) => template.effect(),
        }
    }

    pub(crate) fn id(&self) -> &PolicyId {
        match self {
            Self::Static(policy) => policy.id(),
            Self::Template(template) => template.id(),
        }
    }

    pub(crate) fn with_id(self, id: &str) -> Self {
        match self {
            Self::Static(policy) => Self::Static(policy.new_id(PolicyId::new(id))),
            Self::Template(template) => Self::Template(template.new_id(PolicyId::new(id))),
        }
    }
}

/// A [`PolicyBody`] and its position in a file.
pub(crate) struct ParsedPolicy {
    pub(crate) body: PolicyBody,
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) len: usize,
}

impl ParsedPolicy {
    /// Returns the text of the policy in its file.
    pub(crate) fn text<'a>(&self, file: &'a File) -> &'a str {
        let end = self.start.saturating_add(self.len);
        file.text.get(self.start..end).unwrap_or_default()
    }

    /// Returns the position in the file of a part of the policy's text, or of the whole policy.
    pub(crate) fn place(&self, part: Option<(usize, usize)>) -> (usize, usize) {
        part.map_or((self.start, self.len), |(start, len)| {
            (self.start.saturating_add(start), len)
        })
    }

    /// Returns the JSON form of the policy.
    pub(crate) fn to_json(&self) -> Option<serde_json::Value> {
        match &self.body {
            PolicyBody::Static(policy) => policy.to_json().ok(),
            PolicyBody::Template(template) => template.to_json().ok(),
        }
    }
}

/// Effect of a policy that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyEffect {
    Permit,
    Forbid,
    /// A `forbid` with `@warns`. It does not refuse, but adds advice to answers that allow.
    Warning,
}

impl PolicyEffect {
    /// Returns the annotation that has the advice of a policy.
    fn advice_key(self) -> &'static str {
        match self {
            Self::Warning => "warns",
            Self::Permit | Self::Forbid => "advice",
        }
    }
}

impl PolicyEffect {
    /// Returns the name of the effect for people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
            Self::Warning => "warning",
        }
    }
}

/// Metadata of one policy (static or linked), read once from Cedar.
#[derive(Debug, Clone)]
pub(crate) struct PolicyMeta {
    pub(crate) id: Arc<str>,
    pub(crate) role: PolicyEffect,
    pub(crate) code: Option<Arc<str>>,
    /// Advice codes from `@advice`, or from a warning's `@warns`.
    pub(crate) advice: Vec<Arc<str>>,
    /// File name and line of a policy that was read from a file.
    pub(crate) place: Option<(Arc<str>, u32)>,
    /// The words of the comment above the policy.
    pub(crate) comment: Option<Arc<str>>,
}

/// The origin of a policy or template: its place in a file, and the comment above it.
#[derive(Debug, Clone)]
pub(crate) struct PolicyOrigin {
    pub(crate) id: PolicyId,
    place: Option<(Arc<str>, u32)>,
    comment: Option<Arc<str>>,
}

impl PolicyOrigin {
    /// Returns the origin of a policy that was read from a file. It starts at this byte.
    pub(crate) fn in_file(id: PolicyId, file: &File, start: usize) -> Self {
        Self {
            id,
            place: Some((file.name.as_str().into(), file.place(start, 1).line)),
            comment: file.comment_above(start).map(Arc::from),
        }
    }

    /// Returns the origin of a policy without a place.
    pub(crate) fn unplaced(id: PolicyId) -> Self {
        Self {
            id,
            place: None,
            comment: None,
        }
    }
}

/// Policies in the order of files and text. A template's links take the template's position,
/// ordered by link id.
#[derive(Debug, Default)]
pub(crate) struct PolicyList {
    pub(crate) set: DeepValue<PolicySet>,
    /// The deciding policies and the warnings as two sets, if there are warnings.
    pub(crate) apart: Option<[DeepValue<PolicySet>; 2]>,
    /// The permits alone. They are evaluated only if every forbid that holds comes after the last
    /// permit.
    pub(crate) permits: DeepValue<PolicySet>,
    pub(crate) list: Vec<PolicyMeta>,
    pub(crate) position: HashMap<PolicyId, usize>,
    pub(crate) last_permit: Option<usize>,
    pub(crate) depth: usize,
    pub(crate) explained: ExplainedPolicies,
}

impl PolicyList {
    /// Returns the effect of the policy at a position.
    pub(crate) fn role_at(&self, at: usize) -> PolicyEffect {
        // Treat a missing position as a forbid, because a forbid can only refuse.
        self.list
            .get(at)
            .map_or(PolicyEffect::Forbid, |rule| rule.role)
    }

    /// Returns a set with only the policies at these positions.
    pub(crate) fn part(&self, positions: impl Iterator<Item = usize>) -> DeepValue<PolicySet> {
        let mut part = PolicySet::new();
        for rule in positions.filter_map(|at| self.list.get(at)) {
            if let Some(policy) = self.set.policy(&PolicyId::new(&rule.id)) {
                add(&mut part, &self.set, policy);
            }
        }
        DeepValue::new(part, self.depth)
    }

    /// Orders the policies of `set`. `order` holds the static policies and templates with their
    /// places. `warns` tells whether `@warns` is honoured.
    pub(crate) fn new(set: PolicySet, order: &[PolicyOrigin], depth: usize, warns: bool) -> Self {
        let rank: HashMap<&PolicyId, usize> = order
            .iter()
            .enumerate()
            .map(|(at, origin)| (&origin.id, at))
            .collect();
        let mut policies: Vec<(usize, &Policy)> = set
            .policies()
            .map(|policy| {
                let home = policy.template_id().unwrap_or_else(|| policy.id());
                (rank.get(home).copied().unwrap_or(usize::MAX), policy)
            })
            .collect();
        policies.sort_by(|(left, one), (right, other)| {
            left.cmp(right)
                .then_with(|| one.id().to_string().cmp(&other.id().to_string()))
        });
        let list: Vec<PolicyMeta> = policies
            .iter()
            .map(|(rank, policy)| {
                let role = role(policy, warns);
                let origin = order.get(*rank);
                PolicyMeta {
                    id: Arc::from(policy.id().to_string()),
                    role,
                    code: annotation(policy.annotations(), "code").map(Arc::from),
                    advice: annotation(policy.annotations(), role.advice_key())
                        .map(words)
                        .unwrap_or_default(),
                    place: origin.and_then(|origin| origin.place.clone()),
                    comment: origin.and_then(|origin| origin.comment.clone()),
                }
            })
            .collect();
        let position = policies
            .iter()
            .enumerate()
            .map(|(at, (_, policy))| (policy.id().clone(), at))
            .collect();
        let last_permit = list
            .iter()
            .rposition(|rule| rule.role == PolicyEffect::Permit);
        let permits = part(&set, |policy| policy.effect() == Effect::Permit);
        let apart = list
            .iter()
            .any(|rule| rule.role == PolicyEffect::Warning)
            .then(|| {
                let warning = |policy: &Policy| role(policy, warns) == PolicyEffect::Warning;
                [part(&set, |policy| !warning(policy)), part(&set, warning)]
                    .map(|part| DeepValue::new(part, depth))
            });
        Self {
            set: DeepValue::new(set, depth),
            apart,
            permits: DeepValue::new(permits, depth),
            list,
            position,
            last_permit,
            depth,
            explained: ExplainedPolicies::default(),
        }
    }
}

/// Returns the value of an annotation. Cedar's own look-up parses the key each time.
fn annotation<'p>(
    mut annotations: impl Iterator<Item = (&'p str, &'p str)>,
    key: &str,
) -> Option<&'p str> {
    let found = annotations.find(|(name, _)| *name == key);
    found.map(|(_, value)| value)
}

fn role(policy: &Policy, warns: bool) -> PolicyEffect {
    match policy.effect() {
        Effect::Permit => PolicyEffect::Permit,
        Effect::Forbid if warns && annotation(policy.annotations(), "warns").is_some() => {
            PolicyEffect::Warning
        }
        Effect::Forbid => PolicyEffect::Forbid,
    }
}

fn words(text: &str) -> Vec<Arc<str>> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(Arc::from)
        .collect()
}

/// Returns the policies of `set` for which `wanted` is true, with the templates of linked ones.
fn part(set: &PolicySet, wanted: impl Fn(&Policy) -> bool) -> PolicySet {
    let mut part = PolicySet::new();
    for policy in set.policies().filter(|policy| wanted(policy)) {
        add(&mut part, set, policy);
    }
    part
}

/// Adds a policy to a set. Cannot fail, because ids are unique in `set`.
fn add(part: &mut PolicySet, set: &PolicySet, policy: &Policy) {
    let (Some(template), Some(slots)) = (policy.template_id(), policy.template_links()) else {
        let _ = part.add(policy.clone());
        return;
    };
    if let (None, Some(body)) = (part.template(template), set.template(template)) {
        let _ = part.add_template(body.clone());
    }
    drop(part.link(template.clone(), policy.id().clone(), slots));
}

/// Returns the policies and templates of a parsed file in text order, each with its position. Cedar
/// numbers them `policy0`, `policy1`, ...
pub(crate) fn in_text_order(set: &PolicySet, file: &File, index: usize) -> Vec<ParsedPolicy> {
    let mut parts = Vec::new();
    let mut cursor = 0_usize;
    for number in 0..set.num_of_policies().saturating_add(set.num_of_templates()) {
        let id = PolicyId::new(format!("policy{number}"));
        let (body, source) = if let Some(policy) = set.policy(&id) {
            (
                PolicyBody::Static(policy.clone()),
                policy.to_cedar().unwrap_or_default(),
            )
        } else if let Some(template) = set.template(&id) {
            (PolicyBody::Template(template.clone()), template.to_cedar())
        } else {
            continue;
        };
        let found = file
            .text
            .get(cursor..)
            .and_then(|rest| rest.find(&source))
            .unwrap_or(0);
        let start = cursor.saturating_add(found);
        cursor = start.saturating_add(source.len());
        parts.push(ParsedPolicy {
            body,
            file: index,
            start,
            len: source.len(),
        });
    }
    parts
}
