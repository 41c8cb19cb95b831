//! The scope of a policy: the types, actions and entities that it is for.

use cedar_policy::pst;

use super::{ExplainRequest, PolicyPart};

/// A policy's scope as Cedar expressions, and the types to which it is limited.
#[derive(Debug)]
pub(super) struct PolicyScope {
    pub(super) parts: Vec<PolicyPart>,
    action: PolicyPart,
    principal_type: Option<String>,
    resource_type: Option<String>,
}

impl PolicyScope {
    pub(super) fn from_template(body: &pst::Template) -> Self {
        use pst::{ActionConstraint, PrincipalConstraint as P, ResourceConstraint as R};
        let (principal, principal_type) = match &body.principal {
            P::Any => (None, None),
            P::Eq(uid) => (Some(format!("principal == {uid}")), kind(uid)),
            P::In(uid) => (Some(format!("principal in {uid}")), None),
            P::Is(ty) => (Some(format!("principal is {ty}")), Some(ty.to_string())),
            P::IsIn(ty, uid) => (
                Some(format!("principal is {ty} in {uid}")),
                Some(ty.to_string()),
            ),
        };
        let (resource, resource_type) = match &body.resource {
            R::Any => (None, None),
            R::Eq(uid) => (Some(format!("resource == {uid}")), kind(uid)),
            R::In(uid) => (Some(format!("resource in {uid}")), None),
            R::Is(ty) => (Some(format!("resource is {ty}")), Some(ty.to_string())),
            R::IsIn(ty, uid) => (
                Some(format!("resource is {ty} in {uid}")),
                Some(ty.to_string()),
            ),
        };
        let action = match &body.action {
            ActionConstraint::Any => "true".to_owned(),
            ActionConstraint::Eq(uid) => format!("action == {uid}"),
            ActionConstraint::In(uids) => format!(
                "action in [{}]",
                uids.iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        Self {
            parts: principal
                .into_iter()
                .chain(resource)
                .map(PolicyPart::new)
                .collect(),
            action: PolicyPart::new(action),
            principal_type,
            resource_type,
        }
    }

    pub(super) fn could_apply(&self, question: &ExplainRequest<'_>) -> bool {
        self.misfit(question).is_none() && self.is_for_action(question)
    }

    pub(super) fn is_for_action(&self, question: &ExplainRequest<'_>) -> bool {
        question.holds(&self.action) == Ok(true)
    }

    /// Returns the first type of the scope that the request does not have, as Cedar text.
    pub(super) fn misfit(&self, question: &ExplainRequest<'_>) -> Option<String> {
        let sides = [
            (
                "principal",
                &self.principal_type,
                question.request.principal(),
            ),
            ("resource", &self.resource_type, question.request.resource()),
        ];
        sides.into_iter().find_map(|(side, wanted, uid)| {
            let (wanted, uid) = (wanted.as_ref()?, uid?);
            (*wanted != uid.type_name().to_string()).then(|| format!("{side} is {wanted}"))
        })
    }
}

fn kind(uid: &pst::EntityOrSlot) -> Option<String> {
    match uid {
        pst::EntityOrSlot::Entity(uid) => Some(uid.ty.to_string()),
        pst::EntityOrSlot::Slot(_) => None,
    }
}
