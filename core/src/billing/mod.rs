//! Bills of owners for client accounts over the number in their package, and the clients that are
//! disabled for it (B1 to B7).
//!
//! The billing ledger of an owner consists of documents in the store, beside the owner's counters.
//! A month is closed by the first change of the owner's clients after its end, or when it is
//! settled. A change closes the month before it takes effect, in the same transaction. Therefore
//! the figures of a month are those of its last instant. Closing a month also fixes a seed from the
//! operating system. Received cents pay a debt and are recorded in the owner's history.
//!
//! While an earlier settled month is unpaid, a month that is closed reuses its seed. So its random
//! selection continues with the clients that are already disabled. An owner who owes for two months
//! has no more clients disabled than the larger debt requires.

mod draw;
mod month_figures;
mod month_list;
mod payment;
mod periods;
mod settlement;
mod statement;

pub use self::payment::Payment;
pub(crate) use self::periods::BillingLedger;
pub use self::statement::{Statement, StatementStatus, verify_draw};
