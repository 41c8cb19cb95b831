//! Computes an upper bound on the depth of the tree that Cedar's parser would build from a text.
//! The scan does not recurse.
//!
//! Cedar's parser has no guard, so deep text kills the process. Brackets, chains of operators,
//! accesses, prefixes, and `if`/`else` ladders each make a tree one level deeper for each link. So
//! the sum of the links along a path bounds the depth.
//!
//! The bound also holds for faulty text. Cedar's policy parser recovers: where it expects an
//! expression, it drops tokens until one fits. If brackets could mismatch, a dropped closing
//! bracket would let the parser nest where this scan sees neighbours. So the scan refuses
//! everything that no valid policy contains: brackets that do not match, `;` inside brackets, and
//! `{` in a policy's head. Then every bracket that is open for the parser is open for the scan, and
//! a chain that survives has lost no token. `if`s are summed over the whole policy, wherever the
//! parser may place them.

use super::parse_limits::ParseLimits;

/// The language of the scanned text. In a schema, `<` and `>` are brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Policy,
    Schema,
}

/// A limit that the text exceeds, or a misplaced bracket, with its byte offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScanFault {
    /// `bundle.too_deep` or `bundle.syntax`.
    pub(crate) code: &'static str,
    pub(crate) offset: usize,
    pub(crate) message: String,
}

fn too_deep<T>(offset: usize, message: String) -> Result<T, ScanFault> {
    Err(ScanFault {
        code: "bundle.too_deep",
        offset,
        message,
    })
}

fn syntax<T>(offset: usize, message: String) -> Result<T, ScanFault> {
    Err(ScanFault {
        code: "bundle.syntax",
        offset,
        message,
    })
}

/// One open bracket. For example, `a.b == c && d` is a chain of one `&&` whose operands have links
/// of their own.
#[derive(Default)]
struct OpenBracket {
    /// The opening bracket, or 0 outside all brackets.
    opener: u8,
    /// Number of `&&` and `||` in the current element.
    joints: usize,
    /// Number of other links of the current operand, and the depth of its deepest bracket.
    links: usize,
    child: usize,
    /// Depth of the deepest operand and of the deepest element that have ended.
    operand: usize,
    element: usize,
}

impl OpenBracket {
    fn end_operand(&mut self) {
        self.operand = self.operand.max(self.links.saturating_add(self.child));
        (self.links, self.child) = (0, 0);
    }

    fn end_element(&mut self) {
        self.end_operand();
        self.element = self.element.max(self.joints.saturating_add(self.operand));
        (self.joints, self.operand) = (0, 0);
    }

    fn depth(mut self) -> usize {
        self.end_element();
        self.element.saturating_add(1)
    }
}

struct NestingScan<'a> {
    caps: &'a ParseLimits,
    language: Language,
    levels: Vec<OpenBracket>,
    top: OpenBracket,
    /// Number of `if`s in the current policy.
    ifs: usize,
    /// Depth of the deepest policy that has ended.
    deepest: usize,
    /// Whether the last token ends an operand. After an operand, `then` and `else` are keywords and
    /// not names.
    operand_ended: bool,
}

/// Returns the depth that parsing `text` may need.
///
/// # Errors
/// A [`ScanFault`] if the text exceeds a limit or has a misplaced bracket.
pub(crate) fn scan(text: &str, language: Language, caps: &ParseLimits) -> Result<usize, ScanFault> {
    let mut scan = NestingScan {
        caps,
        language,
        levels: Vec::new(),
        top: OpenBracket::default(),
        ifs: 0,
        deepest: 0,
        operand_ended: false,
    };
    let bytes = text.as_bytes();
    let mut at = 0_usize;
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b'"' => {
                scan.operand_ended = true;
                skip_string(bytes, at)
            }
            b'/' if bytes.get(at.saturating_add(1)) == Some(&b'/') => skip_line(bytes, at),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let end = skip_word(bytes, at);
                scan.scan_word(text.get(at..end).unwrap_or_default(), at)?;
                end
            }
            _ if byte.is_ascii_whitespace() => at.saturating_add(1),
            _ => at.saturating_add(scan.scan_operator(
                byte,
                bytes.get(at.saturating_add(1)).copied(),
                at,
            )?),
        };
    }
    while let Some(level) = scan.levels.pop() {
        let depth = level.depth();
        let outer = scan.now();
        outer.child = outer.child.max(depth);
    }
    scan.end_policy(text.len())
}

impl NestingScan<'_> {
    fn scan_word(&mut self, word: &str, at: usize) -> Result<(), ScanFault> {
        let after_operand = std::mem::replace(&mut self.operand_ended, false);
        match word {
            "in" | "has" | "like" | "is" => self.add_chain_link(at),
            "if" => {
                self.ifs = self.ifs.saturating_add(1);
                self.check_chain(self.ifs, at)
            }
            "then" | "else" => {
                if after_operand {
                    self.now().end_element();
                }
                Ok(())
            }
            _ => {
                self.operand_ended = true;
                Ok(())
            }
        }
    }

    /// Processes one operator or bracket and returns its length in bytes.
    fn scan_operator(&mut self, byte: u8, next: Option<u8>, at: usize) -> Result<usize, ScanFault> {
        self.operand_ended = matches!(byte, b')' | b']' | b'}' | b'0'..=b'9');
        let schema = self.language == Language::Schema;
        match byte {
            b'|' | b'&' if next == Some(byte) => return self.check_chain_length(at).map(|()| 2),
            b'=' | b'!' | b'<' | b'>' if !schema && next == Some(b'=') => {
                return self.add_chain_link(at).map(|()| 2);
            }
            b'(' | b'[' | b'{' => self.open(byte, at)?,
            b'<' if schema => self.open(byte, at)?,
            b')' | b']' | b'}' => self.close(byte, at)?,
            b'>' if schema => self.close(byte, at)?,
            b',' => self.now().end_element(),
            b';' => self.semicolon(at)?,
            b'.' | b'!' | b'-' | b'+' | b'*' | b'<' | b'>' | b'=' | b'%' | b'/' => {
                self.add_chain_link(at)?;
            }
            // `::` joins names and adds no depth.
            _ => {}
        }
        Ok(1)
    }

    fn now(&mut self) -> &mut OpenBracket {
        self.levels.last_mut().unwrap_or(&mut self.top)
    }

    fn check_chain_length(&mut self, at: usize) -> Result<(), ScanFault> {
        let level = self.now();
        level.end_operand();
        level.joints = level.joints.saturating_add(1);
        let joints = level.joints;
        self.check_chain(joints, at)
    }

    fn add_chain_link(&mut self, at: usize) -> Result<(), ScanFault> {
        let level = self.now();
        level.links = level.links.saturating_add(1);
        let links = level.links;
        self.check_chain(links, at)
    }

    fn check_chain(&self, links: usize, at: usize) -> Result<(), ScanFault> {
        if links > self.caps.chain {
            return too_deep(
                at,
                format!("a chain of more than {} operators", self.caps.chain),
            );
        }
        Ok(())
    }

    fn open(&mut self, opener: u8, at: usize) -> Result<(), ScanFault> {
        let in_head = self
            .levels
            .first()
            .is_some_and(|level| level.opener != b'{');
        if self.language == Language::Policy && opener == b'{' && in_head {
            return syntax(at, "a `{` inside the head of a policy".to_owned());
        }
        // An index access such as `a["b"]`, or a call, is one link of its chain.
        self.add_chain_link(at)?;
        self.levels.push(OpenBracket {
            opener,
            ..OpenBracket::default()
        });
        if self.levels.len() > self.caps.nesting {
            return too_deep(
                at,
                format!("brackets nested more than {} deep", self.caps.nesting),
            );
        }
        Ok(())
    }

    fn close(&mut self, closer: u8, at: usize) -> Result<(), ScanFault> {
        let fitting = match closer {
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            _ => b'<',
        };
        let Some(level) = self.levels.pop() else {
            return syntax(
                at,
                format!("a `{}` that closes nothing", char::from(closer)),
            );
        };
        if level.opener != fitting {
            return syntax(
                at,
                format!(
                    "a `{}` where `{}` is open",
                    char::from(closer),
                    char::from(level.opener)
                ),
            );
        }
        let depth = self.check_depth(level.depth(), at)?;
        let outer = self.now();
        outer.child = outer.child.max(depth);
        Ok(())
    }

    fn semicolon(&mut self, at: usize) -> Result<(), ScanFault> {
        match self.levels.last_mut() {
            None => self.end_policy(at).map(|_| ()),
            Some(level) if self.language == Language::Schema => {
                level.end_element();
                Ok(())
            }
            Some(level) => syntax(
                at,
                format!("a `;` where `{}` is open", char::from(level.opener)),
            ),
        }
    }

    /// Returns the depth of the deepest policy so far, including the current one.
    fn end_policy(&mut self, at: usize) -> Result<usize, ScanFault> {
        let depth = std::mem::take(&mut self.top)
            .depth()
            .saturating_add(std::mem::take(&mut self.ifs));
        self.deepest = self.deepest.max(self.check_depth(depth, at)?);
        Ok(self.deepest)
    }

    fn check_depth(&self, depth: usize, at: usize) -> Result<usize, ScanFault> {
        if depth > self.caps.depth {
            return too_deep(
                at,
                format!("an expression more than {} deep", self.caps.depth),
            );
        }
        Ok(depth)
    }
}

fn skip_string(bytes: &[u8], at: usize) -> usize {
    let mut at = at.saturating_add(1);
    while let Some(&byte) = bytes.get(at) {
        at = at.saturating_add(1);
        match byte {
            b'\\' => at = at.saturating_add(1),
            b'"' => break,
            _ => {}
        }
    }
    at
}

/// Returns the end of a comment. Cedar's comments end at a line feed or at a carriage return.
fn skip_line(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at.saturating_add(
        rest.iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .unwrap_or(rest.len()),
    )
}

fn skip_word(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let len = rest
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
        .unwrap_or(rest.len());
    at.saturating_add(len)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "sizes of the test's own texts"
)]
mod tests {
    use std::str::FromStr;

    use cedar_policy::{
        Authorizer, Context, Entities, PolicySet, Request, Schema, ValidationMode, Validator,
    };

    use super::*;
    use crate::util::stack;

    fn policy(condition: &str) -> String {
        format!(
            "forbid (principal, action, resource) when {{ {condition} }};\npermit (principal, action, resource);"
        )
    }

    /// Texts at the limits, one for each construct that makes trees deep.
    fn shapes(caps: &ParseLimits) -> Vec<(&'static str, String)> {
        let (deep, long) = (caps.nesting - 2, caps.chain - 8);
        let chain = |part: &str, op: &str| vec![part; long].join(op);
        let wide = |inner: String| format!("({inner})");
        vec![
            (
                "parens",
                format!("{}true{}", "(".repeat(deep), ")".repeat(deep)),
            ),
            ("or", chain("context.a == 1", " || ")),
            ("and", chain("true", " && ")),
            ("plus", format!("{} > 3", chain("1", " + "))),
            (
                "dots",
                format!("context has a || context{}", ".a".repeat(long)),
            ),
            (
                "index",
                format!("context has a || context{}", "[\"a\"]".repeat(long)),
            ),
            ("not", "!".repeat(4) + "true"),
            (
                "ladder",
                format!(
                    "{}true",
                    "if context.a == 1 then true else ".repeat(long / 3)
                ),
            ),
            (
                "sets",
                format!("{}1{} == [1]", "[".repeat(deep), "]".repeat(deep)),
            ),
            (
                "records",
                format!("{}1{} == 1", "{a: ".repeat(deep), "}".repeat(deep)),
            ),
            ("methods", format!("[1]{}", ".contains(1)")),
            ("both", {
                let mut text = chain("true", " || ");
                for _ in 0..2 {
                    text = wide(text) + " || " + &chain("true", " || ");
                }
                text
            }),
        ]
    }

    /// Such texts are parsed, validated, evaluated and dropped on a small stack.
    #[test]
    fn texts_at_the_limits_fit_a_small_stack() {
        let run = || {
            let caps = ParseLimits::default();
            for (name, condition) in shapes(&caps) {
                let text = policy(&condition);
                let depth = scan(&text, Language::Policy, &caps)
                    .unwrap_or_else(|fault| panic!("{name}: {}", fault.message));
                let evaluated = stack::run(depth, || {
                    let set = PolicySet::from_str(&text)
                        .unwrap_or_else(|fault| panic!("{name}: {fault}"));
                    let schema = Schema::from_str("entity U; action a appliesTo { principal: [U], resource: [U], context: { a: Long } };").expect("a schema");
                    let _ = Validator::new(schema).validate(&set, ValidationMode::Strict);
                    let _ = set.to_pst();
                    let context = Context::from_json_str(r#"{"a": 1}"#, None).expect("a context");
                    let uid = |text: &str| text.parse().expect("a uid");
                    let request = Request::new(
                        uid("U::\"u\""),
                        uid("Action::\"a\""),
                        uid("U::\"u\""),
                        context,
                        None,
                    )
                    .expect("a request");
                    let response =
                        Authorizer::new().is_authorized(&request, &set, &Entities::empty());
                    let errors: Vec<String> = response
                        .diagnostics()
                        .errors()
                        .map(ToString::to_string)
                        .collect();
                    Ok(errors)
                });
                let errors = evaluated.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(
                    errors.iter().all(|error| !error.contains("recursion")),
                    "{name}: {errors:?}"
                );
            }
        };
        std::thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn(run)
            .expect("a thread")
            .join()
            .expect("no overrun");
    }

    #[test]
    fn text_over_a_limit_is_refused_in_place() {
        let caps = ParseLimits::default();
        let refused = |text: &str| {
            scan(text, Language::Policy, &caps).expect_err(text.get(..20).unwrap_or(text))
        };
        assert!(
            refused(&policy(&"(".repeat(100_000)))
                .message
                .contains("nested more than 64")
        );
        assert!(
            refused(&policy(&"true || ".repeat(1_707)))
                .message
                .contains("chain of more than 1000")
        );
        assert!(
            refused(&policy(&"!".repeat(100_000)))
                .message
                .contains("chain")
        );
        assert!(
            refused(&policy(&"if true then 1 else ".repeat(5_000)))
                .message
                .contains("chain")
        );
        let level = |inner: &str| format!("({inner} || {})", vec!["true"; 900].join(" || "));
        let mut text = "true".to_owned();
        for _ in 0..5 {
            text = level(&text);
        }
        assert!(
            refused(&policy(&text))
                .message
                .contains("more than 4000 deep")
        );
        assert!(scan(&"Set<".repeat(100), Language::Schema, &caps).is_err());
        assert!(
            scan(
                &policy("\"((((\" == \"\\\"((\" // ((((((\n"),
                Language::Policy,
                &caps
            )
            .is_ok_and(|depth| depth < 8)
        );
    }

    /// Parses on a thread with a small stack, using the stack size that the scan reports. If that
    /// size is too small, the test process dies.
    fn parse_if_accepted(
        texts: impl IntoIterator<Item = String> + Send + 'static,
    ) -> (usize, usize) {
        let run = || {
            let (caps, mut accepted, mut parsed) = (ParseLimits::default(), 0, 0);
            for text in texts {
                let Ok(depth) = scan(&text, Language::Policy, &caps) else {
                    continue;
                };
                accepted += 1;
                let good = stack::run(depth, || {
                    Ok(PolicySet::from_str(&text).map(|set| set.to_pst()).is_ok())
                });
                parsed += usize::from(good.expect("no panic"));
            }
            (accepted, parsed)
        };
        std::thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn(run)
            .expect("a thread")
            .join()
            .expect("no overrun")
    }

    #[test]
    fn comments_end_as_in_cedar() {
        let caps = ParseLimits::default();
        for end in ["\n", "\r", "\r\n"] {
            let text = policy(&format!(
                "// {end}{}true{}",
                "(".repeat(5_000),
                ")".repeat(5_000)
            ));
            assert!(
                scan(&text, Language::Policy, &caps)
                    .is_err_and(|fault| fault.code == "bundle.too_deep"),
                "{end:?}"
            );
        }
        assert!(
            scan(
                &policy("// ((((((\u{2028}((((((((\n true"),
                Language::Policy,
                &caps
            )
            .is_ok_and(|depth| depth < 8)
        );
    }

    #[test]
    fn if_else_chain_is_counted_exactly() {
        let caps = ParseLimits::default();
        let good = [
            "if true && true then true else ",
            "if true || 1 < 2 then (true) else ",
            "if [true, true] == [1] then true else ",
        ];
        // Cedar's parser drops a `,` or a bracket here, and builds a ladder from the rest.
        let faulty = [
            "if + , then 1 else ",
            "if (then 1 else if) , ",
            "if {+ , + : 1} then 1 else ",
        ];
        for part in good.into_iter().chain(faulty) {
            let depth = |count: usize| {
                scan(
                    &policy(&format!("{}true", part.repeat(count))),
                    Language::Policy,
                    &caps,
                )
            };
            assert!(depth(300).is_ok_and(|depth| depth >= 300), "{part}");
            assert!(depth(1_100).is_err(), "{part}");
        }
        // 400 steps with three `&&` each are not a chain of 1,200. Attributes named like keywords
        // are not steps.
        let long = "if true && true && true && true then true else ".repeat(400);
        assert!(scan(&policy(&format!("{long}true")), Language::Policy, &caps).is_ok());
        let names = vec!["context.then"; 600].join(" || ");
        assert!(scan(&policy(&names), Language::Policy, &caps).is_ok_and(|depth| depth >= 600));
    }

    #[test]
    fn misplaced_brackets_are_refused_in_place() {
        let caps = ParseLimits::default();
        for (text, offset) in [
            ("permit(principal in {+}: 1, action, resource);", 20),
            ("permit(principal, action, resource]);", 34),
            ("permit(principal, action, resource));", 35),
            ("permit(principal, action, resource) when { ( ; };", 45),
        ] {
            let fault = scan(text, Language::Policy, &caps).expect_err(text);
            assert_eq!(
                (fault.code, fault.offset),
                ("bundle.syntax", offset),
                "{text}"
            );
        }
        assert!(
            scan(
                "namespace A { entity B; entity C { d: Set<Long> }; }",
                Language::Schema,
                &caps
            )
            .is_ok()
        );
    }

    #[test]
    fn scan_bounds_parser_depth_of_invalid_text() {
        const PIECES: [&str; 34] = [
            "(", ")", "[", "]", "{", "}", "(", ")", "{", "}", "if", "then", "else", "if", "then",
            "else", ",", "a :", ":", "::", "+", "||", "&&", "==", ".", "!", "-", "a", "1", "true",
            "\"s\"", "in", "has", ".a",
        ];
        // Returns a row of pieces. Each closing bracket matches an open one.
        fn row(next: &mut impl FnMut(usize) -> usize, most: usize) -> String {
            let (mut row, mut open) = (Vec::new(), Vec::new());
            for _ in 0..next(most) {
                match PIECES[next(PIECES.len())] {
                    ")" | "]" | "}" => row.extend(open.pop()),
                    piece => {
                        open.extend(match piece {
                            "(" => Some(")"),
                            "[" => Some("]"),
                            "{" => Some("}"),
                            _ => None,
                        });
                        row.push(piece);
                    }
                }
            }
            row.extend(open.into_iter().rev());
            row.join(" ")
        }
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap_or(0) % below
        };
        let count: usize = std::env::var("SUBLET_SCANS")
            .ok()
            .and_then(|count| count.parse().ok())
            .unwrap_or(3_000);
        let texts = (0..count).map(move |nth| {
            let (head, part, tail) = (row(&mut next, 4), row(&mut next, 16), row(&mut next, 4));
            let body = format!("{head} {} {tail}", format!("{part} ").repeat(900));
            if nth % 3 == 0 {
                format!("permit(principal in {body}, action, resource);")
            } else {
                policy(&body)
            }
        });
        let (accepted, parsed) = parse_if_accepted(texts);
        assert!(
            accepted * 10 > count && parsed > 0,
            "of {count}: {accepted} pass the scan, {parsed} parse"
        );
    }
}
