//! The programs of a bundle, one for each kind of request, picked when the bundle is loaded.

use std::sync::Arc;

use cedar_policy::{PolicyId, pst};
use hashbrown::HashMap;

use super::known::{Asked, Compiling, Shape};
use super::words::{self, entity, root};
use super::world::Named;
use crate::directory::Directory;
use crate::eval::{Pool, Program};
use crate::policy::Bundle;
use crate::policy::compile::{self, Node, Reader};
use crate::policy::fast::linked;

/// Programs for one action and one pair of types.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) principal: u32,
    pub(super) resource: Box<str>,
    /// Whether a resource that comes inline needs an `account`, and nothing else.
    pub(super) owned: bool,
    /// Whether a policy reads the host's name itself.
    pub(super) reads_host: bool,
    /// For any request.
    pub(super) any: Program,
    /// For a session's request: of a main account or operator, and of a client.
    pub(super) session: [Program; 2],
}

/// An action as a request finds it.
#[derive(Debug)]
pub(super) struct ActionEntry {
    pub(super) number: u32,
    pub(super) feature: Option<u32>,
    /// Whether the action's context needs fields of its own.
    pub(super) context: bool,
    pub(super) entries: Vec<Entry>,
}

/// Everything that answers for one bundle and one numbering of the directory.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(super) pool: Pool,
    pub(super) named: Named,
    pub(super) actions: HashMap<Box<str>, ActionEntry>,
    /// Whether no policy names a record: then it serves any numbering.
    portable: bool,
}

/// A policy: its position in gate order, its id and its tree.
type Tree<'a> = (u32, &'a Arc<str>, pst::Template);

impl Programs {
    /// Whether it serves another directory of the same bundle too.
    pub(in crate::policy) fn is_portable(&self) -> bool {
        self.portable
    }

    /// Compiles the bundle. Names in the directory what the policies name.
    ///
    /// # Errors
    /// The id of the first policy that is beyond this version: then Cedar answers.
    pub(crate) fn new(bundle: &Bundle, directory: &mut Directory) -> Result<Self, Arc<str>> {
        let mut programs = Self { pool: words::pool(), named: named(bundle), actions: HashMap::new(), portable: false };
        let mut trees = Vec::new();
        for (rule, at) in bundle.rules.list.iter().zip(0..) {
            let policy = bundle.rules.set.policy(&PolicyId::new(&rule.id));
            let tree = policy.and_then(|policy| policy.to_pst().ok()).and_then(|tree| linked(&tree));
            trees.push((at, &rule.id, tree.ok_or_else(|| Arc::clone(&rule.id))?));
        }
        let trees: Vec<&Tree<'_>> = trees.iter().collect();
        for (name, action) in &bundle.names.actions {
            let number = programs.named.find(directory.hot(), "Action", None, name).unwrap_or(u32::MAX);
            let feature = action.feature.as_ref().and_then(|feature| programs.named.find(directory.hot(), "Feature", None, feature));
            let mut entries = Vec::new();
            for principal in &action.principals {
                let Some(kind) = words::TYPES.iter().position(|known| known == principal).and_then(|at| u32::try_from(at).ok()) else { continue };
                for resource in &action.resources {
                    let asked = |session, client| Asked {
                        principal: kind,
                        action: number,
                        feature,
                        resource,
                        shape: bundle.shapes.get(resource.as_str()),
                        session,
                        client,
                    };
                    let (any, left) = programs.compile(&trees, directory, asked(false, None))?;
                    let (main, _) = programs.compile(&left, directory, asked(true, Some(false)))?;
                    let (client, _) = programs.compile(&left, directory, asked(true, Some(true)))?;
                    let owned = bundle.shapes.get(resource.as_str()).is_some_and(is_owned) && !crate::policy::facts::is_directory_type(resource);
                    let reads_host = [&main, &client].iter().any(|program| program.reads(u16::from(root::HOST)));
                    entries.push(Entry { principal: kind, resource: resource.as_str().into(), owned, reads_host, any, session: [main, client] });
                }
            }
            programs.actions.insert(name.as_str().into(), ActionEntry { number, feature, context: action.context, entries });
        }
        programs.portable = !programs.named.records;
        Ok(programs)
    }

    /// The program of one kind of request, and the policies that can apply to it.
    fn compile<'b>(&mut self, trees: &[&'b Tree<'b>], directory: &mut Directory, asked: Asked<'_>) -> Result<(Program, Vec<&'b Tree<'b>>), Arc<str>> {
        let mut compiling = Compiling { pool: &mut self.pool, named: &mut self.named, hot: directory.hot_mut(), asked };
        let (mut nodes, mut left) = (Vec::new(), Vec::new());
        for part in trees {
            let (at, id, tree) = part;
            let beyond = || Arc::clone(id);
            let node = Reader { known: &mut compiling }.policy(tree).map_err(|_| beyond())?;
            if node != Node::Value(crate::eval::Value::Bool(false)) {
                nodes.push((*at, compiling.lower(node).map_err(|_| beyond())?));
                left.push(*part);
            }
        }
        let program = compile::compile(&nodes, root::COUNT).map_err(|_| Arc::from("too many policies for one kind of request"))?;
        Ok((program, left))
    }
}

/// Whether `account` is all that such a resource must have.
fn is_owned(shape: &Shape) -> bool {
    shape.get("account") == Some(&true) && shape.values().filter(|required| **required).count() == 1
}

/// Actions in the order of their names, channels, and what each action is in.
fn named(bundle: &Bundle) -> Named {
    let mut actions: Vec<Box<str>> = bundle.actions.iter().map(|action| action.uid().id().unescaped().into()).collect();
    actions.sort_unstable();
    let number = |id: &str| actions.binary_search_by(|known| (**known).cmp(id)).ok().and_then(|at| u32::try_from(at).ok()).map(|at| entity(words::ACTION, at));
    let mut above = vec![Vec::new(); actions.len()];
    for action in bundle.actions.iter() {
        let uid = action.uid();
        let mut over: Vec<u32> = bundle.actions.ancestors(&uid).into_iter().flatten().filter_map(|uid| number(uid.id().unescaped())).collect();
        over.sort_unstable();
        if let Some(place) = actions.binary_search_by(|known| (**known).cmp(uid.id().unescaped())).ok().and_then(|at| above.get_mut(at)) {
            *place = over;
        }
    }
    let channels = bundle.names.channels.iter().map(|name| name.as_str().into()).collect();
    Named { others: Vec::new(), actions, channels, above, records: false }
}
