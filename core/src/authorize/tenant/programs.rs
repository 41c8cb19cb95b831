//! The programs of a bundle, one set for each kind of request, compiled at the first request of the
//! kind.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;
use once_cell::race::OnceBox;

use super::bloom_filter::BloomFilter;
use super::entities::SymbolTable;
use super::plan_table::{NameTable, PlanTable};
use super::scopes::ScopedPolicy;
use super::specialize::AttributeShape;
use crate::cedar::bundle::Bundle;
use crate::cedar::schema::Action;
use crate::cedar::tenant_facts::is_directory_type;
use crate::cedar::value_json::{CedarType, RecordType};
use crate::model::catalog::MeterKind;
use crate::util::stack::DeepValue;
use crate::vm::{ConstantPool, Program};

/// The programs for one action and one pair of types.
#[derive(Debug)]
pub(crate) struct TypePairPrograms {
    pub(crate) principal: u32,
    /// The resource type's place in [`TenantEvaluator::kinds`].
    pub(crate) kind: u32,
    pub(crate) resource: Box<str>,
    /// The number of the resource type's name in the constant pool.
    pub(crate) text: u32,
    /// The record type of the resource, or `u32::MAX` if it is not a record type.
    pub(crate) record: u32,
    /// Whether the resource is a record, or comes inline and requires only its account.
    pub(crate) plain: bool,
    /// The place in the plan table, if session bits can answer this pair.
    pub(crate) ready: Option<u32>,
    /// The attributes of an inline resource. `None` for a record of the directory.
    pub(crate) inline: Option<InlineRules>,
    /// The programs of this kind of request. `None` inside if only Cedar can evaluate the kind.
    pub(super) programs: OnceBox<Option<KindPrograms>>,
}

impl TypePairPrograms {
    /// Returns the programs, if a request of this kind has made them.
    pub(crate) fn compiled(&self) -> Option<&KindPrograms> {
        self.programs.get()?.as_ref()
    }
}

/// The programs of one kind of request.
#[derive(Debug)]
pub(crate) struct KindPrograms {
    /// The constants of the programs, if the kind has others than the bundle.
    pub(super) pool: Option<ConstantPool>,
    /// The programs for a session request: of a main account or operator, and of a client.
    pub(crate) session: [SessionPrograms; 2],
    /// The programs for any request.
    pub(crate) any: Vec<Program>,
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
    /// Whether the `account` is required and nothing else is.
    pub(crate) owned: bool,
}

impl InlineRules {
    pub(super) fn new(bundle: &Bundle, action: &Action, kind: &str) -> Option<Self> {
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
                .map(|attributes| attributes.without("account").requiring(&required)),
            tags: shape.and_then(|shape| shape.tags.clone()),
            parents: shape.map(|shape| shape.parents.clone()).unwrap_or_default(),
            owned: account == Some(true)
                && bundle
                    .shapes
                    .get(kind)
                    .is_some_and(|shape| is_owned(shape, &required)),
        })
    }
}

/// The programs that answer session requests.
#[derive(Debug)]
pub(crate) struct SessionPrograms {
    /// The conditions that the plan needs beyond the bits.
    pub(crate) plan_extras: Vec<Program>,
    /// Every policy that can apply, in gate order.
    pub(crate) all: Vec<Program>,
    /// The permits and warnings. They run after the plan has allowed, to find which of them are
    /// satisfied.
    pub(crate) permits_only: Vec<Program>,
    /// The limit policies, which can apply only to a request with a meter. If none of them applies,
    /// the answer is that of the request without a meter. `None` if the meter changes another
    /// policy too.
    pub(crate) limits: Option<Vec<Program>>,
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
    pub(crate) entries: Vec<TypePairPrograms>,
}

/// Places in [`TenantEvaluator::record_specific`], by the number of the record that the policies
/// name.
pub(crate) type RecordPolicies = HashMap<u32, Vec<u32>>;

/// The evaluator for one bundle and one generation of the directory.
#[derive(Debug)]
pub(crate) struct TenantEvaluator {
    pub(crate) pool: ConstantPool,
    pub(crate) symbols: SymbolTable,
    /// Places in `list` by name.
    pub(crate) actions: NameTable,
    pub(crate) list: Vec<ActionPrograms>,
    pub(crate) ready: PlanTable,
    /// The resource types.
    pub(crate) kinds: Vec<Box<str>>,
    /// The generation that handles of actions and resource types compare with.
    pub(crate) generation: u32,
    /// Policies that name a single principal or resource, one program each. The next two maps index
    /// them.
    pub(crate) record_specific: Vec<Program>,
    pub(crate) principals: RecordPolicies,
    pub(crate) resources: RecordPolicies,
    /// Filters for the principals, and for the resource ids, that such policies name.
    pub(crate) sieves: [BloomFilter; 2],
    /// Whether a policy reads the facts, or a part of them, as one record.
    pub(crate) reads_facts_record: bool,
    /// Whether a policy reads the text of the host's name, not only whether it is present.
    pub(crate) reads_host_name: bool,
    /// Whether no policy names a record, so that the evaluator is valid for any generation.
    pub(super) portable: bool,
    /// The policies that name no single record, from which kinds of request are compiled.
    pub(super) policies: DeepValue<Vec<ScopedPolicy>>,
}

impl TenantEvaluator {
    /// Returns whether the evaluator is valid for another directory of the same bundle too.
    pub(crate) fn is_portable(&self) -> bool {
        self.portable
    }
}

/// Returns whether the `account` is the only required attribute of a resource type.
fn is_owned(shape: &AttributeShape, required: &BTreeSet<&str>) -> bool {
    let must = |name: &String, by_type: &bool| *by_type || required.contains(name.as_str());
    shape.contains_key("account")
        && shape
            .iter()
            .all(|(name, by_type)| must(name, by_type) == (name == "account"))
}
