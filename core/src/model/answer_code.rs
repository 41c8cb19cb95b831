//! The codes of decisions that the engine itself gives, beside those that the policies name.

use std::sync::Arc;

/// A code that the engine itself gives. Each place that answers with one names it here, and
/// `bundle().codes` lists them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerCode {
    /// A permit holds, and nothing refuses.
    Ok,
    /// A policy could not be evaluated where Cedar would have allowed (E2).
    PolicyError,
    /// No permit holds.
    NotPermitted,
    /// A `forbid` without `@code` holds: plain Cedar only, because a bundle's forbids all have one.
    Forbidden,
    /// Nobody is the login or the actor.
    PrincipalUnknown,
    /// Nobody is the account.
    AccountUnknown,
    /// No record of the directory is the resource.
    ResourceUnknown,
    /// The one answer of `login` to the outside (D7).
    LoginRefused,
    /// A meter has no room for what no policy refused.
    QuotaExceeded,
}

impl AnswerCode {
    /// Every code that the engine gives where the tenancy kernel is loaded.
    pub(crate) const TENANCY: [Self; 8] = [
        Self::Ok,
        Self::PolicyError,
        Self::NotPermitted,
        Self::PrincipalUnknown,
        Self::AccountUnknown,
        Self::ResourceUnknown,
        Self::LoginRefused,
        Self::QuotaExceeded,
    ];
    /// The same for a plain Cedar program.
    pub(crate) const PLAIN: [Self; 4] = [
        Self::Ok,
        Self::PolicyError,
        Self::NotPermitted,
        Self::Forbidden,
    ];

    /// As it is told.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::PolicyError => "policy_error",
            Self::NotPermitted => "not_permitted",
            Self::Forbidden => "forbidden",
            Self::PrincipalUnknown => "principal_unknown",
            Self::AccountUnknown => "account_unknown",
            Self::ResourceUnknown => "resource_unknown",
            Self::LoginRefused => "login_refused",
            Self::QuotaExceeded => "quota_exceeded",
        }
    }
}

impl From<AnswerCode> for Arc<str> {
    fn from(code: AnswerCode) -> Self {
        Self::from(code.as_str())
    }
}
