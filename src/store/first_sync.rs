//! The first sync of each website: one row from the moment its back-office events are first enabled. The row is kept for
//! ever, so a first sync starts once and survives every restart. The progress of its backfill is counted in the
//! transactions of the backfill.

use rusqlite::Row;
use serde::Serialize;

use super::meta::WebsiteId;
use super::sql::{count, moment, signed, stored_words};
use super::{Reader, StoreError, Writer};
use crate::store::backfill::BackfillId;
use orderfeed_model::clock::UtcMillis;

stored_words! {
    /// `first_sync.state`. It only moves forward.
    #[derive(PartialOrd, Ord, Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum SyncState {
        /// Enabled; no backfill has begun.
        NotStarted = "not_started",
        /// Its history is being read and queued, and sent meanwhile.
        Reindexing = "reindexing",
        /// All of its history is queued and being sent.
        Sending = "sending",
        /// Every event of its history is final.
        Complete = "complete",
    }
}

/// A row of `first_sync`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSyncRow {
    pub website: WebsiteId,
    pub state: SyncState,
    /// Time at which the website's events were enabled; start of the window.
    pub started_at: UtcMillis,
    /// End of the window.
    pub deadline: UtcMillis,
    /// Orders created before this time are left out; `None` includes all.
    pub floor: Option<UtcMillis>,
    /// The backfill that reads its history, once there is one.
    pub backfill: Option<BackfillId>,
    /// Orders that it covers, as counted when its backfill began.
    pub total_orders: u64,
    /// Orders read.
    pub done_orders: u64,
    /// Events queued.
    pub events: u64,
    /// Events that are final, as last recorded.
    pub sent_events: u64,
    pub completed_at: Option<UtcMillis>,
    /// True if the log has warned that the window will be missed.
    pub warned_early: bool,
    /// True if the log has warned that the window was missed.
    pub warned_late: bool,
    /// The limiting factor, as last measured.
    pub limited_by: Option<String>,
    /// Start of an interruption: the website is disabled, or not configured.
    pub interrupted_at: Option<UtcMillis>,
}

/// A website whose history is to be synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFirstSync {
    pub code: String,
    /// See [`FirstSyncRow::deadline`].
    pub deadline: UtcMillis,
    /// See [`FirstSyncRow::floor`].
    pub floor: Option<UtcMillis>,
}

/// The share of one website in a batch of a backfill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncStep {
    /// Orders read.
    pub orders: u64,
    /// Events queued.
    pub events: u64,
}

const COLUMNS: &str = "website_id, state, started_at, deadline, floor, walk_id, total_orders, done_orders, events, \
                       sent_events, completed_at, warned_early, warned_late, limited_by, interrupted_at";

impl Reader<'_> {
    /// Returns every first sync that ever began, by website number.
    pub fn first_syncs(&self) -> Result<Vec<FirstSyncRow>, StoreError> {
        self.all(
            &format!("SELECT {COLUMNS} FROM first_sync ORDER BY website_id"),
            [],
            read_row,
        )
    }

    /// Counts the pending events of `website` that any backfill queued, because its history may come from several. Reads
    /// one index entry per pending batch.
    pub fn pending_of_backfills(&self, website: WebsiteId) -> Result<u64, StoreError> {
        // The index contains both columns, so that no row of a batch is read.
        let sql = "SELECT coalesce(sum(events), 0) FROM outbox_batch INDEXED BY outbox_batch_pending
                   WHERE website_id = ?1 AND state = 0 AND walk_id IS NOT NULL";
        self.one(sql, [website], |row| count(row, 0))
    }
}

impl Writer<'_> {
    /// Creates the rows of websites that have none. Returns the codes of those websites.
    pub fn enroll_first_syncs(
        &mut self,
        websites: &[NewFirstSync],
        at: UtcMillis,
    ) -> Result<Vec<String>, StoreError> {
        let sql = "INSERT INTO first_sync (website_id, state, started_at, deadline, floor)
                   VALUES (?1, 'not_started', ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        let mut new = Vec::new();
        for website in websites {
            let id = self.website_id(&website.code)?;
            let floor = website.floor.map(|floor| floor.0);
            if self.execute(sql, (id, at.0, website.deadline.0, floor))? == 1 {
                new.push(website.code.clone());
            }
        }
        Ok(new)
    }

    /// Assigns `backfill` to the first sync of a website with `total` orders, unless another backfill reads or has read its
    /// history. A cancelled one has not.
    pub fn assign_backfill(
        &mut self,
        website: WebsiteId,
        backfill: BackfillId,
        total: u64,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE first_sync SET walk_id = ?2, total_orders = ?3, done_orders = 0
                   WHERE website_id = ?1 AND state IN ('not_started', 'reindexing') AND (walk_id IS NULL
                     OR EXISTS (SELECT 1 FROM walk WHERE id = first_sync.walk_id AND state = 'cancelled'))";
        self.run(sql, (website, backfill, signed(total)))
    }

    /// Removes `backfill` from the website's first sync, because it skipped orders of the website in this transaction.
    pub fn unassign_backfill(&mut self, backfill: BackfillId, code: &str) -> Result<(), StoreError> {
        // A complete first sync keeps its backfill: the orders skipped since are live changes.
        let sql = "UPDATE first_sync SET walk_id = NULL WHERE walk_id = ?1 AND state IN ('not_started', 'reindexing')
                   AND website_id = (SELECT id FROM website WHERE code = ?2)";
        self.run(sql, (backfill, code))
    }

    /// Records that the website is disabled, so that its first sync waits.
    pub fn interrupt_first_sync(&mut self, website: WebsiteId, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE first_sync SET interrupted_at = ?2 WHERE website_id = ?1";
        self.run(sql, (website, at.0))
    }

    /// Ends an interruption. The first sync continues in a new window.
    pub fn reopen_first_sync(
        &mut self,
        website: WebsiteId,
        at: UtcMillis,
        deadline: UtcMillis,
    ) -> Result<(), StoreError> {
        let sql =
            "UPDATE first_sync SET interrupted_at = NULL, started_at = ?2, deadline = ?3, warned_early = 0,
                   warned_late = 0, limited_by = NULL WHERE website_id = ?1";
        self.run(sql, (website, at.0, deadline.0))
    }

    /// Counts a batch of `backfill` for a website, in that batch's transaction. A backfill that is not assigned to the
    /// website's first sync counts only while none is: what it reads then need not be sent again.
    pub fn advance_first_sync(
        &mut self,
        backfill: BackfillId,
        website: WebsiteId,
        step: SyncStep,
    ) -> Result<(), StoreError> {
        // Once all of its history is queued, a later backfill adds nothing to it.
        let sql = "UPDATE first_sync SET done_orders = done_orders + ?3, events = events + ?4
                   WHERE website_id = ?1 AND coalesce(walk_id, ?2) = ?2 AND state IN ('not_started', 'reindexing')";
        self.run(sql, (website, backfill, signed(step.orders), signed(step.events)))
    }

    /// Moves a first sync forward.
    ///
    /// # Errors
    /// `Invariant` if it would move backwards.
    pub fn advance_sync_state(
        &mut self,
        website: WebsiteId,
        state: SyncState,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        let sql = "SELECT state FROM first_sync WHERE website_id = ?1";
        let now: Option<SyncState> = self.reader().first(sql, [website], |row| row.get(0))?;
        if now.is_none_or(|now| now >= state) {
            return Err(StoreError::Invariant(format!(
                "the first sync of website {website} cannot become {}",
                state.as_str()
            )));
        }
        // States may be skipped, but not repeated.
        let completed_at = (state == SyncState::Complete).then_some(at.0);
        let sql = "UPDATE first_sync SET state = ?2, completed_at = ?3 WHERE website_id = ?1";
        self.run(sql, (website, state, completed_at))
    }

    /// Stores what was observed of a first sync: final events, warnings in the log, and the limiting factor.
    pub fn record_sync_progress(&mut self, row: &FirstSyncRow) -> Result<(), StoreError> {
        let sql =
            "UPDATE first_sync SET sent_events = ?2, warned_early = ?3, warned_late = ?4, limited_by = ?5
                   WHERE website_id = ?1";
        let sent = signed(row.sent_events);
        self.run(
            sql,
            (
                row.website,
                sent,
                row.warned_early,
                row.warned_late,
                &row.limited_by,
            ),
        )
    }
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<FirstSyncRow> {
    Ok(FirstSyncRow {
        website: row.get(0)?,
        state: row.get(1)?,
        started_at: UtcMillis(row.get(2)?),
        deadline: UtcMillis(row.get(3)?),
        floor: moment(row, 4)?,
        backfill: row.get(5)?,
        total_orders: count(row, 6)?,
        done_orders: count(row, 7)?,
        events: count(row, 8)?,
        sent_events: count(row, 9)?,
        completed_at: moment(row, 10)?,
        warned_early: row.get(11)?,
        warned_late: row.get(12)?,
        limited_by: row.get(13)?,
        interrupted_at: moment(row, 14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Durability, testing};

    #[tokio::test]
    async fn a_website_is_enrolled_once_and_its_state_never_goes_back() {
        let (_dir, store) = testing::fresh();
        let base = NewFirstSync {
            code: "base".to_owned(),
            deadline: UtcMillis(300),
            floor: None,
        };
        let work = move |w: &mut Writer<'_>| {
            let new = w.enroll_first_syncs(std::slice::from_ref(&base), UtcMillis(0))?;
            assert_eq!(new, ["base"]);
            assert!(w.enroll_first_syncs(&[base], UtcMillis(9))?.is_empty());
            w.assign_backfill(1, 7, 10)?;
            w.assign_backfill(1, 8, 99)?;
            let step = SyncStep { orders: 2, events: 5 };
            w.advance_first_sync(7, 1, step)?;
            w.advance_first_sync(8, 1, step)?;
            w.advance_sync_state(1, SyncState::Sending, UtcMillis(1))?;
            assert!(
                w.advance_sync_state(1, SyncState::Reindexing, UtcMillis(2))
                    .is_err()
            );
            w.advance_first_sync(7, 1, step)?;
            let row = w.reader().first_syncs()?.remove(0);
            assert_eq!((row.started_at, row.backfill), (UtcMillis(0), Some(7)));
            assert_eq!((row.total_orders, row.done_orders, row.events), (10, 2, 5));
            Ok(())
        };
        store.write(Durability::Durable, work).await.unwrap();
    }
}
