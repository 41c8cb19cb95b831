//! Normalises e-mail addresses, so that logins can be compared (C4, I3).

use unicode_normalization::UnicodeNormalization;

use super::host;
use crate::util::error::Error;
use crate::util::printable::is_invisible;

/// Returns the form in which e-mail addresses compare: NFC, lower case, the domain as A-label.
///
/// Dots and `+tag` are kept, because they mean different things at different providers.
///
/// # Errors
/// [`Error::Email`] if the text is not an address. An address has one `@`, and a host that is a
/// full name. Its local part has 1 to 64 bytes and needs no quotes.
///
/// # Example: one login, however it is typed
/// ```
/// let email = sublet::normalise_email("Ann+Shop@BÜCHER.example")?;
/// assert_eq!(email, "ann+shop@xn--bcher-kva.example");
/// # Ok::<(), sublet::Error>(())
/// ```
pub fn normalise(text: &str) -> Result<String, Error> {
    if is_normal(text) {
        return Ok(text.to_owned());
    }
    normalise_any(text)
}

/// Does the work of [`normalise`], for texts in normal form, too.
fn normalise_any(text: &str) -> Result<String, Error> {
    let refused = |reason: &str| Error::Email {
        email: crate::util::text::short(text),
        reason: reason.to_owned(),
    };
    if text.len() > 1024 {
        return Err(refused("it is too long"));
    }
    // Also checks the host's name. There such characters would be dropped, and two addresses would
    // look equal.
    if text.chars().any(is_invisible) {
        return Err(refused("it has a character without a visible form"));
    }
    let (local, domain) = text
        .rsplit_once('@')
        .ok_or_else(|| refused("it has no `@`"))?;
    let local: String = local
        .nfc()
        .collect::<String>()
        .to_lowercase()
        .nfc()
        .collect();
    check_local(&local).map_err(refused)?;
    if domain.contains(':') || domain.ends_with('.') {
        return Err(refused("its host has a port or ends in a dot"));
    }
    let domain =
        host::normalise(domain).map_err(|reason| refused(&format!("its host: {reason}")))?;
    if !domain.contains('.') {
        return Err(refused("its host is not a full name"));
    }
    let address = format!("{local}@{domain}");
    if address.len() > 254 {
        return Err(refused("it is too long"));
    }
    Ok(address)
}

/// Returns whether [`normalise_any`] would return the text unchanged. A fast check that may miss
/// some normal texts: texts in other scripts always need the full normalisation.
pub(crate) fn is_normal(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let dot_first_or_last = |part: &str| part.starts_with('.') || part.ends_with('.');
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'+' | b'.');
    if text.len() > 254
        || local.is_empty()
        || local.len() > 64
        || dot_first_or_last(local)
        || local.contains("..")
        || !local.bytes().all(plain)
    {
        return false;
    }
    // A last label of letters is not a number. A label that could be an A-label is not accepted
    // here.
    let last_is_a_word = domain
        .rsplit_once('.')
        .is_some_and(|(_, last)| last.bytes().all(|byte| byte.is_ascii_lowercase()));
    last_is_a_word && domain.len() < 254 && domain.split('.').all(is_plain_label)
}

fn is_plain_label(label: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !label.is_empty()
        && label.len() < 64
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.contains("--")
        && label.bytes().all(plain)
}

fn check_local(local: &str) -> Result<(), &'static str> {
    if local.is_empty() {
        return Err("nothing stands before the `@`");
    }
    if local.len() > 64 {
        return Err("what stands before the `@` is too long");
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err("a dot stands where none can");
    }
    for c in local.chars() {
        let plain = if c.is_ascii() {
            c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
        } else {
            !c.is_control() && !c.is_whitespace() && !matches!(c, '\u{fff9}'..='\u{ffff}')
        };
        if !plain {
            return Err("it has a character that cannot stand before the `@`");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_compare_in_normal_form() {
        let normal = |text: &str| normalise(text).ok();
        assert_eq!(
            normal("Ann@Brand.Example").as_deref(),
            Some("ann@brand.example")
        );
        assert_eq!(
            normal("a.n.n+x@brand.example").as_deref(),
            Some("a.n.n+x@brand.example")
        );
        assert_eq!(
            normal("jose\u{301}@brand.example"),
            normal("JOSÉ@brand.example")
        );
        assert_eq!(
            normal("x@bücher.example"),
            normal("x@xn--bcher-kva.example")
        );
    }

    #[test]
    fn is_normal_agrees_with_normalize() {
        let pool = [
            "a", "z", "0", "9", ".", "-", "_", "+", "@", "A", "ü", "xn--", "x", "'", "example",
            "com", "\u{200b}", "0x1",
        ];
        let (mut seed, mut normal) = (3_u64, 0);
        for _ in 0..100_000 {
            let mut text = String::new();
            let pieces = 3 + seed % 9;
            for _ in 0..pieces {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pool[usize::try_from(seed >> 33).expect("31 bits") % pool.len()]);
            }
            // Makes half of the texts look more like addresses.
            if seed.is_multiple_of(2) {
                text = format!("{}@b.example", text.replace('@', ""));
            }
            seed = seed.wrapping_add(1).wrapping_mul(6_364_136_223_846_793_005);
            if is_normal(&text) {
                normal += 1;
                assert_eq!(normalise_any(&text).as_deref(), Ok(text.as_str()));
            }
        }
        assert!(normal > 100, "{normal}");
        assert!(
            is_normal("client-00001-07-member-2@mail.example")
                && is_normal("a.b+c_d@x1.y-2.example")
        );
        assert!(
            !is_normal("a@b")
                && !is_normal("a@b.1")
                && !is_normal("a@xn--a.example")
                && !is_normal("a@b@c.example")
        );
    }

    #[test]
    fn invalid_address_has_a_reason() {
        let long = format!("{}@brand.example", "a".repeat(65));
        let bad = [
            "",
            "@",
            "a",
            "a@",
            "@b.example",
            "a@b",
            "a b@c.example",
            "a@b@c.example",
            "\"a\"@b.example",
            ".a@b.example",
            "a..b@c.example",
            "a@b.example:80",
            "a@b.example.",
            "a@127.0.0.1",
            "a\u{200b}@b.example",
            "a\u{34f}@b.example",
            "a\u{115f}@b.example",
            "a\u{3164}@b.example",
            "a\u{fe0f}@b.example",
            "a\u{e0101}@b.example",
            "a@b\u{ad}c.example",
            "a@b\u{200d}.example",
            "a\0@b.example",
            &long,
        ];
        for text in bad {
            assert_eq!(
                normalise(text).map_err(|error| error.code()),
                Err("directory.email"),
                "{text:?}"
            );
        }
    }
}
