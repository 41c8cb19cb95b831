//! The programs of a bundle, one for each kind of request, picked when the bundle is loaded.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;

use super::answer_cache::Memo;
use super::bloom_filter::Sieve;
use super::entities::{Named, Others};
use super::plan_table::{Names, Planned, Ready};
use super::scopes::{Scoped, Whom};
use super::specialize::{Asked, Compiling, Shape};
use super::symbolic::allow;
use super::symbols::{self, entity, root};
use crate::cedar::bundle::Bundle;
use crate::cedar::policy_list::Role;
use crate::cedar::schema::Action;
use crate::cedar::tenant_facts::is_directory_type;
use crate::cedar::value_json::{Record, Type};
use crate::compiler::{self, Known, Node, Reader};
use crate::directory::Directory;
use crate::model::catalog::MeterKind;
use crate::vm::{Pool, Program};

/// Programs for one action and one pair of types.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) principal: u32,
    /// The resource type's place in [`Programs::kinds`].
    pub(crate) kind: u32,
    pub(crate) resource: Box<str>,
    /// The resource type's text.
    pub(crate) text: u32,
    /// The kind of record, where it is one.
    pub(crate) record: u32,
    /// Whether nothing must come with the resource but its account.
    pub(crate) plain: bool,
    /// The place of its plans, if it has any.
    pub(crate) ready: Option<u32>,
    /// What a resource that comes inline brings; nothing for a record of the directory.
    pub(crate) inline: Option<Inline>,
    /// For a session's request: of a main account or operator, and of a client.
    pub(crate) session: [Sessions; 2],
    /// For any request.
    pub(crate) any: Vec<Program>,
}

/// What a resource that comes inline may, and must, bring.
#[derive(Debug)]
pub(crate) struct Inline {
    /// Whether it has an `account`, and must have one.
    pub(crate) account: Option<bool>,
    /// Its other attributes; nothing where they are Cedar's to read.
    pub(crate) attributes: Option<Record>,
    pub(crate) tags: Option<Type>,
    pub(crate) parents: Vec<Box<str>>,
    /// Whether an `account`, and nothing else, must be there.
    pub(crate) owned: bool,
}

impl Inline {
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

/// What answers the requests of a session.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// What the plan asks beside the bits.
    pub(crate) others: Vec<Program>,
    /// Every policy that can apply, in gate order.
    pub(crate) programs: Vec<Program>,
    /// The permits and warnings alone: which of them hold, once the plan has allowed.
    pub(crate) permits: Vec<Program>,
    /// The policies that say something of what is asked of a meter, and nothing where none is: where none of them applies, the
    /// answer is the one without a meter. Nothing where a policy says something of both.
    pub(crate) limits: Option<Vec<Program>>,
}

/// An action as a request finds it.
#[derive(Debug)]
pub(crate) struct ActionEntry {
    pub(crate) number: u32,
    pub(crate) feature: Option<u32>,
    /// The place of the feature, or any.
    pub(crate) feature_place: u32,
    /// Whether the action's context needs fields of its own.
    pub(crate) context: bool,
    /// Those fields; nothing where they are Cedar's to read.
    pub(crate) fields: Option<Record>,
    /// What it takes, where that is of one meter and it frees none.
    pub(crate) takes: Option<(Arc<str>, MeterKind)>,
    pub(crate) entries: Vec<Entry>,
}

/// Places in [`Programs::alone`], by the number of the record that they are about.
pub(crate) type Alone = HashMap<u32, Vec<u32>>;

/// Everything that answers for one bundle and one numbering of the directory.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) pool: Pool,
    pub(crate) named: Named,
    /// Places in `list` by name.
    pub(crate) actions: Names,
    pub(crate) list: Vec<ActionEntry>,
    pub(crate) ready: Ready,
    /// The types of resources.
    pub(crate) kinds: Vec<Box<str>>,
    /// What handles of actions and resource types remember.
    pub(crate) numbering: u32,
    /// Policies about one principal or one resource alone, each a program, and whose they are.
    pub(crate) alone: Vec<Program>,
    pub(crate) principals: Alone,
    pub(crate) resources: Alone,
    /// Whether a policy may be about such a principal, and about a resource of such an id.
    pub(crate) sieves: [Sieve; 2],
    /// Whether a policy reads the facts, or a part of them, as one record.
    pub(crate) whole: bool,
    /// Whether a policy reads the host's name itself, not only whether there is one.
    pub(crate) reads_host: bool,
    /// Whether no policy names a record: then it serves any numbering.
    portable: bool,
}

impl Programs {
    /// Whether it serves another directory of the same bundle too.
    pub(crate) fn is_portable(&self) -> bool {
        self.portable
    }

    /// Compiles the bundle. Names in the directory what the policies name.
    ///
    /// # Errors
    /// The id of the first policy that is beyond this version: then Cedar answers.
    pub(crate) fn new(bundle: &Bundle, directory: &mut Directory) -> Result<Self, Arc<str>> {
        let mut programs = Self {
            pool: symbols::pool(),
            named: named(bundle),
            actions: Names::default(),
            list: Vec::new(),
            ready: Ready::default(),
            kinds: Vec::new(),
            numbering: crate::util::generation::numbering(),
            alone: Vec::new(),
            principals: HashMap::new(),
            resources: HashMap::new(),
            sieves: Default::default(),
            whole: false,
            reads_host: false,
            portable: false,
        };
        let policies = Scoped::all(bundle, &programs.named, directory.hot())?;
        let mut about = Vec::new();
        for policy in policies.iter().filter(|policy| policy.alone.is_some()) {
            programs.stand_alone(policy, directory)?;
            about.extend(if let Some(Whom::Resource(_, id)) = &policy.alone {
                Some(id.as_str())
            } else {
                None
            });
        }
        programs.sieves = [
            Sieve::of_numbers(programs.principals.keys().copied()),
            Sieve::of_texts(about.into_iter()),
        ];
        let policies: Vec<&Scoped<'_>> = policies
            .iter()
            .filter(|policy| policy.alone.is_none())
            .collect();
        for (name, action) in &bundle.names.actions {
            programs.action(bundle, name, action, &policies, directory)?;
        }
        programs.whole = programs
            .read(u16::from(root::WHOLE_CONTEXT)..u16::try_from(root::COUNT).unwrap_or(u16::MAX));
        programs.reads_host = programs.whole
            || programs.read(u16::from(root::HOST)..u16::from(root::HOST).saturating_add(1));
        programs.portable = !programs.named.records;
        Ok(programs)
    }

    /// A policy that is looked up by whom it is about: no other request meets it.
    fn stand_alone(
        &mut self,
        policy: &Scoped<'_>,
        directory: &mut Directory,
    ) -> Result<(), Arc<str>> {
        let mut compiling = Compiling {
            pool: &mut self.pool,
            named: &mut self.named,
            hot: directory.hot_mut(),
            asked: Asked::ANY,
        };
        let beyond = || Arc::clone(policy.id);
        let (map, whom) = match &policy.alone {
            Some(Whom::Principal(kind, id)) => (&mut self.principals, compiling.entity(kind, id)),
            Some(Whom::Resource(kind, id)) => (&mut self.resources, compiling.entity(kind, id)),
            None => return Ok(()),
        };
        let node = Reader {
            known: &mut compiling,
        }
        .policy(&policy.tree)
        .and_then(|node| compiling.lower(node))
        .map_err(|_| beyond())?;
        let program =
            compiler::compile(&[(policy.at, &node)], root::COUNT).map_err(|_| beyond())?;
        map.entry(whom)
            .or_default()
            .push(u32::try_from(self.alone.len()).map_err(|_| beyond())?);
        self.alone.push(program);
        Ok(())
    }

    /// The programs of one action.
    fn action(
        &mut self,
        bundle: &Bundle,
        name: &str,
        action: &Action,
        policies: &[&Scoped<'_>],
        directory: &mut Directory,
    ) -> Result<(), Arc<str>> {
        let number = self
            .named
            .find(directory.hot(), "Action", None, name)
            .unwrap_or(u32::MAX);
        let feature = action
            .feature
            .as_ref()
            .and_then(|feature| self.named.find(directory.hot(), "Feature", None, feature));
        let feature_place = feature.map_or(0, |feature| symbols::parts(feature).1);
        self.ready.action(feature_place);
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
                let inline = Inline::new(bundle, action, resource);
                let owned = inline.as_ref().is_some_and(|inline| inline.owned);
                let asked = |session, client| Asked {
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
                let admitted: Vec<&Scoped<'_>> = policies
                    .iter()
                    .filter(|policy| policy.admits(principal, number, resource, &self.named))
                    .copied()
                    .collect();
                let (any, nodes) = self.nodes(&admitted, directory, asked(false, None))?;
                let left: Vec<&Scoped<'_>> = nodes.iter().map(|(policy, _)| *policy).collect();
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
                let entry = Entry {
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
        self.list.push(ActionEntry {
            number,
            feature,
            feature_place,
            context: action.context,
            fields,
            takes,
            entries,
        });
        Ok(())
    }

    /// Whether any program reads one of these registers.
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
                    .any(|session| reads(&session.programs) || reads(&session.others))
        });
        in_entries || reads(&self.alone)
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

    /// The programs of one kind of request, and the policies that can apply to it.
    fn nodes<'b>(
        &mut self,
        policies: &[&'b Scoped<'b>],
        directory: &mut Directory,
        asked: Asked<'_>,
    ) -> Result<Compiled<'b>, Arc<str>> {
        let mut compiling = Compiling {
            pool: &mut self.pool,
            named: &mut self.named,
            hot: directory.hot_mut(),
            asked,
        };
        let mut left = Vec::new();
        for policy in policies {
            let beyond = |_| Arc::clone(policy.id);
            let node = Reader {
                known: &mut compiling,
            }
            .policy(&policy.tree)
            .map_err(beyond)?;
            if node != Node::Value(crate::vm::Value::Bool(false)) {
                left.push((*policy, compiling.lower(node).map_err(beyond)?));
            }
        }
        let mut programs = Vec::new();
        split(&left, &mut programs)?;
        Ok((programs, left))
    }

    /// What answers one kind of session's requests; and the allow bit from their bits, unless the policies say too much.
    fn session(
        &mut self,
        bundle: &Bundle,
        policies: &[&Scoped<'_>],
        directory: &mut Directory,
        asked: Asked<'_>,
        client: bool,
    ) -> Result<(Sessions, Option<Planned>), Arc<str>> {
        let (programs, nodes) = self.nodes(policies, directory, asked)?;
        let limits = self.limits(
            policies,
            &nodes,
            directory,
            Asked {
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
                    Planned {
                        plan: allowing.plan,
                        reads: allowing.reads,
                        memo: Memo::new(allowing.bits, allowing.asks),
                    },
                    others,
                ))
            });
        let (mut permits, mut permitting) = (Vec::new(), nodes);
        permitting.retain(|(policy, _)| bundle.rules.role_at(policy.at as usize) != Role::Forbid);
        split(&permitting, &mut permits)?;
        let (plan, others) =
            planned.map_or((None, Vec::new()), |(plan, others)| (Some(plan), others));
        Ok((
            Sessions {
                others,
                programs,
                permits,
                limits,
            },
            plan,
        ))
    }

    /// The policies that read what is asked of a meter, if each of them is silent where none is.
    fn limits(
        &mut self,
        policies: &[&Scoped<'_>],
        without: &[(&Scoped<'_>, Node)],
        directory: &mut Directory,
        asked: Asked<'_>,
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

/// One program of all these policies; of halves of them, where they are too many for one.
fn split(nodes: &[(&Scoped<'_>, Node)], programs: &mut Vec<Program>) -> Result<(), Arc<str>> {
    let mut todo = vec![nodes];
    while let Some(part) = todo.pop() {
        let policies: Vec<(u32, &Node)> = part
            .iter()
            .map(|(policy, node)| (policy.at, node))
            .collect();
        match (compiler::compile(&policies, root::COUNT), part) {
            (Ok(program), _) => programs.push(program),
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

/// Programs, and the policies that are in them with their conditions.
type Compiled<'b> = (Vec<Program>, Vec<(&'b Scoped<'b>, Node)>);

/// Whether `account` is all that such a resource must have.
fn is_owned(shape: &Shape, required: &BTreeSet<&str>) -> bool {
    let must = |name: &String, by_type: &bool| *by_type || required.contains(name.as_str());
    shape.contains_key("account")
        && shape
            .iter()
            .all(|(name, by_type)| must(name, by_type) == (name == "account"))
}

/// Actions in the order of their names, channels, and what each action is in.
fn named(bundle: &Bundle) -> Named {
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
    Named {
        others: Others::default(),
        actions,
        channels,
        meters,
        above,
        records: false,
    }
}
