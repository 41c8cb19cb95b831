//! Sublet: an embeddable policy engine for software that is sold under other people's names.

mod email;
mod error;
mod host;
mod id;
mod json;
mod stack;

pub use email::normalise as normalise_email;
pub use error::{Error, Fault, Faults, Place, error_codes};
pub use host::normalise as normalise_host;
pub use id::Ref;
