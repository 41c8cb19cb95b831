//! The programs of a bundle, one set for each kind of request, selected when the bundle is loaded.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;

use super::answer_cache::AnswerCache;
use super::bloom_filter::BloomFilter;
use super::entities::{ExtraEntities, SymbolTable};
use super::plan_table::{NameTable, PlanTable, SessionPlan};
use super::scopes::{PolicyAudience, ScopedPolicy};
use super::specialize::{AttributeShape, RequestShape, Specializer};
use super::symbolic::allow;
use super::symbols::{self, entity, root};
use crate::cedar::bundle::Bundle;
use crate::cedar::policy_list::PolicyEffect;
use crate::cedar::schema::Action;
use crate::cedar::tenant_facts::is_directory_type;
use crate::cedar::value_json::{CedarType, RecordType};
use crate::compiler::{self, CompileContext, IrExpr, Lowering};
use crate::directory::Directory;
use crate::model::catalog::MeterKind;
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
    fn new(bundle: &Bundle, action: &Action, kind: &str) -> Option<Self> {
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
    portable: bool,
}

impl TenantEvaluator {
    /// Returns whether the evaluator is valid for another directory of the same bundle too.
    pub(crate) fn is_portable(&self) -> bool {
        self.portable
    }

    /// Compiles the bundle. Reserves in the directory the names that the policies use.
    ///
    /// # Errors
    /// The id of the first policy that this compiler does not support. Cedar then evaluates the
    /// bundle.
    pub(crate) fn new(bundle: &Bundle, directory: &mut Directory) -> Result<Self, Arc<str>> {
        let mut programs = Self {
            pool: symbols::pool(),
            symbols: symbols(bundle),
            actions: NameTable::default(),
            list: Vec::new(),
            ready: PlanTable::default(),
            kinds: Vec::new(),
            generation: crate::util::generation::numbering(),
            record_specific: Vec::new(),
            principals: HashMap::new(),
            resources: HashMap::new(),
            sieves: Default::default(),
            reads_facts_record: false,
            reads_host_name: false,
            portable: false,
        };
        let policies = ScopedPolicy::all(bundle, &programs.symbols, directory.tables())?;
        let mut about = Vec::new();
        for policy in policies.iter().filter(|policy| policy.alone.is_some()) {
            programs.add_record_specific(policy, directory)?;
            about.extend(
                if let Some(PolicyAudience::Resource(_, id)) = &policy.alone {
                    Some(id.as_str())
                } else {
                    None
                },
            );
        }
        programs.sieves = [
            BloomFilter::of_numbers(programs.principals.keys().copied()),
            BloomFilter::of_texts(about.into_iter()),
        ];
        let policies: Vec<&ScopedPolicy<'_>> = policies
            .iter()
            .filter(|policy| policy.alone.is_none())
            .collect();
        for (name, action) in &bundle.names.actions {
            programs.action(bundle, name, action, &policies, directory)?;
        }
        programs.reads_facts_record = programs
            .read(u16::from(root::WHOLE_CONTEXT)..u16::try_from(root::COUNT).unwrap_or(u16::MAX));
        programs.reads_host_name = programs.reads_facts_record
            || programs.read(u16::from(root::HOST)..u16::from(root::HOST).saturating_add(1));
        programs.portable = !programs.symbols.records;
        Ok(programs)
    }

    /// Adds a policy that is looked up by the record that it names. Other requests never run it.
    fn add_record_specific(
        &mut self,
        policy: &ScopedPolicy<'_>,
        directory: &mut Directory,
    ) -> Result<(), Arc<str>> {
        let mut compiling = Specializer {
            pool: &mut self.pool,
            named: &mut self.symbols,
            hot: directory.tables_mut(),
            asked: RequestShape::ANY,
        };
        let beyond = || Arc::clone(policy.id);
        let (map, whom) = match &policy.alone {
            Some(PolicyAudience::Principal(kind, id)) => {
                (&mut self.principals, compiling.entity(kind, id))
            }
            Some(PolicyAudience::Resource(kind, id)) => {
                (&mut self.resources, compiling.entity(kind, id))
            }
            None => return Ok(()),
        };
        let node = Lowering {
            known: &mut compiling,
        }
        .policy(&policy.tree)
        .and_then(|node| compiling.lower(node))
        .map_err(|_| beyond())?;
        let program =
            compiler::compile(&[(policy.at, &node)], root::COUNT).map_err(|_| beyond())?;
        map.entry(whom)
            .or_default()
            .push(u32::try_from(self.record_specific.len()).map_err(|_| beyond())?);
        self.record_specific.push(program);
        Ok(())
    }

    /// Compiles the programs of one action for each pair of types in its schema.
    fn type_pairs(
        &mut self,
        bundle: &Bundle,
        action: &Action,
        (number, feature): (u32, Option<u32>),
        policies: &[&ScopedPolicy<'_>],
        directory: &mut Directory,
    ) -> Result<Vec<TypePairPrograms>, Arc<str>> {
        let mut entries = Vec::new();
        for principal in &action.principals {
            let Some(kind) = symbols::TYPES
                .iter()
                .position(|known| known == principal)
                .and_then(|at| u32::try_from(at).ok())
            else {
                continue;
            };
            for resource in &action.resources {
                let shape = bundle.shapes.get(resource.as_str());
                let inline = InlineRules::new(bundle, action, resource);
                let owned = inline.as_ref().is_some_and(|inline| inline.owned);
                let asked = |session, client| RequestShape {
                    principal: kind,
                    action: number,
                    feature,
                    resource,
                    shape,
                    owned,
                    session,
                    metered: false,
                    client,
                    any: false,
                };
                let admitted: Vec<&ScopedPolicy<'_>> = policies
                    .iter()
                    .filter(|policy| policy.admits(principal, number, resource, &self.symbols))
                    .copied()
                    .collect();
                let (any, nodes) = self.nodes(&admitted, directory, asked(false, None))?;
                let left: Vec<&ScopedPolicy<'_>> =
                    nodes.iter().map(|(policy, _)| *policy).collect();
                let (main, of_main) =
                    self.session(bundle, &left, directory, asked(true, Some(false)), false)?;
                let (client, of_client) =
                    self.session(bundle, &left, directory, asked(true, Some(true)), true)?;
                let text = self.pool.text(resource);
                let plain = inline.as_ref().is_none_or(|inline| inline.owned);
                let place = self.kind(resource);
                let ready = if plain && !action.context {
                    self.ready.put(
                        (kind, place, entries.len(), inline.is_some()),
                        [of_main, of_client],
                    )
                } else {
                    None
                };
                let record = symbols::TYPES
                    .iter()
                    .position(|known| known == resource)
                    .and_then(|at| u32::try_from(at).ok())
                    .unwrap_or(u32::MAX);
                let entry = TypePairPrograms {
                    principal: kind,
                    kind: place,
                    text,
                    record,
                    plain,
                    ready,
                    resource: resource.as_str().into(),
                    inline,
                    session: [main, client],
                    any,
                };
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// Compiles the programs of one action.
    fn action(
        &mut self,
        bundle: &Bundle,
        name: &str,
        action: &Action,
        policies: &[&ScopedPolicy<'_>],
        directory: &mut Directory,
    ) -> Result<(), Arc<str>> {
        let number = self
            .symbols
            .find(directory.tables(), "Action", None, name)
            .unwrap_or(u32::MAX);
        let feature = action.feature.as_ref().and_then(|feature| {
            self.symbols
                .find(directory.tables(), "Feature", None, feature)
        });
        let feature_bit = feature
            .and_then(|feature| 1_u64.checked_shl(symbols::parts(feature).1))
            .unwrap_or(0);
        self.ready.action(feature_bit);
        let entries = self.type_pairs(bundle, action, (number, feature), policies, directory)?;
        self.actions.push(name);
        let fields = bundle
            .values
            .action("Action", name)
            .and_then(|action| action.context.as_ref())
            .map(|context| context.without("facts"));
        let takes = match (action.meters.as_slice(), action.frees.as_slice()) {
            ([meter], []) => bundle
                .catalog
                .named_meter(meter)
                .map(|(name, meter)| (Arc::clone(name), meter.kind)),
            _ => None,
        };
        self.list.push(ActionPrograms {
            number,
            feature,
            feature_bit,
            context: action.context,
            fields,
            takes,
            entries,
        });
        Ok(())
    }

    /// Returns whether any program reads one of these registers.
    fn read(&self, registers: std::ops::Range<u16>) -> bool {
        let reads = |programs: &[Program]| {
            programs
                .iter()
                .any(|program| program.reads(registers.clone()))
        };
        let mut entries = self.list.iter().flat_map(|action| &action.entries);
        let in_entries = entries.any(|entry| {
            reads(&entry.any)
                || entry
                    .session
                    .iter()
                    .any(|session| reads(&session.all) || reads(&session.plan_extras))
        });
        in_entries || reads(&self.record_specific)
    }

    fn kind(&mut self, name: &str) -> u32 {
        let at = self
            .kinds
            .iter()
            .position(|known| **known == *name)
            .unwrap_or_else(|| {
                self.kinds.push(name.into());
                self.kinds.len().saturating_sub(1)
            });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// Compiles the programs of one kind of request. Also returns the policies that can apply to
    /// it.
    fn nodes<'b>(
        &mut self,
        policies: &[&'b ScopedPolicy<'b>],
        directory: &mut Directory,
        asked: RequestShape<'_>,
    ) -> Result<CompiledPolicies<'b>, Arc<str>> {
        let mut compiling = Specializer {
            pool: &mut self.pool,
            named: &mut self.symbols,
            hot: directory.tables_mut(),
            asked,
        };
        let mut left = Vec::new();
        for policy in policies {
            let beyond = |_| Arc::clone(policy.id);
            let node = Lowering {
                known: &mut compiling,
            }
            .policy(&policy.tree)
            .map_err(beyond)?;
            if node != IrExpr::Value(crate::vm::Value::Bool(false)) {
                left.push((*policy, compiling.lower(node).map_err(beyond)?));
            }
        }
        let mut programs = Vec::new();
        split(&left, &mut programs)?;
        Ok((programs, left))
    }

    /// Compiles one kind of session request. Also returns its plan, unless the decision diagram
    /// would be too large.
    fn session(
        &mut self,
        bundle: &Bundle,
        policies: &[&ScopedPolicy<'_>],
        directory: &mut Directory,
        asked: RequestShape<'_>,
        client: bool,
    ) -> Result<(SessionPrograms, Option<SessionPlan>), Arc<str>> {
        let (programs, nodes) = self.nodes(policies, directory, asked)?;
        let limits = self.limits_only(
            policies,
            &nodes,
            directory,
            RequestShape {
                metered: true,
                ..asked
            },
        )?;
        let policies = nodes
            .iter()
            .map(|(policy, node)| (bundle.rules.role_at(policy.at as usize), node));
        let planned = allow(&asked, client, &self.pool, policies)
            .ok()
            .and_then(|allowing| {
                let others = allowing
                    .others
                    .into_iter()
                    .map(|node| compiler::compile(&[(0, &node)], root::COUNT));
                let others = others.collect::<Result<Vec<_>, _>>().ok()?;
                Some((
                    SessionPlan {
                        plan: allowing.plan,
                        reads: allowing.reads,
                        memo: AnswerCache::new(allowing.bits, allowing.asks),
                    },
                    others,
                ))
            });
        let (mut permits, mut permitting) = (Vec::new(), nodes);
        permitting
            .retain(|(policy, _)| bundle.rules.role_at(policy.at as usize) != PolicyEffect::Forbid);
        split(&permitting, &mut permits)?;
        let (plan, others) =
            planned.map_or((None, Vec::new()), |(plan, others)| (Some(plan), others));
        Ok((
            SessionPrograms {
                plan_extras: others,
                all: programs,
                permits_only: permits,
                limits,
            },
            plan,
        ))
    }

    /// Compiles the limit policies. Returns `None` if the meter changes the condition of another
    /// policy.
    fn limits_only(
        &mut self,
        policies: &[&ScopedPolicy<'_>],
        without: &[(&ScopedPolicy<'_>, IrExpr)],
        directory: &mut Directory,
        asked: RequestShape<'_>,
    ) -> Result<Option<Vec<Program>>, Arc<str>> {
        let (_, mut nodes) = self.nodes(policies, directory, asked)?;
        for (known, node) in without {
            let Some(at) = nodes.iter().position(|(policy, _)| policy.at == known.at) else {
                return Ok(None);
            };
            if nodes.remove(at).1 != *node {
                return Ok(None);
            }
        }
        let mut programs = Vec::new();
        split(&nodes, &mut programs)?;
        Ok(Some(programs))
    }
}

/// Compiles the policies into one program, or into programs of halves if they are too many for one.
fn split(nodes: &[(&ScopedPolicy<'_>, IrExpr)], all: &mut Vec<Program>) -> Result<(), Arc<str>> {
    let mut todo = vec![nodes];
    while let Some(part) = todo.pop() {
        let policies: Vec<(u32, &IrExpr)> = part
            .iter()
            .map(|(policy, node)| (policy.at, node))
            .collect();
        match (compiler::compile(&policies, root::COUNT), part) {
            (Ok(program), _) => all.push(program),
            (Err(_), [] | [_]) => {
                return Err(part
                    .first()
                    .map_or_else(|| Arc::from("nothing"), |(policy, _)| Arc::clone(policy.id)));
            }
            (Err(_), _) => {
                let (first, second) = part.split_at(part.len() / 2);
                todo.extend([second, first]);
            }
        }
    }
    Ok(())
}

/// Programs, and the policies in them with their conditions.
type CompiledPolicies<'b> = (Vec<Program>, Vec<(&'b ScopedPolicy<'b>, IrExpr)>);

/// Returns whether the `account` is the only required attribute of a resource type.
fn is_owned(shape: &AttributeShape, required: &BTreeSet<&str>) -> bool {
    let must = |name: &String, by_type: &bool| *by_type || required.contains(name.as_str());
    shape.contains_key("account")
        && shape
            .iter()
            .all(|(name, by_type)| must(name, by_type) == (name == "account"))
}

/// Collects the bundle's symbols: actions in order of their names, channels, meters, and the
/// ancestors of each action.
fn symbols(bundle: &Bundle) -> SymbolTable {
    let mut actions: Vec<Box<str>> = bundle
        .actions
        .iter()
        .map(|action| action.uid().id().unescaped().into())
        .collect();
    actions.sort_unstable();
    let number = |id: &str| {
        actions
            .binary_search_by(|known| (**known).cmp(id))
            .ok()
            .and_then(|at| u32::try_from(at).ok())
            .map(|at| entity(symbols::ACTION, at))
    };
    let mut above = vec![Vec::new(); actions.len()];
    for action in bundle.actions.iter() {
        let uid = action.uid();
        let mut over: Vec<u32> = bundle
            .actions
            .ancestors(&uid)
            .into_iter()
            .flatten()
            .filter_map(|uid| number(uid.id().unescaped()))
            .collect();
        over.sort_unstable();
        if let Some(place) = actions
            .binary_search_by(|known| (**known).cmp(uid.id().unescaped()))
            .ok()
            .and_then(|at| above.get_mut(at))
        {
            *place = over;
        }
    }
    let texts = |names: &std::collections::BTreeSet<String>| {
        names.iter().map(|name| name.as_str().into()).collect()
    };
    let (channels, meters) = (texts(&bundle.names.channels), texts(&bundle.names.meters));
    SymbolTable {
        others: ExtraEntities::default(),
        actions,
        channels,
        meters,
        above,
        records: false,
    }
}
