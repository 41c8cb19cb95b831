//! What the suites that cross crates share: random Cedar programs.

mod expression;
mod program;
mod random;

pub use expression::{OPERATORS, condition};
pub use program::{Case, case};
pub use random::Random;
