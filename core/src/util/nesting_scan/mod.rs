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

#[cfg(test)]
mod tests;

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
