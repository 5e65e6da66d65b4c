//! The figures of the first syncs for `status` and metrics, from the store alone.

use serde::Serialize;

use super::pace::events_per_order;
use crate::store::first_sync::{FirstSyncRow, SyncState};
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::{Moment, UtcMillis};

/// The first sync of one website at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SyncReport {
    /// Code of the website.
    pub website: String,
    pub state: SyncState,
    /// Time at which the website was enabled.
    pub started_at: Moment,
    /// Time by which its history should be at the edge.
    pub deadline: Moment,
    pub completed_at: Option<Moment>,
    /// Orders to read in total.
    pub total_orders: u64,
    /// Orders read so far.
    pub done_orders: u64,
    /// Events queued so far.
    pub events: u64,
    /// Queued events that are final.
    pub sent_events: u64,
    /// Time left at the average pace since the start, in milliseconds.
    pub eta_ms: Option<i64>,
    /// True if the deadline passed before the history was complete.
    pub missed: bool,
    /// The last measured bottleneck, a word of [`super::pace::Bottleneck`].
    pub limited_by: Option<String>,
    /// Time since when it waits because the website is switched off, or not configured.
    pub interrupted_at: Option<Moment>,
}

impl SyncReport {
    /// Returns how far it is: orders read and events sent.
    pub fn sizes(&self) -> String {
        format!(
            "{}/{} orders, {}/{} events sent",
            self.done_orders, self.total_orders, self.sent_events, self.events
        )
    }
}

/// Returns all first syncs at `now`.
pub fn reports(reader: &Reader<'_>, now: UtcMillis) -> Result<Vec<SyncReport>, StoreError> {
    let codes = reader.websites()?;
    let mut reports = Vec::new();
    for row in reader.first_syncs()? {
        let pending = match row.state {
            // Events that are dated far ahead are not part of the completion, but not sent either.
            SyncState::Complete => reader.far_ahead(row.website, now)?.of_backfills,
            _ => reader.pending_of_backfills(row.website)?,
        };
        let code = codes.iter().find(|(id, _)| *id == row.website);
        let code = code.map_or_else(|| row.website.to_string(), |(_, code)| code.clone());
        reports.push(report(code, row, pending, now));
    }
    Ok(reports)
}

fn report(website: String, row: FirstSyncRow, pending: u64, now: UtcMillis) -> SyncReport {
    let sent_events = row.events.saturating_sub(pending);
    // An interrupted sync counts as late only if it was late when it was interrupted.
    let end = row.completed_at.or(row.interrupted_at).unwrap_or(now);
    SyncReport {
        website,
        state: row.state,
        started_at: Moment(row.started_at),
        deadline: Moment(row.deadline),
        completed_at: row.completed_at.map(Moment),
        total_orders: row.total_orders.max(row.done_orders),
        done_orders: row.done_orders,
        events: row.events,
        sent_events,
        eta_ms: eta_ms(&row, sent_events, now),
        interrupted_at: row.interrupted_at.map(Moment),
        missed: end > row.deadline,
        limited_by: row.limited_by.filter(|_| row.state != SyncState::Complete),
    }
}

fn eta_ms(row: &FirstSyncRow, sent: u64, now: UtcMillis) -> Option<i64> {
    if row.interrupted_at.is_some() {
        return None;
    }
    // The store has no recent rates, so the average since the start has to do.
    let elapsed = now.millis_since(row.started_at);
    let unread = match row.state {
        SyncState::NotStarted | SyncState::Complete => return None,
        SyncState::Reindexing => row.total_orders.saturating_sub(row.done_orders),
        SyncState::Sending => 0,
    };
    let all = row.events as f64 + unread as f64 * events_per_order(row);
    (sent > 0 && elapsed > 0).then(|| (elapsed as f64 * (all - sent as f64) / sent as f64) as i64)
}
