//! An upper bound on the depth of the tree that Cedar's parser would build from a text, found without recursion.
//!
//! Cedar's parser has no guard: deep text kills the process. Brackets, chains of operators, accesses, prefixes, and
//! `if`/`else` ladders all make a tree deeper by one for each link, so their sum along a path bounds the depth.

use crate::Caps;

/// What kind of text is scanned: in a schema `<` and `>` are brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Policy,
    Schema,
}

/// Which cap a text passes, and where (byte offset).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScanFault {
    pub(crate) offset: usize,
    pub(crate) message: String,
}

/// One open bracket. `a.b == c && d` is a chain of one `&&` whose operands have links of their own.
#[derive(Default)]
struct Level {
    /// `&&` and `||` of the current element.
    joints: usize,
    /// Other links of the current operand, and its deepest bracket.
    links: usize,
    child: usize,
    /// The deepest operand, and the deepest element, that have ended.
    operand: usize,
    element: usize,
}

impl Level {
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

struct Scan<'a> {
    caps: &'a Caps,
    levels: Vec<Level>,
    top: Level,
}

/// The depth that parsing `text` may need, or the cap that it passes.
pub(crate) fn scan(text: &str, language: Language, caps: &Caps) -> Result<usize, ScanFault> {
    let mut scan = Scan { caps, levels: Vec::new(), top: Level::default() };
    let bytes = text.as_bytes();
    let mut at = 0_usize;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at.saturating_add(1)).copied();
        let start = at;
        at = match byte {
            b'"' => skip_string(bytes, at),
            b'/' if next == Some(b'/') => skip_line(bytes, at),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let end = skip_word(bytes, at);
                if matches!(text.get(at..end), Some("in" | "has" | "like" | "is" | "if")) {
                    scan.link(start)?;
                }
                end
            }
            // `::` joins names and makes nothing deeper.
            b':' => at.saturating_add(1),
            b'|' | b'&' if next == Some(byte) => {
                scan.joint(start)?;
                at.saturating_add(2)
            }
            b'=' | b'!' | b'<' | b'>' if language == Language::Policy && next == Some(b'=') => {
                scan.link(start)?;
                at.saturating_add(2)
            }
            _ => {
                scan.byte(byte, language, start)?;
                at.saturating_add(1)
            }
        };
    }
    while let Some(level) = scan.levels.pop() {
        scan.top.child = scan.top.child.max(level.depth());
    }
    let top = std::mem::take(&mut scan.top);
    scan.check_depth(top.depth(), text.len())
}

impl Scan<'_> {
    fn byte(&mut self, byte: u8, language: Language, at: usize) -> Result<(), ScanFault> {
        match byte {
            b'(' | b'[' | b'{' => self.open(at),
            b'<' if language == Language::Schema => self.open(at),
            b')' | b']' | b'}' => self.close(at),
            b'>' if language == Language::Schema => self.close(at),
            b',' | b';' => {
                self.now().end_element();
                Ok(())
            }
            b'.' | b'!' | b'-' | b'+' | b'*' | b'<' | b'>' | b'=' | b'%' | b'/' => self.link(at),
            _ => Ok(()),
        }
    }

    fn now(&mut self) -> &mut Level {
        self.levels.last_mut().unwrap_or(&mut self.top)
    }

    fn joint(&mut self, at: usize) -> Result<(), ScanFault> {
        let level = self.now();
        level.end_operand();
        level.joints = level.joints.saturating_add(1);
        let joints = level.joints;
        self.check_chain(joints, at)
    }

    fn link(&mut self, at: usize) -> Result<(), ScanFault> {
        let level = self.now();
        level.links = level.links.saturating_add(1);
        let links = level.links;
        self.check_chain(links, at)
    }

    fn check_chain(&self, links: usize, at: usize) -> Result<(), ScanFault> {
        if links > self.caps.chain {
            return Err(ScanFault { offset: at, message: format!("a chain of more than {} operators", self.caps.chain) });
        }
        Ok(())
    }

    fn open(&mut self, at: usize) -> Result<(), ScanFault> {
        // An access by index, `a["b"]`, or a call is one link of its chain.
        self.link(at)?;
        self.levels.push(Level::default());
        if self.levels.len() > self.caps.nesting {
            return Err(ScanFault { offset: at, message: format!("brackets nested more than {} deep", self.caps.nesting) });
        }
        Ok(())
    }

    fn close(&mut self, at: usize) -> Result<(), ScanFault> {
        if let Some(level) = self.levels.pop() {
            let depth = self.check_depth(level.depth(), at)?;
            let outer = self.now();
            outer.child = outer.child.max(depth);
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize, at: usize) -> Result<usize, ScanFault> {
        if depth > self.caps.depth {
            return Err(ScanFault { offset: at, message: format!("an expression more than {} deep", self.caps.depth) });
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

fn skip_line(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at.saturating_add(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()))
}

fn skip_word(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let len = rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(rest.len());
    at.saturating_add(len)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "sizes of the test's own texts")]
mod tests {
    use std::str::FromStr;

    use cedar_policy::{Authorizer, Context, Entities, PolicySet, Request, Schema, ValidationMode, Validator};

    use super::*;
    use crate::stack;

    fn policy(condition: &str) -> String {
        format!("forbid (principal, action, resource) when {{ {condition} }};\npermit (principal, action, resource);")
    }

    /// Texts at the caps, one of each shape that makes trees deep.
    fn shapes(caps: &Caps) -> Vec<(&'static str, String)> {
        let (deep, long) = (caps.nesting - 2, caps.chain - 8);
        let chain = |part: &str, op: &str| vec![part; long].join(op);
        let wide = |inner: String| format!("({inner})");
        vec![
            ("parens", format!("{}true{}", "(".repeat(deep), ")".repeat(deep))),
            ("or", chain("context.a == 1", " || ")),
            ("and", chain("true", " && ")),
            ("plus", format!("{} > 3", chain("1", " + "))),
            ("dots", format!("context has a || context{}", ".a".repeat(long))),
            ("index", format!("context has a || context{}", "[\"a\"]".repeat(long))),
            ("not", "!".repeat(4) + "true"),
            ("ladder", format!("{}true", "if context.a == 1 then true else ".repeat(long / 3))),
            ("sets", format!("{}1{} == [1]", "[".repeat(deep), "]".repeat(deep))),
            ("records", format!("{}1{} == 1", "{a: ".repeat(deep), "}".repeat(deep))),
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

    #[test]
    fn texts_at_the_caps_are_parsed_validated_evaluated_and_dropped_from_a_small_stack() {
        let run = || {
            let caps = Caps::default();
            for (name, condition) in shapes(&caps) {
                let text = policy(&condition);
                let depth = scan(&text, Language::Policy, &caps).unwrap_or_else(|fault| panic!("{name}: {}", fault.message));
                let evaluated = stack::run(depth, || {
                    let set = PolicySet::from_str(&text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
                    let schema = Schema::from_str("entity U; action a appliesTo { principal: [U], resource: [U], context: { a: Long } };").expect("a schema");
                    let _ = Validator::new(schema).validate(&set, ValidationMode::Strict);
                    let _ = set.to_pst();
                    let context = Context::from_json_str(r#"{"a": 1}"#, None).expect("a context");
                    let uid = |text: &str| text.parse().expect("a uid");
                    let request = Request::new(uid("U::\"u\""), uid("Action::\"a\""), uid("U::\"u\""), context, None).expect("a request");
                    let response = Authorizer::new().is_authorized(&request, &set, &Entities::empty());
                    let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
                    Ok(errors)
                });
                let errors = evaluated.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(errors.iter().all(|error| !error.contains("recursion")), "{name}: {errors:?}");
            }
        };
        std::thread::Builder::new().stack_size(128 * 1024).spawn(run).expect("a thread").join().expect("no overrun");
    }

    #[test]
    fn what_passes_a_cap_is_refused_where_it_does() {
        let caps = Caps::default();
        let refused = |text: &str| scan(text, Language::Policy, &caps).expect_err(text.get(..20).unwrap_or(text));
        assert!(refused(&policy(&"(".repeat(100_000))).message.contains("nested more than 64"));
        assert!(refused(&policy(&"true || ".repeat(1_707))).message.contains("chain of more than 1000"));
        assert!(refused(&policy(&"!".repeat(100_000))).message.contains("chain"));
        assert!(refused(&policy(&"if true then 1 else ".repeat(5_000))).message.contains("chain"));
        let level = |inner: &str| format!("({inner} || {})", vec!["true"; 900].join(" || "));
        let mut text = "true".to_owned();
        for _ in 0..5 {
            text = level(&text);
        }
        assert!(refused(&policy(&text)).message.contains("more than 4000 deep"));
        assert!(scan(&"Set<".repeat(100), Language::Schema, &caps).is_err());
        assert!(scan(&policy("\"((((\" == \"\\\"((\" // ((((((\n"), Language::Policy, &caps).is_ok_and(|depth| depth < 8));
    }
}
