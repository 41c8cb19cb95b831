//! Bills of owners for client accounts over the number in their package, and the clients that are
//! disabled for it (B1 to B7).
//!
//! The billing ledger of an owner consists of documents in the store, beside the owner's counters.
//! A month is closed by the first change of the owner's figures after its end, or by
//! [`close_month`](crate::Engine::close_month) and its kin. A change closes the months that are over
//! before it takes effect, in the same transaction. Therefore the figures of a month are those of
//! its last instant (B8). Closing a month also fixes its order, with a seed from the operating
//! system. Received cents pay a debt and are recorded in the owner's history.
//!
//! While an earlier month is unpaid, a month that is closed continues its draw: it reuses the seed,
//! and clients that came later are last. So an owner who owes for two months has no more clients
//! disabled than the larger debt requires (B11).

mod closing;
mod draw;
mod figure_history;
mod month_figures;
mod month_list;
mod payment;
mod periods;
mod settlement;
mod statement;

pub use self::closing::{ClosingProgress, MonthClosing};
pub(crate) use self::figure_history::{FigureHistory, STORE_ACCOUNT};
pub use self::payment::Payment;
pub(crate) use self::periods::BillingLedger;
pub use self::statement::{Statement, StatementStatus, verify_draw};
