//! Compiles a bundle: its symbols, its actions, and its record-specific policies.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::entities::SymbolTable;
use super::fact_set::FactSet;
use super::name_table::find_or_push;
use super::own_conditions::OwnFacts;
use super::programs::{ActionPrograms, TenantEvaluator};
use super::request_shape::{DEFAULT_CHANNEL, RequestShape};
use super::scopes::{PolicyAudience, ScopedPolicy};
use super::specialize::Specializer;
use super::symbols::{self, entity, root};
use crate::cedar::bundle::Bundle;
use crate::cedar::schema::Action;
use crate::compiler::{self, CompileContext, IrExpr};
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
            generation: crate::util::generation::numbering(),
            ..Self::default()
        };
        let policies = ScopedPolicy::all(bundle, &programs.symbols, directory.tables())?;
        let mut own_facts = OwnFacts::default();
        for policy in &policies {
            let node = programs.add_policy(policy, directory)?;
            own_facts.add(&node, &programs.pool, bundle);
        }
        own_facts.store(directory.tables_mut());
        let is_named = |policy: &ScopedPolicy| policy.alone.is_some();
        let (named, general): (Vec<_>, Vec<_>) = policies.into_iter().partition(is_named);
        for (name, action) in &bundle.names.actions {
            programs.add_action(bundle, name, action, (directory, &named));
        }
        programs.policies = DeepValue::new(general, bundle.rules.depth);
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
        let node = compiling.condition(&policy.tree).map_err(|_| beyond())?;
        let program = compiler::compile(&[(policy.at, &node)], root::COUNT);
        let program = program.map_err(|_| beyond())?;
        let whole = u16::from(root::WHOLE_CONTEXT)..u16::try_from(root::COUNT).unwrap_or(u16::MAX);
        self.reads_facts_record |= program.reads(whole);
        if let Some((map, record)) = audience {
            self.reads_host_name |= reads_host_name(&program);
            let at = u32::try_from(self.record_specific.len()).map_err(|_| beyond())?;
            map.entry(record).or_default().push(at);
            self.record_specific.push(program);
        }
        Ok(node)
    }

    /// Adds an action with its kinds of request. `named` has the policies that name a single record.
    fn add_action(
        &mut self,
        bundle: &Bundle,
        name: &str,
        action: &Action,
        (directory, named): (&Directory, &[ScopedPolicy]),
    ) {
        let find = |kind: &str, id: &str| self.symbols.find(directory.tables(), kind, None, id);
        let number = find("Action", name).unwrap_or(u32::MAX);
        let feature = action.feature.as_ref().and_then(|id| find("Feature", id));
        let feature_bit = feature.and_then(|feature| 1_u64.checked_shl(symbols::parts(feature).1));
        let kinds = self.kinds_of(bundle, (action, number), named);
        let (kinds, keys) = kinds.into_iter().unzip();
        self.actions.push(name);
        let values = bundle.values.action("Action", name);
        let context = values.and_then(|values| values.context.as_ref());
        let fields = context.map(|context| context.without("facts").numbered(&mut self.pool));
        let meter = match (action.meters.as_slice(), action.frees.as_slice()) {
            ([meter], []) => bundle.catalog.named_meter(meter),
            _ => None,
        };
        self.list.push(ActionPrograms {
            number,
            feature,
            feature_bit: feature_bit.unwrap_or(0),
            context: action.context,
            fields,
            takes: meter.map(|(name, meter)| (Arc::clone(name), meter.kind)),
            kinds,
            keys,
        });
    }

    /// Returns the place of a resource type.
    pub(super) fn resource_type(&mut self, name: &str) -> u32 {
        let at = find_or_push(&mut self.resource_types, &name.into(), usize::MAX);
        at.and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX)
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
    let ids = bundle.actions.iter().map(cedar_policy::Entity::uid);
    let mut actions: Vec<Box<str>> = ids.map(|uid| uid.id().unescaped().into()).collect();
    actions.sort_unstable();
    let place = |id: &str| actions.binary_search_by(|known| (**known).cmp(id)).ok();
    let number = |id: &str| Some(entity(symbols::ACTION, u32::try_from(place(id)?).ok()?));
    let mut above = vec![Vec::new(); actions.len()];
    for action in bundle.actions.iter() {
        let uid = action.uid();
        let ancestors = bundle.actions.ancestors(&uid).into_iter().flatten();
        let over = ancestors.filter_map(|uid| number(uid.id().unescaped()));
        let mut over: Vec<u32> = over.collect();
        over.sort_unstable();
        if let Some(slot) = place(uid.id().unescaped()).and_then(|at| above.get_mut(at)) {
            *slot = over;
        }
    }
    let texts = |names: &BTreeSet<String>| names.iter().map(|name| name.as_str().into()).collect();
    SymbolTable {
        channels: texts(&bundle.names.channels),
        meters: texts(&bundle.names.meters),
        actions,
        above,
        ..SymbolTable::default()
    }
}
