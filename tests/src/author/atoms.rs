//! Random conditions over the kernel and the author's attributes. Each has one named operator, by
//! which its outcomes are counted.

use super::kinds::{ValueKind, set};
use super::operators::{ATOMS, Atom, AtomKind};
use super::paths::Path;
use crate::Random;

/// The operators that become `in` when they are compiled.
const TESTS_OF_IN: [&str; 5] = ["record in", "same in", "is one of", "in", "is in"];

/// Writes the conditions of one policy.
pub(super) struct AtomWriter<'a> {
    pub(super) random: &'a mut Random,
    pub(super) paths: &'a [Path],
    /// Names of actions and of groups of actions.
    pub(super) actions: &'a [String],
    /// The tests that the condition needs.
    pub(super) guards: Vec<String>,
    /// The largest number of references on a path of the condition.
    pub(super) references: usize,
}

impl<'a> AtomWriter<'a> {
    pub(super) fn new(random: &'a mut Random, paths: &'a [Path], actions: &'a [String]) -> Self {
        Self {
            random,
            paths,
            actions,
            guards: Vec::new(),
            references: 0,
        }
    }

    /// Returns a condition with this operator. Returns `None` if the policy has no such values.
    pub(super) fn atom(&mut self, operator: &'static str) -> Option<Atom> {
        if ATOMS.contains(&(operator, AtomKind::Joined)) {
            return self.joined(operator);
        }
        self.guards.clear();
        self.references = 0;
        let mut condition = self.condition(operator)?;
        // Policies that refuse all but a few records negate `in`.
        let negated = if TESTS_OF_IN.contains(&operator) {
            2
        } else {
            6
        };
        if self.random.once_in(negated) {
            condition = format!("!({condition})");
        }
        let mut guards = std::mem::take(&mut self.guards);
        guards.dedup();
        Some(Atom {
            guards,
            condition,
            operator,
            references: self.references,
        })
    }

    /// Returns a connective of conditions, each behind its own tests.
    fn joined(&mut self, operator: &'static str) -> Option<Atom> {
        let mut parts = Vec::new();
        let mut references = 0;
        while parts.len() < 2 {
            let (other, kind) = *self.random.pick(ATOMS);
            let is_tag = other.ends_with("Tag") && !self.has_tags();
            if is_tag || kind == AtomKind::Joined {
                continue;
            }
            let part = self.atom(other)?;
            references = references.max(part.references);
            let text = part.text();
            parts.push(match self.random.below(16) {
                0 | 1 => self.erring(&ValueKind::Bool),
                2 => format!("!({text})"),
                _ => format!("({text})"),
            });
        }
        let condition = match operator {
            "!" => format!("!{}", parts[0]),
            _ => parts.join(&format!(" {operator} ")),
        };
        Some(Atom {
            guards: Vec::new(),
            condition,
            operator,
            references,
        })
    }

    /// Returns whether the resource of the policy has tags.
    pub(super) fn has_tags(&self) -> bool {
        let mut paths = self.paths.iter().filter(|path| path.is_variable());
        paths.any(|path| path.text() == "resource" && path.kind == ValueKind::Entity("Campaign"))
    }

    /// Returns a random path to a value that fits. Short paths are as frequent as long ones. Of two
    /// paths, in most cases the one with fewer optional values is taken.
    pub(super) fn path(&mut self, fits: impl Fn(&Path) -> bool) -> Option<&'a Path> {
        let most = self.random.below(5);
        let paths = self.paths;
        let mut found: Vec<&Path> = paths.iter().filter(|path| fits(path)).collect();
        // The owner of a realm is the one record of the kernel that need not exist.
        if self.random.once_in(8) && found.iter().any(|path| path.is_of_realm()) {
            found.retain(|path| path.is_of_realm());
        }
        if found.iter().any(|path| path.references <= most) {
            found.retain(|path| path.references <= most);
        }
        if found.is_empty() {
            return None;
        }
        let (one, other) = (*self.random.pick(&found), *self.random.pick(&found));
        if !self.random.once_in(4) && other.optional_values() < one.optional_values() {
            return Some(other);
        }
        Some(one)
    }

    /// Returns a path to a value of this type, and adds its tests.
    pub(super) fn read(&mut self, kind: &ValueKind) -> Option<String> {
        let path = self.path(|path| path.kind == *kind)?;
        self.guards.extend(path.guards(self.random));
        self.references = self.references.max(path.references);
        Some(path.text())
    }

    /// Returns a path to a record of the directory, and its type.
    pub(super) fn record(&mut self) -> Option<(String, ValueKind)> {
        const TYPES: [&str; 6] = [
            "Account",
            "Account",
            "TeamMember",
            "Package",
            "AccessLevel",
            "Domain",
        ];
        for _ in 0..8 {
            let kind = ValueKind::Entity(self.word(&TYPES));
            if let Some(text) = self.read_or_fail(&kind) {
                return Some((text, kind));
            }
        }
        None
    }

    /// Returns a path or a literal.
    pub(super) fn operand(&mut self, kind: &ValueKind) -> String {
        if self.random.once_in(8) {
            return self.erring(kind);
        }
        if self.random.below(10) < 6
            && let Some(path) = self.read(kind)
        {
            return path;
        }
        kind.literal(self.random)
    }

    /// Returns a value that fails on every request: an overflow, or a record that does not exist.
    pub(super) fn erring(&mut self, kind: &ValueKind) -> String {
        const OVERFLOW: &str =
            "datetime(\"9999-12-31\").offset(duration(\"9223372036854775807ms\"))";
        match kind {
            ValueKind::Bool => "Account::\"gone\".confirmed".to_owned(),
            ValueKind::Long => "(9223372036854775807 + 1)".to_owned(),
            ValueKind::Text => "Operator::\"gone\".email".to_owned(),
            ValueKind::Datetime => OVERFLOW.to_owned(),
            ValueKind::Duration => format!("{OVERFLOW}.toTime()"),
            ValueKind::Entity("Account") => "TeamMember::\"gone\".account".to_owned(),
            kind => {
                let (yes, no) = (kind.literal(self.random), kind.literal(self.random));
                format!("(if Account::\"gone\".closed then {yes} else {no})")
            }
        }
    }

    /// Returns a path to a value of this type, or at times a value that fails.
    pub(super) fn read_or_fail(&mut self, kind: &ValueKind) -> Option<String> {
        if self.random.once_in(10) {
            return Some(self.erring(kind));
        }
        self.read(kind)
    }

    /// Returns a path, or a literal if there is no such path.
    pub(super) fn value(&mut self, kind: &ValueKind) -> String {
        self.read(kind).unwrap_or_else(|| kind.literal(self.random))
    }

    pub(super) fn set_kind(&mut self) -> ValueKind {
        set(match self.random.below(5) {
            0 => ValueKind::Text,
            1 => ValueKind::Long,
            2 => ValueKind::Entity("DisableReason"),
            3 => ValueKind::Entity("Account"),
            _ => ValueKind::Entity("Feature"),
        })
    }

    pub(super) fn word(&mut self, words: &[&'static str]) -> &'static str {
        words[self.random.below(words.len())]
    }

    pub(super) fn compare(&mut self) -> &'static str {
        self.word(&["<", "<=", ">", ">=", "==", "!="])
    }
}
