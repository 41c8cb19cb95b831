//! Decision codes that the engine itself gives. The policies name all others.

use std::sync::Arc;

/// A decision code that the engine itself gives. Each place that gives such a code names it here,
/// and `bundle().codes` lists them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerCode {
    /// A permit applies, and no policy refuses.
    Ok,
    /// A policy could not be evaluated on a request that Cedar would have allowed (E2).
    PolicyError,
    /// No permit applies.
    NotPermitted,
    /// A `forbid` without `@code` applies. Only in plain Cedar, because each forbid of a bundle has
    /// a code.
    Forbidden,
    /// No login has this id, as the principal or as the actor.
    PrincipalUnknown,
    /// No account has this id.
    AccountUnknown,
    /// The directory has no record with this id.
    ResourceUnknown,
    /// The one code of `login` for the outside, for every refusal (D7).
    LoginRefused,
    /// A meter has too little left for an amount that no policy refused.
    QuotaExceeded,
}

impl AnswerCode {
    /// Every code that the engine gives if the tenancy kernel is loaded.
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
    /// Every code that the engine gives for a plain Cedar program.
    pub(crate) const PLAIN: [Self; 4] = [
        Self::Ok,
        Self::PolicyError,
        Self::NotPermitted,
        Self::Forbidden,
    ];

    /// Returns the code as decisions carry it.
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
