//! The ledger's rows and totals, as the control interface shows them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ledger::event::{Carrier, EventStatus, NewEvent, Verdict};
use orderfeed_model::clock::UtcMillis;

/// An event as it was received (only with the full ledger).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventRow {
    /// 1, 2, … over all events since the last reset.
    pub seq: u64,
    /// `_id`; empty if it had none.
    #[serde(rename = "_id")]
    pub id: String,
    /// `eventType`.
    #[serde(rename = "eventType")]
    pub event_type: Option<String>,
    /// The order's number.
    #[serde(rename = "purchaseID")]
    pub purchase_id: Option<String>,
    /// `timestamp`.
    pub timestamp: Option<UtcMillis>,
    /// The datastream or inlet.
    pub datastream: String,
    /// The id that the answer carried.
    #[serde(rename = "requestId")]
    pub request_id: String,
    /// When it came, on the virtual clock.
    pub received_at: UtcMillis,
    /// What became of it.
    pub status: EventStatus,
    /// 1 for the first recording of its `_id`, 2 for the second, …
    pub attempt: u32,
    /// A hash of its bytes.
    pub hash: u64,
    /// What the asynchronous validation found (only in strict mode).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<String>,
}

/// A request as it was received (only with the full ledger).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestRow {
    /// 1, 2, … over all requests (token requests, too) since the last reset.
    pub seq: u64,
    /// The path, without the query.
    pub path: String,
    /// The datastream or inlet that the query or path named.
    pub datastream: Option<String>,
    /// When it came, on the virtual clock.
    pub received_at: UtcMillis,
    /// The length of its body in bytes.
    pub bytes: u64,
    /// How many events it held; 0 where it could not be read.
    pub n_events: usize,
    /// The client whose token it carried.
    pub auth_client: Option<String>,
    /// The HTTP status; 0 = no answer was sent.
    pub status: u16,
    /// Its request units.
    pub ru: u64,
    /// `Retry-After` of the answer.
    pub retry_after: Option<String>,
    /// The request id that the client gave.
    pub request_id: Option<String>,
    /// Whether it asked for `silent` mode, which hides ignored events.
    pub silent: bool,
    /// Whether it carried an `Authorization` header.
    pub authorized: bool,
    /// A hash of that header: equal for equal tokens, and nothing else.
    pub token_hash: Option<u64>,
    /// A hash of its body: equal for equal bytes. 0 where the body was not read, or rows are not kept in full.
    pub body_hash: u64,
    /// The scripted or random fault it met.
    pub fault: Option<String>,
}

/// Counters over everything since the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Events received in accepted requests, repetitions included.
    pub events: u64,
    /// The same by `eventType`.
    pub by_kind: BTreeMap<String, u64>,
    /// The same by what became of them.
    pub by_event_status: BTreeMap<EventStatus, u64>,
    /// Events whose `_id` was there before (always 0 with a ledger of counts).
    pub duplicates: u64,
    /// Findings of personal data (only with the full ledger).
    pub personal_data: u64,
    /// Requests received.
    pub requests: u64,
    /// Answers by HTTP status; 0 = connection closed instead.
    pub by_status: BTreeMap<u16, u64>,
    /// Data requests that held no event.
    pub requests_without_events: u64,
    /// Requests that asked for `silent` mode.
    pub silent_requests: u64,
    /// The longest body in bytes.
    pub largest_request: u64,
    /// Faults met, by name.
    pub faults: BTreeMap<String, u64>,
    /// Access tokens issued.
    pub tokens_issued: u64,
}

impl Totals {
    /// Counts an event of a kind, without a copy of its name where it is known.
    pub(super) fn count_kind(&mut self, kind: &str) {
        match self.by_kind.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(self.by_kind.insert(kind.to_owned(), 1)),
        }
    }
}

pub(super) fn event_row(
    carrier: Carrier<'_>,
    event: &NewEvent<'_>,
    seq: u64,
    attempt: u32,
    status: EventStatus,
) -> EventRow {
    let violations = match &event.verdict {
        Verdict::Failed { why, .. } => why.clone(),
        Verdict::Recorded | Verdict::Ignored => Vec::new(),
    };
    EventRow {
        seq,
        id: event.id.unwrap_or_default().to_owned(),
        event_type: event.event_type.map(str::to_owned),
        purchase_id: event.purchase_id.map(str::to_owned),
        timestamp: event.timestamp,
        datastream: carrier.datastream.to_owned(),
        request_id: carrier.request_id.to_owned(),
        received_at: carrier.at,
        status,
        attempt,
        hash: event.hash,
        violations,
    }
}
