//! The contents of the outbox: for one order, and in total.

use serde::Serialize;

use super::{BatchId, BatchState, Class, EventKey, FinalState, KindCode, RowState};
use crate::store::meta::WebsiteId;
use crate::store::sql::{count, moment};
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;
use orderfeed_model::words;

words! {
    /// The state of an event.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum EventState {
        /// Waits to be sent, or is in flight.
        Pending = "pending",
        /// Accepted by the edge.
        Delivered = "delivered",
        /// Not sent or not used, with a reason.
        Suppressed = "suppressed",
        /// Waits for an operator's decision.
        Parked = "parked",
    }
}

/// An event that the outbox holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownEvent {
    pub key: EventKey,
    pub batch: BatchId,
    pub state: EventState,
}

/// Milliseconds from now on which an event is dated far ahead: no clock is wrong by a day, but a date may be.
pub const FAR_AHEAD_MS: i64 = 86_400_000;

/// Pending events that are dated far ahead, and are not sent before that time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FarAhead {
    pub events: u64,
    /// Number of these that a backfill queued.
    pub of_backfills: u64,
    /// Time at which the first of them is due.
    pub first_due: Option<UtcMillis>,
}

/// The contents of the outbox for one website.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebsiteOutbox {
    pub website: WebsiteId,
    /// Pending events of live changes.
    pub pending_live: u64,
    /// Pending events of backfills.
    pub pending_history: u64,
    /// Pending events of both classes that were sent before and not accepted.
    pub pending_retry: u64,
    /// Time at which the oldest pending change was captured.
    pub oldest: Option<UtcMillis>,
    /// Number of events by kind and final state.
    pub totals: Vec<(KindCode, FinalState, u64)>,
}

impl Reader<'_> {
    /// Returns all events of an order, by generation, kind and document.
    pub fn events_of(&self, order: OrderId) -> Result<Vec<KnownEvent>, StoreError> {
        let sql = "SELECT e.order_id, e.kind, e.document_id, e.batch_id, e.state, b.state FROM outbox_event e
                   LEFT JOIN outbox_batch b ON b.id = e.batch_id
                   WHERE e.order_id = ?1 ORDER BY e.kind, e.document_id";
        self.all(sql, [order], |row| {
            let state = match (row.get(4)?, row.get::<_, Option<BatchState>>(5)?) {
                (RowState::Suppressed, _) => EventState::Suppressed,
                (RowState::Parked, _) => EventState::Parked,
                (RowState::AsBatch, Some(BatchState::Pending)) => EventState::Pending,
                (RowState::AsBatch, Some(BatchState::Delivered) | None) => EventState::Delivered,
            };
            Ok(KnownEvent {
                key: EventKey::read(row)?,
                batch: row.get(3)?,
                state,
            })
        })
    }

    /// Returns the contents of the outbox for each website. Its cost grows with the pending batches, not with the
    /// delivered ones.
    pub fn outbox_by_website(&self) -> Result<Vec<WebsiteOutbox>, StoreError> {
        let mut all = Vec::new();
        for (website, _) in self.websites()? {
            let mut outbox = WebsiteOutbox {
                website,
                ..WebsiteOutbox::default()
            };
            self.add_pending(&mut outbox)?;
            let sql = "SELECT kind, outcome, events FROM outbox_total WHERE website_id = ?1 AND events <> 0";
            outbox.totals = self.all(sql, [website], |row| {
                Ok((row.get(0)?, row.get(1)?, count(row, 2)?))
            })?;
            all.push(outbox);
        }
        Ok(all)
    }

    /// Counts the pending events of a website that are dated far ahead of `now`. Reads no other batches than those with a
    /// due time of their own.
    pub fn far_ahead(&self, website: WebsiteId, now: UtcMillis) -> Result<FarAhead, StoreError> {
        // Without attempts: a retry waits for its backoff. The conditions are those of the partial index.
        let sql = "SELECT coalesce(sum(events), 0), coalesce(sum(events) FILTER (WHERE walk_id IS NOT NULL), 0), min(due_at)
                   FROM outbox_batch INDEXED BY outbox_batch_later
                   WHERE website_id = ?1 AND state = 0 AND due_at > 0 AND due_at > ?2 AND attempts = 0";
        self.one(sql, (website, now.plus_millis(FAR_AHEAD_MS).0), |row| {
            Ok(FarAhead {
                events: count(row, 0)?,
                of_backfills: count(row, 1)?,
                first_due: moment(row, 2)?,
            })
        })
    }

    /// Counts the pending events of all websites; the bound of the outbox applies to them.
    pub fn pending_events(&self) -> Result<u64, StoreError> {
        // Answered from the index `outbox_batch_pending`.
        let sql = "SELECT coalesce(sum(events), 0) FROM outbox_batch WHERE state = 0";
        self.one(sql, [], |row| count(row, 0))
    }

    /// Counts the pending events of each website that has some.
    pub fn pending_by_website(&self) -> Result<Vec<(WebsiteId, u64)>, StoreError> {
        let sql = "SELECT website_id, sum(events) FROM outbox_batch WHERE state = 0 GROUP BY website_id";
        self.all(sql, [], |row| Ok((row.get(0)?, count(row, 1)?)))
    }

    fn add_pending(&self, outbox: &mut WebsiteOutbox) -> Result<(), StoreError> {
        let sql =
            "SELECT class, sum(events), min(changed_at), sum(CASE WHEN attempts > 0 THEN events ELSE 0 END)
                   FROM outbox_batch WHERE website_id = ?1 AND state = 0 GROUP BY class";
        let classes = self.all(sql, [outbox.website], |row| {
            let oldest = UtcMillis(row.get(2)?);
            Ok((row.get(0)?, count(row, 1)?, oldest, count(row, 3)?))
        })?;
        for (class, events, oldest, retry) in classes {
            match class {
                Class::Live => outbox.pending_live = events,
                Class::History => outbox.pending_history = events,
            }
            outbox.pending_retry += retry;
            outbox.oldest = Some(outbox.oldest.map_or(oldest, |earlier| earlier.min(oldest)));
        }
        Ok(())
    }
}
