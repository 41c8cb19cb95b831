//! The fingerprint of policies: a short text that every decision carries.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::util::digest;

const LENGTH: usize = 16;

/// The fingerprint of a bundle or program: the first 16 hexadecimal digits of a digest of its
/// texts. It is a value and not a shared text, because each decision has a copy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; LENGTH]);

impl Fingerprint {
    /// Returns the fingerprint of a digest.
    pub(crate) fn of(digest: &[u8; 32]) -> Self {
        Self::from_text(&digest::hex(digest.iter().take(LENGTH / 2)))
            .unwrap_or(Self([b'0'; LENGTH]))
    }

    fn from_text(text: &str) -> Option<Self> {
        let digits = text.as_bytes().try_into().map(Self).ok();
        digits.filter(|_| text.bytes().all(|digit| digit.is_ascii_hexdigit()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only digits are stored, so this never fails.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Deref for Fingerprint {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), to)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::from_text(&text).ok_or_else(|| de::Error::custom("not a fingerprint"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_digest_begun() {
        let one = Fingerprint::of(&[0xa5; 32]);
        assert_eq!(
            (&*one, one.to_string()),
            ("a5a5a5a5a5a5a5a5", one.as_str().to_owned())
        );
        let json = serde_json::to_string(&one).expect("JSON");
        assert_eq!(json, "\"a5a5a5a5a5a5a5a5\"");
        assert_eq!(
            serde_json::from_str::<Fingerprint>(&json).expect("read"),
            one
        );
        for text in ["\"\"", "\"a5\"", "\"a5a5a5a5a5a5a5zz\"", "7"] {
            assert!(serde_json::from_str::<Fingerprint>(text).is_err(), "{text}");
        }
    }
}
