//! Scope constraints of principal and resource, which have a common form.

use cedar_policy::pst::{self, EntityOrSlot, EntityUID};

use super::lower::Unsupported;

/// A scope constraint of principal or resource.
pub(crate) struct ScopeConstraint<'a> {
    pub(crate) kind: Option<String>,
    /// The entity, and whether its descendants match too.
    pub(crate) entity: Option<(&'a EntityUID, bool)>,
}

impl<'a> ScopeConstraint<'a> {
    fn new(
        kind: Option<&pst::EntityType>,
        entity: Option<(&'a EntityOrSlot, bool)>,
    ) -> Result<Self, Unsupported> {
        let entity = match entity {
            Some((EntityOrSlot::Entity(uid), inside)) => Some((uid, inside)),
            Some((EntityOrSlot::Slot(_), _)) => return Err(Unsupported),
            None => None,
        };
        Ok(Self {
            kind: kind.map(ToString::to_string),
            entity,
        })
    }

    /// Drops the constraint on the type or on the entity if it is known to hold.
    pub(crate) fn drop_known(mut self, kind: bool, entity: bool) -> Self {
        self.kind = self.kind.filter(|_| !kind);
        self.entity = self.entity.filter(|_| !entity);
        self
    }

    pub(crate) fn principal(constraint: &'a pst::PrincipalConstraint) -> Result<Self, Unsupported> {
        use pst::PrincipalConstraint as P;
        match constraint {
            P::Any => Self::new(None, None),
            P::Eq(uid) => Self::new(None, Some((uid, false))),
            P::In(uid) => Self::new(None, Some((uid, true))),
            P::Is(kind) => Self::new(Some(kind), None),
            P::IsIn(kind, uid) => Self::new(Some(kind), Some((uid, true))),
        }
    }

    pub(crate) fn resource(constraint: &'a pst::ResourceConstraint) -> Result<Self, Unsupported> {
        use pst::ResourceConstraint as R;
        match constraint {
            R::Any => Self::new(None, None),
            R::Eq(uid) => Self::new(None, Some((uid, false))),
            R::In(uid) => Self::new(None, Some((uid, true))),
            R::Is(kind) => Self::new(Some(kind), None),
            R::IsIn(kind, uid) => Self::new(Some(kind), Some((uid, true))),
        }
    }
}
