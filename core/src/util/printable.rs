//! Escapes untrusted text in messages. A character that a terminal or a log would not show as it is
//! becomes an escape.

use std::fmt;

/// Returns the text with each character escaped that has no visible form of its own. Such
/// characters are controls, line ends, and characters that change how their neighbours look. A text
/// that is already escaped stays unchanged.
///
/// # Example: a name that would clear a terminal
/// ```
/// assert_eq!(sublet::printable("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
/// ```
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut made, c| {
            push(&mut made, c);
            made
        })
}

fn push(made: &mut String, c: char) {
    if is_unprintable(c) {
        made.extend(c.escape_default());
    } else {
        made.push(c);
    }
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || is_invisible(c)
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}')
}

/// Returns whether Unicode defines the character as having no visible form
/// (`Default_Ignorable_Code_Point`). Two names that differ only in such characters look equal.
/// Bidirectional controls are among them.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// A writer that escapes text as [`printable`] does. Line ends are kept if `has_lines` is set.
pub(crate) struct Printable<'a, 'f> {
    pub(crate) to: &'a mut fmt::Formatter<'f>,
    pub(crate) has_lines: bool,
}

/// Maximum bytes of one field of a message, so that no message repeats a megabyte of a caller's
/// input.
const MAX_FIELD_BYTES: usize = 2000;

impl fmt::Write for Printable<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let escaped = |c: char| is_unprintable(c) && !(self.has_lines && c == '\n');
        let cut = if self.has_lines {
            text.len()
        } else {
            (0..=MAX_FIELD_BYTES.min(text.len()))
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0)
        };
        let mut rest = text.get(..cut).unwrap_or(text);
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| escaped(*c)) {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            write!(self.to, "{before}{}", c.escape_default())?;
            rest = from.get(c.len_utf8()..).unwrap_or_default();
        }
        self.to.write_str(rest)?;
        if cut < text.len() {
            self.to.write_str("…")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_once() {
        for c in ('\0'..='\u{ffff}')
            .chain('\u{1d100}'..='\u{1d1ff}')
            .chain('\u{e0000}'..='\u{e1000}')
        {
            let once = printable(&format!("a{c}b"));
            assert_eq!(printable(&once), once);
            assert!(!once.chars().any(is_unprintable), "{once}");
        }
        assert_eq!(
            printable("Bücher `x` \\u{1b} 東京 \u{1f600}"),
            "Bücher `x` \\u{1b} 東京 \u{1f600}"
        );
        assert_eq!(
            printable("\r\n\t\u{202e}\u{200b}\u{9b}"),
            "\\r\\n\\t\\u{202e}\\u{200b}\\u{9b}"
        );
    }
}
