//! The state of each website's sender, stored so that it survives a restart and `status` can show it.

mod failure_code;
mod pause;

use rusqlite::Row;
use serde::Serialize;

pub use failure_code::FailureCode;
pub use pause::{Pause, PauseKey, PauseScope};

use crate::store::meta::WebsiteId;
use crate::store::sql::{moment, stored_words};
use crate::store::{Reader, StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

stored_words! {
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum SenderState {
        Running = "running",
        /// Waits, then retries by itself.
        BackingOff = "backing_off",
        /// Stopped by an error that retrying cannot fix; it probes from time to time.
        Halted = "halted",
        /// Stopped by an operator.
        Paused = "paused",
    }
}

/// A row of `sender`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderRow {
    pub website: WebsiteId,
    pub state: SenderState,
    /// A stable word or the edge's code; empty while running.
    pub code: String,
    /// A sentence; empty while running.
    pub reason: String,
    /// Start of the state.
    pub since: UtcMillis,
    /// End of the wait, or time of the next probe.
    pub until: Option<UtcMillis>,
    /// Number of failures in a row.
    pub failures: u32,
}

impl SenderRow {
    /// Returns true if it waits because a quota or a rate limit was exceeded.
    pub fn is_throttled(&self) -> bool {
        self.state == SenderState::BackingOff && FailureCode::parse(&self.code).is_throttling()
    }
}

impl Reader<'_> {
    /// Returns every sender that ever had something to report.
    pub fn senders(&self) -> Result<Vec<SenderRow>, StoreError> {
        let sql =
            "SELECT website_id, state, code, reason, since, until, failures FROM sender ORDER BY website_id";
        self.all(sql, [], read_sender)
    }

    /// Returns true if a batch of this website waits for a retry until after `latest`, which means that the clock was set
    /// back.
    pub fn retries_after(&self, website: WebsiteId, latest: UtcMillis) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM outbox_batch
                   WHERE website_id = ?1 AND state = 0 AND attempts > 0 AND due_at > ?2)";
        self.one(sql, (website, latest.0), |row| row.get(0))
    }
}

impl Writer<'_> {
    /// Limits every retry of this website to `latest`.
    pub fn clamp_retries(&mut self, website: WebsiteId, latest: UtcMillis) -> Result<usize, StoreError> {
        let sql = "UPDATE outbox_batch SET due_at = ?2
                   WHERE website_id = ?1 AND state = 0 AND attempts > 0 AND due_at > ?2";
        self.execute(sql, (website, latest.0))
    }

    /// Makes every batch due now that waits for a retry, except those whose events are dated in the future.
    pub fn retry_now(&mut self) -> Result<usize, StoreError> {
        // Events of the future have no attempts yet, so they stay.
        let sql = "UPDATE outbox_batch SET due_at = last_attempt_at
                   WHERE state = 0 AND attempts > 0 AND due_at > last_attempt_at";
        let due = self.execute(sql, [])?;
        self.touch(Topic::Outbox);
        Ok(due)
    }

    /// Stores the state of a sender.
    pub fn set_sender(&mut self, row: &SenderRow) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO sender VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (since, until) = (row.since.0, row.until.map(|at| at.0));
        self.execute(
            sql,
            (
                row.website,
                row.state,
                &row.code,
                &row.reason,
                since,
                until,
                row.failures,
            ),
        )?;
        self.touch(Topic::Outbox);
        Ok(())
    }

    /// Stores the state of a sender unless an operator paused it meanwhile: only an operator ends a pause. Returns false
    /// if it is paused.
    pub fn report_sender(&mut self, row: &SenderRow) -> Result<bool, StoreError> {
        let sql = "SELECT state FROM sender WHERE website_id = ?1";
        let stored = self.reader().first(sql, [row.website], |row| row.get(0))?;
        if stored == Some(SenderState::Paused) {
            return Ok(false);
        }
        self.set_sender(row)?;
        Ok(true)
    }
}

fn read_sender(row: &Row<'_>) -> rusqlite::Result<SenderRow> {
    Ok(SenderRow {
        website: row.get(0)?,
        state: row.get(1)?,
        code: row.get(2)?,
        reason: row.get(3)?,
        since: UtcMillis(row.get(4)?),
        until: moment(row, 5)?,
        failures: row.get(6)?,
    })
}
