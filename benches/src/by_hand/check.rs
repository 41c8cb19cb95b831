//! The allow bit, as fast as possible.

use super::{Account, HandWrittenRules, NONE, Special};
use crate::agency::Asked;

impl HandWrittenRules {
    /// Returns whether the request is allowed.
    #[must_use]
    #[inline(always)]
    pub fn check(&self, request: &Asked<'_>) -> bool {
        let Some((_, action)) = self.actions.find(request.action) else {
            return false;
        };
        let (own_account, grants) = if request.principal.0 == "TeamMember" {
            let Some((_, member)) = self.members.find(request.principal.1) else {
                return false;
            };
            (
                member.account,
                if member.confirmed {
                    member.grants
                } else {
                    return false;
                },
            )
        } else {
            let Some((at, _)) = self.accounts.find(request.principal.1) else {
                return false;
            };
            (at, u64::MAX)
        };
        let Some((_, domain)) = self.domains.find(request.host) else {
            return false;
        };
        let account = self.accounts.row(own_account);
        let admitted = domain.verified
            & ((domain.owner == account.realm)
                | ((domain.owner == NONE) & (account.owner == NONE)));
        let has_feature = account.in_force & grants & action.feature == action.feature;
        let permitted = admitted
            & has_feature
            & account.confirmed
            & (account.blocked & action.kind as u8 == 0)
            & (action.resource == request.resource.0);
        permitted
            && self.reaches(
                request.account.unwrap_or(request.resource.1),
                own_account,
                account,
                action.special,
            )
    }

    /// Returns whether such an action may be done in the named account, or to it.
    #[inline(always)]
    fn reaches(&self, named: &str, own_account: u32, account: &Account, special: Special) -> bool {
        let own = self.accounts.is(own_account, named);
        let client = account.owner != NONE;
        let is_client_of = || {
            self.accounts
                .find(named)
                .is_some_and(|(_, other)| other.owner == own_account)
        };
        match special {
            Special::Nothing => own,
            Special::OnClient => !client && is_client_of(),
            Special::ToOwner => own && client && !account.owner_away,
            Special::ToPlatform => (!client || account.owner_away) && (own || is_client_of()),
        }
    }
}
