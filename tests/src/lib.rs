//! Code that the test suites share: random Cedar programs, a second builder of facts, a model of
//! quotas, engines in other processes.

mod author;
mod bill_model;
mod bundle_policies;
mod cedar_oracle;
mod civil;
mod expression;
mod facts;
mod folder;
mod fuzz;
mod model;
mod outcomes;
mod program;
mod random;
mod sample;
mod server_process;
mod walk_requests;
mod worker;

pub use author::{
    ATOMS, Atom, AtomKind, AuthorRule, AuthorSchema, NEVER_ERRING, RuleAction, RuleWriter,
};
pub use bill_model::{ModelMonth, ModelOwner};
pub use cedar_oracle::{
    Asker, CedarResult, Prepared, agrees, compare, evaluate, prepare, program, request,
};
pub use civil::{month_name, month_window};
pub use expression::{OPERATORS, condition};
pub use facts::{CedarFacts, bundle_files};
pub use folder::folder;
pub use fuzz::fuzzed;
pub use model::{Driver, Model, walk};
pub use outcomes::{Outcome, OutcomeTable};
pub use program::{Case, case, case_of};
pub use random::{Random, seed};
pub use sample::{agency_at, agency_engine, open_agency, priced_bundle, shipped_files};
pub use server_process::EngineServer;
pub use worker::Worker;
