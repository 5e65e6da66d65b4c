//! What can be shown of the first syncs: numbers for `status` and metrics, from the store alone.

use super::pace::events_per_order;
use crate::store::first_sync::{FirstSyncRow, SyncState};
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::UtcMillis;

/// The first sync of one website at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncReport {
    /// The website's code.
    pub website: String,
    /// How far it is.
    pub state: SyncState,
    /// When the website was enabled.
    pub started_at: UtcMillis,
    /// When its history should be at the edge.
    pub deadline: UtcMillis,
    /// When it was.
    pub completed_at: Option<UtcMillis>,
    /// Orders that it covers.
    pub total_orders: u64,
    /// Orders read.
    pub done_orders: u64,
    /// Events queued.
    pub events: u64,
    /// Of them, those that are final.
    pub sent_events: u64,
    /// How long the rest takes at the pace since the start, in milliseconds.
    pub eta_ms: Option<i64>,
    /// Whether the deadline passed before it was complete.
    pub missed: bool,
    /// What held it up, as last measured: a word of [`super::pace::Bottleneck`].
    pub limited_by: Option<String>,
    /// Since when it waits because its website is switched off, or not configured.
    pub interrupted_at: Option<UtcMillis>,
}

/// All first syncs at `now`.
///
/// # Errors
/// If the store cannot be read.
pub fn reports(reader: &Reader<'_>, now: UtcMillis) -> Result<Vec<SyncReport>, StoreError> {
    let codes = reader.websites()?;
    let mut reports = Vec::new();
    for row in reader.first_syncs()? {
        let pending = match row.state {
            SyncState::Complete => 0,
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
    let end = row.completed_at.or(row.interrupted_at).unwrap_or(now);
    SyncReport {
        website,
        state: row.state,
        started_at: row.started_at,
        deadline: row.deadline,
        completed_at: row.completed_at,
        total_orders: row.total_orders.max(row.done_orders),
        done_orders: row.done_orders,
        events: row.events,
        sent_events,
        eta_ms: eta_ms(&row, sent_events, now),
        interrupted_at: row.interrupted_at,
        missed: end > row.deadline,
        limited_by: row.limited_by.filter(|_| row.state != SyncState::Complete),
    }
}

fn eta_ms(row: &FirstSyncRow, sent: u64, now: UtcMillis) -> Option<i64> {
    if row.interrupted_at.is_some() {
        return None;
    }
    let elapsed = now.millis_since(row.started_at);
    let unread = match row.state {
        SyncState::NotStarted | SyncState::Complete => return None,
        SyncState::Reindexing => row.total_orders.saturating_sub(row.done_orders),
        SyncState::Sending => 0,
    };
    let all = row.events as f64 + unread as f64 * events_per_order(row);
    (sent > 0 && elapsed > 0).then(|| (elapsed as f64 * (all - sent as f64) / sent as f64) as i64)
}
