//! Normalises host names, so that the login stage can compare them whole (D2, D3).

use std::borrow::Cow;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// Maximum length of a text that is parsed. The longest name, of 253 characters, fits many times in
/// any script.
const LONGEST: usize = 4096;

/// Returns the form in which host names compare: A-labels in lower case.
///
/// One port and one trailing dot are dropped, letters are folded, and labels in other scripts
/// become A-labels (UTS 46).
///
/// # Errors
/// The reason, a stable phrase, if the text is not a host name. Such a text is empty or too long,
/// has a character that no name has, or is an IP address.
///
/// # Example: the header of a browser, as a person typed it
/// ```
/// use sublet::normalise_host;
/// assert_eq!(normalise_host("App.Brand.Example.:443").as_deref(), Ok("app.brand.example"));
/// assert_eq!(normalise_host("brand.example@evil.example"), Err("it has an `@`"));
/// ```
pub fn normalise(text: &str) -> Result<String, &'static str> {
    normal_form(text).map(Cow::into_owned)
}

/// Returns what [`normalise`] returns, without a copy of a name in plain normal form.
pub(crate) fn normal_form(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if is_plain(text) {
        Ok(Cow::Borrowed(text))
    } else {
        normalise_any(text).map(Cow::Owned)
    }
}

/// Returns whether the text is surely a name in normal form. Most names are, and UTS 46 takes longer
/// than the rest of a decision. A test compares this with [`normalise_any`], which reads the others.
fn is_plain(text: &str) -> bool {
    let (mut before, mut length, mut is_number) = (b'.', 0_u8, true);
    for byte in text.bytes() {
        match (byte, before) {
            // An empty label, or a hyphen at an end of one. Two hyphens may begin an A-label.
            (b'.' | b'-', b'.' | b'-') => return false,
            // This could be a number in hexadecimal digits.
            (b'x', b'0') if length == 1 => return false,
            (b'.', _) => (length, is_number) = (0, true),
            (b'0'..=b'9', _) => length = length.saturating_add(1),
            (b'a'..=b'z' | b'-', _) => (length, is_number) = (length.saturating_add(1), false),
            _ => return false,
        }
        if length > 63 {
            return false;
        }
        before = byte;
    }
    !is_number && before != b'-' && text.len() <= 253
}

/// Returns the normal form of any text.
fn normalise_any(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > LONGEST {
        return Err("it is too long");
    }
    if text.starts_with('[') {
        return Err("it is an IP address");
    }
    let name = without_port(text)?;
    refuse_characters(name)?;
    let ascii = to_ascii(name)?;
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    check_labels(name)?;
    Ok(name.to_owned())
}

/// Folds letters, and turns labels in other scripts into A-labels (UTS 46).
fn to_ascii(name: &str) -> Result<Cow<'_, str>, &'static str> {
    let (bytes, denied) = (name.as_bytes(), AsciiDenyList::STD3);
    Uts46::new()
        .to_ascii(bytes, denied, Hyphens::CheckFirstLast, DnsLength::Ignore)
        .map_err(|_| "it has a label that is not valid")
}

/// Returns the text before the port. Several colons are an IPv6 address, or not valid.
fn without_port(text: &str) -> Result<&str, &'static str> {
    let Some((name, port)) = text.split_once(':') else {
        return Ok(text);
    };
    if port.contains(':') {
        return Err(if text.parse::<std::net::Ipv6Addr>().is_ok() {
            "it is an IP address"
        } else {
            "its port is not valid"
        });
    }
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || port.parse::<u16>().is_err() {
        return Err("its port is not valid");
    }
    Ok(name)
}

fn refuse_characters(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    for c in name.chars() {
        match c {
            ',' => return Err("it has a comma"),
            '/' | '\\' => return Err("it has a slash"),
            '@' => return Err("it has an `@`"),
            '%' => return Err("it has a `%`"),
            '_' => return Err("it has an underscore"),
            '[' | ']' => return Err("it has a bracket"),
            _ if c.is_control() => return Err("it has a control character"),
            _ if c.is_whitespace() => return Err("it has a space"),
            _ => {}
        }
    }
    Ok(())
}

fn check_labels(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.split('.').any(str::is_empty) {
        return Err("it has an empty label");
    }
    if name.split('.').any(|label| label.len() > 63) {
        return Err("it has a label of more than 63 characters");
    }
    if name.len() > 253 {
        return Err("it is too long");
    }
    // Browsers read a name whose last label is a number, in any notation, as an IPv4 address.
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last
        .strip_prefix("0x")
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if hex || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("it is an IP address");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the rows of `tests/vectors/hosts.json`, which run in three languages.
    #[test]
    fn host_vectors_match() {
        let text = include_str!("../../../tests/vectors/hosts.json");
        let rows: Vec<serde_json::Value> = serde_json::from_str(text).expect("rows");
        assert!(rows.len() >= 60, "{}", rows.len());
        for row in rows {
            let host = row["host"].as_str().expect("a host");
            let host = row["times"].as_u64().map_or_else(
                || host.to_owned(),
                |times| host.repeat(usize::try_from(times).expect("a small number")),
            );
            match normalise(&host) {
                Ok(name) => assert_eq!(Some(name.as_str()), row["normal"].as_str(), "{row}"),
                Err(reason) => assert_eq!(Some(reason), row["refused"].as_str(), "{row}"),
            }
        }
    }

    #[test]
    fn plain_names_are_in_normal_form() {
        const LETTERS: [char; 7] = ['a', 'x', 'n', '-', '.', '0', 'B'];
        let is_right = |name: &String| {
            assert!(
                !is_plain(name) || normalise_any(name).as_ref() == Ok(name),
                "{name}"
            );
            is_plain(name)
        };
        let mut names = vec![String::new()];
        for _ in 0..6 {
            assert!(!names.iter().any(|name| is_plain(name) && name.is_empty()));
            let longer = |name: &String| LETTERS.map(|letter| format!("{name}{letter}"));
            names = names.iter().flat_map(longer).collect();
            let plain = names.iter().filter(|name| is_right(name)).count();
            assert!(plain > names.len() / 12, "{plain} plain");
        }
        for length in 60..67 {
            let label = "a".repeat(length);
            assert_eq!(is_right(&label), length <= 63);
            assert_eq!(is_right(&format!("b.{label}")), length <= 63);
            let long = format!("{}.{label}", ["b"; 95].join("."));
            assert_eq!(is_right(&long), long.len() <= 253 && length <= 63);
        }
        assert!(is_plain("app.acme.example") && is_plain("4you.b-c.example"));
    }

    #[test]
    fn normal_host_is_its_own_normal_form() {
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..(seed % 9) {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let pool = [
                    'a', 'B', '-', '.', '1', 'ü', 'ß', '。', 'x', 'n', '😀', '\u{200d}', ':', 'İ',
                    'Ａ', '٣',
                ];
                text.push(pool[usize::try_from(seed >> 33).expect("31 bits") % pool.len()]);
            }
            seed = seed.wrapping_add(1).wrapping_mul(6_364_136_223_846_793_005);
            if let Ok(name) = normalise(&text) {
                assert_eq!(normalise(&name).as_deref(), Ok(name.as_str()), "{text:?}");
                assert!(name.is_ascii(), "{text:?}");
            }
        }
    }
}
