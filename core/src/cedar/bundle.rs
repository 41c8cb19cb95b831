//! Loads a tenancy bundle in stages, completely or not at all. Reports all faults of the first
//! stage that fails.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{Entities, EntityTypeName, PolicyId, PolicySet, Schema, SchemaFragment};

use super::lint_policies::{LintResult, lint};
use super::lint_request::RequestShapes;
use super::load_program::{json_fault, link, scan_file};
use super::options::Validation;
use super::policy_list::{ParsedPolicy, PolicyBody, PolicyList, PolicyOrigin, in_text_order};
use super::schema::{self, Action, EntityShapes, SchemaFile};
use super::source::{CATALOG, File, KERNEL, placeless};
use super::validate::{self, FilesToValidate};
use super::value_json::CedarTypes;
use super::{annotations, diagnostics, policy_names, schema_faults};
use crate::model::access_level::AccessLevel;
use crate::model::catalog::Catalog;
use crate::model::catalog_check::CatalogFault;
use crate::model::package::Package;
use crate::util::error::{Diagnostic, Diagnostics, Error};
use crate::util::json_place;
use crate::util::nesting_scan::Language;
use crate::util::parse_limits::ParseLimits;
use crate::util::stack;

/// A loaded bundle.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) rules: PolicyList,
    pub(crate) schema: Schema,
    pub(crate) names: SchemaFile,
    pub(crate) catalog: Catalog,
    /// The schema's actions and their groups, from which the entities of every request are built.
    pub(crate) actions: Entities,
    /// For each resource type its attributes, and whether each is required. Types with an indirect
    /// shape are left out.
    pub(crate) shapes: EntityShapes,
    /// Entity types of the schema.
    pub(crate) types: HashSet<EntityTypeName>,
    /// Types of the values in a request.
    pub(crate) values: CedarTypes,
    /// Warnings about policies that refuse less if a request leaves something out.
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Bundle {
    /// Returns the attributes that a resource of this type must have in a request of this action,
    /// beside those that its type requires.
    pub(crate) fn required_of<'a>(
        &'a self,
        action: &'a Action,
        kind: &str,
    ) -> impl Iterator<Item = &'a str> {
        let fields = if super::tenant_facts::is_directory_type(kind) {
            None
        } else {
            self.values
                .shape(kind)
                .map(|shape| shape.attributes.as_deref())
        };
        let has = move |name: &&str| {
            fields.is_some_and(|fields| fields.is_none_or(|fields| fields.field(name).is_some()))
        };
        action.requires.iter().map(String::as_str).filter(has)
    }

    /// Returns whether this bundle has every name of the other bundle that a directory may use,
    /// with equal types.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let (mine, others) = (&self.names, &other.names);
        let names = mine.features.is_superset(&others.features)
            && mine.meters.is_superset(&others.meters)
            && mine.types == others.types;
        names
            && self
                .catalog
                .packages()
                .map(Package::id)
                .eq(other.catalog.packages().map(Package::id))
            && self
                .catalog
                .levels()
                .map(AccessLevel::id)
                .eq(other.catalog.levels().map(AccessLevel::id))
    }
}

/// Loads the files of a bundle.
pub(crate) fn load(
    files: &[File],
    validation: Validation,
    caps: &ParseLimits,
) -> Result<Bundle, Error> {
    if !files.iter().any(|file| file.name == KERNEL) {
        return Err(placeless("bundle.not_found", format!("no `{KERNEL}` in the bundle")).into());
    }
    let (mut faults, mut depth) = (Vec::new(), 64);
    for file in files
        .iter()
        .filter(|file| file.is_policies() || file.is_schema())
    {
        let language = if file.is_schema() {
            Language::Schema
        } else {
            Language::Policy
        };
        match scan_file(file, language, caps) {
            Ok(found) => depth = depth.max(found),
            Err(fault) => faults.push(fault),
        }
    }
    Diagnostics::into_result(faults)?;
    stack::run(depth, || build(files, depth, validation, caps))
}

/// Returns the policies of the files that must be validated. Returns `None` if all policies must be,
/// because the set has templates.
fn policies_of(
    set: &PolicySet,
    homes: &PolicyLocations,
    to_validate: &FilesToValidate,
) -> Option<PolicySet> {
    if set.templates().next().is_some() {
        return None;
    }
    let policies = set.policies().filter(|policy| {
        homes
            .get(policy.id())
            .is_none_or(|(file, ..)| to_validate.contains(*file))
    });
    PolicySet::from_policies(policies.cloned()).ok()
}

/// The schema files, as Cedar has read them.
struct ParsedSchema<'a> {
    files: Vec<&'a File>,
    /// The JSON forms of the files, in their order.
    forms: Vec<serde_json::Value>,
    /// Absent if there are faults.
    schema: Option<Schema>,
    faults: Vec<Diagnostic>,
}

struct ParsedBundle {
    parts: Vec<ParsedPolicy>,
    catalog: Catalog,
}

fn build(
    files: &[File],
    depth: usize,
    validation: Validation,
    caps: &ParseLimits,
) -> Result<Bundle, Error> {
    let (schema, syntax) = parse(files, caps)?;
    let (schema, names, shapes, values) = check_names(schema, &syntax, files)?;
    let actions = schema
        .action_entities()
        .map_err(|error| placeless("bundle.schema", error.to_string()))?;
    let to_validate = FilesToValidate::new(files, validation);
    let requests = RequestShapes::new(&names, &values, &actions);
    let LintResult {
        mut warnings,
        undeclared,
        with_warnings,
    } = lint(&syntax.parts, files, &requests, validation, &to_validate);
    warnings.extend(catalog_warnings(&syntax, &names, files));
    let (mut set, order, homes) = assemble(syntax.parts, files)?;
    if let Some(links) = files.iter().find(|file| file.name == "links.json") {
        link(&mut set, &links.text, caps)?;
    }
    let home = |id: &PolicyId| {
        let home = set
            .policy(id)
            .and_then(cedar_policy::Policy::template_id)
            .unwrap_or(id);
        homes
            .get(home)
            .and_then(|(file, start, len)| Some((files.get(*file)?, Some((*start, *len)))))
    };
    if !to_validate.is_empty() {
        let part = policies_of(&set, &homes, &to_validate);
        let set = part.as_ref().unwrap_or(&set);
        validate::validate(&schema, set, validation, undeclared, home)?;
        to_validate.remember(&with_warnings);
    }
    let types = schema.entity_types().cloned().collect();
    Ok(Bundle {
        rules: PolicyList::new(set, &order, depth, true),
        schema,
        names,
        catalog: syntax.catalog,
        actions,
        shapes,
        types,
        values,
        warnings,
    })
}

/// Stage one: parses all files.
fn parse<'a>(
    files: &'a [File],
    caps: &ParseLimits,
) -> Result<(ParsedSchema<'a>, ParsedBundle), Error> {
    let mut faults = Vec::new();
    // Before the policies, because the memory that a schema takes while it is read is then free for
    // them.
    let schema = parse_schema(files, &mut faults);
    let mut syntax = ParsedBundle {
        parts: Vec::new(),
        catalog: Catalog::default(),
    };
    for (index, file) in files.iter().enumerate() {
        if file.is_policies() {
            match PolicySet::from_str(&file.text) {
                Ok(set) => syntax.parts.extend(in_text_order(&set, file, index)),
                Err(error) => faults.extend(syntax_faults(&error, file)),
            }
        } else if file.name == CATALOG {
            match Catalog::parse(&file.text, caps.value_nesting) {
                Ok(catalog) => syntax.catalog = catalog,
                Err(error) => faults.push(json_fault(file, &error)),
            }
        }
    }
    Diagnostics::into_result(faults)?;
    Ok((schema, syntax))
}

/// Parses the schema files. Adds the faults in their syntax, and keeps those of their names.
fn parse_schema<'a>(files: &'a [File], faults: &mut Vec<Diagnostic>) -> ParsedSchema<'a> {
    let (mut schemas, mut fragments) = (Vec::new(), Vec::new());
    for file in files.iter().filter(|file| file.is_schema()) {
        match SchemaFragment::from_cedarschema_str(&file.text) {
            Ok((fragment, _)) => {
                fragments.push(fragment);
                schemas.push(file);
            }
            Err(error) => faults.extend(syntax_faults(&error, file)),
        }
    }
    let (mut forms, mut found) = (Vec::new(), Vec::new());
    for fragment in &fragments {
        match fragment.clone().to_json_value() {
            Ok(form) => forms.push(form),
            Err(error) => found.push(placeless("bundle.schema", error.to_string())),
        }
    }
    // Takes the fragments, so that each is freed when Cedar has read it.
    let schema = Schema::from_schema_fragments(fragments)
        .map_err(|error| found.extend(schema_faults::faults(&error, &schemas, &forms)))
        .ok();
    ParsedSchema {
        files: schemas,
        forms,
        schema,
        faults: found,
    }
}

fn syntax_faults(error: &dyn miette::Diagnostic, file: &File) -> Vec<Diagnostic> {
    diagnostics::faults("bundle.syntax", error, Some(file), None)
}

/// Stage two: checks the names of the schema, of policies (ids and codes), and of the catalog.
fn check_names(
    parsed: ParsedSchema<'_>,
    syntax: &ParsedBundle,
    files: &[File],
) -> Result<(Schema, SchemaFile, EntityShapes, CedarTypes), Error> {
    let ParsedSchema {
        files: schemas,
        forms,
        schema,
        mut faults,
    } = parsed;
    for file in &schemas {
        faults.extend(annotations::schema_faults(file));
    }
    let (names, found) = schema::read(&forms, &schemas);
    faults.extend(found);
    let types = CedarTypes::new(&forms);
    faults.extend(schema::unknown_requirements(&names, &types, &schemas));
    faults.extend(policy_names::faults(&syntax.parts, files));
    let catalog = files.iter().find(|file| file.name == CATALOG);
    let found = (syntax.catalog).check(&names, &names.features, &names.meters);
    let fault = |fault| catalog_fault("bundle.unknown_name", fault, catalog);
    faults.extend(found.into_iter().map(fault));
    let words = syntax.catalog.code_words().faults().into_iter();
    faults.extend(words.map(|found| catalog_fault("bundle.words", found, catalog)));
    Diagnostics::into_result(faults)?;
    // A missing schema has already produced a fault.
    let schema =
        schema.ok_or_else(|| placeless("bundle.schema", "the schema files do not fit together"))?;
    Ok((schema, names, schema::shapes(&forms), types))
}

/// Returns the warnings about packages, built-in levels and codes (L9, L10, E8).
fn catalog_warnings(syntax: &ParsedBundle, names: &SchemaFile, files: &[File]) -> Vec<Diagnostic> {
    let catalog = &syntax.catalog;
    let file = files.iter().find(|file| file.name == CATALOG);
    let silent = catalog.silent_packages(&names.meters).into_iter();
    let unworded = catalog.unworded_levels().into_iter();
    let given = policy_names::given_codes(&syntax.parts);
    let codes = catalog.code_words().unworded(&given);
    let unused = catalog.unknown_codes(&given).into_iter();
    silent
        .map(|found| catalog_fault("bundle.silent_package", found, file))
        .chain(unworded.map(|found| catalog_fault("bundle.unworded_level", found, file)))
        .chain((codes.into_iter()).map(|found| catalog_fault("bundle.unworded_code", found, file)))
        .chain(unused.map(|found| catalog_fault("bundle.unused_words", found, file)))
        .collect()
}

fn catalog_fault(
    code: &'static str,
    fault: CatalogFault<'_>,
    catalog: Option<&File>,
) -> Diagnostic {
    let place = catalog.and_then(|file| {
        let (start, len) = json_place::find(&file.text, &fault.steps, fault.name)?;
        Some(file.place(start, len))
    });
    Diagnostic {
        place,
        ..placeless(code, fault.message).with_help(fault.help)
    }
}

type GateOrder = Vec<PolicyOrigin>;
type PolicyLocations = HashMap<PolicyId, (usize, usize, usize)>;

/// Builds one set of all policies, named by their `@id`, with their order and positions.
fn assemble(
    parts: Vec<ParsedPolicy>,
    files: &[File],
) -> Result<(PolicySet, GateOrder, PolicyLocations), Error> {
    let (mut set, mut order, mut homes) = (PolicySet::new(), Vec::new(), HashMap::new());
    for part in parts {
        let name = part.body.annotation("id").unwrap_or_default().to_owned();
        let id = PolicyId::new(&name);
        order.push(match files.get(part.file) {
            Some(file) => PolicyOrigin::in_file(id.clone(), file, part.start),
            None => PolicyOrigin::unplaced(id.clone()),
        });
        homes.insert(id, (part.file, part.start, part.len));
        let added = match part.body.with_id(&name) {
            PolicyBody::Static(policy) => set.add(policy),
            PolicyBody::Template(template) => set.add_template(template),
        };
        added.map_err(|error| placeless("bundle.duplicate_id", error.to_string()))?;
    }
    Ok((set, order, homes))
}
