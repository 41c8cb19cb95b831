//! Loading, validation and reference evaluation with `cedar-policy`.

pub(crate) mod accessed_paths;
mod annotations;
pub(crate) mod authorizer;
pub(crate) mod bundle;
pub(crate) mod default_bundle;
pub(crate) mod diagnostics;
pub(crate) mod explain;
mod findings;
pub(crate) mod first_use;
mod lint_request;
pub(crate) mod load_program;
mod optional_attributes;
pub(crate) mod options;
pub(crate) mod policy_list;
mod policy_names;
pub(crate) mod request;
pub(crate) mod schema;
mod schema_context;
mod schema_faults;
pub(crate) mod source;
mod source_scan;
pub(crate) mod tenant_facts;
mod undeclared;
pub(crate) mod validate;
mod value_fault;
pub(crate) mod value_json;
mod vocabulary;
