//! What an owner owes the platform for client accounts over his package's number, and which are
//! disabled for it (B1 to B7).
//!
//! The books of an owner are documents of the store beside his counts. A month is closed in the
//! transaction of the first change of his clients after its end, before that change, or by
//! `settle`: so its numbers are those of its last instant. Then a seed is taken from the operating
//! system, and stays. A debt is paid by cents received, which stand in the owner's history.
//!
//! While an earlier settled month is unpaid, a month that is closed takes over its seed: so its
//! draw goes on with those who are disabled already, and an owner who owes for two months has no
//! more clients disabled than the larger debt asks for.

mod draw;
mod payment;
mod periods;
mod statement;

pub use self::payment::Payment;
pub(crate) use self::periods::BillingLedger;
pub use self::statement::{Statement, StatementStatus, verify_draw};
