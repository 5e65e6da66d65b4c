//! The ledger: records requests and events, and checks the guarantees a client must keep.
//!
//! The guarantees are checked while requests arrive, so they can be asserted after millions of events without keeping
//! these: [`LedgerDetail::Compact`](crate::LedgerDetail::Compact) holds a hash and a count per `_id`,
//! [`LedgerDetail::Counts`](crate::LedgerDetail::Counts) totals only.

mod book;
mod event;
pub(crate) mod fingerprint;
mod index;
mod pii;
mod rows;
mod view;
mod watch;

pub(crate) use crate::ledger::book::Ledger;
pub(crate) use crate::ledger::event::{Carrier, NewEvent, Outcome, Verdict};
pub use crate::ledger::event::{Consent, EventStatus};
pub use crate::ledger::pii::PiiFinding;
pub(crate) use crate::ledger::pii::findings;
pub use crate::ledger::rows::{EventRow, RequestRow, Totals};
pub(crate) use crate::ledger::view::Page;
pub use crate::ledger::watch::{EarlyRequest, OrderViolation};

#[cfg(test)]
mod tests;
