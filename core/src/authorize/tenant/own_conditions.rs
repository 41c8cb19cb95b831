//! Conditions over one attribute that the host defines, as tests of that attribute. The directory
//! stores the result of each test with its record.

use super::name_table::find_or_push;
use super::symbolic_paths::{AttributePath, attribute_path};
use super::symbols::ATTRIBUTES;
use crate::cedar::bundle::Bundle;
use crate::cedar::value_json::CedarType;
use crate::compiler::IrExpr;
use crate::directory::{OwnFact, OwnLiteral, OwnTest, RecordKind, Tables};
use crate::vm::{Compare, ConstantPool, Value};

/// A condition over one attribute that the host defines for the record at a path. It is an error if
/// the attribute does not exist, unless it tests for that.
pub(super) struct OwnCondition<'n> {
    /// The path to the record.
    pub(super) path: AttributePath<'n>,
    /// The condition holds if this fact does.
    pub(super) fact: OwnFact,
    /// The condition holds if the fact does not.
    pub(super) is_negated: bool,
}

impl<'n> OwnCondition<'n> {
    /// Returns the condition that an expression is. Returns `None` if it is not a condition over
    /// one attribute and literals.
    pub(super) fn of(node: &'n IrExpr, pool: &ConstantPool) -> Option<Self> {
        let ((from, names), test, is_negated) = match node {
            IrExpr::HasPath(from, names) => ((*from, &**names), OwnTest::Exists, false),
            IrExpr::Path(from, names) => ((*from, &**names), OwnTest::IsTrue, false),
            IrExpr::Like(operand, pattern) => {
                let test = OwnTest::IsLike(pattern.as_slice().into());
                (attribute_path(operand)?, test, false)
            }
            IrExpr::Compare(what, left, right) => {
                let (operand, test, is_negated) = comparison(*what, left, right, pool)?;
                (attribute_path(operand)?, test, is_negated)
            }
            _ => return None,
        };
        let [names @ .., ATTRIBUTES, name] = names else {
            return None;
        };
        let name = pool.text_of(*name)?.into();
        Some(Self {
            path: (from, names),
            fact: OwnFact { name, test },
            is_negated,
        })
    }

    /// Returns whether the schema gives this type of record the attribute, with a type that the
    /// test can judge. The attributes of all records fit the schema. So the condition is an error
    /// only if the attribute does not exist.
    pub(super) fn fits(&self, bundle: &Bundle, kind: RecordKind) -> bool {
        let Some(declared) = declared(bundle, kind, &self.fact.name) else {
            return false;
        };
        match self.fact.test {
            OwnTest::Exists | OwnTest::Equals(_) | OwnTest::IsOneOf(_) => true,
            OwnTest::IsTrue => matches!(declared, CedarType::Bool),
            OwnTest::IsLess(_) => matches!(declared, CedarType::Long),
            OwnTest::IsLike(_) => matches!(declared, CedarType::Text),
            OwnTest::Contains(_) => matches!(declared, CedarType::Set(_)),
        }
    }

    /// Returns the fact that the attribute exists.
    pub(super) fn existence(&self) -> OwnFact {
        OwnFact {
            name: self.fact.name.clone(),
            test: OwnTest::Exists,
        }
    }
}

/// Returns the operand that a comparison tests against a literal, the test, and whether the
/// comparison holds if the test does not.
fn comparison<'n>(
    what: Compare,
    left: &'n IrExpr,
    right: &'n IrExpr,
    pool: &ConstantPool,
) -> Option<(&'n IrExpr, OwnTest, bool)> {
    Some(match (what, left, right) {
        (Compare::Equal, operand, IrExpr::Value(value))
        | (Compare::Equal, IrExpr::Value(value), operand) => {
            (operand, OwnTest::Equals(literal(*value, pool)?), false)
        }
        (Compare::Contains, IrExpr::Value(set), operand) => {
            let items = pool.set_items(*set)?;
            let literals = items.iter().map(|item| literal(*item, pool));
            let test = OwnTest::IsOneOf(literals.collect::<Option<_>>()?);
            (operand, test, false)
        }
        (Compare::Contains, operand, IrExpr::Value(item)) => {
            (operand, OwnTest::Contains(literal(*item, pool)?), false)
        }
        (Compare::Less, operand, IrExpr::Value(Value::Long(bound))) => {
            (operand, OwnTest::IsLess(*bound), false)
        }
        (Compare::LessEqual, operand, IrExpr::Value(Value::Long(bound))) => {
            (operand, OwnTest::IsLess(bound.checked_add(1)?), false)
        }
        (Compare::Less, IrExpr::Value(Value::Long(bound)), operand) => {
            (operand, OwnTest::IsLess(bound.checked_add(1)?), true)
        }
        (Compare::LessEqual, IrExpr::Value(Value::Long(bound)), operand) => {
            (operand, OwnTest::IsLess(*bound), true)
        }
        _ => return None,
    })
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
            if condition.fits(bundle, kind) {
                find_or_push(facts, &condition.existence(), usize::MAX);
                find_or_push(facts, &condition.fact, usize::MAX);
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
