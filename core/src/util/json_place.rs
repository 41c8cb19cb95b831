//! Finds the position of a value or a key in a JSON text.

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// The value of this key.
    Key(&'a str),
    /// The object of a list whose `id` is this text.
    Id(&'a str),
}

/// Returns the start and the length in bytes of the string `name` inside the value to which the
/// steps lead: a key of an object or an item of a list. Without a name it is the last key of the
/// steps.
pub(crate) fn find(text: &str, steps: &[Step<'_>], name: Option<&str>) -> Option<(usize, usize)> {
    let mut at = Cursor { text, at: 0 };
    let mut last = None;
    for step in steps {
        last = at.enter(step)?;
    }
    match name {
        None => last,
        Some(name) => at.member(name),
    }
}

/// A position before a value. Nesting needs no stack, because a value is passed over by counting
/// brackets.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        let space = rest.len().saturating_sub(rest.trim_start().len());
        self.at = self.at.saturating_add(space);
    }

    /// Passes over this sign, if it is next.
    fn sign(&mut self, sign: char) -> bool {
        self.skip_space();
        let is_next = self.rest().starts_with(sign);
        self.at = self.at.saturating_add(usize::from(is_next));
        is_next
    }

    /// Passes over a string. Returns its content and its position.
    fn string(&mut self) -> Option<(String, (usize, usize))> {
        self.skip_space();
        let (rest, start) = (self.rest(), self.at);
        if !rest.starts_with('"') {
            return None;
        }
        let mut is_escaped = false;
        let end = rest.char_indices().skip(1).find_map(|(at, c)| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end.then(|| at.saturating_add(1))
        })?;
        self.at = start.saturating_add(end);
        let content = serde_json::from_str(rest.get(..end)?).ok()?;
        Some((content, (start, end)))
    }

    /// Passes over a value.
    fn value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            self.skip_space();
            match self.rest().chars().next()? {
                '"' => drop(self.string()?),
                '{' | '[' => {
                    depth = depth.saturating_add(1);
                    self.at = self.at.saturating_add(1);
                }
                '}' | ']' => {
                    depth = depth.saturating_sub(1);
                    self.at = self.at.saturating_add(1);
                }
                ',' | ':' => self.at = self.at.saturating_add(1),
                _ => {
                    let rest = self.rest();
                    let len = rest.find(|c: char| ",:[]{}\"".contains(c) || c.is_whitespace());
                    self.at = self.at.saturating_add(len.unwrap_or(rest.len()));
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Moves to the value of a step. Returns the position of the step's key.
    #[allow(
        clippy::option_option,
        reason = "a list has no key, and a step may lead nowhere"
    )]
    fn enter(&mut self, step: &Step<'_>) -> Option<Option<(usize, usize)>> {
        match step {
            Step::Key(key) => {
                if !self.sign('{') {
                    return None;
                }
                loop {
                    let (found, place) = self.string()?;
                    self.sign(':');
                    if found == *key {
                        return Some(Some(place));
                    }
                    self.value()?;
                    self.sign(',');
                }
            }
            Step::Id(id) => {
                if !self.sign('[') {
                    return None;
                }
                loop {
                    let here = *self;
                    let mut inside = here;
                    if inside.enter(&Step::Key("id")).is_some()
                        && inside.string().is_some_and(|(found, _)| found == *id)
                    {
                        *self = here;
                        return Some(None);
                    }
                    self.value()?;
                    if !self.sign(',') {
                        return None;
                    }
                }
            }
        }
    }

    /// Returns the position of a key of the object, or of a string of the list.
    fn member(&mut self, name: &str) -> Option<(usize, usize)> {
        if !self.sign('{') && !self.sign('[') {
            return None;
        }
        loop {
            let mut here = *self;
            match here.string() {
                Some((found, place)) if found == name => return Some(place),
                Some(_) if here.sign(':') => {
                    *self = here;
                    self.value()?;
                }
                _ => self.value()?,
            }
            if !self.sign(',') {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_of_the_whole_string() {
        let text = r#"{"features": {"exports": "contacts and reports", "report\u0073": "R"},
 "levels": [{"features": ["contacts"], "limits": {"m": 1}, "id": "a"}, {"id": "b", "features": ["report", "x"]}]}"#;
        let cut = |steps: &[Step<'_>], name| {
            let (start, len) = find(text, steps, name)?;
            Some((start, text.get(start..)?.get(..len)?))
        };
        let level = |id| [Step::Key("levels"), Step::Id(id), Step::Key("features")];
        assert_eq!(
            cut(&level("b"), Some("report")),
            text.find("\"report\"").map(|at| (at, "\"report\""))
        );
        assert_eq!(cut(&level("a"), Some("report")), None);
        assert_eq!(cut(&level("c"), Some("report")), None);
        assert_eq!(
            cut(&[Step::Key("features")], Some("reports")).map(|(_, found)| found),
            Some(r#""report\u0073""#)
        );
        let limits = [Step::Key("levels"), Step::Id("a"), Step::Key("limits")];
        assert_eq!(
            cut(&limits, Some("m")).map(|(_, found)| found),
            Some("\"m\"")
        );
        assert_eq!(
            cut(&[Step::Key("features")], None),
            Some((1, "\"features\""))
        );
    }

    #[test]
    fn any_text_ends() {
        for text in [
            "",
            "{",
            "[",
            "{\"a\"",
            "{\"a\":[",
            "[[",
            "]",
            "{\"a\":1,}",
            "\"",
            "{\"a\":\"\\",
        ] {
            for step in [Step::Key("b"), Step::Id("b"), Step::Key("a")] {
                assert_eq!(find(text, &[step], Some("x")), None, "{text}");
            }
        }
    }
}
