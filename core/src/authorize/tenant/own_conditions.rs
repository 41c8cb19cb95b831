//! Conditions over one attribute that the host defines, as tests of that attribute. Bundles are
//! compiled with the tests in mind: the directory stores them as bits of each record.

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
    /// The condition is an error unless the attribute passes one of these tests. `None` if it is
    /// never an error.
    pub(super) readable: Option<Vec<OwnTest>>,
}

impl<'n> OwnCondition<'n> {
    /// Returns the condition that an expression is. Returns `None` if it is not a condition over
    /// one attribute and literals.
    pub(super) fn of(node: &'n IrExpr, pool: &ConstantPool) -> Option<Self> {
        match node {
            IrExpr::HasPath(from, names) => Self::new((*from, names), OwnTest::Exists, None, pool),
            IrExpr::Path(from, names) => {
                let is = |value| OwnTest::Equals(OwnLiteral::Bool(value));
                let readable = Some(vec![is(true), is(false)]);
                Self::new((*from, names), is(true), readable, pool)
            }
            IrExpr::Like(operand, pattern) => {
                let test = OwnTest::IsLike(pattern.as_slice().into());
                Self::new(path(operand)?, test, Some(vec![OwnTest::IsText]), pool)
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
        let (test, is_negated, readable, path) = match (what, left, right) {
            (Compare::Equal, operand, IrExpr::Value(value))
            | (Compare::Equal, IrExpr::Value(value), operand) => {
                let test = OwnTest::Equals(literal(*value, pool)?);
                (test, false, OwnTest::Exists, path(operand)?)
            }
            (Compare::Contains, IrExpr::Value(set), operand) => {
                let items = pool.set_items(*set)?;
                let literals = items.iter().map(|item| literal(*item, pool));
                let test = OwnTest::IsOneOf(literals.collect::<Option<_>>()?);
                (test, false, OwnTest::Exists, path(operand)?)
            }
            (Compare::Contains, operand, IrExpr::Value(item)) => {
                let test = OwnTest::Contains(literal(*item, pool)?);
                (test, false, OwnTest::IsSet, path(operand)?)
            }
            (Compare::Less, operand, IrExpr::Value(Value::Long(bound))) => {
                let test = OwnTest::IsLess(*bound);
                (test, false, OwnTest::IsLong, path(operand)?)
            }
            (Compare::LessEqual, operand, IrExpr::Value(Value::Long(bound))) => {
                let test = OwnTest::IsLess(bound.checked_add(1)?);
                (test, false, OwnTest::IsLong, path(operand)?)
            }
            (Compare::Less, IrExpr::Value(Value::Long(bound)), operand) => {
                let test = OwnTest::IsLess(bound.checked_add(1)?);
                (test, true, OwnTest::IsLong, path(operand)?)
            }
            (Compare::LessEqual, IrExpr::Value(Value::Long(bound)), operand) => {
                let test = OwnTest::IsLess(*bound);
                (test, true, OwnTest::IsLong, path(operand)?)
            }
            _ => return None,
        };
        let condition = Self::new(path, test, Some(vec![readable]), pool)?;
        Some(Self {
            is_negated,
            ..condition
        })
    }

    fn new(
        (from, names): (u8, &'n [u32]),
        test: OwnTest,
        readable: Option<Vec<OwnTest>>,
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
            readable,
        })
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
            if !declares(bundle, kind, &condition.name) {
                continue;
            }
            let readable = condition.readable.iter().flatten();
            for test in readable.chain([&condition.test]) {
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

/// Returns whether the schema gives a type of record this attribute.
fn declares(bundle: &Bundle, kind: RecordKind, name: &str) -> bool {
    let shape = bundle.values.shape(kind.name());
    let attributes = shape.and_then(|shape| shape.attributes.as_ref()?.field("attributes"));
    match attributes.map(|field| &field.ty) {
        Some(CedarType::Record(record)) => record.field(name).is_some(),
        _ => false,
    }
}
