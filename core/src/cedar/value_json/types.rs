//! The types of a schema's attributes, tags and contexts. They are read from its JSON form, because
//! `cedar_policy::Schema` does not expose them.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::record_type::{FieldType, RecordType};
use crate::vm::Unary;

/// The type of a value. Values of an unknown type are left to Cedar.
#[derive(Debug, Clone)]
pub(crate) enum CedarType {
    Bool,
    Long,
    Text,
    Entity(Arc<EntityType>),
    Extension(Unary),
    Set(Arc<CedarType>),
    Record(Arc<RecordType>),
    Unknown,
}

/// An entity type, with the information that references to it need.
#[derive(Debug, Default)]
pub(crate) struct EntityType {
    pub(crate) name: Box<str>,
    /// The allowed ids of an enumerated type.
    pub(crate) choices: Option<Vec<Box<str>>>,
}

impl EntityType {
    pub(crate) fn allows(&self, kind: &str, id: &str) -> bool {
        *self.name == *kind
            && self
                .choices
                .as_ref()
                .is_none_or(|choices| choices.iter().any(|choice| **choice == *id))
    }
}

/// Declaration of one entity type in the schema.
#[derive(Debug)]
pub(crate) struct EntityShape {
    pub(crate) kind: Arc<EntityType>,
    /// `None` if unknown.
    pub(crate) attributes: Option<Arc<RecordType>>,
    pub(crate) tags: Option<CedarType>,
    /// Types of the direct parents.
    pub(crate) parents: Vec<Box<str>>,
}

/// Declaration of one action in the schema.
#[derive(Debug)]
pub(crate) struct ActionShape {
    pub(crate) principals: Vec<Box<str>>,
    pub(crate) resources: Vec<Box<str>>,
    /// `None` if unknown.
    pub(crate) context: Option<Arc<RecordType>>,
    /// Type and id of the action's direct groups.
    pub(crate) groups: Vec<(Box<str>, Box<str>)>,
}

/// The types of a whole schema.
#[derive(Debug, Default)]
pub(crate) struct CedarTypes {
    shapes: HashMap<Box<str>, EntityShape>,
    actions: HashMap<Box<str>, HashMap<Box<str>, ActionShape>>,
}

impl CedarTypes {
    /// Reads the JSON forms of a schema's files.
    pub(crate) fn new(fragments: &[Json]) -> Self {
        let mut names = TypeScope::default();
        for (space, declared) in namespaces(fragments) {
            for (name, ty) in section(declared, "commonTypes") {
                names.common.insert(full(space, name), (space, ty));
            }
            for (name, entity) in section(declared, "entityTypes") {
                let choices = entity.get("enum").and_then(Json::as_array);
                let choices = choices.map(|choices| {
                    choices
                        .iter()
                        .filter_map(Json::as_str)
                        .map(Box::from)
                        .collect()
                });
                let name = full(space, name);
                names.kinds.insert(
                    name.clone(),
                    Arc::new(EntityType {
                        name: name.into(),
                        choices,
                    }),
                );
            }
        }
        let mut types = Self::default();
        for (space, declared) in namespaces(fragments) {
            for (name, entity) in section(declared, "entityTypes") {
                if let Some(kind) = names.kinds.get(&full(space, name)).map(Arc::clone) {
                    types
                        .shapes
                        .insert(kind.name.clone(), names.shape(space, entity, kind));
                }
            }
            for (name, action) in section(declared, "actions") {
                let deed = names.read_action(space, action);
                types
                    .actions
                    .entry(full(space, "Action").into())
                    .or_default()
                    .insert(name.as_str().into(), deed);
            }
        }
        types
    }

    /// Returns the declaration of an entity type.
    pub(crate) fn shape(&self, kind: &str) -> Option<&EntityShape> {
        self.shapes.get(kind)
    }

    /// Returns the entity types that the schema declares.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &EntityType> {
        self.shapes.values().map(|shape| shape.kind.as_ref())
    }

    /// Returns whether any entity type has an attribute of this name.
    pub(crate) fn is_attribute(&self, name: &str) -> bool {
        let shapes = self.shapes.values();
        shapes
            .filter_map(|shape| shape.attributes.as_deref())
            .any(|record| record.field(name).is_some())
    }

    /// Returns whether any entity type has tags.
    pub(crate) fn has_tags(&self) -> bool {
        self.shapes.values().any(|shape| shape.tags.is_some())
    }

    /// Returns the declaration of an action.
    pub(crate) fn action(&self, kind: &str, id: &str) -> Option<&ActionShape> {
        self.actions.get(kind)?.get(id)
    }

    /// Returns all actions, with type and id.
    pub(crate) fn actions(&self) -> impl Iterator<Item = (&str, &str, &ActionShape)> {
        self.actions.iter().flat_map(|(kind, deeds)| {
            deeds
                .iter()
                .map(|(id, deed)| (kind.as_ref(), id.as_ref(), deed))
        })
    }
}

fn namespaces(fragments: &[Json]) -> impl Iterator<Item = (&str, &Json)> {
    fragments
        .iter()
        .filter_map(Json::as_object)
        .flatten()
        .map(|(space, declared)| (space.as_str(), declared))
}

fn section<'a>(declared: &'a Json, name: &str) -> impl Iterator<Item = (&'a String, &'a Json)> {
    declared
        .get(name)
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
}

fn full(space: &str, name: &str) -> String {
    if space.is_empty() || name.contains("::") {
        name.to_owned()
    } else {
        format!("{space}::{name}")
    }
}

/// Maximum depth of type expressions, including references from common types to common types.
const MAX_TYPE_DEPTH: usize = 64;

/// Names of a schema while its types are read.
#[derive(Default)]
struct TypeScope<'a> {
    common: HashMap<String, (&'a str, &'a Json)>,
    kinds: HashMap<String, Arc<EntityType>>,
    /// Common types that are read already. Without this cache, types that name each other many
    /// times would take exponential time.
    read: HashMap<String, CedarType>,
}

impl TypeScope<'_> {
    fn shape(&mut self, space: &str, entity: &Json, kind: Arc<EntityType>) -> EntityShape {
        let attributes = match entity.get("shape") {
            None => Some(Arc::default()),
            Some(shape) => record(self.read_type(space, shape, MAX_TYPE_DEPTH)),
        };
        let tags = entity
            .get("tags")
            .map(|tags| self.read_type(space, tags, MAX_TYPE_DEPTH));
        EntityShape {
            kind,
            attributes,
            tags,
            parents: self.entities(space, entity.get("memberOfTypes")),
        }
    }

    fn read_action(&mut self, space: &str, action: &Json) -> ActionShape {
        let applies = action.get("appliesTo");
        let part = |name: &str| applies.and_then(|applies| applies.get(name));
        let context = match part("context") {
            None => Some(Arc::default()),
            Some(context) => record(self.read_type(space, context, MAX_TYPE_DEPTH)),
        };
        let groups = action
            .get("memberOf")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(|group| {
                let kind = group.get("type").and_then(Json::as_str).unwrap_or("Action");
                Some((full(space, kind).into(), group.get("id")?.as_str()?.into()))
            });
        let groups = groups.collect();
        ActionShape {
            principals: self.entities(space, part("principalTypes")),
            resources: self.entities(space, part("resourceTypes")),
            context,
            groups,
        }
    }

    fn entities(&self, space: &str, list: Option<&Json>) -> Vec<Box<str>> {
        let names = list
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str);
        names
            .filter_map(|name| {
                [full(space, name), name.to_owned()]
                    .into_iter()
                    .find(|name| self.kinds.contains_key(name))
            })
            .map(Box::from)
            .collect()
    }

    /// Reads a type. Recurses at most `levels` levels.
    fn read_type(&mut self, space: &str, json: &Json, levels: usize) -> CedarType {
        let Some(levels) = levels.checked_sub(1) else {
            return CedarType::Unknown;
        };
        let name = json.get("name").and_then(Json::as_str);
        match (json.get("type").and_then(Json::as_str), name) {
            (Some("Set"), None) => json.get("element").map_or(CedarType::Unknown, |element| {
                CedarType::Set(Arc::new(self.read_type(space, element, levels)))
            }),
            (Some("Record"), None) => self.record(space, json, levels),
            (Some("Entity"), Some(name)) => self.kind(space, name).unwrap_or(CedarType::Unknown),
            (Some("Extension"), Some(name)) => builtin(name),
            (Some("EntityOrCommon"), Some(name)) | (Some(name), None) => {
                self.resolve_type_name(space, name, levels)
            }
            _ => CedarType::Unknown,
        }
    }

    fn record(&mut self, space: &str, json: &Json, levels: usize) -> CedarType {
        if json
            .get("additionalAttributes")
            .is_some_and(|open| *open != Json::Bool(false))
        {
            return CedarType::Unknown;
        }
        let mut record = RecordType::default();
        for (name, attribute) in section(json, "attributes") {
            let required = attribute.get("required") != Some(&Json::Bool(false));
            record.required = record.required.saturating_add(usize::from(required));
            record.fields.insert(
                name.as_str().into(),
                FieldType {
                    ty: self.read_type(space, attribute, levels),
                    required,
                    text: None,
                },
            );
        }
        CedarType::Record(Arc::new(record))
    }

    fn kind(&self, space: &str, name: &str) -> Option<CedarType> {
        let kind = self
            .kinds
            .get(&full(space, name))
            .or_else(|| self.kinds.get(name))?;
        Some(CedarType::Entity(Arc::clone(kind)))
    }

    fn resolve_type_name(&mut self, space: &str, name: &str, levels: usize) -> CedarType {
        for name in [full(space, name), name.to_owned()] {
            if let Some(read) = self.read.get(&name) {
                return read.clone();
            }
            if let Some((space, json)) = self.common.get(&name).copied() {
                let mut ty = self.read_type(space, json, levels);
                // A type that is another name for a common type keeps the first name.
                if let CedarType::Record(record) = &mut ty
                    && let Some(record) = Arc::get_mut(record)
                {
                    record.name = Some(name.as_str().into());
                }
                self.read.insert(name, ty.clone());
                return ty;
            }
            if let Some(kind) = self.kinds.get(&name) {
                return CedarType::Entity(Arc::clone(kind));
            }
        }
        builtin(name)
    }
}

fn record(ty: CedarType) -> Option<Arc<RecordType>> {
    if let CedarType::Record(record) = ty {
        Some(record)
    } else {
        None
    }
}

fn builtin(name: &str) -> CedarType {
    match name.strip_prefix("__cedar::").unwrap_or(name) {
        "Bool" | "Boolean" => CedarType::Bool,
        "Long" => CedarType::Long,
        "String" => CedarType::Text,
        "decimal" => CedarType::Extension(Unary::Decimal),
        "ipaddr" => CedarType::Extension(Unary::Ip),
        "datetime" => CedarType::Extension(Unary::Datetime),
        "duration" => CedarType::Extension(Unary::Duration),
        _ => CedarType::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn type_names_resolve_as_in_cedar() {
        let text = "namespace A::B { type T = { x: Long, y?: ipaddr }; entity U in [G] = { l: T, s: Set<G>, e?: datetime } tags String; entity G;\n\
                    entity E enum [\"a\", \"b\"]; action g; action read in [g] appliesTo { principal: [U], resource: [G, X], context: { t: T, n?: __cedar::Long } }; }\n\
                    entity X { a: A::B::U }; action \"z z\" appliesTo { principal: X, resource: X, context: A::B::T };";
        let (fragment, _) =
            cedar_policy::SchemaFragment::from_cedarschema_str(text).expect("a schema");
        let types = CedarTypes::new(&[fragment.to_json_value().expect("JSON")]);
        let kinds = |names: &[Box<str>]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let read = types.action("A::B::Action", "read").expect("an action");
        assert_eq!(
            (kinds(&read.principals), kinds(&read.resources)),
            (
                vec!["A::B::U".to_owned()],
                vec!["A::B::G".to_owned(), "X".to_owned()]
            )
        );
        assert_eq!(read.groups, [(Box::from("A::B::Action"), Box::from("g"))]);
        let context = read.context.as_deref().expect("a record");
        assert!(matches!(
            context.field("n"),
            Some(FieldType {
                ty: CedarType::Long,
                required: false,
                ..
            })
        ));
        assert!(
            matches!(context.field("t"), Some(FieldType { ty: CedarType::Record(t), required: true, .. }) if t.required() == 1 && t.field("y").is_some())
        );
        assert_eq!(
            (context.required(), context.without("t").required()),
            (1, 0)
        );
        let other = types
            .action("Action", "z z")
            .expect("an action")
            .context
            .as_deref()
            .expect("a record");
        assert!(matches!(
            other.field("x"),
            Some(FieldType {
                ty: CedarType::Long,
                required: true,
                ..
            })
        ));
        let shape = types.shape("A::B::U").expect("a type");
        let attributes = shape.attributes.as_deref().expect("a record");
        assert!(
            matches!(attributes.field("s"), Some(FieldType { ty: CedarType::Set(of), .. }) if matches!(&**of, CedarType::Entity(kind) if *kind.name == *"A::B::G"))
        );
        assert!(matches!(
            attributes.field("e"),
            Some(FieldType {
                ty: CedarType::Extension(Unary::Datetime),
                required: false,
                ..
            })
        ));
        assert!(
            matches!(shape.tags, Some(CedarType::Text)) && kinds(&shape.parents) == ["A::B::G"]
        );
        let choices = types
            .shape("A::B::E")
            .and_then(|shape| shape.kind.choices.clone())
            .unwrap_or_default();
        assert_eq!(kinds(&choices), ["a", "b"]);
        let open = CedarTypes::new(&[
            json!({"": {"entityTypes": {"U": {"shape": {"type": "Record", "attributes": {}, "additionalAttributes": true}}}, "actions": {}}}),
        ]);
        assert!(
            open.shape("U")
                .is_some_and(|shape| shape.attributes.is_none())
        );
    }
}
