//! What each website's sender does and why, so that it survives a restart and `status` can show it.

use rusqlite::{OptionalExtension, Row, params};

use crate::store::meta::WebsiteId;
use crate::store::{Reader, StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

/// What a sender does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderState {
    /// It sends.
    Running,
    /// It waits, then tries again by itself.
    BackingOff,
    /// Configuration, permission or TLS must be mended; it probes now and then.
    Halted,
    /// An operator paused it.
    Paused,
}

impl SenderState {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::BackingOff => "backing_off",
            Self::Halted => "halted",
            Self::Paused => "paused",
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "backing_off" => Self::BackingOff,
            "halted" => Self::Halted,
            "paused" => Self::Paused,
            _ => Self::Running,
        }
    }
}

/// A row of `sender`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderRow {
    /// Whose sender.
    pub website: WebsiteId,
    /// What it does.
    pub state: SenderState,
    /// A stable word or the edge's code; empty while running.
    pub code: String,
    /// A sentence; empty while running.
    pub reason: String,
    /// Since when.
    pub since: UtcMillis,
    /// Until when it waits.
    pub until: Option<UtcMillis>,
    /// Failures in a row.
    pub failures: u32,
}

impl Reader<'_> {
    /// All senders that ever were.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn senders(&self) -> Result<Vec<SenderRow>, StoreError> {
        let sql =
            "SELECT website_id, state, code, reason, since, until, failures FROM sender ORDER BY website_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], read_sender)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Until when the edge last asked to be left alone by a website's sender.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn edge_pause(&self, website: WebsiteId) -> Result<Option<UtcMillis>, StoreError> {
        let sql = "SELECT until FROM asked_pause WHERE website_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let until = statement.query_row([website], |row| row.get(0).map(UtcMillis));
        Ok(until.optional()?)
    }
}

impl Reader<'_> {
    /// Whether a batch of this website waits for its retry until after `latest`: the clock was set back since.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn retries_after(&self, website: WebsiteId, latest: UtcMillis) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM outbox_batch
                   WHERE website_id = ?1 AND state = 0 AND attempts > 0 AND due_at > ?2)";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![website, latest.0], |row| row.get(0))?)
    }
}

impl Writer<'_> {
    /// No retry of this website waits longer than until `latest`.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn clamp_retries(&mut self, website: WebsiteId, latest: UtcMillis) -> Result<usize, StoreError> {
        let sql = "UPDATE outbox_batch SET due_at = ?2
                   WHERE website_id = ?1 AND state = 0 AND attempts > 0 AND due_at > ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.execute(params![website, latest.0])?)
    }

    /// Says what a sender does now.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn set_sender(&mut self, row: &SenderRow) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO sender VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.connection.prepare_cached(sql)?.execute(params![
            row.website,
            row.state.as_str(),
            row.code,
            row.reason,
            row.since.0,
            row.until.map(|at| at.0),
            row.failures
        ])?;
        self.touch(Topic::Outbox);
        Ok(())
    }

    /// Remembers until when the edge asked to be left alone, whatever becomes of the sender's state.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn set_edge_pause(&mut self, website: WebsiteId, until: UtcMillis) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO asked_pause VALUES (?1, ?2)";
        self.connection
            .prepare_cached(sql)?
            .execute(params![website, until.0])?;
        Ok(())
    }

    /// Makes every batch due now that waits for a retry of its own, except those whose events lie in the future.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn retry_now(&mut self) -> Result<usize, StoreError> {
        let sql = "UPDATE outbox_batch SET due_at = last_attempt_at
                   WHERE state = 0 AND attempts > 0 AND due_at > last_attempt_at";
        let hastened = self.connection.prepare_cached(sql)?.execute([])?;
        self.touch(Topic::Outbox);
        Ok(hastened)
    }
}

impl Writer<'_> {
    /// Says what a sender does now, unless an operator paused it meanwhile: a pause is ended only by an operator.
    /// `false` if it is paused.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn report_sender(&mut self, row: &SenderRow) -> Result<bool, StoreError> {
        let paused = self
            .reader()
            .senders()?
            .iter()
            .any(|sender| sender.website == row.website && sender.state == SenderState::Paused);
        if !paused {
            self.set_sender(row)?;
        }
        Ok(!paused)
    }
}

fn read_sender(row: &Row<'_>) -> rusqlite::Result<SenderRow> {
    Ok(SenderRow {
        website: row.get(0)?,
        state: SenderState::from_word(&row.get::<_, String>(1)?),
        code: row.get(2)?,
        reason: row.get(3)?,
        since: UtcMillis(row.get(4)?),
        until: row.get::<_, Option<i64>>(5)?.map(UtcMillis),
        failures: row.get(6)?,
    })
}
