//! What the suites that cross crates share: random Cedar programs.

mod expression;
mod folder;
mod fuzz;
mod judge;
mod model;
mod program;
mod random;
mod served;
mod walked;
mod worker;

pub use expression::{OPERATORS, condition};
pub use folder::folder;
pub use fuzz::fuzzed;
pub use judge::{Asker, Judged, Prepared, agrees, compare, judge, prepare, program, request};
pub use model::{Driver, Model, walk};
pub use program::{Case, case, case_of};
pub use random::Random;
pub use served::Served;
pub use worker::Worker;
