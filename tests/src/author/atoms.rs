//! Random conditions over the kernel and the author's attributes. Each has one named operator, by
//! which its outcomes are counted.

use super::kinds::{ValueKind, set};
use super::operators::Atom;
use super::paths::Path;
use crate::Random;

/// Writes the conditions of one policy.
pub(super) struct AtomWriter<'a> {
    pub(super) random: &'a mut Random,
    pub(super) paths: &'a [Path],
    /// The tests that the condition needs.
    guards: Vec<String>,
}

impl<'a> AtomWriter<'a> {
    pub(super) fn new(random: &'a mut Random, paths: &'a [Path]) -> Self {
        Self {
            random,
            paths,
            guards: Vec::new(),
        }
    }

    /// Returns a condition with this operator. Returns `None` if the policy has no such values.
    pub(super) fn atom(&mut self, operator: &'static str) -> Option<Atom> {
        self.guards.clear();
        let text = self.condition(operator)?;
        let mut parts = std::mem::take(&mut self.guards);
        parts.dedup();
        parts.push(if parts.is_empty() {
            text
        } else {
            format!("({text})")
        });
        Some(Atom {
            text: parts.join(" && "),
            operator,
        })
    }

    /// Returns whether the resource of the policy has tags.
    pub(super) fn has_tags(&self) -> bool {
        let mut paths = self.paths.iter().filter(|path| path.is_variable());
        paths.any(|path| path.text() == "resource" && path.kind == ValueKind::Entity("Campaign"))
    }

    /// Returns a random path to a value that fits. Short paths are as frequent as long ones. Of two
    /// paths, in most cases the one with fewer optional values is taken.
    fn path(&mut self, fits: impl Fn(&Path) -> bool) -> Option<&'a Path> {
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
    fn read(&mut self, kind: &ValueKind) -> Option<String> {
        let path = self.path(|path| path.kind == *kind)?;
        self.guards.extend(path.guards(self.random));
        Some(path.text())
    }

    /// Returns a path to a record of the directory, and its type.
    fn record(&mut self) -> Option<(String, ValueKind)> {
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
    fn operand(&mut self, kind: &ValueKind) -> String {
        if self.random.once_in(12) {
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
    fn erring(&mut self, kind: &ValueKind) -> String {
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
    fn read_or_fail(&mut self, kind: &ValueKind) -> Option<String> {
        if self.random.once_in(24) {
            return Some(self.erring(kind));
        }
        self.read(kind)
    }

    /// Returns a path, or a literal if there is no such path.
    fn value(&mut self, kind: &ValueKind) -> String {
        self.read(kind).unwrap_or_else(|| kind.literal(self.random))
    }

    fn set_kind(&mut self) -> ValueKind {
        set(match self.random.below(5) {
            0 => ValueKind::Text,
            1 => ValueKind::Long,
            2 => ValueKind::Entity("DisableReason"),
            3 => ValueKind::Entity("Account"),
            _ => ValueKind::Entity("Feature"),
        })
    }

    fn word(&mut self, words: &[&'static str]) -> &'static str {
        words[self.random.below(words.len())]
    }

    fn compare(&mut self) -> &'static str {
        self.word(&["<", "<=", ">", ">=", "==", "!="])
    }

    fn condition(&mut self, operator: &'static str) -> Option<String> {
        match operator {
            "flag" | "has" | "isEmpty" | "attribute ==" | "record ==" | "record in"
            | "is one of" | "contains item" | "containsAny items" | "containsAll items" => {
                self.stored(operator)
            }
            "same ==" | "same !=" | "same in" => {
                let (left, kind) = self.record()?;
                let right = self.read(&kind)?;
                Some(format!("{left} {} {right}", &operator[5..]))
            }
            "<" | "<=" | ">" | ">=" | "+" | "minus" | "*" | "-" => Some(self.number(operator)),
            "lessThan" | "greaterThanOrEqual" | "isIpv4" | "isLoopback" | "isInRange"
            | "offset" | "durationSince" | "toTime" | "toHours" => Some(self.extension(operator)),
            _ => self.other(operator),
        }
    }

    fn stored(&mut self, operator: &'static str) -> Option<String> {
        Some(match operator {
            "flag" => {
                let flag = self.read_or_fail(&ValueKind::Bool)?;
                match self.random.below(5) {
                    0 => format!("{flag} == false"),
                    1 => format!("{flag} == true"),
                    2 => format!("!{flag}"),
                    _ => flag,
                }
            }
            "has" => {
                if self.random.once_in(24) {
                    return Some("Account::\"gone\".attributes has trial".to_owned());
                }
                let path = self.path(|path| !path.is_variable())?;
                let (guards, text) = path.presence(self.random);
                self.guards.extend(guards);
                text
            }
            "isEmpty" => {
                let kind = self.set_kind();
                format!("{}.isEmpty()", self.read_or_fail(&kind)?)
            }
            "attribute ==" => {
                let kind = [ValueKind::Bool, ValueKind::Long, ValueKind::Text];
                let kind = self.random.pick(&kind).clone();
                let (path, literal) = (self.read_or_fail(&kind)?, kind.literal(self.random));
                format!("{path} == {literal}")
            }
            "record ==" | "record in" => {
                let (path, kind) = if self.random.once_in(4) {
                    let kind = ValueKind::Entity(self.word(&["DomainState", "Channel"]));
                    (self.read(&kind)?, kind)
                } else {
                    self.record()?
                };
                let literal = kind.literal(self.random);
                format!("{path} {} {literal}", &operator[7..])
            }
            "is one of" => {
                let (path, kind) = self.record()?;
                let literal = set(kind).literal(self.random);
                if self.random.once_in(2) {
                    format!("{path} in {literal}")
                } else {
                    format!("{literal}.contains({path})")
                }
            }
            _ => {
                let names = ["DisableReason", "Feature", "Feature"];
                let kind = ValueKind::Entity(self.word(&names));
                let path = self.read_or_fail(&set(kind.clone()))?;
                match operator {
                    "contains item" => format!("{path}.contains({})", kind.literal(self.random)),
                    _ => {
                        let name = operator.trim_end_matches(" items");
                        format!("{path}.{name}({})", set(kind).literal(self.random))
                    }
                }
            }
        })
    }

    fn number(&mut self, operator: &'static str) -> String {
        let kind = match self.random.below(8) {
            0 => ValueKind::Datetime,
            1 => ValueKind::Duration,
            _ => ValueKind::Long,
        };
        let long = ValueKind::Long;
        match operator {
            "+" | "*" | "minus" => {
                let sign = if operator == "minus" { "-" } else { operator };
                let (left, right) = (self.value(&long), self.operand(&long));
                let compare = self.compare();
                format!("{left} {sign} {right} {compare} {}", self.operand(&long))
            }
            "-" => {
                let (value, compare) = (self.value(&long), self.compare());
                format!("-({value}) {compare} {}", self.operand(&long))
            }
            _ => {
                let (left, right) = (self.value(&kind), self.operand(&kind));
                format!("{left} {operator} {right}")
            }
        }
    }

    fn extension(&mut self, operator: &'static str) -> String {
        let (at, span) = (ValueKind::Datetime, ValueKind::Duration);
        match operator {
            "lessThan" | "greaterThanOrEqual" => {
                let kind = ValueKind::Decimal;
                let (left, right) = (self.value(&kind), self.operand(&kind));
                format!("{left}.{operator}({right})")
            }
            "isIpv4" | "isLoopback" => format!("{}.{operator}()", self.operand(&ValueKind::Ip)),
            "isInRange" => {
                let kind = ValueKind::Ip;
                let (left, right) = (self.value(&kind), self.operand(&kind));
                format!("{left}.isInRange({right})")
            }
            "offset" => {
                let (from, by) = (self.value(&at), self.operand(&span));
                let compare = self.compare();
                format!("{from}.offset({by}) {compare} {}", self.operand(&at))
            }
            "durationSince" => {
                let (to, from) = (self.value(&at), self.operand(&at));
                let compare = self.compare();
                format!(
                    "{to}.durationSince({from}) {compare} {}",
                    self.operand(&span)
                )
            }
            "toTime" => {
                let (from, compare) = (self.operand(&at), self.compare());
                format!("{from}.toTime() {compare} {}", self.operand(&span))
            }
            _ => {
                let (from, compare) = (self.operand(&span), self.compare());
                let number = self.operand(&ValueKind::Long);
                format!("{from}.toHours() {compare} {number}")
            }
        }
    }

    fn other(&mut self, operator: &'static str) -> Option<String> {
        Some(match operator {
            "==" | "!=" => {
                let kinds = [
                    ValueKind::Text,
                    ValueKind::Long,
                    ValueKind::Decimal,
                    ValueKind::Ip,
                    ValueKind::Datetime,
                    ValueKind::Entity("Feature"),
                    ValueKind::Entity("Operator"),
                ];
                let kind = self.random.pick(&kinds).clone();
                let (left, right) = (self.value(&kind), self.operand(&kind));
                format!("{left} {operator} {right}")
            }
            "like" => {
                let text = self.operand(&ValueKind::Text);
                let patterns = [
                    "a*",
                    "*",
                    "",
                    "*b",
                    "b\\*",
                    "*.example",
                    "dash.*",
                    "r\u{e9}*",
                ];
                format!("{text} like \"{}\"", self.random.pick(&patterns))
            }
            "is" => {
                let (path, kind) = self.record()?;
                let name = kind.schema_text();
                let other = *self.random.pick(&["Account", "TeamMember"]);
                match self.random.below(3) {
                    0 => format!("{path} is {name}"),
                    1 => format!("{path} is {name} in {}", kind.literal(self.random)),
                    _ => format!("(if {path} is {name} then false else {path} is {other})"),
                }
            }
            "if" => {
                let (one, two) = (
                    self.operand(&ValueKind::Bool),
                    self.operand(&ValueKind::Bool),
                );
                let number = ValueKind::Long;
                let (yes, no) = (self.operand(&number), self.operand(&number));
                if self.random.once_in(2) {
                    format!(
                        "(if {one} then {yes} else {no}) < {}",
                        self.operand(&number)
                    )
                } else {
                    format!("if {one} then {two} else {yes} == {no}")
                }
            }
            "set ==" | "contains" | "containsAll" | "containsAny" => self.sets(operator),
            "fields ==" => {
                let path = self.path(|path| matches!(path.kind, ValueKind::Record(_)))?;
                self.guards.extend(path.guards(self.random));
                let other = self.read_or_fail(&path.kind)?;
                format!("{} == {other}", path.text())
            }
            "getTag" => {
                let value = self.operand(&ValueKind::Text);
                self.guards.push("resource is Campaign".to_owned());
                self.guards.push("resource.hasTag(\"color\")".to_owned());
                format!("resource.getTag(\"color\") == {value}")
            }
            _ => {
                let name = match self.random.below(3) {
                    0 => self.operand(&ValueKind::Text),
                    1 => "\"no\"".to_owned(),
                    _ => "\"color\"".to_owned(),
                };
                self.guards.push("resource is Campaign".to_owned());
                format!("resource.hasTag({name})")
            }
        })
    }

    fn sets(&mut self, operator: &'static str) -> String {
        let kind = self.set_kind();
        let left = self.value(&kind);
        let right = match &kind {
            ValueKind::Set(item) if operator == "contains" => self.operand(item),
            _ => self.operand(&kind),
        };
        if operator == "set ==" {
            format!("{left} == {right}")
        } else {
            format!("{left}.{operator}({right})")
        }
    }
}
