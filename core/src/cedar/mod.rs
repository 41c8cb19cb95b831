//! Loading, validation and reference evaluation with `cedar-policy`.

pub(crate) mod accessed_paths;
pub(crate) mod authorizer;
pub(crate) mod bundle;
pub(crate) mod default_bundle;
pub(crate) mod diagnostics;
pub(crate) mod explain;
pub(crate) mod first_use;
mod lint_request;
pub(crate) mod load_program;
pub(crate) mod optional_attributes;
pub(crate) mod options;
pub(crate) mod policy_list;
pub(crate) mod request;
pub(crate) mod schema;
mod schema_context;
pub(crate) mod source;
pub(crate) mod tenant_facts;
pub(crate) mod validate;
mod value_fault;
pub(crate) mod value_json;
mod vocabulary;
