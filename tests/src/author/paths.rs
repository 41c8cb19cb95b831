//! All paths that lead from principal, resource and context to values, through at most four
//! references.

use super::kinds::ValueKind;
use super::schema::AuthorSchema;
use crate::Random;

/// Maximum number of references between records on a path.
const MAX_REFERENCES: usize = 4;

/// The types of the variables of a policy. A variable that the scope does not fix is tested with
/// `is` before it is read.
#[derive(Debug, Clone)]
pub(super) struct RuleTypes {
    pub(super) principal: &'static str,
    pub(super) is_principal_fixed: bool,
    pub(super) action: String,
    pub(super) resource: &'static str,
    pub(super) is_resource_fixed: bool,
}

/// A path to a value.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// The names of the path, the variable first. Each has a mark if its value may be absent.
    steps: Vec<(&'static str, bool)>,
    /// The test of the variable's type.
    is: Option<String>,
    pub(super) kind: ValueKind,
    pub(super) references: usize,
}

fn join<'a>(steps: impl Iterator<Item = &'a (&'static str, bool)>) -> String {
    steps.map(|(name, _)| *name).collect::<Vec<_>>().join(".")
}

impl Path {
    /// Returns the path as Cedar text.
    pub(super) fn text(&self) -> String {
        join(self.steps.iter())
    }

    /// Returns the tests that let Cedar read the path: `has` for each name that may be absent.
    pub(super) fn guards(&self, random: &mut Random) -> Vec<String> {
        let mut guards: Vec<String> = self.is.clone().into_iter().collect();
        let absent = self.steps.iter().enumerate();
        let absent: Vec<usize> = absent
            .filter(|(_, (_, is_optional))| *is_optional)
            .map(|(at, _)| at)
            .collect();
        let (Some(first), Some(last)) = (absent.first(), absent.last()) else {
            return guards;
        };
        let has = |from: usize, to: usize| {
            let (base, names) = self.steps.split_at(from);
            let names = &names[..=to - from];
            format!("{} has {}", join(base.iter()), join(names.iter()))
        };
        match random.below(3) {
            0 => guards.extend(absent.iter().map(|at| has(*at, *at))),
            1 => guards.push(has(1, *last)),
            _ => guards.push(has(*first, *last)),
        }
        guards
    }

    /// Returns a test whether the path has a value, with the tests that it needs.
    pub(super) fn presence(&self, random: &mut Random) -> (Vec<String>, String) {
        let (Some(last), before) = (self.steps.last(), &self.steps[..self.steps.len() - 1]) else {
            return (Vec::new(), "true".to_owned());
        };
        let base = Path {
            steps: before.to_vec(),
            ..self.clone()
        };
        let guards = base.guards(random);
        (guards, format!("{} has {}", base.text(), last.0))
    }

    /// Returns whether a test for the value can begin two names before its end.
    pub(super) fn is_deep(&self) -> bool {
        self.steps.len() > 3
    }

    /// Returns a test whether the last two names of the path have values, with the tests that it
    /// needs.
    pub(super) fn deep_presence(&self, random: &mut Random) -> (Vec<String>, String) {
        let (before, names) = self.steps.split_at(self.steps.len().saturating_sub(2));
        let base = Path {
            steps: before.to_vec(),
            ..self.clone()
        };
        let guards = base.guards(random);
        (
            guards,
            format!("{} has {}", base.text(), join(names.iter())),
        )
    }

    /// Returns how many values on the path may be absent.
    pub(super) fn optional_values(&self) -> usize {
        let optional = self.steps.iter().filter(|(_, is_optional)| *is_optional);
        optional.count()
    }

    /// Returns whether the path leads through the owner of the realm.
    pub(super) fn is_of_realm(&self) -> bool {
        let realm = self.steps.get(2..4).unwrap_or_default();
        realm.iter().map(|(name, _)| *name).eq(["realm", "owner"])
    }

    /// Returns whether the path is a variable alone.
    pub(super) fn is_variable(&self) -> bool {
        self.steps.len() == 1
    }
}

/// Returns all paths of a policy with these types.
pub(super) fn all_paths(schema: &AuthorSchema, types: &RuleTypes) -> Vec<Path> {
    let is =
        |name: &str, kind: &str, is_fixed: bool| (!is_fixed).then(|| format!("{name} is {kind}"));
    let variable = |name: &'static str, kind: ValueKind, is: Option<String>| Path {
        steps: vec![(name, false)],
        is,
        kind,
        references: 0,
    };
    let context = ValueKind::Record(schema.context_fields(&types.action));
    let mut paths = vec![
        variable(
            "principal",
            ValueKind::Entity(types.principal),
            is("principal", types.principal, types.is_principal_fixed),
        ),
        variable(
            "resource",
            ValueKind::Entity(types.resource),
            is("resource", types.resource, types.is_resource_fixed),
        ),
        variable("context", context, None),
    ];
    let mut at = 0;
    while let Some(path) = paths.get(at).cloned() {
        at += 1;
        // Each reference that a policy follows is a read of another record.
        let is_reference = path.steps.len() > 1 && matches!(path.kind, ValueKind::Entity(_));
        let references = path.references + usize::from(is_reference);
        if references > MAX_REFERENCES {
            continue;
        }
        for field in schema.fields(&path.kind) {
            let mut steps = path.steps.clone();
            steps.push((field.name, !field.required));
            paths.push(Path {
                steps,
                is: path.is.clone(),
                kind: field.kind,
                references,
            });
        }
    }
    paths
}
