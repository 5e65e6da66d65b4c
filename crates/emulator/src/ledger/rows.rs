//! Rows and totals of the ledger, as the control interface returns them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ledger::event::{Carrier, Consent, EventStatus, NewEvent, Verdict};
use orderfeed_model::clock::UtcMillis;

/// A received event. Only the full ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventRow {
    /// Position among all events since the last reset, from 1.
    pub seq: u64,
    /// Empty if the event had no `_id`.
    #[serde(rename = "_id")]
    pub id: String,
    #[serde(rename = "eventType")]
    pub event_type: Option<String>,
    #[serde(rename = "purchaseID")]
    pub purchase_id: Option<String>,
    pub timestamp: Option<UtcMillis>,
    /// The datastream or inlet.
    pub datastream: String,
    #[serde(rename = "requestId")]
    pub request_id: String,
    /// ECID of the browser that sent the event. Absent: a server did.
    pub visitor: Option<String>,
    /// Time of arrival on the virtual clock.
    pub received_at: UtcMillis,
    pub status: EventStatus,
    /// Number of recordings of its `_id` so far, including this one.
    pub attempt: u32,
    pub hash: u64,
    /// Violations found by asynchronous validation. Empty unless strict mode is on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<String>,
}

/// A received request. Only the full ledger keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestRow {
    /// Position among all requests since the last reset, from 1. Includes token requests.
    pub seq: u64,
    /// Path without the query.
    pub path: String,
    /// Datastream or inlet named by query or path.
    pub datastream: Option<String>,
    /// Time of arrival on the virtual clock.
    pub received_at: UtcMillis,
    /// Length of the body in bytes.
    pub bytes: u64,
    /// Number of events; 0 if the body could not be parsed.
    pub n_events: usize,
    /// Client whose token was used.
    pub auth_client: Option<String>,
    /// HTTP status; 0 = no answer was sent.
    pub status: u16,
    pub ru: u64,
    pub retry_after: Option<String>,
    /// Request id sent by the client.
    pub request_id: Option<String>,
    /// Value of `Host`: the name under which the client reached the listener.
    pub host: Option<String>,
    /// Value of `Origin`: the site of the page that sent the request.
    pub origin: Option<String>,
    /// ECID of the browser that sent the request, read from its cookies or assigned by the answer.
    pub visitor: Option<String>,
    /// Consent of that browser: the choice that `set-consent` transmitted, otherwise the one in its cookies.
    pub consent: Option<Consent>,
    /// True in `silent` mode, which hides ignored events.
    pub silent: bool,
    /// True if the request had an `Authorization` header.
    pub authorized: bool,
    /// Hash of that header, for comparing tokens.
    pub token_hash: Option<u64>,
    /// Hash of the body. 0 if the body was not read, or the ledger is not full.
    pub body_hash: u64,
    /// Scripted or random fault the request met.
    pub fault: Option<String>,
}

/// Counters since the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Events received in accepted requests, including duplicates.
    pub events: u64,
    pub by_kind: BTreeMap<String, u64>,
    /// Events by result.
    pub by_event_status: BTreeMap<EventStatus, u64>,
    /// Events whose `_id` was recorded before. Always 0 with a ledger of counts.
    pub duplicates: u64,
    /// Findings of personal data. Always 0 unless the ledger is full.
    pub personal_data: u64,
    pub requests: u64,
    /// Answers by HTTP status; 0 = the connection was closed without an answer.
    pub by_status: BTreeMap<u16, u64>,
    /// Data requests without an event.
    pub requests_without_events: u64,
    /// Requests in `silent` mode.
    pub silent_requests: u64,
    /// Largest body, in bytes.
    pub largest_request: u64,
    /// Faults by name.
    pub faults: BTreeMap<String, u64>,
    pub tokens_issued: u64,
}

impl Totals {
    /// Counts an event of a kind. Copies the name only for the first event of that kind.
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
        visitor: carrier.visitor.map(str::to_owned),
        received_at: carrier.at,
        status,
        attempt,
        hash: event.hash,
        violations,
    }
}
