//! The whole life of the orders with one number, as one snapshot: what `explain` prints, and, serialized, the shape of
//! `explain --json`. Nothing in it names or locates a person: the edge's own words about an event, which may quote it,
//! stay in `failed show`.
//!
//! # The shape
//!
//! `version` is 1. It changes only when a field is removed or comes to mean something else; fields may be added. Times
//! are RFC 3339 in UTC, names ending in `_ms` are milliseconds; what is not known is null.
//!
//! `export_status` is Commerce's word: "Submitted" (accepted by the edge), "Awaiting submission", "Failed, will retry",
//! "Failed, requires attention"; null for an event that was given up.

mod events;
mod read;
mod remedy;
mod shop;
mod words;

use serde::Serialize;
use uuid::Uuid;

use crate::ops::status::{DaemonStatus, Moment, SenderStatus};
use crate::store::feed::Exported;
use orderfeed_events::Fact;
use orderfeed_model::clock::UtcMillis;

/// The number of the shape; see the module's header.
pub const SHAPE: u32 = 1;

/// What is asked for, and what the snapshot needs to know besides the store.
#[derive(Clone, Debug)]
pub struct ExplainRequest {
    /// The order number.
    pub number: String,
    /// The time.
    pub now: UtcMillis,
    /// The data space, part of every event's `_id`.
    pub data_space: Uuid,
    /// Codes of the websites whose events have somewhere to go.
    pub sending: Vec<String>,
    /// What the source says.
    pub answer: SourceAnswer,
}

/// What the source says about the orders.
#[derive(Clone, Debug)]
pub enum SourceAnswer {
    /// It answered: these orders have the number, or are known to have it.
    Answered(Vec<FoundOrder>),
    /// It did not; why.
    Unreachable(String),
}

/// An order in the source.
#[derive(Clone, Debug)]
pub enum FoundOrder {
    /// It was understood.
    Whole(SourceOrder),
    /// Its row exists, but makes no sense.
    Unreadable {
        /// `entity_id`.
        id: i64,
        /// Table and column, without personal data.
        reason: String,
    },
}

/// An order in the source, as far as it matters here.
#[derive(Clone, Debug)]
pub struct SourceOrder {
    /// `entity_id`.
    pub id: i64,
    /// `state`.
    pub state: String,
    /// `status`.
    pub status: Option<String>,
    /// `created_at`.
    pub created_at: UtcMillis,
    /// `updated_at`.
    pub updated_at: UtcMillis,
    /// The website's code; `None` if the store view is gone.
    pub website: Option<String>,
    /// `website / store / store view`; `None` if the store view is gone.
    pub scope: Option<String>,
    /// Whether a change of it leads to events.
    pub exported: Exported,
    /// What happened to it, in the order in which it is to be sent.
    pub facts: Vec<Fact>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// [`SHAPE`].
    pub version: u32,
    /// The order number.
    pub number: String,
    /// When it was taken.
    pub taken_at: Moment,
    /// Who holds the store.
    pub daemon: DaemonStatus,
    /// Whether the source answered, and if not, why.
    pub source: ExplainedSource,
    /// The orders with this number; several if store views share it, none if it is unknown.
    pub orders: Vec<ExplainedOrder>,
}

/// Whether the source answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedSource {
    /// Whether it did.
    pub reachable: bool,
    /// Why not; null if it did.
    pub reason: Option<String>,
}

/// One order's life.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedOrder {
    /// `entity_id`.
    pub entity_id: i64,
    /// Its website, if known.
    pub website: Option<String>,
    /// All of it in one sentence.
    pub summary: String,
    /// What the source says; null if it was not reachable.
    pub shop: Option<ExplainedShopOrder>,
    /// Its latest changes that are still in the changelog, oldest first.
    pub changes: Vec<ExplainedChange>,
    /// What was last indexed of it; null if it never was.
    pub feed: Option<ExplainedFeed>,
    /// Why it cannot be indexed, if that failed.
    pub index_failure: Option<ExplainedIndexFailure>,
    /// What its website's sender does; null if the website is not known.
    pub sender: Option<SenderStatus>,
    /// Every event that was made for it.
    pub events: Vec<ExplainedEvent>,
    /// What happened to it in the shop and is no event yet.
    pub missing: Vec<MissingEvent>,
}

/// An order as the source shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedShopOrder {
    /// `current`, `gone` or `unreadable`.
    pub found: &'static str,
    /// What makes no sense, for `unreadable`.
    pub reason: Option<String>,
    /// `state`.
    pub state: Option<String>,
    /// `status`.
    pub status: Option<String>,
    /// When it was placed.
    pub created_at: Option<Moment>,
    /// When it last changed.
    pub updated_at: Option<Moment>,
    /// `website / store / store view`.
    pub scope: Option<String>,
}

/// A row of the changelog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedChange {
    /// Its version.
    pub version: i64,
    /// The table in which it was seen.
    pub table: String,
    /// What kind of change.
    pub op: String,
    /// When it was noticed.
    pub observed_at: Moment,
    /// Whether the view is past it.
    pub indexed: bool,
}

/// What was last indexed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedFeed {
    /// The first eight digits of the hash; null if it was cleared so that the order is looked at afresh.
    pub hash: Option<String>,
    /// Whether events are derived.
    pub exported: bool,
    /// Whether they are derived later, by themselves.
    #[serde(skip)]
    pub follows: bool,
    /// Why they are, or are not.
    pub reason: &'static str,
    /// Whether the order was deleted in the shop.
    pub deleted: bool,
    /// When this last changed.
    pub modified_at: Moment,
}

/// Why an order cannot be indexed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedIndexFailure {
    /// What is wrong.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again.
    pub due_at: Moment,
}

/// One event's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedEvent {
    /// What other commands take: `order:kind:document`.
    pub key: String,
    /// The kind.
    pub kind: String,
    /// `_id`.
    pub id: Uuid,
    /// The document that it is about: `order 7`, `invoice 77`.
    pub document: String,
    /// When it happened; null if the source was not reachable.
    pub happened_at: Option<Moment>,
    /// `pending`, `delivered`, `suppressed` or `parked`.
    pub state: &'static str,
    /// Commerce's word; see the module's header.
    pub export_status: Option<&'static str>,
    /// Why it is where it is and what to do, as sentences.
    pub notes: Vec<String>,
    /// How it travels; null once the retention is over.
    pub batch: Option<ExplainedBatch>,
    /// The batches that it waits for.
    pub waits_for: Vec<ExplainedWait>,
    /// What was tried, oldest first; of many failures the first and the latest.
    pub attempts: Vec<ExplainedAttempt>,
    /// When it is sent again; null if it is final, or was never sent.
    pub next_attempt_at: Option<Moment>,
    /// Why it is a dead letter.
    pub parked: Option<ExplainedParking>,
    /// Why it is not used.
    pub suppressed: Option<ExplainedSuppression>,
}

/// How an event travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedBatch {
    /// The batch's number.
    pub id: i64,
    /// `live` or `history`.
    pub class: &'static str,
    /// How many events travel in it.
    pub events: u64,
    /// When they entered the outbox.
    pub entered_at: Moment,
    /// When it became final.
    pub finished_at: Option<Moment>,
    /// How often it was sent.
    pub attempts: u32,
    /// The batch that its events were in before: it was split, or a dead letter was retried.
    pub parent: Option<i64>,
}

/// A batch that must be final first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedWait {
    /// Its number.
    pub batch: i64,
    /// What it holds that must go first.
    pub holds: String,
}

/// One request that held the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedAttempt {
    /// The batch in which it travelled.
    pub batch: i64,
    /// The how manyth of that batch.
    pub number: u32,
    /// When it ended.
    pub at: Moment,
    /// Whether the edge accepted it.
    pub accepted: bool,
    /// HTTP status; null if there was no answer.
    pub status: Option<u16>,
    /// The request id; with the suffix of the edge, if it answered.
    pub request_id: Option<String>,
    /// The edge's code or a word of ours.
    pub code: Option<String>,
    /// A few words.
    pub error: Option<String>,
    /// From sending to the last byte of the answer.
    pub duration_ms: Option<u64>,
}

/// Why an event is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedParking {
    /// A stable word or the edge's code.
    pub code: String,
    /// Since when.
    pub parked_at: Moment,
    /// HTTP status of the last answer.
    pub status: Option<u16>,
    /// Request id of the last answer.
    pub request_id: Option<String>,
    /// What to do.
    pub remedy: String,
}

/// Why an event is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedSuppression {
    /// The reason.
    pub reason: String,
    /// Since when.
    pub at: Moment,
}

/// What happened in the shop and is no event yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingEvent {
    /// The kind.
    pub kind: String,
    /// The document that it is about.
    pub document: String,
    /// The `_id` that it will have.
    pub id: Uuid,
    /// When it happened.
    pub happened_at: Moment,
    /// Why it is no event yet.
    pub why: String,
}
