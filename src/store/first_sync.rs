//! The first sync of each website: one row from the moment its back-office events are first enabled, kept for ever, so
//! that it starts once and survives every restart. What its backfill did is counted in the backfill's own transactions.

use rusqlite::{Row, params};
use serde::Serialize;

use super::meta::WebsiteId;
use super::{Reader, StoreError, Writer};
use crate::store::backfill::BackfillId;
use orderfeed_model::clock::UtcMillis;

/// How far a first sync is. It only moves forward, one step at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// Enabled; no backfill has begun.
    NotStarted,
    /// Its history is read and its events are queued; they are sent meanwhile.
    Reindexing,
    /// Its history is in the outbox and leaves.
    Sending,
    /// Its history is at the edge, or needs a decision of its own.
    Complete,
}

impl SyncState {
    /// All states, in order.
    pub const ALL: [Self; 4] = [Self::NotStarted, Self::Reindexing, Self::Sending, Self::Complete];

    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::Reindexing => "reindexing",
            Self::Sending => "sending",
            Self::Complete => "complete",
        }
    }

    fn from_word(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == word);
        known.unwrap_or(Self::NotStarted)
    }
}

/// A row of `first_sync`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSyncRow {
    /// Whose history.
    pub website: WebsiteId,
    /// How far it is.
    pub state: SyncState,
    /// When the website's events were first enabled.
    pub started_at: UtcMillis,
    /// When its history should be at the edge.
    pub deadline: UtcMillis,
    /// Orders created before this are left out; `None` takes all.
    pub floor: Option<UtcMillis>,
    /// The backfill that reads it, once there is one.
    pub backfill: Option<BackfillId>,
    /// Orders that it covers, as counted when its backfill began.
    pub total_orders: u64,
    /// Orders read.
    pub done_orders: u64,
    /// Events queued.
    pub events: u64,
    /// Events that are final, as last noted.
    pub sent_events: u64,
    /// When it was complete.
    pub completed_at: Option<UtcMillis>,
    /// Whether the log said that the window will be missed.
    pub warned_early: bool,
    /// Whether the log said that it was missed.
    pub warned_late: bool,
    /// What holds it up, as last measured.
    pub limited_by: Option<String>,
    /// Since when it waits because its website is switched off, or not configured.
    pub interrupted_at: Option<UtcMillis>,
}

/// A website whose history is to be synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFirstSync {
    /// The website's code.
    pub code: String,
    /// See [`FirstSyncRow::deadline`].
    pub deadline: UtcMillis,
    /// See [`FirstSyncRow::floor`].
    pub floor: Option<UtcMillis>,
}

/// What a batch of a backfill did for one website.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncStep {
    /// Orders of it that were read.
    pub orders: u64,
    /// Events of it that were queued.
    pub events: u64,
}

const COLUMNS: &str = "website_id, state, started_at, deadline, floor, walk_id, total_orders, done_orders, events, \
                       sent_events, completed_at, warned_early, warned_late, limited_by, interrupted_at";

impl Reader<'_> {
    /// All first syncs that ever began, in the order of their websites' numbers.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn first_syncs(&self) -> Result<Vec<FirstSyncRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM first_sync ORDER BY website_id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], read_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Events of `website` that any backfill queued and that are not final: its history may come from several. Reads an
    /// index as long as the pending batches.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn pending_of_backfills(&self, website: WebsiteId) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(events), 0) FROM outbox_batch INDEXED BY outbox_batch_pending
                   WHERE website_id = ?1 AND state = 0 AND walk_id IS NOT NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let events: i64 = statement.query_row([website], |row| row.get(0))?;
        Ok(u64::try_from(events).unwrap_or_default())
    }
}

impl Writer<'_> {
    /// Makes the rows of websites that have none. Returns those that are new.
    ///
    /// # Errors
    /// If the store cannot be written.
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
            let row = params![id, at.0, website.deadline.0, website.floor.map(|floor| floor.0)];
            if self.connection.prepare_cached(sql)?.execute(row)? == 1 {
                new.push(website.code.clone());
            }
        }
        Ok(new)
    }

    /// `backfill` reads the history of this website, which has `total` orders, unless another backfill does or did. One that
    /// was cancelled did not.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn assign_backfill(
        &mut self,
        website: WebsiteId,
        backfill: BackfillId,
        total: u64,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE first_sync SET walk_id = ?2, total_orders = ?3, done_orders = 0
                   WHERE website_id = ?1 AND state IN ('not_started', 'reindexing') AND (walk_id IS NULL
                     OR EXISTS (SELECT 1 FROM walk WHERE id = first_sync.walk_id AND state = 'cancelled'))";
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(sql)?
            .execute(params![website, backfill, total])?;
        Ok(())
    }

    /// This backfill is not the website's first sync any more: it passed over orders of it, in this transaction.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn unassign_backfill(&mut self, backfill: BackfillId, code: &str) -> Result<(), StoreError> {
        let sql = "UPDATE first_sync SET walk_id = NULL WHERE walk_id = ?1 AND state IN ('not_started', 'reindexing')
                   AND website_id = (SELECT id FROM website WHERE code = ?2)";
        self.connection
            .prepare_cached(sql)?
            .execute(params![backfill, code])?;
        Ok(())
    }

    /// The first sync waits: its website is switched off.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn interrupt_first_sync(&mut self, website: WebsiteId, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE first_sync SET interrupted_at = ?2 WHERE website_id = ?1";
        self.connection
            .prepare_cached(sql)?
            .execute(params![website, at.0])?;
        Ok(())
    }

    /// The website is enabled again: its first sync goes on, in a window of its own.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn reopen_first_sync(
        &mut self,
        website: WebsiteId,
        at: UtcMillis,
        deadline: UtcMillis,
    ) -> Result<(), StoreError> {
        let sql =
            "UPDATE first_sync SET interrupted_at = NULL, started_at = ?2, deadline = ?3, warned_early = 0,
                   warned_late = 0, limited_by = NULL WHERE website_id = ?1";
        let row = params![website, at.0, deadline.0];
        self.connection.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    /// Counts what a batch of `backfill` did for a website, in that batch's transaction. A backfill that is not the website's
    /// first sync counts nothing, unless none is yet: then what it reads need not be sent again.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn advance_first_sync(
        &mut self,
        backfill: BackfillId,
        website: WebsiteId,
        step: SyncStep,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE first_sync SET done_orders = done_orders + ?3, events = events + ?4
                   WHERE website_id = ?1 AND coalesce(walk_id, ?2) = ?2 AND state IN ('not_started', 'reindexing')";
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let row = params![website, backfill, number(step.orders), number(step.events)];
        self.connection.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    /// Moves a first sync on; it never goes back.
    ///
    /// # Errors
    /// `Invariant` if it would go back; otherwise if the store cannot be written.
    pub fn advance_sync_state(
        &mut self,
        website: WebsiteId,
        state: SyncState,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        let now = self.reader().first_syncs()?;
        let row = now.iter().find(|row| row.website == website);
        if row.is_none_or(|row| row.state >= state) {
            return Err(StoreError::Invariant(format!(
                "the first sync of website {website} cannot become {}",
                state.as_str()
            )));
        }
        let completed_at = (state == SyncState::Complete).then_some(at.0);
        self.connection
            .prepare_cached("UPDATE first_sync SET state = ?2, completed_at = ?3 WHERE website_id = ?1")?
            .execute(params![website, state.as_str(), completed_at])?;
        Ok(())
    }

    /// Notes what was seen of a first sync: events that are final, what was said, what holds it up.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn record_sync_progress(&mut self, row: &FirstSyncRow) -> Result<(), StoreError> {
        let sql =
            "UPDATE first_sync SET sent_events = ?2, warned_early = ?3, warned_late = ?4, limited_by = ?5
                   WHERE website_id = ?1";
        let sent = i64::try_from(row.sent_events).unwrap_or(i64::MAX);
        self.connection.prepare_cached(sql)?.execute(params![
            row.website,
            sent,
            row.warned_early,
            row.warned_late,
            row.limited_by
        ])?;
        Ok(())
    }
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<FirstSyncRow> {
    let count = |column: usize| {
        row.get::<_, i64>(column)
            .map(|value| u64::try_from(value).unwrap_or_default())
    };
    let moment = |column: usize| {
        row.get::<_, Option<i64>>(column)
            .map(|value| value.map(UtcMillis))
    };
    Ok(FirstSyncRow {
        website: row.get(0)?,
        state: SyncState::from_word(&row.get::<_, String>(1)?),
        started_at: UtcMillis(row.get(2)?),
        deadline: UtcMillis(row.get(3)?),
        floor: moment(4)?,
        backfill: row.get(5)?,
        total_orders: count(6)?,
        done_orders: count(7)?,
        events: count(8)?,
        sent_events: count(9)?,
        completed_at: moment(10)?,
        warned_early: row.get(11)?,
        warned_late: row.get(12)?,
        limited_by: row.get(13)?,
        interrupted_at: moment(14)?,
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
