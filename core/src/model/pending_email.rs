//! An e-mail that waits for confirmation (I4): the e-mail of a new or invited login, or the new
//! e-mail of a login that changes it.
//!
//! The token that was sent is stored only as a hash, bound to the login, the e-mail and the realm.
//! A token for one of them confirms no other, and a reader of the directory cannot confirm
//! anything.

use serde::{Deserialize, Serialize};

use super::reference::EntityRef;
use super::{calendar, email};
use crate::util::digest;
use crate::util::error::Error;

/// Default lifetime of a token: seven days, in milliseconds.
pub(crate) const USUAL: i64 = 7 * 86_400_000;
/// Maximum lifetime of a token: a year, in milliseconds.
pub(crate) const LONGEST: i64 = 366 * 86_400_000;
/// Number of random bytes of a token.
const BYTES: usize = 32;

/// An e-mail that waits to be confirmed; for a member, the invitation (I4, M8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "PendingEmailJson", into = "PendingEmailJson")]
pub(crate) struct PendingEmail {
    pub(crate) email: String,
    hash: String,
    /// The first instant at which the token is no longer valid, in milliseconds since 1970 UTC.
    pub(crate) until: i64,
}

/// A pending e-mail as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct PendingEmailJson {
    /// The e-mail.
    email: String,
    /// The hash of the token that was sent.
    hash: String,
    /// The first instant at which the token is no longer valid. RFC 3339.
    until: String,
}

impl From<PendingEmail> for PendingEmailJson {
    fn from(PendingEmail { email, hash, until }: PendingEmail) -> Self {
        Self {
            email,
            hash,
            until: calendar::instant_text(until).unwrap_or_default(),
        }
    }
}

impl TryFrom<PendingEmailJson> for PendingEmail {
    type Error = Error;

    fn try_from(PendingEmailJson { email, hash, until }: PendingEmailJson) -> Result<Self, Error> {
        Ok(Self {
            email: email::normalise(&email)?,
            hash,
            until: calendar::parse_instant(&until)?,
        })
    }
}

/// The login that the e-mail belongs to, and the owner of its realm. `None` stands for the
/// platform's realm.
#[derive(Debug, Clone)]
pub(crate) struct EmailOwner<'a> {
    pub(crate) login: &'a EntityRef,
    pub(crate) owner: Option<&'a str>,
}

/// Returns a new token: 256 random bits from the operating system, as text.
pub(crate) fn token() -> Result<String, Error> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(|found| Error::Random {
        reason: found.to_string(),
    })?;
    Ok(digest::hex(&bytes))
}

impl PendingEmail {
    /// Creates a pending e-mail that is valid for `time` milliseconds from now, by default seven
    /// days.
    pub(crate) fn new(
        token: &str,
        email: &str,
        holder: &EmailOwner<'_>,
        now: i64,
        time: Option<i64>,
    ) -> Result<Self, Error> {
        let time = time.unwrap_or(USUAL);
        if !(1..=LONGEST).contains(&time) {
            return Err(Error::Ttl {
                ttl: time.to_string(),
            });
        }
        Ok(Self {
            email: email.to_owned(),
            hash: hash(token, email, holder),
            until: now.saturating_add(time),
        })
    }

    /// Creates a pending e-mail that no token confirms, because its time is over.
    pub(crate) fn ended(email: &str, now: i64) -> Self {
        Self {
            email: email.to_owned(),
            hash: String::new(),
            until: now,
        }
    }

    /// Returns whether this token was sent to the e-mail and is still valid.
    pub(crate) fn is_confirmed_by(&self, token: &str, holder: &EmailOwner<'_>, now: i64) -> bool {
        now < self.until && self.hash == hash(token, &self.email, holder)
    }
}

fn hash(token: &str, email: &str, holder: &EmailOwner<'_>) -> String {
    digest::hex(&digest::sha256([
        token,
        holder.login.kind(),
        holder.login.id(),
        email,
        holder.owner.unwrap_or_default(),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token is also bound to its e-mail and its realm.
    #[test]
    fn token_is_bound_to_its_login_and_time() -> Result<(), Error> {
        let (login, other) = (
            EntityRef::new("Account", "bakery"),
            EntityRef::new("TeamMember", "bakery"),
        );
        let holder = EmailOwner {
            login: &login,
            owner: Some("acme"),
        };
        let (one, two) = (token()?, token()?);
        assert_ne!(one, two);
        assert_eq!(one.len(), 2 * BYTES);
        let pending = PendingEmail::new(&one, "hello@bakery.example", &holder, 1_000, Some(50))?;
        assert!(pending.is_confirmed_by(&one, &holder, 1_049));
        assert!(!pending.is_confirmed_by(&one, &holder, 1_050));
        assert!(!pending.is_confirmed_by(&two, &holder, 1_000));
        for holder in [
            EmailOwner {
                login: &other,
                ..holder.clone()
            },
            EmailOwner {
                owner: Some("nova"),
                ..holder.clone()
            },
            EmailOwner {
                owner: None,
                ..holder.clone()
            },
        ] {
            assert!(!pending.is_confirmed_by(&one, &holder, 1_000));
        }
        assert!(
            !PendingEmail {
                email: "other@bakery.example".to_owned(),
                ..pending.clone()
            }
            .is_confirmed_by(&one, &holder, 1_000)
        );
        let text = serde_json::to_string(&pending).expect("JSON");
        assert!(!text.contains(&one));
        assert_eq!(
            serde_json::from_str::<PendingEmail>(&text).expect("the same"),
            pending
        );
        for time in [0, -1, LONGEST + 1, i64::MAX] {
            assert_eq!(
                PendingEmail::new(&one, "a@b.example", &holder, 0, Some(time))
                    .map_err(|error| error.code())
                    .err(),
                Some("input.ttl")
            );
        }
        Ok(())
    }
}
