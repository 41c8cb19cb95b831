//! E-mail addresses as logins compare them (C4, I3).

use unicode_normalization::UnicodeNormalization;

use crate::{Error, host};

/// The form in which e-mail addresses compare: NFC, lower case, the domain as A-label. Dots and `+tag` are kept, since
/// they mean different things at different providers.
///
/// # Errors
/// [`Error::Email`] if it is no address: not one `@`, a local part that is empty, over 64 bytes, quoted, or holds what
/// needs quotes, or a host that is none.
///
/// # Example: one login, however it is typed
/// ```
/// assert_eq!(sublet::normalise_email("Ann+Shop@BÜCHER.example")?, "ann+shop@xn--bcher-kva.example");
/// # Ok::<(), sublet::Error>(())
/// ```
pub fn normalise(text: &str) -> Result<String, Error> {
    let refused = |reason: &str| Error::Email { email: crate::id::short(text), reason: reason.to_owned() };
    if text.len() > 1024 {
        return Err(refused("it is too long"));
    }
    let (local, domain) = text.rsplit_once('@').ok_or_else(|| refused("it has no `@`"))?;
    let local: String = local.nfc().collect::<String>().to_lowercase().nfc().collect();
    check_local(&local).map_err(refused)?;
    if domain.contains(':') || domain.ends_with('.') {
        return Err(refused("its host has a port or ends in a dot"));
    }
    let domain = host::normalise(domain).map_err(|reason| refused(&format!("its host: {reason}")))?;
    if !domain.contains('.') {
        return Err(refused("its host is not a full name"));
    }
    let address = format!("{local}@{domain}");
    if address.len() > 254 {
        return Err(refused("it is too long"));
    }
    Ok(address)
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
            !c.is_control() && !c.is_whitespace() && !is_invisible(c)
        };
        if !plain {
            return Err("it has a character that cannot stand before the `@`");
        }
    }
    Ok(())
}

/// Characters that change nothing that one sees: two logins would look the same.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_compare_in_one_form() {
        let normal = |text: &str| normalise(text).ok();
        assert_eq!(normal("Ann@Brand.Example").as_deref(), Some("ann@brand.example"));
        assert_eq!(normal("a.n.n+x@brand.example").as_deref(), Some("a.n.n+x@brand.example"));
        assert_eq!(normal("jose\u{301}@brand.example"), normal("JOSÉ@brand.example"));
        assert_eq!(normal("x@bücher.example"), normal("x@xn--bcher-kva.example"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
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
            "a\0@b.example",
            &long,
        ];
        for text in bad {
            assert_eq!(normalise(text).map_err(|error| error.code()), Err("directory.email"), "{text:?}");
        }
    }
}
