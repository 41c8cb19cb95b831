//! Finds annotations, clauses and names in the text of policies and schemas. Comments and strings
//! are passed over.

/// One word, string or sign of a text, with its position in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
}

impl Token<'_> {
    /// Returns the position after the token.
    pub(super) fn end(&self) -> usize {
        self.start.saturating_add(self.text.len())
    }

    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(is_word_start)
    }

    /// Returns the content of a string without escapes.
    pub(super) fn quoted(&self) -> Option<&str> {
        self.text.strip_prefix('"')?.strip_suffix('"')
    }

    /// Returns whether the token is this word, or a string with this content.
    pub(super) fn is_name(&self, name: &str) -> bool {
        self.text == name || self.quoted() == Some(name)
    }

    /// Returns 1 for an opening bracket, -1 for a closing one, and else 0.
    fn nesting(&self) -> isize {
        match self.text {
            "(" | "[" | "{" => 1,
            ")" | "]" | "}" => -1,
            _ => 0,
        }
    }
}

fn is_word_start(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

/// Returns the tokens of a text of Cedar.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut found, mut at) = (Vec::new(), 0_usize);
    while let Some(rest) = text.get(at..)
        && let Some(first) = rest.chars().next()
    {
        let len = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => string_length(rest),
            _ if is_word_start(first) => rest
                .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let is_comment = first == '/' && len > 1;
        if !first.is_whitespace()
            && !is_comment
            && let Some(text) = rest.get(..len)
        {
            found.push(Token { text, start: at });
        }
        at = at.saturating_add(len.max(1));
    }
    found
}

/// Returns the length of the string with which the text begins, both quotes included.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at.saturating_add(1),
            _ => {}
        }
    }
    text.len()
}

/// Positions in the text of one policy, each as start and length in bytes.
#[derive(Debug, Default)]
pub(super) struct PolicyOutline<'a> {
    /// The annotations by name.
    pub(super) annotations: Vec<(&'a str, (usize, usize))>,
    /// The word `forbid` or `permit`.
    pub(super) effect: Option<(usize, usize)>,
    /// The clauses `when { ... }` and `unless { ... }`.
    pub(super) clauses: Vec<(usize, usize)>,
}

impl<'a> PolicyOutline<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let (mut outline, mut depth, mut clause) = (Self::default(), 0_isize, None);
        let tokens = tokens(text);
        for (nth, token) in tokens.iter().enumerate() {
            depth = depth.saturating_add(token.nesting());
            if depth != 0 {
                continue;
            }
            match (token.text, tokens.get(nth.saturating_add(1))) {
                ("@", Some(name)) => outline.annotations.push((
                    name.text,
                    (token.start, name.end().saturating_sub(token.start)),
                )),
                ("when" | "unless", Some(next)) if next.text == "{" => clause = Some(token.start),
                ("forbid" | "permit", Some(next)) if next.text == "(" => {
                    outline.effect = Some((token.start, token.text.len()));
                }
                ("}", _) => {
                    if let Some(start) = clause.take() {
                        let len = token.end().saturating_sub(start);
                        outline.clauses.push((start, len));
                    }
                }
                _ => {}
            }
        }
        outline
    }

    /// Returns the position of an annotation.
    pub(super) fn annotation(&self, name: &str) -> Option<(usize, usize)> {
        let mut named = self.annotations.iter().filter(|(known, _)| *known == name);
        named.next().map(|(_, place)| *place)
    }
}

/// The declaration before which an annotation of a schema stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declaration {
    /// An action with `appliesTo`.
    Action,
    /// An action without `appliesTo`, which only groups other actions.
    ActionGroup,
    /// A type, an entity type, an attribute or a namespace.
    Other,
}

/// An annotation of a schema.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SchemaAnnotation<'a> {
    pub(super) name: &'a str,
    pub(super) place: (usize, usize),
    pub(super) before: Declaration,
    /// The first name of the declaration.
    pub(super) owner: &'a str,
}

/// Returns the annotations of a schema in the order of its text.
pub(super) fn schema_annotations(text: &str) -> Vec<SchemaAnnotation<'_>> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (nth, token) in tokens.iter().enumerate().filter(|(_, one)| one.text == "@") {
        let Some(name) = tokens.get(nth.saturating_add(1)) else {
            continue;
        };
        let mut rest = tokens.get(nth..).unwrap_or_default();
        while let Some(after) = after_annotation(rest) {
            rest = after;
        }
        let (before, owner) = declaration(rest);
        found.push(SchemaAnnotation {
            name: name.text,
            place: (token.start, name.end().saturating_sub(token.start)),
            before,
            owner,
        });
    }
    found
}

/// Returns the tokens after the annotation with which these begin.
fn after_annotation<'t, 'a>(tokens: &'t [Token<'a>]) -> Option<&'t [Token<'a>]> {
    match tokens {
        [at, _, open, _, close, rest @ ..]
            if at.text == "@" && open.text == "(" && close.text == ")" =>
        {
            Some(rest)
        }
        [at, _, rest @ ..] if at.text == "@" => Some(rest),
        _ => None,
    }
}

/// Returns the kind and the first name of the declaration with which the tokens begin.
fn declaration<'a>(tokens: &[Token<'a>]) -> (Declaration, &'a str) {
    let [first, second, ..] = tokens else {
        return (Declaration::Other, "");
    };
    // `action: Bool` is an attribute of that name.
    let is_attribute = matches!(second.text, ":" | "?");
    let is_keyword = matches!(first.text, "action" | "entity" | "type" | "namespace");
    if is_attribute || !is_keyword {
        return (Declaration::Other, first.text);
    }
    let owner = second.text.trim_matches('"');
    if first.text != "action" {
        return (Declaration::Other, owner);
    }
    let mut body = tokens.iter().take_while(|token| token.text != ";");
    if body.any(|token| token.text == "appliesTo") {
        (Declaration::Action, owner)
    } else {
        (Declaration::ActionGroup, owner)
    }
}

/// Returns the position of the first word or string of a text that is this name.
pub(super) fn find_name(text: &str, name: &str) -> Option<(usize, usize)> {
    let mut tokens = tokens(text).into_iter().filter(|one| one.is_name(name));
    tokens.next().map(|one| (one.start, one.text.len()))
}

/// Returns the position of an action's name in its declaration: `action a, "b"`.
pub(super) fn find_action(text: &str, name: &str) -> Option<(usize, usize)> {
    let tokens = tokens(text);
    let starts = tokens.iter().enumerate();
    for (nth, _) in starts.filter(|(_, one)| one.text == "action") {
        let names = tokens.get(nth.saturating_add(1)..).unwrap_or_default();
        let names = names
            .iter()
            .enumerate()
            .take_while(|(nth, one)| match nth % 2 {
                0 => one.is_word() || one.quoted().is_some(),
                _ => one.text == ",",
            });
        let mut names = names.filter(|(_, one)| one.is_name(name));
        if let Some((_, found)) = names.next() {
            return Some((found.start, found.text.len()));
        }
    }
    None
}

/// Returns the position of the `has` that tests this name of a path, such as `context.facts`. The
/// name may be a later part: `context has facts.name`. If no `has` has the path as written, it is
/// the first with the name.
pub(super) fn find_has(text: &str, path: &str, name: &str) -> Option<(usize, usize)> {
    let tokens = tokens(text);
    let (mut named, mut exact) = (None, None);
    for (nth, has) in tokens
        .iter()
        .enumerate()
        .filter(|(_, one)| one.text == "has")
    {
        let mut from = path_before(tokens.get(..nth).unwrap_or_default());
        for part in path_after(tokens.get(nth.saturating_add(1)..).unwrap_or_default()) {
            if part.is_name(name) {
                let place = (has.start, part.end().saturating_sub(has.start));
                named = named.or(Some(place));
                exact = exact.or((from == path).then_some(place));
            }
            from = format!("{from}.{}", part.quoted().unwrap_or(part.text));
        }
    }
    exact.or(named)
}

/// Returns the path with which the tokens end, such as `context.facts`.
fn path_before(tokens: &[Token<'_>]) -> String {
    let is_part = |nth: usize, part: &Token<'_>| match nth % 2 {
        0 => part.is_word(),
        _ => part.text == ".",
    };
    let last = tokens.iter().rev().enumerate();
    let parts = last.take_while(|(nth, part)| is_part(*nth, part));
    let mut parts: Vec<&str> = parts.map(|(_, part)| part.text).collect();
    parts.reverse();
    parts.concat()
}

/// Returns the names of the path with which the tokens begin.
fn path_after<'t, 'a>(tokens: &'t [Token<'a>]) -> impl Iterator<Item = &'t Token<'a>> {
    let is_part = |nth: usize, part: &Token<'_>| match nth % 2 {
        0 => part.is_word() || part.quoted().is_some(),
        _ => part.text == ".",
    };
    let parts = tokens.iter().enumerate();
    parts
        .take_while(move |(nth, part)| is_part(*nth, part))
        .step_by(2)
        .map(|(_, part)| part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, (start, len): (usize, usize)) -> &str {
        let rest = text.get(start..).expect("inside");
        rest.get(..len).expect("inside")
    }

    #[test]
    fn outline_ignores_comments_and_strings() {
        let text = "@id(\"x\") // @codes when { }\n@note\nforbid (principal, action, resource)\nwhen { context has when && \"unless { }\" == \"\\\"}\" }\nunless { { a: 1 } has b };";
        let outline = PolicyOutline::new(text);
        let names: Vec<&str> = outline.annotations.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["id", "note"]);
        assert_eq!(
            outline.annotation("note").map(|place| cut(text, place)),
            Some("@note")
        );
        assert_eq!(outline.effect.map(|place| cut(text, place)), Some("forbid"));
        let clauses: Vec<&str> = outline
            .clauses
            .iter()
            .map(|place| cut(text, *place))
            .collect();
        assert_eq!(
            clauses,
            [
                "when { context has when && \"unless { }\" == \"\\\"}\" }",
                "unless { { a: 1 } has b }"
            ]
        );
    }

    #[test]
    fn annotation_knows_its_declaration() {
        let text = "@doc(\"@no(\\\"x\\\")\") @feature(\"f\")\naction \"a.b\", c in [read] appliesTo { principal: [X], resource: [X] };\n@feature(\"f\") action g;\n@requires(\"y\") entity X = { @note y?: Long, @meter(\"m\") action: Long };";
        let found: Vec<_> = schema_annotations(text)
            .into_iter()
            .map(|one| (one.name, one.before, one.owner))
            .collect();
        assert_eq!(
            found,
            [
                ("doc", Declaration::Action, "a.b"),
                ("feature", Declaration::Action, "a.b"),
                ("feature", Declaration::ActionGroup, "g"),
                ("requires", Declaration::Other, "X"),
                ("note", Declaration::Other, "y"),
                ("meter", Declaration::Other, "action"),
            ]
        );
    }

    #[test]
    fn names_are_found_whole() {
        let text = "// Date\nentity A = { a_Date: Set<Date> };";
        assert_eq!(
            find_name(text, "Date").map(|(at, _)| at),
            text.rfind("Date")
        );
        let text = "when { a has b.c.\"d e\" && x has bc && a.x has c }";
        for (path, name, wanted) in [
            ("a.b", "c", Some("has b.c")),
            ("a.x", "c", Some("has c")),
            ("y", "c", Some("has b.c")),
            ("a.b.c", "d e", Some("has b.c.\"d e\"")),
            ("x", "bc", Some("has bc")),
            ("a", "x", None),
        ] {
            let found = find_has(text, path, name);
            assert_eq!(found.map(|place| cut(text, place)), wanted, "{path} {name}");
        }
    }

    #[test]
    fn action_is_found_where_it_is_declared() {
        let text = "type T = { action: Long };\naction x in [\"b\"];\naction \"a\", \"b\" in [x];";
        assert_eq!(
            find_action(text, "b").map(|(at, _)| at),
            text.rfind("\"b\"")
        );
        assert_eq!(find_action(text, "x").map(|(at, _)| at), text.find("x in"));
        assert_eq!(find_action(text, "in"), None);
    }

    #[test]
    fn any_text_ends() {
        for text in [
            "", "\"", "\"\\", "@", "@a(", "ä@ö(\"", "//", "when {", "has", "}",
        ] {
            let _ = (PolicyOutline::new(text), schema_annotations(text));
            let _ = (find_has(text, "a", "b"), find_name(text, "a"));
        }
    }
}
