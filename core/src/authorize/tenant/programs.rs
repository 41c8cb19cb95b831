//! The actions of a bundle and their kinds of request, each with its plans.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;

use super::entities::SymbolTable;
use super::fact_set::FactSet;
use super::name_table::NameTable;
use super::plan::PlanList;
use super::scopes::ScopedPolicy;
use crate::cedar::bundle::Bundle;
use crate::cedar::schema::Action;
use crate::cedar::tenant_facts::is_directory_type;
use crate::cedar::value_json::{CedarType, RecordType};
use crate::model::catalog::MeterKind;
use crate::util::stack::DeepValue;
use crate::vm::{ConstantPool, Program};

/// One action with one pair of types.
#[derive(Debug)]
pub(crate) struct RequestKind {
    /// The number of this kind among those of the bundle.
    pub(crate) number: u32,
    /// The entity type of the principal.
    pub(crate) principal: u32,
    pub(crate) resource: Box<str>,
    /// The number of the resource type's name in the constant pool.
    pub(crate) text: u32,
    /// The record type of the resource, or `u32::MAX` if it is not a record type.
    pub(crate) record: u32,
    /// The attributes of an inline resource. `None` for a record of the directory.
    pub(crate) inline: Option<InlineRules>,
    /// Whether a request must bring context fields, or attributes other than an account.
    pub(crate) needs_values: bool,
    /// Whether a policy of these requests names the principal in its scope, and whether one names
    /// the resource.
    pub(crate) names_principal: bool,
    pub(crate) names_resource: bool,
    pub(crate) plans: PlanList,
}

/// The attributes that an inline resource may have and must have.
#[derive(Debug)]
pub(crate) struct InlineRules {
    /// Whether the `account` is required. `None` if the type has no `account`.
    pub(crate) account: Option<bool>,
    /// The other attributes. `None` if only Cedar can read them.
    pub(crate) attributes: Option<RecordType>,
    pub(crate) tags: Option<CedarType>,
    pub(crate) parents: Vec<Box<str>>,
}

impl InlineRules {
    pub(super) fn new(
        bundle: &Bundle,
        action: &Action,
        kind: &str,
        pool: &mut ConstantPool,
    ) -> Option<Self> {
        if is_directory_type(kind) {
            return None;
        }
        let shape = bundle.values.shape(kind);
        let attributes = shape.and_then(|shape| shape.attributes.as_ref());
        let required: BTreeSet<&str> = bundle.required_of(action, kind).collect();
        let account = attributes
            .and_then(|attributes| attributes.field("account"))
            .map(|field| field.required || required.contains("account"));
        Some(Self {
            account,
            attributes: attributes
                .map(|all| all.without("account").requiring(&required).numbered(pool)),
            tags: shape.and_then(|shape| shape.tags.clone()),
            parents: shape.map(|shape| shape.parents.clone()).unwrap_or_default(),
        })
    }

    /// Returns whether a request must bring attributes other than the account. Also holds if only
    /// Cedar can read the attributes.
    pub(super) fn needs_values(&self) -> bool {
        self.attributes
            .as_ref()
            .is_none_or(|attributes| attributes.required() > 0)
    }
}

/// An action with its programs and requirements.
#[derive(Debug)]
pub(crate) struct ActionPrograms {
    pub(crate) number: u32,
    pub(crate) feature: Option<u32>,
    /// The bit of the feature in a set of features. Zero if the action has no feature.
    pub(crate) feature_bit: u64,
    /// Whether the action requires context fields of its own.
    pub(crate) context: bool,
    /// The context fields. `None` if only Cedar can read them.
    pub(crate) fields: Option<RecordType>,
    /// The meter that the action consumes from, if it is the only one and the action frees none.
    pub(crate) takes: Option<(Arc<str>, MeterKind)>,
    /// The kinds of request, and for each the principal's type and the place of the resource type
    /// in [`TenantEvaluator::resource_types`].
    pub(crate) kinds: Vec<RequestKind>,
    pub(crate) keys: Vec<(u32, u32)>,
}

/// Places in [`TenantEvaluator::record_specific`], by the number of the record that the policies
/// name.
pub(crate) type RecordPolicies = HashMap<u32, Vec<u32>>;

/// The evaluator for one bundle and one generation of the directory.
#[derive(Debug, Default)]
pub(crate) struct TenantEvaluator {
    pub(crate) pool: ConstantPool,
    pub(crate) symbols: SymbolTable,
    /// Places in `list` by name.
    pub(crate) actions: NameTable,
    pub(crate) list: Vec<ActionPrograms>,
    /// The facts of a request that comes to a domain and has no others.
    pub(crate) session: FactSet,
    /// The number of kinds of request.
    pub(super) kind_count: u32,
    pub(crate) resource_types: Vec<Box<str>>,
    /// The generation that handles of actions and resource types compare with.
    pub(crate) generation: u32,
    /// Policies that name a single principal or resource, one program each. The next two maps index
    /// them.
    pub(crate) record_specific: Vec<Program>,
    pub(crate) principals: RecordPolicies,
    pub(crate) resources: RecordPolicies,
    /// Whether a policy reads the facts, or a part of them, as one record.
    pub(crate) reads_facts_record: bool,
    /// Whether a policy that names a single record reads the text of the host's name, not only
    /// whether it is present.
    pub(crate) reads_host_name: bool,
    /// The policies that name no single record, from which kinds of request are compiled.
    pub(super) policies: DeepValue<Vec<ScopedPolicy>>,
}

impl TenantEvaluator {
    /// Returns whether the evaluator is valid for another directory of the same bundle too, because
    /// no policy names a record.
    pub(crate) fn is_portable(&self) -> bool {
        !self.symbols.records
    }
}
