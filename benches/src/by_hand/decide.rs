//! The decision code, rule by rule in the order of the policies.

use super::authors::code_of;
use super::{
    ABUSE, Account, Action, BY_OWNER, CLOSED, HandWrittenRules, Kind, Member, NONE, OVERAGE,
    Special, UNPAID,
};
use crate::agency::Asked;

impl HandWrittenRules {
    /// Returns the decision code: `ok`, or the reason of the refusal.
    #[must_use]
    #[inline]
    pub fn decide(&self, request: &Asked<'_>) -> &'static str {
        self.code::<false>(request)
    }

    /// Returns the decision code of the rules with those of authors.
    #[must_use]
    #[inline]
    pub fn decide_with_authors(&self, request: &Asked<'_>) -> &'static str {
        self.code::<true>(request)
    }

    #[inline(always)]
    fn code<const AUTHORS: bool>(&self, request: &Asked<'_>) -> &'static str {
        let Some((_, action)) = self.actions.find(request.action) else {
            return "input.unknown_action";
        };
        let (own_account, member) = if request.principal.0 == "TeamMember" {
            let Some((_, member)) = self.members.find(request.principal.1) else {
                return "principal_unknown";
            };
            (member.account, Some(member))
        } else {
            let Some((at, _)) = self.accounts.find(request.principal.1) else {
                return "principal_unknown";
            };
            (at, None)
        };
        let Some((resource, _)) = self
            .accounts
            .find(request.account.unwrap_or(request.resource.1))
        else {
            return "account_unknown";
        };
        let account = self.accounts.row(own_account);
        let refused = self.domain(account, own_account, action, request);
        let refused = refused.or_else(|| {
            if account.confirmed && member.is_none_or(|member| member.confirmed) {
                None
            } else {
                Some("email_unconfirmed")
            }
        });
        let refused = refused.or_else(|| self.status(account, action, resource == own_account));
        let refused = refused
            .or_else(|| self.isolation(own_account, resource, action, request.account.is_some()));
        let refused = refused.or_else(|| self.feature(account, member, action));
        let refused = refused.or_else(|| {
            let rules = account.rules | member.map_or(0, |member| member.rules);
            if AUTHORS {
                code_of(action.rules & rules, request)
            } else {
                None
            }
        });
        refused
            .or_else(|| self.rest(account, own_account, resource, action))
            .unwrap_or("ok")
    }

    fn domain(
        &self,
        account: &Account,
        own_account: u32,
        action: &Action,
        request: &Asked<'_>,
    ) -> Option<&'static str> {
        let Some(host) = request.host else {
            let may_omit = request.is_job() && matches!(action.kind, Kind::Read | Kind::Write);
            return if may_omit { None } else { Some("host_missing") };
        };
        let Some((_, domain)) = self.domains.find(host) else {
            return Some("domain_unknown");
        };
        if !domain.verified {
            return Some("domain_unverified");
        }
        match (domain.owner, account.owner) {
            (NONE, NONE) => None,
            (NONE, _) => Some("domain_platform_forbidden"),
            (owner, NONE) if owner == own_account => None,
            (owner, client_of) if owner == client_of => None,
            _ => Some("domain_other_owner"),
        }
    }

    fn status(&self, account: &Account, action: &Action, own: bool) -> Option<&'static str> {
        let reads_other = action.kind == Kind::Read && !own;
        let changes = action.kind == Kind::Write;
        if account.status != 0 {
            match account.status {
                status if status & CLOSED != 0 => return Some("account_closed"),
                status if status & ABUSE != 0 && action.kind != Kind::Ticket => {
                    return Some("account_abuse");
                }
                status if status & BY_OWNER != 0 && action.kind != Kind::Ticket => {
                    return Some("account_by_owner");
                }
                status if status & OVERAGE != 0 && (changes || reads_other) => {
                    return Some("account_overage");
                }
                status if status & UNPAID != 0 && (changes || reads_other) => {
                    return Some("account_unpaid");
                }
                _ => {}
            }
        }
        let owner = if account.owner == NONE {
            return None;
        } else {
            self.accounts.row(account.owner)
        };
        match owner.status {
            0 => None,
            status if status & CLOSED != 0 && action.kind != Kind::Ticket => Some("owner_closed"),
            status if status & ABUSE != 0 && action.kind != Kind::Ticket => Some("owner_abuse"),
            status if status & UNPAID != 0 && (changes || reads_other) => Some("owner_unpaid"),
            _ => None,
        }
    }

    fn isolation(
        &self,
        own_account: u32,
        resource: u32,
        action: &Action,
        inline: bool,
    ) -> Option<&'static str> {
        let is_owner = self.accounts.row(resource).owner == own_account;
        match action.special {
            Special::OnClient if !is_owner => Some("not_your_client"),
            Special::ToOwner | Special::ToPlatform
                if !inline && resource != own_account && !is_owner =>
            {
                Some("not_your_client")
            }
            Special::Nothing if resource != own_account => Some("other_account"),
            _ => None,
        }
    }

    fn feature(
        &self,
        account: &Account,
        member: Option<&Member>,
        action: &Action,
    ) -> Option<&'static str> {
        if action.feature == 0 {
            return None;
        }
        if account.owner == NONE {
            if account.features & action.feature == 0
                || (action.special == Special::OnClient && !account.whitelabel)
            {
                return Some("feature_not_in_package");
            }
        } else {
            let owner = self.accounts.row(account.owner);
            if owner.features & action.feature == 0 {
                return Some("feature_not_in_package");
            }
            if account.features & action.feature == 0 {
                return Some("feature_not_in_level");
            }
        }
        member
            .filter(|member| member.grants & action.feature == 0)
            .map(|_| "feature_not_granted")
    }

    fn rest(
        &self,
        account: &Account,
        own_account: u32,
        resource: u32,
        action: &Action,
    ) -> Option<&'static str> {
        let client = account.owner != NONE;
        let owner_away =
            client && (self.accounts.row(account.owner).status != 0 || account.status & ABUSE != 0);
        match action.special {
            Special::OnClient if client => Some("client_depth"),
            Special::ToPlatform if client && !owner_away => Some("ticket_platform_forbidden"),
            Special::ToOwner if client && owner_away => Some("ticket_owner_unavailable"),
            Special::ToOwner if !client || resource != own_account => Some("not_permitted"),
            _ => None,
        }
    }
}
