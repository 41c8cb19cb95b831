//! SHA-256 of a list of texts, and hexadecimal text.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of these parts. The length of each part is hashed before the part, as a
/// `u64` in little-endian order, so that no two lists of parts are hashed alike.
pub(crate) fn sha256<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// Returns bytes as lower-case hexadecimal digits.
pub(crate) fn hex<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected digest is that of Python's `hashlib` over
    /// `b"\x01" + b"\0" * 7 + b"a" + b"\x02" + b"\0" * 7 + b"bc"`.
    #[test]
    fn length_precedes_each_part() {
        assert_eq!(
            hex(&sha256(["a", "bc"])),
            "9a8acca1b6c6c0befd3fbc756aed625da998c998f7252e738c4ef061906b9b21"
        );
        assert_ne!(sha256(["a", "bc"]), sha256(["ab", "c"]));
        assert_ne!(sha256(["a"]), sha256(["a", ""]));
    }

    #[test]
    fn hex_has_two_digits_for_each_byte() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }
}
