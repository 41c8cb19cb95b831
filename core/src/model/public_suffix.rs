//! Public suffixes: names under which everybody registers names, so that no owner may have them (D4).
//! The list of publicsuffix.org is compiled in, with its private section.

/// Refuses a name that no owner can claim: one of a single label, or a public suffix. Names under a
/// public suffix are not refused. `name` is normalised.
///
/// # Errors
/// The reason, a stable phrase.
pub(crate) fn refuse(name: &str) -> Result<(), &'static str> {
    if !name.contains('.') {
        return Err("it has a single label");
    }
    if psl::suffix_str(name) == Some(name) {
        return Err("it is a public suffix");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_suffixes_are_refused() {
        let (single, public) = (Err("it has a single label"), Err("it is a public suffix"));
        for (name, expected) in [
            ("com", single),
            ("localhost", single),
            ("co.uk", public),
            ("github.io", public),
            // `*.ck` is a rule of the list, and `www.ck` its exception.
            ("shop.ck", public),
            ("www.ck", Ok(())),
            ("xn--55qx5d.cn", public),
            ("brand.xn--55qx5d.cn", Ok(())),
            ("brand.co.uk", Ok(())),
            ("brand.github.io", Ok(())),
            // A suffix that the list does not have is the last label.
            ("brand.example", Ok(())),
        ] {
            assert_eq!(refuse(name), expected, "{name}");
        }
    }
}
