//! Compiles a bundle: its symbols, its actions, and its record-specific policies.

use std::sync::Arc;

use hashbrown::HashMap;

use super::entities::{ExtraEntities, SymbolTable};
use super::fact_set::FactSet;
use super::name_table::NameTable;
use super::own_conditions::OwnFacts;
use super::programs::{ActionPrograms, TenantEvaluator};
use super::request_shape::{DEFAULT_CHANNEL, RequestShape};
use super::scopes::{PolicyAudience, ScopedPolicy};
use super::specialize::Specializer;
use super::symbols::{self, entity, root};
use crate::cedar::bundle::Bundle;
use crate::cedar::schema::Action;
use crate::compiler::{self, CompileContext, IrExpr, Lowering};
use crate::directory::Directory;
use crate::util::stack::DeepValue;
use crate::vm::Program;

impl TenantEvaluator {
    /// Compiles the bundle. Reserves in the directory the names that the policies use.
    ///
    /// # Errors
    /// The id of the first policy that this compiler does not support. Cedar then evaluates the
    /// bundle.
    pub(crate) fn new(bundle: &Bundle, directory: &mut Directory) -> Result<Self, Arc<str>> {
        let symbols = symbols(bundle);
        let mut programs = Self {
            pool: symbols::pool(),
            session: FactSet::of_session(symbols.channel(DEFAULT_CHANNEL)),
            symbols,
            actions: NameTable::default(),
            list: Vec::new(),
            kind_count: 0,
            resource_types: Vec::new(),
            generation: crate::util::generation::numbering(),
            record_specific: Vec::new(),
            principals: HashMap::new(),
            resources: HashMap::new(),
            reads_facts_record: false,
            reads_host_name: false,
            portable: false,
            policies: DeepValue::default(),
        };
        let policies = ScopedPolicy::all(bundle, &programs.symbols, directory.tables())?;
        let mut own_facts = OwnFacts::default();
        for policy in &policies {
            let node = programs.add_policy(policy, directory)?;
            own_facts.add(&node, &programs.pool, bundle);
        }
        own_facts.store(directory.tables_mut());
        let named = |policy: &&ScopedPolicy| policy.alone.is_some();
        let named: Vec<&ScopedPolicy> = policies.iter().filter(named).collect();
        for (name, action) in &bundle.names.actions {
            programs.action(bundle, name, action, (directory, &named));
        }
        programs.portable = !programs.symbols.records;
        let general = policies.into_iter().filter(|policy| policy.alone.is_none());
        programs.policies = DeepValue::new(general.collect(), bundle.rules.depth);
        Ok(programs)
    }

    /// Compiles a policy for any request. So every name in it gets its number, and a policy that
    /// this compiler does not support is found before a request needs it.
    ///
    /// A policy that names a single record is looked up by that record. Other requests never run
    /// it. Returns the policy's condition.
    fn add_policy(
        &mut self,
        policy: &ScopedPolicy,
        directory: &mut Directory,
    ) -> Result<IrExpr, Arc<str>> {
        let mut compiling = Specializer {
            pool: &mut self.pool,
            named: &mut self.symbols,
            hot: directory.tables_mut(),
            request_shape: RequestShape::ANY,
        };
        let beyond = || Arc::clone(&policy.id);
        let audience = policy.alone.as_ref().map(|audience| match audience {
            PolicyAudience::Principal(kind, id) => {
                (&mut self.principals, compiling.entity(kind, id))
            }
            PolicyAudience::Resource(kind, id) => (&mut self.resources, compiling.entity(kind, id)),
        });
        let node = Lowering {
            known: &mut compiling,
        }
        .condition(&policy.tree, None)
        .and_then(|node| compiling.lower(node))
        .map_err(|_| beyond())?;
        let program =
            compiler::compile(&[(policy.at, &node)], root::COUNT).map_err(|_| beyond())?;
        let whole = u16::from(root::WHOLE_CONTEXT)..u16::try_from(root::COUNT).unwrap_or(u16::MAX);
        self.reads_facts_record |= program.reads(whole);
        if let Some((map, record)) = audience {
            self.reads_host_name |= reads_host_name(&program);
            map.entry(record)
                .or_default()
                .push(u32::try_from(self.record_specific.len()).map_err(|_| beyond())?);
            self.record_specific.push(program);
        }
        Ok(node)
    }

    /// Adds an action with its kinds of request. `named` has the policies that name a single record.
    fn action(
        &mut self,
        bundle: &Bundle,
        name: &str,
        action: &Action,
        (directory, named): (&Directory, &[&ScopedPolicy]),
    ) {
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
        let (kinds, keys) = self
            .kinds_of(bundle, (action, number), named)
            .into_iter()
            .unzip();
        self.actions.push(name);
        let fields = bundle
            .values
            .action("Action", name)
            .and_then(|action| action.context.as_ref())
            .map(|context| context.without("facts").numbered(&mut self.pool));
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
            kinds,
            keys,
        });
    }

    /// Returns the place of a resource type.
    pub(super) fn resource_type(&mut self, name: &str) -> u32 {
        let at = self
            .resource_types
            .iter()
            .position(|known| **known == *name)
            .unwrap_or_else(|| {
                self.resource_types.push(name.into());
                self.resource_types.len().saturating_sub(1)
            });
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

/// Returns whether a program reads the text of the host's name, not only whether it is present.
pub(super) fn reads_host_name(program: &Program) -> bool {
    let host = u16::from(root::HOST);
    program.reads(host..host.saturating_add(1))
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
