//! The snapshot behind `explain` and, serialized, `explain --json`: everything about the orders with one number.
//!
//! Nothing in it names or locates a person. The edge's own text about an event may quote the event, so only `failed show` prints
//! it.
//!
//! # The JSON object
//!
//! `version` is 1. It changes only when a field is removed or changes its meaning; fields may be added. Times are RFC 3339 in
//! UTC, names ending in `_ms` are milliseconds; an unknown value is null.

mod events;
mod read;
mod remedy;
mod shop;
mod words;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use uuid::Uuid;

pub use crate::ops::explain::remedy::parked_remedy;
use crate::ops::status::{DaemonStatus, Moment, SenderStatus};
use crate::store::feed::Exported;
use crate::store::outbox::{AttemptRecord, EventState, PauseKey};
use orderfeed_events::Fact;
use orderfeed_model::birth::{BirthMark, Document, Generation};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::words;

/// Version of the JSON object.
pub const SHAPE: u32 = 1;

/// The input of the snapshot, in addition to the store.
#[derive(Clone, Debug)]
pub struct ExplainRequest {
    /// The order number.
    pub number: String,
    pub now: UtcMillis,
    pub data_space: Uuid,
    /// Codes of the websites with a datastream.
    pub sending: Vec<String>,
    /// Owners of the pauses that hold back each website.
    pub owners: BTreeMap<String, Vec<PauseKey>>,
    pub answer: SourceAnswer,
}

/// The answer of the source about the orders with a number.
#[derive(Clone, Debug)]
pub enum SourceAnswer {
    /// The orders that have the number, or had it when they were indexed.
    Answered(Vec<FoundOrder>),
    /// None, for this reason.
    Unreachable(String),
}

/// An order in the source.
#[derive(Clone, Debug)]
pub enum FoundOrder {
    Whole(SourceOrder),
    /// Its rows cannot be parsed.
    Unreadable {
        id: i64,
        /// Table and column, without personal data.
        reason: String,
    },
}

/// The fields of an order that the snapshot needs.
#[derive(Clone, Debug)]
pub struct SourceOrder {
    pub id: i64,
    pub state: String,
    pub status: Option<String>,
    pub created_at: UtcMillis,
    pub updated_at: UtcMillis,
    /// Code of the website; `None` if the store view was deleted.
    pub website: Option<String>,
    /// `website / store / store view`; `None` if the store view was deleted.
    pub scope: Option<String>,
    pub exported: Exported,
    /// The facts to report, in the order of their events. Their generations are taken from the store.
    pub facts: Vec<Fact>,
    /// The marks of the order and its documents.
    pub births: Vec<(Document, BirthMark)>,
}

/// The snapshot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    pub version: u32,
    /// The order number.
    pub number: String,
    pub taken_at: Moment,
    pub daemon: DaemonStatus,
    pub source: ExplainedSource,
    /// The orders with this number. Several if store views share it, none if it is unknown.
    pub orders: Vec<ExplainedOrder>,
}

/// The reachability of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedSource {
    pub reachable: bool,
    /// The reason why it is not.
    pub reason: Option<String>,
}

/// An order: its rows in the source, the changelog, the feed and the outbox.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedOrder {
    pub entity_id: i64,
    /// Number of other orders that had the entity id before; null if the source is unreachable.
    pub generation: Option<Generation>,
    pub website: Option<String>,
    /// One sentence about all its events.
    pub summary: String,
    /// The order in the source; null if the source is unreachable.
    pub shop: Option<ExplainedShopOrder>,
    /// Its latest changes in the changelog, oldest first.
    pub changes: Vec<ExplainedChange>,
    /// Its feed row; null if it was never indexed.
    pub feed: Option<ExplainedFeed>,
    pub index_failure: Option<ExplainedIndexFailure>,
    /// The sender of its website; null if the website is unknown.
    pub sender: Option<SenderStatus>,
    /// The events that were made for it.
    pub events: Vec<ExplainedEvent>,
    /// The facts without an event.
    pub missing: Vec<MissingEvent>,
}

/// An order in the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedShopOrder {
    pub found: ShopRecord,
    /// The reason why it is unreadable.
    pub reason: Option<String>,
    pub state: Option<String>,
    pub status: Option<String>,
    pub created_at: Option<Moment>,
    pub updated_at: Option<Moment>,
    /// `website / store / store view`.
    pub scope: Option<String>,
}

/// The condition of an order's rows in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShopRecord {
    Current,
    #[serde(rename = "gone")]
    Deleted,
    Unreadable,
}

/// A row of the changelog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedChange {
    pub version: i64,
    /// The table in which the change was noticed.
    pub table: String,
    pub op: String,
    pub observed_at: Moment,
    /// True if the view is past it.
    pub indexed: bool,
}

/// The feed row of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedFeed {
    /// First eight digits of the hash; null if it was cleared so that the order is derived again.
    pub hash: Option<String>,
    /// True if events are derived.
    pub exported: bool,
    /// True if events are derived later, without a change of the order.
    #[serde(skip)]
    pub follows: bool,
    /// The reason for `exported`.
    pub reason: &'static str,
    /// True if the order was deleted in the shop.
    pub deleted: bool,
    pub modified_at: Moment,
}

/// The failure to index an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedIndexFailure {
    pub reason: String,
    pub attempts: u32,
    /// Time of the next attempt.
    pub due_at: Moment,
}

/// An event in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedEvent {
    /// `order:kind:document`, with `:generation` if that is not 0: the argument of other commands.
    pub key: String,
    /// Number of other documents that had the document's id before.
    pub generation: Generation,
    pub kind: String,
    /// `_id`.
    pub id: Uuid,
    /// The document, such as `order 7` or `invoice 77`.
    pub document: String,
    /// Time of the fact; null if the source is unreachable.
    pub happened_at: Option<Moment>,
    pub state: EventState,
    /// Null for an event that was discarded.
    pub export_status: Option<SubmissionStatus>,
    /// Sentences: the reason for the state, and what to do.
    pub notes: Vec<String>,
    /// Null once `store.body_retention` is over.
    pub batch: Option<ExplainedBatch>,
    /// The batches that must be final first.
    pub waits_for: Vec<ExplainedWait>,
    /// The attempts, oldest first. Of many failures the first and the latest.
    pub attempts: Vec<AttemptRecord>,
    /// Time of the next attempt; null if the event is final, or was never sent.
    pub next_attempt_at: Option<Moment>,
    pub parked: Option<ExplainedParking>,
    pub suppressed: Option<ExplainedSuppression>,
}

words! {
    /// The status of an event in Commerce's words for a feed.
    pub enum SubmissionStatus {
        /// Accepted by the edge, used or not.
        Submitted = "Submitted",
        AwaitingSubmission = "Awaiting submission",
        FailedWillRetry = "Failed, will retry",
        FailedRequiresAttention = "Failed, requires attention",
    }
}

impl Serialize for SubmissionStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The batch of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedBatch {
    pub id: i64,
    /// `live` or `history`.
    pub class: &'static str,
    /// Number of events in it.
    pub events: u64,
    /// Time at which they entered the outbox.
    pub entered_at: Moment,
    /// Time at which it became final.
    pub finished_at: Option<Moment>,
    pub attempts: u32,
    /// The batch that its events were in before it was split, or before a parked event was retried.
    pub parent: Option<i64>,
}

/// A batch that must be final first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedWait {
    pub batch: i64,
    /// Its events that must go first.
    pub holds: String,
}

/// The reason why an event is parked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedParking {
    /// A stable word or the edge's code.
    pub code: String,
    pub parked_at: Moment,
    /// HTTP status of the last answer.
    pub status: Option<u16>,
    /// Request id of the last answer.
    pub request_id: Option<String>,
    pub remedy: String,
}

/// The reason why an event is not sent, or not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedSuppression {
    pub reason: String,
    pub at: Moment,
}

/// A fact of the shop without an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingEvent {
    pub kind: String,
    pub document: String,
    /// The `_id` that the event will have.
    pub id: Uuid,
    /// Time of the fact.
    pub happened_at: Moment,
    /// The reason why there is no event.
    pub why: String,
    /// True if the order is withheld; false if its events are still to come.
    #[serde(skip)]
    pub withheld: bool,
}
