//! The allow bit, as fast as possible.

use super::authors::refusing;
use super::{Account, Action, HandWrittenRules, Kind, NONE, Special};
use crate::agency::Asked;

impl HandWrittenRules {
    /// Returns whether the request is allowed.
    #[must_use]
    #[inline(always)]
    pub fn check(&self, request: &Asked<'_>) -> bool {
        self.allows::<false>(request)
    }

    /// Returns whether the request is allowed by the rules of authors too.
    #[must_use]
    #[inline(always)]
    pub fn check_with_authors(&self, request: &Asked<'_>) -> bool {
        self.allows::<true>(request)
    }

    #[inline(always)]
    fn allows<const AUTHORS: bool>(&self, request: &Asked<'_>) -> bool {
        let Some((_, action)) = self.actions.find(request.action) else {
            return false;
        };
        let (own_account, grants, rules) = if request.principal.0 == "TeamMember" {
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
                member.rules,
            )
        } else {
            let Some((at, _)) = self.accounts.find(request.principal.1) else {
                return false;
            };
            (at, u64::MAX, 0)
        };
        let account = self.accounts.row(own_account);
        let admitted = self.admits(account, action, request);
        let has_feature = account.in_force & grants & action.feature == action.feature;
        let permitted = admitted
            & has_feature
            & account.confirmed
            & (account.blocked & action.kind as u8 == 0)
            & (action.resource == request.resource.0);
        permitted
            && (!AUTHORS || refusing(action.rules & (account.rules | rules), request) == 0)
            && self.reaches(
                request.account.unwrap_or(request.resource.1),
                own_account,
                account,
                action.special,
            )
    }

    /// Returns whether the host admits the login. Background jobs have none.
    #[inline(always)]
    fn admits(&self, account: &Account, action: &Action, request: &Asked<'_>) -> bool {
        let Some(host) = request.host else {
            return request.is_job() && matches!(action.kind, Kind::Read | Kind::Write);
        };
        self.domains.find(host).is_some_and(|(_, domain)| {
            domain.verified
                & ((domain.owner == account.realm)
                    | ((domain.owner == NONE) & (account.owner == NONE)))
        })
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
