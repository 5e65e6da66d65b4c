//! Writes to the ledger.

use std::collections::HashMap;

use bytes::Bytes;

use crate::config::LedgerDetail;
use crate::ledger::event::{Carrier, EventStatus, NewEvent, Outcome, Verdict};
use crate::ledger::index::{IdIndex, Sighting};
use crate::ledger::pii::PiiFinding;
use crate::ledger::rows::{EventRow, RequestRow, Totals, event_row};
use crate::ledger::watch::{OrderViolation, OrderWatch, PaceWatch};
use orderfeed_model::clock::UtcMillis;

/// Most entries of a list of findings. The counters continue beyond it.
const KEPT: usize = 10_000;

/// The ledger; see the module documentation.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// Number of resets. An answer to a request from before a reset must not be recorded on another request's row.
    epoch: u64,
    pub(super) detail: LedgerDetail,
    pub(super) keep_bodies: bool,
    pub(crate) events: Vec<EventRow>,
    pub(crate) requests: Vec<RequestRow>,
    pub(crate) ids: IdIndex,
    pub(crate) order: OrderWatch,
    pub(crate) pace: PaceWatch,
    pub(crate) changed: Vec<String>,
    pub(crate) pii: Vec<PiiFinding>,
    pub(crate) bodies: HashMap<String, Bytes>,
    pub(crate) totals: Totals,
}

/// Identifies a request between its arrival and its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    epoch: u64,
    seq: u64,
}

impl Ledger {
    pub(crate) fn new(detail: LedgerDetail, keep_bodies: bool) -> Self {
        Self {
            epoch: 0,
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

    pub(crate) fn clear(&mut self) {
        let epoch = self.epoch + 1;
        *self = Self {
            epoch,
            ..Self::new(self.detail, self.keep_bodies)
        };
    }

    /// Records accepted events, in order.
    pub(crate) fn record<'a>(&mut self, carrier: Carrier<'_>, events: impl Iterator<Item = NewEvent<'a>>) {
        for event in events {
            self.record_one(carrier, &event);
        }
    }

    /// Records the arrival of a request. [`Ledger::answered`] takes the ticket.
    pub(crate) fn arrived(&mut self, row: RequestRow) -> Ticket {
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
        Ticket {
            epoch: self.epoch,
            seq,
        }
    }

    /// Records the answer to a request.
    pub(crate) fn answered(&mut self, ticket: Ticket, outcome: Outcome<'_>, now: UtcMillis) {
        if ticket.epoch != self.epoch {
            return;
        }
        *self.totals.by_status.entry(outcome.status).or_default() += 1;
        self.totals.requests_without_events += u64::from(outcome.n_events == Some(0));
        if let Some(fault) = &outcome.fault {
            *self.totals.faults.entry(fault.clone()).or_default() += 1;
        }
        if let (Some(datastream), Some(retry_after)) = (outcome.datastream, &outcome.retry_after) {
            self.pace
                .asked(datastream, outcome.status, ticket.seq, retry_after, now);
        }
        let index = usize::try_from(ticket.seq).unwrap_or(0).wrapping_sub(1);
        if let Some(row) = self.requests.get_mut(index) {
            row.status = outcome.status;
            row.n_events = outcome.n_events.unwrap_or(0);
            row.auth_client = outcome.auth_client;
            row.ru = outcome.ru;
            row.retry_after = outcome.retry_after;
            row.fault = outcome.fault;
            row.visitor = outcome.visitor;
            row.consent = outcome.consent;
        }
    }

    /// Counts an issued token.
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
            self.events.push(event_row(carrier, event, seq, attempt, status));
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
                .note(event.order_key, timestamp, event.event_type, |recorded_before| {
                    OrderViolation {
                        purchase_id: order.to_owned(),
                        id: id.to_owned(),
                        seq,
                        timestamp,
                        recorded_before,
                    }
                });
        }
    }
}

fn status_of(verdict: &Verdict, sighting: Sighting) -> EventStatus {
    match (verdict, sighting) {
        (Verdict::Ignored, _) => EventStatus::Ignored,
        (Verdict::Failed { status, .. }, _) => *status,
        (Verdict::Recorded, Sighting::First) => EventStatus::Recorded,
        (Verdict::Recorded, _) => EventStatus::DuplicateId,
    }
}
