//! The policies of a bundle as one Cedar policy set, and the codes of decisions by gate order.

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::{Effect, PolicyId, PolicySet, SlotId};
use serde_json::Value;

use crate::CedarResult;
use crate::cedar_oracle::uid;

/// A policy's place in gate order, without its links.
struct GatePolicy {
    id: String,
    code: Option<String>,
    is_permit: bool,
}

/// The policies of a bundle.
pub(crate) struct BundlePolicies {
    pub(crate) set: PolicySet,
    /// Policies and templates in gate order: by file, then by text.
    order: Vec<GatePolicy>,
    /// The parsed files by their texts.
    parsed: HashMap<String, PolicySet>,
}

impl BundlePolicies {
    /// Reads the policies and links of a bundle's files. A policy with `@warns` refuses nothing.
    /// Files that the bundle before had too are not parsed again.
    pub(crate) fn read(files: &[(String, String)], before: Option<&Self>) -> Self {
        let mut files: Vec<&(String, String)> = files.iter().collect();
        files.sort();
        let (mut set, mut order, mut all) = (PolicySet::new(), Vec::new(), HashMap::new());
        for (_, text) in files.iter().filter(|(name, _)| name.ends_with(".cedar")) {
            let known = before.and_then(|before| before.parsed.get(text).cloned());
            let parsed = known.unwrap_or_else(|| PolicySet::from_str(text).expect("the policies"));
            // Cedar numbers the policies of a text in their order.
            for at in 0..parsed.num_of_policies() + parsed.num_of_templates() {
                let number = PolicyId::new(format!("policy{at}"));
                let (id, code, effect) = if let Some(policy) = parsed.policy(&number) {
                    let id = policy.annotation("id").expect("an `@id`").to_owned();
                    if policy.annotation("warns").is_some() {
                        continue;
                    }
                    let added = set.add(policy.new_id(PolicyId::new(&id)));
                    added.expect("unique ids");
                    (id, policy.annotation("code"), policy.effect())
                } else {
                    let template = parsed.template(&number).expect("a template");
                    let id = template.annotation("id").expect("an `@id`").to_owned();
                    let added = set.add_template(template.new_id(PolicyId::new(&id)));
                    added.expect("unique ids");
                    (id, template.annotation("code"), template.effect())
                };
                order.push(GatePolicy {
                    id,
                    code: code.map(str::to_owned),
                    is_permit: effect == Effect::Permit,
                });
            }
            all.insert(text.clone(), parsed);
        }
        let mut policies = Self {
            set,
            order,
            parsed: all,
        };
        for (_, text) in files.iter().filter(|(name, _)| name == "links.json") {
            policies.link(text);
        }
        policies
    }

    fn link(&mut self, links: &str) {
        let links: Vec<Value> = serde_json::from_str(links).expect("JSON");
        for link in &links {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let slot = &link["values"]["?principal"];
            let entity = uid(&text(&slot["type"]), &text(&slot["id"])).expect("an entity");
            let values = HashMap::from([(SlotId::principal(), entity)]);
            let (template, id) = (text(&link["templateId"]), text(&link["newId"]));
            self.set
                .link(PolicyId::new(template), PolicyId::new(id), values)
                .expect("a link");
        }
    }

    /// Returns the place of a policy or link in gate order.
    fn place(&self, id: &str) -> Option<usize> {
        let template = self.set.policy(&PolicyId::new(id))?.template_id();
        let id = template.map_or(id.to_owned(), ToString::to_string);
        self.order.iter().position(|policy| policy.id == id)
    }

    /// Returns the codes that a decision may have. The first forbid that holds names a denial. If
    /// it stands after the last permit, the denial may be for want of a permit (E1).
    pub(crate) fn codes(&self, result: &CedarResult) -> Vec<&str> {
        if result.allow {
            let is_erring = !result.errors.is_empty();
            return vec![if is_erring { "policy_error" } else { "ok" }];
        }
        let first = result.reasons.iter().filter_map(|id| self.place(id)).min();
        let Some((at, first)) = first.and_then(|at| Some((at, self.order.get(at)?))) else {
            return Vec::new();
        };
        let mut codes = vec![first.code.as_deref().unwrap_or("forbidden")];
        // A template without links permits nothing.
        let is_linked = |policy: &GatePolicy| {
            let policies = self.set.policies();
            policies
                .map(|policy| policy.id().to_string())
                .any(|id| id == policy.id || id.strip_suffix("-link") == Some(&policy.id))
        };
        let later = self.order.get(at..).unwrap_or_default();
        if !later
            .iter()
            .any(|policy| policy.is_permit && is_linked(policy))
        {
            codes.push("not_permitted");
        }
        codes
    }
}
