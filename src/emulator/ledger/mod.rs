//! The ledger: what arrived, what became of it, and which promises of the client were broken.
//!
//! The promises are watched while requests arrive, so that they can be asserted after millions of events without
//! keeping these: [`LedgerDetail::Compact`] holds a hash and a count for each `_id`, [`LedgerDetail::Counts`] totals.

mod index;
mod pii;
mod rows;
mod view;
mod watch;

use std::collections::HashMap;

use bytes::Bytes;

use crate::clock::UtcMillis;
use crate::emulator::config::LedgerDetail;
use index::{IdIndex, Sighting};
use watch::{OrderWatch, PaceWatch};

pub use pii::PiiFinding;
pub(crate) use pii::findings;
pub use rows::{EventRow, EventStatus, RequestRow, Totals};
pub(crate) use view::Page;
pub use watch::{EarlyRequest, OrderViolation};

/// Most entries of a list of findings; the counters go on.
const KEPT: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Ledger {
    detail: LedgerDetail,
    keep_bodies: bool,
    events: Vec<EventRow>,
    requests: Vec<RequestRow>,
    ids: IdIndex,
    order: OrderWatch,
    pace: PaceWatch,
    changed: Vec<String>,
    pii: Vec<PiiFinding>,
    bodies: HashMap<String, Bytes>,
    totals: Totals,
}

/// An accepted event on its way into the ledger. What costs time (hash, scan) is done before the ledger is locked.
pub(crate) struct NewEvent<'a> {
    /// `_id`, if it has one.
    pub(crate) id: Option<&'a str>,
    /// `eventType`.
    pub(crate) event_type: Option<&'a str>,
    /// The order's number.
    pub(crate) purchase_id: Option<&'a str>,
    /// A hash of datastream, scope and order number.
    pub(crate) order_key: u64,
    /// `timestamp`.
    pub(crate) timestamp: Option<UtcMillis>,
    /// The event's bytes, as sent.
    pub(crate) bytes: &'a [u8],
    /// Their hash.
    pub(crate) hash: u64,
    /// What personal data they hold.
    pub(crate) personal: Vec<&'static str>,
    /// What becomes of it, unless it is a repetition.
    pub(crate) verdict: Verdict,
}

/// What becomes of an accepted event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is kept.
    Recorded,
    /// Its person opted out.
    Ignored,
    /// It fails later, unseen by the sender.
    Failed {
        /// How.
        status: EventStatus,
        /// What is wrong with it.
        why: Vec<String>,
    },
}

/// The request that carried events.
#[derive(Clone, Copy)]
pub(crate) struct Carrier<'a> {
    /// The datastream or inlet.
    pub(crate) datastream: &'a str,
    /// The id given back.
    pub(crate) request_id: &'a str,
    /// When it came.
    pub(crate) at: UtcMillis,
}

impl Ledger {
    /// An empty ledger.
    pub(crate) fn new(detail: LedgerDetail, keep_bodies: bool) -> Self {
        Self {
            detail,
            keep_bodies,
            events: Vec::new(),
            requests: Vec::new(),
            ids: IdIndex::default(),
            order: OrderWatch::default(),
            pace: PaceWatch::default(),
            changed: Vec::new(),
            pii: Vec::new(),
            bodies: HashMap::new(),
            totals: Totals::default(),
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.detail, self.keep_bodies);
    }

    /// Records accepted events, in their order.
    pub(crate) fn record<'a>(&mut self, carrier: Carrier<'_>, events: impl Iterator<Item = NewEvent<'a>>) {
        for event in events {
            self.record_one(carrier, &event);
        }
    }

    /// Notes that a request arrived; returns its sequence number, which [`Ledger::answered`] takes.
    pub(crate) fn arrived(&mut self, row: RequestRow) -> u64 {
        self.totals.requests += 1;
        let seq = self.totals.requests;
        if let Some(datastream) = &row.datastream {
            self.pace.arrived(datastream, seq, row.received_at);
        }
        self.totals.largest_request = self.totals.largest_request.max(row.bytes);
        self.totals.silent_requests += u64::from(row.silent);
        if self.detail == LedgerDetail::Full {
            self.requests.push(RequestRow { seq, ..row });
        }
        seq
    }

    /// Notes the answer to a request.
    pub(crate) fn answered(&mut self, seq: u64, outcome: Outcome<'_>, now: UtcMillis) {
        *self.totals.by_status.entry(outcome.status).or_default() += 1;
        self.totals.requests_without_events += u64::from(outcome.n_events == Some(0));
        if let Some(fault) = &outcome.fault {
            *self.totals.faults.entry(fault.clone()).or_default() += 1;
        }
        if let (Some(datastream), Some(retry_after)) = (outcome.datastream, &outcome.retry_after) {
            self.pace.asked(datastream, seq, retry_after, now);
        }
        let index = usize::try_from(seq).unwrap_or(0).wrapping_sub(1);
        if let Some(row) = self.requests.get_mut(index) {
            row.status = outcome.status;
            row.n_events = outcome.n_events.unwrap_or(0);
            row.auth_client = outcome.auth_client;
            row.ru = outcome.ru;
            row.retry_after = outcome.retry_after;
            row.fault = outcome.fault;
        }
    }

    /// Notes an issued token.
    pub(crate) fn token_issued(&mut self) {
        self.totals.tokens_issued += 1;
    }

    fn record_one(&mut self, carrier: Carrier<'_>, event: &NewEvent<'_>) {
        self.totals.events += 1;
        let seq = self.totals.events;
        self.totals.count_kind(event.event_type.unwrap_or("(none)"));
        let (sighting, attempt) = match event.id {
            Some(id) if self.detail != LedgerDetail::Counts => self.ids.note(id, event.hash, seq),
            _ => (Sighting::First, 1),
        };
        match sighting {
            Sighting::First => self.first_recording(event, seq),
            Sighting::Again => self.totals.duplicates += 1,
            Sighting::Changed { newly } => {
                self.totals.duplicates += 1;
                if newly && self.changed.len() < KEPT {
                    self.changed.extend(event.id.map(str::to_owned));
                }
            }
        }
        let status = status_of(&event.verdict, sighting);
        *self.totals.by_event_status.entry(status).or_default() += 1;
        if self.detail == LedgerDetail::Full {
            self.events
                .push(rows::event_row(carrier, event, seq, attempt, status));
        }
    }

    fn first_recording(&mut self, event: &NewEvent<'_>, seq: u64) {
        let id = event.id.unwrap_or_default();
        for what in &event.personal {
            self.totals.personal_data += 1;
            if self.pii.len() < KEPT {
                self.pii.push(PiiFinding {
                    id: id.to_owned(),
                    what,
                });
            }
        }
        if self.keep_bodies && !id.is_empty() {
            self.bodies
                .insert(id.to_owned(), Bytes::copy_from_slice(event.bytes));
        }
        if let (Some(order), Some(timestamp)) = (event.purchase_id, event.timestamp)
            && self.detail != LedgerDetail::Counts
        {
            self.order
                .note(event.order_key, timestamp, |recorded_before| OrderViolation {
                    purchase_id: order.to_owned(),
                    id: id.to_owned(),
                    seq,
                    timestamp,
                    recorded_before,
                });
        }
    }
}

/// How a request was answered.
#[derive(Debug, Default)]
pub(crate) struct Outcome<'a> {
    /// The HTTP status; 0 = the connection was closed instead.
    pub(crate) status: u16,
    /// How many events it held, where that is known.
    pub(crate) n_events: Option<usize>,
    /// The client whose token it carried.
    pub(crate) auth_client: Option<String>,
    /// Its request units.
    pub(crate) ru: u64,
    /// `Retry-After` as given.
    pub(crate) retry_after: Option<String>,
    /// The fault it met.
    pub(crate) fault: Option<String>,
    /// The datastream it was for.
    pub(crate) datastream: Option<&'a str>,
}

fn status_of(verdict: &Verdict, sighting: Sighting) -> EventStatus {
    match (verdict, sighting) {
        (Verdict::Ignored, _) => EventStatus::Ignored,
        (Verdict::Failed { status, .. }, _) => *status,
        (Verdict::Recorded, Sighting::First) => EventStatus::Recorded,
        (Verdict::Recorded, _) => EventStatus::DuplicateId,
    }
}

#[cfg(test)]
mod tests;
