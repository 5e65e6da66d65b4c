//! The outbox: every event that was ever derived, frozen, until it is final.
//!
//! # Constraints
//!
//! An event enters once (I3), in the transaction that indexes its order (I2), with bytes that never change (I4). It ends
//! in exactly one final state: delivered (only after the edge accepted it, I5), suppressed or parked. Events of one
//! order are sent in order (I6). The cost of an event must not grow with the history (I9), and delivery must be cheap:
//! it writes one row for each batch, not for each event.
//!
//! # Layout
//!
//! Events of one website that enter in one transaction form a *batch*: one compressed blob. `outbox_event` holds one
//! small row per event for idempotence. The row points to its batch and is not touched by delivery: state 0 means "as its
//! batch", and a batch whose row was removed (its retention is over) was delivered. Batch ids are never reused, so such a
//! pointer cannot name another batch later. The stored kind includes the generation of the event's document: kind + 256 *
//! generation.
//!
//! The events of an order stay together in a batch, in order. While an earlier batch with events of the same order is
//! pending, a row in `outbox_dependency` holds the later one back. If that earlier one is history and the later one live,
//! the earlier one becomes live as well.
//!
//! If the edge refuses a batch because of one of its events, the batch is split in the store and not in memory, so that a
//! crash does not send the accepted half again.
//!
//! Failed attempts are rows of `outbox_attempt`, at most [`KEPT_ATTEMPTS`] per batch. A success is stored in its batch's
//! own columns. Halves of a split and retried parked events point to the batch they come from, which keeps their history.
//!
//! `outbox_person` holds the person of each stored body, for suppression and erasure; see [`persons`].
//!
//! # Crash cases
//!
//! Killed before the commit that indexes: nothing entered, and the changelog is read again. Killed between the edge's
//! answer and its commit: the batch is still pending and is sent again, byte for byte. Killed at any other moment: the
//! transaction either is complete or has no effect.

mod attempts;
mod body;
mod cleanup;
mod codec;
mod enqueue;
mod erase;
mod groups;
pub mod in_flight;
mod parked;
mod persons;
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
pub use groups::{ParkedGroup, ParkedPlace, ParkedQuery};
pub use parked::{ParkedEvent, ParkedFilter};
pub use queue::PendingBatch;
pub use sender::{FailureCode, Pause, PauseKey, PauseScope, SenderRow, SenderState};
pub use settle::{EdgeAnswer, EventVerdict, Settled};
pub use status::{EventState, FAR_AHEAD_MS, FarAhead, KnownEvent, WebsiteOutbox};

use rusqlite::Row;

use crate::store::sql::{stored_codes, stored_words};
use orderfeed_model::birth::Generation;
use orderfeed_model::order::OrderId;

/// Reason of a suppression: the person is on the local suppression list.
pub const LOCAL: &str = "local";
/// Reason of a suppression: the event was pending when its person was erased.
pub const ERASED: &str = "erased";

pub type BatchId = i64;
/// The stored number of an event kind (`orderfeed_events::EventKind::code`).
pub type KindCode = u8;

/// The identity of an event in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey {
    pub order: OrderId,
    pub kind: KindCode,
    /// Id of the order itself, or of an invoice, a shipment, a credit memo or a return.
    pub document: i64,
    /// That of the document.
    pub generation: Generation,
}

/// The step between the stored kinds of two generations.
const GENERATION: i64 = 1 << KindCode::BITS;

impl EventKey {
    /// Returns the stored kind, which includes the generation.
    fn code(self) -> i64 {
        i64::from(self.kind) + i64::from(self.generation) * GENERATION
    }

    /// Reads a key from the first three columns.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let stored: i64 = row.get(1)?;
        let foreign = |_| rusqlite::Error::IntegralValueOutOfRange(1, stored);
        Ok(Self {
            order: row.get(0)?,
            // Within 0 to 255.
            kind: stored.rem_euclid(GENERATION) as KindCode,
            document: row.get(2)?,
            generation: Generation::try_from(stored.div_euclid(GENERATION)).map_err(foreign)?,
        })
    }
}

stored_codes! {
    /// The priority of a batch.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Class {
        /// A change that just happened.
        Live = 0,
        /// A backfill. Live batches overtake it.
        History = 1,
    }
}

stored_codes! {
    /// `outbox_batch.state`. Statements contain the codes as literals, because SQLite uses a partial index only for them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum BatchState {
        Pending = 0,
        Delivered = 1,
    }
}

stored_codes! {
    /// `outbox_event.state`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum RowState {
        /// The state of its batch; delivered if the batch was removed.
        AsBatch = 0,
        Suppressed = 1,
        Parked = 2,
    }
}

stored_words! {
    /// A final state of an event, as counted in `outbox_total`.
    #[derive(PartialOrd, Ord)]
    pub enum FinalState {
        Delivered = "delivered",
        Parked = "parked",
        Suppressed = "suppressed",
    }
}
