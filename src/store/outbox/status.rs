//! What the outbox holds: of an order, and altogether.

use rusqlite::params;

use super::{BatchId, Class, EventKey, KindCode};
use crate::store::meta::WebsiteId;
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// How an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// Waits to be sent, or is on its way.
    Pending,
    /// Accepted by the edge.
    Delivered,
    /// Not used, with a reason.
    Suppressed,
    /// Needs a decision.
    Parked,
}

/// An event that the outbox holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownEvent {
    /// Which event.
    pub key: EventKey,
    /// Its batch.
    pub batch: BatchId,
    /// How it stands.
    pub state: EventState,
    /// The first eight bytes of its body's SHA-256.
    pub body_hash: i64,
}

/// What the outbox holds for a website.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebsiteOutbox {
    /// The website.
    pub website: WebsiteId,
    /// Pending events of live changes.
    pub pending_live: u64,
    /// Pending events of history.
    pub pending_history: u64,
    /// Pending events, of both kinds, that were sent and not accepted: they are sent again.
    pub pending_retry: u64,
    /// When the oldest pending change was noticed.
    pub oldest: Option<UtcMillis>,
    /// Events by kind and final outcome.
    pub totals: Vec<(KindCode, String, u64)>,
}

impl Reader<'_> {
    /// All events of an order, by kind and document.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn events_of(&self, order: OrderId) -> Result<Vec<KnownEvent>, StoreError> {
        let sql =
            "SELECT e.kind, e.document_id, e.batch_id, e.state, e.body_hash, b.state FROM outbox_event e
                   LEFT JOIN outbox_batch b ON b.id = e.batch_id
                   WHERE e.order_id = ?1 ORDER BY e.kind, e.document_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([order], |row| {
            let state = match (row.get::<_, i64>(3)?, row.get::<_, Option<i64>>(5)?) {
                (1, _) => EventState::Suppressed,
                (2, _) => EventState::Parked,
                (_, Some(0)) => EventState::Pending,
                _ => EventState::Delivered,
            };
            Ok(KnownEvent {
                key: EventKey {
                    order,
                    kind: row.get(0)?,
                    document: row.get(1)?,
                },
                batch: row.get(2)?,
                state,
                body_hash: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What the outbox holds for each website. Costs as much as there are pending batches; delivered ones cost nothing.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn outbox_by_website(&self) -> Result<Vec<WebsiteOutbox>, StoreError> {
        let mut all: Vec<WebsiteOutbox> = self
            .websites()?
            .into_iter()
            .map(|(website, _)| WebsiteOutbox {
                website,
                ..WebsiteOutbox::default()
            })
            .collect();
        for outbox in &mut all {
            self.read_pending(outbox)?;
            self.read_totals(outbox)?;
        }
        Ok(all)
    }

    /// Events that wait, of all websites: what the bound of the outbox is compared with.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn pending_events(&self) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(events), 0) FROM outbox_batch WHERE state = 0";
        let count: i64 = self
            .connection
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Events that wait, by website; those without are absent.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn pending_by_website(&self) -> Result<Vec<(WebsiteId, u64)>, StoreError> {
        let sql = "SELECT website_id, sum(events) FROM outbox_batch WHERE state = 0 GROUP BY website_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            let events = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            Ok((row.get(0)?, events))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn read_pending(&self, outbox: &mut WebsiteOutbox) -> Result<(), StoreError> {
        let sql =
            "SELECT class, sum(events), min(changed_at), sum(CASE WHEN attempts > 0 THEN events ELSE 0 END)
                   FROM outbox_batch WHERE website_id = ?1 AND state = 0 GROUP BY class";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![outbox.website])?;
        while let Some(row) = rows.next()? {
            let events = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            let oldest = UtcMillis(row.get(2)?);
            outbox.pending_retry += u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default();
            match Class::from_code(row.get(0)?) {
                Class::Live => outbox.pending_live = events,
                Class::History => outbox.pending_history = events,
            }
            outbox.oldest = Some(outbox.oldest.map_or(oldest, |earlier| earlier.min(oldest)));
        }
        Ok(())
    }

    fn read_totals(&self, outbox: &mut WebsiteOutbox) -> Result<(), StoreError> {
        let sql = "SELECT kind, outcome, events FROM outbox_total WHERE website_id = ?1 AND events <> 0";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![outbox.website])?;
        while let Some(row) = rows.next()? {
            let events = u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default();
            outbox.totals.push((row.get(0)?, row.get(1)?, events));
        }
        Ok(())
    }
}
