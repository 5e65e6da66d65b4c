//! The outbox: every event that was ever made, frozen, until it is final.
//!
//! # Constraints
//!
//! An event enters once (I3), in the transaction that indexes its order (I2), with bytes that never change (I4). It ends
//! in exactly one final state: delivered (only after the edge accepted it, I5), suppressed or parked. Events of one
//! order leave in order (I6). The cost of an event must not grow with the history (I9), and delivering must cost little:
//! one row is written for each batch, not for each event.
//!
//! # Layout
//!
//! Events that enter in one transaction for one website travel together as a *batch*: one compressed blob. `outbox_event`
//! holds one small row an event for idempotence; it points to its batch and is not touched when the batch is delivered:
//! state 0 reads "as its batch", and a batch that is gone (its retention is over) was delivered. Batch and event ids are
//! never reused, so such a pointer cannot come to mean another batch.
//!
//! An order's events stay together in a batch, in order. If an earlier batch with events of the same order is not final,
//! a row in `outbox_dependency` holds the later one back; if that earlier one is history and the later one live, the
//! earlier one becomes live as well.
//!
//! A batch that the edge refuses because of one of its events is split in the store, not in memory, so that a crash
//! does not send the accepted half again.
//!
//! Failed attempts are rows of `outbox_attempt`, at most [`KEPT_ATTEMPTS`] a batch; a success is its batch's own last
//! columns. Halves of a split and retried dead letters point to the batch they come from, so their history goes on.
//!
//! # Crash cases
//!
//! Killed before the commit that indexes: nothing entered, the changelog is read again. Killed between the edge's answer
//! and its commit: the batch is still pending and is sent again, byte for byte. Killed anywhere else: nothing happened.

mod attempts;
mod cleanup;
mod codec;
mod enqueue;
mod erase;
pub mod in_flight;
mod parked;
mod queue;
mod screen;
mod sender;
mod settle;
mod status;

#[cfg(test)]
mod tests;

pub use attempts::{AttemptRecord, BatchRecord, KEPT_ATTEMPTS};
#[doc(hidden)]
pub use codec::append_payload;
pub use codec::{BatchBody, EventEntry};
pub use enqueue::{BatchLimits, EnqueueMode, Enqueued, NewEvent, OrderEvents, Refusal};
pub use erase::PersonEvents;
pub use parked::{ParkedEvent, ParkedFilter};
pub use queue::PendingBatch;
pub use sender::{SenderRow, SenderState};
pub use settle::{EdgeAnswer, EventVerdict, Settled};
pub use status::{EventState, KnownEvent, WebsiteOutbox};

use orderfeed_model::order::OrderId;

/// Why an event was suppressed: its person is on the local suppression list.
pub const LOCAL: &str = "local";
/// Why an event was suppressed: it waited, and its person asked to be erased.
pub const ERASED: &str = "erased";

/// A batch's number.
pub type BatchId = i64;
/// The stored number of an event kind (`events::EventKind::code`).
pub type KindCode = u8;

/// What identifies an event in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey {
    /// The order.
    pub order: OrderId,
    /// The kind.
    pub kind: KindCode,
    /// The document: the order itself, an invoice, a shipment, a credit memo, a return.
    pub document: i64,
}

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A change that just happened.
    Live = 0,
    /// History: first sync, reindex, resync. Live overtakes it.
    History = 1,
}

impl Class {
    fn from_code(code: i64) -> Self {
        if code == 0 { Self::Live } else { Self::History }
    }
}
