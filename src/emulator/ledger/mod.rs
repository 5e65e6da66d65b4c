//! The ledger: what arrived, what became of it, and which promises of the client were broken.
//!
//! The promises are watched while requests arrive, so that they can be asserted after millions of events without
//! keeping these: [`LedgerDetail::Compact`](crate::emulator::LedgerDetail::Compact) holds a hash and a count for each `_id`, [`LedgerDetail::Counts`](crate::emulator::LedgerDetail::Counts) totals.

mod book;
mod event;
mod index;
mod pii;
mod rows;
mod view;
mod watch;

pub(crate) use book::Ledger;
pub use event::EventStatus;
pub(crate) use event::{Carrier, NewEvent, Outcome, Verdict};
pub use pii::PiiFinding;
pub(crate) use pii::findings;
pub use rows::{EventRow, RequestRow, Totals};
pub(crate) use view::Page;
pub use watch::{EarlyRequest, OrderViolation};

#[cfg(test)]
mod tests;
