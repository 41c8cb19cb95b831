//! The conditions of each operator, as Cedar text.

use super::atoms::AtomWriter;
use super::kinds::{ValueKind, set};
use super::paths::Path;

impl AtomWriter<'_> {
    /// Returns a condition with this operator, and adds the tests that it needs. Returns `None` if
    /// the policy has no such values.
    pub(super) fn condition(&mut self, operator: &'static str) -> Option<String> {
        match operator {
            "flag" | "has" | "has path" | "isEmpty" | "attribute ==" | "record =="
            | "record in" | "is one of" | "contains item" | "containsAny items"
            | "containsAll items" => self.stored(operator),
            "same ==" | "same !=" | "same in" => {
                let (left, kind) = self.record()?;
                let right = if self.random.once_in(8) {
                    self.erring(&kind)
                } else {
                    self.read(&kind)?
                };
                Some(format!("{left} {} {right}", &operator[5..]))
            }
            "<" | "<=" | ">" | ">=" | "+" | "minus" | "*" | "-" => Some(self.number(operator)),
            "lessThan" | "lessThanOrEqual" | "greaterThan" | "greaterThanOrEqual" | "isIpv4"
            | "isIpv6" | "isLoopback" | "isMulticast" | "isInRange" | "offset"
            | "durationSince" => Some(self.extension(operator)),
            "toDate" | "toTime" | "toMilliseconds" | "toSeconds" | "toMinutes" | "toHours"
            | "toDays" => Some(self.conversion(operator)),
            "decimal" | "ip" | "datetime" | "duration" => Some(self.constructor(operator)),
            "in" | "is in" | "action in" | "field" | "record" => self.composed(operator),
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
                self.references = path.references;
                let (guards, text) = path.presence(self.random);
                self.guards.extend(guards);
                text
            }
            "has path" => {
                if self.random.once_in(24) {
                    return Some("Account::\"gone\".attributes has trial".to_owned());
                }
                let path = self.path(Path::is_deep)?;
                self.references = path.references;
                let (guards, text) = path.deep_presence(self.random);
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
            "isIpv4" | "isIpv6" | "isLoopback" | "isMulticast" => {
                format!("{}.{operator}()", self.operand(&ValueKind::Ip))
            }
            "isInRange" => {
                let kind = ValueKind::Ip;
                let left = self.value(&kind);
                // Half of the addresses of records begin as these ranges do.
                let right = if self.random.once_in(2) {
                    format!("ip(\"10.0.0.0/{}\")", [8, 16, 32][self.random.below(3)])
                } else {
                    self.operand(&kind)
                };
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
            _ => {
                let kind = ValueKind::Decimal;
                let (left, right) = (self.value(&kind), self.operand(&kind));
                format!("{left}.{operator}({right})")
            }
        }
    }

    fn conversion(&mut self, operator: &'static str) -> String {
        let (from, to) = match operator {
            "toDate" => (ValueKind::Datetime, ValueKind::Datetime),
            "toTime" => (ValueKind::Datetime, ValueKind::Duration),
            _ => (ValueKind::Duration, ValueKind::Long),
        };
        let (value, compare) = (self.operand(&from), self.compare());
        format!("{value}.{operator}() {compare} {}", self.operand(&to))
    }

    /// Returns a comparison with a value that a constructor makes.
    fn constructor(&mut self, operator: &'static str) -> String {
        let kind = match operator {
            "decimal" => ValueKind::Decimal,
            "ip" => ValueKind::Ip,
            "datetime" => ValueKind::Datetime,
            _ => ValueKind::Duration,
        };
        let (left, right) = (kind.literal(self.random), self.operand(&kind));
        format!("{left} {} {right}", self.word(&["==", "!="]))
    }

    fn composed(&mut self, operator: &'static str) -> Option<String> {
        Some(match operator {
            "in" | "is in" => {
                let broadcast = ValueKind::Entity("Broadcast");
                // A broadcast is the one record that has parents.
                let has_parents = self.paths.iter().any(|path| path.kind == broadcast);
                let (path, kind, parents) = if has_parents && self.random.once_in(2) {
                    (self.read(&broadcast)?, broadcast, "Campaign")
                } else {
                    let (path, kind) = self.record()?;
                    let ValueKind::Entity(name) = kind else {
                        return None;
                    };
                    (path, kind, name)
                };
                let parents = ValueKind::Entity(parents);
                let (one, other) = (self.operand(&parents), self.operand(&parents));
                if operator == "is in" {
                    format!("{path} is {} in {one}", kind.schema_text())
                } else if self.random.once_in(2) {
                    format!("{path} in [{one}, {other}]")
                } else {
                    format!("{path} in {one}")
                }
            }
            "action in" => {
                let (one, other) = (
                    self.random.pick(self.actions),
                    self.random.pick(self.actions),
                );
                match self.random.below(3) {
                    0 => format!("action == Action::\"{one}\""),
                    1 => format!("action in [Action::\"{one}\", Action::\"{other}\"]"),
                    _ => format!("action in Action::\"{one}\""),
                }
            }
            "field" => {
                let (long, compare) = (ValueKind::Long, self.compare());
                let (one, other) = (self.operand(&long), self.operand(&long));
                format!(
                    "{{a: {one}, \"b c\": {other}}}[\"b c\"] {compare} {}",
                    self.operand(&long)
                )
            }
            _ => {
                let (long, text) = (ValueKind::Long, ValueKind::Text);
                let fields = |writer: &mut Self| {
                    format!(
                        "{{a: {}, b: {}}}",
                        writer.operand(&long),
                        writer.value(&text)
                    )
                };
                let left = fields(self);
                // Two random records are hardly ever equal.
                let right = if self.random.once_in(2) {
                    left.clone()
                } else {
                    fields(self)
                };
                format!("{left} {} {right}", self.word(&["==", "!="]))
            }
        })
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
                let (value, name) = (
                    self.operand(&ValueKind::Text),
                    self.word(&["color", "size"]),
                );
                self.guards.push("resource is Campaign".to_owned());
                self.guards.push(format!("resource.hasTag(\"{name}\")"));
                format!("resource.getTag(\"{name}\") == {value}")
            }
            _ => {
                let name = match self.random.below(3) {
                    0 => self.operand(&ValueKind::Text),
                    1 => "\"size\"".to_owned(),
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
