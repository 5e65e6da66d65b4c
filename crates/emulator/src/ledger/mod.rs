//! The ledger: what arrived, what became of it, and which promises of the client were broken.
//!
//! The promises are watched while requests arrive, so that they can be asserted after millions of events without
//! keeping these: [`LedgerDetail::Compact`](crate::LedgerDetail::Compact) holds a hash and a count for each `_id`, [`LedgerDetail::Counts`](crate::LedgerDetail::Counts) totals.

mod book;
mod event;
pub(crate) mod fingerprint;
mod index;
mod pii;
mod rows;
mod view;
mod watch;

pub(crate) use crate::ledger::book::Ledger;
pub use crate::ledger::event::EventStatus;
pub(crate) use crate::ledger::event::{Carrier, NewEvent, Outcome, Verdict};
pub use crate::ledger::pii::PiiFinding;
pub(crate) use crate::ledger::pii::findings;
pub use crate::ledger::rows::{EventRow, RequestRow, Totals};
pub(crate) use crate::ledger::view::Page;
pub use crate::ledger::watch::{EarlyRequest, OrderViolation};

#[cfg(test)]
mod tests;
