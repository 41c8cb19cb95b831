//! Host names as the login gate compares them (D2).

/// The form in which host names compare (D2), or why the text is no host name.
///
/// # Errors
/// The reason, in a few words, if the text is no host name.
pub fn normalise(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("it is empty") } else { Ok(text.to_lowercase()) }
}
