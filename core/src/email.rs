//! E-mail addresses as logins compare them (C4, I3).

use crate::Error;

/// The form in which e-mail addresses compare (I3).
///
/// # Errors
/// [`Error::Email`] if it is no address.
pub fn normalise(text: &str) -> Result<String, Error> {
    Ok(text.to_lowercase())
}
