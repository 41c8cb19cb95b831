//! Conditions over one attribute that the host defines, as tests of that attribute. The directory
//! stores the result of each test with its record.

use super::symbols::ATTRIBUTES;
use crate::cedar::bundle::Bundle;
use crate::cedar::value_json::CedarType;
use crate::compiler::IrExpr;
use crate::directory::{OwnFact, OwnLiteral, OwnTest, RecordKind, Tables};
use crate::vm::{Compare, ConstantPool, Value};

/// A condition over one attribute that the host defines for the record at a path.
pub(super) struct OwnCondition<'n> {
    pub(super) from: u8,
    /// The path to the record.
    pub(super) names: &'n [u32],
    /// The attribute's name.
    pub(super) name: Box<str>,
    /// The condition holds if the attribute passes this test.
    pub(super) test: OwnTest,
    /// The condition holds if the test fails.
    pub(super) is_negated: bool,
    needs: Needs,
}

/// What the attribute must be, so that the condition is no error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Value,
    Bool,
    Long,
    Text,
    Set,
}

impl<'n> OwnCondition<'n> {
    /// Returns the condition that an expression is. Returns `None` if it is not a condition over
    /// one attribute and literals.
    pub(super) fn of(node: &'n IrExpr, pool: &ConstantPool) -> Option<Self> {
        match node {
            IrExpr::HasPath(from, names) => {
                Self::new((*from, names), OwnTest::Exists, Needs::Nothing, pool)
            }
            IrExpr::Path(from, names) => {
                let test = OwnTest::Equals(OwnLiteral::Bool(true));
                Self::new((*from, names), test, Needs::Bool, pool)
            }
            IrExpr::Like(operand, pattern) => {
                let test = OwnTest::IsLike(pattern.as_slice().into());
                Self::new(path(operand)?, test, Needs::Text, pool)
            }
            IrExpr::Compare(what, left, right) => Self::comparison(*what, left, right, pool),
            _ => None,
        }
    }

    fn comparison(
        what: Compare,
        left: &'n IrExpr,
        right: &'n IrExpr,
        pool: &ConstantPool,
    ) -> Option<Self> {
        let (test, is_negated, needs, path) = match (what, left, right) {
            (Compare::Equal, operand, IrExpr::Value(value))
            | (Compare::Equal, IrExpr::Value(value), operand) => {
                let test = OwnTest::Equals(literal(*value, pool)?);
                (test, false, Needs::Value, path(operand)?)
            }
            (Compare::Contains, IrExpr::Value(set), operand) => {
                let items = pool.set_items(*set)?;
                let literals = items.iter().map(|item| literal(*item, pool));
                let test = OwnTest::IsOneOf(literals.collect::<Option<_>>()?);
                (test, false, Needs::Value, path(operand)?)
            }
            (Compare::Contains, operand, IrExpr::Value(item)) => {
                let test = OwnTest::Contains(literal(*item, pool)?);
                (test, false, Needs::Set, path(operand)?)
            }
            (Compare::Less, operand, IrExpr::Value(Value::Long(bound))) => {
                let test = OwnTest::IsLess(*bound);
                (test, false, Needs::Long, path(operand)?)
            }
            (Compare::LessEqual, operand, IrExpr::Value(Value::Long(bound))) => {
                let test = OwnTest::IsLess(bound.checked_add(1)?);
                (test, false, Needs::Long, path(operand)?)
            }
            (Compare::Less, IrExpr::Value(Value::Long(bound)), operand) => {
                let test = OwnTest::IsLess(bound.checked_add(1)?);
                (test, true, Needs::Long, path(operand)?)
            }
            (Compare::LessEqual, IrExpr::Value(Value::Long(bound)), operand) => {
                let test = OwnTest::IsLess(*bound);
                (test, true, Needs::Long, path(operand)?)
            }
            _ => return None,
        };
        let condition = Self::new(path, test, needs, pool)?;
        Some(Self {
            is_negated,
            ..condition
        })
    }

    fn new(
        (from, names): (u8, &'n [u32]),
        test: OwnTest,
        needs: Needs,
        pool: &ConstantPool,
    ) -> Option<Self> {
        let [names @ .., ATTRIBUTES, name] = names else {
            return None;
        };
        Some(Self {
            from,
            names,
            name: pool.text_of(*name)?.into(),
            test,
            is_negated: false,
            needs,
        })
    }

    /// Returns the tests of which the attribute must pass one, so that the condition is no error.
    /// The attributes of all records fit the schema. So an attribute of the declared type only has
    /// to exist.
    pub(super) fn readable(&self, bundle: &Bundle, kind: RecordKind) -> Vec<OwnTest> {
        let declared = declared(bundle, kind, &self.name);
        let is_declared = matches!(
            (self.needs, declared),
            (Needs::Bool, Some(CedarType::Bool))
                | (Needs::Long, Some(CedarType::Long))
                | (Needs::Text, Some(CedarType::Text))
                | (Needs::Set, Some(CedarType::Set(_)))
        );
        match self.needs {
            Needs::Nothing => Vec::new(),
            _ if is_declared => vec![OwnTest::Exists],
            Needs::Value => vec![OwnTest::Exists],
            Needs::Bool => [true, false]
                .map(|value| OwnTest::Equals(OwnLiteral::Bool(value)))
                .into(),
            Needs::Long => vec![OwnTest::IsLong],
            Needs::Text => vec![OwnTest::IsText],
            Needs::Set => vec![OwnTest::IsSet],
        }
    }

    /// Returns the fact that the attribute passes a test.
    pub(super) fn fact(&self, test: &OwnTest) -> OwnFact {
        OwnFact {
            name: self.name.clone(),
            test: test.clone(),
        }
    }
}

fn path(node: &IrExpr) -> Option<(u8, &[u32])> {
    match node {
        IrExpr::Path(from, names) => Some((*from, names)),
        _ => None,
    }
}

fn literal(value: Value, pool: &ConstantPool) -> Option<OwnLiteral> {
    match value {
        Value::Bool(value) => Some(OwnLiteral::Bool(value)),
        Value::Long(value) => Some(OwnLiteral::Long(value)),
        Value::Text(text) => Some(OwnLiteral::Text(pool.text_of(text)?.into())),
        _ => None,
    }
}

/// The facts of attributes that the policies of a bundle name, by type of record, in gate order.
#[derive(Default)]
pub(super) struct OwnFacts {
    accounts: Vec<OwnFact>,
    members: Vec<OwnFact>,
}

impl OwnFacts {
    /// Adds the facts that a policy names. A path does not tell in all cases whether it leads to an
    /// account or to a member, so the schema decides by the attribute's name.
    pub(super) fn add(&mut self, policy: &IrExpr, pool: &ConstantPool, bundle: &Bundle) {
        let mut todo = vec![policy];
        while let Some(node) = todo.pop() {
            if let Some(condition) = OwnCondition::of(node, pool) {
                self.add_condition(&condition, bundle);
                continue;
            }
            // The first operand comes first.
            match node {
                IrExpr::Not(operand) => todo.push(operand),
                IrExpr::And(left, right) | IrExpr::Or(left, right) => {
                    todo.extend([&**right, left]);
                }
                IrExpr::If(cond, yes, no) => todo.extend([&**no, yes, cond]),
                _ => {}
            }
        }
    }

    fn add_condition(&mut self, condition: &OwnCondition<'_>, bundle: &Bundle) {
        let kinds = [
            (RecordKind::Account, &mut self.accounts),
            (RecordKind::TeamMember, &mut self.members),
        ];
        for (kind, facts) in kinds {
            if declared(bundle, kind, &condition.name).is_none() {
                continue;
            }
            let readable = condition.readable(bundle, kind);
            for test in readable.iter().chain([&condition.test]) {
                let fact = condition.fact(test);
                if !facts.contains(&fact) {
                    facts.push(fact);
                }
            }
        }
    }

    /// Stores the facts with the records.
    pub(super) fn store(&self, tables: &mut Tables) {
        tables.store_facts(&self.accounts, &self.members);
    }
}

/// Returns the type that the schema gives to an attribute of a type of record.
fn declared<'b>(bundle: &'b Bundle, kind: RecordKind, name: &str) -> Option<&'b CedarType> {
    let attributes = bundle.values.shape(kind.name())?.attributes.as_ref()?;
    match &attributes.field("attributes")?.ty {
        CedarType::Record(record) => record.field(name).map(|field| &field.ty),
        _ => None,
    }
}
